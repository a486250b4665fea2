/* exp2, erf and tanh, 16 lanes at a time. Own polynomials, fitted for this file by
 * reweighted least squares on Chebyshev points, the two coarse ones (for the int8 pass,
 * whose rounding is coarser still) by linear programming; errors are those of the float
 * code. */
#ifndef KENC_KERNELS_FUNCTIONS_H
#define KENC_KERNELS_FUNCTIONS_H

#include "v16.h"

/* What 2^x is made of: x rounded, in the low bits of `rounded`, and the rest. Adding
 * 1.5 * 2^23 rounds to an integer, half to even. */
typedef struct exp2_parts {
    kv16 rounded;
    kv16 rest; /* in [-0.5, 0.5] */
} exp2_parts;

KV_INLINE exp2_parts exp2_split(kv16 x)
{
    const kv16 magic = kv_set1(0x1.8p23f);
    kv16 rounded = kv_add(x, magic);
    return (exp2_parts){ rounded, kv_sub(x, kv_sub(rounded, magic)) };
}

/* p * 2^n: n goes to the exponent's bits. */
KV_INLINE kv16 exp2_scale(kv16 p, kv16 rounded)
{
    return kv_of_bits(kvi_add(kvi_bits(p), kvi_shl(kvi_bits(rounded), 23)));
}

/* 2^x for x <= 126; below -125: 2^-125. Relative error 1e-7. */
KV_INLINE kv16 exp2_v16(kv16 x)
{
    exp2_parts parts = exp2_split(kv_max(x, kv_set1(-125.0f)));
    kv16 f = parts.rest;
    kv16 p = kv_set1(0x1.41fbbap-13f);
    p = kv_fma(p, f, kv_set1(0x1.5f3e54p-10f));
    p = kv_fma(p, f, kv_set1(0x1.3b2d4cp-7f));
    p = kv_fma(p, f, kv_set1(0x1.c6aee8p-5f));
    p = kv_fma(p, f, kv_set1(0x1.ebfbdcp-3f));
    p = kv_fma(p, f, kv_set1(0x1.62e430p-1f));
    p = kv_fma(p, f, kv_set1(1.0f));
    return exp2_scale(p, parts.rounded);
}

/* erf(x) = x P(x^2) / Q(x^2), clamped at 4 where erf rounds to 1. Error 2.8e-7. */
KV_INLINE kv16 erf_v16(kv16 x)
{
    x = kv_min(kv_max(x, kv_set1(-4.0f)), kv_set1(4.0f));
    kv16 t = kv_mul(x, x);
    kv16 p = kv_set1(0x1.090e40p-19f);
    p = kv_fma(p, t, kv_set1(0x1.2e0776p-12f));
    p = kv_fma(p, t, kv_set1(0x1.066090p-8f));
    p = kv_fma(p, t, kv_set1(0x1.b600dcp-5f));
    p = kv_fma(p, t, kv_set1(0x1.91ea10p-3f));
    p = kv_fma(p, t, kv_set1(0x1.20dd72p+0f));
    kv16 q = kv_set1(0x1.3a68d4p-15f);
    q = kv_fma(q, t, kv_set1(0x1.3edad8p-10f));
    q = kv_fma(q, t, kv_set1(0x1.fa13c2p-7f));
    q = kv_fma(q, t, kv_set1(0x1.dd1596p-4f));
    q = kv_fma(q, t, kv_set1(0x1.03b65ep-1f));
    q = kv_fma(q, t, kv_set1(1.0f));
    return kv_div(kv_mul(x, p), q);
}

/* x * Phi(x) = x / 2 * (1 + erf(x / sqrt 2)). */
KV_INLINE kv16 gelu_v16(kv16 x)
{
    kv16 half = kv_mul(x, kv_set1(0.5f));
    return kv_fma(half, erf_v16(kv_mul(x, kv_set1(0x1.6a09e6p-1f))), half);
}

/* 2^15 * 2^x for x <= 0, less one part in 2^15: what the integer softmax takes. Relative
 * error 8e-5. */
KV_INLINE kv16 exp2_fixed_v16(kv16 x)
{
    exp2_parts parts = exp2_split(kv_max(x, kv_set1(-100.0f)));
    kv16 f = parts.rest;
    kv16 p = kv_set1(32767.0f * 0x1.c3f798p-5f);
    p = kv_fma(p, f, kv_set1(32767.0f * 0x1.f0de3cp-3f));
    p = kv_fma(p, f, kv_set1(32767.0f * 0x1.62f31ap-1f));
    p = kv_fma(p, f, kv_set1(32767.0f * 0x1.fff690p-1f));
    return exp2_scale(p, parts.rounded);
}

/* x * Phi(x) with an odd polynomial for erf, clamped at 3.9. Error 1.5e-4 up to 12. */
KV_INLINE kv16 gelu_coarse_v16(kv16 x)
{
    kv16 u = kv_min(kv_max(x, kv_set1(-3.9f)), kv_set1(3.9f));
    kv16 t = kv_mul(u, u);
    kv16 p = kv_set1(0x1.c356eap-26f);
    p = kv_fma(p, t, kv_set1(-0x1.db433ap-20f));
    p = kv_fma(p, t, kv_set1(0x1.adcf02p-15f));
    p = kv_fma(p, t, kv_set1(-0x1.bac458p-11f));
    p = kv_fma(p, t, kv_set1(0x1.24163cp-7f));
    p = kv_fma(p, t, kv_set1(-0x1.09b496p-4f));
    p = kv_fma(p, t, kv_set1(0x1.97a3c4p-2f));
    return kv_mul(x, kv_fma(u, p, kv_set1(0.5f)));
}

/* tanh(x) = 1 - 2 / (1 + e^2x). Absolute error 2e-7. */
KV_INLINE kv16 tanh_v16(kv16 x)
{
    x = kv_min(kv_max(x, kv_set1(-15.0f)), kv_set1(15.0f));
    kv16 e = exp2_v16(kv_mul(x, kv_set1(0x1.715476p+1f))); /* 2 log2(e) */
    return kv_sub(kv_set1(1.0f), kv_div(kv_set1(2.0f), kv_add(e, kv_set1(1.0f))));
}

/* 1 / (1 + e^-x), at least 2^-126. Relative error 2e-7; below 0 the rounding of
 * x * log2(e) adds 1.2e-7 |x|. */
KV_INLINE kv16 sigmoid_v16(kv16 x)
{
    kv16 y = kv_min(kv_mul(x, kv_set1(-0x1.715476p+0f)), kv_set1(126.0f)); /* log2(e) */
    return kv_div(kv_set1(1.0f), kv_add(exp2_v16(y), kv_set1(1.0f)));
}

#endif
