/* kith index: make a collection, or bring it up to date with its sources. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "filling.h"
#include "progress.h"
#include "prune.h"

#define NEEDS_NAME "records without an id on standard input need --source NAME"

typedef struct index_run {
    /* options */
    input_options input;
    int format;
    int long_text;
    bool prune;
    /* what is worked on */
    filling filling;
    char **folders; /* real path of each source that is one, or NULL */
    size_t n_sources;
    input_files files;
    input_sink sink;
} index_run;

/* ------------------------------------------------------------------ the work */

static bool begin_writing(index_run *run)
{
    filling *f = &run->filling;
    int status = session_open_to_write(&f->session, f->path, &f->model, f->no_wait);
    kith_writer_opts opts = ingest_writer_opts(&f->in);
    opts.long_text = (kith_long_text)run->long_text;
    return filling_fail(f, status) && filling_begin(f, &opts);
}

static bool read_file(index_run *run, const input_file *file)
{
    filling *f = &run->filling;
    ingest *in = &f->in;
    uint64_t n_refused = in->n_refused;
    in->n_bytes_now = 0;
    input_result result = input_read(file, &run->input, &run->sink);
    in->n_bytes_before += file->n_bytes;
    if (result == INPUT_NAMELESS) {
        message("index: " NEEDS_NAME);
        return filling_fail(f, EXIT_USAGE);
    }
    if (result == INPUT_STOPPED) {
        return filling_fail(f, in->failure != EXIT_DONE ? in->failure
                                                        : EXIT_INTERRUPTED);
    }
    const char *name = prune_name(file, &run->input);
    if (run->prune && result == INPUT_WHOLE && name != NULL) {
        if (in->n_refused == n_refused) {
            return filling_fail(f, prune_source(in->writer, name));
        }
        message("%s is not pruned, since records in it were refused", name);
    }
    return true;
}

static bool read_all(index_run *run)
{
    filling *f = &run->filling;
    progress_begin("indexing", f->is_quiet);
    for (size_t i = 0; i < run->files.n_items; i++) {
        if (!read_file(run, &run->files.items[i])) {
            return false;
        }
    }
    if (!ingest_commit(&f->in)) {
        return false;
    }
    for (size_t i = 0; run->prune && i < run->n_sources; i++) {
        if (run->folders[i] != NULL &&
            !filling_fail(f, prune_gone(f->session.collection, f->in.writer,
                                        run->folders[i]))) {
            return false;
        }
    }
    return ingest_commit(&f->in);
}

static int run_index(index_run *run, char **sources)
{
    filling *f = &run->filling;
    f->began = seconds_now();
    run->sink = ingest_sink(&f->in);
    run->folders = allocate(run->n_sources, sizeof(run->folders[0]));
    for (size_t i = 0; i < run->n_sources; i++) {
        input_find(&run->files, sources[i], &run->input, &run->sink, &run->folders[i]);
    }
    input_drop_doubles(&run->files);
    f->in.n_bytes_in_all = run->files.n_bytes;
    signals_handle(SIGNAL_ASKS);
    /* Nothing but sources that are not there: make no collection for a typing error. */
    bool has_source = run->files.n_items > 0;
    for (size_t i = 0; i < run->n_sources; i++) {
        has_source |= run->folders[i] != NULL;
    }
    if (has_source && begin_writing(run) && read_all(run)) {
        filling_build(f);
    }
    int status = filling_finish(f);
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
    run->input.format = (input_format)run->format;
    run->filling.path = argv[1];
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
    return filling_check(use, &run->filling);
}

int cmd_index(int argc, char **argv)
{
    index_run run = { .input = { .max_record = 16u << 20 },
                      .filling = FILLING_INIT("indexed") };
    filling *f = &run.filling;
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
        CHOICE(0, "long", "chunk|truncate|average|summary", &run.long_text,
               "a text over 200 tokens becomes passages, is cut\n"
               "where the model's limit is, or gets one vector:\n"
               "the mean of its passages', or that of its most\n"
               "central sentences (kept as metadata.summary)"),
        SWITCH(0, "prune", &run.prune, "forget records that their sources lost"),
        FILLING_INDEX_OPTIONS(f),
        TEXT(0, "model", "NAME|PATH", &f->model.name, "for a new collection"),
        CHOICE(0, "precision", MODEL_PRECISIONS, &f->model.precision,
               "for a new collection (int8)"),
        FILLING_RUN_OPTIONS(f),
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
