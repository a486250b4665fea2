/* Labels that were predicted against those that are true. */
#ifndef KITH_EVAL_LABELS_H
#define KITH_EVAL_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As scikit-learn defines them, with 0 where a quotient has no denominator. */
typedef struct keval_labels {
    double accuracy;
    double macro_f1;  /* mean over the labels that are true or predicted somewhere */
    /* Means, weighted by how often a label is true. */
    double precision;
    double recall;
    double f1;
} keval_labels;

/* truth, predicted  [in] n labels, each below n_labels
 * Returns false when out of memory. Cost: n + n_labels. */
bool keval_labels_measure(const uint32_t *truth, const uint32_t *predicted, size_t n,
                          uint32_t n_labels, keval_labels *measures);

#endif
