/* kith search: the nearest records of a question. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "ids.h"
#include "npy.h"
#include "options.h"
#include "output.h"
#include "questions.h"
#include "reranker.h"
#include "session.h"
#include "show.h"
#include "text.h"

/* Hits that a reranker reads: more cost more, and change the first ten less and less. */
#define RERANK_DEPTH 50

typedef enum search_format { FORMAT_PEOPLE, FORMAT_JSON, FORMAT_TREC } search_format;

typedef struct search_run {
    /* options */
    model_request model;
    const char *queries;
    const char *vectors;
    const char *like;
    const char *field;
    double min_score;
    bool is_exact;
    int ann;
    bool explains;
    bool is_json;
    bool is_jsonl;
    bool is_trec;
    model_request rerank;
    uint32_t rerank_depth;
    kith_search_opts opts;
    /* what is worked on */
    const char *path;
    const char *text;
    search_format format;
    session session;
    reranker reranker;
    uint32_t k; /* hits wanted of a reranker */
    bool has_hit;
    bool has_refusal;
    buffer out;
} search_run;

static bool asks_many(const search_run *run)
{
    return run->queries != NULL || run->vectors != NULL;
}

/* ------------------------------------------------------------------ answers */

static void tell_about(const search_run *run, const show_query *query,
                       const kith_answer *answer)
{
    bool is_one = !asks_many(run);
    const char *mark = is_one ? "" : ": ";
    int id_bytes = is_one ? 0 : (int)query->id.n_bytes;
    if (run->explains) {
        message("%.*s%s%s", id_bytes, query->id.data, mark, answer->plan);
    }
    if (answer->n_dropped > 0) {
        message("%.*s%sthe query was cut: %u tokens of it did not fit", id_bytes,
                query->id.data, mark, answer->n_dropped);
    }
}

static bool print_answer(search_run *run, const show_query *query,
                         const kith_answer *answer)
{
    run->has_hit |= answer->n_hits > 0;
    switch (run->format) {
    case FORMAT_JSON:
        show_put_answer(&run->out, query, answer);
        break;
    case FORMAT_TREC:
        tell_about(run, query, answer);
        show_trec(&run->out, query, answer);
        break;
    case FORMAT_PEOPLE:
        tell_about(run, query, answer);
        if (asks_many(run)) {
            output_text(&run->out, query->id);
            buffer_string(&run->out, query->text.n_bytes > 0 ? "  " : "");
            output_text(&run->out, query->text);
            buffer_byte(&run->out, '\n');
        }
        show_answer(&run->out, query, answer);
        if (asks_many(run)) {
            buffer_byte(&run->out, '\n');
        }
        break;
    }
    return output_flush(&run->out);
}

static bool give_answer(search_run *run, const show_query *query,
                        const kith_answer *answer)
{
    if (run->rerank.name == NULL) {
        return print_answer(run, query, answer);
    }
    kith_answer reranked;
    show_query shown = *query;
    return reranker_answer(&run->reranker, query->text, answer, run->k, &reranked,
                           &shown.similarities) == EXIT_DONE &&
           print_answer(run, &shown, &reranked);
}

static bool give_refusal(void *context, const text_item *item, const char *reason)
{
    search_run *run = context;
    run->has_refusal = true;
    if (run->format == FORMAT_JSON) {
        const show_query query = { .id = item->id };
        show_put_refusal(&run->out, &query, reason);
    }
    return output_flush(&run->out);
}

/* ------------------------------------------------------------------ one query */

static int search_one(search_run *run)
{
    kith_error err;
    kith_results *results = NULL;
    int result = EXIT_ENVIRONMENT;
    char *like = run->like == NULL ? NULL : id_find(run->session.collection, run->like);
    if (run->like != NULL && like == NULL) {
        return EXIT_NO;
    }
    kith_query query = { .text = text_of(run->text), .like = text_of(like) };
    show_query shown = { .id = text_of("1"),
                         .text = query.text,
                         .like = query.like,
                         .explains = run->explains,
                         .field = run->field };
    if (kith_search(run->session.collection, &query, 1, &run->opts, &results, &err) !=
        KITH_OK) {
        result = report(&err, SUBJECT_RECORD);
    } else if (give_answer(run, &shown, kith_results_at(results, 0))) {
        result = EXIT_DONE;
    }
    kith_results_free(results);
    free(like);
    return result;
}

/* ------------------------------------------------------------------ many queries */

static bool on_answer(void *context, const text_item *item, const kith_answer *answer)
{
    search_run *run = context;
    const show_query shown = { .id = item->id,
                               .text = item->text,
                               .explains = run->explains,
                               .field = run->field };
    return give_answer(run, &shown, answer);
}

