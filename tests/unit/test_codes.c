/* index/codes_file.c, codes_search.c and kernels/codes.h: exact search over 8-bit codes
 * finds what a scan of the rows finds. */
#include "rows_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "error.h"

static const char fingerprint[] = "0123456789abcdef0123456789abcdef";

static char *folder;
static char *path;

static int set_up(void **state)
{
    (void)state;
    folder = make_temp_folder();
    path = format("%s/codes", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_tree(folder);
    free(folder);
    free(path);
    return 0;
}

/* The codes of the first `covers` rows. */
static kidx_codes *make_codes(kbase_isa isa, kbase_pool *pool, const data *made,
                              uint64_t covers)
{
    kith_error error;
    kidx_rows rows = made->rows;
    kidx_codes *codes = NULL;
    rows.n_rows = covers;
    assert_ok(kidx_codes_build(isa, pool, &rows, path, fingerprint, &error));
    assert_ok(kidx_codes_open(path, fingerprint, rows.dim, &codes, &error));
    assert_int_equal(kidx_codes_covers(codes), covers);
    return codes;
}

static void check_search(kidx_codes *codes, kbase_isa isa, kbase_pool *pool,
                         const data *made, size_t n_queries, size_t m)
{
    kith_error error;
    kidx_hit *expected = kbase_calloc(n_queries * m, sizeof(*expected));
    kidx_hit *hits = kbase_calloc(n_queries * m, sizeof(*hits));
    size_t *expected_counts = kbase_calloc(n_queries, sizeof(*expected_counts));
    size_t *counts = kbase_calloc(n_queries, sizeof(*counts));
    assert_ok(kidx_scan(isa, pool, &made->rows, made->queries, n_queries, m, expected,
                        expected_counts, &error));
    assert_ok(kidx_codes_search(codes, isa, pool, &made->rows, made->queries, n_queries,
                                m, hits, counts, &error));
    for (size_t q = 0; q < n_queries; q++) {
        assert_int_equal(counts[q], expected_counts[q]);
        for (size_t i = 0; i < counts[q]; i++) {
            assert_int_equal(hits[q * m + i].ordinal, expected[q * m + i].ordinal);
            assert_memory_equal(&hits[q * m + i].score, &expected[q * m + i].score, 4);
        }
    }
    free(expected);
    free(hits);
    free(expected_counts);
    free(counts);
}

static void every_kernel_finds_what_a_scan_finds(void **state)
{
    (void)state;
    static const uint32_t dims[] = { 1, 3, 48, 64, 65, 384, 1000 };
    static const size_t batches[] = { 1, 3, 4, 8, 21 };
    for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
        data made = make_data(2100, dims[d], 21);
        for (int isa = next_isa(-1); isa >= 0; isa = next_isa(isa)) {
            kidx_codes *codes = make_codes((kbase_isa)isa, NULL, &made, 2087);
            for (size_t b = 0; b < sizeof(batches) / sizeof(batches[0]); b++) {
                check_search(codes, (kbase_isa)isa, NULL, &made, batches[b], 10);
            }
            check_search(codes, (kbase_isa)isa, NULL, &made, 9, 1);
            kidx_codes_close(codes);
        }
        free_data(&made);
    }
}

static void the_file_is_the_same_from_every_kernel(void **state)
{
    (void)state;
    data made = make_data(1500, 384, 1);
    size_t n_first = 0;
    char *first = NULL;
    kbase_pool *pool = NULL;
    assert_int_equal(kbase_pool_new(3, &pool, NULL), KITH_OK);
    for (int isa = next_isa(-1); isa >= 0; isa = next_isa(isa)) {
        size_t n;
        kidx_codes_close(make_codes((kbase_isa)isa, isa % 2 == 0 ? pool : NULL, &made, 1500));
        char *bytes = read_file(path, &n);
        if (first == NULL) {
            first = bytes;
            n_first = n;
            continue;
        }
        assert_int_equal(n, n_first);
        assert_memory_equal(bytes, first, n);
        free(bytes);
    }
    free(first);
    kbase_pool_free(pool);
    free_data(&made);
}

