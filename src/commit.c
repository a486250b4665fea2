/* From pending operations to a durable state: batches are handed to the encoder, and
 * those that come back are written, oldest first. All of it but the encoding itself
 * happens in the thread of the writer's caller. */
#include <time.h>

#include "error.h"
#include "writer.h"

/* Where a batch ends. Small, so that encoding begins early and a commit finds something
 * ready; long enough for all threads (encode_queue.c). */
#define BATCH_BYTES_TO_ENCODE ((size_t)32 << 10)
#define BATCH_OPS 1024
#define BATCH_BYTES ((size_t)1 << 20)
/* At most so much, or one batch, is committed at a time while more is to come. */
#define STEP_OPS 4096
#define STEP_BYTES ((size_t)16 << 20)
/* Between two looks at the caller's wish to stop. */
#define POLL_MS 50
/* How long one step waits when too much is pending. */
#define FULL_MS 2000

bool kith_writer_is_interrupted(const kith_writer *writer)
{
    return writer->opts.interrupted != NULL &&
           writer->opts.interrupted(writer->opts.context);
}

kith_status kith_fail_interrupted(kith_error *err)
{
    return kbase_fail(err, KITH_INTERRUPTED, "interrupted");
}

/* ------------------------------------------------------------------ encoding */

static bool is_interrupted(void *context)
{
    return kith_writer_is_interrupted(context);
}

/* Give the job of the batch that was just closed to the encoder. */
static kith_status start_encoding(kith_writer *writer, kith_pending_batch *batch,
                                  bool here, kith_error *err)
{
    kith_status status = KITH_OK;
    batch->ticket = 0;
    if (writer->queue == NULL && batch->job.n > 0) {
        status = kith_encode_queue_new(writer->collection, &writer->queue, err);
    }
    if (status != KITH_OK || writer->queue == NULL) {
        return status;
    }
    if (here && !kith_encode_queue_is_used(writer->queue)) {
        return kith_encode_here(writer->queue, &batch->job, is_interrupted, writer,
                                err);
    }
    batch->ticket = kith_encode_queue_push(writer->queue, &batch->job);
    return KITH_OK;
}

/* Close the open batch, if there is one. `here`: if the encoder's thread has not been
 * needed so far, do without it. */
static kith_status close_batch(kith_writer *writer, bool here, kith_error *err)
{
    kith_pending_batch *batch = kith_pending_open(&writer->pending);
    if (batch == NULL) {
        return KITH_OK;
    }
    if (kith_writer_is_interrupted(writer)) {
        return kith_fail_interrupted(err);
    }
    const uint32_t dim = writer->collection->settings.dim;
    kith_status status = kith_pending_close(&writer->pending, dim, err);
    if (status == KITH_OK) {
        status = start_encoding(writer, batch, here, err);
        if (status != KITH_OK) {
            kith_pending_reopen(&writer->pending);
        }
    }
    return status;
}

/* Note which batches have come back from the encoder. */
static kith_status collect(kith_writer *writer, kith_error *err)
{
    kith_pending *pending = &writer->pending;
    while (pending->unready != NULL && pending->unready->is_closed) {
        bool is_done = true;
        kith_status status = KITH_OK;
        if (pending->unready->ticket > 0) {
            status = kith_encode_queue_wait(writer->queue, pending->unready->ticket, 0,
                                            &is_done, err);
        }
        if (status != KITH_OK || !is_done) {
            return status;
        }
        kith_pending_set_ready(pending);
    }
    return KITH_OK;
}

/* Let the encoder work on the oldest batch that it has. */
static kith_status wait_for_encoder(kith_writer *writer, unsigned ms, kith_error *err)
{
    bool is_done;
    if (kith_writer_is_interrupted(writer)) {
        return kith_fail_interrupted(err);
    }
    return kith_encode_queue_wait(writer->queue, writer->pending.unready->ticket, ms,
                                  &is_done, err);
}

