#include "significance.h"

#include <math.h>
#include <stdbool.h>

#include "generator.h"

/* GSL has this function, but under the GPL, which would become the program's licence.
 *
 * The continued fraction of the incomplete beta function, without its first factor:
 * NIST's Digital Library of Mathematical Functions, 8.17.22, evaluated by Lentz's
 * method as modified by Thompson and Barnett (1986). Converges fast, in
 * O(sqrt(max(a, b))) steps, for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    const double precision = 1e-15;
    double c = 1;
    double d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int i = 1; i <= 100000; i++) {
        double m = i;
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double step = 1;
        for (int half = 0; half < 2; half++) {
            double term = half == 0 ? even : odd;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            step = c * d;
            value *= step;
        }
        if (fabs(step - 1) < precision) {
            break;
        }
    }
    return value;
}

/* I_x(a, b), the regularised incomplete beta function, for 0 <= x <= 1. y is 1 - x,
 * given because the difference would lose its digits near 0. */
static double regularised_beta(double a, double b, double x, double y)
{
    int sign;
    if (x <= 0 || y <= 0) {
        return x <= 0 ? 0 : 1;
    }
    double log_factor = lgamma_r(a + b, &sign) - lgamma_r(a, &sign) -
                        lgamma_r(b, &sign) + a * log(x) + b * log(y);
    double factor = exp(log_factor);
    return x < (a + 1) / (a + b + 2) ? factor * beta_fraction(a, b, x) / a
                                     : 1 - factor * beta_fraction(b, a, y) / b;
}

double keval_t_test(const double *differences, size_t n)
{
    double mean = 0;
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        mean += differences[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        squares += (differences[i] - mean) * (differences[i] - mean);
    }
    if (n < 2 || (squares == 0 && mean == 0)) {
        return NAN;
    }
    double freedom = (double)n - 1;
    double t_square = mean * mean * (double)n / (squares / freedom);
    if (isinf(t_square)) {
        return 0;
    }
    /* DLMF 8.17.E20 and the symmetry of Student's distribution. */
    return regularised_beta(freedom / 2, 0.5, freedom / (freedom + t_square),
                            t_square / (freedom + t_square));
}

/* The sum with signs from `signs`, a bit a difference that is not 0. */
static double sum_of_way(const double *differences, size_t n, uint64_t signs)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (differences[i] != 0) {
            sum += (signs & 1) != 0 ? -differences[i] : differences[i];
            signs >>= 1;
        }
    }
    return sum;
}

static double sum_at_random(const double *differences, size_t n, keval_generator *generator)
{
    double sum = 0;
    for (size_t begin = 0; begin < n; begin += 64) {
        uint64_t signs = keval_random(generator);
        size_t end = n - begin < 64 ? n : begin + 64;
        for (size_t i = begin; i < end; i++, signs >>= 1) {
            sum += (signs & 1) != 0 ? -differences[i] : differences[i];
        }
    }
    return sum;
}

double keval_randomisation_test(const double *differences, size_t n, uint32_t n_rounds,
                                uint64_t seed)
{
    double observed = 0;
    double largest = 0;
    size_t n_different = 0;
    for (size_t i = 0; i < n; i++) {
        observed += differences[i];
        largest += fabs(differences[i]);
        n_different += differences[i] != 0;
    }
    /* Equal sums may differ by the rounding of their additions. */
    double bar = fabs(observed) - 1e-12 * largest;
    bool takes_all = n_different < 32 && (1u << n_different) <= n_rounds;
    uint32_t n_ways = takes_all ? 1u << n_different : n_rounds;
    uint32_t n_as_large = 0;
    keval_generator generator = { seed };
    for (uint32_t way = 0; way < n_ways; way++) {
        double sum = takes_all ? sum_of_way(differences, n, way)
                               : sum_at_random(differences, n, &generator);
        n_as_large += fabs(sum) >= bar;
    }
    if (n == 0) {
        return NAN;
    }
    return takes_all ? (double)n_as_large / n_ways
                     : ((double)n_as_large + 1) / ((double)n_ways + 1);
}
