/* Connections that are one too many: told so, and kept until the answer has been read.
 * A socket that is closed while its client still sends takes the answer back. For one
 * thread. */
#ifndef KITH_TOOLS_REFUSALS_H
#define KITH_TOOLS_REFUSALS_H

#include <stdbool.h>

#define MAX_REFUSALS 512

typedef struct refusals {
    struct refusal {
        int fd;
        double began;
    } open[MAX_REFUSALS];
    unsigned n;
} refusals;

#define REFUSALS_EMPTY                                                                 \
    {                                                                                  \
        .n = 0                                                                         \
    }

/* Answer 503 and take over the socket. */
void refusals_add(refusals *r, int fd);
/* Close those whose client has read the answer, or had time to. */
void refusals_sweep(refusals *r);
void refusals_close(refusals *r);

#endif
