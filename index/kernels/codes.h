/* Products of queries and rows in 8 bits, on kd_dot. As score.h compiled once for each
 * instruction set, which chooses by its number of registers how many sums of a tile,
 * CODE_QUERIES times CODE_PANELS, are held at a time. */
#ifndef KIDX_KERNELS_CODES_H
#define KIDX_KERNELS_CODES_H

#include <math.h>

#include "row_kernels.h"
#include "simd/dot8.h"

/* ------------------------------------------------------------------ making codes */

#define ROWS_IN_STEP 4

/* One of the rows that are quantized in step. */
typedef struct row_steps {
    kv16i keep; /* no bits: all numbers count as 0 */
    float length;
    float scale; /* of the row as it is, not at unit length */
    kv16 inverse;
    kv16 rest;
    kv16i sum;
} row_steps;

KV_INLINE kv16 kept(const row_steps *r, const uint16_t *row)
{
    return kv_of_bits(kvi_and(kvi_bits(kv_from_f16(row)), r->keep));
}

/* The length is to the bit the one that score_row() divides by. */
KV_INLINE row_steps begin_row(const uint16_t *row, bool is_live, size_t dim)
{
    kv16 square = kv_zero();
    kv16 largest = kv_zero();
    for (size_t i = 0; i < dim; i += KV_LANES) {
        kv16 x = kv_from_f16(row + i);
        square = kv_fma(x, x, square);
        largest = kv_max(kv_max(x, kv_sub(kv_zero(), x)), largest);
    }
    const float sum = kv_sum(square);
    const bool has_direction = is_live && sum > 0 && sum < INFINITY;
    row_steps r = { .keep = kvi_set1(has_direction ? -1 : 0), .length = 1 };
    r.inverse = kv_zero();
    r.rest = kv_zero();
    r.sum = kvi_set1(0);
    if (has_direction) {
        r.length = sqrtf(sum);
        r.scale = kv_largest(largest) / 127;
        r.inverse = kv_set1(1 / r.scale);
    }
    return r;
}

KV_INLINE kv16i next_codes(row_steps *r, const uint16_t *row)
{
    kv16 x = kept(r, row);
    kv16i codes = kv_round(kv_mul(x, r->inverse));
    kv16 left = kv_fma(kv_from_int(codes), kv_set1(-r->scale), x);
    r->rest = kv_fma(left, left, r->rest);
    r->sum = kvi_add(r->sum, codes);
    return codes;
}

KV_INLINE void end_row(const row_steps *r, bool is_live, size_t dim, unsigned char *facts)
{
    const int32_t bias = -128 * kvi_sum(r->sum);
    const float scale = r->scale / r->length;
    const float rest = sqrtf(kv_sum(r->rest)) / r->length;
    const float error = is_live ? rest * (1 + kidx_rounding(dim)) : -INFINITY;
    memcpy(facts, &bias, sizeof(bias));
    memcpy(facts + 4 * KIDX_PANEL, &scale, sizeof(scale));
    memcpy(facts + 8 * KIDX_PANEL, &error, sizeof(error));
}

static void quantize(const uint16_t *const rows[KIDX_PANEL], uint32_t live, size_t dim,
                     size_t k, unsigned char *panel)
{
    const size_t n = (dim + KV_LANES - 1) / KV_LANES * KV_LANES;
    memset(panel + KIDX_PANEL * n, 0, KIDX_PANEL * (k - n));
    for (size_t lane = 0; lane < KIDX_PANEL; lane += ROWS_IN_STEP) {
        const uint16_t *const *row = rows + lane;
        row_steps r[ROWS_IN_STEP];
        bool is_live[ROWS_IN_STEP];
        for (size_t j = 0; j < ROWS_IN_STEP; j++) {
            is_live[j] = (live >> (lane + j) & 1) != 0;
            r[j] = begin_row(row[j], is_live[j], n);
        }
        for (size_t i = 0; i < n; i += KV_LANES) {
            kv16i a = next_codes(&r[0], row[0] + i);
            kv16i b = next_codes(&r[1], row[1] + i);
            kv16i c = next_codes(&r[2], row[2] + i);
            kv16i d = next_codes(&r[3], row[3] + i);
            kvi_store_transposed(panel + KIDX_PANEL * i + 4 * lane, 4 * KIDX_PANEL, a, b, c,
                                 d);
        }
        for (size_t j = 0; j < ROWS_IN_STEP; j++) {
            end_row(&r[j], is_live[j], dim, panel + KIDX_PANEL * k + 4 * (lane + j));
        }
    }
}

/* ------------------------------------------------------------------ products */

typedef struct code_rows {
    const int8_t *codes;
    const int32_t *bias;
    const float *scale;
    const float *error;
} code_rows;

