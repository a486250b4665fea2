/* A store in a temporary folder whose content follows from numbers, so that a test can
 * say what must be in it: record n in version v, and the state after b batches. */
#ifndef TEST_STORE_FIXTURE_H
#define TEST_STORE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "error.h"
#include "store.h"

#define DIM 24 /* 48 bytes, so a row is padded to 64 */
#define N_RECORDS 48
#define MAX_PASSAGES 3
#define LONG_ID 4096

static const kstore_settings test_settings = {
    "tiny-model", "0123456789abcdef0123456789abcdef", DIM, KITH_PRECISION_FP32,
};

/* ------------------------------------------------------------------ folders */

static inline void make_folder(char *dir, size_t size)
{
    const char *parent = getenv("TMPDIR");
    snprintf(dir, size, "%s/kith-test-store-XXXXXX", parent != NULL ? parent : "/tmp");
    assert_non_null(mkdtemp(dir));
}

static inline int remove_entry(const char *path, const struct stat *info, int type,
                               struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static inline void remove_folder(const char *dir)
{
    nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
    char from[512];
    char to[512];
    snprintf(from, sizeof(from), "%s/%s", from_dir, name);
    snprintf(to, sizeof(to), "%s/%s", to_dir, name);
    kbase_buffer content = KBASE_BUFFER_INIT;
    assert_int_equal(kbase_read_whole(from, SIZE_MAX, &content, NULL), KITH_OK);
    assert_int_equal(kbase_write_whole(to, content.data, content.n_bytes, NULL),
                     KITH_OK);
    kbase_buffer_free(&content);
}

/* ------------------------------------------------------------------ records */

/* Texts point into the structure. */
typedef struct test_record {
    kstore_record record;
    uint16_t row[DIM];
    char id[LONG_ID];
    char text[24000];
    char small[64];
} test_record;

static inline uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9;
    return x ^ (x >> 32);
}

static inline uint32_t n_passages_of(unsigned n, unsigned version)
{
    return 1 + (uint32_t)(mix(n * 1000 + version) % MAX_PASSAGES);
}

/* Every kind of id: short, with NULs, at the limits of the key, 4096 bytes that differ
 * in the last one only. */
static inline size_t fill_id(char *id, unsigned n)
{
    static const size_t lengths[] = { 0, 0, 253, 254, 255, 256, 257, LONG_ID };
    size_t length = lengths[n % 8];
    if (length == 0) {
        length = (size_t)sprintf(id, "id%u", n);
        if (n % 8 == 1) {
            memcpy(id + length, "\0\0x\0", 4);
            length += 4;
        }
        return length;
    }
    memset(id, 'p', length);
    id[length - 1] = (char)n;
    if (n % 16 == 4) {
        id[7] = '\0'; /* 255 bytes that no longer fit */
    }
    return length;
}

static inline void make_record(test_record *made, unsigned n, unsigned version,
                               uint32_t passage)
{
    memset(made, 0, sizeof(*made));
    uint64_t seed = mix(n * 7919ULL + version * 104729ULL + passage * 31ULL);
    kstore_record *record = &made->record;
    record->id = (kith_text){ made->id, fill_id(made->id, n) };
    record->passage = passage;
    record->n_passages = n_passages_of(n, version);
    size_t n_text = seed % 5 == 0 ? seed % sizeof(made->text) : seed % 600;
    for (size_t i = 0; i < n_text; i++) {
        made->text[i] = (char)mix(seed + i);
    }
    record->text = (kith_text){ made->text, n_text };
    int n_small = snprintf(made->small, sizeof(made->small), "title %u", n) + 1;
    record->title = (kith_text){ made->small, n % 3 == 0 ? 0 : (size_t)n_small };
    char *source = made->small + n_small;
    int n_source = sprintf(source, "/folder/file-%u", n % 5);
    record->source = (kith_text){ source, n % 5 == 4 ? 0 : (size_t)n_source };
    char *metadata = source + n_source;
    int n_metadata = sprintf(metadata, "{\"v\":%u}", version);
    record->metadata = (kith_text){ metadata, n % 2 == 0 ? 0 : (size_t)n_metadata };
    for (int i = 0; i < 2; i++) {
        record->byte[i] = mix(seed + 100 + (uint64_t)i);
        record->line[i] = mix(seed + 200 + (uint64_t)i);
        record->text_hash[i] = mix(seed + 300 + (uint64_t)i);
        record->record_hash[i] = mix(n * 1000 + version + (uint64_t)i);
    }
    for (size_t i = 0; i < DIM; i++) {
        made->row[i] = (uint16_t)mix(seed + 400 + i);
    }
}

