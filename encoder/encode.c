/* Encoding: texts, pairs or tokens to vectors, a group of texts at a time. */
#include "encoder_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "static_vectors.h"
#include "tiles.h"

/* Tokens of the texts that are tokenized before they are encoded: bounds the memory. */
#define GROUP_TOKENS 65536

/* What one call encodes: texts or pairs. */
typedef struct encode_job {
    const kith_text *texts;
    const kith_text_pair *pairs; /* NULL: texts */
    const kith_tokens *tokenized; /* NULL: texts; else these, in their place */
    size_t n_texts;              /* or pairs */
    const char *prompt;
    kith_pooling pooling;
    bool finish;         /* as kenc_forward() */
    float *vectors;      /* n_texts x dim */
    uint32_t *n_dropped; /* n_texts, or NULL */
    kith_token_vectors *tokens; /* n_texts: KENC_NO_POOLING fills these in, and no other */
} encode_job;

/* Consecutive texts that one task encodes. */
typedef struct tile_plan {
    const kenc_model *model;
    const encode_job *job;
    kenc_workspace *workspaces;
    const kenc_sequence *sequences;
    const size_t *starts; /* tile i: sequences starts[i] to starts[i + 1] */
} tile_plan;

/* The words of a text are undamaged: each is looked at once. */
static kith_status check_words(kenc_model *model, const kith_tokens *tokens,
                               kith_error *err)
{
    for (size_t i = 0; i < tokens->n_tokens; i++) {
        uint32_t id = tokens->ids[i];
        uint64_t *word = &model->checked_words[id / 64];
        uint64_t bit = (uint64_t)1 << (id % 64);
        if ((*word & bit) == 0) {
            kith_status status = kenc_kmodel_check_word(&model->kmodel, id, err);
            if (status != KITH_OK) {
                return status;
            }
            *word |= bit;
        }
    }
    return KITH_OK;
}

/* Append the tokens of a text to the group's ids. */
static kith_status keep_ids(kenc_model *model, const kith_tokens *tokens, size_t n_ids,
                            kith_error *err)
{
    size_t n = tokens->n_tokens;
    if (n_ids + n > model->ids_capacity) {
        size_t capacity = GROUP_TOKENS + model->kmodel.header->config.max_tokens;
        uint32_t *ids = kbase_realloc(model->ids, capacity, sizeof(*ids));
        if (ids == NULL) {
            return kbase_fail_memory(err, capacity * sizeof(*ids));
        }
        model->ids = ids;
        model->ids_capacity = capacity;
    }
    memcpy(model->ids + n_ids, tokens->ids, n * sizeof(*model->ids));
    return KITH_OK;
}

static kith_status reserve_sequences(kenc_model *model, size_t n, kith_error *err)
{
    if (n <= model->sequences_capacity) {
        return KITH_OK;
    }
    kenc_sequence *sequences = kbase_realloc(model->sequences, n, sizeof(*sequences));
    if (sequences == NULL) {
        return kbase_fail_memory(err, n * sizeof(*sequences));
    }
    model->sequences = sequences;
    model->sequences_capacity = n;
    return KITH_OK;
}

/* Copy the tokens of a text, with room for their vectors. */
static kith_status keep_tokens(const kenc_model *model, const kith_tokens *list,
                               kith_token_vectors *out, kith_error *err)
{
    const size_t n = list->n_tokens;
    const size_t hidden = model->kmodel.header->config.hidden;
    out->tokens = (kith_tokens){ n, kbase_calloc(n, sizeof(*list->ids)),
                                 kbase_calloc(n, sizeof(*list->first)),
                                 kbase_calloc(n, sizeof(*list->last)), list->n_dropped };
    out->vectors = kbase_calloc(n, hidden * sizeof(*out->vectors));
    if (out->tokens.ids == NULL || out->tokens.first == NULL ||
        out->tokens.last == NULL || out->vectors == NULL) {
        return kbase_fail_memory(err, n * hidden * sizeof(*out->vectors));
    }
    memcpy(out->tokens.ids, list->ids, n * sizeof(*list->ids));
    memcpy(out->tokens.first, list->first, n * sizeof(*list->first));
    memcpy(out->tokens.last, list->last, n * sizeof(*list->last));
    return KITH_OK;
}

/* Where the forward pass puts what it makes of a text. */
static kith_status prepare_output(const kenc_model *model, const encode_job *job,
                                  size_t text, const kith_tokens *tokens,
                                  float **vector, kith_error *err)
{
    if (job->n_dropped != NULL) {
        job->n_dropped[text] = (uint32_t)tokens->n_dropped;
    }
    if (job->pooling != KENC_NO_POOLING) {
        *vector = job->vectors + text * model->kmodel.dim;
        return KITH_OK;
    }
    kith_status status = keep_tokens(model, tokens, &job->tokens[text], err);
    *vector = job->tokens[text].vectors;
    return status;
}

