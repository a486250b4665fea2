/* How well a score tells two classes apart. */
#ifndef KITH_EVAL_BINARY_H
#define KITH_EVAL_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Thresholds lie half-way between two neighbouring scores that differ; what is above
 * counts as positive. As in MTEB 2, which has this from sentence-transformers, there is
 * none below the lowest score: with all scores equal, accuracy and F1 are 0. Of equally
 * good ones the highest counts. */
typedef struct keval_binary {
    double average_precision;
    double accuracy; /* the best */
    double accuracy_threshold;
    double f1; /* the best, and the next three belong to it */
    double f1_threshold;
    double precision;
    double recall;
} keval_binary;

/* Average precision is defined as by scikit-learn's average_precision_score(): the sum
 * over the distinct scores, from the highest down, of precision times the gain in
 * recall; 0 without positives.
 *
 * labels  [in] n of them: 1 positive, 0 negative
 * Returns false when out of memory. */
bool keval_binary_measure(const double *scores, const uint8_t *labels, size_t n,
                          keval_binary *measures);

#endif
