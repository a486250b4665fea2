/* Reading: one LMDB read transaction a snapshot. */
#include "store_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checksum.h"
#include "error.h"

/* ------------------------------------------------------------------ helpers */

kith_status kstore_fetch(const kstore_snapshot *snapshot, kstore_db db, const void *key,
                         size_t n_key, MDB_val *value, kith_error *err)
{
    const kstore_environment *environment = snapshot->environment;
    MDB_val wanted = { n_key, (void *)(uintptr_t)key };
    int rc = mdb_get(snapshot->txn, environment->db[db], &wanted, value);
    if (rc == MDB_NOTFOUND) {
        return KITH_NOT_FOUND;
    }
    if (rc != MDB_SUCCESS) {
        return kstore_fail_lmdb(err, rc, environment->path, "cannot read");
    }
    return KITH_OK;
}

kith_status kstore_store(const kstore_snapshot *snapshot, kstore_db db, const void *key,
                         size_t n_key, const void *data, size_t n_data, unsigned flags,
                         kith_error *err)
{
    const kstore_environment *environment = snapshot->environment;
    MDB_val k = { n_key, (void *)(uintptr_t)key };
    MDB_val v = { n_data, (void *)(uintptr_t)data };
    int rc = mdb_put(snapshot->txn, environment->db[db], &k, &v, flags);
    if (rc != MDB_SUCCESS) {
        return kstore_fail_lmdb(err, rc, environment->path, "cannot write to");
    }
    return KITH_OK;
}

uint64_t kstore_n_entries(const kstore_snapshot *snapshot, kstore_db db)
{
    MDB_stat stat;
    int rc = mdb_stat(snapshot->txn, snapshot->environment->db[db], &stat);
    return rc == MDB_SUCCESS ? stat.ms_entries : 0;
}

/* ------------------------------------------------------------------ counts */

#define COUNTS_KEY "counts"
#define N_ROWS_AT 0
#define N_RECORDS_AT 8
#define N_SOURCES_AT 16
#define TRANSACTION_AT 24
#define COUNTS_CHECKSUM_AT 32
#define COUNTS_BYTES 40

kith_status kstore_counts_put(const kstore_snapshot *snapshot, kith_error *err)
{
    unsigned char bytes[COUNTS_BYTES];
    kstore_save64(bytes + N_ROWS_AT, snapshot->counts.n_rows);
    kstore_save64(bytes + N_RECORDS_AT, snapshot->counts.n_records);
    kstore_save64(bytes + N_SOURCES_AT, snapshot->counts.n_sources);
    kstore_save64(bytes + TRANSACTION_AT, mdb_txn_id(snapshot->txn));
    kstore_save64(bytes + COUNTS_CHECKSUM_AT, kbase_hash64(bytes, COUNTS_CHECKSUM_AT));
    return kstore_store(snapshot, KSTORE_META, COUNTS_KEY, sizeof(COUNTS_KEY) - 1,
                        bytes, sizeof(bytes), 0, err);
}

kith_status kstore_snapshot_load(kstore_snapshot *snapshot, kith_error *err)
{
    const kstore_environment *environment = snapshot->environment;
    kstore_counts *counts = &snapshot->counts;
    MDB_val value = { 0, NULL };
    kith_status status = kstore_fetch(snapshot, KSTORE_META, COUNTS_KEY,
                                      sizeof(COUNTS_KEY) - 1, &value, err);
    if (status != KITH_OK && status != KITH_NOT_FOUND) {
        return status;
    }
    const unsigned char *bytes = value.mv_data;
    bool good = value.mv_size == COUNTS_BYTES &&
                kstore_load64(bytes + COUNTS_CHECKSUM_AT) ==
                    kbase_hash64(bytes, COUNTS_CHECKSUM_AT);
    if (good) {
        counts->n_rows = kstore_load64(bytes + N_ROWS_AT);
        counts->n_records = kstore_load64(bytes + N_RECORDS_AT);
        counts->n_sources = kstore_load64(bytes + N_SOURCES_AT);
        counts->transaction = kstore_load64(bytes + TRANSACTION_AT);
        uint64_t n_passages = kstore_n_entries(snapshot, KSTORE_RECORDS);
        uint64_t n_dead = kstore_n_entries(snapshot, KSTORE_DEAD);
        good = n_passages <= counts->n_rows && n_dead == counts->n_rows - n_passages &&
               counts->n_records <= n_passages &&
               counts->n_sources <= counts->n_records;
    }
    if (!good) {
        return kbase_fail(err, KITH_CORRUPT,
                          "%s: the counts are damaged; restore it from a backup",
                          environment->path);
    }
    snapshot->n_file_rows = counts->n_rows;
    return kstore_vectors_check_size(&environment->vectors, counts->n_rows, err);
}