/* Equal rows, nearly equal ones, some without a direction, long, short and dead ones. */
static data make_corpus(uint64_t n_rows, uint32_t dim, size_t n_queries)
{
    data made = make_data(n_rows, dim, n_queries);
    const size_t stride = made.rows.stride;
    for (uint64_t i = 0; i < n_rows; i++) {
        uint16_t *row = made.halves + i * stride;
        if (i >= 200 && i % 4 != 0) {
            memcpy(row, made.halves + i * 31 % 200 * stride, stride * sizeof(*row));
        }
        if (i % 4 == 2) {
            row[i % dim] ^= 1; /* the last bit of one number */
        }
        if (i % 11 == 5) { /* another length, the same direction but for rounding */
            float x[1024];
            kidx_f32_from_f16(KBASE_ISA_PORTABLE, row, dim, x);
            for (uint32_t j = 0; j < dim; j++) {
                x[j] *= i % 2 == 0 ? 900.0f : 1e-3f;
            }
            kidx_f16_from_f32(KBASE_ISA_PORTABLE, x, dim, row);
        }
        if (i % 97 == 0) {
            memset(row, 0, stride * sizeof(*row));
            row[0] = i % 2 == 0 ? 0 : 0x7c00; /* infinite */
        }
        if (i % 5 == 3) {
            made.dead[i / 64] |= (uint64_t)1 << (i % 64);
        }
    }
    made.rows.dead = made.dead;
    return made;
}

static void ties_deletions_and_odd_rows(void **state)
{
    (void)state;
    data made = make_corpus(9000, 48, 300);
    kbase_pool *pool = NULL;
    assert_int_equal(kbase_pool_new(3, &pool, NULL), KITH_OK);
    kidx_f32_from_f16(KBASE_ISA_PORTABLE, made.halves + 7 * made.rows.stride, 48,
                      made.queries); /* one query is a row */
    kidx_codes *codes = make_codes(best_isa(), pool, &made, 8000);
    for (uint64_t i = 0; i < 9000; i += 7) { /* dead since then */
        made.dead[i / 64] |= (uint64_t)1 << (i % 64);
    }
    static const size_t sizes[] = { 1, 10, 100, 999, 1001 };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_search(codes, best_isa(), pool, &made, 1, sizes[i]);
        check_search(codes, best_isa(), pool, &made, 33, sizes[i]);
        check_search(codes, best_isa(), NULL, &made, 2, sizes[i]);
    }
    check_search(codes, best_isa(), pool, &made, 300, 10);
    kidx_codes_close(codes);
    kbase_pool_free(pool);
    free_data(&made);
}

/* More hits are asked for than rows live. */
static void few_live_rows(void **state)
{
    (void)state;
    data made = make_data(4000, 64, 8);
    memset(made.dead, 0xff, 3990 / 64 * 8);
    made.rows.dead = made.dead;
    kidx_codes *codes = make_codes(best_isa(), NULL, &made, 4000);
    check_search(codes, best_isa(), NULL, &made, 1, 200);
    check_search(codes, best_isa(), NULL, &made, 8, 200);
    memset(made.dead, 0xff, 4000 / 64 * 8 + 8);
    check_search(codes, best_isa(), NULL, &made, 8, 200);
    kidx_codes_close(codes);
    free_data(&made);
}

static void damage_is_found(void **state)
{
    (void)state;
    kith_error error;
    data made = make_data(3000, 64, 1);
    kidx_codes_close(make_codes(best_isa(), NULL, &made, 3000));
    size_t n;
    char *bytes = read_file(path, &n);
    int n_refused = 0;
    for (size_t at = 0; at < n; at += at < 88 || at > n - 24 ? 1 : 997) {
        kidx_codes *codes = NULL;
        kidx_hit hits[5];
        size_t count;
        bytes[at] ^= 4;
        write_file(path, bytes, n);
        bytes[at] ^= 4;
        kith_status status = kidx_codes_open(path, fingerprint, 64, &codes, &error);
        if (status == KITH_OK) {
            status = kidx_codes_search(codes, best_isa(), NULL, &made.rows, made.queries, 1,
                                       5, hits, &count, &error);
        }
        kidx_codes_close(codes);
        n_refused += status != KITH_OK;
        assert_true(status == KITH_CORRUPT || status == KITH_VERSION ||
                    (status == KITH_OK && at >= 88 && at < 4096)); /* padding */
    }
    assert_true(n_refused > 100);
    for (size_t cut = 0; cut < n; cut += 1009) {
        kidx_codes *codes = NULL;
        write_file(path, bytes, cut);
        assert_status(KITH_CORRUPT, kidx_codes_open(path, fingerprint, 64, &codes, &error));
    }
    write_file(path, bytes, n);
    free(bytes);
    kidx_codes *codes = NULL;
    assert_status(KITH_MISMATCH, kidx_codes_open(path, fingerprint, 63, &codes, &error));
    assert_status(KITH_MISMATCH, kidx_codes_open(path, "00", 64, &codes, &error));
    char *absent = format("%s/absent", folder);
    assert_status(KITH_NOT_FOUND, kidx_codes_open(absent, fingerprint, 64, &codes, &error));
    free(absent);
    free_data(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_finds_what_a_scan_finds),
        cmocka_unit_test(the_file_is_the_same_from_every_kernel),
        cmocka_unit_test(ties_deletions_and_odd_rows),
        cmocka_unit_test(few_live_rows),
        cmocka_unit_test(damage_is_found),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
