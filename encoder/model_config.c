/* config.json: the class of the model, its shape and its labels. */
#include "model_config.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

#define MAX_LAYERS 48
#define MAX_HIDDEN 4096
#define MAX_INTERMEDIATE 16384
#define MAX_VOCABULARY 1000000
#define MAX_POSITIONS 8192
#define CLASSIFIER "ForSequenceClassification"

/* What the classes call their things. */
static const struct {
    const char *type;         /* model_type */
    const char *architecture; /* begins so */
    const char *known;
    const char *hidden, *n_layers, *n_heads, *intermediate, *activation;
} classes[] = {
    [KENC_CLASS_BERT] = { "bert", "Bert", "BertModel and BertForSequenceClassification",
                          "hidden_size", "num_hidden_layers", "num_attention_heads",
                          "intermediate_size", "hidden_act" },
    [KENC_CLASS_DISTILBERT] = { "distilbert", "DistilBert",
                                "DistilBertModel and "
                                "DistilBertForSequenceClassification",
                                "dim", "n_layers", "n_heads", "hidden_dim",
                                "activation" },
};

static kith_status read_class(const kenc_json *file, kenc_head *head, kith_error *err)
{
    const json_t *type = kenc_json_get(file, "model_type");
    const json_t *position = kenc_json_get(file, "position_embedding_type");
    const json_t *architecture =
        json_array_get(kenc_json_get(file, "architectures"), 0);
    if (kenc_json_is(type, classes[KENC_CLASS_DISTILBERT].type)) {
        head->class = KENC_CLASS_DISTILBERT;
    } else if (!kenc_json_is(type, classes[KENC_CLASS_BERT].type)) {
        return kenc_json_refuse(file, "model_type", type, "\"bert\" and \"distilbert\"",
                                err);
    }
    const char *prefix = classes[head->class].architecture;
    if (architecture != NULL &&
        (!json_is_string(architecture) ||
         strncmp(json_string_value(architecture), prefix, strlen(prefix)) != 0)) {
        return kenc_json_refuse(file, "architectures", architecture,
                                classes[head->class].known, err);
    }
    if (position != NULL && !kenc_json_is(position, "absolute")) {
        return kenc_json_refuse(file, "position_embedding_type", position,
                                "\"absolute\"", err);
    }
    if (json_is_true(kenc_json_get(file, "is_decoder"))) {
        return kbase_fail(err, KITH_UNSUPPORTED, "%s: \"is_decoder\" is true: kith knows "
                          "encoders", file->name);
    }
    return KITH_OK;
}

static kith_status read_activation(const kenc_json *file, const char *key,
                                   kenc_config *config, kith_error *err)
{
    const json_t *value = kenc_json_get(file, key);
    if (kenc_json_is(value, "gelu")) {
        config->activation = KENC_ACTIVATION_GELU;
    } else if (kenc_json_is(value, "relu")) {
        config->activation = KENC_ACTIVATION_RELU;
    } else {
        return kenc_json_refuse(file, key, value, "\"gelu\" and \"relu\"", err);
    }
    return KITH_OK;
}

static kith_status read_shape(const kenc_json *file, kenc_class class,
                              kenc_config *config, kith_error *err)
{
    const struct {
        const char *key;
        uint32_t *out;
    } counts[] = {
        { classes[class].hidden, &config->hidden },
        { classes[class].n_layers, &config->n_layers },
        { classes[class].n_heads, &config->n_heads },
        { classes[class].intermediate, &config->intermediate },
        { "vocab_size", &config->vocabulary },
        { "max_position_embeddings", &config->max_positions },
    };
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        kith_status status = kenc_json_count(file, counts[i].key, counts[i].out, err);
        if (status != KITH_OK) {
            return status;
        }
    }
    /* DistilBERT has no key for it. */
    const json_t *epsilon =
        class == KENC_CLASS_BERT ? kenc_json_get(file, "layer_norm_eps") : NULL;
    config->epsilon = (float)(epsilon != NULL ? json_number_value(epsilon) : 1e-12);
    return read_activation(file, classes[class].activation, config, err);
}

/* ------------------------------------------------------------------ cross-encoders */

const char *kenc_class_name(const json_t *value)
{
    const char *path = json_is_string(value) ? json_string_value(value) : "";
    const char *last_dot = strrchr(path, '.');
    return last_dot != NULL ? last_dot + 1 : path;
}

kith_status kenc_score_activation(const kenc_json *file, const char *key,
                                  const json_t *value, kenc_head *head, kith_error *err)
{
    const char *name = kenc_class_name(value);
    const bool has_sigmoid = strcmp(name, "Sigmoid") == 0;
    if (!has_sigmoid && strcmp(name, "Identity") != 0) {
        return kenc_json_refuse(file, key, value, "Sigmoid and Identity", err);
    }
    head->has_sigmoid = has_sigmoid;
    return KITH_OK;
}

static bool is_classifier(const kenc_json *file)
{
    const json_t *name = json_array_get(kenc_json_get(file, "architectures"), 0);
    const char *text = json_is_string(name) ? json_string_value(name) : "";
    const size_t n = strlen(text);
    const size_t n_end = strlen(CLASSIFIER);
    return n >= n_end && strcmp(text + n - n_end, CLASSIFIER) == 0;
}

/* Labels and what becomes of their scores. Without a key there are two, as for the
 * reference. */
