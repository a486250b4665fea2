/* Made-up rows for tests of index/. */
#ifndef KITH_TESTS_ROWS_FIXTURE_H
#define KITH_TESTS_ROWS_FIXTURE_H

#include "memory.h"
#include "rows.h"
#include "support.h"

typedef struct data {
    kidx_rows rows;
    uint16_t *halves;
    uint64_t *dead; /* zeros; rows.dead does not point to them */
    float *queries;
} data;

/* In [-1, 1), the same series in every run. */
float next_random(void);

/* Rows as the store keeps them: a stride of whole cache lines, zeros behind the
 * numbers. Queries have about unit length. */
data make_data(uint64_t n_rows, uint32_t dim, size_t n_queries);
void free_data(data *d);

kbase_isa best_isa(void);

/* The next set of kernels that this CPU offers; begins with -1, ends with it. */
int next_isa(int isa);

#endif
