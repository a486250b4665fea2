/* What the commands that fill a collection share (index, import, reembed): their
 * writer, the approximate index at the end, the report. */
#ifndef KITH_TOOLS_FILLING_H
#define KITH_TOOLS_FILLING_H

#include "ingest.h"
#include "options.h"
#include "session.h"

typedef struct filling {
    const char *done; /* what becomes of a record, such as "indexed" */
    /* options */
    model_request model;
    int ann;
    const char *factory;
    bool no_wait;
    bool is_quiet;
    /* what is worked on */
    const char *path;
    session session;
    ingest in;
    double began;
    bool is_all_committed;
} filling;

#define FILLING_INIT(done)                                                           \
    { done,  MODEL_REQUEST_INIT, 0, NULL, false, false, NULL, SESSION_EMPTY,         \
      { .max_pending_bytes = 32u << 20 }, 0, false }

#define FILLING_INDEX_OPTIONS(f)                                                     \
    CHOICE(0, "ann", "auto|always|never", &(f)->ann,                                 \
           "build the approximate index (auto: from 100,000\n"                       \
           "records up)"),                                                           \
    TEXT(0, "index-factory", "STRING", &(f)->factory,                                \
         "a FAISS factory string for it")

#define FILLING_RUN_OPTIONS(f)                                                       \
    COUNT(0, "threads", "N", &(f)->model.n_threads,                                  \
          "to encode with; 0: one a processor"),                                     \
    BYTES(0, "mem", "BYTES", &(f)->in.max_pending_bytes,                             \
          "room for what is read and not committed (32M)"),                          \
    SWITCH(0, "no-wait", &(f)->no_wait, "fail when another process writes"),         \
    SWITCH(0, "jsonl", &(f)->in.is_jsonl,                                            \
           "print a JSON object after each commit and at\nthe end"),                 \
    SWITCH('q', "quiet", &(f)->is_quiet, "no progress and no summary")

/* GO_ON unless an option of these cannot be. */
int filling_check(const usage *use, const filling *f);

/* Note an exit status; false unless it is EXIT_DONE. */
bool filling_fail(filling *f, int status);

/* Each is false when it fails, which is reported; in.failure is then set. */

/* Begin the writer of the session's collection, with what ingest_writer_opts() gave. */
bool filling_begin(filling *f, const kith_writer_opts *opts);
/* All records are there: build the approximate index if it is wanted. */
bool filling_build(filling *f);

/* Report, release everything, and give the exit status. */
int filling_finish(filling *f);

#endif
