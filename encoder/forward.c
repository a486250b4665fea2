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

kith_status kenc_workspace_reserve(kenc_workspace *workspace, const kenc_kmodel *kmodel,
                                   size_t rows, kith_error *err)
{
    if (rows <= workspace->rows) {
        return KITH_OK;
    }
    const kenc_shape *shape = &kmodel->shape;
    const size_t parts[] = {
        rows * shape->width,
        rows * shape->width,
        rows * wide_columns(shape),
        rows * shape->attention,
        kenc_attention_scratch(kmodel->header->config.max_tokens, shape->head),
        2 * shape->width,
    };
    float **const targets[] = {
        &workspace->x,       &workspace->y,       &workspace->wide,
        &workspace->context, &workspace->scratch, &workspace->pooled,
    };
    size_t n_floats = 0;
    for (size_t i = 0; i < 6; i++) {
        n_floats += (parts[i] + KENC_PANEL - 1) / KENC_PANEL * KENC_PANEL;
    }
    float *memory = kbase_alloc_aligned(n_floats, sizeof(float));
    if (memory == NULL) {
        return kbase_fail_memory(err, n_floats * sizeof(float));
    }
    free(workspace->memory);
    workspace->memory = memory;
    workspace->rows = rows;
    for (size_t i = 0; i < 6; i++) {
        *targets[i] = memory;
        memory += (parts[i] + KENC_PANEL - 1) / KENC_PANEL * KENC_PANEL;
    }
    return KITH_OK;
}

void kenc_workspace_free(kenc_workspace *workspace)
{
    free(workspace->memory);
    *workspace = (kenc_workspace)KENC_WORKSPACE_INIT;
}

/* x = norm(x + attention(x)), then x = norm(x + feed forward(x)); rows of all texts. */
static void run_layer(const kenc_kmodel *kmodel, const kenc_kernels *kernels,
                      kenc_workspace *ws, const kenc_layer *layer,
                      const kenc_sequence *sequences, size_t n_sequences, size_t rows)
{
    const kenc_config *config = &kmodel->header->config;
    const kenc_shape *shape = &kmodel->shape;
    const size_t width = shape->width;
    const size_t qkv = 3 * shape->attention;
    const float scale = 1.0f / sqrtf((float)(shape->hidden / config->n_heads));
    kernels->linear(ws->x, width, rows, width, qkv, layer->qkv.w, layer->qkv.bias,
                    KENC_ACTIVATION_NONE, ws->wide, qkv);
    size_t row = 0;
    for (size_t i = 0; i < n_sequences; i++) {
        kernels->attention(ws->wide + row * qkv, qkv, sequences[i].n_tokens,
                           config->n_heads, shape->head, scale, ws->scratch,
                           ws->context + row * shape->attention, shape->attention);
        row += sequences[i].n_tokens;
    }
    kernels->linear(ws->context, shape->attention, rows, shape->attention, width,
                    layer->output.w, layer->output.bias, KENC_ACTIVATION_NONE, ws->y,
                    width);
    kernels->add_norm(ws->x, ws->y, rows, shape->hidden, width, layer->attention_norm.gamma,
                      layer->attention_norm.beta, config->epsilon);
    kernels->linear(ws->x, width, rows, width, shape->intermediate, layer->up.w,
                    layer->up.bias, (kenc_activation)config->activation, ws->wide,
                    shape->intermediate);
    kernels->linear(ws->wide, shape->intermediate, rows, shape->intermediate, width,
                    layer->down.w, layer->down.bias, KENC_ACTIVATION_NONE, ws->y, width);
    kernels->add_norm(ws->x, ws->y, rows, shape->hidden, width, layer->norm.gamma,
                      layer->norm.beta, config->epsilon);
}

/* The vector of one text, from its rows of x. */
static void pool(const kenc_kmodel *kmodel, const kenc_kernels *kernels,
                 kenc_workspace *ws, const float *x, size_t n_tokens, kith_pooling pooling,
                 bool normalize, float *vector)
{
    const size_t width = kmodel->shape.width;
    const kenc_linear_weights *pooler = &kmodel->weights.pooler;
    float *pooled = ws->pooled;
    switch (pooling) {
    case KITH_POOLING_CLS:
        memcpy(pooled, x, width * sizeof(float));
        break;
    case KITH_POOLING_MAX:
        kernels->max(x, n_tokens, width, pooled);
        break;
    case KITH_POOLING_POOLER:
        kernels->linear(x, width, 1, width, width, pooler->w, pooler->bias,
                        KENC_ACTIVATION_NONE, pooled, width);
        kernels->tanh(pooled, width);
        break;
    case KITH_POOLING_DEFAULT:
    case KITH_POOLING_MEAN:
        kernels->mean(x, n_tokens, width, pooled);
        break;
    }
    if (normalize) {
        kernels->normalize(pooled, width);
    }
    memcpy(vector, pooled, kmodel->shape.hidden * sizeof(float));
}

void kenc_forward(const kenc_kmodel *kmodel, const kenc_kernels *kernels,
                  kenc_workspace *ws, const kenc_sequence *sequences, size_t n_sequences,
                  kith_pooling pooling, bool normalize)
{
    const kenc_config *config = &kmodel->header->config;
    const kenc_norm_weights *norm = &kmodel->weights.embedding_norm;
    const size_t width = kmodel->shape.width;
    size_t rows = 0;
    for (size_t i = 0; i < n_sequences; i++) {
        kernels->embed(sequences[i].ids, sequences[i].n_tokens, width, kmodel->words,
                       kmodel->positions, ws->x + rows * width);
        rows += sequences[i].n_tokens;
    }
    kernels->add_norm(ws->x, NULL, rows, kmodel->shape.hidden, width, norm->gamma,
                      norm->beta, config->epsilon);
    for (uint32_t i = 0; i < config->n_layers; i++) {
        run_layer(kmodel, kernels, ws, &kmodel->weights.layers[i], sequences, n_sequences,
                  rows);
    }
    size_t row = 0;
    for (size_t i = 0; i < n_sequences; i++) {
        pool(kmodel, kernels, ws, ws->x + row * width, sequences[i].n_tokens, pooling,
             normalize, sequences[i].vector);
        row += sequences[i].n_tokens;
    }
}
