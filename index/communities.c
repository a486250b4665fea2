/* Communities in two steps: every row's neighbours are counted, by half of all
 * products; then centres are taken in order, a few at a time, and only theirs are
 * listed. So memory does not depend on how many rows are near to each other. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "pairs.h"
#include "watch.h"

/* Rows whose neighbours are listed at a time. */
#define CENTRES 16

typedef struct neighbour {
    uint32_t query; /* the place of the centre */
    uint32_t row;
    float score;
} neighbour;

typedef struct neighbours {
    neighbour *items;
    size_t n;
    size_t capacity;
} neighbours;

typedef struct communities {
    kidx_sweep *sweep;
    float threshold;
    size_t min_size;
    uint64_t queries[KIDX_SWEEP_ROWS];
    atomic_uint *counts; /* [rows]: neighbours, the row itself among them */
    uint32_t *centres;   /* rows with enough of them, most first */
    size_t n_centres;
    bool *is_used;       /* [rows]: belongs to a community */
    neighbours *found;   /* [workers] */
    kidx_groups *groups; /* as they are found */
    atomic_bool is_out_of_memory;
} communities;

static float threshold(const void *context)
{
    return ((const communities *)context)->threshold;
}

/* ------------------------------------------------------------------ counting */

static bool comes_later(const void *context, size_t query, uint64_t row, float upper)
{
    (void)upper;
    return row > ((const communities *)context)->queries[query];
}

static void count(void *context, size_t query, uint64_t row, float score,
                  unsigned worker)
{
    communities *s = context;
    (void)score;
    (void)worker;
    atomic_fetch_add_explicit(&s->counts[s->queries[query]], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->counts[row], 1, memory_order_relaxed);
}

static kith_status count_all(communities *s, const kidx_watch *watch, kith_error *err)
{
    const kidx_sweep_visitor visitor = { s, threshold, comes_later, count };
    const kidx_rows *rows = kidx_sweep_rows(s->sweep);
    kith_status status = KITH_OK;
    for (uint64_t i = 0; i < rows->n_rows; i++) {
        atomic_init(&s->counts[i], kidx_is_dead(rows, i) ? 0 : 1);
    }
    for (uint64_t first = 0; first < rows->n_rows && status == KITH_OK;) {
        size_t n = 0;
        for (; n < KIDX_SWEEP_ROWS && first + n < rows->n_rows; n++) {
            s->queries[n] = first + n;
        }
        kidx_sweep_run(s->sweep, s->queries, n, first, rows->n_rows, &visitor);
        first += n;
        status = kidx_tell_half(watch, "comparing", first, rows->n_rows, err);
    }
    return status;
}

static int compare_centres(const void *x, const void *y, void *context)
{
    const communities *s = context;
    const uint32_t a = *(const uint32_t *)x;
    const uint32_t b = *(const uint32_t *)y;
    const unsigned p = atomic_load_explicit(&s->counts[a], memory_order_relaxed);
    const unsigned q = atomic_load_explicit(&s->counts[b], memory_order_relaxed);
    return p != q ? (p > q ? -1 : 1) : a < b ? -1 : a > b;
}

static kith_status choose_centres(communities *s, kith_error *err)
{
    const uint64_t n_rows = kidx_sweep_rows(s->sweep)->n_rows;
    s->centres = kbase_calloc(n_rows + 1, sizeof(*s->centres));
    if (s->centres == NULL) {
        return kbase_fail_memory(err, n_rows * sizeof(*s->centres));
    }
    for (uint64_t i = 0; i < n_rows; i++) {
        const unsigned n = atomic_load_explicit(&s->counts[i], memory_order_relaxed);
        if (n > 0 && n >= s->min_size) {
            s->centres[s->n_centres++] = (uint32_t)i;
        }
    }
    qsort_r(s->centres, s->n_centres, sizeof(*s->centres), compare_centres, s);
    return KITH_OK;
}

