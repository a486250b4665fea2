/* Answering queries: encode, plan, find rows, collapse passages to records, copy out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "collection.h"
#include "error.h"
#include "filter.h"
#include "opts.h"
#include "plan.h"

#define MAX_K 10000
/* Rows beyond k that are asked for at first, so that a few passages of one record do not
 * make a second pass necessary. */
#define SLACK_ROWS 8
/* Fewer than one row in so many are scanned one by one: that takes less time than a pass
 * over the codes of all. */
#define SPARSE 10
/* Queries that are searched together at most, and hits that are held of all of them. */
#define GROUP_QUERIES 2048
#define GROUP_HITS ((size_t)1 << 20)

struct kith_results {
    kbase_arena arena;
    size_t n;
    kith_answer *answers;
};

/* What one call of kith_search() works with. */
typedef struct search {
    kith_collection *collection;
    const kith_query *queries;
    size_t n_queries;
    kith_search_opts opts;
    size_t dim;
    const kstore_snapshot *snapshot;
    kith_view *view;
    kfil_where *where;    /* NULL: no filter */
    kidx_rows rows;       /* the view's; `dead` are also those that do not match */
    uint64_t n_rows_live; /* in `rows` */
    uint64_t *excluded;   /* what rows.dead is with a filter */
    float *vectors;       /* [n_queries, dim], unit length */
    kidx_plan plan;
    kith_results *results;
} search;

/* ------------------------------------------------------------------ queries to vectors */

static kith_status check_opts(const kith_search_opts *opts, kith_error *err)
{
    if (opts->k < 1 || opts->k > MAX_K) {
        return kbase_fail(err, KITH_INVALID, "k is %u: 1 to %d are possible", opts->k,
                          MAX_K);
    }
    if (!(opts->min_recall >= 0.0 && opts->min_recall <= 1.0)) {
        return kbase_fail(err, KITH_INVALID, "the recall asked for is %g: 0 to 1 are "
                          "possible", opts->min_recall);
    }
    if (isnan(opts->min_score)) {
        return kbase_fail(err, KITH_INVALID, "the least score is not a number");
    }
    if (!(opts->mmr >= 0.0 && opts->mmr <= 1.0)) {
        return kbase_fail(err, KITH_INVALID, "the weight of relevance is %g: 0 to 1 are "
                          "possible", opts->mmr);
    }
    if (opts->mmr < 1.0 && opts->k > KITH_MMR_MAX_K) {
        return kbase_fail(err, KITH_INVALID, "k is %u: with diversity 1 to %d are possible",
                          opts->k, KITH_MMR_MAX_K);
    }
    return KITH_OK;
}

/* The rows that may be in an answer. */
static kith_status filter_rows(search *s, kith_error *err)
{
    s->rows = s->view->rows;
    s->n_rows_live = s->view->n_passages;
    if (s->where == NULL) {
        return KITH_OK;
    }
    const size_t n_words = (size_t)(s->rows.n_rows + 63) / 64;
    s->excluded = kbase_calloc(n_words, sizeof(*s->excluded));
    if (s->excluded == NULL) {
        return kbase_fail_memory(err, n_words * sizeof(*s->excluded));
    }
    kith_status status = kith_filter_rows(s->collection, s->view, s->snapshot, s->where,
                                          s->excluded, &s->n_rows_live, err);
    for (size_t i = 0; i < n_words; i++) {
        s->excluded[i] = ~s->excluded[i];
    }
    s->rows.dead = s->excluded;
    if (s->n_rows_live < s->rows.n_rows / SPARSE) {
        s->rows.codes = NULL;
    }
    return status;
}

static kith_status check_query(const search *s, const kith_query *query, kith_error *err)
{
    int n_given = (query->text.n_bytes > 0) + (query->vector != NULL) +
                  (query->like.n_bytes > 0);
    if (n_given == 0) {
        return kbase_fail(err, KITH_INVALID, "the query is empty: give a text");
    }
    if (n_given > 1) {
        return kbase_fail(err, KITH_INVALID, "a query is a text, a vector or the id of a "
                          "record, not several of them");
    }
    if (query->text.n_bytes > 0 && s->collection->model == NULL) {
        return kith_fail_no_model(s->collection, "queries by text need one", err);
    }
    return KITH_OK;
}

/* Scale to unit length, in double: the same bits everywhere. */
static kith_status normalize(float *vector, size_t dim, kith_error *err)
{
    double length = kith_vector_length(vector, dim);
    if (!(length > 0.0)) {
        return kbase_fail(err, KITH_INVALID, "a query vector is zero or not finite");
    }
    for (size_t i = 0; i < dim; i++) {
        vector[i] = (float)((double)vector[i] / length);
    }
    return KITH_OK;
}

