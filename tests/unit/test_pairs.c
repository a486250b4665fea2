/* index/sweep.c, pairs.c, communities.c, duplicates.c: what they find is what comparing
 * every row with every other by kidx_score() finds. */
#include "rows_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "error.h"
#include "pairs.h"

static const char fingerprint[] = "0123456789abcdef0123456789abcdef";

static char *folder;
static char *path;
static kbase_pool *pool;

static int set_up(void **state)
{
    (void)state;
    folder = make_temp_folder();
    path = format("%s/codes", folder);
    assert_int_equal(kbase_pool_new(3, &pool, NULL), KITH_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kbase_pool_free(pool);
    remove_tree(folder);
    free(folder);
    free(path);
    return 0;
}

static bool no_stop(void *context, const char *step, double fraction)
{
    (void)context;
    assert_true(step[0] != '\0' && fraction >= 0 && fraction <= 1);
    return false;
}

static const kidx_watch watch = { no_stop, NULL };

/* ------------------------------------------------------------------ rows */

/* Rows around `n_centres` directions, at several distances: some equal bit for bit,
 * some of another length, some without a direction, some dead. */
static data make_clusters(uint64_t n_rows, uint32_t dim, uint64_t n_centres)
{
    data made = make_data(n_rows, dim, 1);
    const size_t stride = made.rows.stride;
    float *centre = kbase_calloc(dim, sizeof(*centre));
    float *x = kbase_calloc(dim, sizeof(*x));
    for (uint64_t i = n_centres; i < n_rows; i++) {
        const float distance = (float)(i % 5) * 0.2f;
        uint16_t *row = made.halves + i * stride;
        kidx_f32_from_f16(KBASE_ISA_PORTABLE, made.halves + i * 7 % n_centres * stride,
                          dim, centre);
        kidx_f32_from_f16(KBASE_ISA_PORTABLE, row, dim, x);
        for (uint32_t j = 0; j < dim; j++) {
            x[j] = (centre[j] + distance * x[j]) * (i % 13 == 4 ? 300.0f : 1.0f);
        }
        kidx_f16_from_f32(KBASE_ISA_PORTABLE, x, dim, row);
        if (i % 101 == 0) {
            memset(row, 0, stride * sizeof(*row));
            row[0] = i % 2 == 0 ? 0 : 0x7c00; /* infinite */
        }
        if (i % 11 == 3) {
            made.dead[i / 64] |= (uint64_t)1 << (i % 64);
        }
    }
    made.rows.dead = made.dead;
    free(centre);
    free(x);
    return made;
}

/* A sweep over rows of which the first `covers` have codes in a file; 0: no file. */
typedef struct swept {
    kidx_rows rows;
    kidx_sweep *sweep;
} swept;

static void begin_sweep(swept *s, const data *made, kbase_isa isa, kbase_pool *workers,
                        uint64_t covers)
{
    kith_error error;
    s->rows = made->rows;
    s->rows.n_rows = covers;
    if (covers > 0) {
        assert_ok(kidx_codes_build(isa, workers, &s->rows, path, fingerprint, &error));
        assert_ok(
            kidx_codes_open(path, fingerprint, s->rows.dim, &s->rows.codes, &error));
    }
    s->rows.n_rows = made->rows.n_rows;
    assert_ok(kidx_sweep_new(isa, workers, &s->rows, &s->sweep, &error));
}

static void end_sweep(swept *s)
{
    kidx_sweep_free(s->sweep);
    kidx_codes_close(s->rows.codes);
}

/* ------------------------------------------------------------------ by brute force */

/* Scores of all live rows with all others, the lower one as the query; NAN: none. */
static float *all_scores(const data *made)
{
    const kidx_rows *rows = &made->rows;
    const size_t n = (size_t)rows->n_rows;
    float *scores = kbase_calloc(n * n, sizeof(*scores));
    float *x = kbase_calloc(rows->dim, sizeof(*x));
    uint64_t *ordinals = kbase_calloc(n, sizeof(*ordinals));
    for (size_t i = 0; i < n; i++) {
        ordinals[i] = i;
    }
    for (size_t i = 0; i < n; i++) {
        double square = 0;
        kidx_f32_from_f16(KBASE_ISA_PORTABLE, rows->data + i * rows->stride, rows->dim,
                          x);
        for (uint32_t j = 0; j < rows->dim; j++) {
            square += (double)x[j] * (double)x[j];
        }
        const bool has_direction = square > 0 && isfinite(square);
        for (uint32_t j = 0; j < rows->dim; j++) {
            x[j] = has_direction ? (float)((double)x[j] / sqrt(square)) : 0;
        }
        kidx_score(best_isa(), rows, x, ordinals + i, n - i, scores + i * n + i);
        scores[i * n + i] = NAN;
        for (size_t j = 0; j < n; j++) {
            if (j > i && (kidx_is_dead(rows, i) || kidx_is_dead(rows, j))) {
                scores[i * n + j] = NAN;
            }
            scores[j * n + i] = j > i ? scores[i * n + j] : scores[j * n + i];
        }
    }
    free(ordinals);
    free(x);
    return scores;
}

/* The best pairs: all are sorted, then taken one by one. */
static kidx_pair *expected_pairs(const data *made, const float *scores,
                                 const kidx_pairs_request *request, size_t *n_pairs)
{
    const size_t n = (size_t)made->rows.n_rows;
    kidx_pair *pairs = kbase_calloc(n * n / 2 + 1, sizeof(*pairs));
    size_t *ranks = kbase_calloc(n, sizeof(*ranks));
    bool *has_pair = kbase_calloc(n * n, sizeof(*has_pair));
    size_t n_all = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            if (scores[i * n + j] >= request->min_score) {
                pairs[n_all++] =
                    (kidx_pair){ scores[i * n + j], (uint32_t)i, (uint32_t)j };
            }
        }
    }
    qsort(pairs, n_all, sizeof(*pairs), kidx_pair_compare);
    *n_pairs = 0;
    for (size_t i = 0; i < n_all && *n_pairs < request->max_pairs; i++) {
        size_t a = pairs[i].a;
        size_t b = pairs[i].b;
        if (request->owners != NULL) {
            a = request->owners[a];
            b = request->owners[b];
        }
        if (a == b || has_pair[a * n + b]) {
            continue;
        }
        has_pair[a * n + b] = has_pair[b * n + a] = true;
        ranks[a]++;
        ranks[b]++;
        if (ranks[a] <= request->top_k || ranks[b] <= request->top_k) {
            pairs[(*n_pairs)++] = pairs[i];
        }
    }
    free(has_pair);
    free(ranks);
    return pairs;
}

