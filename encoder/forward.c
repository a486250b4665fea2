#include "forward.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "error.h"

static size_t wide_columns(const kenc_shape *shape)
{
    size_t qkv = 3 * shape->attention;
    return qkv > shape->intermediate ? qkv : shape->intermediate;
}

/* Of all that the head takes and gives. */
static size_t head_columns(const kenc_kmodel *kmodel)
{
    const kenc_head *head = &kmodel->header->head;
    size_t widest = kmodel->shape.width;
    for (uint32_t i = 0; i < head->n_dense; i++) {
        const size_t n = kenc_padded(head->dense[i].n_out);
        widest = n > widest ? n : widest;
    }
    const size_t n_labels = kenc_padded(head->n_labels);
    return n_labels > widest ? n_labels : widest;
}

kith_status kenc_workspace_reserve(kenc_workspace *workspace, const kenc_kmodel *kmodel,
                                   size_t rows, kith_error *err)
{
    if (rows <= workspace->rows) {
        return KITH_OK;
    }
    const kenc_shape *shape = &kmodel->shape;
    const size_t max_tokens = kmodel->header->config.max_tokens;
    const size_t scratch8 = kenc_attention8_scratch(max_tokens, shape->head);
    size_t scratch = kenc_attention_scratch(max_tokens, shape->head) * sizeof(float);
    scratch = scratch > scratch8 ? scratch : scratch8;
    const size_t narrow = shape->attention > shape->width ? shape->attention : shape->width;
    const struct {
        size_t n_bytes;
        void *target; /* a pointer to the pointer */
    } parts[] = {
        { rows * shape->width * sizeof(float), &workspace->x },
        { rows * shape->width * sizeof(float), &workspace->y },
        { rows * wide_columns(shape) * sizeof(float), &workspace->wide },
        { rows * shape->attention * sizeof(float), &workspace->context },
        { scratch, &workspace->scratch },
        { 2 * head_columns(kmodel) * sizeof(float), &workspace->pooled },
        { rows * narrow, &workspace->bytes },
        { rows * shape->intermediate, &workspace->wide_bytes },
        { rows * (narrow / KENC_PAD) * sizeof(kenc_range), &workspace->ranges },
        { rows * (shape->intermediate / KENC_PAD) * sizeof(kenc_range),
          &workspace->wide_ranges },
    };
    const size_t n_parts = sizeof(parts) / sizeof(parts[0]);
    size_t n_bytes = 0;
    for (size_t i = 0; i < n_parts; i++) {
        n_bytes += (parts[i].n_bytes + 63) / 64 * 64;
    }
    unsigned char *memory = kbase_alloc_aligned(n_bytes, 1);
    if (memory == NULL) {
        return kbase_fail_memory(err, n_bytes);
    }
    free(workspace->memory);
    workspace->memory = (float *)(void *)memory;
    workspace->rows = rows;
    for (size_t i = 0; i < n_parts; i++) {
        memcpy(parts[i].target, &memory, sizeof(memory));
        memory += (parts[i].n_bytes + 63) / 64 * 64;
    }
    /* Columns of padding are read and never written. */
    memset(workspace->context, 0, rows * shape->attention * sizeof(float));
    return KITH_OK;
}

void kenc_workspace_free(kenc_workspace *workspace)
{
    free(workspace->memory);
    *workspace = (kenc_workspace)KENC_WORKSPACE_INIT;
}

/* A pass over a tile. */
typedef struct pass {
    const kenc_kmodel *kmodel;
    const kenc_kernels *kernels;
    kenc_workspace *ws;
    const kenc_sequence *sequences;
    size_t n_sequences;
    size_t rows; /* of all texts */
    const kenc_observer *observer;
} pass;

static void add_norm(const pass *p, const float *y, const kenc_norm_weights *norm)
{
    const kenc_shape *shape = &p->kmodel->shape;
    p->kernels->add_norm(p->ws->x, y, p->rows, shape->hidden, shape->width, norm->gamma,
                         norm->beta, p->kmodel->header->config.epsilon);
}

/* ------------------------------------------------------------------ fp32 */

static void run_linear(const pass *p, uint32_t layer, kenc_linear linear, const float *in,
                       kenc_activation activation, float *out)
{
    const size_t k = kenc_linear_k(&p->kmodel->shape, linear);
    const size_t n = kenc_linear_n(&p->kmodel->shape, linear);
    const kenc_linear_weights *weights = &p->kmodel->weights.layers[layer].fp32[linear];
    if (p->observer != NULL) {
        p->observer->see(p->observer->context, layer, linear, in, p->rows);
    }
    p->kernels->linear(in, k, p->rows, k, n, weights->w, weights->bias, activation, out, n);
}

