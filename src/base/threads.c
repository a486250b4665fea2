#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "cpu.h"
#include "error.h"
#include "memory.h"

#define MAX_THREADS 1024

struct kbase_pool {
    unsigned n_threads; /* workers, the caller included */
    unsigned n_started; /* threads besides the caller */
    bool start_tried;
    pthread_t *threads;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    pthread_cond_t done;
    bool stop;
    uint64_t run; /* number of the present run: a thread joins each once */
    unsigned n_busy;
    unsigned next_worker;
    void (*task)(void *context, size_t index, unsigned worker);
    void *context;
    size_t n_tasks;
    atomic_size_t next_task;
};

unsigned kbase_n_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 ? (unsigned)n : 1;
}

kith_status kbase_pool_new(unsigned n_threads, kbase_pool **out, kith_error *err)
{
    kbase_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return kbase_fail_memory(err, sizeof(*pool));
    }
    pool->n_threads = n_threads == 0 ? kbase_n_processors() : n_threads;
    if (pool->n_threads > MAX_THREADS) {
        free(pool);
        return kbase_fail(err, KITH_INVALID, "%u threads: at most %d are possible",
                          n_threads, MAX_THREADS);
    }
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    *out = pool;
    return KITH_OK;
}

unsigned kbase_pool_size(const kbase_pool *pool)
{
    return pool->n_threads;
}

static void take_tasks(kbase_pool *pool, unsigned worker)
{
    for (;;) {
        size_t index = atomic_fetch_add(&pool->next_task, 1);
        if (index >= pool->n_tasks) {
            return;
        }
        pool->task(pool->context, index, worker);
    }
}

static void *work(void *argument)
{
    kbase_pool *pool = argument;
    kbase_fpenv_enter();
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (!pool->stop && pool->run == seen) {
            pthread_cond_wait(&pool->work, &pool->mutex);
        }
        if (pool->stop) {
            break;
        }
        seen = pool->run;
        unsigned worker = pool->next_worker++;
        pthread_mutex_unlock(&pool->mutex);
        take_tasks(pool, worker);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->n_busy == 0) {
            pthread_cond_signal(&pool->done);
        }
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static void start(kbase_pool *pool)
{
    pool->start_tried = true;
    pool->threads = kbase_calloc(pool->n_threads - 1, sizeof(*pool->threads));
    if (pool->threads == NULL) {
        return;
    }
    for (unsigned i = 0; i + 1 < pool->n_threads; i++) {
        if (pthread_create(&pool->threads[i], NULL, work, pool) != 0) {
            return;
        }
        pool->n_started++;
    }
}

void kbase_pool_run(kbase_pool *pool, size_t n_tasks,
                    void (*task)(void *context, size_t index, unsigned worker),
                    void *context)
{
    pool->task = task;
    pool->context = context;
    pool->n_tasks = n_tasks;
    atomic_store(&pool->next_task, 0);
    bool shared = n_tasks > 1 && pool->n_threads > 1;
    if (shared && !pool->start_tried) {
        start(pool);
    }
    shared = shared && pool->n_started > 0;
    if (shared) {
        pthread_mutex_lock(&pool->mutex);
        pool->run++;
        pool->n_busy = pool->n_started;
        pool->next_worker = 1;
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->mutex);
    }
    unsigned former = kbase_fpenv_enter();
    take_tasks(pool, 0);
    kbase_fpenv_leave(former);
    if (shared) {
        pthread_mutex_lock(&pool->mutex);
        while (pool->n_busy > 0) {
            pthread_cond_wait(&pool->done, &pool->mutex);
        }
        pthread_mutex_unlock(&pool->mutex);
    }
}

void kbase_pool_free(kbase_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->n_started; i++) {
        pthread_join(pool->threads[i], NULL);
    }
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->done);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->threads);
    free(pool);
}
