/* modules.json, the files of the modules that it lists, and what they share: the length
 * of a text and the prompts. */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "model_config.h"

static const char all_json[] = "config_sentence_transformers.json";

/* ------------------------------------------------------------------ modules */

/* The folder of a module: a plain name below the model's folder, or "". */
static kith_status read_path(const kenc_json *file, const json_t *module,
                             char path[KENC_MAX_FOLDER + 1], kith_error *err)
{
    const char *text = json_string_value(json_object_get(module, "path"));
    const size_t n = text != NULL ? strlen(text) : 0;
    if (text == NULL || n > KENC_MAX_FOLDER || text[0] == '.' ||
        strspn(text,
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") !=
            n) {
        return kbase_fail(err, KITH_INVALID,
                          "%s: the \"path\" of a module is not the name "
                          "of a folder beside it",
                          file->name);
    }
    memcpy(path, text, n + 1);
    return KITH_OK;
}

/* What kith does with a vector, it does with the one that Pooling gives. */
static kith_status check_place(const kenc_json *file, const char *key, kith_error *err)
{
    const json_t *value = kenc_json_get(file, key);
    return value == NULL || kenc_json_is(value, "sentence_embedding")
               ? KITH_OK
               : kenc_json_refuse(file, key, value, "\"sentence_embedding\"", err);
}

static kith_status read_dense(const kenc_json *file, kenc_dense *dense, kith_error *err)
{
    const json_t *activation = kenc_json_get(file, "activation_function");
    const char *name = kenc_class_name(activation);
    bool has_bias = true;
    bool has_residual = false;
    kith_status status = kenc_json_count(file, "in_features", &dense->n_in, err);
    if (status == KITH_OK) {
        status = kenc_json_count(file, "out_features", &dense->n_out, err);
    }
    if (status == KITH_OK) {
        status = kenc_json_flag(file, "bias", true, &has_bias, err);
    }
    if (status == KITH_OK) {
        status = kenc_json_flag(file, "use_residual", false, &has_residual, err);
    }
    if (status == KITH_OK) {
        status = check_place(file, "module_input_name", err);
    }
    if (status == KITH_OK) {
        status = check_place(file, "module_output_name", err);
    }
    if (status == KITH_OK && has_residual) {
        status = kbase_fail(err, KITH_UNSUPPORTED,
                            "%s: \"use_residual\" is true, which "
                            "kith does not know",
                            file->name);
    }
    dense->has_bias = has_bias;
    dense->has_tanh = strcmp(name, "Tanh") == 0;
    if (status == KITH_OK && !dense->has_tanh && strcmp(name, "Identity") != 0) {
        status = kenc_json_refuse(file, "activation_function", activation,
                                  "Tanh and Identity", err);
    }
    return status;
}

static kith_status add_dense(const char *dir, const char *path, kenc_folder *folder,
                             kith_error *err)
{
    kenc_head *head = &folder->head;
    if (head->n_dense == KENC_MAX_DENSE) {
        return kbase_fail(err, KITH_UNSUPPORTED, "modules.json: there are more than %d "
                          "Dense modules", KENC_MAX_DENSE);
    }
    kenc_dense *dense = &head->dense[head->n_dense];
    kenc_json file = KENC_JSON_INIT;
    kith_status status = kenc_json_read(dir, path, "config.json", true, &file, err);
    if (status == KITH_OK) {
        status = read_dense(&file, dense, err);
    }
    const uint32_t width = kenc_out_dim(&folder->config, head);
    if (status == KITH_OK && dense->n_in != width) {
        status = kbase_fail(err, KITH_INVALID,
                            "%s: \"in_features\" is %u, and the module "
                            "before it gives %u",
                            file.name, dense->n_in, width);
    }
    kenc_json_free(&file);
    snprintf(folder->dense[head->n_dense], sizeof(folder->dense[0]), "%s", path);
    dense->normalizes_input = folder->config.normalizes;
    folder->config.normalizes = 0;
    head->n_dense++;
    return status;
}

/* ------------------------------------------------------------------ pooling */

/* The pooling by its name in one of the two spellings; KITH_POOLING_DEFAULT: unknown.
 */
static kith_pooling pooling_of(const char *name)
{
    static const struct {
        const char *name;
        kith_pooling pooling;
    } known[] = {
        { "mean", KITH_POOLING_MEAN },      { "cls", KITH_POOLING_CLS },
        { "max", KITH_POOLING_MAX },        { "mean_tokens", KITH_POOLING_MEAN },
        { "cls_token", KITH_POOLING_CLS },  { "max_tokens", KITH_POOLING_MAX },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(name, known[i].name) == 0) {
            return known[i].pooling;
        }
    }
    return KITH_POOLING_DEFAULT;
}

