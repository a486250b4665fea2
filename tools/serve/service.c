#include "service.h"

#include <stdlib.h>
#include <string.h>

#include "json_write.h"
#include "parameters.h"
#include "text.h"

/* Queries that are asked together. */
#define BATCH_QUERIES 64
/* A server lives long: loading the approximate index pays. */
#define N_EXPECTED 1000000

/* ------------------------------------------------------------------ encoding */

typedef struct encoding_job {
    gather_job job; /* first: one is made of the other */
    kith_model *model;
    const kith_tokens *texts;
    size_t n;
    float *vectors;
    uint32_t dim;
    kith_status status;
    kith_error err;
} encoding_job;

static bool encodes_alike(const gather_job *a, const gather_job *b)
{
    return ((const encoding_job *)a)->model == ((const encoding_job *)b)->model;
}

static void encode_alone(encoding_job *job)
{
    job->status = kith_model_encode_tokenized(job->model, job->texts, job->n, NULL,
                                              job->vectors, &job->err);
}

static void encode_each(gather_job *jobs)
{
    for (gather_job *j = jobs; j != NULL; j = j->next) {
        encode_alone((encoding_job *)j);
    }
}

static void encode_batch(gather_job *jobs, size_t n_jobs)
{
    encoding_job *first = (encoding_job *)jobs;
    kith_tokens texts[BATCH_TEXTS];
    size_t n = 0;
    if (n_jobs == 1) {
        encode_alone(first);
        return;
    }
    for (gather_job *j = jobs; j != NULL; j = j->next) {
        const encoding_job *job = (encoding_job *)j;
        memcpy(texts + n, job->texts, job->n * sizeof(texts[0]));
        n += job->n;
    }
    float *vectors = allocate(n, first->dim * sizeof(vectors[0]));
    if (kith_model_encode_tokenized(first->model, texts, n, NULL, vectors, NULL) !=
        KITH_OK) {
        encode_each(jobs); /* each learns what is wrong with its own */
    } else {
        const float *from = vectors;
        for (gather_job *j = jobs; j != NULL; j = j->next) {
            encoding_job *job = (encoding_job *)j;
            memcpy(job->vectors, from, job->n * job->dim * sizeof(from[0]));
            job->status = KITH_OK;
            from += job->n * job->dim;
        }
    }
    free(vectors);
}

float *service_encode(service *s, request *r, const served_model *model,
                      const kith_tokens *texts, size_t n, uint64_t *n_tokens)
{
    const uint32_t dim = model->info.dim;
    float *vectors = allocate(n, dim * sizeof(vectors[0]));
    *n_tokens = 0;
    for (size_t i = 0; i < n; i++) {
        *n_tokens += texts[i].n_tokens;
    }
    /* In parts, so that no one waits for all of a long list. */
    for (size_t i = 0; i < n; i += BATCH_TEXTS) {
        encoding_job job = { .model = model->model,
                             .texts = texts + i,
                             .n = n - i < BATCH_TEXTS ? n - i : BATCH_TEXTS,
                             .vectors = vectors + i * dim,
                             .dim = dim };
        job.job.weight = job.n;
        gather_do(&s->encodings, &job.job);
        if ((job.status != KITH_OK && !request_fail_library(r, &job.err)) ||
            !request_has_time(r)) {
            free(vectors);
            return NULL;
        }
    }
    s->n_encoded_texts += n;
    s->n_encoded_tokens += *n_tokens;
    return vectors;
}

/* ------------------------------------------------------------------ searching */

struct shared_answer {
    kith_results *results;
    _Atomic unsigned *n_users; /* of the results */
    size_t place;
};

typedef struct search_job {
    gather_job job; /* first, as above */
    kith_collection *collection;
    kith_query query;
    kith_search_opts opts;
    shared_answer answer;
    kith_status status;
    kith_error err;
} search_job;

static bool opts_are_equal(const kith_search_opts *a, const kith_search_opts *b)
{
    return a->k == b->k && a->passages == b->passages && a->min_score == b->min_score &&
           a->ann == b->ann && a->min_recall == b->min_recall && a->mmr == b->mmr &&
           a->max_per_source == b->max_per_source &&
           text_equals(text_of(a->where), text_of(b->where));
}

