/* A sentence-transformers folder becomes a .kmodel file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoder.h"
#include "error.h"
#include "file.h"
#include "kmodel.h"
#include "quantize.h"
#include "self_test.h"
#include "tensors.h"
#include "transformer_import.h"

#define MAX_TOKENIZER_BYTES ((size_t)64 << 20)

/* Everything that an import holds. */
typedef struct import {
    const char *dir;
    kenc_folder folder;
    kenc_header header;
    kenc_tensors tensors; /* of the Transformer module */
    kenc_shape shape;
    kbase_buffer sources;
    kbase_buffer prompts;
    kbase_buffer vocabulary;
    float *words;
    uint64_t *word_checks;
    float *positions;
    size_t n_positions;
    unsigned char *common; /* the sections of these names */
    unsigned char *fp32;
    unsigned char *int8;
    unsigned char *test;
    size_t common_bytes, fp32_bytes, int8_bytes, test_bytes;
    kenc_weights weights; /* lie in them */
} import;

static kith_status note_source(import *in, const char *name, const void *data,
                               size_t n_bytes, unsigned char *digest, kith_error *err)
{
    char line[2 * KBASE_SHA256_BYTES + 1];
    kbase_sha256(data, n_bytes, digest);
    kbase_hex(digest, KBASE_SHA256_BYTES, line);
    const char *const parts[] = { line, "  ", name, "\n" };
    kith_status status = KITH_OK;
    for (size_t i = 0; i < 4 && status == KITH_OK; i++) {
        status = kbase_buffer_append(&in->sources, parts[i], strlen(parts[i]), err);
    }
    return status;
}

/* "FOLDER/NAME", or the name alone where the folder is "". */
static void name_in(const char *folder, const char *name,
                    char out[2 * KENC_MAX_FOLDER + 2])
{
    snprintf(out, 2 * KENC_MAX_FOLDER + 2, "%s%s%s", folder, *folder != '\0' ? "/" : "",
             name);
}

/* A file of the Transformer module; KITH_OK and no data when an optional one is not
 * there. */
static kith_status read_source(import *in, const char *file, bool needed,
                               kbase_buffer *content, kith_error *err)
{
    char name[2 * KENC_MAX_FOLDER + 2];
    name_in(in->folder.transformer, file, name);
    char *path = kbase_path_join(in->dir, name);
    if (path == NULL) {
        return kbase_fail_memory(err, strlen(in->dir) + strlen(name) + 2);
    }
    kith_error problem;
    kith_status status = kbase_read_whole(path, MAX_TOKENIZER_BYTES, content, &problem);
    free(path);
    if (status == KITH_NOT_FOUND && !needed) {
        return KITH_OK;
    }
    if (status != KITH_OK) {
        return kbase_fail(err, status, "%s", problem.message);
    }
    unsigned char digest[KBASE_SHA256_BYTES];
    return note_source(in, name, content->data, content->n_bytes, digest, err);
}

static kith_status import_tokenizer(import *in, kith_error *err)
{
    kbase_buffer json = KBASE_BUFFER_INIT;
    kbase_buffer vocabulary = KBASE_BUFFER_INIT;
    kbase_buffer config = KBASE_BUFFER_INIT;
    kith_status status = read_source(in, "tokenizer.json", false, &json, err);
    if (status == KITH_OK && json.data == NULL) {
        status = read_source(in, "vocab.txt", true, &vocabulary, err);
        if (status == KITH_OK) {
            status = read_source(in, "tokenizer_config.json", false, &config, err);
        }
    }
    if (status == KITH_OK) {
        status = kenc_tokenizer_import(json.data, vocabulary.data, config.data,
                                       in->header.head.n_labels > 0, &in->header.rules,
                                       &in->vocabulary, err);
    }
    if (status == KITH_OK && in->folder.lowercases && in->header.rules.lowercase == 0) {
        status =
            kbase_fail(err, KITH_UNSUPPORTED,
                       "sentence_bert_config.json: "
                       "\"do_lower_case\" is true, and the tokenizer keeps capitals: "
                       "kith knows tokenizers that lowercase by themselves");
    }
    kbase_buffer_free(&json);
    kbase_buffer_free(&vocabulary);
    kbase_buffer_free(&config);
    return status;
}

