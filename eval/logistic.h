/* Logistic regression. */
#ifndef KITH_EVAL_LOGISTIC_H
#define KITH_EVAL_LOGISTIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct keval_logistic {
    size_t dim;
    uint32_t n_labels;
    double *weights; /* n_labels x (dim + 1); the last of a row is the intercept */
} keval_logistic;

/* Minimize the mean of -log P(label) over the vectors, plus |weights|^2 / (2 n) without
 * the intercepts: scikit-learn's LogisticRegression(C=1), one row of weights for two
 * labels (that of label 0 is zero), else one for each (softmax). L-BFGS runs until the
 * gradient is 1e-10 of the weights' length, where scikit-learn is content with 1e-4.
 *
 * vectors   [in] n x dim floats
 * labels    [in] n numbers below n_labels, n_labels > 1
 * logistic  [out] free with keval_logistic_free()
 * Returns false when out of memory. */
bool keval_logistic_fit(const float *vectors, const uint32_t *labels, size_t n,
                        size_t dim, uint32_t n_labels, keval_logistic *logistic);

/* The most probable label of each of n vectors; of equal ones the lowest. */
void keval_logistic_predict(const keval_logistic *logistic, const float *vectors,
                            size_t n, uint32_t *labels);

void keval_logistic_free(keval_logistic *logistic);

#endif
