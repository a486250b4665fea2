/* libmicrohttpd gives each connection a thread, in which a request is read, answered
 * and written. The sockets are ours: it has one a daemon, and waits where there are too
 * many connections, instead of saying so. */
#include "server.h"

#include <errno.h>
#include <malloc.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "connections.h"
#include "counters.h"
#include "parameters.h"
#include "refusals.h"
#include "routes.h"
#include "text.h"

#define MAX_HEAD_BYTES 8192
/* For the head of a request and of its reply; well above MAX_HEAD_BYTES, since a head
 * that does not fit gets libmicrohttpd's own reply, or none. Untouched memory costs
 * nothing. */
#define POOL_BYTES (128u << 10)
#define MAX_BODIES_BYTES (64u << 20) /* of all requests together */
#define MAX_REPLIES_BYTES (256u << 20)
#define LARGE_BYTES (1u << 20)
/* A body that is refused is read and forgotten up to here, so that its client, which
 * still sends, can read why. */
#define MAX_FORGOTTEN_BYTES (64u << 20)
#define MAX_ARENAS 2 /* malloc() keeps memory for each, and would have one a thread */
#define STACK_BYTES (1u << 20)
/* Seconds that a client has for each step. */
#define FIRST_HEAD_SECONDS 5
#define BODY_SECONDS 30
#define REPLY_SECONDS 60
#define IDLE_SECONDS 30
/* Seconds in which what has begun is finished at the end. */
#define DRAIN_SECONDS 10
#define GIVE_UP_SECONDS 3

typedef struct server {
    service *service;
    const access_rules *rules;
    struct MHD_Daemon *daemon;
    _Atomic unsigned n_requests; /* that are being read or answered */
    _Atomic size_t body_bytes;   /* of all requests */
    _Atomic size_t reply_bytes;  /* of all that are being sent */
    atomic_bool is_over;         /* work is to end */
    atomic_bool is_draining;
} server;

/* A request while it is under way. */
typedef struct exchange {
    request request;
    char *uri; /* as it was sent */
    const route *route;
    route_function function;
    int fd;
    bool has_head;      /* and is counted in server.n_requests */
    bool is_refused;    /* by its head; the body, if any, is not read */
    bool closes;        /* the connection: where the next request begins is in doubt */
    bool is_too_large;  /* the body */
    bool is_too_much;   /* for the server, together with others */
    bool is_large;      /* the body or the reply */
    size_t body_bytes;  /* in server.body_bytes */
    size_t reply_bytes; /* in server.reply_bytes */
} exchange;

/* The headers that rules are about. */
enum {
    HEAD_HOST,
    HEAD_ORIGIN,
    HEAD_AUTHORIZATION,
    HEAD_CONTENT_TYPE,
    HEAD_CONTENT_LENGTH,
    HEAD_TRANSFER_ENCODING,
    HEAD_EXPECT,
    N_HEAD
};

static const char *const head_names[N_HEAD] = { "Host",           "Origin",
                                                "Authorization",  "Content-Type",
                                                "Content-Length", "Transfer-Encoding",
                                                "Expect" };

typedef struct head {
    const char *values[N_HEAD]; /* NULL: absent */
    const char *twice;          /* the name of one that is there twice, or NULL */
} head;

/* ------------------------------------------------------------------ the head */

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind,
                                   const char *name, const char *value)
{
    head *h = context;
    (void)kind;
    for (size_t i = 0; i < N_HEAD; i++) {
        if (strcasecmp(name, head_names[i]) == 0) {
            h->twice = h->values[i] != NULL ? head_names[i] : h->twice;
            h->values[i] = value == NULL ? "" : value;
        }
    }
    return MHD_YES;
}

static bool read_method(const char *name, http_method *method)
{
    static const struct {
        const char *name;
        http_method method;
    } methods[] = { { "GET", METHOD_GET },
                    { "HEAD", METHOD_GET }, /* libmicrohttpd leaves the body out */
                    { "POST", METHOD_POST },
                    { "PUT", METHOD_PUT },
                    { "DELETE", METHOD_DELETE } };
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(name, methods[i].name) == 0) {
            *method = methods[i].method;
            return true;
        }
    }
    return false;
}

/* application/json, in UTF-8 where it says so. */
static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";
    if (content_type == NULL || strncasecmp(content_type, json, strlen(json)) != 0) {
        return false;
    }
    const char *rest = content_type + strlen(json);
    rest += strspn(rest, "; \t");
    return rest == content_type + strlen(json)
               ? *rest == '\0'
               : *rest == '\0' || strcasecmp(rest, "charset=utf-8") == 0 ||
                     strcasecmp(rest, "charset=\"utf-8\"") == 0;
}

static bool fail_too_large(request *r)
{
    return request_fail(r, HTTP_TOO_LARGE, "too_large", "a body has %u bytes at most",
                        MAX_BODY_BYTES);
}

