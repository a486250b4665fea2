/* Vectors without context: averages of word embeddings. */
#ifndef KENC_STATIC_VECTORS_H
#define KENC_STATIC_VECTORS_H

#include "kmodel.h"

/* As kith_model_encode_static(). Each embedding is compared with its checksum. */
kith_status kenc_static_vectors(const kenc_kmodel *kmodel, const kith_text *texts,
                                size_t n_texts, bool drop_stopwords, float *vectors,
                                size_t *n_pieces, kith_error *err);

#endif
