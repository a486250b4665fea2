/* The .kmodel file: everything that decides a vector, mapped into memory and used in
 * place. docs/format.md gives the bytes. */
#ifndef KENC_KMODEL_H
#define KENC_KMODEL_H

#include "checksum.h"
#include "file.h"
#include "forward_kernels.h"
#include "kith.h"
#include "model_config.h"
#include "tokenizer.h"

#define KENC_FORMAT_VERSION 2
/* Rises when the same file and text give other bits than before. */
#define KENC_NUMERICS_VERSION 0
/* Rises when import makes other int8 weights of the same sources than before. */
#define KENC_RECIPE_VERSION 0

#define KENC_MAX_NAME 64
#define KENC_MAX_LAYERS 48
#define KENC_TEST_TEXTS 16 /* of the self-test */

typedef enum kenc_section {
    KENC_SECTION_SOURCES,    /* "SHA256  NAME" lines */
    KENC_SECTION_VOCABULARY, /* kenc_vocabulary_pack() */
    KENC_SECTION_WORDS,      /* f32 [vocabulary][padded width] */
    KENC_SECTION_WORD_CHECKS, /* u64 [vocabulary]: XXH3-64 of each row of words */
    KENC_SECTION_POSITIONS,  /* f32 [positions][padded width], token type 0 added; of a
                              * BERT cross-encoder once more, with token type 1 */
    KENC_SECTION_COMMON,     /* kenc_common_layout() */
    KENC_SECTION_FP32,       /* kenc_fp32_layout() */
    KENC_SECTION_INT8,       /* kenc_int8_layout() */
    KENC_SECTION_TEST,       /* kenc_test_layout(), then the texts, a NUL behind each */
    KENC_SECTION_PROMPTS,    /* of queries and of passages, a NUL behind each */
    KENC_SECTION_COUNT
} kenc_section;

typedef struct kenc_section_entry {
    uint64_t offset;
    uint64_t n_bytes;
    uint64_t checksum; /* XXH3-64 */
} kenc_section_entry;

/* The first bytes of the file. */
typedef struct kenc_header {
    char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint64_t file_bytes;
    char name[KENC_MAX_NAME + 8]; /* NUL-terminated */
    unsigned char weights_sha256[KBASE_SHA256_BYTES];
    kenc_config config;
    kenc_tokenizer_rules rules;
    kenc_head head;
    kenc_section_entry sections[KENC_SECTION_COUNT];
    uint64_t checksum; /* XXH3-64 of everything before it */
} kenc_header;

/* Widths with their padding. */
typedef struct kenc_shape {
    size_t hidden;       /* true width */
    size_t width;        /* padded */
    size_t intermediate; /* padded */
    size_t head;         /* padded width of a head */
    size_t attention;    /* n_heads * head, padded */
} kenc_shape;

typedef struct kenc_linear_weights {
    const float *w; /* packed [k, n] */
    const float *bias;
} kenc_linear_weights;

typedef struct kenc_norm_weights {
    const float *gamma;
    const float *beta;
} kenc_norm_weights;

/* The linear layers of a layer, in the order in which they run. */
typedef enum kenc_linear {
    KENC_LINEAR_QKV,    /* to queries, keys and values */
    KENC_LINEAR_OUTPUT, /* of attention */
    KENC_LINEAR_UP,     /* feed forward, to the intermediate width */
    KENC_LINEAR_DOWN,   /* and back */
    KENC_LINEAR_COUNT
} kenc_linear;

typedef struct kenc_layer {
    kenc_norm_weights attention_norm;
    kenc_norm_weights norm;
    kenc_linear_weights fp32[KENC_LINEAR_COUNT];
    kenc_linear8 int8[KENC_LINEAR_COUNT];
} kenc_layer;

typedef struct kenc_weights {
    kenc_norm_weights embedding_norm;
    kenc_layer layers[KENC_MAX_LAYERS];
    /* Unset without them; fp32 in every precision. */
    kenc_linear_weights pooler;
    kenc_linear_weights dense[KENC_MAX_DENSE];
    kenc_linear_weights classifier;
} kenc_weights;

