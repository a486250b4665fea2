#include "vocabulary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "error.h"

/* The block: a header, slots, prefixes, offsets, literals, bytes. All of this is file
 * format. */
typedef struct block_header {
    uint32_t n_tokens;
    uint32_t n_slots;
    uint32_t n_literals;
    uint32_t n_string_bytes;
} block_header;

#define SLOT_ID_BITS 20
#define SLOT_ID_MASK ((UINT32_C(1) << SLOT_ID_BITS) - 1)

/* Size of the table of prefixes. Two prefixes that share a bit cost time, nothing
 * else. */
#define PREFIX_BITS_PER_SLOT 16
#define PREFIX_WORDS(n_slots) ((n_slots) / (32 / PREFIX_BITS_PER_SLOT))

_Static_assert(KENC_MAX_VOCABULARY < SLOT_ID_MASK, "id + 1 must fit in a slot");
_Static_assert((uint64_t)KENC_MAX_VOCABULARY * KENC_MAX_TOKEN_BYTES <= UINT32_MAX,
               "offsets are 32 bits wide");

/* Slots in a row that may be taken; a table that was built to be slow has more. */
#define MAX_PROBES 512

/* A hash that grows by one byte a step, since every prefix of a word needs one. Its
 * upper bits choose the slot, some lower ones are the tag. */
#define HASH_EMPTY UINT64_C(0x9e3779b97f4a7c15)
#define HASH_STEP(hash, byte) \
    (((hash) ^ (unsigned char)(byte)) * UINT64_C(0xd6e8feb86659fd93))
#define HASH_CONTINUES HASH_STEP(HASH_STEP(HASH_EMPTY, '#'), '#')

static uint64_t hash_of(const char *bytes, size_t n_bytes)
{
    uint64_t hash = HASH_EMPTY;
    for (size_t i = 0; i < n_bytes; i++) {
        hash = HASH_STEP(hash, bytes[i]);
    }
    return hash;
}

/* A number below n, a power of two, at least 2. */
static uint32_t upper_bits(uint64_t hash, uint32_t n)
{
    return (uint32_t)(hash >> 32) >> (__builtin_clz(n) + 1);
}

/* The tag, in the place that it has in a slot. */
static uint32_t slot_tag(uint64_t hash)
{
    return (uint32_t)hash & ~SLOT_ID_MASK;
}

static uint32_t prefix_bit(const kenc_vocabulary *vocabulary, uint64_t hash)
{
    return upper_bits(hash, vocabulary->n_slots * PREFIX_BITS_PER_SLOT);
}

/* The id of (continues ? "##" : "") + bytes, whose hash is known. */
static uint32_t probe(const kenc_vocabulary *vocabulary, uint64_t hash, bool continues,
                      const char *bytes, size_t n_bytes)
{
    const uint32_t mask = vocabulary->n_slots - 1;
    const uint32_t tag = slot_tag(hash);
    uint32_t index = upper_bits(hash, vocabulary->n_slots);
    for (; vocabulary->slots[index] != 0; index = (index + 1) & mask) {
        uint32_t slot = vocabulary->slots[index];
        if ((slot & ~SLOT_ID_MASK) != tag) {
            continue;
        }
        uint32_t id = (slot & SLOT_ID_MASK) - 1;
        kith_text spelling = kenc_vocabulary_spelling(vocabulary, id);
        if (continues && spelling.n_bytes >= 2 && memcmp(spelling.data, "##", 2) == 0) {
            spelling = (kith_text){ spelling.data + 2, spelling.n_bytes - 2 };
        } else if (continues) {
            continue;
        }
        if (spelling.n_bytes == n_bytes && memcmp(spelling.data, bytes, n_bytes) == 0) {
            return id;
        }
    }
    return KENC_NO_ID;
}

uint32_t kenc_vocabulary_find(const kenc_vocabulary *vocabulary, const char *bytes,
                              size_t n_bytes)
{
    return probe(vocabulary, hash_of(bytes, n_bytes), false, bytes, n_bytes);
}

