/* kith tokens: the word pieces of texts. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli.h"
#include "json_write.h"
#include "models.h"
#include "options.h"
#include "output.h"
#include "text.h"
#include "texts.h"

typedef struct tokens_run {
    model_request model_asked;
    field_names names;
    bool is_json;
    bool is_jsonl;
    bool truncates;
    kith_model *model;
    buffer out;
} tokens_run;

static void put_ids(buffer *out, const kith_tokens *tokens)
{
    put_open(out, '{');
    put_key(out, "v");
    put_count(out, 1);
    put_key(out, "ids");
    put_open(out, '[');
    for (size_t i = 0; i < tokens->n_tokens; i++) {
        put_count(out, tokens->ids[i]);
    }
    put_close(out, ']');
    put_key(out, "truncated");
    put_count(out, tokens->n_dropped);
}

/* Where the model's limit cuts: before the piece of this number. */
typedef struct cut {
    uint32_t limit; /* tokens */
    size_t n_cut;   /* pieces that the model does not see; 0: it sees all */
    size_t at;      /* the first of them, or what stands in its place */
    uint64_t byte;  /* the end of the text that it sees */
} cut;

static cut find_cut(const kith_model *model, const kith_tokens *tokens)
{
    kith_model_info info;
    kith_model_get_info(model, &info);
    cut c = { .limit = info.max_tokens, .n_cut = tokens->n_dropped };
    if (tokens->n_tokens > info.max_tokens) {
        c.n_cut = tokens->n_tokens - info.max_tokens;
    }
    c.at = c.n_cut > 0 ? info.max_tokens - 1 : tokens->n_tokens; /* [SEP] goes there */
    c.byte = tokens->last[c.at - 1];
    return c;
}

static void put_pieces(buffer *out, const kith_model *model, const kith_tokens *tokens)
{
    const cut c = find_cut(model, tokens);
    put_key(out, "limit");
    put_count(out, c.limit);
    put_key(out, "cut");
    if (c.n_cut > 0) {
        put_count(out, c.byte);
    } else {
        put_null(out);
    }
    put_key(out, "pieces");
    put_open(out, '[');
    for (size_t i = 0; i < tokens->n_tokens; i++) {
        put_text(out, kith_model_token(model, tokens->ids[i]));
    }
    put_close(out, ']');
    put_key(out, "bytes");
    put_open(out, '[');
    for (size_t i = 0; i < tokens->n_tokens; i++) {
        put_open(out, '[');
        put_count(out, tokens->first[i]);
        put_count(out, tokens->last[i]);
        put_close(out, ']');
    }
    put_close(out, ']');
}

static void put_table(buffer *out, const kith_model *model, const kith_tokens *tokens)
{
    const cut c = find_cut(model, tokens);
    buffer_string(out, "    id   bytes        piece\n");
    for (size_t i = 0; i < tokens->n_tokens; i++) {
        char range[48];
        if (i == c.at) {
            buffer_print(out, "---- cut at byte %" PRIu64 ": the model takes %" PRIu32
                         " tokens, %zu more do not fit ----\n", c.byte, c.limit, c.n_cut);
        }
        snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, tokens->first[i],
                 tokens->last[i]);
        buffer_print(out, "%6" PRIu32 "   %-10s   ", tokens->ids[i], range);
        output_text(out, kith_model_token(model, tokens->ids[i]));
        buffer_byte(out, '\n');
    }
    if (tokens->n_dropped > 0) {
        message("%zu more tokens did not fit and were cut: --no-truncate shows them",
                tokens->n_dropped);
    }
}

static int put_tokens(tokens_run *run, kith_text text)
{
    kith_error err;
    kith_tokens tokens;
    if (kith_model_tokenize(run->model, text, run->truncates, &tokens, &err) !=
        KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    if (run->is_json || run->is_jsonl) {
        put_ids(&run->out, &tokens);
        if (run->is_json) {
            put_pieces(&run->out, run->model, &tokens);
        }
        put_close(&run->out, '}');
        buffer_byte(&run->out, '\n');
    } else {
        put_table(&run->out, run->model, &tokens);
    }
    kith_tokens_free(&tokens);
    return EXIT_DONE;
}

/* A line for each line. One that is refused ends it: the rest would be out of step. */
static int put_file(tokens_run *run, const char *path)
{
    text_file file;
    text_item item;
    if (!texts_open(&file, path, &run->names)) {
        return EXIT_ENVIRONMENT;
    }
    int status = EXIT_DONE;
    read_result got = READ_OK;
    while (status == EXIT_DONE && (got = texts_next(&file, &item)) == READ_OK) {
        if (item.problem != NULL) {
            message("%s:%" PRIu64 ": %s; stopped before it", path, item.line,
                    item.problem);
            status = EXIT_PARTIAL;
        } else {
            status = put_tokens(run, item.text);
        }
        text_item_free(&item);
        bool is_written = texts_has_more(&file) ? output_write(&run->out)
                                                : output_flush(&run->out);
        status = status == EXIT_DONE && !is_written ? EXIT_ENVIRONMENT : status;
    }
    texts_close(&file);
    return status == EXIT_DONE && got == READ_FAILED ? EXIT_ENVIRONMENT : status;
}

int cmd_tokens(int argc, char **argv)
{
    tokens_run run = { .model_asked = MODEL_REQUEST_INIT, .truncates = true };
    const option options[] = {
        SWITCH(0, "jsonl", &run.is_jsonl,
               "read texts from a file, print an object for each"),
        SWITCH(0, "json", &run.is_json, "print one JSON object"),
        SWITCH(0, "truncate", &run.truncates,
               "cut at the model's limit, as encode does (on;\n--no-truncate: do not)"),
        TEXT(0, "text-field", "NAME", &run.names.given[FIELD_TEXT],
             "lines are JSON objects with this text"),
        TEXT(0, "model", "NAME|PATH", &run.model_asked.name,
             "instead of the default one"),
        END_OF_OPTIONS
    };
    const usage use = {
        "tokens", "TEXT [options]\n--jsonl FILE|- [options]",
        "Show the word pieces that the model sees, their ids, and which "
        "bytes of the text they\nstand for. A line marks where the limit of the model "
        "cuts a text.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments != 1) {
        return usage_error(&use, "one %s is needed", run.is_jsonl ? "file" : "text");
    }
    if (run.is_json && run.is_jsonl) {
        return usage_error(&use, "--json and --jsonl exclude each other");
    }
    run.model_asked.n_threads = 1;
    status = models_open(&run.model_asked, &run.model);
    if (status == EXIT_DONE) {
        status = run.is_jsonl ? put_file(&run, argv[1])
                              : put_tokens(&run, text_of(argv[1]));
        output_write(&run.out);
    }
    buffer_free(&run.out);
    kith_model_close(run.model);
    return status;
}