/* ------------------------------------------------------------------ life */

static kith_status begin_once(kstore_environment *environment,
                              kstore_snapshot **snapshot, kith_error *err)
{
    kstore_snapshot *made = kbase_calloc(1, sizeof(*made));
    if (made == NULL) {
        return kbase_fail_memory(err, sizeof(*made));
    }
    made->environment = environment;
    kith_status status = kstore_txn_begin(environment, false, &made->txn, err);
    if (status != KITH_OK) {
        free(made);
        return status;
    }
    status = kstore_check_not_cut(environment, err);
    if (status == KITH_OK) {
        status = kstore_snapshot_load(made, err);
    }
    if (status != KITH_OK) {
        kstore_snapshot_end(made);
        return status;
    }
    *snapshot = made;
    return KITH_OK;
}

/* LMDB 0.9 reads the number of the last commit and then, by its parity, one of two meta
 * pages. A thread that loses the processor in between may find the state of a later
 * commit there, perhaps one that is not announced yet: the next snapshot would go back
 * in time. Our own number in the state tells. When the two differ a second time in the
 * same way, it is another program that has written or copied the file, and nothing is
 * wrong. */
kith_status kstore_snapshot_begin(kstore *store, kstore_snapshot **snapshot,
                                  kith_error *err)
{
    uint64_t announced = 0;
    uint64_t found = 0;
    for (;;) {
        kith_status status = begin_once(store->environment, snapshot, err);
        if (status != KITH_OK) {
            return status;
        }
        uint64_t now = kstore_transaction(*snapshot);
        uint64_t written = (*snapshot)->counts.transaction;
        if (written == now || (now == announced && written == found)) {
            return KITH_OK;
        }
        announced = now;
        found = written;
        kstore_snapshot_end(*snapshot);
    }
}

void kstore_snapshot_end(kstore_snapshot *snapshot)
{
    if (snapshot == NULL) {
        return;
    }
    /* In a child of fork() the reader's slot is the parent's. */
    if (snapshot->environment->pid == getpid()) {
        kstore_txn_abort(snapshot->environment, snapshot->txn);
    }
    free(snapshot);
}

uint64_t kstore_transaction(const kstore_snapshot *snapshot)
{
    return mdb_txn_id(snapshot->txn);
}

uint64_t kstore_n_rows(const kstore_snapshot *snapshot)
{
    return snapshot->counts.n_rows;
}

uint64_t kstore_n_passages(const kstore_snapshot *snapshot)
{
    return kstore_n_entries(snapshot, KSTORE_RECORDS);
}

uint64_t kstore_n_records(const kstore_snapshot *snapshot)
{
    return snapshot->counts.n_records;
}

kith_status kstore_n_sources(const kstore_snapshot *snapshot, uint64_t *n,
                             kith_error *err)
{
    (void)err;
    *n = snapshot->counts.n_sources;
    return KITH_OK;
}

/* ------------------------------------------------------------------ reading */

kith_status kstore_read_dead(const kstore_snapshot *snapshot, uint64_t *bits,
                             kith_error *err)
{
    const kstore_environment *environment = snapshot->environment;
    kith_status status = kstore_check_process(environment, err);
    if (status != KITH_OK) {
        return status;
    }
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(snapshot->txn, environment->db[KSTORE_DEAD], &cursor);
    if (rc != MDB_SUCCESS) {
        return kstore_fail_lmdb(err, rc, environment->path, "cannot read");
    }
    MDB_val key;
    MDB_val value;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        uint64_t row =
            key.mv_size == sizeof(row) ? kstore_load64(key.mv_data) : UINT64_MAX;
        if (row >= snapshot->counts.n_rows) {
            rc = MDB_CORRUPTED;
            break;
        }
        bits[row / 64] |= (uint64_t)1 << (row % 64);
    }
    mdb_cursor_close(cursor);
    if (rc != MDB_NOTFOUND) {
        return kstore_fail_lmdb(err, rc, environment->path, "cannot read");
    }
    return KITH_OK;
}

