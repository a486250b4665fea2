/* Encoding pending passages: on a thread of its own, job after job, while the caller of
 * the writer goes on; or at once, in the calling thread. */
#ifndef KITH_ENCODE_QUEUE_H
#define KITH_ENCODE_QUEUE_H

#include "collection.h"
#include "pending.h"

/* Belongs to one thread, like the writer that has it. */
typedef struct kith_encode_queue kith_encode_queue;

/* For the model of a collection, which must outlive it. Starts no thread. */
kith_status kith_encode_queue_new(const kith_collection *collection,
                                  kith_encode_queue **queue, kith_error *err);

/* Give up what was handed over: waits for the texts that are being encoded, a few
 * thousand tokens, and ends the thread. In a child of fork() only memory is released.
 * NULL is a no-op. */
void kith_encode_queue_free(kith_encode_queue *queue);

/* Whether something was ever handed over. */
bool kith_encode_queue_is_used(const kith_encode_queue *queue);

/* Encode a job in this thread, before anything was handed over. `stop` is asked every few
 * thousand tokens: KITH_INTERRUPTED. Passages that were encoded until then keep their
 * vectors. */
kith_status kith_encode_here(kith_encode_queue *queue, const kith_encode_job *job,
                             bool (*stop)(void *context), void *context,
                             kith_error *err);

/* Hand over a job and return its ticket: it and its passages belong to the thread until
 * the ticket is done, or the queue is freed. Starts the thread; where that fails, encodes
 * here. An empty job is done when those before it are. */
uint64_t kith_encode_queue_push(kith_encode_queue *queue, kith_encode_job *job);

/* Whether a ticket is done; waits for it at most `ms`. Jobs are done in the order in
 * which they were handed over. When encoding has failed, this fails in the same way ever
 * after, whatever the ticket. */
kith_status kith_encode_queue_wait(kith_encode_queue *queue, uint64_t ticket,
                                   unsigned ms, bool *is_done, kith_error *err);

#endif
