#include "connections.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cli.h"
#include "counters.h"

struct connection {
    int fd;
    double deadline; /* seconds_now() */
    connection *previous;
    connection *next;
};

static struct {
    pthread_mutex_t mutex;
    connection *first;
    unsigned n;
} all = { .mutex = PTHREAD_MUTEX_INITIALIZER };

bool connections_have_room(void)
{
    pthread_mutex_lock(&all.mutex);
    const bool have_room = all.n < MAX_CONNECTIONS;
    pthread_mutex_unlock(&all.mutex);
    return have_room;
}

connection *connections_add(int fd, double seconds)
{
    connection *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    c->fd = fd;
    c->deadline = seconds_now() + seconds;
    pthread_mutex_lock(&all.mutex);
    c->next = all.first;
    if (all.first != NULL) {
        all.first->previous = c;
    }
    all.first = c;
    all.n++;
    pthread_mutex_unlock(&all.mutex);
    counters_add_connection(1);
    return c;
}

void connections_remove(connection *c)
{
    if (c == NULL) {
        return;
    }
    pthread_mutex_lock(&all.mutex);
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        all.first = c->next;
    }
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    all.n--;
    pthread_mutex_unlock(&all.mutex);
    free(c);
    counters_add_connection(-1);
}

void connections_allow(connection *c, double seconds)
{
    if (c == NULL) {
        return;
    }
    pthread_mutex_lock(&all.mutex);
    c->deadline = seconds > 0 ? seconds_now() + seconds : INFINITY;
    pthread_mutex_unlock(&all.mutex);
}

void connections_cut(void)
{
    const double now = seconds_now();
    pthread_mutex_lock(&all.mutex);
    for (connection *c = all.first; c != NULL; c = c->next) {
        if (now > c->deadline) {
            shutdown(c->fd, SHUT_RDWR); /* the thread that waits for it sees the end */
            c->deadline = INFINITY;
        }
    }
    pthread_mutex_unlock(&all.mutex);
}
