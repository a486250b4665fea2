/* The approximate index with FAISS behind it: what it promises, on made-up vectors with
 * clusters like those of real text. usage: test_ann FOLDER_OF_LIBKITH_FAISS */
#include "support.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ann.h"
#include "faiss_module.h"
#include "memory.h"
#include "plan.h"

#define DIM 64
#define N_ROWS 22000
#define N_COVERED 21000 /* the index is built when there are so many */
#define N_QUERIES 1000
#define N_CENTRES 400
#define MAX_K 100
#define FINGERPRINT "0123456789abcdef0123456789abcdef"

static const char *module_folder;

/* ---------------------------------------------------------------- made-up vectors */

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
        out[i] = centre[i] + 0.6f * next_normal();
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
        float shared = i / DIM % 20 == 0 ? 0 : centres[group * 20 * DIM + i % DIM];
        centres[i] = shared + 0.7f * next_normal();
    }
    return centres;
}

typedef struct corpus {
    kidx_rows rows;
    uint16_t *halves;
    float *queries; /* not among the rows */
    kidx_hit *truth; /* [N_QUERIES, MAX_K] among all rows */
    kbase_isa isa;
    kbase_pool *pool;
} corpus;

static corpus shared;     /* made once */
static kidx_ann *the_ann; /* over the first N_COVERED rows, by default */

static kidx_rows first_rows(uint64_t n)
{
    kidx_rows rows = shared.rows;
    rows.n_rows = n;
    return rows;
}

static void find_truth(const kidx_rows *rows, kidx_hit *truth)
{
    size_t *counts = kbase_calloc(N_QUERIES, sizeof(*counts));
    assert_int_equal(kidx_scan(shared.isa, shared.pool, rows, shared.queries, N_QUERIES,
                               MAX_K, truth, counts, NULL),
                     KITH_OK);
    free(counts);
}

static int make_corpus(void **state)
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
    shared.rows = (kidx_rows){ shared.halves, DIM, DIM, N_ROWS, NULL };
    find_truth(&shared.rows, shared.truth);
    return 0;
}

static int free_corpus(void **state)
{
    (void)state;
    kidx_ann_free(the_ann);
    kbase_pool_free(shared.pool);
    free(shared.halves);
    free(shared.queries);
    free(shared.truth);
    return 0;
}

static kidx_ann *build(const kidx_rows *rows, const char *factory)
{
    kith_error error;
    kidx_ann *ann = NULL;
    assert_ok(kidx_ann_build(shared.isa, shared.pool, rows, factory, NULL, NULL, &ann,
                             &error));
    return ann;
}

static void search(kidx_ann *ann, const kidx_rows *rows, const float *queries, size_t n,
                   uint32_t nprobe, size_t m, kidx_hit *hits, size_t *counts)
{
    kith_error error;
    assert_ok(kidx_ann_search(ann, shared.isa, shared.pool, rows, queries, n, nprobe, m,
                              hits, counts, &error));
}

/* Share of the true k nearest among the hits; ties with the k-th count. */
static double recall_of(const kidx_hit *hits, const size_t *counts, const kidx_hit *truth,
                        size_t k)
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