/* The text with the prompt before it; valid until the next one. */
static kith_status put_prompt(kenc_model *model, const char *prompt, kith_text *text,
                              kith_error *err)
{
    kbase_buffer *prompted = &model->prompted;
    if (*prompt == '\0') {
        return KITH_OK;
    }
    kbase_buffer_clear(prompted);
    kith_status status = kbase_buffer_append(prompted, prompt, strlen(prompt), err);
    if (status == KITH_OK) {
        status = kbase_buffer_append(prompted, text->data, text->n_bytes, err);
    }
    *text = (kith_text){ prompted->data, prompted->n_bytes };
    return status;
}

/* Tokens that did not come from this tokenizer. */
static kith_status check_given(const kenc_model *model, const kith_tokens *tokens,
                               kith_error *err)
{
    const kenc_config *config = &model->kmodel.header->config;
    if (tokens->n_tokens == 0 || tokens->n_tokens > config->max_tokens) {
        return kbase_fail(err, KITH_INVALID, "a text has %zu tokens, not 1 to %u",
                          tokens->n_tokens, config->max_tokens);
    }
    for (size_t i = 0; i < tokens->n_tokens; i++) {
        if (tokens->ids[i] >= config->vocabulary) {
            return kbase_fail(err, KITH_INVALID,
                              "token %u is not in the vocabulary, which has %u",
                              tokens->ids[i], config->vocabulary);
        }
    }
    return KITH_OK;
}

/* The tokens of one text, or pair: as given, or in the model's list until the next. */
static kith_status tokenize(kenc_model *model, const encode_job *job, size_t index,
                            kith_tokens *tokens, size_t *n_second, kith_error *err)
{
    kith_text_pair pair = { { NULL, 0 }, { NULL, 0 } };
    if (job->tokenized != NULL) {
        *tokens = job->tokenized[index];
        *n_second = 0;
        return check_given(model, tokens, err);
    }
    if (job->pairs != NULL) {
        pair = job->pairs[index];
    } else {
        pair.first = job->texts[index];
    }
    kenc_token_list *list = &model->list;
    kith_status status = put_prompt(model, job->prompt, &pair.first, err);
    if (status == KITH_OK) {
        status = kenc_kmodel_tokenize(&model->kmodel, pair.first, pair.second, list,
                                      &model->other, n_second, err);
    }
    *tokens = (kith_tokens){ list->n_tokens, list->ids, list->first, list->last,
                             list->n_dropped };
    return status;
}

/* Tokenize texts, from this one on, until the group is full. *n_group: how many;
 * *n_ids: their tokens. */
static kith_status tokenize_group(kenc_model *model, const encode_job *job,
                                  size_t first, size_t *n_group, size_t *n_ids,
                                  kith_error *err)
{
    size_t n = 0;
    *n_ids = 0;
    for (; n < job->n_texts - first && *n_ids < GROUP_TOKENS; n++) {
        float *vector = NULL;
        size_t n_second;
        kith_tokens tokens;
        kith_status status = tokenize(model, job, first + n, &tokens, &n_second, err);
        if (status == KITH_OK) {
            status = check_words(model, &tokens, err);
        }
        if (status == KITH_OK) {
            status = keep_ids(model, &tokens, *n_ids, err);
        }
        if (status == KITH_OK) {
            status = reserve_sequences(model, n + 1 > 1024 ? GROUP_TOKENS : 1024, err);
        }
        if (status == KITH_OK) {
            status = prepare_output(model, job, first + n, &tokens, &vector, err);
        }
        if (status != KITH_OK) {
            return status;
        }
        model->sequences[n] =
            (kenc_sequence){ NULL, tokens.n_tokens, vector, n_second };
        *n_ids += tokens.n_tokens;
    }
    const uint32_t *ids = model->ids;
    for (size_t i = 0; i < n; i++) {
        model->sequences[i].ids = ids;
        ids += model->sequences[i].n_tokens;
    }
    *n_group = n;
    return KITH_OK;
}

static void run_tile(void *context, size_t index, unsigned worker)
{
    const tile_plan *plan = context;
    size_t first = plan->starts[index];
    kenc_forward(&plan->model->kmodel, plan->model->kernels, plan->model->precision,
                 &plan->workspaces[worker], plan->sequences + first,
                 plan->starts[index + 1] - first, plan->job->pooling, plan->job->finish,
                 NULL);
}

static kith_status encode_group(kenc_model *model, const encode_job *job,
                                size_t n_texts, size_t n_ids, kith_error *err)
{
    unsigned n_workers = kbase_pool_size(model->pool);
    size_t *starts = kbase_calloc(n_texts + 1, sizeof(*starts));
    if (starts == NULL) {
        return kbase_fail_memory(err, (n_texts + 1) * sizeof(*starts));
    }
    size_t largest;
    size_t n_tiles = kenc_cut_tiles(model->sequences, n_texts, n_ids, n_workers, starts,
                                    &largest);
    kith_status status = KITH_OK;
    for (unsigned i = 0; i < (n_tiles > 1 ? n_workers : 1) && status == KITH_OK; i++) {
        status = kenc_workspace_reserve(&model->workspaces[i], &model->kmodel, largest, err);
    }
    if (status == KITH_OK) {
        tile_plan plan = { model, job, model->workspaces, model->sequences, starts };
        kbase_pool_run(model->pool, n_tiles, run_tile, &plan);
    }
    free(starts);
    return status;
}

