/* What a sentence-transformers folder says about its model. */
#ifndef KENC_MODEL_CONFIG_H
#define KENC_MODEL_CONFIG_H

#include "forward_kernels.h"
#include "kith.h"

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

/* Read config.json, modules.json, 1_Pooling/config.json and sentence_bert_config.json of a
 * folder. has_pooler is left 0: the weights decide. What kith does not know is refused by
 * file and key. KITH_NOT_FOUND, KITH_INVALID, KITH_UNSUPPORTED, KITH_NOMEM. */
kith_status kenc_config_read(const char *dir, kenc_config *config, kith_error *err);

/* Numbers within the bounds that kith accepts, and consistent with each other. */
kith_status kenc_config_check(const kenc_config *config, kith_error *err);

#endif
