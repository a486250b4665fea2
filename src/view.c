/* The view: a committed state of the store, made ready for searching and shared by all
 * searches until the store changes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collection.h"
#include "error.h"
#include "file.h"
#include "filter.h"

char *kith_derived_path(const kith_generation *generation, const char *name)
{
    char *folder = kbase_path_join(generation->path, "derived");
    char *path = folder != NULL ? kbase_path_join(folder, name) : NULL;
    free(folder);
    return path;
}

/* ------------------------------------------------------------------ slots */

static void note_problem(char problem[128], const kith_error *error)
{
    snprintf(problem, 128, "%.127s", error->message);
}

static void release_slot(kith_derived_slot *slot)
{
    if (slot != NULL && --slot->n_references == 0) {
        kidx_ann_free(slot->ann);
        kidx_codes_close(slot->codes);
        free(slot);
    }
}

/* Look into the file of a new slot. Without codes the rows are scanned, and the next build
 * makes new ones. */
static kith_status open_slot(const kith_collection *collection,
                             const kith_generation *generation, kstore_derived_kind kind,
                             kith_derived_slot *slot, kith_error *err)
{
    const kstore_settings *settings = &collection->settings;
    char *path = kith_derived_path(generation, slot->name);
    kith_error problem;
    if (path == NULL) {
        return kbase_fail_memory(err, sizeof(slot->name));
    }
    kith_status status =
        kind == KSTORE_DERIVED_ANN
            ? kidx_ann_peek(path, settings->fingerprint, settings->dim, &slot->info,
                            &problem)
            : kidx_codes_open(path, settings->fingerprint, settings->dim, &slot->codes,
                              &problem);
    if (status != KITH_OK) {
        note_problem(slot->problem, &problem);
    }
    free(path);
    return KITH_OK;
}

/* The slot of the file of a kind that the snapshot names, NULL if it names none: the
 * present view's when it is the same file. */
static kith_status find_slot(const kith_collection *collection,
                             const kith_generation *generation,
                             const kstore_snapshot *snapshot, kstore_derived_kind kind,
                             kith_derived_slot *present, kith_derived_slot **out,
                             kith_error *err)
{
    char name[KSTORE_DERIVED_BYTES];
    kith_status status = kstore_get_derived(snapshot, kind, name, err);
    if (status != KITH_OK || name[0] == '\0') {
        return status;
    }
    if (present != NULL && strcmp(present->name, name) == 0) {
        present->n_references++;
        *out = present;
        return KITH_OK;
    }
    kith_derived_slot *slot = kbase_calloc(1, sizeof(*slot));
    if (slot == NULL) {
        return kbase_fail_memory(err, sizeof(*slot));
    }
    slot->n_references = 1;
    memcpy(slot->name, name, sizeof(name));
    status = open_slot(collection, generation, kind, slot, err);
    if (status != KITH_OK) {
        release_slot(slot);
        return status;
    }
    *out = slot;
    return KITH_OK;
}

/* The slots of the files that the snapshot names. */
static kith_status find_derived(kith_collection *collection,
                                const kstore_snapshot *snapshot, kith_view *view,
                                kith_error *err)
{
    const kith_generation *generation = view->generation;
    const kith_view *present = generation->view;
    char name[KSTORE_DERIVED_BYTES];
    kith_status status =
        find_slot(collection, generation, snapshot, KSTORE_DERIVED_ANN,
                  present != NULL ? present->ann : NULL, &view->ann, err);
    if (status == KITH_OK) {
        status = find_slot(collection, generation, snapshot, KSTORE_DERIVED_CODES,
                           present != NULL ? present->codes : NULL, &view->codes, err);
    }
    if (view->codes != NULL) {
        view->rows.codes = view->codes->codes;
    }
    if (status == KITH_OK) {
        status = kstore_get_derived(snapshot, KSTORE_DERIVED_FIELDS, name, err);
    }
    return status == KITH_OK ? kith_fields_attach(name, view, err) : status;
}

const kidx_ann_info *kith_view_ann_info(kith_collection *collection, const kith_view *view,
                                        bool *loaded)
{
    const kidx_ann_info *info = NULL;
    *loaded = false;
    if (view->ann != NULL) {
        pthread_mutex_lock(&collection->load_mutex);
        *loaded = view->ann->ann != NULL;
        info = view->ann->problem[0] == '\0' ? &view->ann->info : NULL;
        pthread_mutex_unlock(&collection->load_mutex);
    }
    return info;
}

