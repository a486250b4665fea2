#include "sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codes_parts.h"
#include "error.h"
#include "memory.h"
#include "select.h"

#define BLOCK_PANELS (KIDX_CODES_BLOCK / KIDX_PANEL)
#define TILE_ROWS (KIDX_TILE_PANELS * KIDX_PANEL)

/* What a worker has for itself. */
typedef struct scratch {
    float upper[KIDX_QUERY_GROUP * TILE_ROWS];
    float thresholds[KIDX_SWEEP_ROWS];
} scratch;

struct kidx_sweep {
    kidx_codes *codes; /* NULL: none */
    const kidx_kernels *kernels;
    kbase_isa isa;
    kbase_pool *pool;
    const kidx_rows *rows;
    size_t k;
    size_t panel_bytes;
    uint64_t n_from_file; /* panels; the others are in memory */
    unsigned char *made;
    scratch *scratch; /* [workers] */
    float *swapped;   /* [workers, dim]: a row as the query, for one below it */
    /* Of the queries of a run. */
    uint8_t *codes_of; /* [KIDX_SWEEP_ROWS, k] */
    float *vectors;    /* [KIDX_SWEEP_ROWS, dim] */
    float scale[KIDX_SWEEP_ROWS];
    float slope[KIDX_SWEEP_ROWS];
    float offset[KIDX_SWEEP_ROWS];
    const uint64_t *queries;
    size_t n_queries;
    uint64_t first;
    uint64_t end;
    const kidx_sweep_visitor *visitor;
    atomic_bool is_damaged;
};

/* ------------------------------------------------------------------ making */

static void check_task(void *context, size_t index, unsigned worker)
{
    kidx_sweep *s = context;
    (void)worker;
    if (!kidx_codes_check_block(s->codes, index)) {
        atomic_store(&s->is_damaged, true);
    }
}

/* How many panels the file has whole and undamaged. */
static uint64_t panels_of_file(kidx_sweep *s)
{
    const uint64_t covers = s->codes != NULL ? kidx_codes_covers(s->codes) : 0;
    if (covers > s->rows->n_rows) {
        return 0;
    }
    kidx_run(s->pool, (size_t)((covers + KIDX_CODES_BLOCK - 1) / KIDX_CODES_BLOCK),
             check_task, s);
    return atomic_load(&s->is_damaged) ? 0 : covers / KIDX_PANEL;
}

/* Make the panels that the file does not have. */
static kith_status complete_panels(kidx_sweep *s, kith_error *err)
{
    const uint64_t n_panels = (s->rows->n_rows + KIDX_PANEL - 1) / KIDX_PANEL;
    s->n_from_file = panels_of_file(s);
    const size_t n = (size_t)(n_panels - s->n_from_file);
    s->made = kbase_alloc_aligned(n + 1, s->panel_bytes);
    if (s->made == NULL) {
        return kbase_fail_memory(err, n * s->panel_bytes);
    }
    kidx_codes_make(s->isa, s->pool, s->rows, s->n_from_file, n, s->made);
    return KITH_OK;
}

kith_status kidx_sweep_new(kbase_isa isa, kbase_pool *pool, const kidx_rows *rows,
                           kidx_sweep **out, kith_error *err)
{
    const unsigned n_workers = kidx_n_workers(pool);
    kidx_sweep *s = kbase_calloc(1, sizeof(*s));
    if (s == NULL) {
        return kbase_fail_memory(err, sizeof(*s));
    }
    s->codes = rows->codes;
    s->kernels = kidx_kernels_for(isa);
    s->isa = isa;
    s->pool = pool;
    s->rows = rows;
    s->k = kidx_codes_k(rows->dim);
    s->panel_bytes = kidx_panel_bytes(s->k);
    s->scratch = kbase_calloc(n_workers, sizeof(*s->scratch));
    s->swapped = kbase_calloc(n_workers * rows->dim, sizeof(*s->swapped));
    s->codes_of = kbase_calloc(KIDX_SWEEP_ROWS, s->k);
    s->vectors = kbase_calloc((size_t)KIDX_SWEEP_ROWS * rows->dim, sizeof(*s->vectors));
    const bool good = s->scratch != NULL && s->swapped != NULL && s->codes_of != NULL &&
                      s->vectors != NULL;
    kith_status status = good ? complete_panels(s, err)
                              : kbase_fail_memory(err, KIDX_SWEEP_ROWS * s->k);
    if (status == KITH_OK) {
        *out = s;
    } else {
        kidx_sweep_free(s);
    }
    return status;
}