static kith_status check_process(const kenc_model *model, kith_error *err)
{
    return model->pid == getpid()
               ? KITH_OK
               : kbase_fail(err, KITH_INVALID, "a model opened before fork() was used "
                                               "behind it: open it anew");
}

static kith_status run_job(kenc_model *model, const encode_job *job, kith_error *err)
{
    kith_status status = check_process(model, err);
    if (status != KITH_OK) {
        return status;
    }
    pthread_mutex_lock(&model->mutex);
    for (size_t done = 0; done < job->n_texts && status == KITH_OK;) {
        size_t n_group = 0;
        size_t n_ids = 0;
        status = tokenize_group(model, job, done, &n_group, &n_ids, err);
        if (status == KITH_OK) {
            status = encode_group(model, job, n_group, n_ids, err);
        }
        done += n_group;
    }
    pthread_mutex_unlock(&model->mutex);
    return status;
}

/* A job that makes one vector a text: the checks and the pooling that all share. */
static kith_status run_pooled(kenc_model *model, encode_job *job, kith_prompt prompt,
                              kith_error *err)
{
    const kenc_config *config = &model->kmodel.header->config;
    kith_status status = kenc_model_check_encodes(model, err);
    if (status != KITH_OK) {
        return status;
    }
    if ((unsigned)job->pooling > KITH_POOLING_POOLER ||
        (unsigned)prompt > KITH_PROMPT_PASSAGE) {
        return kbase_fail(err, KITH_INVALID, "there is no pooling %d or no prompt %d",
                          (int)job->pooling, (int)prompt);
    }
    if (job->pooling == KITH_POOLING_POOLER && config->has_pooler == 0) {
        return kbase_fail(err, KITH_INVALID, "model %s has no pooler",
                          model->kmodel.header->name);
    }
    if (job->pooling == KITH_POOLING_DEFAULT) {
        job->pooling = (kith_pooling)config->pooling;
        job->finish = config->normalizes != 0;
    }
    job->prompt = kenc_prompt_text(model, prompt);
    return run_job(model, job, err);
}

kith_status kenc_encode(kenc_model *model, const kith_text *texts, size_t n_texts,
                        kith_pooling pooling, kith_prompt prompt, float *vectors,
                        uint32_t *n_dropped, kith_error *err)
{
    encode_job job = { .texts = texts,
                       .n_texts = n_texts,
                       .pooling = pooling,
                       .vectors = vectors,
                       .n_dropped = n_dropped };
    return run_pooled(model, &job, prompt, err);
}

kith_status kenc_encode_tokenized(kenc_model *model, const kith_tokens *texts,
                                  size_t n_texts, kith_pooling pooling, float *vectors,
                                  kith_error *err)
{
    encode_job job = {
        .tokenized = texts, .n_texts = n_texts, .pooling = pooling, .vectors = vectors
    };
    return run_pooled(model, &job, KITH_PROMPT_NONE, err);
}

kith_status kenc_score(kenc_model *model, const kith_text_pair *pairs, size_t n_pairs,
                       bool logits, float *scores, uint32_t *n_dropped, kith_error *err)
{
    const kenc_head *head = &model->kmodel.header->head;
    const encode_job job = { .pairs = pairs,
                             .n_texts = n_pairs,
                             .prompt = "",
                             .pooling = KITH_POOLING_POOLER,
                             .finish = !logits && head->has_sigmoid != 0,
                             .vectors = scores,
                             .n_dropped = n_dropped };
    if (head->n_labels == 0) {
        return kbase_fail(err, KITH_INVALID,
                          "model %s is no cross-encoder: it gives vectors "
                          "of texts and scores no pairs",
                          model->kmodel.header->name);
    }
    return run_job(model, &job, err);
}

kith_status kenc_encode_tokens(kenc_model *model, const kith_text *texts, size_t n_texts,
                               kith_token_vectors *out, kith_error *err)
{
    const encode_job job = { .texts = texts,
                             .n_texts = n_texts,
                             .prompt = "",
                             .pooling = KENC_NO_POOLING,
                             .tokens = out };
    for (size_t i = 0; i < n_texts; i++) {
        out[i] = (kith_token_vectors){ 0 };
    }
    kith_status status = run_job(model, &job, err);
    for (size_t i = 0; i < n_texts && status != KITH_OK; i++) {
        kenc_token_vectors_free(&out[i]);
    }
    return status;
}

void kenc_token_vectors_free(kith_token_vectors *tokens)
{
    free(tokens->tokens.ids);
    free(tokens->tokens.first);
    free(tokens->tokens.last);
    free(tokens->vectors);
    *tokens = (kith_token_vectors){ 0 };
}

kith_status kenc_encode_static(const kenc_model *model, const kith_text *texts,
                               size_t n_texts, bool drop_stopwords, float *vectors,
                               size_t *n_pieces, kith_error *err)
{
    kith_status status = check_process(model, err);
    return status != KITH_OK
               ? status
               : kenc_static_vectors(&model->kmodel, texts, n_texts, drop_stopwords,
                                     vectors, n_pieces, err);
}
