#include "tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "memory.h"

void kenc_tensors_close(kenc_tensors *tensors)
{
    kenc_safetensors_close(&tensors->file);
    free(tensors->floats);
    *tensors = (kenc_tensors)KENC_TENSORS_INIT;
}

const kenc_tensor *kenc_tensors_find(const kenc_tensors *tensors, const char *name)
{
    char prefixed[160];
    const kenc_tensor *tensor = kenc_safetensors_find(&tensors->file, name);
    if (tensor == NULL) {
        snprintf(prefixed, sizeof(prefixed), "%s%s", tensors->prefix, name);
        tensor = kenc_safetensors_find(&tensors->file, prefixed);
    }
    return tensor;
}

static kith_status fail_shape(const kenc_tensors *tensors, const char *name,
                              const kenc_tensor *tensor, size_t rows, size_t columns,
                              kith_error *err)
{
    char found[KENC_MAX_RANK * 24] = "";
    char wanted[64];
    for (uint32_t i = 0; i < tensor->rank; i++) {
        const size_t n = strlen(found);
        snprintf(found + n, sizeof(found) - n, "%s%llu", i > 0 ? ", " : "",
                 (unsigned long long)tensor->shape[i]);
    }
    if (rows > 0) {
        snprintf(wanted, sizeof(wanted), "[%zu, %zu]", rows, columns);
    } else {
        snprintf(wanted, sizeof(wanted), "[%zu]", columns);
    }
    return kbase_fail(err, KITH_INVALID,
                      "%s: tensor \"%s\" has not the shape %s that "
                      "config.json asks for, but [%s]",
                      tensors->file.path, name, wanted, found);
}

kith_status kenc_tensors_load(kenc_tensors *tensors, const char *name, size_t rows,
                              size_t columns, kith_error *err)
{
    const kenc_tensor *tensor = kenc_tensors_find(tensors, name);
    if (tensor == NULL) {
        return kbase_fail(err, KITH_INVALID, "%s: there is no tensor \"%s\"",
                          tensors->file.path, name);
    }
    bool fits = rows == 0 ? tensor->rank == 1 && tensor->shape[0] == columns
                          : tensor->rank == 2 && tensor->shape[0] == rows &&
                                tensor->shape[1] == columns;
    if (!fits) {
        return fail_shape(tensors, name, tensor, rows, columns, err);
    }
    if (tensor->n_elements > tensors->capacity) {
        float *more = kbase_realloc(tensors->floats, tensor->n_elements, sizeof(float));
        if (more == NULL) {
            return kbase_fail_memory(err, tensor->n_elements * sizeof(float));
        }
        tensors->floats = more;
        tensors->capacity = tensor->n_elements;
    }
    return kenc_tensor_to_f32(tensor, tensors->floats, err);
}

/* Where column i of an unpadded width lies when every head is padded. head 0: no heads.
 */
static size_t spread(size_t i, size_t head, size_t padded)
{
    return head == 0 ? i : i / head * padded + i % head;
}

kith_status kenc_tensors_linear(kenc_tensors *tensors, const kenc_linear_source *source,
                                const kenc_linear_weights *target, kith_error *err)
{
    float *w = (float *)target->w; /* of a section that an import fills */
    float *bias = (float *)target->bias;
    char name[128];
    snprintf(name, sizeof(name), "%s.weight", source->name);
    kith_status status = kenc_tensors_load(tensors, name, source->n, source->k, err);
    if (status != KITH_OK) {
        return status;
    }
    for (size_t i = 0; i < source->n; i++) {
        size_t n = source->first_n + spread(i, source->heads_n, source->head);
        float *panel =
            w + n / KENC_PANEL * source->packed_k * KENC_PANEL + n % KENC_PANEL;
        for (size_t j = 0; j < source->k; j++) {
            panel[spread(j, source->heads_k, source->head) * KENC_PANEL] =
                tensors->floats[i * source->k + j];
        }
    }
    if (source->has_no_bias) {
        return KITH_OK;
    }
    snprintf(name, sizeof(name), "%s.bias", source->name);
    status = kenc_tensors_load(tensors, name, 0, source->n, err);
    for (size_t i = 0; i < source->n && status == KITH_OK; i++) {
        bias[source->first_n + spread(i, source->heads_n, source->head)] =
            tensors->floats[i];
    }
    return status;
}

kith_status kenc_tensors_norm(kenc_tensors *tensors, const char *name, size_t width,
                              const kenc_norm_weights *target, kith_error *err)
{
    char part[128];
    float *const arrays[] = { (float *)target->gamma, (float *)target->beta };
    for (size_t i = 0; i < 2; i++) {
        snprintf(part, sizeof(part), "%s.%s", name, i == 0 ? "weight" : "bias");
        kith_status status = kenc_tensors_load(tensors, part, 0, width, err);
        if (status != KITH_OK) {
            return status;
        }
        memcpy(arrays[i], tensors->floats, width * sizeof(float));
    }
    return KITH_OK;
}
