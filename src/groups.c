/* Records among themselves: pairs, communities, duplicates; reading what was found. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collection.h"
#include "error.h"
#include "opts.h"
#include "pairs.h"
#include "passage_map.h"

/* Members that are read in one snapshot; even, so that pairs stay together. */
#define MEMBERS_AT_A_TIME 256

struct kith_groups {
    kith_collection *collection;
    kith_generation *generation; /* of the rows */
    bool is_pairs;
    bool is_duplicates;
    kidx_pair *pairs; /* if is_pairs, else sets */
    size_t n_pairs;
    kidx_groups sets;
    /* Where kith_groups_next() is. */
    size_t next;  /* of all members */
    size_t group; /* in sets: of that member */
    /* What was read last: members `first` and up. */
    size_t first;
    size_t n_read;
    kbase_arena arena;
    kith_record *records; /* [MEMBERS_AT_A_TIME]; without an id: gone */
    kbase_buffer kept;    /* title and text of a first member, of duplicates */
    size_t kept_title;    /* bytes of its title */
};

/* ------------------------------------------------------------------ finding */

typedef struct watched {
    kith_progress progress;
    kith_interrupted interrupted;
    void *context;
} watched;

static bool tell(void *context, const char *step, double fraction)
{
    const watched *w = context;
    if (w->progress != NULL) {
        w->progress(w->context, step, fraction);
    }
    return w->interrupted != NULL && w->interrupted(w->context);
}

/* The least float that is not below a score. */
static float least_score(double score)
{
    float least = (float)score;
    return (double)least < score ? nextafterf(least, INFINITY) : least;
}

/* Everything that a comparison needs of one committed state. */
typedef struct comparison {
    kith_collection *collection;
    kith_view *view;
    kidx_rows rows;
    kith_passage_map map;
    kbase_pool *pool;
    kidx_sweep *sweep;
    kidx_watch watch;
    kith_groups *groups;
} comparison;

static kith_status begin_sweep(comparison *c, kith_error *err)
{
    c->pool = kith_pool_take(c->collection);
    return kidx_sweep_new(c->collection->isa, c->pool, &c->rows, &c->sweep, err);
}

/* The groups have their rows' generation until they are freed. */
static kith_status new_groups(comparison *c, kith_generation *generation, kith_error *err)
{
    c->groups = kbase_calloc(1, sizeof(*c->groups));
    if (c->groups == NULL) {
        return kbase_fail_memory(err, sizeof(*c->groups));
    }
    c->groups->collection = c->collection;
    c->groups->generation = generation;
    c->groups->records = kbase_calloc(MEMBERS_AT_A_TIME, sizeof(kith_record));
    return c->groups->records != NULL
               ? KITH_OK
               : kbase_fail_memory(err, MEMBERS_AT_A_TIME * sizeof(kith_record));
}