static void check_pairs(kidx_sweep *sweep, const data *made, const float *scores,
                        kidx_pairs_request request)
{
    kith_error error;
    size_t n_expected;
    size_t n = 0;
    kidx_pair *pairs = NULL;
    kidx_pair *expected = expected_pairs(made, scores, &request, &n_expected);
    assert_ok(kidx_best_pairs(sweep, &request, &watch, &pairs, &n, &error));
    assert_int_equal(n, n_expected);
    if (n > 0) {
        assert_memory_equal(pairs, expected, n * sizeof(*pairs));
    }
    free(expected);
    free(pairs);
}

static void check_all_pairs(kidx_sweep *sweep, const data *made, const float *scores,
                            const uint32_t *owners)
{
    static const size_t max_pairs[] = { 1, 100, 3000, 1 << 20 };
    static const size_t top_k[] = { 1, 3, 20, 1 << 20 };
    for (size_t m = 0; m < sizeof(max_pairs) / sizeof(max_pairs[0]); m++) {
        for (size_t k = 0; k < sizeof(top_k) / sizeof(top_k[0]); k++) {
            check_pairs(
                sweep, made, scores,
                (kidx_pairs_request){ -INFINITY, max_pairs[m], top_k[k], owners });
        }
    }
    check_pairs(sweep, made, scores, (kidx_pairs_request){ 0.8f, 1 << 20, 50, owners });
    check_pairs(sweep, made, scores,
                (kidx_pairs_request){ 0.8f, 500, 1 << 20, owners });
    check_pairs(sweep, made, scores, (kidx_pairs_request){ 1.5f, 500, 10, owners });
}