static bool find_route(exchange *e, const char *method)
{
    request *r = &e->request;
    kith_text place;
    const char *question = strchr(e->uri, '?');
    const kith_text path = { e->uri, question == NULL ? strlen(e->uri)
                                                      : (size_t)(question - e->uri) };
    r->query = text_of(question == NULL ? NULL : question + 1);
    e->route = routes_find(path, &place);
    if (e->route == NULL) {
        return request_fail(r, HTTP_NOT_FOUND, "no_such_route",
                            "there is no such route; GET /openapi.json lists them");
    }
    r->dify_error = e->route->dify_error;
    r->has_openai_error = e->route->has_openai_error;
    if (!percent_decode(&r->place, place, false)) {
        return request_refuse(r, "the path is not percent-encoded UTF-8");
    }
    if (read_method(method, &r->method)) {
        e->function = route_method(e->route, r->method);
    }
    return e->function != NULL ||
           request_fail(r, HTTP_METHOD_NOT_ALLOWED, "method_not_allowed",
                        "this route does not take that method; the header Allow tells "
                        "which it takes");
}

/* What a proxy before us might read otherwise than we do is refused: RFC 9112, 6.3. */
static bool check_framing(exchange *e, const head *h, size_t n_head_bytes)
{
    request *r = &e->request;
    const char *encoding = h->values[HEAD_TRANSFER_ENCODING];
    e->closes = true;
    if (n_head_bytes > MAX_HEAD_BYTES) {
        return request_fail(r, HTTP_HEADERS_TOO_LARGE, "headers_too_large",
                            "the request line and headers have %d bytes at most",
                            MAX_HEAD_BYTES);
    }
    if (h->twice != NULL) {
        return request_refuse(r, "the header %s is there twice", h->twice);
    }
    if (encoding != NULL && (h->values[HEAD_CONTENT_LENGTH] != NULL ||
                             strcasecmp(encoding, "chunked") != 0)) {
        return request_refuse(r, "Transfer-Encoding is to be \"chunked\", and without "
                                 "Content-Length");
    }
    e->closes = false;
    return true;
}

static bool check_body(exchange *e, const head *h)
{
    request *r = &e->request;
    const char *length = h->values[HEAD_CONTENT_LENGTH];
    const bool needs_json = r->method == METHOD_POST || r->method == METHOD_PUT;
    if (needs_json && !is_json(h->values[HEAD_CONTENT_TYPE])) {
        return request_fail(r, HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type",
                            "the header \"Content-Type: application/json\" is needed");
    }
    return length == NULL || strtoull(length, NULL, 10) <= MAX_BODY_BYTES ||
           fail_too_large(r);
}

/* Whether a request whose head is here may go on. */
static bool check_head(const server *sv, exchange *e, const head *h, const char *method,
                       size_t n_head_bytes)
{
    request *r = &e->request;
    const bool is_routed = find_route(e, method);
    const bool is_open = e->route != NULL && e->route->is_open;
    return check_framing(e, h, n_head_bytes) &&
           access_check(sv->rules, r, h->values[HEAD_HOST], h->values[HEAD_ORIGIN]) &&
           (is_open || access_check_key(sv->rules, r, h->values[HEAD_AUTHORIZATION])) &&
           is_routed && check_body(e, h);
}

/* ------------------------------------------------------------------ the reply */

static void add_allow(struct MHD_Response *response, const route *to)
{
    char methods[64];
    snprintf(methods, sizeof(methods), "%s%s%s%s", to->get != NULL ? ", GET, HEAD" : "",
             to->post != NULL ? ", POST" : "", to->put != NULL ? ", PUT" : "",
             to->delete != NULL ? ", DELETE" : "");
    MHD_add_response_header(response, "Allow", methods + 2);
}

