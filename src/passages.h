/* Cutting a long text into passages that fit a vector. */
#ifndef KITH_PASSAGES_H
#define KITH_PASSAGES_H

#include "kith.h"
#include "tokenizer.h"

/* Tokens of a passage, title and specials included. MiniLM was trained on texts of up to
 * 128 tokens and takes 256; around 200 is where retrieval does best. */
#define KITH_PASSAGE_TOKENS 200

typedef struct kith_span {
    size_t first; /* bytes of the text */
    size_t last;
    size_t n_tokens;
} kith_span;

typedef struct kith_spans {
    size_t title_bytes; /* of the title, before each piece: all of it, or what fits */
    size_t n;
    size_t capacity;
    kith_span *spans;
} kith_spans;

/* Cut `text` at paragraph, sentence or word so that each piece, with the title before it,
 * has at most `max_tokens` tokens; a text that fits is one piece, whole. A title takes at
 * most half of the room: a longer one is cut. `spans` is cleared first and reused; `list`
 * is scratch. Linear. KITH_NOMEM. */
kith_status kith_cut_passages(const kenc_tokenizer *tokenizer, kith_text title,
                              kith_text text, size_t max_tokens, kenc_token_list *list,
                              kith_spans *spans, kith_error *err);

/* Cut `text` into sentences of at most `max_tokens` tokens, specials included; very short
 * ones belong to the next. The rest as above. */
kith_status kith_cut_sentences(const kenc_tokenizer *tokenizer, kith_text text,
                               size_t max_tokens, kenc_token_list *list, kith_spans *spans,
                               kith_error *err);

/* The bytes of a title that go before each of several passages of at most `max_tokens`
 * tokens. KITH_NOMEM. */
kith_status kith_fit_title(const kenc_tokenizer *tokenizer, kith_text title,
                           size_t max_tokens, kenc_token_list *list,
                           size_t *title_bytes, kith_error *err);

#endif
