/* The inner loops of index/, one table of functions an instruction set: the same bits
 * from every table. */
#ifndef KIDX_ROW_KERNELS_H
#define KIDX_ROW_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "cpu.h"

/* Queries that share one pass over the rows. */
#define KIDX_QUERY_GROUP 8

typedef struct kidx_kernels {
    /* scores[q * ld + r] = score of row r for query q, as kidx_score() says. n_queries
     * is 1 or KIDX_QUERY_GROUP; queries [n_queries, dim]; rows as in kidx_rows. */
    void (*score)(const uint16_t *const *rows, size_t n_rows, const float *queries,
                  size_t n_queries, size_t dim, float *scores, size_t ld);

    void (*f16_from_f32)(const float *in, size_t n, uint16_t *out);
    void (*f32_from_f16)(const uint16_t *in, size_t n, float *out);
} kidx_kernels;

extern const kidx_kernels kidx_kernels_portable;
#if defined(__x86_64__)
extern const kidx_kernels kidx_kernels_avx2;
extern const kidx_kernels kidx_kernels_avx512;
#endif

/* The table for an instruction set that this CPU offers. */
const kidx_kernels *kidx_kernels_for(kbase_isa isa);

#endif
