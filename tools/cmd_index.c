/* kith index: make a collection, or bring it up to date with its sources. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ids.h"
#include "ingest.h"
#include "json_write.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "prune.h"
#include "session.h"
#include "text.h"

#define NEEDS_NAME "records without an id on standard input need --source NAME"

typedef struct index_run {
    /* options */
    input_options input;
    int format;
    model_request model;
    int ann;
    const char *factory;
    int long_text;
    bool no_wait;
    bool prune;
    bool is_quiet;
    /* what is worked on */
    const char *path;
    char **folders; /* real path of each source that is one, or NULL */
    size_t n_sources;
    input_files files;
    session session;
    ingest in;
    input_sink sink;
    double began;
    bool is_all_committed;
} index_run;

/* ------------------------------------------------------------------ the report */

static void put_summary(const index_run *run, const kith_writer_stats *stats)
{
    buffer out = BUFFER_EMPTY;
    put_open(&out, '{');
    put_key(&out, "v");
    put_count(&out, 1);
    put_key(&out, "indexed");
    put_count(&out, stats->n_committed);
    put_key(&out, "unchanged");
    put_count(&out, stats->n_unchanged);
    put_key(&out, "skipped");
    put_open(&out, '[');
    for (size_t i = 0; i < run->in.n_skipped; i++) {
        put_open(&out, '{');
        put_key(&out, "source");
        put_text(&out, text_of(run->in.skipped[i].source));
        put_key(&out, "reason");
        put_text(&out, text_of(run->in.skipped[i].reason));
        put_close(&out, '}');
    }
    put_close(&out, ']');
    put_key(&out, "truncated");
    put_count(&out, stats->n_truncated);
    put_key(&out, "duplicates");
    put_count(&out, stats->n_duplicates);
    put_key(&out, "deleted");
    put_count(&out, stats->n_deleted);
    put_key(&out, "seconds");
    put_real(&out, seconds_now() - run->began);
    put_close(&out, '}');
    buffer_byte(&out, '\n');
    output_flush(&out);
    buffer_free(&out);
}

#define SKIPPED_SHOWN 10

static size_t tell_skipped(const ingest *in, skip_kind kind, size_t n_shown)
{
    for (size_t i = 0; i < in->n_skipped && n_shown < SKIPPED_SHOWN; i++) {
        if (in->skipped[i].kind == kind) {
            kith_text shown = id_shown(text_of(in->skipped[i].source));
            message("skipped %.*s: %s", (int)shown.n_bytes, shown.data,
                    in->skipped[i].reason);
            n_shown++;
        }
    }
    return n_shown;
}

/* For people, on stderr. What was refused is told even to those who want quiet. */
static void tell_summary(const index_run *run, const kith_writer_stats *stats)
{
    const ingest *in = &run->in;
    size_t n_shown = tell_skipped(in, SKIP_REFUSED, 0);
    size_t n_told = in->n_refused;
    if (!run->is_quiet) {
        n_shown = tell_skipped(in, SKIP_PASSED, n_shown);
        n_told = in->n_skipped;
    }
    if (n_shown < n_told) {
        message("skipped %zu more: --jsonl lists all", n_told - n_shown);
    }
    if (!run->is_quiet) {
        double seconds = seconds_now() - run->began;
        message("%" PRIu64 " indexed, %" PRIu64 " unchanged, %zu skipped, %" PRIu64
                " truncated, %" PRIu64 " duplicates, %" PRIu64 " deleted in %.1f s "
                "(%.0f records/s)",
                stats->n_committed, stats->n_unchanged, in->n_skipped,
                stats->n_truncated, stats->n_duplicates, stats->n_deleted, seconds,
                (double)in->n_read / (seconds > 0 ? seconds : 1));
    }
}

static int finish(index_run *run)
{
    kith_writer_stats stats = { 0 };
    if (run->in.writer != NULL) {
        kith_writer_get_stats(run->in.writer, &stats);
    }
    progress_end();
    if (run->in.failure == EXIT_DONE) {
        tell_summary(run, &stats);
        if (run->in.is_jsonl) {
            put_summary(run, &stats);
        }
        return run->in.n_refused > 0 ? EXIT_PARTIAL : EXIT_DONE;
    }
    const char *why = run->in.failure == EXIT_INTERRUPTED ? "interrupted: " : "";
    if (run->is_all_committed) {
        message("all records are committed: only the approximate index is missing");
    } else if (run->in.writer != NULL) {
        message("%s%" PRIu64
                " records were committed; the same command goes on from there",
                why, stats.n_committed);
    }
    return run->in.failure;
}

