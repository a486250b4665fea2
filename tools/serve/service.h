/* What all routes of a server share: what is open, and work that is done together. */
#ifndef KITH_TOOLS_SERVICE_H
#define KITH_TOOLS_SERVICE_H

#include <stdatomic.h>

#include "catalog.h"
#include "gather.h"
#include "request.h"

/* Texts that are encoded together, and so the most that one waits for. */
#define BATCH_TEXTS 64

typedef struct service {
    catalog catalog;
    gather encodings;
    gather searches;
    _Atomic uint64_t n_encoded_texts;
    _Atomic uint64_t n_encoded_tokens;
} service;

/* The catalog is open. */
void service_init(service *s);
void service_destroy(service *s);

/* The vectors of texts, n x dim floats for free(); *n_tokens of all of them, [CLS] and [SEP]
 * included. NULL, and a reply, on failure. */
float *service_encode(service *s, request *r, const served_model *model,
                      const kith_tokens *texts, size_t n, uint64_t *n_tokens);

/* An answer that others may have been found with. */
typedef struct shared_answer shared_answer;

/* Search; NULL, and a reply, on failure. How many queries are expected is not the caller's to
 * say. */
shared_answer *service_search(service *s, request *r, const served_collection *collection,
                              const kith_query *query, const kith_search_opts *opts);
const kith_answer *shared_answer_get(const shared_answer *a);
void shared_answer_release(shared_answer *a);

/* The collection that the parameter names, or the default one. NULL, and a reply, when there
 * is none. */
served_collection *service_collection(service *s, request *r, const json_t *name);
served_collection *service_collection_named(service *s, request *r, kith_text name);

#endif
