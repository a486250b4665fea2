#include "v_measure.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The entropy of the n values, in nats. Sorts them. */
static double entropy(uint64_t *values, size_t n)
{
    double sum = 0;
    qsort(values, n, sizeof(values[0]), ascending);
    for (size_t first = 0, last; first < n; first = last) {
        for (last = first; last < n && values[last] == values[first]; last++) {
        }
        double share = (double)(last - first) / (double)n;
        sum -= share * log(share);
    }
    return sum;
}

bool keval_v_measure_of(const uint32_t *classes, const uint32_t *clusters, size_t n,
                        keval_v_measure *measure)
{
    uint64_t *values = calloc(n + 1, sizeof(values[0]));
    if (values == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        values[i] = classes[i];
    }
    double of_classes = entropy(values, n);
    for (size_t i = 0; i < n; i++) {
        values[i] = clusters[i];
    }
    double of_clusters = entropy(values, n);
    for (size_t i = 0; i < n; i++) {
        values[i] = (uint64_t)classes[i] << 32 | clusters[i];
    }
    double shared = of_classes + of_clusters - entropy(values, n);
    free(values);
    shared = shared > 1e-15 ? shared : 0; /* what is left when nothing is shared */
    double h = of_classes > 0 ? shared / of_classes : 1;
    double c = of_clusters > 0 ? shared / of_clusters : 1;
    *measure = (keval_v_measure){ h, c, h + c > 0 ? 2 * h * c / (h + c) : 0 };
    return true;
}
