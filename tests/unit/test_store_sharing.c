/* The store between handles, threads and processes. */
#include "store_fixture.h"

#include <pthread.h>
#include <time.h>

#include "store_internal.h" /* kstore_set_map_bytes() */

typedef struct fixture {
    char dir[256];
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    make_folder(f->dir, sizeof(f->dir));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    kstore_set_map_bytes(0);
    remove_folder(f->dir);
    free(f);
    return 0;
}

/* ------------------------------------------------------------------ handles */

static void test_two_handles(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 5);
    kstore *writer = open_store(f->dir);
    char other_path[512];
    snprintf(other_path, sizeof(other_path), "%s/../%s", f->dir,
             strrchr(f->dir, '/') + 1);
    kstore *reader = NULL;
    assert_int_equal(kstore_open(other_path, true, &reader, NULL), KITH_OK);

    test_state expected;
    state_after(&expected, 5);
    kstore_snapshot *snapshot;
    assert_int_equal(kstore_snapshot_begin(reader, &snapshot, NULL), KITH_OK);
    assert_int_equal(commit_batch(writer, &expected, 6, NULL), KITH_OK);
    assert_int_equal(n_batches_in(snapshot), 5);
    kstore_snapshot_end(snapshot);
    assert_int_equal(check_store(reader), 6);

    kstore_batch *batch;
    kstore_batch *second;
    assert_int_equal(kstore_batch_begin(reader, &batch, NULL), KITH_INVALID);
    kstore *other_writer = open_store(f->dir);
    assert_int_equal(kstore_batch_begin(writer, &batch, NULL), KITH_OK);
    assert_int_equal(kstore_batch_begin(other_writer, &second, NULL), KITH_BUSY);
    kstore_batch_abort(batch);
    assert_int_equal(kstore_batch_begin(other_writer, &second, NULL), KITH_OK);
    kstore_batch_abort(second);
    kstore_close(other_writer);

    kstore_close(writer); /* the environment stays for the reader */
    assert_int_equal(check_store(reader), 6);
    kstore_close(reader);
    kstore_close(NULL);
}

static void test_create_and_open_errors(void **state)
{
    fixture *f = *state;
    kith_error err = { 0 };
    kstore *store = NULL;
    assert_int_equal(kstore_open(f->dir, true, &store, &err), KITH_NOT_FOUND);
    assert_non_null(strstr(err.message, f->dir));
    kstore_settings settings = test_settings;
    settings.dim = 0;
    assert_int_equal(kstore_create(f->dir, &settings, NULL), KITH_INVALID);
    memset(settings.model, 'm', sizeof(settings.model));
    settings.dim = DIM;
    assert_int_equal(kstore_create(f->dir, &settings, NULL), KITH_INVALID);
    assert_int_equal(kstore_create("/nonexistent/folder", &test_settings, NULL),
                     KITH_NOT_FOUND);
    make_store(f->dir, 1);
    assert_int_equal(kstore_create(f->dir, &test_settings, NULL), KITH_EXISTS);
    store = open_store(f->dir);
    assert_int_equal(check_store(store), 1);
    kstore_close(store);
}

/* ------------------------------------------------------------------ fork */

typedef struct inherited {
    const char *dir;
    kstore *store;
    kstore_snapshot *snapshot;
    kstore_batch *batch;
} inherited;

/* Each use of an inherited handle is refused, releasing one does nothing, and the
 * folder can be opened anew. The number of the check that failed. */
static int use_inherited(void *context)
{
    inherited *h = context;
    kith_text id = { "x", 1 };
    kstore_record record = { .id = id, .n_passages = 1 };
    uint16_t row[DIM] = { 0 };
    uint64_t number;
    kstore_snapshot *snapshot;
    kstore_batch *batch;
    kstore_vectors vectors;
    char name[KSTORE_DERIVED_BYTES];
    const kith_status refused[] = {
        kstore_snapshot_begin(h->store, &snapshot, NULL),
        kstore_batch_begin(h->store, &batch, NULL),
        kstore_get(h->snapshot, 0, &record, NULL),
        kstore_find(h->snapshot, id, 0, &number, NULL),
        kstore_next(h->snapshot, NULL, 0, &number, NULL),
        kstore_read_dead(h->snapshot, &number, NULL),
        kstore_get_derived(h->snapshot, KSTORE_DERIVED_ANN, name, NULL),
        kstore_map_vectors(h->snapshot, &vectors, NULL),
        kstore_verify(h->snapshot, NULL),
        kstore_batch_put(h->batch, &record, row, &number, NULL),
        kstore_batch_delete(h->batch, id, &number, NULL),
        kstore_batch_row(h->batch, 0, row, NULL),
        kstore_batch_set_derived(h->batch, KSTORE_DERIVED_ANN, "x", NULL),
        kstore_batch_commit(h->batch, NULL),
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (refused[i] != KITH_INVALID) {
            return (int)i + 1;
        }
    }
    kstore_snapshot_end(h->snapshot);
    kstore_close(h->store);
    kstore *own = NULL;
    if (kstore_open(h->dir, true, &own, NULL) != KITH_OK ||
        kstore_snapshot_begin(own, &snapshot, NULL) != KITH_OK) {
        return 100;
    }
    test_state expected;
    state_after(&expected, 10);
    const char *problem = difference(snapshot, &expected);
    kstore_snapshot_end(snapshot);
    kstore_close(own);
    return problem != NULL ? 101 : 0;
}

