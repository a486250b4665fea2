/* The steps of the int8 forward pass, written once on kv16 and kd_dot and compiled once
 * for each instruction set, as forward_steps.h. */
#ifndef KENC_KERNELS_INT8_STEPS_H
#define KENC_KERNELS_INT8_STEPS_H

#include "functions.h"
#include "forward_kernels.h"
#include "kernels/linear8_steps.h"

/* ------------------------------------------------------------------ quantization */

KV_INLINE float smallest(kv16 a)
{
    return 0.0f - kv_largest(kv_sub(kv_zero(), a)); /* never -0 */
}

/* One group of a row: the largest and the least value become 255 and 0. */
KV_INLINE void quantize_group(const float *x, size_t n, kenc_activation activation,
                              const float *smooth, uint8_t *bytes, kenc_range *range)
{
    float values[KENC_MAX_GROUP] __attribute__((aligned(64)));
    kv16 low = kv_set1(0x1p100f);
    kv16 high = kv_set1(-0x1p100f);
    for (size_t c = 0; c < n; c += KV_LANES) {
        kv16 v = kv_load(x + c);
        if (activation == KENC_ACTIVATION_GELU) {
            v = gelu_coarse_v16(v);
        } else if (activation == KENC_ACTIVATION_RELU) {
            v = kv_max(v, kv_zero());
        }
        if (smooth != NULL) {
            v = kv_mul(v, kv_load(smooth + c));
        }
        kv_store(values + c, v);
        low = kv_min(low, v);
        high = kv_max(high, v);
    }
    float least = smallest(low);
    float width = kv_largest(high) - least;
    float inverse = width > 0x1p-100f ? 255.0f / width : 0.0f;
    *range = (kenc_range){ width / 255.0f, least };
    kv16 base = kv_set1(least);
    kv16 factor = kv_set1(inverse);
    for (size_t c = 0; c < n; c += KV_LANES) {
        kv16 v = kv_mul(kv_sub(kv_load(values + c), base), factor);
        kvi_store_bytes(bytes + c, kv_round(v));
    }
}

static void quantize(const float *x, size_t ldx, size_t m, kenc_activation activation,
                     const float *smooth, const kenc_bytes *out, size_t first_group,
                     size_t n_groups)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t g = 0; g < n_groups; g++) {
            const float *from = x + i * ldx + g * out->group;
            const float *factors = smooth == NULL ? NULL : smooth + g * out->group;
            uint8_t *bytes = out->bytes + i * out->ld + (first_group + g) * out->group;
            kenc_range *range = out->ranges + i * out->n_groups + first_group + g;
            if (activation == KENC_ACTIVATION_GELU) {
                quantize_group(from, out->group, KENC_ACTIVATION_GELU, factors, bytes,
                               range);
            } else if (activation == KENC_ACTIVATION_RELU) {
                quantize_group(from, out->group, KENC_ACTIVATION_RELU, factors, bytes,
                               range);
            } else {
                quantize_group(from, out->group, KENC_ACTIVATION_NONE, factors, bytes,
                               range);
            }
        }
    }
}

/* ------------------------------------------------------------------ attention */

/* One head of one text. Keys are scaled column by column, their scales go to the queries;
 * queries row by row; values column by column. Probabilities have 15 bits, in two bytes:
 * the largest of a row is 32767, and a row is divided by the sum of its integers. */
typedef struct head8 {
    size_t m;
    size_t width;  /* of a head */
    size_t n_keys; /* m, rounded up to whole panels */
    int8_t *keys;  /* packed [width, n_keys] */
    int32_t *bias; /* [n_keys]: -128 times the sum of a key's bytes */
    int8_t *values; /* packed [n_keys, width] */
    float *key_scale; /* [width] */
    float *value_scale; /* [width] */
    uint8_t *queries; /* [TILE8_ROWS, width] */
    uint8_t *high; /* [TILE8_ROWS, n_keys] upper bytes of the probabilities */
    uint8_t *low;  /* and lower ones */
    int32_t *scores; /* [TILE8_ROWS, n_keys] */
} head8;

/* Hands out the scratch of one head; returns its size in bytes. */
static void lay_out(head8 *h, size_t m, size_t width, unsigned char *scratch)
{
    h->m = m;
    h->width = width;
    h->n_keys = (m + KENC_PANEL - 1) / KENC_PANEL * KENC_PANEL;
    h->bias = (void *)scratch;
    h->scores = h->bias + h->n_keys;
    h->key_scale = (void *)(h->scores + TILE8_ROWS * h->n_keys);
    h->value_scale = h->key_scale + width;
    h->keys = (void *)(h->value_scale + width);
    h->values = h->keys + h->n_keys * width;
    h->queries = (void *)(h->values + h->n_keys * width);
    h->high = h->queries + TILE8_ROWS * width;
    h->low = h->high + TILE8_ROWS * h->n_keys;
}

