/* index/scan.c, select.c and kernels/: exact scores and exact search. */
#include "rows_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "row_kernels.h"
#include "select.h"

static const uint32_t dims[] = { 1, 16, 48, 50, 384, 400 };

#define N_DIMS (sizeof(dims) / sizeof(dims[0]))

static uint64_t *all_ordinals(uint64_t n)
{
    uint64_t *ordinals = kbase_calloc((size_t)n, sizeof(*ordinals));
    for (uint64_t i = 0; i < n; i++) {
        ordinals[i] = i;
    }
    return ordinals;
}

/* ---------------------------------------------------------------- scores */

static float half_value(uint16_t half)
{
    float value;
    kidx_f32_from_f16(KBASE_ISA_PORTABLE, &half, 1, &value);
    return value;
}

static float tree(const float lanes[16])
{
    float sums[16];
    memcpy(sums, lanes, sizeof(sums));
    for (int n = 8; n > 0; n /= 2) {
        for (int i = 0; i < n; i++) {
            sums[i] += sums[i + n];
        }
    }
    return sums[0];
}

/* What rows.h promises, number by number. */
static float score_by_definition(const kidx_rows *rows, const float *query, uint64_t i)
{
    float dot[16] = { 0 };
    float square[16] = { 0 };
    for (uint32_t j = 0; j < rows->dim; j++) {
        float x = half_value(rows->data[i * rows->stride + j]);
        dot[j % 16] = fmaf(query[j], x, dot[j % 16]);
        square[j % 16] = fmaf(x, x, square[j % 16]);
    }
    return tree(dot) / sqrtf(tree(square));
}

static void scores_are_as_defined_in_every_kernel(void **state)
{
    (void)state;
    enum { N = 37 };
    for (size_t d = 0; d < N_DIMS; d++) {
        data made = make_data(N, dims[d], 1);
        uint64_t *ordinals = all_ordinals(N);
        float expected[N];
        for (uint64_t i = 0; i < N; i++) {
            expected[i] = score_by_definition(&made.rows, made.queries, i);
        }
        for (int isa = next_isa(-1); isa >= 0; isa = next_isa(isa)) {
            float scores[N];
            kidx_score((kbase_isa)isa, &made.rows, made.queries, ordinals, N, scores);
            assert_memory_equal(scores, expected, sizeof(scores));
        }
        free(ordinals);
        free_data(&made);
    }
}

/* A score is the cosine, so a slip in the definition itself would show. */
static void a_score_is_the_cosine(void **state)
{
    (void)state;
    data made = make_data(50, 384, 1);
    uint64_t *ordinals = all_ordinals(50);
    float scores[50];
    kidx_score(best_isa(), &made.rows, made.queries, ordinals, 50, scores);
    for (uint64_t i = 0; i < 50; i++) {
        double dot = 0;
        double square = 0;
        for (uint32_t j = 0; j < 384; j++) {
            double x = half_value(made.rows.data[i * made.rows.stride + j]);
            dot += x * made.queries[j];
            square += x * x;
        }
        assert_true(fabs(scores[i] - dot / sqrt(square)) < 1e-6);
    }
    free(ordinals);
    free_data(&made);
}

static void a_group_of_queries_has_the_bits_of_single_ones(void **state)
{
    (void)state;
    enum { N = 29 };
    for (size_t d = 0; d < N_DIMS; d++) {
        data made = make_data(N, dims[d], KIDX_QUERY_GROUP);
        uint64_t *ordinals = all_ordinals(N);
        const uint16_t *rows[N];
        float group[KIDX_QUERY_GROUP][N];
        float single[N];
        for (size_t i = 0; i < N; i++) {
            rows[i] = made.rows.data + i * made.rows.stride;
        }
        for (int isa = next_isa(-1); isa >= 0; isa = next_isa(isa)) {
            kidx_kernels_for((kbase_isa)isa)->score(rows, N, made.queries, KIDX_QUERY_GROUP,
                                         dims[d], group[0], N);
            for (size_t q = 0; q < KIDX_QUERY_GROUP; q++) {
                kidx_score(KBASE_ISA_PORTABLE, &made.rows, made.queries + q * dims[d],
                           ordinals, N, single);
                assert_memory_equal(group[q], single, sizeof(single));
            }
        }
        free(ordinals);
        free_data(&made);
    }
}

