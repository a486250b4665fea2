/* index/ann_file.c: what is stored comes back, and what is damaged does not. FAISS is
 * replaced by functions that copy bytes. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ann_parts.h"
#include "checksum.h"
#include "file.h"
#include "memory.h"

#define DIM 48
#define BLOB_BYTES 1000
#define FINGERPRINT "0123456789abcdef0123456789abcdef"
#define CHECKSUM_AT 1728 /* of the header, over what is before it */
#define HEADER_BYTES 2536

/* ---------------------------------------------------------------- instead of FAISS */

struct kidx_faiss {
    char blob[BLOB_BYTES];
    kidx_faiss_info info;
};

static kidx_faiss_info info_of_next_read;
static bool refuse_next_read;

static void destroy(kidx_faiss *index)
{
    free(index);
}

static void set_nprobe(kidx_faiss *index, uint32_t nprobe)
{
    assert_true(nprobe >= 1 &&
                (index->info.n_lists == 0 || nprobe <= index->info.n_lists));
}

static kith_status write_blob(const kidx_faiss *index, char **data, size_t *n_bytes)
{
    *data = malloc(BLOB_BYTES);
    memcpy(*data, index->blob, BLOB_BYTES);
    *n_bytes = BLOB_BYTES;
    return KITH_OK;
}

static kith_status read_blob(const void *data, size_t n_bytes, kidx_faiss **index)
{
    assert_int_equal(n_bytes, BLOB_BYTES);
    for (size_t i = 0; i < n_bytes; i++) { /* nothing damaged may get this far */
        assert_int_equal(((const char *)data)[i], (char)(i * 7));
    }
    *index = NULL;
    if (refuse_next_read) {
        return KITH_INVALID;
    }
    *index = calloc(1, sizeof(**index));
    memcpy((*index)->blob, data, n_bytes);
    (*index)->info = info_of_next_read;
    return KITH_OK;
}

static void get_info(const kidx_faiss *index, kidx_faiss_info *info)
{
    *info = index->info;
}

static const kidx_faiss_ops copying = {
    .version = KIDX_FAISS_OPS_VERSION,
    .destroy = destroy,
    .set_nprobe = set_nprobe,
    .write = write_blob,
    .read = read_blob,
    .get_info = get_info,
};

/* ---------------------------------------------------------------- fixture */

typedef struct fixture {
    char *folder;
    char *path;
    kidx_ann *ann;
} fixture;

static void make_index(fixture *f, uint32_t n_lists)
{
    kidx_ann *ann = kidx_ann_new(&copying, DIM);
    ann->index = calloc(1, sizeof(*ann->index));
    for (size_t i = 0; i < BLOB_BYTES; i++) {
        ann->index->blob[i] = (char)(i * 7);
    }
    ann->n_vectors = 90;
    ann->info = (kidx_ann_info){ .n_lists = n_lists, .covers = 100,
                                 .margin = 0.125, .n_candidates = 50 };
    strcpy(ann->info.factory, n_lists > 0 ? "IVF8,PQ24x4fsr" : "PQ24x4fs");
    ann->info.recall = (kidx_recall_table){
        .n_points = 3,
        .n_queries = 40,
        .scan_seconds = 1e-3,
        .batch_scan_seconds = 1e-4,
        .points = { { 1, 0, 0.5, 1e-5 }, { 10, 0, 0.25, 0 }, { 100, 0, 1, 1e-5 } },
    };
    if (n_lists > 0) {
        ann->info.recall.points[0].nprobe = 1;
        ann->info.recall.points[2].nprobe = n_lists;
    } else {
        ann->ordinals = calloc(90, sizeof(*ann->ordinals));
        for (uint64_t i = 0; i < 90; i++) {
            ann->ordinals[i] = i + 10;
        }
    }
    f->ann = ann;
    info_of_next_read = (kidx_faiss_info){ .dim = DIM,
                                           .n_lists = n_lists,
                                           .n_vectors = 90,
                                           .trained = true,
                                           .inner_product = true };
    refuse_next_read = false;
}

