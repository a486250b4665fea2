/* Records whose passages, or whose vectors, come from the caller. */
#ifndef KITH_GIVEN_H
#define KITH_GIVEN_H

#include "collection.h"
#include "passages.h"
#include "pending.h"

/* The passages of an input that gives them. */
typedef struct kith_given {
    size_t n; /* 0: its text is to be cut */
    const kith_input_passage *passages;
    kith_input_passage whole; /* the only one, of kith_input.vector */
    kbase_buffer rows;        /* n vectors as they will be stored, where given */
} kith_given;

/* Look at an input and make its rows. KITH_INVALID names the id. */
kith_status kith_given_take(const kith_collection *collection, const kith_input *input,
                            kith_given *given, kith_error *err);
void kith_given_free(kith_given *given);

/* Append what tells the passages from others. */
kith_status kith_given_append(const kith_given *given, uint32_t dim,
                              kbase_buffer *bytes, kith_error *err);

/* spans->title_bytes: how much of the title goes before the passages for encoding, as
 * much as when they were cut. KITH_NOMEM. */
kith_status kith_given_fit_title(const kith_given *given,
                                 const kenc_tokenizer *tokenizer, kith_text title,
                                 size_t max_tokens, kenc_token_list *list,
                                 kith_spans *spans, kith_error *err);

/* Fill in text, place and, where it is given, the vector of a passage. KITH_NOMEM. */
kith_status kith_given_fill(const kith_given *given, size_t i, uint32_t dim,
                            kbase_arena *arena, kith_pending_passage *passage,
                            kith_error *err);

#endif
