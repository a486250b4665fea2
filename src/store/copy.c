/* Copying what lives into a new store: nothing that was deleted comes along, and nothing
 * that is damaged. */
#include "store_internal.h"

#include <stdlib.h>

#include "error.h"

/* Where a transaction ends. */
#define STEP_ROWS 16384
#define STEP_BYTES ((size_t)16 << 20)

typedef struct copying {
    const kstore_snapshot *from;
    kstore *to;
    uint64_t *dead;
    uint64_t next; /* ordinal in `from` */
    uint64_t n_done;
    uint64_t block_number;
    kbase_buffer block; /* rows of that block, checked */
} copying;

static kith_status begin_copy(copying *c, kith_error *err)
{
    const uint64_t n_rows = c->from->counts.n_rows;
    c->dead = kbase_calloc((size_t)(n_rows / 64 + 1), sizeof(*c->dead));
    if (c->dead == NULL) {
        return kbase_fail_memory(err, (size_t)(n_rows / 8));
    }
    /* First, because LMDB trusts the pages that it reads. */
    kith_status status = kstore_check_newest(c->from->environment, true, err);
    return status == KITH_OK ? kstore_read_dead(c->from, c->dead, err) : status;
}

/* The row at c->next. Rows are read by blocks, because that is what has a checksum. */
static kith_status read_row(copying *c, const uint16_t **row, kith_error *err)
{
    const uint64_t block = c->next / KSTORE_BLOCK_ROWS;
    kith_status status = KITH_OK;
    if (c->block.n_bytes == 0 || block != c->block_number) {
        status = kstore_read_block(c->from, block, &c->block, err);
        c->block_number = block;
    }
    const size_t stride = c->from->environment->vectors.stride;
    *row = (const uint16_t *)(const void *)(c->block.data +
                                            c->next % KSTORE_BLOCK_ROWS * stride);
    return status;
}

static kith_status copy_record(copying *c, kstore_batch *batch, size_t *n_bytes,
                               kith_error *err)
{
    kstore_record record;
    const uint16_t *row = NULL;
    uint64_t ordinal;
    kith_status status = kstore_get(c->from, c->next, &record, err);
    if (status == KITH_OK) {
        status = read_row(c, &row, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    *n_bytes += c->from->environment->vectors.stride + record.text.n_bytes +
                record.title.n_bytes + record.metadata.n_bytes + record.source.n_bytes +
                record.id.n_bytes;
    status = kstore_batch_put(batch, &record, row, &ordinal, err);
    if (status == KITH_INVALID || status == KITH_EXISTS) {
        char shown[KSTORE_SHOWN_BYTES];
        return kbase_fail(err, KITH_CORRUPT,
                          "%s contradicts itself: record \"%s\" cannot be stored again; "
                          "restore it from a backup",
                          c->from->environment->path, kstore_show(record.id, shown));
    }
    return status;
}

/* One transaction. */
static kith_status copy_step(copying *c, kith_error *err)
{
    kstore_batch *batch = NULL;
    kith_status status = kstore_batch_begin(c->to, &batch, err);
    if (status != KITH_OK) {
        return status;
    }
    size_t n_bytes = 0;
    for (unsigned n = 0; status == KITH_OK && n < STEP_ROWS && n_bytes < STEP_BYTES &&
                         c->next < c->from->counts.n_rows;
         c->next++) {
        if ((c->dead[c->next / 64] >> (c->next % 64) & 1) == 0) {
            status = copy_record(c, batch, &n_bytes, err);
            c->n_done++;
            n++;
        }
    }
    if (status != KITH_OK) {
        kstore_batch_abort(batch);
        return status;
    }
    return kstore_batch_commit(batch, err);
}

/* What was written is read back, before anybody relies on it. */
static kith_status check_copy(const copying *c, kith_error *err)
{
    const kstore_counts *wanted = &c->from->counts;
    kstore_snapshot *copy = NULL;
    kith_status status = kstore_snapshot_begin(c->to, &copy, err);
    if (status != KITH_OK) {
        return status;
    }
    if (copy->counts.n_rows != kstore_n_passages(c->from) ||
        copy->counts.n_records != wanted->n_records ||
        copy->counts.n_sources != wanted->n_sources) {
        status = kbase_fail(err, KITH_CORRUPT,
                            "%s contradicts itself: its counts are not those of its "
                            "records; restore it from a backup",
                            c->from->environment->path);
    } else {
        status = kstore_verify(copy, err);
    }
    kstore_snapshot_end(copy);
    return status;
}

kith_status kstore_copy_live(const kstore_snapshot *from, kstore *to,
                             kith_status (*step)(void *context, uint64_t n_done,
                                                 kith_error *err),
                             void *context, kith_error *err)
{
    copying c = { .from = from, .to = to, .block = KBASE_BUFFER_INIT };
    kith_status status = begin_copy(&c, err);
    while (status == KITH_OK && c.next < from->counts.n_rows) {
        status = step(context, c.n_done, err);
        if (status == KITH_OK) {
            status = copy_step(&c, err);
        }
    }
    if (status == KITH_OK) {
        status = check_copy(&c, err);
    }
    kbase_buffer_free(&c.block);
    free(c.dead);
    return status;
}