static void setup(fixture *f, uint32_t n_lists)
{
    kith_error error;
    f->folder = make_temp_folder();
    f->path = format("%s/ann", f->folder);
    make_index(f, n_lists);
    assert_ok(kidx_ann_save(f->ann, f->path, FINGERPRINT, &error));
}

static void teardown(fixture *f)
{
    kidx_ann_free(f->ann);
    remove_tree(f->folder);
    free(f->path);
    free(f->folder);
}

static kith_status load(const char *path, kith_error *error)
{
    kidx_ann *ann = NULL;
    kith_status status =
        kidx_ann_load_with(&copying, path, FINGERPRINT, DIM, &ann, error);
    assert_true((status == KITH_OK) == (ann != NULL));
    kidx_ann_free(ann);
    return status;
}

/* ---------------------------------------------------------------- tests */

static void an_index_comes_back_as_it_was(void **state)
{
    (void)state;
    for (uint32_t n_lists = 0; n_lists <= 8; n_lists += 8) {
        kith_error error;
        fixture f;
        setup(&f, n_lists);
        kidx_ann_info info;
        assert_ok(kidx_ann_peek(f.path, FINGERPRINT, DIM, &info, &error));
        size_t n_bytes = HEADER_BYTES + BLOB_BYTES + (n_lists == 0 ? 90 * 8 : 0);
        assert_int_equal(info.n_bytes, n_bytes);
        kidx_ann *ann = NULL;
        assert_ok(kidx_ann_load_with(&copying, f.path, FINGERPRINT, DIM, &ann, &error));
        kidx_ann_info loaded;
        kidx_ann_get_info(ann, &loaded);
        assert_memory_equal(&loaded, &info, sizeof(info));
        info.n_bytes = 0;
        assert_memory_equal(&info, &f.ann->info, sizeof(info));
        assert_int_equal(ann->n_vectors, 90);
        assert_true((ann->ordinals != NULL) == (n_lists == 0));
        if (n_lists == 0) {
            assert_memory_equal(ann->ordinals, f.ann->ordinals, 90 * 8);
        }
        kidx_ann_free(ann);
        teardown(&f);
    }
}

static void a_file_of_others_is_named(void **state)
{
    (void)state;
    kith_error error;
    kidx_ann_info info;
    fixture f;
    setup(&f, 8);
    assert_status(KITH_MISMATCH, kidx_ann_peek(f.path, "0123", DIM, &info, &error));
    assert_status(KITH_MISMATCH,
                  kidx_ann_peek(f.path, FINGERPRINT, DIM * 2, &info, &error));
    char *missing = format("%s/none", f.folder);
    assert_status(KITH_NOT_FOUND,
                  kidx_ann_peek(missing, FINGERPRINT, DIM, &info, &error));
    assert_status(KITH_NOT_FOUND, load(missing, &error));
    free(missing);
    teardown(&f);
}

/* Neither peeking nor loading takes anything but the file that was written. */
static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    for (uint32_t n_lists = 0; n_lists <= 8; n_lists += 8) {
        fixture f;
        setup(&f, n_lists);
        size_t n_bytes;
        char *bytes = read_file(f.path, &n_bytes);
        int fd = open(f.path, O_WRONLY);
        for (size_t i = 0; i < n_bytes; i += i < HEADER_BYTES ? 1 : 7) {
            kith_error error;
            char flipped = (char)(bytes[i] ^ 1 << (i % 8));
            assert_int_equal(pwrite(fd, &flipped, 1, (off_t)i), 1);
            bool in_version = i >= 8 && i < 12;
            assert_status(in_version ? KITH_VERSION : KITH_CORRUPT,
                          load(f.path, &error));
            assert_int_equal(pwrite(fd, &bytes[i], 1, (off_t)i), 1);
        }
        close(fd);
        free(bytes);
        teardown(&f);
    }
}

