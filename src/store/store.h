/* The durable half of a collection: records in LMDB, vectors in a file beside it.
 *
 * A generation folder holds data.mdb (+ lock.mdb) and vectors. LMDB's commit is the
 * point at which anything exists: rows of the vector file beyond the committed count do
 * not. docs/format.md gives the bytes. */
#ifndef KSTORE_STORE_H
#define KSTORE_STORE_H

#include "file.h"
#include "kith.h"
#include "memory.h"

typedef struct kstore kstore;

#define KSTORE_FINGERPRINT_BYTES 33 /* 32 hex digits and NUL */
#define KSTORE_DIM_MAX 65536

/* What a collection was made with; written once, when it is created. Name and
 * fingerprint are empty, and precision 0, when its vectors come from outside. */
typedef struct kstore_settings {
    char model[65];
    char fingerprint[KSTORE_FINGERPRINT_BYTES];
    uint32_t dim;
    uint32_t precision; /* kith_precision */
} kstore_settings;

/* Make the generation folder's files (the folder exists and is empty), synced. A
 * failure leaves none behind. KITH_EXISTS; KITH_INVALID (settings). */
kith_status kstore_create(const char *dir, const kstore_settings *settings,
                          kith_error *err);

/* Open a generation. Checks version, settings, that data.mdb and vectors belong
 * together, and that they are as long as they must be (a truncated file is
 * KITH_CORRUPT, never SIGBUS). Environments are shared process-wide by (device, inode).
 * A file system that LMDB does not work on (NFS and the like) is KITH_UNSUPPORTED.
 * After fork() a child gets KITH_INVALID from every use of a handle, snapshot or batch;
 * releasing one is harmless. */
kith_status kstore_open(const char *dir, bool read_only, kstore **store,
                        kith_error *err);
void kstore_close(kstore *store);
const kstore_settings *kstore_get_settings(const kstore *store);

/* ------------------------------------------------------------------ records */

#define KSTORE_TEXT_MAX 4096 /* bytes of an id or a source */

/* A stored passage. When read, pointers go into the snapshot and live as long as it. */
typedef struct kstore_record {
    kith_text id;
    uint32_t passage;
    uint32_t n_passages;
    kith_text text;
    kith_text title;
    kith_text metadata;
    kith_text source;
    uint64_t byte[2];
    uint64_t line[2];
    uint64_t text_hash[2];   /* XXH3-128 of what was encoded, or of a row that was
                                given: decides encoding */
    uint64_t record_hash[2]; /* XXH3-128 of the whole record as it was given: decides
                                rewriting; the same in each of its passages */
} kstore_record;

/* ------------------------------------------------------------------ reading */

/* One consistent state. Hold it briefly: never across a callback or network write. Each
 * thread begins its own; one snapshot is used by one thread at a time. */
typedef struct kstore_snapshot kstore_snapshot;

kith_status kstore_snapshot_begin(kstore *store, kstore_snapshot **snapshot,
                                  kith_error *err);
void kstore_snapshot_end(kstore_snapshot *snapshot);

/* LMDB's number: equal numbers, equal states; a later snapshot has no lower one. */
uint64_t kstore_transaction(const kstore_snapshot *snapshot);
uint64_t kstore_n_rows(const kstore_snapshot *snapshot);     /* dead ones included */
uint64_t kstore_n_passages(const kstore_snapshot *snapshot); /* live rows */
uint64_t kstore_n_records(const kstore_snapshot *snapshot);  /* live */
kith_status kstore_n_sources(const kstore_snapshot *snapshot, uint64_t *n,
                             kith_error *err);

/* Set bit i of `bits` ((n_rows + 63) / 64 words, zeroed by the caller) for each deleted
 * row. */
kith_status kstore_read_dead(const kstore_snapshot *snapshot, uint64_t *bits,
                             kith_error *err);

/* The passage at a row; its checksum is verified. KITH_NOT_FOUND (dead row),
 * KITH_CORRUPT. */
kith_status kstore_get(const kstore_snapshot *snapshot, uint64_t ordinal,
                       kstore_record *record, kith_error *err);
/* The row of (id, passage). Ids longer than 255 bytes are compared in full.
 * KITH_NOT_FOUND. */
kith_status kstore_find(const kstore_snapshot *snapshot, kith_text id, uint32_t passage,
                        uint64_t *ordinal, kith_error *err);

/* The row of the smallest (id, passage) after the given one (id NULL: the first), which
 * need not exist. The order: ids by their bytes, a shorter one before those that it
 * begins; the passages of each by number. Ids longer than 255 bytes (a NUL counts
 * twice) come by their first 255 bytes, then by a hash. KITH_NOT_FOUND at the end. */
kith_status kstore_next(const kstore_snapshot *snapshot, const kith_text *id,
                        uint32_t passage, uint64_t *ordinal, kith_error *err);

#define KSTORE_DERIVED_BYTES 64

/* What can be made anew from the store, each in a file of its own below derived/. */
typedef enum kstore_derived_kind {
    KSTORE_DERIVED_ANN,    /* the approximate index */
    KSTORE_DERIVED_CODES,  /* the rows in int8 */
    KSTORE_DERIVED_FIELDS, /* postings of the metadata */
    KSTORE_N_DERIVED
} kstore_derived_kind;