static inline bool same_text(kith_text a, kith_text b)
{
    return a.n_bytes == b.n_bytes &&
           (a.n_bytes == 0 || memcmp(a.data, b.data, a.n_bytes) == 0);
}

static inline bool same_record(const kstore_record *a, const kstore_record *b)
{
    return same_text(a->id, b->id) && a->passage == b->passage &&
           a->n_passages == b->n_passages && same_text(a->text, b->text) &&
           same_text(a->title, b->title) && same_text(a->metadata, b->metadata) &&
           same_text(a->source, b->source) && memcmp(a->byte, b->byte, 16) == 0 &&
           memcmp(a->line, b->line, 16) == 0 &&
           memcmp(a->text_hash, b->text_hash, 16) == 0 &&
           memcmp(a->record_hash, b->record_hash, 16) == 0;
}

/* All passages of record n. The first status other than KITH_OK. */
static inline kith_status put_record(kstore_batch *batch, unsigned n, unsigned version,
                                     kith_error *err)
{
    static test_record made;
    kith_status status = KITH_OK;
    for (uint32_t p = 0; status == KITH_OK && p < n_passages_of(n, version); p++) {
        uint64_t ordinal;
        make_record(&made, n, version, p);
        status = kstore_batch_put(batch, &made.record, made.row, &ordinal, err);
    }
    return status;
}

static inline kith_status delete_record(kstore_batch *batch, unsigned n,
                                        kith_error *err)
{
    static char id[LONG_ID];
    uint64_t n_rows;
    return kstore_batch_delete(batch, (kith_text){ id, fill_id(id, n) }, &n_rows, err);
}

/* ------------------------------------------------------------------ batches */

/* The version of each record, 0: absent. */
typedef struct test_state {
    unsigned version[N_RECORDS];
} test_state;

/* Change the state as batch b does, and the store too when `batch` is given. */
static inline kith_status apply_batch(test_state *state, unsigned b,
                                      kstore_batch *batch, kith_error *err)
{
    kith_status status = KITH_OK;
    unsigned n_changes = 1 + (unsigned)(mix(b) % 9);
    for (unsigned i = 0; status == KITH_OK && i < n_changes; i++) {
        unsigned n = (unsigned)(mix(b * 100 + i) % N_RECORDS);
        bool put = mix(b * 100 + i + 50) % 3 != 0;
        if (batch != NULL && state->version[n] != 0) {
            status = delete_record(batch, n, err);
        }
        state->version[n] = put ? b * 10 + i + 1 : 0;
        if (batch != NULL && put && status == KITH_OK) {
            status = put_record(batch, n, state->version[n], err);
        }
    }
    return status;
}

static inline void state_after(test_state *state, unsigned n_batches)
{
    memset(state, 0, sizeof(*state));
    for (unsigned b = 1; b <= n_batches; b++) {
        apply_batch(state, b, NULL, NULL);
    }
}

/* Batch b, which names itself as the derived index. */
static inline kith_status commit_batch(kstore *store, test_state *state, unsigned b,
                                       kith_error *err)
{
    kstore_batch *batch;
    kith_status status = kstore_batch_begin(store, &batch, err);
    if (status != KITH_OK) {
        return status;
    }
    status = apply_batch(state, b, batch, err);
    char name[KSTORE_DERIVED_BYTES];
    sprintf(name, "batch-%u", b);
    if (status == KITH_OK) {
        status = kstore_batch_set_derived(batch, KSTORE_DERIVED_ANN, name, err);
    }
    if (status != KITH_OK) {
        kstore_batch_abort(batch);
        return status;
    }
    return kstore_batch_commit(batch, err);
}

