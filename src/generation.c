/* Generations in memory: which one counts, and who still works with a former one. */
#include <stdlib.h>
#include <string.h>

#include "collection.h"
#include "error.h"

/* Open what a line of CURRENT names; takes the line over. */
static kith_status open_named(const char *path, kith_current *current, bool read_only,
                              kith_generation **out, kith_error *err)
{
    kith_generation *generation = calloc(1, sizeof(*generation));
    if (generation == NULL) {
        kith_current_close(current);
        return kbase_fail_memory(err, sizeof(*generation));
    }
    generation->n_references = 1;
    generation->current = *current;
    generation->path = kith_generation_path(path, current->number);
    kith_status status =
        generation->path != NULL
            ? kstore_open(generation->path, read_only, &generation->store, err)
            : kbase_fail_memory(err, strlen(path) + 16);
    if (status != KITH_OK) {
        kith_generation_free(generation);
        return status;
    }
    *out = generation;
    return KITH_OK;
}

/* A generation is removed after CURRENT has stopped to name it. So a failure counts only
 * while CURRENT is what it was before. */
kith_status kith_generation_open(const char *path, bool read_only, kith_generation **out,
                                 kith_error *err)
{
    for (;;) {
        kith_current current = KITH_CURRENT_INIT;
        kith_current now = KITH_CURRENT_INIT;
        kith_status status = kith_current_read(path, &current, err);
        if (status != KITH_OK) {
            return status;
        }
        const unsigned number = current.number;
        status = open_named(path, &current, read_only, out, err);
        if (status == KITH_OK || kith_current_read(path, &now, NULL) != KITH_OK ||
            now.number == number) {
            kith_current_close(&now);
            return status;
        }
        kith_current_close(&now);
    }
}

void kith_generation_free(kith_generation *generation)
{
    if (generation == NULL) {
        return;
    }
    kith_view_free(generation->view);
    kstore_close(generation->store);
    kith_current_close(&generation->current);
    free(generation->path);
    free(generation);
}

/* ------------------------------------------------------------------ sharing */

/* The collection's mutex is held. */
static kith_status replace(kith_collection *collection, kith_error *err)
{
    kith_generation *made = NULL;
    kith_status status =
        kith_generation_open(collection->path, collection->read_only, &made, err);
    if (status != KITH_OK) {
        return status;
    }
    const kstore_settings *settings = kstore_get_settings(made->store);
    if (settings->dim != collection->settings.dim ||
        strcmp(settings->fingerprint, collection->settings.fingerprint) != 0) {
        kith_generation_free(made);
        return kbase_fail(err, KITH_MISMATCH, "collection %s was replaced by one of "
                          "another model while it was open: open it again",
                          collection->path);
    }
    collection->generation = made;
    return KITH_OK;
}

kith_status kith_generation_acquire(kith_collection *collection, kith_generation **out,
                                    kith_error *err)
{
    kith_status status = KITH_OK;
    pthread_mutex_lock(&collection->mutex);
    kith_generation *former = collection->generation;
    if (!kith_current_is_same(&former->current)) {
        status = replace(collection, err);
    }
    if (status == KITH_OK) {
        *out = collection->generation;
        (*out)->n_references++;
    }
    bool is_replaced = former != collection->generation;
    pthread_mutex_unlock(&collection->mutex);
    if (is_replaced) {
        kith_generation_release(collection, former);
    }
    return status;
}

void kith_generation_release(kith_collection *collection, kith_generation *generation)
{
    if (generation == NULL) {
        return;
    }
    pthread_mutex_lock(&collection->mutex);
    bool is_last = --generation->n_references == 0;
    pthread_mutex_unlock(&collection->mutex);
    if (is_last) {
        kith_generation_free(generation);
    }
}

kith_status kith_read_begin(kith_collection *collection, kith_reading *reading,
                            kith_error *err)
{
    *reading = (kith_reading){ NULL, NULL };
    kith_status status = kith_generation_acquire(collection, &reading->generation, err);
    if (status == KITH_OK) {
        status = kstore_snapshot_begin(reading->generation->store, &reading->snapshot,
                                       err);
    }
    if (status != KITH_OK) {
        kith_read_end(collection, reading);
    }
    return status;
}

void kith_read_end(kith_collection *collection, kith_reading *reading)
{
    kstore_snapshot_end(reading->snapshot);
    kith_generation_release(collection, reading->generation);
    *reading = (kith_reading){ NULL, NULL };
}
