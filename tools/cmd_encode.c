/* kith encode: texts to vectors. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "models.h"
#include "options.h"
#include "output.h"
#include "texts.h"
#include "vector_writer.h"

#define GROUP_TEXTS 1024
#define GROUP_BYTES (4u << 20)

typedef struct encode_run {
    model_request model_asked;
    field_names names;
    int format;
    int pooling; /* kith_pooling - 1; -1: the model's */
    bool is_quiet;
    kith_model *model;
    kith_model_info info;
    text_file file;
    vector_writer *out;
    float *vectors;
    uint64_t n_texts;
    uint64_t n_cut; /* texts */
} encode_run;

/* Encode and write the texts of a group. A line that is refused ends it: a row that is
 * missing would shift all that follow. */
static int encode_group(encode_run *run, const text_item *items, size_t n_items)
{
    static kith_text texts[GROUP_TEXTS];
    static uint32_t n_dropped[GROUP_TEXTS];
    kith_error err;
    kith_encode_opts opts = KITH_ENCODE_OPTS_INIT;
    opts.pooling = (kith_pooling)(run->pooling + 1);
    size_t n = 0;
    while (n < n_items && items[n].problem == NULL) {
        texts[n] = items[n].text;
        n++;
    }
    if (kith_model_encode(run->model, texts, n, &opts, run->vectors, n_dropped, &err) !=
        KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    for (size_t i = 0; i < n; i++) {
        run->n_cut += n_dropped[i] > 0;
    }
    run->n_texts += n;
    if (!vector_writer_put(run->out, run->vectors, n)) {
        return EXIT_ENVIRONMENT;
    }
    if (n < n_items) {
        message("%s:%" PRIu64 ": %s; stopped after %" PRIu64 " rows", run->file.name,
                items[n].line, items[n].problem, run->n_texts);
        return EXIT_PARTIAL;
    }
    return EXIT_DONE;
}

static int encode_file(encode_run *run)
{
    text_item *items = allocate(GROUP_TEXTS, sizeof(items[0]));
    read_result got = READ_OK;
    int result = EXIT_DONE;
    while (got == READ_OK && result == EXIT_DONE) {
        size_t n_items = 0;
        size_t n_bytes = 0;
        do {
            got = texts_next(&run->file, &items[n_items]);
            if (got == READ_OK) {
                n_bytes += items[n_items++].text.n_bytes;
            }
        } while (got == READ_OK && n_items < GROUP_TEXTS && n_bytes < GROUP_BYTES &&
                 texts_has_more(&run->file));
        if (n_items > 0) {
            result = encode_group(run, items, n_items);
        }
        for (size_t i = 0; i < n_items; i++) {
            text_item_free(&items[i]);
        }
    }
    free(items);
    return result == EXIT_DONE && got == READ_FAILED ? EXIT_ENVIRONMENT : result;
}

static int run_encode(encode_run *run, const char *path)
{
    int status = models_open(&run->model_asked, &run->model);
    if (status != EXIT_DONE) {
        return status;
    }
    if (!texts_open(&run->file, path, &run->names)) {
        kith_model_close(run->model);
        return EXIT_ENVIRONMENT;
    }
    kith_model_get_info(run->model, &run->info);
    run->vectors = allocate(GROUP_TEXTS, run->info.dim * sizeof(run->vectors[0]));
    run->out = vector_writer_new((vector_format)run->format, run->info.dim);
    status = encode_file(run);
    bool is_written = vector_writer_finish(run->out);
    if (!run->is_quiet && run->n_cut > 0) {
        message("%" PRIu64 " of %" PRIu64 " texts were cut at %" PRIu32 " tokens",
                run->n_cut, run->n_texts, run->info.max_tokens);
    }
    free(run->vectors);
    texts_close(&run->file);
    kith_model_close(run->model);
    return status == EXIT_DONE && !is_written ? EXIT_ENVIRONMENT : status;
}

int cmd_encode(int argc, char **argv)
{
    encode_run run = { .model_asked = MODEL_REQUEST_INIT, .pooling = -1 };
    const option options[] = {
        CHOICE(0, "format", VECTOR_FORMATS, &run.format,
               "rows of little-endian float32, a NumPy file,\n"
               "or a line for each vector (f32)"),
        TEXT(0, "text-field", "NAME", &run.names.given[FIELD_TEXT],
             "lines are JSON objects with this text"),
        CHOICE(0, "pooling", "mean|cls|max|pooler", &run.pooling,
               "another one than the model's; not normalised"),
        TEXT(0, "model", "NAME|PATH", &run.model_asked.name,
             "instead of the default one"),
        CHOICE(0, "precision", MODEL_PRECISIONS, &run.model_asked.precision, "(int8)"),
        COUNT(0, "threads", "N", &run.model_asked.n_threads, "0: one a processor"),
        SWITCH('q', "quiet", &run.is_quiet, "do not tell of texts that were cut"),
        END_OF_OPTIONS
    };
    const usage use = {
        "encode", "FILE|- [options]",
        "Turn texts into vectors: one text a line, or a JSON object with a "
        "text a line. A\nblank line is a text too.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments != 1) {
        return usage_error(&use, "one file (or - for standard input) is needed");
    }
    if (vector_format_is_binary((vector_format)run.format) && output_is_terminal()) {
        return usage_error(&use,
                           "vectors are binary and no good for a terminal: choose "
                           "--format jsonl, or redirect");
    }
    return run_encode(&run, argv[1]);
}
