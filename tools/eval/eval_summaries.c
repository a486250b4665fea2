/* Summarization: do machine summaries that people like lie near to human ones? */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "cli.h"
#include "correlation.h"
#include "eval_parts.h"
#include "similarity.h"
#include "stream.h"
#include "text.h"

#define MAX_LINE_BYTES (16u << 20)

/* Of one text. */
typedef struct sample {
    size_t n_human;
    size_t n_machine;
    float *vectors; /* of the human summaries, then of the machine's */
    double *relevance; /* n_machine: what people think of them */
    double *cosines;   /* n_machine: the largest to a human summary */
    double *dots;
} sample;

/* Sums over the texts that count. */
typedef struct sums {
    size_t n_used;
    size_t n_skipped;
    double cosine_spearman;
    double cosine_pearson;
    double dot_spearman;
    double dot_pearson;
} sums;

static int line_error(const char *path, uint64_t line, const char *field,
                      const char *problem)
{
    message("%s:%" PRIu64 ": \"%s\": %s", path, line, field, problem);
    return EXIT_DATA;
}

/* ------------------------------------------------------------------ scoring */

static double largest(const eval_run *run, const sample *s, size_t machine,
                      keval_similarity_kind kind)
{
    double found = -INFINITY;
    size_t dim = run->info.dim;
    for (size_t i = 0; i < s->n_human; i++) {
        double similarity = keval_similarity(
            kind, s->vectors + i * dim, s->vectors + (s->n_human + machine) * dim, dim);
        found = similarity > found ? similarity : found;
    }
    return found;
}

static void add_sample(const eval_run *run, const sample *s, sums *all)
{
    double cosine_spearman;
    double dot_spearman;
    size_t n = s->n_machine;
    for (size_t i = 0; i < n; i++) {
        s->cosines[i] = largest(run, s, i, KEVAL_COSINE);
        s->dots[i] = largest(run, s, i, KEVAL_DOT);
    }
    if (eval_all_equal(s->relevance, n) || eval_all_equal(s->cosines, n) ||
        eval_all_equal(s->dots, n)) {
        all->n_skipped++;
        return;
    }
    eval_need(keval_spearman(s->relevance, s->cosines, n, &cosine_spearman));
    eval_need(keval_spearman(s->relevance, s->dots, n, &dot_spearman));
    all->n_used++;
    all->cosine_spearman += cosine_spearman;
    all->cosine_pearson += keval_pearson(s->relevance, s->cosines, n);
    all->dot_spearman += dot_spearman;
    all->dot_pearson += keval_pearson(s->relevance, s->dots, n);
}

/* ------------------------------------------------------------------ reading */

static const char human_field[] = "human_summaries";
static const char machine_field[] = "machine_summaries";
static const char relevance_field[] = "relevance";

/* Append the strings of a member to the texts. NULL: done; else what is wrong. */
static const char *take_texts(const json_t *object, const char *field,
                              kith_text **texts, size_t *n_texts, size_t *capacity)
{
    const json_t *list = json_object_get(object, field);
    size_t i;
    json_t *item;
    if (!json_is_array(list) || json_array_size(list) == 0) {
        return "an array of texts is needed";
    }
    json_array_foreach (list, i, item) {
        if (!json_is_string(item)) {
            return "an item is not a string";
        }
        kith_text text = { json_string_value(item), json_string_length(item) };
        if (text_is_blank(text)) {
            return "an item is empty";
        }
        *texts = make_room(*texts, *n_texts, capacity, sizeof(text));
        (*texts)[(*n_texts)++] = text;
    }
    return NULL;
}

static const char *take_relevance(const json_t *object, sample *s)
{
    const json_t *list = json_object_get(object, relevance_field);
    size_t i;
    json_t *item;
    if (!json_is_array(list) || json_array_size(list) != s->n_machine) {
        return "an array with a number for each machine summary is needed";
    }
    s->relevance = allocate(s->n_machine, sizeof(s->relevance[0]));
    json_array_foreach (list, i, item) {
        if (!json_is_number(item)) {
            return "an item is not a number";
        }
        s->relevance[i] = json_number_value(item);
    }
    return NULL;
}

static int score_object(eval_run *run, uint64_t line, const json_t *object, sums *all)
{
    const char *path = run->paths[0];
    sample s = { .vectors = NULL };
    kith_text *texts = NULL;
    size_t n_texts = 0;
    size_t capacity = 0;
    const char *field = human_field;
    const char *problem = take_texts(object, field, &texts, &n_texts, &capacity);
    s.n_human = n_texts;
    if (problem == NULL) {
        field = machine_field;
        problem = take_texts(object, field, &texts, &n_texts, &capacity);
        s.n_machine = n_texts - s.n_human;
    }
    if (problem == NULL) {
        field = relevance_field;
        problem = take_relevance(object, &s);
    }
    int status = problem == NULL ? eval_encode(run, texts, n_texts, KITH_PROMPT_NONE,
                             &s.vectors)
                                 : line_error(path, line, field, problem);
    if (status == EXIT_DONE) {
        s.cosines = allocate(s.n_machine, sizeof(s.cosines[0]));
        s.dots = allocate(s.n_machine, sizeof(s.dots[0]));
        add_sample(run, &s, all);
    }
    free(s.dots);
    free(s.cosines);
    free(s.relevance);
    free(s.vectors);
    free(texts);
    return status;
}

static int score_line(eval_run *run, const text_line *line, sums *all)
{
    json_error_t error;
    const char *path = run->paths[0];
    if (line->is_too_long) {
        return line_error(path, line->number, human_field, "longer than 16 MiB");
    }
    json_t *object =
        json_loadb(line->data, line->n_bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                   &error);
    if (!json_is_object(object)) {
        message("%s:%" PRIu64 ": %s", path, line->number,
                object == NULL ? error.text : "not a JSON object");
        json_decref(object);
        return EXIT_DATA;
    }
    int status = score_object(run, line->number, object, all);
    json_decref(object);
    return status;
}

static int score_lines(eval_run *run, stream *in, sums *all)
{
    int status = EXIT_DONE;
    text_line line;
    read_result got = READ_OK;
    while (status == EXIT_DONE && got == READ_OK) {
        got = stream_line(in, MAX_LINE_BYTES, &line);
        if (got == READ_OK && !text_is_blank((kith_text){ line.data, line.n_bytes })) {
            status = score_line(run, &line, all);
        }
    }
    if (status == EXIT_DONE && got == READ_FAILED) {
        status = report_errno(run->paths[0], in->error_number);
    }
    if (status == EXIT_DONE && all->n_used + all->n_skipped == 0) {
        status = eval_file_error(run->paths[0], "it has no rows");
    }
    return status;
}

int eval_summarization(eval_run *run)
{
    stream in;
    sums all = { .n_used = 0 };
    if (stream_open(&in, run->paths[0]) != READ_OK) {
        return report_errno(run->paths[0], in.error_number);
    }
    int status = score_lines(run, &in, &all);
    stream_close(&in);
    double n = (double)all.n_used; /* 0: the means are not defined */
    eval_count(run, "samples", all.n_used);
    eval_count(run, "skipped", all.n_skipped);
    eval_measure(run, "cosine_spearman", all.cosine_spearman / n);
    eval_measure(run, "cosine_pearson", all.cosine_pearson / n);
    eval_measure(run, "dot_spearman", all.dot_spearman / n);
    eval_measure(run, "dot_pearson", all.dot_pearson / n);
    run->main_score = "cosine_spearman";
    return status;
}
