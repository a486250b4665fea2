/* kith delete: forget records. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli.h"
#include "ids.h"
#include "options.h"
#include "session.h"
#include "text.h"

static int delete_all(kith_collection *collection, kith_writer *writer, char **ids,
                      size_t n_ids)
{
    kith_error err;
    int result = EXIT_DONE;
    for (size_t i = 0; i < n_ids; i++) {
        char *id = id_find(collection, ids[i]);
        if (id == NULL) {
            result = EXIT_NO;
            continue;
        }
        kith_status status = kith_writer_delete(writer, text_of(id), &err);
        free(id);
        if (status == KITH_NOT_FOUND) { /* named twice */
            continue;
        }
        if (status != KITH_OK) {
            return report(&err, SUBJECT_ENVIRONMENT);
        }
    }
    return kith_writer_commit(writer, &err) == KITH_OK
               ? result
               : report(&err, SUBJECT_ENVIRONMENT);
}

static int run_delete(const char *path, char **ids, size_t n_ids, bool no_wait,
                      bool is_quiet)
{
    kith_error err;
    kith_writer *writer = NULL;
    kith_writer_opts opts = KITH_WRITER_OPTS_INIT;
    session s = SESSION_EMPTY;
    opts.no_wait = no_wait;
    opts.on_wait = session_tell_wait;
    int result = session_open(&s, path, false);
    if (result == EXIT_DONE &&
        kith_writer_begin(s.collection, &opts, &writer, &err) != KITH_OK) {
        result = report(&err, SUBJECT_ENVIRONMENT);
    }
    if (result == EXIT_DONE) {
        kith_writer_stats stats;
        result = delete_all(s.collection, writer, ids, n_ids);
        kith_writer_get_stats(writer, &stats);
        if (!is_quiet) {
            message("%" PRIu64 " deleted", stats.n_deleted);
        }
    }
    kith_writer_close(writer);
    session_close(&s);
    return result;
}

int cmd_delete(int argc, char **argv)
{
    bool no_wait = false;
    bool is_quiet = false;
    const option options[] = {
        SWITCH(0, "no-wait", &no_wait, "fail when another process writes"),
        SWITCH('q', "quiet", &is_quiet, "no summary"),
        END_OF_OPTIONS
    };
    const usage use = {
        "delete", "COLLECTION ID... [options]",
        "Forget records. The exit status is 1 when an id is not there; the "
        "others are\nforgotten all the same.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments < 2) {
        return usage_error(&use, "a collection and at least one id are needed");
    }
    return run_delete(argv[1], argv + 2, (size_t)n_arguments - 1, no_wait, is_quiet);
}
