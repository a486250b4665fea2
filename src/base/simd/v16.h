/* A vector of 16 floats, for code that is compiled once for each instruction set.
 *
 * A file of kernels includes this header and is compiled with the flags of its set; the
 * same source then becomes AVX-512, AVX2 or (with KBASE_V16_PORTABLE) GCC vector code.
 * Every operation is one IEEE operation a lane, rounded once, so the bits do not depend
 * on the set. There are no approximations (no rcp, rsqrt) and no reordering: where lanes
 * are combined, the tree is fixed.
 *
 * The prefix kv_ stands for kbase's vectors; all are static inline. */
#ifndef KBASE_V16_H
#define KBASE_V16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(KBASE_V16_PORTABLE)
#define KBASE_V16_GENERIC 1
#elif defined(__AVX512F__)
#define KBASE_V16_AVX512 1
#include <immintrin.h>
#elif defined(__AVX2__)
#define KBASE_V16_AVX2 1
#include <immintrin.h>
#else
#define KBASE_V16_GENERIC 1
#endif

#define KV_LANES 16
#define KV_INLINE static inline __attribute__((always_inline))

/* ------------------------------------------------------------------ AVX-512 */
#if defined(KBASE_V16_AVX512)

typedef __m512 kv16;
typedef __m512i kv16i;