/* Encode the queries that are texts, all in one batch. */
static kith_status encode_texts(search *s, kith_error *err)
{
    const size_t dim = s->dim;
    kith_text *texts = kbase_calloc(s->n_queries, sizeof(*texts));
    float *encoded = kbase_calloc(s->n_queries * dim, sizeof(*encoded));
    uint32_t *dropped = kbase_calloc(s->n_queries, sizeof(*dropped));
    kith_status status = KITH_OK;
    size_t n = 0;
    if (texts == NULL || encoded == NULL || dropped == NULL) {
        status = kbase_fail_memory(err, s->n_queries * dim * sizeof(*encoded));
        goto done;
    }
    for (size_t i = 0; i < s->n_queries; i++) {
        if (s->queries[i].text.n_bytes > 0) {
            texts[n++] = s->queries[i].text;
        }
    }
    if (n > 0) {
        status = kenc_encode(s->collection->model->encoder, texts, n, KITH_POOLING_DEFAULT,
                             KITH_PROMPT_QUERY, encoded, dropped, err);
    }
    n = 0;
    for (size_t i = 0; i < s->n_queries && status == KITH_OK; i++) {
        if (s->queries[i].text.n_bytes > 0) {
            memcpy(s->vectors + i * dim, encoded + n * dim, dim * sizeof(*encoded));
            s->results->answers[i].n_dropped = dropped[n++];
        }
    }
done:
    free(dropped);
    free(encoded);
    free(texts);
    return status;
}

/* Before the snapshot: encoding may wait for the model. */
static kith_status prepare(search *s, kith_error *err)
{
    kith_results *results = s->results;
    results->answers = kbase_calloc(s->n_queries, sizeof(*results->answers));
    s->vectors = kbase_calloc(s->n_queries * s->dim, sizeof(*s->vectors));
    if (results->answers == NULL || s->vectors == NULL) {
        return kbase_fail_memory(err, s->n_queries * s->dim * sizeof(*s->vectors));
    }
    results->n = s->n_queries;
    kith_status status = KITH_OK;
    for (size_t i = 0; i < s->n_queries && status == KITH_OK; i++) {
        status = check_query(s, &s->queries[i], err);
    }
    return status == KITH_OK ? encode_texts(s, err) : status;
}

/* The vectors that are given or stored; all of them to unit length. */
static kith_status complete_vectors(search *s, kith_error *err)
{
    const kidx_rows *rows = &s->view->rows;
    kith_status status = KITH_OK;
    for (size_t i = 0; i < s->n_queries && status == KITH_OK; i++) {
        const kith_query *query = &s->queries[i];
        float *vector = s->vectors + i * s->dim;
        uint64_t ordinal;
        if (query->vector != NULL) {
            memcpy(vector, query->vector, s->dim * sizeof(*vector));
        } else if (query->like.n_bytes > 0) {
            status = kstore_find(s->snapshot, query->like, 0, &ordinal, err);
            if (status == KITH_OK) {
                kidx_f32_from_f16(s->collection->isa, rows->data + ordinal * rows->stride,
                                  s->dim, vector);
            }
        }
        if (status == KITH_OK) {
            status = normalize(vector, s->dim, err);
        }
    }
    return status;
}

static kith_status fill_answer(search *s, size_t q, const kidx_hit *hits, size_t n_hits,
                               bool *short_of, kith_error *err)
{
    const kith_answering answering = { s->snapshot, &s->view->rows, s->collection->isa,
                                       &s->opts, &s->results->arena };
    return kith_answer_fill(&answering, &s->queries[q], hits, n_hits,
                            &s->results->answers[q], short_of, err);
}

/* ------------------------------------------------------------------ finding rows */

/* The m best rows of a run of queries; approximate where the plan says so. */
static kith_status find_rows(search *s, size_t first, size_t n, bool exact, size_t m,
                             kidx_hit *hits, size_t *counts, kith_error *err)
{
    kith_collection *collection = s->collection;
    const float *vectors = s->vectors + first * s->dim;
    kbase_pool *pool = kith_pool_take(collection);
    kith_status status =
        exact ? kidx_scan(collection->isa, pool, &s->rows, vectors, n, m, hits, counts,
                          err)
              : kidx_ann_search(s->view->ann->ann, collection->isa, pool, &s->rows,
                                vectors, n, s->plan.nprobe, m, hits, counts, err);
    kith_pool_give_back(collection, pool);
    return status;
}

/* A query whose first rows held too few records: exactly, with m rows, then with more, at
 * last with all. */
