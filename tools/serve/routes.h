/* What a server answers: routes, and the functions behind them. */
#ifndef KITH_TOOLS_ROUTES_H
#define KITH_TOOLS_ROUTES_H

#include "service.h"

typedef void (*route_function)(service *s, request *r);

typedef struct route {
    const char *name;   /* as the log and /metrics call it: the pattern of its path */
    route_function get; /* NULL: not offered, as the next */
    route_function post;
    route_function put;
    route_function delete;
    bool is_open;          /* without an API key */
    unsigned dify_error;   /* as in request */
    bool has_openai_error; /* the same */
} route;

/* The route of a path, as it was sent; what stands for {} in *place, as it was sent.
 * NULL: there is none. */
const route *routes_find(kith_text path, kith_text *place);
route_function route_method(const route *to, http_method method);
/* Each in turn, for counting; NULL behind the last. i is what routes_place() gives. */
const route *routes_at(size_t i);
size_t routes_place(const route *to);

/* The functions, by file. Each fills in the reply. */

void api_embeddings(service *s, request *r);
void api_compare(service *s, request *r);

void api_search(service *s, request *r);
void api_similar(service *s, request *r);

void api_vector_store_search(service *s, request *r);
void api_retrieval(service *s, request *r);

void api_get_record(service *s, request *r);
void api_put_record(service *s, request *r);
void api_delete_record(service *s, request *r);

void api_page(service *s, request *r);
void api_openapi(service *s, request *r);
void api_health(service *s, request *r);
void api_status(service *s, request *r);
void api_models(service *s, request *r);
void api_metrics(service *s, request *r);

#endif
