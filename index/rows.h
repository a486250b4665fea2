/* The stored vectors, as index/ sees them, and exact scores over them. */
#ifndef KIDX_ROWS_H
#define KIDX_ROWS_H

#include "cpu.h"
#include "kith.h"
#include "threads.h"

/* f16 rows in memory (a mapped file). A row's ordinal is its position. A row has zeros
 * from dim to the stride. */
typedef struct kidx_rows {
    const uint16_t *data;
    size_t stride; /* in f16 numbers, from row to row: a multiple of 16 */
    uint32_t dim;
    uint64_t n_rows;
    const uint64_t *dead; /* bit i set: row i is deleted; NULL: none is */
    struct kidx_codes *codes; /* the rows in 8 bits, for kidx_scan(); NULL: none */
} kidx_rows;

static inline bool kidx_is_dead(const kidx_rows *rows, uint64_t ordinal)
{
    return rows->dead != NULL && (rows->dead[ordinal / 64] >> (ordinal % 64) & 1) != 0;
}

typedef struct kidx_hit {
    uint64_t ordinal;
    float score;
} kidx_hit;

/* Nearest first; equal scores: lower ordinal first. For qsort and for tests. */
int kidx_hit_compare(const void *a, const void *b);

/* Score = dot(query, row) / length of the row, the row read as f16 and every operation
 * in a fixed order: 16 partial sums by index mod 16, then one fixed tree. The same bits
 * from every kernel and on every path. A row of zeros, or with a number that is not
 * finite, scores 0. query: dim finite floats, unit length (the caller normalises). */
void kidx_score(kbase_isa isa, const kidx_rows *rows, const float *query,
                const uint64_t *ordinals, size_t n, float *scores);

/* Exact search: for each of n_queries queries (row-major, dim floats) the m best live
 * rows, into hits + q * m; counts[q] of them (fewer only when fewer live rows exist).
 * Uses the pool (may be NULL: the calling thread alone; no other thread may use it
 * meanwhile). Several queries share one pass over the rows, or over their codes where
 * those are good for it: what is found is the same. KITH_NOMEM. */
kith_status kidx_scan(kbase_isa isa, kbase_pool *pool, const kidx_rows *rows,
                      const float *queries, size_t n_queries, size_t m, kidx_hit *hits,
                      size_t *counts, kith_error *err);

/* A row at unit length: dim floats. False when it has none, and its score is 0 by
 * definition; x is then to be ignored. */
bool kidx_unit_row(kbase_isa isa, const kidx_rows *rows, uint64_t ordinal, float *x);

/* f32 -> f16 (round to nearest even) and back, n numbers. */
void kidx_f16_from_f32(kbase_isa isa, const float *in, size_t n, uint16_t *out);
void kidx_f32_from_f16(kbase_isa isa, const uint16_t *in, size_t n, float *out);

#endif
