/* The contextual vectors of a word: where it is in a text, and the mean of its pieces. */
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "encoder.h"
#include "error.h"

/* Texts whose token vectors are in memory at a time. */
#define GROUP_TEXTS 32

typedef struct word_search {
    kenc_model *model;
    size_t hidden;
    size_t max_tokens;
    kenc_words sought; /* more than one word for "New York" or "don't" */
    kenc_token_list list;
    kenc_words words; /* of the present text */
} word_search;

/* Do the words of the text from this one on spell what is sought? */
static bool begins_occurrence(const word_search *s, size_t word)
{
    if (s->sought.n_words > s->words.n_words - word) {
        return false;
    }
    for (size_t i = 0; i < s->sought.n_words; i++) {
        const kenc_word *a = &s->sought.words[i];
        const kenc_word *b = &s->words.words[word + i];
        if (a->n_bytes != b->n_bytes ||
            memcmp(s->sought.spellings.data + a->spelling,
                   s->words.spellings.data + b->spelling, a->n_bytes) != 0) {
            return false;
        }
    }
    return true;
}

static kith_status keep_occurrence(const word_search *s, size_t word,
                                   kith_word_vectors *out, kith_error *err)
{
    const kenc_word *first = &s->words.words[word];
    const kenc_word *last = first + s->sought.n_words - 1;
    const size_t end = last->token + last->n_tokens;
    if (end > s->list.n_tokens - 1) { /* where [SEP] stands */
        out->n_cut++;
        return KITH_OK;
    }
    const size_t n = out->n_occurrences;
    if ((n & (n - 1)) == 0) { /* 0, 1, 2, 4, 8 ...: it is full */
        const size_t capacity = n == 0 ? 1 : 2 * n;
        kith_occurrence *grown = kbase_realloc(out->occurrences, capacity, sizeof(*grown));
        if (grown == NULL) {
            return kbase_fail_memory(err, capacity * sizeof(*grown));
        }
        out->occurrences = grown;
    }
    out->occurrences[out->n_occurrences++] =
        (kith_occurrence){ first->first, last->last, first->token, end - first->token };
    return KITH_OK;
}

static kith_status find_occurrences(word_search *s, kith_text text, kith_word_vectors *out,
                                    kith_error *err)
{
    kith_status status = kenc_tokenize(kenc_model_tokenizer(s->model), text.data,
                                       text.n_bytes, s->max_tokens, &s->list, err);
    for (size_t i = 0; status == KITH_OK && i < s->words.n_words;) {
        if (begins_occurrence(s, i)) {
            status = keep_occurrence(s, i, out, err);
            i += s->sought.n_words;
        } else {
            i++;
        }
    }
    return status;
}

static void average_rows(const float *rows, size_t n_rows, size_t hidden, float *mean)
{
    for (size_t column = 0; column < hidden; column++) {
        double sum = 0.0;
        for (size_t row = 0; row < n_rows; row++) {
            sum += (double)rows[row * hidden + column];
        }
        mean[column] = (float)(sum / (double)n_rows);
    }
}

static kith_status average_occurrences(const word_search *s, const float *rows,
                                       kith_word_vectors *out, kith_error *err)
{
    out->vectors = kbase_calloc(out->n_occurrences, s->hidden * sizeof(*out->vectors));
    if (out->vectors == NULL) {
        return kbase_fail_memory(err, out->n_occurrences * s->hidden * sizeof(float));
    }
    const unsigned former = kbase_fpenv_enter();
    for (size_t i = 0; i < out->n_occurrences; i++) {
        const kith_occurrence *at = &out->occurrences[i];
        average_rows(rows + at->token * s->hidden, at->n_tokens, s->hidden,
                     out->vectors + i * s->hidden);
    }
    kbase_fpenv_leave(former);
    return KITH_OK;
}

/* At most GROUP_TEXTS texts; those without the word are not encoded. */
static kith_status encode_group(word_search *s, const kith_text *texts, size_t n_texts,
                                kith_word_vectors *out, kith_error *err)
{
    kith_text with_word[GROUP_TEXTS];
    kith_word_vectors *owners[GROUP_TEXTS];
    kith_token_vectors tokens[GROUP_TEXTS];
    size_t n = 0;
    kith_status status = KITH_OK;
    for (size_t i = 0; i < n_texts && status == KITH_OK; i++) {
        status = find_occurrences(s, texts[i], &out[i], err);
        if (out[i].n_occurrences > 0) {
            with_word[n] = texts[i];
            owners[n++] = &out[i];
        }
    }
    if (status == KITH_OK) {
        status = kenc_encode_tokens(s->model, with_word, n, tokens, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        if (status == KITH_OK) {
            status = average_occurrences(s, tokens[i].vectors, owners[i], err);
        }
        kenc_token_vectors_free(&tokens[i]);
    }
    return status;
}

/* What is sought, as the tokenizer splits and normalises it. */
static kith_status read_word(word_search *s, kith_text word, kith_error *err)
{
    s->list.words = &s->sought;
    kith_status status = kenc_tokenize(kenc_model_tokenizer(s->model), word.data,
                                       word.n_bytes, 0, &s->list, err);
    s->list.words = &s->words;
    if (status == KITH_OK && s->sought.n_words == 0) {
        status = kbase_fail(err, KITH_INVALID,
                            "the word to look for is empty: nothing is left of it when it "
                            "is normalised");
    }
    for (size_t i = 0; i < s->sought.n_words && status == KITH_OK; i++) {
        if (s->sought.words[i].n_bytes == 0) {
            status = kbase_fail(err, KITH_INVALID,
                                "the word to look for is longer than the tokenizer takes");
        }
    }
    return status;
}

kith_status kenc_encode_word(kenc_model *model, const kith_text *texts, size_t n_texts,
                             kith_text word, kith_word_vectors *out, kith_error *err)
{
    kith_model_info info;
    kenc_model_get_info(model, &info);
    word_search s = { .model = model, .hidden = info.hidden,
                      .max_tokens = info.max_tokens };
    for (size_t i = 0; i < n_texts; i++) {
        out[i] = (kith_word_vectors){ 0 };
    }
    kith_status status = read_word(&s, word, err);
    for (size_t i = 0; i < n_texts && status == KITH_OK; i += GROUP_TEXTS) {
        const size_t n = n_texts - i < GROUP_TEXTS ? n_texts - i : GROUP_TEXTS;
        status = encode_group(&s, texts + i, n, out + i, err);
    }
    for (size_t i = 0; i < n_texts && status != KITH_OK; i++) {
        kenc_word_vectors_free(&out[i]);
    }
    kenc_token_list_free(&s.list);
    kenc_words_free(&s.sought);
    kenc_words_free(&s.words);
    return status;
}

void kenc_word_vectors_free(kith_word_vectors *word)
{
    free(word->occurrences);
    free(word->vectors);
    *word = (kith_word_vectors){ 0 };
}
