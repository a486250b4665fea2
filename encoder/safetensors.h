/* Reader of .safetensors files, which come from strangers: every number in the header is
 * checked before it is used, and the tensors must tile the data without a gap. */
#ifndef KENC_SAFETENSORS_H
#define KENC_SAFETENSORS_H

#include "file.h"
#include "kith.h"

#define KENC_MAX_RANK 8

typedef enum kenc_dtype { KENC_F32, KENC_F16, KENC_BF16, KENC_I64 } kenc_dtype;

typedef struct kenc_tensor {
    char *name;
    kenc_dtype dtype;
    uint32_t rank;
    uint64_t shape[KENC_MAX_RANK];
    const unsigned char *data; /* into the map, not aligned */
    uint64_t n_elements;
    uint64_t offset; /* in the data part */
    uint64_t n_bytes;
} kenc_tensor;

typedef struct kenc_safetensors {
    char *path;
    kbase_map map;
    size_t n_tensors;
    kenc_tensor *tensors; /* by offset */
} kenc_safetensors;

#define KENC_SAFETENSORS_INIT { NULL, KBASE_MAP_INIT, 0, NULL }

/* Open and check the whole header. KITH_NOT_FOUND; KITH_CORRUPT (says which rule is
 * broken, and for which tensor); KITH_UNSUPPORTED (dtype); KITH_IO; KITH_NOMEM. */
kith_status kenc_safetensors_open(const char *path, kenc_safetensors *file,
                                  kith_error *err);
void kenc_safetensors_close(kenc_safetensors *file);

/* NULL when there is no such tensor. */
const kenc_tensor *kenc_safetensors_find(const kenc_safetensors *file, const char *name);

/* The tensor's elements as floats, into out[n_elements]. A NaN or an infinity is
 * KITH_CORRUPT. */
kith_status kenc_tensor_to_f32(const kenc_tensor *tensor, float *out, kith_error *err);

#endif
