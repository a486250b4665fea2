/* Tasks on labels: classification, clustering. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "binary.h"
#include "cli.h"
#include "eval_parts.h"
#include "generator.h"
#include "kmeans.h"
#include "labels.h"
#include "logistic.h"
#include "text.h"
#include "v_measure.h"

/* ------------------------------------------------------------------ names */

/* Distinct texts, in the order of their bytes. */
typedef struct names {
    kith_text *items;
    size_t n;
} names;

static int by_bytes(const void *a, const void *b)
{
    const kith_text *x = a;
    const kith_text *y = b;
    size_t n_bytes = x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes;
    int order = memcmp(x->data, y->data, n_bytes);
    return order != 0 ? order : (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
}

static names names_of(kith_text *texts, size_t n_texts)
{
    names distinct = { texts, 0 };
    qsort(texts, n_texts, sizeof(texts[0]), by_bytes);
    for (size_t i = 0; i < n_texts; i++) {
        if (i == 0 || !text_equals(texts[i], texts[distinct.n - 1])) {
            texts[distinct.n++] = texts[i];
        }
    }
    return distinct;
}

/* *number is the place of the name. False: it is none of them. */
static bool find_name(const names *all, kith_text name, uint32_t *number)
{
    const kith_text *found =
        bsearch(&name, all->items, all->n, sizeof(name), by_bytes);
    *number = found == NULL ? 0 : (uint32_t)(found - all->items);
    return found != NULL;
}

/* ------------------------------------------------------------------ classification */

#define N_EXPERIMENTS 10
#define SAMPLES_PER_LABEL 8

static const eval_columns labelled = { { "text", "label" }, 2, false };

typedef struct classification {
    eval_table train;
    eval_table test;
    names labels;
    uint32_t *train_labels; /* a number a row */
    uint32_t *test_labels;
    size_t *order;          /* of the rows to train with, shuffled again and again */
    size_t n_samples;       /* of an experiment */
    size_t *samples;        /* N_EXPERIMENTS x n_samples rows to train with */
    size_t *places;         /* of a row's vector in train_vectors, when it is drawn */
    float *train_vectors;   /* of the rows that are drawn at least once */
    float *test_vectors;
} classification;

static void classification_free(classification *c)
{
    eval_table_free(&c->train);
    eval_table_free(&c->test);
    free(c->labels.items);
    free(c->train_labels);
    free(c->test_labels);
    free(c->order);
    free(c->samples);
    free(c->places);
    free(c->train_vectors);
    free(c->test_vectors);
}

static int number_labels(classification *c)
{
    size_t n_train = c->train.n_rows;
    size_t n_test = c->test.n_rows;
    c->train_labels = allocate(n_train, sizeof(c->train_labels[0]));
    c->test_labels = allocate(n_test, sizeof(c->test_labels[0]));
    kith_text *texts = allocate(n_train, sizeof(texts[0]));
    eval_column(&c->train, 1, texts);
    c->labels = names_of(texts, n_train);
    if (c->labels.n < 2) {
        return eval_file_error(c->train.path, "\"label\" is the same in every row");
    }
    for (size_t i = 0; i < n_train; i++) {
        find_name(&c->labels, eval_cell(&c->train, i, 1), &c->train_labels[i]);
    }
    for (size_t i = 0; i < n_test; i++) {
        if (!find_name(&c->labels, eval_cell(&c->test, i, 1), &c->test_labels[i])) {
            return eval_cell_error(&c->test, i, 1, "no such label in the first file");
        }
    }
    return EXIT_DONE;
}

/* Draw the samples of every experiment: the first of each label in an order that each
 * of them shuffles further. */
static void draw_samples(classification *c)
{
    keval_generator generator = { EVAL_SEED };
    size_t n_drawn = 0;
    uint32_t *counts = allocate(c->labels.n, sizeof(counts[0]));
    c->order = allocate(c->train.n_rows, sizeof(c->order[0]));
    c->samples = allocate(c->labels.n * N_EXPERIMENTS * SAMPLES_PER_LABEL,
                          sizeof(c->samples[0]));
    for (size_t i = 0; i < c->train.n_rows; i++) {
        c->order[i] = i;
    }
    for (size_t experiment = 0; experiment < N_EXPERIMENTS; experiment++) {
        memset(counts, 0, c->labels.n * sizeof(counts[0]));
        for (size_t i = c->train.n_rows - 1; i > 0; i--) {
            size_t j = keval_random_below(&generator, i + 1);
            size_t kept = c->order[i];
            c->order[i] = c->order[j];
            c->order[j] = kept;
        }
        for (size_t i = 0; i < c->train.n_rows; i++) {
            if (counts[c->train_labels[c->order[i]]]++ < SAMPLES_PER_LABEL) {
                c->samples[n_drawn++] = c->order[i];
            }
        }
    }
    c->n_samples = n_drawn / N_EXPERIMENTS;
    free(counts);
}

static int encode_samples(eval_run *run, classification *c)
{
    const size_t unknown = SIZE_MAX;
    size_t n_texts = 0;
    kith_text *texts = allocate(c->train.n_rows, sizeof(texts[0]));
    c->places = allocate(c->train.n_rows, sizeof(c->places[0]));
    for (size_t i = 0; i < c->train.n_rows; i++) {
        c->places[i] = unknown;
    }
    for (size_t i = 0; i < c->n_samples * N_EXPERIMENTS; i++) {
        size_t row = c->samples[i];
        if (c->places[row] == unknown) {
            c->places[row] = n_texts;
            texts[n_texts++] = eval_cell(&c->train, row, 0);
        }
    }
    int status = eval_encode(run, texts, n_texts, KITH_PROMPT_NONE,
                             &c->train_vectors);
    free(texts);
    return status;
}

static int encode_test(eval_run *run, classification *c)
{
    kith_text *texts = allocate(c->test.n_rows, sizeof(texts[0]));
    eval_column(&c->test, 0, texts);
    int status = eval_encode(run, texts, c->test.n_rows, KITH_PROMPT_NONE,
                             &c->test_vectors);
    free(texts);
    return status;
}

/* AP of the labels that are predicted, where the second of two is the positive one:
 * MTEB does not take the probabilities either. */
static double average_precision(const classification *c, const uint32_t *predicted)
{
    keval_binary found;
    size_t n = c->test.n_rows;
    double *scores = allocate(n, sizeof(scores[0]));
    uint8_t *truth = allocate(n, sizeof(truth[0]));
    for (size_t i = 0; i < n; i++) {
        scores[i] = predicted[i];
        truth[i] = (uint8_t)c->test_labels[i];
    }
    eval_need(keval_binary_measure(scores, truth, n, &found));
    free(truth);
    free(scores);
    return found.average_precision;
}

/* Train on the samples of one experiment and predict the labels of the test. */
static void predict(const eval_run *run, const classification *c, size_t experiment,
                    uint32_t *predicted)
{
    keval_logistic logistic;
    size_t dim = run->info.dim;
    const size_t *samples = c->samples + experiment * c->n_samples;
    uint32_t *labels = allocate(c->n_samples, sizeof(labels[0]));
    float *vectors = allocate(c->n_samples, dim * sizeof(vectors[0]));
    for (size_t i = 0; i < c->n_samples; i++) {
        labels[i] = c->train_labels[samples[i]];
        memcpy(vectors + i * dim, c->train_vectors + c->places[samples[i]] * dim,
               dim * sizeof(vectors[0]));
    }
    eval_need(keval_logistic_fit(vectors, labels, c->n_samples, dim,
                                 (uint32_t)c->labels.n, &logistic));
    keval_logistic_predict(&logistic, c->test_vectors, c->test.n_rows, predicted);
    keval_logistic_free(&logistic);
    free(vectors);
    free(labels);
}

static void classify(eval_run *run, const classification *c)
{
    double accuracy = 0;
    double f1 = 0;
    double weighted_f1 = 0;
    double ap = 0;
    bool is_binary = c->labels.n == 2;
    uint32_t *predicted = allocate(c->test.n_rows, sizeof(predicted[0]));
    run->list_name = "accuracies";
    run->list = allocate(N_EXPERIMENTS, sizeof(run->list[0]));
    run->n_list = N_EXPERIMENTS;
    for (size_t i = 0; i < N_EXPERIMENTS; i++) {
        keval_labels found;
        predict(run, c, i, predicted);
        eval_need(keval_labels_measure(c->test_labels, predicted, c->test.n_rows,
                                       (uint32_t)c->labels.n, &found));
        run->list[i] = found.accuracy;
        accuracy += found.accuracy / N_EXPERIMENTS;
        f1 += found.macro_f1 / N_EXPERIMENTS;
        weighted_f1 += found.f1 / N_EXPERIMENTS;
        ap += is_binary ? average_precision(c, predicted) / N_EXPERIMENTS : 0;
    }
    eval_count(run, "train_texts", c->train.n_rows);
    eval_count(run, "test_texts", c->test.n_rows);
    eval_count(run, "labels", c->labels.n);
    eval_count(run, "samples", c->n_samples);
    eval_measure(run, "accuracy", accuracy);
    eval_measure(run, "f1", f1);
    eval_measure(run, "f1_weighted", weighted_f1);
    if (is_binary) {
        eval_measure(run, "ap", ap);
    }
    run->main_score = "accuracy";
    free(predicted);
}

int eval_classification(eval_run *run)
{
    classification c = { .order = NULL };
    int status = eval_read(run->paths[0], &labelled, &c.train);
    if (status == EXIT_DONE) {
        status = eval_read(run->paths[1], &labelled, &c.test);
    }
    if (status == EXIT_DONE) {
        status = number_labels(&c);
    }
    if (status == EXIT_DONE) {
        draw_samples(&c);
        status = encode_samples(run, &c);
    }
    if (status == EXIT_DONE) {
        status = encode_test(run, &c);
    }
    if (status == EXIT_DONE) {
        classify(run, &c);
    }
    classification_free(&c);
    return status;
}

/* ------------------------------------------------------------------ clustering */

static const eval_columns sets_of_labelled = { { "text", "label", "set" }, 2, false };

/* The rows of one set. */
typedef struct one_set {
    const eval_table *table;
    kith_text name;
    size_t *rows;
    size_t n;
    kith_text *texts; /* scratch: n */
    uint32_t *labels;
    uint32_t *clusters;
} one_set;

static void collect(one_set *set)
{
    set->n = 0;
    for (size_t i = 0; i < set->table->n_rows; i++) {
        if (text_equals(eval_cell(set->table, i, 2), set->name)) {
            set->rows[set->n++] = i;
        }
    }
}

/* Number the labels; their count goes to *n_labels. */
static int number_set(one_set *set, uint32_t *n_labels)
{
    for (size_t i = 0; i < set->n; i++) {
        set->texts[i] = eval_cell(set->table, set->rows[i], 1);
    }
    names labels = names_of(set->texts, set->n);
    for (size_t i = 0; i < set->n; i++) {
        find_name(&labels, eval_cell(set->table, set->rows[i], 1), &set->labels[i]);
    }
    *n_labels = (uint32_t)labels.n;
    const char *of_set = set->name.n_bytes > 0 ? " of set " : "";
    if (labels.n < 2) {
        return eval_file_error(set->table->path,
                               "\"label\" is the same in every row%s%.60s", of_set,
                               set->name.data);
    }
    if (labels.n == set->n) {
        return eval_file_error(set->table->path,
                               "every row%s%.60s has a \"label\" of its own: there is "
                               "nothing to group",
                               of_set, set->name.data);
    }
    return EXIT_DONE;
}

static int cluster_set(eval_run *run, one_set *set, double *v)
{
    uint32_t n_labels;
    float *vectors = NULL;
    keval_v_measure found;
    int status = number_set(set, &n_labels);
    if (status == EXIT_DONE) {
        for (size_t i = 0; i < set->n; i++) {
            set->texts[i] = eval_cell(set->table, set->rows[i], 0);
        }
        status = eval_encode(run, set->texts, set->n, KITH_PROMPT_NONE,
                             &vectors);
    }
    if (status == EXIT_DONE) {
        eval_need(keval_kmeans(vectors, set->n, run->info.dim, n_labels, EVAL_SEED,
                               set->clusters));
        eval_need(keval_v_measure_of(set->labels, set->clusters, set->n, &found));
        *v = found.v;
    }
    free(vectors);
    return status;
}

static double deviation(const double *numbers, size_t n, double mean)
{
    double square = 0;
    for (size_t i = 0; i < n; i++) {
        square += (numbers[i] - mean) * (numbers[i] - mean);
    }
    return sqrt(square / (double)n);
}

static int cluster_sets(eval_run *run, const eval_table *table, const names *sets)
{
    int status = EXIT_DONE;
    double mean = 0;
    one_set set = { .table = table };
    set.rows = allocate(table->n_rows, sizeof(set.rows[0]));
    set.texts = allocate(table->n_rows, sizeof(set.texts[0]));
    set.labels = allocate(table->n_rows, sizeof(set.labels[0]));
    set.clusters = allocate(table->n_rows, sizeof(set.clusters[0]));
    run->list_name = "v_measures";
    run->list = allocate(sets->n, sizeof(run->list[0]));
    run->n_list = sets->n;
    for (size_t i = 0; i < sets->n && status == EXIT_DONE; i++) {
        set.name = sets->items[i];
        collect(&set);
        status = cluster_set(run, &set, &run->list[i]);
        mean += status == EXIT_DONE ? run->list[i] / (double)sets->n : 0;
    }
    if (status == EXIT_DONE) {
        eval_count(run, "sets", sets->n);
        eval_measure(run, "v_measure", mean);
        eval_measure(run, "v_measure_std", deviation(run->list, sets->n, mean));
        run->main_score = "v_measure";
    }
    free(set.clusters);
    free(set.labels);
    free(set.texts);
    free(set.rows);
    return status;
}

int eval_clustering(eval_run *run)
{
    eval_table table;
    int status = eval_read(run->paths[0], &sets_of_labelled, &table);
    if (status == EXIT_DONE) {
        kith_text *texts = allocate(table.n_rows, sizeof(texts[0]));
        eval_column(&table, 2, texts);
        names sets = names_of(texts, table.n_rows);
        status = cluster_sets(run, &table, &sets);
        free(texts);
    }
    eval_table_free(&table);
    return status;
}
