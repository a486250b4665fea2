#include "safetensors.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "error.h"

#define LENGTH_BYTES 8
#define MAX_HEADER_BYTES ((uint64_t)1 << 20)
#define MAX_DEPTH 8

static const struct {
    const char *name;
    kenc_dtype dtype;
    uint32_t n_bytes;
} dtypes[] = {
    { "F32", KENC_F32, 4 },
    { "F16", KENC_F16, 2 },
    { "BF16", KENC_BF16, 2 },
    { "I64", KENC_I64, 8 }, /* position_ids; never read as weights */
};

/* Jansson bounds depth at 2,048; a header needs 4. Strings are skipped. */
static bool is_shallow(const char *json, size_t n_bytes)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < n_bytes; i++) {
        char c = json[i];
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if ((c == '{' || c == '[') && ++depth > MAX_DEPTH) {
            return false;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

static kith_status fail_tensor(const kenc_safetensors *file, const char *name,
                               kith_status code, const char *what, kith_error *err)
{
    return kbase_fail(err, code, "%s: tensor \"%.100s\": %s", file->path, name, what);
}

static kith_status parse_dtype(const kenc_safetensors *file, const json_t *value,
                               kenc_tensor *tensor, uint32_t *n_bytes, kith_error *err)
{
    const char *name = json_string_value(value);
    for (size_t i = 0; name != NULL && i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            tensor->dtype = dtypes[i].dtype;
            *n_bytes = dtypes[i].n_bytes;
            return KITH_OK;
        }
    }
    return fail_tensor(file, tensor->name, KITH_UNSUPPORTED,
                       "its dtype is none of F32, F16, BF16, I64", err);
}

static kith_status parse_shape(const kenc_safetensors *file, const json_t *value,
                               kenc_tensor *tensor, kith_error *err)
{
    size_t rank = json_array_size(value);
    if (!json_is_array(value) || rank > KENC_MAX_RANK) {
        return fail_tensor(file, tensor->name, KITH_CORRUPT,
                           "its shape is no list of at most 8 numbers", err);
    }
    tensor->rank = (uint32_t)rank;
    tensor->n_elements = 1;
    for (size_t i = 0; i < rank; i++) {
        const json_t *dim = json_array_get(value, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0) {
            return fail_tensor(file, tensor->name, KITH_CORRUPT,
                               "its shape holds something else than a count", err);
        }
        tensor->shape[i] = (uint64_t)json_integer_value(dim);
        if (!kbase_mul64(&tensor->n_elements, tensor->n_elements, tensor->shape[i])) {
            return fail_tensor(file, tensor->name, KITH_CORRUPT, "its shape overflows", err);
        }
    }
    return KITH_OK;
}

static kith_status parse_offsets(const kenc_safetensors *file, const json_t *value,
                                 kenc_tensor *tensor, uint32_t element_bytes,
                                 kith_error *err)
{
    const json_t *first = json_array_get(value, 0);
    const json_t *last = json_array_get(value, 1);
    uint64_t wanted;
    if (json_array_size(value) != 2 || !json_is_integer(first) || !json_is_integer(last) ||
        json_integer_value(first) < 0 ||
        json_integer_value(last) < json_integer_value(first)) {
        return fail_tensor(file, tensor->name, KITH_CORRUPT,
                           "\"data_offsets\" are not two ascending numbers", err);
    }
    tensor->offset = (uint64_t)json_integer_value(first);
    tensor->n_bytes = (uint64_t)json_integer_value(last) - tensor->offset;
    if (!kbase_mul64(&wanted, tensor->n_elements, element_bytes) ||
        wanted != tensor->n_bytes) {
        return fail_tensor(file, tensor->name, KITH_CORRUPT,
                           "its length is not what its shape needs", err);
    }
    return KITH_OK;
}

static kith_status parse_tensor(const kenc_safetensors *file, const char *name,
                                const json_t *value, kenc_tensor *tensor, kith_error *err)
{
    tensor->name = strdup(name);
    if (tensor->name == NULL) {
        return kbase_fail_memory(err, strlen(name) + 1);
    }
    if (!json_is_object(value) || json_object_size(value) != 3) {
        return fail_tensor(file, name, KITH_CORRUPT,
                           "it has other keys than dtype, shape and data_offsets", err);
    }
    uint32_t element_bytes = 0;
    kith_status status = parse_dtype(file, json_object_get(value, "dtype"), tensor,
                                     &element_bytes, err);
    if (status == KITH_OK) {
        status = parse_shape(file, json_object_get(value, "shape"), tensor, err);
    }
    if (status == KITH_OK) {
        status = parse_offsets(file, json_object_get(value, "data_offsets"), tensor,
                               element_bytes, err);
    }
    return status;
}

static int compare_offsets(const void *a, const void *b)
{
    const kenc_tensor *x = a;
    const kenc_tensor *y = b;
    if (x->offset != y->offset) {
        return x->offset < y->offset ? -1 : 1;
    }
    return (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
}

/* No hole, no overlap, no byte behind the last tensor. */
static kith_status check_tiling(kenc_safetensors *file, const unsigned char *data,
                                uint64_t n_data, kith_error *err)
{
    uint64_t at = 0;
    qsort(file->tensors, file->n_tensors, sizeof(*file->tensors), compare_offsets);
    for (size_t i = 0; i < file->n_tensors; i++) {
        kenc_tensor *tensor = &file->tensors[i];
        if (tensor->offset != at) {
            return fail_tensor(file, tensor->name, KITH_CORRUPT,
                               "it does not begin where the one before it ends", err);
        }
        if (tensor->n_bytes > n_data - at) {
            return fail_tensor(file, tensor->name, KITH_CORRUPT,
                               "it ends behind the end of the file", err);
        }
        tensor->data = data + at;
        at += tensor->n_bytes;
    }
    if (at != n_data) {
        return kbase_fail(err, KITH_CORRUPT, "%s: %llu bytes behind the last tensor",
                          file->path, (unsigned long long)(n_data - at));
    }
    return KITH_OK;
}

static kith_status check_metadata(const kenc_safetensors *file, const json_t *metadata,
                                  kith_error *err)
{
    if (metadata == NULL) {
        return KITH_OK;
    }
    void *i = json_object_iter((json_t *)(uintptr_t)metadata);
    bool good = json_is_object(metadata);
    for (; good && i != NULL; i = json_object_iter_next((json_t *)(uintptr_t)metadata, i)) {
        good = json_is_string(json_object_iter_value(i));
    }
    return good ? KITH_OK
                : kbase_fail(err, KITH_CORRUPT,
                             "%s: \"__metadata__\" is no object of strings", file->path);
}

static kith_status parse_header(kenc_safetensors *file, json_t *root, kith_error *err)
{
    kith_status status = check_metadata(file, json_object_get(root, "__metadata__"), err);
    if (status != KITH_OK) {
        return status;
    }
    file->tensors = kbase_calloc(json_object_size(root), sizeof(*file->tensors));
    if (file->tensors == NULL) {
        return kbase_fail_memory(err, json_object_size(root) * sizeof(*file->tensors));
    }
    const char *name;
    json_t *value;
    json_object_foreach (root, name, value) {
        if (strcmp(name, "__metadata__") == 0) {
            continue;
        }
        file->n_tensors++;
        status = parse_tensor(file, name, value, &file->tensors[file->n_tensors - 1], err);
        if (status != KITH_OK) {
            return status;
        }
    }
    return KITH_OK;
}

static kith_status read_header(kenc_safetensors *file, kith_error *err)
{
    uint64_t n_header = 0;
    if (file->map.n_bytes < LENGTH_BYTES) {
        return kbase_fail(err, KITH_CORRUPT, "%s: too short for a safetensors file",
                          file->path);
    }
    memcpy(&n_header, file->map.data, LENGTH_BYTES);
    if (n_header > MAX_HEADER_BYTES || n_header > file->map.n_bytes - LENGTH_BYTES ||
        n_header < 2) {
        return kbase_fail(err, KITH_CORRUPT, "%s: a header of %llu bytes is not possible",
                          file->path, (unsigned long long)n_header);
    }
    const char *header = (const char *)file->map.data + LENGTH_BYTES;
    json_error_t problem;
    json_t *root = NULL;
    if (header[0] == '{' && is_shallow(header, (size_t)n_header)) {
        root = json_loadb(header, (size_t)n_header, JSON_REJECT_DUPLICATES, &problem);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return kbase_fail(err, KITH_CORRUPT, "%s: the header is no JSON object",
                          file->path);
    }
    kith_status status = parse_header(file, root, err);
    json_decref(root);
    if (status != KITH_OK) {
        return status;
    }
    size_t start = LENGTH_BYTES + (size_t)n_header;
    return check_tiling(file, file->map.data + start, file->map.n_bytes - start, err);
}

kith_status kenc_safetensors_open(const char *path, kenc_safetensors *out, kith_error *err)
{
    kbase_file file = KBASE_FILE_INIT;
    kith_status status = kbase_file_open(&file, path, O_RDONLY, 0, err);
    if (status != KITH_OK) {
        return status;
    }
    *out = (kenc_safetensors)KENC_SAFETENSORS_INIT;
    out->path = strdup(path);
    status = out->path != NULL ? kbase_map_file(&file, 0, &out->map, err)
                               : kbase_fail_memory(err, strlen(path) + 1);
    kbase_file_close(&file);
    if (status == KITH_OK) {
        status = read_header(out, err);
    }
    if (status != KITH_OK) {
        kenc_safetensors_close(out);
    }
    return status;
}

void kenc_safetensors_close(kenc_safetensors *file)
{
    for (size_t i = 0; i < file->n_tensors; i++) {
        free(file->tensors[i].name);
    }
    free(file->tensors);
    kbase_unmap(&file->map);
    free(file->path);
    *file = (kenc_safetensors)KENC_SAFETENSORS_INIT;
}

const kenc_tensor *kenc_safetensors_find(const kenc_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->n_tensors; i++) {
        if (strcmp(file->tensors[i].name, name) == 0) {
            return &file->tensors[i];
        }
    }
    return NULL;
}

static float f32_of_f16(uint16_t half)
{
    int exponent = (half >> 10) & 31;
    float fraction = (float)(half & 1023);
    float value = exponent == 31 ? (fraction != 0 ? NAN : INFINITY)
                  : exponent == 0
                      ? ldexpf(fraction, -24)
                      : ldexpf(fraction + 1024.0f, exponent - 25);
    return (half & 0x8000) != 0 ? -value : value;
}

static float element(const kenc_tensor *tensor, uint64_t i)
{
    uint32_t bits = 0;
    float value;
    switch (tensor->dtype) {
    case KENC_F32:
        memcpy(&bits, tensor->data + 4 * i, 4);
        break;
    case KENC_BF16:
        memcpy((unsigned char *)&bits + 2, tensor->data + 2 * i, 2);
        break;
    case KENC_F16:
        memcpy(&bits, tensor->data + 2 * i, 2);
        return f32_of_f16((uint16_t)bits);
    case KENC_I64:
        return NAN;
    }
    memcpy(&value, &bits, sizeof(value));
    return value;
}

kith_status kenc_tensor_to_f32(const kenc_tensor *tensor, float *out, kith_error *err)
{
    for (uint64_t i = 0; i < tensor->n_elements; i++) {
        out[i] = element(tensor, i);
        if (!isfinite(out[i])) {
            return kbase_fail(err, KITH_CORRUPT,
                              "tensor \"%.100s\": element %llu is not a finite number",
                              tensor->name, (unsigned long long)i);
        }
    }
    return KITH_OK;
}
