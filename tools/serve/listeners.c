#include "listeners.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "buffer.h"
#include "cli.h"

#define BACKLOG 1024

/* An address of TCP or of a Unix socket. */
typedef struct socket_address {
    struct sockaddr_storage storage;
    socklen_t length;
} socket_address;

/* ------------------------------------------------------------------ addresses */

static bool parse_address(const char *text, uint16_t port, socket_address *address)
{
    struct addrinfo *found = NULL;
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                              .ai_socktype = SOCK_STREAM };
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(text, service, &hints, &found) != 0) {
        return false;
    }
    memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
    address->length = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool listeners_check_address(const char *address, bool *is_loopback, bool *is_any)
{
    socket_address parsed;
    if (!parse_address(address, 0, &parsed)) {
        return false;
    }
    if (parsed.storage.ss_family == AF_INET6) {
        const struct in6_addr *six =
            &((struct sockaddr_in6 *)&parsed.storage)->sin6_addr;
        *is_loopback = IN6_IS_ADDR_LOOPBACK(six);
        *is_any = IN6_IS_ADDR_UNSPECIFIED(six);
        return true;
    }
    const uint32_t four =
        ntohl(((struct sockaddr_in *)&parsed.storage)->sin_addr.s_addr);
    *is_loopback = four >> 24 == 127;
    *is_any = four == INADDR_ANY;
    return true;
}

static uint16_t port_of(int fd)
{
    socket_address address = { .length = sizeof(address.storage) };
    if (getsockname(fd, (struct sockaddr *)&address.storage, &address.length) != 0) {
        return 0;
    }
    return ntohs(address.storage.ss_family == AF_INET6
                     ? ((struct sockaddr_in6 *)&address.storage)->sin6_port
                     : ((struct sockaddr_in *)&address.storage)->sin_port);
}

/* ------------------------------------------------------------------ listening */

/* -1, with errno, on failure. */
static int listen_on(const socket_address *address)
{
    const int yes = 1;
    const int family = address->storage.ss_family;
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
    }
    if (bind(fd, (const struct sockaddr *)&address->storage, address->length) != 0 ||
        listen(fd, BACKLOG) != 0) {
        const int error_number = errno;
        close(fd);
        errno = error_number;
        return -1;
    }
    return fd;
}

static int fail_listen(const char *where, uint16_t port)
{
    const int error_number = errno;
    if (error_number == EADDRINUSE) {
        message("port %u is taken by another program: choose one with --port", port);
        return EXIT_ENVIRONMENT;
    }
    return report_errno(where, error_number);
}

static int listen_at(listeners *l, const char *text, uint16_t port)
{
    socket_address address;
    if (!parse_address(text, port, &address)) {
        message("%s is no numeric address", text);
        return EXIT_USAGE;
    }
    const int fd = listen_on(&address);
    if (fd < 0) {
        return fail_listen(text, port);
    }
    l->fds[l->n++] = fd;
    const bool is_six = strchr(text, ':') != NULL;
    message("listening on http://%s%s%s:%u/", is_six ? "[" : "", text,
            is_six ? "]" : "", port_of(fd));
    return EXIT_DONE;
}

/* Both addresses of this machine for itself; one without IPv6 will do with the first.
 * What another program has on the second would get the questions, and the key, of some
 * clients. */
static int listen_at_loopback(listeners *l, uint16_t port)
{
    socket_address six;
    const int status = listen_at(l, "127.0.0.1", port);
    if (status != EXIT_DONE) {
        return status;
    }
    port = port_of(l->fds[0]);
    const int fd = parse_address("::1", port, &six) ? listen_on(&six) : -1;
    if (fd < 0 && errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) {
        return fail_listen("::1", port);
    }
    if (fd >= 0) {
        l->fds[l->n++] = fd;
        message("listening on http://[::1]:%u/", port);
    }
    return EXIT_DONE;
}

/* A socket that no one listens on any more is in the way. */
static void remove_stale(const socket_address *address, const char *path)
{
    struct stat about;
    if (lstat(path, &about) != 0 || !S_ISSOCK(about.st_mode)) {
        return;
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)&address->storage, address->length) != 0 &&
        errno == ECONNREFUSED) {
        unlink(path);
    }
    if (fd >= 0) {
        close(fd);
    }
}

static int listen_at_path(listeners *l, const char *path)
{
    socket_address address = { .length = sizeof(struct sockaddr_un) };
    struct sockaddr_un *local = (struct sockaddr_un *)&address.storage;
    if (strlen(path) >= sizeof(local->sun_path)) {
        message("%s: the path of a socket has less than %zu bytes", path,
                sizeof(local->sun_path));
        return EXIT_USAGE;
    }
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, path, strlen(path) + 1);
    remove_stale(&address, path);
    const mode_t before = umask(0177); /* for the owner alone, from the beginning */
    const int fd = listen_on(&address);
    umask(before);
    if (fd < 0) {
        return report_errno(path, errno);
    }
    l->fds[l->n++] = fd;
    l->path = path;
    message("listening on unix:%s", path);
    return EXIT_DONE;
}

int listeners_open(listeners *l, const listener_opts *opts)
{
    int status = EXIT_DONE;
    if (opts->has_tcp) {
        status = opts->address == NULL ? listen_at_loopback(l, opts->port)
                                       : listen_at(l, opts->address, opts->port);
    }
    if (status == EXIT_DONE && opts->path != NULL) {
        status = listen_at_path(l, opts->path);
    }
    return status;
}

void listeners_close(listeners *l)
{
    if (l->path != NULL) {
        unlink(l->path);
    }
    for (unsigned i = 0; i < l->n; i++) {
        close(l->fds[i]);
    }
    *l = (listeners)LISTENERS_EMPTY;
}
