/* Exact search over the codes: one pass gives every row a bound of its score, and those
 * that the bound leaves in the running are scored from the rows themselves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codes_parts.h"
#include "error.h"
#include "memory.h"
#include "select.h"

#define BLOCK_PANELS (KIDX_CODES_BLOCK / KIDX_PANEL)
#define TILE_ROWS (KIDX_TILE_PANELS * KIDX_PANEL)
#define MAX_QUERIES 256 /* that share a pass over the codes */
#define MAX_HELD ((size_t)1 << 21) /* lower bounds that all heaps of a pass may hold */
/* Fewer queries than this are taken in 15 bits, one by one: reading the codes takes
 * longer than multiplying them, and the bounds are half as wide. */
#define MIN_TILED 4
#define HIGH 128 /* the worth of a query's high byte */
/* Where so large a share of the rows is wanted, bounds leave out too little. */
#define MAX_SHARE 8
#define RESCORE 32 /* rows at a time */

/* What one worker has found for one query. */
typedef struct found {
    kidx_best lower;      /* the m best lower bounds of scores */
    kidx_hit *candidates; /* with their upper bounds */
    size_t n;
    size_t capacity;
} found;

typedef struct codes_search {
    kidx_codes *codes;
    const kidx_kernels *kernels;
    kbase_isa isa;
    const kidx_rows *rows;
    const float *vectors; /* [n_queries, dim] */
    size_t n_queries;
    size_t m;
    size_t group; /* queries of a tile: KIDX_QUERY_GROUP, or 1 in 15 bits */
    /* Whole groups of queries. */
    uint8_t *queries;
    float *scale;
    float *slope;
    float *offset;
    float *thresholds; /* [workers, whole groups]: best known lower bound of the m-th */
    float *upper;      /* [workers, KIDX_QUERY_GROUP, TILE_ROWS] */
    size_t n_padded;
    found *found; /* [workers, n_queries] */
    size_t n_workers;
    kidx_hit *hits; /* [n_queries, m] */
    size_t *counts;
    atomic_int status;
} codes_search;

/* ------------------------------------------------------------------ queries */

static void put_query(codes_search *s, size_t q, int32_t *codes)
{
    const size_t k = s->codes->k;
    const uint32_t dim = s->codes->dim;
    const float *x = s->vectors + q * dim;
    const bool is_line = s->group == 1;
    uint8_t *out = s->queries + q * (is_line ? 2 : 1) * k;
    float error;
    double square = 0;
    kidx_quantize(x, dim, is_line ? HIGH * 127 : 127, codes, &s->scale[q], &error);
    for (uint32_t i = 0; i < dim; i++) {
        int32_t high = is_line ? (codes[i] + HIGH * HIGH + HIGH / 2) / HIGH - HIGH : codes[i];
        out[i] = (uint8_t)(high + 128);
        if (is_line) {
            out[k + i] = (uint8_t)(codes[i] - HIGH * high + 128);
        }
        square += (double)x[i] * (double)x[i];
    }
    s->slope[q] = (float)sqrt(square) * (1 + 0x1p-20f) + error;
    s->offset[q] = error + kidx_rounding(dim) * s->slope[q];
}

static kith_status put_queries(codes_search *s, kith_error *err)
{
    int32_t *codes = kbase_calloc(s->codes->dim, sizeof(*codes));
    if (codes == NULL) {
        return kbase_fail_memory(err, s->codes->dim * sizeof(*codes));
    }
    for (size_t q = 0; q < s->n_queries; q++) {
        put_query(s, q, codes);
    }
    for (size_t i = 0; i < s->n_workers * s->n_padded; i++) {
        s->thresholds[i] = i % s->n_padded < s->n_queries ? -INFINITY : INFINITY;
    }
    free(codes);
    return KITH_OK;
}

/* ------------------------------------------------------------------ the pass */

