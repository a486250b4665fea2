#include "service.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "parameters.h"
#include "text.h"

/* Texts that are encoded together: more are no faster, and wait for each other. */
#define BATCH_TEXTS 64
/* Texts of one job: two of them fill a batch, and each worker may have one. */
#define JOB_TEXTS 32
#define LONG_LIST 256
/* Queries that are asked together. */
#define BATCH_QUERIES 64
/* A server lives long: loading the approximate index pays. */
#define N_EXPECTED 1000000

/* ------------------------------------------------------------------ encoding */

typedef struct encoding_job {
    gather_job job; /* first: one is made of the other */
    const served_model *model;
    const kith_tokens *texts;
    size_t n;
    float *vectors;
    kith_status status;
    kith_error err;
} encoding_job;

static bool encodes_alike(const gather_job *a, const gather_job *b)
{
    return ((const encoding_job *)a)->model == ((const encoding_job *)b)->model;
}

static void encode_each(gather_job *jobs, kith_model *model)
{
    for (gather_job *j = jobs; j != NULL; j = j->next) {
        encoding_job *job = (encoding_job *)j;
        job->status = kith_model_encode_tokenized(model, job->texts, job->n, NULL,
                                                  job->vectors, &job->err);
    }
}

static void encode_batch(gather_job *jobs, size_t n_jobs, unsigned worker)
{
    const served_model *served = ((encoding_job *)jobs)->model;
    kith_model *model = served->encoders[worker];
    const uint32_t dim = served->info.dim;
    kith_tokens texts[BATCH_TEXTS];
    size_t n = 0;
    if (n_jobs == 1) {
        encode_each(jobs, model);
        return;
    }
    for (gather_job *j = jobs; j != NULL; j = j->next) {
        const encoding_job *job = (encoding_job *)j;
        memcpy(texts + n, job->texts, job->n * sizeof(texts[0]));
        n += job->n;
    }
    float *vectors = allocate(n, dim * sizeof(vectors[0]));
    if (kith_model_encode_tokenized(model, texts, n, NULL, vectors, NULL) != KITH_OK) {
        encode_each(jobs, model); /* each learns what is wrong with its own */
    } else {
        const float *from = vectors;
        for (gather_job *j = jobs; j != NULL; j = j->next) {
            encoding_job *job = (encoding_job *)j;
            memcpy(job->vectors, from, job->n * dim * sizeof(from[0]));
            job->status = KITH_OK;
            from += job->n * dim;
        }
    }
    free(vectors);
}

/* Encode a part of the texts of a request: as many jobs as there are workers. *n: how
 * many texts there are, and how many of them it was. */
static bool encode_part(service *s, request *r, const served_model *model,
                        const kith_tokens *texts, size_t *n, float *vectors)
{
    encoding_job jobs[MAX_WORKERS];
    const unsigned n_workers = gather_workers(s->encodings);
    size_t n_jobs = 0;
    size_t done = 0;
    while (done < *n && n_jobs < n_workers) {
        const size_t left = *n - done;
        encoding_job *job = &jobs[n_jobs++];
        *job = (encoding_job){ .model = model,
                               .texts = texts + done,
                               .n = left < JOB_TEXTS ? left : JOB_TEXTS,
                               .vectors = vectors + done * model->info.dim };
        job->job.weight = job->n;
        job[0].job.next = NULL;
        if (n_jobs > 1) {
            job[-1].job.next = &job->job;
        }
        done += job->n;
    }
    gather_do(s->encodings, &jobs[0].job);
    for (size_t i = 0; i < n_jobs; i++) {
        if (jobs[i].status != KITH_OK) {
            return request_fail_library(r, &jobs[i].err);
        }
    }
    *n = done;
    return true;
}

/* In parts, so that no one waits for all of a long list. */
static bool encode_parts(service *s, request *r, const served_model *model,
                         const kith_tokens *texts, size_t n, float *vectors)
{
    for (size_t i = 0; i < n;) {
        size_t n_part = n - i;
        if (!encode_part(s, r, model, texts + i, &n_part,
                         vectors + i * model->info.dim) ||
            !request_has_time(r)) {
            return false;
        }
        i += n_part;
    }
    return true;
}

/* A list that waits has as long for that as for its work. */
static bool encode_long_list(service *s, request *r, const served_model *model,
                             const kith_tokens *texts, size_t n, float *vectors)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)MAX_WORK_SECONDS;
    if (pthread_mutex_clocklock(&s->long_lists, CLOCK_MONOTONIC, &end) != 0) {
        return request_fail(r, HTTP_UNAVAILABLE, "busy",
                            "other long lists are being encoded; try again");
    }
    r->deadline = seconds_now() + MAX_WORK_SECONDS;
    const bool is_good = encode_parts(s, r, model, texts, n, vectors);
    pthread_mutex_unlock(&s->long_lists);
    return is_good;
}

float *service_encode(service *s, request *r, const served_model *model,
                      const kith_tokens *texts, size_t n, uint64_t *n_tokens)
{
    float *vectors = allocate(n, model->info.dim * sizeof(vectors[0]));
    *n_tokens = 0;
    for (size_t i = 0; i < n; i++) {
        *n_tokens += texts[i].n_tokens;
    }
    if (!(n > LONG_LIST ? encode_long_list : encode_parts)(s, r, model, texts, n,
                                                           vectors)) {
        free(vectors);
        return NULL;
    }
    s->n_encoded_texts += n;
    s->n_encoded_tokens += *n_tokens;
    return vectors;
}

