/* The writer, shared by adding (writer.c), committing (commit.c) and building the index
 * (build.c). */
#ifndef KITH_WRITER_H
#define KITH_WRITER_H

#include "collection.h"
#include "condense.h"
#include "encode_queue.h"
#include "given.h"
#include "passages.h"
#include "pending.h"

struct kith_writer {
    kith_collection *collection;
    kith_writer_opts opts;
    kstore_lock *lock;
    kith_generation *generation; /* the current one: only the writer makes another so */
    kith_writer_stats stats;  /* but for what `pending` counts */
    kith_pending pending;
    kith_encode_queue *queue; /* NULL until there is something to encode */
    kith_id_set added;        /* ids, since the writer began; unused with no_prune */
    uint64_t first_row;       /* of those that this writer commits; with no_prune */
    kbase_buffer hashed;      /* scratch */
    kenc_token_list tokens;   /* scratch */
    kith_spans spans;         /* scratch */
    kith_given given;         /* scratch */
    kith_condenser condenser; /* scratch */
};

/* Before anything else that a caller asks for: notes which batches are ready.
 * Returns KITH_OK; KITH_INVALID after fork(); what encoding has failed with. */
kith_status kith_writer_check(kith_writer *writer, kith_error *err);

/* After something was added: hands a batch that is full to the encoder, and keeps what
 * is pending within max_pending_bytes. */
kith_status kith_writer_settle(kith_writer *writer, kith_error *err);

/* Whether the caller asks to stop. */
bool kith_writer_is_interrupted(const kith_writer *writer);
kith_status kith_fail_interrupted(kith_error *err);

#endif
