/* The steps of the forward pass, one table of functions an instruction set.
 *
 * All matrices are row-major floats; widths are padded to a multiple of 64 with zeros, so
 * that no step has a tail. In fp32 every output is one sum over k in ascending order that
 * starts at the bias, in int8 the sum of a group of columns is exact and the groups follow
 * each other; sums over a row use 16 partial sums by index mod 16 and a fixed tree. So
 * the bits are the same from every table, and a row's result depends on that row alone
 * (in attention: on the rows of its text alone). */
#ifndef KENC_FORWARD_KERNELS_H
#define KENC_FORWARD_KERNELS_H

#include <stdbool.h>
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

/* Columns of one row that share a range in the int8 pass, at most; a multiple of
 * KENC_PAD. */
#define KENC_MAX_GROUP 384
#define KENC_MAX_HEAD 256

/* A byte b stands for low + scale * b. */
typedef struct kenc_range {
    float scale;
    float low;
} kenc_range;

/* A quantized matrix. */
typedef struct kenc_bytes {
    uint8_t *bytes; /* [rows, n_groups * group], ld bytes from row to row */
    size_t ld;
    size_t group;
    size_t n_groups;
    kenc_range *ranges; /* [rows, n_groups] */
} kenc_bytes;

/* A linear layer of the int8 pass. Element (k, n) of the weights lies at
 * [n / KENC_PANEL][k / 4][n % KENC_PANEL][k % 4], which is the order that byte products
 * (VNNI, AMX) take. */
typedef struct kenc_linear8 {
    size_t k;
    size_t n;
    const int8_t *w;
    const float *scale;  /* [n] what a step of a weight means */
    const float *sums;   /* [n_groups, n] of the weights of a group */
    const float *bias;   /* [n] */
    const float *smooth; /* [k] the input is multiplied by it, or NULL */
} kenc_linear8;

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

    /* Self attention of one text of m tokens. A row of qkv holds queries, keys and values,
     * `part` floats apart; out[m, n_heads * head] (head: padded width of a head, a multiple
     * of KENC_PANEL); scores are multiplied by `scale` before the softmax. scratch:
     * kenc_attention_scratch(m, head) floats, aligned to 64 bytes. */
    void (*attention)(const float *qkv, size_t ldq, size_t part, size_t m, size_t n_heads,
                      size_t head, float scale, float *scratch, float *out, size_t ldo);

    /* out[padded] = mean, or the largest value, of each column of x[m, padded]. */
    void (*mean)(const float *x, size_t m, size_t padded, float *out);
    void (*max)(const float *x, size_t m, size_t padded, float *out);

    /* tanh of each of n values, n a multiple of 16. */
    void (*tanh)(float *x, size_t n);

    /* 1 / (1 + e^-x) of each of n values, n a multiple of 16. */
    void (*sigmoid)(float *x, size_t n);

    /* x = x / |x|, n a multiple of 16; a vector shorter than 1e-12 is divided by that. */
    void (*normalize)(float *x, size_t n);

    /* int8: out[m, n] = bias + a . w, columns from `column` on; w->k columns of `a`. */
    void (*linear8)(const kenc_bytes *a, size_t m, const kenc_linear8 *w, size_t column,
                    size_t n, float *out, size_t ldo);

    /* int8: activation(x) * smooth, quantized into some groups of m rows of `out`. smooth:
     * n_groups * out->group factors, or NULL. */
    void (*quantize)(const float *x, size_t ldx, size_t m, kenc_activation activation,
                     const float *smooth, const kenc_bytes *out, size_t first_group,
                     size_t n_groups);

    /* int8: as attention(), with products of bytes. A score s weighs 2^s: the factor for
     * that is in the queries. scratch: kenc_attention8_scratch(m, head) bytes, aligned to
     * 64. */
    void (*attention8)(const float *qkv, size_t ldq, size_t part, size_t m, size_t n_heads,
                       size_t head, void *scratch, float *out, size_t ldo);
} kenc_kernels;

/* Query rows that attention handles at a time. */
#define KENC_ATTENTION_ROWS 24

static inline size_t kenc_attention_scratch(size_t m, size_t head)
{
    size_t padded = (m + KENC_PANEL - 1) / KENC_PANEL * KENC_PANEL;
    return 2 * padded * head /* keys, values */
           + KENC_ATTENTION_ROWS * padded /* scores */ + head + padded /* no bias */;
}

/* Query rows that the int8 attention handles at a time, at most. */
#define KENC_ATTENTION8_ROWS 8

static inline size_t kenc_attention8_scratch(size_t m, size_t width)
{
    size_t n_keys = (m + KENC_PANEL - 1) / KENC_PANEL * KENC_PANEL;
    return n_keys * (2 * width + (KENC_ATTENTION8_ROWS + 1) * sizeof(int32_t) +
                     2 * KENC_ATTENTION8_ROWS) +
           width * (2 * sizeof(float) + KENC_ATTENTION8_ROWS);
}

extern const kenc_kernels kenc_kernels_portable;
#if defined(__x86_64__)
extern const kenc_kernels kenc_kernels_avx2;
extern const kenc_kernels kenc_kernels_avxvnni;
extern const kenc_kernels kenc_kernels_avx512;
extern const kenc_kernels kenc_kernels_avx512vnni;
extern const kenc_kernels kenc_kernels_amx;
#endif

/* The table for an instruction set that this CPU offers. */
const kenc_kernels *kenc_kernels_for(kbase_isa isa);

#endif