/* model.safetensors of a module, with its digest. */
static kith_status open_tensors(import *in, const char *folder, kenc_tensors *tensors,
                                unsigned char *digest, kith_error *err)
{
    char name[2 * KENC_MAX_FOLDER + 2];
    name_in(folder, "model.safetensors", name);
    char *path = kbase_path_join(in->dir, name);
    if (path == NULL) {
        return kbase_fail_memory(err, strlen(in->dir) + strlen(name) + 2);
    }
    kith_status status = kenc_safetensors_open(path, &tensors->file, err);
    free(path);
    return status != KITH_OK ? status
                             : note_source(in, name, tensors->file.map.data,
                                           tensors->file.map.n_bytes, digest, err);
}

static kith_status new_section(unsigned char **section, size_t n_bytes, kith_error *err)
{
    *section = kbase_alloc_aligned(n_bytes, 1);
    if (*section == NULL) {
        return kbase_fail_memory(err, n_bytes);
    }
    memset(*section, 0, n_bytes);
    return KITH_OK;
}

/* Sections of zeros for the weights. */
static kith_status new_sections(import *in, kith_error *err)
{
    kenc_config *config = &in->header.config;
    const kenc_head *head = &in->header.head;
    kenc_weights *weights = &in->weights;
    if (head->class == KENC_CLASS_BERT && head->n_labels == 0) {
        config->has_pooler =
            kenc_tensors_find(&in->tensors, "pooler.dense.weight") != NULL;
    }
    in->common_bytes = kenc_common_layout(config, head, NULL, weights);
    in->fp32_bytes = kenc_fp32_layout(config, NULL, weights);
    in->int8_bytes = kenc_int8_layout(config, NULL, weights);
    kith_status status = new_section(&in->common, in->common_bytes, err);
    if (status == KITH_OK) {
        status = new_section(&in->fp32, in->fp32_bytes, err);
    }
    if (status == KITH_OK) {
        status = new_section(&in->int8, in->int8_bytes, err);
    }
    if (status == KITH_OK) {
        kenc_common_layout(config, head, in->common, weights);
        kenc_fp32_layout(config, in->fp32, weights);
        kenc_int8_layout(config, in->int8, weights);
    }
    return status;
}

/* The Dense modules, each with a file of its own. The digest of the weights is then
 * that of the digests of all files. */
static kith_status import_dense(import *in, kith_error *err)
{
    const kenc_head *head = &in->header.head;
    unsigned char digests[(1 + KENC_MAX_DENSE) * KBASE_SHA256_BYTES];
    unsigned char *digest = in->header.weights_sha256;
    kith_status status = KITH_OK;
    memcpy(digests, digest, KBASE_SHA256_BYTES);
    for (uint32_t i = 0; i < head->n_dense && status == KITH_OK; i++) {
        const kenc_dense *dense = &head->dense[i];
        const kenc_linear_source source = {
            "linear", .n = dense->n_out, .k = dense->n_in,
            .packed_k = kenc_padded(dense->n_in), .has_no_bias = dense->has_bias == 0,
        };
        kenc_tensors tensors = KENC_TENSORS_INIT;
        status = open_tensors(in, in->folder.dense[i], &tensors,
                              digests + (1 + i) * KBASE_SHA256_BYTES, err);
        if (status == KITH_OK) {
            status = kenc_tensors_linear(&tensors, &source, &in->weights.dense[i], err);
        }
        kenc_tensors_close(&tensors);
    }
    if (head->n_dense > 0) {
        kbase_sha256(digests, (1 + head->n_dense) * KBASE_SHA256_BYTES, digest);
    }
    return status;
}