/* ------------------------------------------------------------------ taking */

static bool is_free(const void *context, size_t query, uint64_t row, float upper)
{
    (void)query;
    (void)upper;
    return !((const communities *)context)->is_used[row];
}

static void list(void *context, size_t query, uint64_t row, float score,
                 unsigned worker)
{
    communities *s = context;
    neighbours *found = &s->found[worker];
    if (found->n == found->capacity) {
        const size_t capacity = 2 * found->capacity + 1024;
        neighbour *more = kbase_realloc(found->items, capacity, sizeof(*more));
        if (more == NULL) {
            atomic_store(&s->is_out_of_memory, true);
            return;
        }
        found->items = more;
        found->capacity = capacity;
    }
    found->items[found->n++] = (neighbour){ (uint32_t)query, (uint32_t)row, score };
}

/* By centre; of each the nearest first. */
static int compare_neighbours(const void *x, const void *y)
{
    const neighbour *p = x;
    const neighbour *q = y;
    if (p->query != q->query) {
        return p->query < q->query ? -1 : 1;
    }
    if (p->score != q->score) {
        return p->score > q->score ? -1 : 1;
    }
    return p->row < q->row ? -1 : p->row > q->row;
}

/* What the workers have found, in the first one's place and in order. */
static kith_status gather(communities *s, kith_error *err)
{
    neighbours *all = &s->found[0];
    size_t n = 0;
    for (unsigned i = 0; i < kidx_sweep_workers(s->sweep); i++) {
        n += s->found[i].n;
    }
    if (n > all->capacity) {
        neighbour *more = kbase_realloc(all->items, n, sizeof(*more));
        if (more == NULL) {
            return kbase_fail_memory(err, n * sizeof(*more));
        }
        all->items = more;
        all->capacity = n;
    }
    for (unsigned i = 1; i < kidx_sweep_workers(s->sweep); i++) {
        if (s->found[i].n > 0) {
            memcpy(all->items + all->n, s->found[i].items,
                   s->found[i].n * sizeof(*all->items));
            all->n += s->found[i].n;
            s->found[i].n = 0;
        }
    }
    if (all->n > 0) {
        qsort(all->items, all->n, sizeof(*all->items), compare_neighbours);
    }
    return KITH_OK;
}

/* Make a community of a centre and those of its n neighbours that are still free. */
static void take_community(communities *s, uint32_t centre, const neighbour *items,
                           size_t n)
{
    kidx_groups *g = s->groups;
    const size_t start = g->starts[g->n_groups];
    size_t end = start;
    g->rows[end] = centre;
    g->scores[end++] = 1;
    for (size_t i = 0; i < n; i++) {
        if (!s->is_used[items[i].row]) {
            g->rows[end] = items[i].row;
            g->scores[end++] = items[i].score;
        }
    }
    if (end - start < s->min_size) {
        return;
    }
    for (size_t i = start; i < end; i++) {
        s->is_used[g->rows[i]] = true;
    }
    g->starts[++g->n_groups] = end;
}

/* The communities of the next centres. *next is moved behind them. */
static kith_status take_some(communities *s, size_t *next, kith_error *err)
{
    const kidx_sweep_visitor visitor = { s, threshold, is_free, list };
    size_t n = 0;
    for (; *next < s->n_centres && n < CENTRES; ++*next) {
        if (!s->is_used[s->centres[*next]]) {
            s->queries[n++] = s->centres[*next];
        }
    }
    s->found[0].n = 0;
    kidx_sweep_run(s->sweep, s->queries, n, 0, kidx_sweep_rows(s->sweep)->n_rows,
                   &visitor);
    kith_status status = atomic_load(&s->is_out_of_memory)
                             ? kbase_fail_memory(err, 2 * s->found[0].capacity)
                             : gather(s, err);
    const neighbours *all = &s->found[0];
    for (size_t q = 0, i = 0; q < n && status == KITH_OK; q++) {
        const size_t first = i;
        while (i < all->n && all->items[i].query == q) {
            i++;
        }
        if (!s->is_used[s->queries[q]]) {
            take_community(s, (uint32_t)s->queries[q], all->items + first, i - first);
        }
    }
    return status;
}

