#include "session.h"

#include <inttypes.h>
#include <time.h>

#include "cli.h"

static int open_collection(session *s, const char *path, kith_collection_opts *opts,
                           bool no_wait)
{
    const struct timespec pause = { 0, 50 * 1000000L };
    kith_error err;
    opts->cpu = models_cpu();
    kith_status status =
        kith_collection_open(path, s->model, opts, &s->collection, &err);
    while (status == KITH_BUSY && !no_wait && !signal_received()) {
        nanosleep(&pause, NULL);
        status = kith_collection_open(path, s->model, opts, &s->collection, &err);
    }
    return status == KITH_OK ? EXIT_DONE : report(&err, SUBJECT_ENVIRONMENT);
}

int session_open(session *s, const char *path, bool read_only)
{
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.read_only = read_only;
    return open_collection(s, path, &opts, true);
}

int session_open_to_compare(session *s, const char *path, bool read_only,
                            uint32_t n_threads)
{
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.read_only = read_only;
    opts.n_threads = n_threads;
    return open_collection(s, path, &opts, true);
}

int session_open_to_search(session *s, const char *path, const model_request *request,
                           bool needs_model)
{
    kith_error err;
    kith_collection_model made_with;
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.read_only = true;
    opts.n_threads = request->n_threads;
    if (kith_collection_get_model(path, &made_with, &err) != KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    int result =
        needs_model ? models_open_for(&made_with, request, &s->model) : EXIT_DONE;
    return result == EXIT_DONE ? open_collection(s, path, &opts, true) : result;
}

int session_open_to_write(session *s, const char *path, const model_request *request,
                          bool no_wait)
{
    kith_error err;
    kith_collection_model made_with;
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.create = true;
    opts.n_threads = request->n_threads;
    kith_status status = kith_collection_get_model(path, &made_with, &err);
    if (status != KITH_OK && status != KITH_NOT_FOUND) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    int result = status == KITH_OK ? models_open_for(&made_with, request, &s->model)
                                   : models_open(request, &s->model);
    return result == EXIT_DONE ? open_collection(s, path, &opts, no_wait) : result;
}

int session_find_dim(session *s, const char *path, const model_request *request,
                     uint32_t *dim)
{
    kith_error err;
    kith_model_info info;
    kith_collection_model made_with = { .dim = 0 };
    int result = EXIT_DONE;
    kith_status status = kith_collection_get_model(path, &made_with, &err);
    if (status != KITH_OK && status != KITH_NOT_FOUND) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    *dim = made_with.dim;
    if (request->name != NULL) {
        result = status == KITH_OK ? models_open_for(&made_with, request, &s->model)
                                   : models_open(request, &s->model);
    }
    if (s->model != NULL) {
        kith_model_get_info(s->model, &info);
        *dim = info.dim;
    }
    return result;
}

int session_open_for_vectors(session *s, const char *path, const model_request *request,
                             uint32_t dim, bool no_wait)
{
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.create = true;
    opts.dim = dim;
    opts.n_threads = request->n_threads;
    return open_collection(s, path, &opts, no_wait);
}

void session_close(session *s)
{
    kith_collection_close(s->collection);
    kith_model_close(s->model);
    *s = (session)SESSION_EMPTY;
}

void session_tell_wait(void *context, int64_t pid)
{
    (void)context;
    if (pid > 0) {
        message("waiting for process %" PRId64 ", which writes to this collection",
                pid);
    } else {
        message("waiting for another process, which writes to this collection");
    }
}