static kith_status import_weights(import *in, kith_error *err)
{
    kith_status status = new_sections(in, err);
    if (status == KITH_OK) {
        status = kenc_transformer_import(&in->tensors, &in->header.config,
                                         &in->header.head, &in->weights, err);
    }
    return status == KITH_OK ? import_dense(in, err) : status;
}

/* ------------------------------------------------------------------ embeddings */

/* Rows of the true width become rows of the padded one, n_copies times. */
static kith_status import_rows(import *in, const char *name, size_t n_rows,
                               size_t n_copies, float **out, kith_error *err)
{
    const size_t width = in->shape.width;
    kith_status status = kenc_tensors_load(&in->tensors, name, n_rows, in->shape.hidden,
                                           err);
    if (status != KITH_OK) {
        return status;
    }
    *out = kbase_calloc(n_copies * n_rows * width, sizeof(float));
    if (*out == NULL) {
        return kbase_fail_memory(err, n_copies * n_rows * width * sizeof(float));
    }
    for (size_t i = 0; i < n_copies * n_rows; i++) {
        memcpy(*out + i * width, in->tensors.floats + i % n_rows * in->shape.hidden,
               in->shape.hidden * sizeof(float));
    }
    return KITH_OK;
}

static kith_status sum_words(import *in, kith_error *err)
{
    const uint32_t n = in->header.config.vocabulary;
    const size_t width = in->shape.width;
    in->word_checks = kbase_calloc(n, sizeof(*in->word_checks));
    if (in->word_checks == NULL) {
        return kbase_fail_memory(err, n * sizeof(*in->word_checks));
    }
    for (uint32_t i = 0; i < n; i++) {
        in->word_checks[i] = kbase_hash64(in->words + i * width, width * sizeof(float));
    }
    return KITH_OK;
}

/* A token type is part of the positions: type 0, and of a pair's second text type 1. */
static kith_status add_types(import *in, kith_error *err)
{
    static const char name[] = "embeddings.token_type_embeddings.weight";
    const size_t hidden = in->shape.hidden;
    const size_t n_positions = in->header.config.max_positions;
    const bool has_types = kenc_has_types(&in->header.head);
    const kenc_tensor *types = kenc_tensors_find(&in->tensors, name);
    if (types == NULL && !has_types) {
        return KITH_OK;
    }
    const size_t n_types = types != NULL && types->rank > 0 ? types->shape[0] : 0;
    if (has_types && n_types < 2) {
        return kbase_fail(err, KITH_INVALID, "%s: tensor \"%s\" has %zu rows: a "
                          "cross-encoder needs one for each text of a pair",
                          in->tensors.file.path, name, n_types);
    }
    kith_status status = kenc_tensors_load(&in->tensors, name, n_types, hidden, err);
    for (size_t i = 0; i < in->n_positions && status == KITH_OK; i++) {
        const float *type = in->tensors.floats + i / n_positions * hidden;
        for (size_t c = 0; c < hidden; c++) {
            in->positions[i * in->shape.width + c] += type[c];
        }
    }
    return status;
}

static kith_status import_embeddings(import *in, kith_error *err)
{
    const kenc_config *config = &in->header.config;
    const size_t n_copies = kenc_has_types(&in->header.head) ? 2 : 1;
    kith_status status = import_rows(in, "embeddings.word_embeddings.weight",
                                     config->vocabulary, 1, &in->words, err);
    if (status == KITH_OK) {
        status = sum_words(in, err);
    }
    if (status == KITH_OK) {
        in->n_positions = n_copies * config->max_positions;
        status = import_rows(in, "embeddings.position_embeddings.weight",
                             config->max_positions, n_copies, &in->positions, err);
    }
    return status == KITH_OK && in->header.head.class == KENC_CLASS_BERT
               ? add_types(in, err)
               : status;
}

/* ------------------------------------------------------------------ prompts */

