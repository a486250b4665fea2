/* HTTP for a service: connections, the rules that each request has to keep, replies. */
#ifndef KITH_TOOLS_SERVER_H
#define KITH_TOOLS_SERVER_H

#include "access.h"
#include "listeners.h"
#include "service.h"

/* From now on SIGINT and SIGTERM wait for server_run(). Before any thread is started,
 * which would take them. */
void server_hold_signals(void);
/* Serve until SIGINT or SIGTERM; then finish what has begun. EXIT_DONE, or reports and
 * gives another exit status. */
int server_run(service *s, listeners *l, const access_rules *rules);

#endif
