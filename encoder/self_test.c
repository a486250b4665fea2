#include "self_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "error.h"
#include "forward.h"
#include "sample_texts.h"
#include "threads.h"

/* Texts are encoded again until this much time has passed: the speed is told. */
#define SECONDS 0.3

/* ------------------------------------------------------------------ make */

/* The portable kernels are slow: all processors share out the texts. */
typedef struct making {
    const kenc_kmodel *kmodel;
    kenc_token_list lists[KENC_TEST_TEXTS];
    size_t n_second[KENC_TEST_TEXTS];
    kbase_pool *pool;
    kenc_workspace *workspaces; /* one a worker */
    float *vectors[2];          /* fp32, int8: [KENC_TEST_TEXTS, dim] */
} making;

static kith_status prepare(making *m, kith_error *err)
{
    const uint32_t max_tokens = m->kmodel->header->config.max_tokens;
    kenc_token_list other = { 0 };
    kith_status status = KITH_OK;
    for (size_t i = 0; i < KENC_TEST_TEXTS && status == KITH_OK; i++) {
        const char *text = kenc_sample_texts[i];
        const char *next = kenc_sample_texts[(i + 1) % KENC_TEST_TEXTS];
        status = kenc_kmodel_tokenize(m->kmodel, (kith_text){ text, strlen(text) },
                                      (kith_text){ next, strlen(next) }, &m->lists[i],
                                      &other, &m->n_second[i], err);
    }
    kenc_token_list_free(&other);
    if (status == KITH_OK) {
        status = kbase_pool_new(0, &m->pool, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    const unsigned n_workers = kbase_pool_size(m->pool);
    m->workspaces = kbase_calloc(n_workers, sizeof(*m->workspaces));
    if (m->workspaces == NULL) {
        return kbase_fail_memory(err, n_workers * sizeof(*m->workspaces));
    }
    for (unsigned i = 0; i < n_workers && status == KITH_OK; i++) {
        status = kenc_workspace_reserve(&m->workspaces[i], m->kmodel, max_tokens, err);
    }
    return status;
}

static void release(making *m)
{
    for (unsigned i = 0; m->workspaces != NULL && i < kbase_pool_size(m->pool); i++) {
        kenc_workspace_free(&m->workspaces[i]);
    }
    free(m->workspaces);
    kbase_pool_free(m->pool);
    for (size_t i = 0; i < KENC_TEST_TEXTS; i++) {
        kenc_token_list_free(&m->lists[i]);
    }
}

/* One text, or pair, in one precision, the last texts first: they are the longest. The
 * labels of a pair are compared before their sigmoid. */
static void make_vector(void *context, size_t index, unsigned worker)
{
    const making *m = context;
    const kenc_config *config = &m->kmodel->header->config;
    const size_t text = KENC_TEST_TEXTS - 1 - index / 2;
    const kenc_sequence sequence = { m->lists[text].ids, m->lists[text].n_tokens,
                                     m->vectors[index % 2] + text * m->kmodel->dim,
                                     m->n_second[text] };
    kenc_forward(m->kmodel, kenc_kernels_for(KBASE_ISA_PORTABLE),
                 index % 2 == 0 ? KITH_PRECISION_FP32 : KITH_PRECISION_INT8,
                 &m->workspaces[worker], &sequence, 1, (kith_pooling)config->pooling,
                 config->normalizes != 0, NULL);
}

kith_status kenc_self_test_make(const kenc_kmodel *kmodel, unsigned char **section,
                                size_t *n_bytes, kith_error *err)
{
    kenc_test_data test;
    const size_t texts_at = kenc_test_layout(kmodel->dim, NULL, &test);
    *n_bytes = texts_at;
    for (size_t i = 0; i < KENC_TEST_TEXTS; i++) {
        *n_bytes += strlen(kenc_sample_texts[i]) + 1;
    }
    *section = kbase_alloc_aligned(*n_bytes, 1);
    if (*section == NULL) {
        return kbase_fail_memory(err, *n_bytes);
    }
    memset(*section, 0, *n_bytes);
    kenc_test_layout(kmodel->dim, *section, &test);
    memcpy(*section, &(uint32_t){ KENC_NUMERICS_VERSION }, sizeof(uint32_t));
    char *text = (char *)*section + texts_at;
    for (size_t i = 0; i < KENC_TEST_TEXTS; i++) {
        const size_t n_text = strlen(kenc_sample_texts[i]) + 1;
        memcpy(text, kenc_sample_texts[i], n_text);
        text += n_text;
    }
    making m = { .kmodel = kmodel,
                 .vectors = { (float *)test.fp32, (float *)test.int8 } };
    kith_status status = prepare(&m, err);
    if (status == KITH_OK) {
        kbase_pool_run(m.pool, 2 * KENC_TEST_TEXTS, make_vector, &m);
    }
    release(&m);
    return status;
}

/* ------------------------------------------------------------------ run */

/* The texts of the section, which is undamaged and fits this library. */
static kith_status read_texts(const kenc_kmodel *kmodel,
                              kith_text texts[KENC_TEST_TEXTS], kith_error *err)
{
    const kenc_header *header = kmodel->header;
    const kenc_section_entry *entry = &header->sections[KENC_SECTION_TEST];
    kith_status status = kenc_kmodel_check_section(kmodel, KENC_SECTION_TEST, err);
    if (status != KITH_OK) {
        return status;
    }
    if (*kmodel->test.numerics != KENC_NUMERICS_VERSION) {
        return kbase_fail(err, KITH_VERSION, "model %s was imported by a kith that "
                          "gives other bits: import the model again to test it",
                          header->name);
    }
    const char *at = kmodel->test.texts;
    const char *end = (const char *)kmodel->map.data + entry->offset + entry->n_bytes;
    size_t n = 0;
    for (; n < KENC_TEST_TEXTS && at < end; n++) {
        const size_t n_text = strnlen(at, (size_t)(end - at));
        texts[n] = (kith_text){ at, n_text };
        at += n_text + 1;
    }
    if (n != KENC_TEST_TEXTS || at != end) {
        return kbase_fail(err, KITH_CORRUPT, "model %s: its self-test has not %d "
                          "texts: import the model again", header->name,
                          KENC_TEST_TEXTS);
    }
    return KITH_OK;
}

static kith_status count_tokens(const kenc_kmodel *kmodel, const kith_text *texts,
                                uint32_t *n_tokens, kith_error *err)
{
    kenc_token_list list = { 0 };
    kenc_token_list other = { 0 };
    size_t n_second;
    kith_status status = KITH_OK;
    for (size_t i = 0; i < KENC_TEST_TEXTS && status == KITH_OK; i++) {
        status =
            kenc_kmodel_tokenize(kmodel, texts[i], texts[(i + 1) % KENC_TEST_TEXTS],
                                 &list, &other, &n_second, err);
        *n_tokens += (uint32_t)list.n_tokens;
    }
    kenc_token_list_free(&other);
    kenc_token_list_free(&list);
    return status;
}

/* What is no number differs infinitely from every other bit pattern. */
static double difference(float a, float b)
{
    if (memcmp(&a, &b, sizeof(a)) == 0) {
        return 0.0;
    }
    const double d = fabs((double)a - (double)b);
    return isnan(d) ? INFINITY : d;
}

/* Of n vectors. */
static double mean_cosine(const float *a, const float *b, size_t n, size_t dim)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++, a += dim, b += dim) {
        double ab = 0.0;
        double aa = 0.0;
        double bb = 0.0;
        for (size_t j = 0; j < dim; j++) {
            ab += (double)a[j] * (double)b[j];
            aa += (double)a[j] * (double)a[j];
            bb += (double)b[j] * (double)b[j];
        }
        sum += ab / sqrt(aa * bb);
    }
    return sum / (double)n;
}

