/* Order of numbers. */
#ifndef KITH_EVAL_ORDER_H
#define KITH_EVAL_ORDER_H

#include <stdbool.h>
#include <stddef.h>

/* order[0] is the place of the largest of n values, and so on; of equal ones the first
 * comes first. No value may be NaN. False: out of memory. */
bool keval_order_descending(const double *values, size_t n, size_t *order);

#endif
