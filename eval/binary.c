#include "binary.h"

#include <stdlib.h>

#include "order.h"

typedef struct ranking {
    const double *scores;
    const uint8_t *labels;
    const size_t *order;
    size_t n;
    size_t n_positives;
} ranking;

static double average_precision(const ranking *r)
{
    double sum = 0;
    size_t n_found = 0;
    for (size_t first = 0, last; first < r->n; first = last) {
        size_t n_before = n_found;
        last = first;
        do {
            n_found += r->labels[r->order[last++]];
        } while (last < r->n &&
                 !(r->scores[r->order[last]] < r->scores[r->order[first]]));
        sum += (double)(n_found - n_before) * (double)n_found / (double)last;
    }
    return r->n_positives == 0 ? 0 : sum / (double)r->n_positives;
}

/* Half-way between the score at this place of the order and the next. False: they are
 * equal, and no threshold tells them apart. */
static bool find_threshold(const ranking *r, size_t i, double *threshold)
{
    double score = r->scores[r->order[i]];
    double next = r->scores[r->order[i + 1]];
    *threshold = (score + next) / 2;
    return next < score;
}

static void find_best_accuracy(const ranking *r, keval_binary *measures)
{
    double threshold;
    size_t best = 0;
    size_t n_right = r->n - r->n_positives;
    for (size_t i = 0; i + 1 < r->n; i++) {
        n_right = r->labels[r->order[i]] ? n_right + 1 : n_right - 1;
        if (find_threshold(r, i, &threshold) && n_right > best) {
            best = n_right;
            measures->accuracy = (double)n_right / (double)r->n;
            measures->accuracy_threshold = threshold;
        }
    }
}

static void find_best_f1(const ranking *r, keval_binary *measures)
{
    double threshold;
    size_t n_found = 0;
    for (size_t i = 0; i + 1 < r->n; i++) {
        n_found += r->labels[r->order[i]];
        /* 2 P R / (P + R) */
        double f1 = 2 * (double)n_found / (double)(i + 1 + r->n_positives);
        if (find_threshold(r, i, &threshold) && f1 > measures->f1) {
            measures->f1 = f1;
            measures->precision = (double)n_found / (double)(i + 1);
            measures->recall = (double)n_found / (double)r->n_positives;
            measures->f1_threshold = threshold;
        }
    }
}

bool keval_binary_measure(const double *scores, const uint8_t *labels, size_t n,
                          keval_binary *measures)
{
    size_t *order = calloc(n + 1, sizeof(order[0]));
    if (order == NULL || !keval_order_descending(scores, n, order)) {
        free(order);
        return false;
    }
    ranking r = { scores, labels, order, n, 0 };
    for (size_t i = 0; i < n; i++) {
        r.n_positives += labels[i];
    }
    *measures = (keval_binary){ .average_precision = average_precision(&r) };
    find_best_accuracy(&r, measures);
    find_best_f1(&r, measures);
    free(order);
    return true;
}
