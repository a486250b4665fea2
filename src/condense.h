/* One vector for a text that is too long for one. */
#ifndef KITH_CONDENSE_H
#define KITH_CONDENSE_H

#include "encoder.h"
#include "memory.h"
#include "passages.h"

/* Scratch, and what comes out. Start from zeros. */
typedef struct kith_condenser {
    kbase_buffer vectors;  /* [n, dim] floats, of the pieces */
    kbase_buffer encoded;  /* the pieces as they are encoded, one after the other */
    kbase_buffer metadata; /* of the record */
    float *vector;         /* [dim], not of unit length */
    kith_spans sentences;
    kenc_token_list tokens;
} kith_condenser;

void kith_condenser_free(kith_condenser *condenser);

/* What is condensed, and how it can be interrupted. */
typedef struct kith_condense_request {
    kenc_model *model;
    uint32_t dim;
    kith_text title;
    kith_text text;
    kith_text metadata;
    const kith_spans *passages; /* that the text would be cut into */
    size_t max_tokens;          /* of a passage, and of a summary with its title */
    bool (*interrupted)(void *context); /* asked between groups of pieces; may be NULL */
    void *context;
} kith_condense_request;

/* vector: the mean of those of the passages, each with the title before it, weighted by
 * their numbers of tokens. KITH_INTERRUPTED, KITH_NOMEM, KITH_CORRUPT (the model). */
kith_status kith_average(const kith_condense_request *request, kith_condenser *condenser,
                         kith_error *err);

/* vector: of the summary, with the title before it. metadata: the request's, with the
 * summary as the member "summary", if it has no such member already. The sentences of a
 * summary are those whose cosines with all sentences of the text have the largest sum: what
 * the random walk of LexRank (Erkan and Radev, 2004) tends to without threshold and
 * damping. Cost: linear, and 4 * dim bytes of memory a sentence. */
kith_status kith_summarize(const kith_condense_request *request, kith_condenser *condenser,
                           kith_error *err);

#endif
