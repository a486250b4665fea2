/* Is everything as it was written, and do the databases agree? */
#include "store_internal.h"

#include <string.h>

#include "error.h"

static kith_status fail_disagreement(const kstore_snapshot *snapshot, const char *what,
                                     kith_error *err)
{
    return kbase_fail(err, KITH_CORRUPT,
                      "%s contradicts itself: %s; restore it from a backup",
                      snapshot->environment->path, what);
}

static kith_status verify_vectors(const kstore_snapshot *snapshot, kith_error *err)
{
    uint64_t n_blocks =
        (snapshot->n_file_rows + KSTORE_BLOCK_ROWS - 1) / KSTORE_BLOCK_ROWS;
    kbase_buffer rows = KBASE_BUFFER_INIT;
    kith_status status = KITH_OK;
    if (kstore_n_entries(snapshot, KSTORE_BLOCKS) != n_blocks) {
        status = fail_disagreement(snapshot, "number of vector blocks", err);
    }
    for (uint64_t i = 0; status == KITH_OK && i < n_blocks; i++) {
        status = kstore_read_block(snapshot, i, &rows, err);
    }
    kbase_buffer_free(&rows);
    return status;
}

/* ------------------------------------------------------------------ databases */

typedef struct tally {
    const kstore_snapshot *snapshot;
    uint64_t n_records;
    uint64_t n_with_source;
    uint64_t n_sources;
    kbase_buffer last_source; /* the text part of the ledger's last key */
} tally;

/* A search for the key arrives at the entry: a damaged page above it may lead
 * elsewhere. */
static kith_status verify_path(const kstore_snapshot *snapshot, kstore_db db,
                               const MDB_val *key, const MDB_val *value,
                               kith_error *err)
{
    uint64_t copy[64]; /* 511 bytes is LMDB's limit; whole numbers must be aligned */
    MDB_val found = { 0, NULL };
    kith_status status = KITH_NOT_FOUND;
    if (key->mv_size <= sizeof(copy)) {
        memcpy(copy, key->mv_data, key->mv_size);
        status = kstore_fetch(snapshot, db, copy, key->mv_size, &found, err);
    }
    if (status == KITH_NOT_FOUND ||
        (status == KITH_OK && found.mv_data != value->mv_data)) {
        return fail_disagreement(snapshot, "an entry that cannot be found", err);
    }
    return status;
}