static kith_status finish_encoding(kith_writer *writer, kith_error *err)
{
    kith_status status = close_batch(writer, true, err);
    while (status == KITH_OK) {
        status = collect(writer, err);
        if (status != KITH_OK || writer->pending.unready == NULL) {
            break;
        }
        status = wait_for_encoder(writer, POLL_MS, err);
    }
    return status;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Wait until a step is ready, or so many bytes, or all, at most `max_ms`. */
static kith_status wait_for_step(kith_writer *writer, uint32_t max_ms, size_t n_bytes,
                                 kith_error *err)
{
    const kith_pending *pending = &writer->pending;
    const uint64_t deadline = now_ms() + max_ms;
    kith_status status = collect(writer, err);
    while (status == KITH_OK && pending->unready != NULL &&
           pending->n_records_ready < STEP_OPS && pending->n_bytes_ready < n_bytes) {
        if (!pending->unready->is_closed) {
            status = close_batch(writer, max_ms > 0, err);
        } else {
            uint64_t now = now_ms();
            if (now >= deadline) {
                break;
            }
            uint64_t left = deadline - now;
            unsigned ms = left < POLL_MS ? (unsigned)left : POLL_MS;
            status = wait_for_encoder(writer, ms, err);
        }
        if (status == KITH_OK) {
            status = collect(writer, err);
        }
    }
    return status;
}

/* ------------------------------------------------------------------ writing */

/* What a commit does to the statistics, once it has succeeded. */
typedef struct commit_counts {
    kith_writer *writer;
    kstore_batch *batch;
    kith_writer_stats stats;
} commit_counts;

/* Vectors that are taken over are read before the old rows die. */
static kith_status copy_rows(commit_counts *c, const kith_pending_op *op, kith_error *err)
{
    const uint32_t dim = c->writer->collection->settings.dim;
    for (size_t i = 0; i < op->n_passages; i++) {
        kith_pending_passage *passage = &op->passages[i];
        if (passage->copy_of == UINT64_MAX) {
            c->stats.n_encoded += !passage->is_given;
            continue;
        }
        passage->row = kbase_arena_alloc(&op->batch->arena, dim * sizeof(*passage->row));
        if (passage->row == NULL) {
            return kbase_fail_memory(err, dim * sizeof(*passage->row));
        }
        kith_status status = kstore_batch_row(c->batch, passage->copy_of, passage->row, err);
        if (status != KITH_OK) {
            return status;
        }
    }
    return KITH_OK;
}

static kith_status write_op(commit_counts *c, const kith_pending_op *op, kith_error *err)
{
    uint64_t n_rows;
    uint64_t ordinal;
    bool is_truncated = op->is_title_cut;
    kith_status status = copy_rows(c, op, err);
    if (status == KITH_OK && !op->is_new) {
        status = kstore_batch_delete(c->batch, op->id, &n_rows, err);
        c->stats.n_deleted += op->is_delete && status == KITH_OK;
        if (status == KITH_NOT_FOUND && op->is_delete) {
            status = KITH_OK; /* an earlier batch has pruned it */
        }
    }
    for (size_t i = 0; i < op->n_passages && status == KITH_OK; i++) {
        is_truncated = is_truncated || op->passages[i].n_dropped > 0;
        status = kstore_batch_put(c->batch, &op->passages[i].record, op->passages[i].row,
                                  &ordinal, err);
        c->stats.n_passages++;
    }
    c->stats.n_committed += !op->is_delete;
    c->stats.n_truncated += is_truncated;
    return status;
}

static kith_status prune_record(void *context, kith_text id, kith_error *err)
{
    commit_counts *c = context;
    uint64_t n_rows;
    if (kith_id_set_has(&c->writer->added, id)) {
        return KITH_OK;
    }
    kith_status status = kstore_batch_delete(c->batch, id, &n_rows, err);
    c->stats.n_deleted += status == KITH_OK;
    return status;
}

static kith_status write_batch(commit_counts *c, const kith_pending_batch *batch,
                               kith_error *err)
{
    kith_status status = KITH_OK;
    for (const kith_pending_op *op = batch->ops; op != NULL && status == KITH_OK;
         op = op->next) {
        if (!op->cancelled) {
            status = write_op(c, op, err);
        }
    }
    for (const kith_pending_prune *prune = batch->prunes;
         prune != NULL && status == KITH_OK; prune = prune->next) {
        status = kstore_batch_each_of_source(c->batch, prune->source, prune_record, c,
                                             err);
    }
    return status;
}

/* Make the batches before `end` (NULL: all), which are ready, durable in one
 * transaction. */
static kith_status write_batches(kith_writer *writer, const kith_pending_batch *end,
                                 kith_error *err)
{
    kith_pending *pending = &writer->pending;
    commit_counts c = { writer, NULL, writer->stats };
    kith_status status = kstore_batch_begin(writer->generation->store, &c.batch, err);
    if (status != KITH_OK) {
        return status;
    }
    for (const kith_pending_batch *batch = pending->first;
         batch != end && status == KITH_OK; batch = batch->next) {
        status = write_batch(&c, batch, err);
    }
    if (status == KITH_OK) {
        status = kstore_batch_commit(c.batch, err);
    } else {
        kstore_batch_abort(c.batch);
    }
    if (status == KITH_OK) {
        writer->stats = c.stats;
        while (pending->first != end) {
            kith_pending_drop(pending);
        }
    }
    return status;
}

/* ------------------------------------------------------------------ committing */

/* The batch after those that the next step commits. */
static const kith_pending_batch *end_of_step(const kith_pending *pending)
{
    size_t n_ops = 0;
    size_t n_bytes = 0;
    const kith_pending_batch *batch = pending->first;
    for (; batch != NULL && batch->is_ready; batch = batch->next) {
        n_ops += batch->n_ops;
        n_bytes += batch->n_bytes;
        if (batch != pending->first && (n_ops > STEP_OPS || n_bytes > STEP_BYTES)) {
            break;
        }
    }
    return batch;
}

/* Commit a step as soon as it, or `n_bytes`, or all is ready; after `max_ms` what is. */
static kith_status commit_step(kith_writer *writer, uint32_t max_ms, size_t n_bytes,
                               kith_error *err)
{
    kith_status status = wait_for_step(writer, max_ms, n_bytes, err);
    const kith_pending_batch *end = end_of_step(&writer->pending);
    return status == KITH_OK && end != writer->pending.first
               ? write_batches(writer, end, err)
               : status;
}

kith_status kith_writer_check(kith_writer *writer, kith_error *err)
{
    kith_status status = kith_check_process(writer->collection, err);
    return status == KITH_OK ? collect(writer, err) : status;
}

kith_status kith_writer_settle(kith_writer *writer, kith_error *err)
{
    const kith_pending *pending = &writer->pending;
    const kith_pending_batch *open = kith_pending_open(pending);
    const size_t limit = writer->opts.max_pending_bytes;
    kith_status status = KITH_OK;
    if (open != NULL && (open->n_bytes_to_encode >= BATCH_BYTES_TO_ENCODE ||
                         open->n_ops >= BATCH_OPS ||
                         open->arena.n_bytes >= BATCH_BYTES)) {
        status = close_batch(writer, false, err);
    }
    while (status == KITH_OK && limit > 0 && pending->first != NULL &&
           kith_pending_bytes(pending) > limit) {
        /* Half of it: the encoder is not to wait for the disk. */
        status = commit_step(writer, FULL_MS, kith_pending_bytes(pending) / 2, err);
    }
    return status;
}

kith_status kith_writer_commit_ready(kith_writer *writer, uint32_t max_ms,
                                     kith_error *err)
{
    kith_status status = kith_check_process(writer->collection, err);
    return status == KITH_OK ? commit_step(writer, max_ms, SIZE_MAX, err) : status;
}

kith_status kith_writer_commit(kith_writer *writer, kith_error *err)
{
    kith_status status = kith_check_process(writer->collection, err);
    if (status == KITH_OK) {
        status = finish_encoding(writer, err);
    }
    return status == KITH_OK && writer->pending.first != NULL
               ? write_batches(writer, NULL, err)
               : status;
}