static void rows_without_a_direction_score_zero(void **state)
{
    (void)state;
    data made = make_data(4, 48, 1);
    const uint16_t infinite = 0x7c00;
    const uint16_t not_a_number = 0x7e01;
    memset(made.halves, 0, made.rows.stride * sizeof(*made.halves));
    made.halves[made.rows.stride + 5] = infinite;
    made.halves[2 * made.rows.stride + 47] = not_a_number;
    uint64_t *ordinals = all_ordinals(4);
    for (int isa = next_isa(-1); isa >= 0; isa = next_isa(isa)) {
        float scores[4];
        kidx_score((kbase_isa)isa, &made.rows, made.queries, ordinals, 4, scores);
        assert_true(scores[0] == 0 && scores[1] == 0 && scores[2] == 0 &&
                    scores[3] != 0);
    }
    free(ordinals);
    free_data(&made);
}

static void halves_convert_alike_everywhere(void **state)
{
    (void)state;
    enum { N = 65536 };
    uint16_t *halves = kbase_calloc(N, sizeof(*halves));
    uint16_t *back = kbase_calloc(N, sizeof(*back));
    float *floats = kbase_calloc(N, sizeof(*floats));
    for (size_t i = 0; i < N; i++) {
        bool is_nan = (i & 0x7c00) == 0x7c00 && (i & 0x3ff) != 0;
        halves[i] = is_nan ? 0 : (uint16_t)i;
    }
    for (int isa = next_isa(-1); isa >= 0; isa = next_isa(isa)) {
        kidx_f32_from_f16((kbase_isa)isa, halves, N, floats);
        kidx_f16_from_f32((kbase_isa)isa, floats, N, back);
        assert_memory_equal(back, halves, N * sizeof(*halves));
        assert_true(floats[0x3c00] == 1.0f && floats[0xc000] == -2.0f &&
                    floats[0x0001] == 0x1p-24f && floats[0x7bff] == 65504.0f);
    }
    free(halves);
    free(back);
    free(floats);
}

static void halves_round_to_nearest_even(void **state)
{
    (void)state;
    /* Ties below and above an even neighbour, subnormals, the edge of overflow. */
    const float in[] = { 1 + 0x1p-11f, 1 + 3 * 0x1p-11f, 0x1p-25f, 3 * 0x1p-25f,
                         65519.0f,     65520.0f,         -0.1f,    0.3f,
                         -0.0f };
    const uint16_t out[] = { 0x3c00, 0x3c02, 0x0000, 0x0002, 0x7bff,
                             0x7c00, 0xae66, 0x34cd, 0x8000 };
    enum { N = sizeof(in) / sizeof(in[0]) };
    for (int isa = next_isa(-1); isa >= 0; isa = next_isa(isa)) {
        uint16_t halves[N + 1] = { 0 };
        halves[N] = 0x1234; /* what lies behind is left alone */
        kidx_f16_from_f32((kbase_isa)isa, in, N, halves);
        assert_memory_equal(halves, out, sizeof(out));
        assert_int_equal(halves[N], 0x1234);
    }
}

/* ---------------------------------------------------------------- search */

/* Nearest first, then the lower ordinal. */
static int compare(const void *a, const void *b)
{
    const kidx_hit *x = a;
    const kidx_hit *y = b;
    if (x->score > y->score || (x->score == y->score && x->ordinal < y->ordinal)) {
        return -1;
    }
    return 1;
}

