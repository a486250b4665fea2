#include "refusals.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli.h"
#include "counters.h"

#define LINGER_SECONDS 1.0

/* False at the end of what the client sends. */
static bool read_rest(int fd)
{
    char sent[8192];
    ssize_t n;
    do {
        n = recv(fd, sent, sizeof(sent), MSG_DONTWAIT);
    } while (n > 0);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static void close_at(refusals *r, unsigned i)
{
    close(r->open[i].fd);
    r->n--;
    memmove(r->open + i, r->open + i + 1, (r->n - i) * sizeof(r->open[0]));
}

void refusals_add(refusals *r, int fd)
{
    static const char busy[] =
        "HTTP/1.1 503 Service Unavailable\r\n"
        "Content-Type: application/json\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Cache-Control: no-store\r\n"
        "Content-Length: 59\r\n"
        "Retry-After: 1\r\n"
        "Connection: close\r\n"
        "\r\n"
        "{\"code\":\"busy\",\"message\":\"too many connections; try again\"}";
    counters_add_refused();
    if (r->n == MAX_REFUSALS) {
        close_at(r, 0);
    }
    if (send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ||
        shutdown(fd, SHUT_WR) != 0) {
        close(fd);
        return;
    }
    r->open[r->n++] = (struct refusal){ fd, seconds_now() };
}

void refusals_sweep(refusals *r)
{
    const double now = seconds_now();
    for (unsigned i = 0; i < r->n;) {
        if (!read_rest(r->open[i].fd) || now - r->open[i].began > LINGER_SECONDS) {
            close_at(r, i);
        } else {
            i++;
        }
    }
}

void refusals_close(refusals *r)
{
    while (r->n > 0) {
        close_at(r, r->n - 1);
    }
}
