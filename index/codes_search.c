/* Exact search over the codes: one pass looks at all rows, by bounds (bounds.h). */
#include "bounds.h"
#include "codes_parts.h"
#include "error.h"

#define BLOCK_PANELS (KIDX_CODES_BLOCK / KIDX_PANEL)
#define MAX_QUERIES 256 /* that share a pass over the codes */
/* Fewer queries than this are taken in 15 bits, one by one: reading the codes takes
 * longer than multiplying them, and the bounds are half as wide. */
#define MIN_TILED 4
/* Where so large a share of the rows is wanted, bounds leave out too little. */
#define MAX_SHARE 8

typedef struct codes_search {
    kidx_codes *codes;
    kidx_bounds bounds;
} codes_search;

static void pass_task(void *context, size_t index, unsigned worker)
{
    codes_search *s = context;
    const uint64_t n_panels = (s->codes->covers + KIDX_PANEL - 1) / KIDX_PANEL;
    uint64_t panel = (uint64_t)index * BLOCK_PANELS;
    uint64_t end = n_panels - panel < BLOCK_PANELS ? n_panels : panel + BLOCK_PANELS;
    const kidx_query_block block = kidx_bounds_all(&s->bounds, worker);
    if (atomic_load(&s->bounds.status) != KITH_OK) {
        return;
    }
    if (!kidx_codes_check_block(s->codes, index)) {
        atomic_store(&s->bounds.status, KITH_CORRUPT);
        return;
    }
    for (; panel < end; panel += KIDX_TILE_PANELS) {
        const uint64_t left = end - panel;
        kidx_bounds_look(&s->bounds, &block,
                         s->codes->panels + panel * kidx_panel_bytes(s->codes->k),
                         left < KIDX_TILE_PANELS ? (size_t)left : KIDX_TILE_PANELS,
                         panel * KIDX_PANEL, NULL, worker);
    }
}

static kith_status search_pass(codes_search *s, kbase_pool *pool, kith_error *err)
{
    const size_t n_tasks =
        (size_t)((s->codes->covers + KIDX_CODES_BLOCK - 1) / KIDX_CODES_BLOCK);
    s->bounds.in_15_bits = s->bounds.n_queries < MIN_TILED;
    s->bounds.n_workers = n_tasks > 1 ? s->bounds.n_workers : 1;
    kith_status status = kidx_bounds_begin(&s->bounds, pool, err);
    if (status == KITH_OK) {
        kidx_run(n_tasks > 1 ? pool : NULL, n_tasks, pass_task, s);
        status = kidx_bounds_finish(&s->bounds, pool, s->codes->covers, err);
    }
    if (status == KITH_CORRUPT) {
        kbase_fail(err, status, "%s is damaged", s->codes->path);
    }
    kidx_bounds_end(&s->bounds);
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
    const size_t n_workers = kidx_n_workers(pool);
    size_t together = kidx_bounds_together(m, n_workers);
    together = together > MAX_QUERIES ? MAX_QUERIES : together;
    const kidx_bounds all = { .isa = isa, .rows = rows, .vectors = queries,
                              .n_queries = n_queries, .m = m, .n_workers = n_workers,
                              .hits = hits, .counts = counts };
    for (size_t q = 0; q < n_queries; q += together) {
        codes_search s = { .codes = codes };
        kidx_bounds_part(&all, q, together, &s.bounds);
        kith_status status = search_pass(&s, pool, err);
        if (status != KITH_OK) {
            return status;
        }
    }
    return KITH_OK;
}
