/* The best rows for many queries, by bounds: 8-bit codes give each row an upper and a lower
 * bound of its score. The m-th best lower bound so far is a threshold; rows whose upper
 * bound reaches it are candidates, scored from the rows themselves at the end. So what
 * comes out is exact. codes_search.c and ann_lists.c choose which rows are looked at. */
#ifndef KIDX_BOUNDS_H
#define KIDX_BOUNDS_H

#include <stdatomic.h>

#include "select.h"
#include "row_kernels.h"

#define KIDX_TILE_ROWS (KIDX_TILE_PANELS * KIDX_PANEL)

/* What one worker has found for one query. */
typedef struct kidx_found {
    kidx_best lower;      /* the m best lower bounds of scores */
    kidx_hit *candidates; /* with their upper bounds */
    size_t n;
    size_t capacity;
} kidx_found;

/* Queries that are multiplied together. */
typedef struct kidx_query_block {
    size_t n;               /* whole groups */
    const uint8_t *codes;   /* [n, k], or [n, 2, k] in 15 bits */
    const float *scale;     /* these: [n] */
    const float *slope;
    const float *offset;
    float *thresholds;      /* best known lower bound of the m-th; raised */
    const uint32_t *number; /* of each query; NULL: 0, 1, ... */
} kidx_query_block;

typedef struct kidx_bounds {
    /* To be set before kidx_bounds_begin(). */
    kbase_isa isa;
    const kidx_rows *rows;
    const float *vectors; /* [n_queries, dim] */
    size_t n_queries;
    size_t m; /* at least 1 */
    size_t n_workers;
    bool in_15_bits;
    kidx_hit *hits; /* [n_queries, m] */
    size_t *counts;
    /* Set by it. */
    const kidx_kernels *kernels;
    size_t k;        /* codes of a row */
    size_t group;    /* queries of a tile: KIDX_QUERY_GROUP, or 1 in 15 bits */
    size_t n_padded; /* whole groups of queries */
    uint8_t *codes;  /* as in kidx_query_block */
    float *scale;
    float *slope;
    float *offset;
    float *thresholds; /* [workers, n_padded] */
    float *upper;      /* [workers, KIDX_QUERY_GROUP, KIDX_TILE_ROWS] */
    int32_t *scratch;  /* [workers, dim] */
    kidx_found *found; /* [workers, n_queries] */
    atomic_int status; /* KITH_NOMEM, or what the caller stores here */
} kidx_bounds;

/* Queries that may be searched together, so that what is held of them stays bounded. */
size_t kidx_bounds_together(size_t m, size_t n_workers);

/* Set part to the queries of `all` from `first` on, at most so many. */
void kidx_bounds_part(const kidx_bounds *all, size_t first, size_t at_most,
                      kidx_bounds *part);

/* Quantize the queries. kidx_bounds_end() is to be called even when this fails.
 * KITH_NOMEM. */
kith_status kidx_bounds_begin(kidx_bounds *b, kbase_pool *pool, kith_error *err);

/* All queries, with the thresholds of a worker. */
kidx_query_block kidx_bounds_all(const kidx_bounds *b, unsigned worker);

/* Look at the rows of at most KIDX_TILE_PANELS panels: those from `first` up, which are
 * ordinals or (ordinals not NULL) places in them. A lane without a row has an error of
 * -infinity. */
void kidx_bounds_look(kidx_bounds *b, const kidx_query_block *block,
                      const unsigned char *panels, size_t n_panels, uint64_t first,
                      const uint64_t *ordinals, unsigned worker);

/* Give every worker the best threshold that one has. */
void kidx_bounds_share(kidx_bounds *b);

/* Score what is left of the candidates: hits, in no order, and counts. Then merge the rows
 * from `first` up, if there are any, and sort. KITH_NOMEM, or b->status. */
kith_status kidx_bounds_finish(kidx_bounds *b, kbase_pool *pool, uint64_t first,
                               kith_error *err);

void kidx_bounds_end(kidx_bounds *b);

#endif