/* All live rows of one query in order: what a scan must give the first m of. */
static size_t sort_all(const data *made, const float *query, kidx_hit *hits)
{
    const kidx_rows *rows = &made->rows;
    size_t n = 0;
    for (uint64_t i = 0; i < rows->n_rows; i++) {
        if (!kidx_is_dead(rows, i)) {
            hits[n].ordinal = i;
            kidx_score(KBASE_ISA_PORTABLE, rows, query, &i, 1, &hits[n].score);
            n++;
        }
    }
    qsort(hits, n, sizeof(*hits), compare);
    return n;
}

static void assert_same_hits(const kidx_hit *a, const kidx_hit *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(a[i].ordinal, b[i].ordinal);
        assert_memory_equal(&a[i].score, &b[i].score, sizeof(float));
    }
}

/* Rows with ties (every row from 100 up is one of the first 100) and deletions. */
static data make_corpus(uint64_t n_rows, size_t n_queries)
{
    data made = make_data(n_rows, 48, n_queries);
    size_t stride = made.rows.stride;
    for (uint64_t i = 100; i < n_rows; i++) {
        memcpy(made.halves + i * stride, made.halves + i * 31 % 100 * stride,
               stride * sizeof(*made.halves));
    }
    for (uint64_t i = 0; i < n_rows; i += 3) {
        made.dead[i / 64] |= (uint64_t)1 << (i % 64);
    }
    made.rows.dead = made.dead;
    return made;
}

static void check_scan(const data *made, kbase_pool *pool, size_t n_queries, size_t m)
{
    uint64_t n_rows = made->rows.n_rows;
    kidx_hit *expected = kbase_calloc((size_t)n_rows, sizeof(*expected));
    kidx_hit *hits = kbase_calloc(n_queries * m, sizeof(*hits));
    size_t *counts = kbase_calloc(n_queries, sizeof(*counts));
    assert_int_equal(kidx_scan(best_isa(), pool, &made->rows, made->queries, n_queries,
                               m, hits, counts, NULL),
                     KITH_OK);
    for (size_t q = 0; q < n_queries; q++) {
        size_t n = sort_all(made, made->queries + q * made->rows.dim, expected);
        n = n < m ? n : m;
        assert_int_equal(counts[q], n);
        assert_same_hits(hits + q * m, expected, n);
    }
    free(expected);
    free(hits);
    free(counts);
}

static void a_scan_finds_the_best_live_rows_in_order(void **state)
{
    (void)state;
    enum { N = 5000 }; /* several tasks, the last one short */
    data made = make_corpus(N, 13);
    static const size_t sizes[] = { 1, 10, 1000, N + 7 };
    static const size_t batches[] = { 1, 2, 8, 9, 13 };
    for (unsigned n_threads = 0; n_threads <= 3; n_threads++) {
        kbase_pool *pool = NULL;
        if (n_threads > 0) {
            assert_int_equal(kbase_pool_new(n_threads, &pool, NULL), KITH_OK);
        }
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            for (size_t j = 0; j < sizeof(batches) / sizeof(batches[0]); j++) {
                check_scan(&made, pool, batches[j], sizes[i]);
            }
        }
        kbase_pool_free(pool);
    }
    free_data(&made);
}

/* So many heaps that they take several passes. */
static void many_queries_with_many_hits(void **state)
{
    (void)state;
    data made = make_corpus(2500, 300);
    kbase_pool *pool = NULL;
    assert_int_equal(kbase_pool_new(3, &pool, NULL), KITH_OK);
    check_scan(&made, pool, 300, 1);
    check_scan(&made, pool, 300, 1500);
    kbase_pool_free(pool);
    free_data(&made);
}