static void compare(const float *vectors, const float *stored, size_t n,
                    kith_model_test_result *result)
{
    result->is_equal &= memcmp(vectors, stored, n * sizeof(*vectors)) == 0;
    for (size_t i = 0; i < n; i++) {
        const double d = difference(vectors[i], stored[i]);
        result->largest_difference = fmax(result->largest_difference, d);
    }
}

static double seconds_since(const struct timespec *began)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - began->tv_sec) +
           (double)(now.tv_nsec - began->tv_nsec) * 1e-9;
}

/* The texts' vectors, or the labels of each with the next one. */
static kith_status run_model(kenc_model *model, const kith_text *texts, bool are_pairs,
                             float *vectors, kith_error *err)
{
    kith_text_pair pairs[KENC_TEST_TEXTS];
    if (!are_pairs) {
        return kenc_encode(model, texts, KENC_TEST_TEXTS, KITH_POOLING_DEFAULT,
                           KITH_PROMPT_NONE, vectors, NULL, err);
    }
    for (size_t i = 0; i < KENC_TEST_TEXTS; i++) {
        pairs[i] = (kith_text_pair){ texts[i], texts[(i + 1) % KENC_TEST_TEXTS] };
    }
    return kenc_score(model, pairs, KENC_TEST_TEXTS, true, vectors, NULL, err);
}

