/* What encode and compare make of a text: the model's vector by default, or another. */
#ifndef KITH_TOOLS_ENCODING_H
#define KITH_TOOLS_ENCODING_H

#include <stdbool.h>
#include <stdint.h>

#include "kith.h"
#include "options.h"

typedef struct encoding {
    int pooling;      /* kith_pooling - 1; -1: the model's */
    int prompt;       /* kith_prompt, for what is pooled */
    const char *word; /* vectors of this word; or NULL */
    bool has_tokens;  /* vectors of every piece */
    bool is_static;   /* averages of word embeddings */
    bool drops_stopwords;
} encoding;

#define ENCODING_INIT { .pooling = -1 }

#define ENCODING_OPTIONS(to) \
    CHOICE(0, "pooling", "mean|cls|max|pooler", &(to).pooling, \
           "another one than the model's; not normalised"), \
        SWITCH(0, "static", &(to).is_static, \
               "average the model's input word embeddings, without\n" \
               "order and context"), \
        SWITCH(0, "drop-stopwords", &(to).drops_stopwords, \
               "with --static: leave out words such as \"the\"")

/* GO_ON, or a usage error where two of them contradict each other. */
int encoding_check(const usage *use, const encoding *how);

/* Floats of a vector. */
uint32_t encoding_width(const encoding *how, const kith_model_info *info);

/* One vector a text: by pooling, or static. n_dropped: tokens that were cut from each.
 * n_pieces: what each vector is made of, 0 for a static vector of zeros. */
kith_status encoding_make(const encoding *how, kith_model *model, const kith_text *texts,
                          size_t n_texts, float *vectors, uint32_t *n_dropped,
                          size_t *n_pieces, kith_error *err);

#endif
