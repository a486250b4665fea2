/* The store: what goes in comes out, one state at a time, for every kind of handle. */
#include "store_fixture.h"

#include "checksum.h"

typedef struct fixture {
    char dir[256];
    kstore *store;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    make_folder(f->dir, sizeof(f->dir));
    assert_int_equal(kstore_create(f->dir, &test_settings, NULL), KITH_OK);
    f->store = open_store(f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    kstore_close(f->store);
    remove_folder(f->dir);
    free(f);
    return 0;
}

static kstore_batch *begin(kstore *store)
{
    kith_error err = { 0 };
    kstore_batch *batch = NULL;
    if (kstore_batch_begin(store, &batch, &err) != KITH_OK) {
        fail_msg("%s", err.message);
    }
    return batch;
}

static kstore_snapshot *look(kstore *store)
{
    kith_error err = { 0 };
    kstore_snapshot *snapshot = NULL;
    if (kstore_snapshot_begin(store, &snapshot, &err) != KITH_OK) {
        fail_msg("%s", err.message);
    }
    return snapshot;
}

static kith_text text_of(const char *text)
{
    return (kith_text){ text, strlen(text) };
}

/* A record of one passage, with little in it. */
static uint64_t put_small(kstore_batch *batch, const char *id, const char *source)
{
    kstore_record record = { .id = text_of(id),
                             .n_passages = 1,
                             .source = text_of(source) };
    uint16_t row[DIM] = { 0 };
    uint64_t ordinal;
    assert_int_equal(kstore_batch_put(batch, &record, row, &ordinal, NULL), KITH_OK);
    return ordinal;
}

/* ------------------------------------------------------------------ content */

static void test_batches_round_trip(void **state)
{
    fixture *f = *state;
    test_state expected = { { 0 } };
    for (unsigned b = 1; b <= 120; b++) {
        assert_int_equal(commit_batch(f->store, &expected, b, NULL), KITH_OK);
        if (b % 10 == 0) {
            assert_int_equal(check_store(f->store), b);
        }
        if (b % 30 == 0) {
            kstore_close(f->store);
            f->store = open_store(f->dir);
            assert_int_equal(check_store(f->store), b);
        }
    }
    const kstore_settings *settings = kstore_get_settings(f->store);
    assert_string_equal(settings->model, test_settings.model);
    assert_string_equal(settings->fingerprint, test_settings.fingerprint);
    assert_int_equal(settings->dim, DIM);
    assert_int_equal(settings->precision, KITH_PRECISION_FP32);
}

/* Enough rows for several blocks of checksums, ending in the middle of one. */
static void test_blocks(void **state)
{
    fixture *f = *state;
    uint64_t n = 0;
    for (unsigned size = 1; n < 5000; size = size * 3 + 1) {
        kstore_batch *batch = begin(f->store);
        for (unsigned i = 0; i < size; i++, n++) {
            char id[16];
            sprintf(id, "%06u", (unsigned)n);
            kstore_record record = { .id = text_of(id), .n_passages = 1 };
            uint16_t row[DIM];
            memset(row, (int)n, sizeof(row));
            uint64_t ordinal;
            assert_int_equal(kstore_batch_put(batch, &record, row, &ordinal, NULL),
                             KITH_OK);
            assert_int_equal(ordinal, n);
        }
        assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);
        kstore_snapshot *snapshot = look(f->store);
        assert_int_equal(kstore_verify(snapshot, NULL), KITH_OK);
        kstore_snapshot_end(snapshot);
    }
    kstore_batch *batch = begin(f->store);
    uint16_t row[DIM];
    uint16_t expected[DIM];
    for (uint64_t i = 0; i < n; i += 511) {
        assert_int_equal(kstore_batch_row(batch, i, row, NULL), KITH_OK);
        memset(expected, (int)i, sizeof(expected));
        assert_memory_equal(row, expected, sizeof(row));
    }
    assert_int_equal(kstore_batch_row(batch, n, row, NULL), KITH_INVALID);
    kstore_batch_abort(batch);
}

