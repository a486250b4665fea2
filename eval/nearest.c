#include "nearest.h"

#include <math.h>
#include <stdlib.h>

#include "lanes.h"

#define BLOCK_ROWS 64 /* stay in the cache while all queries pass */

/* A copy of the rows at unit length; zero rows stay. */
static float *unit_rows(const float *rows, size_t n, size_t dim)
{
    float *units = calloc(n + 1, dim * sizeof(units[0]));
    for (size_t i = 0; i < n && units != NULL; i++) {
        const float *row = rows + i * dim;
        double square = 0;
        for (size_t j = 0; j < dim; j++) {
            square += (double)row[j] * row[j];
        }
        double length = square > 0 ? sqrt(square) : 1;
        for (size_t j = 0; j < dim; j++) {
            units[i * dim + j] = (float)(row[j] / length);
        }
    }
    return units;
}

static void compare_all(const float *queries, size_t n_queries, const float *rows,
                        size_t n_rows, size_t dim, float *best, uint32_t *nearest)
{
    for (size_t i = 0; i < n_queries; i++) {
        best[i] = -INFINITY;
        nearest[i] = 0;
    }
    for (size_t block = 0; block < n_rows; block += BLOCK_ROWS) {
        size_t end = n_rows - block < BLOCK_ROWS ? n_rows : block + BLOCK_ROWS;
        for (size_t i = 0; i < n_queries; i++) {
            for (size_t row = block; row < end; row++) {
                float cosine = keval_dot(queries + i * dim, rows + row * dim, dim);
                if (cosine > best[i]) {
                    best[i] = cosine;
                    nearest[i] = (uint32_t)row;
                }
            }
        }
    }
}

bool keval_nearest(const float *queries, size_t n_queries, const float *rows,
                   size_t n_rows, size_t dim, uint32_t *nearest)
{
    float *unit_queries = unit_rows(queries, n_queries, dim);
    float *units = unit_rows(rows, n_rows, dim);
    float *best = calloc(n_queries + 1, sizeof(best[0]));
    bool done = unit_queries != NULL && units != NULL && best != NULL;
    if (done) {
        compare_all(unit_queries, n_queries, units, n_rows, dim, best, nearest);
    }
    free(best);
    free(units);
    free(unit_queries);
    return done;
}
