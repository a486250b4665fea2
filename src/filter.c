#include "filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

/* Rows behind all postings that are looked up one by one. From more of them postings are
 * made in memory, which takes twice as long as asking the records once: not by the first
 * filter on a handle, which may be the only one. */
#define TAIL_ROWS 1024

/* Postings in a derived file, or in memory. Shared by the views that use them; the
 * collection's mutex guards what it holds. */
struct kith_fields_slot {
    unsigned n_references;
    char name[64]; /* below derived/; "": in memory */
    kfil_postings *postings; /* NULL: not read yet, or they cannot be used */
    char problem[128];       /* why they cannot be used, or empty */
};

/* ------------------------------------------------------------------ slots */

static void release_slot(kith_fields_slot *slot)
{
    if (slot != NULL && --slot->n_references == 0) {
        kfil_postings_close(slot->postings);
        free(slot);
    }
}

static kith_fields_slot *share(kith_fields_slot *slot)
{
    slot->n_references++;
    return slot;
}

/* One past the last row; 0 when they cannot be used. */
static uint64_t end_of(const kith_fields_slot *slot)
{
    return slot != NULL && slot->postings != NULL && slot->problem[0] == '\0'
               ? kfil_postings_end(slot->postings)
               : 0;
}

kith_status kith_fields_attach(const char *name, kith_view *view, kith_error *err)
{
    const kith_view *former = view->generation->view;
    if (name[0] != '\0' && former != NULL && former->fields != NULL &&
        strcmp(former->fields->name, name) == 0) {
        view->fields = share(former->fields);
    } else if (name[0] != '\0') {
        view->fields = kbase_calloc(1, sizeof(*view->fields));
        if (view->fields == NULL) {
            return kbase_fail_memory(err, sizeof(*view->fields));
        }
        view->fields->n_references = 1;
        snprintf(view->fields->name, sizeof(view->fields->name), "%s", name);
    }
    /* Those of a later state may lack rows that were live in this one. */
    if (former != NULL && former->transaction < view->transaction &&
        former->fields == view->fields && former->recent != NULL &&
        kfil_postings_first(former->recent->postings) == end_of(view->fields) &&
        view->rows.n_rows - end_of(former->recent) <= TAIL_ROWS) {
        view->recent = share(former->recent);
    }
    return KITH_OK;
}

void kith_fields_detach(kith_view *view)
{
    release_slot(view->fields);
    release_slot(view->recent);
}

const char *kith_fields_name(const kith_view *view)
{
    return view->fields != NULL ? view->fields->name : NULL;
}

static void note_problem(kith_collection *collection, kith_fields_slot *slot,
                         const char *message)
{
    pthread_mutex_lock(&collection->mutex);
    snprintf(slot->problem, sizeof(slot->problem), "%.*s", (int)sizeof(slot->problem) - 1,
             message);
    pthread_mutex_unlock(&collection->mutex);
}

/* ------------------------------------------------------------------ the derived file */

/* The checksum at the end of its name binds a file to this collection. */
static kith_status open_stored(const kith_view *view, const char *name,
                               kfil_postings **postings, kith_error *err)
{
    unsigned long long transaction;
    unsigned long long checksum;
    int n_read = 0;
    char *path = kith_derived_path(view->generation, name);
    if (path == NULL) {
        return kbase_fail_memory(err, strlen(name));
    }
    kith_status status =
        sscanf(name, "fields-%llu-%16llx%n", &transaction, &checksum, &n_read) == 2 &&
                name[n_read] == '\0'
            ? kfil_postings_open(path, checksum, postings, err)
            : kbase_fail(err, KITH_CORRUPT, "%s is no name of postings", name);
    free(path);
    return status;
}

kith_status kith_fields_verify(const kith_view *view, kith_error *err)
{
    kfil_postings *postings = NULL;
    kith_status status = KITH_OK;
    if (view->fields != NULL) {
        status = open_stored(view, view->fields->name, &postings, err);
    }
    if (status == KITH_OK && postings != NULL) {
        status = kfil_postings_verify(postings, err);
    }
    kfil_postings_close(postings);
    return status;
}

