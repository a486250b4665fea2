#include "bounds.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codes_parts.h"
#include "error.h"
#include "memory.h"

#define MAX_HELD ((size_t)1 << 21) /* lower bounds and candidates of a pass, as a rule */
#define HIGH 128 /* the worth of a query's high byte */
#define FEW_CANDIDATES 64 /* there is room for as many at first */
#define RESCORE 32 /* rows at a time */

/* ------------------------------------------------------------------ queries */

static void put_query(void *context, size_t q, unsigned worker)
{
    kidx_bounds *b = context;
    const uint32_t dim = b->rows->dim;
    const float *x = b->vectors + q * dim;
    int32_t *codes = b->scratch + worker * dim;
    uint8_t *out = b->codes + q * (b->in_15_bits ? 2 : 1) * b->k;
    float error;
    double square = 0;
    kidx_quantize(x, dim, b->in_15_bits ? HIGH * 127 : 127, codes, &b->scale[q], &error);
    for (uint32_t i = 0; i < dim; i++) {
        int32_t high = b->in_15_bits ? (codes[i] + HIGH * HIGH + HIGH / 2) / HIGH - HIGH
                                     : codes[i];
        out[i] = (uint8_t)(high + 128);
        if (b->in_15_bits) {
            out[b->k + i] = (uint8_t)(codes[i] - HIGH * high + 128);
        }
        square += (double)x[i] * (double)x[i];
    }
    b->slope[q] = (float)sqrt(square) * (1 + 0x1p-20f) + error;
    b->offset[q] = error + kidx_rounding(dim) * b->slope[q];
}

size_t kidx_bounds_together(size_t m, size_t n_workers)
{
    return MAX_HELD / (m + FEW_CANDIDATES) / n_workers + 1;
}

static bool allocate(kidx_bounds *b)
{
    b->codes = kbase_calloc(b->n_padded * (b->in_15_bits ? 2 : 1), b->k);
    b->scale = kbase_calloc(b->n_padded, sizeof(*b->scale));
    b->slope = kbase_calloc(b->n_padded, sizeof(*b->slope));
    b->offset = kbase_calloc(b->n_padded, sizeof(*b->offset));
    b->thresholds = kbase_calloc(b->n_workers * b->n_padded, sizeof(*b->thresholds));
    b->upper =
        kbase_calloc(b->n_workers * KIDX_QUERY_GROUP * KIDX_TILE_ROWS, sizeof(*b->upper));
    b->scratch = kbase_calloc(b->n_workers * b->rows->dim, sizeof(*b->scratch));
    b->found = kbase_calloc(b->n_workers * b->n_queries, sizeof(*b->found));
    bool good = b->codes != NULL && b->scale != NULL && b->slope != NULL &&
                b->offset != NULL && b->thresholds != NULL && b->upper != NULL &&
                b->scratch != NULL && b->found != NULL;
    for (size_t i = 0; good && i < b->n_workers * b->n_queries; i++) {
        kidx_best *lower = &b->found[i].lower;
        *lower = (kidx_best){ kbase_calloc(b->m, sizeof(*lower->hits)), 0, b->m };
        good = lower->hits != NULL;
    }
    return good;
}

void kidx_bounds_part(const kidx_bounds *all, size_t first, size_t at_most,
                      kidx_bounds *part)
{
    const size_t left = all->n_queries - first;
    part->isa = all->isa;
    part->rows = all->rows;
    part->vectors = all->vectors + first * all->rows->dim;
    part->n_queries = left < at_most ? left : at_most;
    part->m = all->m;
    part->n_workers = all->n_workers;
    part->hits = all->hits + first * all->m;
    part->counts = all->counts + first;
}

kith_status kidx_bounds_begin(kidx_bounds *b, kbase_pool *pool, kith_error *err)
{
    b->kernels = kidx_kernels_for(b->isa);
    b->k = kidx_codes_k(b->rows->dim);
    b->group = b->in_15_bits ? 1 : KIDX_QUERY_GROUP;
    b->n_padded = (b->n_queries + b->group - 1) / b->group * b->group;
    if (!allocate(b)) {
        return kbase_fail_memory(err, b->n_workers * b->n_queries * b->m *
                                          sizeof(kidx_hit));
    }
    for (size_t i = 0; i < b->n_workers * b->n_padded; i++) {
        /* Above the bound of a lane without a row; of no query, above all. */
        b->thresholds[i] = i % b->n_padded < b->n_queries ? -FLT_MAX : INFINITY;
    }
    kidx_run(b->n_workers > 1 ? pool : NULL, b->n_queries, put_query, b);
    return KITH_OK;
}

