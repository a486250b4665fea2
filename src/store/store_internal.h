/* What the files of this folder share. Only this folder sees lmdb.h. */
#ifndef KSTORE_STORE_INTERNAL_H
#define KSTORE_STORE_INTERNAL_H

#include <lmdb.h>
#include <pthread.h>

#include "store.h"

#define KSTORE_FORMAT_VERSION 0
#define KSTORE_BYTE_ORDER 0x01020304 /* reads as another number on another machine */
#define KSTORE_IDENTITY_BYTES 16

/* The databases in data.mdb: docs/format.md. */
typedef enum kstore_db {
    KSTORE_META,
    KSTORE_RECORDS,
    KSTORE_IDS,
    KSTORE_SOURCES,
    KSTORE_DEAD,
    KSTORE_BLOCKS,
    KSTORE_N_DBS
} kstore_db;

/* ------------------------------------------------------------------ vectors.c */

#define KSTORE_BLOCK_ROWS 1024 /* rows that share a checksum */

typedef struct kstore_vector_file {
    kbase_file file;
    size_t stride; /* bytes from row to row */
    kbase_map *maps; /* the last is current; earlier ones are kept for their readers */
    size_t n_maps;
} kstore_vector_file;

kith_status kstore_vectors_create(const char *dir, uint32_t dim,
                                  const unsigned char identity[KSTORE_IDENTITY_BYTES],
                                  kith_error *err);
/* identity: what data.mdb says; another one is KITH_CORRUPT. */
kith_status kstore_vectors_open(kstore_vector_file *vectors, const char *dir,
                                uint32_t dim,
                                const unsigned char identity[KSTORE_IDENTITY_BYTES],
                                bool writable, kith_error *err);
void kstore_vectors_close(kstore_vector_file *vectors);

/* KITH_CORRUPT when the file has no room for n_rows rows. */
kith_status kstore_vectors_check_size(const kstore_vector_file *vectors,
                                      uint64_t n_rows, kith_error *err);
/* n_bytes from the start of a row on. */
kith_status kstore_vectors_read(const kstore_vector_file *vectors, uint64_t row,
                                void *data, size_t n_bytes, kith_error *err);
/* Not flushed. */
kith_status kstore_vectors_write(const kstore_vector_file *vectors, uint64_t row,
                                 const void *rows, size_t n_bytes, kith_error *err);

/* ------------------------------------------------------------------ environment.c */

/* A generation that this process has open, shared by its handles. */
typedef struct kstore_environment {
    struct kstore_environment *next;
    dev_t device; /* of data.mdb, with the inode: what tells environments apart */
    ino_t inode;
    pid_t pid; /* of the process that opened it; a child of fork() may not use it */
    unsigned n_handles;
    char *path; /* of data.mdb */
    MDB_env *lmdb;
    MDB_dbi db[KSTORE_N_DBS];
    bool writable;
    kstore_settings settings;
    unsigned char identity[KSTORE_IDENTITY_BYTES]; /* in data.mdb and in vectors */
    kstore_vector_file vectors;

    pthread_mutex_t mutex; /* over what follows and vectors.maps */
    pthread_cond_t changed;
    unsigned n_transactions; /* the map is moved only when there is none */
    bool resizing;
    bool unmapped;     /* moving the map failed: nothing can be read any more */
    bool writing;      /* a batch of this process is open */
    bool write_failed; /* a flush failed: what is on the disk is unknown */
    uint64_t n_bytes;  /* of data.mdb when last seen; it never shrinks */
} kstore_environment;

/* The databases' names and flags for mdb_dbi_open(). */
typedef struct kstore_db_kind {
    const char *name;
    unsigned flags;
} kstore_db_kind;

extern const kstore_db_kind kstore_db_kinds[KSTORE_N_DBS];

/* The size of the address range reserved for data.mdb when it is opened (64 GiB). For
 * tests; 0 restores it. */
void kstore_set_map_bytes(size_t n_bytes);

kith_status kstore_environment_create(const char *dir, const kstore_settings *settings,
                                      kith_error *err);
kith_status kstore_environment_open(const char *dir, bool write,
                                    kstore_environment **environment, kith_error *err);
void kstore_environment_close(kstore_environment *environment);

/* KITH_INVALID in a child of the process that opened the environment. */
kith_status kstore_check_process(const kstore_environment *environment,
                                 kith_error *err);

/* ------------------------------------------------------------------ settings.c */

kith_status kstore_identity_new(unsigned char identity[KSTORE_IDENTITY_BYTES],
                                kith_error *err);
kith_status kstore_check_settings(const kstore_settings *settings, kith_error *err);
/* Settings and identity, between the environment and its database "meta". */
kith_status kstore_settings_put(const kstore_snapshot *snapshot, kith_error *err);
kith_status kstore_settings_get(const kstore_snapshot *snapshot, kith_error *err);

/* ------------------------------------------------------------------ transaction.c */

/* Every LMDB transaction begins and ends here: the map can grow between them. */
kith_status kstore_txn_begin(kstore_environment *environment, bool write, MDB_txn **txn,
                             kith_error *err);
void kstore_txn_abort(kstore_environment *environment, MDB_txn *txn);
kith_status kstore_txn_commit(kstore_environment *environment, MDB_txn *txn,
                              kith_error *err);

/* Double the map while more than half of it is used. Waits for transactions of this
 * process to end, KITH_BUSY after ten seconds. */
kith_status kstore_make_room(kstore_environment *environment, kith_error *err);

