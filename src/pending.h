/* What a writer has been given and not yet committed: operations in the order in which
 * they came, in batches that are encoded and committed as a whole. */
#ifndef KITH_PENDING_H
#define KITH_PENDING_H

#include "checksum.h"
#include "kith.h"
#include "memory.h"
#include "store.h"

/* One passage of a record to write. */
typedef struct kith_pending_passage {
    kstore_record record;  /* texts lie in the batch's arena */
    kith_text encoded;     /* what its vector is made from */
    uint16_t *row;         /* its vector, or NULL: to be encoded */
    bool is_given;         /* the caller has given it */
    uint64_t copy_of;      /* the row that has the vector already, or UINT64_MAX */
    uint32_t n_dropped;    /* tokens that were cut when it was encoded */
} kith_pending_passage;

/* One operation on a record. */
typedef struct kith_pending_op {
    struct kith_pending_op *next;   /* of its batch */
    struct kith_pending_op *chained; /* in the index by id */
    struct kith_pending_batch *batch;
    uint64_t hash; /* of the id */
    kith_text id;
    bool cancelled; /* a later operation on the same id took its place */
    bool is_delete;
    bool is_new;    /* no record with this id is stored */
    bool is_title_cut;
    size_t n_passages;
    kith_pending_passage *passages;
} kith_pending_op;

/* A source to prune. */
typedef struct kith_pending_prune {
    struct kith_pending_prune *next;
    kith_text source;
} kith_pending_prune;

/* What the encoder gets of a batch: passages without a vector, and room for theirs. While
 * it works, these passages belong to it. */
typedef struct kith_encode_job {
    struct kith_encode_job *next; /* in the encoder's queue */
    size_t n;
    kith_pending_passage **passages;
    uint16_t *rows; /* n vectors; a passage that is encoded points to its own */
} kith_encode_job;

typedef struct kith_pending_batch {
    struct kith_pending_batch *next; /* the one that came after it */
    kbase_arena arena; /* of all that hangs on it */
    kith_pending_op *ops;
    kith_pending_op *last_op;
    kith_pending_prune *prunes;
    size_t n_ops;
    size_t n_records;         /* that it writes */
    size_t n_bytes_to_encode; /* of passages without a vector */
    size_t n_bytes;           /* that it holds; known once it is closed */
    bool is_closed;           /* nothing is added to it any more */
    bool is_ready;            /* closed, and every passage has its vector */
    kith_encode_job job;      /* once it is closed */
    uint64_t ticket;          /* of the job: encode_queue.h */
} kith_pending_batch;

/* Start from zeros. */
typedef struct kith_pending {
    kith_pending_batch *first;   /* the oldest */
    kith_pending_batch *last;
    kith_pending_batch *unready; /* the oldest that is not ready */
    size_t n_records;            /* to write, in all batches */
    size_t n_records_ready;
    size_t n_bytes_closed;       /* that closed batches hold */
    size_t n_bytes_ready;
    size_t n_indexed;            /* operations that can be found by their id */
    size_t n_buckets;            /* a power of two, or 0 */
    kith_pending_op **buckets;
} kith_pending;

/* The latest operation on an id, or NULL. */
kith_pending_op *kith_pending_find(const kith_pending *pending, kith_text id);

/* A new operation in the open batch, zeroed but for its id, which lies in the arena; the
 * one on the same id is cancelled. NULL when memory is out. */
kith_pending_op *kith_pending_add(kith_pending *pending, kith_text id, bool is_delete);

/* Make an operation void. What the encoder has of it stays in its hands. */
void kith_pending_cancel(kith_pending *pending, kith_pending_op *op);

/* Prune a source when the open batch is committed. KITH_NOMEM. */
kith_status kith_pending_add_prune(kith_pending *pending, kith_text source,
                                   kith_error *err);

/* The batch that is added to, or NULL. */
kith_pending_batch *kith_pending_open(const kith_pending *pending);

/* Close the open batch and fill in its job, for vectors of `dim` numbers. KITH_NOMEM
 * leaves it open. */
kith_status kith_pending_close(kith_pending *pending, uint32_t dim, kith_error *err);

/* Open the last batch again: its job was given up by the one who had it. */
void kith_pending_reopen(kith_pending *pending);

/* Every passage of the oldest batch that was not ready has its vector now. */
void kith_pending_set_ready(kith_pending *pending);

/* Forget the oldest batch, which is ready. */
void kith_pending_drop(kith_pending *pending);

/* Bytes that are held for all batches. */
size_t kith_pending_bytes(const kith_pending *pending);

/* Forget everything. */
void kith_pending_clear(kith_pending *pending);

/* Ids given to a writer since it began: 128-bit hashes, by open addressing. */
typedef struct kith_id_set {
    size_t n;
    size_t n_slots; /* a power of two, or 0 */
    kbase_hash128 *slots; /* both halves 0: free */
} kith_id_set;

bool kith_id_set_has(const kith_id_set *set, kith_text id);
/* KITH_EXISTS when it was there; KITH_NOMEM. */
kith_status kith_id_set_add(kith_id_set *set, kith_text id, kith_error *err);
void kith_id_set_free(kith_id_set *set);

#endif
