/* Looking whether a collection is what it says: every checksum, and the recall. */
#include <stdlib.h>
#include <time.h>

#include "collection.h"
#include "error.h"
#include "filter.h"
#include "opts.h"

typedef kith_status (*view_check)(kith_collection *collection,
                                  const kstore_snapshot *snapshot, kith_view *view,
                                  void *context, kith_error *err);

static kith_status check_once(kith_collection *collection, view_check check, void *context,
                              bool *is_current, kith_error *err)
{
    kith_view *view = NULL;
    kith_reading reading;
    kith_status status = kith_read_begin(collection, &reading, err);
    if (status != KITH_OK) {
        *is_current = true;
        return status;
    }
    status = kith_view_acquire(collection, &reading, &view, err);
    if (status == KITH_OK) {
        status = check(collection, reading.snapshot, view, context, err);
        kith_view_release(collection, view);
    }
    *is_current = kith_current_is_same(&reading.generation->current);
    kith_read_end(collection, &reading);
    return status;
}

/* A failure counts unless a compaction has replaced the files: then those that were missed
 * may just have been removed. */
static kith_status with_view(kith_collection *collection, view_check check, void *context,
                             kith_error *err)
{
    bool is_current = false;
    kith_status status = kith_check_process(collection, err);
    if (status != KITH_OK) {
        return status;
    }
    do {
        status = check_once(collection, check, context, &is_current, err);
    } while (status != KITH_OK && !is_current);
    return status;
}

/* The derived files of a view, as far as they were opened. */
static kith_status verify_derived(kith_collection *collection, kith_view *view,
                                  kith_error *err)
{
    const kstore_settings *settings = &collection->settings;
    kith_status status = KITH_OK;
    if (view->codes != NULL) {
        char *path = kith_derived_path(view->generation, view->codes->name);
        kidx_codes *codes = NULL;
        status = path != NULL ? kidx_codes_open(path, settings->fingerprint, settings->dim,
                                                &codes, err)
                              : kbase_fail_memory(err, sizeof(view->codes->name));
        if (status == KITH_OK) {
            status = kidx_codes_verify(codes, err);
        }
        kidx_codes_close(codes);
        free(path);
    }
    if (status == KITH_OK) {
        status = kith_fields_verify(view, err);
    }
    if (status == KITH_OK && view->ann != NULL) {
        status = kith_view_load_ann(collection, view, err);
    }
    return status;
}

static kith_status verify(kith_collection *collection, const kstore_snapshot *snapshot,
                          kith_view *view, void *context, kith_error *err)
{
    (void)context;
    kith_status status = kstore_verify(snapshot, err);
    return status == KITH_OK ? verify_derived(collection, view, err) : status;
}

kith_status kith_collection_verify(kith_collection *collection, kith_error *err)
{
    return with_view(collection, verify, NULL, err);
}

typedef struct measurement {
    kith_measure_opts opts;
    kidx_recall_table table;
} measurement;

static kith_status measure(kith_collection *collection, const kstore_snapshot *snapshot,
                           kith_view *view, void *context, kith_error *err)
{
    measurement *m = context;
    struct timespec now;
    (void)snapshot;
    if (view->ann == NULL) {
        return kbase_fail(err, KITH_NOT_FOUND,
                          "collection %s has no approximate index: every answer is exact",
                          collection->path);
    }
    kith_status status = kith_view_load_ann(collection, view, err);
    if (status != KITH_OK) {
        return status;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    const uint64_t seed = (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec;
    kbase_pool *pool = kith_pool_take(collection);
    status = kidx_ann_measure(view->ann->ann, collection->isa, pool, &view->rows,
                              m->opts.n_queries, seed, m->opts.progress, m->opts.context,
                              &m->table, err);
    kith_pool_give_back(collection, pool);
    return status;
}

kith_status kith_collection_measure_recall(kith_collection *collection,
                                           const kith_measure_opts *opts,
                                           kith_recall_point *points, size_t *n_points,
                                           kith_error *err)
{
    measurement m = { .opts = KITH_MEASURE_OPTS_INIT };
    kith_status status =
        kith_take_opts(&m.opts, sizeof(m.opts), opts, "kith_measure_opts", err);
    if (status == KITH_OK && (m.opts.n_queries < 1 || m.opts.n_queries > 1000000)) {
        status = kbase_fail(err, KITH_INVALID,
                            "%u queries to measure recall with: 1 to 1000000 are possible",
                            m.opts.n_queries);
    }
    if (status == KITH_OK) {
        status = with_view(collection, measure, &m, err);
    }
    for (uint32_t i = 0; i < m.table.n_points && status == KITH_OK; i++) {
        const kidx_recall_point *p = &m.table.points[i];
        points[i] = (kith_recall_point){ p->k, p->nprobe, p->recall };
    }
    *n_points = status == KITH_OK ? m.table.n_points : 0;
    return status;
}
