/* The inner loops of index/, one table of functions an instruction set: the same bits
 * from every table. */
#ifndef KIDX_ROW_KERNELS_H
#define KIDX_ROW_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "cpu.h"

/* Queries that share one pass over the rows. */
#define KIDX_QUERY_GROUP 8

/* Rows of a panel of codes, and panels that are taken at a time. */
#define KIDX_PANEL 16
#define KIDX_TILE_PANELS 3

/* Of k codes a row: [k / 4][16 rows][4 codes], then for each row 4 bytes each: -128 times
 * the sum of its codes, its scale, its error. */
static inline size_t kidx_panel_bytes(size_t k)
{
    return KIDX_PANEL * (k + 3 * 4);
}

/* What rounding in floats, in the kernels and in kidx_score(), may add to a bound. */
static inline float kidx_rounding(size_t dim)
{
    return (float)(dim / KIDX_PANEL + 16) * 0x1p-22f;
}

/* Queries in 8 bits against panels of codes (codes.h). The estimate of a score is
 * query_scale * row_scale * (product of the codes); `upper` is that and what it may be
 * short of the score: slope * row_error + offset. */
typedef struct kidx_code_tile {
    const unsigned char *panels;
    size_t n_panels; /* at most KIDX_TILE_PANELS */
    size_t k;        /* bytes of a query, and codes of a row: a multiple of 64 */
    const uint8_t *queries; /* [KIDX_QUERY_GROUP, k] */
    const float *scale;     /* these: [KIDX_QUERY_GROUP] */
    const float *slope;
    const float *offset;
    const float *threshold;
    float *upper; /* [KIDX_QUERY_GROUP, KIDX_TILE_PANELS * KIDX_PANEL] */
} kidx_code_tile;

typedef struct kidx_kernels {
    /* scores[q * ld + r] = score of row r for query q, as kidx_score() says. n_queries
     * is 1 or KIDX_QUERY_GROUP; queries [n_queries, dim]; rows as in kidx_rows. */
    void (*score)(const uint16_t *const *rows, size_t n_rows, const float *queries,
                  size_t n_queries, size_t dim, float *scores, size_t ld);

    void (*f16_from_f32)(const float *in, size_t n, uint16_t *out);
    void (*f32_from_f16)(const uint16_t *in, size_t n, float *out);

    /* A panel of the codes of these rows, which have zeros from dim on up to a multiple of
     * 16. A lane whose bit of `live` is not set (its row may be any) has codes of zero and
     * an error of -infinity. */
    void (*quantize)(const uint16_t *const rows[KIDX_PANEL], uint32_t live, size_t dim,
                     size_t k, unsigned char *panel);

    /* Fill tile->upper. Bit q * KIDX_TILE_PANELS + p of the result is set where a row of
     * panel p may reach the threshold of query q. */
    uint32_t (*code_tile)(const kidx_code_tile *tile);

    /* The same for one query in 15 bits: queries [2, k], its high bytes (128 each) and
     * its low ones. */
    uint32_t (*code_line)(const kidx_code_tile *tile);
} kidx_kernels;

extern const kidx_kernels kidx_kernels_portable;
#if defined(__x86_64__)
extern const kidx_kernels kidx_kernels_avx2;
extern const kidx_kernels kidx_kernels_avxvnni;
extern const kidx_kernels kidx_kernels_avx512;
extern const kidx_kernels kidx_kernels_avx512vnni;
#endif

/* The table for an instruction set that this CPU offers. */
const kidx_kernels *kidx_kernels_for(kbase_isa isa);

#endif