KV_INLINE kv16 kv_load(const float *p) { return _mm512_loadu_ps(p); }
KV_INLINE void kv_store(float *p, kv16 a) { _mm512_storeu_ps(p, a); }
KV_INLINE kv16 kv_set1(float x) { return _mm512_set1_ps(x); }
KV_INLINE kv16 kv_add(kv16 a, kv16 b) { return _mm512_add_ps(a, b); }
KV_INLINE kv16 kv_sub(kv16 a, kv16 b) { return _mm512_sub_ps(a, b); }
KV_INLINE kv16 kv_mul(kv16 a, kv16 b) { return _mm512_mul_ps(a, b); }
KV_INLINE kv16 kv_div(kv16 a, kv16 b) { return _mm512_div_ps(a, b); }
KV_INLINE kv16 kv_min(kv16 a, kv16 b) { return _mm512_min_ps(a, b); }
KV_INLINE kv16 kv_max(kv16 a, kv16 b) { return _mm512_max_ps(a, b); }
KV_INLINE bool kv_any_reaches(kv16 a, kv16 least)
{
    return _mm512_cmp_ps_mask(a, least, _CMP_GE_OQ) != 0;
}
KV_INLINE kv16 kv_fma(kv16 a, kv16 b, kv16 c) { return _mm512_fmadd_ps(a, b, c); }
KV_INLINE kv16i kv_round(kv16 a) { return _mm512_cvtps_epi32(a); }
KV_INLINE kv16 kv_from_int(kv16i a) { return _mm512_cvtepi32_ps(a); }
KV_INLINE kv16i kvi_bits(kv16 a) { return _mm512_castps_si512(a); }
KV_INLINE kv16 kv_of_bits(kv16i a) { return _mm512_castsi512_ps(a); }
KV_INLINE kv16i kvi_load(const int32_t *p) { return _mm512_loadu_si512(p); }
KV_INLINE void kvi_store(int32_t *p, kv16i a) { _mm512_storeu_si512(p, a); }
KV_INLINE kv16i kvi_set1(int32_t x) { return _mm512_set1_epi32(x); }
KV_INLINE kv16i kvi_add(kv16i a, kv16i b) { return _mm512_add_epi32(a, b); }
KV_INLINE kv16i kvi_sub(kv16i a, kv16i b) { return _mm512_sub_epi32(a, b); }
KV_INLINE kv16i kvi_min(kv16i a, kv16i b) { return _mm512_min_epi32(a, b); }
KV_INLINE kv16i kvi_max(kv16i a, kv16i b) { return _mm512_max_epi32(a, b); }
KV_INLINE kv16i kvi_and(kv16i a, kv16i b) { return _mm512_and_si512(a, b); }
KV_INLINE kv16i kvi_or(kv16i a, kv16i b) { return _mm512_or_si512(a, b); }
#define kvi_shl(a, n) _mm512_slli_epi32(a, n)
#define kvi_shr(a, n) _mm512_srai_epi32(a, n)
KV_INLINE __m128i kvi_bytes(kv16i a) { return _mm512_cvtepi32_epi8(a); }
KV_INLINE kv16 kv_from_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
KV_INLINE void kv_to_f16(uint16_t *p, kv16 a)
{
    _mm256_storeu_si256((__m256i *)(void *)p,
                        _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
/* Lanes 0-7 of a plus lanes 8-15, and so on down to one number. */
KV_INLINE float kv_sum(kv16 a)
{
    __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    __m128 d = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}
/* The largest lane. Its value does not depend on the order, but for the sign of 0. */
KV_INLINE float kv_largest(kv16 a)
{
    __m256 b = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    __m128 d = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
}
KV_INLINE int32_t kvi_sum(kv16i a) { return _mm512_reduce_add_epi32(a); }
KV_INLINE int32_t kvi_largest(kv16i a) { return _mm512_reduce_max_epi32(a); }

/* ------------------------------------------------------------------ AVX2 */
#elif defined(KBASE_V16_AVX2)

typedef struct kv16 {
    __m256 lo, hi;
} kv16;
typedef struct kv16i {
    __m256i lo, hi;
} kv16i;

#define KV_EACH(op) ((kv16){ op(a.lo, b.lo), op(a.hi, b.hi) })

KV_INLINE kv16 kv_load(const float *p)
{
    return (kv16){ _mm256_loadu_ps(p), _mm256_loadu_ps(p + 8) };
}
KV_INLINE void kv_store(float *p, kv16 a)
{
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}
KV_INLINE kv16 kv_set1(float x)
{
    return (kv16){ _mm256_set1_ps(x), _mm256_set1_ps(x) };
}
KV_INLINE kv16 kv_add(kv16 a, kv16 b) { return KV_EACH(_mm256_add_ps); }
KV_INLINE kv16 kv_sub(kv16 a, kv16 b) { return KV_EACH(_mm256_sub_ps); }
KV_INLINE kv16 kv_mul(kv16 a, kv16 b) { return KV_EACH(_mm256_mul_ps); }
KV_INLINE kv16 kv_div(kv16 a, kv16 b) { return KV_EACH(_mm256_div_ps); }
KV_INLINE kv16 kv_min(kv16 a, kv16 b) { return KV_EACH(_mm256_min_ps); }
KV_INLINE kv16 kv_max(kv16 a, kv16 b) { return KV_EACH(_mm256_max_ps); }
KV_INLINE bool kv_any_reaches(kv16 a, kv16 least)
{
    return _mm256_movemask_ps(_mm256_or_ps(_mm256_cmp_ps(a.lo, least.lo, _CMP_GE_OQ),
                                           _mm256_cmp_ps(a.hi, least.hi, _CMP_GE_OQ))) != 0;
}
KV_INLINE kv16 kv_fma(kv16 a, kv16 b, kv16 c)
{
    return (kv16){ _mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi) };
}
KV_INLINE kv16i kv_round(kv16 a)
{
    return (kv16i){ _mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi) };
}
KV_INLINE kv16 kv_from_int(kv16i a)
{
    return (kv16){ _mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi) };
}
KV_INLINE kv16i kvi_bits(kv16 a)
{
    return (kv16i){ _mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi) };
}
KV_INLINE kv16 kv_of_bits(kv16i a)
{
    return (kv16){ _mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi) };
}
#define KV_EACH_INT(op) ((kv16i){ op(a.lo, b.lo), op(a.hi, b.hi) })
KV_INLINE kv16i kvi_load(const int32_t *p)
{
    return (kv16i){ _mm256_loadu_si256((const __m256i *)(const void *)p),
                    _mm256_loadu_si256((const __m256i *)(const void *)(p + 8)) };
}
KV_INLINE void kvi_store(int32_t *p, kv16i a)
{
    _mm256_storeu_si256((__m256i *)(void *)p, a.lo);
    _mm256_storeu_si256((__m256i *)(void *)(p + 8), a.hi);
}
KV_INLINE kv16i kvi_set1(int32_t x)
{
    return (kv16i){ _mm256_set1_epi32(x), _mm256_set1_epi32(x) };
}
KV_INLINE kv16i kvi_add(kv16i a, kv16i b) { return KV_EACH_INT(_mm256_add_epi32); }
KV_INLINE kv16i kvi_sub(kv16i a, kv16i b) { return KV_EACH_INT(_mm256_sub_epi32); }
KV_INLINE kv16i kvi_min(kv16i a, kv16i b) { return KV_EACH_INT(_mm256_min_epi32); }
KV_INLINE kv16i kvi_max(kv16i a, kv16i b) { return KV_EACH_INT(_mm256_max_epi32); }
KV_INLINE kv16i kvi_and(kv16i a, kv16i b) { return KV_EACH_INT(_mm256_and_si256); }
KV_INLINE kv16i kvi_or(kv16i a, kv16i b) { return KV_EACH_INT(_mm256_or_si256); }
#define kvi_shl(a, n) \
    ((kv16i){ _mm256_slli_epi32((a).lo, n), _mm256_slli_epi32((a).hi, n) })