/* x = norm(x + attention(x)), then x = norm(x + feed forward(x)). */
static void run_layer(const pass *p, uint32_t index)
{
    const kenc_config *config = &p->kmodel->header->config;
    const kenc_shape *shape = &p->kmodel->shape;
    const kenc_layer *layer = &p->kmodel->weights.layers[index];
    kenc_workspace *ws = p->ws;
    const size_t part = shape->attention;
    const float scale = 1.0f / sqrtf((float)(shape->hidden / config->n_heads));
    run_linear(p, index, KENC_LINEAR_QKV, ws->x, KENC_ACTIVATION_NONE, ws->wide);
    size_t row = 0;
    for (size_t i = 0; i < p->n_sequences; i++) {
        p->kernels->attention(ws->wide + row * 3 * part, 3 * part, part,
                              p->sequences[i].n_tokens, config->n_heads, shape->head, scale,
                              ws->scratch, ws->context + row * part, part);
        row += p->sequences[i].n_tokens;
    }
    run_linear(p, index, KENC_LINEAR_OUTPUT, ws->context, KENC_ACTIVATION_NONE, ws->y);
    add_norm(p, ws->y, &layer->attention_norm);
    run_linear(p, index, KENC_LINEAR_UP, ws->x, (kenc_activation)config->activation,
               ws->wide);
    run_linear(p, index, KENC_LINEAR_DOWN, ws->wide, KENC_ACTIVATION_NONE, ws->y);
    add_norm(p, ws->y, &layer->norm);
}

/* ------------------------------------------------------------------ int8 */

static kenc_bytes bytes_of(uint8_t *bytes, kenc_range *ranges, size_t k)
{
    const size_t group = kenc_group(k);
    return (kenc_bytes){ bytes, k, group, k / group, ranges };
}

static void run_layer8(const pass *p, uint32_t index)
{
    const kenc_config *config = &p->kmodel->header->config;
    const kenc_shape *shape = &p->kmodel->shape;
    const kenc_layer *layer = &p->kmodel->weights.layers[index];
    const kenc_kernels *kernels = p->kernels;
    kenc_workspace *ws = p->ws;
    const size_t part = shape->attention;
    const kenc_bytes x = bytes_of(ws->bytes, ws->ranges, shape->width);
    const kenc_bytes context = bytes_of(ws->bytes, ws->ranges, part);
    const kenc_bytes wide = bytes_of(ws->wide_bytes, ws->wide_ranges, shape->intermediate);
    const kenc_linear8 *linear = &layer->int8[KENC_LINEAR_QKV];
    kernels->quantize(ws->x, shape->width, p->rows, KENC_ACTIVATION_NONE, linear->smooth, &x,
                      0, x.n_groups);
    kernels->linear8(&x, p->rows, linear, 0, linear->n, ws->wide, linear->n);
    size_t row = 0;
    for (size_t i = 0; i < p->n_sequences; i++) {
        kernels->attention8(ws->wide + row * 3 * part, 3 * part, part,
                            p->sequences[i].n_tokens, config->n_heads, shape->head,
                            ws->scratch, ws->context + row * part, part);
        row += p->sequences[i].n_tokens;
    }
    linear = &layer->int8[KENC_LINEAR_OUTPUT];
    kernels->quantize(ws->context, part, p->rows, KENC_ACTIVATION_NONE, NULL, &context, 0,
                      context.n_groups);
    kernels->linear8(&context, p->rows, linear, 0, linear->n, ws->y, linear->n);
    add_norm(p, ws->y, &layer->attention_norm);
    linear = &layer->int8[KENC_LINEAR_UP];
    kernels->quantize(ws->x, shape->width, p->rows, KENC_ACTIVATION_NONE, linear->smooth, &x,
                      0, x.n_groups);
    const float *smooth = layer->int8[KENC_LINEAR_DOWN].smooth;
    for (size_t g = 0; g < wide.n_groups; g++) {
        kernels->linear8(&x, p->rows, linear, g * wide.group, wide.group, ws->wide,
                         wide.group);
        kernels->quantize(ws->wide, wide.group, p->rows,
                          (kenc_activation)config->activation, smooth + g * wide.group,
                          &wide, g, 1);
    }
    linear = &layer->int8[KENC_LINEAR_DOWN];
    kernels->linear8(&wide, p->rows, linear, 0, linear->n, ws->y, linear->n);
    add_norm(p, ws->y, &layer->norm);
}

/* ------------------------------------------------------------------ both */

/* One vector of a text's rows of x, in ws->pooled. */
static void pool(const pass *p, const float *x, size_t n_tokens, kith_pooling pooling)
{
    const kenc_kernels *kernels = p->kernels;
    const size_t width = p->kmodel->shape.width;
    const kenc_linear_weights *pooler = &p->kmodel->weights.pooler;
    const bool has_relu = p->kmodel->header->head.class == KENC_CLASS_DISTILBERT;
    float *pooled = p->ws->pooled;
    switch (pooling) {
    case KITH_POOLING_CLS:
        memcpy(pooled, x, width * sizeof(float));
        break;
    case KITH_POOLING_MAX:
        kernels->max(x, n_tokens, width, pooled);
        break;
    case KITH_POOLING_POOLER:
        kernels->linear(x, width, 1, width, width, pooler->w, pooler->bias,
                        has_relu ? KENC_ACTIVATION_RELU : KENC_ACTIVATION_NONE, pooled,
                        width);
        if (!has_relu) {
            kernels->tanh(pooled, width);
        }
        break;
    case KITH_POOLING_DEFAULT:
    case KITH_POOLING_MEAN:
        kernels->mean(x, n_tokens, width, pooled);
        break;
    }
}

