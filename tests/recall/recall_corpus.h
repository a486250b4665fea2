/* Made-up vectors with clusters like those of real text, and what the tests of the
 * approximate index do with them. */
#ifndef KITH_TESTS_RECALL_CORPUS_H
#define KITH_TESTS_RECALL_CORPUS_H

#include "support.h"

#include "ann.h"

#define DIM 64
#define N_ROWS 22000
#define N_QUERIES 1000
#define MAX_K 100
#define FINGERPRINT "0123456789abcdef0123456789abcdef"

typedef struct corpus {
    kidx_rows rows;
    uint16_t *halves;
    float *queries;  /* not among the rows */
    kidx_hit *truth; /* [N_QUERIES, MAX_K] among all rows */
    kbase_isa isa;
    kbase_pool *pool;
} corpus;

/* Made once, by the group's setup and teardown functions. */
extern corpus shared;
int make_corpus(void **state);
int free_corpus(void **state);

kidx_rows first_rows(uint64_t n);

/* The MAX_K nearest of these rows to each query: truth[N_QUERIES, MAX_K]. */
void find_truth(const kidx_rows *rows, kidx_hit *truth);

/* kidx_ann_build() and kidx_ann_search() that fail the test when they fail. */
kidx_ann *build(const kidx_rows *rows, const char *factory);
void search(kidx_ann *ann, const kidx_rows *rows, const float *queries, size_t n,
            uint32_t nprobe, size_t m, kidx_hit *hits, size_t *counts);

/* Recall at k over all queries; ties with the k-th count. */
double measure(kidx_ann *ann, const kidx_rows *rows, const kidx_hit *truth,
               uint32_t nprobe, size_t k);

/* Live rows, their scores to the bit, nearest first, none twice. */
void assert_in_order(const kidx_rows *rows, const float *query, const kidx_hit *hits,
                     size_t n);
void assert_same_answers(kidx_ann *a, kidx_ann *b, const kidx_rows *rows);
kidx_ann *save_and_load(const kidx_ann *ann, const char *path);

#endif
