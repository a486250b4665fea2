/* The store when its files are damaged: refused, found by verify, or without effect;
 * never a crash, never wrong content. */
#include "store_fixture.h"

#include "store_internal.h" /* to write what only another version would */

typedef struct fixture {
    char dir[256];  /* a store */
    char copy[256]; /* an empty folder */
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    make_folder(f->dir, sizeof(f->dir));
    make_folder(f->copy, sizeof(f->copy));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    remove_folder(f->dir);
    remove_folder(f->copy);
    free(f);
    return 0;
}

static void write_file(const char *dir, const char *name, const void *data,
                       size_t n_bytes)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file =
        fopen(path, "wb"); /* without a flush of the disk: there are thousands */
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, n_bytes, file), n_bytes);
    assert_int_equal(fclose(file), 0);
}

static void read_file(const char *dir, const char *name, kbase_buffer *content)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    kbase_buffer_clear(content);
    assert_int_equal(kbase_read_whole(path, SIZE_MAX, content, NULL), KITH_OK);
}

/* ------------------------------------------------------------------ damaged files */

enum { REFUSED = 10, FOUND, SOUND, WRONG };

/* Open, verify, compare: a damaged copy is refused when it is opened, or found by
 * verify, or it is as sound as the original. Run in a child, so that a crash is only a
 * failure. */
static int judge(void *context)
{
    kstore *store = NULL;
    kith_error err = { 0 };
    kith_status status = kstore_open(context, true, &store, &err);
    if (status != KITH_OK) {
        bool clear = (status == KITH_CORRUPT || status == KITH_VERSION) &&
                     strstr(err.message, context) != NULL;
        return clear ? REFUSED : WRONG;
    }
    kstore_snapshot *snapshot;
    if (kstore_snapshot_begin(store, &snapshot, &err) != KITH_OK) {
        return WRONG;
    }
    status = kstore_verify(snapshot, &err);
    if (status != KITH_OK) {
        return status == KITH_CORRUPT && err.message[0] != '\0' ? FOUND : WRONG;
    }
    char name[KSTORE_DERIVED_BYTES];
    unsigned b = 0;
    kstore_get_derived(snapshot, KSTORE_DERIVED_ANN, name, NULL);
    sscanf(name, "batch-%u", &b);
    test_state expected;
    state_after(&expected, b);
    return difference(snapshot, &expected) == NULL ? SOUND : WRONG;
}

static kith_status open_copy(fixture *f, kith_error *err)
{
    kstore *store = NULL;
    kith_status status = kstore_open(f->copy, true, &store, err);
    kstore_close(store);
    return status;
}

/* A store whose last pages are free: a large record is put and deleted in one batch. */
static void make_store_with_free_end(const char *dir)
{
    static char text[100000];
    make_store(dir, 30);
    kstore *store = open_store(dir);
    test_state expected;
    state_after(&expected, 30);
    kstore_batch *batch;
    assert_int_equal(kstore_batch_begin(store, &batch, NULL), KITH_OK);
    kstore_record record = { .id = { "big", 3 },
                             .n_passages = 1,
                             .text = { text, 100000 } };
    uint16_t row[DIM] = { 0 };
    uint64_t n;
    assert_int_equal(kstore_batch_put(batch, &record, row, &n, NULL), KITH_OK);
    assert_int_equal(kstore_batch_delete(batch, record.id, &n, NULL), KITH_OK);
    assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);
    assert_int_equal(check_store(store), 30);
    kstore_close(store);
}

static void test_data_cut(void **state)
{
    fixture *f = *state;
    make_store_with_free_end(f->dir);
    kbase_buffer data = KBASE_BUFFER_INIT;
    read_file(f->dir, "data.mdb", &data);
    copy_file(f->dir, f->copy, "vectors");
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned n_refused = 0;
    unsigned n_sound = 0;
    for (size_t i = 0; i * page < data.n_bytes; i++) {
        const size_t lengths[] = { i * page, i * page + 1 + mix(i) % (page - 1) };
        for (int j = 0; j < (i % 4 == 0 ? 2 : 1); j++) {
            write_file(f->copy, "data.mdb", data.data, lengths[j]);
            int result = in_child(judge, f->copy);
            if (result != REFUSED && result != SOUND) {
                fail_msg("cut to %zu of %zu bytes: %d", lengths[j], data.n_bytes,
                         result);
            }
            n_refused += result == REFUSED;
            n_sound += result == SOUND;
        }
    }
    /* Only the free pages at the end can be missed. */
    assert_true(n_sound >= 100000 / page && n_refused > n_sound);
    assert_int_equal(in_child(judge, f->dir), SOUND);
    kbase_buffer_free(&data);
}

