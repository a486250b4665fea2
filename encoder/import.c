/* A sentence-transformers folder becomes a .kmodel file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoder.h"
#include "error.h"
#include "file.h"
#include "kmodel.h"
#include "quantize.h"
#include "safetensors.h"
#include "self_test.h"

#define MAX_TOKENIZER_BYTES ((size_t)64 << 20)

/* Everything that an import holds. */
typedef struct import {
    const char *dir;
    kenc_header header;
    kenc_safetensors tensors;
    kenc_shape shape;
    float *scratch; /* one tensor as floats */
    size_t scratch_floats;
    kbase_buffer sources;
    kbase_buffer vocabulary;
    float *words;
    uint64_t *word_checks;
    float *positions;
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

/* A file of the folder; KITH_OK and no data when an optional one is not there. */
static kith_status read_source(import *in, const char *name, bool needed,
                               kbase_buffer *content, kith_error *err)
{
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
                                       &in->header.rules, &in->vocabulary, err);
    }
    kbase_buffer_free(&json);
    kbase_buffer_free(&vocabulary);
    kbase_buffer_free(&config);
    return status;
}

static kith_status open_weights(import *in, kith_error *err)
{
    char *path = kbase_path_join(in->dir, "model.safetensors");
    if (path == NULL) {
        return kbase_fail_memory(err, strlen(in->dir) + 32);
    }
    kith_status status = kenc_safetensors_open(path, &in->tensors, err);
    free(path);
    if (status == KITH_OK) {
        status = note_source(in, "model.safetensors", in->tensors.map.data,
                             in->tensors.map.n_bytes, in->header.weights_sha256, err);
    }
    return status;
}

/* Names may begin with "bert.", as a model with a head has them. */
static const kenc_tensor *find(const import *in, const char *name)
{
    char prefixed[160];
    const kenc_tensor *tensor = kenc_safetensors_find(&in->tensors, name);
    if (tensor == NULL) {
        snprintf(prefixed, sizeof(prefixed), "bert.%s", name);
        tensor = kenc_safetensors_find(&in->tensors, prefixed);
    }
    return tensor;
}

/* The tensor [rows, columns] (rows 0: [columns]) as floats in in->scratch. */
static kith_status load(import *in, const char *name, size_t rows, size_t columns,
                        kith_error *err)
{
    const kenc_tensor *tensor = find(in, name);
    if (tensor == NULL) {
        return kbase_fail(err, KITH_INVALID, "%s: there is no tensor \"%s\"",
                          in->tensors.path, name);
    }
    bool fits = rows == 0 ? tensor->rank == 1 && tensor->shape[0] == columns
                          : tensor->rank == 2 && tensor->shape[0] == rows &&
                                tensor->shape[1] == columns;
    if (!fits) {
        return kbase_fail(err, KITH_INVALID, "%s: tensor \"%s\" has not the shape [%zu, "
                          "%zu] that config.json asks for", in->tensors.path, name, rows,
                          columns);
    }
    if (tensor->n_elements > in->scratch_floats) {
        float *more = kbase_realloc(in->scratch, tensor->n_elements, sizeof(float));
        if (more == NULL) {
            return kbase_fail_memory(err, tensor->n_elements * sizeof(float));
        }
        in->scratch = more;
        in->scratch_floats = tensor->n_elements;
    }
    return kenc_tensor_to_f32(tensor, in->scratch, err);
}

/* Where column i of an unpadded width lies when every head is padded. head 0: no heads. */
static size_t spread(size_t i, size_t head, size_t padded)
{
    return head == 0 ? i : i / head * padded + i % head;
}

/* A linear layer of the reference, weight [n, k] and bias [n], becomes packed weights:
 * its outputs from column `first_n` on. heads_n, heads_k: the true head width where that
 * side consists of heads, else 0. */
typedef struct linear_source {
    char name[96]; /* without ".weight" */
    size_t n, k;
    size_t first_n;
    size_t heads_n, heads_k;
    size_t packed_k;
} linear_source;