static void test_deleted_rows(void **state)
{
    fixture *f = *state;
    kstore_batch *batch = begin(f->store);
    for (int i = 0; i < 100; i++) {
        char id[16];
        sprintf(id, "%d", i);
        put_small(batch, id, "s");
    }
    assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);
    batch = begin(f->store);
    uint64_t n_rows;
    for (int i = 0; i < 100; i += 3) {
        char id[16];
        sprintf(id, "%d", i);
        assert_int_equal(kstore_batch_delete(batch, text_of(id), &n_rows, NULL),
                         KITH_OK);
        assert_int_equal(n_rows, 1);
        assert_int_equal(kstore_batch_delete(batch, text_of(id), &n_rows, NULL),
                         KITH_NOT_FOUND);
    }
    assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);

    kstore_snapshot *snapshot = look(f->store);
    uint64_t dead[2] = { 0, 0 };
    assert_int_equal(kstore_read_dead(snapshot, dead, NULL), KITH_OK);
    for (uint64_t i = 0; i < 128; i++) {
        bool is_dead = (dead[i / 64] >> (i % 64) & 1) != 0;
        assert_int_equal(is_dead, i < 100 && i % 3 == 0);
        kstore_record record;
        assert_int_equal(kstore_get(snapshot, i, &record, NULL),
                         is_dead || i >= 100 ? KITH_NOT_FOUND : KITH_OK);
    }
    assert_int_equal(kstore_n_rows(snapshot), 100);
    assert_int_equal(kstore_n_passages(snapshot), 66);
    assert_int_equal(kstore_n_records(snapshot), 66);
    kstore_snapshot_end(snapshot);
}

/* Records come in the order of their ids' bytes, the passages of each together. */
static void test_order(void **state)
{
    static const struct {
        const char *id;
        size_t n_bytes;
    } ids[] = { { "\0", 1 },    { "\0\0", 2 }, { "\0\xff", 2 },    { "\1", 1 },
                { "a", 1 },     { "a\0", 2 },  { "a\0\0\0\0", 5 }, { "a\0\0\0\1", 5 },
                { "a\0b", 3 },  { "a\1", 2 },  { "ab", 2 },        { "\xff", 1 },
                { "\xff\0", 2 } };
    enum { N = sizeof(ids) / sizeof(ids[0]) };
    fixture *f = *state;
    kstore_batch *batch = begin(f->store);
    uint16_t row[DIM] = { 0 };
    uint64_t ordinal;
    for (size_t i = N; i > 0; i--) {
        kstore_record record = { .id = { ids[i - 1].id, ids[i - 1].n_bytes },
                                 .n_passages = 300 };
        for (record.passage = 0; record.passage < 300; record.passage++) {
            assert_int_equal(kstore_batch_put(batch, &record, row, &ordinal, NULL),
                             KITH_OK);
        }
    }
    assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);

    kstore_snapshot *snapshot = look(f->store);
    kstore_record record;
    kith_text last = { NULL, 0 };
    uint32_t last_passage = 0;
    for (size_t i = 0; i < N; i++) {
        for (uint32_t p = 0; p < 300; p++) {
            assert_int_equal(kstore_next(snapshot, last.data == NULL ? NULL : &last,
                                         last_passage, &ordinal, NULL),
                             KITH_OK);
            assert_int_equal(kstore_get(snapshot, ordinal, &record, NULL), KITH_OK);
            assert_int_equal(record.passage, p);
            assert_true(same_text(record.id, (kith_text){ ids[i].id, ids[i].n_bytes }));
            last = record.id;
            last_passage = p;
        }
    }
    assert_int_equal(kstore_next(snapshot, &last, last_passage, &ordinal, NULL),
                     KITH_NOT_FOUND);
    kith_text absent = text_of("a\2");
    assert_int_equal(kstore_next(snapshot, &absent, 0, &ordinal, NULL), KITH_OK);
    assert_int_equal(kstore_get(snapshot, ordinal, &record, NULL), KITH_OK);
    assert_true(same_text(record.id, text_of("ab")) && record.passage == 0);
    kstore_snapshot_end(snapshot);
}

