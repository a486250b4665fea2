#include "passages.h"

#include <string.h>

#include "error.h"

/* Tokens of a sentence: what is shorter, such as "1." or "Dr.", is a part of one. */
#define MIN_SENTENCE 4

/* How good a place between two tokens is for a cut. */
typedef enum boundary {
    BOUNDARY_INSIDE_WORD,
    BOUNDARY_WORD,
    BOUNDARY_SENTENCE,
    BOUNDARY_PARAGRAPH
} boundary;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_sentence(const char *text, size_t end)
{
    static const char *const wide[] = { "\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f" };
    if (end == 0) {
        return false;
    }
    while (end > 1 && strchr("\"')]", text[end - 1]) != NULL && text[end - 1] != '\0') {
        end--;
    }
    if (strchr(".!?", text[end - 1]) != NULL && text[end - 1] != '\0') {
        return true;
    }
    for (size_t i = 0; i < 3; i++) { /* ideographic full stop, wide ! and ? */
        if (end >= 3 && memcmp(text + end - 3, wide[i], 3) == 0) {
            return true;
        }
    }
    return false;
}

/* What lies between the token that ends at `end` and the one that begins at `begin`. */
static boundary classify(const char *text, size_t end, size_t begin)
{
    unsigned n_newlines = 0;
    bool blank = false;
    for (size_t i = end; i < begin; i++) {
        n_newlines += text[i] == '\n';
        blank = blank || is_blank(text[i]);
    }
    if (n_newlines > 1) {
        return BOUNDARY_PARAGRAPH;
    }
    if (ends_sentence(text, end) && (blank || (unsigned char)text[end - 1] > 127)) {
        return BOUNDARY_SENTENCE;
    }
    return blank ? BOUNDARY_WORD : BOUNDARY_INSIDE_WORD;
}

/* The token at which the next piece begins: the best boundary in the second half of the
 * `room` tokens from `first` on, the last of the best ones. */
static size_t choose_cut(const kenc_token_list *list, const char *text, size_t first,
                         size_t room)
{
    size_t best = first + room;
    boundary best_kind = BOUNDARY_INSIDE_WORD;
    for (size_t i = first + room; i > first + room / 2; i--) {
        boundary kind = classify(text, list->last[i - 1], list->first[i]);
        if (kind > best_kind) {
            best = i;
            best_kind = kind;
        }
    }
    return best;
}

static kith_status add_span(kith_spans *spans, size_t first, size_t last, size_t n_tokens,
                            kith_error *err)
{
    if (spans->n == spans->capacity) {
        size_t capacity = spans->capacity == 0 ? 16 : 2 * spans->capacity;
        kith_span *more = kbase_realloc(spans->spans, capacity, sizeof(*more));
        if (more == NULL) {
            return kbase_fail_memory(err, capacity * sizeof(*more));
        }
        spans->spans = more;
        spans->capacity = capacity;
    }
    spans->spans[spans->n++] = (kith_span){ first, last, n_tokens };
    return KITH_OK;
}

/* The title's tokens, and how many bytes of it its first `room` tokens take. */
static kith_status measure_title(const kenc_tokenizer *tokenizer, kith_text title,
                                 size_t room, kenc_token_list *list, size_t *n_tokens,
                                 size_t *n_bytes, kith_error *err)
{
    *n_tokens = 0;
    *n_bytes = title.n_bytes;
    if (title.n_bytes == 0) {
        return KITH_OK;
    }
    kith_status status = kenc_tokenize(tokenizer, title.data, title.n_bytes, 0, list, err);
    if (status == KITH_OK) {
        *n_tokens = list->n_tokens - 2;
        *n_bytes = *n_tokens > room ? list->last[room] : title.n_bytes;
    }
    return status;
}

kith_status kith_fit_title(const kenc_tokenizer *tokenizer, kith_text title,
                           size_t max_tokens, kenc_token_list *list,
                           size_t *title_bytes, kith_error *err)
{
    size_t n_tokens;
    return measure_title(tokenizer, title, (max_tokens - 2) / 2, list, &n_tokens,
                         title_bytes, err);
}

kith_status kith_cut_passages(const kenc_tokenizer *tokenizer, kith_text title,
                              kith_text text, size_t max_tokens, kenc_token_list *list,
                              kith_spans *spans, kith_error *err)
{
    size_t room = max_tokens - 2; /* without [CLS] and [SEP] */
    size_t n_title;
    size_t cut_title_bytes;
    kith_status status = measure_title(tokenizer, title, room / 2, list, &n_title,
                                       &cut_title_bytes, err);
    if (status == KITH_OK) {
        status = kenc_tokenize(tokenizer, text.data, text.n_bytes, 0, list, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    size_t end = list->n_tokens - 1; /* tokens 1 .. end-1 are the text's */
    spans->n = 0;
    spans->title_bytes = title.n_bytes;
    if (n_title + end - 1 <= room) {
        return add_span(spans, 0, text.n_bytes, end - 1, err);
    }
    spans->title_bytes = cut_title_bytes;
    room -= n_title < room / 2 ? n_title : room / 2;
    if (end - 1 <= room) {
        return add_span(spans, 0, text.n_bytes, end - 1, err);
    }
    for (size_t first = 1; first < end && status == KITH_OK;) {
        size_t next = end - first <= room ? end
                                          : choose_cut(list, text.data, first, room);
        status = add_span(spans, list->first[first], list->last[next - 1], next - first,
                          err);
        first = next;
    }
    return status;
}

/* The token behind the sentence that begins at `first`: at most `room` tokens long. */
static size_t find_sentence_end(const kenc_token_list *list, const char *text, size_t first,
                                size_t end, size_t room)
{
    for (size_t i = first + MIN_SENTENCE; i < end && i <= first + room; i++) {
        if (classify(text, list->last[i - 1], list->first[i]) >= BOUNDARY_SENTENCE) {
            return i;
        }
    }
    return end - first <= room ? end : choose_cut(list, text, first, room);
}

kith_status kith_cut_sentences(const kenc_tokenizer *tokenizer, kith_text text,
                               size_t max_tokens, kenc_token_list *list, kith_spans *spans,
                               kith_error *err)
{
    kith_status status = kenc_tokenize(tokenizer, text.data, text.n_bytes, 0, list, err);
    const size_t end = status == KITH_OK ? list->n_tokens - 1 : 0;
    spans->n = 0;
    for (size_t first = 1; first < end && status == KITH_OK;) {
        size_t next = find_sentence_end(list, text.data, first, end, max_tokens - 2);
        status = add_span(spans, list->first[first], list->last[next - 1], next - first,
                          err);
        first = next;
    }
    return status;
}
