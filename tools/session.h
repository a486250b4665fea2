/* A collection and the model that it needs, opened together. */
#ifndef KITH_TOOLS_SESSION_H
#define KITH_TOOLS_SESSION_H

#include "kith.h"
#include "models.h"

typedef struct session {
    kith_model *model; /* NULL: none was needed */
    kith_collection *collection;
} session;

#define SESSION_EMPTY { NULL, NULL }

/* Each gives EXIT_DONE, or reports and gives another exit status. Close the session in
 * both cases. */

/* For reading, deleting and compacting: without a model. */
int session_open(session *s, const char *path, bool read_only);
/* For comparing records with each other: the same, with so many threads. */
int session_open_to_compare(session *s, const char *path, bool read_only,
                            uint32_t n_threads);
/* For searching; by text with a model. */
int session_open_to_search(session *s, const char *path, const model_request *request,
                           bool needs_model);
/* For adding: makes the collection when it is not there. no_wait: do not wait for
 * another process that is just making it. */
int session_open_to_write(session *s, const char *path, const model_request *request,
                          bool no_wait);
/* For adding records with vectors: opens the model, if one is asked for. *dim: how many
 * numbers a vector must have; 0 when the collection is not there and no model is asked
 * for. */
int session_find_dim(session *s, const char *path, const model_request *request,
                     uint32_t *dim);
/* Then open the collection, or make it for vectors of so many numbers. */
int session_open_for_vectors(session *s, const char *path, const model_request *request,
                             uint32_t dim, bool no_wait);
void session_close(session *s);

/* For kith_writer_opts.on_wait: tells people whom we wait for. */
void session_tell_wait(void *context, int64_t pid);

#endif
