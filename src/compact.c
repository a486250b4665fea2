/* Compaction: a new generation of the live records beside the present one, which then
 * takes its place. */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "opts.h"
#include "writer.h"

typedef struct compaction {
    kith_writer *writer;
    kith_compact_opts opts;
    unsigned number;    /* of the new generation */
    uint64_t first_row; /* the writer's, there */
    uint64_t n_passages;
    kith_compact_stats stats;
} compaction;

static uint64_t allocated_bytes(const char *generation)
{
    return kith_allocated_bytes(generation, "data.mdb") +
           kith_allocated_bytes(generation, "vectors") +
           kith_allocated_bytes(generation, "derived");
}

static kith_status before_step(void *context, uint64_t n_done, kith_error *err)
{
    const compaction *c = context;
    if (kith_writer_is_interrupted(c->writer)) {
        return kith_fail_interrupted(err);
    }
    if (c->opts.progress != NULL && c->n_passages > 0) {
        c->opts.progress(c->opts.context, "copying records",
                         (double)n_done / (double)c->n_passages);
    }
    return KITH_OK;
}

/* Rows are numbered anew: the first of those that this writer has committed, too. */
static kith_status renumber_first_row(compaction *c, const kstore_snapshot *from,
                                      kith_error *err)
{
    const uint64_t first_row = c->writer->first_row;
    const size_t n_words = (size_t)(kstore_n_rows(from) / 64 + 1);
    uint64_t *dead = kbase_calloc(n_words, sizeof(*dead));
    if (dead == NULL) {
        return kbase_fail_memory(err, n_words * sizeof(*dead));
    }
    kith_status status = kstore_read_dead(from, dead, err);
    c->first_row = first_row;
    for (uint64_t i = 0; status == KITH_OK && i < first_row; i++) {
        c->first_row -= dead[i / 64] >> (i % 64) & 1;
    }
    free(dead);
    return status;
}

/* Nobody else writes: one snapshot for all of it keeps nobody waiting. */
static kith_status copy_records(compaction *c, kstore *to, kith_error *err)
{
    kstore_snapshot *from = NULL;
    kith_status status = kstore_snapshot_begin(c->writer->generation->store, &from, err);
    if (status == KITH_OK) {
        c->n_passages = kstore_n_passages(from);
        c->stats.n_records = kstore_n_records(from);
        c->stats.n_passages = c->n_passages;
        c->stats.n_dropped = kstore_n_rows(from) - c->n_passages;
        status = renumber_first_row(c, from, err);
    }
    if (status == KITH_OK) {
        status = kstore_copy_live(from, to, before_step, c, err);
    }
    kstore_snapshot_end(from);
    return status;
}

/* From here on the writer works on the new generation, as readers do who look. */
static kith_status make_current(compaction *c, kith_error *err)
{
    kith_writer *writer = c->writer;
    kith_collection *collection = writer->collection;
    kith_generation *next = NULL;
    kith_status status = kith_current_write(collection->path, c->number, err);
    if (status == KITH_OK) {
        status = kith_generation_acquire(collection, &next, err);
    }
    if (status == KITH_OK) {
        kith_generation_release(collection, writer->generation);
        writer->generation = next;
        writer->first_row = c->first_row;
    }
    return status;
}

static kith_status fill(compaction *c, const char *generation, kith_error *err)
{
    kith_collection *collection = c->writer->collection;
    kstore *to = NULL;
    kith_status status = kith_generation_make(collection->path, c->number,
                                              &collection->settings, err);
    if (status == KITH_OK) {
        status = kstore_open(generation, false, &to, err);
    }
    if (status == KITH_OK) {
        status = copy_records(c, to, err);
    }
    if (status == KITH_OK) {
        c->stats.bytes_before = allocated_bytes(c->writer->generation->path);
        c->stats.bytes_after = allocated_bytes(generation);
        status = make_current(c, err);
    }
    kstore_close(to);
    return status;
}

/* After a failure: the new generation goes, unless CURRENT names it already. Then readers
 * have it, nobody knows which of the two a power failure would leave, and nothing may be
 * written to the former. */
static void undo(const compaction *c)
{
    const char *path = c->writer->collection->path;
    kith_current current = KITH_CURRENT_INIT;
    kith_status status = kith_current_read(path, &current, NULL);
    if (status == KITH_OK && current.number == c->writer->generation->current.number) {
        kith_generation_remove(path, c->number, NULL);
    } else {
        kstore_refuse_writes(c->writer->generation->store);
    }
    kith_current_close(&current);
}

static kith_status compact(compaction *c, kith_error *err)
{
    const char *path = c->writer->collection->path;
    const unsigned former = c->writer->generation->current.number;
    if (former == KITH_LAST_GENERATION) {
        return kbase_fail(err, KITH_FULL, "collection %s has no number left for another "
                          "generation: index anew", path);
    }
    c->number = former + 1;
    kith_status status = kith_generations_sweep(path, former, err);
    if (status != KITH_OK) {
        return status;
    }
    char *generation = kith_generation_path(path, c->number);
    status = generation != NULL ? fill(c, generation, err)
                                : kbase_fail_memory(err, strlen(path) + 16);
    free(generation);
    if (status != KITH_OK) {
        undo(c);
        return status;
    }
    kith_error problem;
    status = kith_generation_remove(path, former, &problem);
    if (status != KITH_OK) {
        kbase_fail(err, status,
                   "%s is compacted, but its former files are still there: %s", path,
                   problem.message);
    }
    return status;
}

kith_status kith_writer_compact(kith_writer *writer, const kith_compact_opts *opts,
                                kith_compact_stats *stats, kith_error *err)
{
    compaction c = { .writer = writer, .opts = KITH_COMPACT_OPTS_INIT };
    kith_status status = kith_take_opts(&c.opts, sizeof(c.opts), opts, "kith_compact_opts",
                                        err);
    if (status == KITH_OK) {
        status = kith_check_process(writer->collection, err);
    }
    if (status == KITH_OK && writer->pending.first != NULL) {
        status = kbase_fail(err, KITH_INVALID, "collection %s has changes that are not "
                            "committed: commit them first", writer->collection->path);
    }
    if (status == KITH_OK) {
        status = compact(&c, err);
    }
    if (stats != NULL) {
        *stats = c.stats;
    }
    return status;
}
