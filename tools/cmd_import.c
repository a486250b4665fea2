/* kith import: records with vectors that come from elsewhere. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "filling.h"
#include "progress.h"
#include "vector_rows.h"

typedef struct import_run {
    /* options */
    const char *vectors;
    const char *ids;
    const char *texts;
    input_options input;
    /* what is worked on */
    filling filling;
    uint32_t dim; /* 0: not known yet */
    input_sink sink;
} import_run;

/* When the first record comes, which may tell how many numbers a vector has. */
static bool begin_writing(void *context)
{
    import_run *run = context;
    filling *f = &run->filling;
    kith_writer_opts opts = ingest_writer_opts(&f->in);
    opts.no_prune = true;
    return filling_fail(f, session_open_for_vectors(&f->session, f->path, &f->model,
                                                    run->dim, f->no_wait)) &&
           filling_begin(f, &opts);
}

static bool stop(import_run *run, int status)
{
    ingest *in = &run->filling.in;
    return filling_fail(&run->filling, in->failure != EXIT_DONE ? in->failure : status);
}

static bool read_npy(import_run *run)
{
    vector_rows rows;
    int status =
        vector_rows_open(&rows, run->vectors, run->ids, run->texts, &run->input);
    if (status == EXIT_DONE && run->dim > 0 && run->dim != rows.npy.dim) {
        message("%s has vectors of %u numbers; %u are needed", run->vectors,
                rows.npy.dim, run->dim);
        status = EXIT_DATA;
    }
    if (status == EXIT_DONE) {
        run->dim = rows.npy.dim;
        run->filling.in.n_bytes_in_all = rows.npy.n_bytes;
        status = vector_rows_read(&rows, &run->sink);
    }
    vector_rows_close(&rows);
    return stop(run, status);
}

static bool read_jsonl_file(import_run *run, const input_file *file)
{
    ingest *in = &run->filling.in;
    in->n_bytes_now = 0;
    input_result result = input_read(file, &run->input, &run->sink);
    in->n_bytes_before += file->n_bytes;
    if (result == INPUT_NAMELESS) {
        message("import: records on standard input need an id");
        return stop(run, EXIT_USAGE);
    }
    return result != INPUT_STOPPED || stop(run, EXIT_INTERRUPTED);
}

static bool read_jsonl_files(import_run *run, char **sources, size_t n_sources)
{
    input_files files = { .items = NULL };
    bool goes_on = true;
    for (size_t i = 0; i < n_sources; i++) {
        char *folder;
        input_find(&files, sources[i], &run->input, &run->sink, &folder);
        free(folder);
    }
    input_drop_doubles(&files);
    run->filling.in.n_bytes_in_all = files.n_bytes;
    for (size_t i = 0; i < files.n_items && goes_on; i++) {
        goes_on = read_jsonl_file(run, &files.items[i]);
    }
    input_files_free(&files);
    return goes_on;
}

static int run_import(import_run *run, char **sources, size_t n_sources)
{
    filling *f = &run->filling;
    f->began = seconds_now();
    f->in.begin = begin_writing;
    f->in.begin_context = run;
    run->sink = ingest_sink(&f->in);
    run->input.dim = &run->dim;
    signals_handle(SIGNAL_ASKS);
    progress_begin("importing", f->is_quiet);
    if (filling_fail(f, session_find_dim(&f->session, f->path, &f->model, &run->dim)) &&
        (run->vectors != NULL ? read_npy(run)
                              : read_jsonl_files(run, sources, n_sources)) &&
        f->in.writer != NULL && ingest_commit(&f->in)) {
        filling_build(f);
    }
    return filling_finish(f);
}

/* GO_ON when options and arguments agree with each other. */
static int check_import(const usage *use, import_run *run, int n_arguments, char **argv)
{
    const filling *f = &run->filling;
    if (n_arguments < 1 || (n_arguments > 1) == (run->vectors != NULL)) {
        return usage_error(use, "a collection, and either JSONL files or --vectors are "
                                "needed");
    }
    if (run->vectors == NULL && (run->ids != NULL || run->texts != NULL)) {
        return usage_error(use, "--ids and --texts go with --vectors");
    }
    if (run->vectors != NULL && run->input.names.given[FIELD_VECTOR] != NULL) {
        return usage_error(use, "--vector-field is for JSONL");
    }
    if (run->input.max_record == 0) {
        return usage_error(use, "--max-record 0 leaves no record");
    }
    if (f->model.name == NULL && f->model.precision >= 0) {
        return usage_error(use, "--precision goes with --model");
    }
    run->filling.path = argv[1];
    run->input.format = INPUT_JSONL;
    run->input.names.has_vector = run->vectors == NULL;
    return filling_check(use, f);
}

int cmd_import(int argc, char **argv)
{
    import_run run = { .input = { .max_record = 16u << 20 },
                       .filling = FILLING_INIT("imported") };
    filling *f = &run.filling;
    const char **names = run.input.names.given;
    const option options[] = {
        TEXT(0, "vectors", "FILE.npy", &run.vectors,
             "a NumPy file: each row becomes a record"),
        TEXT(0, "ids", "FILE", &run.ids,
             "their ids, one a line (the number of the row,\nfrom 0)"),
        TEXT(0, "texts", "FILE", &run.texts,
             "their texts, one a line, or JSON objects as\n"
             "index reads them (.jsonl)"),
        TEXT(0, "vector-field", "NAME", &names[FIELD_VECTOR],
             "member of the vector in JSONL (vector): an array\n"
             "of numbers, or base64 of 32-bit floats"),
        TEXT(0, "text-field", "NAME", &names[FIELD_TEXT],
             "of the text (text, contents, content, document,\nquestion)"),
        TEXT(0, "id-field", "NAME", &names[FIELD_ID], "of the id (id, _id, docid)"),
        TEXT(0, "title-field", "NAME", &names[FIELD_TITLE], "of the title (title)"),
        BYTES(0, "max-record", "BYTES", &run.input.max_record,
              "skip lines that are longer (16M)"),
        TEXT(0, "model", "NAME|PATH", &f->model.name,
             "the model that the vectors come from: for\n"
             "queries by text, and records without a vector"),
        CHOICE(0, "precision", MODEL_PRECISIONS, &f->model.precision,
               "of it, for a new collection (int8)"),
        FILLING_INDEX_OPTIONS(f),
        FILLING_RUN_OPTIONS(f),
        END_OF_OPTIONS
    };
    const usage use = {
        "import",
        "COLLECTION FILE.jsonl... [options]\n"
        "COLLECTION --vectors FILE.npy [options]",
        "Add records with vectors that were made elsewhere, or what 'kith export' has "
        "written\n(- is standard input). The collection is made if it is not there.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status == GO_ON) {
        status = check_import(&use, &run, n_arguments, argv);
    }
    return status == GO_ON ? run_import(&run, argv + 2, (size_t)n_arguments - 1)
                           : status;
}
