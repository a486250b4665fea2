/* eval/significance.h: values worked out by hand, and stored from scipy 1.17. */
#include <math.h>

#include "significance.h"
#include "support.h"

#define EPSILON 1e-9
#define N(array) (sizeof(array) / sizeof((array)[0]))

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= EPSILON)) {
        fail_msg("%.15g, expected %.15g", value, expected);
    }
}

/* With 1 and 2 degrees of freedom Student's distribution has a closed form. */
static void test_t_by_hand(void **state)
{
    (void)state;
    static const double two[] = { 1, 3 };
    static const double three[] = { 1, 2, 3 };
    static const double negative[] = { -1, -2, -3 };
    static const double balanced[] = { 1, -1 };
    assert_near(keval_t_test(two, 2), 1 - 2 / M_PI * atan(2));
    assert_near(keval_t_test(three, 3), 1 - sqrt(12.0 / 14));
    assert_near(keval_t_test(negative, 3), 1 - sqrt(12.0 / 14));
    assert_near(keval_t_test(balanced, 2), 1);
}

static void test_t_edges(void **state)
{
    (void)state;
    static const double zeros[] = { 0, 0, 0 };
    static const double same[] = { 0.5, 0.5, 0.5 };
    assert_true(isnan(keval_t_test(zeros, 3)));
    assert_true(isnan(keval_t_test(same, 1)));
    assert_true(isnan(keval_t_test(NULL, 0)));
    assert_near(keval_t_test(same, 3), 0);
}

/* 50, 1,000 and 100,000 differences sin(i) + shift. */
static void test_t_of_scipy(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        double shift;
        double p;
    } stored[] = {
        { 50, 0.1, 0.31211626856156854 },
        { 50, 0.3, 0.0042430184041389613 },
        { 50, 0.6, 2.635694844586739e-07 },
        { 1000, 0.03, 0.18020852764746881 },
        { 1000, 0.05, 0.02560674723593287 },
        { 1000, 0.5, 4.1178920350465258e-90 },
        { 100000, 0.003, 0.17710324509782427 },
    };
    static double differences[100000];
    for (size_t i = 0; i < N(stored); i++) {
        for (size_t j = 0; j < stored[i].n; j++) {
            differences[j] = sin((double)j) + stored[i].shift;
        }
        /* To so many digits of p, however small it is. */
        assert_near(keval_t_test(differences, stored[i].n) / stored[i].p, 1);
    }
}

static void test_all_swaps(void **state)
{
    (void)state;
    static const double three[] = { 1, 2, 3 };
    static const double even[] = { 1, 2, -3 };
    static const double ones[] = { 1, 1, 1, 1 };
    static const double one[] = { 0, 0, 1, 0 };
    static const double mixed[] = { 3, -1, 0 };
    /* Sums of tenths that are equal differ in their last bits. */
    static const double tenths[] = { -0.2, 0.3, 0.1, 0.2 };
    assert_near(keval_randomisation_test(three, 3, 10000, 1), 2.0 / 8);
    assert_near(keval_randomisation_test(even, 3, 10000, 1), 1);
    assert_near(keval_randomisation_test(ones, 4, 10000, 1), 2.0 / 16);
    assert_near(keval_randomisation_test(one, 4, 10000, 1), 1);
    assert_near(keval_randomisation_test(mixed, 3, 10000, 1), 1);
    assert_near(keval_randomisation_test(tenths, 4, 10000, 1), 0.5);
    assert_true(isnan(keval_randomisation_test(NULL, 0, 10000, 1)));
}

static void test_random_swaps(void **state)
{
    (void)state;
    static double differences[200];
    for (size_t i = 0; i < 200; i++) {
        differences[i] = 1;
    }
    assert_near(keval_randomisation_test(differences, 200, 100, 1), 1.0 / 101);
    for (size_t i = 0; i < 200; i++) {
        differences[i] = sin((double)i) + 0.08;
    }
    double p = keval_randomisation_test(differences, 200, 10000, 1);
    assert_true(p == keval_randomisation_test(differences, 200, 10000, 1));
    assert_true(p != keval_randomisation_test(differences, 200, 10000, 2));
    /* Near the t-test's, as for any symmetric and bounded differences. */
    assert_true(fabs(p - keval_t_test(differences, 200)) < 0.02);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t_by_hand),   cmocka_unit_test(test_t_edges),
        cmocka_unit_test(test_t_of_scipy),  cmocka_unit_test(test_all_swaps),
        cmocka_unit_test(test_random_swaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
