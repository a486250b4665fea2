#include "logistic.h"

#include <lbfgs.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ITERATIONS 1000

typedef struct problem {
    const float *vectors;
    const uint32_t *labels;
    size_t n;
    size_t dim;
    uint32_t n_labels;
    uint32_t n_free; /* rows of weights that are sought: of the last labels */
    double *scores;  /* n_labels */
} problem;

static double score(const double *weights, const float *vector, size_t dim)
{
    double sums[8] = { 0 };
    size_t i = 0;
    for (; i + 8 <= dim; i += 8) {
        for (size_t lane = 0; lane < 8; lane++) {
            sums[lane] += weights[i + lane] * vector[i + lane];
        }
    }
    for (; i < dim; i++) {
        sums[i % 8] += weights[i] * vector[i];
    }
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) +
           ((sums[1] + sums[5]) + (sums[3] + sums[7])) + weights[dim];
}

/* Turn scores into probabilities; gives -log of that of the label. */
static double softmax(double *scores, uint32_t n_labels, uint32_t label)
{
    double largest = scores[0];
    double sum = 0;
    for (uint32_t i = 1; i < n_labels; i++) {
        largest = scores[i] > largest ? scores[i] : largest;
    }
    double above = largest - scores[label];
    for (uint32_t i = 0; i < n_labels; i++) {
        scores[i] = exp(scores[i] - largest);
        sum += scores[i];
    }
    for (uint32_t i = 0; i < n_labels; i++) {
        scores[i] /= sum;
    }
    return above + log(sum);
}

/* Add what one vector contributes to the gradient; gives its loss. */
static double add_vector(const problem *p, const double *weights, size_t i,
                         double *gradient)
{
    const float *vector = p->vectors + i * p->dim;
    uint32_t n_fixed = p->n_labels - p->n_free;
    memset(p->scores, 0, n_fixed * sizeof(p->scores[0]));
    for (uint32_t row = 0; row < p->n_free; row++) {
        p->scores[n_fixed + row] = score(weights + row * (p->dim + 1), vector, p->dim);
    }
    double loss = softmax(p->scores, p->n_labels, p->labels[i]);
    for (uint32_t row = 0; row < p->n_free; row++) {
        double *slope = gradient + row * (p->dim + 1);
        uint32_t label = n_fixed + row;
        double pull = (p->scores[label] - (label == p->labels[i])) / (double)p->n;
        for (size_t j = 0; j < p->dim; j++) {
            slope[j] += pull * vector[j];
        }
        slope[p->dim] += pull;
    }
    return loss;
}

static double evaluate(void *instance, const double *weights, double *gradient,
                       const int n_weights, const double step)
{
    const problem *p = instance;
    double loss = 0;
    double square = 0;
    (void)step;
    memset(gradient, 0, (size_t)n_weights * sizeof(gradient[0]));
    for (size_t i = 0; i < p->n; i++) {
        loss += add_vector(p, weights, i, gradient);
    }
    for (uint32_t row = 0; row < p->n_free; row++) {
        for (size_t j = 0; j < p->dim; j++) {
            size_t at = row * (p->dim + 1) + j;
            square += weights[at] * weights[at];
            gradient[at] += weights[at] / (double)p->n;
        }
    }
    return (loss + square / 2) / (double)p->n;
}

static bool minimize(problem *p, double *weights, int n_weights)
{
    lbfgs_parameter_t parameters;
    lbfgs_parameter_init(&parameters);
    parameters.epsilon = 1e-10;
    parameters.max_iterations = MAX_ITERATIONS;
    parameters.m = 10; /* as scipy's default */
    /* A search that ends because no step helps any more has found the minimum. */
    return lbfgs(n_weights, weights, NULL, evaluate, NULL, p, &parameters) !=
           LBFGSERR_OUTOFMEMORY;
}

bool keval_logistic_fit(const float *vectors, const uint32_t *labels, size_t n,
                        size_t dim, uint32_t n_labels, keval_logistic *logistic)
{
    problem p = { vectors, labels, n, dim, n_labels, n_labels == 2 ? 1 : n_labels,
                  NULL };
    size_t n_weights = p.n_free * (dim + 1);
    *logistic = (keval_logistic){ dim, n_labels, NULL };
    double *weights = n_weights < (1u << 30) ? lbfgs_malloc((int)n_weights) : NULL;
    p.scores = calloc(n_labels, sizeof(p.scores[0]));
    logistic->weights = calloc(n_labels, (dim + 1) * sizeof(double));
    bool done = weights != NULL && p.scores != NULL && logistic->weights != NULL;
    if (done) {
        memset(weights, 0, n_weights * sizeof(weights[0]));
        done = minimize(&p, weights, (int)n_weights);
        memcpy(logistic->weights + (n_labels - p.n_free) * (dim + 1), weights,
               n_weights * sizeof(weights[0]));
    }
    free(p.scores);
    lbfgs_free(weights);
    if (!done) {
        keval_logistic_free(logistic);
    }
    return done;
}

void keval_logistic_predict(const keval_logistic *logistic, const float *vectors,
                            size_t n, uint32_t *labels)
{
    size_t dim = logistic->dim;
    for (size_t i = 0; i < n; i++) {
        double best = -INFINITY;
        labels[i] = 0;
        for (uint32_t label = 0; label < logistic->n_labels; label++) {
            double a_score = score(logistic->weights + label * (dim + 1),
                                   vectors + i * dim, dim);
            if (a_score > best) {
                best = a_score;
                labels[i] = label;
            }
        }
    }
}

void keval_logistic_free(keval_logistic *logistic)
{
    free(logistic->weights);
    logistic->weights = NULL;
}
