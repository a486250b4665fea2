/* kith cluster: communities of records that are alike. */
#include <inttypes.h>

#include "cli.h"
#include "json_write.h"
#include "options.h"
#include "session.h"
#include "sets.h"

typedef struct cluster_run {
    set_options common;
    kith_clusters_opts opts;
    const char *path;
} cluster_run;

static void begin_cluster(set_list *list, const kith_member *member)
{
    set_list_open(list);
    if (list->format == SET_PEOPLE) {
        buffer_string(&list->out, member->group > 0 ? "\n" : "");
        buffer_print(&list->out, "cluster %" PRIu64 ": %" PRIu64 " members\n",
                     member->group + 1, member->n_members);
        return;
    }
    put_key(&list->out, "cluster");
    put_count(&list->out, member->group + 1);
    put_key(&list->out, "size");
    put_count(&list->out, member->n_members);
    put_key(&list->out, "members");
    put_open(&list->out, '[');
}

static void give_member(set_list *list, const kith_member *member)
{
    if (list->format == SET_PEOPLE) {
        buffer_print(&list->out, "  %.4f  ", (double)member->score);
        show_member(&list->out, 10, member->record->id, member->record->title,
                    member->record->text);
        return;
    }
    put_open(&list->out, '{');
    put_key(&list->out, "score");
    put_real(&list->out, member->score);
    put_member(&list->out, member->record);
    put_close(&list->out, '}');
}

static int give_clusters(const cluster_run *run, kith_groups *groups)
{
    kith_error err;
    kith_member member;
    set_list list = { sets_format(&run->common), "clusters", 0, BUFFER_EMPTY };
    bool is_written = true;
    kith_status status = KITH_OK;
    set_list_begin(&list);
    while (is_written &&
           (status = kith_groups_next(groups, &member, &err)) == KITH_OK) {
        if (member.position == 0) {
            begin_cluster(&list, &member);
        }
        if (member.record != NULL) {
            give_member(&list, &member);
        }
        if (member.position + 1 == member.n_members) {
            if (list.format != SET_PEOPLE) {
                put_close(&list.out, ']');
            }
            is_written = set_list_close(&list);
        }
    }
    return set_list_finish(&list, is_written, status, &err);
}

static int run_cluster(cluster_run *run)
{
    kith_error err;
    kith_groups *groups = NULL;
    session s = SESSION_EMPTY;
    int result = session_open_to_compare(&s, run->path, true, run->common.n_threads);
    if (result == EXIT_DONE) {
        sets_begin(run->common.is_quiet);
        kith_status status = kith_clusters(s.collection, &run->opts, &groups, &err);
        sets_end();
        result = status == KITH_OK ? give_clusters(run, groups)
                                   : report(&err, SUBJECT_ENVIRONMENT);
    }
    kith_groups_free(groups);
    session_close(&s);
    return result;
}

int cmd_cluster(int argc, char **argv)
{
    cluster_run run = { .opts = KITH_CLUSTERS_OPTS_INIT };
    const option options[] = {
        NUMBER(0, "min-score", "S", &run.opts.min_score,
               "of a member with the centre (0.75)"),
        COUNT(0, "min-size", "N", &run.opts.min_size, "members (10)"),
        SET_OPTIONS(run.common, "print one JSON object a cluster"),
        END_OF_OPTIONS
    };
    const usage use = { "cluster", "COLLECTION [options]",
                        "Group records that are alike: communities of those near to a "
                        "centre, which comes\nfirst, largest community first. The exit "
                        "status is 1 when there is none.",
                        options };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status == GO_ON) {
        status = sets_check(&use, &run.common, n_arguments);
    }
    if (status == GO_ON && run.opts.min_size == 0) {
        status = usage_error(&use, "--min-size takes 1 and more");
    }
    if (status != GO_ON) {
        return status;
    }
    run.path = argv[1];
    run.opts.progress = sets_progress;
    run.opts.interrupted = sets_interrupted;
    return run_cluster(&run);
}