static kith_status search_deeper(search *s, size_t q, size_t m, kith_error *err)
{
    kith_answer *answer = &s->results->answers[q];
    const size_t n_live = (size_t)s->n_rows_live;
    bool short_of = true;
    kith_status status = KITH_OK;
    answer->exact = true;
    answer->recall = 1.0;
    for (size_t last_m = 0; short_of && last_m < n_live && status == KITH_OK; m *= 4) {
        m = m < n_live ? m : n_live;
        size_t count = 0;
        kidx_hit *hits = kbase_calloc(m, sizeof(*hits));
        status = hits != NULL ? find_rows(s, q, 1, true, m, hits, &count, err)
                              : kbase_fail_memory(err, m * sizeof(*hits));
        if (status == KITH_OK) {
            status = fill_answer(s, q, hits, count, &short_of, err);
        }
        free(hits);
        last_m = m;
    }
    return status;
}

/* Rows to ask for at first. */
static size_t rows_wanted(const search *s)
{
    const kith_view *view = s->view;
    uint64_t m = kith_answer_pool(&s->opts);
    if (!s->opts.passages && view->n_records > 0) {
        m = m * ((view->n_passages + view->n_records - 1) / view->n_records) + SLACK_ROWS;
    }
    m += 1; /* the record itself, of a query by record */
    if (!s->plan.exact && s->where != NULL && s->n_rows_live > 0) {
        m = m * view->n_passages / s->n_rows_live; /* so many match of more */
    }
    return (size_t)(m < s->n_rows_live ? m : s->n_rows_live);
}

static kith_status search_group(search *s, size_t first, size_t n, size_t m,
                                kidx_hit *hits, size_t *counts, kith_error *err)
{
    kith_status status = find_rows(s, first, n, s->plan.exact, m, hits, counts, err);
    for (size_t i = 0; i < n && status == KITH_OK; i++) {
        kith_answer *answer = &s->results->answers[first + i];
        answer->exact = s->plan.exact;
        answer->recall = s->plan.recall;
        bool short_of = false;
        status = fill_answer(s, first + i, hits + i * m, counts[i], &short_of, err);
        if (status == KITH_OK && short_of && (m < s->n_rows_live || !s->plan.exact)) {
            status = search_deeper(s, first + i, s->plan.exact ? 4 * m : m, err);
        }
    }
    return status;
}

static kith_status search_all(search *s, kith_error *err)
{
    const size_t m = rows_wanted(s);
    if (m == 0) {
        for (size_t i = 0; i < s->n_queries; i++) {
            s->results->answers[i].exact = true;
            s->results->answers[i].recall = 1.0;
        }
        return KITH_OK;
    }
    size_t group = GROUP_HITS / m + 1 < GROUP_QUERIES ? GROUP_HITS / m + 1 : GROUP_QUERIES;
    group = s->n_queries < group ? s->n_queries : group;
    kidx_hit *hits = kbase_calloc(group * m, sizeof(*hits));
    size_t *counts = kbase_calloc(group, sizeof(*counts));
    kith_status status = hits != NULL && counts != NULL
                             ? KITH_OK
                             : kbase_fail_memory(err, group * m * sizeof(*hits));
    for (size_t i = 0; i < s->n_queries && status == KITH_OK; i += group) {
        size_t n = s->n_queries - i < group ? s->n_queries - i : group;
        status = search_group(s, i, n, m, hits, counts, err);
    }
    free(counts);
    free(hits);
    return status;
}

/* ------------------------------------------------------------------ planning */

/* Recall was measured without a filter, and nothing follows from it for the rows that
 * match. So with one the index is only used where no recall is asked for, and where at
 * least half of what it finds can be expected to match. */
static void adapt_plan_to_filter(search *s)
{
    kidx_plan *plan = &s->plan;
    const char *reason = s->opts.nprobe == 0 && s->opts.min_recall > 0.0
                             ? "recall was not measured with a filter"
                         : 2 * s->n_rows_live < s->view->n_passages
                             ? "fewer than half of the rows match the filter"
                             : NULL;
    if (s->where == NULL || plan->exact) {
        return;
    }
    plan->recall = -1.0;
    if (reason != NULL) {
        *plan = (kidx_plan){ .exact = true, .recall = 1.0 };
        snprintf(plan->reason, sizeof(plan->reason), "exact: %s", reason);
    }
}

