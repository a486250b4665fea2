#include "labels.h"

#include <stdlib.h>

typedef struct tally {
    size_t n_true;
    size_t n_predicted;
    size_t n_both;
} tally;

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static void sum_up(const tally *tallies, uint32_t n_labels, size_t n,
                   keval_labels *measures)
{
    size_t n_used = 0;
    size_t n_right = 0;
    double macro_sum = 0;
    double precision_sum = 0;
    double f1_sum = 0;
    for (uint32_t i = 0; i < n_labels; i++) {
        const tally *t = &tallies[i];
        double weight = (double)t->n_true;
        double f1 = ratio(2 * (double)t->n_both, (double)(t->n_true + t->n_predicted));
        n_used += t->n_true + t->n_predicted > 0;
        n_right += t->n_both;
        macro_sum += f1;
        precision_sum += weight * ratio((double)t->n_both, (double)t->n_predicted);
        f1_sum += weight * f1;
    }
    double accuracy = ratio((double)n_right, (double)n);
    *measures = (keval_labels){ .accuracy = accuracy,
                                .macro_f1 = ratio(macro_sum, (double)n_used),
                                .precision = ratio(precision_sum, (double)n),
                                .recall = accuracy, /* the same sum, when weighted */
                                .f1 = ratio(f1_sum, (double)n) };
}

bool keval_labels_measure(const uint32_t *truth, const uint32_t *predicted, size_t n,
                          uint32_t n_labels, keval_labels *measures)
{
    tally *tallies = calloc((size_t)n_labels + 1, sizeof(tallies[0]));
    if (tallies == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        tallies[truth[i]].n_true++;
        tallies[predicted[i]].n_predicted++;
        tallies[truth[i]].n_both += truth[i] == predicted[i];
    }
    sum_up(tallies, n_labels, n, measures);
    free(tallies);
    return true;
}
