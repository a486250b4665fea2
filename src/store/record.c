/* A record as bytes, and the keys that lead to it. */
#include "store_internal.h"

#include <string.h>

#include "checksum.h"
#include "error.h"

#define MAX_BYTES ((uint64_t)INT32_MAX)

/* ------------------------------------------------------------------ record */

#define CHECKSUM_AT 0 /* of all that follows */
#define ORDINAL_AT 8
#define PASSAGE_AT 16
#define N_PASSAGES_AT 20
#define BYTE_AT 24
#define LINE_AT 40
#define TEXT_HASH_AT 56
#define RECORD_HASH_AT 72
#define LENGTHS_AT 88
#define HEADER_BYTES 112

#define N_TEXTS 5

/* The texts of a record in the order in which they are stored. */
static void list_texts(kstore_record *record, kith_text *texts[N_TEXTS])
{
    texts[0] = &record->id;
    texts[1] = &record->source;
    texts[2] = &record->title;
    texts[3] = &record->metadata;
    texts[4] = &record->text;
}

static kith_status check_record(const kstore_record *record, uint64_t *n_bytes,
                                kith_error *err)
{
    if (record->id.n_bytes == 0 || record->id.n_bytes > KSTORE_TEXT_MAX) {
        return kbase_fail(err, KITH_INVALID, "an id of %zu bytes: 1 to %d are possible",
                          record->id.n_bytes, KSTORE_TEXT_MAX);
    }
    char shown[KSTORE_SHOWN_BYTES];
    if (record->source.n_bytes > KSTORE_TEXT_MAX) {
        return kbase_fail(
            err, KITH_INVALID,
            "record \"%s\": a source of %zu bytes, at most %d are possible",
            kstore_show(record->id, shown), record->source.n_bytes, KSTORE_TEXT_MAX);
    }
    if (record->passage >= record->n_passages) {
        return kbase_fail(err, KITH_INVALID, "record \"%s\": passage %u of %u",
                          kstore_show(record->id, shown), record->passage,
                          record->n_passages);
    }
    kstore_record copy = *record;
    kith_text *texts[N_TEXTS];
    list_texts(&copy, texts);
    *n_bytes = HEADER_BYTES;
    for (int i = 0; i < N_TEXTS; i++) {
        if (texts[i]->n_bytes > MAX_BYTES - *n_bytes) {
            return kbase_fail(err, KITH_INVALID, "record \"%s\" is longer than 2 GiB",
                              kstore_show(record->id, shown));
        }
        *n_bytes += texts[i]->n_bytes;
    }
    return KITH_OK;
}

static void save_pair(unsigned char *to, const uint64_t pair[2])
{
    kstore_save64(to, pair[0]);
    kstore_save64(to + 8, pair[1]);
}

static void load_pair(const unsigned char *from, uint64_t pair[2])
{
    pair[0] = kstore_load64(from);
    pair[1] = kstore_load64(from + 8);
}

