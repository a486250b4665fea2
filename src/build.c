/* Building what is derived from the rows, and making it current. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "file.h"
#include "filter.h"
#include "opts.h"
#include "writer.h"

/* Below this many rows a filter reads the records themselves. */
#define FIELDS_ROWS 2000
/* Rows without postings are read by each process that filters, some microseconds each: an
 * eighth of the others is where new ones pay. */
#define FIELDS_GROWTH 8
/* Below this many rows a scan of the rows themselves takes no time worth saving. */
#define CODES_ROWS 10000
/* Below this many rows an exact search takes some two milliseconds on one thread
 * (docs/benchmarks.md): nothing that a lower recall would be worth. */
#define AUTO_ROWS 100000
/* Rows that a derived file does not cover are scanned: a quarter of those that it does is
 * where a new one pays. */
#define AUTO_GROWTH 4

static kith_status current_view(kith_writer *writer, kith_view **view, kith_error *err)
{
    kith_reading reading = { writer->generation, NULL };
    kith_status status =
        kstore_snapshot_begin(writer->generation->store, &reading.snapshot, err);
    if (status == KITH_OK) {
        status = kith_view_acquire(writer->collection, &reading, view, err);
    }
    kstore_snapshot_end(reading.snapshot);
    return status;
}

static bool has_outgrown(const kith_view *view, uint64_t covers)
{
    return view->rows.n_rows - covers > covers / AUTO_GROWTH;
}

static bool codes_are_wanted(const kith_view *view)
{
    const kidx_codes *codes = view->rows.codes;
    return view->n_passages >= CODES_ROWS &&
           (codes == NULL || has_outgrown(view, kidx_codes_covers(codes)));
}

static bool fields_are_wanted(kith_collection *collection, kith_view *view)
{
    uint64_t covers = kith_fields_covers(collection, view, NULL);
    return view->n_passages >= FIELDS_ROWS &&
           (covers == 0 || view->rows.n_rows - covers > covers / FIELDS_GROWTH);
}

static bool ann_is_wanted(kith_collection *collection, const kith_view *view,
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
    const kidx_ann_info *info = kith_view_ann_info(collection, view, &loaded);
    return info == NULL || has_outgrown(view, info->covers);
}

/* Make a finished file the current one of its kind; the former is removed once nothing
 * names it. */
static kith_status publish(const kith_generation *generation, kstore_derived_kind kind,
                           const char *name, const char *former, kith_error *err)
{
    kstore_batch *batch = NULL;
    kith_status status = kstore_batch_begin(generation->store, &batch, err);
    if (status == KITH_OK) {
        status = kstore_batch_set_derived(batch, kind, name, err);
        if (status == KITH_OK) {
            status = kstore_batch_commit(batch, err);
        } else {
            kstore_batch_abort(batch);
        }
    }
    if (status == KITH_OK && former != NULL && strcmp(former, name) != 0) {
        char *path = kith_derived_path(generation, former);
        if (path != NULL) {
            unlink(path); /* a file that stays behind does no harm */
        }
        free(path);
    }
    return status;
}

static kith_status write_codes(kith_collection *collection, kbase_pool *pool,
                               const kith_view *view, const char *path, kith_error *err)
{
    return kidx_codes_build(collection->isa, pool, &view->rows, path,
                            collection->settings.fingerprint, err);
}

static kith_status write_ann(kith_collection *collection, kbase_pool *pool,
                             const kith_view *view, const kith_build_opts *opts,
                             const char *path, kith_error *err)
{
    kidx_ann *ann = NULL;
    kith_status status = kidx_ann_build(collection->isa, pool, &view->rows, opts->factory,
                                        opts->progress, opts->context, &ann, err);
    if (status == KITH_OK) {
        status = kidx_ann_save(ann, path, collection->settings.fingerprint, err);
    }
    kidx_ann_free(ann);
    return status;
}

/* Write a derived file of a view, and make it current. */
static kith_status build(kith_writer *writer, const kith_view *view,
                         kstore_derived_kind kind, const kith_build_opts *opts,
                         kith_error *err)
{
    kith_collection *collection = writer->collection;
    const bool is_ann = kind == KSTORE_DERIVED_ANN;
    const char *former = NULL;
    char name[KSTORE_DERIVED_BYTES];
    if (is_ann) {
        former = view->ann != NULL ? view->ann->name : NULL;
    } else {
        former = view->codes != NULL ? view->codes->name : NULL;
    }
    snprintf(name, sizeof(name), "%s-%llu", is_ann ? "ann" : "codes",
             (unsigned long long)view->transaction);
    char *path = kith_derived_path(writer->generation, name);
    if (path == NULL) {
        return kbase_fail_memory(err, sizeof(name));
    }
    kbase_pool *pool = kith_pool_take(collection);
    kith_status status = is_ann ? write_ann(collection, pool, view, opts, path, err)
                                : write_codes(collection, pool, view, path, err);
    kith_pool_give_back(collection, pool);
    if (status == KITH_OK) {
        status = publish(writer->generation, kind, name, former, err);
        if (status != KITH_OK) {
            unlink(path);
        }
    }
    free(path);
    return status;
}

/* Postings of a view: the checksum in the name of their file binds it to the collection. */
static kith_status build_fields(const kith_writer *writer, const kith_view *view,
                                kith_error *err)
{
    const kith_generation *generation = writer->generation;
    kbase_buffer content = KBASE_BUFFER_INIT;
    kstore_snapshot *snapshot = NULL;
    char name[KSTORE_DERIVED_BYTES];
    char *path = NULL;
    kith_status status = kstore_snapshot_begin(generation->store, &snapshot, err);
    if (status == KITH_OK) {
        status = kith_fields_make(view, snapshot, 0, &content, err);
    }
    kstore_snapshot_end(snapshot);
    if (status == KITH_OK) {
        snprintf(name, sizeof(name), "fields-%llu-%016llx",
                 (unsigned long long)view->transaction,
                 (unsigned long long)kfil_content_checksum(&content));
        path = kith_derived_path(generation, name);
        status = path != NULL
                     ? kbase_write_whole(path, content.data, content.n_bytes, err)
                     : kbase_fail_memory(err, sizeof(name));
    }
    kbase_buffer_free(&content);
    if (status == KITH_OK) {
        status = publish(generation, KSTORE_DERIVED_FIELDS, name, kith_fields_name(view),
                         err);
        if (status != KITH_OK) {
            unlink(path);
        }
    }
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
    kith_view *view = NULL;
    if (status == KITH_OK) {
        status = kith_check_process(collection, err);
    }
    if (status == KITH_OK) {
        status = current_view(writer, &view, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    const bool wanted = ann_is_wanted(collection, view, &complete);
    if (fields_are_wanted(collection, view)) {
        status = build_fields(writer, view, err);
    }
    if (status == KITH_OK && codes_are_wanted(view)) {
        status = build(writer, view, KSTORE_DERIVED_CODES, &complete, err);
    }
    if (status == KITH_OK && wanted) {
        status = build(writer, view, KSTORE_DERIVED_ANN, &complete, err);
    }
    kith_view_release(collection, view);
    if (status == KITH_OK && built != NULL) {
        *built = wanted;
    }
    return status;
}
