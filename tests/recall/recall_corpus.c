#include "recall_corpus.h"

#include <math.h>
#include <stdlib.h>

#include "memory.h"

#define N_CENTRES 400

corpus shared;

static uint64_t random_state;

static float next_uniform(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(random_state >> 32) / 2147483648.0f;
}

/* Near enough to a normal distribution. */
static float next_normal(void)
{
    return next_uniform() + next_uniform() + next_uniform();
}

/* A vector near one of the centres; the centres are near each other in groups. */
static void next_vector(const float *centres, float *out)
{
    const float *centre = centres + (random_state >> 33) % N_CENTRES * DIM;
    double square = 0;
    for (int i = 0; i < DIM; i++) {
        out[i] = centre[i] + 1.2f * next_normal();
        square += (double)out[i] * out[i];
    }
    for (int i = 0; i < DIM; i++) {
        out[i] /= (float)sqrt(square);
    }
}

static float *make_centres(void)
{
    float *centres = kbase_calloc(N_CENTRES * DIM, sizeof(*centres));
    for (size_t i = 0; i < N_CENTRES * DIM; i++) {
        size_t group = i / DIM / 20;
        float leader = i / DIM % 20 == 0 ? 0 : centres[group * 20 * DIM + i % DIM];
        centres[i] = leader + 0.7f * next_normal();
    }
    return centres;
}

kidx_rows first_rows(uint64_t n)
{
    kidx_rows rows = shared.rows;
    rows.n_rows = n;
    return rows;
}

void find_truth(const kidx_rows *rows, kidx_hit *truth)
{
    size_t *counts = kbase_calloc(N_QUERIES, sizeof(*counts));
    assert_int_equal(kidx_scan(shared.isa, shared.pool, rows, shared.queries, N_QUERIES,
                               MAX_K, truth, counts, NULL),
                     KITH_OK);
    free(counts);
}

int make_corpus(void **state)
{
    (void)state;
    float *centres = make_centres();
    float vector[DIM];
    shared.halves = kbase_calloc(N_ROWS * DIM, sizeof(*shared.halves));
    shared.queries = kbase_calloc(N_QUERIES * DIM, sizeof(*shared.queries));
    shared.truth = kbase_calloc(N_QUERIES * MAX_K, sizeof(*shared.truth));
    assert_int_equal(kbase_isa_choose(NULL, &shared.isa, NULL), KITH_OK);
    assert_int_equal(kbase_pool_new(0, &shared.pool, NULL), KITH_OK);
    for (size_t i = 0; i < N_ROWS; i++) {
        next_vector(centres, vector);
        kidx_f16_from_f32(shared.isa, vector, DIM, shared.halves + i * DIM);
    }
    for (size_t i = 0; i < N_QUERIES; i++) {
        next_vector(centres, shared.queries + i * DIM);
    }
    free(centres);
    shared.rows = (kidx_rows){ shared.halves, DIM, DIM, N_ROWS, NULL, NULL };
    find_truth(&shared.rows, shared.truth);
    return 0;
}

int free_corpus(void **state)
{
    (void)state;
    kbase_pool_free(shared.pool);
    free(shared.halves);
    free(shared.queries);
    free(shared.truth);
    return 0;
}

kidx_ann *build(const kidx_rows *rows, const char *factory)
{
    kith_error error;
    kidx_ann *ann = NULL;
    assert_ok(kidx_ann_build(shared.isa, shared.pool, rows, factory, NULL, NULL, &ann,
                             &error));
    return ann;
}

void search(kidx_ann *ann, const kidx_rows *rows, const float *queries, size_t n,
                   uint32_t nprobe, size_t m, kidx_hit *hits, size_t *counts)
{
    kith_error error;
    assert_ok(kidx_ann_search(ann, shared.isa, shared.pool, rows, queries, n, nprobe, m,
                              hits, counts, &error));
}

/* Share of the true k nearest among the hits; ties with the k-th count. */
static double recall_of(const kidx_hit *hits, const size_t *counts,
                        const kidx_hit *truth, size_t k)
{
    double sum = 0;
    for (size_t q = 0; q < N_QUERIES; q++) {
        size_t found = 0;
        for (size_t i = 0; i < counts[q]; i++) {
            found += hits[q * k + i].score >= truth[q * MAX_K + k - 1].score;
        }
        sum += (double)found / (double)k;
    }
    return sum / N_QUERIES;
}

double measure(kidx_ann *ann, const kidx_rows *rows, const kidx_hit *truth,
                      uint32_t nprobe, size_t k)
{
    kidx_hit *hits = kbase_calloc(N_QUERIES * k, sizeof(*hits));
    size_t *counts = kbase_calloc(N_QUERIES, sizeof(*counts));
    search(ann, rows, shared.queries, N_QUERIES, nprobe, k, hits, counts);
    double recall = recall_of(hits, counts, truth, k);
    free(counts);
    free(hits);
    return recall;
}

void assert_in_order(const kidx_rows *rows, const float *query,
                            const kidx_hit *hits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float score;
        assert_true(hits[i].ordinal < rows->n_rows);
        assert_false(kidx_is_dead(rows, hits[i].ordinal));
        kidx_score(shared.isa, rows, query, &hits[i].ordinal, 1, &score);
        assert_memory_equal(&score, &hits[i].score, sizeof(score));
        assert_true(i == 0 || kidx_hit_compare(&hits[i - 1], &hits[i]) < 0);
    }
}

void assert_same_answers(kidx_ann *a, kidx_ann *b, const kidx_rows *rows)
{
    kidx_hit *hits[2];
    size_t counts[2][100];
    for (int i = 0; i < 2; i++) {
        hits[i] = kbase_calloc(100 * 10, sizeof(kidx_hit));
        search(i == 0 ? a : b, rows, shared.queries, 100, 4, 10, hits[i], counts[i]);
    }
    assert_memory_equal(counts[0], counts[1], sizeof(counts[0]));
    for (size_t i = 0; i < 100 * 10; i++) {
        assert_int_equal(hits[0][i].ordinal, hits[1][i].ordinal);
        assert_memory_equal(&hits[0][i].score, &hits[1][i].score, sizeof(float));
    }
    free(hits[0]);
    free(hits[1]);
}

kidx_ann *save_and_load(const kidx_ann *ann, const char *path)
{
    kith_error error;
    kidx_ann *loaded = NULL;
    assert_ok(kidx_ann_save(ann, path, FINGERPRINT, &error));
    assert_ok(kidx_ann_load(path, FINGERPRINT, DIM, &loaded, &error));
    return loaded;
}
