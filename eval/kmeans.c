#include "kmeans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "generator.h"
#include "lanes.h"

#define N_STARTS 3
#define MAX_ROUNDS 300

typedef struct kmeans {
    const float *vectors; /* n x dim */
    size_t n;
    size_t dim;
    uint32_t k;
    keval_generator generator;
    float *centres;     /* k x dim */
    float *squares;     /* n: squared lengths of the vectors */
    float *distances;   /* n: squared, to the nearest centre */
    float *candidate;   /* n: the same with a candidate for the next centre */
    float *best;        /* n: of the best candidate so far */
    double *sums;       /* k x dim */
    size_t *counts;     /* k */
    uint32_t *clusters; /* n */
    uint32_t *nearest;  /* n: the clusters of the next round */
} kmeans;

static const float *vector_at(const kmeans *m, size_t i)
{
    return m->vectors + i * m->dim;
}

static float *centre_at(const kmeans *m, uint32_t cluster)
{
    return m->centres + cluster * m->dim;
}

/* ------------------------------------------------------------------ k-means++ */

/* What the distances become when vector i is a centre too; gives their sum. */
static double try_centre(const kmeans *m, size_t i, bool is_first)
{
    double sum = 0;
    for (size_t j = 0; j < m->n; j++) {
        float dot = keval_dot(vector_at(m, i), vector_at(m, j), m->dim);
        float distance = m->squares[i] + m->squares[j] - 2 * dot;
        distance = i == j || distance < 0 ? 0 : distance;
        m->candidate[j] =
            is_first || distance < m->distances[j] ? distance : m->distances[j];
        sum += m->candidate[j];
    }
    return sum;
}

/* A vector, drawn by its share of the distances. */
static size_t draw(kmeans *m, double sum)
{
    double left = keval_random_unit(&m->generator) * sum;
    size_t last = keval_random_below(&m->generator, m->n);
    for (size_t i = 0; i < m->n; i++) {
        if (m->distances[i] > 0) {
            last = i;
            left -= m->distances[i];
            if (left < 0) {
                break;
            }
        }
    }
    return last;
}

static void swap(float **a, float **b)
{
    float *kept = *a;
    *a = *b;
    *b = kept;
}

static void choose_centres(kmeans *m)
{
    size_t n_trials = 2 + (size_t)log((double)m->k);
    size_t chosen = keval_random_below(&m->generator, m->n);
    double sum = try_centre(m, chosen, true);
    swap(&m->distances, &m->candidate);
    memcpy(centre_at(m, 0), vector_at(m, chosen), m->dim * sizeof(float));
    for (uint32_t cluster = 1; cluster < m->k; cluster++) {
        double best_sum = INFINITY;
        for (size_t trial = 0; trial < n_trials; trial++) {
            size_t drawn = draw(m, sum);
            double trial_sum = try_centre(m, drawn, false);
            if (trial_sum < best_sum) {
                best_sum = trial_sum;
                chosen = drawn;
                swap(&m->best, &m->candidate);
            }
        }
        sum = best_sum;
        swap(&m->distances, &m->best);
        memcpy(centre_at(m, cluster), vector_at(m, chosen), m->dim * sizeof(float));
    }
}

/* ------------------------------------------------------------------ Lloyd's rounds */

/* Put every vector into the cluster of its nearest centre; of equally near ones the
 * first. False: none moved. */
static bool assign(kmeans *m)
{
    bool has_moved = false;
    for (uint32_t cluster = 0; cluster < m->k; cluster++) {
        const float *centre = centre_at(m, cluster);
        float square = keval_dot(centre, centre, m->dim);
        /* less the vector's square, which is the same for all centres */
        for (size_t i = 0; i < m->n; i++) {
            float distance = square - 2 * keval_dot(vector_at(m, i), centre, m->dim);
            if (cluster == 0 || distance < m->distances[i]) {
                m->distances[i] = distance;
                m->nearest[i] = cluster;
            }
        }
    }
    for (size_t i = 0; i < m->n; i++) {
        has_moved |= m->clusters[i] != m->nearest[i];
        m->clusters[i] = m->nearest[i];
    }
    return has_moved;
}

/* A centre that has lost all its vectors stays where it is. */
static void move_centres(kmeans *m)
{
    memset(m->sums, 0, m->k * m->dim * sizeof(m->sums[0]));
    memset(m->counts, 0, m->k * sizeof(m->counts[0]));
    for (size_t i = 0; i < m->n; i++) {
        double *sum = m->sums + m->clusters[i] * m->dim;
        m->counts[m->clusters[i]]++;
        for (size_t j = 0; j < m->dim; j++) {
            sum[j] += vector_at(m, i)[j];
        }
    }
    for (uint32_t cluster = 0; cluster < m->k; cluster++) {
        for (size_t j = 0; j < m->dim && m->counts[cluster] > 0; j++) {
            centre_at(m, cluster)[j] =
                (float)(m->sums[cluster * m->dim + j] / (double)m->counts[cluster]);
        }
    }
}

/* Gives the sum of squared distances. */
static double run(kmeans *m)
{
    double sum = 0;
    choose_centres(m);
    memset(m->clusters, 0xff, m->n * sizeof(m->clusters[0]));
    for (size_t round = 0; round < MAX_ROUNDS && assign(m); round++) {
        move_centres(m);
    }
    for (size_t i = 0; i < m->n; i++) {
        const float *centre = centre_at(m, m->clusters[i]);
        for (size_t j = 0; j < m->dim; j++) {
            double difference = (double)vector_at(m, i)[j] - centre[j];
            sum += difference * difference;
        }
    }
    return sum;
}

static void run_all(kmeans *m, uint32_t *clusters)
{
    double best = INFINITY;
    for (size_t i = 0; i < m->n; i++) {
        m->squares[i] = keval_dot(vector_at(m, i), vector_at(m, i), m->dim);
    }
    for (size_t start = 0; start < N_STARTS; start++) {
        double sum = run(m);
        if (sum < best) {
            best = sum;
            memcpy(clusters, m->clusters, m->n * sizeof(clusters[0]));
        }
    }
}

bool keval_kmeans(const float *vectors, size_t n, size_t dim, uint32_t k, uint64_t seed,
                  uint32_t *clusters)
{
    kmeans m = { .vectors = vectors, .n = n, .dim = dim, .k = k };
    m.generator = (keval_generator){ seed };
    float *numbers = calloc(4 * n, sizeof(numbers[0]));
    m.centres = calloc(k, dim * sizeof(m.centres[0]));
    m.sums = calloc(k, dim * sizeof(m.sums[0]));
    m.counts = calloc(k, sizeof(m.counts[0]));
    m.clusters = calloc(n, sizeof(m.clusters[0]));
    m.nearest = calloc(n, sizeof(m.nearest[0]));
    bool done = numbers != NULL && m.centres != NULL && m.sums != NULL &&
                m.counts != NULL && m.clusters != NULL && m.nearest != NULL;
    if (done) {
        m.squares = numbers;
        m.distances = numbers + n;
        m.candidate = numbers + 2 * n;
        m.best = numbers + 3 * n;
        run_all(&m, clusters);
    }
    free(m.nearest);
    free(m.clusters);
    free(m.counts);
    free(m.sums);
    free(m.centres);
    free(numbers);
    return done;
}
