/* k-means. */
#ifndef KITH_EVAL_KMEANS_H
#define KITH_EVAL_KMEANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lloyd's algorithm from greedy k-means++ centres (2 + log k candidates for each, as
 * scikit-learn draws them), until no vector changes its cluster or 300 times; of three
 * starts the one with the smallest sum of squared distances. The seed decides the
 * result.
 *
 * vectors   [in] n x dim floats
 * k         [in] 1 to n; fewer clusters may be used, as when vectors are equal
 * clusters  [out] n numbers below k
 * Returns false when out of memory. Cost: n * k * dim for each of the rounds. */
bool keval_kmeans(const float *vectors, size_t n, size_t dim, uint32_t k, uint64_t seed,
                  uint32_t *clusters);

#endif