/* A file that lacks free pages at the end is complete; writing goes on, and afterwards
 * it is as long as its page count says, which spares the next open the search. */
static void test_short_but_complete(void **state)
{
    fixture *f = *state;
    make_store_with_free_end(f->dir);
    char path[512];
    snprintf(path, sizeof(path), "%s/data.mdb", f->dir);
    struct stat before;
    struct stat after;
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(truncate(path, before.st_size - 5 * sysconf(_SC_PAGESIZE)), 0);
    kstore *store = open_store(f->dir);
    assert_int_equal(check_store(store), 30);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    test_state expected;
    state_after(&expected, 30);
    for (unsigned b = 31; b <= 60; b++) {
        assert_int_equal(commit_batch(store, &expected, b, NULL), KITH_OK);
        MDB_envinfo info;
        mdb_env_info(store->environment->lmdb, &info);
        assert_int_equal(stat(path, &after), 0);
        assert_true((size_t)after.st_size >=
                    (info.me_last_pgno + 1) * (size_t)sysconf(_SC_PAGESIZE));
    }
    assert_int_equal(check_store(store), 60);
    /* Cut while it is open: seen by the next snapshot. */
    kstore_snapshot *snapshot;
    assert_int_equal(truncate(path, after.st_size / 2), 0);
    assert_int_equal(kstore_snapshot_begin(store, &snapshot, NULL), KITH_CORRUPT);
    kstore_close(store);
}

static void test_vectors_cut(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 30);
    kbase_buffer data = KBASE_BUFFER_INIT;
    read_file(f->dir, "vectors", &data);
    copy_file(f->dir, f->copy, "data.mdb");
    for (size_t n = 0; n < data.n_bytes; n += 1 + mix(n) % 97) {
        kith_error err = { 0 };
        write_file(f->copy, "vectors", data.data, n);
        assert_int_equal(open_copy(f, &err), KITH_CORRUPT);
        assert_non_null(strstr(err.message, f->copy));
    }
    write_file(f->copy, "vectors", data.data, data.n_bytes - 1);
    assert_int_equal(open_copy(f, NULL), KITH_CORRUPT);
    /* Rows beyond the committed ones do not exist. */
    assert_int_equal(kbase_buffer_append(&data, data.data, 1000, NULL), KITH_OK);
    write_file(f->copy, "vectors", data.data, data.n_bytes);
    assert_int_equal(in_child(judge, f->copy), SOUND);
    kbase_buffer_free(&data);
}

static void test_vectors_flipped(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 30);
    kbase_buffer data = KBASE_BUFFER_INIT;
    read_file(f->dir, "vectors", &data);
    char path[512];
    snprintf(path, sizeof(path), "%s/vectors", f->dir);
    int fd = open(path, O_RDWR);
    kstore *store = open_store(f->dir);
    kstore_snapshot *snapshot;
    assert_int_equal(kstore_snapshot_begin(store, &snapshot, NULL), KITH_OK);
    for (size_t i = 4096; i < data.n_bytes; i += 1 + mix(i) % 20) {
        char flipped = (char)(data.data[i] ^ 1 << mix(i) % 8);
        kith_error err = { 0 };
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)i), 1);
        assert_int_equal(kstore_verify(snapshot, &err), KITH_CORRUPT);
        assert_non_null(strstr(err.message, path));
        assert_int_equal(pwrite(fd, data.data + i, 1, (off_t)i), 1);
    }
    assert_int_equal(kstore_verify(snapshot, NULL), KITH_OK);
    kstore_snapshot_end(snapshot);
    kstore_close(store);
    for (size_t i = 0; i < 4096; i += 1 + mix(i) % 5) {
        char flipped = (char)(data.data[i] ^ 1 << mix(i) % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)i), 1);
        kith_status status = kstore_open(f->dir, true, &store, NULL);
        assert_int_equal(status, i >= 8 && i < 12 ? KITH_VERSION : KITH_CORRUPT);
        assert_int_equal(pwrite(fd, data.data + i, 1, (off_t)i), 1);
    }
    close(fd);
    assert_int_equal(in_child(judge, f->dir), SOUND);
    kbase_buffer_free(&data);
}

