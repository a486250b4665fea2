/* From pending operations to a durable state. */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "writer.h"

/* Passages encoded between two looks at the caller's wish to stop. */
#define ENCODE_PASSAGES 256

kith_text kith_join_title(kbase_arena *arena, kith_text title, kith_text text)
{
    if (title.n_bytes == 0) {
        return text;
    }
    if (text.n_bytes == 0) {
        return title;
    }
    char *joined = kbase_arena_alloc(arena, title.n_bytes + 1 + text.n_bytes);
    if (joined != NULL) {
        memcpy(joined, title.data, title.n_bytes);
        joined[title.n_bytes] = ' ';
        memcpy(joined + title.n_bytes + 1, text.data, text.n_bytes);
    }
    return (kith_text){ joined, title.n_bytes + 1 + text.n_bytes };
}

/* ------------------------------------------------------------------ encoding */

/* Passages that are encoded in one call, and where their vectors go. */
typedef struct encode_run {
    size_t n;
    kith_text texts[ENCODE_PASSAGES];
    kith_pending_passage *passages[ENCODE_PASSAGES];
    kith_pending_op *ops[ENCODE_PASSAGES];
    uint32_t dropped[ENCODE_PASSAGES];
    float *vectors;
} encode_run;

static kith_status flush_run(kith_writer *writer, encode_run *run, kith_error *err)
{
    const kith_collection *collection = writer->collection;
    const uint32_t dim = collection->model->info.dim;
    if (writer->opts.interrupted != NULL &&
        writer->opts.interrupted(writer->opts.context)) {
        return kbase_fail(err, KITH_INTERRUPTED, "interrupted");
    }
    kith_status status = kenc_encode(collection->model->encoder, run->texts, run->n,
                                     KITH_POOLING_DEFAULT, run->vectors, run->dropped, err);
    for (size_t i = 0; i < run->n && status == KITH_OK; i++) {
        uint16_t *row = kbase_arena_alloc(&writer->pending.arena, dim * sizeof(*row));
        if (row == NULL) {
            return kbase_fail_memory(err, dim * sizeof(*row));
        }
        kidx_f16_from_f32(collection->isa, run->vectors + i * dim, dim, row);
        run->passages[i]->row = row;
        run->ops[i]->is_truncated |= run->dropped[i] > 0;
    }
    run->n = 0;
    return status;
}

kith_status kith_writer_encode_pending(kith_writer *writer, kith_error *err)
{
    if (writer->n_bytes_to_encode == 0) {
        writer->n_ops_encoded = writer->pending.n_ops;
        return KITH_OK;
    }
    encode_run *run = calloc(1, sizeof(*run));
    float *vectors = kbase_calloc(ENCODE_PASSAGES,
                                  writer->collection->model->info.dim * sizeof(float));
    kith_status status = run != NULL && vectors != NULL
                             ? KITH_OK
                             : kbase_fail_memory(err, sizeof(*run));
    for (size_t i = writer->n_ops_encoded; i < writer->pending.n_ops && status == KITH_OK;
         i++) {
        kith_pending_op *op = &writer->pending.ops[i];
        for (size_t j = 0; !op->cancelled && j < op->n_passages && status == KITH_OK; j++) {
            kith_pending_passage *passage = &op->passages[j];
            if (passage->copy_of != UINT64_MAX || passage->row != NULL) {
                continue;
            }
            run->vectors = vectors;
            run->texts[run->n] = passage->encoded;
            run->ops[run->n] = op;
            run->passages[run->n++] = passage;
            if (run->n == ENCODE_PASSAGES) {
                status = flush_run(writer, run, err);
            }
        }
    }
    if (status == KITH_OK && run->n > 0) {
        status = flush_run(writer, run, err);
    }
    if (status == KITH_OK) {
        writer->n_ops_encoded = writer->pending.n_ops;
        writer->n_bytes_to_encode = 0;
    }
    free(vectors);
    free(run);
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
    const uint32_t dim = kstore_get_settings(c->writer->collection->store)->dim;
    for (size_t i = 0; i < op->n_passages; i++) {
        kith_pending_passage *passage = &op->passages[i];
        if (passage->copy_of == UINT64_MAX) {
            c->stats.n_encoded++;
            continue;
        }
        passage->row = kbase_arena_alloc(&c->writer->pending.arena,
                                         dim * sizeof(*passage->row));
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
    kith_status status = copy_rows(c, op, err);
    if (status == KITH_OK && !op->is_new) {
        status = kstore_batch_delete(c->batch, op->id, &n_rows, err);
        c->stats.n_deleted += op->is_delete && status == KITH_OK;
    }
    for (size_t i = 0; i < op->n_passages && status == KITH_OK; i++) {
        status = kstore_batch_put(c->batch, &op->passages[i].record, op->passages[i].row,
                                  &ordinal, err);
        c->stats.n_passages++;
    }
    c->stats.n_committed += !op->is_delete;
    c->stats.n_truncated += op->is_truncated;
    return status;
}

static kith_status prune_record(void *context, kith_text id, kith_error *err)
{
    commit_counts *c = context;
    uint64_t n_rows;
    if (kith_id_set_has(&c->writer->given, id)) {
        return KITH_OK;
    }
    kith_status status = kstore_batch_delete(c->batch, id, &n_rows, err);
    c->stats.n_deleted += status == KITH_OK;
    return status;
}

static kith_status write_all(commit_counts *c, kith_error *err)
{
    const kith_pending *pending = &c->writer->pending;
    kith_status status = KITH_OK;
    for (size_t i = 0; i < pending->n_ops && status == KITH_OK; i++) {
        if (!pending->ops[i].cancelled) {
            status = write_op(c, &pending->ops[i], err);
        }
    }
    const kith_text *sources = (const void *)pending->prunes.data;
    size_t n_sources = pending->prunes.n_bytes / sizeof(*sources);
    for (size_t i = 0; i < n_sources && status == KITH_OK; i++) {
        status = kstore_batch_each_of_source(c->batch, sources[i], prune_record, c, err);
    }
    return status;
}

kith_status kith_writer_commit(kith_writer *writer, kith_error *err)
{
    kith_status status = kith_check_process(writer->collection, err);
    if (status == KITH_OK) {
        status = kith_writer_encode_pending(writer, err);
    }
    if (status != KITH_OK ||
        (writer->pending.n_ops == 0 && writer->pending.prunes.n_bytes == 0)) {
        return status;
    }
    commit_counts c = { writer, NULL, writer->stats };
    status = kstore_batch_begin(writer->collection->store, &c.batch, err);
    if (status == KITH_OK) {
        status = write_all(&c, err);
        if (status == KITH_OK) {
            status = kstore_batch_commit(c.batch, err);
        } else {
            kstore_batch_abort(c.batch);
        }
    }
    if (status == KITH_OK) {
        writer->stats = c.stats;
        writer->stats.n_pending = 0;
        writer->n_ops_encoded = 0;
        kith_pending_clear(&writer->pending);
    }
    return status;
}
