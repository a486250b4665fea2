/* Products of unsigned bytes (activations) and signed bytes (weights), summed exactly in
 * 32 bits: 16 lanes, in each the sum of four products. As v16.h, which it builds on, this
 * header is compiled once for each instruction set.
 *
 * The prefix kd_ stands for kbase's dot products. */
#ifndef KBASE_DOT8_H
#define KBASE_DOT8_H

#include "simd/v16.h"

KV_INLINE int32_t kd_four(const uint8_t *p)
{
    int32_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

/* ------------------------------------------------------------------ AVX-512 VNNI */
#if defined(KBASE_V16_AVX512) && defined(__AVX512VNNI__)

typedef __m512i kd_weights; /* 64 signed bytes: 4 of each lane */
typedef __m512i kd_bytes;   /* the same 4 unsigned bytes in each lane */

KV_INLINE kd_weights kd_load(const int8_t *p) { return _mm512_loadu_si512(p); }
KV_INLINE kd_bytes kd_broadcast(const uint8_t *p) { return _mm512_set1_epi32(kd_four(p)); }
/* In assembly because gcc 12 keeps the sums of the intrinsic on the stack. */
KV_INLINE kv16i kd_dot(kv16i sum, kd_bytes a, kd_weights w)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(w));
    return sum;
}

/* ------------------------------------------------------------------ AVX-VNNI */
#elif defined(KBASE_V16_AVX2) && defined(__AVXVNNI__)

typedef kv16i kd_weights;
typedef __m256i kd_bytes;

KV_INLINE kd_weights kd_load(const int8_t *p) { return kvi_load((const void *)p); }
KV_INLINE kd_bytes kd_broadcast(const uint8_t *p) { return _mm256_set1_epi32(kd_four(p)); }
KV_INLINE kv16i kd_dot(kv16i sum, kd_bytes a, kd_weights w)
{
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum.lo) : "x"(a), "x"(w.lo));
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum.hi) : "x"(a), "x"(w.hi));
    return sum;
}

/* ------------------------------------------------------------------ AVX-512, AVX2
 * Products of 16-bit numbers: vpmaddubsw would saturate. Byte 0 and 2 of each lane go
 * one way, 1 and 3 the other. */
#elif defined(KBASE_V16_AVX512)

typedef struct kd_weights {
    __m512i even, odd;
} kd_weights;
typedef struct kd_bytes {
    __m512i even, odd;
} kd_bytes;

KV_INLINE kd_weights kd_load(const int8_t *p)
{
    __m512i w = _mm512_loadu_si512(p);
    return (kd_weights){ _mm512_srai_epi16(_mm512_slli_epi16(w, 8), 8),
                         _mm512_srai_epi16(w, 8) };
}
KV_INLINE kd_bytes kd_broadcast(const uint8_t *p)
{
    __m512i a = _mm512_set1_epi32(kd_four(p));
    return (kd_bytes){ _mm512_and_si512(a, _mm512_set1_epi16(255)),
                       _mm512_srli_epi16(a, 8) };
}
KV_INLINE kv16i kd_dot(kv16i sum, kd_bytes a, kd_weights w)
{
    sum = _mm512_add_epi32(sum, _mm512_madd_epi16(a.even, w.even));
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a.odd, w.odd));
}

#elif defined(KBASE_V16_AVX2)

typedef struct kd_weights {
    kv16i even, odd;
} kd_weights;
typedef struct kd_bytes {
    __m256i even, odd;
} kd_bytes;

KV_INLINE kd_weights kd_load(const int8_t *p)
{
    kv16i w = kvi_load((const void *)p);
    return (kd_weights){ { _mm256_srai_epi16(_mm256_slli_epi16(w.lo, 8), 8),
                           _mm256_srai_epi16(_mm256_slli_epi16(w.hi, 8), 8) },
                         { _mm256_srai_epi16(w.lo, 8), _mm256_srai_epi16(w.hi, 8) } };
}
KV_INLINE kd_bytes kd_broadcast(const uint8_t *p)
{
    __m256i a = _mm256_set1_epi32(kd_four(p));
    return (kd_bytes){ _mm256_and_si256(a, _mm256_set1_epi16(255)),
                       _mm256_srli_epi16(a, 8) };
}
KV_INLINE kv16i kd_dot(kv16i sum, kd_bytes a, kd_weights w)
{
    sum.lo = _mm256_add_epi32(sum.lo, _mm256_madd_epi16(a.even, w.even.lo));
    sum.hi = _mm256_add_epi32(sum.hi, _mm256_madd_epi16(a.even, w.even.hi));
    sum.lo = _mm256_add_epi32(sum.lo, _mm256_madd_epi16(a.odd, w.odd.lo));
    sum.hi = _mm256_add_epi32(sum.hi, _mm256_madd_epi16(a.odd, w.odd.hi));
    return sum;
}

/* ------------------------------------------------------------------ GCC vectors */
#else

typedef struct kd_weights {
    kv16i part[4];
} kd_weights;
typedef struct kd_bytes {
    kv16i part[4];
} kd_bytes;

KV_INLINE kd_weights kd_load(const int8_t *p)
{
    kv16i w = kvi_load((const void *)p);
    return (kd_weights){ { w << 24 >> 24, w << 16 >> 24, w << 8 >> 24, w >> 24 } };
}
KV_INLINE kd_bytes kd_broadcast(const uint8_t *p)
{
    return (kd_bytes){ { kvi_set1(p[0]), kvi_set1(p[1]), kvi_set1(p[2]), kvi_set1(p[3]) } };
}
KV_INLINE kv16i kd_dot(kv16i sum, kd_bytes a, kd_weights w)
{
    for (int i = 0; i < 4; i++) {
        sum += a.part[i] * w.part[i];
    }
    return sum;
}

#endif

#endif
