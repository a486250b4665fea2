#include "model_config.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "file.h"

#define MAX_CONFIG_BYTES ((size_t)1 << 20)
#define MAX_LAYERS 48
#define MAX_HIDDEN 4096
#define MAX_INTERMEDIATE 16384
#define MAX_VOCABULARY 1000000
#define MAX_POSITIONS 8192

/* A JSON file of a folder. */
typedef struct json_file {
    const char *name; /* in the folder, for messages */
    json_t *root;     /* NULL: there is no such file */
} json_file;

static kith_status read_json(const char *dir, const char *name, bool needed,
                             json_file *file, kith_error *err)
{
    *file = (json_file){ name, NULL };
    kbase_buffer content = KBASE_BUFFER_INIT;
    char *path = kbase_path_join(dir, name);
    if (path == NULL) {
        return kbase_fail_memory(err, strlen(dir) + strlen(name) + 2);
    }
    kith_status status = kbase_read_whole(path, MAX_CONFIG_BYTES, &content, err);
    if (status == KITH_OK) {
        json_error_t problem;
        file->root = json_loadb(content.data, content.n_bytes, JSON_REJECT_DUPLICATES,
                                &problem);
        if (file->root == NULL) {
            status = kbase_fail(err, KITH_INVALID, "%s, line %d: %s", path, problem.line,
                                problem.text);
        }
    } else if (status == KITH_NOT_FOUND && !needed) {
        status = KITH_OK;
    }
    kbase_buffer_free(&content);
    free(path);
    return status;
}

static kith_status get_count(const json_file *file, const char *key, uint32_t *out,
                             kith_error *err)
{
    const json_t *value = json_object_get(file->root, key);
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 1 || number > INT32_MAX) {
        return kbase_fail(err, KITH_INVALID, "%s: \"%s\" is not a positive integer",
                          file->name, key);
    }
    *out = (uint32_t)number;
    return KITH_OK;
}

static kith_status refuse(const json_file *file, const char *key, const json_t *value,
                          const char *known, kith_error *err)
{
    const char *text = json_string_value(value);
    return kbase_fail(err, KITH_UNSUPPORTED, "%s: \"%s\" is %s%s%s: kith knows %s",
                      file->name, key, text != NULL ? "\"" : "",
                      text != NULL ? text : "not a string", text != NULL ? "\"" : "", known);
}

static bool is_string(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static kith_status read_class(const json_file *file, kith_error *err)
{
    const json_t *type = json_object_get(file->root, "model_type");
    if (!is_string(type, "bert")) {
        return refuse(file, "model_type", type, "\"bert\"", err);
    }
    const json_t *position = json_object_get(file->root, "position_embedding_type");
    if (position != NULL && !is_string(position, "absolute")) {
        return refuse(file, "position_embedding_type", position, "\"absolute\"", err);
    }
    if (json_is_true(json_object_get(file->root, "is_decoder"))) {
        return kbase_fail(err, KITH_UNSUPPORTED, "%s: \"is_decoder\" is true: kith knows "
                          "encoders", file->name);
    }
    return KITH_OK;
}

static kith_status read_activation(const json_file *file, kenc_config *config,
                                   kith_error *err)
{
    const json_t *value = json_object_get(file->root, "hidden_act");
    if (is_string(value, "gelu")) {
        config->activation = KENC_ACTIVATION_GELU;
    } else if (is_string(value, "relu")) {
        config->activation = KENC_ACTIVATION_RELU;
    } else {
        return refuse(file, "hidden_act", value, "\"gelu\" and \"relu\"", err);
    }
    return KITH_OK;
}

static kith_status read_shape(const json_file *file, kenc_config *config, kith_error *err)
{
    const struct {
        const char *key;
        uint32_t *out;
    } counts[] = {
        { "hidden_size", &config->hidden },
        { "num_hidden_layers", &config->n_layers },
        { "num_attention_heads", &config->n_heads },
        { "intermediate_size", &config->intermediate },
        { "vocab_size", &config->vocabulary },
        { "max_position_embeddings", &config->max_positions },
    };
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        kith_status status = get_count(file, counts[i].key, counts[i].out, err);
        if (status != KITH_OK) {
            return status;
        }
    }
    const json_t *epsilon = json_object_get(file->root, "layer_norm_eps");
    config->epsilon = (float)(epsilon != NULL ? json_number_value(epsilon) : 1e-12);
    return read_activation(file, config, err);
}

