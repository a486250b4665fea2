/* Every kind of index that can be built, and rows that are hard to build one from.
 * usage: test_ann_kinds FOLDER_OF_LIBKITH_FAISS */
#include "recall_corpus.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faiss_module.h"
#include "memory.h"

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
    static const struct {
        const char *factory;
        double recall; /* at the least, all lists visited: codes lose something */
    } cases[] = {
        { "PQ32x4fs", 0.98 },        { "PQ16x4fs", 0.8 },
        { "IVF16,PQ32x4fsr", 0.98 }, { "IVF16,PQ32x4fs", 0.98 },
        { "IVF16,PQ16", 0.98 },      { "IVF16,SQ8", 0.999 },
        { "IVF16,Flat", 0.999 },     { "IVF64_HNSW32,PQ32x4fsr", 0.98 },
    };
    char *folder = make_temp_folder();
    char *path = format("%s/ann", folder);
    char *log = format("%s/stderr", folder);
    kidx_rows rows = first_rows(10600); /* 8-bit PQ needs 9984 and those held out */
    kidx_hit *truth = kbase_calloc(N_QUERIES * MAX_K, sizeof(*truth));
    find_truth(&rows, truth);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int saved = silence_begin(log);
        kidx_ann *ann = build(&rows, cases[i].factory);
        silence_end(log, saved);
        kidx_ann_info info;
        kidx_ann_get_info(ann, &info);
        double recall = measure(ann, &rows, truth, info.n_lists, 10);
        if (recall < cases[i].recall) {
            print_error("%s: recall %.4f\n", cases[i].factory, recall);
        }
        assert_true(recall >= cases[i].recall);
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
    assert_status(KITH_INVALID, kidx_ann_build(shared.isa, NULL, &rows, NULL, NULL,
                                               NULL, &ann, &error));
    assert_non_null(strstr(error.message, "needs 724 rows, 723 are there"));
    assert_status(KITH_INVALID, kidx_ann_build(shared.isa, NULL, &rows, "IVF512,Flat",
                                               NULL, NULL, &ann, &error));
    assert_non_null(strstr(error.message, "needs 20068 rows"));
    assert_status(KITH_INVALID, kidx_ann_build(shared.isa, NULL, &rows, "HNSW32", NULL,
                                               NULL, &ann, &error));
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
    static const char *const factories[] = { "PQ32x4fs", "IVF8,PQ32x4fsr",
                                             "IVF8,Flat" };
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
        cmocka_unit_test(every_possible_index_can_be_built_and_stored),
        cmocka_unit_test(too_few_rows_are_counted),
        cmocka_unit_test(rows_deleted_before_the_build_are_left_out),
        cmocka_unit_test(degenerate_rows_can_be_indexed),
    };
    kidx_faiss_set_folder(argc > 1 ? argv[1] : ".");
    return cmocka_run_group_tests(tests, make_corpus, free_corpus);
}