/* {"pooling_mode": "mean"}, or ["mean"] */
static kith_status read_pooling_mode(const kenc_json *file, const json_t *mode,
                                     kenc_config *config, kith_error *err)
{
    if (json_array_size(mode) == 1) {
        mode = json_array_get(mode, 0);
    }
    const char *name = json_string_value(mode);
    config->pooling = name != NULL ? pooling_of(name) : KITH_POOLING_DEFAULT;
    return config->pooling != KITH_POOLING_DEFAULT
               ? KITH_OK
               : kenc_json_refuse(file, "pooling_mode", mode,
                                  "one of mean, cls and max", err);
}

/* {"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false, ...} */
static kith_status read_pooling_flags(const kenc_json *file, kenc_config *config,
                                      kith_error *err)
{
    static const char prefix[] = "pooling_mode_";
    unsigned n_set = 0;
    const char *key;
    const json_t *value;
    json_object_foreach(file->root, key, value) {
        if (strncmp(key, prefix, sizeof(prefix) - 1) != 0 || !json_is_true(value)) {
            continue;
        }
        config->pooling = pooling_of(key + sizeof(prefix) - 1);
        if (config->pooling == KITH_POOLING_DEFAULT) {
            return kbase_fail(err, KITH_UNSUPPORTED,
                              "%s: \"%s\": kith knows mean, cls and "
                              "max",
                              file->name, key);
        }
        n_set++;
    }
    return n_set == 1 ? KITH_OK
                      : kbase_fail(err, KITH_UNSUPPORTED,
                                   "%s: %u pooling modes are set: "
                                   "kith takes one",
                                   file->name, n_set);
}

static kith_status check_pooling_width(const kenc_json *file, const kenc_config *config,
                                       kith_error *err)
{
    static const char *const keys[] = { "embedding_dimension",
                                        "word_embedding_dimension" };
    for (size_t i = 0; i < 2; i++) {
        uint32_t width;
        if (kenc_json_get(file, keys[i]) == NULL) {
            continue;
        }
        kith_status status = kenc_json_count(file, keys[i], &width, err);
        if (status == KITH_OK && width != config->hidden) {
            status = kbase_fail(err, KITH_INVALID,
                                "%s: \"%s\" is %u, and the model is %u "
                                "wide",
                                file->name, keys[i], width, config->hidden);
        }
        if (status != KITH_OK) {
            return status;
        }
    }
    return KITH_OK;
}

static kith_status read_pooling(const kenc_json *file, kenc_folder *folder,
                                kith_error *err)
{
    const json_t *mode = kenc_json_get(file, "pooling_mode");
    bool includes_prompt = true;
    kith_status status =
        kenc_json_flag(file, "include_prompt", true, &includes_prompt, err);
    if (status == KITH_OK) {
        status = check_pooling_width(file, &folder->config, err);
    }
    if (status == KITH_OK) {
        status = mode != NULL ? read_pooling_mode(file, mode, &folder->config, err)
                              : read_pooling_flags(file, &folder->config, err);
    }
    if (!includes_prompt) {
        snprintf(folder->excludes_prompt, sizeof(folder->excludes_prompt), "%s",
                 file->name);
    }
    return status;
}

/* A folder without modules.json may be without this file; the pooling is then the mean,
 * as for the reference. */
static kith_status add_pooling(const char *dir, const char *path, bool needed,
                               kenc_folder *folder, kith_error *err)
{
    kenc_json file = KENC_JSON_INIT;
    folder->config.pooling = KITH_POOLING_MEAN;
    kith_status status = kenc_json_read(dir, path, "config.json", needed, &file, err);
    if (status == KITH_OK && file.root != NULL) {
        status = read_pooling(&file, folder, err);
    }
    kenc_json_free(&file);
    return status;
}