/* ------------------------------------------------------------------ searching */

/* The answers of a batch. */
struct shared_results {
    kith_results *results;
    _Atomic size_t n_users;
};

typedef struct search_job {
    gather_job job; /* first, as above */
    kith_collection *collection;
    kith_query query;
    kith_search_opts opts;
    service_answer *answer;
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

/* Search for the first n_jobs jobs together. */
static kith_status search_for(gather_job *jobs, size_t n_jobs)
{
    search_job *first = (search_job *)jobs;
    kith_query queries[BATCH_QUERIES];
    kith_results *results = NULL;
    gather_job *j = jobs;
    size_t n = 0;
    do {
        queries[n++] = ((search_job *)j)->query;
        j = j->next;
    } while (n < n_jobs);
    const kith_status status = kith_search(first->collection, queries, n_jobs,
                                           &first->opts, &results, &first->err);
    if (status != KITH_OK) {
        return status;
    }
    struct shared_results *shared = allocate(1, sizeof(*shared));
    *shared = (struct shared_results){ results, n_jobs };
    j = jobs;
    for (size_t i = 0; i < n_jobs; i++, j = j->next) {
        *((search_job *)j)->answer =
            (service_answer){ *kith_results_at(results, i), shared };
    }
    return KITH_OK;
}

static void search_batch(gather_job *jobs, size_t n_jobs, unsigned worker)
{
    (void)worker;
    const kith_status status = search_for(jobs, n_jobs);
    for (gather_job *j = jobs; j != NULL; j = j->next) {
        search_job *job = (search_job *)j;
        /* One that cannot be answered must not spoil the others. */
        job->status = status != KITH_OK && n_jobs > 1 ? search_for(j, 1) : status;
    }
}

/* The vector of a query, as kith_search() would make it, for free(). */
static float *encode_query(service *s, request *r, const served_model *model,
                           kith_text text, uint32_t *n_dropped)
{
    kith_error err;
    kith_tokens tokens;
    uint64_t n_tokens;
    buffer prompted = BUFFER_EMPTY;
    float *vector = NULL;
    buffer_string(&prompted, model->info.query_prompt);
    buffer_append(&prompted, text.data, text.n_bytes);
    if (kith_model_tokenize(model->encoders[0],
                            (kith_text){ prompted.data, prompted.size }, true, &tokens,
                            &err) != KITH_OK) {
        request_fail_library(r, &err);
    } else {
        *n_dropped = (uint32_t)tokens.n_dropped;
        vector = service_encode(s, r, model, &tokens, 1, &n_tokens);
        kith_tokens_free(&tokens);
    }
    buffer_free(&prompted);
    return vector;
}

bool service_search(service *s, request *r, const served_collection *collection,
                    const kith_query *query, const kith_search_opts *opts,
                    service_answer *answer)
{
    uint32_t n_dropped = 0;
    float *vector = NULL;
    search_job job = { .job.weight = 1,
                       .collection = collection->collection,
                       .query = *query,
                       .opts = *opts,
                       .answer = answer };
    if (query->text.n_bytes > 0) {
        vector = encode_query(s, r, collection->model, query->text, &n_dropped);
        if (vector == NULL) {
            return false;
        }
        job.query = (kith_query){ .vector = vector };
    }
    job.opts.n_expected = N_EXPECTED;
    gather_do(s->searches, &job.job);
    free(vector);
    if (job.status == KITH_NOT_FOUND && query->like.n_bytes > 0) {
        return service_fail_no_record(r);
    }
    if (job.status != KITH_OK) {
        return request_fail_library(r, &job.err);
    }
    answer->answer.n_dropped = n_dropped;
    return true;
}

void service_release(service_answer *answer)
{
    if (answer->results != NULL && --answer->results->n_users == 0) {
        kith_results_free(answer->results->results);
        free(answer->results);
    }
    *answer = (service_answer){ .results = NULL };
}

/* ------------------------------------------------------------------ the rest */

int service_start(service *s)
{
    static const gather_work encoding = { BATCH_TEXTS, encodes_alike, encode_batch };
    static const gather_work searching = { BATCH_QUERIES, searches_alike,
                                           search_batch };
    pthread_mutex_init(&s->long_lists, NULL);
    s->encodings = gather_new(&encoding, s->catalog.n_workers);
    s->searches = gather_new(&searching, 1); /* each search has threads of its own */
    if (s->encodings == NULL || s->searches == NULL) {
        message("no thread can be started");
        return EXIT_ENVIRONMENT;
    }
    return EXIT_DONE;
}

void service_end(service *s)
{
    gather_free(s->encodings);
    gather_free(s->searches);
    pthread_mutex_destroy(&s->long_lists);
    catalog_close(&s->catalog);
}

bool service_fail_no_record(request *r)
{
    return request_fail(r, HTTP_NOT_FOUND, "no_such_record",
                        "there is no record of that id");
}

bool service_takes_texts(request *r, const served_collection *collection)
{
    return collection->model != NULL ||
           request_refuse(r,
                          "the collection was made without a model: it takes no texts");
}

served_collection *service_collection_named(service *s, request *r, kith_text name)
{
    served_collection *found = catalog_find(&s->catalog, name);
    if (found == NULL) {
        request_fail(
            r, HTTP_NOT_FOUND, "no_such_collection",
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
