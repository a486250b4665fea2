/* The best pairs of rows, and the rows near to each other: all of them exact. */
#ifndef KIDX_PAIRS_H
#define KIDX_PAIRS_H

#include "sweep.h"

/* Rows that can be compared with each other: 32 bits number them. */
#define KIDX_PAIRS_MAX_ROWS UINT32_MAX

/* Told in the caller's thread how far it is; true stops with KITH_INTERRUPTED. */
typedef struct kidx_watch {
    bool (*tell)(void *context, const char *step, double fraction);
    void *context;
} kidx_watch;

typedef struct kidx_pair {
    float score;
    uint32_t a; /* a < b */
    uint32_t b;
} kidx_pair;

/* Nearest first; equal scores: by a, then by b. For qsort and for tests. */
int kidx_pair_compare(const void *x, const void *y);

typedef struct kidx_pairs_request {
    float min_score;
    size_t max_pairs; /* at least 1 */
    size_t top_k;     /* at least 1 */
    /* For each row the lowest row of the record that it is a passage of: records are
     * paired, by their nearest passages. NULL: a row is a record. */
    const uint32_t *owners;
} kidx_pairs_request;

/* The best pairs of live rows: each among the top_k best ones of a or of b, equal ones
 * in the order of kidx_pair_compare(). *pairs is for free(). KITH_NOMEM,
 * KITH_INTERRUPTED. Memory: 72 bytes for each of max_pairs, if there are so many; 8
 * bytes a row. */
kith_status kidx_best_pairs(kidx_sweep *sweep, const kidx_pairs_request *request,
                            const kidx_watch *watch, kidx_pair **pairs, size_t *n_pairs,
                            kith_error *err);

/* Rows that belong together. The first of a group is its centre or representative. */
typedef struct kidx_groups {
    size_t n_groups;
    size_t *starts; /* [n_groups + 1] in rows */
    uint32_t *rows;
    float *scores; /* with the first row of the group; its own: 1 */
} kidx_groups;

/* Room for so many groups and rows; no group yet. KITH_NOMEM. */
kith_status kidx_groups_new(kidx_groups *groups, size_t n_groups, size_t n_rows,
                            kith_error *err);
void kidx_groups_free(kidx_groups *groups);

/* Communities. A row's neighbours are the live rows that score the threshold with it,
 * and itself. Rows of at least min_size neighbours are taken, most neighbours first
 * (then the lower row); one that belongs to no community is the centre of a new one of
 * those of its neighbours that belong to none, if they are at least min_size. Largest
 * community first, then in the order in which they were found; the centre, then the
 * nearest first. min_size is at least 1. KITH_NOMEM, KITH_INTERRUPTED. Memory: 30 bytes
 * a row, and 12 for each of the neighbours of 16 rows. */
kith_status kidx_communities(kidx_sweep *sweep, float threshold, size_t min_size,
                             const kidx_watch *watch, kidx_groups *groups,
                             kith_error *err);

/* Duplicates, from the first live row to the last: a row that scores the threshold with
 * a kept one, or is the same bit for bit (and has a direction), is a duplicate of the
 * first such; else it is kept. Groups of a kept row and its duplicates, all in the
 * order of rows. KITH_NOMEM, KITH_INTERRUPTED. Memory: 30 bytes a row. */
kith_status kidx_duplicates(kidx_sweep *sweep, float threshold, const kidx_watch *watch,
                            kidx_groups *groups, kith_error *err);

#endif