static void every_cut_is_found(void **state)
{
    (void)state;
    fixture f;
    setup(&f, 0);
    size_t n_bytes;
    char *bytes = read_file(f.path, &n_bytes);
    for (size_t n = 0; n <= n_bytes + 8; n += n < 64 ? 1 : 13) {
        if (n == n_bytes) {
            continue;
        }
        kith_error error;
        kidx_ann_info info;
        char *longer = calloc(1, n_bytes + 64);
        memcpy(longer, bytes, n_bytes);
        write_file(f.path, longer, n);
        assert_status(KITH_CORRUPT,
                      kidx_ann_peek(f.path, FINGERPRINT, DIM, &info, &error));
        assert_status(KITH_CORRUPT, load(f.path, &error));
        free(longer);
    }
    free(bytes);
    teardown(&f);
}

/* Put a number into the header, repair its checksum, load. */
static void check_forged(const fixture *f, const char *bytes, size_t n_bytes, size_t at,
                         const void *value, size_t size)
{
    kith_error error;
    char *forged = malloc(n_bytes);
    memcpy(forged, bytes, n_bytes);
    memcpy(forged + at, value, size);
    uint64_t checksum = kbase_hash64(forged, CHECKSUM_AT);
    memcpy(forged + CHECKSUM_AT, &checksum, sizeof(checksum));
    write_file(f->path, forged, n_bytes);
    kith_status status = load(f->path, &error);
    if (status != KITH_CORRUPT) {
        print_error("field at byte %zu: %s\n", at, kith_status_name(status));
    }
    assert_int_equal(status, KITH_CORRUPT);
    free(forged);
}

/* Lengths and counts that contradict each other, under a checksum that fits. */
static void forged_headers_are_found(void **state)
{
    (void)state;
    static const uint64_t bad[] = { 0, 1, 1u << 31, UINT64_MAX / 8, UINT64_MAX };
    static const size_t counts_at[] = { 16, 64, 72, 80, 88 }; /* file .. blob bytes */
    static const double bad_recall[] = { -0.1, 1.1, 1e300 };
    for (uint32_t n_lists = 0; n_lists <= 8; n_lists += 8) {
        fixture f;
        setup(&f, n_lists);
        size_t n_bytes;
        char *bytes = read_file(f.path, &n_bytes);
        for (size_t i = 0; i < sizeof(counts_at) / sizeof(counts_at[0]); i++) {
            for (size_t j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
                bool is_covers = counts_at[i] == 64;
                bool is_map = counts_at[i] == 80;
                if ((is_covers && bad[j] > 100) ||
                    (is_map && bad[j] == 0 && n_lists > 0)) {
                    continue; /* possible numbers */
                }
                check_forged(&f, bytes, n_bytes, counts_at[i], &bad[j], 8);
            }
        }
        const uint32_t lists = 9;
        const uint32_t points = KIDX_MAX_POINTS + 1;
        check_forged(&f, bytes, n_bytes, 60, &lists, 4);
        check_forged(&f, bytes, n_bytes, 96, "PQ47x4fs", 9);
        char unended[KIDX_FACTORY_BYTES];
        memset(unended, 'P', sizeof(unended));
        check_forged(&f, bytes, n_bytes, 96, unended, sizeof(unended));
        check_forged(&f, bytes, n_bytes, 164, &points, 4);
        check_forged(&f, bytes, n_bytes, 200 + 24, &(uint32_t){ 0 },
                     4);                                      /* k descends */
        check_forged(&f, bytes, n_bytes, 200 + 4, &lists, 4); /* nprobe */
        for (size_t i = 0; i < sizeof(bad_recall) / sizeof(bad_recall[0]); i++) {
            check_forged(&f, bytes, n_bytes, 200 + 8, &bad_recall[i], 8);
        }
        const double negative = -1;
        for (size_t at = 168; at <= 216; at += at == 176 ? 40 : 8) {
            check_forged(&f, bytes, n_bytes, at, &negative, 8);
        }
        const double endless = INFINITY;
        check_forged(&f, bytes, n_bytes, 184, &endless, 8); /* margin */
        const uint64_t candidates[] = { 0, KIDX_MAX_CANDIDATES + 1 };
        check_forged(&f, bytes, n_bytes, 192, &candidates[0], 8);
        check_forged(&f, bytes, n_bytes, 192, &candidates[1], 8);
        free(bytes);
        teardown(&f);
    }
}