static void every_kernel_finds_the_best_pairs(void **state)
{
    (void)state;
    static const uint32_t dims[] = { 3, 64, 384 };
    for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
        data made = make_clusters(700, dims[d], 40);
        float *scores = all_scores(&made);
        for (int isa = next_isa(-1); isa >= 0; isa = next_isa(isa)) {
            swept s;
            begin_sweep(&s, &made, (kbase_isa)isa, NULL, 400);
            check_pairs(s.sweep, &made, scores,
                        (kidx_pairs_request){ -INFINITY, 1000, 20, NULL });
            check_pairs(s.sweep, &made, scores,
                        (kidx_pairs_request){ 0.75f, 1 << 20, 1 << 20, NULL });
            end_sweep(&s);
        }
        free(scores);
        free_data(&made);
    }
}

/* Codes of no, some and all rows, up to the middle of a panel. */
static void pairs_with_and_without_codes(void **state)
{
    (void)state;
    static const uint64_t covers[] = { 0, 1000, 1025, 1039, 1300 };
    data made = make_clusters(1300, 48, 60);
    float *scores = all_scores(&made);
    for (size_t i = 0; i < sizeof(covers) / sizeof(covers[0]); i++) {
        swept s;
        begin_sweep(&s, &made, best_isa(), pool, covers[i]);
        check_all_pairs(s.sweep, &made, scores, NULL);
        end_sweep(&s);
    }
    free(scores);
    free_data(&made);
}

/* Rows that died after their codes were made. */
static void pairs_of_the_living(void **state)
{
    (void)state;
    data made = make_clusters(900, 48, 60);
    swept s;
    begin_sweep(&s, &made, best_isa(), pool, 900);
    for (uint64_t i = 0; i < 900; i += 5) {
        made.dead[i / 64] |= (uint64_t)1 << (i % 64);
    }
    float *scores = all_scores(&made);
    check_all_pairs(s.sweep, &made, scores, NULL);
    memset(made.dead, 0xff, 900 / 64 * 8 + 8);
    free(scores);
    scores = all_scores(&made);
    check_pairs(s.sweep, &made, scores,
                (kidx_pairs_request){ -INFINITY, 10, 10, NULL });
    free(scores);
    end_sweep(&s);
    free_data(&made);
}

static void pairs_of_records_with_passages(void **state)
{
    (void)state;
    data made = make_clusters(900, 48, 60);
    float *scores = all_scores(&made);
    uint32_t *owners = kbase_calloc(900, sizeof(*owners));
    for (uint32_t i = 0; i < 900; i++) {
        owners[i] = i % 7 < 3 ? i : i - i % 7 + 3; /* 3 records of one, 1 of four */
    }
    swept s;
    begin_sweep(&s, &made, best_isa(), pool, 0);
    check_all_pairs(s.sweep, &made, scores, owners);
    end_sweep(&s);
    free(owners);
    free(scores);
    free_data(&made);
}

/* All scores are the same, and there are more pairs than are held at a time. */
static void pairs_of_equal_rows(void **state)
{
    (void)state;
    data made = make_data(600, 32, 1);
    for (uint64_t i = 1; i < 600; i++) {
        memcpy(made.halves + i * made.rows.stride, made.halves, made.rows.stride * 2);
    }
    float *scores = all_scores(&made);
    swept s;
    begin_sweep(&s, &made, best_isa(), pool, 0);
    check_all_pairs(s.sweep, &made, scores, NULL);
    end_sweep(&s);
    free(scores);
    free_data(&made);
}

/* ------------------------------------------------------------------ communities */

