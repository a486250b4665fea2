/* From rows to an answer: passages become records, which are copied out and may be made
 * less alike. */
#ifndef KITH_ANSWER_H
#define KITH_ANSWER_H

#include "collection.h"

/* Diversity compares every pair of the pool. */
#define KITH_MMR_MAX_K 1000

typedef struct kith_answering {
    const kstore_snapshot *snapshot;
    const kidx_rows *rows;
    kbase_isa isa;
    const kith_search_opts *opts;
    kbase_arena *arena; /* of the results */
} kith_answering;

/* Records to look for: k, or more to choose k from. */
size_t kith_answer_pool(const kith_search_opts *opts);

/* Fill an answer from sorted hits. *short_of: more rows are needed to know its records. */
kith_status kith_answer_fill(const kith_answering *a, const kith_query *query,
                             const kidx_hit *hits, size_t n_hits, kith_answer *answer,
                             bool *short_of, kith_error *err);

#endif
