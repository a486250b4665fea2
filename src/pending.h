/* What a writer has been given and not yet committed. */
#ifndef KITH_PENDING_H
#define KITH_PENDING_H

#include "checksum.h"
#include "kith.h"
#include "memory.h"
#include "store.h"

/* One passage of a record to write. */
typedef struct kith_pending_passage {
    kstore_record record;  /* texts lie in the arena */
    kith_text encoded;     /* what its vector is made from */
    uint16_t *row;         /* its vector, or NULL: to be encoded */
    uint64_t copy_of;      /* the row that has the vector already, or UINT64_MAX */
} kith_pending_passage;

/* One operation on a record. */
typedef struct kith_pending_op {
    kith_text id;
    bool cancelled; /* a later operation on the same id took its place */
    bool is_delete;
    bool is_new;    /* no record with this id is stored */
    bool is_truncated; /* tokens were cut from what is encoded */
    size_t n_passages;
    kith_pending_passage *passages;
} kith_pending_op;

typedef struct kith_pending {
    kbase_arena arena;
    size_t n_ops;
    size_t capacity;
    kith_pending_op *ops;
    size_t n_slots; /* of the index by id: op + 1, or 0 */
    size_t *slots;
    kbase_buffer prunes; /* kith_text: sources to prune */
} kith_pending;

/* The latest operation on an id, or NULL. */
kith_pending_op *kith_pending_find(kith_pending *pending, kith_text id);

/* A new operation, zeroed but for its id, which lies in the arena; one on the same id is
 * cancelled. NULL when memory is out. */
kith_pending_op *kith_pending_add(kith_pending *pending, kith_text id);

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
