#include "condense.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

/* Pieces that are encoded between two looks at the wish to stop. */
#define GROUP 256

void kith_condenser_free(kith_condenser *condenser)
{
    kbase_buffer_free(&condenser->vectors);
    kbase_buffer_free(&condenser->encoded);
    kbase_buffer_free(&condenser->metadata);
    free(condenser->vector);
    free(condenser->sentences.spans);
    kenc_token_list_free(&condenser->tokens);
}

/* ------------------------------------------------------------------ vectors */

static const float *vector_at(const kith_condenser *c, size_t i, uint32_t dim)
{
    return (const float *)(const void *)c->vectors.data + i * dim;
}

/* Append a piece, with the title before it, as a record's passage has it. */
static kith_status append_titled(kbase_buffer *out, kith_text title, kith_text piece,
                                 kith_error *err)
{
    kith_status status = kbase_buffer_append(out, title.data, title.n_bytes, err);
    if (status == KITH_OK && title.n_bytes > 0) {
        status = kbase_buffer_append(out, " ", 1, err);
    }
    return status == KITH_OK ? kbase_buffer_append(out, piece.data, piece.n_bytes, err)
                             : status;
}

/* The vectors of the pieces first .. first + n - 1. */
static kith_status encode_group(const kith_condense_request *r, kith_text title,
                                const kith_span *spans, size_t n, float *vectors,
                                kbase_buffer *encoded, kith_error *err)
{
    kith_text texts[GROUP];
    size_t ends[GROUP];
    kith_status status = KITH_OK;
    kbase_buffer_clear(encoded);
    for (size_t i = 0; i < n && status == KITH_OK; i++) {
        const kith_text piece = { r->text.data + spans[i].first,
                                  spans[i].last - spans[i].first };
        status = append_titled(encoded, title, piece, err);
        ends[i] = encoded->n_bytes;
    }
    if (status != KITH_OK) {
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t begin = i > 0 ? ends[i - 1] : 0;
        texts[i] = (kith_text){ encoded->data + begin, ends[i] - begin };
    }
    return kenc_encode(r->model, texts, n, KITH_POOLING_DEFAULT,
                       KITH_PROMPT_PASSAGE, vectors, NULL, err);
}

/* The vectors of all pieces. */
static kith_status encode(const kith_condense_request *r, kith_text title,
                          const kith_spans *spans, kith_condenser *c, kith_error *err)
{
    const size_t row = r->dim * sizeof(float);
    kbase_buffer_clear(&c->vectors);
    if (c->vector == NULL) {
        c->vector = kbase_calloc(r->dim, sizeof(*c->vector));
    }
    if (c->vector == NULL || spans->n > SIZE_MAX / row) {
        return kbase_fail_memory(err, row);
    }
    kith_status status = kbase_buffer_reserve(&c->vectors, spans->n * row, err);
    for (size_t i = 0; i < spans->n && status == KITH_OK; i += GROUP) {
        const size_t n = spans->n - i < GROUP ? spans->n - i : GROUP;
        if (r->interrupted != NULL && r->interrupted(r->context)) {
            return kbase_fail(err, KITH_INTERRUPTED, "interrupted");
        }
        status = encode_group(r, title, spans->spans + i, n,
                              (float *)(void *)(c->vectors.data + i * row), &c->encoded,
                              err);
    }
    return status;
}

/* out += the vectors of the pieces, each as often as it has tokens, or once. */
static void add_up(const kith_condenser *c, const kith_spans *spans, uint32_t dim,
                   bool by_tokens, double *out)
{
    for (size_t i = 0; i < spans->n; i++) {
        const float *vector = vector_at(c, i, dim);
        const double weight = by_tokens ? (double)spans->spans[i].n_tokens : 1;
        for (uint32_t j = 0; j < dim; j++) {
            out[j] += weight * (double)vector[j];
        }
    }
}

kith_status kith_average(const kith_condense_request *r, kith_condenser *c, kith_error *err)
{
    const kith_text title = { r->title.data, r->passages->title_bytes };
    double *sum = kbase_calloc(r->dim, sizeof(*sum));
    kith_status status = sum != NULL ? encode(r, title, r->passages, c, err)
                                     : kbase_fail_memory(err, r->dim * sizeof(*sum));
    if (status == KITH_OK) {
        add_up(c, r->passages, r->dim, true, sum);
        for (uint32_t j = 0; j < r->dim; j++) {
            c->vector[j] = (float)sum[j];
        }
    }
    free(sum);
    return status;
}