void kidx_sweep_free(kidx_sweep *s)
{
    if (s != NULL) {
        free(s->vectors);
        free(s->codes_of);
        free(s->swapped);
        free(s->scratch);
        free(s->made);
        free(s);
    }
}

const kidx_rows *kidx_sweep_rows(const kidx_sweep *sweep)
{
    return sweep->rows;
}

unsigned kidx_sweep_workers(const kidx_sweep *sweep)
{
    return kidx_n_workers(sweep->pool);
}

/* ------------------------------------------------------------------ queries */

static const unsigned char *panel_at(const kidx_sweep *s, uint64_t panel)
{
    return panel < s->n_from_file ? s->codes->panels + panel * s->panel_bytes
                                  : s->made + (panel - s->n_from_file) * s->panel_bytes;
}

/* One number of each row of a panel: -128 times the sum of the codes, scale, error. */
static const float *facts_of(const kidx_sweep *s, const unsigned char *panel,
                             size_t which)
{
    return (const float *)(const void *)(panel + KIDX_PANEL * (s->k + 4 * which));
}

static void unit_row(const kidx_sweep *s, uint64_t ordinal, float *x)
{
    if (!kidx_unit_row(s->isa, s->rows, ordinal, x)) {
        memset(x, 0, s->rows->dim * sizeof(*x));
    }
}

/* A row as a query, from its codes. Its length is 1, or 0. */
static void put_query(kidx_sweep *s, size_t q)
{
    const uint64_t ordinal = s->queries[q];
    const unsigned char *panel = panel_at(s, ordinal / KIDX_PANEL);
    const size_t lane = ordinal % KIDX_PANEL;
    const float error = facts_of(s, panel, 2)[lane];
    uint8_t *out = s->codes_of + q * s->k;
    for (size_t i = 0; i < s->k; i++) {
        out[i] = (uint8_t)(panel[i / 4 * 4 * KIDX_PANEL + lane * 4 + i % 4] + 128);
    }
    s->scale[q] = facts_of(s, panel, 1)[lane];
    s->slope[q] = 1 + 0x1p-20f + error;
    s->offset[q] = error + kidx_rounding(s->rows->dim) * s->slope[q];
    unit_row(s, ordinal, s->vectors + q * s->rows->dim);
}

static void put_task(void *context, size_t q, unsigned worker)
{
    kidx_sweep *s = context;
    (void)worker;
    if (kidx_is_dead(s->rows, s->queries[q])) {
        s->scale[q] = 0;
        s->slope[q] = 0;
        s->offset[q] = NAN; /* reaches no threshold */
    } else {
        put_query(s, q);
    }
}

/* ------------------------------------------------------------------ the pass */

static float score_swapped(kidx_sweep *s, uint64_t query, uint64_t row, unsigned worker)
{
    float *x = s->swapped + worker * s->rows->dim;
    float score;
    unit_row(s, row, x);
    kidx_score(s->isa, s->rows, x, &query, 1, &score);
    return score;
}