static void test_refused_records(void **state)
{
    fixture *f = *state;
    static char big[KSTORE_TEXT_MAX + 1];
    memset(big, 'x', sizeof(big));
    kstore_batch *batch = begin(f->store);
    uint16_t row[DIM] = { 0 };
    uint64_t ordinal;
    kith_error err = { 0 };
    kstore_record good = { .id = text_of("good"), .n_passages = 2 };
    kstore_record bad = good;
    bad.id.n_bytes = 0;
    assert_int_equal(kstore_batch_put(batch, &bad, row, &ordinal, NULL), KITH_INVALID);
    bad.id = (kith_text){ big, sizeof(big) };
    assert_int_equal(kstore_batch_put(batch, &bad, row, &ordinal, NULL), KITH_INVALID);
    bad = good;
    bad.source = (kith_text){ big, sizeof(big) };
    assert_int_equal(kstore_batch_put(batch, &bad, row, &ordinal, NULL), KITH_INVALID);
    bad = good;
    bad.text.n_bytes = (size_t)INT32_MAX; /* refused before it is read */
    assert_int_equal(kstore_batch_put(batch, &bad, row, &ordinal, NULL), KITH_INVALID);
    bad.text.n_bytes = SIZE_MAX;
    assert_int_equal(kstore_batch_put(batch, &bad, row, &ordinal, NULL), KITH_INVALID);
    bad = good;
    bad.passage = 2;
    assert_int_equal(kstore_batch_put(batch, &bad, row, &ordinal, NULL), KITH_INVALID);
    /* None of that spoils the batch. */
    assert_int_equal(kstore_batch_put(batch, &good, row, &ordinal, NULL), KITH_OK);
    assert_int_equal(kstore_batch_put(batch, &good, row, &ordinal, &err), KITH_EXISTS);
    assert_non_null(strstr(err.message, "good"));
    good.passage = 1;
    assert_int_equal(kstore_batch_put(batch, &good, row, &ordinal, NULL), KITH_OK);
    assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);
    kstore_snapshot *snapshot = look(f->store);
    assert_int_equal(kstore_n_rows(snapshot), 2);
    assert_int_equal(kstore_verify(snapshot, NULL), KITH_OK);
    kstore_snapshot_end(snapshot);
}

/* ------------------------------------------------------------------ ledger */

typedef struct visit_context {
    kstore_batch *batch;
    unsigned n;
    bool delete;
} visit_context;

static kith_status visit_id(void *context, kith_text id, kith_error *err)
{
    visit_context *visit = context;
    uint64_t n_rows;
    visit->n++;
    return visit->delete ? kstore_batch_delete(visit->batch, id, &n_rows, err)
                         : KITH_OK;
}

static kith_status visit_stop(void *context, kith_text id, kith_error *err)
{
    (void)id;
    ++*(int *)context;
    return kbase_fail(err, KITH_INTERRUPTED, "enough");
}

static unsigned count_of_source(kstore_batch *batch, kith_text source, bool delete)
{
    visit_context visit = { batch, 0, delete };
    assert_int_equal(kstore_batch_each_of_source(batch, source, visit_id, &visit, NULL),
                     KITH_OK);
    return visit.n;
}

static uint64_t n_sources(const kstore_snapshot *snapshot)
{
    uint64_t n;
    assert_int_equal(kstore_n_sources(snapshot, &n, NULL), KITH_OK);
    return n;
}

/* In the ledger a long source is its first 255 bytes and a hash, a short one itself and
 * two NULs: here the hash begins with two NULs, so that one key is the start of the
 * other. */
static void test_ledger_prefix(void **state)
{
    fixture *f = *state;
    char whole[300];
    memset(whole, 's', sizeof(whole));
    unsigned i = 0;
    do {
        sprintf(whole + 255, "%u", i++);
    } while (kbase_hash128_of(whole, strlen(whole)).high >> 48 != 0);
    char start[256];
    memcpy(start, whole, 255);
    start[255] = '\0';
    kstore_batch *batch = begin(f->store);
    put_small(batch, "1", start);
    put_small(batch, "2", whole);
    const kstore_snapshot *view = kstore_batch_snapshot(batch);
    assert_int_equal(n_sources(view), 2);
    assert_int_equal(count_of_source(batch, text_of(start), false), 1);
    uint64_t n_rows;
    assert_int_equal(kstore_batch_delete(batch, text_of("1"), &n_rows, NULL), KITH_OK);
    assert_int_equal(n_sources(view), 1);
    assert_int_equal(count_of_source(batch, text_of(whole), false), 1);
    assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);
    kstore_snapshot *snapshot = look(f->store);
    assert_int_equal(kstore_verify(snapshot, NULL), KITH_OK);
    kstore_snapshot_end(snapshot);
}

