/* Many queries at once, list by list: each list is quantized once and multiplied with the
 * queries that visit it, by bounds (bounds.h). FAISS says which lists those are, and which
 * rows are in them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ann_parts.h"
#include "bounds.h"
#include "codes_parts.h"
#include "error.h"

#define MAX_QUERIES 4096 /* that share a pass over the lists */
#define MAX_VISITS ((size_t)1 << 22) /* of queries to lists, of one pass */
#define SLICE 128 /* queries whose lists are looked up in one call, on any machine */
#define CHUNK_PANELS (16 * KIDX_TILE_PANELS) /* of a list, that are quantized at a time */
#define CHUNK_ROWS (CHUNK_PANELS * KIDX_PANEL)
#define BLOCK_QUERIES 256 /* that are multiplied with a chunk at a time */

/* What one worker has for itself. */
typedef struct workspace {
    float *list_scores; /* [SLICE, nprobe] */
    int64_t *ids;       /* of the longest list */
    uint64_t *ordinals; /* of its live rows */
    unsigned char *panels;
    /* The queries of a block, side by side. */
    uint8_t *codes;
    float scale[BLOCK_QUERIES];
    float slope[BLOCK_QUERIES];
    float offset[BLOCK_QUERIES];
    float thresholds[BLOCK_QUERIES];
} workspace;

typedef struct list_search {
    const kidx_ann *ann;
    kidx_bounds bounds;
    size_t nprobe;
    int64_t *lists;     /* [n_queries, nprobe], nearest first */
    size_t *starts;     /* [n_lists + 1]: of a list among the visitors */
    uint32_t *visitors; /* queries, list by list */
    workspace *workspaces;
} list_search;

/* ------------------------------------------------------------------ who visits what */

static void look_up_task(void *context, size_t index, unsigned worker)
{
    list_search *s = context;
    const kidx_ann *ann = s->ann;
    const size_t q = index * SLICE;
    const size_t left = s->bounds.n_queries - q;
    ann->ops->set_threads(1);
    kith_status status = ann->ops->nearest_lists(
        ann->index, left < SLICE ? left : SLICE, s->bounds.vectors + q * ann->dim,
        (uint32_t)s->nprobe, s->lists + q * s->nprobe, s->workspaces[worker].list_scores);
    if (status != KITH_OK) {
        atomic_store(&s->bounds.status, status);
    }
}

/* List the visitors by list; for each query those of its lists from `first` to `end`. */
static void list_visitors(list_search *s, size_t first, size_t end)
{
    const size_t n_lists = s->ann->info.n_lists;
    const size_t n_queries = s->bounds.n_queries;
    memset(s->starts, 0, (n_lists + 1) * sizeof(*s->starts));
    for (size_t q = 0; q < n_queries; q++) {
        for (size_t i = first; i < end; i++) {
            const int64_t list = s->lists[q * s->nprobe + i];
            s->starts[(list >= 0 ? (size_t)list : n_lists)]++;
        }
    }
    size_t sum = 0;
    for (size_t list = 0; list <= n_lists; list++) {
        sum += s->starts[list];
        s->starts[list] = sum; /* its end, for now */
    }
    for (size_t q = n_queries; q-- > 0;) {
        for (size_t i = first; i < end; i++) {
            const int64_t list = s->lists[q * s->nprobe + i];
            s->visitors[--s->starts[list >= 0 ? (size_t)list : n_lists]] = (uint32_t)q;
        }
    }
}

/* ------------------------------------------------------------------ a list */

/* The live rows of a list; returns how many. */
static size_t live_rows(const list_search *s, size_t list, const workspace *space)
{
    const kidx_ann *ann = s->ann;
    const size_t size = ann->ops->list_size(ann->index, (uint32_t)list);
    size_t n = 0;
    ann->ops->list_ids(ann->index, (uint32_t)list, space->ids);
    for (size_t i = 0; i < size; i++) {
        n += kidx_ann_is_live(ann, s->bounds.rows, space->ids[i], &space->ordinals[n]);
    }
    return n;
}

/* The rows of a list lie anywhere: ask for those of the next panel in time. */
static void prefetch(const kidx_rows *rows, const uint64_t *ordinals, size_t n)
{
    for (size_t i = 0; i < n && i < KIDX_PANEL; i++) {
        const uint16_t *row = rows->data + ordinals[i] * rows->stride;
        for (uint32_t j = 0; j < rows->dim; j += 32) { /* a cache line of f16 */
            __builtin_prefetch(row + j);
        }
    }
}

