/* Writing: one LMDB write transaction a batch; its rows stay in memory until commit. */
#include "store_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checksum.h"
#include "error.h"

#define NO_BLOCK UINT64_MAX

struct kstore_batch {
    kstore_snapshot snapshot;
    kbase_buffer rows; /* from row n_file_rows on */
    kbase_buffer blob;
    kbase_buffer block; /* committed rows of block_number, checked */
    uint64_t block_number;
    bool changed;
    bool failed; /* a change was made in part: it can only be aborted */
};

/* ------------------------------------------------------------------ life */

static kith_status claim(kstore_environment *environment, kith_error *err)
{
    kith_status status = KITH_OK;
    pthread_mutex_lock(&environment->mutex);
    if (environment->write_failed) {
        status = kbase_fail(err, KITH_IO,
                            "an earlier write to %s failed: close the collection and "
                            "open it again",
                            environment->path);
    } else if (environment->writing) {
        status = kbase_fail(err, KITH_BUSY, "this process writes to %s already",
                            environment->path);
    } else {
        environment->writing = true;
    }
    pthread_mutex_unlock(&environment->mutex);
    return status;
}

static void release(kstore_environment *environment, bool write_failed)
{
    pthread_mutex_lock(&environment->mutex);
    environment->writing = false;
    environment->write_failed = environment->write_failed || write_failed;
    pthread_mutex_unlock(&environment->mutex);
}

void kstore_refuse_writes(kstore *store)
{
    pthread_mutex_lock(&store->environment->mutex);
    store->environment->write_failed = true;
    pthread_mutex_unlock(&store->environment->mutex);
}

static void free_batch(kstore_batch *batch)
{
    kbase_buffer_free(&batch->rows);
    kbase_buffer_free(&batch->blob);
    kbase_buffer_free(&batch->block);
    free(batch);
}

kith_status kstore_batch_begin(kstore *store, kstore_batch **batch, kith_error *err)
{
    kstore_environment *environment = store->environment;
    kith_status status = kstore_check_process(environment, err);
    if (status == KITH_OK && store->read_only) {
        status = kbase_fail(err, KITH_INVALID, "%s was opened read-only",
                            environment->path);
    }
    if (status != KITH_OK) {
        return status;
    }
    kstore_batch *made = kbase_calloc(1, sizeof(*made));
    if (made == NULL) {
        return kbase_fail_memory(err, sizeof(*made));
    }
    made->snapshot.environment = environment;
    made->block_number = NO_BLOCK;
    status = claim(environment, err);
    if (status != KITH_OK) {
        free_batch(made);
        return status;
    }
    status = kstore_make_room(environment, err);
    if (status == KITH_OK) {
        status = kstore_txn_begin(environment, true, &made->snapshot.txn, err);
    }
    if (status == KITH_OK) {
        status = kstore_check_not_cut(environment, err);
    }
    if (status == KITH_OK) {
        status = kstore_snapshot_load(&made->snapshot, err);
    }
    if (status != KITH_OK) {
        kstore_batch_abort(made);
        return status;
    }
    *batch = made;
    return KITH_OK;
}

void kstore_batch_abort(kstore_batch *batch)
{
    if (batch == NULL) {
        return;
    }
    kstore_environment *environment = batch->snapshot.environment;
    /* In a child of fork() the transaction is the parent's. */
    if (environment->pid == getpid()) {
        if (batch->snapshot.txn != NULL) {
            kstore_txn_abort(environment, batch->snapshot.txn);
        }
        release(environment, false);
    }
    free_batch(batch);
}

const kstore_snapshot *kstore_batch_snapshot(kstore_batch *batch)
{
    return &batch->snapshot;
}

/* Before each change. */
static kith_status check_usable(const kstore_batch *batch, kith_error *err)
{
    if (batch->failed) {
        return kbase_fail(err, KITH_INVALID,
                          "a change in this batch failed: it can only be aborted");
    }
    return kstore_check_process(batch->snapshot.environment, err);
}

/* ------------------------------------------------------------------ LMDB changes */