KV_INLINE code_rows panel_at(const kidx_code_tile *t, size_t panel)
{
    const unsigned char *p = t->panels + panel * kidx_panel_bytes(t->k);
    const unsigned char *facts = p + KIDX_PANEL * t->k;
    return (code_rows){ (const int8_t *)p, (const int32_t *)(const void *)facts,
                        (const float *)(const void *)(facts + 64),
                        (const float *)(const void *)(facts + 128) };
}

/* Write `upper` of query q and panel p, and tell whether a row reaches the threshold. */
KV_INLINE uint32_t finish(const kidx_code_tile *t, kv16 sum, code_rows rows, size_t q,
                          size_t p)
{
    kv16 slack = kv_fma(kv_load(rows.error), kv_set1(t->slope[q]), kv_set1(t->offset[q]));
    kv16 upper = kv_fma(kv_mul(sum, kv_load(rows.scale)), kv_set1(t->scale[q]), slack);
    kv_store(t->upper + q * KIDX_TILE_PANELS * KIDX_PANEL + p * KIDX_PANEL, upper);
    return (uint32_t)kv_any_reaches(upper, kv_set1(t->threshold[q]))
           << (q * KIDX_TILE_PANELS + p);
}

/* n_queries and n_panels are constants at every call. */
KV_INLINE uint32_t multiply(const kidx_code_tile *t, size_t first_query, size_t first_panel,
                            const size_t n_queries, const size_t n_panels)
{
    kv16i sums[CODE_QUERIES][CODE_PANELS];
    code_rows rows[CODE_PANELS];
    for (size_t p = 0; p < n_panels; p++) {
        rows[p] = panel_at(t, first_panel + p);
        for (size_t q = 0; q < n_queries; q++) {
            sums[q][p] = kvi_load(rows[p].bias);
        }
    }
    const uint8_t *queries = t->queries + first_query * t->k;
    for (size_t i = 0; i < t->k; i += 4) {
        kd_weights w[CODE_PANELS];
        for (size_t p = 0; p < n_panels; p++) {
            w[p] = kd_load(rows[p].codes + i * KIDX_PANEL);
        }
        for (size_t q = 0; q < n_queries; q++) {
            kd_bytes a = kd_broadcast(queries + q * t->k + i);
            for (size_t p = 0; p < n_panels; p++) {
                sums[q][p] = kd_dot(sums[q][p], a, w[p]);
            }
        }
    }
    uint32_t reaches = 0;
    for (size_t q = 0; q < n_queries; q++) {
        for (size_t p = 0; p < n_panels; p++) {
            reaches |= finish(t, kv_from_int(sums[q][p]), rows[p], first_query + q,
                              first_panel + p);
        }
    }
    return reaches;
}

static uint32_t code_tile(const kidx_code_tile *t)
{
    uint32_t reaches = 0;
    size_t panel = 0;
    for (; panel + CODE_PANELS <= t->n_panels; panel += CODE_PANELS) {
        for (size_t q = 0; q < KIDX_QUERY_GROUP; q += CODE_QUERIES) {
            reaches |= multiply(t, q, panel, CODE_QUERIES, CODE_PANELS);
        }
    }
    for (; panel < t->n_panels; panel++) {
        for (size_t q = 0; q < KIDX_QUERY_GROUP; q += CODE_QUERIES) {
            reaches |= multiply(t, q, panel, CODE_QUERIES, 1);
        }
    }
    return reaches;
}

/* The products of both bytes with a row are below 2^31 each, but not 128 times one. */
KV_INLINE uint32_t multiply_line(const kidx_code_tile *t, size_t first, const size_t n)
{
    kv16i high[KIDX_TILE_PANELS];
    kv16i low[KIDX_TILE_PANELS];
    code_rows rows[KIDX_TILE_PANELS];
    for (size_t p = 0; p < n; p++) {
        rows[p] = panel_at(t, first + p);
        high[p] = kvi_load(rows[p].bias);
        low[p] = high[p];
    }
    for (size_t i = 0; i < t->k; i += 4) {
        kd_bytes a = kd_broadcast(t->queries + i);
        kd_bytes b = kd_broadcast(t->queries + t->k + i);
        for (size_t p = 0; p < n; p++) {
            kd_weights w = kd_load(rows[p].codes + i * KIDX_PANEL);
            high[p] = kd_dot(high[p], a, w);
            low[p] = kd_dot(low[p], b, w);
        }
    }
    uint32_t reaches = 0;
    for (size_t p = 0; p < n; p++) {
        kv16 sum = kv_fma(kv_from_int(high[p]), kv_set1(128), kv_from_int(low[p]));
        reaches |= finish(t, sum, rows[p], 0, first + p);
    }
    return reaches;
}

static uint32_t code_line(const kidx_code_tile *t)
{
    if (t->n_panels == KIDX_TILE_PANELS) {
        return multiply_line(t, 0, KIDX_TILE_PANELS);
    }
    uint32_t reaches = 0;
    for (size_t p = 0; p < t->n_panels; p++) {
        reaches |= multiply_line(t, p, 1);
    }
    return reaches;
}

#endif
