#include "similarity.h"

#include <math.h>

const char *keval_similarity_name(keval_similarity_kind kind)
{
    static const char *const names[] = { "cosine", "dot", "euclidean", "manhattan" };
    return names[kind];
}

static double dot(const float *a, const float *b, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++) {
        sum += (double)a[i] * b[i];
    }
    return sum;
}

static double cosine(const float *a, const float *b, size_t dim)
{
    double a_length = sqrt(dot(a, a, dim));
    double b_length = sqrt(dot(b, b, dim));
    double square = 0;
    if (!(a_length > 0) || !(b_length > 0)) {
        return 0;
    }
    for (size_t i = 0; i < dim; i++) {
        double difference = a[i] / a_length - b[i] / b_length;
        square += difference * difference;
    }
    return 1 - square / 2;
}

static double euclidean_distance(const float *a, const float *b, size_t dim)
{
    double square = 0;
    for (size_t i = 0; i < dim; i++) {
        double difference = (double)a[i] - b[i];
        square += difference * difference;
    }
    return sqrt(square);
}

static double manhattan_distance(const float *a, const float *b, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++) {
        sum += fabs((double)a[i] - b[i]);
    }
    return sum;
}

double keval_similarity(keval_similarity_kind kind, const float *a, const float *b,
                        size_t dim)
{
    switch (kind) {
    case KEVAL_DOT:
        return dot(a, b, dim);
    case KEVAL_EUCLIDEAN:
        return 0 - euclidean_distance(a, b, dim); /* the same vectors: 0, not -0 */
    case KEVAL_MANHATTAN:
        return 0 - manhattan_distance(a, b, dim);
    case KEVAL_COSINE:
    case N_KEVAL_SIMILARITIES:
        break;
    }
    return cosine(a, b, dim);
}