KV_INLINE kv16 magnitude(kv16 x)
{
    return kv_of_bits(kvi_and(kvi_bits(x), kvi_set1(0x7fffffff)));
}

/* The largest magnitude of 16 columns of m rows. */
KV_INLINE kv16 column_largest(const float *x, size_t ld, size_t m)
{
    kv16 largest = kv_zero();
    for (size_t i = 0; i < m; i++) {
        largest = kv_max(largest, magnitude(kv_load(x + i * ld)));
    }
    return largest;
}

/* Factors to bytes for columns of these largest magnitudes; a column of zeros stays. */
KV_INLINE kv16 byte_factor(kv16 largest)
{
    return kv_div(kv_set1(127.0f), kv_max(largest, kv_set1(0x1p-100f)));
}

/* 16 values of row i in -127 .. 127; 0 behind the last row. */
KV_INLINE kv16i byte_row(const head8 *h, const float *values, size_t ld, size_t i,
                         kv16 factor)
{
    return i < h->m ? kv_round(kv_mul(kv_load(values + i * ld), factor)) : kvi_set1(0);
}

static void pack_keys8(const head8 *h, const float *keys, size_t ld)
{
    const kv16 step = kv_set1(1.0f / 127.0f);
    for (size_t c = 0; c < h->width; c += KV_LANES) {
        kv16 largest = column_largest(keys + c, ld, h->m);
        kv16 factor = byte_factor(largest);
        kv_store(h->key_scale + c, kv_mul(largest, step));
        for (size_t i = 0; i < h->n_keys; i += 4) {
            int8_t *to = h->keys + (i / KENC_PANEL * h->width + c) * KENC_PANEL +
                         i % KENC_PANEL * 4;
            kvi_store_transposed((uint8_t *)to, 4 * KENC_PANEL,
                                 byte_row(h, keys + c, ld, i, factor),
                                 byte_row(h, keys + c, ld, i + 1, factor),
                                 byte_row(h, keys + c, ld, i + 2, factor),
                                 byte_row(h, keys + c, ld, i + 3, factor));
        }
    }
    static const uint8_t all128[4] = { 128, 128, 128, 128 };
    for (size_t i = 0; i < h->n_keys; i += KENC_PANEL) {
        kv16i sum = kvi_set1(0);
        for (size_t c = 0; c < h->width; c += 4) {
            sum = kd_dot(sum, kd_broadcast(all128),
                         kd_load(h->keys + i * h->width + c * KENC_PANEL));
        }
        kvi_store(h->bias + i, kvi_sub(kvi_set1(0), sum));
    }
}

static void pack_values8(const head8 *h, const float *values, size_t ld)
{
    const kv16 step = kv_set1(1.0f / 127.0f);
    for (size_t c = 0; c < h->width; c += KV_LANES) {
        kv16 largest = column_largest(values + c, ld, h->m);
        kv16 factor = byte_factor(largest);
        kv_store(h->value_scale + c, kv_mul(largest, step));
        for (size_t i = 0; i < h->n_keys; i += 4) {
            kv16i first = byte_row(h, values + c, ld, i, factor);
            kv16i second = byte_row(h, values + c, ld, i + 1, factor);
            kv16i third = byte_row(h, values + c, ld, i + 2, factor);
            kv16i fourth = byte_row(h, values + c, ld, i + 3, factor);
            kvi_store_interleaved((uint8_t *)h->values + c * h->n_keys + i * KENC_PANEL,
                                  first, second, third, fourth);
        }
    }
}

/* Bytes of a query row, 128 standing for 0; returns what one step of a score means. */
KV_INLINE float quantize_query(const head8 *h, const float *query, uint8_t *bytes)
{
    float values[KENC_MAX_HEAD] __attribute__((aligned(64)));
    kv16 largest = kv_zero();
    for (size_t c = 0; c < h->width; c += KV_LANES) {
        kv16 v = kv_mul(kv_load(query + c), kv_load(h->key_scale + c));
        kv_store(values + c, v);
        largest = kv_max(largest, magnitude(v));
    }
    float top = kv_largest(largest);
    kv16 factor = kv_set1(127.0f / (top > 0x1p-100f ? top : 0x1p-100f));
    for (size_t c = 0; c < h->width; c += KV_LANES) {
        kv16i q = kv_round(kv_mul(kv_load(values + c), factor));
        kvi_store_bytes(bytes + c, kvi_add(q, kvi_set1(128)));
    }
    return top * (1.0f / 127.0f);
}