/* ------------------------------------------------------------------ in their order */

static kith_status add_module(const char *dir, const kenc_json *file, size_t i,
                              kenc_folder *folder, kith_error *err)
{
    const json_t *module = json_array_get(file->root, i);
    const json_t *type = json_object_get(module, "type");
    const char *class = kenc_class_name(type);
    char path[KENC_MAX_FOLDER + 1];
    kith_status status = read_path(file, module, path, err);
    if (status != KITH_OK) {
        return status;
    }
    if (i == 1 && strcmp(class, "Pooling") == 0) {
        return add_pooling(dir, path, true, folder, err);
    }
    if (i > 1 && strcmp(class, "Dense") == 0) {
        return add_dense(dir, path, folder, err);
    }
    if (i > 1 && strcmp(class, "Normalize") == 0) {
        folder->config.normalizes = 1;
        return KITH_OK;
    }
    return kenc_json_refuse(file, "type", type,
                            "Transformer, then Pooling, then Dense and Normalize", err);
}

/* The Transformer comes first, and its config.json before that of any other module. */
static kith_status read_transformer(const char *dir, const kenc_json *modules,
                                    kenc_folder *folder, kith_error *err)
{
    const json_t *first = json_array_get(modules->root, 0);
    const bool has_pooling = json_array_size(modules->root) > 1;
    kith_status status = KITH_OK;
    if (modules->root != NULL) {
        const json_t *type = json_object_get(first, "type");
        if (strcmp(kenc_class_name(type), "Transformer") != 0) {
            return kenc_json_refuse(modules, "type", type,
                                    "Transformer as the first module", err);
        }
        status = read_path(modules, first, folder->transformer, err);
    }
    kenc_json file = KENC_JSON_INIT;
    if (status == KITH_OK) {
        status =
            kenc_json_read(dir, folder->transformer, "config.json", true, &file, err);
    }
    if (status == KITH_OK) {
        status = kenc_config_read(&file, has_pooling, folder, err);
    }
    kenc_json_free(&file);
    return status;
}

static kith_status read_modules(const char *dir, kenc_folder *folder, kith_error *err)
{
    kenc_json modules = KENC_JSON_INIT;
    kith_status status = kenc_json_read(dir, "", "modules.json", false, &modules, err);
    if (status == KITH_OK) {
        status = read_transformer(dir, &modules, folder, err);
    }
    const bool is_encoder = folder->head.n_labels == 0;
    const size_t n = json_array_size(modules.root);
    if (status == KITH_OK && modules.root == NULL && is_encoder) {
        status = add_pooling(dir, "1_Pooling", false, folder, err);
    }
    if (status == KITH_OK && modules.root != NULL && n < 2 && is_encoder) {
        status =
            kbase_fail(err, KITH_INVALID,
                       "%s: a Pooling module is needed, or a model "
                       "whose \"architectures\" in config.json is a cross-encoder's",
                       modules.name);
    }
    for (size_t i = 1; i < n && status == KITH_OK; i++) {
        status = add_module(dir, &modules, i, folder, err);
    }
    kenc_json_free(&modules);
    return status;
}

/* ------------------------------------------------------------------ length */

static kith_status read_task(const kenc_json *file, const kenc_head *head,
                             kith_error *err)
{
    const char *wanted = head->n_labels > 0 ? "sequence-classification"
                                            : "feature-extraction";
    const json_t *task = kenc_json_get(file, "transformer_task");
    return task == NULL || kenc_json_is(task, wanted)
               ? KITH_OK
               : kenc_json_refuse(file, "transformer_task", task, wanted, err);
}

static kith_status read_own_length(const kenc_json *file, kenc_folder *folder,
                                   kith_error *err)
{
    kenc_config *config = &folder->config;
    kith_status status = read_task(file, &folder->head, err);
    if (status == KITH_OK) {
        status = kenc_json_flag(file, "do_lower_case", false, &folder->lowercases, err);
    }
    if (status == KITH_OK && kenc_json_get(file, "max_seq_length") != NULL) {
        status = kenc_json_count(file, "max_seq_length", &config->max_tokens, err);
    }
    if (status == KITH_OK && config->max_tokens > config->max_positions) {
        status = kbase_fail(err, KITH_INVALID,
                            "%s: \"max_seq_length\" is %u, the model has "
                            "%u positions",
                            file->name, config->max_tokens, config->max_positions);
    }
    return status;
}

