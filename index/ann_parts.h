/* What the files of the approximate index share: ann.c and ann_lists.c search,
 * ann_build.c builds, calibrate.c measures, ann_file.c stores. */
#ifndef KIDX_ANN_PARTS_H
#define KIDX_ANN_PARTS_H

#include <pthread.h>

#include "ann.h"
#include "faiss/ops.h"

struct kidx_ann {
    const kidx_faiss_ops *ops;
    kidx_faiss *index;
    uint32_t dim;
    uint64_t n_vectors;    /* in the index: the rows alive when it was built */
    uint64_t *ordinals;    /* of the vectors 0 .. n_vectors-1; NULL: ids are ordinals */
    pthread_rwlock_t lock; /* taken for writing to change nprobe */
    uint32_t nprobe;       /* set now; 0: an index without lists */
    kidx_ann_info info;
};

/* An index without content; NULL when memory is out. */
kidx_ann *kidx_ann_new(const kidx_faiss_ops *ops, uint32_t dim);

/* f32 vectors of unit length from the rows with these ordinals; a row that is zero or
 * not finite becomes zeros. out: n * dim floats. */
void kidx_ann_decode(kbase_isa isa, const kidx_rows *rows, const uint64_t *ordinals,
                     size_t n, float *out);

#define KIDX_MIN_CANDIDATES 100
#define KIDX_MAX_CANDIDATES 1600

/* How deep the hits are looked for. */
typedef struct kidx_ann_depth {
    size_t n_candidates; /* that are asked of FAISS */
    size_t n_near; /* those within the margin of the estimate of this one are rescored */
} kidx_ann_depth;

/* For m hits: in steps, so that every m up to a measured k is searched as deep as was
 * measured for that k. */
kidx_ann_depth kidx_ann_depth_for(const kidx_ann *ann, size_t m);

/* kidx_ann_search() by FAISS, with the depth given. */
kith_status kidx_ann_search_with(kidx_ann *ann, kbase_isa isa, kbase_pool *pool,
                                 const kidx_rows *rows, const float *queries,
                                 size_t n_queries, uint32_t nprobe,
                                 kidx_ann_depth depth, size_t m, kidx_hit *hits,
                                 size_t *counts, kith_error *err);

/* Whether a row that FAISS names (its id) still counts; its ordinal. */
bool kidx_ann_is_live(const kidx_ann *ann, const kidx_rows *rows, int64_t id,
                      uint64_t *ordinal);

/* Of an index with lists: the m best live rows of the nprobe lists (1 to n_lists) that are
 * nearest to each query, m at least 1, and the rows behind `covers`: all that FAISS could
 * find there, and no less. What is found does not depend on the number of threads. */
kith_status kidx_ann_search_lists(const kidx_ann *ann, kbase_isa isa, kbase_pool *pool,
                                  const kidx_rows *rows, const float *queries,
                                  size_t n_queries, uint32_t nprobe, size_t m,
                                  kidx_hit *hits, size_t *counts, kith_error *err);

/* kidx_ann_load() with these functions instead of the module's (NULL: the module's), so
 * that the frame can be tested without FAISS. */
kith_status kidx_ann_load_with(const kidx_faiss_ops *ops, const char *path,
                               const char *fingerprint, uint32_t dim, kidx_ann **ann,
                               kith_error *err);

/* Rows held out of training to measure recall, of n live ones. */
size_t kidx_ann_n_held_out(uint64_t n_live);

/* Of an index that was just built: find depth and margin, then measure recall, with these stored
 * rows as queries. */
kith_status kidx_ann_calibrate(kidx_ann *ann, kbase_isa isa, kbase_pool *pool,
                               const kidx_rows *rows, const uint64_t *held_out,
                               size_t n, kidx_progress progress, void *context,
                               kith_error *err);

/* splitmix64 */
static inline uint64_t kidx_next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

#endif
