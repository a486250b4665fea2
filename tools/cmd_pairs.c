/* kith pairs: the records that are most alike. */
#include "cli.h"
#include "json_write.h"
#include "options.h"
#include "session.h"
#include "sets.h"

typedef struct pairs_run {
    set_options common;
    kith_pairs_opts opts;
    uint32_t max_pairs;
    const char *path;
} pairs_run;

static bool give_pair(set_list *list, const kith_member *a, const kith_member *b)
{
    set_list_open(list);
    if (list->format == SET_PEOPLE) {
        show_pair(&list->out, a->group + 1, a->score, a->record, b->record);
        return set_list_close(list);
    }
    put_key(&list->out, "rank");
    put_count(&list->out, a->group + 1);
    put_key(&list->out, "score");
    put_real(&list->out, a->score);
    for (size_t i = 0; i < 2; i++) {
        put_key(&list->out, i == 0 ? "a" : "b");
        put_open(&list->out, '{');
        put_member(&list->out, i == 0 ? a->record : b->record);
        put_close(&list->out, '}');
    }
    return set_list_close(list);
}

static int give_pairs(const pairs_run *run, kith_groups *groups)
{
    kith_error err;
    kith_member a;
    kith_member b;
    set_list list = { sets_format(&run->common), "pairs", 0, BUFFER_EMPTY };
    bool is_written = true;
    kith_status status = KITH_OK;
    set_list_begin(&list);
    while (is_written) {
        status = kith_groups_next(groups, &a, &err);
        status = status == KITH_OK ? kith_groups_next(groups, &b, &err) : status;
        if (status != KITH_OK) {
            break;
        }
        if (a.record != NULL && b.record != NULL) {
            is_written = give_pair(&list, &a, &b);
        }
    }
    return set_list_finish(&list, is_written, status, &err);
}

static int run_pairs(pairs_run *run)
{
    kith_error err;
    kith_groups *groups = NULL;
    session s = SESSION_EMPTY;
    int result = session_open_to_compare(&s, run->path, true, run->common.n_threads);
    if (result == EXIT_DONE) {
        sets_begin(run->common.is_quiet);
        kith_status status = kith_pairs(s.collection, &run->opts, &groups, &err);
        sets_end();
        result = status == KITH_OK ? give_pairs(run, groups)
                                   : report(&err, SUBJECT_ENVIRONMENT);
    }
    kith_groups_free(groups);
    session_close(&s);
    return result;
}

int cmd_pairs(int argc, char **argv)
{
    pairs_run run = { .opts = KITH_PAIRS_OPTS_INIT, .max_pairs = 500000 };
    const option options[] = {
        NUMBER(0, "min-score", "S", &run.opts.min_score, "leave out pairs below"),
        COUNT(0, "max-pairs", "N", &run.max_pairs, "the best so many (500000)"),
        COUNT('k', "top-k", "N", &run.opts.top_k,
              "a pair is among so many best ones of one of\n"
              "its records (100)"),
        SET_OPTIONS(run.common, "print one JSON object a pair"),
        END_OF_OPTIONS
    };
    const usage use = { "pairs", "COLLECTION [options]",
                        "Find the records that are most alike: the best pairs, nearest "
                        "first. All pairs\nare compared. The exit status is 1 when "
                        "there is none.",
                        options };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status == GO_ON) {
        status = sets_check(&use, &run.common, n_arguments);
    }
    if (status == GO_ON && (run.opts.top_k == 0 || run.max_pairs == 0)) {
        status = usage_error(&use, "--top-k and --max-pairs take 1 and more");
    }
    if (status != GO_ON) {
        return status;
    }
    run.path = argv[1];
    run.opts.max_pairs = run.max_pairs;
    run.opts.progress = sets_progress;
    run.opts.interrupted = sets_interrupted;
    return run_pairs(&run);
}
