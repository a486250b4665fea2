#include "encode_queue.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cpu.h"
#include "error.h"

/* What is encoded between two looks at the wish to stop. A pool of threads shares a run
 * out in tiles of 192 tokens, and the last of them leaves threads idle: so it is long
 * enough to have dozens. */
#define RUN_PASSAGES 512
#define RUN_BYTES ((size_t)16 << 10)

struct kith_encode_queue {
    kenc_model *model;
    kbase_isa isa;
    uint32_t dim;
    pid_t pid;
    uint64_t n_pushed;
    bool is_used;
    bool has_thread;
    pthread_t thread;
    /* Of a run. */
    kith_text texts[RUN_PASSAGES];
    uint32_t n_dropped[RUN_PASSAGES];
    float *vectors;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t work;
    pthread_cond_t done;
    kith_encode_job *first; /* being encoded */
    kith_encode_job *last;
    uint64_t n_done;
    bool stop;
    kith_error failure; /* code KITH_OK: none */
};

kith_status kith_encode_queue_new(const kith_collection *collection,
                                  kith_encode_queue **out, kith_error *err)
{
    const uint32_t dim = collection->model->info.dim;
    kith_encode_queue *queue = kbase_calloc(1, sizeof(*queue));
    float *vectors = kbase_calloc(RUN_PASSAGES, dim * sizeof(*vectors));
    if (queue == NULL || vectors == NULL) {
        free(queue);
        free(vectors);
        return kbase_fail_memory(err, RUN_PASSAGES * dim * sizeof(*vectors));
    }
    queue->model = collection->model->encoder;
    queue->isa = collection->isa;
    queue->dim = dim;
    queue->pid = getpid();
    queue->vectors = vectors;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->work, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->done, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = queue;
    return KITH_OK;
}

void kith_encode_queue_free(kith_encode_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    if (queue->pid == getpid()) {
        if (queue->has_thread) {
            pthread_mutex_lock(&queue->mutex);
            queue->stop = true;
            pthread_cond_signal(&queue->work);
            pthread_mutex_unlock(&queue->mutex);
            pthread_join(queue->thread, NULL);
        }
        pthread_cond_destroy(&queue->done);
        pthread_cond_destroy(&queue->work);
        pthread_mutex_destroy(&queue->mutex);
    }
    free(queue->vectors);
    free(queue);
}

bool kith_encode_queue_is_used(const kith_encode_queue *queue)
{
    return queue->is_used;
}

/* ------------------------------------------------------------------ encoding */

/* Take the texts of the next run from passage `first` on; returns their number. */
static size_t gather(kith_encode_queue *queue, const kith_encode_job *job, size_t first)
{
    size_t n = 0;
    size_t n_bytes = 0;
    while (n < RUN_PASSAGES && first + n < job->n && n_bytes < RUN_BYTES) {
        queue->texts[n] = job->passages[first + n]->encoded;
        n_bytes += queue->texts[n++].n_bytes;
    }
    return n;
}

kith_status kith_encode_here(kith_encode_queue *queue, const kith_encode_job *job,
                             bool (*stop)(void *context), void *context,
                             kith_error *err)
{
    const uint32_t dim = queue->dim;
    for (size_t done = 0; done < job->n;) {
        if (stop != NULL && stop(context)) {
            return kbase_fail(err, KITH_INTERRUPTED, "interrupted");
        }
        size_t n = gather(queue, job, done);
        kith_status status = kenc_encode(queue->model, queue->texts, n,
                                         KITH_POOLING_DEFAULT, KITH_PROMPT_PASSAGE,
                                         queue->vectors, queue->n_dropped, err);
        if (status != KITH_OK) {
            return status;
        }
        unsigned former = kbase_fpenv_enter();
        for (size_t i = 0; i < n; i++, done++) {
            uint16_t *row = job->rows + done * dim;
            kidx_f16_from_f32(queue->isa, queue->vectors + i * dim, dim, row);
            job->passages[done]->n_dropped = queue->n_dropped[i];
            job->passages[done]->row = row;
        }
        kbase_fpenv_leave(former);
    }
    return KITH_OK;
}

static bool is_stopped(void *context)
{
    kith_encode_queue *queue = context;
    pthread_mutex_lock(&queue->mutex);
    bool stop = queue->stop;
    pthread_mutex_unlock(&queue->mutex);
    return stop;
}

static void *work(void *context)
{
    kith_encode_queue *queue = context;
    kith_status status = KITH_OK;
    pthread_mutex_lock(&queue->mutex);
    while (status == KITH_OK) {
        while (queue->first == NULL && !queue->stop) {
            pthread_cond_wait(&queue->work, &queue->mutex);
        }
        if (queue->stop) {
            break;
        }
        const kith_encode_job *job = queue->first;
        kith_error error = { .code = KITH_OK };
        pthread_mutex_unlock(&queue->mutex);
        status = kith_encode_here(queue, job, is_stopped, queue, &error);
        pthread_mutex_lock(&queue->mutex);
        if (status == KITH_OK) {
            queue->first = job->next;
            queue->n_done++;
        } else {
            queue->failure = error;
        }
        pthread_cond_signal(&queue->done);
    }
    pthread_mutex_unlock(&queue->mutex);
    return NULL;
}

/* ------------------------------------------------------------------ handing over */

/* The mutex is held. */
static void append(kith_encode_queue *queue, kith_encode_job *job)
{
    job->next = NULL;
    if (queue->first == NULL) {
        queue->first = job;
        pthread_cond_signal(&queue->work);
    } else {
        queue->last->next = job;
    }
    queue->last = job;
}

uint64_t kith_encode_queue_push(kith_encode_queue *queue, kith_encode_job *job)
{
    if (job->n == 0) {
        return queue->n_pushed;
    }
    if (!queue->is_used) {
        queue->is_used = true;
        queue->has_thread = pthread_create(&queue->thread, NULL, work, queue) == 0;
    }
    if (queue->has_thread) {
        pthread_mutex_lock(&queue->mutex);
        append(queue, job);
        pthread_mutex_unlock(&queue->mutex);
    } else if (queue->failure.code == KITH_OK &&
               kith_encode_here(queue, job, NULL, NULL, &queue->failure) == KITH_OK) {
        queue->n_done++;
    }
    return ++queue->n_pushed;
}

kith_status kith_encode_queue_wait(kith_encode_queue *queue, uint64_t ticket,
                                   unsigned ms, bool *is_done, kith_error *err)
{
    struct timespec until;
    kith_status status = KITH_OK;
    int result = 0;
    if (ms > 0) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += ms / 1000;
        until.tv_nsec += (long)(ms % 1000) * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
    }
    pthread_mutex_lock(&queue->mutex);
    while (ms > 0 && result == 0 && queue->n_done < ticket &&
           queue->failure.code == KITH_OK) {
        result = pthread_cond_timedwait(&queue->done, &queue->mutex, &until);
    }
    *is_done = queue->n_done >= ticket;
    if (queue->failure.code != KITH_OK) {
        status = queue->failure.code;
        if (err != NULL) {
            *err = queue->failure;
        }
    }
    pthread_mutex_unlock(&queue->mutex);
    return status;
}