/* Make room, if only by leaving out those that the bound has overtaken. */
static bool reserve(found *f, float threshold)
{
    if (f->n < f->capacity) {
        return true;
    }
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (f->candidates[i].score >= threshold) {
            f->candidates[n++] = f->candidates[i];
        }
    }
    f->n = n;
    if (2 * n >= f->capacity) {
        size_t capacity = f->capacity > 0 ? 2 * f->capacity : 256;
        kidx_hit *more = kbase_realloc(f->candidates, capacity, sizeof(*more));
        if (more == NULL) {
            return false;
        }
        f->candidates = more;
        f->capacity = capacity;
    }
    return true;
}

/* Look at the rows of one panel that may reach the threshold of a query. */
static void collect(codes_search *s, size_t q, uint64_t first, const float *upper,
                    const float *errors, unsigned worker)
{
    found *f = &s->found[worker * s->n_queries + q];
    float *threshold = &s->thresholds[worker * s->n_padded + q];
    for (size_t i = 0; i < KIDX_PANEL; i++) {
        const uint64_t ordinal = first + i;
        if (!(upper[i] >= *threshold) || ordinal >= s->codes->covers ||
            kidx_is_dead(s->rows, ordinal)) {
            continue;
        }
        if (!reserve(f, *threshold)) {
            atomic_store(&s->status, KITH_NOMEM);
            return;
        }
        f->candidates[f->n++] = (kidx_hit){ ordinal, upper[i] };
        float slack = errors[i] * s->slope[q] + s->offset[q];
        kidx_best_push(&f->lower, (kidx_hit){ ordinal, upper[i] - 2 * slack });
        if (f->lower.n == f->lower.capacity) {
            *threshold = f->lower.hits[0].score;
        }
    }
}

static void search_panels(codes_search *s, uint64_t panel, size_t n, unsigned worker)
{
    const size_t k = s->codes->k;
    const size_t panel_bytes = kidx_panel_bytes(k);
    kidx_code_tile tile = { .panels = s->codes->panels + panel * panel_bytes,
                            .n_panels = n,
                            .k = k,
                            .upper = s->upper + worker * KIDX_QUERY_GROUP * TILE_ROWS };
    for (size_t q = 0; q < s->n_queries; q += s->group) {
        tile.queries = s->queries + q * k * (s->group == 1 ? 2 : 1);
        tile.scale = s->scale + q;
        tile.slope = s->slope + q;
        tile.offset = s->offset + q;
        tile.threshold = s->thresholds + worker * s->n_padded + q;
        uint32_t reaches = s->group == 1 ? s->kernels->code_line(&tile)
                                         : s->kernels->code_tile(&tile);
        for (; reaches != 0; reaches &= reaches - 1) {
            size_t i = (size_t)__builtin_ctz(reaches) / KIDX_TILE_PANELS;
            size_t p = (size_t)__builtin_ctz(reaches) % KIDX_TILE_PANELS;
            const unsigned char *facts = tile.panels + p * panel_bytes + KIDX_PANEL * k;
            collect(s, q + i, (panel + p) * KIDX_PANEL,
                    tile.upper + i * TILE_ROWS + p * KIDX_PANEL,
                    (const float *)(const void *)(facts + 8 * KIDX_PANEL), worker);
        }
    }
}

static void pass_task(void *context, size_t index, unsigned worker)
{
    codes_search *s = context;
    const uint64_t n_panels = (s->codes->covers + KIDX_PANEL - 1) / KIDX_PANEL;
    uint64_t panel = (uint64_t)index * BLOCK_PANELS;
    uint64_t end = n_panels - panel < BLOCK_PANELS ? n_panels : panel + BLOCK_PANELS;
    if (atomic_load(&s->status) != KITH_OK) {
        return;
    }
    if (!kidx_codes_check_block(s->codes, index)) {
        atomic_store(&s->status, KITH_CORRUPT);
        return;
    }
    for (; panel < end; panel += KIDX_TILE_PANELS) {
        uint64_t left = end - panel;
        search_panels(s, panel, left < KIDX_TILE_PANELS ? (size_t)left : KIDX_TILE_PANELS,
                      worker);
    }
}

