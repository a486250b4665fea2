#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "error.h"
#include "unicode.h"

#define MAX_UTF8_BYTES 4

/* A word that is being collected: normalised characters, and where each came from. */
typedef struct word {
    size_t n_characters; /* also those that are no longer stored */
    size_t order_from;   /* no mark moves before this one */
    uint64_t first, last;
    uint32_t characters[KENC_MAX_WORD_CHARACTERS];
    uint64_t firsts[KENC_MAX_WORD_CHARACTERS];
    uint64_t lasts[KENC_MAX_WORD_CHARACTERS];
} word;

/* One text on its way. */
typedef struct run {
    const kenc_tokenizer *tokenizer;
    const char *text;
    size_t max_characters; /* of a word */
    kenc_token_list *list;
    size_t limit;       /* ids that the list may hold before [SEP] */
    kith_status status; /* not KITH_OK: memory is out, what follows is only counted */
    kith_error *err;
    word word;
    char spelling[KENC_MAX_WORD_CHARACTERS * MAX_UTF8_BYTES];
} run;

/* ---------------------------------------------------------------- the result */

static bool grow(run *r)
{
    kenc_token_list *list = r->list;
    const size_t capacity = list->capacity < 64 ? 64 : list->capacity * 2;
    uint32_t *ids = kbase_realloc(list->ids, capacity, sizeof(*ids));
    list->ids = ids != NULL ? ids : list->ids;
    uint64_t *first = kbase_realloc(list->first, capacity, sizeof(*first));
    list->first = first != NULL ? first : list->first;
    uint64_t *last = kbase_realloc(list->last, capacity, sizeof(*last));
    list->last = last != NULL ? last : list->last;
    if (ids == NULL || first == NULL || last == NULL) {
        r->status = kbase_fail_memory(r->err, capacity * sizeof(*last));
        r->limit = 0;
        return false;
    }
    list->capacity = capacity;
    return true;
}

static void emit(run *r, uint32_t id, uint64_t first, uint64_t last)
{
    kenc_token_list *list = r->list;
    if (list->n_tokens >= r->limit ||
        (list->n_tokens == list->capacity && !grow(r))) {
        list->n_dropped++;
        return;
    }
    list->ids[list->n_tokens] = id;
    list->first[list->n_tokens] = first;
    list->last[list->n_tokens] = last;
    list->n_tokens++;
}

/* How many pieces there are so far, with those that did not fit. */
static size_t count_pieces(const run *r)
{
    return r->list->n_tokens + r->list->n_dropped;
}

/* Tell of a word whose pieces, from this one on, were just emitted. */
static void keep_word(run *r, const char *spelling, size_t n_bytes, uint64_t first,
                      uint64_t last, size_t token)
{
    kenc_words *words = r->list->words;
    if (words == NULL || r->status != KITH_OK) {
        return;
    }
    if (words->n_words == words->capacity) {
        const size_t capacity = words->capacity < 32 ? 32 : words->capacity * 2;
        kenc_word *grown = kbase_realloc(words->words, capacity, sizeof(*grown));
        if (grown == NULL) {
            r->status = kbase_fail_memory(r->err, capacity * sizeof(*grown));
            return;
        }
        words->words = grown;
        words->capacity = capacity;
    }
    words->words[words->n_words++] =
        (kenc_word){ token, count_pieces(r) - token, first,
                     last,  words->spellings.n_bytes, n_bytes };
    r->status = kbase_buffer_append(&words->spellings, spelling, n_bytes, r->err);
}

/* ---------------------------------------------------------------- word to pieces */

static size_t count_characters(const char *bytes, size_t n_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        n += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    }
    return n;
}

/* Longest match first. A word that cannot be matched to its end is one unknown token.
 * `from` is NULL when the word is ASCII and character i came from byte first + i. */
