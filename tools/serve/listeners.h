/* The sockets that a server listens on. */
#ifndef KITH_TOOLS_LISTENERS_H
#define KITH_TOOLS_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_LISTENERS 3 /* two of TCP, one of Unix */

typedef struct listener_opts {
    const char *address; /* numeric; NULL: 127.0.0.1 and ::1 */
    uint16_t port;       /* 0: a free one */
    bool has_tcp;
    const char *path; /* of a Unix socket; NULL: none */
} listener_opts;

typedef struct listeners {
    int fds[MAX_LISTENERS];
    unsigned n;
    const char *path; /* to remove at the end */
} listeners;

#define LISTENERS_EMPTY                                                                \
    {                                                                                  \
        .n = 0                                                                         \
    }

/* Whether the address is one that only this machine reaches, and whether it stands for
 * all of its addresses. False when it is not numeric. */
bool listeners_check_address(const char *address, bool *is_loopback, bool *is_any);

/* Listen, and say where on stderr. EXIT_DONE, or reports and gives another status. */
int listeners_open(listeners *l, const listener_opts *opts);
void listeners_close(listeners *l);

#endif
