#include "kmodel.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checked.h"
#include "error.h"

#define MAGIC "KITHMODL"
#define BYTE_ORDER_MARK 0x01020304u
#define SECTION_ALIGNMENT 4096u
/* Rows of more columns are quantized in groups of twice the size. */
#define WIDE_COLUMNS 1024

_Static_assert(sizeof(kenc_config) == 48, "stored as it is");
_Static_assert(sizeof(kenc_tokenizer_rules) == 40, "stored as it is");
_Static_assert(sizeof(kenc_head) == 96, "stored as it is");
_Static_assert(sizeof(kenc_header) == 560, "stored as it is");

static size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

void kenc_shape_of(const kenc_config *config, kenc_shape *shape)
{
    shape->hidden = config->hidden;
    shape->width = round_up(config->hidden, KENC_PAD);
    shape->intermediate = round_up(config->intermediate, KENC_PAD);
    shape->head = round_up(config->hidden / config->n_heads, KENC_PANEL);
    shape->attention = round_up(shape->head * config->n_heads, KENC_PAD);
}

size_t kenc_linear_k(const kenc_shape *shape, kenc_linear linear)
{
    return linear == KENC_LINEAR_OUTPUT ? shape->attention
           : linear == KENC_LINEAR_DOWN ? shape->intermediate
                                        : shape->width;
}

size_t kenc_linear_n(const kenc_shape *shape, kenc_linear linear)
{
    return linear == KENC_LINEAR_QKV  ? 3 * shape->attention
           : linear == KENC_LINEAR_UP ? shape->intermediate
                                      : shape->width;
}

size_t kenc_padded(size_t n)
{
    return round_up(n, KENC_PAD);
}

bool kenc_has_types(const kenc_head *head)
{
    return head->n_labels > 0 && head->class == KENC_CLASS_BERT;
}

size_t kenc_group(size_t k)
{
    size_t group = k > WIDE_COLUMNS ? KENC_MAX_GROUP : KENC_MAX_GROUP / 2;
    while (k % group != 0) {
        group -= KENC_PAD;
    }
    return group;
}

/* Hands out parts of a section, in order, each at a multiple of 64 bytes. */
typedef struct allotment {
    const unsigned char *base;
    size_t n_bytes;
} allotment;

static const void *allot(allotment *a, size_t n_bytes)
{
    const void *part = a->base != NULL ? a->base + a->n_bytes : NULL;
    a->n_bytes += round_up(n_bytes, 64);
    return part;
}

static const float *allot_floats(allotment *a, size_t n)
{
    return allot(a, n * sizeof(float));
}

static kenc_linear_weights allot_linear(allotment *a, size_t k, size_t n)
{
    const float *w = allot_floats(a, k * n);
    return (kenc_linear_weights){ w, allot_floats(a, n) };
}

static kenc_linear8 allot_linear8(allotment *a, size_t k, size_t n, bool is_smoothed)
{
    kenc_linear8 linear = { .k = k, .n = n };
    linear.w = allot(a, k * n);
    linear.scale = allot_floats(a, n);
    linear.sums = allot_floats(a, k / kenc_group(k) * n);
    linear.bias = allot_floats(a, n);
    linear.smooth = is_smoothed ? allot_floats(a, k) : NULL;
    return linear;
}

static kenc_norm_weights allot_norm(allotment *a, size_t width)
{
    const float *gamma = allot_floats(a, width);
    return (kenc_norm_weights){ gamma, allot_floats(a, width) };
}

