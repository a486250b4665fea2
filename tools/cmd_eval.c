/* kith eval: how good a search, a run or a model is. */
#include "cli.h"
#include "eval.h"
#include "eval_tasks.h"

/* ------------------------------------------------------------------ checks */

static int check_task(const usage *use, const eval_options *o)
{
    if (o->beir != NULL || o->runs.n_given > 0 || o->queries != NULL ||
        o->qrels != NULL) {
        return usage_error(use, "--task takes its files, and no other input");
    }
    const size_t n_files = eval_task_min_files(o->task);
    const size_t n_models = o->compares ? o->n_arguments - n_files : 0;
    if (o->compares && o->n_arguments < n_files + 2) {
        return usage_error(use, "--compare --task needs two models or more, then the "
                                "files of the task");
    }
    int status = eval_task_check(o->task, o->n_arguments - n_models, use);
    if (status != GO_ON) {
        return status;
    }
    return o->min_ndcg > 0 || o->per_query || o->save_run != NULL ||
                   o->ignores_identical
               ? usage_error(use, "--min-ndcg, --per-query, --save-run and "
                                  "--ignore-identical-ids are for retrieval")
               : GO_ON;
}

static int check_compare(const usage *use, const eval_options *o)
{
    if (o->n_arguments < 2) {
        return usage_error(use, "--compare needs two models or more");
    }
    if (o->beir == NULL) {
        return usage_error(use, "--compare needs --beir or --task");
    }
    return o->per_query || o->save_run != NULL || o->model.name != NULL
               ? usage_error(use, "--compare does not go with --per-query, --save-run "
                                  "and --model")
               : GO_ON;
}

static int check_run(const usage *use, const eval_options *o)
{
    if (o->n_arguments > 0 || o->beir != NULL || o->queries != NULL || o->compares) {
        return usage_error(use, "--run is judged by --qrels, and needs no other input");
    }
    if (o->qrels == NULL) {
        return usage_error(use, "--run needs --qrels FILE");
    }
    if (o->runs.n_given > 2) {
        return usage_error(use, "--run compares two runs at most");
    }
    return o->save_run != NULL || o->model.name != NULL
               ? usage_error(use, "--run does not go with --save-run and --model")
               : GO_ON;
}

static int check_collection(const usage *use, const eval_options *o)
{
    if (o->n_arguments != 1) {
        return usage_error(use, "a collection, --run, --beir or --task is needed");
    }
    if (o->queries == NULL || o->qrels == NULL) {
        return usage_error(use, "--queries FILE and --qrels FILE are needed");
    }
    return o->model.precision >= 0
               ? usage_error(use, "--precision is for --beir, --task and --compare: "
                                  "that of a collection is known")
               : GO_ON;
}

/* GO_ON when options and arguments agree with each other. */
static int check_eval(const usage *use, const eval_options *o)
{
    if (o->k < 1 || o->k > 9999) {
        return usage_error(use, "-k takes 1 to 9999");
    }
    if (o->min_ndcg < 0 || o->min_ndcg > 1) {
        return usage_error(use, "--min-ndcg takes 0 to 1");
    }
    if (o->min_recall < 0 || o->min_recall > 1) {
        return usage_error(use, "--min-recall takes 0 to 1");
    }
    if (o->task >= 0) {
        return check_task(use, o);
    }
    if (o->runs.n_given > 0) {
        return check_run(use, o);
    }
    if (o->compares) {
        return check_compare(use, o);
    }
    if (o->beir != NULL) {
        return o->n_arguments > 0 ? usage_error(use, "--beir needs no collection")
                                  : GO_ON;
    }
    return check_collection(use, o);
}

static int run_eval(const eval_options *o)
{
    if (o->compares) {
        return eval_compare(o);
    }
    if (o->task >= 0) {
        return eval_task_print(o->task, o->arguments, o->n_arguments, &o->model,
                               o->is_json);
    }
    return o->runs.n_given > 0 ? eval_runs(o)
           : o->beir != NULL   ? eval_beir(o)
                               : eval_collection(o);
}

int cmd_eval(int argc, char **argv)
{
    eval_options o = { .task = -1, .model = MODEL_REQUEST_INIT, .k = 10, .min_recall = 0.95 };
    const option options[] = {
        TEXT(0, "queries", "FILE", &o.queries,
             "a text a line, or a JSON object with _id or id\n"
             "and query, text or question"),
        TEXT(0, "qrels", "FILE", &o.qrels,
             "judgements: BEIR's (tab-separated, with a header)\n"
             "or TREC's (four columns)"),
        TEXTS(0, "run", "FILE", &o.runs,
              "judge a TREC run; of two, also test whether they\ndiffer"),
        TEXT(0, "beir", "DIR", &o.beir,
             "encode and ask a BEIR folder: corpus.jsonl,\n"
             "queries.jsonl, qrels/test.tsv"),
        CHOICE(0, "task", EVAL_TASKS, &o.task,
               "measure a model as MTEB does; docs/eval.md\n"
               "describes the files"),
        SWITCH(0, "compare", &o.compares, "show the models given side by side"),
        COUNT('k', "top-k", "N", &o.k, "measure at N, too, beside 10 and 100"),
        SWITCH(0, "ignore-identical-ids", &o.ignores_identical,
               "a document with the id of the query is no answer"),
        SWITCH(0, "per-query", &o.per_query, "print a line a query first"),
        TEXT(0, "save-run", "FILE", &o.save_run, "write what was found as a TREC run"),
        NUMBER(0, "min-ndcg", "X", &o.min_ndcg,
               "exit status 1 when nDCG@10 is below (0 to 1)"),
        NUMBER(0, "min-recall", "R", &o.min_recall,
               "measured recall of the approximate index, to be\n"
               "used beside exact search (0.95)"),
        SWITCH(0, "json", &o.is_json, "print one JSON object"),
        TEXT(0, "model", "NAME|PATH", &o.model.name,
             "instead of the default or the collection's own"),
        CHOICE(0, "precision", MODEL_PRECISIONS, &o.model.precision, "(int8)"),
        COUNT(0, "threads", "N", &o.model.n_threads, "0: one a processor"),
        SWITCH('q', "quiet", &o.is_quiet,
               "no progress, and no word of what is left out"),
        END_OF_OPTIONS
    };
    const usage use = {
        "eval",
        "COLLECTION --queries FILE --qrels FILE [options]\n"
        "--run FILE [--run FILE] --qrels FILE [options]\n"
        "--beir DIR [--model NAME|PATH] [options]\n"
        "--task TASK FILE... [--model NAME|PATH] [options]\n"
        "--compare MODEL MODEL... --beir DIR [options]\n"
        "--compare MODEL MODEL... --task TASK FILE... [options]",
        "Tell how good a search is: nDCG, MAP, MRR, recall, precision and more, from\n"
        "queries and judgements of which documents answer them.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    o.arguments = argv + 1;
    o.n_arguments = (size_t)n_arguments;
    status = check_eval(&use, &o);
    return status == GO_ON ? run_eval(&o) : status;
}
