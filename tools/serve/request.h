/* One HTTP request and its reply, as a route sees them: nothing of sockets. */
#ifndef KITH_TOOLS_REQUEST_H
#define KITH_TOOLS_REQUEST_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "buffer.h"
#include "kith.h"

/* Dify's numbers of errors. */
enum {
    DIFY_HEADER = 1001,    /* no Authorization header of the right form */
    DIFY_KEY = 1002,       /* a wrong key */
    DIFY_KNOWLEDGE = 2001, /* no such collection */
    DIFY_OTHER = 5000      /* of our own */
};

/* Limits; docs/http.md tells users. */
#define MAX_BODY_BYTES (8u << 20)
#define MAX_JSON_DEPTH 16
#define MAX_JSON_VALUES 600000 /* 2,048 texts of 256 token ids, and some */
#define MAX_JSON_PARTS 20000   /* of them objects and arrays */
#define MAX_WORK_SECONDS 60.0  /* of one request */

/* The statuses that routes and rules give. */
enum {
    HTTP_OK = 200,
    HTTP_CREATED = 201,
    HTTP_BAD_REQUEST = 400,
    HTTP_UNAUTHORIZED = 401,
    HTTP_FORBIDDEN = 403,
    HTTP_NOT_FOUND = 404,
    HTTP_METHOD_NOT_ALLOWED = 405,
    HTTP_TOO_LARGE = 413,
    HTTP_UNSUPPORTED_MEDIA_TYPE = 415,
    HTTP_HEADERS_TOO_LARGE = 431,
    HTTP_INTERNAL = 500,
    HTTP_UNAVAILABLE = 503
};

typedef enum http_method {
    METHOD_GET,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE
} http_method;

typedef struct request {
    double began;               /* seconds_now() when it was there whole */
    double deadline;            /* of the work */
    const atomic_bool *is_over; /* the server ends, and waits no more */
    http_method method;
    buffer place;    /* what stands for {} in the route, decoded */
    kith_text query; /* what follows "?", as it was sent */
    buffer body;
    /* What the client asks for, from the body or the query string. Values of a query
     * string are strings. Filled by parameters_read(). */
    json_t *parameters;
    /* The reply. */
    int status;               /* 0: none yet */
    const char *content_type; /* NULL: JSON */
    buffer reply;
    /* Dify wants numbers for errors, too: 0 adds none. */
    unsigned dify_error;
    bool has_openai_error; /* and OpenAI's clients an object called "error" */
} request;

#define REQUEST_EMPTY                                                                  \
    {                                                                                  \
        .method = METHOD_GET                                                           \
    }

void request_free(request *r);

/* Reply with an error; gives false, so that it can end a check. `code` is for programs,
 * the message for people: it holds no path of this machine. */
bool request_fail(request *r, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The usual one: what a client does wrong. */
#define request_refuse(r, ...)                                                         \
    request_fail(r, HTTP_BAD_REQUEST, "invalid_request", __VA_ARGS__)
/* Reply for a failure of the library. What is not the client's fault is logged, not
 * told. */
bool request_fail_library(request *r, const kith_error *err);
/* Whether the work is to end, since it has taken too long or the server ends. */
bool request_is_late(const request *r);
/* False, and a reply, when it is. */
bool request_has_time(request *r);

#endif
