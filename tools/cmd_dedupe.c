/* kith dedupe: exact and near duplicates. */
#include <inttypes.h>

#include "cli.h"
#include "json_write.h"
#include "options.h"
#include "output.h"
#include "session.h"
#include "sets.h"

typedef struct dedupe_run {
    set_options common;
    kith_duplicates_opts opts;
    bool deletes;
    bool no_wait;
    const char *path;
    session session;
    kith_writer *writer; /* NULL unless it deletes */
    uint64_t n_kept;
    uint64_t n_duplicates;
} dedupe_run;

/* ------------------------------------------------------------------ output */

static void begin_group(set_list *list, const kith_record *kept)
{
    set_list_open(list);
    if (list->format == SET_PEOPLE) {
        show_member(&list->out, 0, kept->id, kept->title, kept->text);
        return;
    }
    put_member(&list->out, kept);
    put_key(&list->out, "duplicates");
    put_open(&list->out, '[');
}

static void give_duplicate(set_list *list, const kith_member *member)
{
    const kith_record *record = member->record;
    if (list->format == SET_PEOPLE) {
        if (member->exact) {
            buffer_string(&list->out, "  exact   ");
        } else {
            buffer_print(&list->out, "  %.4f  ", (double)member->score);
        }
        show_member(&list->out, 10, record->id, record->title, record->text);
        return;
    }
    put_open(&list->out, '{');
    put_key(&list->out, "score");
    put_real(&list->out, member->score);
    put_key(&list->out, "exact");
    put_bool(&list->out, member->exact);
    put_member(&list->out, record);
    put_close(&list->out, '}');
}

/* ------------------------------------------------------------------ groups */

/* A group whose kept record was deleted by another process is no group any more. */
static kith_status give_member(dedupe_run *run, set_list *list,
                               const kith_member *member, bool *has_kept,
                               bool *is_written, kith_error *err)
{
    kith_status status = KITH_OK;
    if (member->position == 0) {
        *has_kept = member->record != NULL;
        if (*has_kept) {
            begin_group(list, member->record);
            run->n_kept++;
        }
    } else if (*has_kept && member->record != NULL) {
        give_duplicate(list, member);
        run->n_duplicates++;
        if (run->writer != NULL) {
            status = kith_writer_delete(run->writer, member->record->id, err);
        }
    }
    if (*has_kept && member->position + 1 == member->n_members) {
        if (list->format != SET_PEOPLE) {
            put_close(&list->out, ']');
        }
        *is_written = set_list_close(list);
    }
    return status;
}

static int give_groups(dedupe_run *run, kith_groups *groups)
{
    kith_error err;
    kith_member member;
    set_list list = { sets_format(&run->common), "groups", 0, BUFFER_EMPTY };
    bool has_kept = false;
    bool is_written = true;
    kith_status status = KITH_OK;
    set_list_begin(&list);
    while (is_written && status == KITH_OK) {
        status = kith_groups_next(groups, &member, &err);
        if (status == KITH_OK) {
            status = give_member(run, &list, &member, &has_kept, &is_written, &err);
        } else if (status == KITH_NOT_FOUND) {
            break;
        }
    }
    is_written = set_list_end(&list) && is_written;
    if (status != KITH_NOT_FOUND && status != KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    if (!is_written) {
        return EXIT_ENVIRONMENT;
    }
    return run->writer == NULL || kith_writer_commit(run->writer, &err) == KITH_OK
               ? EXIT_DONE
               : report(&err, SUBJECT_ENVIRONMENT);
}

/* ------------------------------------------------------------------ the command */

static void tell_summary(const dedupe_run *run)
{
    if (run->deletes) {
        message("%" PRIu64 " deleted", run->n_duplicates);
    } else {
        message("%" PRIu64 " duplicates of %" PRIu64 " records%s", run->n_duplicates,
                run->n_kept,
                run->n_duplicates > 0 ? "; --delete deletes them" : "");
    }
}

/* Nobody else writes between finding and deleting. */
static int begin_writing(dedupe_run *run)
{
    kith_error err;
    kith_writer_opts opts = KITH_WRITER_OPTS_INIT;
    opts.no_wait = run->no_wait;
    opts.on_wait = session_tell_wait;
    kith_status status =
        kith_writer_begin(run->session.collection, &opts, &run->writer, &err);
    return status == KITH_OK ? EXIT_DONE : report(&err, SUBJECT_ENVIRONMENT);
}

static int run_dedupe(dedupe_run *run)
{
    kith_error err;
    kith_groups *groups = NULL;
    int result = session_open_to_compare(&run->session, run->path, !run->deletes,
                                         run->common.n_threads);
    if (result == EXIT_DONE && run->deletes) {
        result = begin_writing(run);
    }
    if (result == EXIT_DONE) {
        sets_begin(run->common.is_quiet);
        kith_status status =
            kith_duplicates(run->session.collection, &run->opts, &groups, &err);
        sets_end();
        result = status == KITH_OK ? give_groups(run, groups)
                                   : report(&err, SUBJECT_ENVIRONMENT);
    }
    if (result == EXIT_DONE && !run->common.is_quiet) {
        tell_summary(run);
    }
    kith_groups_free(groups);
    kith_writer_close(run->writer);
    session_close(&run->session);
    return result;
}

int cmd_dedupe(int argc, char **argv)
{
    dedupe_run run = { .opts = KITH_DUPLICATES_OPTS_INIT };
    const option options[] = {
        NUMBER(0, "min-score", "S", &run.opts.min_score,
               "what makes a near duplicate (0.95)"),
        SWITCH(0, "delete", &run.deletes, "delete the duplicates"),
        SWITCH(0, "no-wait", &run.no_wait, "fail when another process writes"),
        SET_OPTIONS(run.common, "print one JSON object a record with duplicates"),
        END_OF_OPTIONS
    };
    const usage use = { "dedupe", "COLLECTION [options]",
                        "Find exact and near duplicates. Of those that are alike the "
                        "record that was stored\nfirst is kept, and printed with its "
                        "duplicates.",
                        options };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status == GO_ON) {
        status = sets_check(&use, &run.common, n_arguments);
    }
    if (status == GO_ON && !(run.opts.min_score > 0 && run.opts.min_score <= 1)) {
        status = usage_error(&use, "--min-score takes more than 0, at most 1");
    }
    if (status != GO_ON) {
        return status;
    }
    run.path = argv[1];
    run.opts.progress = sets_progress;
    run.opts.interrupted = sets_interrupted;
    return run_dedupe(&run);
}
