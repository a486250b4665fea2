/* Scores, as a table for people and as members of a JSON object. */
#ifndef KITH_TOOLS_EVAL_REPORT_H
#define KITH_TOOLS_EVAL_REPORT_H

#include "buffer.h"
#include "rank_scores.h"

#define MAX_SCORES 32

typedef struct eval_scores {
    size_t n_scores;
    char names[MAX_SCORES][SCORE_NAME_BYTES];
    double values[MAX_SCORES];
} eval_scores;

void scores_add(eval_scores *scores, const char *name, double value);
/* The means of a ranking, or with `values` the scores of one query. */
eval_scores scores_of_ranking(const rank_request *request, const rank_scores *ranking,
                              const double *values);

/* A column of a table: the same scores in each. NaN is shown as "-". */
typedef struct score_column {
    const char *label;
    eval_scores scores;
} score_column;

/* Columns of a terminal, for what the rows are called and for each column. */
#define NAME_COLUMNS 20
int score_column_width(const score_column *column, size_t n_columns);
/* A row a score. Labels are shown where there are several columns. */
void print_score_table(buffer *out, const score_column *columns, size_t n_columns);

/* "ndcg@10":0.5 and so on; NaN is null. */
void put_score_members(buffer *out, const eval_scores *scores);
void put_score(buffer *out, double value);

/* A line a query, of each of the columns' rankings. */
typedef struct ranked_column {
    const char *label;
    const rank_scores *ranking;
} ranked_column;

void print_per_query(buffer *out, const rank_request *request,
                     const ranked_column *columns, size_t n_columns, bool is_json);

#endif