static void test_fork(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 10);
    inherited h = { .dir = f->dir, .store = open_store(f->dir) };
    assert_int_equal(kstore_snapshot_begin(h.store, &h.snapshot, NULL), KITH_OK);
    assert_int_equal(kstore_batch_begin(h.store, &h.batch, NULL), KITH_OK);
    assert_int_equal(in_child(use_inherited, &h), 0);
    /* The parent's are as they were. */
    test_state expected;
    state_after(&expected, 10);
    assert_null(difference(h.snapshot, &expected));
    assert_int_equal(apply_batch(&expected, 11, h.batch, NULL), KITH_OK);
    assert_int_equal(
        kstore_batch_set_derived(h.batch, KSTORE_DERIVED_ANN, "batch-11", NULL), KITH_OK);
    assert_int_equal(kstore_batch_commit(h.batch, NULL), KITH_OK);
    /* The snapshot's pages are not used again: its place among the readers is kept. */
    for (unsigned b = 12; b <= 60; b++) {
        assert_int_equal(commit_batch(h.store, &expected, b, NULL), KITH_OK);
    }
    state_after(&expected, 10);
    assert_null(difference(h.snapshot, &expected));
    kstore_snapshot_end(h.snapshot);
    assert_int_equal(check_store(h.store), 60);
    kstore_close(h.store);
}

/* ------------------------------------------------------------------ the lock */

static int try_lock(void *context)
{
    kstore_lock *lock;
    int64_t holder;
    kith_status status = kstore_lock_try(context, &lock, &holder, NULL);
    return status == KITH_OK                                   ? 1
           : status == KITH_BUSY && holder == (int64_t)getppid() ? 2
                                                                 : 3;
}

static int lock_and_die(void *context)
{
    kstore_lock *lock;
    int64_t holder;
    if (kstore_lock_try(context, &lock, &holder, NULL) == KITH_OK) {
        raise(SIGKILL);
    }
    return 1;
}

static void test_lock(void **state)
{
    fixture *f = *state;
    kstore_lock *lock = NULL;
    kstore_lock *second = NULL;
    int64_t holder = -1;
    assert_int_equal(in_child(lock_and_die, f->dir), 128 + SIGKILL);
    assert_int_equal(kstore_lock_try(f->dir, &lock, &holder, NULL), KITH_OK);
    kith_error err = { 0 };
    assert_int_equal(kstore_lock_try(f->dir, &second, &holder, &err), KITH_BUSY);
    assert_int_equal(holder, getpid());
    assert_non_null(strstr(err.message, "writer.lock"));
    assert_int_equal(in_child(try_lock, f->dir), 2);
    /* Some other descriptor of the file is closed: the lock stays. */
    char path[512];
    snprintf(path, sizeof(path), "%s/writer.lock", f->dir);
    close(open(path, O_RDWR));
    assert_int_equal(in_child(try_lock, f->dir), 2);
    kstore_lock_release(lock);
    assert_int_equal(in_child(try_lock, f->dir), 1);
    /* A stale or senseless text in the file stops nobody. */
    assert_int_equal(kbase_write_whole(path, "-7 no pid", 9, NULL), KITH_OK);
    assert_int_equal(kstore_lock_try(f->dir, &lock, &holder, NULL), KITH_OK);
    kstore_lock_release(lock);
    kstore_lock_release(NULL);
    assert_int_equal(kstore_lock_try("/nonexistent", &lock, &holder, NULL),
                     KITH_NOT_FOUND);
}

/* ------------------------------------------------------------------ growing */

#define SMALL_MAP ((size_t)256 << 10)