/* The name of the current file of a kind below derived/ ("" when there is none). */
kith_status kstore_get_derived(const kstore_snapshot *snapshot,
                               kstore_derived_kind kind,
                               char name[KSTORE_DERIVED_BYTES], kith_error *err);

/* The committed vectors: f16 rows, mapped read-only. Maps are shared by all handles of
 * a generation and kept until the last one is closed, so that a pointer stays valid. */
typedef struct kstore_vectors {
    const uint16_t *data; /* row 0 */
    size_t stride;        /* in f16 numbers */
    uint64_t n_rows;
} kstore_vectors;

kith_status kstore_map_vectors(const kstore_snapshot *snapshot, kstore_vectors *vectors,
                               kith_error *err);

/* Read everything: LMDB's pages, before LMDB does, so that damage does not crash it;
 * the vectors against their block checksums; each record against its own; the databases
 * against each other. KITH_CORRUPT names the first thing wrong. */
kith_status kstore_verify(const kstore_snapshot *snapshot, kith_error *err);

/* ------------------------------------------------------------------ writing */

/* One write transaction, of one thread. The caller makes sure that there is one writer
 * (kstore_lock_try); LMDB's own lock backs that. */
typedef struct kstore_batch kstore_batch;

/* KITH_INVALID (read-only); KITH_BUSY (a batch of this process is open); KITH_IO (a
 * flush failed since the generation was opened: close it and open it again). */
kith_status kstore_batch_begin(kstore *store, kstore_batch **batch, kith_error *err);

/* Append a row (dim f16 numbers) and its record; the ordinal is the next one. The texts
 * may come from this batch's snapshot. KITH_INVALID (a length) and KITH_EXISTS (id and
 * passage are there: delete them first) change nothing; after another failure the batch
 * can only be aborted. KITH_FULL: a batch may add 32 GiB, less where address space is
 * limited. */
kith_status kstore_batch_put(kstore_batch *batch, const kstore_record *record,
                             const uint16_t *row, uint64_t *ordinal, kith_error *err);

/* Delete all passages of a record, also of one that this batch has put: tombstones, its
 * keys, its place in the ledger of its source. *n_rows: how many. KITH_NOT_FOUND. */
kith_status kstore_batch_delete(kstore_batch *batch, kith_text id, uint64_t *n_rows,
                                kith_error *err);

/* Copy the row at an ordinal: committed (then its block's checksum is compared), or put
 * in this batch. */
kith_status kstore_batch_row(kstore_batch *batch, uint64_t ordinal, uint16_t *row,
                             kith_error *err);

/* Reading inside the batch sees what it has written, except kstore_map_vectors() and
 * kstore_verify(). What was read is valid until the next change. Do not end this
 * snapshot. */
const kstore_snapshot *kstore_batch_snapshot(kstore_batch *batch);

/* Call visit for each record id of a source (passage 0), as the batch sees it. The ids
 * are copied first, so that visit may delete. A status other than KITH_OK stops and is
 * returned. */
kith_status kstore_batch_each_of_source(kstore_batch *batch, kith_text source,
                                        kith_status (*visit)(void *context,
                                                             kith_text id,
                                                             kith_error *err),
                                        void *context, kith_error *err);

kith_status kstore_batch_set_derived(kstore_batch *batch, kstore_derived_kind kind,
                                     const char *name, kith_error *err);

/* Rows written and flushed, records and block checksums put, LMDB commit. Either all of
 * it is durable, or nothing; without a change nothing is written. Ends the batch in
 * every case. */
kith_status kstore_batch_commit(kstore_batch *batch, kith_error *err);
/* Forget everything. NULL is a no-op. */
void kstore_batch_abort(kstore_batch *batch);

/* Put the live records and rows of a snapshot into an empty store, in their order, and
 * read back what was written. Both are checked: KITH_CORRUPT, and what is in the new store
 * is of no use, as after every failure. It takes transactions of some 16 MiB; `step` is
 * called before each, and a status of it other than KITH_OK stops and is returned. */
kith_status kstore_copy_live(const kstore_snapshot *from, kstore *to,
                             kith_status (*step)(void *context, uint64_t n_done,
                                                 kith_error *err),
                             void *context, kith_error *err);

/* Let every later kstore_batch_begin() on this generation fail with KITH_IO, in this
 * process, until all handles of it are closed. */
void kstore_refuse_writes(kstore *store);

/* ------------------------------------------------------------------ writer's lock */

/* A lock on NAME.kith/writer.lock, held for the whole of a writer's life (LMDB's own
 * lock only covers one commit). Released by the system when the process dies, unless a
 * child that it forked still lives. */
typedef struct kstore_lock kstore_lock;

/* Try once. KITH_BUSY: another process (or handle) writes; *holder is its pid or 0. */
kith_status kstore_lock_try(const char *collection_dir, kstore_lock **lock,
                            int64_t *holder, kith_error *err);
void kstore_lock_release(kstore_lock *lock);

#endif
