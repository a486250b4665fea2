/* What a sentence-transformers folder says about its model. */
#ifndef KENC_MODEL_CONFIG_H
#define KENC_MODEL_CONFIG_H

#include "config_json.h"
#include "forward_kernels.h"
#include "kith.h"

#define KENC_MAX_DENSE 4
#define KENC_MAX_LABELS 1024
#define KENC_MAX_FOLDER 64
#define KENC_MAX_PROMPT 1024 /* bytes */

/* Numbers as they are stored in a .kmodel file: fixed sizes, no padding. */
typedef struct kenc_config {
    uint32_t hidden;
    uint32_t n_layers;
    uint32_t n_heads;
    uint32_t intermediate;
    uint32_t vocabulary;
    uint32_t max_positions;
    uint32_t max_tokens;  /* of a text, specials included; at most max_positions */
    uint32_t activation;  /* kenc_activation */
    uint32_t pooling;     /* kith_pooling */
    uint32_t normalizes;  /* 0 or 1 */
    uint32_t has_pooler;  /* 0 or 1 */
    float epsilon;        /* of layer norm */
} kenc_config;

typedef enum kenc_class {
    KENC_CLASS_BERT = 0,
    KENC_CLASS_DISTILBERT = 1 /* no token types; a classifier's pooler has a relu */
} kenc_class;

/* A Dense module. */
typedef struct kenc_dense {
    uint32_t n_in;
    uint32_t n_out;
    uint32_t has_bias;         /* 0 or 1, as the next */
    uint32_t has_tanh;
    uint32_t normalizes_input; /* a Normalize module comes before it */
} kenc_dense;

/* What is around the layers, as it is stored. Zeros: a BERT model that ends with
 * Pooling or Normalize. */
typedef struct kenc_head {
    uint32_t class;       /* kenc_class */
    uint32_t n_dense;
    uint32_t n_labels;    /* of a cross-encoder; 0: an encoder */
    uint32_t has_sigmoid; /* 0 or 1: the scores of a cross-encoder go through it */
    kenc_dense dense[KENC_MAX_DENSE];
} kenc_head;

/* All that the JSON files of a folder say, but for the tokenizer's. */
typedef struct kenc_folder {
    kenc_config config;
    kenc_head head;
    char transformer[KENC_MAX_FOLDER + 1]; /* folder of that module; "": the model's */
    char dense[KENC_MAX_DENSE][KENC_MAX_FOLDER + 1];
    char query_prompt[KENC_MAX_PROMPT + 1];
    char passage_prompt[KENC_MAX_PROMPT + 1];
    char excludes_prompt[KENC_MAX_FOLDER + 16]; /* the file that leaves prompts out of
                                                 * the pooling, or "" */
    bool lowercases; /* texts, before they are given to the tokenizer */
} kenc_folder;

/* Read config.json, modules.json, the config.json of its modules,
 * sentence_bert_config.json, config_sentence_transformers.json, and of
 * tokenizer_config.json the length. has_pooler is left 0 for an encoder: the weights
 * decide. What kith does not know is refused by file and key. KITH_NOT_FOUND,
 * KITH_INVALID, KITH_UNSUPPORTED, KITH_NOMEM. */
kith_status kenc_folder_read(const char *dir, kenc_folder *folder, kith_error *err);

/* The part of config.json: class, shape and, unless modules.json has a Pooling module,
 * whether it is a cross-encoder. */
kith_status kenc_config_read(const kenc_json *file, bool has_pooling,
                             kenc_folder *folder, kith_error *err);

/* "torch.nn.modules.activation.Tanh" -> "Tanh"; "" for no string. */
const char *kenc_class_name(const json_t *value);

/* The activation of a cross-encoder's scores, given by a class's path. */
kith_status kenc_score_activation(const kenc_json *file, const char *key,
                                  const json_t *value, kenc_head *head,
                                  kith_error *err);

/* Numbers within the bounds that kith accepts, and consistent with each other. */
kith_status kenc_config_check(const kenc_config *config, kith_error *err);
kith_status kenc_head_check(const kenc_head *head, const kenc_config *config,
                            kith_error *err);

/* Numbers that a text gives: of a vector, or labels. */
uint32_t kenc_out_dim(const kenc_config *config, const kenc_head *head);

#endif