static kith_status import_linear(import *in, const linear_source *source,
                                 const kenc_linear_weights *target, kith_error *err)
{
    float *w = (float *)target->w; /* of a section that this import fills */
    float *bias = (float *)target->bias;
    char name[128];
    snprintf(name, sizeof(name), "%s.weight", source->name);
    kith_status status = load(in, name, source->n, source->k, err);
    if (status != KITH_OK) {
        return status;
    }
    for (size_t i = 0; i < source->n; i++) {
        size_t n = source->first_n + spread(i, source->heads_n, in->shape.head);
        float *panel = w + n / KENC_PANEL * source->packed_k * KENC_PANEL + n % KENC_PANEL;
        for (size_t j = 0; j < source->k; j++) {
            panel[spread(j, source->heads_k, in->shape.head) * KENC_PANEL] =
                in->scratch[i * source->k + j];
        }
    }
    snprintf(name, sizeof(name), "%s.bias", source->name);
    status = load(in, name, 0, source->n, err);
    for (size_t i = 0; i < source->n && status == KITH_OK; i++) {
        bias[source->first_n + spread(i, source->heads_n, in->shape.head)] = in->scratch[i];
    }
    return status;
}

static kith_status import_norm(import *in, const char *prefix,
                               const kenc_norm_weights *target, kith_error *err)
{
    char name[128];
    float *const arrays[] = { (float *)target->gamma, (float *)target->beta };
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), "%s.%s", prefix, i == 0 ? "weight" : "bias");
        kith_status status = load(in, name, 0, in->shape.hidden, err);
        if (status != KITH_OK) {
            return status;
        }
        memcpy(arrays[i], in->scratch, in->shape.hidden * sizeof(float));
    }
    return KITH_OK;
}

static kith_status import_layer(import *in, uint32_t index, const kenc_layer *layer,
                                kith_error *err)
{
    static const char *const attention[] = { "query", "key", "value" };
    const kenc_shape *shape = &in->shape;
    const size_t hidden = shape->hidden;
    const size_t head = hidden / in->header.config.n_heads;
    linear_source source;
    kith_status status = KITH_OK;
    for (size_t i = 0; i < 3 && status == KITH_OK; i++) {
        source = (linear_source){ "", hidden, hidden, i * shape->attention, head, 0,
                                  shape->width };
        snprintf(source.name, sizeof(source.name), "encoder.layer.%u.attention.self.%s",
                 index, attention[i]);
        status = import_linear(in, &source, &layer->fp32[KENC_LINEAR_QKV], err);
    }
    const struct {
        const char *name;
        kenc_linear linear;
        linear_source source;
    } rest[] = {
        { "attention.output.dense", KENC_LINEAR_OUTPUT,
          { "", hidden, hidden, 0, 0, head, shape->attention } },
        { "intermediate.dense", KENC_LINEAR_UP,
          { "", in->header.config.intermediate, hidden, 0, 0, 0, shape->width } },
        { "output.dense", KENC_LINEAR_DOWN,
          { "", hidden, in->header.config.intermediate, 0, 0, 0, shape->intermediate } },
    };
    for (size_t i = 0; i < 3 && status == KITH_OK; i++) {
        source = rest[i].source;
        snprintf(source.name, sizeof(source.name), "encoder.layer.%u.%s", index,
                 rest[i].name);
        status = import_linear(in, &source, &layer->fp32[rest[i].linear], err);
    }
    char name[96];
    if (status == KITH_OK) {
        snprintf(name, sizeof(name), "encoder.layer.%u.attention.output.LayerNorm", index);
        status = import_norm(in, name, &layer->attention_norm, err);
    }
    if (status == KITH_OK) {
        snprintf(name, sizeof(name), "encoder.layer.%u.output.LayerNorm", index);
        status = import_norm(in, name, &layer->norm, err);
    }
    return status;
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
    kenc_weights *weights = &in->weights;
    config->has_pooler = find(in, "pooler.dense.weight") != NULL;
    in->common_bytes = kenc_common_layout(config, NULL, weights);
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
        kenc_common_layout(config, in->common, weights);
        kenc_fp32_layout(config, in->fp32, weights);
        kenc_int8_layout(config, in->int8, weights);
    }
    return status;
}

