#include "transformer_import.h"

#include <stdio.h>

/* Where a module goes from and to. */
typedef struct transfer {
    kenc_tensors *tensors;
    const kenc_config *config;
    const kenc_head *head;
    const kenc_weights *weights;
    kenc_shape shape;
} transfer;

/* What the classes call their tensors. */
typedef struct tensor_names {
    const char *prefix;
    const char *stem; /* of those of a layer, whose number follows */
    const char *attention[3]; /* to queries, keys and values */
    const char *output;       /* of attention */
    const char *attention_norm;
    const char *up, *down, *norm;
    const char *pooler;
} tensor_names;

static const tensor_names bert_names = {
    .prefix = "bert.",
    .stem = "encoder.layer",
    .attention = { "attention.self.query", "attention.self.key",
                   "attention.self.value" },
    .output = "attention.output.dense",
    .attention_norm = "attention.output.LayerNorm",
    .up = "intermediate.dense",
    .down = "output.dense",
    .norm = "output.LayerNorm",
    .pooler = "pooler.dense",
};

static const tensor_names distilbert_names = {
    .prefix = "distilbert.",
    .stem = "transformer.layer",
    .attention = { "attention.q_lin", "attention.k_lin", "attention.v_lin" },
    .output = "attention.out_lin",
    .attention_norm = "sa_layer_norm",
    .up = "ffn.lin1",
    .down = "ffn.lin2",
    .norm = "output_layer_norm",
    .pooler = "pre_classifier",
};

static const tensor_names *names_of(const kenc_head *head)
{
    return head->class == KENC_CLASS_BERT ? &bert_names : &distilbert_names;
}

const char *kenc_transformer_prefix(const kenc_head *head)
{
    return names_of(head)->prefix;
}

static kith_status import_norm(const transfer *t, const char *name,
                               const kenc_norm_weights *target, kith_error *err)
{
    return kenc_tensors_norm(t->tensors, name, t->shape.hidden, target, err);
}

/* The name of a tensor, or of the start of several, in a layer. */
static void name_in_layer(const transfer *t, uint32_t index, const char *part,
                          char out[96])
{
    snprintf(out, 96, "%s.%u.%s", names_of(t->head)->stem, index, part);
}

/* A linear layer of the reference, or one of the three that are one here. */
static kith_status import_part(const transfer *t, uint32_t index, kenc_linear linear,
                               size_t part, const char *name, kith_error *err)
{
    const kenc_shape *shape = &t->shape;
    const size_t inner = t->config->intermediate;
    const size_t head = shape->hidden / t->config->n_heads;
    kenc_linear_source source = {
        .n = linear == KENC_LINEAR_UP ? inner : shape->hidden,
        .k = linear == KENC_LINEAR_DOWN ? inner : shape->hidden,
        .first_n = part * shape->attention,
        .heads_n = linear == KENC_LINEAR_QKV ? head : 0,
        .heads_k = linear == KENC_LINEAR_OUTPUT ? head : 0,
        .head = shape->head,
        .packed_k = kenc_linear_k(shape, linear),
    };
    name_in_layer(t, index, name, source.name);
    return kenc_tensors_linear(t->tensors, &source,
                               &t->weights->layers[index].fp32[linear], err);
}

static kith_status import_layer(const transfer *t, uint32_t index, kith_error *err)
{
    const tensor_names *names = names_of(t->head);
    const kenc_layer *layer = &t->weights->layers[index];
    kith_status status = KITH_OK;
    for (size_t i = 0; i < 3 && status == KITH_OK; i++) {
        status = import_part(t, index, KENC_LINEAR_QKV, i, names->attention[i], err);
    }
    const char *const rest[KENC_LINEAR_COUNT] = {
        [KENC_LINEAR_OUTPUT] = names->output,
        [KENC_LINEAR_UP] = names->up,
        [KENC_LINEAR_DOWN] = names->down,
    };
    for (kenc_linear l = KENC_LINEAR_OUTPUT; l < KENC_LINEAR_COUNT && status == KITH_OK;
         l++) {
        status = import_part(t, index, l, 0, rest[l], err);
    }
    char name[96];
    if (status == KITH_OK) {
        name_in_layer(t, index, names->attention_norm, name);
        status = import_norm(t, name, &layer->attention_norm, err);
    }
    if (status == KITH_OK) {
        name_in_layer(t, index, names->norm, name);
        status = import_norm(t, name, &layer->norm, err);
    }
    return status;
}

static kith_status import_pooler(const transfer *t, kith_error *err)
{
    const kenc_head *head = t->head;
    const size_t hidden = t->shape.hidden;
    kenc_linear_source source = { .n = hidden, .k = hidden,
                                  .packed_k = t->shape.width };
    if (t->config->has_pooler == 0) {
        return KITH_OK;
    }
    snprintf(source.name, sizeof(source.name), "%s", names_of(head)->pooler);
    kith_status status = kenc_tensors_linear(t->tensors, &source, &t->weights->pooler,
                                             err);
    if (status == KITH_OK && head->n_labels > 0) {
        source = (kenc_linear_source){ "classifier", .n = head->n_labels, .k = hidden,
                                       .packed_k = t->shape.width };
        status =
            kenc_tensors_linear(t->tensors, &source, &t->weights->classifier, err);
    }
    return status;
}

kith_status kenc_transformer_import(kenc_tensors *tensors, const kenc_config *config,
                                    const kenc_head *head, const kenc_weights *weights,
                                    kith_error *err)
{
    transfer t = { .tensors = tensors,
                   .config = config,
                   .head = head,
                   .weights = weights };
    kenc_shape_of(config, &t.shape);
    kith_status status =
        import_norm(&t, "embeddings.LayerNorm", &weights->embedding_norm, err);
    for (uint32_t i = 0; i < config->n_layers && status == KITH_OK; i++) {
        status = import_layer(&t, i, err);
    }
    return status == KITH_OK ? import_pooler(&t, err) : status;
}