static kith_status read_labels(const kenc_json *file, kenc_head *head, kith_error *err)
{
    static const char old_key[] = "sbert_ce_default_activation_function";
    const json_t *labels = kenc_json_get(file, "id2label");
    const bool is_counted = kenc_json_get(file, "num_labels") != NULL;
    head->n_labels = 2;
    if (is_counted) {
        kith_status status = kenc_json_count(file, "num_labels", &head->n_labels, err);
        if (status != KITH_OK) {
            return status;
        }
    }
    if (labels != NULL) {
        const size_t n = json_object_size(labels);
        if (n < 1 || n > KENC_MAX_LABELS || (is_counted && n != head->n_labels)) {
            return kbase_fail(err, KITH_INVALID, "%s: \"id2label\" has %zu labels: %s",
                              file->name, n,
                              is_counted ? "\"num_labels\" is another number"
                                         : "kith takes 1 to 1024");
        }
        head->n_labels = (uint32_t)n;
    }
    head->has_sigmoid = head->n_labels == 1;
    const json_t *activation =
        json_object_get(kenc_json_get(file, "sentence_transformers"), "activation_fn");
    if (activation != NULL && !json_is_null(activation)) {
        return kenc_score_activation(file, "activation_fn", activation, head, err);
    }
    activation = kenc_json_get(file, old_key);
    return activation == NULL
               ? KITH_OK
               : kenc_score_activation(file, old_key, activation, head, err);
}

kith_status kenc_config_read(const kenc_json *file, bool has_pooling,
                             kenc_folder *folder, kith_error *err)
{
    kith_status status = read_class(file, &folder->head, err);
    if (status == KITH_OK) {
        status = read_shape(file, (kenc_class)folder->head.class, &folder->config, err);
    }
    if (status == KITH_OK && !has_pooling && is_classifier(file)) {
        folder->config.pooling = KITH_POOLING_POOLER;
        folder->config.has_pooler = 1;
        status = read_labels(file, &folder->head, err);
    }
    return status;
}

/* ------------------------------------------------------------------ bounds */

kith_status kenc_config_check(const kenc_config *config, kith_error *err)
{
    const struct {
        const char *what;
        uint32_t value;
        uint32_t largest;
    } bounds[] = {
        { "hidden size", config->hidden, MAX_HIDDEN },
        { "number of layers", config->n_layers, MAX_LAYERS },
        { "number of heads", config->n_heads, config->hidden },
        { "intermediate size", config->intermediate, MAX_INTERMEDIATE },
        { "vocabulary", config->vocabulary, MAX_VOCABULARY },
        { "number of positions", config->max_positions, MAX_POSITIONS },
        { "text length", config->max_tokens, config->max_positions },
        { "pooling", config->pooling, KITH_POOLING_POOLER },
        { "activation", config->activation, KENC_ACTIVATION_RELU },
    };
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        if (bounds[i].value < 1 || bounds[i].value > bounds[i].largest) {
            return kbase_fail(err, KITH_INVALID, "the model's %s is %u: kith takes 1 to %u",
                              bounds[i].what, bounds[i].value, bounds[i].largest);
        }
    }
    if (config->hidden % config->n_heads != 0) {
        return kbase_fail(err, KITH_INVALID, "the model's width of %u is no multiple of its "
                          "%u heads", config->hidden, config->n_heads);
    }
    if (config->hidden / config->n_heads > KENC_MAX_HEAD) {
        return kbase_fail(err, KITH_INVALID, "the model's heads are %u wide: kith takes up "
                          "to %d", config->hidden / config->n_heads, KENC_MAX_HEAD);
    }
    if (config->max_tokens < 3) {
        return kbase_fail(err, KITH_INVALID, "the model takes texts of %u tokens: at least "
                          "3 are needed", config->max_tokens);
    }
    if (!(config->epsilon > 0.0f && config->epsilon < 1.0f)) {
        return kbase_fail(err, KITH_INVALID, "the model's \"layer_norm_eps\" is %g",
                          (double)config->epsilon);
    }
    return KITH_OK;
}

kith_status kenc_head_check(const kenc_head *head, const kenc_config *config,
                            kith_error *err)
{
    const bool is_pair = head->n_labels > 0;
    if (head->class > KENC_CLASS_DISTILBERT || head->n_dense > KENC_MAX_DENSE ||
        head->n_labels > KENC_MAX_LABELS) {
        return kbase_fail(
            err, KITH_INVALID,
            "the model has class %u, %u Dense modules and "
            "%u labels: kith knows classes up to %d, and takes up to %d and "
            "%d",
            head->class, head->n_dense, head->n_labels, KENC_CLASS_DISTILBERT,
            KENC_MAX_DENSE, KENC_MAX_LABELS);
    }
    if (is_pair != (config->pooling == KITH_POOLING_POOLER) ||
        (is_pair && (config->has_pooler == 0 || head->n_dense > 0))) {
        return kbase_fail(err, KITH_INVALID,
                          "the model's pooling %u and %u Dense modules "
                          "do not go with %u labels",
                          config->pooling, head->n_dense, head->n_labels);
    }
    uint32_t width = config->hidden;
    for (uint32_t i = 0; i < head->n_dense; i++) {
        const kenc_dense *dense = &head->dense[i];
        if (dense->n_in != width) {
            return kbase_fail(err, KITH_INVALID,
                              "Dense module %u of the model has "
                              "\"in_features\" %u, and gets %u",
                              i + 1, dense->n_in, width);
        }
        if (dense->n_out < 1 || dense->n_out > MAX_HIDDEN) {
            return kbase_fail(err, KITH_INVALID, "Dense module %u of the model has "
                              "\"out_features\" %u: kith takes 1 to %d", i + 1,
                              dense->n_out, MAX_HIDDEN);
        }
        width = dense->n_out;
    }
    return KITH_OK;
}

uint32_t kenc_out_dim(const kenc_config *config, const kenc_head *head)
{
    return head->n_labels > 0  ? head->n_labels
           : head->n_dense > 0 ? head->dense[head->n_dense - 1].n_out
                               : config->hidden;
}