/* A damaged row must not get a good checksum: not by being copied, not by rows that are
 * added to its block. */
static void test_damage_is_not_laundered(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 10);
    char path[512];
    snprintf(path, sizeof(path), "%s/vectors", f->dir);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, 4096 + 64 + 3), 1);
    close(fd);
    kstore *store = open_store(f->dir);
    kstore_batch *batch;
    uint16_t row[DIM];
    kith_error err = { 0 };
    assert_int_equal(kstore_batch_begin(store, &batch, NULL), KITH_OK);
    assert_int_equal(kstore_batch_row(batch, 0, row, &err), KITH_CORRUPT);
    assert_non_null(strstr(err.message, path));
    kstore_batch_abort(batch);
    test_state expected;
    state_after(&expected, 10);
    assert_int_equal(commit_batch(store, &expected, 11, NULL), KITH_CORRUPT);
    kstore_close(store);
}

/* Every single bit of a stored record. */
static void test_record_flipped(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 0);
    kstore *store = open_store(f->dir);
    static const char marker[] = "here is a text that stands nowhere else in this file";
    kstore_record record = {
        .id = { "the id", 6 },
        .n_passages = 1,
        .text = { marker, sizeof(marker) },
        .title = { "title", 5 },
    };
    uint16_t row[DIM] = { 0 };
    uint64_t ordinal;
    kstore_batch *batch;
    assert_int_equal(kstore_batch_begin(store, &batch, NULL), KITH_OK);
    assert_int_equal(kstore_batch_put(batch, &record, row, &ordinal, NULL), KITH_OK);
    assert_int_equal(kstore_batch_commit(batch, NULL), KITH_OK);

    kbase_buffer data = KBASE_BUFFER_INIT;
    read_file(f->dir, "data.mdb", &data);
    const char *found = memmem(data.data, data.n_bytes, marker, sizeof(marker));
    assert_non_null(found);
    size_t last = (size_t)(found - data.data) + sizeof(marker);
    size_t first = last - sizeof(marker) - 5 - 6 - 112; /* title, id, header */
    char path[512];
    snprintf(path, sizeof(path), "%s/data.mdb", f->dir);
    int fd = open(path, O_RDWR);
    kstore_snapshot *snapshot;
    assert_int_equal(kstore_snapshot_begin(store, &snapshot, NULL), KITH_OK);
    for (size_t bit = first * 8; bit < last * 8; bit++) {
        char flipped = (char)(data.data[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)(bit / 8)), 1);
        kith_error err = { 0 };
        kstore_record read;
        assert_int_equal(kstore_get(snapshot, ordinal, &read, &err), KITH_CORRUPT);
        assert_non_null(strstr(err.message, "row 0"));
        assert_int_equal(pwrite(fd, data.data + bit / 8, 1, (off_t)(bit / 8)), 1);
    }
    assert_int_equal(kstore_get(snapshot, ordinal, &record, NULL), KITH_OK);
    kstore_snapshot_end(snapshot);
    kstore_close(store);
    close(fd);
    kbase_buffer_free(&data);
}

/* Anywhere in data.mdb, LMDB's own pages included: neither opening nor verify crash,
 * and what verify accepts is right. */
static void test_data_flipped(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 40);
    kbase_buffer data = KBASE_BUFFER_INIT;
    read_file(f->dir, "data.mdb", &data);
    copy_file(f->dir, f->copy, "vectors");
    write_file(f->copy, "data.mdb", data.data, data.n_bytes);
    char path[512];
    snprintf(path, sizeof(path), "%s/data.mdb", f->copy);
    int fd = open(path, O_RDWR);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned results[WRONG + 1] = { 0 };
    for (size_t i = 0; i < 900; i++) {
        /* A third in the page headers, a third in the first bytes of pages, a third
         * anywhere. */
        size_t at = mix(i) % data.n_bytes;
        at = i % 3 == 0 ? at / page * page + at % 16
                        : (i % 3 == 1 ? at / page * page + at % 128 : at);
        char flipped = (char)(data.data[at] ^ 1 << mix(i + 5000) % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
        int result = in_child(judge, f->copy);
        if (result < REFUSED || result > SOUND) {
            fail_msg("byte %zu of page %zu: %d", at % page, at / page, result);
        }
        results[result]++;
        assert_int_equal(pwrite(fd, data.data + at, 1, (off_t)at), 1);
    }
    close(fd);
    assert_true(results[REFUSED] > 0 && results[FOUND] > 0 && results[SOUND] > 0);
    assert_int_equal(in_child(judge, f->copy), SOUND);
    kbase_buffer_free(&data);
}