static double measure(kidx_ann *ann, const kidx_rows *rows, const kidx_hit *truth,
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

/* ---------------------------------------------------------------- before it is loaded */

static void without_the_module_nothing_is_built(void **state)
{
    (void)state;
    kith_error error;
    kidx_ann *ann = NULL;
    kidx_faiss_set_folder("/nonexistent");
    assert_status(KITH_UNSUPPORTED, kidx_ann_build(shared.isa, shared.pool, &shared.rows,
                                                   NULL, NULL, NULL, &ann, &error));
    assert_non_null(strstr(error.message, "libkith-faiss.so"));
    assert_null(ann);
    kidx_faiss_set_folder(module_folder);
}

/* ---------------------------------------------------------------- the promise */

static void note_progress(void *context, const char *step, double fraction)
{
    char *seen = context;
    assert_true(fraction >= 0 && fraction <= 1);
    if (strstr(seen, step) == NULL) {
        strcat(seen, step);
        strcat(seen, " ");
    }
}

static void an_index_is_built_in_steps(void **state)
{
    (void)state;
    kith_error error;
    char seen[64] = "";
    kidx_rows rows = first_rows(N_COVERED);
    assert_ok(kidx_ann_build(shared.isa, shared.pool, &rows, NULL, note_progress, seen,
                             &the_ann, &error));
    assert_string_equal(seen, "train add measure ");
    kidx_ann_info info;
    kidx_ann_get_info(the_ann, &info);
    assert_string_equal(info.factory, "IVF128,PQ32x4fsr");
    assert_int_equal(info.n_lists, 128);
    assert_int_equal(info.covers, N_COVERED);
    assert_int_equal(info.recall.n_queries, 1000);
    assert_true(info.recall.n_points >= 9);
}

/* Fails when recall is lower than the stated bound by more than chance explains: the bound
 * must lie within the upper end of what these queries allow. */
static void assert_bound_holds(const kidx_recall_point *point, double recall)
{
    double error = 1.645 * sqrt(recall * (1 - recall) / N_QUERIES);
    if (recall + error < point->recall) {
        print_error("k %u, nprobe %u: recall %.4f, bound %.4f\n", point->k, point->nprobe,
                    recall, point->recall);
    }
    assert_true(recall + error >= point->recall);
}

static void stated_recall_holds_for_other_queries(void **state)
{
    (void)state;
    kidx_rows rows = first_rows(N_COVERED);
    kidx_hit *truth = kbase_calloc(N_QUERIES * MAX_K, sizeof(*truth));
    find_truth(&rows, truth);
    kidx_ann_info info;
    kidx_ann_get_info(the_ann, &info);
    for (uint32_t i = 0; i < info.recall.n_points; i++) {
        const kidx_recall_point *point = &info.recall.points[i];
        assert_bound_holds(point, measure(the_ann, &rows, truth, point->nprobe, point->k));
    }
    free(truth);
}

static void the_chosen_setting_reaches_the_recall_wanted(void **state)
{
    (void)state;
    kidx_rows rows = first_rows(N_COVERED);
    kidx_hit *truth = kbase_calloc(N_QUERIES * MAX_K, sizeof(*truth));
    find_truth(&rows, truth);
    kidx_ann_info info;
    kidx_ann_get_info(the_ann, &info);
    static const size_t sizes[] = { 1, 5, 10, 40, 100 };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        kidx_plan plan;
        const kidx_plan_request request = { .n_rows = N_COVERED, .dim = DIM, .k = sizes[i],
                                            .min_recall = 0.95, .n_queries = N_QUERIES,
                                            .use = KITH_USE_ANN_ALWAYS, .loaded = true };
        kidx_plan_choose(&request, &info, &plan);
        assert_true(!plan.exact && plan.nprobe < 128);
        assert_true(measure(the_ann, &rows, truth, plan.nprobe, sizes[i]) >= 0.95);
    }
    free(truth);
}

static void fewer_lists_find_less(void **state)
{
    (void)state;
    kidx_rows rows = first_rows(N_COVERED);
    kidx_hit *truth = kbase_calloc(N_QUERIES * MAX_K, sizeof(*truth));
    find_truth(&rows, truth);
    assert_true(measure(the_ann, &rows, truth, 1, 10) < 0.9);
    assert_true(measure(the_ann, &rows, truth, 128, 10) > 0.99);
    free(truth);
}

/* ---------------------------------------------------------------- hits */

static void assert_in_order(const kidx_rows *rows, const float *query, const kidx_hit *hits,
                            size_t n)
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

/* Rows behind what the index covers are found as surely as by a scan. */
static void new_rows_are_found(void **state)
{
    (void)state;
    enum { M = 20 };
    kidx_hit *hits = kbase_calloc(N_QUERIES * M, sizeof(*hits));
    size_t *counts = kbase_calloc(N_QUERIES, sizeof(*counts));
    size_t n_new = 0;
    search(the_ann, &shared.rows, shared.queries, N_QUERIES, 16, M, hits, counts);
    for (size_t q = 0; q < N_QUERIES; q++) {
        assert_int_equal(counts[q], M);
        assert_in_order(&shared.rows, shared.queries + q * DIM, hits + q * M, M);
        for (size_t i = 0; i < M; i++) {
            const kidx_hit *wanted = &shared.truth[q * MAX_K + i];
            bool is_found = wanted->ordinal < N_COVERED;
            n_new += !is_found;
            for (size_t j = 0; j < M && !is_found; j++) {
                is_found = hits[q * M + j].ordinal == wanted->ordinal;
            }
            assert_true(is_found);
        }
    }
    assert_true(n_new > N_QUERIES / 2);
    free(counts);
    free(hits);
}