/* ------------------------------------------------------------------ summary */

typedef struct ranked {
    double centrality;
    size_t sentence;
} ranked;

static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a;
    const ranked *y = b;
    if (x->centrality != y->centrality) {
        return x->centrality > y->centrality ? -1 : 1;
    }
    return x->sentence < y->sentence ? -1 : x->sentence > y->sentence;
}

/* All sentences, the most central first. */
static ranked *rank_sentences(const kith_condenser *c, uint32_t dim, kith_error *err)
{
    const size_t n = c->sentences.n;
    ranked *order = kbase_calloc(n, sizeof(*order));
    double *sum = kbase_calloc(dim, sizeof(*sum));
    if (order == NULL || sum == NULL) {
        kbase_fail_memory(err, n * sizeof(*order));
        free(order);
        free(sum);
        return NULL;
    }
    add_up(c, &c->sentences, dim, false, sum);
    for (size_t i = 0; i < n; i++) {
        const float *vector = vector_at(c, i, dim);
        order[i].sentence = i;
        for (uint32_t j = 0; j < dim; j++) {
            order[i].centrality += (double)vector[j] * sum[j];
        }
    }
    qsort(order, n, sizeof(*order), compare_ranked);
    free(sum);
    return order;
}

static bool is_same_text(const kith_condense_request *r, const kith_span *a,
                         const kith_span *b)
{
    return a->last - a->first == b->last - b->first &&
           memcmp(r->text.data + a->first, r->text.data + b->first, a->last - a->first) == 0;
}

/* Mark the sentences of the summary, which together have at most `room` tokens: the most
 * central ones, but each only once. A first one that does not fit was cut to fit. */
static void choose_sentences(const kith_condense_request *r, const kith_spans *sentences,
                             const ranked *order, size_t room, bool *is_chosen)
{
    size_t chosen[KITH_PASSAGE_TOKENS]; /* each has a token at least */
    size_t n_chosen = 0;
    for (size_t i = 0; i < sentences->n && room > 0; i++) {
        const kith_span *sentence = &sentences->spans[order[i].sentence];
        bool is_new = sentence->n_tokens <= room;
        for (size_t j = 0; j < n_chosen && is_new; j++) {
            is_new = !is_same_text(r, sentence, &sentences->spans[chosen[j]]);
        }
        if (is_new) {
            chosen[n_chosen++] = order[i].sentence;
            is_chosen[order[i].sentence] = true;
            room -= sentence->n_tokens;
        }
    }
}

/* The chosen sentences in their order, a blank between two. */
static kith_status join_chosen(const kith_condense_request *r, const kith_spans *sentences,
                               const bool *is_chosen, kbase_buffer *out, kith_error *err)
{
    kith_status status = KITH_OK;
    kbase_buffer_clear(out);
    for (size_t i = 0; i < sentences->n && status == KITH_OK; i++) {
        const kith_span *sentence = &sentences->spans[i];
        if (is_chosen[i] && out->n_bytes > 0) {
            status = kbase_buffer_append(out, " ", 1, err);
        }
        if (is_chosen[i] && status == KITH_OK) {
            status = kbase_buffer_append(out, r->text.data + sentence->first,
                                         sentence->last - sentence->first, err);
        }
    }
    return status;
}

/* Bytes of the UTF-8 character at `data`, of which n are left; 0: it is none. */
static size_t character_bytes(const char *data, size_t n)
{
    for (size_t i = 1; i <= 4 && i <= n; i++) {
        json_t *value = json_stringn(data, i);
        json_decref(value);
        if (value != NULL) {
            return i;
        }
    }
    return 0;
}

/* A JSON string; free() it. A byte that is not UTF-8 stands as U+FFFD. */
static char *dump_string(kith_text text)
{
    kbase_buffer valid = KBASE_BUFFER_INIT;
    kith_status status = KITH_OK;
    json_t *value = json_stringn(text.data, text.n_bytes);
    for (size_t i = 0; value == NULL && i < text.n_bytes && status == KITH_OK;) {
        const size_t n = character_bytes(text.data + i, text.n_bytes - i);
        status = n > 0 ? kbase_buffer_append(&valid, text.data + i, n, NULL)
                       : kbase_buffer_append(&valid, "\xef\xbf\xbd", 3, NULL);
        i += n > 0 ? n : 1;
    }
    if (value == NULL && status == KITH_OK) {
        value = json_stringn(valid.data, valid.n_bytes);
    }
    char *dumped = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    kbase_buffer_free(&valid);
    return dumped;
}

