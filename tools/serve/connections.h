/* The connections of a server, and until when each has to get on. A client that sends or
 * reads too slowly is cut off, however many bytes it keeps moving. Thread-safe. */
#ifndef KITH_TOOLS_CONNECTIONS_H
#define KITH_TOOLS_CONNECTIONS_H

#include <stdbool.h>

#define MAX_CONNECTIONS 256

typedef struct connection connection;

bool connections_have_room(void);
/* fd: for cutting it off; it stays the caller's. NULL when memory is out. */
connection *connections_add(int fd, double seconds);
/* Before fd is closed. */
void connections_remove(connection *c);
/* How long the next step may take; 0: any time. */
void connections_allow(connection *c, double seconds);
/* Cut off those whose time is over. */
void connections_cut(void);

#endif
