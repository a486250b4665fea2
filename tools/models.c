#include "models.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "cli.h"
#include "text.h"

#define DEFAULT_MODEL "all-MiniLM-L6-v2"
#define ENDING ".kmodel"

const char *models_precision_name(kith_precision precision)
{
    return precision == KITH_PRECISION_INT8   ? "int8"
           : precision == KITH_PRECISION_FP32 ? "fp32"
                                              : "none";
}

const char *models_cpu(void)
{
    const char *cpu = getenv("KITH_CPU");
    return cpu == NULL || cpu[0] == '\0' ? NULL : cpu;
}

char *models_folder(void)
{
    const char *kith_home = getenv("KITH_HOME");
    const char *home = getenv("HOME");
    if (kith_home != NULL && kith_home[0] != '\0') {
        return format_string("%s/models", kith_home);
    }
    if (home != NULL && home[0] != '\0') {
        return format_string("%s/.local/share/kith/models", home);
    }
    message("neither KITH_HOME nor HOME is set: models cannot be found");
    return NULL;
}

static int is_model(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && has_ending(entry->d_name, ENDING);
}

char **models_paths(const char *folder, size_t *n_paths)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_model, alphasort);
    *n_paths = n < 0 ? 0 : (size_t)n;
    char **paths = allocate(*n_paths, sizeof(paths[0]));
    for (size_t i = 0; i < *n_paths; i++) {
        paths[i] = format_string("%s/%s", folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return paths;
}

void models_free_paths(char **paths, size_t n_paths)
{
    for (size_t i = 0; i < n_paths; i++) {
        free(paths[i]);
    }
    free(paths);
}

/* The path of a model by name or path; NULL when there is no home. */
static char *path_of(const char *name)
{
    if (strchr(name, '/') != NULL || has_ending(name, ENDING)) {
        return copy_string(name);
    }
    char *folder = models_folder();
    char *path = folder == NULL ? NULL : format_string("%s/%s" ENDING, folder, name);
    free(folder);
    return path;
}

/* The default model, or the only one; NULL is reported. */
static char *default_path(void)
{
    char *folder = models_folder();
    if (folder == NULL) {
        return NULL;
    }
    size_t n_paths;
    char **paths = models_paths(folder, &n_paths);
    char *path = format_string("%s/" DEFAULT_MODEL ENDING, folder);
    if (access(path, F_OK) != 0) {
        free(path);
        path = n_paths == 1 ? copy_string(paths[0]) : NULL;
        if (n_paths == 0) {
            message("there is no model in %s: make one with 'kith model import FOLDER'",
                    folder);
        } else if (n_paths > 1) {
            message("%s holds several models, none of them called " DEFAULT_MODEL
                    ": choose one with --model ('kith model list')", folder);
        }
    }
    models_free_paths(paths, n_paths);
    free(folder);
    return path;
}

static kith_status open_path(const char *path, kith_precision precision,
                             uint32_t n_threads, kith_model **model, kith_error *err)
{
    kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    opts.precision = precision;
    opts.n_threads = n_threads;
    opts.cpu = models_cpu();
    return kith_model_open(path, &opts, model, err);
}

int models_open_path(const model_request *request, kith_model **model, char **path)
{
    kith_error err;
    *path = request->name == NULL ? default_path() : path_of(request->name);
    if (*path == NULL) {
        return EXIT_ENVIRONMENT;
    }
    kith_status status = open_path(*path, (kith_precision)(request->precision + 1),
                                   request->n_threads, model, &err);
    return status == KITH_OK ? EXIT_DONE : report(&err, SUBJECT_ENVIRONMENT);
}

int models_open(const model_request *request, kith_model **model)
{
    char *path;
    int status = models_open_path(request, model, &path);
    free(path);
    return status;
}

/* Open the file if it is the model with that fingerprint. */
static kith_status open_if(const char *path, const kith_collection_model *made_with,
                           const model_request *request, kith_model **model,
                           kith_error *err)
{
    kith_model_info info;
    kith_status status =
        open_path(path, made_with->precision, request->n_threads, model, err);
    if (status != KITH_OK) {
        return status;
    }
    kith_model_get_info(*model, &info);
    if (strcmp(info.fingerprint, made_with->fingerprint) == 0) {
        return KITH_OK;
    }
    kith_model_close(*model);
    *model = NULL;
    return KITH_NOT_FOUND;
}

int models_open_for(const kith_collection_model *made_with,
                    const model_request *request, kith_model **model)
{
    if (made_with->fingerprint[0] == '\0') {
        message("the collection has no model, since its vectors were imported without "
                "one: it takes vectors (--vectors) and ids (--like), no texts");
        return EXIT_DATA;
    }
    if (request->precision >= 0 &&
        (kith_precision)(request->precision + 1) != made_with->precision) {
        message("the collection was made with another precision");
        return EXIT_DATA;
    }
    if (request->name != NULL) {
        model_request same = *request;
        same.precision = (int)made_with->precision - 1;
        return models_open(&same, model);
    }
    char *folder = models_folder();
    if (folder == NULL) {
        return EXIT_ENVIRONMENT;
    }
    /* The one of that name first: opening a model costs milliseconds. */
    kith_error err;
    char *named = format_string("%s/%s" ENDING, folder, made_with->name);
    kith_status status = open_if(named, made_with, request, model, &err);
    bool is_named_bad = status != KITH_OK && status != KITH_NOT_FOUND;
    if (status != KITH_OK) {
        size_t n_paths;
        char **paths = models_paths(folder, &n_paths);
        for (size_t i = 0; i < n_paths && status != KITH_OK; i++) {
            status = open_if(paths[i], made_with, request, model, NULL);
        }
        models_free_paths(paths, n_paths);
    }
    int result = EXIT_DONE;
    if (status != KITH_OK && is_named_bad) {
        result = report(&err, SUBJECT_ENVIRONMENT);
    } else if (status != KITH_OK) {
        message(
            "the model that the collection was made with, %s (fingerprint %s), is not "
            "in %s: import it there, or give its file with --model",
            made_with->name, made_with->fingerprint, folder);
        result = EXIT_ENVIRONMENT;
    }
    free(named);
    free(folder);
    return result;
}
