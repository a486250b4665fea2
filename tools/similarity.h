/* How near two vectors are: higher is nearer, whatever the metric. */
#ifndef KITH_TOOLS_SIMILARITY_H
#define KITH_TOOLS_SIMILARITY_H

#include <stddef.h>

typedef enum metric {
    METRIC_COSINE,
    METRIC_DOT,
    METRIC_EUCLIDEAN, /* the negative distance */
    METRIC_MANHATTAN  /* the negative sum of differences */
} metric;

/* In the order of metric. */
#define METRICS "cosine|dot|euclidean|manhattan"

const char *metric_name(metric m);

/* The score of two vectors. The cosine of two that are the same is 1 exactly; with one
 * that is zero, which has no direction, it is 0. */
double similarity(metric m, const float *a, const float *b, size_t dim);

#endif
