/* Building the approximate index and making it current. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "opts.h"
#include "writer.h"

/* Below this many rows an exact scan is faster than anything else. */
#define AUTO_ROWS 20000
/* Rows that an index does not cover are scanned: a quarter of those that it does is
 * where a new index pays. */
#define AUTO_GROWTH 4

/* What a build works on; the view keeps the rows mapped. */
static kith_status current_view(kith_collection *collection, kith_view **view,
                                char derived[64], kith_error *err)
{
    kstore_snapshot *snapshot = NULL;
    kith_status status = kstore_snapshot_begin(collection->store, &snapshot, err);
    if (status == KITH_OK) {
        status = kstore_get_derived(snapshot, derived, err);
    }
    if (status == KITH_OK) {
        status = kith_view_acquire(collection, snapshot, view, err);
    }
    kstore_snapshot_end(snapshot);
    return status;
}

static bool is_wanted(const kith_collection *collection, const kith_view *view,
                      const kith_build_opts *opts)
{
    bool loaded;
    if (opts->ann != KITH_ANN_AUTO) {
        return opts->ann == KITH_ANN_ALWAYS &&
               (opts->factory != NULL || view->n_passages >= KIDX_ANN_MIN_ROWS);
    }
    if (view->n_passages < AUTO_ROWS) {
        return false;
    }
    const kidx_ann_info *info =
        kith_view_ann_info((kith_collection *)(uintptr_t)collection, view, &loaded);
    return info == NULL || view->rows.n_rows - info->covers > info->covers / AUTO_GROWTH;
}

/* Make a finished file the current one; the former is removed once nothing names it. */
static kith_status publish(kith_collection *collection, const char *name,
                           const char *former, kith_error *err)
{
    kstore_batch *batch = NULL;
    kith_status status = kstore_batch_begin(collection->store, &batch, err);
    if (status == KITH_OK) {
        status = kstore_batch_set_derived(batch, name, err);
        if (status == KITH_OK) {
            status = kstore_batch_commit(batch, err);
        } else {
            kstore_batch_abort(batch);
        }
    }
    if (status == KITH_OK && former[0] != '\0' && strcmp(former, name) != 0) {
        char *path = kith_derived_path(collection, former);
        if (path != NULL) {
            unlink(path); /* a file that stays behind does no harm */
        }
        free(path);
    }
    return status;
}

static kith_status build(kith_collection *collection, const kith_view *view,
                         const kith_build_opts *opts, const char *former, kith_error *err)
{
    char name[64];
    kidx_ann *ann = NULL;
    snprintf(name, sizeof(name), "ann-%llu", (unsigned long long)view->transaction);
    char *path = kith_derived_path(collection, name);
    if (path == NULL) {
        return kbase_fail_memory(err, sizeof(name));
    }
    kbase_pool *pool = kith_pool_take(collection);
    kith_status status = kidx_ann_build(collection->isa, pool, &view->rows, opts->factory,
                                        opts->progress, opts->context, &ann, err);
    kith_pool_give_back(collection, pool);
    if (status == KITH_OK) {
        status = kidx_ann_save(ann, path, kstore_get_settings(collection->store)->fingerprint,
                               err);
    }
    if (status == KITH_OK) {
        status = publish(collection, name, former, err);
        if (status != KITH_OK) {
            unlink(path);
        }
    }
    kidx_ann_free(ann);
    free(path);
    return status;
}

kith_status kith_writer_build_index(kith_writer *writer, const kith_build_opts *opts,
                                    bool *built, kith_error *err)
{
    kith_build_opts complete = KITH_BUILD_OPTS_INIT;
    kith_collection *collection = writer->collection;
    kith_status status = kith_take_opts(&complete, sizeof(complete), opts,
                                        "kith_build_opts", err);
    char former[64];
    kith_view *view = NULL;
    if (status == KITH_OK) {
        status = kith_check_process(collection, err);
    }
    if (status == KITH_OK) {
        status = current_view(collection, &view, former, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    bool wanted = is_wanted(collection, view, &complete);
    if (wanted) {
        status = build(collection, view, &complete, former, err);
    }
    kith_view_release(collection, view);
    if (status == KITH_OK && built != NULL) {
        *built = wanted;
    }
    return status;
}
