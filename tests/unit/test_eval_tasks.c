/* eval/: measures of the tasks of MTEB, against values that scikit-learn 1.9 and scipy
 * 1.17 gave. tests/parity/task_measures.py compares more of them, by hand. */
#include "support.h"

#include <math.h>
#include <string.h>

#include "binary.h"
#include "correlation.h"
#include "generator.h"
#include "kmeans.h"
#include "labels.h"
#include "logistic.h"
#include "nearest.h"
#include "similarity.h"
#include "v_measure.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void expect_within(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance)) {
        fail_msg("%.17g where %.17g is right", found, expected);
    }
}

static void expect(double found, double expected)
{
    expect_within(found, expected, 1e-9);
}

static void test_correlation(void **state)
{
    const double x[] = { 1, 2, 2, 4, 5, 5, 5, 8 };
    const double y[] = { 2, 1, 3, 3, 9, 4, 5, 5 };
    const double down[] = { 8, 7, 6, 5, 4, 3, 2, 1 };
    const double same[] = { 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1 };
    double rho;
    (void)state;
    expect(keval_pearson(x, y, 8), 0.6172133998483676);
    assert_true(keval_spearman(x, y, 8, &rho));
    expect(rho, 0.8510794409931051);
    assert_true(keval_spearman(down, down, 8, &rho));
    expect(rho, 1);
    assert_true(isnan(keval_pearson(x, same, 8)));
    assert_true(keval_spearman(same, y, 8, &rho));
    assert_true(isnan(rho));
    assert_true(isnan(keval_pearson(x, y, 1)));
}

static void test_binary(void **state)
{
    const double scores[] = { 0.9, 0.8, 0.8, 0.7, 0.6, 0.6, 0.5, 0.1 };
    const uint8_t labels[] = { 1, 0, 1, 1, 0, 1, 0, 0 };
    const double ties[] = { 1, 1, 1, 1 };
    const uint8_t none[] = { 0, 0, 0, 0 };
    keval_binary b;
    (void)state;
    assert_true(keval_binary_measure(scores, labels, 8, &b));
    expect(b.average_precision, 0.7708333333333333);
    expect(b.accuracy, 0.75);
    expect(b.accuracy_threshold, 0.65);
    expect(b.f1, 0.8);
    expect(b.precision, 2.0 / 3);
    expect(b.recall, 1);
    expect(b.f1_threshold, 0.55);
    assert_true(keval_binary_measure(ties, labels, 4, &b)); /* nothing to tell apart */
    expect(b.average_precision, 0.75);
    expect(b.accuracy, 0);
    expect(b.f1, 0);
    assert_true(keval_binary_measure(scores, none, 4, &b));
    expect(b.average_precision, 0);
    expect(b.f1, 0);
}

static void test_labels(void **state)
{
    const uint32_t truth[] = { 0, 0, 1, 1, 2, 2, 2, 4 };
    const uint32_t predicted[] = { 0, 1, 1, 1, 2, 0, 2, 3 };
    keval_labels l;
    (void)state;
    assert_true(keval_labels_measure(truth, predicted, 8, 6, &l));
    expect(l.accuracy, 0.625);
    expect(l.macro_f1, 0.42);
    expect(l.precision, 0.6666666666666666);
    expect(l.recall, 0.625);
    expect(l.f1, 0.625);
}

static void test_v_measure(void **state)
{
    const uint32_t classes[] = { 0, 0, 0, 1, 1, 2, 2, 2 };
    const uint32_t clusters[] = { 1, 1, 0, 0, 0, 2, 2, 1 };
    const uint32_t one[] = { 7, 7, 7, 7, 7, 7, 7, 7 };
    const uint32_t renamed[] = { 5, 5, 5, 0, 0, 9, 9, 9 };
    keval_v_measure v;
    (void)state;
    assert_true(keval_v_measure_of(classes, clusters, 8, &v));
    expect(v.homogeneity, 0.5588730382170324);
    expect(v.completeness, 0.5588730382170324);
    expect(v.v, 0.5588730382170324);
    assert_true(keval_v_measure_of(classes, renamed, 8, &v));
    expect(v.v, 1);
    assert_true(keval_v_measure_of(classes, one, 8, &v));
    expect(v.completeness, 1);
    expect(v.v, 0);
    assert_true(keval_v_measure_of(one, one, 8, &v));
    expect(v.v, 1);
}

static void test_similarity(void **state)
{
    const float a[] = { 3, 4, 0 };
    const float b[] = { 0, 4, 3 };
    const float zero[] = { 0, 0, 0 };
    (void)state;
    expect(keval_similarity(KEVAL_COSINE, a, b, 3), 0.64);
    expect(keval_similarity(KEVAL_DOT, a, b, 3), 16);
    expect(keval_similarity(KEVAL_EUCLIDEAN, a, b, 3), -sqrt(18));
    expect(keval_similarity(KEVAL_MANHATTAN, a, b, 3), -6);
    expect(keval_similarity(KEVAL_COSINE, a, zero, 3), 0);
    keval_generator generator = { 3 };
    for (size_t i = 0; i < 100; i++) { /* of equal vectors it is 1 exactly */
        float drawn[7];
        for (size_t j = 0; j < 7; j++) {
            drawn[j] = (float)keval_random_unit(&generator);
        }
        expect_within(keval_similarity(KEVAL_COSINE, drawn, drawn, 7), 1, 0);
    }
}

static void test_nearest(void **state)
{
    const float rows[] = { 1, 0, 0, 2, 5, 5, 1, 0 };
    const float queries[] = { 9, 1, 1, 9, 3, 3, -1, 0 };
    uint32_t found[4];
    (void)state;
    assert_true(keval_nearest(queries, 4, rows, 4, 2, found));
    assert_int_equal(found[0], 0); /* row 3 is as near, but later */
    assert_int_equal(found[1], 1);
    assert_int_equal(found[2], 2);
    assert_int_equal(found[3], 1);
}

