/* Work of several requests, done together. While one batch is at work, what comes in
 * waits and becomes the next one; alone, a request does not wait.
 *
 * The thread of the first job in line does the work of its batch: there is no thread to
 * start or to stop, and a lone request changes threads not at all. */
#ifndef KITH_TOOLS_GATHER_H
#define KITH_TOOLS_GATHER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The head of whatever a request wants done. */
typedef struct gather_job {
    struct gather_job *next;
    size_t weight; /* the weights of a batch add up to max_weight at most, unless one job
                    * alone has more */
    bool is_done;
    pthread_cond_t changed;
} gather_job;

typedef struct gather_work {
    size_t max_weight;
    /* Whether two jobs may be done together. */
    bool (*is_alike)(const gather_job *a, const gather_job *b);
    /* Do jobs that are alike, linked by next. */
    void (*run)(gather_job *jobs, size_t n_jobs);
} gather_work;

typedef struct gather {
    gather_work work;
    pthread_mutex_t mutex; /* guards what follows */
    gather_job *waiting;   /* in the order in which they came */
    bool is_at_work;
    uint64_t n_batches;
} gather;

void gather_init(gather *g, const gather_work *work);
void gather_destroy(gather *g);
uint64_t gather_batches(gather *g);

/* Returns when the job is done. */
void gather_do(gather *g, gather_job *job);

#endif
