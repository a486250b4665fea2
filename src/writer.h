/* The writer, shared by adding (writer.c), committing (commit.c) and building the index
 * (build.c). */
#ifndef KITH_WRITER_H
#define KITH_WRITER_H

#include "collection.h"
#include "passages.h"
#include "pending.h"

struct kith_writer {
    kith_collection *collection;
    kith_writer_opts opts;
    kstore_lock *lock;
    kith_writer_stats stats;
    kith_pending pending;
    size_t n_bytes_to_encode; /* of pending passages without a vector */
    size_t n_ops_encoded;     /* operations before this one have their vectors */
    kith_id_set given;        /* ids added since the writer began */
    kbase_buffer hashed;      /* scratch */
    kenc_token_list tokens;   /* scratch */
    kith_spans spans;         /* scratch */
};

/* Give every pending passage its vector. KITH_INTERRUPTED when the caller asks. */
kith_status kith_writer_encode_pending(kith_writer *writer, kith_error *err);

/* "title text", or one of them when the other is empty; data NULL: out of memory. */
kith_text kith_join_title(kbase_arena *arena, kith_text title, kith_text text);

#endif