/* Read the derived file of a view, once. The collection's filter mutex is held. */
static void read_stored(kith_collection *collection, const kith_view *view)
{
    kith_fields_slot *slot = view->fields;
    kfil_postings *postings = NULL;
    kith_error problem = { KITH_OK, 0, "" };
    if (slot == NULL || slot->postings != NULL || slot->problem[0] != '\0') {
        return;
    }
    kith_status status = open_stored(view, slot->name, &postings, &problem);
    if (status == KITH_OK && (kfil_postings_first(postings) != 0 ||
                              kfil_postings_end(postings) > view->rows.n_rows)) {
        snprintf(problem.message, sizeof(problem.message),
                 "%s covers rows that are not there: build the index again", slot->name);
    }
    if (problem.message[0] != '\0') {
        note_problem(collection, slot, problem.message);
    }
    pthread_mutex_lock(&collection->mutex);
    slot->postings = postings;
    pthread_mutex_unlock(&collection->mutex);
}

uint64_t kith_fields_covers(kith_collection *collection, kith_view *view,
                            char problem[128])
{
    pthread_mutex_lock(&collection->filter_mutex);
    read_stored(collection, view);
    pthread_mutex_lock(&collection->mutex);
    uint64_t covers = end_of(view->fields);
    if (problem != NULL) {
        snprintf(problem, 128, "%s", view->fields != NULL ? view->fields->problem : "");
    }
    pthread_mutex_unlock(&collection->mutex);
    pthread_mutex_unlock(&collection->filter_mutex);
    return covers;
}

/* ------------------------------------------------------------------ making postings */

static kith_status read_record(const kstore_snapshot *snapshot, uint64_t row,
                               kfil_record *record, kith_error *err)
{
    kstore_record stored;
    kith_status status = kstore_get(snapshot, row, &stored, err);
    if (status == KITH_OK) {
        *record = (kfil_record){ stored.id, stored.source, stored.title,
                                 stored.metadata };
    }
    return status;
}

kith_status kith_fields_make(const kith_view *view, const kstore_snapshot *snapshot,
                             uint64_t first, kbase_buffer *content, kith_error *err)
{
    kfil_builder *builder = NULL;
    kith_status status = kfil_builder_new(first, &builder, err);
    for (uint64_t row = first; row < view->rows.n_rows && status == KITH_OK; row++) {
        kfil_record record;
        if (kidx_is_dead(&view->rows, row)) {
            continue;
        }
        status = read_record(snapshot, row, &record, err);
        if (status == KITH_OK) {
            status = kfil_builder_add(builder, row, &record, err);
        }
    }
    if (status == KITH_OK) {
        status = kfil_builder_finish(builder, view->rows.n_rows, content, err);
    }
    kfil_builder_free(builder);
    return status;
}

/* Postings in memory for the rows that no file covers, when it pays. The collection's
 * filter mutex is held. */
static kith_status make_recent(kith_collection *collection, kith_view *view,
                               const kstore_snapshot *snapshot, kith_error *err)
{
    pthread_mutex_lock(&collection->mutex);
    const uint64_t first = end_of(view->fields);
    pthread_mutex_unlock(&collection->mutex);
    const bool is_first = !collection->has_filtered;
    collection->has_filtered = true;
    if (view->recent != NULL || is_first || view->rows.n_rows - first <= TAIL_ROWS) {
        return KITH_OK;
    }
    kbase_buffer content = KBASE_BUFFER_INIT;
    kith_fields_slot *slot = kbase_calloc(1, sizeof(*slot));
    if (slot == NULL) {
        return kbase_fail_memory(err, sizeof(*slot));
    }
    slot->n_references = 1;
    kith_status status = kith_fields_make(view, snapshot, first, &content, err);
    if (status == KITH_OK) {
        status = kfil_postings_take(&content, &slot->postings, err);
    }
    kbase_buffer_free(&content);
    if (status != KITH_OK) {
        free(slot);
        return status;
    }
    pthread_mutex_lock(&collection->mutex);
    view->recent = slot;
    pthread_mutex_unlock(&collection->mutex);
    return KITH_OK;
}

