#include "piece_rows.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli.h"
#include "json_write.h"
#include "text.h"

/* Texts whose token vectors are in memory at a time: 400 KB each. */
#define GROUP_TEXTS 32

static void put_pair(buffer *out, const char *key, uint64_t first, uint64_t last)
{
    put_key(out, key);
    put_open(out, '[');
    put_count(out, first);
    put_count(out, last);
    put_close(out, ']');
}

/* Write rows with their members, which are freed. */
static int put_rows(piece_rows *rows, const float *vectors, size_t n_rows, buffer *members)
{
    rows->n_rows += n_rows;
    bool is_written = vector_writer_put(rows->out, vectors, n_rows, members);
    for (size_t i = 0; i < n_rows; i++) {
        buffer_free(&members[i]);
    }
    free(members);
    return is_written ? EXIT_DONE : EXIT_ENVIRONMENT;
}

static int put_tokens(piece_rows *rows, const text_item *item,
                      const kith_token_vectors *vectors)
{
    const kith_tokens *tokens = &vectors->tokens;
    buffer *members = allocate(tokens->n_tokens, sizeof(members[0]));
    for (size_t i = 0; i < tokens->n_tokens; i++) {
        buffer *out = &members[i];
        *out = (buffer)BUFFER_EMPTY;
        put_key(out, "line");
        put_count(out, item->line);
        put_key(out, "token");
        put_count(out, i);
        put_key(out, "id");
        put_count(out, tokens->ids[i]);
        put_key(out, "piece");
        put_text(out, kith_model_token(rows->model, tokens->ids[i]));
        put_pair(out, "bytes", tokens->first[i], tokens->last[i]);
    }
    rows->n_cut += tokens->n_dropped > 0;
    return put_rows(rows, vectors->vectors, tokens->n_tokens, members);
}

int piece_rows_put_tokens(piece_rows *rows, const text_item *items, const kith_text *texts,
                          size_t n_texts)
{
    kith_error err;
    kith_token_vectors vectors[GROUP_TEXTS];
    int status = EXIT_DONE;
    for (size_t i = 0; i < n_texts && status == EXIT_DONE; i += GROUP_TEXTS) {
        const size_t n = n_texts - i < GROUP_TEXTS ? n_texts - i : GROUP_TEXTS;
        if (kith_model_encode_tokens(rows->model, texts + i, n, vectors, &err) != KITH_OK) {
            return report(&err, SUBJECT_ENVIRONMENT);
        }
        for (size_t j = 0; j < n; j++) {
            if (status == EXIT_DONE) {
                status = put_tokens(rows, &items[i + j], &vectors[j]);
            }
            kith_token_vectors_free(&vectors[j]);
        }
    }
    return status;
}

static int put_word(piece_rows *rows, const char *word, const text_item *item,
                    const kith_word_vectors *vectors)
{
    const size_t n = vectors->n_occurrences;
    if (n == 0) {
        rows->n_without++;
        message("%s:%" PRIu64 ": \"%s\" %s", rows->file, item->line, word,
                vectors->n_cut > 0 ? "stands only where the text is cut"
                                   : "is not in this text");
        return EXIT_DONE;
    }
    buffer *members = allocate(n, sizeof(members[0]));
    for (size_t i = 0; i < n; i++) {
        const kith_occurrence *at = &vectors->occurrences[i];
        buffer *out = &members[i];
        *out = (buffer)BUFFER_EMPTY;
        put_key(out, "line");
        put_count(out, item->line);
        put_key(out, "word");
        put_text(out, (kith_text){ item->text.data + at->first, at->last - at->first });
        put_pair(out, "bytes", at->first, at->last);
        put_pair(out, "tokens", at->token, at->token + at->n_tokens);
    }
    rows->n_cut += vectors->n_cut > 0;
    return put_rows(rows, vectors->vectors, n, members);
}

int piece_rows_put_word(piece_rows *rows, const char *word, const text_item *items,
                        const kith_text *texts, size_t n_texts)
{
    kith_error err;
    kith_word_vectors *vectors = allocate(n_texts, sizeof(vectors[0]));
    int status = EXIT_DONE;
    if (kith_model_encode_word(rows->model, texts, n_texts, text_of(word), vectors, &err) !=
        KITH_OK) {
        status = report(&err, SUBJECT_ENVIRONMENT);
    } else {
        for (size_t i = 0; i < n_texts; i++) {
            if (status == EXIT_DONE) {
                status = put_word(rows, word, &items[i], &vectors[i]);
            }
            kith_word_vectors_free(&vectors[i]);
        }
    }
    free(vectors);
    return status;
}