uint32_t kenc_vocabulary_longest(const kenc_vocabulary *vocabulary, const char *bytes,
                                 size_t n_bytes, bool continues, size_t *n_matched)
{
    uint64_t hashes[KENC_MAX_TOKEN_BYTES]; /* of the first i + 1 bytes */
    uint64_t hash = continues ? HASH_CONTINUES : HASH_EMPTY;
    size_t n = 0;
    for (; n < n_bytes && n < vocabulary->max_piece_bytes; n++) {
        hash = HASH_STEP(hash, bytes[n]);
        uint32_t bit = prefix_bit(vocabulary, hash);
        if ((vocabulary->prefixes[bit / 32] >> (bit % 32) & 1) == 0) {
            break;
        }
        hashes[n] = hash;
    }
    for (; n > 0; n--) {
        uint32_t id = probe(vocabulary, hashes[n - 1], continues, bytes, n);
        if (id != KENC_NO_ID) {
            *n_matched = n;
            return id;
        }
    }
    return KENC_NO_ID;
}

uint32_t kenc_vocabulary_literal(const kenc_vocabulary *vocabulary, const char *bytes,
                                 size_t n_bytes)
{
    uint32_t best = KENC_NO_ID;
    size_t best_bytes = 0;
    for (uint32_t i = 0; i < vocabulary->n_literals; i++) {
        uint32_t id = vocabulary->literals[i];
        kith_text literal = kenc_vocabulary_spelling(vocabulary, id);
        if (literal.n_bytes > best_bytes && literal.n_bytes <= n_bytes &&
            memcmp(literal.data, bytes, literal.n_bytes) == 0) {
            best = id;
            best_bytes = literal.n_bytes;
        }
    }
    return best;
}

/* ---------------------------------------------------------------- checks */

static kith_status corrupt(kith_error *err, const char *what)
{
    return kbase_fail(err, KITH_CORRUPT, "the vocabulary is damaged: %s", what);
}

static kith_status check_slots(const kenc_vocabulary *vocabulary, kith_error *err)
{
    uint32_t n_taken_in_a_row = 0;
    for (uint32_t i = 0; i < vocabulary->n_slots + MAX_PROBES; i++) {
        uint32_t slot = vocabulary->slots[i & (vocabulary->n_slots - 1)];
        uint32_t number = slot & SLOT_ID_MASK; /* id + 1 */
        if (slot != 0 && (number == 0 || number > vocabulary->n_tokens)) {
            return corrupt(err, "its hash table points outside");
        }
        n_taken_in_a_row = slot == 0 ? 0 : n_taken_in_a_row + 1;
        if (n_taken_in_a_row > MAX_PROBES) {
            return corrupt(err, "its hash table is too full");
        }
    }
    return KITH_OK;
}

/* ---------------------------------------------------------------- packing */

static bool is_utf8(kith_text text)
{
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text.data;
    utf8proc_int32_t code_point;
    size_t at = 0;
    while (at < text.n_bytes) {
        utf8proc_ssize_t n_left = (utf8proc_ssize_t)(text.n_bytes - at);
        utf8proc_ssize_t n = utf8proc_iterate(bytes + at, n_left, &code_point);
        if (n <= 0) {
            return false;
        }
        at += (size_t)n;
    }
    return true;
}

static kith_status check_counts(uint32_t n_tokens, const uint32_t *literals,
                                uint32_t n_literals, kith_error *err)
{
    if (n_tokens == 0 || n_tokens > KENC_MAX_VOCABULARY) {
        return kbase_fail(err, KITH_INVALID, "the vocabulary has %" PRIu32
                          " entries: 1 to %d are accepted", n_tokens,
                          KENC_MAX_VOCABULARY);
    }
    if (n_literals > KENC_MAX_LITERALS) {
        return kbase_fail(err, KITH_INVALID, "the vocabulary has %" PRIu32
                          " special tokens: at most %d are accepted", n_literals,
                          KENC_MAX_LITERALS);
    }
    for (uint32_t i = 0; i < n_literals; i++) {
        if (literals[i] >= n_tokens) {
            return kbase_fail(err, KITH_INVALID, "special token %" PRIu32
                              " is not in the vocabulary of %" PRIu32, literals[i],
                              n_tokens);
        }
    }
    return KITH_OK;
}

