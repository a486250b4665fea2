/* kith eval --task reranking: MTEB's reranking. Candidates of a query are sorted by
 * their similarity to it; MAP and MRR@10 are means over the queries. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "cli.h"
#include "eval_parts.h"
#include "ranking.h"
#include "similarity.h"
#include "stream.h"
#include "text.h"

#define MAX_LINE_BYTES (16u << 20)
#define MRR_CUTOFF 10

typedef struct reranking {
    eval_run *run;
    const char *path;
    size_t n_queries;
    size_t n_passed; /* lines without a positive or a negative, as MTEB passes them */
    double sum_map;
    double sum_mrr;
} reranking;

typedef struct candidate {
    double score;
    int32_t label;
    size_t place;
} candidate;

static int refuse(const reranking *r, const text_line *line, const char *what,
                  const char *reason)
{
    message("%s:%" PRIu64 ": %s%s", r->path, line->number, what, reason);
    return EXIT_DATA;
}

/* ------------------------------------------------------------------ one query */

/* Equal scores stay in the order of the file, as argsort() leaves them. */
static int best_first(const void *x, const void *y)
{
    const candidate *a = x;
    const candidate *b = y;
    int order = (a->score < b->score) - (a->score > b->score);
    return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

static void add_scores(reranking *r, const candidate *candidates, size_t n)
{
    double *scores = allocate(n, sizeof(scores[0]));
    int32_t *labels = allocate(n, sizeof(labels[0]));
    for (size_t i = 0; i < n; i++) {
        scores[i] = candidates[i].score;
        labels[i] = candidates[i].label;
    }
    const keval_ranking ranking = { .ranked = labels, .n_ranked = n };
    r->sum_map += keval_average_precision_of_scores(scores, labels, n);
    r->sum_mrr += keval_reciprocal_rank(&ranking, MRR_CUTOFF);
    r->n_queries++;
    free(scores);
    free(labels);
}

static kith_text text_at(const json_t *list, size_t i)
{
    const json_t *text = json_array_get(list, i);
    return (kith_text){ json_string_value(text), json_string_length(text) };
}

static int rank_line(reranking *r, kith_text query, const json_t *positive,
                     const json_t *negative)
{
    const uint32_t dim = r->run->info.dim;
    float *asked = NULL;
    float *vectors = NULL;
    size_t n_positive = json_array_size(positive);
    size_t n = n_positive + json_array_size(negative);
    kith_text *texts = allocate(n, sizeof(texts[0]));
    candidate *candidates = allocate(n, sizeof(candidates[0]));
    for (size_t i = 0; i < n; i++) {
        texts[i] = i < n_positive ? text_at(positive, i)
                                  : text_at(negative, i - n_positive);
    }
    int status = eval_encode(r->run, &query, 1, KITH_PROMPT_QUERY, &asked);
    if (status == EXIT_DONE) {
        status = eval_encode(r->run, texts, n, KITH_PROMPT_PASSAGE, &vectors);
    }
    if (status == EXIT_DONE) {
        for (size_t i = 0; i < n; i++) {
            double score = keval_similarity(KEVAL_COSINE, asked, vectors + i * dim, dim);
            candidates[i] = (candidate){ score, i < n_positive, i };
        }
        qsort(candidates, n, sizeof(candidates[0]), best_first);
        add_scores(r, candidates, n);
    }
    free(candidates);
    free(vectors);
    free(asked);
    free(texts);
    return status;
}

/* ------------------------------------------------------------------ the file */

static bool is_list_of_texts(const json_t *list)
{
    if (!json_is_array(list)) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!json_is_string(json_array_get(list, i))) {
            return false;
        }
    }
    return true;
}

static int take_object(reranking *r, const text_line *line, const json_t *object)
{
    static const char not_a_list[] = " is missing, or no list of strings";
    const json_t *query = json_object_get(object, "query");
    const json_t *positive = json_object_get(object, "positive");
    const json_t *negative = json_object_get(object, "negative");
    if (!json_is_string(query)) {
        return refuse(r, line, "query", " is missing, or no string");
    }
    if (!is_list_of_texts(positive)) {
        return refuse(r, line, "positive", not_a_list);
    }
    if (!is_list_of_texts(negative)) {
        return refuse(r, line, "negative", not_a_list);
    }
    if (json_array_size(positive) == 0 || json_array_size(negative) == 0) {
        r->n_passed++;
        return EXIT_DONE;
    }
    const kith_text text = { json_string_value(query), json_string_length(query) };
    return rank_line(r, text, positive, negative);
}

static int take_line(reranking *r, const text_line *line)
{
    json_error_t error;
    if (line->is_too_long) {
        return refuse(r, line, "", "longer than 16 MiB");
    }
    if (text_is_blank((kith_text){ line->data, line->n_bytes })) {
        return EXIT_DONE;
    }
    json_t *object = json_loadb(line->data, line->n_bytes,
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (object == NULL) {
        return refuse(r, line, "invalid JSON: ", error.text);
    }
    int status = take_object(r, line, object);
    json_decref(object);
    return status;
}

static int read_lines(reranking *r, stream *in)
{
    text_line line;
    int status = EXIT_DONE;
    read_result got = READ_OK;
    while (status == EXIT_DONE &&
           (got = stream_line(in, MAX_LINE_BYTES, &line)) == READ_OK) {
        status = take_line(r, &line);
    }
    if (status == EXIT_DONE && got == READ_FAILED) {
        return report_errno(r->path, in->error_number);
    }
    return status == EXIT_DONE && got == READ_STOPPED ? EXIT_INTERRUPTED : status;
}

int eval_reranking(eval_run *run)
{
    reranking r = { .run = run, .path = run->paths[0] };
    stream in;
    if (stream_open(&in, r.path) != READ_OK) {
        return report_errno(r.path, in.error_number);
    }
    int status = read_lines(&r, &in);
    stream_close(&in);
    if (status == EXIT_DONE && r.n_queries == 0) {
        message("%s: there is no query with a positive and a negative in it", r.path);
        return EXIT_DATA;
    }
    if (status == EXIT_DONE && r.n_passed > 0) {
        message("%s: %zu queries have no positive or no negative: left out", r.path,
                r.n_passed);
    }
    eval_count(run, "queries", r.n_queries);
    eval_measure(run, "map", r.sum_map / (double)r.n_queries);
    eval_measure(run, "mrr@10", r.sum_mrr / (double)r.n_queries);
    run->main_score = "map";
    return status;
}