/* Quantize up to a chunk of rows; returns how many panels. */
static size_t quantize(const list_search *s, const uint64_t *ordinals, size_t n,
                       unsigned char *panels)
{
    const kidx_rows *all = s->bounds.rows;
    const size_t n_panels = (n + KIDX_PANEL - 1) / KIDX_PANEL;
    for (size_t p = 0; p < n_panels; p++) {
        const uint16_t *rows[KIDX_PANEL];
        const uint64_t *first = ordinals + p * KIDX_PANEL;
        const size_t left = n - p * KIDX_PANEL;
        for (size_t lane = 0; lane < KIDX_PANEL; lane++) {
            rows[lane] = all->data + first[lane < left ? lane : 0] * all->stride;
        }
        if (left > KIDX_PANEL) {
            prefetch(all, first + KIDX_PANEL, left - KIDX_PANEL);
        }
        s->bounds.kernels->quantize(
            rows, left < KIDX_PANEL ? ((uint32_t)1 << left) - 1 : 0xffff, all->dim,
            s->bounds.k, panels + p * kidx_panel_bytes(s->bounds.k));
    }
    return n_panels;
}

/* Put some visitors side by side, up to whole groups. */
static kidx_query_block bring_together(const list_search *s, const uint32_t *visitors,
                                       size_t n, unsigned worker)
{
    const kidx_bounds *b = &s->bounds;
    const float *thresholds = b->thresholds + worker * b->n_padded;
    workspace *space = &s->workspaces[worker];
    for (size_t i = 0; i < n; i++) {
        const size_t q = visitors[i];
        memcpy(space->codes + i * b->k, b->codes + q * b->k, b->k);
        space->scale[i] = b->scale[q];
        space->slope[i] = b->slope[q];
        space->offset[i] = b->offset[q];
        space->thresholds[i] = thresholds[q];
    }
    size_t padded = n;
    for (; padded % KIDX_QUERY_GROUP != 0; padded++) {
        space->thresholds[padded] = INFINITY;
    }
    return (kidx_query_block){ padded,        space->codes,  space->scale,
                               space->slope,  space->offset, space->thresholds,
                               visitors };
}

static void visit_task(void *context, size_t list, unsigned worker)
{
    list_search *s = context;
    kidx_bounds *b = &s->bounds;
    const workspace *space = &s->workspaces[worker];
    const size_t panel_bytes = kidx_panel_bytes(b->k);
    const size_t end = s->starts[list + 1];
    if (s->starts[list] == end || atomic_load(&b->status) != KITH_OK) {
        return;
    }
    const size_t n = live_rows(s, list, space);
    for (size_t row = 0; row < n; row += CHUNK_ROWS) {
        const uint64_t *ordinals = space->ordinals + row;
        const size_t n_panels = quantize(
            s, ordinals, n - row < CHUNK_ROWS ? n - row : CHUNK_ROWS, space->panels);
        for (size_t v = s->starts[list]; v < end; v += BLOCK_QUERIES) {
            const size_t some = end - v < BLOCK_QUERIES ? end - v : BLOCK_QUERIES;
            const kidx_query_block block =
                bring_together(s, s->visitors + v, some, worker);
            for (size_t p = 0; p < n_panels; p += KIDX_TILE_PANELS) {
                kidx_bounds_look(b, &block, space->panels + p * panel_bytes,
                                 n_panels - p < KIDX_TILE_PANELS ? n_panels - p
                                                                 : KIDX_TILE_PANELS,
                                 p * KIDX_PANEL, ordinals, worker);
            }
            for (size_t i = 0; i < some; i++) {
                b->thresholds[worker * b->n_padded + s->visitors[v + i]] =
                    block.thresholds[i];
            }
        }
    }
}

/* All visits of queries to those lists that are their `first` to `end`-th nearest. */
static void visit_lists(list_search *s, kbase_pool *pool, size_t first, size_t end)
{
    list_visitors(s, first, end);
    kidx_run(pool, s->ann->info.n_lists, visit_task, s);
}

/* ------------------------------------------------------------------ the whole */

