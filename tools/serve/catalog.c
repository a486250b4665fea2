#include "catalog.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "cli.h"
#include "text.h"

#define MAX_NAME_BYTES 64
#define ENDING ".kith"

/* ------------------------------------------------------------------ models */

/* How a model is found: as the collection's, or as asked for on the command line. */
typedef struct model_source {
    const kith_collection_model *made_with; /* NULL: asked for */
    model_request request;
} model_source;

static int open_encoders(served_model *served, const model_source *source, unsigned n)
{
    served->encoders = allocate(n, sizeof(served->encoders[0]));
    int status = EXIT_DONE;
    while (served->n_encoders < n && status == EXIT_DONE) {
        kith_model **encoder = &served->encoders[served->n_encoders];
        *encoder = NULL;
        status = source->made_with != NULL
                     ? models_open_for(source->made_with, &source->request, encoder)
                     : models_open(&source->request, encoder);
        served->n_encoders += *encoder != NULL;
    }
    return status;
}

static int add_model(catalog *c, const model_source *source, const served_model **added)
{
    kith_error err;
    kith_tokens tokens;
    served_model *served = &c->models[c->n_models++]; /* there is room */
    *served = (served_model){ .n_encoders = 0 };
    const int status = open_encoders(served, source, c->n_workers);
    if (status != EXIT_DONE) {
        return status;
    }
    kith_model_get_info(served->encoders[0], &served->info);
    if (served->info.n_labels > 0) {
        message("%s is a cross-encoder, which gives no vectors; take an encoder",
                served->info.name);
        return EXIT_DATA;
    }
    if (kith_model_tokenize(served->encoders[0], text_of(""), false, &tokens, &err) !=
        KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    served->cls = tokens.ids[0];
    served->sep = tokens.ids[tokens.n_tokens - 1];
    kith_tokens_free(&tokens);
    *added = served;
    return EXIT_DONE;
}

/* The model that a collection was made with. */
static int need_model(catalog *c, const kith_collection_model *made_with,
                      const served_model **needed)
{
    const model_source source = { made_with, { NULL, -1, 1 } };
    for (size_t i = 0; i < c->n_models; i++) {
        const kith_model_info *info = &c->models[i].info;
        if (strcmp(info->fingerprint, made_with->fingerprint) == 0 &&
            info->precision == made_with->precision) {
            *needed = &c->models[i];
            return EXIT_DONE;
        }
    }
    return add_model(c, &source, needed);
}

/* The model for embeddings, where it is not that of the first collection. */
static int add_asked_model(catalog *c, const model_request *request)
{
    model_source source = { NULL, *request };
    if (request->name == NULL && request->precision < 0 && c->n_collections > 0) {
        return EXIT_DONE;
    }
    source.request.n_threads = 1;
    return add_model(c, &source, &c->model);
}

static unsigned count_workers(uint32_t n_threads)
{
    cpu_set_t processors;
    if (n_threads == 0) {
        n_threads = sched_getaffinity(0, sizeof(processors), &processors) == 0
                        ? (uint32_t)CPU_COUNT(&processors)
                        : 1;
    }
    return n_threads < MAX_WORKERS ? n_threads : MAX_WORKERS;
}

/* ------------------------------------------------------------------ collections */

/* The folder without what stands before and behind its name; NULL is reported. */
static char *name_of(const char *path)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._-";
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    char *name = copy_bytes(path + start, end - start);
    if (has_ending(name, ENDING)) {
        name[strlen(name) - strlen(ENDING)] = '\0';
    }
    if (name[0] == '\0' || name[0] == '.' || strlen(name) > MAX_NAME_BYTES ||
        name[strspn(name, allowed)] != '\0') {
        message(
            "%s: the name of a collection that is served has 1 to %d letters, digits, "
            "dots, _ and -, and no dot first",
            path, MAX_NAME_BYTES);
        free(name);
        return NULL;
    }
    return name;
}

static int name_collection(catalog *c, served_collection *served, const char *path)
{
    served->name = name_of(path);
    if (served->name == NULL) {
        return EXIT_USAGE;
    }
    const served_collection *same = catalog_find(c, text_of(served->name));
    if (same != NULL && same != served) {
        message("two collections are called %s: rename one of them", served->name);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static int open_collection(catalog *c, served_collection *served, const char *path,
                           const model_request *request)
{
    kith_error err;
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.read_only = !c->is_writable;
    opts.n_threads = request->n_threads;
    opts.cpu = models_cpu();
    if (kith_collection_get_model(path, &served->made_with, &err) != KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    if (served->made_with.fingerprint[0] != '\0') {
        const int status = need_model(c, &served->made_with, &served->model);
        if (status != EXIT_DONE) {
            return status;
        }
    }
    return kith_collection_open(
               path, served->model == NULL ? NULL : served->model->encoders[0], &opts,
               &served->collection, &err) == KITH_OK
               ? EXIT_DONE
               : report(&err, SUBJECT_ENVIRONMENT);
}

int catalog_open(catalog *c, char **paths, size_t n_paths, const model_request *request,
                 bool is_writable)
{
    c->is_writable = is_writable;
    c->n_workers = count_workers(request->n_threads);
    c->models = allocate(n_paths + 1, sizeof(c->models[0])); /* they do not move */
    c->collections = allocate(n_paths, sizeof(c->collections[0]));
    for (size_t i = 0; i < n_paths; i++) {
        served_collection *served = &c->collections[c->n_collections++];
        *served = (served_collection){ .name = NULL };
        pthread_mutex_init(&served->writing, NULL);
        const int status = name_collection(c, served, paths[i]);
        if (status != EXIT_DONE) {
            return status;
        }
    }
    int status = add_asked_model(c, request);
    for (size_t i = 0; i < n_paths && status == EXIT_DONE; i++) {
        served_collection *served = &c->collections[i];
        status = open_collection(c, served, paths[i], request);
        if (c->model == NULL) {
            c->model = served->model;
        }
    }
    return status;
}

void catalog_close(catalog *c)
{
    for (size_t i = 0; i < c->n_collections; i++) {
        kith_collection_close(c->collections[i].collection);
        pthread_mutex_destroy(&c->collections[i].writing);
        free(c->collections[i].name);
    }
    for (size_t i = 0; i < c->n_models; i++) {
        for (unsigned j = 0; j < c->models[i].n_encoders; j++) {
            kith_model_close(c->models[i].encoders[j]);
        }
        free(c->models[i].encoders);
    }
    free(c->collections);
    free(c->models);
    *c = (catalog)CATALOG_EMPTY;
}

served_collection *catalog_find(const catalog *c, kith_text name)
{
    for (size_t i = 0; i < c->n_collections; i++) {
        if (c->collections[i].name != NULL &&
            text_equals(name, text_of(c->collections[i].name))) {
            return &c->collections[i];
        }
    }
    return NULL;
}