/* Bits of the branch pages of LMDB's trees: a search that is led astray finds nothing,
 * although the entry is there. */
static void test_branches_flipped(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 40);
    kbase_buffer data = KBASE_BUFFER_INIT;
    read_file(f->dir, "data.mdb", &data);
    copy_file(f->dir, f->copy, "vectors");
    write_file(f->copy, "data.mdb", data.data, data.n_bytes);
    char path[512];
    snprintf(path, sizeof(path), "%s/data.mdb", f->copy);
    int fd = open(path, O_RDWR);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned n_found = 0;
    for (size_t start = 2 * page; start < data.n_bytes; start += page) {
        if (data.data[start + 10] != 1) {
            continue;
        }
        uint16_t upper;
        memcpy(&upper, data.data + start + 14, sizeof(upper));
        for (size_t at = start + upper; at < start + page; at += 1 + mix(at) % 16) {
            char flipped = (char)(data.data[at] ^ 1 << mix(at) % 8);
            assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
            int result = in_child(judge, f->copy);
            if (result < REFUSED || result > SOUND) {
                fail_msg("byte %zu of page %zu: %d", at % page, at / page, result);
            }
            n_found += result == FOUND;
            assert_int_equal(pwrite(fd, data.data + at, 1, (off_t)at), 1);
        }
    }
    close(fd);
    assert_true(n_found > 0);
    kbase_buffer_free(&data);
}

/* A list of free pages that names one twice would give it to two owners later. */
static void test_free_list_damaged(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 40);
    kstore *store = open_store(f->dir);
    kstore_snapshot *snapshot;
    assert_int_equal(kstore_snapshot_begin(store, &snapshot, NULL), KITH_OK);
    MDB_cursor *cursor;
    assert_int_equal(mdb_cursor_open(snapshot->txn, 0, &cursor),
                     0); /* LMDB's own list */
    MDB_val key;
    MDB_val value;
    do {
        assert_int_equal(mdb_cursor_get(cursor, &key, &value, MDB_NEXT), 0);
    } while (*(uint64_t *)value.mv_data < 3);
    uint64_t list[4];
    memcpy(list, value.mv_data, sizeof(list));
    mdb_cursor_close(cursor);
    kbase_buffer data = KBASE_BUFFER_INIT;
    read_file(f->dir, "data.mdb", &data);
    const char *found = memmem(data.data, data.n_bytes, list, sizeof(list));
    assert_non_null(found);
    char path[512];
    snprintf(path, sizeof(path), "%s/data.mdb", f->dir);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, &list[1], 8, found - data.data + 16), 8);
    kith_error err = { 0 };
    assert_int_equal(kstore_verify(snapshot, &err), KITH_CORRUPT);
    assert_non_null(strstr(err.message, "twice"));
    kstore_snapshot_end(snapshot);
    kstore_close(store);
    close(fd);
    kbase_buffer_free(&data);
}

/* Sound pages, but an entry of one database is missing: all of them are missed. */
static void test_missing_entries(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 40);
    for (int i = 0; i < KSTORE_N_DBS; i++) {
        copy_file(f->dir, f->copy, "vectors");
        copy_file(f->dir, f->copy, "data.mdb");
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi dbi;
        MDB_cursor *cursor;
        char counts[] = "counts";
        MDB_val key = { sizeof(counts) - 1, counts };
        MDB_val value;
        assert_int_equal(mdb_env_create(&env), 0);
        assert_int_equal(mdb_env_set_maxdbs(env, KSTORE_N_DBS), 0);
        assert_int_equal(mdb_env_open(env, f->copy, 0, 0600), 0);
        assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
        assert_int_equal(mdb_dbi_open(txn, kstore_db_kinds[i].name, 0, &dbi), 0);
        assert_int_equal(mdb_cursor_open(txn, dbi, &cursor), 0);
        MDB_cursor_op at = i == KSTORE_META ? MDB_SET : MDB_FIRST;
        assert_int_equal(mdb_cursor_get(cursor, &key, &value, at), 0);
        assert_int_equal(mdb_cursor_del(cursor, 0), 0);
        mdb_cursor_close(cursor);
        assert_int_equal(mdb_txn_commit(txn), 0);
        mdb_env_close(env);
        bool counted = i == KSTORE_META || i == KSTORE_RECORDS || i == KSTORE_DEAD;
        assert_int_equal(in_child(judge, f->copy), counted ? REFUSED : FOUND);
    }
}