typedef struct place {
    size_t row;
    size_t size;
    float score;
} place;

static int compare_size(const void *x, const void *y)
{
    const place *p = x;
    const place *q = y;
    return p->size != q->size ? (p->size > q->size ? -1 : 1)
                              : (p->row < q->row ? -1 : p->row > q->row);
}

static int compare_score(const void *x, const void *y)
{
    const place *p = x;
    const place *q = y;
    return p->score != q->score ? (p->score > q->score ? -1 : 1)
                                : (p->row < q->row ? -1 : p->row > q->row);
}

/* The neighbours of a row that are not used, the nearest first, itself in front. */
static size_t neighbours_of(const float *scores, size_t n, size_t row, float threshold,
                            const bool *used, place *found)
{
    size_t n_found = 1;
    found[0] = (place){ row, 0, 2 };
    for (size_t i = 0; i < n; i++) {
        if (scores[row * n + i] >= threshold && !used[i]) {
            found[n_found++] = (place){ i, 0, scores[row * n + i] };
        }
    }
    qsort(found, n_found, sizeof(*found), compare_score);
    return n_found;
}

/* From the definition, into groups in the order in which they are found. */
static kidx_groups expected_communities(const data *made, const float *scores,
                                        float threshold, size_t min_size)
{
    const size_t n = (size_t)made->rows.n_rows;
    kidx_groups groups;
    bool *used = kbase_calloc(n, sizeof(*used));
    place *centres = kbase_calloc(n, sizeof(*centres));
    place *found = kbase_calloc(n + 1, sizeof(*found));
    size_t n_centres = 0;
    kith_error error;
    assert_ok(kidx_groups_new(&groups, n, n, &error));
    for (size_t i = 0; i < n; i++) {
        size_t size = neighbours_of(scores, n, i, threshold, used, found);
        if (!kidx_is_dead(&made->rows, i) && size >= min_size) {
            centres[n_centres++] = (place){ i, size, 0 };
        }
    }
    qsort(centres, n_centres, sizeof(*centres), compare_size);
    for (size_t i = 0; i < n_centres; i++) {
        size_t size = neighbours_of(scores, n, centres[i].row, threshold, used, found);
        size_t start = groups.starts[groups.n_groups];
        for (size_t j = 0; j < size && !used[centres[i].row] && size >= min_size; j++) {
            groups.rows[start + j] = (uint32_t)found[j].row;
            groups.scores[start + j] = j == 0 ? 1 : found[j].score;
        }
        if (!used[centres[i].row] && size >= min_size) {
            groups.starts[++groups.n_groups] = start + size;
        }
        for (size_t j = start; j < groups.starts[groups.n_groups]; j++) {
            used[groups.rows[j]] = true;
        }
    }
    free(found);
    free(centres);
    free(used);
    return groups;
}

static void check_group(const kidx_groups *x, size_t i, const kidx_groups *y, size_t j)
{
    const size_t n = x->starts[i + 1] - x->starts[i];
    assert_int_equal(n, y->starts[j + 1] - y->starts[j]);
    assert_memory_equal(x->rows + x->starts[i], y->rows + y->starts[j], n * 4);
    assert_memory_equal(x->scores + x->starts[i], y->scores + y->starts[j], n * 4);
}

static void check_communities(kidx_sweep *sweep, const data *made, const float *scores,
                              float threshold, size_t min_size)
{
    kith_error error;
    kidx_groups groups;
    kidx_groups expected = expected_communities(made, scores, threshold, min_size);
    assert_ok(kidx_communities(sweep, threshold, min_size, &watch, &groups, &error));
    assert_int_equal(groups.n_groups, expected.n_groups);
    place *order = kbase_calloc(expected.n_groups + 1, sizeof(*order));
    for (size_t i = 0; i < expected.n_groups; i++) {
        order[i] = (place){ i, expected.starts[i + 1] - expected.starts[i], 0 };
    }
    qsort(order, expected.n_groups, sizeof(*order), compare_size);
    for (size_t i = 0; i < groups.n_groups; i++) {
        check_group(&groups, i, &expected, order[i].row);
    }
    free(order);
    kidx_groups_free(&expected);
    kidx_groups_free(&groups);
}

