#include "similarity.h"

#include <math.h>

const char *metric_name(metric m)
{
    static const char *const names[] = { "cosine", "dot", "euclidean", "manhattan" };
    return names[m];
}

static double dot(const float *a, const float *b, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static double cosine(const float *a, const float *b, size_t dim)
{
    const double squares = dot(a, a, dim) * dot(b, b, dim);
    return squares > 0 ? dot(a, b, dim) / sqrt(squares) : 0;
}

double similarity(metric m, const float *a, const float *b, size_t dim)
{
    double squares = 0;
    double differences = 0;
    if (m == METRIC_COSINE) {
        return cosine(a, b, dim);
    }
    if (m == METRIC_DOT) {
        return dot(a, b, dim);
    }
    for (size_t i = 0; i < dim; i++) {
        const double difference = (double)a[i] - (double)b[i];
        squares += difference * difference;
        differences += fabs(difference);
    }
    /* From zero: the same vectors are 0 apart, not -0. */
    return 0 - (m == METRIC_EUCLIDEAN ? sqrt(squares) : differences);
}
