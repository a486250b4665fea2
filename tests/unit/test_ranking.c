/* eval/ranking.h: values worked out by hand. */
#include <math.h>

#include "ranking.h"
#include "support.h"

#define EPSILON 1e-12
#define N(array) (sizeof(array) / sizeof((array)[0]))

static const int32_t found[] = { 2, KEVAL_UNJUDGED, 0, 1 };
static const int32_t judged[] = { 3, 2, 1, 0, -1 };
static const keval_ranking graded = { found, N(found), judged, N(judged) };

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= EPSILON)) {
        fail_msg("%.15g, expected %.15g", value, expected);
    }
}

static void test_ndcg(void **state)
{
    (void)state;
    double ideal = 3 + 2 / log2(3) + 1 / log2(4);
    assert_near(keval_ndcg(&graded, 1), 2.0 / 3);
    assert_near(keval_ndcg(&graded, 3), 2 / ideal);
    assert_near(keval_ndcg(&graded, 4), (2 + 1 / log2(5)) / ideal);
    assert_near(keval_ndcg(&graded, 10), (2 + 1 / log2(5)) / ideal);
    assert_near(keval_ndcg(&graded, 10), 0.510446928227789);
}

static void test_average_precision(void **state)
{
    (void)state;
    assert_near(keval_average_precision(&graded, 1), 1.0 / 3);
    assert_near(keval_average_precision(&graded, 3), 1.0 / 3);
    assert_near(keval_average_precision(&graded, 4), (1 + 2.0 / 4) / 3);
    assert_near(keval_average_precision(&graded, 100), 0.5);
}

static void test_reciprocal_rank(void **state)
{
    (void)state;
    const keval_ranking late = { found + 1, 3, judged, N(judged) };
    assert_near(keval_reciprocal_rank(&graded, 10), 1);
    assert_near(keval_reciprocal_rank(&late, 10), 1.0 / 3);
    assert_near(keval_reciprocal_rank(&late, 2), 0);
}

static void test_shares(void **state)
{
    (void)state;
    assert_near(keval_recall(&graded, 1), 1.0 / 3);
    assert_near(keval_recall(&graded, 10), 2.0 / 3);
    assert_near(keval_precision(&graded, 4), 0.5);
    assert_near(keval_precision(&graded, 10), 0.2);
    assert_near(keval_success(&graded, 1), 1);
    assert_near(keval_judged(&graded, 2), 0.5);
    assert_near(keval_judged(&graded, 10), 0.3);
}

static void assert_nothing(const keval_ranking *ranking)
{
    assert_near(keval_ndcg(ranking, 10), 0);
    assert_near(keval_average_precision(ranking, 10), 0);
    assert_near(keval_reciprocal_rank(ranking, 10), 0);
    assert_near(keval_recall(ranking, 10), 0);
    assert_near(keval_precision(ranking, 10), 0);
    assert_near(keval_success(ranking, 10), 0);
}

static void test_nothing(void **state)
{
    (void)state;
    static const int32_t bad[] = { 0, -1, -2 };
    assert_nothing(&(keval_ranking){ NULL, 0, judged, N(judged) });
    assert_nothing(&(keval_ranking){ bad, N(bad), bad, N(bad) });
    assert_nothing(&(keval_ranking){ NULL, 0, NULL, 0 });
}

static void test_perfect(void **state)
{
    (void)state;
    const keval_ranking perfect = { judged, N(judged), judged, N(judged) };
    assert_near(keval_ndcg(&perfect, 2), 1);
    assert_near(keval_ndcg(&perfect, 10), 1);
    assert_near(keval_average_precision(&perfect, 10), 1);
    assert_near(keval_recall(&perfect, 3), 1);
}

static void test_recall_of_exact(void **state)
{
    (void)state;
    static const double exact[] = { 0.9, 0.8, 0.8, 0.5 };
    static const double approximate[] = { 0.9, 0.8, 0.5, 0.1 };
    assert_near(keval_recall_of_exact(exact, 4, approximate, 4, 1), 1);
    assert_near(keval_recall_of_exact(exact, 4, approximate, 4, 2), 1); /* a tie */
    assert_near(keval_recall_of_exact(exact, 4, approximate, 4, 3), 2.0 / 3);
    assert_near(keval_recall_of_exact(exact, 4, approximate, 4, 10), 3.0 / 4);
    assert_near(keval_recall_of_exact(exact, 4, NULL, 0, 10), 0);
    assert_near(keval_recall_of_exact(NULL, 0, NULL, 0, 10), 1);
}

static void test_average_precision_of_scores(void **state)
{
    (void)state;
    static const double scores[] = { 0.9, 0.5, 0.5, 0.1 };
    static const double distinct[] = { 0.9, 0.6, 0.5, 0.1 };
    static const int32_t labels[] = { 0, 1, 0, 1 };
    static const int32_t swapped[] = { 0, 0, 1, 1 };
    static const int32_t none[] = { 0, 0, 0, 0 };
    /* The tie counts at its end: precision 1/3, not 1/2. */
    assert_near(keval_average_precision_of_scores(scores, labels, 4),
                (1.0 / 3 + 2.0 / 4) / 2);
    assert_near(keval_average_precision_of_scores(scores, swapped, 4),
                (1.0 / 3 + 2.0 / 4) / 2);
    assert_near(keval_average_precision_of_scores(distinct, labels, 4),
                (1.0 / 2 + 2.0 / 4) / 2);
    assert_near(keval_average_precision_of_scores(scores, none, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ndcg),
        cmocka_unit_test(test_average_precision),
        cmocka_unit_test(test_reciprocal_rank),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_perfect),
        cmocka_unit_test(test_recall_of_exact),
        cmocka_unit_test(test_average_precision_of_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
