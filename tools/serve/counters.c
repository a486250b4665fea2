#include "counters.h"

#include <inttypes.h>
#include <pthread.h>

#define MAX_ROUTES 32 /* the last place is for paths without a route */
#define N_STATUSES (sizeof(statuses) / sizeof(statuses[0]))
#define N_BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

static const int statuses[] = { 200, 201, 400, 401, 403, 404,
                                405, 413, 415, 431, 500, 503 };
/* Upper bounds of the histogram, in seconds. */
static const double bounds[] = { 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
                                 0.2,   0.5,   1,     2,    5,    10,   60 };

typedef struct route_counts {
    uint64_t by_status[N_STATUSES];
    uint64_t by_bound[N_BOUNDS];
    uint64_t n;
    double seconds;
} route_counts;

static struct {
    pthread_mutex_t mutex;
    route_counts routes[MAX_ROUTES];
    int64_t n_connections;
    uint64_t n_refused;
} counts = { .mutex = PTHREAD_MUTEX_INITIALIZER };

void counters_add_request(const route *to, int status, double seconds)
{
    route_counts *of = &counts.routes[to == NULL ? MAX_ROUTES - 1 : routes_place(to)];
    pthread_mutex_lock(&counts.mutex);
    for (size_t i = 0; i < N_STATUSES; i++) {
        of->by_status[i] += statuses[i] == status;
    }
    for (size_t i = 0; i < N_BOUNDS; i++) {
        of->by_bound[i] += seconds <= bounds[i];
    }
    of->n++;
    of->seconds += seconds;
    pthread_mutex_unlock(&counts.mutex);
}

void counters_add_connection(int by)
{
    pthread_mutex_lock(&counts.mutex);
    counts.n_connections += by;
    pthread_mutex_unlock(&counts.mutex);
}

void counters_add_refused(void)
{
    pthread_mutex_lock(&counts.mutex);
    counts.n_refused++;
    pthread_mutex_unlock(&counts.mutex);
}

static const char *name_of(size_t place)
{
    if (place == MAX_ROUTES - 1) {
        return "none";
    }
    const route *to = routes_at(place);
    return to == NULL ? NULL : to->name;
}

static void put_statuses(buffer *out)
{
    buffer_string(out, "# HELP kith_requests_total Requests answered.\n"
                       "# TYPE kith_requests_total counter\n");
    for (size_t place = 0; place < MAX_ROUTES; place++) {
        for (size_t i = 0; i < N_STATUSES && name_of(place) != NULL; i++) {
            const uint64_t n = counts.routes[place].by_status[i];
            if (n > 0) {
                buffer_print(out,
                             "kith_requests_total{route=\"%s\",status=\"%d\"} %" PRIu64
                             "\n",
                             name_of(place), statuses[i], n);
            }
        }
    }
}

static void put_seconds(buffer *out)
{
    buffer_string(out, "# HELP kith_request_seconds From the whole request to its "
                       "answer.\n"
                       "# TYPE kith_request_seconds histogram\n");
    for (size_t place = 0; place < MAX_ROUTES; place++) {
        const route_counts *of = &counts.routes[place];
        const char *name = name_of(place);
        if (name == NULL || of->n == 0) {
            continue;
        }
        for (size_t i = 0; i < N_BOUNDS; i++) {
            buffer_print(out,
                         "kith_request_seconds_bucket{route=\"%s\",le=\"%g\"} %" PRIu64
                         "\n",
                         name, bounds[i], of->by_bound[i]);
        }
        buffer_print(out,
                     "kith_request_seconds_bucket{route=\"%s\",le=\"+Inf\"} %" PRIu64
                     "\nkith_request_seconds_sum{route=\"%s\"} %.9g\n"
                     "kith_request_seconds_count{route=\"%s\"} %" PRIu64 "\n",
                     name, of->n, name, of->seconds, name, of->n);
    }
}

void counters_put(buffer *out)
{
    pthread_mutex_lock(&counts.mutex);
    put_statuses(out);
    put_seconds(out);
    buffer_print(
        out,
        "# HELP kith_connections Connections that are open.\n"
        "# TYPE kith_connections gauge\nkith_connections %" PRId64 "\n"
        "# HELP kith_refused_connections_total Connections that were too many.\n"
        "# TYPE kith_refused_connections_total counter\n"
        "kith_refused_connections_total %" PRIu64 "\n",
        counts.n_connections, counts.n_refused);
    pthread_mutex_unlock(&counts.mutex);
}
