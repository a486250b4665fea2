#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ann_parts.h"
#include "error.h"
#include "factory.h"
#include "faiss_module.h"
#include "row_kernels.h"
#include "select.h"

#define MIN_HELD_OUT 100
#define MAX_HELD_OUT 1000
/* The exact answers to measure against cost a scan for each row held out. */
#define MAX_SCORES 2000000000u
/* Training vectors for each cluster; FAISS itself takes at most 256. */
#define TRAINING_PER_LIST 64
#define MIN_TRAINING 16384
#define ADD_BATCH 16384

#define SEED 20231121u

typedef struct build {
    kbase_isa isa;
    kbase_pool *pool;
    const kidx_rows *rows;
    kidx_progress progress;
    void *context;
    kidx_factory factory;
    uint64_t *live; /* ordinals */
    size_t n_live;
    uint64_t *sample; /* ordinals: n_held_out of them, then n_training */
    size_t n_held_out;
    size_t n_training;
    kidx_ann *ann;
} build;

void kidx_ann_decode(kbase_isa isa, const kidx_rows *rows, const uint64_t *ordinals,
                     size_t n, float *out)
{
    const kidx_kernels *kernels = kidx_kernels_for(isa);
    for (size_t i = 0; i < n; i++) {
        float *vector = out + i * rows->dim;
        kernels->f32_from_f16(rows->data + ordinals[i] * rows->stride, rows->dim,
                              vector);
        double square = 0;
        for (uint32_t j = 0; j < rows->dim; j++) {
            square += (double)vector[j] * vector[j];
        }
        if (!(square > 0 && square < INFINITY)) {
            memset(vector, 0, rows->dim * sizeof(*vector));
            continue;
        }
        float scale = (float)(1 / sqrt(square));
        for (uint32_t j = 0; j < rows->dim; j++) {
            vector[j] *= scale;
        }
    }
}

size_t kidx_ann_n_held_out(uint64_t n_live)
{
    uint64_t n = n_live / 20 < MAX_HELD_OUT ? n_live / 20 : MAX_HELD_OUT;
    if (n > 0 && n > MAX_SCORES / n_live) {
        n = MAX_SCORES / n_live;
    }
    return n < MIN_HELD_OUT ? MIN_HELD_OUT : (size_t)n;
}

static void report(const build *b, const char *step, double fraction)
{
    if (b->progress != NULL) {
        b->progress(b->context, step, fraction);
    }
}

static kith_status list_live(build *b, kith_error *err)
{
    uint64_t n_rows = b->rows->n_rows;
    b->live = kbase_calloc((size_t)n_rows, sizeof(*b->live));
    if (b->live == NULL) {
        return kbase_fail_memory(err, (size_t)n_rows * sizeof(*b->live));
    }
    for (uint64_t i = 0; i < n_rows; i++) {
        if (!kidx_is_dead(b->rows, i)) {
            b->live[b->n_live++] = i;
        }
    }
    return KITH_OK;
}

static kith_status choose_factory(build *b, const char *text, kith_error *err)
{
    char chosen[KIDX_FACTORY_BYTES];
    if (text == NULL) {
        kidx_ann_default_factory(b->n_live, b->rows->dim, chosen);
        text = chosen;
    }
    kith_status status = kidx_factory_parse(text, b->rows->dim, &b->factory, err);
    if (status != KITH_OK) {
        return status;
    }
    b->n_held_out = kidx_ann_n_held_out(b->n_live);
    uint64_t needed = b->factory.min_training + b->n_held_out;
    if (b->n_live < needed) {
        return kbase_fail(err, KITH_INVALID,
                          "index factory \"%s\" needs %llu rows, %llu are there", text,
                          (unsigned long long)needed, (unsigned long long)b->n_live);
    }
    return KITH_OK;
}