static void test_ledger(void **state)
{
    fixture *f = *state;
    /* Sources that begin alike; the long ones only differ in their last byte. */
    static char sources[4][KSTORE_TEXT_MAX + 1];
    memset(sources[0], 's', 254);
    memset(sources[1], 's', 255);
    memset(sources[2], 's', KSTORE_TEXT_MAX);
    memcpy(sources[3], sources[2], KSTORE_TEXT_MAX);
    sources[3][KSTORE_TEXT_MAX - 1] = 't';
    kstore_batch *batch = begin(f->store);
    for (int i = 0; i < 40; i++) {
        char id[16];
        sprintf(id, "%d", i);
        put_small(batch, id, sources[i % 4]);
    }
    put_small(batch, "none", "");
    assert_int_equal(n_sources(kstore_batch_snapshot(batch)), 4);
    assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);

    batch = begin(f->store);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(count_of_source(batch, text_of(sources[i]), false), 10);
    }
    assert_int_equal(count_of_source(batch, text_of(""), false), 0);
    assert_int_equal(count_of_source(batch, text_of("s"), false), 0);
    assert_int_equal(count_of_source(batch, text_of(sources[3]), true), 10);
    assert_int_equal(count_of_source(batch, text_of(sources[3]), false), 0);
    assert_int_equal(count_of_source(batch, text_of(sources[2]), false), 10);
    int n_visits = 0;
    assert_int_equal(kstore_batch_each_of_source(batch, text_of(sources[0]), visit_stop,
                                                 &n_visits, NULL),
                     KITH_INTERRUPTED);
    assert_int_equal(n_visits, 1);
    assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);
    kstore_snapshot *snapshot = look(f->store);
    assert_int_equal(n_sources(snapshot), 3);
    assert_int_equal(kstore_n_records(snapshot), 31);
    assert_int_equal(kstore_verify(snapshot, NULL), KITH_OK);
    kstore_snapshot_end(snapshot);
}

/* ------------------------------------------------------------------ states */

static void test_isolation(void **state)
{
    fixture *f = *state;
    test_state expected = { { 0 } };
    for (unsigned b = 1; b <= 20; b++) {
        assert_int_equal(commit_batch(f->store, &expected, b, NULL), KITH_OK);
    }
    kstore_snapshot *before = look(f->store);
    kstore_snapshot *twin = look(f->store);
    assert_int_equal(kstore_transaction(before), kstore_transaction(twin));
    kstore_snapshot_end(twin);
    test_state then = expected;

    kstore_batch *batch = begin(f->store);
    assert_int_equal(apply_batch(&expected, 21, batch, NULL), KITH_OK);
    assert_null(difference(before, &then));
    kstore_snapshot *during = look(f->store);
    assert_null(difference(during, &then));
    kstore_snapshot_end(during);
    assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);

    assert_null(difference(before, &then));
    kstore_snapshot *after = look(f->store);
    assert_true(kstore_transaction(after) > kstore_transaction(before));
    assert_null(difference(after, &expected));
    kstore_snapshot_end(after);
    kstore_snapshot_end(before);
}

/* Past the first map of the vector file: the old pointers stay good. */
static void test_vectors_grow(void **state)
{
    fixture *f = *state;
    char dir[256];
    make_folder(dir, sizeof(dir));
    kstore_settings settings = test_settings;
    settings.dim = 65536; /* 128 KiB a row */
    assert_int_equal(kstore_create(dir, &settings, NULL), KITH_OK);
    kstore_close(f->store);
    f->store = open_store(dir);
    uint16_t *row = calloc(settings.dim, sizeof(*row));
    kstore_vectors first = { NULL, 0, 0 };
    kstore_vectors now;
    for (uint16_t n = 0; n < 1200; n += 200) {
        kstore_batch *batch = begin(f->store);
        for (uint16_t i = n; i < n + 200; i++) {
            char id[16];
            kstore_record record = { .id = { id, (size_t)sprintf(id, "%u", i) },
                                     .n_passages = 1 };
            uint64_t ordinal;
            row[0] = i;
            row[settings.dim - 1] = (uint16_t)(i + 1);
            assert_int_equal(kstore_batch_put(batch, &record, row, &ordinal, NULL),
                             KITH_OK);
        }
        assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);
        kstore_snapshot *snapshot = look(f->store);
        assert_int_equal(kstore_map_vectors(snapshot, &now, NULL), KITH_OK);
        kstore_snapshot_end(snapshot);
        assert_int_equal(now.n_rows, n + 200);
        first = first.data == NULL ? now : first;
        for (uint64_t i = 0; i < now.n_rows; i++) {
            const uint16_t *from =
                (i < first.n_rows ? first : now).data + i * now.stride;
            assert_int_equal(from[0], i);
            assert_int_equal(from[settings.dim - 1], i + 1);
        }
    }
    assert_ptr_not_equal(first.data, now.data);
    free(row);
    remove_folder(dir);
}

