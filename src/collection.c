/* Opening, making and watching a collection: the folder NAME.kith. */
#include "collection.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checksum.h"
#include "error.h"
#include "opts.h"
#include "file.h"
#include "filter.h"

#define FIRST_GENERATION "g000001"
#define MAX_CURRENT_BYTES 256

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
    const char *name = kstore_get_settings(collection->store)->model;
    return kbase_fail(err, KITH_INVALID, "collection %s was %s without a model: %s",
                      collection->path, name[0] == '\0' ? "made" : "opened", why);
}

/* ------------------------------------------------------------------ CURRENT */

/* "kith 0 g000001 " and the XXH3-64 of what stands before it. */
static void format_current(const char *generation, char *line, size_t n_bytes)
{
    char body[64];
    snprintf(body, sizeof(body), "kith 0 %s ", generation);
    snprintf(line, n_bytes, "%s%016llx\n", body,
             (unsigned long long)kbase_hash64(body, strlen(body)));
}

/* "g" and six digits: a folder in the collection, and never a way out of it. */
static bool is_generation(const char *name)
{
    return name[0] == 'g' && strlen(name) == 7 && strspn(name + 1, "0123456789") == 6;
}

/* The path of the generation that CURRENT names, allocated. */
static kith_status read_current(const char *path, char **generation, kith_error *err)
{
    char *current = kbase_path_join(path, "CURRENT");
    if (current == NULL) {
        return kbase_fail_memory(err, strlen(path) + 16);
    }
    kbase_buffer content = KBASE_BUFFER_INIT;
    kith_error problem;
    kith_status status = kbase_read_whole(current, MAX_CURRENT_BYTES, &content, &problem);
    free(current);
    if (status == KITH_NOT_FOUND) {
        return kbase_fail(err, KITH_NOT_FOUND, "there is no collection %s: make it with "
                          "`kith index`", path);
    }
    if (status != KITH_OK) {
        return kbase_fail(err, status, "%s", problem.message);
    }
    unsigned version = 0;
    char name[32] = "";
    char expected[MAX_CURRENT_BYTES];
    int n = sscanf(content.data, "kith %u %31s", &version, name);
    format_current(name, expected, sizeof(expected));
    if (n == 2 && version != 0) {
        status = kbase_fail(err, KITH_VERSION, "collection %s has format version %u, this "
                            "kith reads version 0", path, version);
    } else if (n != 2 || !is_generation(name) || strcmp(content.data, expected) != 0) {
        status = kbase_fail(err, KITH_CORRUPT, "%s/CURRENT is damaged: restore it from a "
                            "backup, or write the line that docs/format.md gives", path);
    } else {
        *generation = kbase_path_join(path, name);
        if (*generation == NULL) {
            status = kbase_fail_memory(err, strlen(path) + sizeof(name));
        }
    }
    kbase_buffer_free(&content);
    return status;
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
            strcmp(name, "writer.lock") != 0 && strcmp(name, FIRST_GENERATION) != 0 &&
            strncmp(name, "CURRENT", 7) != 0) {
            status = kbase_fail(err, KITH_INVALID, "folder %s is no collection and not "
                                "empty (%.64s is in it): give another name", path, name);
        }
    }
    closedir(folder);
    return status;
}

/* Remove the files of a generation whose creation was interrupted. */
static void sweep(const char *generation)
{
    static const char *const names[] = { "data.mdb", "lock.mdb", "vectors", "derived" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = kbase_path_join(generation, names[i]);
        if (path != NULL && unlink(path) != 0 && errno == EISDIR) {
            rmdir(path);
        }
        free(path);
    }
    rmdir(generation);
}

static kith_status make_folder(const char *path, kith_error *err)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        return kbase_fail_errno(err, errno, "cannot make folder %s", path);
    }
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

static kith_status fill_generation(const char *generation,
                                   const kstore_settings *settings, kith_error *err)
{
    sweep(generation);
    kith_status status = make_folder(generation, err);
    if (status == KITH_OK) {
        status = kstore_create(generation, settings, err);
    }
    char *derived = kbase_path_join(generation, "derived");
    if (status == KITH_OK) {
        status = derived != NULL ? make_folder(derived, err)
                                 : kbase_fail_memory(err, strlen(generation) + 16);
    }
    if (status == KITH_OK) {
        status = kbase_sync_parent(derived, err);
    }
    free(derived);
    return status;
}

/* Under the writer's lock, so that two creations do not meet. CURRENT comes last: without
 * it there is no collection. */
