/* Random numbers that are the same on every machine: SplitMix64 (Steele, Lea and Flood,
 * 2014). */
#ifndef KITH_EVAL_GENERATOR_H
#define KITH_EVAL_GENERATOR_H

#include <stdint.h>

typedef struct keval_generator {
    uint64_t state; /* begin with any seed */
} keval_generator;

static inline uint64_t keval_random(keval_generator *generator)
{
    uint64_t z = generator->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Below n > 0, each number equally likely. */
static inline uint64_t keval_random_below(keval_generator *generator, uint64_t n)
{
    uint64_t unfair = -n % n; /* 2^64 mod n */
    uint64_t drawn;
    do {
        drawn = keval_random(generator);
    } while (drawn < unfair);
    return drawn % n;
}

/* In [0, 1). */
static inline double keval_random_unit(keval_generator *generator)
{
    return (double)(keval_random(generator) >> 11) * 0x1p-53;
}

#endif
