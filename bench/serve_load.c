/* GET requests at a fixed rate, whatever the server does: bench/serve.
 *
 *   serve_load PORT RATE SECONDS CONNECTIONS PATHS
 *
 * Request i is due at i / RATE, and its latency counts from then, also while it waits
 * for a connection: a server that stalls is charged for all that should have been asked
 * meanwhile. Prints one line of JSON; latencies are in milliseconds. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { RESPONSE_BYTES = 1 << 20 };

typedef struct {
    int fd;
    double due; /* of the request that is on its way */
    char *data;
    size_t length;
} connection;

typedef struct {
    char **requests;
    size_t n_requests;
    connection *connections;
    size_t n_connections;
    connection **idle; /* a ring: all are used in turn, so that none is idle for long */
    size_t n_idle, first_idle;
    double start, rate;
    size_t total, sent, answered, failed;
    double *latency; /* seconds, of each that was answered */
    double *lag;     /* from when it could have been sent to when it was */
    int epoll, timer;
} load;

static void die(const char *what) {
    fprintf(stderr, "serve_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *allocate(size_t n, size_t size) {
    void *memory = calloc(n, size);
    if (memory == NULL) {
        die("memory");
    }
    return memory;
}

static void read_paths(load *l, const char *name) {
    FILE *file = fopen(name, "r");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    if (file == NULL) {
        die(name);
    }
    while ((length = getline(&line, &capacity, file)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        l->requests = realloc(l->requests, (l->n_requests + 1) * sizeof *l->requests);
        if (l->requests == NULL ||
            asprintf(&l->requests[l->n_requests++],
                     "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", line) < 0) {
            die("memory");
        }
    }
    free(line);
    fclose(file);
    if (l->n_requests == 0) {
        fprintf(stderr, "serve_load: %s is empty\n", name);
        exit(1);
    }
}

static void connect_all(load *l, size_t n, uint16_t port) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    l->n_connections = n;
    l->connections = allocate(n, sizeof *l->connections);
    l->idle = allocate(n, sizeof *l->idle);
    for (size_t i = 0; i < n; i++) {
        connection *c = &l->connections[i];
        int one = 1;
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        c->data = allocate(RESPONSE_BYTES + 1, 1);
        if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) {
            die("connect");
        }
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
            die("epoll");
        }
        l->idle[l->n_idle++] = c;
    }
}

static connection *take_idle(load *l) {
    connection *c = l->idle[l->first_idle];
    l->first_idle = (l->first_idle + 1) % l->n_connections;
    l->n_idle--;
    return c;
}

static void give_idle(load *l, connection *c) {
    l->idle[(l->first_idle + l->n_idle++) % l->n_connections] = c;
}

/* Sends all that is due, as far as connections are free; sets the timer for the next.
 * `freed`: when the last connection became free, if any did. */
static void send_due(load *l, double freed) {
    while (l->sent < l->total && l->n_idle > 0) {
        double due = l->start + (double)l->sent / l->rate, t = now();
        if (due > t) {
            break;
        }
        connection *c = take_idle(l);
        const char *request = l->requests[l->sent % l->n_requests];
        size_t length = strlen(request);
        c->due = due;
        c->length = 0;
        l->lag[l->sent++] = t - (due > freed ? due : freed);
        if (write(c->fd, request, length) != (ssize_t)length) {
            die("write");
        }
    }
    if (l->sent < l->total) {
        double due = l->start + (double)l->sent / l->rate;
        struct itimerspec when = { .it_value = { .tv_sec = (time_t)due } };
        when.it_value.tv_nsec = (long)((due - (double)when.it_value.tv_sec) * 1e9);
        timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &when, NULL);
    }
}

/* Whether the response is there, whole. */
static bool has_ended(const connection *c) {
    const char *end = strstr(c->data, "\r\n\r\n");
    const char *length = strcasestr(c->data, "\r\ncontent-length:");
    if (end == NULL) {
        return false;
    }
    if (length == NULL || length > end) {
        fprintf(stderr, "serve_load: a response without Content-Length\n");
        exit(1);
    }
    size_t body = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
    return c->length >= (size_t)(end + 4 - c->data) + body;
}

/* Reads; true when the connection is free again. */
static bool receive(load *l, connection *c) {
    ssize_t n = read(c->fd, c->data + c->length, RESPONSE_BYTES - c->length);
    if (n <= 0) {
        fprintf(stderr, "serve_load: the server has closed a connection\n");
        exit(1);
    }
    c->length += (size_t)n;
    c->data[c->length] = '\0';
    if (!has_ended(c)) {
        return false;
    }
    l->failed += strncmp(c->data, "HTTP/1.1 200", 12) != 0;
    l->latency[l->answered++] = now() - c->due;
    give_idle(l, c);
    return true;
}

static void run(load *l) {
    struct epoll_event events[64], timer = { .events = EPOLLIN };
    double freed = 0;
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->timer, &timer);
    l->start = now() + 0.01;
    send_due(l, freed);
    while (l->answered < l->total) {
        int n = epoll_wait(l->epoll, events, 64, 10000);
        if (n == 0) {
            fprintf(stderr, "serve_load: no answer for 10 s\n");
            exit(1);
        }
        for (int i = 0; i < n; i++) {
            connection *c = events[i].data.ptr;
            uint64_t ticks;
            if (c == NULL) {
                (void)!read(l->timer, &ticks, sizeof ticks);
            } else if (receive(l, c)) {
                freed = l->n_idle == 1 ? now() : freed;
            }
        }
        send_due(l, freed);
    }
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Milliseconds; values are sorted. */
static double quantile(const double *values, size_t n, double q) {
    size_t i = (size_t)(q * (double)n);
    return values[i < n ? i : n - 1] * 1e3;
}

int main(int argc, char **argv) {
    load l = { 0 };
    struct rusage usage;
    if (argc != 6) {
        fprintf(stderr, "usage: serve_load PORT RATE SECONDS CONNECTIONS PATHS\n");
        return 2;
    }
    l.rate = atof(argv[2]);
    l.total = (size_t)(l.rate * atof(argv[3]));
    if (l.total == 0) {
        fprintf(stderr, "serve_load: nothing to send\n");
        return 2;
    }
    l.epoll = epoll_create1(0);
    l.timer = timerfd_create(CLOCK_MONOTONIC, 0);
    l.latency = allocate(l.total, sizeof *l.latency);
    l.lag = allocate(l.total, sizeof *l.lag);
    read_paths(&l, argv[5]);
    connect_all(&l, strtoul(argv[4], NULL, 10), (uint16_t)atoi(argv[1]));
    run(&l);
    double seconds = now() - l.start;
    qsort(l.latency, l.total, sizeof *l.latency, compare);
    qsort(l.lag, l.total, sizeof *l.lag, compare);
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    printf("{\"requests\": %zu, \"failed\": %zu, \"rate\": %.1f, \"p50\": %.3f, "
           "\"p95\": %.3f, \"p99\": %.3f, \"max\": %.3f, \"lag_p99\": %.3f, "
           "\"lag_max\": %.3f, \"cpu\": %.3f}\n",
           l.total, l.failed, (double)l.total / seconds,
           quantile(l.latency, l.total, 0.5), quantile(l.latency, l.total, 0.95),
           quantile(l.latency, l.total, 0.99),
           quantile(l.latency, l.total, 1), quantile(l.lag, l.total, 0.99),
           quantile(l.lag, l.total, 1), cpu / seconds);
    return 0;
}