static void deleted_rows_are_not_found(void **state)
{
    (void)state;
    enum { M = 10 };
    kidx_rows rows = shared.rows;
    uint64_t *dead = kbase_calloc(N_ROWS / 64 + 1, sizeof(*dead));
    kidx_hit hits[M];
    size_t count;
    for (size_t q = 0; q < 200; q++) { /* the nearest of each query */
        for (size_t i = 0; i < M; i++) {
            uint64_t ordinal = shared.truth[q * MAX_K + i].ordinal;
            dead[ordinal / 64] |= (uint64_t)1 << (ordinal % 64);
        }
    }
    rows.dead = dead;
    for (size_t q = 0; q < 200; q++) {
        search(the_ann, &rows, shared.queries + q * DIM, 1, 32, M, hits, &count);
        assert_int_equal(count, M);
        assert_in_order(&rows, shared.queries + q * DIM, hits, count);
    }
    memset(dead, 0xff, (N_ROWS / 64 + 1) * sizeof(*dead));
    search(the_ann, &rows, shared.queries, 1, 32, M, hits, &count);
    assert_int_equal(count, 0);
    free(dead);
}

static void more_hits_than_rows(void **state)
{
    (void)state;
    kidx_rows rows = first_rows(N_COVERED);
    size_t m = N_ROWS + 5;
    kidx_hit *hits = kbase_calloc(m, sizeof(*hits));
    size_t count;
    search(the_ann, &rows, shared.queries, 1, 128, m, hits, &count);
    assert_int_equal(count, N_COVERED);
    assert_in_order(&rows, shared.queries, hits, count);
    free(hits);
}

static void queries_without_a_direction_are_refused(void **state)
{
    (void)state;
    static const float bad[] = { 0, NAN, INFINITY, 3e38f };
    kith_error error;
    float query[DIM] = { 0 };
    kidx_hit hits[10];
    size_t count;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        query[DIM / 2] = bad[i];
        assert_status(KITH_INVALID, kidx_ann_search(the_ann, shared.isa, NULL, &shared.rows,
                                                    query, 1, 8, 10, hits, &count, &error));
    }
}

/* ---------------------------------------------------------------- threads */

typedef struct client {
    uint32_t nprobe;
    kidx_hit *expected; /* [N_QUERIES, 10] */
    int n_wrong;
} client;

static void *ask(void *context)
{
    client *c = context;
    for (size_t q = 0; q < N_QUERIES; q++) {
        kidx_hit hits[10];
        size_t count;
        kith_status status =
            kidx_ann_search(the_ann, shared.isa, NULL, &shared.rows,
                            shared.queries + q * DIM, 1, c->nprobe, 10, hits, &count, NULL);
        c->n_wrong += status != KITH_OK || count != 10;
        for (size_t i = 0; i < 10; i++) {
            c->n_wrong += hits[i].ordinal != c->expected[q * 10 + i].ordinal;
        }
    }
    return NULL;
}

static void threads_with_their_own_nprobe_do_not_meet(void **state)
{
    (void)state;
    client clients[] = { { .nprobe = 1 }, { .nprobe = 4 }, { .nprobe = 4 }, { .nprobe = 32 } };
    enum { N = sizeof(clients) / sizeof(clients[0]) };
    pthread_t threads[N];
    for (size_t i = 0; i < N; i++) {
        clients[i].expected = kbase_calloc(N_QUERIES * 10, sizeof(kidx_hit));
        for (size_t q = 0; q < N_QUERIES; q++) {
            size_t count;
            search(the_ann, &shared.rows, shared.queries + q * DIM, 1, clients[i].nprobe, 10,
                   clients[i].expected + q * 10, &count);
            assert_int_equal(count, 10);
        }
    }
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &clients[i]), 0);
    }
    for (size_t i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(clients[i].n_wrong, 0);
    }
    /* The answers differ, or the threads could not have got in each other's way. */
    assert_memory_not_equal(clients[0].expected, clients[3].expected,
                            N_QUERIES * 10 * sizeof(kidx_hit));
    for (size_t i = 0; i < N; i++) {
        free(clients[i].expected);
    }
}

/* ---------------------------------------------------------------- files */

static void assert_same_answers(kidx_ann *a, kidx_ann *b, const kidx_rows *rows)
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