/* A text of 4 KiB in each of n records. */
static kith_status put_many(kstore *store, unsigned first, unsigned n, kith_error *err)
{
    static char text[4096];
    memset(text, 't', sizeof(text));
    kstore_batch *batch;
    kith_status status = kstore_batch_begin(store, &batch, err);
    for (unsigned i = first; status == KITH_OK && i < first + n; i++) {
        char id[16];
        kstore_record record = {
            .id = { id, (size_t)sprintf(id, "m%u", i) },
            .n_passages = 1,
            .text = { text, sizeof(text) },
        };
        uint16_t row[DIM] = { 0 };
        uint64_t ordinal;
        status = kstore_batch_put(batch, &record, row, &ordinal, err);
        if (status != KITH_OK) {
            kstore_batch_abort(batch);
            return status;
        }
    }
    return status == KITH_OK ? kstore_batch_commit(batch, err) : status;
}

static uint64_t count_records(kstore *store)
{
    kith_error err = { 0 };
    kstore_snapshot *snapshot;
    if (kstore_snapshot_begin(store, &snapshot, &err) != KITH_OK) {
        fail_msg("%s", err.message);
    }
    uint64_t n = kstore_n_records(snapshot);
    assert_int_equal(kstore_verify(snapshot, &err), KITH_OK);
    kstore_snapshot_end(snapshot);
    return n;
}

static int put_in_child(void *context)
{
    kstore_set_map_bytes(0);
    kstore *store = NULL;
    if (kstore_open(context, false, &store, NULL) != KITH_OK) {
        return 1;
    }
    int result = put_many(store, 1000, 5000, NULL) == KITH_OK ? 0 : 2;
    kstore_close(store);
    return result;
}

static void test_map_grows(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 0);
    kstore_set_map_bytes(SMALL_MAP);
    kstore *store = open_store(f->dir);
    /* One batch for which the reserve is too small fails as a whole and says so. */
    kith_error err = { 0 };
    assert_int_equal(put_many(store, 0, 200, &err), KITH_FULL);
    assert_non_null(strstr(err.message, "fewer records"));
    assert_int_equal(count_records(store), 0);
    /* What was done in part cannot be committed. */
    static char text[65536];
    kstore_record record = { .n_passages = 1, .text = { text, sizeof(text) } };
    uint16_t row[DIM] = { 0 };
    uint64_t ordinal;
    kith_status status = KITH_OK;
    kstore_batch *batch;
    assert_int_equal(kstore_batch_begin(store, &batch, NULL), KITH_OK);
    for (record.id = (kith_text){ text, 1 }; status == KITH_OK; record.id.n_bytes++) {
        status = kstore_batch_put(batch, &record, row, &ordinal, NULL);
    }
    assert_int_equal(status, KITH_FULL);
    record.text.n_bytes = 0;
    assert_int_equal(kstore_batch_put(batch, &record, row, &ordinal, NULL),
                     KITH_INVALID);
    assert_int_equal(kstore_batch_commit(batch, NULL), KITH_INVALID);
    assert_int_equal(count_records(store), 0);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(put_many(store, i * 10, 10, NULL), KITH_OK);
    }
    assert_int_equal(count_records(store), 400);
    /* Another process writes beyond this one's map. */
    assert_int_equal(in_child(put_in_child, f->dir), 0);
    MDB_envinfo info;
    mdb_env_info(store->environment->lmdb, &info);
    struct stat file;
    assert_int_equal(stat(store->environment->path, &file), 0);
    assert_true((size_t)file.st_size > info.me_mapsize);
    assert_int_equal(count_records(store), 5400);
    assert_int_equal(put_many(store, 9000, 10, NULL), KITH_OK);
    assert_int_equal(count_records(store), 5410);
    kstore_close(store);
}

typedef struct holder {
    kstore_snapshot *snapshot;
    bool ended;
} holder;

static void *end_later(void *context)
{
    holder *h = context;
    struct timespec pause = { 0, 200000000 };
    nanosleep(&pause, NULL);
    __atomic_store_n(&h->ended, true, __ATOMIC_SEQ_CST);
    kstore_snapshot_end(h->snapshot);
    return NULL;
}

