/* kith eval COLLECTION: judged queries, asked exactly and through the approximate
 * index. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "eval.h"
#include "json_write.h"
#include "output.h"
#include "progress.h"
#include "session.h"
#include "show.h"

void eval_request(const eval_options *options, rank_request *request)
{
    static const uint32_t usual[] = { 10, 100 };
    bool has_own = options->k != 10 && options->k != 100;
    *request = (rank_request){ .ignores_identical = options->ignores_identical };
    for (size_t i = 0; i < 2; i++) {
        if (has_own && options->k < usual[i]) {
            request->cutoffs[request->n_cutoffs++] = options->k;
            has_own = false;
        }
        request->cutoffs[request->n_cutoffs++] = usual[i];
    }
    if (has_own) {
        request->cutoffs[request->n_cutoffs++] = options->k;
    }
}

int eval_gate(const eval_options *options, const char *label, double ndcg10)
{
    if (ndcg10 >= options->min_ndcg) {
        return EXIT_DONE;
    }
    message("%s: nDCG@10 is %.4f, below %g", label, ndcg10, options->min_ndcg);
    return EXIT_NO;
}

/* ------------------------------------------------------------------ asking */

int retrieval_read(retrieval *r, const eval_options *options, const char *queries,
                   const char *qrels)
{
    *r = (retrieval){ .n_documents = 0 };
    eval_request(options, &r->request);
    int status = ratings_read_qrels(&r->qrels, qrels);
    if (status == EXIT_DONE) {
        status = eval_queries_read(&r->queries, queries, &r->qrels);
    }
    r->request.qrels = &r->qrels;
    r->request.queries = r->queries.ids;
    r->request.n_queries = r->queries.n_items;
    return status;
}

static int check_documents(retrieval *r, kith_collection *collection)
{
    int status = eval_count_unknown(collection, &r->qrels, &r->n_unknown,
                                    &r->n_documents);
    if (status == EXIT_DONE && r->n_unknown == r->n_documents) {
        kith_text doc = r->qrels.items[0].doc;
        message("none of the %zu judged documents is in the collection, \"%.*s\" for "
                "example: do ids and judgements belong together?", r->n_documents,
                (int)doc.n_bytes, doc.data);
        return EXIT_DATA;
    }
    return status;
}

static int ask_approximately(retrieval *r, kith_collection *collection,
                             kith_search_opts opts)
{
    kith_error err;
    kith_collection_info info;
    if (kith_collection_get_info(collection, &info, &err) != KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    if (strcmp(info.index_kind, "exact") == 0) {
        return EXIT_DONE;
    }
    opts.ann = KITH_USE_ANN_ALWAYS;
    /* More hits than recall was measured for would be searched exactly. */
    const uint32_t most = info.n_recall > 0 ? info.recall[info.n_recall - 1].k : opts.k;
    opts.k = opts.k < most ? opts.k : most;
    int status = eval_ask(&r->approximate, collection, &r->queries, &opts);
    r->has_approximate = status == EXIT_DONE && r->approximate.n_approximate > 0;
    if (status == EXIT_DONE && !r->has_approximate) {
        message("no setting of the approximate index reaches a recall of %g for %u "
                "hits: it is not used; --min-recall takes a lower one",
                opts.min_recall, (unsigned)opts.k);
    }
    if (r->has_approximate) {
        rank_scores_of(&r->approximate_scores, &r->request, &r->approximate.run);
        rank_recall_of_exact(&r->request, &r->exact.run, &r->approximate.run,
                             r->recall_of_exact);
    }
    return status;
}

int retrieval_ask(retrieval *r, const eval_options *options,
                  kith_collection *collection)
{
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    opts.k = r->request.cutoffs[r->request.n_cutoffs - 1] + options->ignores_identical;
    opts.min_recall = options->min_recall;
    opts.n_expected = r->queries.n_items;
    opts.ann = KITH_USE_ANN_NEVER;
    int status = check_documents(r, collection);
    progress_begin("evaluating", options->is_quiet);
    if (status == EXIT_DONE) {
        status = eval_ask(&r->exact, collection, &r->queries, &opts);
    }
    if (status == EXIT_DONE) {
        rank_scores_of(&r->scores, &r->request, &r->exact.run);
        status = ask_approximately(r, collection, opts);
    }
    progress_end();
    return status;
}

void retrieval_free(retrieval *r)
{
    rank_scores_free(&r->approximate_scores);
    rank_scores_free(&r->scores);
    ratings_free(&r->approximate.run);
    ratings_free(&r->exact.run);
    eval_queries_free(&r->queries);
    ratings_free(&r->qrels);
}

/* ------------------------------------------------------------------ the run */

static int save_run(const retrieval *r, const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return report_errno(path, errno);
    }
    buffer out = BUFFER_EMPTY;
    const ratings *run = &r->exact.run;
    size_t rank = 0;
    for (size_t i = 0; i < run->n_items; i++) {
        const rating *hit = &run->items[i];
        bool is_next = i > 0 && compare_ids(run->items[i - 1].query, hit->query) == 0;
        rank = is_next ? rank + 1 : 1;
        show_trec_hit(&out, hit->query, hit->doc, rank, hit->value);
        fwrite(out.data, 1, out.size, file);
        buffer_clear(&out);
    }
    buffer_free(&out);
    bool is_written = ferror(file) == 0;
    is_written &= fclose(file) == 0;
    return is_written ? EXIT_DONE : report_errno(path, errno);
}