void kidx_bounds_end(kidx_bounds *b)
{
    for (size_t i = 0; b->found != NULL && i < b->n_workers * b->n_queries; i++) {
        free(b->found[i].lower.hits);
        free(b->found[i].candidates);
    }
    free(b->found);
    free(b->scratch);
    free(b->upper);
    free(b->thresholds);
    free(b->offset);
    free(b->slope);
    free(b->scale);
    free(b->codes);
}

kidx_query_block kidx_bounds_all(const kidx_bounds *b, unsigned worker)
{
    return (kidx_query_block){ .n = b->n_padded,
                               .codes = b->codes,
                               .scale = b->scale,
                               .slope = b->slope,
                               .offset = b->offset,
                               .thresholds = b->thresholds + worker * b->n_padded };
}

/* ------------------------------------------------------------------ candidates */

/* Leave out the candidates that the bound has overtaken. */
static void drop_overtaken(kidx_found *f, float threshold)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (f->candidates[i].score >= threshold) {
            f->candidates[n++] = f->candidates[i];
        }
    }
    f->n = n;
}

/* Give the candidates of a query, m or more, their scores as bounds, and keep the m best:
 * so that rows which bounds cannot tell apart (many equal ones) take no more and more
 * room. */
static void settle(const kidx_bounds *b, size_t q, kidx_found *f, float *threshold)
{
    for (size_t i = 0; i < f->n; i++) {
        kidx_score(b->isa, b->rows, b->vectors + q * b->rows->dim,
                   &f->candidates[i].ordinal, 1, &f->candidates[i].score);
    }
    qsort(f->candidates, f->n, sizeof(*f->candidates), kidx_hit_compare);
    f->n = b->m;
    *threshold = fmaxf(*threshold, f->candidates[b->m - 1].score);
}

/* Make room for another candidate. */
static bool reserve(const kidx_bounds *b, size_t q, kidx_found *f, float *threshold)
{
    if (f->n < f->capacity) {
        return true;
    }
    drop_overtaken(f, *threshold);
    if (2 * f->n >= f->capacity && f->capacity >= 4 * b->m + 16 * FEW_CANDIDATES) {
        settle(b, q, f, threshold);
    }
    if (2 * f->n >= f->capacity) {
        size_t capacity = f->capacity > 0 ? 2 * f->capacity : FEW_CANDIDATES;
        kidx_hit *more = kbase_realloc(f->candidates, capacity, sizeof(*more));
        if (more == NULL) {
            return false;
        }
        f->candidates = more;
        f->capacity = capacity;
    }
    return true;
}

/* Take a row whose upper bound reaches the threshold of a query. */
static void take(kidx_bounds *b, size_t q, kidx_hit hit, float lower, float *threshold,
                 unsigned worker)
{
    kidx_found *f = &b->found[worker * b->n_queries + q];
    if (!reserve(b, q, f, threshold)) {
        atomic_store(&b->status, KITH_NOMEM);
        return;
    }
    f->candidates[f->n++] = hit;
    kidx_best_push(&f->lower, (kidx_hit){ hit.ordinal, lower });
    if (f->lower.n == f->lower.capacity) {
        *threshold = fmaxf(*threshold, f->lower.hits[0].score);
    }
}

/* The rows of one panel that may reach the threshold of query i of a block. */
static void collect(kidx_bounds *b, const kidx_query_block *block, size_t i,
                    uint64_t first, const uint64_t *ordinals, const float *upper,
                    const float *errors, unsigned worker)
{
    const size_t q = block->number != NULL ? block->number[i] : i;
    float *threshold = &block->thresholds[i];
    for (size_t lane = 0; lane < KIDX_PANEL; lane++) {
        if (!(upper[lane] >= *threshold)) {
            continue;
        }
        const uint64_t ordinal = ordinals != NULL ? ordinals[first + lane] : first + lane;
        if (!kidx_is_dead(b->rows, ordinal)) {
            float slack = errors[lane] * block->slope[i] + block->offset[i];
            take(b, q, (kidx_hit){ ordinal, upper[lane] }, upper[lane] - 2 * slack,
                 threshold, worker);
        }
    }
}

