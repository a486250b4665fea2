#include "static_vectors.h"

#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "error.h"
#include "stopwords.h"

/* What is used again for each text. */
typedef struct averaging {
    const kenc_kmodel *kmodel;
    bool drop_stopwords;
    kenc_token_list list;
    kenc_words words;
    double *sums; /* [hidden] */
} averaging;

static bool is_dropped(const averaging *a, const kenc_word *word)
{
    return a->drop_stopwords && word->n_bytes > 0 &&
           kenc_is_stopword(a->words.spellings.data + word->spelling, word->n_bytes);
}

static kith_status add_embedding(averaging *a, uint32_t id, kith_error *err)
{
    const kenc_kmodel *kmodel = a->kmodel;
    const float *row = kmodel->words + id * kmodel->shape.width;
    kith_status status = kenc_kmodel_check_word(kmodel, id, err);
    for (size_t i = 0; i < kmodel->shape.hidden && status == KITH_OK; i++) {
        a->sums[i] += (double)row[i];
    }
    return status;
}

static kith_status average(averaging *a, kith_text text, float *vector, size_t *n_pieces,
                           kith_error *err)
{
    const size_t hidden = a->kmodel->shape.hidden;
    size_t n = 0;
    kith_status status = kenc_tokenize(&a->kmodel->tokenizer, text.data, text.n_bytes, 0,
                                       &a->list, err);
    memset(a->sums, 0, hidden * sizeof(*a->sums));
    for (size_t w = 0; w < a->words.n_words && status == KITH_OK; w++) {
        const kenc_word *word = &a->words.words[w];
        if (is_dropped(a, word)) {
            continue;
        }
        for (size_t i = 0; i < word->n_tokens && status == KITH_OK; i++) {
            status = add_embedding(a, a->list.ids[word->token + i], err);
        }
        n += word->n_tokens;
    }
    for (size_t i = 0; i < hidden && status == KITH_OK; i++) {
        vector[i] = n == 0 ? 0.0f : (float)(a->sums[i] / (double)n);
    }
    *n_pieces = n;
    return status;
}

kith_status kenc_static_vectors(const kenc_kmodel *kmodel, const kith_text *texts,
                                size_t n_texts, bool drop_stopwords, float *vectors,
                                size_t *n_pieces, kith_error *err)
{
    const size_t hidden = kmodel->shape.hidden;
    averaging a = { .kmodel = kmodel, .drop_stopwords = drop_stopwords };
    kith_status status = KITH_OK;
    a.list.words = &a.words;
    a.sums = kbase_calloc(hidden, sizeof(*a.sums));
    if (a.sums == NULL) {
        return kbase_fail_memory(err, hidden * sizeof(*a.sums));
    }
    const unsigned former = kbase_fpenv_enter();
    for (size_t i = 0; i < n_texts && status == KITH_OK; i++) {
        size_t n = 0;
        status = average(&a, texts[i], vectors + i * hidden, &n, err);
        if (n_pieces != NULL) {
            n_pieces[i] = n;
        }
    }
    kbase_fpenv_leave(former);
    kenc_token_list_free(&a.list);
    kenc_words_free(&a.words);
    free(a.sums);
    return status;
}
