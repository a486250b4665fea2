/* Duplicates, a block of rows after the other: when the turn comes to a block, all rows
 * kept before it have claimed theirs; the block is settled by itself, and what it keeps
 * is compared with all that follow. */
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "pairs.h"
#include "watch.h"

#define BLOCK KIDX_SWEEP_ROWS
#define NONE UINT32_MAX
/* What the score of two equal rows reaches whatever rounding does. */
#define EQUAL 0.999f
/* Below every score. */
#define NO_SCORE (-2.0f)

typedef struct duplicates {
    kidx_sweep *sweep;
    float threshold;
    uint64_t queries[BLOCK];
    size_t n_queries;
    uint64_t first; /* row of the block */
    uint64_t end;
    uint32_t *of;  /* [rows]: the kept row that a row is a duplicate of, or NONE */
    float *scores; /* [rows]: with that one */
    float inside[BLOCK][BLOCK]; /* of a row of the block with a later one, or NO_SCORE */
} duplicates;

static float threshold(const void *context)
{
    const duplicates *s = context;
    return s->threshold < EQUAL ? s->threshold : EQUAL;
}

static bool are_duplicates(const duplicates *s, uint64_t a, uint64_t b, float score)
{
    const kidx_rows *rows = kidx_sweep_rows(s->sweep);
    return score >= s->threshold ||
           memcmp(rows->data + a * rows->stride, rows->data + b * rows->stride,
                  rows->dim * sizeof(*rows->data)) == 0;
}

/* Compare those rows of the block that are not yet duplicates. */
static void sweep_block(duplicates *s, uint64_t first, uint64_t end,
                        const kidx_sweep_visitor *visitor)
{
    s->n_queries = 0;
    for (uint64_t row = s->first; row < s->end; row++) {
        if (s->of[row] == NONE) {
            s->queries[s->n_queries++] = row;
        }
    }
    kidx_sweep_run(s->sweep, s->queries, s->n_queries, first, end, visitor);
}

/* ------------------------------------------------------------------ inside the block */

static bool comes_later(const void *context, size_t query, uint64_t row, float upper)
{
    const duplicates *s = context;
    (void)upper;
    return row > s->queries[query] && s->of[row] == NONE;
}

static void note(void *context, size_t query, uint64_t row, float score,
                 unsigned worker)
{
    duplicates *s = context;
    (void)worker;
    if (are_duplicates(s, s->queries[query], row, score)) {
        s->inside[s->queries[query] - s->first][row - s->first] = score;
    }
}

static void settle_block(duplicates *s)
{
    const size_t n = (size_t)(s->end - s->first);
    const kidx_sweep_visitor visitor = { s, threshold, comes_later, note };
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            s->inside[i][j] = NO_SCORE;
        }
    }
    sweep_block(s, s->first, s->end, &visitor);
    for (size_t i = 0; i < n; i++) {
        const bool is_kept = s->of[s->first + i] == NONE;
        for (size_t j = i + 1; j < n && is_kept; j++) {
            if (s->inside[i][j] > NO_SCORE && s->of[s->first + j] == NONE) {
                s->of[s->first + j] = (uint32_t)(s->first + i);
                s->scores[s->first + j] = s->inside[i][j];
            }
        }
    }
}

/* ------------------------------------------------------------------ behind the block */

/* Of several kept rows of the block the first claims a row. */
static bool is_unclaimed(const void *context, size_t query, uint64_t row, float upper)
{
    const duplicates *s = context;
    (void)upper;
    return s->of[row] > s->queries[query];
}

static void claim(void *context, size_t query, uint64_t row, float score,
                  unsigned worker)
{
    duplicates *s = context;
    (void)worker;
    if (are_duplicates(s, s->queries[query], row, score)) {
        s->of[row] = (uint32_t)s->queries[query];
        s->scores[row] = score;
    }
}