/* What comes after the pooling: the Dense modules, or the classifier. Returns where the
 * result is, which is padded to *n numbers. */
static float *run_head(const pass *p, size_t *n)
{
    const kenc_kmodel *kmodel = p->kmodel;
    const kenc_head *head = &kmodel->header->head;
    const kenc_linear_weights *classifier = &kmodel->weights.classifier;
    float *in = p->ws->pooled;
    float *out = in + head_columns(kmodel);
    *n = kmodel->shape.width;
    for (uint32_t i = 0; i < head->n_dense; i++) {
        const kenc_dense *dense = &head->dense[i];
        const kenc_linear_weights *weights = &kmodel->weights.dense[i];
        const size_t k = *n;
        *n = kenc_padded(dense->n_out);
        if (dense->normalizes_input != 0) {
            p->kernels->normalize(in, k);
        }
        p->kernels->linear(in, k, 1, k, *n, weights->w, weights->bias,
                           KENC_ACTIVATION_NONE, out, *n);
        if (dense->has_tanh != 0) {
            p->kernels->tanh(out, *n);
        }
        float *former = in;
        in = out;
        out = former;
    }
    if (head->n_labels > 0) {
        const size_t k = *n;
        *n = kenc_padded(head->n_labels);
        p->kernels->linear(in, k, 1, k, *n, classifier->w, classifier->bias,
                           KENC_ACTIVATION_NONE, out, *n);
        in = out;
    }
    return in;
}

/* The vector or the labels of one text, from its rows of x. */
static void read_out(const pass *p, const float *x, const kenc_sequence *sequence,
                     kith_pooling pooling, bool finish)
{
    const kenc_head *head = &p->kmodel->header->head;
    const bool is_pair = head->n_labels > 0;
    size_t n;
    pool(p, x, sequence->n_tokens, is_pair ? KITH_POOLING_POOLER : pooling);
    float *result = run_head(p, &n);
    if (finish && is_pair) {
        p->kernels->sigmoid(result, n);
    } else if (finish) {
        p->kernels->normalize(result, n);
    }
    memcpy(sequence->vector, result, p->kmodel->dim * sizeof(float));
}

/* Rows of word, position and token type: those of a second text have a type, and so
 * positions, of their own. */
static void embed(const pass *p, const kenc_sequence *sequence, float *x)
{
    const kenc_kmodel *kmodel = p->kmodel;
    const size_t width = kmodel->shape.width;
    const size_t n_second =
        kenc_has_types(&kmodel->header->head) ? sequence->n_second : 0;
    const size_t n_first = sequence->n_tokens - n_second;
    p->kernels->embed(sequence->ids, n_first, width, kmodel->words, kmodel->positions,
                      x);
    if (n_second > 0) {
        const size_t position = kmodel->header->config.max_positions + n_first;
        p->kernels->embed(sequence->ids + n_first, n_second, width, kmodel->words,
                          kmodel->positions + position * width, x + n_first * width);
    }
}

static void copy_rows(const kenc_shape *shape, const float *x, size_t n_tokens, float *out)
{
    for (size_t i = 0; i < n_tokens; i++) {
        memcpy(out + i * shape->hidden, x + i * shape->width,
               shape->hidden * sizeof(*out));
    }
}

void kenc_forward(const kenc_kmodel *kmodel, const kenc_kernels *kernels,
                  kith_precision precision, kenc_workspace *ws,
                  const kenc_sequence *sequences, size_t n_sequences, kith_pooling pooling,
                  bool finish, const kenc_observer *observer)
{
    const size_t width = kmodel->shape.width;
    pass p = { kmodel, kernels, ws, sequences, n_sequences, 0, observer };
    for (size_t i = 0; i < n_sequences; i++) {
        embed(&p, &sequences[i], ws->x + p.rows * width);
        p.rows += sequences[i].n_tokens;
    }
    add_norm(&p, NULL, &kmodel->weights.embedding_norm);
    for (uint32_t i = 0; i < kmodel->header->config.n_layers; i++) {
        if (precision == KITH_PRECISION_INT8) {
            run_layer8(&p, i);
        } else {
            run_layer(&p, i);
        }
    }
    size_t row = 0;
    for (size_t i = 0; i < n_sequences; i++) {
        const float *x = ws->x + row * width;
        if (pooling == KENC_NO_POOLING) {
            copy_rows(&kmodel->shape, x, sequences[i].n_tokens, sequences[i].vector);
        } else {
            read_out(&p, x, &sequences[i], pooling, finish);
        }
        row += sequences[i].n_tokens;
    }
}