kith_status kstore_record_encode(const kstore_record *record, uint64_t ordinal,
                                 kbase_buffer *blob, kith_error *err)
{
    uint64_t n_bytes = 0;
    kith_status status = check_record(record, &n_bytes, err);
    if (status == KITH_OK) {
        status = kbase_buffer_reserve(blob, (size_t)n_bytes, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    unsigned char *start = (unsigned char *)blob->data + blob->n_bytes;
    memset(start, 0, HEADER_BYTES);
    kstore_save64(start + ORDINAL_AT, ordinal);
    kstore_save32(start + PASSAGE_AT, record->passage);
    kstore_save32(start + N_PASSAGES_AT, record->n_passages);
    save_pair(start + BYTE_AT, record->byte);
    save_pair(start + LINE_AT, record->line);
    save_pair(start + TEXT_HASH_AT, record->text_hash);
    save_pair(start + RECORD_HASH_AT, record->record_hash);
    kstore_record copy = *record;
    kith_text *texts[N_TEXTS];
    list_texts(&copy, texts);
    unsigned char *at = start + HEADER_BYTES;
    for (int i = 0; i < N_TEXTS; i++) {
        kstore_save32(start + LENGTHS_AT + 4 * i, (uint32_t)texts[i]->n_bytes);
        if (texts[i]->n_bytes > 0) {
            memcpy(at, texts[i]->data, texts[i]->n_bytes);
            at += texts[i]->n_bytes;
        }
    }
    kstore_save64(start + CHECKSUM_AT,
                  kbase_hash64(start + ORDINAL_AT, (size_t)n_bytes - ORDINAL_AT));
    blob->n_bytes += (size_t)n_bytes;
    return KITH_OK;
}

static kith_status fail_record(uint64_t ordinal, kith_error *err)
{
    return kbase_fail(
        err, KITH_CORRUPT,
        "the record of row %llu is damaged; restore the collection from a "
        "backup",
        (unsigned long long)ordinal);
}

kith_status kstore_record_decode(const MDB_val *value, uint64_t ordinal,
                                 kstore_record *record, kith_error *err)
{
    const unsigned char *start = value->mv_data;
    if (value->mv_size < HEADER_BYTES) {
        return fail_record(ordinal, err);
    }
    uint64_t n_bytes = HEADER_BYTES;
    for (int i = 0; i < N_TEXTS; i++) {
        n_bytes += kstore_load32(start + LENGTHS_AT + 4 * i);
    }
    if (n_bytes != value->mv_size || kstore_load64(start + ORDINAL_AT) != ordinal ||
        kstore_load64(start + CHECKSUM_AT) !=
            kbase_hash64(start + ORDINAL_AT, value->mv_size - ORDINAL_AT)) {
        return fail_record(ordinal, err);
    }
    *record = (kstore_record){
        .passage = kstore_load32(start + PASSAGE_AT),
        .n_passages = kstore_load32(start + N_PASSAGES_AT),
    };
    load_pair(start + BYTE_AT, record->byte);
    load_pair(start + LINE_AT, record->line);
    load_pair(start + TEXT_HASH_AT, record->text_hash);
    load_pair(start + RECORD_HASH_AT, record->record_hash);
    kith_text *texts[N_TEXTS];
    list_texts(record, texts);
    const char *at = (const char *)start + HEADER_BYTES;
    for (int i = 0; i < N_TEXTS; i++) {
        *texts[i] = (kith_text){ at, kstore_load32(start + LENGTHS_AT + 4 * i) };
        at += texts[i]->n_bytes;
    }
    return KITH_OK;
}

/* ------------------------------------------------------------------ keys */

#define MAX_KEY_TEXT 255
#define HASH_BYTES 16

static void save_big_endian(unsigned char *to, uint64_t value, size_t n_bytes)
{
    for (size_t i = n_bytes; i > 0; i--) {
        to[i - 1] = (unsigned char)value;
        value >>= 8;
    }
}

/* A NUL becomes 00 ff and the end 00 00, so that bytes compare as the texts do and no
 * text is the start of another one. What does not fit in 255 bytes is cut there, and a
 * hash of the whole text follows. */
static void start_key(kstore_key *key, kith_text text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n_bytes && n <= MAX_KEY_TEXT; i++) {
        key->bytes[n++] = (unsigned char)text.data[i];
        if (text.data[i] == '\0') {
            key->bytes[n++] = 0xff;
        }
    }
    if (n > MAX_KEY_TEXT) {
        kbase_hash128 hash = kbase_hash128_of(text.data, text.n_bytes);
        save_big_endian(key->bytes + MAX_KEY_TEXT, hash.high, 8);
        save_big_endian(key->bytes + MAX_KEY_TEXT + 8, hash.low, 8);
        n = MAX_KEY_TEXT + HASH_BYTES;
    } else {
        key->bytes[n++] = 0;
        key->bytes[n++] = 0;
    }
    key->n_text = n;
}

void kstore_id_key(kstore_key *key, kith_text id, uint32_t passage)
{
    start_key(key, id);
    kstore_key_set_passage(key, passage);
}

void kstore_key_set_passage(kstore_key *key, uint32_t passage)
{
    save_big_endian(key->bytes + key->n_text, passage, 4);
    key->n_bytes = key->n_text + 4;
}

void kstore_source_key(kstore_key *key, kith_text source, uint64_t ordinal)
{
    start_key(key, source);
    save_big_endian(key->bytes + key->n_text, ordinal, 8);
    key->n_bytes = key->n_text + 8;
}

uint64_t kstore_key_ordinal(const MDB_val *entry)
{
    const unsigned char *at = entry->mv_data;
    uint64_t ordinal = 0;
    for (size_t i = entry->mv_size - 8; i < entry->mv_size; i++) {
        ordinal = ordinal << 8 | at[i];
    }
    return ordinal;
}

bool kstore_key_is_hashed(const kstore_key *key)
{
    return key->n_text == MAX_KEY_TEXT + HASH_BYTES;
}

bool kstore_key_same_text(const kstore_key *key, const MDB_val *entry)
{
    return entry->mv_size == key->n_bytes &&
           memcmp(entry->mv_data, key->bytes, key->n_text) == 0;
}

bool kstore_same_text(kith_text a, kith_text b)
{
    return a.n_bytes == b.n_bytes &&
           (a.n_bytes == 0 || memcmp(a.data, b.data, a.n_bytes) == 0);
}

const char *kstore_show(kith_text text, char shown[KSTORE_SHOWN_BYTES])
{
    size_t n =
        text.n_bytes < KSTORE_SHOWN_BYTES ? text.n_bytes : KSTORE_SHOWN_BYTES - 1;
    for (size_t i = 0; i < n; i++) {
        bool printable = text.data[i] >= ' ' && text.data[i] <= '~';
        shown[i] = printable ? text.data[i] : '?';
    }
    shown[n] = '\0';
    return shown;
}
