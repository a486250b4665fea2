#include "answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "error.h"

/* Diversity chooses k of so many times k. */
#define POOL 5

/* How often a text has been seen: by its hash, open addressing. */
typedef struct tally {
    struct slot {
        uint64_t hash; /* 0: free */
        uint32_t n;
    } *slots;
    size_t n_slots; /* a power of two, more than twice the texts */
} tally;

static bool tally_new(tally *t, size_t n_texts)
{
    t->n_slots = 4;
    while (t->n_slots < 2 * n_texts + 4) {
        t->n_slots *= 2;
    }
    t->slots = kbase_calloc(t->n_slots, sizeof(*t->slots));
    return t->slots != NULL;
}

/* The slot of a text, free if it has not been seen. */
static struct slot *look_up(const tally *t, kith_text text, uint64_t *hash)
{
    *hash = kbase_hash64(text.data, text.n_bytes) | 1;
    size_t i = (size_t)(*hash >> 1) & (t->n_slots - 1);
    while (t->slots[i].hash != 0 && t->slots[i].hash != *hash) {
        i = (i + 1) & (t->n_slots - 1);
    }
    return &t->slots[i];
}

static bool is_counted(const tally *t, kith_text text)
{
    uint64_t hash;
    return look_up(t, text, &hash)->n > 0;
}

/* Count a text, unless it was counted `most` times. */
static bool count(const tally *t, kith_text text, uint32_t most)
{
    uint64_t hash;
    struct slot *slot = look_up(t, text, &hash);
    if (slot->n >= most) {
        return false;
    }
    slot->hash = hash;
    slot->n++;
    return true;
}

static bool same_text(kith_text a, kith_text b)
{
    return a.n_bytes == b.n_bytes && memcmp(a.data, b.data, a.n_bytes) == 0;
}

/* What one answer is made with. */
typedef struct filling {
    const kith_answering *a;
    const kith_query *query;
    tally ids;
    tally sources;
    size_t pool;
    kith_hit *hits;     /* [pool] */
    uint64_t *ordinals; /* [pool]: their rows */
    size_t n;
} filling;

/* The best passage of each record comes first, and is the one that counts. Only what is
 * taken is counted, so that the tallies have room. */
static bool is_wanted(const filling *f, const kstore_record *stored)
{
    const kith_search_opts *opts = f->a->opts;
    if ((f->query->like.n_bytes > 0 && same_text(stored->id, f->query->like)) ||
        (!opts->passages && is_counted(&f->ids, stored->id))) {
        return false;
    }
    if (opts->max_per_source > 0 && stored->source.n_bytes > 0 &&
        !count(&f->sources, stored->source, opts->max_per_source)) {
        return false;
    }
    return opts->passages || count(&f->ids, stored->id, 1);
}

static kith_status take(filling *f, const kidx_hit *hit, kith_error *err)
{
    kstore_record stored;
    kith_status status = kstore_get(f->a->snapshot, hit->ordinal, &stored, err);
    if (status != KITH_OK || !is_wanted(f, &stored)) {
        return status;
    }
    kith_record *record = kbase_arena_alloc(f->a->arena, sizeof(*record));
    status = record != NULL ? kith_record_copy(f->a->arena, &stored, record, err)
                            : kbase_fail_memory(err, sizeof(*record));
    f->ordinals[f->n] = hit->ordinal;
    f->hits[f->n++] = (kith_hit){ hit->score, record };
    return status;
}

/* ------------------------------------------------------------------ diversity */

static void swap(filling *f, size_t i, size_t j)
{
    kith_hit hit = f->hits[i];
    uint64_t ordinal = f->ordinals[i];
    f->hits[i] = f->hits[j];
    f->hits[j] = hit;
    f->ordinals[i] = f->ordinals[j];
    f->ordinals[j] = ordinal;
}

/* Maximal marginal relevance (Carbonell and Goldstein 1998): next comes the hit with the
 * highest mmr * score - (1 - mmr) * (highest score with one that was chosen). */
static kith_status diversify(filling *f, kith_error *err)
{
    const double weight = f->a->opts->mmr;
    float *alike = kbase_calloc(f->n, sizeof(*alike));
    float *scores = kbase_calloc(f->n, sizeof(*scores));
    float *vector = kbase_calloc(f->a->rows->dim, sizeof(*vector));
    kith_status status = alike != NULL && scores != NULL && vector != NULL
                             ? KITH_OK
                             : kbase_fail_memory(err, f->n * sizeof(*alike));
    for (size_t i = 0; status == KITH_OK && i < f->n && i < f->a->opts->k; i++) {
        size_t best = i;
        double best_value = -INFINITY;
        for (size_t j = i; j < f->n; j++) {
            double value = weight * (double)f->hits[j].score -
                           (i > 0 ? (1 - weight) * (double)alike[j] : 0);
            if (value > best_value) {
                best_value = value;
                best = j;
            }
        }
        /* Moved down one by one: the others stay in their order, which decides ties. */
        for (size_t j = best; j > i; j--) {
            swap(f, j, j - 1);
            float former = alike[j];
            alike[j] = alike[j - 1];
            alike[j - 1] = former;
        }
        if (!kidx_unit_row(f->a->isa, f->a->rows, f->ordinals[i], vector)) {
            memset(vector, 0, f->a->rows->dim * sizeof(*vector));
        }
        kidx_score(f->a->isa, f->a->rows, vector, f->ordinals + i + 1, f->n - i - 1,
                   scores);
        for (size_t j = i + 1; j < f->n; j++) {
            float score = scores[j - i - 1];
            alike[j] = i == 0 || score > alike[j] ? score : alike[j];
        }
    }
    free(vector);
    free(scores);
    free(alike);
    return status;
}

/* ------------------------------------------------------------------ the whole */

size_t kith_answer_pool(const kith_search_opts *opts)
{
    return opts->mmr < 1 ? (size_t)POOL * opts->k : opts->k;
}

kith_status kith_answer_fill(const kith_answering *a, const kith_query *query,
                             const kidx_hit *hits, size_t n_hits, kith_answer *answer,
                             bool *short_of, kith_error *err)
{
    filling f = { .a = a, .query = query, .pool = kith_answer_pool(a->opts) };
    f.hits = kbase_arena_alloc(a->arena, f.pool * sizeof(*f.hits));
    f.ordinals = kbase_calloc(f.pool, sizeof(*f.ordinals));
    kith_status status = KITH_OK;
    if (f.hits == NULL || f.ordinals == NULL || !tally_new(&f.ids, f.pool) ||
        !tally_new(&f.sources, f.pool)) {
        status = kbase_fail_memory(err, f.pool * sizeof(*f.hits));
    }
    bool below = false; /* what follows scores too little */
    for (size_t i = 0; i < n_hits && f.n < f.pool && !below && status == KITH_OK; i++) {
        below = (double)hits[i].score < a->opts->min_score;
        if (!below) {
            status = take(&f, &hits[i], err);
        }
    }
    *short_of = f.n < f.pool && !below;
    if (status == KITH_OK && a->opts->mmr < 1) {
        status = diversify(&f, err);
    }
    answer->hits = f.hits;
    answer->n_hits = f.n < a->opts->k ? f.n : a->opts->k;
    free(f.sources.slots);
    free(f.ids.slots);
    free(f.ordinals);
    return status;
}
