/* kith eval --run: TREC runs against judgements, without a collection. */
#include <math.h>
#include <stdlib.h>

#include "cli.h"
#include "eval.h"
#include "json_write.h"
#include "output.h"
#include "significance.h"
#include "text.h"

#define RANDOMISATION_ROUNDS 10000
#define RANDOMISATION_SEED 1

typedef struct run_eval {
    const eval_options *options;
    ratings qrels;
    kith_text *queries;
    rank_request request;
    ratings runs[MAX_OPTION_TEXTS];
    rank_scores scores[MAX_OPTION_TEXTS];
    size_t n_unjudged[MAX_OPTION_TEXTS]; /* queries of the run: left out */
    size_t n_runs;
} run_eval;

/* ------------------------------------------------------------------ reading */

static void find_queries(run_eval *e)
{
    e->queries = allocate(e->qrels.n_items, sizeof(e->queries[0]));
    size_t n = 0;
    for (size_t i = 0; i < e->qrels.n_items; i++) {
        kith_text id = e->qrels.items[i].query;
        if (n == 0 || compare_ids(e->queries[n - 1], id) != 0) {
            e->queries[n++] = id;
        }
    }
    e->request.qrels = &e->qrels;
    e->request.queries = e->queries;
    e->request.n_queries = n;
}

/* Count the queries of a run with and without judgements. */
static int match_queries(run_eval *e, size_t i)
{
    const ratings *run = &e->runs[i];
    size_t n_judged = 0;
    for (size_t j = 0; j < run->n_items; j++) {
        size_t n;
        kith_text id = run->items[j].query;
        if (j > 0 && compare_ids(run->items[j - 1].query, id) == 0) {
            continue;
        }
        bool is_judged = ratings_of(&e->qrels, id, &n) != NULL;
        n_judged += is_judged;
        e->n_unjudged[i] += !is_judged;
    }
    if (n_judged > 0) {
        return EXIT_DONE;
    }
    kith_text asked = run->items[0].query;
    kith_text judged = e->queries[0];
    message("%s: no query in it is judged: an id there is \"%.*s\", one in %s \"%.*s\"",
            e->options->runs.given[i], (int)asked.n_bytes, asked.data,
            e->options->qrels, (int)judged.n_bytes, judged.data);
    return EXIT_DATA;
}

static int read_all(run_eval *e)
{
    int status = ratings_read_qrels(&e->qrels, e->options->qrels);
    if (status != EXIT_DONE) {
        return status;
    }
    find_queries(e);
    for (size_t i = 0; i < e->n_runs && status == EXIT_DONE; i++) {
        status = ratings_read_run(&e->runs[i], e->options->runs.given[i]);
        if (status == EXIT_DONE) {
            status = match_queries(e, i);
        }
        if (status == EXIT_DONE) {
            rank_scores_of(&e->scores[i], &e->request, &e->runs[i]);
        }
    }
    return status;
}

/* ------------------------------------------------------------------ two runs */

typedef struct difference {
    eval_scores mean;
    eval_scores t_test;
    eval_scores randomisation;
} difference;

static void compare_runs(const run_eval *e, difference *d)
{
    size_t n = e->request.n_queries;
    size_t n_scores = e->scores[0].n_scores;
    double *differences = allocate(n, sizeof(differences[0]));
    *d = (difference){ .mean.n_scores = 0 };
    for (size_t i = 0; i < n_scores; i++) {
        char name[SCORE_NAME_BYTES];
        for (size_t q = 0; q < n; q++) {
            differences[q] = e->scores[1].values[q * n_scores + i] -
                             e->scores[0].values[q * n_scores + i];
        }
        rank_score_name(&e->request, i, name);
        scores_add(&d->mean, name, e->scores[1].mean[i] - e->scores[0].mean[i]);
        scores_add(&d->t_test, name, keval_t_test(differences, n));
        scores_add(&d->randomisation, name,
                   keval_randomisation_test(differences, n, RANDOMISATION_ROUNDS,
                                            RANDOMISATION_SEED));
    }
    free(differences);
}

/* ------------------------------------------------------------------ printing */

static void put_counts(buffer *out, const run_eval *e, size_t i)
{
    put_key(out, "queries_without_relevant");
    put_count(out, e->scores[i].n_without_relevant);
    put_key(out, "unanswered_queries");
    put_count(out, e->scores[i].n_unanswered);
    put_key(out, "unjudged_queries");
    put_count(out, e->n_unjudged[i]);
}

