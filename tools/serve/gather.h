/* Work of several requests, done together by a few threads. What comes in while all are
 * at work waits and becomes the next batches; a lone request waits for nothing.
 *
 * A thread that had a batch of several jobs waits up to a millisecond for as many
 * again: their clients, just answered, are about to ask anew. */
#ifndef KITH_TOOLS_GATHER_H
#define KITH_TOOLS_GATHER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The head of whatever a request wants done. */
typedef struct gather_job {
    struct gather_job *next;
    size_t weight; /* the weights of a batch add up to max_weight at most, unless one
                    * job alone has more */
    struct gather_wait *wait; /* whoever wants it done */
} gather_job;

typedef struct gather_work {
    size_t max_weight;
    /* Whether two jobs may be done together. */
    bool (*is_alike)(const gather_job *a, const gather_job *b);
    /* Do jobs that are alike, linked by next. worker: the number of the thread. */
    void (*run)(gather_job *jobs, size_t n_jobs, unsigned worker);
} gather_work;

typedef struct gather gather;

/* NULL when no thread can be started. */
gather *gather_new(const gather_work *work, unsigned n_workers);
/* No job is waiting any more. NULL is a no-op. */
void gather_free(gather *g);
unsigned gather_workers(const gather *g);
uint64_t gather_batches(gather *g);

/* Returns when all jobs of the list are done. */
void gather_do(gather *g, gather_job *jobs);

#endif