kith_status kstore_get(const kstore_snapshot *snapshot, uint64_t ordinal,
                       kstore_record *record, kith_error *err)
{
    MDB_val value;
    kith_status status = kstore_check_process(snapshot->environment, err);
    if (status == KITH_OK) {
        status = kstore_fetch(snapshot, KSTORE_RECORDS, &ordinal, sizeof(ordinal),
                              &value, err);
    }
    if (status == KITH_OK) {
        return kstore_record_decode(&value, ordinal, record, err);
    }
    if (status == KITH_NOT_FOUND && ordinal < snapshot->counts.n_rows) {
        status =
            kstore_fetch(snapshot, KSTORE_DEAD, &ordinal, sizeof(ordinal), &value, err);
        if (status == KITH_NOT_FOUND) {
            return kbase_fail(
                err, KITH_CORRUPT,
                "%s: the record of row %llu is missing; restore it from a "
                "backup",
                snapshot->environment->path, (unsigned long long)ordinal);
        }
        status = status == KITH_OK ? KITH_NOT_FOUND : status;
    }
    if (status == KITH_NOT_FOUND) {
        return kbase_fail(err, status, "no record has row %llu",
                          (unsigned long long)ordinal);
    }
    return status;
}

kith_status kstore_read_ordinal(const kstore_snapshot *snapshot, const MDB_val *value,
                                uint64_t *ordinal, kith_error *err)
{
    if (value->mv_size != sizeof(*ordinal)) {
        return kstore_fail_lmdb(err, MDB_CORRUPTED, snapshot->environment->path,
                                "cannot read");
    }
    *ordinal = kstore_load64(value->mv_data);
    return KITH_OK;
}

kith_status kstore_find(const kstore_snapshot *snapshot, kith_text id, uint32_t passage,
                        uint64_t *ordinal, kith_error *err)
{
    kstore_key key;
    kstore_id_key(&key, id, passage);
    MDB_val value;
    kith_status status = kstore_check_process(snapshot->environment, err);
    if (status == KITH_OK) {
        status =
            kstore_fetch(snapshot, KSTORE_IDS, key.bytes, key.n_bytes, &value, err);
    }
    uint64_t row = 0;
    if (status == KITH_OK) {
        status = kstore_read_ordinal(snapshot, &value, &row, err);
    }
    if (status == KITH_OK && kstore_key_is_hashed(&key)) {
        kstore_record record;
        status = kstore_get(snapshot, row, &record, err);
        if (status == KITH_OK && !kstore_same_text(record.id, id)) {
            status = KITH_NOT_FOUND;
        }
    }
    if (status == KITH_OK) {
        *ordinal = row;
    } else if (status == KITH_NOT_FOUND) {
        char shown[KSTORE_SHOWN_BYTES];
        return kbase_fail(err, status, "no record \"%s\" with passage %u",
                          kstore_show(id, shown), passage);
    }
    return status;
}