static void add_headers(const server *sv, const exchange *e,
                        struct MHD_Response *response)
{
    const request *r = &e->request;
    const bool is_page = e->route != NULL && e->route->get == api_page;
    MHD_add_response_header(response, "Content-Type",
                            r->content_type == NULL ? "application/json"
                                                    : r->content_type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (is_page) {
        MHD_add_response_header(
            response, "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; "
            "script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
        MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    }
    if (r->status == HTTP_METHOD_NOT_ALLOWED) {
        add_allow(response, e->route);
    }
    if (r->status == HTTP_UNAUTHORIZED) {
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    }
    if (r->status == HTTP_UNAVAILABLE) {
        MHD_add_response_header(response, "Retry-After", "1");
    }
    if (sv->is_draining || e->closes) {
        MHD_add_response_header(response, "Connection", "close");
    }
}

static void forget_body(server *sv, exchange *e)
{
    e->is_large |= e->body_bytes >= LARGE_BYTES;
    sv->body_bytes -= e->body_bytes;
    e->body_bytes = 0;
    buffer_free(&e->request.body);
}

/* Bytes of the reply stay until the client has read them. */
static void count_reply(server *sv, exchange *e)
{
    request *r = &e->request;
    if (sv->reply_bytes + r->reply.size > MAX_REPLIES_BYTES) {
        request_fail(r, HTTP_UNAVAILABLE, "busy",
                     "other replies wait for their clients to read them; try again");
    }
    e->reply_bytes = r->reply.size;
    e->is_large |= e->reply_bytes >= LARGE_BYTES;
    sv->reply_bytes += e->reply_bytes;
}

static enum MHD_Result reply(server *sv, exchange *e,
                             struct MHD_Connection *mhd_connection)
{
    request *r = &e->request;
    forget_body(sv, e);
    json_decref(r->parameters);
    r->parameters = NULL;
    count_reply(sv, e);
    const double seconds = seconds_now() - r->began;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        r->reply.size, r->reply.data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        return MHD_NO;
    }
    r->reply = (buffer)BUFFER_EMPTY; /* the response's now */
    add_headers(sv, e, response);
    connections_allow(e->fd, REPLY_SECONDS);
    counters_add_request(e->route, r->status, seconds);
    /* The route, not the path: that may hold what someone asked for. */
    message("%s %d %.1f ms", e->route == NULL ? "-" : e->route->name, r->status,
            seconds * 1e3);
    const enum MHD_Result result =
        MHD_queue_response(mhd_connection, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return result;
}

static void work(const server *sv, exchange *e)
{
    request *r = &e->request;
    if (e->is_too_large) {
        fail_too_large(r);
        return;
    }
    if (e->is_too_much) {
        request_fail(r, HTTP_UNAVAILABLE, "busy",
                     "other requests fill the memory for bodies; try again");
        return;
    }
    if (r->method != METHOD_DELETE && !parameters_read(r)) {
        return;
    }
    e->function(sv->service, r);
    if (r->status == 0) {
        r->status = HTTP_OK;
    }
}

/* ------------------------------------------------------------------ libmicrohttpd */

static int fd_of(struct MHD_Connection *mhd_connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}

/* The request line is there. */
static void *on_uri(void *context, const char *uri,
                    struct MHD_Connection *mhd_connection)
{
    exchange *e = allocate(1, sizeof(*e));
    (void)context;
    *e = (exchange){ .request = REQUEST_EMPTY,
                     .uri = copy_string(uri),
                     .fd = fd_of(mhd_connection) };
    return e;
}

static void take_body(server *sv, exchange *e, const char *data, size_t n_bytes)
{
    buffer *body = &e->request.body;
    if (e->is_refused || e->is_too_large || e->is_too_much) {
        return; /* the rest is read, and forgotten */
    }
    e->is_too_large = n_bytes > MAX_BODY_BYTES - body->size;
    e->is_too_much = sv->body_bytes + n_bytes > MAX_BODIES_BYTES;
    if (e->is_too_large || e->is_too_much) {
        forget_body(sv, e);
        return;
    }
    sv->body_bytes += n_bytes;
    e->body_bytes += n_bytes;
    buffer_append(body, data, n_bytes);
}

/* Whether a refusal cannot wait for the end of the body. */
static bool is_urgent(const exchange *e, const head *h)
{
    const char *length = h->values[HEAD_CONTENT_LENGTH];
    return e->closes || h->values[HEAD_EXPECT] != NULL ||
           (length != NULL && strtoull(length, NULL, 10) > MAX_FORGOTTEN_BYTES);
}

static enum MHD_Result start_request(server *sv, exchange *e,
                                     struct MHD_Connection *mhd_connection,
                                     const char *method)
{
    head h = { .twice = NULL };
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        mhd_connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    e->has_head = true;
    sv->n_requests++;
    e->request.began = seconds_now();
    connections_allow(e->fd, BODY_SECONDS);
    MHD_get_connection_values(mhd_connection, MHD_HEADER_KIND, take_header, &h);
    if (check_head(sv, e, &h, method, info == NULL ? 0 : info->header_size)) {
        return MHD_YES;
    }
    e->is_refused = true;
    return is_urgent(e, &h) ? reply(sv, e, mhd_connection) : MHD_YES;
}

/* Called when the head is there, for each part of the body, and at its end. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd_connection,
                                  const char *url, const char *method,
                                  const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **con_cls)
{
    server *sv = context;
    exchange *e = *con_cls;
    (void)url;
    (void)version;
    if (!e->has_head) {
        return start_request(sv, e, mhd_connection, method);
    }
    if (*upload_data_size > 0) {
        take_body(sv, e, upload_data, *upload_data_size);
        *upload_data_size = 0;
        return MHD_YES;
    }
    e->request.began = seconds_now();
    e->request.deadline = e->request.began + MAX_WORK_SECONDS;
    e->request.is_over = &sv->is_over;
    connections_allow(e->fd, ANY_TIME);
    if (!e->is_refused) {
        work(sv, e);
    }
    return reply(sv, e, mhd_connection);
}

static void on_completed(void *context, struct MHD_Connection *mhd_connection,
                         void **con_cls, enum MHD_RequestTerminationCode code)
{
    server *sv = context;
    exchange *e = *con_cls;
    (void)mhd_connection;
    (void)code;
    if (e == NULL) {
        return;
    }
    connections_allow(e->fd, IDLE_SECONDS);
    sv->n_requests -= e->has_head;
    forget_body(sv, e);
    sv->reply_bytes -= e->reply_bytes;
    request_free(&e->request);
    if (e->is_large) {
        malloc_trim(0);
    }
    free(e->uri);
    free(e);
    *con_cls = NULL;
}

static void on_connection(void *context, struct MHD_Connection *mhd_connection,
                          void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)context;
    (void)socket_context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        connections_remove(fd_of(mhd_connection)); /* it is closed after this */
    }
}

