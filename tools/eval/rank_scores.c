#include "rank_scores.h"

#include <stdio.h>
#include <stdlib.h>

#include "buffer.h"
#include "ranking.h"

typedef double (*measure)(const keval_ranking *ranking, size_t k);

static const struct {
    const char *name;
    measure of;
} measures[RANK_MEASURES] = {
    { "ndcg", keval_ndcg },
    { "map", keval_average_precision },
    { "mrr", keval_reciprocal_rank },
    { "recall", keval_recall },
    { "precision", keval_precision },
    { "success", keval_success },
    { "judged", keval_judged },
};

void rank_score_name(const rank_request *request, size_t i,
                     char name[SCORE_NAME_BYTES])
{
    snprintf(name, SCORE_NAME_BYTES, "%s@%u", measures[i / request->n_cutoffs].name,
             (unsigned)request->cutoffs[i % request->n_cutoffs]);
}

size_t rank_score_ndcg10(const rank_request *request)
{
    size_t i = 0; /* nDCG is the first measure */
    while (request->cutoffs[i] != 10) {
        i++;
    }
    return i;
}

/* ------------------------------------------------------------------ one query */

static int highest_first(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x;
    int32_t b = *(const int32_t *)y;
    return (a < b) - (a > b);
}

/* The labels of a query, in memory for free(); *n of them. */
static int32_t *labels_judged(const rank_request *request, kith_text query,
                              const rating *judged, size_t n_judged, size_t *n)
{
    int32_t *labels = allocate(n_judged, sizeof(labels[0]));
    *n = 0;
    for (size_t i = 0; i < n_judged; i++) {
        if (!request->ignores_identical || compare_ids(judged[i].doc, query) != 0) {
            labels[(*n)++] = (int32_t)judged[i].value;
        }
    }
    qsort(labels, *n, sizeof(labels[0]), highest_first);
    return labels;
}

static int32_t *labels_ranked(const rank_request *request, kith_text query,
                              const rating *judged, size_t n_judged,
                              const ratings *run, size_t *n)
{
    size_t n_found;
    const rating *found = ratings_of(run, query, &n_found);
    int32_t *labels = allocate(n_found, sizeof(labels[0]));
    *n = 0;
    for (size_t i = 0; i < n_found; i++) {
        if (request->ignores_identical && compare_ids(found[i].doc, query) == 0) {
            continue;
        }
        const rating *label = rating_of(judged, n_judged, found[i].doc);
        labels[(*n)++] = label == NULL ? KEVAL_UNJUDGED : (int32_t)label->value;
    }
    return labels;
}

static void score_query(rank_scores *scores, const rank_request *request,
                        const ratings *run, kith_text query, double *values)
{
    size_t n;
    const rating *judgements = ratings_of(request->qrels, query, &n);
    keval_ranking ranking;
    int32_t *judged = labels_judged(request, query, judgements, n, &ranking.n_judged);
    int32_t *ranked = labels_ranked(request, query, judgements, n, run,
                                    &ranking.n_ranked);
    ranking.judged = judged;
    ranking.ranked = ranked;
    scores->n_without_relevant += ranking.n_judged == 0 || judged[0] < 1;
    scores->n_unanswered += ranking.n_ranked == 0;
    for (size_t i = 0; i < scores->n_scores; i++) {
        values[i] = measures[i / request->n_cutoffs].of(
            &ranking, request->cutoffs[i % request->n_cutoffs]);
    }
    free(judged);
    free(ranked);
}

/* ------------------------------------------------------------------ all queries */

void rank_scores_of(rank_scores *scores, const rank_request *request,
                    const ratings *run)
{
    *scores = (rank_scores){ .n_scores = RANK_MEASURES * request->n_cutoffs };
    scores->values =
        allocate(request->n_queries * scores->n_scores, sizeof(scores->values[0]));
    for (size_t q = 0; q < request->n_queries; q++) {
        double *values = scores->values + q * scores->n_scores;
        score_query(scores, request, run, request->queries[q], values);
        for (size_t i = 0; i < scores->n_scores; i++) {
            scores->mean[i] += values[i] / (double)request->n_queries;
        }
    }
}

void rank_scores_free(rank_scores *scores)
{
    free(scores->values);
    scores->values = NULL;
}

/* The scores of a query's documents, in memory for free(); *n of them. */
static double *scores_found(const rank_request *request, const ratings *run,
                            kith_text query, size_t *n)
{
    size_t n_found;
    const rating *found = ratings_of(run, query, &n_found);
    double *values = allocate(n_found, sizeof(values[0]));
    *n = 0;
    for (size_t i = 0; i < n_found; i++) {
        if (!request->ignores_identical || compare_ids(found[i].doc, query) != 0) {
            values[(*n)++] = found[i].value;
        }
    }
    return values;
}

void rank_recall_of_exact(const rank_request *request, const ratings *exact,
                          const ratings *approximate, double recall[MAX_CUTOFFS])
{
    for (size_t i = 0; i < request->n_cutoffs; i++) {
        recall[i] = 0;
    }
    for (size_t q = 0; q < request->n_queries; q++) {
        size_t n_best;
        size_t n_found;
        double *best = scores_found(request, exact, request->queries[q], &n_best);
        double *found =
            scores_found(request, approximate, request->queries[q], &n_found);
        for (size_t i = 0; i < request->n_cutoffs; i++) {
            recall[i] += keval_recall_of_exact(best, n_best, found, n_found,
                                               request->cutoffs[i]) /
                         (double)request->n_queries;
        }
        free(best);
        free(found);
    }
}
