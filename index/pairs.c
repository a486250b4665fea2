#include "pairs.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "memory.h"
#include "watch.h"

/* Pairs that a worker keeps to itself before it adds them to the common ones. */
#define LOCAL_PAIRS 1024

typedef struct local {
    size_t n;
    kidx_pair pairs[LOCAL_PAIRS];
} local;

typedef struct best_pairs {
    kidx_sweep *sweep;
    const kidx_pairs_request *request;
    uint64_t queries[KIDX_SWEEP_ROWS];
    local *locals; /* [workers] */
    /* A pair of records below `threshold` cannot count; nor can one that is below
     * `floors` of both. Both only rise, so that an old value does no harm. */
    _Atomic float threshold;
    _Atomic float *floors;  /* [rows]: of an owner's top_k-th best so far */
    uint32_t *counts;       /* [rows]: an owner's pairs while they are ranked */
    pthread_mutex_t mutex;  /* guards what follows */
    kidx_pair *pairs;       /* the best so far, and new ones */
    kidx_pair *spare;       /* as many, for sorting */
    size_t n;
    size_t capacity;
    atomic_bool is_out_of_memory;
} best_pairs;

/* ------------------------------------------------------------------ order */

int kidx_pair_compare(const void *x, const void *y)
{
    const kidx_pair *p = x;
    const kidx_pair *q = y;
    if (p->score != q->score) {
        return p->score > q->score ? -1 : 1;
    }
    if (p->a != q->a) {
        return p->a < q->a ? -1 : 1;
    }
    return p->b < q->b ? -1 : p->b > q->b;
}

static uint32_t owner_of(const best_pairs *s, uint32_t row)
{
    return s->request->owners != NULL ? s->request->owners[row] : row;
}

/* The records of a pair in one number. */
static uint64_t records_of(const best_pairs *s, const kidx_pair *pair)
{
    uint64_t x = owner_of(s, pair->a);
    uint64_t y = owner_of(s, pair->b);
    return x < y ? x << 32 | y : y << 32 | x;
}

static int compare_records(const void *x, const void *y, void *context)
{
    uint64_t p = records_of(context, x);
    uint64_t q = records_of(context, y);
    return p != q ? (p < q ? -1 : 1) : kidx_pair_compare(x, y);
}

/* A number that grows as the score falls. */
static uint32_t key_of(float score)
{
    uint32_t bits;
    memcpy(&bits, &score, sizeof(bits));
    return bits >> 31 != 0 ? bits : ~bits & 0x7fffffff;
}

/* One pass of a radix sort, by a byte of the key. */
static void sort_by_byte(const kidx_pair *from, kidx_pair *to, size_t n, unsigned shift)
{
    size_t places[256] = { 0 };
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        places[key_of(from[i].score) >> shift & 255]++;
    }
    for (size_t i = 0; i < 256; i++) {
        size_t n_here = places[i];
        places[i] = sum;
        sum += n_here;
    }
    for (size_t i = 0; i < n; i++) {
        to[places[key_of(from[i].score) >> shift & 255]++] = from[i];
    }
}

/* In the order of kidx_pair_compare(): by score in four passes, then equal scores. */
static void sort_pairs(kidx_pair *pairs, kidx_pair *spare, size_t n)
{
    for (unsigned shift = 0; shift < 32; shift += 16) {
        sort_by_byte(pairs, spare, n, shift);
        sort_by_byte(spare, pairs, n, shift + 8);
    }
    for (size_t i = 0, end = 0; i < n; i = end) {
        while (end < n && pairs[end].score == pairs[i].score) {
            end++;
        }
        if (end - i > 1) {
            qsort(pairs + i, end - i, sizeof(*pairs), kidx_pair_compare);
        }
    }
}

/* ------------------------------------------------------------------ keeping the best */

/* Of the pairs of passages of the same two records, the best. */
static void drop_repeated(best_pairs *s)
{
    size_t n = 0;
    qsort_r(s->pairs, s->n, sizeof(*s->pairs), compare_records, s);
    for (size_t i = 0; i < s->n; i++) {
        if (i == 0 || records_of(s, &s->pairs[i]) != records_of(s, &s->pairs[n - 1])) {
            s->pairs[n++] = s->pairs[i];
        }
    }
    s->n = n;
}

/* Of sorted pairs those that are among the top_k of a member. One that is not could not
 * come back: better pairs only make its rank worse, and those of its members' top_k
 * stay.
 *
 * Where the places in the top_k of all records that pairs have taken come to twice
 * max_pairs, the rest is left out: places stay taken, if by better pairs, and a pair
 * takes two at most, so that max_pairs of them will remain. */
static void drop_crowded(best_pairs *s)
{
    const kidx_pairs_request *request = s->request;
    size_t n_places = 0;
    size_t n = 0;
    memset(s->counts, 0, kidx_sweep_rows(s->sweep)->n_rows * sizeof(*s->counts));
    for (size_t i = 0; i < s->n && n_places / 2 < request->max_pairs; i++) {
        const kidx_pair pair = s->pairs[i];
        const uint32_t members[2] = { owner_of(s, pair.a), owner_of(s, pair.b) };
        size_t n_taken = 0;
        for (size_t j = 0; j < 2; j++) {
            const uint32_t rank = ++s->counts[members[j]];
            n_taken += rank <= request->top_k;
            if (rank == request->top_k) {
                atomic_store_explicit(&s->floors[members[j]], pair.score,
                                      memory_order_relaxed);
            }
        }
        if (n_taken > 0) {
            s->pairs[n++] = pair;
            n_places += n_taken;
        }
    }
    s->n = n;
    if (n_places / 2 >= request->max_pairs) {
        atomic_store_explicit(&s->threshold, s->pairs[n - 1].score,
                              memory_order_relaxed);
    }
}