/* The tokenizer's length, where the model has none of its own. One that was never set
 * is 10^30. */
static kith_status read_tokenizer_length(const char *dir, kenc_folder *folder,
                                         kith_error *err)
{
    kenc_config *config = &folder->config;
    kenc_json file = KENC_JSON_INIT;
    kith_status status = kenc_json_read(dir, folder->transformer,
                                        "tokenizer_config.json", false, &file, err);
    const json_t *length = kenc_json_get(&file, "model_max_length");
    config->max_tokens = config->max_positions;
    if (status == KITH_OK && length != NULL &&
        !(json_number_value(length) >= config->max_positions)) {
        status = kenc_json_count(&file, "model_max_length", &config->max_tokens, err);
    }
    kenc_json_free(&file);
    return status;
}

static kith_status read_length(const char *dir, kenc_folder *folder, kith_error *err)
{
    static const char *const names[] = { "sentence_bert_config.json",
                                         "sentence_distilbert_config.json" };
    kenc_json file = KENC_JSON_INIT;
    kith_status status = KITH_OK;
    for (size_t i = 0; i < 2 && status == KITH_OK && file.root == NULL; i++) {
        status = kenc_json_read(dir, folder->transformer, names[i], false, &file, err);
    }
    if (status == KITH_OK) {
        status = read_own_length(&file, folder, err);
    }
    if (status == KITH_OK && folder->config.max_tokens == 0) {
        status = read_tokenizer_length(dir, folder, err);
    }
    kenc_json_free(&file);
    return status;
}

/* ------------------------------------------------------------------ prompts */

/* The first of some prompts that is there and not empty; the last key is NULL. */
static kith_status read_prompt(const kenc_json *file, const char *const *keys,
                               char prompt[KENC_MAX_PROMPT + 1], kith_error *err)
{
    const json_t *prompts = kenc_json_get(file, "prompts");
    if (prompts != NULL && !json_is_object(prompts)) {
        return kbase_fail(err, KITH_INVALID, "%s: \"prompts\" is not an object",
                          file->name);
    }
    for (; *keys != NULL && *prompt == '\0'; keys++) {
        const json_t *value = json_object_get(prompts, *keys);
        if (value == NULL || json_is_null(value)) {
            continue;
        }
        if (!json_is_string(value) || json_string_length(value) > KENC_MAX_PROMPT) {
            return kbase_fail(err, KITH_INVALID,
                              "%s: the prompt \"%s\" is not a string of "
                              "at most %d bytes",
                              file->name, *keys, KENC_MAX_PROMPT);
        }
        memcpy(prompt, json_string_value(value), json_string_length(value) + 1);
    }
    return KITH_OK;
}

static kith_status read_shared(const char *dir, kenc_folder *folder, kith_error *err)
{
    static const char *const query[] = { "query", NULL };
    static const char *const passage[] = { "document", "passage", "corpus", NULL };
    kenc_json file = KENC_JSON_INIT;
    kith_status status = kenc_json_read(dir, "", all_json, false, &file, err);
    if (status == KITH_OK && folder->head.n_labels > 0) {
        const json_t *activation = kenc_json_get(&file, "activation_fn");
        if (activation != NULL) {
            status = kenc_score_activation(&file, "activation_fn", activation,
                                           &folder->head, err);
        }
    } else if (status == KITH_OK) {
        status = read_prompt(&file, query, folder->query_prompt, err);
        if (status == KITH_OK) {
            status = read_prompt(&file, passage, folder->passage_prompt, err);
        }
    }
    kenc_json_free(&file);
    return status;
}

kith_status kenc_folder_read(const char *dir, kenc_folder *folder, kith_error *err)
{
    *folder = (kenc_folder){ .excludes_prompt = "" };
    kith_status status = read_modules(dir, folder, err);
    if (status == KITH_OK) {
        status = read_length(dir, folder, err);
    }
    if (status == KITH_OK) {
        status = read_shared(dir, folder, err);
    }
    if (status == KITH_OK) {
        status = kenc_config_check(&folder->config, err);
    }
    return status == KITH_OK ? kenc_head_check(&folder->head, &folder->config, err)
                             : status;
}