/* ------------------------------------------------------------------ the whole */

static int compare_sizes(const void *x, const void *y, void *context)
{
    const kidx_groups *g = context;
    const size_t a = *(const size_t *)x;
    const size_t b = *(const size_t *)y;
    const size_t p = g->starts[a + 1] - g->starts[a];
    const size_t q = g->starts[b + 1] - g->starts[b];
    return p != q ? (p > q ? -1 : 1) : a < b ? -1 : a > b;
}

/* The same groups, the largest first. */
static kith_status sort_groups(kidx_groups *from, kidx_groups *to, kith_error *err)
{
    size_t *order = kbase_calloc(from->n_groups + 1, sizeof(*order));
    kith_status status =
        kidx_groups_new(to, from->n_groups, from->starts[from->n_groups], err);
    if (order == NULL && status == KITH_OK) {
        status = kbase_fail_memory(err, from->n_groups * sizeof(*order));
    }
    if (status != KITH_OK) {
        free(order);
        return status;
    }
    for (size_t i = 0; i < from->n_groups; i++) {
        order[i] = i;
    }
    qsort_r(order, from->n_groups, sizeof(*order), compare_sizes, from);
    for (size_t i = 0; i < from->n_groups; i++) {
        const size_t start = from->starts[order[i]];
        const size_t n = from->starts[order[i] + 1] - start;
        memcpy(to->rows + to->starts[i], from->rows + start, n * sizeof(*to->rows));
        memcpy(to->scores + to->starts[i], from->scores + start, n * sizeof(*to->scores));
        to->starts[++to->n_groups] = to->starts[i] + n;
    }
    free(order);
    return KITH_OK;
}

static kith_status find_all(communities *s, const kidx_watch *watch, kith_error *err)
{
    kith_status status = count_all(s, watch, err);
    if (status == KITH_OK) {
        status = choose_centres(s, err);
    }
    for (size_t next = 0; next < s->n_centres && status == KITH_OK;) {
        status = take_some(s, &next, err);
        if (status == KITH_OK) {
            status =
                kidx_tell(watch, "grouping", (double)next / (double)s->n_centres, err);
        }
    }
    return status;
}

kith_status kidx_communities(kidx_sweep *sweep, float least, size_t min_size,
                             const kidx_watch *watch, kidx_groups *groups,
                             kith_error *err)
{
    const size_t n_rows = (size_t)kidx_sweep_rows(sweep)->n_rows;
    const unsigned n_workers = kidx_sweep_workers(sweep);
    kidx_groups found = { 0 };
    communities s = { .sweep = sweep,
                      .threshold = least,
                      .min_size = min_size,
                      .counts = kbase_calloc(n_rows + 1, sizeof(*s.counts)),
                      .is_used = kbase_calloc(n_rows + 1, sizeof(*s.is_used)),
                      .found = kbase_calloc(n_workers, sizeof(*s.found)),
                      .groups = &found };
    kith_status status = s.counts != NULL && s.is_used != NULL && s.found != NULL
                             ? kidx_groups_new(&found, n_rows / min_size + 1, n_rows, err)
                             : kbase_fail_memory(err, n_rows * sizeof(*s.counts));
    if (status == KITH_OK) {
        status = find_all(&s, watch, err);
    }
    if (status == KITH_OK) {
        status = sort_groups(&found, groups, err);
    }
    for (unsigned i = 0; s.found != NULL && i < n_workers; i++) {
        free(s.found[i].items);
    }
    kidx_groups_free(&found);
    free(s.found);
    free(s.centres);
    free(s.is_used);
    free(s.counts);
    return status;
}