/* ------------------------------------------------------------------ foreign files */

static void test_foreign_files(void **state)
{
    fixture *f = *state;
    kith_error err = { 0 };
    make_store(f->dir, 3);
    copy_file(f->dir, f->copy, "vectors");
    write_file(f->copy, "data.mdb", "", 0);
    assert_int_equal(open_copy(f, &err), KITH_CORRUPT);
    assert_non_null(strstr(err.message, f->copy));
    kbase_buffer data = KBASE_BUFFER_INIT;
    read_file(f->dir, "data.mdb", &data);
    unsigned char *bytes = malloc(data.n_bytes);
    for (size_t i = 0; i < data.n_bytes; i++) {
        bytes[i] = (unsigned char)mix(i);
    }
    write_file(f->copy, "data.mdb", bytes, data.n_bytes);
    assert_int_equal(open_copy(f, NULL), KITH_CORRUPT);

    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    static const struct {
        size_t at;
        unsigned char value[4];
        kith_status status;
    } edits[] = {
        { 16, { 0xbe, 0xef, 0xc0, 0xde }, KITH_VERSION }, /* another byte order */
        { 20, { 2, 0, 0, 0 }, KITH_VERSION },             /* LMDB data version 2 */
        { 40, { 0, 0, 1, 0 }, KITH_VERSION },             /* pages of 64 KiB */
        { 40, { 1, 2, 3, 4 }, KITH_VERSION },
        { 10, { 0, 0, 0, 0 }, KITH_CORRUPT }, /* no meta page */
        { 140, { 0, 0, 0, 1 }, KITH_CORRUPT }, /* an impossible number of pages */
    };
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        for (size_t meta = 0; meta < 2; meta++) {
            memcpy(bytes, data.data, data.n_bytes);
            memcpy(bytes + meta * page + edits[i].at, edits[i].value, 4);
            write_file(f->copy, "data.mdb", bytes, data.n_bytes);
            assert_int_equal(open_copy(f, NULL), edits[i].status);
        }
    }
    write_file(f->copy, "data.mdb", data.data, data.n_bytes);
    assert_int_equal(open_copy(f, NULL), KITH_OK);
    free(bytes);
    kbase_buffer_free(&data);
}

/* Whole files, but not a pair; a file of LMDB, but not ours; ours, but of another
 * version. */
static void test_other_pairs(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 3);
    make_store(f->copy, 3);
    copy_file(f->dir, f->copy, "vectors");
    kith_error err = { 0 };
    assert_int_equal(open_copy(f, &err), KITH_CORRUPT);
    assert_non_null(strstr(err.message, "not of one collection"));

    copy_file(f->dir, f->copy, "data.mdb");
    assert_int_equal(open_copy(f, NULL), KITH_OK);
    char path[512];
    snprintf(path, sizeof(path), "%s/data.mdb", f->copy);
    for (int round = 0; round < 2; round++) {
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi dbi;
        unlink(round == 0 ? "" : path);
        assert_int_equal(mdb_env_create(&env), 0);
        assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
        assert_int_equal(mdb_env_open(env, f->copy, 0, 0600), 0);
        assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
        assert_int_equal(mdb_dbi_open(txn, "meta", MDB_CREATE, &dbi), 0);
        char name[] = "settings";
        MDB_val key = { strlen(name), name };
        MDB_val value;
        unsigned char settings[160] = { 0 };
        if (mdb_get(txn, dbi, &key, &value) == 0) {
            memcpy(settings, value.mv_data, sizeof(settings));
        }
        settings[0] = 7;
        value = (MDB_val){ sizeof(settings), settings };
        assert_int_equal(mdb_put(txn, dbi, &key, &value, 0), 0);
        assert_int_equal(mdb_txn_commit(txn), 0);
        mdb_env_close(env);
        assert_int_equal(open_copy(f, &err), round == 0 ? KITH_VERSION : KITH_CORRUPT);
        assert_non_null(strstr(err.message, round == 0 ? "version 7" : "no database"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_data_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short_but_complete, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vectors_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vectors_flipped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_not_laundered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_record_flipped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_data_flipped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_branches_flipped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_list_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_pairs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
