#include "encoder.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "forward.h"
#include "kmodel.h"
#include "self_test.h"
#include "static_vectors.h"
#include "threads.h"
#include "tiles.h"

/* Tokens of the texts that are tokenized before they are encoded: bounds the memory. */
#define GROUP_TOKENS 65536

struct kenc_model {
    kenc_kmodel kmodel;
    kith_precision precision;
    kbase_isa isa;
    const kenc_kernels *kernels;
    char fingerprint[33];
    char *sources; /* NUL-terminated */
    size_t prompt_tokens[KITH_PROMPT_PASSAGE + 1]; /* by kith_prompt */
    pid_t pid;
    pthread_mutex_t mutex; /* guards what follows */
    kbase_pool *pool;
    kenc_workspace *workspaces; /* one a worker */
    kenc_token_list list;
    kenc_token_list other; /* of the second text of a pair */
    kbase_buffer prompted; /* a text with its prompt */
    uint64_t *checked_words; /* bit i: the embedding of word i was found undamaged */
    uint32_t *ids; /* of the texts of a group, one after the other */
    size_t ids_capacity;
    kenc_sequence *sequences;
    size_t sequences_capacity;
};

/* What one call encodes: texts or pairs. */
typedef struct encode_job {
    const kith_text *texts;
    const kith_text_pair *pairs; /* NULL: texts */
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

const kenc_kernels *kenc_kernels_for(kbase_isa isa)
{
    switch (isa) {
#if defined(__x86_64__)
    case KBASE_ISA_AVX2:
        return &kenc_kernels_avx2;
    case KBASE_ISA_AVXVNNI:
        return &kenc_kernels_avxvnni;
    case KBASE_ISA_AVX512:
        return &kenc_kernels_avx512;
    case KBASE_ISA_AVX512VNNI:
        return &kenc_kernels_avx512vnni;
    case KBASE_ISA_AMX:
        return &kenc_kernels_amx;
#endif
    default:
        return &kenc_kernels_portable;
    }
}

static char kernel_names[16 * KBASE_ISA_COUNT];

static void list_kernels(void)
{
    kbase_isa isa;
    for (int i = 0; i < KBASE_ISA_COUNT; i++) {
        const char *name = kbase_isa_name((kbase_isa)i);
        if (kbase_isa_choose(name, &isa, NULL) == KITH_OK) {
            const size_t n = strlen(kernel_names);
            snprintf(kernel_names + n, sizeof(kernel_names) - n, "%s%s", n > 0 ? " " : "",
                     name);
        }
    }
}

const char *kenc_kernel_names(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, list_kernels);
    return kernel_names;
}

static kith_status copy_sources(kenc_model *model, kith_error *err)
{
    const kenc_section_entry *entry =
        &model->kmodel.header->sections[KENC_SECTION_SOURCES];
    model->sources = strndup((const char *)model->kmodel.map.data + entry->offset,
                             entry->n_bytes);
    return model->sources != NULL ? KITH_OK : kbase_fail_memory(err, entry->n_bytes + 1);
}

static const char *prompt_text(const kenc_model *model, kith_prompt prompt)
{
    return prompt == KITH_PROMPT_QUERY     ? model->kmodel.query_prompt
           : prompt == KITH_PROMPT_PASSAGE ? model->kmodel.passage_prompt
                                           : "";
}

static kith_status measure_prompts(kenc_model *model, kith_error *err)
{
    kith_status status = KITH_OK;
    for (int i = KITH_PROMPT_QUERY; i <= KITH_PROMPT_PASSAGE && status == KITH_OK;
         i++) {
        const char *text = prompt_text(model, (kith_prompt)i);
        status = kenc_tokenize(&model->kmodel.tokenizer, text, strlen(text), 0,
                               &model->list, err);
        model->prompt_tokens[i] = model->list.n_tokens - 2;
    }
    return status;
}

