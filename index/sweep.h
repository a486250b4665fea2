/* Rows against rows: a block of rows as queries, in 8 bits, against the codes of
 * others; what the bounds of codes.h leave in the running is scored from the rows
 * themselves.
 *
 * The score of two rows is what kidx_score() gives for the one with the lower ordinal,
 * at unit length, as the query. A row without a direction scores 0. */
#ifndef KIDX_SWEEP_H
#define KIDX_SWEEP_H

#include "rows.h"

/* Rows that are queries at a time: they fit the second-level cache. */
#define KIDX_SWEEP_ROWS 256

/* Of one thread; the pool is its own until it is freed. */
typedef struct kidx_sweep kidx_sweep;

/* The rows are borrowed. For those that their codes do not cover, or for all if these are
 * damaged, codes are made in memory: dim + 12 bytes a row. KITH_NOMEM. */
kith_status kidx_sweep_new(kbase_isa isa, kbase_pool *pool, const kidx_rows *rows,
                           kidx_sweep **sweep, kith_error *err);
void kidx_sweep_free(kidx_sweep *sweep);

const kidx_rows *kidx_sweep_rows(const kidx_sweep *sweep);

/* How many numbers below `worker` the calls of a run know. */
unsigned kidx_sweep_workers(const kidx_sweep *sweep);

/* Who wants to know. Called by several threads at a time, but for one row by one only. */
typedef struct kidx_sweep_visitor {
    void *context;
    /* The least score that counts; it may rise during a run. */
    float (*threshold)(const void *context);
    /* Whether the score of a query (a place in `queries`) and a row, which is `upper`
     * at most, is of interest. */
    bool (*wants)(const void *context, size_t query, uint64_t row, float upper);
    void (*take)(void *context, size_t query, uint64_t row, float score,
                 unsigned worker);
} kidx_sweep_visitor;

/* Compare the live ones of the n_queries rows `queries`, at most KIDX_SWEEP_ROWS, with
 * the live rows first .. end - 1, never a row with itself. All that score the threshold
 * are taken; in which order is undefined. */
void kidx_sweep_run(kidx_sweep *sweep, const uint64_t *queries, size_t n_queries,
                    uint64_t first, uint64_t end, const kidx_sweep_visitor *visitor);

#endif
