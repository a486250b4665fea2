/* Opening, making and watching a collection: the folder NAME.kith. */
#include "collection.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "file.h"
#include "filter.h"
#include "layout.h"
#include "opts.h"

kith_status kith_check_process(const kith_collection *collection, kith_error *err)
{
    if (collection->pid != getpid()) {
        return kbase_fail(err, KITH_INVALID, "collection %s was opened before fork() and "
                          "used behind it: open it anew", collection->path);
    }
    return KITH_OK;
}

kith_status kith_fail_no_model(const kith_collection *collection, const char *why,
                               kith_error *err)
{
    return kbase_fail(err, KITH_INVALID, "collection %s was %s without a model: %s",
                      collection->path,
                      collection->settings.model[0] == '\0' ? "made" : "opened", why);
}

/* ------------------------------------------------------------------ creating */

/* Whether a folder holds nothing but what an interrupted creation leaves. */
static kith_status check_vacant(const char *path, kith_error *err)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return kbase_fail_errno(err, errno, "cannot open folder %s", path);
    }
    const struct dirent *entry;
    kith_status status = KITH_OK;
    while (status == KITH_OK && (entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
            strcmp(name, "writer.lock") != 0 && strcmp(name, "g000001") != 0 &&
            strncmp(name, "CURRENT", 7) != 0) {
            status = kbase_fail(err, KITH_INVALID, "folder %s is no collection and not "
                                "empty (%.64s is in it): give another name", path, name);
        }
    }
    closedir(folder);
    return status;
}

/* Remove what an interrupted creation leaves of a generation, and nothing else. */
static kith_status sweep(const char *path, kith_error *err)
{
    static const char *const names[] = { "data.mdb", "lock.mdb", "vectors", "derived" };
    char *generation = kith_generation_path(path, KITH_FIRST_GENERATION);
    if (generation == NULL) {
        return kbase_fail_memory(err, strlen(path) + 16);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *file = kbase_path_join(generation, names[i]);
        if (file != NULL && unlink(file) != 0 && errno == EISDIR) {
            rmdir(file);
        }
        free(file);
    }
    free(generation);
    return KITH_OK;
}

/* Of a collection to make: without a model its vectors will come from outside. */
static kstore_settings settings_of(const kith_model *model, uint32_t dim)
{
    kstore_settings settings = { .dim = dim };
    if (model != NULL) {
        settings.dim = model->info.dim;
        settings.precision = (uint32_t)model->info.precision;
        snprintf(settings.model, sizeof(settings.model), "%s", model->info.name);
        snprintf(settings.fingerprint, sizeof(settings.fingerprint), "%s",
                 model->info.fingerprint);
    }
    return settings;
}

static kith_status make_first(const char *path, const kstore_settings *settings,
                              kith_error *err)
{
    kith_status status = sweep(path, err);
    if (status == KITH_OK) {
        status = kith_generation_make(path, KITH_FIRST_GENERATION, settings, err);
    }
    if (status == KITH_OK) {
        status = kith_current_write(path, KITH_FIRST_GENERATION, err);
    }
    return status == KITH_OK ? kbase_sync_parent(path, err) : status;
}

/* Under the writer's lock, so that two creations do not meet. CURRENT comes last: without
 * it there is no collection. */
static kith_status create(const char *path, const kstore_settings *settings,
                          kith_error *err)
{
    kstore_lock *lock = NULL;
    int64_t holder;
    kith_current existing = KITH_CURRENT_INIT;
    kith_status status = kbase_make_folder(path, err);
    if (status == KITH_OK) {
        status = check_vacant(path, err);
    }
    if (status == KITH_OK) {
        status = kstore_lock_try(path, &lock, &holder, err);
    }
    if (status == KITH_OK && kith_current_read(path, &existing, NULL) == KITH_NOT_FOUND) {
        status = make_first(path, settings, err);
    }
    kith_current_close(&existing);
    kstore_lock_release(lock);
    return status;
}

/* ------------------------------------------------------------------ opening */