static void communities_are_as_defined(void **state)
{
    (void)state;
    static const float thresholds[] = { 0.3f, 0.6f, 0.75f, 0.95f };
    data made = make_clusters(1300, 48, 60);
    float *scores = all_scores(&made);
    for (int isa = next_isa(-1); isa >= 0; isa = next_isa(isa)) {
        swept s;
        begin_sweep(&s, &made, (kbase_isa)isa, isa % 2 == 0 ? pool : NULL, 1030);
        for (size_t t = 0; t < sizeof(thresholds) / sizeof(thresholds[0]); t++) {
            check_communities(s.sweep, &made, scores, thresholds[t], 1);
            check_communities(s.sweep, &made, scores, thresholds[t], 4);
            check_communities(s.sweep, &made, scores, thresholds[t], 10);
        }
        check_communities(s.sweep, &made, scores, -1, 2);
        check_communities(s.sweep, &made, scores, 0.75f, 2000);
        end_sweep(&s);
    }
    free(scores);
    free_data(&made);
}

/* ------------------------------------------------------------------ duplicates */

static bool same_row(const data *made, size_t a, size_t b)
{
    return memcmp(made->halves + a * made->rows.stride,
                  made->halves + b * made->rows.stride, made->rows.dim * 2) == 0;
}

static void check_duplicates(kidx_sweep *sweep, const data *made, const float *scores,
                             float threshold)
{
    kith_error error;
    kidx_groups groups;
    const size_t n = (size_t)made->rows.n_rows;
    size_t *of = kbase_calloc(n, sizeof(*of));
    size_t *sizes = kbase_calloc(n, sizeof(*sizes));
    assert_ok(kidx_duplicates(sweep, threshold, &watch, &groups, &error));
    for (size_t i = 0; i < n; i++) {
        of[i] = i;
        for (size_t j = 0; j < i && of[i] == i; j++) {
            const float score = scores[j * n + i];
            if (of[j] == j && (score >= threshold ||
                               (score > 0.9f && same_row(made, i, j)))) {
                of[i] = j;
                sizes[j]++;
            }
        }
    }
    size_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (sizes[i] == 0) {
            continue;
        }
        assert_true(next < groups.n_groups);
        const size_t start = groups.starts[next];
        size_t at = start;
        assert_int_equal(groups.starts[++next] - start, sizes[i] + 1);
        for (size_t j = i; j < n; j++) {
            if (of[j] == i) {
                float score = j == i ? 1 : scores[i * n + j];
                assert_int_equal(groups.rows[at], j);
                assert_memory_equal(&groups.scores[at], &score, 4);
                at++;
            }
        }
    }
    assert_int_equal(next, groups.n_groups);
    kidx_groups_free(&groups);
    free(sizes);
    free(of);
}

static void duplicates_are_those_of_the_first(void **state)
{
    (void)state;
    static const float thresholds[] = { 0.2f, 0.7f, 0.95f, 0.9995f, 2 };
    data made = make_clusters(1300, 48, 60);
    for (uint64_t i = 0; i < 1300; i += 9) { /* equal rows in other blocks too */
        memcpy(made.halves + (i * 31 + 700) % 1300 * made.rows.stride,
               made.halves + i * made.rows.stride, made.rows.stride * 2);
    }
    float *scores = all_scores(&made);
    for (int isa = next_isa(-1); isa >= 0; isa = next_isa(isa)) {
        swept s;
        begin_sweep(&s, &made, (kbase_isa)isa, isa % 2 == 0 ? pool : NULL, 1030);
        for (size_t t = 0; t < sizeof(thresholds) / sizeof(thresholds[0]); t++) {
            check_duplicates(s.sweep, &made, scores, thresholds[t]);
        }
        end_sweep(&s);
    }
    free(scores);
    free_data(&made);
}

