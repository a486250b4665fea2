/* How near two vectors are. */
#ifndef KITH_EVAL_SIMILARITY_H
#define KITH_EVAL_SIMILARITY_H

#include <stddef.h>

typedef enum keval_similarity_kind {
    KEVAL_COSINE,
    KEVAL_DOT,
    KEVAL_EUCLIDEAN,
    KEVAL_MANHATTAN,
    N_KEVAL_SIMILARITIES
} keval_similarity_kind;

/* In the order of keval_similarity_kind. */
#define KEVAL_SIMILARITIES "cosine|dot|euclidean|manhattan"

const char *keval_similarity_name(keval_similarity_kind kind);

/* Higher is nearer: distances are negated. Equal vectors have a cosine of exactly 1, as
 * in scikit-learn's paired_cosine_distances(), so that they are tied; that of a zero
 * vector is 0. */
double keval_similarity(keval_similarity_kind kind, const float *a, const float *b,
                        size_t dim);

#endif