static kith_status check_model(const kith_collection *collection, kith_error *err)
{
    const kstore_settings *settings = &collection->settings;
    const kith_model_info *info = &collection->model->info;
    if (settings->fingerprint[0] == '\0') {
        return kbase_fail(err, KITH_MISMATCH,
                          "collection %s was made without a model, from imported "
                          "vectors: model %s does not go with it",
                          collection->path, info->name);
    }
    if (strcmp(settings->fingerprint, info->fingerprint) != 0) {
        return kbase_fail(err, KITH_MISMATCH, "collection %s was made with model %s "
                          "(fingerprint %.8s...), not with %s (%.8s...): open it with its "
                          "own model, or index anew", collection->path, settings->model,
                          settings->fingerprint, info->name, info->fingerprint);
    }
    return KITH_OK;
}

static kith_status check_dim(const kith_collection *collection, uint32_t dim,
                             kith_error *err)
{
    const uint32_t present = collection->settings.dim;
    return dim == 0 || dim == present
               ? KITH_OK
               : kbase_fail(err, KITH_MISMATCH,
                            "collection %s has vectors of %u numbers, not of %u",
                            collection->path, present, dim);
}

/* CURRENT is looked at again by every operation, wherever the process has gone. */
static kith_status make_absolute(kith_collection *collection, kith_error *err)
{
    char *absolute = realpath(collection->path, NULL);
    if (absolute == NULL) {
        return kbase_fail_errno(err, errno, "cannot open %s", collection->path);
    }
    free(collection->path);
    collection->path = absolute;
    return KITH_OK;
}

static kith_status open_existing(kith_collection *collection, const char *path,
                                 const kith_collection_opts *opts, kith_error *err)
{
    kith_current current = KITH_CURRENT_INIT;
    collection->path = strdup(path);
    if (collection->path == NULL) {
        return kbase_fail_memory(err, strlen(path) + 1);
    }
    kith_status status = kbase_isa_choose(opts->cpu, &collection->isa, err);
    if (status == KITH_OK) {
        status = kith_current_read(path, &current, err);
        kith_current_close(&current);
    }
    if (status == KITH_NOT_FOUND && opts->create &&
        (collection->model != NULL || opts->dim > 0)) {
        const kstore_settings settings = settings_of(collection->model, opts->dim);
        status = create(path, &settings, err);
    }
    if (status == KITH_OK) {
        status = make_absolute(collection, err);
    }
    if (status == KITH_OK) {
        status = kith_generation_open(collection->path, opts->read_only,
                                      &collection->generation, err);
    }
    if (status == KITH_OK) {
        collection->settings = *kstore_get_settings(collection->generation->store);
    }
    if (status == KITH_OK && collection->model != NULL) {
        status = check_model(collection, err);
    }
    if (status == KITH_OK) {
        status = check_dim(collection, opts->dim, err);
    }
    if (status == KITH_OK) {
        status = kbase_pool_new(opts->n_threads, &collection->pool, err);
    }
    return status;
}

kith_status kith_collection_open(const char *path, kith_model *model,
                                 const kith_collection_opts *opts, kith_collection **out,
                                 kith_error *err)
{
    kith_collection_opts complete = KITH_COLLECTION_OPTS_INIT;
    if (path == NULL || path[0] == '\0' || out == NULL) {
        return kbase_fail(err, KITH_INVALID, "the path of a collection is needed");
    }
    kith_status status = kith_take_opts(&complete, sizeof(complete), opts,
                                        "kith_collection_opts", err);
    if (status == KITH_OK && model != NULL) {
        status = kenc_model_check_encodes(model->encoder, err);
    }
    if (status == KITH_OK && model != NULL && complete.dim > 0 &&
        complete.dim != model->info.dim) {
        status = kbase_fail(err, KITH_MISMATCH,
                            "model %s gives vectors of %u numbers, not of %u",
                            model->info.name, model->info.dim, complete.dim);
    }
    if (status == KITH_OK && complete.dim > KSTORE_DIM_MAX) {
        status = kbase_fail(err, KITH_INVALID, "vectors of %u numbers: at most %d are "
                            "possible", complete.dim, KSTORE_DIM_MAX);
    }
    if (status != KITH_OK) {
        return status;
    }
    kith_collection *collection = calloc(1, sizeof(*collection));
    if (collection == NULL) {
        return kbase_fail_memory(err, sizeof(*collection));
    }
    collection->model = model;
    collection->read_only = complete.read_only;
    collection->pid = getpid();
    pthread_mutex_init(&collection->mutex, NULL);
    pthread_mutex_init(&collection->load_mutex, NULL);
    pthread_mutex_init(&collection->filter_mutex, NULL);
    pthread_mutex_init(&collection->pool_mutex, NULL);
    status = open_existing(collection, path, &complete, err);
    if (status != KITH_OK) {
        kith_collection_close(collection);
        return status;
    }
    *out = collection;
    return KITH_OK;
}

