#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ann_parts.h"
#include "error.h"
#include "plan.h"
#include "select.h"

/* Queries of one call of FAISS at most, and candidates of all of them: the more queries
 * visit a list, the less it costs each. */
#define MAX_SLICE 512
#define MAX_CANDIDATES ((size_t)1 << 18)

/* For one worker: the candidates of a slice of queries, and those of one, rescored. */
typedef struct workspace {
    int64_t *ids;       /* [slice, n_candidates] */
    float *estimates;   /* [slice, n_candidates], highest first */
    uint64_t *ordinals; /* [n_candidates] */
    float *scores;      /* [n_candidates] */
} workspace;

typedef struct search {
    const kidx_ann *ann;
    kbase_isa isa;
    const kidx_rows *rows;
    const float *queries;
    size_t n_queries;
    size_t slice; /* queries of one call of FAISS */
    size_t n_candidates;
    size_t n_near; /* as in kidx_ann_depth */
    size_t m;
    kidx_hit *hits; /* [n_queries, m] */
    size_t *counts;
    const kidx_hit *delta; /* [n_queries, delta_m]: best rows that the index lacks */
    const size_t *delta_counts;
    size_t delta_m;
    workspace *workspaces; /* [workers] */
    atomic_int status;
} search;

kidx_ann *kidx_ann_new(const kidx_faiss_ops *ops, uint32_t dim)
{
    kidx_ann *ann = kbase_calloc(1, sizeof(*ann));
    if (ann == NULL) {
        return NULL;
    }
    ann->ops = ops;
    ann->dim = dim;
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    /* The default lets a stream of searches keep a new nprobe waiting for ever. */
    pthread_rwlockattr_setkind_np(&attributes,
                                  PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&ann->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    return ann;
}

void kidx_ann_free(kidx_ann *ann)
{
    if (ann == NULL) {
        return;
    }
    ann->ops->destroy(ann->index);
    pthread_rwlock_destroy(&ann->lock);
    free(ann->ordinals);
    free(ann);
}

void kidx_ann_get_info(const kidx_ann *ann, kidx_ann_info *info)
{
    *info = ann->info;
}

kidx_ann_depth kidx_ann_depth_for(const kidx_ann *ann, size_t m)
{
    const size_t n = ann->info.n_candidates;
    return m <= 10    ? (kidx_ann_depth){ n, 10 }
           : m <= 100 ? (kidx_ann_depth){ 4 * n, 100 }
                      : (kidx_ann_depth){ 4 * (n > m ? n : m), m };
}

bool kidx_ann_is_live(const kidx_ann *ann, const kidx_rows *rows, int64_t id,
                      uint64_t *ordinal)
{
    if (id < 0 || (ann->ordinals != NULL && (uint64_t)id >= ann->n_vectors)) {
        return false;
    }
    *ordinal = ann->ordinals != NULL ? ann->ordinals[id] : (uint64_t)id;
    return *ordinal < ann->info.covers && *ordinal < rows->n_rows &&
           !kidx_is_dead(rows, *ordinal);
}

/* The live candidates of one query that can be among the best, by their estimates.
 * Returns how many. */
static size_t choose_candidates(const search *s, const int64_t *ids,
                                const float *estimates, uint64_t *ordinals)
{
    float least = -INFINITY;
    size_t n = 0;
    for (size_t i = 0; i < s->n_candidates && !(estimates[i] < least); i++) {
        n += kidx_ann_is_live(s->ann, s->rows, ids[i], &ordinals[n]);
        if (n == s->n_near) {
            least = estimates[i] - (float)s->ann->info.margin;
        }
    }
    return n;
}

/* Rescore the candidates of one query and merge the rows that the index lacks. */
static void rerank(const search *s, size_t q, size_t candidates, const workspace *space)
{
    size_t n = choose_candidates(s, space->ids + candidates,
                                 space->estimates + candidates, space->ordinals);
    kidx_score(s->isa, s->rows, s->queries + q * s->ann->dim, space->ordinals, n,
               space->scores);
    kidx_best best = { s->hits + q * s->m, 0, s->m };
    for (size_t i = 0; i < n; i++) {
        kidx_best_push(&best, (kidx_hit){ space->ordinals[i], space->scores[i] });
    }
    for (size_t i = 0; i < s->delta_counts[q]; i++) {
        kidx_best_push(&best, s->delta[q * s->delta_m + i]);
    }
    kidx_best_sort(&best);
    s->counts[q] = best.n;
}

static void search_task(void *context, size_t index, unsigned worker)
{
    search *s = context;
    const workspace *space = &s->workspaces[worker];
    const kidx_faiss_ops *ops = s->ann->ops;
    size_t q = index * s->slice;
    size_t n = s->n_queries - q < s->slice ? s->n_queries - q : s->slice;
    ops->set_threads(1);
    kith_status status = ops->search(s->ann->index, n, s->queries + q * s->ann->dim,
                                     s->n_candidates, space->ids, space->estimates);
    if (status != KITH_OK) {
        atomic_store(&s->status, status);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        rerank(s, q + i, i * s->n_candidates, space);
    }
}

static void workspaces_free(workspace *spaces, size_t n)
{
    for (size_t i = 0; spaces != NULL && i < n; i++) {
        free(spaces[i].ids);
        free(spaces[i].estimates);
        free(spaces[i].ordinals);
        free(spaces[i].scores);
    }
    free(spaces);
}

/* An equal share of the queries for each worker, within bounds. */
static size_t choose_slice(size_t n_queries, size_t n_workers, size_t n_candidates)
{
    size_t slice = (n_queries + n_workers - 1) / n_workers;
    slice = slice < MAX_SLICE ? slice : MAX_SLICE;
    size_t most = MAX_CANDIDATES / (n_candidates + 1) + 1;
    return slice < most ? slice : most;
}

static workspace *workspaces_new(size_t n, size_t slice, size_t n_candidates)
{
    workspace *spaces = kbase_calloc(n, sizeof(*spaces));
    for (size_t i = 0; spaces != NULL && i < n; i++) {
        workspace *w = &spaces[i];
        w->ids = kbase_calloc(slice * n_candidates, sizeof(*w->ids));
        w->estimates = kbase_calloc(slice * n_candidates, sizeof(*w->estimates));
        w->ordinals = kbase_calloc(n_candidates, sizeof(*w->ordinals));
        w->scores = kbase_calloc(n_candidates, sizeof(*w->scores));
        if (w->ids == NULL || w->estimates == NULL || w->ordinals == NULL ||
            w->scores == NULL) {
            workspaces_free(spaces, n);
            return NULL;
        }
    }
    return spaces;
}

/* Run the search with the lock held: shared, or alone when nprobe has to change. */
static void run(kidx_ann *ann, kbase_pool *pool, uint32_t nprobe, search *s)
{
    size_t n_tasks = (s->n_queries + s->slice - 1) / s->slice;
    pthread_rwlock_rdlock(&ann->lock);
    if (nprobe != ann->nprobe) {
        pthread_rwlock_unlock(&ann->lock);
        pthread_rwlock_wrlock(&ann->lock);
        ann->ops->set_nprobe(ann->index, nprobe);
        ann->nprobe = nprobe;
    }
    kidx_run(pool, n_tasks, search_task, s);
    pthread_rwlock_unlock(&ann->lock);
}

/* FAISS cannot be trusted with anything but finite numbers. */
static kith_status check_queries(const float *queries, size_t n_queries, uint32_t dim,
                                 kith_error *err)
{
    for (size_t q = 0; q < n_queries; q++) {
        float square = 0;
        for (uint32_t i = 0; i < dim; i++) {
            square += queries[q * dim + i] * queries[q * dim + i];
        }
        if (!(square > 0 && square < 1e30f)) {
            return kbase_fail(err, KITH_INVALID,
                              "query %zu: its vector is zero or not finite", q + 1);
        }
    }
    return KITH_OK;
}

static uint32_t take_nprobe(const kidx_ann *ann, uint32_t nprobe)
{
    const uint32_t n_lists = ann->info.n_lists;
    return nprobe > n_lists ? n_lists : nprobe == 0 && n_lists > 0 ? 1 : nprobe;
}

kith_status kidx_ann_search_with(kidx_ann *ann, kbase_isa isa, kbase_pool *pool,
                                 const kidx_rows *rows, const float *queries,
                                 size_t n_queries, uint32_t nprobe,
                                 kidx_ann_depth depth, size_t m, kidx_hit *hits,
                                 size_t *counts, kith_error *err)
{
    kith_status status = check_queries(queries, n_queries, ann->dim, err);
    if (status != KITH_OK) {
        return status;
    }
    nprobe = take_nprobe(ann, nprobe);
    search s = { .ann = ann,
                 .isa = isa,
                 .rows = rows,
                 .queries = queries,
                 .n_queries = n_queries,
                 .n_near = depth.n_near,
                 .m = m,
                 .hits = hits,
                 .counts = counts };
    s.n_candidates = depth.n_candidates < ann->n_vectors ? depth.n_candidates
                                                         : (size_t)ann->n_vectors;
    uint64_t covers = ann->info.covers;
    uint64_t n_delta = rows->n_rows > covers ? rows->n_rows - covers : 0;
    s.delta_m = m < n_delta ? m : (size_t)n_delta;
    kidx_hit *delta = kbase_calloc(n_queries * s.delta_m, sizeof(*delta));
    size_t *delta_counts = kbase_calloc(n_queries, sizeof(*delta_counts));
    size_t n_workers = kidx_n_workers(pool);
    s.slice = choose_slice(n_queries, n_workers, s.n_candidates);
    s.workspaces = workspaces_new(n_workers, s.slice, s.n_candidates);
    if (delta == NULL || delta_counts == NULL || s.workspaces == NULL) {
        status = kbase_fail_memory(err, n_workers * s.slice * s.n_candidates * 12);
        goto out;
    }
    status = kidx_scan_from(isa, pool, rows, covers, queries, n_queries, s.delta_m,
                            delta, delta_counts, err);
    if (status != KITH_OK) {
        goto out;
    }
    s.delta = delta;
    s.delta_counts = delta_counts;
    run(ann, pool, nprobe, &s);
    status = (kith_status)atomic_load(&s.status);
    if (status != KITH_OK) {
        status = kbase_fail(err, status, "the approximate index could not be searched");
    }
out:
    workspaces_free(s.workspaces, n_workers);
    free(delta_counts);
    free(delta);
    return status;
}

kith_status kidx_ann_search(kidx_ann *ann, kbase_isa isa, kbase_pool *pool,
                            const kidx_rows *rows, const float *queries,
                            size_t n_queries, uint32_t nprobe, size_t m, kidx_hit *hits,
                            size_t *counts, kith_error *err)
{
    nprobe = take_nprobe(ann, nprobe);
    if (!kidx_plan_by_lists(&ann->info, n_queries, nprobe, m)) {
        return kidx_ann_search_with(ann, isa, pool, rows, queries, n_queries, nprobe,
                                    kidx_ann_depth_for(ann, m), m, hits, counts, err);
    }
    kith_status status = check_queries(queries, n_queries, ann->dim, err);
    return status == KITH_OK ? kidx_ann_search_lists(ann, isa, pool, rows, queries,
                                                     n_queries, nprobe, m, hits, counts,
                                                     err)
                             : status;
}