/* metadata = the given one, byte for byte, and the summary as its last member. */
static kith_status add_summary(kith_text metadata, kith_text summary, kbase_buffer *out,
                               kith_error *err)
{
    const kith_text object = metadata.n_bytes > 0 ? metadata : (kith_text){ "{}", 2 };
    json_t *parsed = json_loadb(object.data, object.n_bytes, 0, NULL);
    const bool has_room = json_is_object(parsed) && !json_object_get(parsed, "summary");
    const bool is_empty = json_object_size(parsed) == 0;
    json_decref(parsed);
    kbase_buffer_clear(out);
    if (!has_room) {
        return kbase_buffer_append(out, metadata.data, metadata.n_bytes, err);
    }
    size_t end = object.n_bytes;
    while (object.data[end - 1] != '}') {
        end--;
    }
    char *string = dump_string(summary);
    if (string == NULL) {
        return kbase_fail_memory(err, summary.n_bytes);
    }
    const char *name = is_empty ? "\"summary\":" : ",\"summary\":";
    kith_status status = kbase_buffer_append(out, object.data, end - 1, err);
    if (status == KITH_OK) {
        status = kbase_buffer_append(out, name, strlen(name), err);
    }
    if (status == KITH_OK) {
        status = kbase_buffer_append(out, string, strlen(string), err);
    }
    if (status == KITH_OK) {
        status = kbase_buffer_append(out, "}", 1, err);
    }
    free(string);
    return status;
}

/* From the vectors of the sentences to the summary, in c->encoded. */
static kith_status make_summary(const kith_condense_request *r, kith_condenser *c,
                                size_t room, kith_error *err)
{
    ranked *order = rank_sentences(c, r->dim, err);
    bool *is_chosen = kbase_calloc(c->sentences.n, sizeof(*is_chosen));
    kith_status status = KITH_NOMEM;
    if (order != NULL && is_chosen != NULL) {
        choose_sentences(r, &c->sentences, order, room, is_chosen);
        status = join_chosen(r, &c->sentences, is_chosen, &c->encoded, err);
    } else {
        status = kbase_fail_memory(err, c->sentences.n * sizeof(*order));
    }
    free(is_chosen);
    free(order);
    return status;
}

kith_status kith_summarize(const kith_condense_request *r, kith_condenser *c,
                           kith_error *err)
{
    const kith_text title = { r->title.data, r->passages->title_bytes };
    const kenc_tokenizer *tokenizer = kenc_model_tokenizer(r->model);
    size_t room = r->max_tokens - 2;
    kith_status status = KITH_OK;
    if (title.n_bytes > 0) {
        status = kenc_tokenize(tokenizer, title.data, title.n_bytes, 0, &c->tokens, err);
        room -= status == KITH_OK ? c->tokens.n_tokens - 2 : 0;
    }
    if (status == KITH_OK) {
        status = kith_cut_sentences(tokenizer, r->text, room + 2, &c->tokens,
                                    &c->sentences, err);
    }
    if (status == KITH_OK) {
        status = encode(r, (kith_text){ NULL, 0 }, &c->sentences, c, err);
    }
    if (status == KITH_OK) {
        status = make_summary(r, c, room, err);
    }
    if (status == KITH_OK) {
        status = add_summary(r->metadata, (kith_text){ c->encoded.data, c->encoded.n_bytes },
                             &c->metadata, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    kbase_buffer_clear(&c->vectors);
    status = append_titled(&c->vectors, title,
                           (kith_text){ c->encoded.data, c->encoded.n_bytes }, err);
    const kith_text whole = { c->vectors.data, c->vectors.n_bytes };
    return status == KITH_OK ? kenc_encode(r->model, &whole, 1, KITH_POOLING_DEFAULT,
                                           KITH_PROMPT_PASSAGE, c->vector, NULL, err)
                             : status;
}
