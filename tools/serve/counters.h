/* Counts of requests and connections, for /metrics. Thread-safe. */
#ifndef KITH_TOOLS_COUNTERS_H
#define KITH_TOOLS_COUNTERS_H

#include "routes.h"

/* A request was answered; route NULL: there is none for it. */
void counters_add_request(const route *to, int status, double seconds);
void counters_add_connection(int by); /* 1: opened, -1: closed */
void counters_add_refused(void);
void counters_put(buffer *out);

#endif
