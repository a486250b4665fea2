/* The ways to evaluate, for `kith eval`. Each prints its scores and gives the exit
 * status. */
#ifndef KITH_TOOLS_EVAL_H
#define KITH_TOOLS_EVAL_H

#include "eval_report.h"
#include "eval_search.h"
#include "models.h"
#include "options.h"
#include "rank_scores.h"

typedef struct eval_options {
    const char *queries;
    const char *qrels;
    option_texts runs;
    const char *beir;
    int task; /* of EVAL_TASKS; -1: none */
    const char *save_run;
    model_request model;
    uint32_t k; /* a cutoff beside 10 and 100; 0: none */
    double min_ndcg; /* 0: no gate */
    double min_recall; /* of the approximate index, as search has it */
    bool compares;
    bool ignores_identical;
    bool per_query;
    bool is_json;
    bool is_quiet;
    char **arguments;
    size_t n_arguments;
} eval_options;

int eval_collection(const eval_options *options);
int eval_runs(const eval_options *options);
int eval_beir(const eval_options *options);
/* The first arguments are models, with a task those before its files. */
int eval_compare(const eval_options *options);

/* ------------------------------------------------------------------ for these */

/* What a collection is asked, and how well it answers. */
typedef struct retrieval {
    ratings qrels;
    eval_queries queries;
    rank_request request;
    eval_answers exact;
    rank_scores scores;
    bool has_approximate; /* then, the same through the approximate index */
    eval_answers approximate;
    rank_scores approximate_scores;
    double recall_of_exact[MAX_CUTOFFS];
    size_t n_documents; /* that are judged */
    size_t n_unknown;   /* of them not in the collection */
} retrieval;

/* The cutoffs and the like that the options ask for. */
void eval_request(const eval_options *options, rank_request *request);
/* Both give EXIT_DONE, or report and give another exit status. */
int retrieval_read(retrieval *r, const eval_options *options, const char *queries,
                   const char *qrels);
int retrieval_ask(retrieval *r, const eval_options *options,
                  kith_collection *collection);
/* Print it, with `facts` (may be NULL) among the members of the JSON object; then the
 * gate. */
int retrieval_print(const retrieval *r, const eval_options *options,
                    void (*put_facts)(buffer *out, const void *context),
                    const void *context);
/* Say on stderr what was left out. */
void retrieval_tell(const retrieval *r, const eval_options *options);
void retrieval_free(retrieval *r);

/* EXIT_NO, which is told, when nDCG@10 is lower than asked for. */
int eval_gate(const eval_options *options, const char *label, double ndcg10);

/* What is told of a model beside its scores. */
typedef struct model_facts {
    char name[65];
    kith_precision precision;
    uint32_t dim;
    uint32_t max_tokens;
    uint64_t file_bytes;
    double texts_per_second; /* read, encoded and, of a BEIR folder, stored */
} model_facts;

model_facts model_facts_of(const kith_model *model);
/* As members of a JSON object. */
void put_model_facts(buffer *out, const model_facts *facts);

/* A BEIR folder, encoded by one model. */
typedef struct beir_run {
    retrieval retrieval;
    model_facts model;
    uint64_t n_texts;     /* documents */
    uint64_t n_truncated; /* that did not fit into the model */
    uint64_t n_skipped;   /* lines of the corpus that became no document */
    bool has_refusal;     /* one of them because it is broken */
} beir_run;

/* EXIT_DONE, or reports and gives another exit status; free it in both cases. */
int beir_run_make(beir_run *run, const eval_options *options,
                  const model_request *model);
void beir_run_free(beir_run *run);

#endif
