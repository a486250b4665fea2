/* A small pool of threads that share out numbered tasks. */
#ifndef KBASE_THREADS_H
#define KBASE_THREADS_H

#include "kith.h"

typedef struct kbase_pool kbase_pool;

/* Processors that this process may run on, at least 1. */
unsigned kbase_n_processors(void);

/* A pool of n_threads workers, the caller of kbase_pool_run() included; 0: one a
 * processor. Threads are started by the first run that has more than one task. */
kith_status kbase_pool_new(unsigned n_threads, kbase_pool **pool, kith_error *err);
void kbase_pool_free(kbase_pool *pool);
unsigned kbase_pool_size(const kbase_pool *pool);

/* Call task(context, index, worker) once for every index below n_tasks, in any order;
 * worker is below kbase_pool_size(). Returns when all are done. One run at a time: the
 * caller holds a lock where several threads share a pool. The floating point environment
 * of every worker is the one that kbase_fpenv_enter() sets. Falls back to the calling
 * thread alone when threads cannot be started. */
void kbase_pool_run(kbase_pool *pool, size_t n_tasks,
                    void (*task)(void *context, size_t index, unsigned worker),
                    void *context);

#endif