static void put_run(buffer *out, const run_eval *e, size_t i)
{
    const eval_scores scores = scores_of_ranking(&e->request, &e->scores[i], NULL);
    put_key(out, "run");
    put_text(out, text_of(e->options->runs.given[i]));
    put_score_members(out, &scores);
    put_counts(out, e, i);
}

static void put_difference(buffer *out, const difference *d)
{
    put_key(out, "difference");
    put_open(out, '{');
    for (size_t i = 0; i < d->mean.n_scores; i++) {
        put_key(out, d->mean.names[i]);
        put_open(out, '{');
        put_key(out, "mean");
        put_score(out, d->mean.values[i]);
        put_key(out, "p_t_test");
        put_score(out, d->t_test.values[i]);
        put_key(out, "p_randomisation");
        put_score(out, d->randomisation.values[i]);
        put_close(out, '}');
    }
    put_close(out, '}');
}

static void put_all(buffer *out, const run_eval *e, const difference *d)
{
    put_open(out, '{');
    put_key(out, "v");
    put_count(out, 1);
    put_key(out, "queries");
    put_count(out, e->request.n_queries);
    if (e->n_runs == 1) {
        put_run(out, e, 0);
    } else {
        put_key(out, "runs");
        put_open(out, '[');
        for (size_t i = 0; i < e->n_runs; i++) {
            put_open(out, '{');
            put_run(out, e, i);
            put_close(out, '}');
        }
        put_close(out, ']');
        put_difference(out, d);
    }
    put_close(out, '}');
    buffer_byte(out, '\n');
}

static void print_table(buffer *out, const run_eval *e, const difference *d)
{
    score_column columns[MAX_OPTION_TEXTS + 3];
    size_t n = 0;
    for (; n < e->n_runs; n++) {
        columns[n].label = e->options->runs.given[n];
        columns[n].scores = scores_of_ranking(&e->request, &e->scores[n], NULL);
    }
    if (e->n_runs == 2) {
        columns[n++] = (score_column){ "difference", d->mean };
        columns[n++] = (score_column){ "p (t-test)", d->t_test };
        columns[n++] = (score_column){ "p (randomisation)", d->randomisation };
    }
    buffer_print(out, "%zu queries\n", e->request.n_queries);
    print_score_table(out, columns, n);
}

static void tell(const run_eval *e, size_t i)
{
    const char *name = e->options->runs.given[i];
    if (e->options->is_quiet) {
        return;
    }
    if (e->n_unjudged[i] > 0) {
        message("%s: %zu queries are not judged: left out", name, e->n_unjudged[i]);
    }
    if (e->scores[i].n_unanswered > 0) {
        message("%s: %zu of %zu judged queries have no result: they count as 0", name,
                e->scores[i].n_unanswered, e->request.n_queries);
    }
    if (i == 0 && e->scores[i].n_without_relevant > 0) {
        message("%s: %zu queries have no relevant document: they count as 0",
                e->options->qrels, e->scores[i].n_without_relevant);
    }
}

static int print(const run_eval *e)
{
    buffer out = BUFFER_EMPTY;
    difference d = { .mean.n_scores = 0 };
    ranked_column columns[MAX_OPTION_TEXTS];
    int status = EXIT_DONE;
    for (size_t i = 0; i < e->n_runs; i++) {
        columns[i] = (ranked_column){ e->options->runs.given[i], &e->scores[i] };
        tell(e, i);
    }
    if (e->n_runs == 2) {
        compare_runs(e, &d);
    }
    if (e->options->per_query) {
        print_per_query(&out, &e->request, columns, e->n_runs, e->options->is_json);
    }
    if (e->options->is_json) {
        put_all(&out, e, &d);
    } else {
        print_table(&out, e, &d);
    }
    output_write(&out);
    buffer_free(&out);
    size_t ndcg10 = rank_score_ndcg10(&e->request);
    for (size_t i = 0; i < e->n_runs && status == EXIT_DONE; i++) {
        status = eval_gate(e->options, columns[i].label, e->scores[i].mean[ndcg10]);
    }
    return status;
}

int eval_runs(const eval_options *options)
{
    run_eval e = { .options = options, .n_runs = options->runs.n_given };
    eval_request(options, &e.request);
    int status = read_all(&e);
    if (status == EXIT_DONE) {
        status = print(&e);
    }
    for (size_t i = 0; i < e.n_runs; i++) {
        rank_scores_free(&e.scores[i]);
        ratings_free(&e.runs[i]);
    }
    free(e.queries);
    ratings_free(&e.qrels);
    return status;
}
