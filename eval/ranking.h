/* How good a ranking is: the measures of information retrieval for one query, as
 * trec_eval 9 defines them.
 *
 * A document is relevant when its label is 1 or more. A query without relevant
 * documents and a ranking without documents give 0. All functions are pure: they keep
 * nothing, and any number of threads may call them. Cost: linear in k and in the number
 * of labels. */
#ifndef KITH_EVAL_RANKING_H
#define KITH_EVAL_RANKING_H

#include <stddef.h>
#include <stdint.h>

#define KEVAL_UNJUDGED INT32_MIN

typedef struct keval_ranking {
    const int32_t *ranked; /* the label of each document found, best document first;
                              KEVAL_UNJUDGED where nobody has judged it */
    size_t n_ranked;
    const int32_t *judged; /* all labels of the query, highest first, found or not */
    size_t n_judged;
} keval_ranking;

/* Each looks at the first k >= 1 documents. */

/* Discounted cumulative gain, as a share of the best possible one. The gain is the
 * label (linear), 0 for a negative one; the discount is log2(rank + 1). */
double keval_ndcg(const keval_ranking *ranking, size_t k);
/* The precision at each relevant document found, summed and divided by the number of
 * relevant documents. Its mean over queries is MAP. */
double keval_average_precision(const keval_ranking *ranking, size_t k);
/* 1 / rank of the first relevant document; 0 if there is none. Its mean is MRR. */
double keval_reciprocal_rank(const keval_ranking *ranking, size_t k);
/* The share of the relevant documents that was found. */
double keval_recall(const keval_ranking *ranking, size_t k);
/* Relevant documents found, divided by k however few were found. */
double keval_precision(const keval_ranking *ranking, size_t k);
/* 1 if a relevant document was found, else 0. Its mean is the hit rate. */
double keval_success(const keval_ranking *ranking, size_t k);
/* Documents found that were judged at all, divided by k. */
double keval_judged(const keval_ranking *ranking, size_t k);

/* The share of the k best documents that an approximate search has found, by the scores
 * of both, highest first: one that scores as high as the k-th best is one of them. 1 if
 * there is nothing to find. */
double keval_recall_of_exact(const double *exact, size_t n_exact,
                             const double *approximate, size_t n_approximate, size_t k);

/* Average precision of n documents by score, highest first. Documents of equal score
 * are taken together, as scikit-learn's average_precision_score() does, which MTEB's
 * reranking uses; without ties it is keval_average_precision() of all. Labels are 0 or
 * 1. 0 if none is 1. */
double keval_average_precision_of_scores(const double *scores, const int32_t *labels,
                                         size_t n);

#endif
