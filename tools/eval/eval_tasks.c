#include "eval_tasks.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "eval_parts.h"
#include "json_write.h"
#include "output.h"
#include "progress.h"
#include "text.h"

#define GROUP_TEXTS 256

/* In the order of EVAL_TASKS. */
static const struct {
    const char *name;
    int (*run)(eval_run *run);
    size_t min_paths;
    size_t max_paths;
    const char *files;
} tasks[] = {
    { "sts", eval_sts, 1, 1, "one file" },
    { "pair-classification", eval_pair_classification, 1, 1, "one file" },
    { "classification", eval_classification, 2, 2, "two files, to train and to test" },
    { "clustering", eval_clustering, 1, 1, "one file" },
    { "bitext", eval_bitext, 1, 2, "one file of pairs, or two of lines" },
    { "summarization", eval_summarization, 1, 1, "one file" },
    { "reranking", eval_reranking, 1, 1, "one file" },
};

/* ------------------------------------------------------------------ running */

void eval_need(bool done)
{
    if (!done) {
        message("out of memory");
        exit(EXIT_ENVIRONMENT);
    }
}

int eval_encode(eval_run *run, const kith_text *texts, size_t n_texts, kith_prompt prompt,
                float **vectors)
{
    kith_error err;
    kith_status status = KITH_OK;
    uint32_t n_dropped[GROUP_TEXTS];
    kith_encode_opts opts = KITH_ENCODE_OPTS_INIT;
    opts.prompt = prompt;
    *vectors = allocate(n_texts, run->info.dim * sizeof(float));
    progress_begin("encoding", false);
    for (size_t i = 0; i < n_texts && status == KITH_OK; i += GROUP_TEXTS) {
        size_t n = n_texts - i < GROUP_TEXTS ? n_texts - i : GROUP_TEXTS;
        status = kith_model_encode(run->model, texts + i, n, &opts,
                                   *vectors + i * run->info.dim, n_dropped, &err);
        for (size_t j = 0; j < n && status == KITH_OK; j++) {
            run->n_cut += n_dropped[j] > 0;
        }
        progress_records(i + n, (double)(i + n) / (double)n_texts);
    }
    progress_end();
    run->n_texts += n_texts;
    return status == KITH_OK ? EXIT_DONE : report(&err, SUBJECT_ENVIRONMENT);
}

static void add_score(eval_run *run, const char *name, double value, bool is_measure)
{
    eval_score *score = &run->scores[run->n_scores++];
    snprintf(score->name, sizeof(score->name), "%s", name);
    score->value = value;
    score->is_measure = is_measure;
}

void eval_count(eval_run *run, const char *name, uint64_t count)
{
    add_score(run, name, (double)count, false);
}

void eval_measure(eval_run *run, const char *name, double value)
{
    add_score(run, name, value, true);
}

void eval_other(eval_run *run, const char *name, double value)
{
    add_score(run, name, value, false);
}

/* ------------------------------------------------------------------ showing */

static double main_score(const eval_run *run)
{
    size_t i = 0;
    while (strcmp(run->scores[i].name, run->main_score) != 0) {
        i++;
    }
    return run->scores[i].value;
}

static void put_result(buffer *out, const char *task, const eval_run *run)
{
    put_open(out, '{');
    put_key(out, "v");
    put_count(out, 1);
    put_key(out, "task");
    put_text(out, text_of(task));
    put_key(out, "model");
    put_text(out, text_of(run->info.name));
    put_key(out, "precision");
    put_text(out, text_of(models_precision_name(run->info.precision)));
    put_key(out, "texts");
    put_count(out, run->n_texts);
    put_key(out, "truncated");
    put_count(out, run->n_cut);
    put_key(out, "main_score");
    put_real(out, main_score(run));
    for (size_t i = 0; i < run->n_scores; i++) {
        put_key(out, run->scores[i].name);
        put_real(out, run->scores[i].value);
    }
    if (run->list_name != NULL) {
        put_key(out, run->list_name);
        put_open(out, '[');
        for (size_t i = 0; i < run->n_list; i++) {
            put_real(out, run->list[i]);
        }
        put_close(out, ']');
    }
    put_close(out, '}');
    buffer_byte(out, '\n');
}

static void show_number(buffer *out, const char *name, double value, bool is_measure)
{
    buffer_print(out, "%-28s", name);
    if (!isfinite(value)) {
        buffer_string(out, "        -\n");
    } else if (is_measure) {
        buffer_print(out, "%9.2f\n", 100 * value);
    } else if (value >= 0 && value < 1e15 && value <= floor(value)) {
        buffer_print(out, "%9.0f\n", value);
    } else {
        buffer_print(out, "%9.4f\n", value);
    }
}

static void show_result(buffer *out, const char *task, const eval_run *run)
{
    buffer_print(out, "%s, %s, %s\n\n", task, run->info.name,
                 models_precision_name(run->info.precision));
    for (size_t i = 0; i < run->n_scores; i++) {
        show_number(out, run->scores[i].name, run->scores[i].value,
                    run->scores[i].is_measure);
    }
    buffer_byte(out, '\n');
    buffer_print(out, "main score: %s", run->main_score);
    if (isfinite(main_score(run))) {
        buffer_print(out, " %.2f", 100 * main_score(run));
    } else {
        buffer_string(out, " is not defined");
    }
    buffer_byte(out, '\n');
}

static int print_result(const char *task, const eval_run *run, bool is_json)
{
    buffer out = BUFFER_EMPTY;
    if (is_json) {
        put_result(&out, task, run);
    } else {
        show_result(&out, task, run);
    }
    bool is_written = output_write(&out);
    buffer_free(&out);
    if (run->n_cut > 0) {
        message("%" PRIu64 " of %" PRIu64 " texts were cut at %" PRIu32 " tokens",
                run->n_cut, run->n_texts, run->info.max_tokens);
    }
    return is_written ? EXIT_DONE : EXIT_ENVIRONMENT;
}

int eval_task_check(int task, size_t n_paths, const usage *use)
{
    return n_paths < tasks[task].min_paths || n_paths > tasks[task].max_paths
               ? usage_error(use, "--task %s needs %s", tasks[task].name,
                             tasks[task].files)
               : GO_ON;
}

size_t eval_task_min_files(int task)
{
    return tasks[task].min_paths;
}

int eval_task_run(int task, char *const *paths, size_t n_paths, kith_model *model,
                  eval_run *run)
{
    *run = (eval_run){ .model = model, .paths = paths, .n_paths = n_paths };
    kith_model_get_info(model, &run->info);
    return tasks[task].run(run);
}

void eval_run_free(eval_run *run)
{
    free(run->list);
}

int eval_task_print(int task, char *const *paths, size_t n_paths,
                    const model_request *request, bool is_json)
{
    eval_run run = { 0 };
    kith_model *model = NULL;
    int status = models_open(request, &model);
    if (status == EXIT_DONE) {
        status = eval_task_run(task, paths, n_paths, model, &run);
    }
    if (status == EXIT_DONE) {
        status = print_result(tasks[task].name, &run, is_json);
    }
    eval_run_free(&run);
    kith_model_close(model);
    return status;
}