/* Growing waits for the snapshots of this process, because it moves the map. */
static void test_growing_waits(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 0);
    kstore_set_map_bytes(SMALL_MAP);
    kstore *store = open_store(f->dir);
    unsigned n = 0;
    MDB_envinfo info;
    do {
        assert_int_equal(put_many(store, n, 5, NULL), KITH_OK);
        n += 5;
        mdb_env_info(store->environment->lmdb, &info);
    } while ((info.me_last_pgno + 1) * (size_t)sysconf(_SC_PAGESIZE) <= SMALL_MAP / 2);
    holder h = { NULL, false };
    assert_int_equal(kstore_snapshot_begin(store, &h.snapshot, NULL), KITH_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, end_later, &h), 0);
    assert_int_equal(put_many(store, n, 5, NULL), KITH_OK);
    assert_true(__atomic_load_n(&h.ended, __ATOMIC_SEQ_CST));
    pthread_join(thread, NULL);
    assert_int_equal(count_records(store), n + 5);
    kstore_close(store);
}

/* ------------------------------------------------------------------ many readers */

typedef struct reading {
    kstore *store;
    bool stop;
    uint64_t n_checked;
    const char *problem;
    kith_error err;
} reading;

static void *read_until_stopped(void *context)
{
    reading *r = context;
    unsigned last = 0;
    while (!__atomic_load_n(&r->stop, __ATOMIC_SEQ_CST) && r->problem == NULL) {
        kstore_snapshot *snapshot;
        if (kstore_snapshot_begin(r->store, &snapshot, &r->err) != KITH_OK) {
            r->problem = "no snapshot";
            break;
        }
        char name[KSTORE_DERIVED_BYTES];
        unsigned b = 0;
        kstore_get_derived(snapshot, KSTORE_DERIVED_ANN, name, NULL);
        sscanf(name, "batch-%u", &b);
        /* One record a look: difference() is not for several threads. */
        uint64_t ordinal;
        kstore_record record;
        kstore_vectors vectors;
        kith_status status = kstore_next(snapshot, NULL, 0, &ordinal, &r->err);
        if (status == KITH_OK &&
            (kstore_get(snapshot, ordinal, &record, &r->err) != KITH_OK ||
             kstore_map_vectors(snapshot, &vectors, &r->err) != KITH_OK ||
             ordinal >= vectors.n_rows)) {
            r->problem = "a record without content";
        }
        if (status != KITH_OK && status != KITH_NOT_FOUND) {
            r->problem = "no record";
        }
        /* LMDB by itself lets this happen on a busy machine: see snapshot.c. */
        if (b < last || kstore_transaction(snapshot) != b + 1) {
            r->problem = "an older state, or one of another number";
        }
        last = b;
        r->n_checked++;
        kstore_snapshot_end(snapshot);
    }
    return NULL;
}

static void test_threads(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 0);
    kstore_set_map_bytes(SMALL_MAP * 2);
    kstore *store = open_store(f->dir);
    enum { N = 4 };
    reading readings[N];
    pthread_t threads[N];
    for (int i = 0; i < N; i++) {
        readings[i] = (reading){ .store = store };
        assert_int_equal(
            pthread_create(&threads[i], NULL, read_until_stopped, &readings[i]), 0);
    }
    test_state expected = { { 0 } };
    for (unsigned b = 1; b <= 150; b++) {
        assert_int_equal(commit_batch(store, &expected, b, NULL), KITH_OK);
    }
    for (int i = 0; i < N; i++) {
        __atomic_store_n(&readings[i].stop, true, __ATOMIC_SEQ_CST);
        pthread_join(threads[i], NULL);
        if (readings[i].problem != NULL) {
            fail_msg("%s: %s", readings[i].problem, readings[i].err.message);
        }
        assert_true(readings[i].n_checked > 0);
    }
    assert_int_equal(check_store(store), 150);
    kstore_close(store);
}

#define MAX_READERS 1024

static int take_all_places(void *context)
{
    kstore *store = NULL;
    if (kstore_open(context, true, &store, NULL) != KITH_OK) {
        return 1;
    }
    static kstore_snapshot *snapshots[MAX_READERS];
    for (int i = 0; i < MAX_READERS; i++) {
        if (kstore_snapshot_begin(store, &snapshots[i], NULL) != KITH_OK) {
            return 2;
        }
    }
    kstore_snapshot *one_more;
    if (kstore_snapshot_begin(store, &one_more, NULL) != KITH_BUSY) {
        return 3;
    }
    raise(SIGKILL);
    return 4;
}

static void test_places_of_dead_readers(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 3);
    kstore *store = open_store(f->dir); /* before: opening clears dead places, too */
    assert_int_equal(in_child(take_all_places, f->dir), 128 + SIGKILL);
    assert_int_equal(check_store(store), 3);
    kstore_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_two_handles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create_and_open_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fork, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_map_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_growing_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places_of_dead_readers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