static kith_status find_all(duplicates *s, const kidx_watch *watch, kith_error *err)
{
    const kidx_sweep_visitor visitor = { s, threshold, is_unclaimed, claim };
    const uint64_t n_rows = kidx_sweep_rows(s->sweep)->n_rows;
    kith_status status = KITH_OK;
    memset(s->of, 0xff, n_rows * sizeof(*s->of));
    for (s->first = 0; s->first < n_rows && status == KITH_OK; s->first = s->end) {
        s->end = n_rows - s->first < BLOCK ? n_rows : s->first + BLOCK;
        settle_block(s);
        sweep_block(s, s->end, n_rows, &visitor);
        status = kidx_tell_half(watch, "comparing", s->end, n_rows, err);
    }
    return status;
}

/* ------------------------------------------------------------------ groups */

kith_status kidx_groups_new(kidx_groups *groups, size_t n_groups, size_t n_rows,
                            kith_error *err)
{
    *groups = (kidx_groups){ .starts = kbase_calloc(n_groups + 1, sizeof(size_t)),
                             .rows = kbase_calloc(n_rows + 1, sizeof(uint32_t)),
                             .scores = kbase_calloc(n_rows + 1, sizeof(float)) };
    if (groups->starts == NULL || groups->rows == NULL || groups->scores == NULL) {
        kidx_groups_free(groups);
        return kbase_fail_memory(err, n_groups * sizeof(size_t) + n_rows * 8);
    }
    return KITH_OK;
}

void kidx_groups_free(kidx_groups *groups)
{
    free(groups->scores);
    free(groups->rows);
    free(groups->starts);
    *groups = (kidx_groups){ 0 };
}

/* Each kept row that has duplicates, and those. */
static kith_status make_groups(const duplicates *s, kidx_groups *groups, kith_error *err)
{
    const uint64_t n_rows = kidx_sweep_rows(s->sweep)->n_rows;
    uint32_t *sizes = kbase_calloc(n_rows + 1, sizeof(*sizes));
    size_t *next = kbase_calloc(n_rows + 1, sizeof(*next)); /* places for duplicates */
    size_t n_groups = 0;
    size_t n_members = 0;
    for (uint64_t i = 0; i < n_rows && sizes != NULL; i++) {
        if (s->of[i] != NONE) {
            const bool is_first = sizes[s->of[i]]++ == 0;
            n_groups += is_first;
            n_members += is_first ? 2 : 1;
        }
    }
    kith_status status = sizes != NULL && next != NULL
                             ? kidx_groups_new(groups, n_groups, n_members, err)
                             : kbase_fail_memory(err, n_rows * 12);
    for (uint64_t i = 0; i < n_rows && status == KITH_OK; i++) {
        if (s->of[i] != NONE) {
            const size_t at = next[s->of[i]]++;
            groups->rows[at] = (uint32_t)i;
            groups->scores[at] = s->scores[i];
        } else if (sizes[i] > 0) {
            const size_t at = groups->starts[groups->n_groups++];
            groups->rows[at] = (uint32_t)i;
            groups->scores[at] = 1;
            next[i] = at + 1;
            groups->starts[groups->n_groups] = at + 1 + sizes[i];
        }
    }
    free(next);
    free(sizes);
    return status;
}

kith_status kidx_duplicates(kidx_sweep *sweep, float least, const kidx_watch *watch,
                            kidx_groups *groups, kith_error *err)
{
    const uint64_t n_rows = kidx_sweep_rows(sweep)->n_rows;
    duplicates *s = kbase_calloc(1, sizeof(*s));
    if (s == NULL) {
        return kbase_fail_memory(err, sizeof(*s));
    }
    s->sweep = sweep;
    s->threshold = least;
    s->of = kbase_calloc(n_rows + 1, sizeof(*s->of));
    s->scores = kbase_calloc(n_rows + 1, sizeof(*s->scores));
    kith_status status = s->of != NULL && s->scores != NULL
                             ? find_all(s, watch, err)
                             : kbase_fail_memory(err, n_rows * 8);
    if (status == KITH_OK) {
        status = make_groups(s, groups, err);
    }
    free(s->scores);
    free(s->of);
    free(s);
    return status;
}