/* ------------------------------------------------------------------ the work */

static bool fail(index_run *run, int status)
{
    run->in.failure = status;
    return status == EXIT_DONE;
}

static bool begin_writing(index_run *run)
{
    kith_error err;
    int status = session_open_to_write(&run->session, run->path, &run->model,
                                       run->no_wait);
    if (status == EXIT_DONE) {
        kith_writer_opts opts = ingest_writer_opts(&run->in);
        opts.no_wait = run->no_wait;
        opts.long_text = (kith_long_text)run->long_text;
        if (kith_writer_begin(run->session.collection, &opts, &run->in.writer, &err) !=
            KITH_OK) {
            status = err.code == KITH_INTERRUPTED ? EXIT_INTERRUPTED
                                                  : report(&err, SUBJECT_ENVIRONMENT);
        }
    }
    run->in.committed_at = seconds_now();
    return fail(run, status);
}

static bool read_file(index_run *run, const input_file *file)
{
    ingest *in = &run->in;
    uint64_t n_refused = in->n_refused;
    in->n_bytes_now = 0;
    input_result result = input_read(file, &run->input, &run->sink);
    in->n_bytes_before += file->n_bytes;
    if (result == INPUT_NAMELESS) {
        message("index: " NEEDS_NAME);
        return fail(run, EXIT_USAGE);
    }
    if (result == INPUT_STOPPED) {
        return fail(run, in->failure != EXIT_DONE ? in->failure : EXIT_INTERRUPTED);
    }
    const char *name = prune_name(file, &run->input);
    if (run->prune && result == INPUT_WHOLE && name != NULL) {
        if (in->n_refused == n_refused) {
            return fail(run, prune_source(in->writer, name));
        }
        message("%s is not pruned, since records in it were refused", name);
    }
    return true;
}

static bool read_all(index_run *run)
{
    progress_begin("indexing", run->is_quiet);
    for (size_t i = 0; i < run->files.n_items; i++) {
        if (!read_file(run, &run->files.items[i])) {
            return false;
        }
    }
    if (!ingest_commit(&run->in)) {
        return false;
    }
    for (size_t i = 0; run->prune && i < run->n_sources; i++) {
        if (run->folders[i] != NULL &&
            !fail(run, prune_gone(run->session.collection, run->in.writer,
                                  run->folders[i]))) {
            return false;
        }
    }
    return ingest_commit(&run->in);
}

static void on_build_step(void *context, const char *step, double fraction)
{
    (void)context;
    progress_step(step, fraction);
}

static bool build_index(index_run *run)
{
    kith_error err;
    bool built = false;
    kith_build_opts opts = KITH_BUILD_OPTS_INIT;
    opts.ann = (kith_ann)run->ann;
    opts.factory = run->factory;
    opts.progress = on_build_step;
    if (signal_received()) {
        return fail(run, EXIT_INTERRUPTED);
    }
    /* All records are committed, and a build leaves no trace before it is whole. */
    signals_handle(SIGNAL_EXITS);
    progress_begin("building the index", run->is_quiet);
    kith_status status = kith_writer_build_index(run->in.writer, &opts, &built, &err);
    progress_end();
    if (status == KITH_UNSUPPORTED && opts.ann == KITH_ANN_AUTO) {
        message("search stays exact: %s", err.message);
        return true;
    }
    if (status == KITH_OK && opts.ann == KITH_ANN_ALWAYS && !built) {
        message("too few records for an approximate index: search stays exact");
    }
    return status == KITH_OK || fail(run, report(&err, SUBJECT_ENVIRONMENT));
}

static int run_index(index_run *run, char **sources)
{
    run->began = seconds_now();
    run->sink = ingest_sink(&run->in);
    run->folders = allocate(run->n_sources, sizeof(run->folders[0]));
    for (size_t i = 0; i < run->n_sources; i++) {
        input_find(&run->files, sources[i], &run->input, &run->sink, &run->folders[i]);
    }
    input_drop_doubles(&run->files);
    run->in.n_bytes_in_all = run->files.n_bytes;
    signals_handle(SIGNAL_ASKS);
    /* Nothing but sources that are not there: make no collection for a typing error. */
    bool has_source = run->files.n_items > 0;
    for (size_t i = 0; i < run->n_sources; i++) {
        has_source |= run->folders[i] != NULL;
    }
    if (has_source && begin_writing(run) && read_all(run)) {
        run->is_all_committed = true;
        build_index(run);
    }
    int status = finish(run);
    kith_writer_close(run->in.writer);
    session_close(&run->session);
    ingest_free(&run->in);
    input_files_free(&run->files);
    for (size_t i = 0; i < run->n_sources; i++) {
        free(run->folders[i]);
    }
    free(run->folders);
    return status;
}

