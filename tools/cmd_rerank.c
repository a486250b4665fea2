/* kith rerank: the lines of a file, in the order in which they answer a query. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli.h"
#include "json_write.h"
#include "options.h"
#include "output.h"
#include "reranker.h"
#include "text.h"
#include "texts.h"

typedef struct rerank_run {
    model_request model;
    uint32_t k;
    bool is_json;
    kith_text query;
    const char *path;
    text_item *items;
    size_t n_items;
    size_t capacity;
    float *scores;
    size_t *order;
    bool has_refusal;
} rerank_run;

static int read_items(rerank_run *run)
{
    const field_names names = { 0 };
    text_file file;
    text_item item;
    read_result got;
    if (!texts_open(&file, run->path, &names)) {
        return EXIT_ENVIRONMENT;
    }
    while ((got = texts_next(&file, &item)) == READ_OK) {
        if (item.problem != NULL) {
            message("%s:%" PRIu64 ": %s", run->path, item.line, item.problem);
            run->has_refusal = true;
            text_item_free(&item);
        } else if (text_is_blank(item.text)) {
            text_item_free(&item);
        } else {
            run->items = make_room(run->items, run->n_items, &run->capacity,
                                   sizeof(run->items[0]));
            run->items[run->n_items++] = item;
        }
    }
    texts_close(&file);
    return got == READ_FAILED    ? EXIT_ENVIRONMENT
           : got == READ_STOPPED ? EXIT_INTERRUPTED
                                 : EXIT_DONE;
}

static int score_items(rerank_run *run)
{
    reranker ranker = RERANKER_EMPTY;
    int status = reranker_open(&ranker, &run->model);
    if (status == EXIT_DONE) {
        kith_text *texts = allocate(run->n_items, sizeof(texts[0]));
        run->scores = allocate(run->n_items, sizeof(run->scores[0]));
        run->order = allocate(run->n_items, sizeof(run->order[0]));
        for (size_t i = 0; i < run->n_items; i++) {
            texts[i] = run->items[i].text;
        }
        status = reranker_score(&ranker, run->query, texts, run->n_items, run->scores);
        reranker_sort(run->scores, run->n_items, run->order);
        free(texts);
    }
    reranker_close(&ranker);
    return status;
}

static void put_ranking(const rerank_run *run, size_t n, buffer *out)
{
    put_open(out, '{');
    put_key(out, "v");
    put_count(out, 1);
    put_key(out, "query");
    put_text(out, run->query);
    put_key(out, "hits");
    put_open(out, '[');
    for (size_t i = 0; i < n; i++) {
        const text_item *item = &run->items[run->order[i]];
        put_open(out, '{');
        put_key(out, "rank");
        put_count(out, i + 1);
        put_key(out, "id");
        put_text(out, item->id);
        put_key(out, "score");
        put_real(out, (double)run->scores[run->order[i]]);
        put_key(out, "text");
        put_text(out, item->text);
        put_close(out, '}');
    }
    put_close(out, ']');
    put_close(out, '}');
    buffer_byte(out, '\n');
}

static int print_ranking(const rerank_run *run)
{
    const size_t n = run->k > 0 && run->k < run->n_items ? run->k : run->n_items;
    const size_t n_columns = output_columns();
    buffer out = BUFFER_EMPTY;
    if (run->is_json) {
        put_ranking(run, n, &out);
    }
    for (size_t i = 0; i < n && !run->is_json; i++) {
        const text_item *item = &run->items[run->order[i]];
        buffer_print(&out, "%3zu  %9.4f  ", i + 1, (double)run->scores[run->order[i]]);
        text_cut(&out, item->text, n_columns > 40 ? n_columns - 16 : 24);
        buffer_byte(&out, '\n');
    }
    const bool is_written = output_write(&out);
    buffer_free(&out);
    return !is_written         ? EXIT_ENVIRONMENT
           : run->has_refusal  ? EXIT_PARTIAL
           : run->n_items == 0 ? EXIT_NO
                               : EXIT_DONE;
}

int cmd_rerank(int argc, char **argv)
{
    rerank_run run = { .model = MODEL_REQUEST_INIT };
    const option options[] = {
        COUNT('k', "top-k", "N", &run.k, "show the best N (0: all)"),
        SWITCH(0, "json", &run.is_json, "print one JSON object"),
        TEXT(0, "model", "NAME|PATH", &run.model.name, "the cross-encoder; needed"),
        CHOICE(0, "precision", MODEL_PRECISIONS, &run.model.precision, "(int8)"),
        COUNT(0, "threads", "N", &run.model.n_threads, "0: one a processor"),
        END_OF_OPTIONS
    };
    const usage use = {
        "rerank", "QUERY FILE|- --model MODEL [options]",
        "Score each line of a file, a text or a JSON object with a text, against a "
        "query with a\ncross-encoder, which reads both together, and print them best "
        "first. The exit status\nis 1 when there is none.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments != 2 || run.model.name == NULL) {
        return usage_error(&use, "QUERY, FILE and --model are needed");
    }
    run.query = text_of(argv[1]);
    run.path = argv[2];
    if (text_is_blank(run.query)) {
        return usage_error(&use, "the query is empty");
    }
    status = read_items(&run);
    if (status == EXIT_DONE && run.n_items > 0) {
        status = score_items(&run);
    }
    if (status == EXIT_DONE) {
        status = print_ranking(&run);
    }
    for (size_t i = 0; i < run.n_items; i++) {
        text_item_free(&run.items[i]);
    }
    free(run.items);
    free(run.scores);
    free(run.order);
    return status;
}
