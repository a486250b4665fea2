#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "error.h"
#include "row_kernels.h"
#include "memory.h"
#include "select.h"

#define ROWS_PER_TASK 2048
#define BLOCK 32 /* rows scored at a time; with a group of queries they fit L1 */
#define SPARSE 5 /* live rows are picked out where they are fewer than one in so many */
#define MAX_QUERIES 256 /* that share a pass over the rows */
#define MAX_HELD ((size_t)1 << 21) /* hits that all heaps of a pass may hold */

typedef struct scan {
    const kidx_kernels *kernels;
    const kidx_rows *rows;
    uint64_t first;       /* row */
    const float *queries; /* [whole groups, dim] */
    size_t n_queries;
    kidx_best *best; /* [workers, n_queries] */
} scan;

const kidx_kernels *kidx_kernels_for(kbase_isa isa)
{
#if defined(__x86_64__)
    if (isa >= KBASE_ISA_AVX512VNNI) {
        return &kidx_kernels_avx512vnni;
    }
    if (isa == KBASE_ISA_AVX512) {
        return &kidx_kernels_avx512;
    }
    if (isa == KBASE_ISA_AVXVNNI) {
        return &kidx_kernels_avxvnni;
    }
    if (isa == KBASE_ISA_AVX2) {
        return &kidx_kernels_avx2;
    }
#endif
    (void)isa;
    return &kidx_kernels_portable;
}

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

void kidx_score(kbase_isa isa, const kidx_rows *rows, const float *query,
                const uint64_t *ordinals, size_t n, float *scores)
{
    const kidx_kernels *kernels = kidx_kernels_for(isa);
    const uint16_t *block[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t n_block = n - i < BLOCK ? n - i : BLOCK;
        for (size_t r = 0; r < n_block; r++) {
            block[r] = rows->data + ordinals[i + r] * rows->stride;
            for (uint32_t j = 0; j < rows->dim; j += 32) { /* a cache line of f16 */
                __builtin_prefetch(block[r] + j);
            }
        }
        kernels->score(block, n_block, query, 1, rows->dim, scores + i, 0);
    }
}

void kidx_f16_from_f32(kbase_isa isa, const float *in, size_t n, uint16_t *out)
{
    kidx_kernels_for(isa)->f16_from_f32(in, n, out);
}

void kidx_f32_from_f16(kbase_isa isa, const uint16_t *in, size_t n, float *out)
{
    kidx_kernels_for(isa)->f32_from_f16(in, n, out);
}

bool kidx_unit_row(kbase_isa isa, const kidx_rows *rows, uint64_t ordinal, float *x)
{
    double square = 0;
    kidx_f32_from_f16(isa, rows->data + ordinal * rows->stride, rows->dim, x);
    for (uint32_t i = 0; i < rows->dim; i++) {
        square += (double)x[i] * (double)x[i];
    }
    double length = sqrt(square);
    for (uint32_t i = 0; i < rows->dim; i++) {
        x[i] = (float)((double)x[i] / length);
    }
    return square > 0 && isfinite(square);
}

/* Queries with zeros behind them up to whole groups; free() it. */
static float *pad_queries(const float *queries, size_t n_queries, uint32_t dim)
{
    size_t n_padded = round_up(n_queries, KIDX_QUERY_GROUP);
    float *padded = kbase_alloc_aligned(n_padded * dim, sizeof(*padded));
    if (padded != NULL) {
        memcpy(padded, queries, n_queries * dim * sizeof(*padded));
        memset(padded + n_queries * dim, 0,
               (n_padded - n_queries) * dim * sizeof(*padded));
    }
    return padded;
}

/* Bit i: whether row first + i is live, of n <= BLOCK rows. */
static uint64_t live_bits(const kidx_rows *rows, uint64_t first, size_t n)
{
    const unsigned shift = first % 64;
    uint64_t dead = rows->dead[first / 64] >> shift;
    if (shift + n > 64) {
        dead |= rows->dead[first / 64 + 1] << (64 - shift);
    }
    return ~dead & (((uint64_t)1 << n) - 1);
}

/* Up to a block of rows to score, from *next on, which is moved behind them: all live
 * ones, and dead ones among many of those, since it takes as long to leave them out. */
static size_t take_rows(const kidx_rows *rows, uint64_t *next, uint64_t end,
                        uint64_t ordinals[BLOCK])
{
    size_t n = 0;
    while (*next < end) {
        const uint64_t first = *next;
        const size_t span = end - first < BLOCK ? (size_t)(end - first) : BLOCK;
        uint64_t live = rows->dead != NULL ? live_bits(rows, first, span) : 0;
        const size_t n_live = (size_t)__builtin_popcountll(live);
        const bool all = rows->dead == NULL || SPARSE * n_live >= span;
        if (n > 0 && (all || n + n_live > BLOCK)) {
            break;
        }
        *next += span;
        if (all) {
            for (; n < span; n++) {
                ordinals[n] = first + n;
            }
            break;
        }
        for (; live != 0; live &= live - 1) {
            ordinals[n++] = first + (uint64_t)__builtin_ctzll(live);
        }
    }
    return n;
}

