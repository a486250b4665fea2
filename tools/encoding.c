#include "encoding.h"

#include "cli.h"

int encoding_check(const usage *use, const encoding *how)
{
    if ((how->pooling >= 0) + (how->word != NULL) + how->has_tokens + how->is_static > 1) {
        return usage_error(use, "%s exclude each other",
                           how->has_tokens ? "--tokens, --word, --static and --pooling"
                                           : "--word, --static and --pooling");
    }
    if (how->prompt != KITH_PROMPT_NONE &&
        (how->word != NULL || how->has_tokens || how->is_static)) {
        return usage_error(use, "--prompt is for the vector of a text");
    }
    if (how->drops_stopwords && !how->is_static) {
        return usage_error(use, "--drop-stopwords needs --static: the model reads "
                                "every word");
    }
    return GO_ON;
}

uint32_t encoding_width(const encoding *how, const kith_model_info *info)
{
    const bool is_pooled = how->word == NULL && !how->has_tokens && !how->is_static;
    return is_pooled ? info->dim : info->hidden;
}

kith_status encoding_make(const encoding *how, kith_model *model, const kith_text *texts,
                          size_t n_texts, float *vectors, uint32_t *n_dropped,
                          size_t *n_pieces, kith_error *err)
{
    kith_encode_opts opts = KITH_ENCODE_OPTS_INIT;
    opts.pooling = (kith_pooling)(how->pooling + 1);
    opts.prompt = (kith_prompt)how->prompt;
    for (size_t i = 0; i < n_texts; i++) {
        n_dropped[i] = 0;
        n_pieces[i] = 1; /* [CLS] at least */
    }
    return how->is_static ? kith_model_encode_static(model, texts, n_texts,
                                                     how->drops_stopwords, vectors,
                                                     n_pieces, err)
                          : kith_model_encode(model, texts, n_texts, &opts, vectors,
                                              n_dropped, err);
}