static kith_status make_plan(search *s, kith_error *err)
{
    kith_collection *collection = s->collection;
    bool loaded;
    const kidx_ann_info *info = kith_view_ann_info(collection, s->view, &loaded);
    const kidx_codes *codes = s->view->rows.codes;
    const kidx_plan_request request = {
        .n_rows = s->view->rows.n_rows,
        .n_coded = codes != NULL ? kidx_codes_covers(codes) : 0,
        .k = s->opts.k,
        .min_recall = s->opts.min_recall,
        .nprobe = s->opts.nprobe,
        .use = s->opts.ann,
        .n_queries = s->n_queries > s->opts.n_expected ? s->n_queries : s->opts.n_expected,
        .n_together = s->n_queries,
        .loaded = loaded,
    };
    kidx_plan_choose(&request, info, &s->plan);
    adapt_plan_to_filter(s);
    kith_error problem;
    const char *note = info == NULL && s->view->ann != NULL ? s->view->ann->problem : "";
    const char *reason = s->plan.reason;
    if (!s->plan.exact &&
        kith_view_load_ann(collection, s->view, &problem) != KITH_OK) {
        s->plan.exact = true;
        s->plan.recall = 1.0;
        reason = "exact";
        note = problem.message;
    }
    char line[1024];
    char matching[128] = "";
    if (s->where != NULL) {
        snprintf(matching, sizeof(matching), "; %llu of %llu rows match the filter",
                 (unsigned long long)s->n_rows_live,
                 (unsigned long long)s->view->n_passages);
    }
    int n = snprintf(line, sizeof(line), "%s%s%s%s", reason, matching,
                     note[0] != '\0' ? "; the approximate index is not used: " : "", note);
    kith_text plan = kbase_arena_copy(&s->results->arena,
                                      (kith_text){ line, (size_t)n < sizeof(line)
                                                             ? (size_t)n
                                                             : sizeof(line) - 1 });
    if (plan.data == NULL) {
        return kbase_fail_memory(err, sizeof(line));
    }
    for (size_t i = 0; i < s->n_queries; i++) {
        s->results->answers[i].plan = plan.data;
    }
    return KITH_OK;
}

/* ------------------------------------------------------------------ the entry */

static kith_status search_view(search *s, kith_error *err)
{
    kith_status status = complete_vectors(s, err);
    if (status == KITH_OK) {
        status = filter_rows(s, err);
    }
    if (status == KITH_OK) {
        status = make_plan(s, err);
    }
    return status == KITH_OK ? search_all(s, err) : status;
}

static kith_status run(search *s, kith_error *err)
{
    kith_collection *collection = s->collection;
    kith_reading reading = { NULL, NULL };
    kith_status status = prepare(s, err);
    if (status == KITH_OK) {
        status = kith_read_begin(collection, &reading, err);
    }
    if (status == KITH_OK) {
        s->snapshot = reading.snapshot;
        status = kith_view_acquire(collection, &reading, &s->view, err);
    }
    if (status == KITH_OK) {
        status = search_view(s, err);
        kith_view_release(collection, s->view);
    }
    kith_read_end(collection, &reading);
    return status;
}

kith_status kith_search(kith_collection *collection, const kith_query *queries,
                        size_t n_queries, const kith_search_opts *opts,
                        kith_results **out, kith_error *err)
{
    search s = { .collection = collection, .queries = queries, .n_queries = n_queries,
                 .opts = KITH_SEARCH_OPTS_INIT };
    kith_status status = kith_take_opts(&s.opts, sizeof(s.opts), opts,
                                        "kith_search_opts", err);
    if (status == KITH_OK) {
        status = kith_check_process(collection, err);
    }
    if (status == KITH_OK) {
        status = check_opts(&s.opts, err);
    }
    if (status == KITH_OK && s.opts.where != NULL) {
        status = kfil_where_parse(s.opts.where, &s.where, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    s.dim = collection->settings.dim;
    s.results = calloc(1, sizeof(*s.results));
    status = s.results != NULL ? run(&s, err)
                               : kbase_fail_memory(err, sizeof(*s.results));
    free(s.excluded);
    free(s.vectors);
    kfil_where_free(s.where);
    if (status != KITH_OK) {
        kith_results_free(s.results);
        return status;
    }
    *out = s.results;
    return KITH_OK;
}

kith_status kith_where_check(const char *where, kith_error *err)
{
    kfil_where *parsed = NULL;
    kith_status status = kfil_where_parse(where, &parsed, err);
    kfil_where_free(parsed);
    return status;
}

size_t kith_results_count(const kith_results *results)
{
    return results->n;
}

const kith_answer *kith_results_at(const kith_results *results, size_t i)
{
    return &results->answers[i];
}

void kith_results_free(kith_results *results)
{
    if (results != NULL) {
        kbase_arena_free(&results->arena);
        free(results->answers);
        free(results);
    }
}
