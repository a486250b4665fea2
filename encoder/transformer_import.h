/* The weights of a Transformer module: those of its layers, its pooler and, of a
 * cross-encoder, its classifier. Its embeddings are import.c's. */
#ifndef KENC_TRANSFORMER_IMPORT_H
#define KENC_TRANSFORMER_IMPORT_H

#include "tensors.h"

/* What the names of a class's tensors begin with where there is something around it. */
const char *kenc_transformer_prefix(const kenc_head *head);

/* Fill in what `weights` points to, which are sections of zeros: norms, linear layers
 * for fp32, pooler and classifier. KITH_INVALID (a tensor is not there or has another
 * shape), KITH_CORRUPT, KITH_NOMEM. */
kith_status kenc_transformer_import(kenc_tensors *tensors, const kenc_config *config,
                                    const kenc_head *head, const kenc_weights *weights,
                                    kith_error *err);

#endif