kith_status kith_view_load_ann(kith_collection *collection, kith_view *view,
                               kith_error *err)
{
    kith_derived_slot *slot = view->ann;
    kith_status status = KITH_OK;
    pthread_mutex_lock(&collection->load_mutex);
    if (slot->problem[0] != '\0') {
        status = kbase_fail(err, KITH_CORRUPT, "%s", slot->problem);
    } else if (slot->ann == NULL) {
        const kstore_settings *settings = &collection->settings;
        char *path = kith_derived_path(view->generation, slot->name);
        kith_error problem = { KITH_NOMEM, 0, "out of memory" };
        kidx_ann *ann = NULL;
        status = path != NULL ? kidx_ann_load(path, settings->fingerprint, settings->dim,
                                              &ann, &problem)
                              : KITH_NOMEM;
        free(path);
        if (status == KITH_OK) {
            slot->ann = ann;
        } else {
            note_problem(slot->problem, &problem);
            kbase_fail(err, status, "%s", problem.message);
        }
    }
    pthread_mutex_unlock(&collection->load_mutex);
    return status;
}

/* ------------------------------------------------------------------ views */

void kith_view_free(kith_view *view)
{
    if (view != NULL) {
        release_slot(view->ann);
        release_slot(view->codes);
        kith_fields_detach(view);
        free(view->dead);
        free(view);
    }
}

void kith_view_release(kith_collection *collection, kith_view *view)
{
    pthread_mutex_lock(&collection->mutex);
    if (--view->n_references == 0) {
        kith_view_free(view);
    }
    pthread_mutex_unlock(&collection->mutex);
}

static kith_status make_view(kith_collection *collection, const kith_reading *reading,
                             kith_view **out, kith_error *err)
{
    const kstore_snapshot *snapshot = reading->snapshot;
    kith_view *view = calloc(1, sizeof(*view));
    if (view == NULL) {
        return kbase_fail_memory(err, sizeof(*view));
    }
    view->generation = reading->generation;
    view->transaction = kstore_transaction(snapshot);
    view->n_records = kstore_n_records(snapshot);
    view->n_passages = kstore_n_passages(snapshot);
    kstore_vectors vectors;
    kith_status status = kstore_map_vectors(snapshot, &vectors, err);
    if (status == KITH_OK) {
        view->rows = (kidx_rows){ vectors.data, vectors.stride,
                                  collection->settings.dim, vectors.n_rows, NULL, NULL };
        if (view->n_passages < vectors.n_rows) {
            view->dead = kbase_calloc((vectors.n_rows + 63) / 64, sizeof(*view->dead));
            status = view->dead != NULL
                         ? kstore_read_dead(snapshot, view->dead, err)
                         : kbase_fail_memory(err, vectors.n_rows / 8);
            view->rows.dead = view->dead;
        }
    }
    if (status == KITH_OK) {
        status = find_derived(collection, snapshot, view, err);
    }
    if (status != KITH_OK) {
        kith_view_free(view);
        return status;
    }
    *out = view;
    return KITH_OK;
}

kith_status kith_view_acquire(kith_collection *collection, const kith_reading *reading,
                              kith_view **out, kith_error *err)
{
    kith_generation *generation = reading->generation;
    kith_status status = KITH_OK;
    pthread_mutex_lock(&collection->mutex);
    kith_view *view = generation->view;
    uint64_t wanted = kstore_transaction(reading->snapshot);
    if (view == NULL || view->transaction != wanted) {
        kith_view *made = NULL;
        status = make_view(collection, reading, &made, err);
        if (status == KITH_OK && (view == NULL || view->transaction < wanted)) {
            if (view != NULL && --view->n_references == 0) {
                kith_view_free(view);
            }
            made->n_references = 1; /* the generation's own */
            generation->view = made;
        }
        view = made;
    }
    if (status == KITH_OK) {
        view->n_references++;
        *out = view;
    }
    pthread_mutex_unlock(&collection->mutex);
    return status;
}

kbase_pool *kith_pool_take(kith_collection *collection)
{
    return pthread_mutex_trylock(&collection->pool_mutex) == 0 ? collection->pool : NULL;
}

void kith_pool_give_back(kith_collection *collection, kbase_pool *pool)
{
    if (pool != NULL) {
        pthread_mutex_unlock(&collection->pool_mutex);
    }
}