/* The prompt that was asked for, else the folder's. */
static kith_status import_prompt(import *in, const char *given, const char *found,
                                 kith_error *err)
{
    const char *prompt = given != NULL ? given : found;
    const size_t n = strlen(prompt);
    if (n > KENC_MAX_PROMPT) {
        return kbase_fail(err, KITH_INVALID, "a prompt has %zu bytes: at most %d are "
                          "accepted", n, KENC_MAX_PROMPT);
    }
    if (n > 0 && in->header.head.n_labels > 0) {
        return kbase_fail(err, KITH_INVALID,
                          "%s is a cross-encoder, which takes no prompts", in->dir);
    }
    if (n > 0 && *in->folder.excludes_prompt != '\0') {
        return kbase_fail(err, KITH_UNSUPPORTED,
                          "%s: \"include_prompt\" is false: kith "
                          "takes the tokens of a prompt into the pooling",
                          in->folder.excludes_prompt);
    }
    return kbase_buffer_append(&in->prompts, prompt, n + 1, err);
}

static kith_status import_prompts(import *in, const kith_model_import_opts *opts,
                                  kith_error *err)
{
    kith_status status = import_prompt(in, opts->query_prompt, in->folder.query_prompt,
                                       err);
    return status != KITH_OK ? status
                             : import_prompt(in, opts->passage_prompt,
                                             in->folder.passage_prompt, err);
}

/* A prompt leaves at least half of the tokens to the text. */
static kith_status check_prompt(const kenc_kmodel *kmodel, const char *prompt,
                                kith_error *err)
{
    const uint32_t max_tokens = kmodel->header->config.max_tokens;
    kenc_token_list list = { 0 };
    kith_status status =
        kenc_tokenize(&kmodel->tokenizer, prompt, strlen(prompt), 0, &list, err);
    const size_t n = list.n_tokens;
    kenc_token_list_free(&list);
    if (status == KITH_OK && n - 2 > (max_tokens - 2) / 2) {
        status = kbase_fail(err, KITH_INVALID,
                            "the prompt \"%.60s\" has %zu tokens, and a "
                            "text at most %u: half of them is too much for a prompt",
                            prompt, n - 2, max_tokens);
    }
    return status;
}

/* ------------------------------------------------------------------ all of it */

static kith_status check_name(const char *name, kith_error *err)
{
    size_t n = strlen(name);
    if (n < 1 || n > KENC_MAX_NAME ||
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") !=
            n ||
        name[0] == '.') {
        return kbase_fail(err, KITH_INVALID, "\"%.80s\" is no model name: use 1 to %d of "
                          "A-Z a-z 0-9 . _ -, not beginning with a dot", name,
                          KENC_MAX_NAME);
    }
    return KITH_OK;
}

/* The int8 weights and the self-test, from the model as it stands in memory. */
static kith_status import_derived(import *in, kith_error *err)
{
    kenc_kmodel kmodel = {
        .header = &in->header,
        .shape = in->shape,
        .dim = kenc_out_dim(&in->header.config, &in->header.head),
        .query_prompt = in->prompts.data,
        .passage_prompt = in->prompts.data + strlen(in->prompts.data) + 1,
        .tokenizer.rules = in->header.rules,
        .weights = in->weights,
        .words = in->words,
        .positions = in->positions,
    };
    kith_status status = kenc_vocabulary_view(in->vocabulary.data, in->vocabulary.n_bytes,
                                              &kmodel.tokenizer.vocabulary, err);
    const uint32_t n_tokens = kmodel.tokenizer.vocabulary.n_tokens;
    if (status == KITH_OK && n_tokens > in->header.config.vocabulary) {
        status = kbase_fail(err, KITH_INVALID, "the tokenizer has %u tokens, and "
                            "\"vocab_size\" in config.json is %u", n_tokens,
                            in->header.config.vocabulary);
    }
    if (status == KITH_OK) {
        status = check_prompt(&kmodel, kmodel.query_prompt, err);
    }
    if (status == KITH_OK) {
        status = check_prompt(&kmodel, kmodel.passage_prompt, err);
    }
    if (status == KITH_OK) {
        status = kenc_quantize(&kmodel, in->int8, err);
    }
    if (status == KITH_OK) {
        status = kenc_self_test_make(&kmodel, &in->test, &in->test_bytes, err);
    }
    return status;
}

