/* Tasks on pairs of sentences: STS, pair classification, bitext mining. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "binary.h"
#include "cli.h"
#include "correlation.h"
#include "eval_parts.h"
#include "labels.h"
#include "nearest.h"
#include "similarity.h"

/* As MTEB calls them, in the order of keval_similarity_kind. */
static const char *const similarities[N_KEVAL_SIMILARITIES] = { "cosine", "dot",
                                                                "euclidean",
                                                                "manhattan" };

static void name_score(char name[32], keval_similarity_kind kind, const char *measure)
{
    snprintf(name, 32, "%s_%s", similarities[kind], measure);
}

/* ------------------------------------------------------------------ pairs */

/* Pairs with a number each, and their similarities. */
typedef struct pairs {
    eval_table table;
    double *numbers; /* of the third column */
    float *vectors;  /* of all first sentences, then of all second ones */
    double *scores;
} pairs;

static void pairs_free(pairs *p)
{
    eval_table_free(&p->table);
    free(p->numbers);
    free(p->vectors);
    free(p->scores);
}

static int encode_pairs(eval_run *run, const eval_table *first, size_t first_column,
                        const eval_table *second, size_t second_column, float **vectors)
{
    kith_text *texts = allocate(first->n_rows + second->n_rows, sizeof(texts[0]));
    eval_column(first, first_column, texts);
    eval_column(second, second_column, texts + first->n_rows);
    int status = eval_encode(run, texts, first->n_rows + second->n_rows, KITH_PROMPT_NONE,
                             vectors);
    free(texts);
    return status;
}

static int read_pairs(eval_run *run, const eval_columns *columns, pairs *p)
{
    int status = eval_read(run->paths[0], columns, &p->table);
    if (status == EXIT_DONE) {
        p->numbers = allocate(p->table.n_rows, sizeof(p->numbers[0]));
        p->scores = allocate(p->table.n_rows, sizeof(p->scores[0]));
        status = eval_numbers(&p->table, 2, p->numbers);
    }
    return status;
}

static void find_similarities(const eval_run *run, pairs *p, keval_similarity_kind kind)
{
    size_t n = p->table.n_rows;
    size_t dim = run->info.dim;
    for (size_t i = 0; i < n; i++) {
        p->scores[i] = keval_similarity(kind, p->vectors + i * dim,
                                        p->vectors + (n + i) * dim, dim);
    }
}

/* ------------------------------------------------------------------ STS */

static void correlate(eval_run *run, pairs *p)
{
    eval_count(run, "pairs", p->table.n_rows);
    for (keval_similarity_kind kind = 0; kind < N_KEVAL_SIMILARITIES; kind++) {
        char name[32];
        double rho;
        find_similarities(run, p, kind);
        eval_need(keval_spearman(p->scores, p->numbers, p->table.n_rows, &rho));
        name_score(name, kind, "spearman");
        eval_measure(run, name, rho);
        name_score(name, kind, "pearson");
        eval_measure(run, name, keval_pearson(p->scores, p->numbers, p->table.n_rows));
    }
    run->main_score = "cosine_spearman";
}

int eval_sts(eval_run *run)
{
    static const eval_columns columns = { { "sentence1", "sentence2", "score" },
                                          3,
                                          true };
    pairs p = { .numbers = NULL };
    int status = read_pairs(run, &columns, &p);
    if (status == EXIT_DONE && eval_all_equal(p.numbers, p.table.n_rows)) {
        status = eval_file_error(run->paths[0], "\"score\" is the same in every row: "
                                                "nothing can be correlated with it");
    }
    if (status == EXIT_DONE) {
        status = encode_pairs(run, &p.table, 0, &p.table, 1, &p.vectors);
    }
    if (status == EXIT_DONE) {
        correlate(run, &p);
    }
    pairs_free(&p);
    return status;
}

/* --------------------------------------------------------------- classification */

/* The best of each measure over the similarities. */
typedef struct best {
    const char *measure;
    double value;
} best;

static void add_measure(eval_run *run, keval_similarity_kind kind, best *of,
                        double value)
{
    char name[32];
    name_score(name, kind, of->measure);
    eval_measure(run, name, value);
    of->value = value > of->value ? value : of->value;
}

static void add_threshold(eval_run *run, keval_similarity_kind kind,
                          const char *measure, double threshold)
{
    char name[32];
    bool is_distance = kind == KEVAL_EUCLIDEAN || kind == KEVAL_MANHATTAN;
    name_score(name, kind, measure);
    eval_other(run, name, is_distance ? 0 - threshold : threshold);
}

