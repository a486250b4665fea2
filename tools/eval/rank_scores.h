/* The measures of a run against judgements: of every query, and their means. */
#ifndef KITH_TOOLS_RANK_SCORES_H
#define KITH_TOOLS_RANK_SCORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ratings.h"

#define RANK_MEASURES 7
#define MAX_CUTOFFS 3
#define MAX_RANK_SCORES (RANK_MEASURES * MAX_CUTOFFS)

/* What is measured, and on which queries. */
typedef struct rank_request {
    const ratings *qrels;
    const kith_text *queries; /* by id; each has judgements */
    size_t n_queries;
    uint32_t cutoffs[MAX_CUTOFFS]; /* ascending */
    size_t n_cutoffs;
    bool ignores_identical; /* a document with the query's id is no answer */
} rank_request;

typedef struct rank_scores {
    size_t n_scores;  /* measures at each cutoff */
    double *values;   /* n_queries x n_scores */
    double mean[MAX_RANK_SCORES];
    size_t n_without_relevant; /* queries; they count as 0 */
    size_t n_unanswered;       /* queries that the run has no document for; as 0 too */
} rank_scores;

/* "ndcg@10" and the like, of score i. */
#define SCORE_NAME_BYTES 24
void rank_score_name(const rank_request *request, size_t i,
                     char name[SCORE_NAME_BYTES]);
/* The place of nDCG@10, which is always there. */
size_t rank_score_ndcg10(const rank_request *request);

/* Fill in scores; free with rank_scores_free(). */
void rank_scores_of(rank_scores *scores, const rank_request *request,
                    const ratings *run);
void rank_scores_free(rank_scores *scores);

/* How much of what an exact search found an approximate one has found, at each cutoff:
 * the mean over the queries. */
void rank_recall_of_exact(const rank_request *request, const ratings *exact,
                          const ratings *approximate, double recall[MAX_CUTOFFS]);

#endif