kith_status kenc_model_open(const char *path, const kith_model_opts *opts,
                            kenc_model **out, kith_error *err)
{
    if ((unsigned)opts->precision > KITH_PRECISION_INT8) {
        return kbase_fail(err, KITH_INVALID, "there is no precision %d",
                          (int)opts->precision);
    }
    kenc_model *model = calloc(1, sizeof(*model));
    if (model == NULL) {
        return kbase_fail_memory(err, sizeof(*model));
    }
    model->pid = getpid();
    model->precision = opts->precision == KITH_PRECISION_FP32 ? KITH_PRECISION_FP32
                                                              : KITH_PRECISION_INT8;
    pthread_mutex_init(&model->mutex, NULL);
    kith_status status = kbase_isa_choose(opts->cpu, &model->isa, err);
    if (status == KITH_OK) {
        model->kernels = kenc_kernels_for(model->isa);
        status = kenc_kmodel_open(path, model->precision, &model->kmodel, err);
    }
    if (status == KITH_OK) {
        status = copy_sources(model, err);
    }
    if (status == KITH_OK) {
        status = measure_prompts(model, err);
    }
    if (status == KITH_OK) {
        status = kbase_pool_new(opts->n_threads, &model->pool, err);
    }
    if (status == KITH_OK) {
        const uint32_t n_words = model->kmodel.header->config.vocabulary;
        kenc_fingerprint(&model->kmodel, model->precision, model->fingerprint);
        model->checked_words = kbase_calloc(n_words / 64 + 1,
                                            sizeof(*model->checked_words));
        model->workspaces = kbase_calloc(kbase_pool_size(model->pool),
                                         sizeof(*model->workspaces));
        if (model->workspaces == NULL || model->checked_words == NULL) {
            status = kbase_fail_memory(err, n_words / 8);
        }
    }
    if (status != KITH_OK) {
        kenc_model_close(model);
        return status;
    }
    *out = model;
    return KITH_OK;
}

void kenc_model_close(kenc_model *model)
{
    if (model == NULL) {
        return;
    }
    for (unsigned i = 0; model->workspaces != NULL && i < kbase_pool_size(model->pool);
         i++) {
        kenc_workspace_free(&model->workspaces[i]);
    }
    free(model->workspaces);
    if (model->pid == getpid()) {
        kbase_pool_free(model->pool);
    }
    kbase_buffer_free(&model->prompted);
    kenc_token_list_free(&model->other);
    kenc_token_list_free(&model->list);
    free(model->checked_words);
    free(model->ids);
    free(model->sequences);
    free(model->sources);
    kenc_kmodel_close(&model->kmodel);
    pthread_mutex_destroy(&model->mutex);
    free(model);
}

void kenc_model_get_info(const kenc_model *model, kith_model_info *info)
{
    const kenc_header *header = model->kmodel.header;
    const kenc_config *config = &header->config;
    *info = (kith_model_info){
        .name = header->name,
        .kernels = kbase_isa_name(model->isa),
        .fingerprint = model->fingerprint,
        .dim = header->head.n_labels > 0 ? 0 : (uint32_t)model->kmodel.dim,
        .max_tokens = config->max_tokens,
        .n_layers = config->n_layers,
        .n_heads = config->n_heads,
        .hidden = config->hidden,
        .intermediate = config->intermediate,
        .vocabulary = model->kmodel.tokenizer.vocabulary.n_tokens,
        .pooling = (kith_pooling)config->pooling,
        .precision = model->precision,
        .normalizes = config->normalizes != 0,
        .has_pooler = config->has_pooler != 0,
        .lowercases = header->rules.lowercase != 0,
        .file_bytes = header->file_bytes,
        .sources = model->sources,
        .model_class = header->head.class == KENC_CLASS_BERT ? "bert" : "distilbert",
        .n_dense = header->head.n_dense,
        .query_prompt = model->kmodel.query_prompt,
        .passage_prompt = model->kmodel.passage_prompt,
        .n_labels = header->head.n_labels,
        .has_sigmoid = header->head.has_sigmoid != 0,
    };
}

kith_status kenc_model_verify(const kenc_model *model, kith_error *err)
{
    for (int i = 0; i < KENC_SECTION_COUNT; i++) {
        kith_status status = kenc_kmodel_check_section(&model->kmodel, (kenc_section)i, err);
        if (status != KITH_OK) {
            return status;
        }
    }
    return KITH_OK;
}

kith_status kenc_model_test(kenc_model *model, kith_model_test_result *result,
                            kith_error *err)
{
    return kenc_self_test_run(model, &model->kmodel, result, err);
}

const kenc_tokenizer *kenc_model_tokenizer(const kenc_model *model)
{
    return &model->kmodel.tokenizer;
}

size_t kenc_model_prompt_tokens(const kenc_model *model, kith_prompt prompt)
{
    return model->prompt_tokens[prompt];
}

kith_status kenc_model_check_encodes(const kenc_model *model, kith_error *err)
{
    const kenc_header *header = model->kmodel.header;
    return header->head.n_labels == 0
               ? KITH_OK
               : kbase_fail(err, KITH_INVALID,
                            "model %s is a cross-encoder: it scores pairs "
                            "of texts and gives no vectors; take an encoder",
                            header->name);
}