/* Bytes that carry the right digest and are still not what the header says. */
static void an_index_that_differs_from_its_header_is_refused(void **state)
{
    (void)state;
    fixture f;
    setup(&f, 8);
    kith_error error;
    const kidx_faiss_info right = info_of_next_read;
    assert_ok(load(f.path, &error));
    info_of_next_read.dim = 47;
    assert_status(KITH_CORRUPT, load(f.path, &error));
    info_of_next_read = right;
    info_of_next_read.n_vectors = 91;
    assert_status(KITH_CORRUPT, load(f.path, &error));
    info_of_next_read = right;
    info_of_next_read.n_lists = 7;
    assert_status(KITH_CORRUPT, load(f.path, &error));
    info_of_next_read = right;
    info_of_next_read.inner_product = false;
    assert_status(KITH_CORRUPT, load(f.path, &error));
    info_of_next_read = right;
    refuse_next_read = true;
    assert_status(KITH_CORRUPT, load(f.path, &error));
    teardown(&f);
}

static void an_ordinal_out_of_range_is_refused(void **state)
{
    (void)state;
    fixture f;
    setup(&f, 0);
    kith_error error;
    f.ann->ordinals[89] = 100;
    assert_ok(kidx_ann_save(f.ann, f.path, FINGERPRINT, &error));
    assert_status(KITH_CORRUPT, load(f.path, &error));
    teardown(&f);
}

/* ---------------------------------------------------------------- failing disks */

static int n_writes_left;
static bool garble;

static ssize_t failing_write(int fd, const void *data, size_t n_bytes, off_t offset)
{
    if (n_writes_left-- == 0) {
        errno = ENOSPC;
        return -1;
    }
    return pwrite(fd, data, n_bytes, offset);
}

static ssize_t garbling_read(int fd, void *data, size_t n_bytes, off_t offset)
{
    ssize_t n = pread(fd, data, n_bytes, offset);
    if (garble && n > 0) {
        ((char *)data)[n - 1] ^= 1;
    }
    return n;
}

static int system_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

static kbase_io failing_disk(void)
{
    return (kbase_io){ system_open, close, garbling_read, failing_write, fdatasync,
                       fsync,       fstat, rename,        unlink };
}

static void a_failed_save_leaves_the_old_file(void **state)
{
    (void)state;
    fixture f;
    setup(&f, 0);
    size_t n_bytes;
    char *before = read_file(f.path, &n_bytes);
    kbase_io disk = failing_disk();
    f.ann->info.covers = 1000;
    kbase_io_set(&disk);
    for (int i = 0; i < 4; i++) { /* header, map, blob; then a disk that lies */
        kith_error error;
        n_writes_left = i;
        garble = i == 3;
        assert_status(i < 3 ? KITH_FULL : KITH_IO,
                      kidx_ann_save(f.ann, f.path, FINGERPRINT, &error));
        size_t n_now;
        char *now = read_file(f.path, &n_now);
        assert_int_equal(n_now, n_bytes);
        assert_memory_equal(now, before, n_bytes);
        free(now);
    }
    kbase_io_set(NULL);
    garble = false;
    assert_int_equal(rmdir(f.folder), -1); /* the old file */
    assert_int_equal(unlink(f.path), 0);
    assert_int_equal(rmdir(f.folder), 0); /* and nothing beside it */
    assert_int_equal(mkdir(f.folder, 0777), 0);
    free(before);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_comes_back_as_it_was),
        cmocka_unit_test(a_file_of_others_is_named),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(every_cut_is_found),
        cmocka_unit_test(forged_headers_are_found),
        cmocka_unit_test(an_index_that_differs_from_its_header_is_refused),
        cmocka_unit_test(an_ordinal_out_of_range_is_refused),
        cmocka_unit_test(a_failed_save_leaves_the_old_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
