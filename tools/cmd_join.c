/* kith join: the neighbours of every line of a file. */
#include "cli.h"
#include "json_write.h"
#include "options.h"
#include "output.h"
#include "questions.h"
#include "session.h"
#include "sets.h"

typedef struct join_run {
    model_request model;
    kith_search_opts opts;
    bool is_exact;
    bool is_jsonl;
    const char *file;
    const char *path;
    session session;
    bool has_hit;
    bool has_refusal;
    buffer out;
} join_run;

static void put_pair(buffer *out, const text_item *item, const kith_answer *answer,
                     size_t rank, const kith_hit *hit)
{
    put_open(out, '{');
    put_key(out, "v");
    put_count(out, 1);
    put_key(out, "query_id");
    put_text(out, item->id);
    put_key(out, "query");
    put_text(out, item->text);
    put_key(out, "exact");
    put_bool(out, answer->exact);
    put_key(out, "rank");
    put_count(out, rank);
    put_key(out, "score");
    put_real(out, hit->score);
    put_member(out, hit->record);
    put_close(out, '}');
    buffer_byte(out, '\n');
}

static bool on_answer(void *context, const text_item *item, const kith_answer *answer)
{
    join_run *run = context;
    const kith_record line = { .id = item->id, .text = item->text };
    run->has_hit |= answer->n_hits > 0;
    for (size_t i = 0; i < answer->n_hits; i++) {
        const kith_hit *hit = &answer->hits[i];
        if (run->is_jsonl) {
            put_pair(&run->out, item, answer, i + 1, hit);
        } else {
            show_pair(&run->out, i + 1, hit->score, &line, hit->record);
        }
    }
    return output_flush(&run->out);
}

static bool on_refusal(void *context, const text_item *item, const char *reason)
{
    join_run *run = context;
    (void)item;
    (void)reason;
    run->has_refusal = true;
    return true;
}

static int run_join(join_run *run)
{
    const question_sink sink = { run, on_answer, on_refusal };
    int status = session_open_to_search(&run->session, run->path, &run->model, true);
    if (status == EXIT_DONE) {
        status = questions_ask(run->session.collection, run->file, &run->opts, &sink);
    }
    session_close(&run->session);
    buffer_free(&run->out);
    if (status != EXIT_DONE) {
        return status;
    }
    return run->has_refusal ? EXIT_PARTIAL : run->has_hit ? EXIT_DONE : EXIT_NO;
}

int cmd_join(int argc, char **argv)
{
    join_run run = { .model = MODEL_REQUEST_INIT, .opts = KITH_SEARCH_OPTS_INIT };
    const option options[] = {
        COUNT('k', "top-k", "N", &run.opts.k, "neighbours of a line (10)"),
        NUMBER(0, "min-score", "S", &run.opts.min_score, "leave out neighbours below"),
        SWITCH(0, "exact", &run.is_exact, "do not use the approximate index"),
        SWITCH(0, "jsonl", &run.is_jsonl, "print one JSON object a neighbour"),
        TEXT(0, "model", "NAME|PATH", &run.model.name,
             "instead of the collection's own"),
        COUNT(0, "threads", "N", &run.model.n_threads, "0: one a processor"),
        END_OF_OPTIONS
    };
    const usage use = { "join", "FILE|- COLLECTION [options]",
                        "Find the records nearest to every line of a file: a text, or "
                        "a JSON object with\nquery, text or question. A line without a "
                        "neighbour gives nothing. The exit status\nis 1 when no line "
                        "has one.",
                        options };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments != 2) {
        return usage_error(&use, "a file and a collection are needed");
    }
    if (run.opts.k < 1 || run.opts.k > 10000) {
        return usage_error(&use, "-k takes 1 to 10000");
    }
    run.file = argv[1];
    run.path = argv[2];
    run.opts.ann = run.is_exact ? KITH_USE_ANN_NEVER : KITH_USE_ANN_AUTO;
    return run_join(&run);
}