void kith_collection_close(kith_collection *collection)
{
    if (collection == NULL) {
        return;
    }
    if (collection->pid == getpid()) {
        kbase_pool_free(collection->pool);
    }
    kith_generation_free(collection->generation);
    pthread_mutex_destroy(&collection->pool_mutex);
    pthread_mutex_destroy(&collection->filter_mutex);
    pthread_mutex_destroy(&collection->load_mutex);
    pthread_mutex_destroy(&collection->mutex);
    free(collection->path);
    free(collection);
}

static void describe_model(const kstore_settings *settings, kith_collection_model *model)
{
    *model = (kith_collection_model){ .dim = settings->dim,
                                      .precision = (kith_precision)settings->precision };
    snprintf(model->name, sizeof(model->name), "%s", settings->model);
    snprintf(model->fingerprint, sizeof(model->fingerprint), "%s", settings->fingerprint);
}

kith_status kith_collection_get_model(const char *path, kith_collection_model *model,
                                      kith_error *err)
{
    kith_generation *generation = NULL;
    kith_status status = kith_generation_open(path, true, &generation, err);
    if (status == KITH_OK) {
        describe_model(kstore_get_settings(generation->store), model);
    }
    kith_generation_free(generation);
    return status;
}

/* ------------------------------------------------------------------ facts */

_Static_assert(KIDX_MAX_POINTS == sizeof(((kith_collection_info *)0)->recall) /
                                      sizeof(kith_recall_point),
               "the public table holds the whole measured one");

static void describe_index(kith_collection *collection, const kith_view *view,
                           kith_collection_info *info)
{
    bool loaded;
    const kidx_ann_info *ann = kith_view_ann_info(collection, view, &loaded);
    snprintf(info->index_kind, sizeof(info->index_kind), "exact");
    if (ann == NULL) {
        if (view->ann != NULL) {
            snprintf(info->index_problem, sizeof(info->index_problem), "%s",
                     view->ann->problem);
        }
        return;
    }
    snprintf(info->index_kind, sizeof(info->index_kind), "%s",
             ann->n_lists > 0 ? "ivf" : "flat");
    snprintf(info->index_factory, sizeof(info->index_factory), "%s", ann->factory);
    info->index_covers = ann->covers;
    info->n_recall = ann->recall.n_points;
    for (uint32_t i = 0; i < ann->recall.n_points; i++) {
        const kidx_recall_point *point = &ann->recall.points[i];
        info->recall[i] = (kith_recall_point){ point->k, point->nprobe, point->recall };
    }
}

static kith_status describe_state(kith_collection *collection,
                                  const kith_reading *reading,
                                  kith_collection_info *info, kith_error *err)
{
    kith_view *view = NULL;
    kith_status status = kith_view_acquire(collection, reading, &view, err);
    if (status != KITH_OK) {
        return status;
    }
    *info = (kith_collection_info){
        .n_records = view->n_records,
        .n_passages = view->n_passages,
        .n_rows = view->rows.n_rows,
        .bytes_store = kith_allocated_bytes(reading->generation->path, "data.mdb"),
        .bytes_vectors = kith_allocated_bytes(reading->generation->path, "vectors"),
        .bytes_derived = kith_allocated_bytes(reading->generation->path, "derived"),
    };
    describe_model(&collection->settings, &info->model);
    describe_index(collection, view, info);
    info->fields_covers = kith_fields_covers(collection, view, info->fields_problem);
    kith_view_release(collection, view);
    return kstore_n_sources(reading->snapshot, &info->n_sources, err);
}

kith_status kith_collection_get_info(kith_collection *collection,
                                     kith_collection_info *info, kith_error *err)
{
    kith_status status = kith_check_process(collection, err);
    if (status != KITH_OK) {
        return status;
    }
    *info = (kith_collection_info){ 0 };
    bool is_current = false;
    while (status == KITH_OK && !is_current) {
        kith_reading reading = { NULL, NULL };
        status = kith_read_begin(collection, &reading, err);
        if (status == KITH_OK) {
            status = describe_state(collection, &reading, info, err);
            /* Else its files may have been removed while they were measured. */
            is_current = kith_current_is_same(&reading.generation->current);
        }
        kith_read_end(collection, &reading);
    }
    return status;
}
