/* Text to vector: what encoder/ offers to the rest of the library. */
#ifndef KENC_ENCODER_H
#define KENC_ENCODER_H

#include "kith.h"
#include "tokenizer.h"

typedef struct kenc_model kenc_model;

/* As kith_model_import(). */
kith_status kenc_import(const char *dir, const char *name, const char *out_path,
                        const kith_model_import_opts *opts, kith_error *err);

/* As kith_model_open(); opts has every field set. */
kith_status kenc_model_open(const char *path, const kith_model_opts *opts,
                            kenc_model **model, kith_error *err);
void kenc_model_close(kenc_model *model);
void kenc_model_get_info(const kenc_model *model, kith_model_info *info);
kith_status kenc_model_verify(const kenc_model *model, kith_error *err);
/* As kith_model_test(). */
kith_status kenc_model_test(kenc_model *model, kith_model_test_result *result,
                            kith_error *err);
/* As kith_kernels(). */
const char *kenc_kernel_names(void);
const kenc_tokenizer *kenc_model_tokenizer(const kenc_model *model);

/* How many tokens a prompt takes from the text that it is put before. */
size_t kenc_model_prompt_tokens(const kenc_model *model, kith_prompt prompt);

/* KITH_INVALID for a cross-encoder, whatever it is wanted for. */
kith_status kenc_model_check_encodes(const kenc_model *model, kith_error *err);

/* As kith_model_encode(). Calls on one model wait for each other. */
kith_status kenc_encode(kenc_model *model, const kith_text *texts, size_t n_texts,
                        kith_pooling pooling, kith_prompt prompt, float *vectors,
                        uint32_t *n_dropped, kith_error *err);

/* As kith_model_encode_tokenized(). */
kith_status kenc_encode_tokenized(kenc_model *model, const kith_tokens *texts,
                                  size_t n_texts, kith_pooling pooling, float *vectors,
                                  kith_error *err);

/* As kith_model_score(). */
kith_status kenc_score(kenc_model *model, const kith_text_pair *pairs, size_t n_pairs,
                       bool logits, float *scores, uint32_t *n_dropped,
                       kith_error *err);

/* As kith_model_encode_tokens(), _word() and _static(); out[n_texts] is all zeros after a
 * failure. */
kith_status kenc_encode_tokens(kenc_model *model, const kith_text *texts, size_t n_texts,
                               kith_token_vectors *out, kith_error *err);
kith_status kenc_encode_word(kenc_model *model, const kith_text *texts, size_t n_texts,
                             kith_text word, kith_word_vectors *out, kith_error *err);
kith_status kenc_encode_static(const kenc_model *model, const kith_text *texts,
                               size_t n_texts, bool drop_stopwords, float *vectors,
                               size_t *n_pieces, kith_error *err);
void kenc_token_vectors_free(kith_token_vectors *tokens);
void kenc_word_vectors_free(kith_word_vectors *word);

#endif
