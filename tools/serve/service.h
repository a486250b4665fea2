/* What all routes of a server share: what is open, and work that is done together. */
#ifndef KITH_TOOLS_SERVICE_H
#define KITH_TOOLS_SERVICE_H

#include <stdatomic.h>

#include "catalog.h"
#include "gather.h"
#include "request.h"

typedef struct service {
    catalog catalog;
    gather *encodings;
    gather *searches;
    pthread_mutex_t long_lists; /* one at a time: together none would end in time */
    _Atomic uint64_t n_encoded_texts;
    _Atomic uint64_t n_encoded_tokens;
} service;

/* Start; the catalog is open. EXIT_DONE, or reports and gives another exit status. */
int service_start(service *s);
/* Stop, and close the catalog. */
void service_end(service *s);

/* The vectors of texts, n x dim floats for free(); *n_tokens of all of them, [CLS] and
 * [SEP] included. NULL, and a reply, on failure. */
float *service_encode(service *s, request *r, const served_model *model,
                      const kith_tokens *texts, size_t n, uint64_t *n_tokens);

/* An answer to one query. */
typedef struct service_answer {
    kith_answer answer;
    struct shared_results
        *results; /* what it points into, with the answers of others */
} service_answer;

/* Search for a text, or for what is like a record. False, and a reply, on failure; else
 * release the answer. How many queries are expected is not the caller's to say. */
bool service_search(service *s, request *r, const served_collection *collection,
                    const kith_query *query, const kith_search_opts *opts,
                    service_answer *answer);
void service_release(service_answer *answer); /* nothing, if it is all zeros */

/* Reply that the record asked for is not there; false. */
bool service_fail_no_record(request *r);
/* False, and a reply, for a collection that cannot encode texts. */
bool service_takes_texts(request *r, const served_collection *collection);

/* The collection that the parameter names, or the default one. NULL, and a reply, when
 * there is none. */
served_collection *service_collection(service *s, request *r, const json_t *name);
served_collection *service_collection_named(service *s, request *r, kith_text name);

#endif