static void emit_pieces(run *r, const char *bytes, size_t n_bytes, uint64_t first,
                        uint64_t last, const word *from)
{
    const size_t n_tokens = r->list->n_tokens;
    const size_t n_dropped = r->list->n_dropped;
    size_t character = 0;
    for (size_t at = 0, n = 0; at < n_bytes; at += n) {
        uint32_t id = kenc_vocabulary_longest(&r->tokenizer->vocabulary, bytes + at,
                                              n_bytes - at, at > 0, &n);
        if (id == KENC_NO_ID) {
            r->list->n_tokens = n_tokens;
            r->list->n_dropped = n_dropped;
            emit(r, r->tokenizer->rules.unk, first, last);
            return;
        }
        if (from == NULL) {
            emit(r, id, first + at, first + at + n);
        } else {
            size_t end = character + count_characters(bytes + at, n);
            emit(r, id, from->firsts[character], from->lasts[end - 1]);
            character = end;
        }
    }
}

static void emit_word(run *r, const char *bytes, size_t n_bytes, uint64_t first,
                      uint64_t last, const word *from)
{
    const size_t token = count_pieces(r);
    emit_pieces(r, bytes, n_bytes, first, last, from);
    keep_word(r, bytes, n_bytes, first, last, token);
}

static void end_word(run *r)
{
    word *w = &r->word;
    if (w->n_characters > r->max_characters) {
        emit(r, r->tokenizer->rules.unk, w->first, w->last);
        keep_word(r, NULL, 0, w->first, w->last, count_pieces(r) - 1);
    } else if (w->n_characters > 0) {
        size_t n_bytes = 0;
        for (size_t i = 0; i < w->n_characters; i++) {
            n_bytes += (size_t)utf8proc_encode_char(
                (utf8proc_int32_t)w->characters[i],
                (utf8proc_uint8_t *)r->spelling + n_bytes);
        }
        emit_word(r, r->spelling, n_bytes, w->first, w->last, w);
    }
    w->n_characters = 0;
    w->order_from = 0;
}

/* ---------------------------------------------------------------- text to words */

/* Add a character to the word. Canonical order: a mark goes before the marks that it
 * follows and whose combining class is higher. Only the characters move; the places
 * that they came from stay ascending. What is too long to be stored is not ordered
 * either, which bounds the work for each. */
static void append(run *r, uint32_t character, unsigned combining_class, uint64_t first,
                   uint64_t last)
{
    word *w = &r->word;
    if (w->n_characters == 0) {
        w->first = first;
    }
    w->last = last;
    size_t at = w->n_characters++;
    if (at >= r->max_characters) {
        return;
    }
    w->firsts[at] = first;
    w->lasts[at] = last;
    for (; combining_class != 0 && at > w->order_from &&
           kenc_combining_class(w->characters[at - 1]) > combining_class; at--) {
        w->characters[at] = w->characters[at - 1];
    }
    w->characters[at] = character;
}

/* An accent that is not kept still belongs to the letter before it. */
static void drop_accent(run *r, uint32_t accent, uint64_t last)
{
    word *w = &r->word;
    if (w->n_characters == 0) {
        return;
    }
    w->last = last;
    if (w->n_characters <= r->max_characters) {
        w->lasts[w->n_characters - 1] = last;
        if (kenc_combining_class(accent) == 0) {
            w->order_from = w->n_characters;
        }
    }
}

/* A decomposed character. */
static void take_part(run *r, uint32_t character, uint64_t first, uint64_t last)
{
    const kenc_tokenizer_rules *rules = &r->tokenizer->rules;
    const kenc_class class = kenc_class_of(character);
    if (class == KENC_SPACE || class == KENC_REMOVED_SPACE) {
        end_word(r);
        return;
    }
    if (class == KENC_ACCENT && rules->strip_accents) {
        drop_accent(r, character, last);
        return;
    }
    if (class == KENC_PUNCTUATION) {
        end_word(r);
        append(r, character, 0, first, last);
        end_word(r);
        return;
    }
    const unsigned combining_class =
        rules->strip_accents ? kenc_combining_class(character) : 0;
    uint32_t lower[KENC_MAX_LOWERCASE] = { character };
    const size_t n = rules->lowercase ? kenc_lowercase(character, lower) : 1;
    for (size_t i = 0; i < n; i++) {
        append(r, lower[i], combining_class, first, last);
    }
}

