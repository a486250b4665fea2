/* kith encode: texts to vectors. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "encoding.h"
#include "models.h"
#include "options.h"
#include "output.h"
#include "piece_rows.h"
#include "texts.h"
#include "vector_writer.h"

#define GROUP_TEXTS 1024
#define GROUP_BYTES (4u << 20)

typedef struct encode_run {
    model_request model_asked;
    field_names names;
    int format;
    encoding how;
    bool is_quiet;
    kith_model_info info;
    text_file file;
    piece_rows rows;
    float *vectors;
    uint64_t n_texts;
    uint64_t n_empty; /* static vectors of nothing */
} encode_run;

/* A row a text. */
static int put_vectors(encode_run *run, const kith_text *texts, size_t n)
{
    static uint32_t n_dropped[GROUP_TEXTS];
    static size_t n_pieces[GROUP_TEXTS];
    kith_error err;
    if (encoding_make(&run->how, run->rows.model, texts, n, run->vectors, n_dropped,
                      n_pieces, &err) != KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    for (size_t i = 0; i < n; i++) {
        run->rows.n_cut += n_dropped[i] > 0;
        run->n_empty += n_pieces[i] == 0;
    }
    run->rows.n_rows += n;
    return vector_writer_put(run->rows.out, run->vectors, n, NULL) ? EXIT_DONE
                                                                   : EXIT_ENVIRONMENT;
}

/* Encode and write the texts of a group. A line that is refused ends it: a row that is
 * missing would shift all that follow. */
static int encode_group(encode_run *run, const text_item *items, size_t n_items)
{
    static kith_text texts[GROUP_TEXTS];
    size_t n = 0;
    while (n < n_items && items[n].problem == NULL) {
        texts[n] = items[n].text;
        n++;
    }
    int status = run->how.has_tokens
                     ? piece_rows_put_tokens(&run->rows, items, texts, n)
                 : run->how.word != NULL
                     ? piece_rows_put_word(&run->rows, run->how.word, items, texts, n)
                     : put_vectors(run, texts, n);
    if (status != EXIT_DONE) {
        return status;
    }
    run->n_texts += n;
    if (n < n_items) {
        message("%s:%" PRIu64 ": %s; stopped after %" PRIu64 " rows", run->file.name,
                items[n].line, items[n].problem, run->rows.n_rows);
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

/* What people should know of the rows. */
static void tell_counts(const encode_run *run)
{
    const piece_rows *rows = &run->rows;
    if (!run->is_quiet && rows->n_cut > 0 && run->how.word != NULL) {
        message("in %" PRIu64 " of %" PRIu64 " texts \"%s\" also stands behind the first "
                "%" PRIu32 " tokens, where it is cut", rows->n_cut, run->n_texts,
                run->how.word, run->info.max_tokens);
    } else if (!run->is_quiet && rows->n_cut > 0) {
        message("%" PRIu64 " of %" PRIu64 " texts were cut at %" PRIu32 " tokens",
                rows->n_cut, run->n_texts, run->info.max_tokens);
    }
    if (!run->is_quiet && run->n_empty > 0) {
        message("%" PRIu64 " of %" PRIu64 " texts have no word to average: their rows are "
                "zeros", run->n_empty, run->n_texts);
    }
    if (rows->n_without > 0) {
        message("%" PRIu64 " of %" PRIu64 " texts are without \"%s\"", rows->n_without,
                run->n_texts, run->how.word);
    }
}

static int run_encode(encode_run *run, const char *path)
{
    piece_rows *rows = &run->rows;
    int status = models_open(&run->model_asked, &rows->model);
    if (status != EXIT_DONE) {
        return status;
    }
    if (!texts_open(&run->file, path, &run->names)) {
        kith_model_close(rows->model);
        return EXIT_ENVIRONMENT;
    }
    kith_model_get_info(rows->model, &run->info);
    const uint32_t width = encoding_width(&run->how, &run->info);
    run->vectors = allocate(GROUP_TEXTS, width * sizeof(run->vectors[0]));
    rows->file = path;
    rows->out = vector_writer_new((vector_format)run->format, width);
    status = encode_file(run);
    bool is_written = vector_writer_finish(rows->out);
    tell_counts(run);
    free(run->vectors);
    texts_close(&run->file);
    kith_model_close(rows->model);
    if (status == EXIT_DONE && rows->n_without > 0) {
        status = EXIT_PARTIAL;
    }
    return !is_written && (status == EXIT_DONE || status == EXIT_PARTIAL)
               ? EXIT_ENVIRONMENT
               : status;
}

int cmd_encode(int argc, char **argv)
{
    encode_run run = { .model_asked = MODEL_REQUEST_INIT, .how = ENCODING_INIT };
    const option options[] = {
        CHOICE(0, "format", VECTOR_FORMATS, &run.format,
               "rows of little-endian float32, a NumPy file,\n"
               "or a line for each vector (f32)"),
        TEXT(0, "text-field", "NAME", &run.names.given[FIELD_TEXT],
             "lines are JSON objects with this text"),
        ENCODING_OPTIONS(run.how),
        CHOICE(0, "prompt", "none|query|passage", &run.how.prompt,
               "what the model wants before a text (none)"),
        SWITCH(0, "tokens", &run.how.has_tokens,
               "a vector for every word piece, [CLS] and [SEP] too"),
        TEXT(0, "word", "WORD", &run.how.word,
             "a vector for every occurrence of a word, in its context"),
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
        "text a line. A\nblank line is a text too. With --word, the exit status is 3 "
        "when a text is without\nthe word.",
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
    status = encoding_check(&use, &run.how);
    if (status != GO_ON) {
        return status;
    }
    if (vector_format_is_binary((vector_format)run.format) && output_is_terminal()) {
        return usage_error(&use,
                           "vectors are binary and no good for a terminal: choose "
                           "--format jsonl, or redirect");
    }
    return run_encode(&run, argv[1]);
}