/* modules.json: Transformer, Pooling and, last, perhaps Normalize. */
static kith_status read_modules(const json_file *file, kenc_config *config,
                                kith_error *err)
{
    static const char *const known[] = { ".Transformer", ".Pooling", ".Normalize" };
    size_t n = json_array_size(file->root);
    for (size_t i = 0; i < n; i++) {
        const json_t *type = json_object_get(json_array_get(file->root, i), "type");
        const char *text = json_is_string(type) ? json_string_value(type) : "";
        const char *last_dot = strrchr(text, '.');
        if (i > 2 || last_dot == NULL || strcmp(last_dot, known[i]) != 0) {
            return refuse(file, "type", type,
                          "Transformer, Pooling and Normalize, in this order", err);
        }
    }
    if (file->root != NULL && n < 2) {
        return kbase_fail(err, KITH_INVALID, "%s: a Transformer and a Pooling module are "
                          "needed", file->name);
    }
    config->normalizes = n > 2;
    return KITH_OK;
}

static kith_status read_pooling(const json_file *file, kenc_config *config,
                                kith_error *err)
{
    static const struct {
        const char *key;
        kith_pooling pooling;
    } modes[] = {
        { "pooling_mode_mean_tokens", KITH_POOLING_MEAN },
        { "pooling_mode_cls_token", KITH_POOLING_CLS },
        { "pooling_mode_max_tokens", KITH_POOLING_MAX },
        { "pooling_mode_mean_sqrt_len_tokens", KITH_POOLING_DEFAULT },
        { "pooling_mode_weightedmean_tokens", KITH_POOLING_DEFAULT },
        { "pooling_mode_lasttoken", KITH_POOLING_DEFAULT },
    };
    config->pooling = KITH_POOLING_MEAN; /* what the reference does without the file */
    unsigned n_set = 0;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (!json_is_true(json_object_get(file->root, modes[i].key))) {
            continue;
        }
        if (modes[i].pooling == KITH_POOLING_DEFAULT) {
            return kbase_fail(err, KITH_UNSUPPORTED, "%s: \"%s\": kith knows mean, cls and "
                              "max", file->name, modes[i].key);
        }
        config->pooling = (uint32_t)modes[i].pooling;
        n_set++;
    }
    if (file->root != NULL && n_set != 1) {
        return kbase_fail(err, KITH_UNSUPPORTED, "%s: %u pooling modes are set: kith takes "
                          "one", file->name, n_set);
    }
    return KITH_OK;
}

static kith_status read_length(const json_file *file, kenc_config *config, kith_error *err)
{
    config->max_tokens = config->max_positions;
    if (json_is_integer(json_object_get(file->root, "max_seq_length"))) {
        kith_status status = get_count(file, "max_seq_length", &config->max_tokens, err);
        if (status != KITH_OK) {
            return status;
        }
    }
    if (config->max_tokens > config->max_positions) {
        return kbase_fail(err, KITH_INVALID, "%s: \"max_seq_length\" is %u, the model has "
                          "%u positions", file->name, config->max_tokens,
                          config->max_positions);
    }
    return KITH_OK;
}

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
        { "pooling", config->pooling, KITH_POOLING_MAX },
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

kith_status kenc_config_read(const char *dir, kenc_config *config, kith_error *err)
{
    *config = (kenc_config){ 0 };
    json_file file = { NULL, NULL };
    kith_status status = read_json(dir, "config.json", true, &file, err);
    if (status == KITH_OK) {
        status = read_class(&file, err);
    }
    if (status == KITH_OK) {
        status = read_shape(&file, config, err);
    }
    json_decref(file.root);

    static const struct {
        const char *name;
        kith_status (*read)(const json_file *file, kenc_config *config, kith_error *err);
    } others[] = {
        { "modules.json", read_modules },
        { "1_Pooling/config.json", read_pooling },
        { "sentence_bert_config.json", read_length },
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) && status == KITH_OK; i++) {
        file = (json_file){ NULL, NULL };
        status = read_json(dir, others[i].name, false, &file, err);
        if (status == KITH_OK) {
            status = others[i].read(&file, config, err);
        }
        json_decref(file.root);
    }
    return status == KITH_OK ? kenc_config_check(config, err) : status;
}
