/* Scores of a cross-encoder, which reads a query and a text together. */
#ifndef KITH_TOOLS_RERANKER_H
#define KITH_TOOLS_RERANKER_H

#include "models.h"

typedef struct reranker {
    kith_model *model;
    uint64_t n_cut; /* texts of which tokens were cut */
    uint64_t n_scored;
    kith_hit *hits; /* of the present answer */
    float *similarities;
} reranker;

#define RERANKER_EMPTY { 0 }

/* The model must be a cross-encoder that gives one score. EXIT_DONE, or reports and gives
 * another exit status. */
int reranker_open(reranker *r, const model_request *request);
/* Says on stderr how many texts were cut. */
void reranker_close(reranker *r);

/* Score texts for a query, higher is better. EXIT_DONE, or reported. */
int reranker_score(reranker *r, kith_text query, const kith_text *texts, size_t n,
                   float *scores);

/* order[n] = the places of the scores, best first; equal ones stay in their order. */
void reranker_sort(const float *scores, size_t n, size_t *order);

/* The k best hits of an answer, best first, each with its new score; equal scores stay in
 * their order. reranked and *similarities, the scores that the hits had, live until the
 * next call. EXIT_DONE, or reported. */
int reranker_answer(reranker *r, kith_text query, const kith_answer *answer, size_t k,
                    kith_answer *reranked, const float **similarities);

#endif
