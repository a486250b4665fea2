/* The approximate index: built by FAISS, framed, measured, reranked by us.
 *
 * FAISS lives in libkith-faiss.so, loaded when first needed (index/faiss/ops.h). */
#ifndef KIDX_ANN_H
#define KIDX_ANN_H

#include "memory.h"
#include "rows.h"

#define KIDX_FACTORY_BYTES 64
#define KIDX_MAX_POINTS 96

/* One measured setting. recall is the lower 95 % bound. */
typedef struct kidx_recall_point {
    uint32_t k;
    uint32_t nprobe; /* 0: an index without lists */
    double recall;
    double seconds; /* one query on one thread, where the index was built */
} kidx_recall_point;

typedef struct kidx_recall_table {
    uint32_t n_points;
    uint32_t n_queries; /* held out for the measurement */
    /* An exact search of the rows covered, as `seconds`: one query, and each of many. */
    double scan_seconds;
    double batch_scan_seconds;
    kidx_recall_point points[KIDX_MAX_POINTS]; /* by k, then nprobe, ascending */
} kidx_recall_table;

typedef struct kidx_ann kidx_ann;

typedef struct kidx_ann_info {
    char factory[KIDX_FACTORY_BYTES];
    uint32_t n_lists; /* 0: none */
    uint64_t covers;  /* rows 0 .. covers-1 were considered when it was built */
    uint64_t n_bytes; /* of its file; 0: built, not loaded */
    uint32_t n_candidates; /* asked of FAISS for up to 10 hits */
    /* Of the rows that are among the 10 nearest, all but one in 5,000 have an estimate by
     * FAISS that lies no further below the 10th highest: decides what is rescored. */
    double margin;
    kidx_recall_table recall;
} kidx_ann_info;

/* Below this many live rows the default factory cannot be trained. */
#define KIDX_ANN_MIN_ROWS 724

typedef void (*kidx_progress)(void *context, const char *step, double fraction);

/* The factory string that kith uses for n live rows of `dim`: about sqrt(n) IVF lists
 * with 4-bit PQ of dim/2 parts by residual, or flat PQ where lists do not pay. */
void kidx_ann_default_factory(uint64_t n_rows, uint32_t dim,
                              char factory[KIDX_FACTORY_BYTES]);

/* Train on and add the live rows, measure recall by leaving stored rows out, and return
 * the index ready to search. factory NULL: the default. Ordinals are the ids.
 * KITH_INVALID (factory string, or too few rows for it: says how many are needed);
 * KITH_UNSUPPORTED (libkith-faiss.so cannot be loaded: says why); KITH_NOMEM. */
kith_status kidx_ann_build(kbase_isa isa, kbase_pool *pool, const kidx_rows *rows,
                           const char *factory, kidx_progress progress, void *context,
                           kidx_ann **ann, kith_error *err);

/* The index in our frame: header (magic, version, lengths, fingerprint of the model,
 * dim, covers, factory, recall table), digest, FAISS blob. Written through
 * kbase_new_file, read back and compared, synced, renamed. */
kith_status kidx_ann_save(const kidx_ann *ann, const char *path,
                          const char *fingerprint, kith_error *err);

/* Only the frame's header: for status and for planning, without loading FAISS. Checks
 * the header's own checksum, the file's length, the fingerprint and the dim.
 * KITH_NOT_FOUND, KITH_CORRUPT, KITH_VERSION, KITH_MISMATCH. */
kith_status kidx_ann_peek(const char *path, const char *fingerprint, uint32_t dim,
                          kidx_ann_info *info, kith_error *err);

/* Load it: the digest is checked before FAISS sees a byte, then dimension, count and
 * metric are compared with the header. */
kith_status kidx_ann_load(const char *path, const char *fingerprint, uint32_t dim,
                          kidx_ann **ann, kith_error *err);

void kidx_ann_get_info(const kidx_ann *ann, kidx_ann_info *info);

/* Measure recall afresh, with n live rows drawn at random as queries, each leaving itself
 * out. Searches of other threads may go on. KITH_INVALID (too few rows); KITH_NOMEM. */
kith_status kidx_ann_measure(kidx_ann *ann, kbase_isa isa, kbase_pool *pool,
                             const kidx_rows *rows, size_t n, uint64_t seed,
                             kidx_progress progress, void *context,
                             kidx_recall_table *table, kith_error *err);
void kidx_ann_free(kidx_ann *ann);

/* Search: candidates from FAISS (as many as were measured to be enough), dead rows
 * dropped, those that by estimate and margin can be among the best rescored by kidx_score,
 * the rows behind `covers` scanned exactly, merged.
 * hits and counts as for kidx_scan; a count may fall short of m: the caller decides
 * what to do then. A query that needs another nprobe than the one set waits for the
 * searches under way. Where it takes less time (kidx_plan_by_lists()), many queries are
 * answered list by list without FAISS's estimates: exactly of the rows in the lists that
 * are visited, so that recall is no lower than the one measured. Thread-safe. */
kith_status kidx_ann_search(kidx_ann *ann, kbase_isa isa, kbase_pool *pool,
                            const kidx_rows *rows, const float *queries,
                            size_t n_queries, uint32_t nprobe, size_t m, kidx_hit *hits,
                            size_t *counts, kith_error *err);

#endif
