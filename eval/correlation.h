/* How well two rows of numbers go together. */
#ifndef KITH_EVAL_CORRELATION_H
#define KITH_EVAL_CORRELATION_H

#include <stdbool.h>
#include <stddef.h>

/* Pearson's r. NaN when it is not defined: fewer than two numbers, or all of x or of y
 * equal. */
double keval_pearson(const double *x, const double *y, size_t n);

/* Spearman's rho: Pearson's r of the ranks, where equal numbers share the mean of
 * theirs. False: out of memory. */
bool keval_spearman(const double *x, const double *y, size_t n, double *rho);

#endif
