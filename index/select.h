/* What scan and rerank share: the best m of many hits, and work for a pool. */
#ifndef KIDX_SELECT_H
#define KIDX_SELECT_H

#include "rows.h"

/* A heap with the worst hit on top. hits: room for `capacity` of them, the caller's. */
typedef struct kidx_best {
    kidx_hit *hits;
    size_t n;
    size_t capacity; /* at least 1 */
} kidx_best;

/* Whether a hit with this score could enter: cheap, and almost always the answer. */
static inline bool kidx_best_wants(const kidx_best *best, float score)
{
    return best->n < best->capacity || score >= best->hits[0].score;
}

/* Keep the hit if it is among the best so far. */
void kidx_best_push(kidx_best *best, kidx_hit hit);

/* Put the hits in order, nearest first. The heap is then only to be read. */
void kidx_best_sort(kidx_best *best);

/* kbase_pool_run(), or the calling thread alone when the pool is NULL. */
void kidx_run(kbase_pool *pool, size_t n_tasks,
              void (*task)(void *context, size_t index, unsigned worker),
              void *context);
unsigned kidx_n_workers(const kbase_pool *pool);

/* kidx_scan() over the rows from `first` up. */
kith_status kidx_scan_from(kbase_isa isa, kbase_pool *pool, const kidx_rows *rows,
                           uint64_t first, const float *queries, size_t n_queries,
                           size_t m, kidx_hit *hits, size_t *counts, kith_error *err);

#endif