#define kvi_shr(a, n) \
    ((kv16i){ _mm256_srai_epi32((a).lo, n), _mm256_srai_epi32((a).hi, n) })
KV_INLINE __m128i kvi_bytes(kv16i a)
{
    const __m256i low = _mm256_set1_epi32(255);
    __m256i words = _mm256_packus_epi32(_mm256_and_si256(a.lo, low),
                                        _mm256_and_si256(a.hi, low));
    __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
    return _mm_packus_epi16(_mm256_castsi256_si128(ordered),
                            _mm256_extracti128_si256(ordered, 1));
}
KV_INLINE kv16 kv_from_f16(const uint16_t *p)
{
    return (kv16){
        _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p)),
        _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p + 8))),
    };
}
KV_INLINE void kv_to_f16(uint16_t *p, kv16 a)
{
    _mm_storeu_si128((__m128i *)(void *)p,
                     _mm256_cvtps_ph(a.lo, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(void *)(p + 8),
                     _mm256_cvtps_ph(a.hi, _MM_FROUND_TO_NEAREST_INT));
}
KV_INLINE float kv_sum(kv16 a)
{
    __m256 b = _mm256_add_ps(a.lo, a.hi);
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    __m128 d = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}

/* The largest lane. Its value does not depend on the order, but for the sign of 0. */
KV_INLINE float kv_largest(kv16 a)
{
    __m256 b = _mm256_max_ps(a.lo, a.hi);
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    __m128 d = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
}
KV_INLINE int32_t kvi_sum(kv16i a)
{
    __m256i b = _mm256_add_epi32(a.lo, a.hi);
    __m128i c = _mm_add_epi32(_mm256_castsi256_si128(b), _mm256_extracti128_si256(b, 1));
    c = _mm_add_epi32(c, _mm_shuffle_epi32(c, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(c, _mm_shuffle_epi32(c, 0xb1)));
}
KV_INLINE int32_t kvi_largest(kv16i a)
{
    __m256i b = _mm256_max_epi32(a.lo, a.hi);
    __m128i c = _mm_max_epi32(_mm256_castsi256_si128(b), _mm256_extracti128_si256(b, 1));
    c = _mm_max_epi32(c, _mm_shuffle_epi32(c, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(c, _mm_shuffle_epi32(c, 0xb1)));
}

#undef KV_EACH
#undef KV_EACH_INT

/* ------------------------------------------------------------------ GCC vectors */
#else

typedef float kv16 __attribute__((vector_size(64), aligned(64)));
typedef int32_t kv16i __attribute__((vector_size(64), aligned(64)));

KV_INLINE kv16 kv_load(const float *p)
{
    kv16 a;
    memcpy(&a, p, sizeof(a));
    return a;
}
KV_INLINE void kv_store(float *p, kv16 a) { memcpy(p, &a, sizeof(a)); }
KV_INLINE kv16 kv_set1(float x)
{
    return (kv16){ x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x };
}
KV_INLINE kv16 kv_add(kv16 a, kv16 b) { return a + b; }
KV_INLINE kv16 kv_sub(kv16 a, kv16 b) { return a - b; }
KV_INLINE kv16 kv_mul(kv16 a, kv16 b) { return a * b; }
KV_INLINE kv16 kv_div(kv16 a, kv16 b) { return a / b; }
/* As the x86 instructions: the second operand when neither is less (or either is NaN). */
KV_INLINE kv16 kv_min(kv16 a, kv16 b)
{
    kv16i less = a < b;
    return (kv16)(((kv16i)a & less) | ((kv16i)b & ~less));
}
KV_INLINE kv16 kv_max(kv16 a, kv16 b)
{
    kv16i more = a > b;
    return (kv16)(((kv16i)a & more) | ((kv16i)b & ~more));
}
KV_INLINE bool kv_any_reaches(kv16 a, kv16 least)
{
    kv16i reaches = a >= least;
    bool any = false;
    for (int i = 0; i < KV_LANES; i++) {
        any = any || reaches[i] != 0;
    }
    return any;
}
/* Through arrays: so the compilers see a loop that they can vectorize. */
KV_INLINE kv16 kv_fma(kv16 a, kv16 b, kv16 c)
{
    float x[KV_LANES], y[KV_LANES], z[KV_LANES];
    memcpy(x, &a, sizeof(a));
    memcpy(y, &b, sizeof(b));
    memcpy(z, &c, sizeof(c));
    for (int i = 0; i < KV_LANES; i++) {
        z[i] = __builtin_fmaf(x[i], y[i], z[i]);
    }
    return kv_load(z);
}
KV_INLINE kv16i kv_round(kv16 a)
{
    kv16i r;
    for (int i = 0; i < KV_LANES; i++) {
        r[i] = (int32_t)__builtin_rintf(a[i]);
    }
    return r;
}
KV_INLINE kv16 kv_from_int(kv16i a) { return __builtin_convertvector(a, kv16); }
KV_INLINE kv16i kvi_bits(kv16 a) { return (kv16i)a; }
KV_INLINE kv16 kv_of_bits(kv16i a) { return (kv16)a; }
KV_INLINE kv16i kvi_load(const int32_t *p)
{
    kv16i a;
    memcpy(&a, p, sizeof(a));
    return a;
}
KV_INLINE void kvi_store(int32_t *p, kv16i a) { memcpy(p, &a, sizeof(a)); }
KV_INLINE kv16i kvi_set1(int32_t x)
{
    return (kv16i){ x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x };
}
KV_INLINE kv16i kvi_add(kv16i a, kv16i b) { return a + b; }
KV_INLINE kv16i kvi_sub(kv16i a, kv16i b) { return a - b; }
KV_INLINE kv16i kvi_min(kv16i a, kv16i b)
{
    kv16i less = a < b;
    return (a & less) | (b & ~less);
}
KV_INLINE kv16i kvi_max(kv16i a, kv16i b)
{
    kv16i more = a > b;
    return (a & more) | (b & ~more);
}
KV_INLINE kv16i kvi_and(kv16i a, kv16i b) { return a & b; }
KV_INLINE kv16i kvi_or(kv16i a, kv16i b) { return a | b; }
#define kvi_shl(a, n) ((a) << (n))
#define kvi_shr(a, n) ((a) >> (n))
KV_INLINE void kvi_store_bytes(uint8_t *p, kv16i a)
{
    for (int i = 0; i < KV_LANES; i++) {
        p[i] = (uint8_t)a[i];
    }
}

/* IEEE binary16, by the book: exact one way, round half to even the other. */
KV_INLINE float kv_f32_of_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t exponent = (h >> 10) & 31;
    uint32_t fraction = h & 1023;
    uint32_t bits;
    if (exponent == 31) {
        bits = 0x7f800000 | fraction << 13 | (fraction != 0 ? 0x400000 : 0);
    } else if (exponent != 0) {
        bits = (exponent + 112) << 23 | fraction << 13;
    } else {
        float f = (float)fraction * 0x1p-24f;
        memcpy(&bits, &f, sizeof(bits));
    }
    bits |= sign;
    float out;
    memcpy(&out, &bits, sizeof(out));
    return out;
}
KV_INLINE uint16_t kv_f16_of_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    uint32_t sign = (bits >> 16) & 0x8000;
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) {
        return (uint16_t)(sign | 0x7e00 | ((magnitude >> 13) & 0x3ff));
    }
    if (magnitude >= 0x477ff000) { /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7c00);
    }
    if (magnitude < 0x38800000) { /* subnormal: let the addition round */
        float f;
        memcpy(&f, &magnitude, sizeof(f));
        f += 0.5f;
        memcpy(&magnitude, &f, sizeof(magnitude));
        return (uint16_t)(sign | (magnitude - 0x3f000000));
    }
    uint32_t odd = (magnitude >> 13) & 1;
    return (uint16_t)(sign | ((magnitude - 0x38000000 + 0xfff + odd) >> 13));
}
KV_INLINE kv16 kv_from_f16(const uint16_t *p)
{
    kv16 r;
    for (int i = 0; i < KV_LANES; i++) {
        r[i] = kv_f32_of_f16(p[i]);
    }
    return r;
}
KV_INLINE void kv_to_f16(uint16_t *p, kv16 a)
{
    for (int i = 0; i < KV_LANES; i++) {
        p[i] = kv_f16_of_f32(a[i]);
    }
}
KV_INLINE float kv_sum(kv16 a)
{
    float b[8];
    for (int i = 0; i < 8; i++) {
        b[i] = a[i] + a[i + 8];
    }
    float c[4];
    for (int i = 0; i < 4; i++) {
        c[i] = b[i] + b[i + 4];
    }
    return (c[0] + c[2]) + (c[1] + c[3]);
}
KV_INLINE float kv_largest(kv16 a)
{
    float largest = a[0];
    for (int i = 1; i < KV_LANES; i++) {
        largest = a[i] > largest ? a[i] : largest;
    }
    return largest;
}
KV_INLINE int32_t kvi_sum(kv16i a)
{
    int32_t sum = 0;
    for (int i = 0; i < KV_LANES; i++) {
        sum += a[i];
    }
    return sum;
}
KV_INLINE int32_t kvi_largest(kv16i a)
{
    int32_t largest = a[0];
    for (int i = 1; i < KV_LANES; i++) {
        largest = a[i] > largest ? a[i] : largest;
    }
    return largest;
}

