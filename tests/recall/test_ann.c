/* The approximate index with FAISS behind it: what it promises.
 * usage: test_ann FOLDER_OF_LIBKITH_FAISS */
#include "recall_corpus.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "faiss_module.h"
#include "memory.h"
#include "plan.h"

#define N_COVERED 21000 /* the index is built when there are so many rows */

static const char *module_folder;
static kidx_ann *the_ann; /* over the first N_COVERED rows, by default */

/* ---------------------------------------------------------------- no module */

static void without_the_module_nothing_is_built(void **state)
{
    (void)state;
    kith_error error;
    kidx_ann *ann = NULL;
    kidx_faiss_set_folder("/nonexistent");
    assert_status(KITH_UNSUPPORTED,
                  kidx_ann_build(shared.isa, shared.pool, &shared.rows, NULL, NULL,
                                 NULL, &ann, &error));
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

/* Fails when recall is lower than the stated bound by more than chance explains: the
 * bound must lie within the upper end of what these queries allow. */
static void assert_bound_holds(const kidx_recall_point *point, double recall)
{
    double error = 1.645 * sqrt(recall * (1 - recall) / N_QUERIES);
    if (recall + error < point->recall) {
        print_error("k %u, nprobe %u: recall %.4f, bound %.4f\n", point->k,
                    point->nprobe, recall, point->recall);
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
        assert_bound_holds(point,
                           measure(the_ann, &rows, truth, point->nprobe, point->k));
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
        const kidx_plan_request request = { .n_rows = N_COVERED,
                                            .k = sizes[i],
                                            .min_recall = 0.95,
                                            .n_queries = N_QUERIES,
                                            .use = KITH_USE_ANN_ALWAYS,
                                            .loaded = true };
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
        assert_status(KITH_INVALID,
                      kidx_ann_search(the_ann, shared.isa, NULL, &shared.rows, query, 1,
                                      8, 10, hits, &count, &error));
    }
}

/* ---------------------------------------------------------------- threads */

#define BATCH 100 /* queries of one search: several calls of FAISS */

typedef struct client {
    uint32_t nprobe;
    kidx_hit *expected; /* [N_QUERIES, 10] */
    int n_wrong;
} client;

static void *ask(void *context)
{
    client *c = context;
    kidx_hit *hits = kbase_calloc(BATCH * 10, sizeof(*hits));
    size_t counts[BATCH];
    for (size_t q = 0; q < N_QUERIES; q += BATCH) {
        kith_status status = kidx_ann_search(the_ann, shared.isa, NULL, &shared.rows,
                                             shared.queries + q * DIM, BATCH, c->nprobe,
                                             10, hits, counts, NULL);
        c->n_wrong += status != KITH_OK;
        for (size_t i = 0; i < BATCH * 10; i++) {
            c->n_wrong += hits[i].ordinal != c->expected[q * 10 + i].ordinal;
        }
    }
    free(hits);
    return NULL;
}

static void threads_with_their_own_nprobe_do_not_meet(void **state)
{
    (void)state;
    client clients[] = {
        { .nprobe = 1 }, { .nprobe = 4 }, { .nprobe = 4 }, { .nprobe = 32 }
    };
    enum { N = sizeof(clients) / sizeof(clients[0]) };
    pthread_t threads[N];
    size_t counts[BATCH];
    for (size_t i = 0; i < N; i++) {
        clients[i].expected = kbase_calloc(N_QUERIES * 10, sizeof(kidx_hit));
        for (size_t q = 0; q < N_QUERIES; q += BATCH) {
            search(the_ann, &shared.rows, shared.queries + q * DIM, BATCH,
                   clients[i].nprobe, 10, clients[i].expected + q * 10, counts);
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

static int teardown(void **state)
{
    kidx_ann_free(the_ann);
    return free_corpus(state);
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
    };
    module_folder = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, make_corpus, teardown);
}
