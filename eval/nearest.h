/* Nearest neighbours by exact comparison of all. */
#ifndef KITH_EVAL_NEAREST_H
#define KITH_EVAL_NEAREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* nearest[i] is the row with the highest cosine to query i; of equal ones the first.
 *
 * queries  [in] n_queries x dim floats
 * rows     [in] n_rows x dim floats, n_rows > 0
 * Returns false when out of memory. Cost: n_queries * n_rows * dim. */
bool keval_nearest(const float *queries, size_t n_queries, const float *rows,
                   size_t n_rows, size_t dim, uint32_t *nearest);

#endif