void kenc_shape_of(const kenc_config *config, kenc_shape *shape);

/* Inputs and outputs of a linear layer, padded. */
size_t kenc_linear_k(const kenc_shape *shape, kenc_linear linear);
size_t kenc_linear_n(const kenc_shape *shape, kenc_linear linear);

/* Outputs of a linear layer of the head, padded. */
size_t kenc_padded(size_t n);

/* Whether the second text of a pair has positions of its own. */
bool kenc_has_types(const kenc_head *head);

/* Columns that share a range when a row of k columns is quantized. */
size_t kenc_group(size_t k);

/* Where each array of a section lies: fills in its part of `weights` from `base`, the
 * section's first byte, and returns how many bytes the section has. Layer norms, the
 * pooler and the rest of the head; the linear layers in fp32; in int8. */
size_t kenc_common_layout(const kenc_config *config, const kenc_head *head,
                          const void *base, kenc_weights *weights);
size_t kenc_fp32_layout(const kenc_config *config, const void *base, kenc_weights *weights);
size_t kenc_int8_layout(const kenc_config *config, const void *base, kenc_weights *weights);

/* What `kith model test` compares with, made at import: vectors of default pooling, or
 * the logits of a cross-encoder for pairs of a text and the next one. */
typedef struct kenc_test_data {
    const uint32_t *numerics; /* KENC_NUMERICS_VERSION at import */
    const float *fp32;        /* [KENC_TEST_TEXTS, dim] */
    const float *int8;
    const char *texts;
} kenc_test_data;

/* The same for the self-test, `dim` numbers a text; returns how many bytes there are
 * before the texts. */
size_t kenc_test_layout(size_t dim, const void *base, kenc_test_data *test);

/* A file that is open. */
typedef struct kenc_kmodel {
    kbase_map map;
    const kenc_header *header;
    kenc_shape shape;
    size_t dim; /* numbers that a text gives */
    const char *query_prompt;
    const char *passage_prompt;
    kenc_tokenizer tokenizer;
    kenc_weights weights;
    const float *words;
    const uint64_t *word_checks;
    const float *positions;
    kenc_test_data test;
} kenc_kmodel;

/* Map and check: size, header, section table and the checksum of every section but the
 * weights of another precision, the self-test, and the word embeddings, of which a text
 * needs few rows: kenc_kmodel_check_word(). */
kith_status kenc_kmodel_open(const char *path, kith_precision precision,
                             kenc_kmodel *kmodel, kith_error *err);
void kenc_kmodel_close(kenc_kmodel *kmodel);

/* Compare a section with its checksum. */
kith_status kenc_kmodel_check_section(const kenc_kmodel *kmodel, kenc_section section,
                                      kith_error *err);

/* Compare the embedding of a word with its checksum. */
kith_status kenc_kmodel_check_word(const kenc_kmodel *kmodel, uint32_t id,
                                   kith_error *err);

/* The tokens of a text, or of a cross-encoder's pair, as many as the model takes.
 * `second` counts for a cross-encoder alone. As kenc_tokenize_pair(); n_second is 0 for
 * a text. */
kith_status kenc_kmodel_tokenize(const kenc_kmodel *kmodel, kith_text first,
                                 kith_text second, kenc_token_list *list,
                                 kenc_token_list *other, size_t *n_second,
                                 kith_error *err);

/* Write a file; contents[s] is the content of section s. Of header, name, digest,
 * config, rules and head are given, the rest is filled in here. */
kith_status kenc_kmodel_write(const char *path, kenc_header *header,
                              const kith_text contents[KENC_SECTION_COUNT],
                              kith_error *err);

/* 32 hex digits and NUL: what decides the vectors, in this precision. */
void kenc_fingerprint(const kenc_kmodel *kmodel, kith_precision precision, char out[33]);

#endif
