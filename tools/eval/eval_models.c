/* kith eval --compare: models side by side. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "eval.h"
#include "eval_tasks.h"
#include "json_write.h"
#include "output.h"
#include "text.h"

typedef struct model_result {
    model_facts facts;
    eval_scores scores;
    double ndcg10; /* of retrieval */
    bool has_refusal;
} model_result;

static int run_task(const eval_options *options, size_t n_models,
                    const model_request *request, model_result *result)
{
    eval_run run = { 0 };
    kith_model *model = NULL;
    int status = models_open(request, &model);
    if (status == EXIT_DONE) {
        double began = seconds_now();
        result->facts = model_facts_of(model);
        status = eval_task_run(options->task, options->arguments + n_models,
                               options->n_arguments - n_models, model, &run);
        result->facts.texts_per_second = (double)run.n_texts / (seconds_now() - began);
    }
    for (size_t i = 0; status == EXIT_DONE && i < run.n_scores; i++) {
        if (run.scores[i].is_measure && result->scores.n_scores < MAX_SCORES) {
            scores_add(&result->scores, run.scores[i].name, run.scores[i].value);
        }
    }
    eval_run_free(&run);
    kith_model_close(model);
    return status;
}

static int run_beir(const eval_options *options, const model_request *request,
                    model_result *result)
{
    beir_run run;
    int status = beir_run_make(&run, options, request);
    if (status == EXIT_DONE) {
        const rank_request *ranking = &run.retrieval.request;
        result->facts = run.model;
        result->scores = scores_of_ranking(ranking, &run.retrieval.scores, NULL);
        result->ndcg10 = run.retrieval.scores.mean[rank_score_ndcg10(ranking)];
        result->has_refusal = run.has_refusal;
        retrieval_tell(&run.retrieval, options);
    }
    beir_run_free(&run);
    return status;
}

/* ------------------------------------------------------------------ printing */

static void put_result(buffer *out, const model_result *result)
{
    put_model_facts(out, &result->facts);
    put_score_members(out, &result->scores);
}

static void put_results(buffer *out, const model_result *results, size_t n_results)
{
    put_open(out, '{');
    put_key(out, "v");
    put_count(out, 1);
    put_key(out, "models");
    put_open(out, '[');
    for (size_t i = 0; i < n_results; i++) {
        put_open(out, '{');
        put_result(out, &results[i]);
        put_close(out, '}');
    }
    put_close(out, ']');
    put_close(out, '}');
    buffer_byte(out, '\n');
}

/* What one chooses by beside the scores. */
static char *fact(const model_facts *facts, size_t row)
{
    switch (row) {
    case 0:
        return copy_string(models_precision_name(facts->precision));
    case 1:
        return format_string("%.1f", facts->texts_per_second);
    case 2:
        return format_string("%.1f", (double)facts->file_bytes / 1e6);
    case 3:
        return format_string("%" PRIu32, facts->max_tokens);
    default:
        return format_string("%" PRIu32, facts->dim);
    }
}

static void print_results(buffer *out, const model_result *results, size_t n_results)
{
    static const char *const rows[] = { "precision", "texts a second", "file in MB",
                                        "length in tokens", "dimension" };
    score_column *columns = allocate(n_results, sizeof(columns[0]));
    for (size_t i = 0; i < n_results; i++) {
        columns[i] = (score_column){ results[i].facts.name, results[i].scores };
    }
    print_score_table(out, columns, n_results);
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        buffer_print(out, "%-*s", NAME_COLUMNS, rows[row]);
        for (size_t i = 0; i < n_results; i++) {
            char *value = fact(&results[i].facts, row);
            buffer_print(out, "%*s", score_column_width(&columns[i], n_results), value);
            free(value);
        }
        buffer_byte(out, '\n');
    }
    free(columns);
}

/* ------------------------------------------------------------------ commands */

int eval_compare(const eval_options *options)
{
    size_t n_models = options->n_arguments;
    if (options->task >= 0) {
        n_models -= eval_task_min_files(options->task);
    }
    model_result *results = allocate(n_models, sizeof(results[0]));
    int status = EXIT_DONE;
    for (size_t i = 0; i < n_models && status == EXIT_DONE; i++) {
        model_request request = options->model;
        request.name = options->arguments[i];
        results[i] = (model_result){ .ndcg10 = 0 };
        status = options->task >= 0 ? run_task(options, n_models, &request,
                                                 &results[i])
                                      : run_beir(options, &request, &results[i]);
    }
    if (status == EXIT_DONE) {
        buffer out = BUFFER_EMPTY;
        if (options->is_json) {
            put_results(&out, results, n_models);
        } else {
            print_results(&out, results, n_models);
        }
        output_write(&out);
        buffer_free(&out);
    }
    for (size_t i = 0; status == EXIT_DONE && options->task < 0 && i < n_models;
         i++) {
        status = eval_gate(options, results[i].facts.name, results[i].ndcg10);
    }
    for (size_t i = 0; status == EXIT_DONE && i < n_models; i++) {
        status = results[i].has_refusal ? EXIT_PARTIAL : EXIT_DONE;
    }
    free(results);
    return status;
}