/* ------------------------------------------------------------------ from the rows */

/* Bring together what the workers have for a query, in the first one's place: sorted,
 * highest upper bound first. */
static bool gather(codes_search *s, size_t q, float *threshold)
{
    found *f = &s->found[q];
    *threshold = s->thresholds[q];
    for (size_t w = 1; w < s->n_workers; w++) {
        found *other = &s->found[w * s->n_queries + q];
        for (size_t i = 0; i < other->lower.n; i++) {
            kidx_best_push(&f->lower, other->lower.hits[i]);
        }
        if (f->lower.n == f->lower.capacity) {
            *threshold = f->lower.hits[0].score;
        }
        for (size_t i = 0; i < other->n; i++) {
            if (!reserve(f, *threshold)) {
                return false;
            }
            f->candidates[f->n++] = other->candidates[i];
        }
    }
    if (f->n > 0) {
        qsort(f->candidates, f->n, sizeof(*f->candidates), kidx_hit_compare);
    }
    return true;
}

static void rescore_task(void *context, size_t q, unsigned worker)
{
    codes_search *s = context;
    const float *vector = s->vectors + q * s->codes->dim;
    const found *f = &s->found[q];
    kidx_best best = { s->hits + q * s->m, 0, s->m };
    float threshold;
    (void)worker;
    if (!gather(s, q, &threshold)) {
        atomic_store(&s->status, KITH_NOMEM);
        return;
    }
    for (size_t i = 0; i < f->n;) {
        uint64_t ordinals[RESCORE];
        float scores[RESCORE];
        size_t n = 0;
        for (; n < RESCORE && i < f->n && f->candidates[i].score >= threshold; i++) {
            ordinals[n++] = f->candidates[i].ordinal;
        }
        if (n == 0) {
            break;
        }
        kidx_score(s->isa, s->rows, vector, ordinals, n, scores);
        for (size_t j = 0; j < n; j++) {
            kidx_best_push(&best, (kidx_hit){ ordinals[j], scores[j] });
        }
        if (best.n == best.capacity) {
            threshold = fmaxf(threshold, best.hits[0].score);
        }
    }
    s->counts[q] = best.n;
}

/* ------------------------------------------------------------------ the whole */

static void free_search(codes_search *s)
{
    for (size_t i = 0; s->found != NULL && i < s->n_workers * s->n_queries; i++) {
        free(s->found[i].lower.hits);
        free(s->found[i].candidates);
    }
    free(s->found);
    free(s->upper);
    free(s->thresholds);
    free(s->offset);
    free(s->slope);
    free(s->scale);
    free(s->queries);
}

static kith_status prepare(codes_search *s, kith_error *err)
{
    s->group = s->n_queries < MIN_TILED ? 1 : KIDX_QUERY_GROUP;
    s->n_padded = (s->n_queries + s->group - 1) / s->group * s->group;
    s->queries = kbase_calloc(s->n_padded * (s->group == 1 ? 2 : 1), s->codes->k);
    s->scale = kbase_calloc(s->n_padded, sizeof(*s->scale));
    s->slope = kbase_calloc(s->n_padded, sizeof(*s->slope));
    s->offset = kbase_calloc(s->n_padded, sizeof(*s->offset));
    s->thresholds = kbase_calloc(s->n_workers * s->n_padded, sizeof(*s->thresholds));
    s->upper = kbase_calloc(s->n_workers * KIDX_QUERY_GROUP * TILE_ROWS, sizeof(*s->upper));
    s->found = kbase_calloc(s->n_workers * s->n_queries, sizeof(*s->found));
    bool good = s->queries != NULL && s->scale != NULL && s->slope != NULL &&
                s->offset != NULL && s->thresholds != NULL && s->upper != NULL &&
                s->found != NULL;
    for (size_t i = 0; good && i < s->n_workers * s->n_queries; i++) {
        kidx_best *lower = &s->found[i].lower;
        *lower = (kidx_best){ kbase_calloc(s->m, sizeof(*lower->hits)), 0, s->m };
        good = lower->hits != NULL;
    }
    return good ? put_queries(s, err)
                : kbase_fail_memory(err, s->n_workers * s->n_queries * s->m * 16);
}

