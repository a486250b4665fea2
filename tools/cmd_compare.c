/* kith compare: how similar sentences are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "encoding.h"
#include "json_write.h"
#include "models.h"
#include "options.h"
#include "output.h"
#include "sentences.h"
#include "similarity.h"
#include "text.h"

typedef struct compare_run {
    model_request model_asked;
    encoding how;
    int metric;
    const char *file;
    bool is_matrix;
    bool is_csv;
    bool is_json;
    sentences list;
    buffer out;
} compare_run;

/* NaN where one of them is without the word. */
static double score(const compare_run *run, size_t a, size_t b)
{
    const sentences *list = &run->list;
    return list->all[a].has_vector && list->all[b].has_vector
               ? keval_similarity((keval_similarity_kind)run->metric,
                                  sentences_vector(list, a), sentences_vector(list, b),
                                  list->width)
               : NAN;
}

static void put_for_people(buffer *out, int width, double value)
{
    if (isnan(value)) {
        buffer_print(out, "%*s", width, "-");
    } else {
        buffer_print(out, "%*.4f", width, value);
    }
}

/* ------------------------------------------------------------------ the first alone */

static void put_scores(compare_run *run)
{
    buffer *out = &run->out;
    for (size_t i = 1; i < run->list.n && !run->is_json; i++) {
        put_for_people(out, 0, score(run, 0, i));
        buffer_byte(out, '\n');
    }
    if (!run->is_json) {
        return;
    }
    put_key(out, "scores");
    put_open(out, '[');
    for (size_t i = 1; i < run->list.n; i++) {
        put_real(out, score(run, 0, i));
    }
    put_close(out, ']');
}

/* ------------------------------------------------------------------ all pairs */

/* A row for each sentence, which begins with its number and ends with its text. */
static void put_table(compare_run *run)
{
    const int number_width = snprintf(NULL, 0, "%zu", run->list.n);
    const size_t n = run->list.n;
    const size_t used = (size_t)number_width + 10 * n + 2;
    const size_t columns = output_columns();
    buffer *out = &run->out;
    buffer_print(out, "%*s", number_width, "");
    for (size_t i = 0; i < n; i++) {
        buffer_print(out, " %9zu", i + 1);
    }
    buffer_byte(out, '\n');
    for (size_t i = 0; i < n && output_write(out); i++) {
        buffer_print(out, "%*zu", number_width, i + 1);
        for (size_t j = 0; j < n; j++) {
            buffer_byte(out, ' ');
            put_for_people(out, 9, score(run, i, j));
        }
        buffer_string(out, "  ");
        text_cut(out, run->list.all[i].item.text,
                 columns > used + 20 ? columns - used : 20);
        buffer_byte(out, '\n');
    }
}

/* As RFC 4180 has it, in double quotes. */
static void put_cell(buffer *out, kith_text text)
{
    buffer_byte(out, '"');
    for (size_t i = 0; i < text.n_bytes; i++) {
        if (text.data[i] == '"') {
            buffer_byte(out, '"');
        }
        buffer_byte(out, text.data[i]);
    }
    buffer_byte(out, '"');
}

static void put_csv(compare_run *run)
{
    buffer *out = &run->out;
    buffer_string(out, keval_similarity_name((keval_similarity_kind)run->metric));
    for (size_t i = 0; i < run->list.n; i++) {
        buffer_byte(out, ',');
        put_cell(out, run->list.all[i].item.text);
    }
    buffer_byte(out, '\n');
    for (size_t i = 0; i < run->list.n && output_write(out); i++) {
        put_cell(out, run->list.all[i].item.text);
        for (size_t j = 0; j < run->list.n; j++) {
            const double value = score(run, i, j);
            buffer_byte(out, ',');
            if (!isnan(value)) {
                buffer_print(out, "%.9g", value);
            }
        }
        buffer_byte(out, '\n');
    }
}