size_t kenc_common_layout(const kenc_config *config, const kenc_head *head,
                          const void *base, kenc_weights *weights)
{
    kenc_shape shape;
    kenc_shape_of(config, &shape);
    allotment a = { base, 0 };
    weights->embedding_norm = allot_norm(&a, shape.width);
    for (uint32_t i = 0; i < config->n_layers; i++) {
        weights->layers[i].attention_norm = allot_norm(&a, shape.width);
        weights->layers[i].norm = allot_norm(&a, shape.width);
    }
    if (config->has_pooler != 0) {
        weights->pooler = allot_linear(&a, shape.width, shape.width);
    }
    for (uint32_t i = 0; i < head->n_dense; i++) {
        weights->dense[i] = allot_linear(&a, kenc_padded(head->dense[i].n_in),
                                         kenc_padded(head->dense[i].n_out));
    }
    if (head->n_labels > 0) {
        weights->classifier =
            allot_linear(&a, shape.width, kenc_padded(head->n_labels));
    }
    return a.n_bytes;
}

size_t kenc_fp32_layout(const kenc_config *config, const void *base, kenc_weights *weights)
{
    kenc_shape shape;
    kenc_shape_of(config, &shape);
    allotment a = { base, 0 };
    for (uint32_t i = 0; i < config->n_layers; i++) {
        for (kenc_linear l = 0; l < KENC_LINEAR_COUNT; l++) {
            weights->layers[i].fp32[l] = allot_linear(&a, kenc_linear_k(&shape, l),
                                                      kenc_linear_n(&shape, l));
        }
    }
    return a.n_bytes;
}

size_t kenc_int8_layout(const kenc_config *config, const void *base, kenc_weights *weights)
{
    kenc_shape shape;
    kenc_shape_of(config, &shape);
    allotment a = { base, 0 };
    for (uint32_t i = 0; i < config->n_layers; i++) {
        for (kenc_linear l = 0; l < KENC_LINEAR_COUNT; l++) {
            /* What would smooth the input of OUTPUT is in the values' weights. */
            weights->layers[i].int8[l] = allot_linear8(&a, kenc_linear_k(&shape, l),
                                                       kenc_linear_n(&shape, l),
                                                       l != KENC_LINEAR_OUTPUT);
        }
    }
    return a.n_bytes;
}

size_t kenc_test_layout(size_t dim, const void *base, kenc_test_data *test)
{
    allotment a = { base, 0 };
    test->numerics = allot(&a, sizeof(*test->numerics));
    test->fp32 = allot_floats(&a, KENC_TEST_TEXTS * dim);
    test->int8 = allot_floats(&a, KENC_TEST_TEXTS * dim);
    test->texts = allot(&a, 0);
    return a.n_bytes;
}

static const void *section_data(const kenc_kmodel *kmodel, kenc_section section)
{
    return kmodel->map.data + kmodel->header->sections[section].offset;
}

static kith_status check_header(const char *path, const kenc_header *header,
                                size_t n_bytes, kith_error *err)
{
    if (n_bytes < sizeof(*header) || memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0) {
        return kbase_fail(err, KITH_CORRUPT, "%s is no .kmodel file: make one with `kith "
                          "model import`", path);
    }
    if (header->byte_order != BYTE_ORDER_MARK || header->version != KENC_FORMAT_VERSION) {
        return kbase_fail(err, KITH_VERSION, "%s has format version %" PRIu32 ", this kith "
                          "reads version %d: import the model again", path,
                          header->version, KENC_FORMAT_VERSION);
    }
    if (header->checksum != kbase_hash64(header, offsetof(kenc_header, checksum))) {
        return kbase_fail(err, KITH_CORRUPT, "%s: the header is damaged: import the model "
                          "again", path);
    }
    if (header->file_bytes != n_bytes) {
        return kbase_fail(err, KITH_CORRUPT, "%s has %zu bytes instead of %" PRIu64
                          ": import the model again", path, n_bytes, header->file_bytes);
    }
    for (size_t i = 0; i < KENC_SECTION_COUNT; i++) {
        const kenc_section_entry *entry = &header->sections[i];
        if (entry->offset % SECTION_ALIGNMENT != 0 || entry->offset > n_bytes ||
            entry->n_bytes > n_bytes - entry->offset) {
            return kbase_fail(err, KITH_CORRUPT, "%s: section %zu lies outside the file",
                              path, i);
        }
    }
    if (memchr(header->name, '\0', sizeof(header->name)) == NULL) {
        return kbase_fail(err, KITH_CORRUPT, "%s: the model's name does not end", path);
    }
    kith_status status = kenc_config_check(&header->config, err);
    return status == KITH_OK ? kenc_head_check(&header->head, &header->config, err)
                             : status;
}