/* ------------------------------------------------------------------ the rest */

static bool stop(void *context, const char *step, double fraction)
{
    (void)step;
    (void)fraction;
    return --*(int *)context == 0;
}

static void a_watch_can_stop(void **state)
{
    (void)state;
    kith_error error;
    data made = make_clusters(1300, 48, 60);
    swept s;
    begin_sweep(&s, &made, best_isa(), pool, 0);
    const kidx_pairs_request request = { 0.5f, 1000, 10, NULL };
    for (int at = 1; at <= 3; at++) {
        int left = at;
        const kidx_watch stopping = { stop, &left };
        kidx_groups groups;
        kidx_pair *pairs = NULL;
        size_t n = 0;
        assert_status(KITH_INTERRUPTED,
                      kidx_best_pairs(s.sweep, &request, &stopping, &pairs, &n, &error));
        left = at;
        assert_status(KITH_INTERRUPTED, kidx_communities(s.sweep, 0.5f, 3, &stopping,
                                                         &groups, &error));
        left = at;
        assert_status(KITH_INTERRUPTED,
                      kidx_duplicates(s.sweep, 0.5f, &stopping, &groups, &error));
    }
    end_sweep(&s);
    free_data(&made);
}

static void damaged_codes_are_not_used(void **state)
{
    (void)state;
    kith_error error;
    size_t n;
    swept s;
    data made = make_clusters(1300, 48, 60);
    float *scores = all_scores(&made);
    begin_sweep(&s, &made, best_isa(), pool, 1300);
    end_sweep(&s);
    char *bytes = read_file(path, &n);
    memset(bytes + n / 2, 0, n / 4);
    write_file(path, bytes, n);
    free(bytes);
    assert_ok(kidx_codes_open(path, fingerprint, 48, &s.rows.codes, &error));
    assert_ok(kidx_sweep_new(best_isa(), pool, &s.rows, &s.sweep, &error));
    assert_int_equal(kidx_codes_covers(s.rows.codes), 0);
    check_pairs(s.sweep, &made, scores,
                (kidx_pairs_request){ -INFINITY, 1 << 20, 20, NULL });
    end_sweep(&s);
    free(scores);
    free_data(&made);
}

static void nothing_to_compare(void **state)
{
    (void)state;
    kith_error error;
    data made = make_data(1, 48, 1);
    for (uint64_t n_rows = 0; n_rows < 2; n_rows++) {
        made.rows.n_rows = n_rows;
        swept s;
        begin_sweep(&s, &made, best_isa(), pool, 0);
        const kidx_pairs_request request = { -INFINITY, 10, 10, NULL };
        kidx_pair *pairs = NULL;
        size_t n = 1;
        kidx_groups groups;
        assert_ok(kidx_best_pairs(s.sweep, &request, &watch, &pairs, &n, &error));
        assert_int_equal(n, 0);
        free(pairs);
        assert_ok(kidx_communities(s.sweep, 0.5f, 1, &watch, &groups, &error));
        assert_int_equal(groups.n_groups, n_rows);
        kidx_groups_free(&groups);
        assert_ok(kidx_duplicates(s.sweep, 0.5f, &watch, &groups, &error));
        assert_int_equal(groups.n_groups, 0);
        kidx_groups_free(&groups);
        end_sweep(&s);
    }
    free_data(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_finds_the_best_pairs),
        cmocka_unit_test(pairs_with_and_without_codes),
        cmocka_unit_test(pairs_of_the_living),
        cmocka_unit_test(pairs_of_records_with_passages),
        cmocka_unit_test(pairs_of_equal_rows),
        cmocka_unit_test(communities_are_as_defined),
        cmocka_unit_test(duplicates_are_those_of_the_first),
        cmocka_unit_test(a_watch_can_stop),
        cmocka_unit_test(damaged_codes_are_not_used),
        cmocka_unit_test(nothing_to_compare),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