void kidx_bounds_look(kidx_bounds *b, const kidx_query_block *block,
                      const unsigned char *panels, size_t n_panels, uint64_t first,
                      const uint64_t *ordinals, unsigned worker)
{
    const size_t k = b->k;
    kidx_code_tile tile = {
        .panels = panels,
        .n_panels = n_panels,
        .k = k,
        .upper = b->upper + worker * KIDX_QUERY_GROUP * KIDX_TILE_ROWS
    };
    for (size_t q = 0; q < block->n; q += b->group) {
        tile.queries = block->codes + q * k * (b->in_15_bits ? 2 : 1);
        tile.scale = block->scale + q;
        tile.slope = block->slope + q;
        tile.offset = block->offset + q;
        tile.threshold = block->thresholds + q;
        uint32_t reaches =
            b->in_15_bits ? b->kernels->code_line(&tile) : b->kernels->code_tile(&tile);
        for (; reaches != 0; reaches &= reaches - 1) {
            size_t i = (size_t)__builtin_ctz(reaches) / KIDX_TILE_PANELS;
            size_t p = (size_t)__builtin_ctz(reaches) % KIDX_TILE_PANELS;
            const unsigned char *facts =
                panels + p * kidx_panel_bytes(k) + KIDX_PANEL * k;
            collect(b, block, q + i, first + p * KIDX_PANEL, ordinals,
                    tile.upper + i * KIDX_TILE_ROWS + p * KIDX_PANEL,
                    (const float *)(const void *)(facts + 8 * KIDX_PANEL), worker);
        }
    }
}

void kidx_bounds_share(kidx_bounds *b)
{
    for (size_t q = 0; q < b->n_queries; q++) {
        float best = -FLT_MAX;
        for (size_t w = 0; w < b->n_workers; w++) {
            best = fmaxf(best, b->thresholds[w * b->n_padded + q]);
        }
        for (size_t w = 0; w < b->n_workers; w++) {
            b->thresholds[w * b->n_padded + q] = best;
        }
    }
}

/* ------------------------------------------------------------------ from the rows */

/* Bring together what the workers have for a query, in the first one's place: sorted,
 * highest upper bound first. */
static bool gather(kidx_bounds *b, size_t q, float *threshold)
{
    kidx_found *f = &b->found[q];
    *threshold = b->thresholds[q];
    for (size_t w = 1; w < b->n_workers; w++) {
        kidx_found *other = &b->found[w * b->n_queries + q];
        *threshold = fmaxf(*threshold, b->thresholds[w * b->n_padded + q]);
        for (size_t i = 0; i < other->lower.n; i++) {
            kidx_best_push(&f->lower, other->lower.hits[i]);
        }
        if (f->lower.n == f->lower.capacity) {
            *threshold = fmaxf(*threshold, f->lower.hits[0].score);
        }
        for (size_t i = 0; i < other->n; i++) {
            if (!reserve(b, q, f, threshold)) {
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
    kidx_bounds *b = context;
    const float *vector = b->vectors + q * b->rows->dim;
    const kidx_found *f = &b->found[q];
    kidx_best best = { b->hits + q * b->m, 0, b->m };
    float threshold;
    (void)worker;
    if (!gather(b, q, &threshold)) {
        atomic_store(&b->status, KITH_NOMEM);
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
        kidx_score(b->isa, b->rows, vector, ordinals, n, scores);
        for (size_t j = 0; j < n; j++) {
            kidx_best_push(&best, (kidx_hit){ ordinals[j], scores[j] });
        }
        if (best.n == best.capacity) {
            threshold = fmaxf(threshold, best.hits[0].score);
        }
    }
    b->counts[q] = best.n;
}

/* The rows from `first` up, into hits that are sorted at last. */
static kith_status merge_rest(const kidx_bounds *b, kbase_pool *pool, uint64_t first,
                              kith_error *err)
{
    const uint64_t n_rest = b->rows->n_rows > first ? b->rows->n_rows - first : 0;
    const size_t m = b->m < n_rest ? b->m : (size_t)n_rest;
    kidx_hit *rest = kbase_calloc(b->n_queries * m + 1, sizeof(*rest));
    size_t *counts = kbase_calloc(b->n_queries, sizeof(*counts));
    kith_status status =
        rest != NULL && counts != NULL
            ? kidx_scan_from(b->isa, pool, b->rows, first, b->vectors, b->n_queries, m,
                             rest, counts, err)
            : kbase_fail_memory(err, b->n_queries * m * sizeof(*rest));
    for (size_t q = 0; q < b->n_queries && status == KITH_OK; q++) {
        kidx_best best = { b->hits + q * b->m, b->counts[q], b->m };
        for (size_t i = 0; i < counts[q]; i++) {
            kidx_best_push(&best, rest[q * m + i]);
        }
        kidx_best_sort(&best);
        b->counts[q] = best.n;
    }
    free(counts);
    free(rest);
    return status;
}

kith_status kidx_bounds_finish(kidx_bounds *b, kbase_pool *pool, uint64_t first,
                               kith_error *err)
{
    if (atomic_load(&b->status) == KITH_OK) {
        kidx_run(pool, b->n_queries, rescore_task, b);
    }
    kith_status status = (kith_status)atomic_load(&b->status);
    if (status == KITH_NOMEM) {
        return kbase_fail_memory(err, b->m * sizeof(kidx_hit));
    }
    return status == KITH_OK ? merge_rest(b, pool, first, err) : status;
}
