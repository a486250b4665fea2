/* Who may ask: Host, Origin and API key. */
#ifndef KITH_TOOLS_ACCESS_H
#define KITH_TOOLS_ACCESS_H

#include "options.h"
#include "request.h"

typedef struct access_rules {
    const char *key;           /* NULL: none is needed */
    const char *address;       /* given by --host, or NULL */
    const option_texts *names; /* further hosts */
    bool any_address; /* --host stands for all addresses of the machine: each may
                       * be Host, since a number cannot be rebound by DNS */
} access_rules;

/* Whether it is long enough; else that is reported. where: what it comes from. */
bool access_check_new_key(const char *where, const char *key);
/* Read the key from the first line of a file, for free(). NULL is reported. */
char *access_read_key(const char *path);

/* The values of the headers; NULL: absent. False, and a reply, when it is refused. */
bool access_check(const access_rules *rules, request *r, const char *host,
                  const char *origin);
bool access_check_key(const access_rules *rules, request *r, const char *authorization);

#endif