/* needs_map: what the passages of records are has to be known. */
static kith_status begin(comparison *c, bool needs_map, kith_error *err)
{
    kith_reading reading = { NULL, NULL };
    kith_status status = kith_check_process(c->collection, err);
    if (status == KITH_OK) {
        status = kith_read_begin(c->collection, &reading, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    status = new_groups(c, reading.generation, err);
    if (status == KITH_OK) {
        status = kith_view_acquire(c->collection, &reading, &c->view, err);
    }
    if (status == KITH_OK) {
        c->rows = c->view->rows;
        if (c->rows.n_rows >= KIDX_PAIRS_MAX_ROWS) {
            status = kbase_fail(err, KITH_FULL, "%llu rows are too many to compare",
                                (unsigned long long)c->rows.n_rows);
        } else if (needs_map && c->view->n_passages > c->view->n_records) {
            status = kith_passage_map_read(reading.snapshot, c->rows.n_rows, &c->map, err);
        }
    }
    kstore_snapshot_end(reading.snapshot);
    if (c->groups == NULL) {
        kith_generation_release(c->collection, reading.generation);
    }
    return status;
}

static kith_status finish(comparison *c, kith_status status, kith_groups **out)
{
    kidx_sweep_free(c->sweep);
    kith_pool_give_back(c->collection, c->pool);
    kith_passage_map_free(&c->map);
    if (c->view != NULL) {
        kith_view_release(c->collection, c->view);
    }
    if (status == KITH_OK) {
        *out = c->groups;
    } else {
        kith_groups_free(c->groups);
    }
    return status;
}

/* ------------------------------------------------------------------ pairs */

kith_status kith_pairs(kith_collection *collection, const kith_pairs_opts *given,
                       kith_groups **out, kith_error *err)
{
    kith_pairs_opts opts = KITH_PAIRS_OPTS_INIT;
    kith_status status =
        kith_take_opts(&opts, sizeof(opts), given, "kith_pairs_opts", err);
    if (status == KITH_OK &&
        (isnan(opts.min_score) || opts.top_k == 0 || opts.max_pairs == 0)) {
        status = kbase_fail(err, KITH_INVALID, "top_k and max_pairs are at least 1, "
                            "the least score is a number");
    }
    if (status != KITH_OK) {
        return status;
    }
    watched w = { opts.progress, opts.interrupted, opts.context };
    comparison c = { .collection = collection, .watch = { tell, &w } };
    status = begin(&c, true, err);
    if (status == KITH_OK) {
        status = begin_sweep(&c, err);
    }
    if (status == KITH_OK) {
        const uint64_t n_all = c.rows.n_rows * c.rows.n_rows / 2 + 1;
        const kidx_pairs_request request = {
            .min_score = opts.min_score <= -1 ? -INFINITY : least_score(opts.min_score),
            .max_pairs = (size_t)(opts.max_pairs < n_all ? opts.max_pairs : n_all),
            .top_k = opts.top_k,
            .owners = c.map.owners,
        };
        c.groups->is_pairs = true;
        status = kidx_best_pairs(c.sweep, &request, &c.watch, &c.groups->pairs,
                                 &c.groups->n_pairs, err);
    }
    return finish(&c, status, out);
}

/* ------------------------------------------------------------------ communities */

kith_status kith_clusters(kith_collection *collection, const kith_clusters_opts *given,
                          kith_groups **out, kith_error *err)
{
    kith_clusters_opts opts = KITH_CLUSTERS_OPTS_INIT;
    kith_status status =
        kith_take_opts(&opts, sizeof(opts), given, "kith_clusters_opts", err);
    if (status == KITH_OK && (isnan(opts.min_score) || opts.min_size == 0)) {
        status = kbase_fail(err, KITH_INVALID, "a cluster has at least 1 member, "
                            "the least score is a number");
    }
    if (status != KITH_OK) {
        return status;
    }
    watched w = { opts.progress, opts.interrupted, opts.context };
    comparison c = { .collection = collection, .watch = { tell, &w } };
    status = begin(&c, false, err);
    if (status == KITH_OK) {
        status = begin_sweep(&c, err);
    }
    if (status == KITH_OK) {
        status = kidx_communities(c.sweep, least_score(opts.min_score), opts.min_size,
                                  &c.watch, &c.groups->sets, err);
    }
    return finish(&c, status, out);
}

/* ------------------------------------------------------------------ duplicates */

/* The same rows, but those of records of several passages left out. */
static kith_status leave_out_passages(comparison *c, uint64_t **dead, kith_error *err)
{
    const size_t n_words = (size_t)(c->rows.n_rows / 64 + 1);
    *dead = kbase_calloc(n_words, sizeof(**dead));
    if (*dead == NULL) {
        return kbase_fail_memory(err, n_words * sizeof(**dead));
    }
    for (uint64_t i = 0; i < c->rows.n_rows; i++) {
        if (kidx_is_dead(&c->rows, i) || c->map.is_part[i]) {
            (*dead)[i / 64] |= (uint64_t)1 << (i % 64);
        }
    }
    c->rows.dead = *dead;
    return KITH_OK;
}

kith_status kith_duplicates(kith_collection *collection,
                            const kith_duplicates_opts *given, kith_groups **out,
                            kith_error *err)
{
    kith_duplicates_opts opts = KITH_DUPLICATES_OPTS_INIT;
    kith_status status =
        kith_take_opts(&opts, sizeof(opts), given, "kith_duplicates_opts", err);
    if (status == KITH_OK && isnan(opts.min_score)) {
        status = kbase_fail(err, KITH_INVALID, "the least score is not a number");
    }
    if (status != KITH_OK) {
        return status;
    }
    uint64_t *dead = NULL;
    watched w = { opts.progress, opts.interrupted, opts.context };
    comparison c = { .collection = collection, .watch = { tell, &w } };
    status = begin(&c, true, err);
    if (status == KITH_OK && c.map.owners != NULL) {
        status = leave_out_passages(&c, &dead, err);
    }
    if (status == KITH_OK) {
        status = begin_sweep(&c, err);
    }
    if (status == KITH_OK) {
        c.groups->is_duplicates = true;
        status = kidx_duplicates(c.sweep, least_score(opts.min_score), &c.watch,
                                 &c.groups->sets, err);
    }
    if (status == KITH_OK && c.map.owners != NULL) {
        status = kith_passage_map_add_equal(&c.map, &c.groups->sets, err);
    }
    status = finish(&c, status, out);
    free(dead);
    return status;
}

/* ------------------------------------------------------------------ reading */

uint64_t kith_groups_count(const kith_groups *groups)
{
    return groups->is_pairs ? groups->n_pairs : groups->sets.n_groups;
}

static size_t n_members(const kith_groups *g)
{
    return g->is_pairs ? 2 * g->n_pairs
                       : (g->sets.n_groups > 0 ? g->sets.starts[g->sets.n_groups] : 0);
}

static uint64_t row_of(const kith_groups *g, size_t member)
{
    if (g->is_pairs) {
        const kidx_pair *pair = &g->pairs[member / 2];
        return member % 2 == 0 ? pair->a : pair->b;
    }
    return g->sets.rows[member];
}

static kith_status read_ahead(kith_groups *g, kith_error *err)
{
    kstore_snapshot *snapshot = NULL;
    const size_t left = n_members(g) - g->next;
    kith_status status = kith_check_process(g->collection, err);
    if (status == KITH_OK) {
        status = kstore_snapshot_begin(g->generation->store, &snapshot, err);
    }
    kbase_arena_free(&g->arena);
    g->first = g->next;
    g->n_read = 0;
    while (status == KITH_OK && g->n_read < left && g->n_read < MEMBERS_AT_A_TIME) {
        kstore_record stored;
        kith_record *record = &g->records[g->n_read];
        status = kstore_get(snapshot, row_of(g, g->first + g->n_read), &stored, err);
        if (status == KITH_OK) {
            status = kith_record_copy(&g->arena, &stored, record, err);
        } else if (status == KITH_NOT_FOUND) {
            *record = (kith_record){ .id = { NULL, 0 } };
            status = KITH_OK;
        }
        g->n_read += status == KITH_OK;
    }
    kstore_snapshot_end(snapshot);
    return status;
}

static void place_member(kith_groups *g, kith_member *member)
{
    if (g->is_pairs) {
        member->group = g->next / 2;
        member->position = g->next % 2;
        member->n_members = 2;
        member->score = g->pairs[member->group].score;
        return;
    }
    while (g->sets.starts[g->group + 1] <= g->next) {
        g->group++;
    }
    member->group = g->group;
    member->position = g->next - g->sets.starts[g->group];
    member->n_members = g->sets.starts[g->group + 1] - g->sets.starts[g->group];
    member->score = g->sets.scores[g->next];
}

/* Keep the first member's title and text, or compare with them. */
static kith_status compare_text(kith_groups *g, kith_member *member, kith_error *err)
{
    const kith_record *record = member->record;
    kith_status status = KITH_OK;
    if (member->position == 0) {
        kbase_buffer_clear(&g->kept);
        g->kept_title = SIZE_MAX; /* as nothing is */
        if (record != NULL) {
            g->kept_title = record->title.n_bytes;
            status = kbase_buffer_append(&g->kept, record->title.data,
                                         record->title.n_bytes, err);
            if (status == KITH_OK) {
                status = kbase_buffer_append(&g->kept, record->text.data,
                                             record->text.n_bytes, err);
            }
        }
    }
    member->exact =
        record != NULL && record->title.n_bytes == g->kept_title &&
        g->kept_title + record->text.n_bytes == g->kept.n_bytes &&
        (g->kept.n_bytes == 0 ||
         (memcmp(g->kept.data, record->title.data, g->kept_title) == 0 &&
          memcmp(g->kept.data + g->kept_title, record->text.data,
                 record->text.n_bytes) == 0));
    return status;
}

kith_status kith_groups_next(kith_groups *g, kith_member *member, kith_error *err)
{
    kith_status status = KITH_OK;
    if (g->next == n_members(g)) {
        return kbase_fail(err, KITH_NOT_FOUND, "there are no more groups");
    }
    if (g->next == g->first + g->n_read) {
        status = read_ahead(g, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    const kith_record *record = &g->records[g->next - g->first];
    *member = (kith_member){ .record = record->id.data != NULL ? record : NULL };
    place_member(g, member);
    if (g->is_duplicates) {
        status = compare_text(g, member, err);
    }
    g->next++;
    return status;
}

void kith_groups_free(kith_groups *groups)
{
    if (groups != NULL) {
        kidx_groups_free(&groups->sets);
        free(groups->pairs);
        kbase_arena_free(&groups->arena);
        kbase_buffer_free(&groups->kept);
        free(groups->records);
        kith_generation_release(groups->collection, groups->generation);
        free(groups);
    }
}