static void free_search(list_search *s)
{
    for (size_t w = 0; s->workspaces != NULL && w < s->bounds.n_workers; w++) {
        workspace *space = &s->workspaces[w];
        free(space->list_scores);
        free(space->ids);
        free(space->ordinals);
        free(space->panels);
        free(space->codes);
    }
    free(s->workspaces);
    free(s->visitors);
    free(s->starts);
    free(s->lists);
    kidx_bounds_end(&s->bounds);
}

static size_t longest_list(const kidx_ann *ann)
{
    size_t longest = 0;
    for (uint32_t list = 0; list < ann->info.n_lists; list++) {
        const size_t size = ann->ops->list_size(ann->index, list);
        longest = size > longest ? size : longest;
    }
    return longest;
}

static kith_status allocate(list_search *s, kith_error *err)
{
    const kidx_bounds *b = &s->bounds;
    const size_t n_visits = b->n_queries * s->nprobe;
    const size_t n_rows = longest_list(s->ann);
    s->lists = kbase_calloc(n_visits, sizeof(*s->lists));
    s->visitors = kbase_calloc(n_visits, sizeof(*s->visitors));
    s->starts = kbase_calloc((size_t)s->ann->info.n_lists + 1, sizeof(*s->starts));
    s->workspaces = kbase_calloc(b->n_workers, sizeof(*s->workspaces));
    bool good = s->lists != NULL && s->visitors != NULL && s->starts != NULL &&
                s->workspaces != NULL;
    for (size_t w = 0; good && w < b->n_workers; w++) {
        workspace *space = &s->workspaces[w];
        space->list_scores = kbase_calloc(SLICE * s->nprobe, sizeof(float));
        space->ids = kbase_calloc(n_rows + 1, sizeof(*space->ids));
        space->ordinals = kbase_calloc(n_rows + 1, sizeof(*space->ordinals));
        space->panels = kbase_alloc_aligned(CHUNK_PANELS, kidx_panel_bytes(b->k));
        space->codes = kbase_calloc(BLOCK_QUERIES, b->k);
        good = space->list_scores != NULL && space->ids != NULL &&
               space->ordinals != NULL && space->panels != NULL && space->codes != NULL;
    }
    return good ? KITH_OK : kbase_fail_memory(err, n_visits * sizeof(*s->lists));
}

/* The nearest list of a query holds most of its hits. So it comes first: the thresholds are
 * high before all others, and fewer rows become candidates. */
static kith_status search_pass(list_search *s, kbase_pool *pool, kith_error *err)
{
    kith_status status = kidx_bounds_begin(&s->bounds, pool, err);
    if (status == KITH_OK) {
        status = allocate(s, err);
    }
    if (status == KITH_OK) {
        kidx_run(pool, (s->bounds.n_queries + SLICE - 1) / SLICE, look_up_task, s);
        status = (kith_status)atomic_load(&s->bounds.status);
        if (status != KITH_OK) {
            kbase_fail(err, status, "the approximate index could not be searched");
        }
    }
    if (status == KITH_OK) {
        visit_lists(s, pool, 0, 1);
        kidx_bounds_share(&s->bounds);
        visit_lists(s, pool, 1, s->nprobe);
        status = kidx_bounds_finish(&s->bounds, pool, s->ann->info.covers, err);
    }
    free_search(s);
    return status;
}

kith_status kidx_ann_search_lists(const kidx_ann *ann, kbase_isa isa, kbase_pool *pool,
                                  const kidx_rows *rows, const float *queries,
                                  size_t n_queries, uint32_t nprobe, size_t m,
                                  kidx_hit *hits, size_t *counts, kith_error *err)
{
    const size_t n_workers = kidx_n_workers(pool);
    size_t together = kidx_bounds_together(m, n_workers);
    together = together < MAX_VISITS / nprobe ? together : MAX_VISITS / nprobe + 1;
    together = together < MAX_QUERIES ? together : MAX_QUERIES;
    const kidx_bounds all = { .isa = isa, .rows = rows, .vectors = queries,
                              .n_queries = n_queries, .m = m, .n_workers = n_workers,
                              .hits = hits, .counts = counts };
    for (size_t q = 0; q < n_queries; q += together) {
        list_search s = { .ann = ann, .nprobe = nprobe };
        kidx_bounds_part(&all, q, together, &s.bounds);
        kith_status status = search_pass(&s, pool, err);
        if (status != KITH_OK) {
            return status;
        }
    }
    return KITH_OK;
}
