/* Judgements (qrels) and runs: a number for a query and a document, from a file or from
 * a search. */
#ifndef KITH_TOOLS_RATINGS_H
#define KITH_TOOLS_RATINGS_H

#include <stdint.h>

#include "kith.h"

typedef struct rating {
    kith_text query;
    kith_text doc;
    double value;   /* label or score */
    uint64_t place; /* line of the file, or the order of adding */
} rating;

typedef struct ratings {
    rating *items; /* by query; then judgements by document, runs best first */
    size_t n_items;
    size_t capacity;
    char **blocks; /* what the texts point into */
    size_t n_blocks;
    size_t block_capacity;
    size_t n_free; /* bytes of the last block */
} ratings;

#define RATINGS_EMPTY { .items = NULL }

/* Each gives EXIT_DONE, or tells file, line and field and gives another exit status. */

/* Judgements: tab-separated with the header of BEIR (query-id, corpus-id, score), or
 * TREC's four columns (query, iteration, document, label). */
int ratings_read_qrels(ratings *list, const char *path);
/* A TREC run: query, Q0, document, rank, score, tag. Best first is what trec_eval takes
 * for it: by score as a 32-bit float, equal ones by document id, backwards. */
int ratings_read_run(ratings *list, const char *path);

/* For a run that is made here: add query by query, best document first, then sort. */
void ratings_add(ratings *list, kith_text query, kith_text doc, double value);
void ratings_sort_by_place(ratings *list);

/* The ratings of a query, *n of them; NULL when there are none. */
const rating *ratings_of(const ratings *list, kith_text query, size_t *n);
/* The number for a document among the n of a query, sorted by document; or NULL. */
const rating *rating_of(const rating *of_query, size_t n, kith_text doc);

/* By bytes, as strcmp(). */
int compare_ids(kith_text a, kith_text b);

void ratings_free(ratings *list);

#endif
