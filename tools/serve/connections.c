#include "connections.h"

#include <pthread.h>
#include <sys/socket.h>

#include "cli.h"
#include "counters.h"

static struct {
    pthread_mutex_t mutex;
    struct connection {
        int fd;
        double deadline; /* seconds_now() */
    } open[MAX_CONNECTIONS];
    unsigned n;
} all = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* NULL: not there. The mutex is held. */
static struct connection *find(int fd)
{
    for (unsigned i = 0; i < all.n; i++) {
        if (all.open[i].fd == fd) {
            return &all.open[i];
        }
    }
    return NULL;
}

bool connections_add(int fd, double seconds)
{
    pthread_mutex_lock(&all.mutex);
    struct connection *stale = find(fd); /* it was closed, and no one told us */
    const bool has_room = stale != NULL || all.n < MAX_CONNECTIONS;
    if (stale != NULL) {
        stale->deadline = seconds_now() + seconds;
    } else if (has_room) {
        all.open[all.n++] = (struct connection){ fd, seconds_now() + seconds };
        counters_add_connection(1);
    }
    pthread_mutex_unlock(&all.mutex);
    return has_room;
}

void connections_remove(int fd)
{
    pthread_mutex_lock(&all.mutex);
    struct connection *c = find(fd);
    if (c != NULL) {
        *c = all.open[--all.n];
        counters_add_connection(-1);
    }
    pthread_mutex_unlock(&all.mutex);
}

void connections_allow(int fd, double seconds)
{
    pthread_mutex_lock(&all.mutex);
    struct connection *c = find(fd);
    if (c != NULL) {
        c->deadline = seconds_now() + seconds;
    }
    pthread_mutex_unlock(&all.mutex);
}

void connections_cut(void)
{
    const double now = seconds_now();
    pthread_mutex_lock(&all.mutex);
    for (unsigned i = 0; i < all.n; i++) {
        if (now > all.open[i].deadline) {
            shutdown(all.open[i].fd, SHUT_RDWR); /* its thread sees the end */
            all.open[i].deadline = ANY_TIME;
        }
    }
    pthread_mutex_unlock(&all.mutex);
}