/* The words of the present token list are undamaged: each is looked at once. */
static kith_status check_words(kenc_model *model, kith_error *err)
{
    for (size_t i = 0; i < model->list.n_tokens; i++) {
        uint32_t id = model->list.ids[i];
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

/* Append the present token list to the group's ids. */
static kith_status keep_ids(kenc_model *model, size_t n_ids, kith_error *err)
{
    size_t n = model->list.n_tokens;
    if (n_ids + n > model->ids_capacity) {
        size_t capacity = GROUP_TOKENS + model->kmodel.header->config.max_tokens;
        uint32_t *ids = kbase_realloc(model->ids, capacity, sizeof(*ids));
        if (ids == NULL) {
            return kbase_fail_memory(err, capacity * sizeof(*ids));
        }
        model->ids = ids;
        model->ids_capacity = capacity;
    }
    memcpy(model->ids + n_ids, model->list.ids, n * sizeof(*model->ids));
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

/* Copy the present token list, with room for the vectors of its tokens. */
static kith_status keep_tokens(const kenc_model *model, kith_token_vectors *out,
                               kith_error *err)
{
    const kenc_token_list *list = &model->list;
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

/* Where the forward pass puts what it makes of a text, whose token list is the present
 * one. */
static kith_status prepare_output(const kenc_model *model, const encode_job *job,
                                  size_t text, float **vector, kith_error *err)
{
    if (job->n_dropped != NULL) {
        job->n_dropped[text] = (uint32_t)model->list.n_dropped;
    }
    if (job->pooling != KENC_NO_POOLING) {
        *vector = job->vectors + text * model->kmodel.dim;
        return KITH_OK;
    }
    kith_status status = keep_tokens(model, &job->tokens[text], err);
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

/* The tokens of one text, or pair, into the model's list. */
static kith_status tokenize(kenc_model *model, const encode_job *job, size_t index,
                            size_t *n_second, kith_error *err)
{
    kith_text_pair pair = { { NULL, 0 }, { NULL, 0 } };
    if (job->pairs != NULL) {
        pair = job->pairs[index];
    } else {
        pair.first = job->texts[index];
    }
    kith_status status = put_prompt(model, job->prompt, &pair.first, err);
    return status != KITH_OK
               ? status
               : kenc_kmodel_tokenize(&model->kmodel, pair.first, pair.second,
                                      &model->list, &model->other, n_second, err);
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
        kith_status status = tokenize(model, job, first + n, &n_second, err);
        if (status == KITH_OK) {
            status = check_words(model, err);
        }
        if (status == KITH_OK) {
            status = keep_ids(model, *n_ids, err);
        }
        if (status == KITH_OK) {
            status = reserve_sequences(model, n + 1 > 1024 ? GROUP_TOKENS : 1024, err);
        }
        if (status == KITH_OK) {
            status = prepare_output(model, job, first + n, &vector, err);
        }
        if (status != KITH_OK) {
            return status;
        }
        model->sequences[n] =
            (kenc_sequence){ NULL, model->list.n_tokens, vector, n_second };
        *n_ids += model->list.n_tokens;
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

kith_status kenc_encode(kenc_model *model, const kith_text *texts, size_t n_texts,
                        kith_pooling pooling, kith_prompt prompt, float *vectors,
                        uint32_t *n_dropped, kith_error *err)
{
    const kenc_config *config = &model->kmodel.header->config;
    encode_job job = { .texts = texts,
                       .n_texts = n_texts,
                       .prompt = prompt_text(model, prompt),
                       .pooling = pooling,
                       .vectors = vectors,
                       .n_dropped = n_dropped };
    kith_status status = kenc_model_check_encodes(model, err);
    if (status != KITH_OK) {
        return status;
    }
    if ((unsigned)pooling > KITH_POOLING_POOLER ||
        (unsigned)prompt > KITH_PROMPT_PASSAGE) {
        return kbase_fail(err, KITH_INVALID, "there is no pooling %d or no prompt %d",
                          (int)pooling, (int)prompt);
    }
    if (pooling == KITH_POOLING_POOLER && config->has_pooler == 0) {
        return kbase_fail(err, KITH_INVALID, "model %s has no pooler",
                          model->kmodel.header->name);
    }
    if (pooling == KITH_POOLING_DEFAULT) {
        job.pooling = (kith_pooling)config->pooling;
        job.finish = config->normalizes != 0;
    }
    return run_job(model, &job, err);
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
