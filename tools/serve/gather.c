#include "gather.h"

#include <stdlib.h>
#include <time.h>

#include "buffer.h"

#define PATIENCE_NANOSECONDS 1000000

typedef struct gather_worker {
    gather *g;
    unsigned number;
    pthread_t thread;
    size_t n_last; /* jobs of its last batch */
} gather_worker;

struct gather {
    gather_work work;
    gather_worker *workers;
    unsigned n_workers;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    gather_job *first; /* in the order in which they came */
    gather_job **end;
    size_t n_waiting;
    bool is_ending;
    uint64_t n_batches;
};

/* Of a request, until its jobs are done. */
typedef struct gather_wait {
    size_t n_left;
    pthread_cond_t done;
} gather_wait;

/* ------------------------------------------------------------------ a worker */

/* Until there are as many jobs as in the last batch, or for a moment. */
static void wait_for_more(gather *g, size_t n_wanted)
{
    struct timespec end;
    int status = 0;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += PATIENCE_NANOSECONDS;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    while (g->n_waiting < n_wanted && !g->is_ending && status == 0) {
        status = pthread_cond_timedwait(&g->changed, &g->mutex, &end);
    }
}

/* Take the first job and those that are like it, as many as fit; or NULL. */
static gather_job *take_batch(gather *g, size_t *n_jobs)
{
    gather_job *const batch = g->first;
    gather_job *last = batch;
    size_t weight = 0;
    *n_jobs = 0;
    for (gather_job **link = &g->first; *link != NULL;) {
        gather_job *job = *link;
        if (job != batch && (weight + job->weight > g->work.max_weight ||
                             !g->work.is_alike(batch, job))) {
            link = &job->next;
            continue;
        }
        *link = job->next;
        last->next = job;
        last = job;
        weight += job->weight;
        (*n_jobs)++;
    }
    g->end = &g->first;
    while (*g->end != NULL) {
        g->end = &(*g->end)->next;
    }
    g->n_waiting -= *n_jobs;
    if (last != NULL) {
        last->next = NULL;
    }
    return batch;
}

static void tell_done(gather_job *batch)
{
    while (batch != NULL) {
        gather_job *next =
            batch->next; /* a job may end with its request once it is done */
        if (--batch->wait->n_left == 0) {
            pthread_cond_signal(&batch->wait->done);
        }
        batch = next;
    }
}

static void *run_worker(void *context)
{
    gather_worker *worker = context;
    gather *g = worker->g;
    pthread_mutex_lock(&g->mutex);
    while (true) {
        while (g->first == NULL && !g->is_ending) {
            pthread_cond_wait(&g->changed, &g->mutex);
        }
        if (g->is_ending) {
            break;
        }
        wait_for_more(g, worker->n_last);
        gather_job *batch = take_batch(g, &worker->n_last);
        if (batch != NULL) {
            g->n_batches++;
            pthread_mutex_unlock(&g->mutex);
            g->work.run(batch, worker->n_last, worker->number);
            pthread_mutex_lock(&g->mutex);
            tell_done(batch);
        }
    }
    pthread_mutex_unlock(&g->mutex);
    return NULL;
}

/* ------------------------------------------------------------------ all of them */

gather *gather_new(const gather_work *work, unsigned n_workers)
{
    pthread_condattr_t monotonic;
    gather *g = allocate(1, sizeof(*g));
    *g = (gather){ .work = *work };
    g->end = &g->first;
    g->workers = allocate(n_workers, sizeof(g->workers[0]));
    pthread_mutex_init(&g->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&g->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (unsigned i = 0; i < n_workers; i++) {
        gather_worker *worker = &g->workers[g->n_workers];
        *worker = (gather_worker){ .g = g, .number = g->n_workers };
        g->n_workers += pthread_create(&worker->thread, NULL, run_worker, worker) == 0;
    }
    if (g->n_workers == 0) {
        gather_free(g);
        return NULL;
    }
    return g;
}

void gather_free(gather *g)
{
    if (g == NULL) {
        return;
    }
    pthread_mutex_lock(&g->mutex);
    g->is_ending = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->mutex);
    for (unsigned i = 0; i < g->n_workers; i++) {
        pthread_join(g->workers[i].thread, NULL);
    }
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->mutex);
    free(g->workers);
    free(g);
}

unsigned gather_workers(const gather *g)
{
    return g->n_workers;
}

uint64_t gather_batches(gather *g)
{
    pthread_mutex_lock(&g->mutex);
    const uint64_t n_batches = g->n_batches;
    pthread_mutex_unlock(&g->mutex);
    return n_batches;
}

void gather_do(gather *g, gather_job *jobs)
{
    gather_wait wait = { 0, PTHREAD_COND_INITIALIZER };
    for (gather_job *job = jobs; job != NULL; job = job->next) {
        job->wait = &wait;
        wait.n_left++;
    }
    pthread_mutex_lock(&g->mutex);
    *g->end = jobs;
    while (*g->end != NULL) {
        g->end = &(*g->end)->next;
    }
    g->n_waiting += wait.n_left;
    pthread_cond_broadcast(&g->changed);
    while (wait.n_left > 0) {
        pthread_cond_wait(&wait.done, &g->mutex);
    }
    pthread_mutex_unlock(&g->mutex);
    pthread_cond_destroy(&wait.done);
}
