/* eval/ for tests/parity/task_measures.py: a measure and its numbers on each line of
 * stdin, the results on a line of stdout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binary.h"
#include "correlation.h"
#include "kmeans.h"
#include "labels.h"
#include "logistic.h"
#include "nearest.h"
#include "similarity.h"
#include "v_measure.h"

static void need(int done)
{
    if (!done) {
        fputs("task_measures: cannot read, or out of memory\n", stderr);
        exit(1);
    }
}

static size_t read_size(void)
{
    size_t number;
    need(scanf("%zu", &number) == 1);
    return number;
}

static double *read_doubles(size_t n)
{
    double *numbers = calloc(n + 1, sizeof(numbers[0]));
    need(numbers != NULL);
    for (size_t i = 0; i < n; i++) {
        need(scanf("%lf", &numbers[i]) == 1);
    }
    return numbers;
}

static float *read_floats(size_t n)
{
    float *numbers = calloc(n + 1, sizeof(numbers[0]));
    need(numbers != NULL);
    for (size_t i = 0; i < n; i++) {
        need(scanf("%f", &numbers[i]) == 1);
    }
    return numbers;
}

static uint32_t *read_labels(size_t n)
{
    uint32_t *labels = calloc(n + 1, sizeof(labels[0]));
    need(labels != NULL);
    for (size_t i = 0; i < n; i++) {
        need(scanf("%u", &labels[i]) == 1);
    }
    return labels;
}

static void correlation(void)
{
    double rho;
    size_t n = read_size();
    double *x = read_doubles(n);
    double *y = read_doubles(n);
    need(keval_spearman(x, y, n, &rho));
    printf("%.17g %.17g\n", keval_pearson(x, y, n), rho);
    free(x);
    free(y);
}

static void binary(void)
{
    keval_binary b;
    size_t n = read_size();
    double *scores = read_doubles(n);
    uint32_t *numbers = read_labels(n);
    uint8_t *labels = calloc(n + 1, 1);
    need(labels != NULL);
    for (size_t i = 0; i < n; i++) {
        labels[i] = (uint8_t)numbers[i];
    }
    need(keval_binary_measure(scores, labels, n, &b));
    printf("%.17g %.17g %.17g %.17g %.17g %.17g %.17g\n", b.average_precision,
           b.accuracy, b.accuracy_threshold, b.f1, b.precision, b.recall,
           b.f1_threshold);
    free(labels);
    free(numbers);
    free(scores);
}

static void labels(void)
{
    keval_labels l;
    size_t n = read_size();
    uint32_t n_labels = (uint32_t)read_size();
    uint32_t *truth = read_labels(n);
    uint32_t *predicted = read_labels(n);
    need(keval_labels_measure(truth, predicted, n, n_labels, &l));
    printf("%.17g %.17g %.17g %.17g %.17g\n", l.accuracy, l.macro_f1, l.precision,
           l.recall, l.f1);
    free(truth);
    free(predicted);
}

static void v_measure(void)
{
    keval_v_measure v;
    size_t n = read_size();
    uint32_t *classes = read_labels(n);
    uint32_t *clusters = read_labels(n);
    need(keval_v_measure_of(classes, clusters, n, &v));
    printf("%.17g %.17g %.17g\n", v.homogeneity, v.completeness, v.v);
    free(classes);
    free(clusters);
}

static void print_labels(uint32_t *found, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        printf("%u ", found[i]);
    }
    free(found);
}

/* The predicted labels, then the weights. */
static void logistic(void)
{
    keval_logistic fitted;
    size_t n = read_size();
    size_t dim = read_size();
    uint32_t n_labels = (uint32_t)read_size();
    size_t n_test = read_size();
    float *vectors = read_floats(n * dim);
    uint32_t *truth = read_labels(n);
    float *test = read_floats(n_test * dim);
    uint32_t *predicted = calloc(n_test + 1, sizeof(predicted[0]));
    need(predicted != NULL &&
         keval_logistic_fit(vectors, truth, n, dim, n_labels, &fitted));
    keval_logistic_predict(&fitted, test, n_test, predicted);
    print_labels(predicted, n_test);
    for (size_t i = 0; i < n_labels * (dim + 1); i++) {
        printf("%.17g ", fitted.weights[i]);
    }
    putchar('\n');
    keval_logistic_free(&fitted);
    free(test);
    free(truth);
    free(vectors);
}

static void kmeans(void)
{
    size_t n = read_size();
    size_t dim = read_size();
    uint32_t k = (uint32_t)read_size();
    float *vectors = read_floats(n * dim);
    uint32_t *clusters = calloc(n + 1, sizeof(clusters[0]));
    need(clusters != NULL && keval_kmeans(vectors, n, dim, k, 42, clusters));
    print_labels(clusters, n);
    putchar('\n');
    free(vectors);
}

static void nearest(void)
{
    size_t n_queries = read_size();
    size_t n_rows = read_size();
    size_t dim = read_size();
    float *queries = read_floats(n_queries * dim);
    float *rows = read_floats(n_rows * dim);
    uint32_t *found = calloc(n_queries + 1, sizeof(found[0]));
    need(found != NULL && keval_nearest(queries, n_queries, rows, n_rows, dim, found));
    print_labels(found, n_queries);
    putchar('\n');
    free(rows);
    free(queries);
}

static void similarity(void)
{
    size_t dim = read_size();
    float *a = read_floats(dim);
    float *b = read_floats(dim);
    for (keval_similarity_kind kind = 0; kind < N_KEVAL_SIMILARITIES; kind++) {
        printf("%.17g ", keval_similarity(kind, a, b, dim));
    }
    putchar('\n');
    free(b);
    free(a);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } measures[] = {
        { "correlation", correlation }, { "binary", binary },
        { "labels", labels },           { "v_measure", v_measure },
        { "logistic", logistic },       { "kmeans", kmeans },
        { "nearest", nearest },         { "similarity", similarity },
    };
    char name[32];
    while (scanf("%31s", name) == 1) {
        size_t i = 0;
        while (i < sizeof(measures) / sizeof(measures[0]) &&
               strcmp(measures[i].name, name) != 0) {
            i++;
        }
        need(i < sizeof(measures) / sizeof(measures[0]));
        measures[i].run();
    }
    return 0;
}