/* Each pass is compared; the first one, which reads the weights from the disk, is timed
 * only when it takes long enough. */
static kith_status run_passes(kenc_model *model, const kith_text *texts, bool are_pairs,
                              const float *stored, size_t n, float *vectors,
                              kith_model_test_result *result, kith_error *err)
{
    struct timespec began;
    unsigned n_passes = 0;
    double seconds = 0.0;
    bool is_first = true;
    clock_gettime(CLOCK_MONOTONIC, &began);
    while (seconds < SECONDS) {
        kith_status status = run_model(model, texts, are_pairs, vectors, err);
        if (status != KITH_OK) {
            return status;
        }
        n_passes++;
        seconds = seconds_since(&began);
        compare(vectors, stored, n, result);
        if (is_first && seconds < SECONDS) {
            n_passes = 0;
            seconds = 0.0;
            clock_gettime(CLOCK_MONOTONIC, &began);
        }
        is_first = false;
    }
    result->tokens_per_second = n_passes * (double)result->n_tokens / seconds;
    return KITH_OK;
}

kith_status kenc_self_test_run(kenc_model *model, const kenc_kmodel *kmodel,
                               kith_model_test_result *result, kith_error *err)
{
    const size_t dim = kmodel->dim;
    const bool are_pairs = kmodel->header->head.n_labels > 0;
    kith_text texts[KENC_TEST_TEXTS];
    kith_model_info info;
    kith_model_test_result found = { .is_equal = true };
    *result = (kith_model_test_result){ 0 };
    kenc_model_get_info(model, &info);
    const bool is_int8 = info.precision == KITH_PRECISION_INT8;
    const float *stored = is_int8 ? kmodel->test.int8 : kmodel->test.fp32;
    kith_status status = read_texts(kmodel, texts, err);
    if (status == KITH_OK) {
        status = count_tokens(kmodel, texts, &found.n_tokens, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    float *vectors = kbase_calloc(KENC_TEST_TEXTS * dim, sizeof(*vectors));
    if (vectors == NULL) {
        return kbase_fail_memory(err, KENC_TEST_TEXTS * dim * sizeof(*vectors));
    }
    status = run_passes(model, texts, are_pairs, stored, KENC_TEST_TEXTS * dim, vectors,
                        &found, err);
    if (status == KITH_OK) {
        found.n_texts = KENC_TEST_TEXTS;
        /* Few labels have no direction: those of all pairs together. */
        found.cosine = are_pairs ? mean_cosine(vectors, kmodel->test.fp32, 1,
                                               KENC_TEST_TEXTS * dim)
                                 : mean_cosine(vectors, kmodel->test.fp32,
                                               KENC_TEST_TEXTS, dim);
        *result = found;
    }
    free(vectors);
    if (status == KITH_OK && !found.is_equal) {
        status = kbase_fail(err, KITH_CORRUPT, "model %s: kernels %s give other %s "
                            "vectors than its import, by up to %.3g: this machine or "
                            "this build computes wrongly, choose other kernels", info.name,
                            info.kernels, is_int8 ? "int8" : "fp32",
                            found.largest_difference);
    }
    return status;
}