static bool searches_alike(const gather_job *a, const gather_job *b)
{
    const search_job *left = (const search_job *)a;
    const search_job *right = (const search_job *)b;
    return left->collection == right->collection &&
           opts_are_equal(&left->opts, &right->opts);
}

static kith_status search_for(gather_job *jobs, size_t n_jobs)
{
    search_job *first = (search_job *)jobs;
    kith_query queries[BATCH_QUERIES];
    kith_results *results = NULL;
    size_t n = 0;
    gather_job *j = jobs;
    do {
        queries[n++] = ((search_job *)j)->query;
        j = j->next;
    } while (n < n_jobs);
    const kith_status status = kith_search(first->collection, queries, n_jobs, &first->opts,
                                           &results, &first->err);
    if (status != KITH_OK) {
        return status;
    }
    _Atomic unsigned *n_users = allocate(1, sizeof(*n_users));
    *n_users = (unsigned)n_jobs;
    j = jobs;
    for (size_t i = 0; i < n_jobs; i++, j = j->next) {
        ((search_job *)j)->answer = (shared_answer){ results, n_users, i };
    }
    return KITH_OK;
}

static void search_batch(gather_job *jobs, size_t n_jobs)
{
    const kith_status status = search_for(jobs, n_jobs);
    for (gather_job *j = jobs; j != NULL; j = j->next) {
        search_job *job = (search_job *)j;
        /* One that cannot be answered must not spoil the others. */
        job->status = status != KITH_OK && n_jobs > 1 ? search_for(j, 1) : status;
    }
}

shared_answer *service_search(service *s, request *r, const served_collection *collection,
                              const kith_query *query, const kith_search_opts *opts)
{
    search_job job = { .job.weight = 1,
                       .collection = collection->collection,
                       .query = *query,
                       .opts = *opts };
    job.opts.n_expected = N_EXPECTED;
    gather_do(&s->searches, &job.job);
    if (job.status == KITH_NOT_FOUND && query->like.n_bytes > 0) {
        request_fail(r, HTTP_NOT_FOUND, "no_such_record", "there is no record of that id");
        return NULL;
    }
    if (job.status != KITH_OK) {
        request_fail_library(r, &job.err);
        return NULL;
    }
    shared_answer *answer = allocate(1, sizeof(*answer));
    *answer = job.answer;
    return answer;
}

const kith_answer *shared_answer_get(const shared_answer *a)
{
    return kith_results_at(a->results, a->place);
}

void shared_answer_release(shared_answer *a)
{
    if (a == NULL) {
        return;
    }
    if (--*a->n_users == 0) {
        kith_results_free(a->results);
        free(a->n_users);
    }
    free(a);
}

/* ------------------------------------------------------------------ the rest */

static const gather_work encoding_work = { BATCH_TEXTS, encodes_alike, encode_batch };
static const gather_work search_work = { BATCH_QUERIES, searches_alike, search_batch };

void service_init(service *s)
{
    gather_init(&s->encodings, &encoding_work);
    gather_init(&s->searches, &search_work);
}

void service_destroy(service *s)
{
    gather_destroy(&s->encodings);
    gather_destroy(&s->searches);
    catalog_close(&s->catalog);
}

served_collection *service_collection_named(service *s, request *r, kith_text name)
{
    served_collection *found = catalog_find(&s->catalog, name);
    if (found == NULL) {
        request_fail(r, HTTP_NOT_FOUND, "no_such_collection",
                     "there is no collection of that name here; GET /status names them");
    }
    return found;
}

served_collection *service_collection(service *s, request *r, const json_t *name)
{
    if (name != NULL && !json_is_string(name)) {
        request_refuse(r, "\"collection\" is to be a string");
        return NULL;
    }
    if (name != NULL) {
        return service_collection_named(s, r, json_text(name));
    }
    if (s->catalog.n_collections == 0) {
        request_fail(r, HTTP_NOT_FOUND, "no_such_collection",
                     "this server was started without a collection");
        return NULL;
    }
    return &s->catalog.collections[0];
}
