#include "select.h"

#include <stdlib.h>

int kidx_hit_compare(const void *a, const void *b)
{
    const kidx_hit *x = a;
    const kidx_hit *y = b;
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

static bool is_worse(const kidx_hit *a, const kidx_hit *b)
{
    return kidx_hit_compare(a, b) > 0;
}

static void sift_up(kidx_hit *hits, size_t i, kidx_hit hit)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!is_worse(&hit, &hits[parent])) {
            break;
        }
        hits[i] = hits[parent];
        i = parent;
    }
    hits[i] = hit;
}

static void sift_down(kidx_hit *hits, size_t n, kidx_hit hit)
{
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n) {
            break;
        }
        if (child + 1 < n && is_worse(&hits[child + 1], &hits[child])) {
            child++;
        }
        if (!is_worse(&hits[child], &hit)) {
            break;
        }
        hits[i] = hits[child];
        i = child;
    }
    hits[i] = hit;
}

void kidx_best_push(kidx_best *best, kidx_hit hit)
{
    if (best->n < best->capacity) {
        sift_up(best->hits, best->n++, hit);
    } else if (is_worse(&best->hits[0], &hit)) {
        sift_down(best->hits, best->n, hit);
    }
}

void kidx_best_sort(kidx_best *best)
{
    qsort(best->hits, best->n, sizeof(*best->hits), kidx_hit_compare);
}

unsigned kidx_n_workers(const kbase_pool *pool)
{
    return pool == NULL ? 1 : kbase_pool_size(pool);
}

void kidx_run(kbase_pool *pool, size_t n_tasks,
              void (*task)(void *context, size_t index, unsigned worker), void *context)
{
    if (pool != NULL) {
        kbase_pool_run(pool, n_tasks, task, context);
        return;
    }
    unsigned former = kbase_fpenv_enter();
    for (size_t i = 0; i < n_tasks; i++) {
        task(context, i, 0);
    }
    kbase_fpenv_leave(former);
}
