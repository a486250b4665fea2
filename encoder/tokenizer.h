/* Text to WordPiece ids, equal to the Hugging Face fast BERT tokenizer.
 *
 * Steps, in its order: literal special tokens ("[CLS]" ...) are split out of the raw
 * text; clean-up; spaces around CJK ideographs; NFD and removal of accents; lowercase;
 * split at white space and punctuation; longest match first in the vocabulary. */
#ifndef KENC_TOKENIZER_H
#define KENC_TOKENIZER_H

#include "kith.h"
#include "memory.h"
#include "vocabulary.h"

/* A longer word is unknown whatever the rules say. */
#define KENC_MAX_WORD_CHARACTERS 1000

/* What a model folder says about its tokenizer. */
typedef struct kenc_tokenizer_rules {
    uint32_t lowercase;             /* 0 or 1 */
    uint32_t strip_accents;         /* 0 or 1; 1 includes NFD */
    uint32_t clean_text;            /* 0 or 1 */
    uint32_t space_cjk;             /* 0 or 1: ideographs become words of their own */
    uint32_t max_word_characters;   /* a longer word is one unknown token */
    uint32_t cls, sep, unk, pad, mask; /* ids */
} kenc_tokenizer_rules;

typedef struct kenc_tokenizer {
    kenc_tokenizer_rules rules;
    kenc_vocabulary vocabulary;
} kenc_tokenizer;

/* Read tokenizer.json (content given, NUL-terminated) or, when that is NULL, vocab.txt
 * and tokenizer_config.json (may be NULL) into rules and a packed vocabulary, which is
 * appended to `vocabulary`. Refuses by name what is no BERT WordPiece tokenizer, and if
 * it takes_pairs, what does not join them as BERT does. truncation and padding in
 * tokenizer.json are ignored. KITH_UNSUPPORTED, KITH_INVALID, KITH_NOMEM. */
kith_status kenc_tokenizer_import(const char *tokenizer_json, const char *vocab_txt,
                                  const char *tokenizer_config, bool takes_pairs,
                                  kenc_tokenizer_rules *rules, kbase_buffer *vocabulary,
                                  kith_error *err);

/* A word of a text: what lies between white space and punctuation, or a mark of
 * punctuation, an ideograph or a literal special token by itself. */
typedef struct kenc_word {
    size_t token; /* its first piece; counted as if nothing were cut */
    size_t n_tokens;
    uint64_t first; /* the bytes of the text that it stands for */
    uint64_t last;
    size_t spelling; /* as normalised: n_bytes from this offset in kenc_words.spellings */
    size_t n_bytes;  /* 0: too long, and unknown */
} kenc_word;

/* The words of a text, also those that do not fit. Start from zeros. */
typedef struct kenc_words {
    size_t n_words;
    size_t capacity;
    kenc_word *words;
    kbase_buffer spellings;
} kenc_words;

/* The result: arrays that grow; reuse one over many texts. Start from zeros.
 * [first, last) are the bytes of the text that the piece stands for, accents that were
 * removed from it included; [CLS] stands for 0, 0, [SEP] for n_bytes, n_bytes. */
typedef struct kenc_token_list {
    size_t n_tokens;
    size_t capacity;
    uint32_t *ids;
    uint64_t *first;
    uint64_t *last;
    size_t n_dropped;
    kenc_words *words; /* NULL: words are not told */
} kenc_token_list;

/* Tokenize one text. `list` is cleared first. max_tokens counts [CLS] and [SEP]; 0: no
 * limit. What does not fit is counted in n_dropped: the result is the first
 * max_tokens - 1 ids of the full sequence and [SEP]. Linear in the length of the text.
 * Thread-safe: yes, on different lists. Fails only with KITH_NOMEM; the list is then
 * empty. */
kith_status kenc_tokenize(const kenc_tokenizer *tokenizer, const char *text,
                          size_t n_bytes, size_t max_tokens, kenc_token_list *list,
                          kith_error *err);

/* Tokenize a pair: [CLS] first [SEP] second [SEP], cut to max_tokens as the reference
 * does with "longest_first": the longer text is cut until both are of a length, then
 * both. max_tokens is at least 3. The ids are list->ids; first and last are offsets in
 * the text that a piece belongs to. other: scratch, as `list` reused over many pairs.
 * n_second: the tokens of the second text, with their [SEP]. Otherwise as
 * kenc_tokenize(). */
kith_status kenc_tokenize_pair(const kenc_tokenizer *tokenizer, kith_text first,
                               kith_text second, size_t max_tokens,
                               kenc_token_list *list, kenc_token_list *other,
                               size_t *n_second, kith_error *err);

/* Release the arrays; the list is then all zeros. Its words are the caller's. */
void kenc_token_list_free(kenc_token_list *list);
void kenc_words_free(kenc_words *words);

#endif
