/* The product of two rows, in 16 partial sums by index mod 16 that are added in a fixed
 * order: the same bits whatever the compiler makes of it. */
#ifndef KITH_EVAL_LANES_H
#define KITH_EVAL_LANES_H

#include <stddef.h>

static inline float keval_dot(const float *a, const float *b, size_t dim)
{
    float sums[16] = { 0 };
    size_t i = 0;
    for (; i + 16 <= dim; i += 16) {
        for (size_t lane = 0; lane < 16; lane++) {
            sums[lane] += a[i + lane] * b[i + lane];
        }
    }
    for (; i < dim; i++) {
        sums[i % 16] += a[i] * b[i];
    }
    for (size_t half = 8; half > 0; half /= 2) {
        for (size_t lane = 0; lane < half; lane++) {
            sums[lane] += sums[lane + half];
        }
    }
    return sums[0];
}

#endif