static kith_status put(kstore_batch *batch, kstore_db db, const void *key, size_t n_key,
                       const void *data, size_t n_data, unsigned flags, kith_error *err)
{
    batch->changed = true;
    kith_status status =
        kstore_store(&batch->snapshot, db, key, n_key, data, n_data, flags, err);
    batch->failed = batch->failed || status != KITH_OK;
    return status;
}

static kith_status erase(kstore_batch *batch, kstore_db db, const void *key,
                         size_t n_key, kith_error *err)
{
    const kstore_environment *environment = batch->snapshot.environment;
    MDB_val k = { n_key, (void *)(uintptr_t)key };
    batch->changed = true;
    int rc = mdb_del(batch->snapshot.txn, environment->db[db], &k, NULL);
    if (rc != MDB_SUCCESS) {
        batch->failed = true;
        /* The caller has found the key: now the databases contradict each other. */
        return kstore_fail_lmdb(err, rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc,
                                environment->path, "cannot delete from");
    }
    return KITH_OK;
}

/* ------------------------------------------------------------------ ledger */

/* Call visit for each ledger entry of the key's source, with the row of its record.
 * Stops at the first status other than KITH_OK and returns it. */
static kith_status each_entry(kstore_batch *batch, const kstore_key *key,
                              kith_status (*visit)(void *context, uint64_t ordinal,
                                                   kith_error *err),
                              void *context, kith_error *err)
{
    const kstore_environment *environment = batch->snapshot.environment;
    MDB_cursor *cursor;
    int rc =
        mdb_cursor_open(batch->snapshot.txn, environment->db[KSTORE_SOURCES], &cursor);
    if (rc != MDB_SUCCESS) {
        return kstore_fail_lmdb(err, rc, environment->path, "cannot read");
    }
    kith_status status = KITH_OK;
    MDB_val entry = { key->n_text, (void *)(uintptr_t)key->bytes };
    MDB_val value;
    rc = mdb_cursor_get(cursor, &entry, &value, MDB_SET_RANGE);
    while (rc == MDB_SUCCESS && status == KITH_OK && entry.mv_size >= key->n_text &&
           memcmp(entry.mv_data, key->bytes, key->n_text) == 0) {
        /* An entry of another length is of a long source that begins like this one. */
        if (kstore_key_same_text(key, &entry)) {
            status = visit(context, kstore_key_ordinal(&entry), err);
        }
        rc = mdb_cursor_get(cursor, &entry, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (status == KITH_OK && rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
        status = kstore_fail_lmdb(err, rc, environment->path, "cannot read");
    }
    return status;
}

static kith_status stop_at_first(void *context, uint64_t ordinal, kith_error *err)
{
    (void)context;
    (void)ordinal;
    (void)err;
    return KITH_EXISTS;
}

static kith_status has_source(kstore_batch *batch, const kstore_key *key, bool *has,
                              kith_error *err)
{
    kith_status status = each_entry(batch, key, stop_at_first, NULL, err);
    *has = status == KITH_EXISTS;
    return *has ? KITH_OK : status;
}

static kith_status add_to_ledger(kstore_batch *batch, const kstore_key *key,
                                 kith_error *err)
{
    bool known;
    kith_status status = has_source(batch, key, &known, err);
    if (status == KITH_OK) {
        status = put(batch, KSTORE_SOURCES, key->bytes, key->n_bytes, "", 0,
                     MDB_NOOVERWRITE, err);
    }
    if (status == KITH_OK && !known) {
        batch->snapshot.counts.n_sources++;
    }
    return status;
}

static kith_status remove_from_ledger(kstore_batch *batch, const kstore_key *key,
                                      kith_error *err)
{
    bool remains;
    kith_status status = erase(batch, KSTORE_SOURCES, key->bytes, key->n_bytes, err);
    if (status == KITH_OK) {
        status = has_source(batch, key, &remains, err);
    }
    if (status == KITH_OK && !remains) {
        batch->snapshot.counts.n_sources--;
    }
    return status;
}

/* ------------------------------------------------------------------ put */

static kith_status append_row(kstore_batch *batch, const uint16_t *row, kith_error *err)
{
    const kstore_environment *environment = batch->snapshot.environment;
    size_t n_bytes = environment->settings.dim * sizeof(*row);
    size_t stride = environment->vectors.stride;
    kith_status status = kbase_buffer_reserve(&batch->rows, stride, err);
    if (status == KITH_OK) {
        char *to = batch->rows.data + batch->rows.n_bytes;
        memcpy(to, row, n_bytes);
        memset(to + n_bytes, 0, stride - n_bytes);
        batch->rows.n_bytes += stride;
    }
    return status;
}

/* Everything is checked; from here on a failure leaves the batch broken. */
static kith_status put_checked(kstore_batch *batch, const kstore_record *record,
                               const kstore_key *id_key, const uint16_t *row,
                               kith_error *err)
{
    kstore_counts *counts = &batch->snapshot.counts;
    uint64_t ordinal = counts->n_rows;
    /* Before the first change in LMDB: the source may lie in a page that it moves. */
    kstore_key source_key;
    kstore_source_key(&source_key, record->source, ordinal);
    bool is_first = record->passage == 0;
    bool has_ledger = is_first && record->source.n_bytes > 0;

    kith_status status = append_row(batch, row, err);
    if (status == KITH_OK) {
        status = put(batch, KSTORE_RECORDS, &ordinal, sizeof(ordinal), batch->blob.data,
                     batch->blob.n_bytes, MDB_APPEND, err);
    }
    if (status == KITH_OK) {
        status = put(batch, KSTORE_IDS, id_key->bytes, id_key->n_bytes, &ordinal,
                     sizeof(ordinal), MDB_NOOVERWRITE, err);
    }
    if (status == KITH_OK && has_ledger) {
        status = add_to_ledger(batch, &source_key, err);
    }
    if (status != KITH_OK) {
        batch->failed = true;
        return status;
    }
    counts->n_rows++;
    counts->n_records += is_first ? 1 : 0;
    return KITH_OK;
}

kith_status kstore_batch_put(kstore_batch *batch, const kstore_record *record,
                             const uint16_t *row, uint64_t *ordinal, kith_error *err)
{
    kith_status status = check_usable(batch, err);
    if (status != KITH_OK) {
        return status;
    }
    uint64_t next = batch->snapshot.counts.n_rows;
    kbase_buffer_clear(&batch->blob);
    status = kstore_record_encode(record, next, &batch->blob, err);
    if (status != KITH_OK) {
        return status;
    }
    kstore_key key;
    MDB_val value;
    kstore_id_key(&key, record->id, record->passage);
    status =
        kstore_fetch(&batch->snapshot, KSTORE_IDS, key.bytes, key.n_bytes, &value, err);
    if (status == KITH_OK) {
        char shown[KSTORE_SHOWN_BYTES];
        return kbase_fail(err, KITH_EXISTS, "record \"%s\" has passage %u already",
                          kstore_show(record->id, shown), record->passage);
    }
    if (status == KITH_NOT_FOUND) {
        status = put_checked(batch, record, &key, row, err);
    }
    if (status == KITH_OK) {
        *ordinal = next;
    }
    return status;
}

/* ------------------------------------------------------------------ delete */

/* One passage; KITH_NOT_FOUND when it is not there. */
static kith_status delete_passage(kstore_batch *batch, const kstore_key *key,
                                  kith_error *err)
{
    MDB_val value;
    kith_status status = kstore_fetch(&batch->snapshot, KSTORE_IDS, key->bytes,
                                      key->n_bytes, &value, err);
    if (status != KITH_OK) {
        return status;
    }
    uint64_t ordinal;
    status = kstore_read_ordinal(&batch->snapshot, &value, &ordinal, err);
    if (status == KITH_OK) {
        status = erase(batch, KSTORE_IDS, key->bytes, key->n_bytes, err);
    }
    if (status == KITH_OK) {
        status = erase(batch, KSTORE_RECORDS, &ordinal, sizeof(ordinal), err);
    }
    if (status == KITH_OK) {
        status = put(batch, KSTORE_DEAD, &ordinal, sizeof(ordinal), "", 0,
                     MDB_NOOVERWRITE, err);
    }
    return status;
}

kith_status kstore_batch_delete(kstore_batch *batch, kith_text id, uint64_t *n_rows,
                                kith_error *err)
{
    uint64_t first;
    kstore_record record;
    kith_status status = check_usable(batch, err);
    if (status == KITH_OK) {
        status = kstore_find(&batch->snapshot, id, 0, &first, err);
    }
    if (status == KITH_OK) {
        status = kstore_get(&batch->snapshot, first, &record, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    /* Now, because id and record may lie in pages that the first change moves. */
    bool has_ledger = record.source.n_bytes > 0;
    kstore_key key;
    kstore_key source_key;
    kstore_id_key(&key, id, 0);
    kstore_source_key(&source_key, record.source, first);
    *n_rows = 0;
    for (uint32_t i = 0; status == KITH_OK && i < record.n_passages; i++) {
        kstore_key_set_passage(&key, i);
        status = delete_passage(batch, &key, err);
        if (status == KITH_OK) {
            ++*n_rows;
        } else if (status == KITH_NOT_FOUND) {
            status = KITH_OK; /* this batch has not put it yet */
        }
    }
    if (status == KITH_OK && has_ledger) {
        status = remove_from_ledger(batch, &source_key, err);
    }
    if (status != KITH_OK) {
        batch->failed = true;
        return status;
    }
    batch->snapshot.counts.n_records--;
    return KITH_OK;
}

/* ------------------------------------------------------------------ reading back */

kith_status kstore_batch_row(kstore_batch *batch, uint64_t ordinal, uint16_t *row,
                             kith_error *err)
{
    const kstore_snapshot *snapshot = &batch->snapshot;
    size_t stride = snapshot->environment->vectors.stride;
    size_t n_bytes = snapshot->environment->settings.dim * sizeof(*row);
    kith_status status = check_usable(batch, err);
    if (status == KITH_OK && ordinal >= snapshot->counts.n_rows) {
        status = kbase_fail(err, KITH_INVALID, "there is no row %llu",
                            (unsigned long long)ordinal);
    }
    if (status != KITH_OK) {
        return status;
    }
    if (ordinal >= snapshot->n_file_rows) {
        uint64_t i = ordinal - snapshot->n_file_rows;
        memcpy(row, batch->rows.data + i * stride, n_bytes);
        return KITH_OK;
    }
    /* Through its block's checksum, because a damaged row that is copied would get a
     * new one. Rows that are asked for in order share the work. */
    uint64_t block = ordinal / KSTORE_BLOCK_ROWS;
    if (block != batch->block_number) {
        batch->block_number = NO_BLOCK;
        status = kstore_read_block(snapshot, block, &batch->block, err);
    }
    if (status == KITH_OK) {
        batch->block_number = block;
        memcpy(row, batch->block.data + ordinal % KSTORE_BLOCK_ROWS * stride, n_bytes);
    }
    return status;
}

typedef struct id_list {
    kstore_batch *batch;
    kith_text source;
    kbase_buffer ids; /* length (size_t), bytes, and so on */
} id_list;

static kith_status collect_id(void *context, uint64_t ordinal, kith_error *err)
{
    id_list *list = context;
    kstore_record record;
    kith_status status = kstore_get(&list->batch->snapshot, ordinal, &record, err);
    if (status != KITH_OK || !kstore_same_text(record.source, list->source)) {
        return status;
    }
    status = kbase_buffer_append(&list->ids, &record.id.n_bytes,
                                 sizeof(record.id.n_bytes), err);
    if (status == KITH_OK) {
        status =
            kbase_buffer_append(&list->ids, record.id.data, record.id.n_bytes, err);
    }
    return status;
}

kith_status kstore_batch_each_of_source(kstore_batch *batch, kith_text source,
                                        kith_status (*visit)(void *context,
                                                             kith_text id,
                                                             kith_error *err),
                                        void *context, kith_error *err)
{
    id_list list = { batch, source, KBASE_BUFFER_INIT };
    kstore_key key;
    kstore_source_key(&key, source, 0);
    kith_status status = check_usable(batch, err);
    if (status == KITH_OK) {
        status = each_entry(batch, &key, collect_id, &list, err);
    }
    for (size_t at = 0; status == KITH_OK && at < list.ids.n_bytes;) {
        kith_text id;
        memcpy(&id.n_bytes, list.ids.data + at, sizeof(id.n_bytes));
        id.data = list.ids.data + at + sizeof(id.n_bytes);
        at += sizeof(id.n_bytes) + id.n_bytes;
        status = visit(context, id, err);
    }
    kbase_buffer_free(&list.ids);
    return status;
}

kith_status kstore_batch_set_derived(kstore_batch *batch, kstore_derived_kind kind,
                                     const char *name, kith_error *err)
{
    const char *key = kstore_derived_keys[kind];
    kith_status status = check_usable(batch, err);
    if (status != KITH_OK) {
        return status;
    }
    size_t n = strlen(name);
    if (n >= KSTORE_DERIVED_BYTES) {
        return kbase_fail(err, KITH_INVALID, "a file name of %zu bytes, at most %d fit",
                          n, KSTORE_DERIVED_BYTES - 1);
    }
    unsigned char value[KSTORE_DERIVED_NAME_AT + KSTORE_DERIVED_BYTES];
    kstore_save64(value, kbase_hash64(name, n));
    memcpy(value + KSTORE_DERIVED_NAME_AT, name, n);
    return put(batch, KSTORE_META, key, strlen(key), value, KSTORE_DERIVED_NAME_AT + n,
               0, err);
}

/* ------------------------------------------------------------------ commit */

/* The checksums of the blocks that the new rows are in. The first of them may have
 * committed rows: they are checked, so that no damage gets a new checksum. */
static kith_status put_checksums(kstore_batch *batch, kith_error *err)
{
    const kstore_snapshot *snapshot = &batch->snapshot;
    size_t block_bytes = KSTORE_BLOCK_ROWS * snapshot->environment->vectors.stride;
    uint64_t block = snapshot->n_file_rows / KSTORE_BLOCK_ROWS;
    kith_status status = KITH_OK;
    batch->block_number = NO_BLOCK;
    kbase_buffer_clear(&batch->block);
    if (snapshot->n_file_rows % KSTORE_BLOCK_ROWS != 0) {
        status = kstore_read_block(snapshot, block, &batch->block, err);
    }
    for (size_t at = 0; status == KITH_OK && at < batch->rows.n_bytes; block++) {
        size_t n = batch->rows.n_bytes - at;
        size_t room = block_bytes - batch->block.n_bytes;
        n = n < room ? n : room;
        status = kbase_buffer_append(&batch->block, batch->rows.data + at, n, err);
        if (status == KITH_OK) {
            uint64_t checksum = kbase_hash64(batch->block.data, batch->block.n_bytes);
            status = put(batch, KSTORE_BLOCKS, &block, sizeof(block), &checksum,
                         sizeof(checksum), 0, err);
        }
        kbase_buffer_clear(&batch->block);
        at += n;
    }
    return status;
}

static kith_status write_rows(kstore_batch *batch, bool *write_failed, kith_error *err)
{
    const kstore_snapshot *snapshot = &batch->snapshot;
    const kstore_vector_file *vectors = &snapshot->environment->vectors;
    kith_status status = put_checksums(batch, err);
    if (status == KITH_OK) {
        status = kstore_vectors_write(vectors, snapshot->n_file_rows, batch->rows.data,
                                      batch->rows.n_bytes, err);
    }
    if (status == KITH_OK) {
        status = kbase_file_sync(&vectors->file, err);
        /* After a flush that failed a second one may succeed and prove nothing. */
        *write_failed = status != KITH_OK;
    }
    return status;
}

kith_status kstore_batch_commit(kstore_batch *batch, kith_error *err)
{
    kstore_environment *environment = batch->snapshot.environment;
    bool write_failed = false;
    kith_status status = check_usable(batch, err);
    if (status == KITH_OK && batch->changed && batch->rows.n_bytes > 0) {
        status = write_rows(batch, &write_failed, err);
    }
    if (status == KITH_OK && batch->changed) {
        status = kstore_counts_put(&batch->snapshot, err);
    }
    if (status == KITH_OK && batch->changed) {
        status = kstore_txn_commit(environment, batch->snapshot.txn, err);
        batch->snapshot.txn = NULL;
        write_failed = status == KITH_IO;
    }
    if (write_failed) {
        release(environment, true);
    }
    kstore_batch_abort(batch);
    return status;
}
