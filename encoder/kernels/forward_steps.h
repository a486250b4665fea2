/* The forward pass's steps, written once on kv16 and compiled once for each instruction
 * set: kernels/portable.c, avx2.c and avx512.c include this file. They choose the tile of
 * the matrix product, TILE_ROWS x TILE_PANELS, by their number of registers; the tile
 * does not change a bit of the result. */
#ifndef KENC_KERNELS_FORWARD_STEPS_H
#define KENC_KERNELS_FORWARD_STEPS_H

#include "functions.h"
#include "forward_kernels.h"

/* Columns of `a` handled before the next ones, so that a tile's weights stay in the
 * cache; partial sums wait in `out`. */
#define K_BLOCK 384

KV_INLINE kv16 activate(kv16 x, kenc_activation activation)
{
    switch (activation) {
    case KENC_ACTIVATION_GELU:
        return gelu_v16(x);
    case KENC_ACTIVATION_RELU:
        return kv_max(x, kv_zero());
    case KENC_ACTIVATION_NONE:
        break;
    }
    return x;
}

/* What one call of `linear` works on. */
typedef struct product {
    const float *a; /* [m, k] */
    size_t lda;
    const float *w; /* packed [k, n] */
    size_t k;
    const float *bias;
    float *out; /* [m, n] */
    size_t ldo;
    kenc_activation activation;
} product;

/* out[row .. row + rows, panel .. panel + panels] for k in [k0, k1). `rows` and `panels`
 * are constants at every call. */
KV_INLINE void tile(const product *p, size_t row, size_t panel, size_t k0, size_t k1,
                    const size_t rows, const size_t panels)
{
    kv16 sum[TILE_ROWS][TILE_PANELS];
    const float *a = p->a + row * p->lda;
    const float *w = p->w + panel * p->k * KENC_PANEL;
    float *out = p->out + row * p->ldo + panel * KENC_PANEL;
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < panels; j++) {
            sum[i][j] = k0 == 0 ? kv_load(p->bias + (panel + j) * KENC_PANEL)
                                : kv_load(out + i * p->ldo + j * KENC_PANEL);
        }
    }
    for (size_t k = k0; k < k1; k++) {
        kv16 b[TILE_PANELS];
        for (size_t j = 0; j < panels; j++) {
            b[j] = kv_load(w + (j * p->k + k) * KENC_PANEL);
        }
        for (size_t i = 0; i < rows; i++) {
            kv16 x = kv_set1(a[i * p->lda + k]);
            for (size_t j = 0; j < panels; j++) {
                sum[i][j] = kv_fma(x, b[j], sum[i][j]);
            }
        }
    }
    bool last = k1 == p->k;
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < panels; j++) {
            kv_store(out + i * p->ldo + j * KENC_PANEL,
                     last ? activate(sum[i][j], p->activation) : sum[i][j]);
        }
    }
}

/* All rows of one column of tiles. */
KV_INLINE void tile_column(const product *p, size_t m, size_t panel, size_t k0, size_t k1,
                           const size_t panels)
{
    size_t row = 0;
    for (; row + TILE_ROWS <= m; row += TILE_ROWS) {
        tile(p, row, panel, k0, k1, TILE_ROWS, panels);
    }
#if TILE_ROWS > 4
    if (row + 4 <= m) {
        tile(p, row, panel, k0, k1, 4, panels);
        row += 4;
    }
#endif
    if (row + 2 <= m) {
        tile(p, row, panel, k0, k1, 2, panels);
        row += 2;
    }
    if (row < m) {
        tile(p, row, panel, k0, k1, 1, panels);
    }
}

static void linear(const float *a, size_t lda, size_t m, size_t k, size_t n,
                   const float *w, const float *bias, kenc_activation activation,
                   float *out, size_t ldo)
{
    const product p = { a, lda, w, k, bias, out, ldo, activation };
    size_t n_panels = n / KENC_PANEL;
    for (size_t k0 = 0; k0 < k; k0 += K_BLOCK) {
        size_t k1 = k0 + K_BLOCK < k ? k0 + K_BLOCK : k;
        size_t panel = 0;
        for (; panel + TILE_PANELS <= n_panels; panel += TILE_PANELS) {
            tile_column(&p, m, panel, k0, k1, TILE_PANELS);
        }
#if TILE_PANELS > 2
        for (; panel + 2 <= n_panels; panel += 2) {
            tile_column(&p, m, panel, k0, k1, 2);
        }
#endif
#if TILE_PANELS > 1
        for (; panel < n_panels; panel++) {
            tile_column(&p, m, panel, k0, k1, 1);
        }
#endif
    }
}