static kith_status import_weights(import *in, kith_error *err)
{
    const kenc_config *config = &in->header.config;
    kith_status status = new_sections(in, err);
    if (status == KITH_OK) {
        status = import_norm(in, "embeddings.LayerNorm", &in->weights.embedding_norm, err);
    }
    for (uint32_t i = 0; i < config->n_layers && status == KITH_OK; i++) {
        status = import_layer(in, i, &in->weights.layers[i], err);
    }
    if (status == KITH_OK && config->has_pooler != 0) {
        linear_source source = { "pooler.dense", config->hidden, config->hidden, 0, 0, 0,
                                 in->shape.width };
        status = import_linear(in, &source, &in->weights.pooler, err);
    }
    return status;
}

/* Rows of the true width become rows of the padded one. */
static kith_status import_rows(import *in, const char *name, size_t n_rows, float **out,
                               kith_error *err)
{
    kith_status status = load(in, name, n_rows, in->shape.hidden, err);
    if (status != KITH_OK) {
        return status;
    }
    *out = kbase_calloc(n_rows * in->shape.width, sizeof(float));
    if (*out == NULL) {
        return kbase_fail_memory(err, n_rows * in->shape.width * sizeof(float));
    }
    for (size_t i = 0; i < n_rows; i++) {
        memcpy(*out + i * in->shape.width, in->scratch + i * in->shape.hidden,
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

static kith_status import_embeddings(import *in, kith_error *err)
{
    static const char types[] = "embeddings.token_type_embeddings.weight";
    const kenc_config *config = &in->header.config;
    kith_status status = import_rows(in, "embeddings.word_embeddings.weight",
                                     config->vocabulary, &in->words, err);
    if (status == KITH_OK) {
        status = sum_words(in, err);
    }
    if (status == KITH_OK) {
        status = import_rows(in, "embeddings.position_embeddings.weight",
                             config->max_positions, &in->positions, err);
    }
    if (status != KITH_OK || find(in, types) == NULL) {
        return status;
    }
    status = load(in, types, find(in, types)->shape[0], config->hidden, err);
    for (size_t i = 0; i < config->max_positions && status == KITH_OK; i++) {
        for (size_t c = 0; c < config->hidden; c++) {
            in->positions[i * in->shape.width + c] += in->scratch[c];
        }
    }
    return status;
}

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
        .header = &in->header,       .shape = in->shape,
        .tokenizer.rules = in->header.rules, .weights = in->weights,
        .words = in->words,          .positions = in->positions,
    };
    kith_status status = kenc_vocabulary_view(in->vocabulary.data, in->vocabulary.n_bytes,
                                              &kmodel.tokenizer.vocabulary, err);
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
                                     in->header.config.max_positions * row },
        [KENC_SECTION_COMMON] = { (const char *)in->common, in->common_bytes },
        [KENC_SECTION_FP32] = { (const char *)in->fp32, in->fp32_bytes },
        [KENC_SECTION_INT8] = { (const char *)in->int8, in->int8_bytes },
        [KENC_SECTION_TEST] = { (const char *)in->test, in->test_bytes },
    };
    return kenc_kmodel_write(out_path, &in->header, contents, err);
}

kith_status kenc_import(const char *dir, const char *name, const char *out_path,
                        kith_error *err)
{
    import in = { .dir = dir, .tensors = KENC_SAFETENSORS_INIT };
    kith_status status = check_name(name, err);
    if (status == KITH_OK) {
        memcpy(in.header.name, name, strlen(name));
        status = kenc_config_read(dir, &in.header.config, err);
    }
    if (status == KITH_OK) {
        kenc_shape_of(&in.header.config, &in.shape);
        status = open_weights(&in, err);
    }
    if (status == KITH_OK) {
        status = import_tokenizer(&in, err);
    }
    if (status == KITH_OK) {
        status = import_weights(&in, err);
    }
    if (status == KITH_OK) {
        status = import_embeddings(&in, err);
    }
    if (status == KITH_OK) {
        status = import_derived(&in, err);
    }
    if (status == KITH_OK) {
        status = write_model(&in, out_path, err);
    }
    free(in.test);
    free(in.int8);
    free(in.fp32);
    free(in.common);
    free(in.positions);
    free(in.word_checks);
    free(in.words);
    kbase_buffer_free(&in.vocabulary);
    kbase_buffer_free(&in.sources);
    free(in.scratch);
    kenc_safetensors_close(&in.tensors);
    return status;
}