static kidx_ann *save_and_load(const kidx_ann *ann, const char *path)
{
    kith_error error;
    kidx_ann *loaded = NULL;
    assert_ok(kidx_ann_save(ann, path, FINGERPRINT, &error));
    assert_ok(kidx_ann_load(path, FINGERPRINT, DIM, &loaded, &error));
    return loaded;
}

static void a_loaded_index_answers_alike(void **state)
{
    (void)state;
    char *folder = make_temp_folder();
    char *path = format("%s/ann", folder);
    kidx_ann *loaded = save_and_load(the_ann, path);
    kidx_ann_info before;
    kidx_ann_info after;
    kidx_ann_get_info(the_ann, &before);
    kidx_ann_get_info(loaded, &after);
    assert_true(after.n_bytes > 0);
    after.n_bytes = 0;
    assert_memory_equal(&before, &after, sizeof(before));
    assert_same_answers(the_ann, loaded, &shared.rows);
    kidx_ann_free(loaded);
    free(path);
    remove_tree(folder);
    free(folder);
}

static void a_damaged_file_never_reaches_faiss(void **state)
{
    (void)state;
    char *folder = make_temp_folder();
    char *path = format("%s/ann", folder);
    kidx_ann_free(save_and_load(the_ann, path));
    size_t n_bytes;
    char *bytes = read_file(path, &n_bytes);
    for (size_t i = 0; i < 60; i++) {
        kith_error error;
        kidx_ann *loaded = NULL;
        size_t at = i < 30 ? i * 57 : n_bytes / 30 * (i - 30) + i;
        at = at >= 8 && at < 12 ? 0 : at;
        bytes[at] ^= (char)(1 << (i % 8));
        write_file(path, bytes, n_bytes);
        assert_status(KITH_CORRUPT,
                      kidx_ann_load(path, FINGERPRINT, DIM, &loaded, &error));
        bytes[at] ^= (char)(1 << (i % 8));
        write_file(path, bytes, at);
        assert_status(KITH_CORRUPT,
                      kidx_ann_load(path, FINGERPRINT, DIM, &loaded, &error));
    }
    free(bytes);
    free(path);
    remove_tree(folder);
    free(folder);
}

/* ---------------------------------------------------------------- other indexes */

/* Everything that FAISS prints goes to a file, which must stay empty. */
static int silence_begin(const char *path)
{
    fflush(NULL);
    int saved = dup(STDERR_FILENO);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    close(fd);
    return saved;
}