/* ------------------------------------------------------------------ printing */

void retrieval_tell(const retrieval *r, const eval_options *options)
{
    if (options->is_quiet) {
        return;
    }
    if (r->queries.n_unjudged > 0) {
        message("%zu queries are not judged: left out", r->queries.n_unjudged);
    }
    if (r->queries.n_missing > 0) {
        message("%zu judged queries are not among the queries: left out",
                r->queries.n_missing);
    }
    if (r->n_unknown > 0) {
        message("%zu of %zu judged documents are not in the collection: the relevant "
                "ones count as missed", r->n_unknown, r->n_documents);
    }
    if (r->scores.n_without_relevant > 0) {
        message("%zu queries have no relevant document: they count as 0",
                r->scores.n_without_relevant);
    }
    if (r->exact.n_truncated > 0) {
        message("%zu queries were cut, since they do not fit into the model",
                r->exact.n_truncated);
    }
}

static void put_approximate(buffer *out, const retrieval *r)
{
    const eval_scores scores =
        scores_of_ranking(&r->request, &r->approximate_scores, NULL);
    put_key(out, "approximate");
    put_open(out, '{');
    put_score_members(out, &scores);
    for (size_t i = 0; i < r->request.n_cutoffs; i++) {
        char name[32];
        snprintf(name, sizeof(name), "recall_of_exact@%u",
                 (unsigned)r->request.cutoffs[i]);
        put_key(out, name);
        put_score(out, r->recall_of_exact[i]);
    }
    put_key(out, "approximate_queries");
    put_count(out, r->approximate.n_approximate);
    put_close(out, '}');
}

static void put_counts(buffer *out, const retrieval *r)
{
    put_key(out, "queries_without_relevant");
    put_count(out, r->scores.n_without_relevant);
    put_key(out, "unjudged_queries");
    put_count(out, r->queries.n_unjudged);
    put_key(out, "missing_queries");
    put_count(out, r->queries.n_missing);
    put_key(out, "truncated_queries");
    put_count(out, r->exact.n_truncated);
    put_key(out, "judged_documents");
    put_count(out, r->n_documents);
    put_key(out, "unknown_documents");
    put_count(out, r->n_unknown);
}

static void print_table(buffer *out, const retrieval *r)
{
    score_column columns[2] = {
        { "exact", scores_of_ranking(&r->request, &r->scores, NULL) },
    };
    if (r->has_approximate) {
        columns[1] = (score_column){
            "approximate", scores_of_ranking(&r->request, &r->approximate_scores, NULL)
        };
    }
    buffer_print(out, "%zu queries\n", r->request.n_queries);
    print_score_table(out, columns, r->has_approximate ? 2 : 1);
    for (size_t i = 0; r->has_approximate && i < r->request.n_cutoffs; i++) {
        buffer_print(out, "the approximate index finds %.2f %% of the exact best %u\n",
                     100 * r->recall_of_exact[i], (unsigned)r->request.cutoffs[i]);
    }
}

static int pass_gate(const retrieval *r, const eval_options *options)
{
    size_t ndcg10 = rank_score_ndcg10(&r->request);
    int status = eval_gate(options, "exact search", r->scores.mean[ndcg10]);
    if (status == EXIT_DONE && r->has_approximate) {
        status = eval_gate(options, "approximate search",
                           r->approximate_scores.mean[ndcg10]);
    }
    return status;
}

int retrieval_print(const retrieval *r, const eval_options *options,
                    void (*put_facts)(buffer *out, const void *context),
                    const void *context)
{
    const ranked_column columns[] = { { "exact", &r->scores },
                                      { "approximate", &r->approximate_scores } };
    const eval_scores scores = scores_of_ranking(&r->request, &r->scores, NULL);
    buffer out = BUFFER_EMPTY;
    retrieval_tell(r, options);
    if (options->per_query) {
        print_per_query(&out, &r->request, columns, r->has_approximate ? 2 : 1,
                        options->is_json);
    }
    if (options->is_json) {
        put_open(&out, '{');
        put_key(&out, "v");
        put_count(&out, 1);
        put_key(&out, "queries");
        put_count(&out, r->request.n_queries);
        put_score_members(&out, &scores);
        put_counts(&out, r);
        if (r->has_approximate) {
            put_approximate(&out, r);
        }
        if (put_facts != NULL) {
            put_facts(&out, context);
        }
        put_close(&out, '}');
        buffer_byte(&out, '\n');
    } else {
        print_table(&out, r);
    }
    output_write(&out);
    buffer_free(&out);
    int status =
        options->save_run == NULL ? EXIT_DONE : save_run(r, options->save_run);
    return status == EXIT_DONE ? pass_gate(r, options) : status;
}

int eval_collection(const eval_options *options)
{
    retrieval r;
    session s = SESSION_EMPTY;
    int status = retrieval_read(&r, options, options->queries, options->qrels);
    if (status == EXIT_DONE) {
        status = session_open_to_search(&s, options->arguments[0], &options->model,
                                        true);
    }
    if (status == EXIT_DONE) {
        status = retrieval_ask(&r, options, s.collection);
    }
    if (status == EXIT_DONE) {
        status = retrieval_print(&r, options, NULL, NULL);
    }
    session_close(&s);
    retrieval_free(&r);
    return status;
}