static kith_status check_spellings(const kith_text *spellings, uint32_t n_tokens,
                                   kith_error *err)
{
    for (uint32_t id = 0; id < n_tokens; id++) {
        const size_t n_bytes = spellings[id].n_bytes;
        if (n_bytes == 0 || n_bytes > KENC_MAX_TOKEN_BYTES) {
            return kbase_fail(err, KITH_INVALID, "vocabulary entry %" PRIu32
                              " has %zu bytes: 1 to %d are accepted", id, n_bytes,
                              KENC_MAX_TOKEN_BYTES);
        }
        if (!is_utf8(spellings[id])) {
            return kbase_fail(err, KITH_INVALID, "vocabulary entry %" PRIu32
                              " is not UTF-8", id);
        }
    }
    return KITH_OK;
}

/* Puts every spelling in its slot and marks its beginnings. `vocabulary` has everything
 * else, and sees the tables that are filled. */
static kith_status fill_tables(const kenc_vocabulary *vocabulary, uint32_t *slots,
                               uint32_t *prefixes, kith_error *err)
{
    for (uint32_t id = 0; id < vocabulary->n_tokens; id++) {
        kith_text spelling = kenc_vocabulary_spelling(vocabulary, id);
        uint64_t hash = hash_of(spelling.data, spelling.n_bytes);
        uint32_t same = probe(vocabulary, hash, false, spelling.data, spelling.n_bytes);
        if (same != KENC_NO_ID) {
            return kbase_fail(err, KITH_INVALID, "vocabulary entries %" PRIu32
                              " and %" PRIu32 " are both spelled \"%.*s\"", same, id,
                              (int)spelling.n_bytes, spelling.data);
        }
        uint32_t index = upper_bits(hash, vocabulary->n_slots);
        while (slots[index] != 0) {
            index = (index + 1) & (vocabulary->n_slots - 1);
        }
        slots[index] = slot_tag(hash) | (id + 1);
        hash = HASH_EMPTY;
        for (size_t i = 0; i < spelling.n_bytes; i++) {
            hash = HASH_STEP(hash, spelling.data[i]);
            uint32_t bit = prefix_bit(vocabulary, hash);
            prefixes[bit / 32] |= UINT32_C(1) << (bit % 32);
        }
    }
    return check_slots(vocabulary, err);
}