static void nothing_is_found_where_nothing_lives(void **state)
{
    (void)state;
    data made = make_data(70, 16, 2);
    kidx_hit hits[20];
    size_t counts[2] = { 9, 9 };
    memset(made.dead, 0xff, 70 / 64 * 8 + 8);
    made.rows.dead = made.dead;
    assert_int_equal(kidx_scan(best_isa(), NULL, &made.rows, made.queries, 2, 10, hits,
                               counts, NULL),
                     KITH_OK);
    assert_true(counts[0] == 0 && counts[1] == 0);
    counts[0] = 9;
    made.rows.n_rows = 0;
    assert_int_equal(kidx_scan(best_isa(), NULL, &made.rows, made.queries, 1, 10, hits,
                               counts, NULL),
                     KITH_OK);
    assert_int_equal(counts[0], 0);
    free_data(&made);
}

static void a_scan_can_start_behind_what_an_index_covers(void **state)
{
    (void)state;
    data made = make_corpus(3000, 3);
    kidx_hit hits[3 * 50];
    size_t counts[3];
    assert_int_equal(kidx_scan_from(best_isa(), NULL, &made.rows, 2900, made.queries, 3,
                                    50, hits, counts, NULL),
                     KITH_OK);
    memset(made.dead, 0xff, 2900 / 64 * 8);
    made.dead[2900 / 64] |= ((uint64_t)1 << (2900 % 64)) - 1;
    kidx_hit *expected = kbase_calloc(3000, sizeof(*expected));
    for (size_t q = 0; q < 3; q++) {
        assert_int_equal(sort_all(&made, made.queries + q * 48, expected), 67);
        assert_int_equal(counts[q], 50);
        assert_same_hits(hits + q * 50, expected, 50);
    }
    free(expected);
    free_data(&made);
}

/* Many live rows, few, and stretches of both, from any row on. */
static void few_live_rows_are_picked_out(void **state)
{
    (void)state;
    enum { N = 4500, M = 40 };
    static const uint64_t firsts[] = { 0, 1, 31, 63, 2100, N - 1 };
    static const float shares[] = { 0.002f, 0.05f, 0.19f, 0.21f, 0.5f, 0.97f, -1 };
    kidx_hit *expected = kbase_calloc(N, sizeof(*expected));
    kidx_hit hits[2 * M];
    size_t counts[2];
    for (size_t i = 0; i < 6 * 7; i++) {
        const uint64_t first = firsts[i % 6];
        data made = make_corpus(N, 2);
        for (uint64_t row = 0; row < N; row++) {
            float share = shares[i / 6] >= 0 ? shares[i / 6] : row / 100 % 2 == 0 ? 0 : 0.9f;
            const uint64_t bit = (uint64_t)1 << (row % 64);
            bool lives = (next_random() + 1) / 2 < share;
            made.dead[row / 64] =
                lives ? made.dead[row / 64] & ~bit : made.dead[row / 64] | bit;
        }
        assert_int_equal(kidx_scan_from(best_isa(), NULL, &made.rows, first, made.queries,
                                        2, M, hits, counts, NULL),
                         KITH_OK);
        for (uint64_t row = 0; row < first; row++) {
            made.dead[row / 64] |= (uint64_t)1 << (row % 64);
        }
        for (size_t q = 0; q < 2; q++) {
            size_t n = sort_all(&made, made.queries + q * 48, expected);
            n = n < M ? n : M;
            assert_int_equal(counts[q], n);
            assert_same_hits(hits + q * M, expected, n);
        }
        free_data(&made);
    }
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_as_defined_in_every_kernel),
        cmocka_unit_test(a_score_is_the_cosine),
        cmocka_unit_test(a_group_of_queries_has_the_bits_of_single_ones),
        cmocka_unit_test(rows_without_a_direction_score_zero),
        cmocka_unit_test(halves_convert_alike_everywhere),
        cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(a_scan_finds_the_best_live_rows_in_order),
        cmocka_unit_test(many_queries_with_many_hits),
        cmocka_unit_test(nothing_is_found_where_nothing_lives),
        cmocka_unit_test(a_scan_can_start_behind_what_an_index_covers),
        cmocka_unit_test(few_live_rows_are_picked_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