static int search_many(search_run *run)
{
    const question_sink sink = { run, on_answer, give_refusal };
    return questions_ask(run->session.collection, run->queries, &run->opts, &sink);
}

static int open_rows(search_run *run, npy_file *file)
{
    kith_error err;
    kith_collection_model made_with;
    int result = npy_open(file, run->vectors);
    if (result != EXIT_DONE) {
        return result;
    }
    if (kith_collection_get_model(run->path, &made_with, &err) != KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    if (file->dim != made_with.dim) {
        message("%s has vectors of %u numbers; those of the collection have %u",
                run->vectors, file->dim, made_with.dim);
        return EXIT_DATA;
    }
    return EXIT_DONE;
}

/* The next rows, as questions that the numbers of the rows are the ids of. */
static bool read_rows(npy_file *file, float *vectors, char numbers[QUESTIONS][24],
                      text_item *items, size_t *n_items)
{
    size_t n = 0;
    bool is_read = true;
    while (is_read && n < QUESTIONS && file->row < file->n_rows) {
        float *vector = vectors + n * file->dim;
        uint64_t row = file->row;
        snprintf(numbers[n], sizeof(numbers[0]), "%" PRIu64, row);
        is_read = npy_read(file, vector);
        items[n] = (text_item){ .id = text_of(numbers[n]),
                                .vector = vector,
                                .line = row };
        n++;
    }
    *n_items = n;
    return is_read;
}

/* Each row of a NumPy file is a question. */
static int search_rows(search_run *run)
{
    const question_sink sink = { run, on_answer, give_refusal };
    npy_file file;
    text_item items[QUESTIONS];
    char numbers[QUESTIONS][24];
    int result = open_rows(run, &file);
    float *vectors = allocate(QUESTIONS, file.dim * sizeof(vectors[0]));
    run->opts.n_expected = file.n_rows;
    while (result == EXIT_DONE && file.row < file.n_rows) {
        size_t n_items;
        result = read_rows(&file, vectors, numbers, items, &n_items)
                     ? questions_ask_group(run->session.collection, run->vectors,
                                           &run->opts, &sink, items, n_items)
                     : EXIT_ENVIRONMENT;
    }
    free(vectors);
    npy_close(&file);
    return result;
}

/* ------------------------------------------------------------------ the command */

static int run_search(search_run *run)
{
    bool needs_model = run->like == NULL && run->vectors == NULL;
    int status =
        session_open_to_search(&run->session, run->path, &run->model, needs_model);
    if (status == EXIT_DONE && run->rerank.name != NULL) {
        status = reranker_open(&run->reranker, &run->rerank);
    }
    if (status == EXIT_DONE) {
        status = run->queries != NULL   ? search_many(run)
                 : run->vectors != NULL ? search_rows(run)
                                        : search_one(run);
    }
    reranker_close(&run->reranker);
    session_close(&run->session);
    buffer_free(&run->out);
    if (status != EXIT_DONE) {
        return status;
    }
    return run->has_refusal ? EXIT_PARTIAL : run->has_hit ? EXIT_DONE : EXIT_NO;
}

/* More hits are found than wanted, and the best of them shown. */
static int check_rerank(const usage *use, search_run *run)
{
    if (run->rerank.name == NULL) {
        return run->rerank_depth == 0
                   ? GO_ON
                   : usage_error(use, "--rerank-depth is for --rerank MODEL");
    }
    if (run->like != NULL || run->vectors != NULL) {
        return usage_error(use, "--rerank needs a question in words, not --like or "
                                "--vectors");
    }
    if (run->opts.mmr < 1) {
        return usage_error(use, "--rerank and --mmr exclude each other");
    }
    if (run->rerank_depth == 0) {
        run->rerank_depth = run->opts.k > RERANK_DEPTH ? run->opts.k : RERANK_DEPTH;
    }
    if (run->rerank_depth < run->opts.k || run->rerank_depth > 10000) {
        return usage_error(use, "--rerank-depth takes -k to 10000");
    }
    run->k = run->opts.k;
    run->opts.k = run->rerank_depth;
    run->rerank.n_threads = run->model.n_threads;
    return GO_ON;
}

/* GO_ON when options and arguments agree with each other. */
static int check_search(const usage *use, search_run *run, int n_arguments, char **argv)
{
    int n_questions = (n_arguments - 1) + (run->queries != NULL) + (run->like != NULL) +
                      (run->vectors != NULL);
    if (n_arguments < 1 || n_questions != 1) {
        return usage_error(use,
                           "a collection and one of QUERY, --queries, --like and "
                           "--vectors are needed");
    }
    run->path = argv[1];
    run->text = n_arguments == 2 ? argv[2] : NULL;
    if (run->text != NULL && text_is_blank(text_of(run->text))) {
        return usage_error(use, "the query is empty");
    }
    if (run->like != NULL && run->like[0] == '\0') {
        return usage_error(use, "the id after --like is empty");
    }
    if (run->opts.k < 1 || run->opts.k > 10000) {
        return usage_error(use, "-k takes 1 to 10000");
    }
    if (run->opts.mmr < 0 || run->opts.mmr > 1) {
        return usage_error(use, "--mmr takes a number from 0 to 1");
    }
    if (run->opts.min_recall < 0 || run->opts.min_recall > 1) {
        return usage_error(use, "--min-recall takes 0 to 1");
    }
    if (run->is_exact && run->ann == KITH_USE_ANN_ALWAYS) {
        return usage_error(use, "--exact and --ann always contradict each other");
    }
    if (run->is_json + run->is_jsonl + run->is_trec > 1) {
        return usage_error(use, "--json, --jsonl and --trec exclude each other");
    }
    if (run->is_json && asks_many(run)) {
        return usage_error(use, "--json gives one object: use --jsonl with --queries "
                                "or --vectors");
    }
    kith_error err;
    if (run->opts.where != NULL && kith_where_check(run->opts.where, &err) != KITH_OK) {
        return usage_error(use, "%s", err.message);
    }
    run->opts.ann = run->is_exact ? KITH_USE_ANN_NEVER : (kith_use_ann)run->ann;
    run->format = run->is_trec                     ? FORMAT_TREC
                  : run->is_json || run->is_jsonl ? FORMAT_JSON
                                                   : FORMAT_PEOPLE;
    return check_rerank(use, run);
}

int cmd_search(int argc, char **argv)
{
    search_run run = { .model = MODEL_REQUEST_INIT,
                       .rerank = MODEL_REQUEST_INIT,
                       .opts = KITH_SEARCH_OPTS_INIT };
    const option options[] = {
        COUNT('k', "top-k", "N", &run.opts.k, "records wanted (10)"),
        TEXT(0, "queries", "FILE|-", &run.queries,
             "ask every line: a text, or a JSON object with\n"
             "query, text or question"),
        TEXT(0, "vectors", "FILE.npy", &run.vectors,
             "ask with every row of a NumPy file"),
        TEXT(0, "like", "ID", &run.like, "ask with a record, which is left out"),
        TEXT(0, "where", "FILTER", &run.opts.where,
             "only records that this is true of, such as\n"
             "'lang = \"en\" AND year >= 2020'"),
        TEXT(0, "show", "FIELD", &run.field,
             "show this of the metadata, such as answer"),
        NUMBER(0, "min-score", "S", &run.opts.min_score, "leave out hits below"),
        SWITCH(0, "passages", &run.opts.passages, "count passages, not records"),
        NUMBER(0, "mmr", "LAMBDA", &run.opts.mmr,
               "weight of nearness against difference from the\n"
               "hits before (1: nearness alone)"),
        COUNT(0, "max-per-source", "N", &run.opts.max_per_source,
              "hits of one source at most (0: any number)"),
        TEXT(0, "rerank", "MODEL", &run.rerank.name,
             "order what is found by a cross-encoder"),
        COUNT(0, "rerank-depth", "N", &run.rerank_depth, "how many hits it reads (50)"),
        SWITCH(0, "exact", &run.is_exact, "do not use the approximate index"),
        CHOICE(0, "ann", "auto|always|never", &run.ann, "when to use it"),
        COUNT(0, "nprobe", "N", &run.opts.nprobe, "lists of it to visit"),
        NUMBER(0, "min-recall", "R", &run.opts.min_recall,
               "measured recall that it must reach (0.95)"),
        SWITCH(0, "explain", &run.explains, "tell how the answer was found, on stderr"),
        SWITCH(0, "json", &run.is_json, "print one JSON object"),
        SWITCH(0, "jsonl", &run.is_jsonl, "print one JSON object a query"),
        SWITCH(0, "trec", &run.is_trec, "print a TREC run"),
        TEXT(0, "model", "NAME|PATH", &run.model.name,
             "instead of the collection's own"),
        COUNT(0, "threads", "N", &run.model.n_threads, "0: one a processor"),
        END_OF_OPTIONS
    };
    const usage use = {
        "search",
        "COLLECTION QUERY [options]\n"
        "COLLECTION --queries FILE|- [options]\n"
        "COLLECTION --like ID [options]\n"
        "COLLECTION --vectors FILE.npy [options]",
        "Find the records nearest to a question. The exit status is 1 when "
        "there is none.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status == GO_ON) {
        status = check_search(&use, &run, n_arguments, argv);
    }
    return status == GO_ON ? run_search(&run) : status;
}