/* kstore_check_pages() on the newest state. */
kith_status kstore_check_newest(kstore_environment *environment, bool all,
                                kith_error *err);

/* data.mdb is not shorter than it was. */
kith_status kstore_check_not_cut(kstore_environment *environment, kith_error *err);

/* A failed LMDB call: status and message for its result. Full disks that LMDB reports
 * as EIO are told apart by the free space. `what` reads like "cannot open". */
kith_status kstore_fail_lmdb(kith_error *err, int result, const char *path,
                             const char *what);

/* ------------------------------------------------------------------ pages.c */

/* Is this a data.mdb that LMDB may open? Reads its first pages only. Not while this
 * process has it open: closing the file by hand would drop LMDB's locks. */
kith_status kstore_check_header(const char *path, kith_error *err);

/* Check what LMDB relies on in the pages of a state: that they are in the file, of the
 * right kind, used once, and that nothing in them points out of them. `txn` is a read
 * transaction begun just now; KITH_BUSY when its state is two commits old already.
 * all: every page. Else the roots of the databases, which is what opening reads; and
 * yet every page when the file is shorter than LMDB's count says. That is legal (free
 * pages at the end may never have been written), but is what a file that was cut looks
 * like, too. */
kith_status kstore_check_pages(MDB_txn *txn, const char *path, bool all,
                               kith_error *err);

/* ------------------------------------------------------------------ record.c */

static inline uint32_t kstore_load32(const unsigned char *from)
{
    uint32_t value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
}

static inline uint64_t kstore_load64(const unsigned char *from)
{
    uint64_t value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
}

static inline void kstore_save32(unsigned char *to, uint32_t value)
{
    __builtin_memcpy(to, &value, sizeof(value));
}

static inline void kstore_save64(unsigned char *to, uint64_t value)
{
    __builtin_memcpy(to, &value, sizeof(value));
}

/* Append the stored form of a record to `blob`. KITH_INVALID: a length is out of
 * bounds. */
kith_status kstore_record_encode(const kstore_record *record, uint64_t ordinal,
                                 kbase_buffer *blob, kith_error *err);
/* The record in a value; its texts point into it. KITH_CORRUPT. */
kith_status kstore_record_decode(const MDB_val *value, uint64_t ordinal,
                                 kstore_record *record, kith_error *err);

/* A key: a text in a form that keeps its order and ends within LMDB's 511 bytes, and a
 * number behind it. */
#define KSTORE_KEY_BYTES (255 + 16 + 8)

typedef struct kstore_key {
    size_t n_text; /* bytes of it that stand for the text */
    size_t n_bytes;
    unsigned char bytes[KSTORE_KEY_BYTES];
} kstore_key;

void kstore_id_key(kstore_key *key, kith_text id, uint32_t passage);
/* The same id, another passage. */
void kstore_key_set_passage(kstore_key *key, uint32_t passage);
void kstore_source_key(kstore_key *key, kith_text source, uint64_t ordinal);
/* The number behind the text of an entry that kstore_source_key() made. */
uint64_t kstore_key_ordinal(const MDB_val *entry);
/* Whether the text is too long to stand in the key as it is. */
bool kstore_key_is_hashed(const kstore_key *key);
/* Whether an entry of the same database is of the same text. */
bool kstore_key_same_text(const kstore_key *key, const MDB_val *entry);

bool kstore_same_text(kith_text a, kith_text b);

/* The start of an id for a message: printable ASCII, NUL-terminated. */
#define KSTORE_SHOWN_BYTES 64
const char *kstore_show(kith_text text, char shown[KSTORE_SHOWN_BYTES]);

/* ------------------------------------------------------------------ snapshot.c */

/* Where the database "meta" has the name of the current file of each kind. */
extern const char *const kstore_derived_keys[KSTORE_N_DERIVED];
#define KSTORE_DERIVED_NAME_AT 8 /* behind its checksum */

typedef struct kstore_counts {
    uint64_t n_rows;
    uint64_t n_records;
    uint64_t n_sources;
    uint64_t transaction; /* LMDB's number of the commit that wrote this */
} kstore_counts;

struct kstore {
    kstore_environment *environment;
    bool read_only;
};

struct kstore_snapshot {
    kstore_environment *environment;
    MDB_txn *txn;
    kstore_counts counts;
    uint64_t n_file_rows; /* committed: the same, except inside a batch */
};

/* Fill in counts from the snapshot's transaction, and compare them with each other and
 * with the vector file. */
kith_status kstore_snapshot_load(kstore_snapshot *snapshot, kith_error *err);
kith_status kstore_counts_put(const kstore_snapshot *snapshot, kith_error *err);

/* KITH_NOT_FOUND, without a message, when the key is absent. */
kith_status kstore_fetch(const kstore_snapshot *snapshot, kstore_db db, const void *key,
                         size_t n_key, MDB_val *value, kith_error *err);
/* mdb_put() with these flags. */
kith_status kstore_store(const kstore_snapshot *snapshot, kstore_db db, const void *key,
                         size_t n_key, const void *data, size_t n_data, unsigned flags,
                         kith_error *err);
/* The ordinal in a value of the database "ids". */
kith_status kstore_read_ordinal(const kstore_snapshot *snapshot, const MDB_val *value,
                                uint64_t *ordinal, kith_error *err);
uint64_t kstore_n_entries(const kstore_snapshot *snapshot, kstore_db db);

/* The committed rows of a block, from the file and compared with their checksum. */
kith_status kstore_read_block(const kstore_snapshot *snapshot, uint64_t block,
                              kbase_buffer *rows, kith_error *err);

#endif