/* Sections behind the vocabulary are as long as the configuration needs; how long the
 * texts of the self-test are is looked at when it is run, and the prompts when they are
 * checked. */
static kith_status check_lengths(const char *path, const kenc_header *header,
                                 kith_error *err)
{
    kenc_shape shape;
    kenc_weights weights;
    kenc_test_data test;
    kenc_shape_of(&header->config, &shape);
    const kenc_head *head = &header->head;
    const size_t dim = kenc_out_dim(&header->config, head);
    const size_t n_positions =
        (size_t)header->config.max_positions * (kenc_has_types(head) ? 2 : 1);
    const size_t wanted[KENC_SECTION_COUNT] = {
        [KENC_SECTION_WORDS] = header->config.vocabulary * shape.width * sizeof(float),
        [KENC_SECTION_WORD_CHECKS] = header->config.vocabulary * sizeof(uint64_t),
        [KENC_SECTION_POSITIONS] = n_positions * shape.width * sizeof(float),
        [KENC_SECTION_COMMON] =
            kenc_common_layout(&header->config, head, NULL, &weights),
        [KENC_SECTION_FP32] = kenc_fp32_layout(&header->config, NULL, &weights),
        [KENC_SECTION_INT8] = kenc_int8_layout(&header->config, NULL, &weights),
        [KENC_SECTION_TEST] = kenc_test_layout(dim, NULL, &test) + KENC_TEST_TEXTS,
        [KENC_SECTION_PROMPTS] = 2,
    };
    for (size_t i = KENC_SECTION_WORDS; i < KENC_SECTION_COUNT; i++) {
        const uint64_t n_bytes = header->sections[i].n_bytes;
        const bool is_least = i >= KENC_SECTION_TEST;
        if (is_least ? n_bytes < wanted[i] : n_bytes != wanted[i]) {
            return kbase_fail(err, KITH_CORRUPT, "%s: section %zu has %" PRIu64
                              " bytes instead of %s%zu", path, i, n_bytes,
                              is_least ? "at least " : "", wanted[i]);
        }
    }
    return KITH_OK;
}

kith_status kenc_kmodel_check_section(const kenc_kmodel *kmodel, kenc_section section,
                                      kith_error *err)
{
    const kenc_section_entry *entry = &kmodel->header->sections[section];
    if (kbase_hash64(section_data(kmodel, section), entry->n_bytes) != entry->checksum) {
        return kbase_fail(err, KITH_CORRUPT, "model %s: section %d is damaged: import the "
                          "model again", kmodel->header->name, (int)section);
    }
    return KITH_OK;
}

kith_status kenc_kmodel_check_word(const kenc_kmodel *kmodel, uint32_t id, kith_error *err)
{
    const float *row = kmodel->words + id * kmodel->shape.width;
    if (kbase_hash64(row, kmodel->shape.width * sizeof(*row)) != kmodel->word_checks[id]) {
        return kbase_fail(err, KITH_CORRUPT, "model %s: the embedding of word %" PRIu32
                          " is damaged: import the model again", kmodel->header->name, id);
    }
    return KITH_OK;
}

/* Two texts that end, the second one with the section. */
static kith_status open_prompts(kenc_kmodel *kmodel, kith_error *err)
{
    const kenc_section_entry *entry = &kmodel->header->sections[KENC_SECTION_PROMPTS];
    const char *prompts = section_data(kmodel, KENC_SECTION_PROMPTS);
    const char *second = memchr(prompts, '\0', entry->n_bytes - 1);
    if (second == NULL || prompts[entry->n_bytes - 1] != '\0' ||
        strlen(second + 1) != (size_t)(prompts + entry->n_bytes - second - 2)) {
        return kbase_fail(err, KITH_CORRUPT, "model %s: its prompts are not two texts: "
                          "import the model again", kmodel->header->name);
    }
    kmodel->query_prompt = prompts;
    kmodel->passage_prompt = second + 1;
    return KITH_OK;
}

