/* The public functions of a model: thin, over encoder/. */
#include <stdlib.h>
#include <string.h>

#include "collection.h"
#include "error.h"
#include "opts.h"

const char *kith_version(void)
{
    return "0.1.0";
}

const char *kith_kernels(void)
{
    return kenc_kernel_names();
}

kith_status kith_model_import(const char *dir, const char *name, const char *out_path,
                              const kith_model_import_opts *opts, kith_error *err)
{
    kith_model_import_opts complete = KITH_MODEL_IMPORT_OPTS_INIT;
    if (dir == NULL || name == NULL || out_path == NULL) {
        return kbase_fail(err, KITH_INVALID, "a folder, a name and a file are needed");
    }
    kith_status status = kith_take_opts(&complete, sizeof(complete), opts,
                                        "kith_model_import_opts", err);
    return status != KITH_OK ? status
                             : kenc_import(dir, name, out_path, &complete, err);
}

kith_status kith_model_open(const char *path, const kith_model_opts *opts, kith_model **out,
                            kith_error *err)
{
    kith_model_opts complete = KITH_MODEL_OPTS_INIT;
    if (path == NULL || out == NULL) {
        return kbase_fail(err, KITH_INVALID, "a model file is needed");
    }
    kith_status status = kith_take_opts(&complete, sizeof(complete), opts,
                                        "kith_model_opts", err);
    if (status != KITH_OK) {
        return status;
    }
    kith_model *model = calloc(1, sizeof(*model));
    if (model == NULL) {
        return kbase_fail_memory(err, sizeof(*model));
    }
    status = kenc_model_open(path, &complete, &model->encoder, err);
    if (status != KITH_OK) {
        free(model);
        return status;
    }
    kenc_model_get_info(model->encoder, &model->info);
    *out = model;
    return KITH_OK;
}

void kith_model_close(kith_model *model)
{
    if (model != NULL) {
        kenc_model_close(model->encoder);
        free(model);
    }
}

void kith_model_get_info(const kith_model *model, kith_model_info *info)
{
    *info = model->info;
}

kith_status kith_model_verify(const kith_model *model, kith_error *err)
{
    return kenc_model_verify(model->encoder, err);
}

kith_status kith_model_test(kith_model *model, kith_model_test_result *result,
                            kith_error *err)
{
    return kenc_model_test(model->encoder, result, err);
}

kith_status kith_model_encode(kith_model *model, const kith_text *texts, size_t n_texts,
                              const kith_encode_opts *opts, float *vectors,
                              uint32_t *n_dropped, kith_error *err)
{
    kith_encode_opts complete = KITH_ENCODE_OPTS_INIT;
    kith_status status = kith_take_opts(&complete, sizeof(complete), opts,
                                        "kith_encode_opts", err);
    return status != KITH_OK ? status
                             : kenc_encode(model->encoder, texts, n_texts,
                                           complete.pooling, complete.prompt, vectors,
                                           n_dropped, err);
}

kith_status kith_model_encode_tokenized(kith_model *model, const kith_tokens *texts,
                                        size_t n_texts, const kith_encode_opts *opts,
                                        float *vectors, kith_error *err)
{
    kith_encode_opts complete = KITH_ENCODE_OPTS_INIT;
    kith_status status = kith_take_opts(&complete, sizeof(complete), opts,
                                        "kith_encode_opts", err);
    if (status == KITH_OK && complete.prompt != KITH_PROMPT_NONE) {
        return kbase_fail(err, KITH_INVALID, "a prompt cannot be put before tokens");
    }
    return status != KITH_OK ? status
                             : kenc_encode_tokenized(model->encoder, texts, n_texts,
                                                     complete.pooling, vectors, err);
}

kith_status kith_model_score(kith_model *model, const kith_text_pair *pairs,
                             size_t n_pairs, const kith_score_opts *opts, float *scores,
                             uint32_t *n_dropped, kith_error *err)
{
    kith_score_opts complete = KITH_SCORE_OPTS_INIT;
    kith_status status = kith_take_opts(&complete, sizeof(complete), opts,
                                        "kith_score_opts", err);
    return status != KITH_OK ? status
                             : kenc_score(model->encoder, pairs, n_pairs,
                                          complete.logits, scores, n_dropped, err);
}

kith_status kith_model_encode_tokens(kith_model *model, const kith_text *texts,
                                     size_t n_texts, kith_token_vectors *tokens,
                                     kith_error *err)
{
    return kenc_encode_tokens(model->encoder, texts, n_texts, tokens, err);
}

void kith_token_vectors_free(kith_token_vectors *tokens)
{
    if (tokens != NULL) {
        kenc_token_vectors_free(tokens);
    }
}

kith_status kith_model_encode_word(kith_model *model, const kith_text *texts,
                                   size_t n_texts, kith_text word, kith_word_vectors *out,
                                   kith_error *err)
{
    return kenc_encode_word(model->encoder, texts, n_texts, word, out, err);
}

void kith_word_vectors_free(kith_word_vectors *word)
{
    if (word != NULL) {
        kenc_word_vectors_free(word);
    }
}

kith_status kith_model_encode_static(const kith_model *model, const kith_text *texts,
                                     size_t n_texts, bool drop_stopwords, float *vectors,
                                     size_t *n_pieces, kith_error *err)
{
    return kenc_encode_static(model->encoder, texts, n_texts, drop_stopwords, vectors,
                              n_pieces, err);
}

kith_status kith_model_tokenize(const kith_model *model, kith_text text, bool truncate,
                                kith_tokens *tokens, kith_error *err)
{
    kenc_token_list list = { 0 };
    kith_status status = kenc_tokenize(kenc_model_tokenizer(model->encoder), text.data,
                                       text.n_bytes, truncate ? model->info.max_tokens : 0,
                                       &list, err);
    if (status != KITH_OK) {
        kenc_token_list_free(&list);
        return status;
    }
    *tokens = (kith_tokens){ list.n_tokens, list.ids, list.first, list.last,
                             list.n_dropped };
    return KITH_OK;
}

void kith_tokens_free(kith_tokens *tokens)
{
    if (tokens != NULL) {
        free(tokens->ids);
        free(tokens->first);
        free(tokens->last);
        *tokens = (kith_tokens){ 0 };
    }
}

kith_text kith_model_token(const kith_model *model, uint32_t id)
{
    const kenc_vocabulary *vocabulary = &kenc_model_tokenizer(model->encoder)->vocabulary;
    if (id >= vocabulary->n_tokens) {
        return (kith_text){ "", 0 };
    }
    return (kith_text){ vocabulary->bytes + vocabulary->offsets[id],
                        vocabulary->offsets[id + 1] - vocabulary->offsets[id] };
}