static void classify_pairs(eval_run *run, pairs *p, const uint8_t *labels)
{
    best all[] = { { "ap", 0 },
                   { "accuracy", 0 },
                   { "f1", 0 },
                   { "precision", 0 },
                   { "recall", 0 } };
    char name[32];
    eval_count(run, "pairs", p->table.n_rows);
    for (keval_similarity_kind kind = 0; kind < N_KEVAL_SIMILARITIES; kind++) {
        keval_binary found;
        find_similarities(run, p, kind);
        eval_need(keval_binary_measure(p->scores, labels, p->table.n_rows, &found));
        add_measure(run, kind, &all[0], found.average_precision);
        add_measure(run, kind, &all[1], found.accuracy);
        add_threshold(run, kind, "accuracy_threshold", found.accuracy_threshold);
        add_measure(run, kind, &all[2], found.f1);
        add_threshold(run, kind, "f1_threshold", found.f1_threshold);
        add_measure(run, kind, &all[3], found.precision);
        add_measure(run, kind, &all[4], found.recall);
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        snprintf(name, sizeof(name), "max_%s", all[i].measure);
        eval_measure(run, name, all[i].value);
    }
    run->main_score = "max_ap";
}

static int read_binary(const pairs *p, uint8_t *labels)
{
    for (size_t i = 0; i < p->table.n_rows; i++) {
        bool is_one = !(p->numbers[i] < 1 || p->numbers[i] > 1);
        if (!is_one && (p->numbers[i] < 0 || p->numbers[i] > 0)) {
            return eval_cell_error(&p->table, i, 2, "neither 0 nor 1");
        }
        labels[i] = is_one;
    }
    if (eval_all_equal(p->numbers, p->table.n_rows)) {
        return eval_file_error(p->table.path,
                               "\"label\" is %d in every row: both 0 and 1 are needed",
                               labels[0]);
    }
    return EXIT_DONE;
}

int eval_pair_classification(eval_run *run)
{
    static const eval_columns columns = { { "sentence1", "sentence2", "label" },
                                          3,
                                          true };
    pairs p = { .numbers = NULL };
    uint8_t *labels = NULL;
    int status = read_pairs(run, &columns, &p);
    if (status == EXIT_DONE) {
        labels = allocate(p.table.n_rows, sizeof(labels[0]));
        status = read_binary(&p, labels);
    }
    if (status == EXIT_DONE) {
        status = encode_pairs(run, &p.table, 0, &p.table, 1, &p.vectors);
    }
    if (status == EXIT_DONE) {
        classify_pairs(run, &p, labels);
    }
    free(labels);
    pairs_free(&p);
    return status;
}

/* ------------------------------------------------------------------ bitext mining */

static void mine(eval_run *run, const float *vectors, size_t n)
{
    keval_labels found;
    uint32_t *truth = allocate(n, sizeof(truth[0]));
    uint32_t *nearest = allocate(n, sizeof(nearest[0]));
    for (size_t i = 0; i < n; i++) {
        truth[i] = (uint32_t)i;
    }
    eval_need(keval_nearest(vectors, n, vectors + n * run->info.dim, n, run->info.dim,
                            nearest));
    eval_need(keval_labels_measure(truth, nearest, n, (uint32_t)n, &found));
    eval_count(run, "pairs", n);
    eval_measure(run, "f1", found.f1);
    eval_measure(run, "precision", found.precision);
    eval_measure(run, "recall", found.recall);
    eval_measure(run, "accuracy", found.accuracy);
    run->main_score = "f1";
    free(nearest);
    free(truth);
}

/* One file of pairs, or two whose lines belong together. */
static int read_bitext(const eval_run *run, eval_table *first, eval_table *second)
{
    static const eval_columns columns = { { "sentence1", "sentence2" }, 2, false };
    if (run->n_paths == 1) {
        return eval_read(run->paths[0], &columns, first);
    }
    int status = eval_read_lines(run->paths[0], first);
    if (status == EXIT_DONE) {
        status = eval_read_lines(run->paths[1], second);
    }
    if (status == EXIT_DONE && first->n_rows != second->n_rows) {
        return eval_file_error(run->paths[1], "%zu lines, but %s has %zu",
                               second->n_rows, run->paths[0], first->n_rows);
    }
    return status;
}

int eval_bitext(eval_run *run)
{
    eval_table first = { .n_rows = 0 };
    eval_table second = { .n_rows = 0 };
    float *vectors = NULL;
    int status = read_bitext(run, &first, &second);
    if (status == EXIT_DONE) {
        bool is_one = run->n_paths == 1;
        status = encode_pairs(run, &first, 0, is_one ? &first : &second, is_one,
                              &vectors);
    }
    if (status == EXIT_DONE) {
        mine(run, vectors, first.n_rows);
    }
    free(vectors);
    eval_table_free(&second);
    eval_table_free(&first);
    return status;
}
