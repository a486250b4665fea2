/* Asking a collection the judged queries of a file. */
#ifndef KITH_TOOLS_EVAL_SEARCH_H
#define KITH_TOOLS_EVAL_SEARCH_H

#include "kith.h"
#include "rank_scores.h"
#include "texts.h"

/* The judged queries of a file, by id. */
typedef struct eval_queries {
    text_item *items;
    kith_text *ids; /* of the items */
    size_t n_items;
    size_t n_unjudged; /* queries of the file without judgements: left out */
    size_t n_missing;  /* judged queries that are not in the file: left out too */
} eval_queries;

/* Each gives EXIT_DONE, or reports and gives another exit status. */

/* Read them as search --queries does. A line that is no query, or an id that is there
 * twice, is an error. */
int eval_queries_read(eval_queries *queries, const char *path, const ratings *qrels);
void eval_queries_free(eval_queries *queries);

/* Ask them all. */
typedef struct eval_answers {
    ratings run;
    size_t n_approximate; /* queries that were not answered exactly */
    size_t n_truncated;   /* queries that did not fit into the model */
} eval_answers;

#define EVAL_ANSWERS_EMPTY { RATINGS_EMPTY, 0, 0 }

int eval_ask(eval_answers *answers, kith_collection *collection,
             const eval_queries *queries, const kith_search_opts *opts);

/* How many of the judged documents are not in the collection, of *n_documents. */
int eval_count_unknown(kith_collection *collection, const ratings *qrels,
                       size_t *n_unknown, size_t *n_documents);

#endif
