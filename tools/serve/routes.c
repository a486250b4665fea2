#include "routes.h"

#include <string.h>

#include "text.h"

#define GET(function) .get = function
#define POST(function) .post = function

static const route routes[] = {
    { "/", GET(api_page), .is_open = true },
    { "/healthz", GET(api_health), .is_open = true },
    { "/openapi.json", GET(api_openapi), .is_open = true },
    { "/status", GET(api_status) },
    { "/metrics", GET(api_metrics) },
    { "/v1/models", GET(api_models), .has_openai_error = true },
    { "/v1/embeddings", POST(api_embeddings), .has_openai_error = true },
    { "/v1/vector_stores/{}/search", POST(api_vector_store_search),
      .has_openai_error = true },
    { "/retrieval", POST(api_retrieval), .dify_error = DIFY_OTHER },
    { "/search", GET(api_search), POST(api_search) },
    { "/similar", GET(api_similar), POST(api_similar) },
    { "/compare", POST(api_compare) },
    { "/records/{}", GET(api_get_record), .put = api_put_record,
      .delete = api_delete_record },
};

#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

/* {} stands for one byte or more: of one part of the path, or at its end for all the
 * rest. */
static bool matches(const char *pattern, kith_text path, kith_text *place)
{
    const char *braces = strstr(pattern, "{}");
    const size_t n_before =
        braces == NULL ? strlen(pattern) : (size_t)(braces - pattern);
    const size_t n_after = braces == NULL ? 0 : strlen(braces + 2);
    *place = text_of(NULL);
    if (braces == NULL) {
        return text_equals(path, text_of(pattern));
    }
    if (path.n_bytes <= n_before + n_after ||
        memcmp(path.data, pattern, n_before) != 0 ||
        memcmp(path.data + path.n_bytes - n_after, braces + 2, n_after) != 0) {
        return false;
    }
    *place = (kith_text){ path.data + n_before, path.n_bytes - n_before - n_after };
    return n_after == 0 || memchr(place->data, '/', place->n_bytes) == NULL;
}

const route *routes_find(kith_text path, kith_text *place)
{
    for (size_t i = 0; i < N_ROUTES; i++) {
        if (matches(routes[i].name, path, place)) {
            return &routes[i];
        }
    }
    return NULL;
}

route_function route_method(const route *to, http_method method)
{
    switch (method) {
    case METHOD_GET:
        return to->get;
    case METHOD_POST:
        return to->post;
    case METHOD_PUT:
        return to->put;
    case METHOD_DELETE:
        return to->delete;
    }
    return NULL;
}

const route *routes_at(size_t i)
{
    return i < N_ROUTES ? &routes[i] : NULL;
}

size_t routes_place(const route *to)
{
    return (size_t)(to - routes);
}
