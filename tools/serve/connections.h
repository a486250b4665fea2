/* The connections of a server, and until when each has to get on. A client that sends
 * or reads too slowly is cut off, however many bytes it keeps moving. Thread-safe. */
#ifndef KITH_TOOLS_CONNECTIONS_H
#define KITH_TOOLS_CONNECTIONS_H

#include <math.h>
#include <stdbool.h>

#define ANY_TIME INFINITY /* seconds */
#define MAX_CONNECTIONS 256

/* A socket that stays the caller's. False when there are too many. */
bool connections_add(int fd, double seconds);
/* Before fd is closed, or by the thread that adds. One that is not there is a no-op. */
void connections_remove(int fd);
/* How long the next step may take. */
void connections_allow(int fd, double seconds);
/* Cut off those whose time is over. */
void connections_cut(void);

#endif