static void embed(const uint32_t *ids, size_t m, size_t padded, const float *words,
                  const float *positions, float *out)
{
    for (size_t i = 0; i < m; i++) {
        const float *word = words + (size_t)ids[i] * padded;
        for (size_t c = 0; c < padded; c += KV_LANES) {
            kv_store(out + i * padded + c, kv_add(kv_load(word + c),
                                                  kv_load(positions + i * padded + c)));
        }
    }
}

/* Ones in the lanes of columns below `width`, zeros behind. */
KV_INLINE kv16 lanes_below(size_t column, size_t width)
{
    float mask[KV_LANES];
    for (size_t i = 0; i < KV_LANES; i++) {
        mask[i] = column + i < width ? 1.0f : 0.0f;
    }
    return kv_load(mask);
}

/* Two passes over a row that stays in the first-level cache: mean, then variance. */
static void norm_row(float *x, size_t width, const float *gamma, const float *beta,
                     float epsilon)
{
    size_t whole = width / KV_LANES * KV_LANES;
    kv16 sum = kv_zero();
    for (size_t c = 0; c < width; c += KV_LANES) { /* padding holds zeros */
        sum = kv_add(sum, kv_load(x + c));
    }
    kv16 mean = kv_set1(kv_sum(sum) / (float)width);
    kv16 squares = kv_zero();
    for (size_t c = 0; c < whole; c += KV_LANES) {
        kv16 d = kv_sub(kv_load(x + c), mean);
        squares = kv_fma(d, d, squares);
    }
    if (whole < width) {
        kv16 d = kv_mul(kv_sub(kv_load(x + whole), mean), lanes_below(whole, width));
        squares = kv_fma(d, d, squares);
    }
    float variance = kv_sum(squares) / (float)width;
    kv16 inverse = kv_set1(1.0f / __builtin_sqrtf(variance + epsilon));
    for (size_t c = 0; c < width; c += KV_LANES) { /* gamma, beta are 0 in the padding */
        kv16 d = kv_mul(kv_sub(kv_load(x + c), mean), inverse);
        kv_store(x + c, kv_fma(d, kv_load(gamma + c), kv_load(beta + c)));
    }
}

static void add_norm(float *x, const float *y, size_t m, size_t width, size_t padded,
                     const float *gamma, const float *beta, float epsilon)
{
    for (size_t i = 0; i < m; i++) {
        float *row = x + i * padded;
        if (y != NULL) {
            for (size_t c = 0; c < padded; c += KV_LANES) {
                kv_store(row + c, kv_add(kv_load(row + c), kv_load(y + i * padded + c)));
            }
        }
        norm_row(row, width, gamma, beta, epsilon);
    }
}

/* keys[m, head] (row stride ld) -> packed [padded / 16][head][16]: the weights of the
 * product with the queries. Columns behind m are zeros. */
static void pack_keys(const float *keys, size_t ld, size_t m, size_t head, float *packed)
{
    size_t padded = (m + KENC_PANEL - 1) / KENC_PANEL * KENC_PANEL;
    for (size_t i = 0; i < padded; i++) {
        float *column = packed + i / KENC_PANEL * head * KENC_PANEL + i % KENC_PANEL;
        for (size_t d = 0; d < head; d++) {
            column[d * KENC_PANEL] = i < m ? keys[i * ld + d] : 0.0f;
        }
    }
}

/* values[m, head] -> packed [head / 16][m][16]. */
static void pack_values(const float *values, size_t ld, size_t m, size_t head,
                        float *packed)
{
    for (size_t c = 0; c < head; c += KENC_PANEL) {
        for (size_t i = 0; i < m; i++) {
            kv_store(packed + c * m + i * KENC_PANEL, kv_load(values + i * ld + c));
        }
    }
}

#define ANY 0x1p100f, 0x1p100f, 0x1p100f, 0x1p100f
#define NONE -0x1p100f, -0x1p100f, -0x1p100f, -0x1p100f

/* The highest scores of 16 keys of which the first n_keys are there: those behind weigh
 * nothing. */
KV_INLINE kv16 ceiling_of(size_t n_keys)
{
    static const float ceilings[2 * KV_LANES] = { ANY, ANY, ANY, ANY,
                                                  NONE, NONE, NONE, NONE };
    return kv_load(ceilings + KV_LANES - n_keys);
}

#undef ANY
#undef NONE

/* s[0 .. m) -> exp(scale * (s - largest)); returns the sum. The lanes behind m, up to the
 * next multiple of 16, add 2^-125 each: nothing, beside a sum of at least 1. */