/* ------------------------------------------------------------------ the loop */

/* What lasts must not be tried again at once. */
static void tell_accept_failure(void)
{
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
        report_errno("connections wait", errno);
        nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
    }
}

/* Take the connections that wait, as far as there is room. */
static void accept_some(const server *sv, int listener, refusals *refused)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    for (unsigned i = 0; i < MAX_CONNECTIONS; i++) {
        const int fd = accept4(listener, (struct sockaddr *)&address, &length,
                               SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            tell_accept_failure();
            return;
        }
        if (!connections_add(fd, FIRST_HEAD_SECONDS)) {
            refusals_add(refused, fd);
        } else if (MHD_add_connection(sv->daemon, fd, (struct sockaddr *)&address,
                                      length) != MHD_YES) {
            connections_remove(fd); /* which libmicrohttpd has closed */
        }
        length = sizeof(address);
    }
}

static void accept_until_signal(const server *sv, const listeners *l,
                                const sigset_t *waiting)
{
    const struct timespec second = { 1, 0 };
    const struct timespec moment = { 0, 50000000 };
    struct pollfd polls[MAX_LISTENERS];
    refusals refused = REFUSALS_EMPTY;
    for (unsigned i = 0; i < l->n; i++) {
        polls[i] = (struct pollfd){ .fd = l->fds[i], .events = POLLIN };
    }
    while (!signal_received()) {
        const int n = ppoll(polls, l->n, refused.n > 0 ? &moment : &second, waiting);
        connections_cut();
        for (unsigned i = 0; i < l->n && n > 0; i++) {
            if (polls[i].revents != 0) {
                accept_some(sv, l->fds[i], &refused);
            }
        }
        refusals_sweep(&refused);
    }
    refusals_close(&refused);
}

/* Wait for what has begun, until then. */
static void wait_for_requests(const server *sv, double end)
{
    while (sv->n_requests > 0 && seconds_now() < end) {
        connections_cut();
        nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
    }
}

static void drain(server *sv)
{
    const double now = seconds_now();
    sv->is_draining = true;
    wait_for_requests(sv, now + DRAIN_SECONDS - GIVE_UP_SECONDS);
    sv->is_over = true; /* what is still at work can say so to its client */
    wait_for_requests(sv, now + DRAIN_SECONDS);
}

static struct MHD_Daemon *start_daemon(server *sv)
{
    return MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
            MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC,
        0, NULL, NULL, on_request, sv, MHD_OPTION_URI_LOG_CALLBACK, on_uri, sv,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, sv, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, sv, MHD_OPTION_CONNECTION_LIMIT,
        4u * MAX_CONNECTIONS, /* never met: it hangs there */
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_END);
}

void server_hold_signals(void)
{
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &held, NULL);
    signals_handle(SIGNAL_ASKS);
    signal(SIGPIPE, SIG_IGN);
}

int server_run(service *s, listeners *l, const access_rules *rules)
{
    server sv = { .service = s, .rules = rules };
    sigset_t waiting; /* what is held while the server waits: not these two */
    pthread_sigmask(SIG_SETMASK, NULL, &waiting);
    sigdelset(&waiting, SIGINT);
    sigdelset(&waiting, SIGTERM);
    mallopt(M_ARENA_MAX, MAX_ARENAS);
    sv.daemon = start_daemon(&sv);
    if (sv.daemon == NULL) {
        message("the HTTP server cannot be started");
        return EXIT_ENVIRONMENT;
    }
    accept_until_signal(&sv, l, &waiting);
    listeners_close(l);
    pthread_sigmask(SIG_SETMASK, &waiting, NULL); /* a second one ends the program */
    drain(&sv);
    MHD_stop_daemon(sv.daemon);
    return EXIT_DONE;
}
