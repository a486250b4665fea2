#include "ranking.h"

#include <math.h>

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t count_relevant(const int32_t *labels, size_t n)
{
    size_t n_relevant = 0;
    for (size_t i = 0; i < n; i++) {
        n_relevant += labels[i] >= 1;
    }
    return n_relevant;
}

static size_t count_found(const keval_ranking *ranking, size_t k)
{
    return count_relevant(ranking->ranked, min_of(ranking->n_ranked, k));
}

static double discounted_gain(const int32_t *labels, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (labels[i] > 0) {
            sum += labels[i] / log2((double)(i + 2));
        }
    }
    return sum;
}

double keval_ndcg(const keval_ranking *ranking, size_t k)
{
    double ideal = discounted_gain(ranking->judged, min_of(ranking->n_judged, k));
    double gain = discounted_gain(ranking->ranked, min_of(ranking->n_ranked, k));
    return ideal > 0 ? gain / ideal : 0;
}

double keval_average_precision(const keval_ranking *ranking, size_t k)
{
    size_t n_relevant = count_relevant(ranking->judged, ranking->n_judged);
    size_t n = min_of(ranking->n_ranked, k);
    size_t n_found = 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (ranking->ranked[i] >= 1) {
            sum += (double)++n_found / (double)(i + 1);
        }
    }
    return n_relevant > 0 ? sum / (double)n_relevant : 0;
}

double keval_reciprocal_rank(const keval_ranking *ranking, size_t k)
{
    size_t n = min_of(ranking->n_ranked, k);
    for (size_t i = 0; i < n; i++) {
        if (ranking->ranked[i] >= 1) {
            return 1.0 / (double)(i + 1);
        }
    }
    return 0;
}

double keval_recall(const keval_ranking *ranking, size_t k)
{
    size_t n_relevant = count_relevant(ranking->judged, ranking->n_judged);
    return n_relevant > 0 ? (double)count_found(ranking, k) / (double)n_relevant : 0;
}

double keval_precision(const keval_ranking *ranking, size_t k)
{
    return (double)count_found(ranking, k) / (double)k;
}

double keval_success(const keval_ranking *ranking, size_t k)
{
    return count_found(ranking, k) > 0;
}

double keval_judged(const keval_ranking *ranking, size_t k)
{
    size_t n = min_of(ranking->n_ranked, k);
    size_t n_judged = 0;
    for (size_t i = 0; i < n; i++) {
        n_judged += ranking->ranked[i] != KEVAL_UNJUDGED;
    }
    return (double)n_judged / (double)k;
}

double keval_recall_of_exact(const double *exact, size_t n_exact,
                             const double *approximate, size_t n_approximate, size_t k)
{
    size_t n_best = min_of(n_exact, k);
    size_t n_found = 0;
    size_t n = min_of(n_approximate, n_best);
    for (size_t i = 0; i < n; i++) {
        n_found += approximate[i] >= exact[n_best - 1];
    }
    return n_best > 0 ? (double)n_found / (double)n_best : 1;
}

double keval_average_precision_of_scores(const double *scores, const int32_t *labels,
                                         size_t n)
{
    size_t n_relevant = count_relevant(labels, n);
    size_t n_before = 0;
    double sum = 0;
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && scores[end] == scores[begin];) {
            end++;
        }
        size_t n_here = count_relevant(labels + begin, end - begin);
        n_before += n_here;
        sum += (double)n_here * (double)n_before / (double)end;
    }
    return n_relevant > 0 ? sum / (double)n_relevant : 0;
}
