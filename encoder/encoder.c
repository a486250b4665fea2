/* Opening a model and telling about it. */
#include "encoder_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "self_test.h"

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

const char *kenc_prompt_text(const kenc_model *model, kith_prompt prompt)
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
        const char *text = kenc_prompt_text(model, (kith_prompt)i);
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