/* Call visit for each entry of a database, and compare their number with LMDB's. */
static kith_status each(tally *sum, kstore_db db,
                        kith_status (*visit)(tally *sum, const MDB_val *key,
                                             const MDB_val *value, kith_error *err),
                        kith_error *err)
{
    const kstore_environment *environment = sum->snapshot->environment;
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(sum->snapshot->txn, environment->db[db], &cursor);
    if (rc != MDB_SUCCESS) {
        return kstore_fail_lmdb(err, rc, environment->path, "cannot read");
    }
    kith_status status = KITH_OK;
    uint64_t n = 0;
    MDB_val key;
    MDB_val value;
    while (status == KITH_OK &&
           (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        status = verify_path(sum->snapshot, db, &key, &value, err);
        if (status == KITH_OK) {
            status = visit(sum, &key, &value, err);
        }
        n++;
    }
    mdb_cursor_close(cursor);
    if (status == KITH_OK && rc != MDB_NOTFOUND) {
        status = kstore_fail_lmdb(err, rc, environment->path, "cannot read");
    }
    if (status == KITH_OK && n != kstore_n_entries(sum->snapshot, db)) {
        status = fail_disagreement(sum->snapshot, "number of entries", err);
    }
    return status;
}

/* An absent key contradicts what named it. */
static kith_status expect(const kstore_snapshot *snapshot, kstore_db db,
                          const kstore_key *key, MDB_val *value, kith_error *err)
{
    kith_status status =
        kstore_fetch(snapshot, db, key->bytes, key->n_bytes, value, err);
    if (status == KITH_NOT_FOUND) {
        return fail_disagreement(snapshot, "a record that no key leads to", err);
    }
    return status;
}

static kith_status verify_first_passage(tally *sum, const kstore_record *record,
                                        uint64_t ordinal, kith_error *err)
{
    kith_status status = KITH_OK;
    kstore_key key;
    MDB_val value;
    sum->n_records++;
    kstore_id_key(&key, record->id, 0);
    for (uint32_t i = 1; status == KITH_OK && i < record->n_passages; i++) {
        kstore_key_set_passage(&key, i);
        status = expect(sum->snapshot, KSTORE_IDS, &key, &value, err);
    }
    if (status == KITH_OK && record->source.n_bytes > 0) {
        sum->n_with_source++;
        kstore_source_key(&key, record->source, ordinal);
        status = expect(sum->snapshot, KSTORE_SOURCES, &key, &value, err);
    }
    return status;
}

static kith_status verify_record(tally *sum, const MDB_val *key, const MDB_val *value,
                                 kith_error *err)
{
    const kstore_snapshot *snapshot = sum->snapshot;
    uint64_t ordinal;
    kith_status status = kstore_read_ordinal(snapshot, key, &ordinal, err);
    if (status == KITH_OK && ordinal >= snapshot->counts.n_rows) {
        status = fail_disagreement(snapshot, "a record without a row", err);
    }
    kstore_record record;
    if (status == KITH_OK) {
        status = kstore_record_decode(value, ordinal, &record, err);
    }
    kstore_key id_key;
    MDB_val found;
    if (status == KITH_OK) {
        kstore_id_key(&id_key, record.id, record.passage);
        status = expect(snapshot, KSTORE_IDS, &id_key, &found, err);
    }
    uint64_t named;
    if (status == KITH_OK) {
        status = kstore_read_ordinal(snapshot, &found, &named, err);
    }
    if (status == KITH_OK && named != ordinal) {
        status = fail_disagreement(snapshot, "a key that leads to another record", err);
    }
    if (status == KITH_OK && record.passage == 0) {
        status = verify_first_passage(sum, &record, ordinal, err);
    }
    return status;
}

static kith_status verify_dead(tally *sum, const MDB_val *key, const MDB_val *value,
                               kith_error *err)
{
    (void)value;
    const kstore_snapshot *snapshot = sum->snapshot;
    uint64_t ordinal;
    MDB_val record;
    kith_status status = kstore_read_ordinal(snapshot, key, &ordinal, err);
    if (status != KITH_OK) {
        return status;
    }
    status =
        kstore_fetch(snapshot, KSTORE_RECORDS, &ordinal, sizeof(ordinal), &record, err);
    if (status == KITH_OK || ordinal >= snapshot->counts.n_rows) {
        return fail_disagreement(snapshot, "a deleted row that is none", err);
    }
    return status == KITH_NOT_FOUND ? KITH_OK : status;
}

static kith_status count_source(tally *sum, const MDB_val *key, const MDB_val *value,
                                kith_error *err)
{
    (void)value;
    if (key->mv_size <= sizeof(uint64_t)) {
        return fail_disagreement(sum->snapshot, "a source without a name", err);
    }
    kith_text source = { key->mv_data, key->mv_size - sizeof(uint64_t) };
    kith_text last = { sum->last_source.data, sum->last_source.n_bytes };
    if (kstore_same_text(source, last)) {
        return KITH_OK;
    }
    sum->n_sources++;
    kbase_buffer_clear(&sum->last_source);
    return kbase_buffer_append(&sum->last_source, source.data, source.n_bytes, err);
}

/* Every record has found its own key: as many keys as records are all of them. */
static kith_status verify_id(tally *sum, const MDB_val *key, const MDB_val *value,
                             kith_error *err)
{
    (void)key;
    uint64_t ordinal;
    return kstore_read_ordinal(sum->snapshot, value, &ordinal, err);
}

static kith_status compare_counts(const tally *sum, kith_error *err)
{
    const kstore_snapshot *snapshot = sum->snapshot;
    if (sum->n_records != snapshot->counts.n_records) {
        return fail_disagreement(snapshot, "number of records", err);
    }
    if (kstore_n_entries(snapshot, KSTORE_IDS) !=
        kstore_n_entries(snapshot, KSTORE_RECORDS)) {
        return fail_disagreement(snapshot, "number of ids", err);
    }
    if (sum->n_sources != snapshot->counts.n_sources ||
        kstore_n_entries(snapshot, KSTORE_SOURCES) != sum->n_with_source) {
        return fail_disagreement(snapshot, "number of sources", err);
    }
    return KITH_OK;
}

kith_status kstore_verify(const kstore_snapshot *snapshot, kith_error *err)
{
    tally sum = { .snapshot = snapshot, .last_source = KBASE_BUFFER_INIT };
    /* First, because LMDB trusts the pages that it reads. */
    kith_status status = kstore_check_newest(snapshot->environment, true, err);
    if (status == KITH_OK) {
        status = verify_vectors(snapshot, err);
    }
    if (status == KITH_OK) {
        status = each(&sum, KSTORE_RECORDS, verify_record, err);
    }
    if (status == KITH_OK) {
        status = each(&sum, KSTORE_IDS, verify_id, err);
    }
    if (status == KITH_OK) {
        status = each(&sum, KSTORE_DEAD, verify_dead, err);
    }
    if (status == KITH_OK) {
        status = each(&sum, KSTORE_SOURCES, count_source, err);
    }
    if (status == KITH_OK) {
        status = compare_counts(&sum, err);
    }
    char derived[KSTORE_DERIVED_BYTES];
    for (kstore_derived_kind kind = 0; kind < KSTORE_N_DERIVED && status == KITH_OK;
         kind++) {
        status = kstore_get_derived(snapshot, kind, derived, err);
    }
    kbase_buffer_free(&sum.last_source);
    return status;
}