/* Scores of row i -> 2^(scale * (score - largest)) in 15 bits; returns their sum. */
KV_INLINE int32_t softmax8(const head8 *h, size_t i, float scale)
{
    int32_t *scores = h->scores + i * h->n_keys;
    kv16i largest = kvi_load(scores);
    for (size_t c = KV_LANES; c < h->n_keys; c += KV_LANES) {
        largest = kvi_max(largest, kvi_load(scores + c));
    }
    kv16i top = kvi_set1(kvi_largest(largest));
    kv16 factor = kv_set1(scale);
    kv16i sum = kvi_set1(0);
    for (size_t c = 0; c < h->n_keys; c += KV_LANES) {
        kv16 below = kv_from_int(kvi_sub(kvi_load(scores + c), top));
        kv16i p = kv_round(exp2_fixed_v16(kv_mul(below, factor)));
        kvi_store_bytes(h->high + i * h->n_keys + c, kvi_shr(p, 8));
        kvi_store_bytes(h->low + i * h->n_keys + c, p);
        sum = kvi_add(sum, p);
    }
    return kvi_sum(sum);
}

#define ANY INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX
#define NONE -(1 << 30), -(1 << 30), -(1 << 30), -(1 << 30)

/* The highest scores of a panel of which n_keys keys are there: those behind weigh 0. (A
 * scalar store before the vector is loaded would stall it.) */
KV_INLINE kv16i ceiling8_of(size_t n_keys)
{
    static const int32_t ceilings[2 * KV_LANES] = { ANY, ANY, ANY, ANY,
                                                    NONE, NONE, NONE, NONE };
    return kvi_load(ceilings + KV_LANES - (n_keys < KV_LANES ? n_keys : KV_LANES));
}

#undef ANY
#undef NONE

/* `rows` query rows, a constant at every call. */
KV_INLINE void attend(const head8 *h, const float *queries, size_t ldq, float *out,
                      size_t ldo, const size_t rows)
{
    kv16i sum[TILE8_ROWS][TILE8_PANELS];
    float scale[TILE8_ROWS];
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        scale[i] = quantize_query(h, queries + i * ldq, h->queries + i * h->width);
    }
    for (size_t key = 0; key < h->n_keys; key += KENC_PANEL) {
        sum_products(h->queries, h->width, h->keys + key * h->width, 0, h->width, sum, rows,
                     1);
        kv16i bias = kvi_load(h->bias + key);
        kv16i ceiling = ceiling8_of(h->m - key);
        UNROLL
        for (size_t i = 0; i < rows; i++) {
            kvi_store(h->scores + i * h->n_keys + key,
                      kvi_min(kvi_add(sum[i][0], bias), ceiling));
        }
    }
    float inverse[TILE8_ROWS];
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        inverse[i] = 1.0f / (float)softmax8(h, i, scale[i]);
    }
    for (size_t c = 0; c < h->width; c += KENC_PANEL) {
        const int8_t *values = h->values + c * h->n_keys;
        kv16i low[TILE8_ROWS][TILE8_PANELS];
        sum_products(h->high, h->n_keys, values, 0, h->n_keys, sum, rows, 1);
        sum_products(h->low, h->n_keys, values, 0, h->n_keys, low, rows, 1);
        kv16 step = kv_load(h->value_scale + c);
        UNROLL
        for (size_t i = 0; i < rows; i++) {
            kv16 total = kv_fma(kv_from_int(sum[i][0]), kv_set1(256.0f),
                                kv_from_int(low[i][0]));
            kv_store(out + i * ldo + c,
                     kv_mul(total, kv_mul(step, kv_set1(inverse[i]))));
        }
    }
}

static void attention8(const float *qkv, size_t ldq, size_t part, size_t m, size_t n_heads,
                       size_t width, void *scratch, float *out, size_t ldo)
{
    head8 h;
    lay_out(&h, m, width, scratch);
    for (size_t i = 0; i < n_heads; i++) {
        const float *queries = qkv + i * width;
        pack_keys8(&h, queries + part, ldq);
        pack_values8(&h, queries + 2 * part, ldq);
        size_t row = 0;
        for (; row + TILE8_ROWS <= m; row += TILE8_ROWS) {
            attend(&h, queries + row * ldq, ldq, out + row * ldo + i * width, ldo,
                   TILE8_ROWS);
        }
#if TILE8_ROWS > 4
        for (; row + 4 <= m; row += 4) {
            attend(&h, queries + row * ldq, ldq, out + row * ldo + i * width, ldo, 4);
        }
#endif
        for (; row + 2 <= m; row += 2) {
            attend(&h, queries + row * ldq, ldq, out + row * ldo + i * width, ldo, 2);
        }
        for (; row < m; row++) {
            attend(&h, queries + row * ldq, ldq, out + row * ldo + i * width, ldo, 1);
        }
    }
}

#define INT8_STEPS linear8, quantize, attention8

#endif