/* Any character of the text. */
static void take_character(run *r, uint32_t character, uint64_t first, uint64_t last)
{
    const kenc_tokenizer_rules *rules = &r->tokenizer->rules;
    const kenc_class class = kenc_class_of(character);
    if (rules->clean_text && (class == KENC_REMOVED || class == KENC_REMOVED_SPACE)) {
        return;
    }
    const bool alone = rules->space_cjk && class == KENC_IDEOGRAPH;
    uint32_t parts[KENC_MAX_DECOMPOSITION] = { character };
    const size_t n = rules->strip_accents ? kenc_decompose(character, parts) : 1;
    if (alone) {
        end_word(r);
    }
    for (size_t i = 0; i < n; i++) {
        take_part(r, parts[i], first, last);
    }
    if (alone) {
        end_word(r);
    }
}

/* The classes of ASCII, for the fast way through. */
enum { OTHER, SPACE, PUNCTUATION, LETTER, CAPITAL };

static const unsigned char byte_class[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, /* tab, LF, CR */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, /* digits count as letters */
    2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 2, 2, 2, 2, 2,
    2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 0,
};

static unsigned char fold(const run *r, unsigned char byte)
{
    const bool lower = r->tokenizer->rules.lowercase && byte_class[byte] == CAPITAL;
    return lower ? byte | 0x20 : byte;
}

/* Take the ASCII letters at the beginning of a word. Almost always that is the whole
 * word; when it is not, or when it is too long, they go where other characters go.
 * Returns the offset behind them. */
static size_t take_letters(run *r, size_t begin, size_t end)
{
    const unsigned char *text = (const unsigned char *)r->text;
    size_t stop = end;
    if (end - begin > r->max_characters) {
        stop = begin + r->max_characters;
    }
    size_t at = begin;
    for (; at < stop && byte_class[text[at]] >= LETTER; at++) {
        r->spelling[at - begin] = (char)fold(r, text[at]);
    }
    const unsigned char next = at < end ? byte_class[text[at]] : SPACE;
    if (next == SPACE || next == PUNCTUATION) {
        emit_word(r, r->spelling, at - begin, begin, at, NULL);
        return at;
    }
    for (size_t i = begin; i < at; i++) {
        append(r, (unsigned char)r->spelling[i - begin], 0, i, i + 1);
    }
    return at;
}

/* A stretch of text without literals. */
static void take_stretch(run *r, size_t at, size_t end)
{
    const unsigned char *text = (const unsigned char *)r->text;
    while (at < end && r->status == KITH_OK) {
        const unsigned char class = byte_class[text[at]];
        if (class >= LETTER && r->word.n_characters == 0 && r->max_characters > 0) {
            at = take_letters(r, at, end);
        } else if (class >= LETTER) {
            append(r, fold(r, text[at]), 0, at, at + 1);
            at++;
        } else if (class == SPACE) {
            end_word(r);
            at++;
        } else if (class == PUNCTUATION) {
            end_word(r);
            emit_word(r, r->text + at, 1, at, at + 1, NULL);
            at++;
        } else {
            uint32_t character;
            size_t n = kenc_decode(r->text + at, end - at, &character);
            take_character(r, character, at, at + n);
            at += n;
        }
    }
    end_word(r);
}

static void take_text(run *r, size_t n_bytes)
{
    const kenc_vocabulary *vocabulary = &r->tokenizer->vocabulary;
    size_t begin = 0;
    for (size_t at = 0; at < n_bytes && r->status == KITH_OK;) {
        uint32_t id = KENC_NO_ID;
        if (vocabulary->begins_literal[(unsigned char)r->text[at]]) {
            id = kenc_vocabulary_literal(vocabulary, r->text + at, n_bytes - at);
        }
        if (id == KENC_NO_ID) {
            at++;
            continue;
        }
        take_stretch(r, begin, at);
        begin = at + kenc_vocabulary_spelling(vocabulary, id).n_bytes;
        emit(r, id, at, begin);
        keep_word(r, r->text + at, begin - at, at, begin, count_pieces(r) - 1);
        at = begin;
    }
    take_stretch(r, begin, n_bytes);
}