/* Four numbers a row, around one of three corners. */
static void make_corners(float *vectors, uint32_t *labels, size_t n)
{
    keval_generator generator = { 1 };
    for (size_t i = 0; i < n; i++) {
        labels[i] = (uint32_t)(i % 3);
        for (size_t j = 0; j < 4; j++) {
            vectors[i * 4 + j] = (float)(keval_random_unit(&generator) / 2);
        }
        vectors[i * 4 + labels[i]] += 1;
    }
}

static double distance_to_mean(const float *vectors, const uint32_t *clusters, size_t n,
                               uint32_t cluster, const float *vector)
{
    double square = 0;
    for (size_t j = 0; j < 4; j++) {
        double sum = 0;
        size_t count = 0;
        for (size_t i = 0; i < n; i++) {
            sum += clusters[i] == cluster ? vectors[i * 4 + j] : 0;
            count += clusters[i] == cluster;
        }
        assert_true(count > 0);
        square += pow(vector[j] - sum / (double)count, 2);
    }
    return sqrt(square);
}

/* Rounds go on until every vector is nearest to the mean of its own cluster. */
static void test_kmeans_is_settled(void **state)
{
    float vectors[400 * 4];
    uint32_t clusters[400];
    keval_generator generator = { 2 };
    (void)state;
    for (size_t i = 0; i < 400 * 4; i++) {
        vectors[i] = (float)keval_random_unit(&generator);
    }
    assert_true(keval_kmeans(vectors, 400, 4, 6, 42, clusters));
    for (size_t i = 0; i < 400; i++) {
        const float *vector = vectors + i * 4;
        double own = distance_to_mean(vectors, clusters, 400, clusters[i], vector);
        for (uint32_t other = 0; other < 6; other++) {
            assert_true(own <=
                        distance_to_mean(vectors, clusters, 400, other, vector) + 1e-6);
        }
    }
}

static void test_kmeans(void **state)
{
    float vectors[90 * 4];
    float same[6] = { 1, 1, 1, 1, 1, 1 };
    uint32_t labels[90];
    uint32_t clusters[90];
    uint32_t again[90];
    keval_v_measure v;
    (void)state;
    make_corners(vectors, labels, 90);
    assert_true(keval_kmeans(vectors, 90, 4, 3, 42, clusters));
    assert_true(keval_v_measure_of(labels, clusters, 90, &v));
    expect(v.v, 1);
    assert_true(keval_kmeans(vectors, 90, 4, 3, 42, again));
    assert_memory_equal(clusters, again, sizeof(clusters));
    assert_true(keval_kmeans(vectors, 90, 4, 90, 42, clusters));
    assert_true(keval_v_measure_of(clusters, clusters, 90, &v));
    memset(again, 0, sizeof(again));
    for (size_t i = 0; i < 90; i++) { /* every vector a cluster of its own */
        assert_true(clusters[i] < 90 && again[clusters[i]]++ == 0);
    }
    assert_true(keval_kmeans(same, 3, 2, 2, 42, clusters)); /* equal vectors */
    assert_int_equal(clusters[0], clusters[2]);
}

static void test_logistic(void **state)
{
    /* scikit-learn's with tol=1e-10 */
    const float x[] = { 0, 0, 1, 0, 0, 1, 2, 1, 1, 2, 3, 3 };
    const uint32_t two[] = { 0, 0, 0, 1, 1, 1 };
    const uint32_t three[] = { 0, 0, 1, 1, 2, 2 };
    const double binary_weights[] = { 0.8305160051, 0.8305160051, -1.7846946022 };
    const double weights[] = { -0.2343165309, -0.8939192219, 1.1045889646,
                               -0.0026440742, -0.018442547,  0.3164974777,
                               0.236960605,   0.9123617689,  -1.4210864423 };
    keval_logistic fitted;
    uint32_t found[6];
    (void)state;
    assert_true(keval_logistic_fit(x, two, 6, 2, 2, &fitted));
    for (size_t i = 0; i < 3; i++) {
        expect_within(fitted.weights[i], 0, 0);
        expect_within(fitted.weights[3 + i], binary_weights[i], 1e-6);
    }
    keval_logistic_predict(&fitted, x, 6, found);
    assert_memory_equal(found, two, sizeof(two));
    keval_logistic_free(&fitted);
    assert_true(keval_logistic_fit(x, three, 6, 2, 3, &fitted));
    for (size_t i = 0; i < COUNT_OF(weights); i++) {
        expect_within(fitted.weights[i], weights[i], 1e-6);
    }
    keval_logistic_free(&fitted);
}

static void test_generator(void **state)
{
    keval_generator generator = { 1234567 };
    size_t counts[3] = { 0 };
    (void)state;
    /* SplitMix64 as published */
    assert_true(keval_random(&generator) == 6457827717110365317u);
    assert_true(keval_random(&generator) == 3203168211198807973u);
    for (size_t i = 0; i < 3000; i++) {
        counts[keval_random_below(&generator, 3)]++;
    }
    for (size_t i = 0; i < 3; i++) {
        assert_in_range(counts[i], 900, 1100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_correlation), cmocka_unit_test(test_binary),
        cmocka_unit_test(test_labels),      cmocka_unit_test(test_v_measure),
        cmocka_unit_test(test_similarity),  cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_kmeans),      cmocka_unit_test(test_kmeans_is_settled),
        cmocka_unit_test(test_logistic),    cmocka_unit_test(test_generator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