/* GO_ON when options and arguments agree with each other. */
static int check_index(const usage *use, index_run *run, int n_arguments, char **argv)
{
    if (n_arguments < 2) {
        return usage_error(use, "a collection and at least one source are needed");
    }
    if (run->input.max_record == 0) {
        return usage_error(use, "--max-record 0 leaves no record");
    }
    if (run->in.max_pending_bytes == 0) {
        return usage_error(use, "--mem 0 leaves no room for a record");
    }
    run->input.format = (input_format)run->format;
    run->path = argv[1];
    run->n_sources = (size_t)n_arguments - 1;
    bool has_stdin = false;
    for (size_t i = 0; i < run->n_sources; i++) {
        has_stdin |= strcmp(argv[i + 2], "-") == 0;
    }
    if (run->input.stdin_name != NULL && !has_stdin) {
        return usage_error(use, "--source names standard input: add - to the sources");
    }
    if (run->input.stdin_name == NULL && has_stdin &&
        (run->input.format == INPUT_LINES || run->input.format == INPUT_FILES)) {
        return usage_error(use, NEEDS_NAME);
    }
    return GO_ON;
}

int cmd_index(int argc, char **argv)
{
    index_run run = { .input = { .max_record = 16u << 20 },
                      .in = { .max_pending_bytes = 32u << 20 },
                      .model = MODEL_REQUEST_INIT,
                      .session = SESSION_EMPTY };
    const char **names = run.input.names.given;
    const option options[] = {
        CHOICE(0, "format", INPUT_FORMATS, &run.format,
               "how to read files; auto goes by their names:\n"
               ".txt .md .rst .text a record a file, .jsonl\n"
               ".ndjson .csv .tsv as they say"),
        TEXT(0, "text-field", "NAME", &names[FIELD_TEXT],
             "member or column of the text (text, contents,\n"
             "content, document, question)"),
        TEXT(0, "id-field", "NAME", &names[FIELD_ID], "of the id (id, _id, docid)"),
        TEXT(0, "title-field", "NAME", &names[FIELD_TITLE], "of the title (title)"),
        TEXT(0, "source", "NAME", &run.input.stdin_name, "what to call standard input"),
        BYTES(0, "max-record", "BYTES", &run.input.max_record,
              "skip what is longer (16M)"),
        CHOICE(0, "long", "chunk|truncate", &run.long_text,
               "a text over 200 tokens becomes passages, or\n"
               "is cut where the model's limit is"),
        SWITCH(0, "prune", &run.prune, "forget records that their sources lost"),
        CHOICE(0, "ann", "auto|always|never", &run.ann,
               "build the approximate index (auto: from 20,000\n"
               "records up)"),
        TEXT(0, "index-factory", "STRING", &run.factory,
             "a FAISS factory string for it"),
        TEXT(0, "model", "NAME|PATH", &run.model.name, "for a new collection"),
        CHOICE(0, "precision", MODEL_PRECISIONS, &run.model.precision,
               "for a new collection (int8)"),
        COUNT(0, "threads", "N", &run.model.n_threads,
              "to encode with; 0: one a processor"),
        BYTES(0, "mem", "BYTES", &run.in.max_pending_bytes,
              "room for what is read and not committed (32M)"),
        SWITCH(0, "no-wait", &run.no_wait, "fail when another process writes"),
        SWITCH(0, "jsonl", &run.in.is_jsonl,
               "print a JSON object after each commit and at\nthe end"),
        SWITCH('q', "quiet", &run.is_quiet, "no progress and no summary"),
        END_OF_OPTIONS
    };
    const usage use = {
        "index", "COLLECTION SOURCE... [options]",
        "Make a collection from files, folders and standard input (-), or "
        "bring one up to\ndate. What is unchanged is not encoded again.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status == GO_ON) {
        status = check_index(&use, &run, n_arguments, argv);
    }
    return status == GO_ON ? run_index(&run, argv + 2) : status;
}