static kith_status create(const char *path, const kstore_settings *settings,
                          kith_error *err)
{
    kstore_lock *lock = NULL;
    int64_t holder;
    char line[MAX_CURRENT_BYTES];
    char *existing = NULL;
    char *current = kbase_path_join(path, "CURRENT");
    char *generation = kbase_path_join(path, FIRST_GENERATION);
    kith_status status = current != NULL && generation != NULL
                             ? make_folder(path, err)
                             : kbase_fail_memory(err, strlen(path) + 16);
    if (status == KITH_OK) {
        status = check_vacant(path, err);
    }
    if (status == KITH_OK) {
        status = kstore_lock_try(path, &lock, &holder, err);
    }
    if (status == KITH_OK && read_current(path, &existing, NULL) == KITH_NOT_FOUND) {
        status = fill_generation(generation, settings, err);
        if (status == KITH_OK) {
            format_current(FIRST_GENERATION, line, sizeof(line));
            status = kbase_write_whole(current, line, strlen(line), err);
        }
        if (status == KITH_OK) {
            status = kbase_sync_parent(path, err);
        }
    }
    kstore_lock_release(lock);
    free(existing);
    free(generation);
    free(current);
    return status;
}

/* ------------------------------------------------------------------ opening */

static kith_status check_model(const kith_collection *collection, kith_error *err)
{
    const kstore_settings *settings = kstore_get_settings(collection->store);
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
    const uint32_t present = kstore_get_settings(collection->store)->dim;
    return dim == 0 || dim == present
               ? KITH_OK
               : kbase_fail(err, KITH_MISMATCH,
                            "collection %s has vectors of %u numbers, not of %u",
                            collection->path, present, dim);
}

static kith_status open_existing(kith_collection *collection, const char *path,
                                 const kith_collection_opts *opts, kith_error *err)
{
    collection->path = strdup(path);
    if (collection->path == NULL) {
        return kbase_fail_memory(err, strlen(path) + 1);
    }
    kith_status status = kbase_isa_choose(opts->cpu, &collection->isa, err);
    if (status == KITH_OK) {
        status = read_current(path, &collection->generation, err);
    }
    if (status == KITH_NOT_FOUND && opts->create &&
        (collection->model != NULL || opts->dim > 0)) {
        const kstore_settings settings = settings_of(collection->model, opts->dim);
        status = create(path, &settings, err);
        if (status == KITH_OK) {
            status = read_current(path, &collection->generation, err);
        }
    }
    if (status == KITH_OK) {
        status = kstore_open(collection->generation, opts->read_only, &collection->store,
                             err);
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
    if (collection->view != NULL) {
        kith_view_release(collection, collection->view);
    }
    if (collection->pid == getpid()) {
        kbase_pool_free(collection->pool);
    }
    kstore_close(collection->store);
    pthread_mutex_destroy(&collection->pool_mutex);
    pthread_mutex_destroy(&collection->filter_mutex);
    pthread_mutex_destroy(&collection->load_mutex);
    pthread_mutex_destroy(&collection->mutex);
    free(collection->generation);
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
    char *generation = NULL;
    kstore *store = NULL;
    kith_status status = read_current(path, &generation, err);
    if (status == KITH_OK) {
        status = kstore_open(generation, true, &store, err);
    }
    if (status == KITH_OK) {
        describe_model(kstore_get_settings(store), model);
    }
    kstore_close(store);
    free(generation);
    return status;
}

/* ------------------------------------------------------------------ facts */

static uint64_t allocated_bytes(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (uint64_t)info.st_blocks * 512 : 0;
}

static uint64_t allocated_below(const char *dir, const char *name)
{
    char *path = kbase_path_join(dir, name);
    DIR *folder = path != NULL ? opendir(path) : NULL;
    uint64_t n_bytes = path != NULL && folder == NULL ? allocated_bytes(path) : 0;
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char *below = entry->d_name[0] != '.' ? kbase_path_join(path, entry->d_name) : NULL;
        n_bytes += below != NULL ? allocated_bytes(below) : 0;
        free(below);
    }
    if (folder != NULL) {
        closedir(folder);
    }
    free(path);
    return n_bytes;
}

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

kith_status kith_collection_get_info(kith_collection *collection,
                                     kith_collection_info *info, kith_error *err)
{
    kith_status status = kith_check_process(collection, err);
    if (status != KITH_OK) {
        return status;
    }
    *info = (kith_collection_info){ 0 };
    describe_model(kstore_get_settings(collection->store), &info->model);
    kstore_snapshot *snapshot = NULL;
    kith_view *view = NULL;
    status = kstore_snapshot_begin(collection->store, &snapshot, err);
    if (status == KITH_OK) {
        status = kith_view_acquire(collection, snapshot, &view, err);
    }
    if (status == KITH_OK) {
        info->n_records = view->n_records;
        info->n_passages = view->n_passages;
        info->n_rows = view->rows.n_rows;
        describe_index(collection, view, info);
        info->fields_covers =
            kith_fields_covers(collection, view, info->fields_problem);
        status = kstore_n_sources(snapshot, &info->n_sources, err);
    }
    if (view != NULL) {
        kith_view_release(collection, view);
    }
    kstore_snapshot_end(snapshot);
    info->bytes_store = allocated_below(collection->generation, "data.mdb");
    info->bytes_vectors = allocated_below(collection->generation, "vectors");
    info->bytes_derived = allocated_below(collection->generation, "derived");
    return status;
}