static void put_matrix(compare_run *run)
{
    buffer *out = &run->out;
    put_key(out, "sentences");
    put_open(out, '[');
    for (size_t i = 0; i < run->list.n; i++) {
        put_text(out, run->list.all[i].item.text);
    }
    put_close(out, ']');
    put_key(out, "matrix");
    put_open(out, '[');
    for (size_t i = 0; i < run->list.n; i++) {
        put_open(out, '[');
        for (size_t j = 0; j < run->list.n; j++) {
            put_real(out, score(run, i, j));
        }
        put_close(out, ']');
    }
    put_close(out, ']');
}

/* ------------------------------------------------------------------ the command */

static void put_answer(compare_run *run)
{
    buffer *out = &run->out;
    if (run->is_json) {
        put_open(out, '{');
        put_key(out, "v");
        put_count(out, 1);
        put_key(out, "metric");
        put_text(out, text_of(keval_similarity_name((keval_similarity_kind)run->metric)));
    }
    if (!run->is_matrix) {
        put_scores(run);
    } else if (run->is_json) {
        put_matrix(run);
    } else if (run->is_csv) {
        put_csv(run);
    } else {
        put_table(run);
    }
    if (run->is_json) {
        put_close(out, '}');
        buffer_byte(out, '\n');
    }
    output_write(out);
}

static int compare(compare_run *run, const usage *use, char **arguments, size_t n_arguments)
{
    kith_model *model = NULL;
    int read_status = EXIT_DONE;
    for (size_t i = 0; i < n_arguments; i++) {
        sentences_add(&run->list, text_of(arguments[i]));
    }
    if (run->file != NULL) {
        read_status = sentences_read(&run->list, run->file);
    }
    if (read_status != EXIT_DONE && read_status != EXIT_PARTIAL) {
        return read_status;
    }
    if (run->list.n < 2) {
        return read_status == EXIT_PARTIAL
                   ? EXIT_PARTIAL
                   : usage_error(use, "two sentences or more are needed");
    }
    int status = models_open(&run->model_asked, &model);
    if (status == EXIT_DONE) {
        status = sentences_encode(&run->list, &run->how, model);
    }
    if (status == EXIT_DONE || status == EXIT_PARTIAL) {
        put_answer(run);
    }
    kith_model_close(model);
    return status == EXIT_DONE ? read_status : status;
}

int cmd_compare(int argc, char **argv)
{
    compare_run run = { .model_asked = MODEL_REQUEST_INIT, .how = ENCODING_INIT };
    const option options[] = {
        CHOICE(0, "metric", KEVAL_SIMILARITIES, &run.metric,
               "cosine unless given; euclidean and manhattan are\n"
               "negative distances: higher is nearer"),
        SWITCH(0, "matrix", &run.is_matrix, "compare all sentences with each other"),
        TEXT(0, "file", "FILE|-", &run.file, "more sentences, one a line"),
        TEXT(0, "word", "WORD", &run.how.word,
             "compare what a word means in each sentence"),
        ENCODING_OPTIONS(run.how),
        SWITCH(0, "csv", &run.is_csv, "with --matrix: print CSV"),
        SWITCH(0, "json", &run.is_json, "print one JSON object"),
        TEXT(0, "model", "NAME|PATH", &run.model_asked.name,
             "instead of the default one"),
        CHOICE(0, "precision", MODEL_PRECISIONS, &run.model_asked.precision, "(int8)"),
        COUNT(0, "threads", "N", &run.model_asked.n_threads, "0: one a processor"),
        END_OF_OPTIONS
    };
    const usage use = {
        "compare", "A B... [options]\n[A...] --file FILE|- [options]",
        "Print the similarity (cosine, -1 to 1) of the first sentence with each of "
        "the others.\nWith --word, the exit status is 3 when a sentence is without the "
        "word.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments < 2 && run.file == NULL) {
        return usage_error(&use, "two sentences or more are needed");
    }
    if (run.is_csv && (run.is_json || !run.is_matrix)) {
        return usage_error(&use, "--csv needs --matrix, and excludes --json");
    }
    status = encoding_check(&use, &run.how);
    if (status == GO_ON) {
        status = compare(&run, &use, argv + 1, (size_t)n_arguments);
    }
    buffer_free(&run.out);
    sentences_free(&run.list);
    return status;
}