static void test_abort(void **state)
{
    fixture *f = *state;
    test_state expected = { { 0 } };
    assert_int_equal(commit_batch(f->store, &expected, 1, NULL), KITH_OK);
    kstore_snapshot *snapshot = look(f->store);
    uint64_t transaction = kstore_transaction(snapshot);
    kstore_snapshot_end(snapshot);
    kstore_batch *batch = begin(f->store);
    test_state lost = expected;
    assert_int_equal(apply_batch(&lost, 2, batch, NULL), KITH_OK);
    kstore_batch_abort(batch);
    kstore_batch_abort(NULL);
    assert_int_equal(kstore_batch_commit(begin(f->store), NULL),
                     KITH_OK); /* no change */
    snapshot = look(f->store);
    assert_int_equal(kstore_transaction(snapshot), transaction);
    kstore_snapshot_end(snapshot);
    assert_int_equal(check_store(f->store), 1);
}

/* A record is put with texts and a vector that are read from the batch itself. */
static void test_copy_within_batch(void **state)
{
    fixture *f = *state;
    test_state expected = { { 0 } };
    for (unsigned b = 1; b <= 30; b++) {
        assert_int_equal(commit_batch(f->store, &expected, b, NULL), KITH_OK);
    }
    static test_record made;
    kstore_batch *batch = begin(f->store);
    const kstore_snapshot *view = kstore_batch_snapshot(batch);
    unsigned n_copied = 0;
    for (unsigned n = 0; n < N_RECORDS; n++) {
        if (expected.version[n] == 0 || n_passages_of(n, expected.version[n]) != 1) {
            continue;
        }
        make_record(&made, n, expected.version[n], 0);
        uint64_t ordinal;
        uint64_t n_rows;
        uint16_t row[DIM];
        kstore_record record;
        char copy[LONG_ID + 2];
        for (int round = 0; round < 3; round++) {
            assert_int_equal(kstore_find(view, made.record.id, 0, &ordinal, NULL),
                             KITH_OK);
            assert_int_equal(kstore_get(view, ordinal, &record, NULL), KITH_OK);
            assert_int_equal(kstore_batch_row(batch, ordinal, row, NULL), KITH_OK);
            assert_memory_equal(row, made.row, sizeof(row));
            sprintf(copy, "copy-%u-%d", n, round);
            record.id = text_of(copy);
            assert_int_equal(kstore_batch_put(batch, &record, row, &ordinal, NULL),
                             KITH_OK);
            assert_int_equal(kstore_get(view, ordinal, &record, NULL), KITH_OK);
            assert_true(same_text(record.text, made.record.text));
            assert_int_equal(kstore_batch_delete(batch, record.id, &n_rows, NULL),
                             KITH_OK);
        }
        n_copied++;
    }
    assert_true(n_copied > 3);
    assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);
    assert_int_equal(check_store(f->store), 30);
}

/* Each kind of derived file has a name of its own, which later commits keep. */
static void test_derived_names(void **state)
{
    fixture *f = *state;
    static const char *const names[KSTORE_N_DERIVED] = { "a-1", "c-2", "f-3" };
    char name[KSTORE_DERIVED_BYTES];
    test_state expected = { { 0 } };
    for (kstore_derived_kind kind = 0; kind < KSTORE_N_DERIVED; kind++) {
        kstore_batch *batch = begin(f->store);
        assert_int_equal(kstore_batch_set_derived(batch, kind, names[kind], NULL),
                         KITH_OK);
        assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);
        kstore_snapshot *snapshot = look(f->store);
        for (kstore_derived_kind other = 0; other < KSTORE_N_DERIVED; other++) {
            assert_int_equal(kstore_get_derived(snapshot, other, name, NULL), KITH_OK);
            assert_string_equal(name, other <= kind ? names[other] : "");
        }
        kstore_snapshot_end(snapshot);
    }
    assert_int_equal(commit_batch(f->store, &expected, 1, NULL), KITH_OK);
    kstore_snapshot *snapshot = look(f->store);
    assert_int_equal(kstore_get_derived(snapshot, KSTORE_DERIVED_FIELDS, name, NULL),
                     KITH_OK);
    assert_string_equal(name, "f-3");
    assert_int_equal(kstore_verify(snapshot, NULL), KITH_OK);
    kstore_snapshot_end(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_batches_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ledger, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ledger_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_isolation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vectors_grow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abort, setup, teardown),
        cmocka_unit_test_setup_teardown(test_copy_within_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_derived_names, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