kith_status kenc_tokenize(const kenc_tokenizer *tokenizer, const char *text,
                          size_t n_bytes, size_t max_tokens, kenc_token_list *list,
                          kith_error *err)
{
    run r; /* not initialised as a whole: it is large */
    r.tokenizer = tokenizer;
    r.text = text;
    r.max_characters = tokenizer->rules.max_word_characters;
    if (r.max_characters > KENC_MAX_WORD_CHARACTERS) {
        r.max_characters = KENC_MAX_WORD_CHARACTERS;
    }
    r.list = list;
    r.limit = max_tokens == 0 ? SIZE_MAX : max_tokens - 1;
    r.status = KITH_OK;
    r.err = err;
    r.word.n_characters = 0;
    r.word.order_from = 0;
    list->n_tokens = 0;
    list->n_dropped = 0;
    if (list->words != NULL) {
        list->words->n_words = 0;
        kbase_buffer_clear(&list->words->spellings);
    }

    emit(&r, tokenizer->rules.cls, 0, 0);
    take_text(&r, n_bytes);
    r.limit = r.limit == SIZE_MAX ? SIZE_MAX : r.limit + 1;
    emit(&r, tokenizer->rules.sep, n_bytes, n_bytes);
    if (r.status != KITH_OK) {
        list->n_tokens = 0;
        list->n_dropped = 0;
    }
    return r.status;
}

/* How many pieces of two texts are kept when both together may have `room`. */
static void cut_longest_first(size_t room, size_t *first, size_t *second)
{
    size_t *shorter = *first > *second ? second : first;
    size_t *longer = *first > *second ? first : second;
    if (*first + *second <= room) {
        return;
    }
    if (*shorter <= room / 2) {
        *longer = room - *shorter;
    } else {
        *shorter = room / 2;
        *longer = room - *shorter;
    }
}

/* Put the first n_pieces of `from` and [SEP] behind the tokens of `list`. */
static void append_pieces(run *r, const kenc_token_list *from, size_t n_pieces)
{
    for (size_t i = 1; i <= n_pieces; i++) {
        emit(r, from->ids[i], from->first[i], from->last[i]);
    }
    const uint64_t end = from->last[from->n_tokens - 1];
    emit(r, r->tokenizer->rules.sep, end, end);
}

kith_status kenc_tokenize_pair(const kenc_tokenizer *tokenizer, kith_text first,
                               kith_text second, size_t max_tokens,
                               kenc_token_list *list, kenc_token_list *other,
                               size_t *n_second, kith_error *err)
{
    kith_status status = kenc_tokenize(tokenizer, first.data, first.n_bytes, max_tokens,
                                       list, err);
    if (status == KITH_OK) {
        status = kenc_tokenize(tokenizer, second.data, second.n_bytes, max_tokens,
                               other, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    const size_t n_first_all = list->n_tokens - 2 + list->n_dropped;
    const size_t n_second_all = other->n_tokens - 2 + other->n_dropped;
    size_t n_first_kept = n_first_all;
    size_t n_second_kept = n_second_all;
    cut_longest_first(max_tokens - 3, &n_first_kept, &n_second_kept);
    run r;
    r.tokenizer = tokenizer;
    r.list = list;
    r.limit = SIZE_MAX;
    r.status = KITH_OK;
    r.err = err;
    list->n_tokens = n_first_kept + 1;
    emit(&r, tokenizer->rules.sep, first.n_bytes, first.n_bytes);
    append_pieces(&r, other, n_second_kept);
    list->n_dropped = n_first_all + n_second_all - n_first_kept - n_second_kept;
    *n_second = n_second_kept + 1;
    return r.status;
}

void kenc_token_list_free(kenc_token_list *list)
{
    free(list->ids);
    free(list->first);
    free(list->last);
    *list = (kenc_token_list){ 0 };
}

void kenc_words_free(kenc_words *words)
{
    free(words->words);
    kbase_buffer_free(&words->spellings);
    *words = (kenc_words){ 0 };
}
