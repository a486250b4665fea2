/* Clusters against the classes that are true. */
#ifndef KITH_EVAL_V_MEASURE_H
#define KITH_EVAL_V_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct keval_v_measure {
    double homogeneity;  /* a cluster holds one class */
    double completeness; /* a class lies in one cluster */
    double v;            /* their harmonic mean */
} keval_v_measure;

/* The entropy-based measure of Rosenberg and Hirschberg (2007), with scikit-learn's
 * conventions: homogeneity is 1 with one class, completeness with one cluster, all of
 * it with n = 0. False: out of memory. */
bool keval_v_measure_of(const uint32_t *classes, const uint32_t *clusters, size_t n,
                        keval_v_measure *measure);

#endif