/* Offer the scores of these rows to one heap. */
static void collect(const kidx_rows *rows, const uint64_t *ordinals, size_t n,
                    const float *scores, kidx_best *best)
{
    for (size_t r = 0; r < n; r++) {
        if (kidx_best_wants(best, scores[r]) && !kidx_is_dead(rows, ordinals[r])) {
            kidx_best_push(best, (kidx_hit){ ordinals[r], scores[r] });
        }
    }
}

static void scan_block(const scan *s, const uint64_t *ordinals, size_t n,
                       kidx_best *best)
{
    const uint16_t *rows[BLOCK];
    for (size_t r = 0; r < n; r++) {
        rows[r] = s->rows->data + ordinals[r] * s->rows->stride;
    }
    float scores[KIDX_QUERY_GROUP][BLOCK];
    for (size_t q = 0; q < s->n_queries; q += KIDX_QUERY_GROUP) {
        size_t left = s->n_queries - q;
        s->kernels->score(rows, n, s->queries + q * s->rows->dim,
                          left == 1 ? 1 : KIDX_QUERY_GROUP, s->rows->dim, scores[0],
                          BLOCK);
        for (size_t i = 0; i < KIDX_QUERY_GROUP && i < left; i++) {
            collect(s->rows, ordinals, n, scores[i], &best[q + i]);
        }
    }
}

static void scan_task(void *context, size_t index, unsigned worker)
{
    const scan *s = context;
    kidx_best *best = s->best + worker * s->n_queries;
    uint64_t next = s->first + index * ROWS_PER_TASK;
    uint64_t end =
        s->rows->n_rows - next < ROWS_PER_TASK ? s->rows->n_rows : next + ROWS_PER_TASK;
    uint64_t ordinals[BLOCK];
    size_t n;
    while ((n = take_rows(s->rows, &next, end, ordinals)) > 0) {
        scan_block(s, ordinals, n, best);
    }
}

/* One pass over the rows for n_queries queries, m at most the number of rows. */
static kith_status scan_pass(scan *s, kbase_pool *pool, const float *queries, size_t m,
                             size_t ld, kidx_hit *hits, size_t *counts, kith_error *err)
{
    size_t n_tasks = (s->rows->n_rows - s->first + ROWS_PER_TASK - 1) / ROWS_PER_TASK;
    size_t n_workers = n_tasks > 1 ? kidx_n_workers(pool) : 1;
    size_t n_heaps = n_workers * s->n_queries;
    float *padded = pad_queries(queries, s->n_queries, s->rows->dim);
    kidx_hit *held = kbase_calloc(n_heaps * m, sizeof(*held));
    kidx_best *best = kbase_calloc(n_heaps, sizeof(*best));
    kith_status status = KITH_OK;
    if (padded == NULL || held == NULL || best == NULL) {
        status = kbase_fail_memory(err, n_heaps * m * sizeof(*held));
        goto out;
    }
    for (size_t i = 0; i < n_heaps; i++) {
        best[i] = (kidx_best){ held + i * m, 0, m };
    }
    s->queries = padded;
    s->best = best;
    kidx_run(pool, n_tasks, scan_task, s);
    for (size_t q = 0; q < s->n_queries; q++) {
        for (size_t w = 1; w < n_workers; w++) {
            const kidx_best *other = &best[w * s->n_queries + q];
            for (size_t i = 0; i < other->n; i++) {
                kidx_best_push(&best[q], other->hits[i]);
            }
        }
        kidx_best_sort(&best[q]);
        memcpy(hits + q * ld, best[q].hits, best[q].n * sizeof(*hits));
        counts[q] = best[q].n;
    }
out:
    free(best);
    free(held);
    free(padded);
    return status;
}

kith_status kidx_scan_from(kbase_isa isa, kbase_pool *pool, const kidx_rows *rows,
                           uint64_t first, const float *queries, size_t n_queries,
                           size_t m, kidx_hit *hits, size_t *counts, kith_error *err)
{
    uint64_t n_rows = rows->n_rows > first ? rows->n_rows - first : 0;
    size_t wanted = m < n_rows ? m : (size_t)n_rows;
    if (wanted == 0) {
        memset(counts, 0, n_queries * sizeof(*counts));
        return KITH_OK;
    }
    size_t together = MAX_HELD / wanted / kidx_n_workers(pool);
    together =
        together > MAX_QUERIES ? MAX_QUERIES : round_up(together + 1, KIDX_QUERY_GROUP);
    scan s = { .kernels = kidx_kernels_for(isa), .rows = rows, .first = first };
    for (size_t q = 0; q < n_queries; q += together) {
        s.n_queries = n_queries - q < together ? n_queries - q : together;
        kith_status status = scan_pass(&s, pool, queries + q * rows->dim, wanted, m,
                                       hits + q * m, counts + q, err);
        if (status != KITH_OK) {
            return status;
        }
    }
    return KITH_OK;
}

kith_status kidx_scan(kbase_isa isa, kbase_pool *pool, const kidx_rows *rows,
                      const float *queries, size_t n_queries, size_t m, kidx_hit *hits,
                      size_t *counts, kith_error *err)
{
    if (rows->codes != NULL) {
        kith_status status = kidx_codes_search(rows->codes, isa, pool, rows, queries,
                                               n_queries, m, hits, counts, err);
        if (status != KITH_CORRUPT) {
            return status;
        }
    }
    return kidx_scan_from(isa, pool, rows, 0, queries, n_queries, m, hits, counts, err);
}