static int compare_ordinals(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The same rows give the same sample. */
static kith_status draw_sample(build *b, kith_error *err)
{
    size_t wanted = (size_t)b->factory.n_lists * TRAINING_PER_LIST;
    wanted = wanted > MIN_TRAINING ? wanted : MIN_TRAINING;
    wanted =
        wanted > b->factory.min_training ? wanted : (size_t)b->factory.min_training;
    size_t left = b->n_live - b->n_held_out;
    b->n_training = wanted < left ? wanted : left;
    size_t n = b->n_held_out + b->n_training;
    b->sample = kbase_calloc(b->n_live, sizeof(*b->sample));
    if (b->sample == NULL) {
        return kbase_fail_memory(err, b->n_live * sizeof(*b->sample));
    }
    memcpy(b->sample, b->live, b->n_live * sizeof(*b->sample));
    uint64_t state = SEED;
    for (size_t i = 0; i < n; i++) {
        size_t j = i + (size_t)(kidx_next_random(&state) % (b->n_live - i));
        uint64_t swapped = b->sample[i];
        b->sample[i] = b->sample[j];
        b->sample[j] = swapped;
    }
    qsort(b->sample + b->n_held_out, b->n_training, sizeof(*b->sample),
          compare_ordinals);
    return KITH_OK;
}

static kith_status train(build *b, kith_error *err)
{
    report(b, "train", 0);
    uint32_t dim = b->rows->dim;
    float *vectors = kbase_alloc_aligned(b->n_training * dim, sizeof(*vectors));
    if (vectors == NULL) {
        return kbase_fail_memory(err, b->n_training * dim * sizeof(*vectors));
    }
    kidx_ann_decode(b->isa, b->rows, b->sample + b->n_held_out, b->n_training, vectors);
    kidx_ann *ann = b->ann;
    kith_status status = ann->ops->create(dim, b->factory.text, &ann->index);
    if (status == KITH_OK) {
        status = ann->ops->train(ann->index, b->n_training, vectors);
    }
    free(vectors);
    return status == KITH_OK ? KITH_OK
                             : kbase_fail(err, status, "FAISS could not train \"%s\"",
                                          b->factory.text);
}

static kith_status add(build *b, kith_error *err)
{
    uint32_t dim = b->rows->dim;
    float *vectors = kbase_alloc_aligned((size_t)ADD_BATCH * dim, sizeof(*vectors));
    int64_t *ids = kbase_calloc(ADD_BATCH, sizeof(*ids));
    kith_status status = vectors != NULL && ids != NULL ? KITH_OK : KITH_NOMEM;
    for (size_t i = 0; i < b->n_live && status == KITH_OK; i += ADD_BATCH) {
        size_t n = b->n_live - i < ADD_BATCH ? b->n_live - i : ADD_BATCH;
        report(b, "add", (double)i / (double)b->n_live);
        kidx_ann_decode(b->isa, b->rows, b->live + i, n, vectors);
        for (size_t j = 0; j < n; j++) {
            ids[j] = (int64_t)b->live[i + j];
        }
        /* IVF stores ids in its lists; without lists FAISS counts, and we translate. */
        status = b->ann->ops->add(b->ann->index, n, vectors,
                                  b->factory.n_lists > 0 ? ids : NULL);
    }
    free(ids);
    free(vectors);
    if (status != KITH_OK) {
        return kbase_fail(err, status, "FAISS could not add the rows to \"%s\"",
                          b->factory.text);
    }
    b->ann->n_vectors = b->n_live;
    if (b->factory.n_lists == 0) {
        b->ann->ordinals = b->live;
        b->live = NULL;
    }
    return KITH_OK;
}

/* FAISS gets all threads for the build: our pool sleeps meanwhile. */
static kith_status fill(build *b, kith_error *err)
{
    const kidx_faiss_ops *ops = b->ann->ops;
    ops->set_threads(kidx_n_workers(b->pool));
    kith_status status = train(b, err);
    if (status == KITH_OK) {
        status = add(b, err);
    }
    ops->set_threads(1);
    if (status != KITH_OK) {
        return status;
    }
    kidx_ann_info *info = &b->ann->info;
    memcpy(info->factory, b->factory.text, sizeof(info->factory));
    info->n_lists = b->factory.n_lists;
    info->covers = b->rows->n_rows;
    info->n_candidates = KIDX_MIN_CANDIDATES;
    b->ann->nprobe = info->n_lists > 0 ? 1 : 0;
    ops->set_nprobe(b->ann->index, 1);
    return kidx_ann_calibrate(b->ann, b->isa, b->pool, b->rows, b->sample,
                              b->n_held_out, b->progress, b->context, err);
}

kith_status kidx_ann_build(kbase_isa isa, kbase_pool *pool, const kidx_rows *rows,
                           const char *factory, kidx_progress progress, void *context,
                           kidx_ann **ann, kith_error *err)
{
    build b = {
        .isa = isa, .pool = pool, .rows = rows, .progress = progress, .context = context
    };
    const kidx_faiss_ops *ops = NULL;
    unsigned former = kbase_fpenv_enter();
    kith_status status = list_live(&b, err);
    if (status == KITH_OK) {
        status = choose_factory(&b, factory, err);
    }
    if (status == KITH_OK) {
        status = draw_sample(&b, err);
    }
    if (status == KITH_OK) {
        status = kidx_faiss_load(&ops, err);
    }
    if (status == KITH_OK) {
        b.ann = kidx_ann_new(ops, rows->dim);
        status = b.ann != NULL ? fill(&b, err) : kbase_fail_memory(err, sizeof(*b.ann));
    }
    kbase_fpenv_leave(former);
    free(b.sample);
    free(b.live);
    if (status != KITH_OK) {
        kidx_ann_free(b.ann);
        return status;
    }
    *ann = b.ann;
    return KITH_OK;
}
