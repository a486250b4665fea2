#include "sentences.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli.h"
#include "text.h"

static void add(sentences *list, text_item item, char *name)
{
    list->all = make_room(list->all, list->n, &list->capacity, sizeof(list->all[0]));
    list->all[list->n++] = (sentence){ item, name, true };
}

void sentences_add(sentences *list, kith_text text)
{
    add(list, (text_item){ .text = text }, format_string("sentence %zu", list->n + 1));
}

int sentences_read(sentences *list, const char *path)
{
    const field_names names = { 0 };
    text_file file;
    text_item item;
    read_result got;
    int status = EXIT_DONE;
    if (!texts_open(&file, path, &names)) {
        return EXIT_ENVIRONMENT;
    }
    while ((got = texts_next(&file, &item)) == READ_OK && item.problem == NULL) {
        add(list, item, format_string("%s:%" PRIu64, path, item.line));
    }
    if (got == READ_FAILED) {
        status = EXIT_ENVIRONMENT;
    } else if (got == READ_OK) {
        message("%s:%" PRIu64 ": %s; stopped before it", path, item.line, item.problem);
        text_item_free(&item);
        status = EXIT_PARTIAL;
    }
    texts_close(&file);
    return status;
}

static int encode_whole(sentences *list, const encoding *how, kith_model *model,
                        const kith_model_info *info, const kith_text *texts)
{
    kith_error err;
    int status = EXIT_DONE;
    uint32_t *n_dropped = allocate(list->n, sizeof(n_dropped[0]));
    size_t *n_pieces = allocate(list->n, sizeof(n_pieces[0]));
    if (encoding_make(how, model, texts, list->n, list->vectors, n_dropped, n_pieces,
                      &err) != KITH_OK) {
        status = report(&err, SUBJECT_ENVIRONMENT);
    }
    for (size_t i = 0; i < list->n && status == EXIT_DONE; i++) {
        if (n_dropped[i] > 0) {
            message("%s was cut at %" PRIu32 " tokens: %" PRIu32 " more did not fit",
                    list->all[i].name, info->max_tokens, n_dropped[i]);
        }
        if (n_pieces[i] == 0) {
            message("%s has no word to average: its vector is zero", list->all[i].name);
        }
    }
    free(n_dropped);
    free(n_pieces);
    return status;
}

/* The mean over the occurrences of the word. */
static void average_occurrences(const kith_word_vectors *vectors, uint32_t width,
                                float *mean)
{
    for (uint32_t column = 0; column < width; column++) {
        double sum = 0;
        for (size_t row = 0; row < vectors->n_occurrences; row++) {
            sum += (double)vectors->vectors[row * width + column];
        }
        mean[column] = (float)(sum / (double)vectors->n_occurrences);
    }
}

static int take_word(sentences *list, size_t i, const char *word,
                     const kith_model_info *info, const kith_word_vectors *vectors)
{
    sentence *s = &list->all[i];
    s->has_vector = vectors->n_occurrences > 0;
    if (vectors->n_cut > 0) {
        message("%s: %zu more \"%s\" where it is cut, behind the first %" PRIu32 " tokens",
                s->name, vectors->n_cut, word, info->max_tokens);
    }
    if (s->has_vector) {
        average_occurrences(vectors, list->width, list->vectors + i * list->width);
        return EXIT_DONE;
    }
    if (vectors->n_cut == 0) {
        message("%s: \"%s\" is not in it", s->name, word);
    }
    return EXIT_PARTIAL;
}

static int encode_word(sentences *list, const char *word, kith_model *model,
                       const kith_model_info *info, const kith_text *texts)
{
    kith_error err;
    int status = EXIT_DONE;
    size_t n_without = 0;
    kith_word_vectors *vectors = allocate(list->n, sizeof(vectors[0]));
    if (kith_model_encode_word(model, texts, list->n, text_of(word), vectors, &err) !=
        KITH_OK) {
        free(vectors);
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    for (size_t i = 0; i < list->n; i++) {
        if (take_word(list, i, word, info, &vectors[i]) != EXIT_DONE) {
            n_without++;
            status = EXIT_PARTIAL;
        }
        kith_word_vectors_free(&vectors[i]);
    }
    if (n_without > 0) {
        message("%zu of %zu sentences are without \"%s\"", n_without, list->n, word);
    }
    free(vectors);
    return status;
}

int sentences_encode(sentences *list, const encoding *how, kith_model *model)
{
    kith_model_info info;
    kith_model_get_info(model, &info);
    list->width = encoding_width(how, &info);
    list->vectors = allocate(list->n, list->width * sizeof(list->vectors[0]));
    kith_text *texts = allocate(list->n, sizeof(texts[0]));
    for (size_t i = 0; i < list->n; i++) {
        texts[i] = list->all[i].item.text;
    }
    int status = how->word != NULL
                     ? encode_word(list, how->word, model, &info, texts)
                     : encode_whole(list, how, model, &info, texts);
    free(texts);
    return status;
}

void sentences_free(sentences *list)
{
    for (size_t i = 0; i < list->n; i++) {
        text_item_free(&list->all[i].item);
        free(list->all[i].name);
    }
    free(list->all);
    free(list->vectors);
}