static inline unsigned n_batches_in(const kstore_snapshot *snapshot)
{
    char name[KSTORE_DERIVED_BYTES];
    unsigned b = 0;
    assert_int_equal(kstore_get_derived(snapshot, KSTORE_DERIVED_ANN, name, NULL),
                     KITH_OK);
    if (name[0] != '\0') {
        assert_int_equal(sscanf(name, "batch-%u", &b), 1);
    }
    return b;
}

/* The first difference between the snapshot and the state, or NULL. */
static inline const char *difference(const kstore_snapshot *snapshot,
                                     const test_state *state)
{
    static test_record made;
    uint64_t n_records = 0;
    uint64_t n_passages = 0;
    kstore_vectors vectors;
    if (kstore_map_vectors(snapshot, &vectors, NULL) != KITH_OK) {
        return "vectors cannot be mapped";
    }
    for (unsigned n = 0; n < N_RECORDS; n++) {
        uint32_t expected =
            state->version[n] == 0 ? 0 : n_passages_of(n, state->version[n]);
        n_records += expected > 0;
        n_passages += expected;
        for (uint32_t p = 0; p < MAX_PASSAGES; p++) {
            make_record(&made, n, state->version[n], p);
            uint64_t ordinal;
            kith_status status =
                kstore_find(snapshot, made.record.id, p, &ordinal, NULL);
            if (status != (p < expected ? KITH_OK : KITH_NOT_FOUND)) {
                return "a record that is there or not";
            }
            kstore_record record;
            if (status != KITH_OK) {
                continue;
            }
            if (kstore_get(snapshot, ordinal, &record, NULL) != KITH_OK ||
                !same_record(&record, &made.record)) {
                return "a record's content";
            }
            if (memcmp(vectors.data + ordinal * vectors.stride, made.row,
                       sizeof(made.row)) != 0) {
                return "a row";
            }
        }
    }
    return n_records == kstore_n_records(snapshot) &&
                   n_passages == kstore_n_passages(snapshot)
               ? NULL
               : "a count";
}

/* The store holds exactly what its last batch left; how many batches there were. */
static inline unsigned check_store(kstore *store)
{
    kith_error err = { 0 };
    kstore_snapshot *snapshot;
    assert_int_equal(kstore_snapshot_begin(store, &snapshot, &err), KITH_OK);
    test_state state;
    unsigned b = n_batches_in(snapshot);
    state_after(&state, b);
    const char *problem = difference(snapshot, &state);
    if (problem != NULL) {
        fail_msg("after %u batches: %s", b, problem);
    }
    if (kstore_verify(snapshot, &err) != KITH_OK) {
        fail_msg("after %u batches: %s", b, err.message);
    }
    kstore_snapshot_end(snapshot);
    return b;
}

static inline kstore *open_store(const char *dir)
{
    kith_error err = { 0 };
    kstore *store = NULL;
    if (kstore_open(dir, false, &store, &err) != KITH_OK) {
        fail_msg("%s", err.message);
    }
    return store;
}

/* A store with n batches in it, closed. */
static inline void make_store(const char *dir, unsigned n_batches)
{
    assert_int_equal(kstore_create(dir, &test_settings, NULL), KITH_OK);
    kstore *store = open_store(dir);
    test_state state = { { 0 } };
    for (unsigned b = 1; b <= n_batches; b++) {
        assert_int_equal(commit_batch(store, &state, b, NULL), KITH_OK);
    }
    kstore_close(store);
}

/* ------------------------------------------------------------------ processes */

/* Run a function in a child; its exit status, or 128 + signal. */
static inline int in_child(int (*run)(void *context), void *context)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(run(context));
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
