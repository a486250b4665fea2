/* The inner loops of index/, written once on kv16 and compiled once for each
 * instruction set: kernels/portable.c, avx2.c and avx512.c include this file. They
 * choose by their number of registers how many queries of a group, TILE_QUERIES, are
 * multiplied with a row at a time; every sum is a chain of its own, so that does not
 * change a bit.
 *
 * Rows are taken one by one: the CPU overlaps one with the next by itself, and memory
 * is read in order. Four rows in step are faster in the cache and slower out of it by
 * half. */
#ifndef KIDX_KERNELS_SCORE_H
#define KIDX_KERNELS_SCORE_H

#include <math.h>

#include "row_kernels.h"
#include "simd/v16.h"

/* A row whose numbers are not all finite has no finite square. */
KV_INLINE float cosine(float dot, float square)
{
    return square > 0 && square < INFINITY ? dot / sqrtf(square) : 0;
}

/* n numbers of a query, zeros behind them. */
KV_INLINE kv16 load_some(const float *query, size_t n)
{
    if (n == KV_LANES) {
        return kv_load(query);
    }
    float padded[KV_LANES] = { 0 };
    memcpy(padded, query, n * sizeof(*query));
    return kv_load(padded);
}

/* Add the products of n <= KV_LANES numbers of a row and of n_queries queries. */
KV_INLINE void accumulate(kv16 *dot, kv16 *square, const uint16_t *row,
                          const float *queries, const size_t n_queries, size_t dim,
                          size_t n)
{
    kv16 x = kv_from_f16(row);
    *square = kv_fma(x, x, *square);
    for (size_t q = 0; q < n_queries; q++) {
        dot[q] = kv_fma(load_some(queries + q * dim, n), x, dot[q]);
    }
}

/* scores[q * ld] of one row; n_queries is a constant at every call. */
KV_INLINE void score_row(const uint16_t *row, const float *queries,
                         const size_t n_queries, size_t dim, float *scores, size_t ld)
{
    kv16 dot[TILE_QUERIES];
    kv16 square = kv_zero();
    for (size_t q = 0; q < n_queries; q++) {
        dot[q] = kv_zero();
    }
    size_t i = 0;
    for (; i + KV_LANES <= dim; i += KV_LANES) {
        accumulate(dot, &square, row + i, queries + i, n_queries, dim, KV_LANES);
    }
    if (i < dim) {
        accumulate(dot, &square, row + i, queries + i, n_queries, dim, dim - i);
    }
    float sum = kv_sum(square);
    for (size_t q = 0; q < n_queries; q++) {
        scores[q * ld] = cosine(kv_sum(dot[q]), sum);
    }
}

static void score(const uint16_t *const *rows, size_t n_rows, const float *queries,
                  size_t n_queries, size_t dim, float *scores, size_t ld)
{
    if (n_queries == 1) {
        for (size_t r = 0; r < n_rows; r++) {
            score_row(rows[r], queries, 1, dim, scores + r, ld);
        }
        return;
    }
    for (size_t q = 0; q < n_queries; q += TILE_QUERIES) {
        for (size_t r = 0; r < n_rows; r++) {
            score_row(rows[r], queries + q * dim, TILE_QUERIES, dim,
                      scores + q * ld + r, ld);
        }
    }
}

static void f16_from_f32(const float *in, size_t n, uint16_t *out)
{
    size_t i = 0;
    for (; i + KV_LANES <= n; i += KV_LANES) {
        kv_to_f16(out + i, kv_load(in + i));
    }
    if (i < n) {
        float padded[KV_LANES] = { 0 };
        uint16_t halves[KV_LANES];
        memcpy(padded, in + i, (n - i) * sizeof(*in));
        kv_to_f16(halves, kv_load(padded));
        memcpy(out + i, halves, (n - i) * sizeof(*out));
    }
}

static void f32_from_f16(const uint16_t *in, size_t n, float *out)
{
    size_t i = 0;
    for (; i + KV_LANES <= n; i += KV_LANES) {
        kv_store(out + i, kv_from_f16(in + i));
    }
    if (i < n) {
        uint16_t padded[KV_LANES] = { 0 };
        float floats[KV_LANES];
        memcpy(padded, in + i, (n - i) * sizeof(*in));
        kv_store(floats, kv_from_f16(padded));
        memcpy(out + i, floats, (n - i) * sizeof(*out));
    }
}

#define KERNELS { score, f16_from_f32, f32_from_f16, quantize, code_tile, code_line }

#endif