static void silence_end(const char *path, int saved)
{
    size_t n_bytes;
    fflush(NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    char *said = read_file(path, &n_bytes);
    if (n_bytes > 0) {
        print_error("FAISS says: %.300s\n", said);
    }
    assert_int_equal(n_bytes, 0);
    free(said);
}

static void every_possible_index_can_be_built_and_stored(void **state)
{
    (void)state;
    static const char *const factories[] = {
        "PQ32x4fs",    "PQ16x4fs",  "IVF16,PQ32x4fsr", "IVF16,PQ32x4fs",
        "IVF16,PQ16",  "IVF16,SQ8", "IVF16,Flat",      "IVF64_HNSW32,PQ32x4fsr",
    };
    char *folder = make_temp_folder();
    char *path = format("%s/ann", folder);
    char *log = format("%s/stderr", folder);
    kidx_rows rows = first_rows(10600); /* 8-bit PQ needs 9984 and those held out */
    kidx_hit *truth = kbase_calloc(N_QUERIES * MAX_K, sizeof(*truth));
    find_truth(&rows, truth);
    for (size_t i = 0; i < sizeof(factories) / sizeof(factories[0]); i++) {
        int saved = silence_begin(log);
        kidx_ann *ann = build(&rows, factories[i]);
        silence_end(log, saved);
        kidx_ann_info info;
        kidx_ann_get_info(ann, &info);
        double recall = measure(ann, &rows, truth, info.n_lists, 10);
        if (recall < 0.97) {
            print_error("%s: recall %.4f\n", factories[i], recall);
        }
        assert_true(recall >= 0.97);
        kidx_ann *loaded = save_and_load(ann, path);
        assert_same_answers(ann, loaded, &rows);
        kidx_ann_free(loaded);
        kidx_ann_free(ann);
    }
    free(truth);
    free(log);
    free(path);
    remove_tree(folder);
    free(folder);
}

static void too_few_rows_are_counted(void **state)
{
    (void)state;
    kith_error error;
    kidx_ann *ann = NULL;
    kidx_rows rows = first_rows(KIDX_ANN_MIN_ROWS - 1);
    assert_status(KITH_INVALID, kidx_ann_build(shared.isa, NULL, &rows, NULL, NULL, NULL,
                                               &ann, &error));
    assert_non_null(strstr(error.message, "needs 724 rows, 723 are there"));
    assert_status(KITH_INVALID, kidx_ann_build(shared.isa, NULL, &rows, "IVF512,Flat", NULL,
                                               NULL, &ann, &error));
    assert_non_null(strstr(error.message, "needs 20068 rows"));
    assert_status(KITH_INVALID, kidx_ann_build(shared.isa, NULL, &rows, "HNSW32", NULL, NULL,
                                               &ann, &error));
    assert_null(ann);
    rows.n_rows++;
    char *folder = make_temp_folder();
    char *log = format("%s/stderr", folder);
    int saved = silence_begin(log);
    ann = build(&rows, NULL);
    silence_end(log, saved);
    kidx_ann_free(ann);
    remove_tree(folder);
    free(folder);
    free(log);
}

/* Only live rows are in the index, and its ids are still ordinals. */
static void rows_deleted_before_the_build_are_left_out(void **state)
{
    (void)state;
    kidx_rows rows = first_rows(3000);
    uint64_t dead[3000 / 64 + 1];
    memset(dead, 0x55, sizeof(dead));
    rows.dead = dead;
    kidx_hit *truth = kbase_calloc(N_QUERIES * MAX_K, sizeof(*truth));
    find_truth(&rows, truth);
    static const char *const factories[] = { "PQ32x4fs", "IVF8,PQ32x4fsr" };
    for (size_t i = 0; i < 2; i++) {
        kidx_ann *ann = build(&rows, factories[i]);
        assert_true(measure(ann, &rows, truth, 8, 10) > 0.99);
        kidx_ann_free(ann);
    }
    free(truth);
}

/* The same row many times, and rows of zeros: no hang, no crash, and still k hits. */
static void degenerate_rows_can_be_indexed(void **state)
{
    (void)state;
    enum { N = 2000 };
    kidx_rows rows = first_rows(N);
    uint16_t *halves = kbase_calloc(N * DIM, sizeof(*halves));
    static const char *const factories[] = { "PQ32x4fs", "IVF8,PQ32x4fsr", "IVF8,Flat" };
    rows.data = halves;
    for (int n_zeros = 0; n_zeros <= N; n_zeros += N / 2) {
        for (int i = 0; i < N; i++) {
            memcpy(halves + i * DIM, shared.halves, DIM * sizeof(*halves));
        }
        memset(halves, 0, (size_t)n_zeros * DIM * sizeof(*halves));
        for (size_t i = 0; i < 3; i++) {
            kidx_ann *ann = build(&rows, factories[i]);
            kidx_hit hits[10];
            size_t count;
            search(ann, &rows, shared.queries, 1, 8, 10, hits, &count);
            assert_true(count == 10 || n_zeros == N); /* all equal: FAISS finds none */
            assert_in_order(&rows, shared.queries, hits, count);
            kidx_ann_free(ann);
        }
    }
    free(halves);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_module_nothing_is_built),
        cmocka_unit_test(an_index_is_built_in_steps),
        cmocka_unit_test(stated_recall_holds_for_other_queries),
        cmocka_unit_test(the_chosen_setting_reaches_the_recall_wanted),
        cmocka_unit_test(fewer_lists_find_less),
        cmocka_unit_test(new_rows_are_found),
        cmocka_unit_test(deleted_rows_are_not_found),
        cmocka_unit_test(more_hits_than_rows),
        cmocka_unit_test(queries_without_a_direction_are_refused),
        cmocka_unit_test(threads_with_their_own_nprobe_do_not_meet),
        cmocka_unit_test(a_loaded_index_answers_alike),
        cmocka_unit_test(a_damaged_file_never_reaches_faiss),
        cmocka_unit_test(every_possible_index_can_be_built_and_stored),
        cmocka_unit_test(too_few_rows_are_counted),
        cmocka_unit_test(rows_deleted_before_the_build_are_left_out),
        cmocka_unit_test(degenerate_rows_can_be_indexed),
    };
    module_folder = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, make_corpus, free_corpus);
}