#endif

KV_INLINE kv16 kv_zero(void) { return kv_set1(0.0f); }

/* ------------------------------------------------------------------ bytes of lanes */

#if !defined(KBASE_V16_GENERIC)

/* The low byte of each lane. */
KV_INLINE void kvi_store_bytes(uint8_t *p, kv16i a)
{
    _mm_storeu_si128((__m128i *)(void *)p, kvi_bytes(a));
}

/* Of four vectors, lanes 4 i to 4 i + 3 of each, one vector after the other, go to
 * p + i * stride. */
KV_INLINE void kvi_store_transposed(uint8_t *p, size_t stride, kv16i a, kv16i b, kv16i c,
                                    kv16i d)
{
    __m128i low[2] = { _mm_unpacklo_epi32(kvi_bytes(a), kvi_bytes(b)),
                       _mm_unpacklo_epi32(kvi_bytes(c), kvi_bytes(d)) };
    __m128i high[2] = { _mm_unpackhi_epi32(kvi_bytes(a), kvi_bytes(b)),
                        _mm_unpackhi_epi32(kvi_bytes(c), kvi_bytes(d)) };
    _mm_storeu_si128((__m128i *)(void *)p, _mm_unpacklo_epi64(low[0], low[1]));
    _mm_storeu_si128((__m128i *)(void *)(p + stride), _mm_unpackhi_epi64(low[0], low[1]));
    _mm_storeu_si128((__m128i *)(void *)(p + 2 * stride),
                     _mm_unpacklo_epi64(high[0], high[1]));
    _mm_storeu_si128((__m128i *)(void *)(p + 3 * stride),
                     _mm_unpackhi_epi64(high[0], high[1]));
}

#else

KV_INLINE void kvi_store_transposed(uint8_t *p, size_t stride, kv16i a, kv16i b, kv16i c,
                                    kv16i d)
{
    for (size_t i = 0; i < KV_LANES; i++) {
        uint8_t *to = p + i / 4 * stride + i % 4;
        to[0] = (uint8_t)a[i];
        to[4] = (uint8_t)b[i];
        to[8] = (uint8_t)c[i];
        to[12] = (uint8_t)d[i];
    }
}

#endif

/* The low bytes of four vectors: lane 0 of each, then lane 1 of each, and so on. */
KV_INLINE void kvi_store_interleaved(uint8_t *p, kv16i a, kv16i b, kv16i c, kv16i d)
{
    const kv16i low = kvi_set1(255);
    kv16i first = kvi_or(kvi_and(a, low), kvi_shl(kvi_and(b, low), 8));
    kv16i second = kvi_or(kvi_shl(kvi_and(c, low), 16), kvi_shl(d, 24));
    kv16i all = kvi_or(first, second);
    memcpy(p, &all, sizeof(all));
}

#endif