kith_status kenc_vocabulary_pack(const kith_text *spellings, uint32_t n_tokens,
                                 const uint32_t *literals, uint32_t n_literals,
                                 kbase_buffer *out, kith_error *err)
{
    block_header header = { n_tokens, 2, n_literals, 0 };
    kith_status status = check_counts(n_tokens, literals, n_literals, err);
    if (status == KITH_OK) {
        status = check_spellings(spellings, n_tokens, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    while (header.n_slots < 2 * n_tokens) {
        header.n_slots *= 2;
    }
    for (uint32_t id = 0; id < n_tokens; id++) {
        header.n_string_bytes += (uint32_t)spellings[id].n_bytes;
    }

    uint32_t *slots = kbase_calloc(header.n_slots, sizeof(*slots));
    uint32_t *prefixes = kbase_calloc(PREFIX_WORDS(header.n_slots), sizeof(*prefixes));
    uint32_t *offsets = kbase_calloc((size_t)n_tokens + 1, sizeof(*offsets));
    char *bytes = kbase_calloc(header.n_string_bytes, 1);
    if (slots == NULL || prefixes == NULL || offsets == NULL || bytes == NULL) {
        status = kbase_fail_memory(err, header.n_slots * sizeof(*slots));
        goto out;
    }
    for (uint32_t id = 0; id < n_tokens; id++) {
        memcpy(bytes + offsets[id], spellings[id].data, spellings[id].n_bytes);
        offsets[id + 1] = offsets[id] + (uint32_t)spellings[id].n_bytes;
    }
    const kenc_vocabulary vocabulary = {
        .n_tokens = n_tokens, .offsets = offsets, .bytes = bytes,
        .n_slots = header.n_slots, .slots = slots, .prefixes = prefixes,
    };
    status = fill_tables(&vocabulary, slots, prefixes, err);
    const kith_text parts[] = {
        { (const char *)&header, sizeof(header) },
        { (const char *)slots, header.n_slots * sizeof(*slots) },
        { (const char *)prefixes, PREFIX_WORDS(header.n_slots) * sizeof(*prefixes) },
        { (const char *)offsets, ((size_t)n_tokens + 1) * sizeof(*offsets) },
        { (const char *)literals, n_literals * sizeof(*literals) },
        { bytes, header.n_string_bytes },
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && status == KITH_OK; i++) {
        status = kbase_buffer_append(out, parts[i].data, parts[i].n_bytes, err);
    }

out:
    free(bytes);
    free(offsets);
    free(prefixes);
    free(slots);
    return status;
}

/* ---------------------------------------------------------------- opening */

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

static kith_status check_offsets(kenc_vocabulary *vocabulary, size_t n_string_bytes,
                                 kith_error *err)
{
    const uint32_t *offsets = vocabulary->offsets;
    if (offsets[0] != 0 || offsets[vocabulary->n_tokens] != n_string_bytes) {
        return corrupt(err, "its spellings do not fill their place");
    }
    for (uint32_t id = 0; id < vocabulary->n_tokens; id++) {
        if (offsets[id + 1] <= offsets[id] || offsets[id + 1] > n_string_bytes ||
            offsets[id + 1] - offsets[id] > KENC_MAX_TOKEN_BYTES) {
            return corrupt(err, "a spelling has a wrong length");
        }
        kith_text spelling = kenc_vocabulary_spelling(vocabulary, id);
        bool continues = spelling.n_bytes > 2 && memcmp(spelling.data, "##", 2) == 0;
        if (is_continuation(spelling.data[continues ? 2 : 0])) {
            return corrupt(err, "a spelling begins inside a character");
        }
        if (spelling.n_bytes > vocabulary->max_piece_bytes) {
            vocabulary->max_piece_bytes = (uint32_t)spelling.n_bytes;
        }
    }
    return KITH_OK;
}

static kith_status check_literals(kenc_vocabulary *vocabulary, kith_error *err)
{
    for (uint32_t i = 0; i < vocabulary->n_literals; i++) {
        uint32_t id = vocabulary->literals[i];
        if (id >= vocabulary->n_tokens) {
            return corrupt(err, "a special token is outside");
        }
        kith_text literal = kenc_vocabulary_spelling(vocabulary, id);
        vocabulary->begins_literal[(unsigned char)literal.data[0]] = true;
    }
    return KITH_OK;
}

kith_status kenc_vocabulary_view(const void *block, size_t n_bytes,
                                 kenc_vocabulary *vocabulary, kith_error *err)
{
    block_header header;
    if (n_bytes < sizeof(header) || (uintptr_t)block % sizeof(uint32_t) != 0) {
        return corrupt(err, "it is too short or lies at an odd address");
    }
    memcpy(&header, block, sizeof(header));
    if (header.n_tokens == 0 || header.n_tokens > KENC_MAX_VOCABULARY ||
        header.n_literals > KENC_MAX_LITERALS || header.n_slots <= header.n_tokens ||
        header.n_slots > 4 * (uint32_t)KENC_MAX_VOCABULARY ||
        (header.n_slots & (header.n_slots - 1)) != 0) {
        return corrupt(err, "its counts are out of range");
    }
    /* The limits above keep this sum far below SIZE_MAX. */
    const size_t n_words = (size_t)header.n_slots + PREFIX_WORDS(header.n_slots) +
                           header.n_tokens + 1 + header.n_literals;
    const size_t n_word_bytes = n_words * sizeof(uint32_t);
    if (n_bytes != sizeof(header) + n_word_bytes + header.n_string_bytes) {
        return corrupt(err, "its parts do not fill it");
    }
    const uint32_t *slots = (const uint32_t *)block + sizeof(header) / sizeof(uint32_t);
    const uint32_t *prefixes = slots + header.n_slots;
    const uint32_t *offsets = prefixes + PREFIX_WORDS(header.n_slots);
    const uint32_t *literals = offsets + header.n_tokens + 1;
    *vocabulary = (kenc_vocabulary){
        .n_tokens = header.n_tokens,
        .offsets = offsets,
        .bytes = (const char *)(literals + header.n_literals),
        .n_slots = header.n_slots,
        .slots = slots,
        .prefixes = prefixes,
        .n_literals = header.n_literals,
        .literals = literals,
    };
    kith_status status = check_offsets(vocabulary, header.n_string_bytes, err);
    if (status == KITH_OK) {
        status = check_slots(vocabulary, err);
    }
    return status == KITH_OK ? check_literals(vocabulary, err) : status;
}
