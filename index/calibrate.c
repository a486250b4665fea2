#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ann_parts.h"
#include "error.h"
#include "select.h"

/* The k that are measured. A planner uses the next one upward. */
static const uint32_t measured_k[] = { 1, 10, 100 };

#define N_K (sizeof(measured_k) / sizeof(measured_k[0]))
#define MAX_K 100
#define MAX_M (MAX_K + 1) /* the row that is the query finds itself */

/* Every higher nprobe would find no more. */
#define SATURATED 0.9995
/* A lower recall is hardly ever asked for. */
#define USEFUL 0.85

/* Queries that are timed one by one. */
#define TIMED 32
#define TIMED_SCANS 8
#define TIMED_K 10

/* Candidates are enough when with all lists this share of the nearest rows is among them. */
#define ENOUGH 0.995
#define DEPTH_QUERIES 200

/* What the margin is taken from: the nearest rows among the candidates. */
#define MARGIN_NEAREST 10
#define MARGIN_NPROBE 128
#define MARGIN_EXCEEDED 5000 /* by one in so many */

typedef struct calibration {
    kidx_ann *ann;
    kidx_recall_table *table;
    kbase_isa isa;
    kbase_pool *pool;
    const kidx_rows *rows;
    uint64_t *ordinals; /* the queries are these rows */
    size_t n;
    float *queries;
    float *truth;   /* [n, N_K]: score of the k-th nearest row */
    kidx_hit *hits; /* [n, MAX_M] */
    size_t *counts;
    kidx_recall_point points[N_K][KIDX_MAX_POINTS / N_K];
    size_t n_points; /* for each k */
} calibration;

/* Lower end of Wilson's one-sided 95 % interval for a proportion p of n.
 *
 * A query finds a share of its k neighbours. Shares lie in [0, 1], so their variance is
 * at most p (1 - p), that of queries which find all or nothing; taking it, with n the
 * number of queries and not of neighbours, the bound holds however the misses of one
 * query hang together. For k > 1 it is lower than it need be. */
static double lower_bound(double p, double n)
{
    const double z = 1.645;
    double z2 = z * z;
    double centre = p + z2 / (2 * n);
    double spread = z * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    double bound = (centre - spread) / (1 + z2 / n);
    return bound > 0 ? bound : 0;
}

/* Drop the row that is the query; returns the hits left. */
static size_t leave_out(kidx_hit *hits, size_t n, uint64_t ordinal)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (hits[i].ordinal != ordinal) {
            hits[kept++] = hits[i];
        }
    }
    return kept;
}

/* The rows as queries, those of zeros left out: they are near to nothing. */
static void decode_queries(calibration *c, const uint64_t *held_out, size_t n)
{
    uint32_t dim = c->rows->dim;
    for (size_t i = 0; i < n; i++) {
        float *query = c->queries + c->n * dim;
        kidx_ann_decode(c->isa, c->rows, &held_out[i], 1, query);
        bool is_zero = true;
        for (uint32_t j = 0; j < dim && is_zero; j++) {
            is_zero = query[j] == 0;
        }
        if (!is_zero) {
            c->ordinals[c->n++] = held_out[i];
        }
    }
}

/* How far below the MARGIN_NEAREST-th highest estimate those of the rows lie that are
 * nearest by their exact scores; returns how many there are. */
static size_t find_gaps(const calibration *c, size_t q, double *gaps)
{
    const kidx_ann *ann = c->ann;
    const float *query = c->queries + q * c->rows->dim;
    int64_t ids[KIDX_MAX_CANDIDATES];
    float estimates[KIDX_MAX_CANDIDATES];
    kidx_hit nearest[MARGIN_NEAREST];
    kidx_best best = { nearest, 0, MARGIN_NEAREST };
    const size_t n = ann->info.n_candidates < ann->n_vectors ? ann->info.n_candidates
                                                             : (size_t)ann->n_vectors;
    if (ann->ops->search(ann->index, 1, query, n, ids, estimates) != KITH_OK) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t ordinal;
        float score;
        if (kidx_ann_is_live(ann, c->rows, ids[i], &ordinal)) {
            kidx_score(c->isa, c->rows, query, &ordinal, 1, &score);
            kidx_best_push(&best, (kidx_hit){ i, score });
        }
    }
    for (size_t i = 0; i < best.n; i++) {
        gaps[i] = (double)estimates[best.n - 1] - (double)estimates[nearest[i].ordinal];
    }
    return best.n;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Set the margin of an index that was just built. */