static kith_status write_model(import *in, const char *out_path, kith_error *err)
{
    const size_t row = in->shape.width * sizeof(float);
    const kith_text contents[KENC_SECTION_COUNT] = {
        [KENC_SECTION_SOURCES] = { in->sources.data, in->sources.n_bytes },
        [KENC_SECTION_VOCABULARY] = { in->vocabulary.data, in->vocabulary.n_bytes },
        [KENC_SECTION_WORDS] = { (const char *)in->words,
                                 in->header.config.vocabulary * row },
        [KENC_SECTION_WORD_CHECKS] = { (const char *)in->word_checks,
                                       in->header.config.vocabulary *
                                           sizeof(*in->word_checks) },
        [KENC_SECTION_POSITIONS] = { (const char *)in->positions,
                                     in->n_positions * row },
        [KENC_SECTION_COMMON] = { (const char *)in->common, in->common_bytes },
        [KENC_SECTION_FP32] = { (const char *)in->fp32, in->fp32_bytes },
        [KENC_SECTION_INT8] = { (const char *)in->int8, in->int8_bytes },
        [KENC_SECTION_TEST] = { (const char *)in->test, in->test_bytes },
        [KENC_SECTION_PROMPTS] = { in->prompts.data, in->prompts.n_bytes },
    };
    return kenc_kmodel_write(out_path, &in->header, contents, err);
}

static void release(import *in)
{
    free(in->test);
    free(in->int8);
    free(in->fp32);
    free(in->common);
    free(in->positions);
    free(in->word_checks);
    free(in->words);
    kbase_buffer_free(&in->vocabulary);
    kbase_buffer_free(&in->prompts);
    kbase_buffer_free(&in->sources);
    kenc_tensors_close(&in->tensors);
    free(in);
}

static kith_status run(import *in, const char *name, const kith_model_import_opts *opts,
                       kith_error *err)
{
    kith_status status = kenc_folder_read(in->dir, &in->folder, err);
    memcpy(in->header.name, name, strlen(name));
    in->header.config = in->folder.config;
    in->header.head = in->folder.head;
    in->tensors.prefix = kenc_transformer_prefix(&in->header.head);
    if (status == KITH_OK) {
        kenc_shape_of(&in->header.config, &in->shape);
        status = import_prompts(in, opts, err);
    }
    if (status == KITH_OK) {
        status = open_tensors(in, in->folder.transformer, &in->tensors,
                              in->header.weights_sha256, err);
    }
    if (status == KITH_OK) {
        status = import_tokenizer(in, err);
    }
    if (status == KITH_OK) {
        status = import_weights(in, err);
    }
    if (status == KITH_OK) {
        status = import_embeddings(in, err);
    }
    return status == KITH_OK ? import_derived(in, err) : status;
}

kith_status kenc_import(const char *dir, const char *name, const char *out_path,
                        const kith_model_import_opts *opts, kith_error *err)
{
    static const kith_model_import_opts plain = KITH_MODEL_IMPORT_OPTS_INIT;
    kith_status status = check_name(name, err);
    if (status != KITH_OK) {
        return status;
    }
    import *in = calloc(1, sizeof(*in));
    if (in == NULL) {
        return kbase_fail_memory(err, sizeof(*in));
    }
    in->dir = dir;
    in->tensors = (kenc_tensors)KENC_TENSORS_INIT;
    status = run(in, name, opts != NULL ? opts : &plain, err);
    if (status == KITH_OK) {
        status = write_model(in, out_path, err);
    }
    release(in);
    return status;
}
