/* The steps of the forward pass, one table of functions an instruction set.
 *
 * All matrices are row-major floats; widths are padded to a multiple of 64 with zeros, so
 * that no step has a tail. Every output is one sum over k in ascending order that starts
 * at the bias; sums over a row use 16 partial sums by index mod 16 and a fixed tree. So
 * the bits are the same from every table, and a row's result depends on that row alone
 * (in attention: on the rows of its text alone). */
#ifndef KENC_FORWARD_KERNELS_H
#define KENC_FORWARD_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "cpu.h"

/* Columns of one packed panel of weights: element (k, n) of a [K, N] matrix lies at
 * [n / KENC_PANEL][k][n % KENC_PANEL]. */
#define KENC_PANEL 16
#define KENC_PAD 64

typedef enum kenc_activation {
    KENC_ACTIVATION_NONE = 0,
    KENC_ACTIVATION_GELU = 1, /* x * Phi(x), with erf */
    KENC_ACTIVATION_RELU = 2
} kenc_activation;

typedef struct kenc_kernels {
    /* out[m, n] = activation(bias[n] + a[m, k] . w[k, n]); w packed, n a multiple of
     * KENC_PANEL. lda, ldo: floats from row to row. */
    void (*linear)(const float *a, size_t lda, size_t m, size_t k, size_t n,
                   const float *w, const float *bias, kenc_activation activation,
                   float *out, size_t ldo);

    /* x[m, width] = layer norm(x + y) * gamma + beta, y may be NULL; columns from width to
     * the padded width become 0. */
    void (*add_norm)(float *x, const float *y, size_t m, size_t width, size_t padded,
                     const float *gamma, const float *beta, float epsilon);

    /* out[i] = words[ids[i]] + positions[i], rows of `padded` floats. */
    void (*embed)(const uint32_t *ids, size_t m, size_t padded, const float *words,
                  const float *positions, float *out);

    /* Self attention of one text of m tokens. qkv[m, 3 * n_heads * head] holds queries,
     * keys, values; out[m, n_heads * head] (head: padded width of a head, a multiple of
     * KENC_PANEL); scores are multiplied by `scale` before the softmax. scratch:
     * kenc_attention_scratch(m, head) floats, aligned to 64 bytes. */
    void (*attention)(const float *qkv, size_t ldq, size_t m, size_t n_heads, size_t head,
                      float scale, float *scratch, float *out, size_t ldo);

    /* out[padded] = mean, or the largest value, of each column of x[m, padded]. */
    void (*mean)(const float *x, size_t m, size_t padded, float *out);
    void (*max)(const float *x, size_t m, size_t padded, float *out);

    /* tanh of each of n values, n a multiple of 16. */
    void (*tanh)(float *x, size_t n);

    /* x = x / |x|, n a multiple of 16; a vector shorter than 1e-12 is divided by that. */
    void (*normalize)(float *x, size_t n);
} kenc_kernels;

/* Query rows that attention handles at a time. */
#define KENC_ATTENTION_ROWS 24

static inline size_t kenc_attention_scratch(size_t m, size_t head)
{
    size_t padded = (m + KENC_PANEL - 1) / KENC_PANEL * KENC_PANEL;
    return 2 * padded * head /* keys, values */
           + KENC_ATTENTION_ROWS * padded /* scores */ + head + padded /* no bias */;
}

extern const kenc_kernels kenc_kernels_portable;
#if defined(__x86_64__)
extern const kenc_kernels kenc_kernels_avx2;
extern const kenc_kernels kenc_kernels_avx512;
#endif

/* The table for an instruction set that this CPU offers. */
const kenc_kernels *kenc_kernels_for(kbase_isa isa);

#endif
