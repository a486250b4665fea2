#include "gather.h"

void gather_init(gather *g, const gather_work *work)
{
    *g = (gather){ .work = *work };
    pthread_mutex_init(&g->mutex, NULL);
}

void gather_destroy(gather *g)
{
    pthread_mutex_destroy(&g->mutex);
}

uint64_t gather_batches(gather *g)
{
    pthread_mutex_lock(&g->mutex);
    const uint64_t n_batches = g->n_batches;
    pthread_mutex_unlock(&g->mutex);
    return n_batches;
}

/* Take the first job and those that are like it out of the line, as many as fit. */
static gather_job *take_batch(gather *g, size_t *n_jobs)
{
    gather_job *const first = g->waiting;
    gather_job **link = &g->waiting;
    gather_job *batch_end = first;
    size_t weight = first->weight;
    *n_jobs = 1;
    g->waiting = first->next;
    while (*link != NULL) {
        gather_job *job = *link;
        if (weight + job->weight <= g->work.max_weight && g->work.is_alike(first, job)) {
            *link = job->next;
            batch_end->next = job;
            batch_end = job;
            weight += job->weight;
            (*n_jobs)++;
        } else {
            link = &job->next;
        }
    }
    batch_end->next = NULL;
    return first;
}

/* Do the next batch; the mutex is held, but for the work itself. */
static void lead(gather *g)
{
    size_t n_jobs;
    gather_job *batch = take_batch(g, &n_jobs);
    g->is_at_work = true;
    g->n_batches++;
    pthread_mutex_unlock(&g->mutex);
    g->work.run(batch, n_jobs);
    pthread_mutex_lock(&g->mutex);
    g->is_at_work = false;
    while (batch != NULL) {
        gather_job *next = batch->next; /* a job may end with its request once it is done */
        batch->is_done = true;
        pthread_cond_signal(&batch->changed);
        batch = next;
    }
    if (g->waiting != NULL) {
        pthread_cond_signal(&g->waiting->changed);
    }
}

void gather_do(gather *g, gather_job *job)
{
    gather_job **link = &g->waiting;
    job->next = NULL;
    job->is_done = false;
    pthread_cond_init(&job->changed, NULL);
    pthread_mutex_lock(&g->mutex);
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = job;
    while (!job->is_done) {
        if (!g->is_at_work && g->waiting == job) {
            lead(g);
        } else {
            pthread_cond_wait(&job->changed, &g->mutex);
        }
    }
    pthread_mutex_unlock(&g->mutex);
    pthread_cond_destroy(&job->changed);
}