static kith_status search_pass(codes_search *s, kbase_pool *pool, kith_error *err)
{
    const size_t n_tasks =
        (size_t)((s->codes->covers + KIDX_CODES_BLOCK - 1) / KIDX_CODES_BLOCK);
    s->n_workers = n_tasks > 1 ? kidx_n_workers(pool) : 1;
    kith_status status = prepare(s, err);
    if (status == KITH_OK) {
        kidx_run(n_tasks > 1 ? pool : NULL, n_tasks, pass_task, s);
        if (atomic_load(&s->status) == KITH_OK) {
            kidx_run(pool, s->n_queries, rescore_task, s);
        }
        status = (kith_status)atomic_load(&s->status);
        if (status == KITH_CORRUPT) {
            kbase_fail(err, status, "%s is damaged", s->codes->path);
        } else if (status != KITH_OK) {
            kbase_fail_memory(err, s->m * sizeof(kidx_hit));
        }
    }
    free_search(s);
    return status;
}

/* The rows behind those covered, into hits that are sorted at last. */
static kith_status merge_delta(const codes_search *s, kbase_pool *pool, kith_error *err)
{
    const uint64_t covers = s->codes->covers;
    const uint64_t n_delta = s->rows->n_rows > covers ? s->rows->n_rows - covers : 0;
    const size_t m = s->m < n_delta ? s->m : (size_t)n_delta;
    kidx_hit *delta = kbase_calloc(s->n_queries * m + 1, sizeof(*delta));
    size_t *counts = kbase_calloc(s->n_queries, sizeof(*counts));
    kith_status status =
        delta != NULL && counts != NULL
            ? kidx_scan_from(s->isa, pool, s->rows, covers, s->vectors, s->n_queries, m,
                             delta, counts, err)
            : kbase_fail_memory(err, s->n_queries * m * sizeof(*delta));
    for (size_t q = 0; q < s->n_queries && status == KITH_OK; q++) {
        kidx_best best = { s->hits + q * s->m, s->counts[q], s->m };
        for (size_t i = 0; i < counts[q]; i++) {
            kidx_best_push(&best, delta[q * m + i]);
        }
        kidx_best_sort(&best);
        s->counts[q] = best.n;
    }
    free(counts);
    free(delta);
    return status;
}

kith_status kidx_codes_search(kidx_codes *codes, kbase_isa isa, kbase_pool *pool,
                              const kidx_rows *rows, const float *queries,
                              size_t n_queries, size_t m, kidx_hit *hits, size_t *counts,
                              kith_error *err)
{
    if (atomic_load(&codes->is_damaged)) {
        return kbase_fail(err, KITH_CORRUPT, "%s is damaged", codes->path);
    }
    if (m == 0 || m > codes->covers / MAX_SHARE || codes->covers > rows->n_rows) {
        return kidx_scan_from(isa, pool, rows, 0, queries, n_queries, m, hits, counts, err);
    }
    size_t together = MAX_HELD / m / kidx_n_workers(pool) + 1;
    together = together > MAX_QUERIES ? MAX_QUERIES : together;
    for (size_t q = 0; q < n_queries; q += together) {
        codes_search s = { .codes = codes,
                           .kernels = kidx_kernels_for(isa),
                           .isa = isa,
                           .rows = rows,
                           .vectors = queries + q * codes->dim,
                           .n_queries = n_queries - q < together ? n_queries - q : together,
                           .m = m,
                           .hits = hits + q * m,
                           .counts = counts + q };
        kith_status status = search_pass(&s, pool, err);
        if (status == KITH_OK) {
            status = merge_delta(&s, pool, err);
        }
        if (status != KITH_OK) {
            return status;
        }
    }
    return KITH_OK;
}
