#include "correlation.h"

#include <math.h>
#include <stdlib.h>

#include "order.h"

static bool is_constant(const double *x, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (x[i] < x[0] || x[i] > x[0]) {
            return false;
        }
    }
    return true;
}

static double mean_of(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
    }
    return sum / (double)n;
}

double keval_pearson(const double *x, const double *y, size_t n)
{
    if (is_constant(x, n) || is_constant(y, n)) {
        return NAN;
    }
    double x_mean = mean_of(x, n);
    double y_mean = mean_of(y, n);
    double x_square = 0;
    double y_square = 0;
    double product = 0;
    for (size_t i = 0; i < n; i++) {
        double dx = x[i] - x_mean;
        double dy = y[i] - y_mean;
        x_square += dx * dx;
        y_square += dy * dy;
        product += dx * dy;
    }
    double r = product / sqrt(x_square) / sqrt(y_square);
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

/* The ranks, from 1; order has room for n places. */
static bool rank(const double *x, size_t n, size_t *order, double *ranks)
{
    if (!keval_order_descending(x, n, order)) {
        return false;
    }
    for (size_t first = 0, last; first < n; first = last + 1) {
        last = first;
        while (last + 1 < n && !(x[order[last + 1]] < x[order[first]])) {
            last++;
        }
        for (size_t i = first; i <= last; i++) {
            ranks[order[i]] = (double)n - (double)(first + last) / 2;
        }
    }
    return true;
}

bool keval_spearman(const double *x, const double *y, size_t n, double *rho)
{
    size_t *order = calloc(n + 1, sizeof(order[0]));
    double *x_ranks = calloc(n + 1, sizeof(x_ranks[0]));
    double *y_ranks = calloc(n + 1, sizeof(y_ranks[0]));
    bool done = order != NULL && x_ranks != NULL && y_ranks != NULL &&
                rank(x, n, order, x_ranks) && rank(y, n, order, y_ranks);
    if (done) {
        *rho = keval_pearson(x_ranks, y_ranks, n);
    }
    free(y_ranks);
    free(x_ranks);
    free(order);
    return done;
}