kith_status kstore_next(const kstore_snapshot *snapshot, const kith_text *id,
                        uint32_t passage, uint64_t *ordinal, kith_error *err)
{
    const kstore_environment *environment = snapshot->environment;
    kith_status status = kstore_check_process(environment, err);
    if (status != KITH_OK) {
        return status;
    }
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(snapshot->txn, environment->db[KSTORE_IDS], &cursor);
    if (rc != MDB_SUCCESS) {
        return kstore_fail_lmdb(err, rc, environment->path, "cannot read");
    }
    MDB_val found = { 0, NULL };
    MDB_val value;
    if (id == NULL) {
        rc = mdb_cursor_get(cursor, &found, &value, MDB_FIRST);
    } else {
        kstore_key key;
        kstore_id_key(&key, *id, passage);
        found = (MDB_val){ key.n_bytes, key.bytes };
        rc = mdb_cursor_get(cursor, &found, &value, MDB_SET_RANGE);
        if (rc == MDB_SUCCESS && found.mv_size == key.n_bytes &&
            memcmp(found.mv_data, key.bytes, key.n_bytes) == 0) {
            rc = mdb_cursor_get(cursor, &found, &value, MDB_NEXT);
        }
    }
    if (rc == MDB_SUCCESS) {
        status = kstore_read_ordinal(snapshot, &value, ordinal, err);
    } else if (rc == MDB_NOTFOUND) {
        status = kbase_fail(err, KITH_NOT_FOUND, "there are no further records");
    } else {
        status = kstore_fail_lmdb(err, rc, environment->path, "cannot read");
    }
    mdb_cursor_close(cursor);
    return status;
}

kith_status kstore_read_block(const kstore_snapshot *snapshot, uint64_t block,
                              kbase_buffer *rows, kith_error *err)
{
    const kstore_vector_file *vectors = &snapshot->environment->vectors;
    uint64_t first = block * KSTORE_BLOCK_ROWS;
    uint64_t n_rows = snapshot->n_file_rows - first;
    n_rows = n_rows < KSTORE_BLOCK_ROWS ? n_rows : KSTORE_BLOCK_ROWS;
    size_t n_bytes = (size_t)n_rows * vectors->stride;
    MDB_val value;
    kbase_buffer_clear(rows);
    kith_status status = kbase_buffer_reserve(rows, n_bytes, err);
    if (status == KITH_OK) {
        status = kstore_vectors_read(vectors, first, rows->data, n_bytes, err);
    }
    if (status == KITH_OK) {
        status =
            kstore_fetch(snapshot, KSTORE_BLOCKS, &block, sizeof(block), &value, err);
    }
    if (status == KITH_NOT_FOUND ||
        (status == KITH_OK &&
         (value.mv_size != sizeof(uint64_t) ||
          kstore_load64(value.mv_data) != kbase_hash64(rows->data, n_bytes)))) {
        return kbase_fail(
            err, KITH_CORRUPT,
            "%s: rows %llu to %llu do not have their checksum; restore it "
            "from a backup",
            vectors->file.path, (unsigned long long)first,
            (unsigned long long)(first + n_rows - 1));
    }
    if (status == KITH_OK) {
        rows->n_bytes = n_bytes;
    }
    return status;
}

const char *const kstore_derived_keys[KSTORE_N_DERIVED] = {
    [KSTORE_DERIVED_ANN] = "ann",
    [KSTORE_DERIVED_CODES] = "codes",
    [KSTORE_DERIVED_FIELDS] = "fields",
};

kith_status kstore_get_derived(const kstore_snapshot *snapshot,
                               kstore_derived_kind kind,
                               char name[KSTORE_DERIVED_BYTES], kith_error *err)
{
    const char *key = kstore_derived_keys[kind];
    MDB_val value;
    kith_status status = kstore_check_process(snapshot->environment, err);
    if (status == KITH_OK) {
        status = kstore_fetch(snapshot, KSTORE_META, key, strlen(key), &value, err);
    }
    name[0] = '\0';
    if (status == KITH_NOT_FOUND) {
        return KITH_OK;
    }
    if (status != KITH_OK) {
        return status;
    }
    const unsigned char *bytes = value.mv_data;
    size_t n = value.mv_size - KSTORE_DERIVED_NAME_AT;
    if (value.mv_size < KSTORE_DERIVED_NAME_AT || n >= KSTORE_DERIVED_BYTES ||
        kstore_load64(bytes) != kbase_hash64(bytes + KSTORE_DERIVED_NAME_AT, n)) {
        return kbase_fail(
            err, KITH_CORRUPT,
            "%s: the name of a derived file (%s) is damaged; restore it from a "
            "backup",
            snapshot->environment->path, key);
    }
    memcpy(name, bytes + KSTORE_DERIVED_NAME_AT, n);
    name[n] = '\0';
    return KITH_OK;
}
