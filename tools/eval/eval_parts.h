/* What the tasks of kith eval share: reading a file, encoding, what is found. */
#ifndef KITH_TOOLS_EVAL_PARTS_H
#define KITH_TOOLS_EVAL_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "kith.h"

#define EVAL_MAX_COLUMNS 3
#define EVAL_MAX_SCORES 40
#define EVAL_SEED 42 /* of everything that is drawn */

/* ------------------------------------------------------------------ reading */

typedef struct eval_columns {
    const char *names[EVAL_MAX_COLUMNS + 1]; /* up to NULL; the first is a text ("text":
                                                by any of its usual names) */
    size_t n_needed;         /* a row may lack the others */
    bool header_is_optional; /* of CSV and TSV */
} eval_columns;

typedef struct eval_row {
    kith_text cells[EVAL_MAX_COLUMNS]; /* each with a NUL after it */
    uint64_t line;                     /* where in the file */
} eval_row;

/* The rows of a file. */
typedef struct eval_table {
    const char *path;
    const eval_columns *columns;
    size_t n_columns;
    size_t n_rows;
    size_t capacity;
    eval_row *rows;
} eval_table;

/* Read a CSV, TSV or JSONL file ("-": JSONL from stdin), with one row or more.
 * EXIT_DONE, or reported and another exit status. Free the table in both cases. */
int eval_read(const char *path, const eval_columns *columns, eval_table *table);
/* The same of a text file: a row of one column a line, none of them blank. */
int eval_read_lines(const char *path, eval_table *table);
void eval_table_free(eval_table *table);

kith_text eval_cell(const eval_table *table, size_t row, size_t column);
/* Report what is wrong with a cell; gives EXIT_DATA. */
int eval_cell_error(const eval_table *table, size_t row, size_t column,
                    const char *problem);
/* Read all cells of a column as finite numbers. */
int eval_numbers(const eval_table *table, size_t column, double *numbers);
/* Report what is wrong with a file; gives EXIT_DATA. */
int eval_file_error(const char *path, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool eval_all_equal(const double *numbers, size_t n);

/* ------------------------------------------------------------------ running */

/* A number that was found; the name is copied. */
typedef struct eval_score {
    char name[32];
    double value;    /* NaN: not defined */
    bool is_measure; /* 1 is best: shown to people as a percentage */
} eval_score;

typedef struct eval_run {
    kith_model *model;
    kith_model_info info;
    char *const *paths;
    size_t n_paths;
    uint64_t n_texts; /* encoded */
    uint64_t n_cut;   /* of them */
    const char *main_score; /* the name of one */
    size_t n_scores;
    eval_score scores[EVAL_MAX_SCORES];
    const char *list_name; /* of the list of single results; NULL: there is none */
    double *list;          /* from allocate() */
    size_t n_list;
} eval_run;

/* Encode texts into n_texts x dim floats of *vectors, for free(). EXIT_DONE, or
 * reported and another exit status. */
int eval_encode(eval_run *run, const kith_text *texts, size_t n_texts, kith_prompt prompt,
                float **vectors);
/* The texts of a column, in the order of the rows. */
void eval_column(const eval_table *table, size_t column, kith_text *texts);

void eval_count(eval_run *run, const char *name, uint64_t count);
void eval_measure(eval_run *run, const char *name, double value);
/* One of which 1 is not the best. */
void eval_other(eval_run *run, const char *name, double value);

/* What eval/ gives: false means that memory is out, and ends the program. */
void eval_need(bool done);

/* ------------------------------------------------------------------ the tasks */

/* Each gives EXIT_DONE, or reports and gives another exit status. */
int eval_sts(eval_run *run);
int eval_pair_classification(eval_run *run);
int eval_classification(eval_run *run);
int eval_clustering(eval_run *run);
int eval_bitext(eval_run *run);
int eval_summarization(eval_run *run);
int eval_reranking(eval_run *run);

#endif
