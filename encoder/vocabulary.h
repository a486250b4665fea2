/* The vocabulary of a WordPiece tokenizer: spellings, their ids, and the literals. */
#ifndef KENC_VOCABULARY_H
#define KENC_VOCABULARY_H

#include "kith.h"
#include "memory.h"

#define KENC_MAX_VOCABULARY 1000000 /* spellings */
#define KENC_MAX_TOKEN_BYTES 256    /* of one spelling */
#define KENC_MAX_LITERALS 1024

#define KENC_NO_ID UINT32_MAX

/* The vocabulary as it lies in the .kmodel file: one block of bytes, used in place.
 * kenc_vocabulary_pack() makes it, kenc_vocabulary_view() checks and opens it. */
typedef struct kenc_vocabulary {
    uint32_t n_tokens;
    const uint32_t *offsets;  /* n_tokens + 1: spelling i begins at bytes[offsets[i]] */
    const char *bytes;
    uint32_t n_slots;         /* a power of two */
    const uint32_t *slots;    /* open addressing by hash of the spelling; 0: empty, else
                               * 12 bits of the hash above 20 bits of id + 1 */
    const uint32_t *prefixes; /* a bit by hash of every beginning of every spelling */
    uint32_t n_literals;      /* special tokens matched in the raw text */
    const uint32_t *literals; /* their ids */
    uint32_t max_piece_bytes; /* the longest spelling */
    bool begins_literal[256]; /* by byte */
} kenc_vocabulary;

/* Lay out a vocabulary. spellings: n_tokens of them, id = position; unique, 1 to
 * KENC_MAX_TOKEN_BYTES bytes of UTF-8 (else KITH_INVALID naming the id). literals: ids
 * of the special tokens. Appends the block to `out`; where it is used it must begin at
 * a multiple of 4 bytes. The same input gives the same bytes. */
kith_status kenc_vocabulary_pack(const kith_text *spellings, uint32_t n_tokens,
                                 const uint32_t *literals, uint32_t n_literals,
                                 kbase_buffer *out, kith_error *err);

/* Open a block; every offset and id in it is checked against its size, so that whatever
 * the bytes, the functions below stay inside the block and end. KITH_CORRUPT. */
kith_status kenc_vocabulary_view(const void *block, size_t n_bytes,
                                 kenc_vocabulary *vocabulary, kith_error *err);

/* The id of a spelling, or KENC_NO_ID. */
uint32_t kenc_vocabulary_find(const kenc_vocabulary *vocabulary, const char *bytes,
                              size_t n_bytes);

/* The id of the longest spelling that `bytes` begins with; *n_matched is the number of
 * bytes that it covers. KENC_NO_ID, and *n_matched as it was: there is none. continues:
 * the bytes are inside a word, so that only spellings count that begin with "##", and
 * are compared without it. */
uint32_t kenc_vocabulary_longest(const kenc_vocabulary *vocabulary, const char *bytes,
                                 size_t n_bytes, bool continues, size_t *n_matched);

/* The id of the longest literal that `bytes` begins with, or KENC_NO_ID. */
uint32_t kenc_vocabulary_literal(const kenc_vocabulary *vocabulary, const char *bytes,
                                 size_t n_bytes);

/* The spelling of an id below n_tokens. */
static inline kith_text kenc_vocabulary_spelling(const kenc_vocabulary *vocabulary,
                                                 uint32_t id)
{
    const uint32_t *offset = vocabulary->offsets + id;
    return (kith_text){ vocabulary->bytes + offset[0], offset[1] - offset[0] };
}

#endif