/* Score the rows of one panel that may reach the threshold of a query. */
static void visit_panel(kidx_sweep *s, size_t q, uint64_t panel, const float *upper,
                        unsigned worker)
{
    const kidx_sweep_visitor *v = s->visitor;
    const float threshold = s->scratch[worker].thresholds[q];
    const uint64_t query = s->queries[q];
    uint64_t rows[KIDX_PANEL];
    float scores[KIDX_PANEL];
    size_t n = 0;
    for (size_t i = 0; i < KIDX_PANEL; i++) {
        const uint64_t row = panel * KIDX_PANEL + i;
        if (upper[i] >= threshold && row >= s->first && row < s->end && row != query &&
            !kidx_is_dead(s->rows, row) && v->wants(v->context, q, row, upper[i])) {
            rows[n++] = row;
        }
    }
    kidx_score(s->isa, s->rows, s->vectors + q * s->rows->dim, rows, n, scores);
    for (size_t i = 0; i < n; i++) {
        const float score =
            rows[i] > query ? scores[i] : score_swapped(s, query, rows[i], worker);
        if (score >= threshold) {
            v->take(v->context, q, rows[i], score, worker);
        }
    }
}

static void sweep_panels(kidx_sweep *s, uint64_t panel, size_t n, unsigned worker)
{
    scratch *own = &s->scratch[worker];
    const float threshold = s->visitor->threshold(s->visitor->context);
    kidx_code_tile tile = {
        .panels = panel_at(s, panel), .n_panels = n, .k = s->k, .upper = own->upper
    };
    for (size_t q = 0; q < KIDX_SWEEP_ROWS; q++) {
        own->thresholds[q] = q < s->n_queries ? threshold : INFINITY;
    }
    for (size_t q = 0; q < s->n_queries; q += KIDX_QUERY_GROUP) {
        tile.queries = s->codes_of + q * s->k;
        tile.scale = s->scale + q;
        tile.slope = s->slope + q;
        tile.offset = s->offset + q;
        tile.threshold = own->thresholds + q;
        uint32_t reaches = s->kernels->code_tile(&tile);
        for (; reaches != 0; reaches &= reaches - 1) {
            size_t i = (size_t)__builtin_ctz(reaches) / KIDX_TILE_PANELS;
            size_t p = (size_t)__builtin_ctz(reaches) % KIDX_TILE_PANELS;
            visit_panel(s, q + i, panel + p,
                        own->upper + i * TILE_ROWS + p * KIDX_PANEL, worker);
        }
    }
}

/* The panels of a block; a tile lies in the file or in memory, not in both. */
static void sweep_task(void *context, size_t index, unsigned worker)
{
    kidx_sweep *s = context;
    const uint64_t last = (s->end - 1) / KIDX_PANEL;
    uint64_t panel = s->first / KIDX_PANEL + (uint64_t)index * BLOCK_PANELS;
    uint64_t end = last - panel < BLOCK_PANELS ? last + 1 : panel + BLOCK_PANELS;
    while (panel < end) {
        const bool is_cut = panel < s->n_from_file && s->n_from_file < end;
        const uint64_t limit = is_cut ? s->n_from_file : end;
        size_t n = limit - panel < KIDX_TILE_PANELS ? (size_t)(limit - panel)
                                                    : KIDX_TILE_PANELS;
        sweep_panels(s, panel, n, worker);
        panel += n;
    }
}

void kidx_sweep_run(kidx_sweep *s, const uint64_t *queries, size_t n_queries,
                    uint64_t first, uint64_t end, const kidx_sweep_visitor *visitor)
{
    if (n_queries == 0 || first >= end) {
        return;
    }
    s->queries = queries;
    s->n_queries = n_queries;
    s->first = first;
    s->end = end;
    s->visitor = visitor;
    kidx_run(s->pool, n_queries, put_task, s);
    const uint64_t n_panels = (end - 1) / KIDX_PANEL - first / KIDX_PANEL + 1;
    const uint64_t n_blocks = (n_panels + BLOCK_PANELS - 1) / BLOCK_PANELS;
    kidx_run(s->pool, (size_t)n_blocks, sweep_task, s);
}