static kith_status open_sections(kenc_kmodel *kmodel, kith_precision precision,
                                 kith_error *err)
{
    const kenc_header *header = kmodel->header;
    const kenc_section other = precision == KITH_PRECISION_INT8 ? KENC_SECTION_FP32
                                                                : KENC_SECTION_INT8;
    kith_status status = KITH_OK;
    for (int i = 0; i < KENC_SECTION_COUNT && status == KITH_OK; i++) {
        if (i != KENC_SECTION_WORDS && i != KENC_SECTION_TEST && i != (int)other) {
            status = kenc_kmodel_check_section(kmodel, (kenc_section)i, err);
        }
    }
    if (status != KITH_OK) {
        return status;
    }
    kenc_shape_of(&header->config, &kmodel->shape);
    kmodel->dim = kenc_out_dim(&header->config, &header->head);
    kmodel->words = section_data(kmodel, KENC_SECTION_WORDS);
    kmodel->word_checks = section_data(kmodel, KENC_SECTION_WORD_CHECKS);
    kmodel->positions = section_data(kmodel, KENC_SECTION_POSITIONS);
    kenc_common_layout(&header->config, &header->head,
                       section_data(kmodel, KENC_SECTION_COMMON), &kmodel->weights);
    kenc_fp32_layout(&header->config, section_data(kmodel, KENC_SECTION_FP32),
                     &kmodel->weights);
    kenc_int8_layout(&header->config, section_data(kmodel, KENC_SECTION_INT8),
                     &kmodel->weights);
    kenc_test_layout(kmodel->dim, section_data(kmodel, KENC_SECTION_TEST),
                     &kmodel->test);
    kmodel->tokenizer.rules = header->rules;
    status = open_prompts(kmodel, err);
    if (status != KITH_OK) {
        return status;
    }
    status = kenc_vocabulary_view(section_data(kmodel, KENC_SECTION_VOCABULARY),
                                  header->sections[KENC_SECTION_VOCABULARY].n_bytes,
                                  &kmodel->tokenizer.vocabulary, err);
    const kenc_tokenizer_rules *rules = &header->rules;
    uint32_t n = kmodel->tokenizer.vocabulary.n_tokens;
    if (status == KITH_OK && (n > header->config.vocabulary || rules->cls >= n ||
                              rules->sep >= n || rules->unk >= n)) {
        status = kbase_fail(err, KITH_CORRUPT, "model %s: the vocabulary of %" PRIu32
                            " does not fit the %" PRIu32 " word embeddings", header->name,
                            n, header->config.vocabulary);
    }
    return status;
}

kith_status kenc_kmodel_open(const char *path, kith_precision precision,
                             kenc_kmodel *kmodel, kith_error *err)
{
    *kmodel = (kenc_kmodel){ 0 };
    kbase_file file = KBASE_FILE_INIT;
    kith_status status = kbase_file_open(&file, path, O_RDONLY, 0, err);
    if (status != KITH_OK) {
        return status;
    }
    status = kbase_map_file(&file, 0, &kmodel->map, err);
    kbase_file_close(&file);
    if (status != KITH_OK) {
        return status;
    }
    kmodel->header = (const void *)kmodel->map.data;
    status = check_header(path, kmodel->header, kmodel->map.n_bytes, err);
    if (status == KITH_OK) {
        status = check_lengths(path, kmodel->header, err);
    }
    if (status == KITH_OK) {
        status = open_sections(kmodel, precision, err);
    }
    if (status != KITH_OK) {
        kenc_kmodel_close(kmodel);
    }
    return status;
}

void kenc_kmodel_close(kenc_kmodel *kmodel)
{
    kbase_unmap(&kmodel->map);
    *kmodel = (kenc_kmodel){ 0 };
}

