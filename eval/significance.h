/* Whether two systems differ, by their values on the same queries. Pure functions. */
#ifndef KITH_EVAL_SIGNIFICANCE_H
#define KITH_EVAL_SIGNIFICANCE_H

#include <stddef.h>
#include <stdint.h>

/* Student's t-test for pairs, two-sided: how likely a mean difference at least as large
 * is if the true one is 0.
 *
 * differences  [in] n values of one system less those of the other
 * Returns p; NaN if n < 2 or all differences are 0; 0 if all are one other number. */
double keval_t_test(const double *differences, size_t n);

/* Fisher's randomisation test for pairs, two-sided: the share of the ways to swap the
 * two systems query by query whose mean difference is at least as large. All of the 2^m
 * ways are counted, for m differences that are not 0, if there are at most n_rounds of
 * them; else n_rounds random ones, and the one observed.
 *
 * n_rounds  [in] at least 1; the standard error of p is sqrt(p (1 - p) / n_rounds)
 * seed      [in] the same seed gives the same p
 * Returns p; 1 if all differences are 0, NaN if there are none.
 * Cost: n * n_rounds additions. */
double keval_randomisation_test(const double *differences, size_t n, uint32_t n_rounds,
                                uint64_t seed);

#endif
