/* Tensors of a model.safetensors file on their way to packed weights. */
#ifndef KENC_TENSORS_H
#define KENC_TENSORS_H

#include "kmodel.h"
#include "safetensors.h"

typedef struct kenc_tensors {
    kenc_safetensors file;
    const char
        *prefix; /* that names may have, as they do in a model with a classifier */
    float *floats;      /* of the tensor that was loaded last */
    size_t capacity;
} kenc_tensors;

#define KENC_TENSORS_INIT { KENC_SAFETENSORS_INIT, "", NULL, 0 }

void kenc_tensors_close(kenc_tensors *tensors);

/* NULL when there is no tensor of this name, with or without the prefix. */
const kenc_tensor *kenc_tensors_find(const kenc_tensors *tensors, const char *name);

/* The tensor [rows, columns] (rows 0: [columns]) as tensors->floats. KITH_INVALID (not
 * there, another shape), KITH_CORRUPT, KITH_NOMEM. */
kith_status kenc_tensors_load(kenc_tensors *tensors, const char *name, size_t rows,
                              size_t columns, kith_error *err);

/* A linear layer of the reference, weight [n, k] and bias [n], becomes packed weights:
 * its outputs from column `first_n` on. */
typedef struct kenc_linear_source {
    char name[96]; /* without ".weight" */
    size_t n, k;
    size_t first_n;
    size_t heads_n, heads_k; /* the true head width where that side consists of heads */
    size_t head;             /* and the padded one; else 0 */
    size_t packed_k;
    bool has_no_bias;
} kenc_linear_source;

/* target points into a section of zeros, which is filled. As kenc_tensors_load(). */
kith_status kenc_tensors_linear(kenc_tensors *tensors, const kenc_linear_source *source,
                                const kenc_linear_weights *target, kith_error *err);

/* A layer norm: `name`.weight and .bias. As kenc_tensors_linear(). */
kith_status kenc_tensors_norm(kenc_tensors *tensors, const char *name, size_t width,
                              const kenc_norm_weights *target, kith_error *err);

#endif