KV_INLINE float softmax_row(float *s, size_t m, float scale)
{
    size_t padded = (m + KV_LANES - 1) / KV_LANES * KV_LANES;
    float *tail = s + padded - KV_LANES;
    kv_store(tail, kv_min(kv_load(tail), ceiling_of(m + KV_LANES - padded)));
    kv16 largest = kv_load(s);
    for (size_t c = KV_LANES; c < padded; c += KV_LANES) {
        largest = kv_max(largest, kv_load(s + c));
    }
    kv16 top = kv_set1(kv_largest(largest));
    kv16 factor = kv_set1(scale * 0x1.715476p+0f); /* log2(e) */
    kv16 sum = kv_zero();
    for (size_t c = 0; c < padded; c += KV_LANES) {
        kv16 e = exp2_v16(kv_mul(kv_sub(kv_load(s + c), top), factor));
        kv_store(s + c, e);
        sum = kv_add(sum, e);
    }
    return kv_sum(sum);
}

static void attention(const float *qkv, size_t ldq, size_t part, size_t m, size_t n_heads,
                      size_t head, float scale, float *scratch, float *out, size_t ldo)
{
    size_t padded = (m + KENC_PANEL - 1) / KENC_PANEL * KENC_PANEL;
    float *keys = scratch;
    float *values = keys + padded * head;
    float *scores = values + padded * head;
    float *zeros = scores + KENC_ATTENTION_ROWS * padded;
    memset(zeros, 0, (head + padded) * sizeof(*zeros));
    for (size_t h = 0; h < n_heads; h++) {
        const float *q = qkv + h * head;
        pack_keys(q + part, ldq, m, head, keys);
        pack_values(q + 2 * part, ldq, m, head, values);
        for (size_t row = 0; row < m; row += KENC_ATTENTION_ROWS) {
            size_t rows = m - row < KENC_ATTENTION_ROWS ? m - row : KENC_ATTENTION_ROWS;
            linear(q + row * ldq, ldq, rows, head, padded, keys, zeros,
                   KENC_ACTIVATION_NONE, scores, padded);
            float sums[KENC_ATTENTION_ROWS];
            for (size_t i = 0; i < rows; i++) {
                sums[i] = softmax_row(scores + i * padded, m, scale);
            }
            float *context = out + row * ldo + h * head;
            linear(scores, padded, rows, m, head, values, zeros, KENC_ACTIVATION_NONE,
                   context, ldo);
            for (size_t i = 0; i < rows; i++) {
                kv16 sum = kv_set1(sums[i]);
                for (size_t c = 0; c < head; c += KV_LANES) {
                    float *p = context + i * ldo + c;
                    kv_store(p, kv_div(kv_load(p), sum));
                }
            }
        }
    }
}

static void pool_mean(const float *x, size_t m, size_t padded, float *out)
{
    kv16 n = kv_set1((float)m);
    for (size_t c = 0; c < padded; c += KV_LANES) {
        kv16 sum = kv_zero();
        for (size_t i = 0; i < m; i++) {
            sum = kv_add(sum, kv_load(x + i * padded + c));
        }
        kv_store(out + c, kv_div(sum, n));
    }
}

static void pool_max(const float *x, size_t m, size_t padded, float *out)
{
    for (size_t c = 0; c < padded; c += KV_LANES) {
        kv16 largest = kv_load(x + c);
        for (size_t i = 1; i < m; i++) {
            largest = kv_max(largest, kv_load(x + i * padded + c));
        }
        kv_store(out + c, largest);
    }
}

static void tanh_all(float *x, size_t n)
{
    for (size_t c = 0; c < n; c += KV_LANES) {
        kv_store(x + c, tanh_v16(kv_load(x + c)));
    }
}

static void sigmoid_all(float *x, size_t n)
{
    for (size_t c = 0; c < n; c += KV_LANES) {
        kv_store(x + c, sigmoid_v16(kv_load(x + c)));
    }
}

static void normalize(float *x, size_t n)
{
    kv16 squares = kv_zero();
    for (size_t c = 0; c < n; c += KV_LANES) {
        kv16 v = kv_load(x + c);
        squares = kv_fma(v, v, squares);
    }
    float length = __builtin_sqrtf(kv_sum(squares));
    kv16 divisor = kv_set1(length > 1e-12f ? length : 1e-12f);
    for (size_t c = 0; c < n; c += KV_LANES) {
        kv_store(x + c, kv_div(kv_load(x + c), divisor));
    }
}

#define FORWARD_STEPS \
    linear, add_norm, embed, attention, pool_mean, pool_max, tanh_all, sigmoid_all, \
    normalize

#endif