kith_status kenc_kmodel_tokenize(const kenc_kmodel *kmodel, kith_text first,
                                 kith_text second, kenc_token_list *list,
                                 kenc_token_list *other, size_t *n_second,
                                 kith_error *err)
{
    const uint32_t max_tokens = kmodel->header->config.max_tokens;
    if (kmodel->header->head.n_labels > 0) {
        return kenc_tokenize_pair(&kmodel->tokenizer, first, second, max_tokens, list,
                                  other, n_second, err);
    }
    *n_second = 0;
    return kenc_tokenize(&kmodel->tokenizer, first.data, first.n_bytes, max_tokens,
                         list, err);
}

static void fill_header(kenc_header *header, const kith_text *contents)
{
    memcpy(header->magic, MAGIC, sizeof(header->magic));
    header->version = KENC_FORMAT_VERSION;
    header->byte_order = BYTE_ORDER_MARK;
    uint64_t at = round_up(sizeof(*header), SECTION_ALIGNMENT);
    for (size_t i = 0; i < KENC_SECTION_COUNT; i++) {
        header->sections[i] = (kenc_section_entry){
            at, contents[i].n_bytes, kbase_hash64(contents[i].data, contents[i].n_bytes)
        };
        header->file_bytes = at + contents[i].n_bytes;
        at = round_up(header->file_bytes, SECTION_ALIGNMENT);
    }
    header->checksum = kbase_hash64(header, offsetof(kenc_header, checksum));
}

kith_status kenc_kmodel_write(const char *path, kenc_header *header,
                              const kith_text contents[KENC_SECTION_COUNT],
                              kith_error *err)
{
    fill_header(header, contents);
    kbase_new_file out = KBASE_NEW_FILE_INIT;
    kith_status status = kbase_new_file_begin(&out, path, err);
    if (status != KITH_OK) {
        return status;
    }
    status = kbase_file_write(&out.file, header, sizeof(*header), 0, err);
    for (size_t i = 0; i < KENC_SECTION_COUNT && status == KITH_OK; i++) {
        status = kbase_file_write(&out.file, contents[i].data, contents[i].n_bytes,
                                  header->sections[i].offset, err);
    }
    if (status != KITH_OK) {
        kbase_new_file_abort(&out);
        return status;
    }
    return kbase_new_file_commit(&out, err);
}

void kenc_fingerprint(const kenc_kmodel *kmodel, kith_precision precision, char out[33])
{
    const struct {
        uint32_t numerics;
        uint32_t precision;
        uint64_t recipe;
        unsigned char weights[KBASE_SHA256_BYTES];
        uint64_t vocabulary;
        kenc_config config;
        kenc_tokenizer_rules rules;
        kenc_head head;
        uint64_t prompts;
    } decides = {
        KENC_NUMERICS_VERSION, (uint32_t)precision,
        precision == KITH_PRECISION_INT8 ? KENC_RECIPE_VERSION : 0, { 0 },
        kmodel->header->sections[KENC_SECTION_VOCABULARY].checksum,
        kmodel->header->config, kmodel->header->rules, kmodel->header->head,
        kmodel->header->sections[KENC_SECTION_PROMPTS].checksum,
    };
    static const kenc_head plain;
    const bool is_plain = memcmp(&decides.head, &plain, sizeof(plain)) == 0 &&
                          *kmodel->query_prompt == '\0' &&
                          *kmodel->passage_prompt == '\0';
    const size_t n_bytes =
        is_plain ? offsetof(__typeof__(decides), head) : sizeof(decides);
    unsigned char bytes[sizeof(decides)];
    memcpy(bytes, &decides, sizeof(decides));
    memcpy(bytes + offsetof(__typeof__(decides), weights), kmodel->header->weights_sha256,
           KBASE_SHA256_BYTES);
    kbase_hash128 hash = kbase_hash128_of(bytes, n_bytes);
    snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
}
