/* Writing records into a collection as they are read: commits while more is read and
 * encoded, counts, what was skipped. */
#ifndef KITH_TOOLS_INGEST_H
#define KITH_TOOLS_INGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "input.h"
#include "kith.h"

/* Something that did not become a record. */
typedef struct skipped {
    skip_kind kind;
    char *source; /* with ":LINE" when it is one line of it */
    char *reason;
} skipped;

typedef struct ingest {
    kith_writer *writer;
    /* Makes the writer when a first record comes and there is none; false: see
     * failure. */
    bool (*begin)(void *context);
    void *begin_context;
    bool is_jsonl; /* print a line after each commit */
    uint64_t max_pending_bytes; /* as in kith_writer_opts */
    int failure;   /* exit status of what stopped us, else EXIT_DONE */
    uint64_t n_read;
    uint64_t n_refused;
    /* Of sources; for progress any other measure will do. */
    uint64_t n_bytes_before; /* of the sources read before this one */
    uint64_t n_bytes_now;    /* of this one */
    uint64_t n_bytes_in_all; /* 0: unknown */
    double committed_at;
    uint64_t n_committed;
    skipped *skipped;
    size_t n_skipped;
    size_t capacity;
} ingest;

/* A sink that writes into it. The writer may come later than the first call of skip. */
input_sink ingest_sink(ingest *in);
/* The writer's options that belong to it. */
kith_writer_opts ingest_writer_opts(ingest *in);

/* Make durable everything that was added and deleted so far, step by step, and say so.
 * False: see failure. */
bool ingest_commit(ingest *in);
void ingest_free(ingest *in);

#endif