/* ------------------------------------------------------------------ rows */

static kith_status check_rows(const kith_view *view, const kstore_snapshot *snapshot,
                              const kfil_where *where, uint64_t first, uint64_t end,
                              uint64_t *bits, kith_error *err)
{
    kith_status status = KITH_OK;
    for (uint64_t row = first; row < end && status == KITH_OK; row++) {
        kfil_record record;
        bool matches = false;
        if (kidx_is_dead(&view->rows, row)) {
            continue;
        }
        status = read_record(snapshot, row, &record, err);
        if (status == KITH_OK) {
            status = kfil_where_matches(where, &record, &matches, err);
        }
        bits[row / 64] |= (uint64_t)matches << (row % 64);
    }
    return status;
}

/* The rows of a slot, from its postings if they are whole. */
static kith_status match_slot(kith_collection *collection, const kith_view *view,
                              const kstore_snapshot *snapshot, const kfil_where *where,
                              kith_fields_slot *slot, uint64_t *bits, kith_error *err)
{
    kith_error problem;
    kith_status status = kfil_postings_match(slot->postings, where, bits, &problem);
    if (status == KITH_CORRUPT) {
        note_problem(collection, slot, problem.message);
        return check_rows(view, snapshot, where, kfil_postings_first(slot->postings),
                          kfil_postings_end(slot->postings), bits, err);
    }
    return status == KITH_OK ? KITH_OK : kbase_fail(err, status, "%s", problem.message);
}

/* Postings in the order of their rows, and the records between and behind them. */
static kith_status match_all(kith_collection *collection, kith_view *view,
                             const kstore_snapshot *snapshot, const kfil_where *where,
                             uint64_t *bits, kith_error *err)
{
    pthread_mutex_lock(&collection->filter_mutex);
    read_stored(collection, view);
    kith_status status = make_recent(collection, view, snapshot, err);
    pthread_mutex_lock(&collection->mutex);
    kith_fields_slot *slots[] = { end_of(view->fields) > 0 ? view->fields : NULL,
                                  view->recent };
    pthread_mutex_unlock(&collection->mutex);
    pthread_mutex_unlock(&collection->filter_mutex);
    uint64_t next = 0;
    for (size_t i = 0; i < 2 && status == KITH_OK; i++) {
        if (slots[i] == NULL) {
            continue;
        }
        status = check_rows(view, snapshot, where, next,
                            kfil_postings_first(slots[i]->postings), bits, err);
        if (status == KITH_OK) {
            status = match_slot(collection, view, snapshot, where, slots[i], bits, err);
        }
        next = kfil_postings_end(slots[i]->postings);
    }
    return status == KITH_OK ? check_rows(view, snapshot, where, next, view->rows.n_rows,
                                          bits, err)
                             : status;
}

kith_status kith_filter_rows(kith_collection *collection, kith_view *view,
                             const kstore_snapshot *snapshot, const kfil_where *where,
                             uint64_t *bits, uint64_t *n, kith_error *err)
{
    kith_status status =
        kfil_postings_suffice(where)
            ? match_all(collection, view, snapshot, where, bits, err)
            : check_rows(view, snapshot, where, 0, view->rows.n_rows, bits, err);
    *n = 0;
    for (uint64_t i = 0; i < (view->rows.n_rows + 63) / 64; i++) {
        bits[i] &= view->dead != NULL ? ~view->dead[i] : UINT64_MAX;
        *n += (uint64_t)__builtin_popcountll(bits[i]);
    }
    return status;
}