/* At most twice max_pairs, sorted. */
static void keep_best(best_pairs *s)
{
    if (s->request->owners != NULL) {
        drop_repeated(s);
    }
    sort_pairs(s->pairs, s->spare, s->n);
    drop_crowded(s);
}

static bool grow(best_pairs *s, size_t capacity)
{
    kidx_pair *more = kbase_realloc(s->pairs, capacity, sizeof(*more));
    kidx_pair *spare = kbase_realloc(s->spare, capacity, sizeof(*spare));
    s->pairs = more != NULL ? more : s->pairs;
    s->spare = spare != NULL ? spare : s->spare;
    s->capacity = more != NULL && spare != NULL ? capacity : s->capacity;
    return s->capacity == capacity;
}

/* Room for a worker's pairs. Of three times max_pairs a third is free after sorting,
 * and mostly two thirds. */
static bool make_room(best_pairs *s)
{
    const size_t limit = 3 * s->request->max_pairs + LOCAL_PAIRS;
    bool good = true;
    while (good && s->capacity - s->n < LOCAL_PAIRS) {
        if (s->capacity == limit) {
            keep_best(s);
        } else {
            const size_t twice = 2 * s->capacity + LOCAL_PAIRS;
            good = grow(s, twice < limit ? twice : limit);
        }
    }
    return good;
}

/* Hand a worker's pairs over. */
static void hand_over(best_pairs *s, local *own)
{
    pthread_mutex_lock(&s->mutex);
    if (make_room(s)) {
        memcpy(s->pairs + s->n, own->pairs, own->n * sizeof(*own->pairs));
        s->n += own->n;
    } else {
        atomic_store(&s->is_out_of_memory, true);
    }
    pthread_mutex_unlock(&s->mutex);
    own->n = 0;
}

/* ------------------------------------------------------------------ the pass */

static float threshold(const void *context)
{
    const best_pairs *s = context;
    return atomic_load_explicit(&s->threshold, memory_order_relaxed);
}

static float floor_of(const best_pairs *s, uint32_t record)
{
    return atomic_load_explicit(&s->floors[record], memory_order_relaxed);
}

static bool wants(const void *context, size_t query, uint64_t row, float upper)
{
    const best_pairs *s = context;
    if (row < s->queries[query]) {
        return false;
    }
    const uint32_t a = owner_of(s, (uint32_t)s->queries[query]);
    const uint32_t b = owner_of(s, (uint32_t)row);
    return a != b && (upper >= floor_of(s, a) || upper >= floor_of(s, b));
}

static void take(void *context, size_t query, uint64_t row, float score,
                 unsigned worker)
{
    best_pairs *s = context;
    local *own = &s->locals[worker];
    own->pairs[own->n++] =
        (kidx_pair){ score, (uint32_t)s->queries[query], (uint32_t)row };
    if (own->n == LOCAL_PAIRS) {
        hand_over(s, own);
    }
}

static kith_status find_all(best_pairs *s, const kidx_watch *watch, kith_error *err)
{
    const kidx_sweep_visitor visitor = { s, threshold, wants, take };
    const uint64_t n_rows = kidx_sweep_rows(s->sweep)->n_rows;
    kith_status status = KITH_OK;
    for (uint64_t first = 0; first < n_rows && status == KITH_OK;) {
        size_t n = 0;
        for (; n < KIDX_SWEEP_ROWS && first + n < n_rows; n++) {
            s->queries[n] = first + n;
        }
        kidx_sweep_run(s->sweep, s->queries, n, first, n_rows, &visitor);
        first += n;
        status = atomic_load(&s->is_out_of_memory)
                     ? kbase_fail_memory(err, 2 * s->capacity * sizeof(*s->pairs))
                     : kidx_tell_half(watch, "comparing", first, n_rows, err);
    }
    for (unsigned i = 0; i < kidx_sweep_workers(s->sweep); i++) {
        hand_over(s, &s->locals[i]);
    }
    if (status == KITH_OK && atomic_load(&s->is_out_of_memory)) {
        status = kbase_fail_memory(err, 2 * s->capacity * sizeof(*s->pairs));
    }
    if (status == KITH_OK && s->n > 0) {
        keep_best(s);
        s->n = s->n < s->request->max_pairs ? s->n : s->request->max_pairs;
    }
    return status;
}

kith_status kidx_best_pairs(kidx_sweep *sweep, const kidx_pairs_request *request,
                            const kidx_watch *watch, kidx_pair **pairs, size_t *n_pairs,
                            kith_error *err)
{
    const size_t n_rows = (size_t)kidx_sweep_rows(sweep)->n_rows;
    best_pairs s = { .sweep = sweep,
                     .request = request,
                     .locals = kbase_calloc(kidx_sweep_workers(sweep), sizeof(*s.locals)),
                     .floors = kbase_calloc(n_rows + 1, sizeof(*s.floors)),
                     .counts = kbase_calloc(n_rows + 1, sizeof(*s.counts)),
                     .mutex = PTHREAD_MUTEX_INITIALIZER };
    atomic_init(&s.threshold, request->min_score);
    const bool good = s.locals != NULL && s.floors != NULL && s.counts != NULL;
    for (size_t i = 0; good && i < n_rows; i++) {
        atomic_init(&s.floors[i], -INFINITY);
    }
    kith_status status =
        good ? find_all(&s, watch, err) : kbase_fail_memory(err, n_rows * 8);
    pthread_mutex_destroy(&s.mutex);
    free(s.spare);
    free(s.counts);
    free(s.floors);
    free(s.locals);
    if (status == KITH_OK) {
        *pairs = s.pairs;
        *n_pairs = s.n;
    } else {
        free(s.pairs);
    }
    return status;
}