static kith_status find_margin(calibration *c, kith_error *err)
{
    kidx_ann *ann = c->ann;
    double *gaps = kbase_calloc(c->n * MARGIN_NEAREST, sizeof(*gaps));
    if (gaps == NULL) {
        return kbase_fail_memory(err, c->n * MARGIN_NEAREST * sizeof(*gaps));
    }
    ann->nprobe = ann->info.n_lists < MARGIN_NPROBE ? ann->info.n_lists : MARGIN_NPROBE;
    ann->ops->set_nprobe(ann->index, ann->nprobe);
    size_t n_gaps = 0;
    for (size_t q = 0; q < c->n; q++) {
        n_gaps += find_gaps(c, q, gaps + n_gaps);
    }
    qsort(gaps, n_gaps, sizeof(*gaps), compare_doubles);
    if (n_gaps > 0) {
        ann->info.margin = gaps[n_gaps - 1 - n_gaps / MARGIN_EXCEEDED];
    }
    free(gaps);
    return KITH_OK;
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double now(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

/* Seconds of the median query when each is asked alone, on one thread. nprobe NULL: by
 * exact search. */
static kith_status time_single(calibration *c, const uint32_t *nprobe, double *median,
                               kith_error *err)
{
    double seconds[TIMED];
    size_t n = nprobe != NULL ? TIMED : TIMED_SCANS;
    n = n < c->n ? n : c->n;
    for (size_t q = 0; q < n; q++) {
        const float *query = c->queries + q * c->rows->dim;
        const size_t m = TIMED_K + 1;
        double began = now();
        kith_status status =
            nprobe == NULL
                ? kidx_scan(c->isa, NULL, c->rows, query, 1, m, c->hits, c->counts, err)
                : kidx_ann_search(c->ann, c->isa, NULL, c->rows, query, 1, *nprobe, m,
                                  c->hits, c->counts, err);
        if (status != KITH_OK) {
            return status;
        }
        seconds[q] = now() - began;
        for (size_t i = q; i > 0 && seconds[i] < seconds[i - 1]; i--) {
            double larger = seconds[i - 1];
            seconds[i - 1] = seconds[i];
            seconds[i] = larger;
        }
    }
    *median = seconds[n / 2];
    return KITH_OK;
}

/* Rows that tie for the k-th place are as good as each other: its score counts. */
static kith_status find_truth(calibration *c, kith_error *err)
{
    kith_status status = time_single(c, NULL, &c->table->scan_seconds, err);
    if (status != KITH_OK) {
        return status;
    }
    const double began = now();
    const double worked = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    status = kidx_scan(c->isa, c->pool, c->rows, c->queries, c->n, MAX_M, c->hits,
                       c->counts, err);
    /* Other work on the machine lengthens the one, other threads of the process the other. */
    c->table->batch_scan_seconds = fmin((now() - began) * kidx_n_workers(c->pool),
                                        seconds_of(CLOCK_PROCESS_CPUTIME_ID) - worked) /
                                   (double)c->n;
    for (size_t q = 0; q < c->n && status == KITH_OK; q++) {
        kidx_hit *hits = c->hits + q * MAX_M;
        size_t n = leave_out(hits, c->counts[q], c->ordinals[q]);
        for (size_t i = 0; i < N_K; i++) {
            /* Training needs several times MAX_M rows, so n is enough. */
            size_t last = measured_k[i] < n ? measured_k[i] - 1 : n - 1;
            c->truth[q * N_K + i] = hits[last].score;
        }
    }
    return status;
}

/* Mean share of the true k nearest that the hits hold, over all queries. */
static double recall_of(const calibration *c, size_t m, size_t i)
{
    double sum = 0;
    for (size_t q = 0; q < c->n; q++) {
        size_t found = 0;
        size_t n = c->counts[q] < measured_k[i] ? c->counts[q] : measured_k[i];
        while (found < n && c->hits[q * m + found].score >= c->truth[q * N_K + i]) {
            found++;
        }
        sum += (double)found / measured_k[i];
    }
    return sum / (double)c->n;
}

/* Set how many candidates are asked for. Codes tell rows apart that are not alike; among
 * many rows that nearly are, the nearest ones are found by their scores. */
static kith_status find_depth(calibration *c, kith_error *err)
{
    kidx_ann_info *info = &c->ann->info;
    const size_t n_queries = c->n;
    double recall = 0;
    kith_status status = KITH_OK;
    info->margin = INFINITY;
    info->n_candidates = KIDX_MIN_CANDIDATES / 2;
    c->n = n_queries < DEPTH_QUERIES ? n_queries : DEPTH_QUERIES;
    while (status == KITH_OK && recall < ENOUGH && info->n_candidates < KIDX_MAX_CANDIDATES) {
        const size_t m = measured_k[1] + 1;
        info->n_candidates *= 2;
        status = kidx_ann_search_with(c->ann, c->isa, c->pool, c->rows, c->queries, c->n,
                                      info->n_lists, kidx_ann_depth_for(c->ann, m - 1), m,
                                      c->hits, c->counts, err);
        for (size_t q = 0; q < c->n && status == KITH_OK; q++) {
            c->counts[q] = leave_out(c->hits + q * m, c->counts[q], c->ordinals[q]);
        }
        recall = recall_of(c, m, 1);
    }
    c->n = n_queries;
    return status;
}

/* One nprobe: each k is searched as kidx_ann_search() does it. What was found for a k
 * serves the smaller ones that are searched as deep. */
static kith_status measure(calibration *c, uint32_t nprobe, double *worst,
                           kith_error *err)
{
    *worst = 1;
    size_t m = 0;
    double seconds;
    kith_status status = time_single(c, &nprobe, &seconds, err);
    if (status != KITH_OK) {
        return status;
    }
    for (size_t i = N_K; i-- > 0;) {
        uint32_t k = measured_k[i];
        kidx_ann_depth depth = kidx_ann_depth_for(c->ann, k);
        if (m == 0 ||
            depth.n_near != kidx_ann_depth_for(c->ann, measured_k[i + 1]).n_near) {
            m = k + 1;
            depth.n_near++;
            status =
                kidx_ann_search_with(c->ann, c->isa, c->pool, c->rows, c->queries, c->n,
                                     nprobe, depth, m, c->hits, c->counts, err);
            if (status != KITH_OK) {
                return status;
            }
            for (size_t q = 0; q < c->n; q++) {
                c->counts[q] = leave_out(c->hits + q * m, c->counts[q], c->ordinals[q]);
            }
        }
        double recall = recall_of(c, m, i);
        *worst = recall < *worst ? recall : *worst;
        c->points[i][c->n_points] =
            (kidx_recall_point){ k, nprobe, lower_bound(recall, (double)c->n), seconds };
    }
    c->n_points++;
    return KITH_OK;
}

static kith_status sweep(calibration *c, kidx_progress progress, void *context,
                         kith_error *err)
{
    uint32_t n_lists = c->ann->info.n_lists;
    uint32_t nprobe = n_lists > 0 ? 1 : 0;
    for (;;) {
        double worst;
        if (progress != NULL) {
            progress(context, "measure",
                     n_lists > 0 ? log2(nprobe) / (log2(n_lists) + 1) : 0);
        }
        kith_status status = measure(c, nprobe, &worst, err);
        if (status != KITH_OK || worst >= SATURATED || nprobe == n_lists ||
            c->n_points == KIDX_MAX_POINTS / N_K) {
            return status;
        }
        /* Half an octave up, and a quarter where recall is what somebody may want. */
        uint32_t step = worst < USEFUL ? nprobe * 2 / 5 : nprobe / 5;
        uint32_t next = nprobe + (step > 0 ? step : 1);
        nprobe = next < n_lists ? next : n_lists;
    }
}

static void store(const calibration *c)
{
    kidx_recall_table *table = c->table;
    table->n_points = 0;
    table->n_queries = (uint32_t)c->n;
    for (size_t i = 0; i < N_K; i++) {
        for (size_t j = 0; j < c->n_points; j++) {
            table->points[table->n_points++] = c->points[i][j];
        }
    }
}

/* Both of the functions below. `is_new`: depth and margin are still to be found. */
static kith_status calibrate(calibration *c, const uint64_t *drawn, size_t n, bool is_new,
                             kidx_progress progress, void *context, kith_error *err)
{
    *c->table = (kidx_recall_table){ 0 };
    c->ordinals = kbase_calloc(n, sizeof(*c->ordinals));
    c->queries = kbase_alloc_aligned(n * c->rows->dim, sizeof(*c->queries));
    c->truth = kbase_calloc(n * N_K, sizeof(*c->truth));
    c->hits = kbase_calloc(n * MAX_M, sizeof(*c->hits));
    c->counts = kbase_calloc(n, sizeof(*c->counts));
    kith_status status = KITH_OK;
    if (c->ordinals == NULL || c->queries == NULL || c->truth == NULL || c->hits == NULL ||
        c->counts == NULL) {
        status = kbase_fail_memory(err, n * MAX_M * sizeof(*c->hits));
        goto out;
    }
    decode_queries(c, drawn, n);
    if (c->n > 0) {
        status = find_truth(c, err);
    }
    if (c->n > 0 && is_new && status == KITH_OK) {
        status = find_depth(c, err);
    }
    if (c->n > 0 && is_new && status == KITH_OK) {
        status = find_margin(c, err);
    }
    if (c->n > 0 && status == KITH_OK) {
        status = sweep(c, progress, context, err);
    }
    if (status == KITH_OK) {
        store(c);
    }
out:
    free(c->counts);
    free(c->hits);
    free(c->truth);
    free(c->queries);
    free(c->ordinals);
    return status;
}

kith_status kidx_ann_calibrate(kidx_ann *ann, kbase_isa isa, kbase_pool *pool,
                               const kidx_rows *rows, const uint64_t *held_out,
                               size_t n, kidx_progress progress, void *context,
                               kith_error *err)
{
    calibration c = { .ann = ann, .table = &ann->info.recall, .isa = isa, .pool = pool,
                      .rows = rows };
    return calibrate(&c, held_out, n, true, progress, context, err);
}

kith_status kidx_ann_measure(kidx_ann *ann, kbase_isa isa, kbase_pool *pool,
                             const kidx_rows *rows, size_t n, uint64_t seed,
                             kidx_progress progress, void *context,
                             kidx_recall_table *table, kith_error *err)
{
    uint64_t n_live = 0;
    for (uint64_t i = 0; i < rows->n_rows; i++) {
        n_live += !kidx_is_dead(rows, i);
    }
    if (n_live <= MAX_M) {
        return kbase_fail(err, KITH_INVALID,
                          "%llu rows are too few to measure recall: more than %d are needed",
                          (unsigned long long)n_live, MAX_M);
    }
    uint64_t *drawn = kbase_calloc(n, sizeof(*drawn));
    if (drawn == NULL) {
        return kbase_fail_memory(err, n * sizeof(*drawn));
    }
    for (size_t i = 0; i < n;) {
        drawn[i] = kidx_next_random(&seed) % rows->n_rows;
        i += !kidx_is_dead(rows, drawn[i]);
    }
    calibration c = { .ann = ann, .table = table, .isa = isa, .pool = pool, .rows = rows };
    kith_status status = calibrate(&c, drawn, n, false, progress, context, err);
    free(drawn);
    return status;
}
