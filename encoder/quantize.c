/* The recipe of the int8 weights, with smoothing after Xiao et al., "SmoothQuant: Accurate
 * and Efficient Post-Training Quantization for Large Language Models": a column of inputs
 * with a wide range takes precision from the others of its row, so it is divided by a
 * factor and the weights of that column are multiplied by it. docs/architecture.md tells
 * what each step is worth. */
#include "quantize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "forward.h"
#include "sample_texts.h"

#define LOG2_E 1.44269504088896340736
#define N_CLIPS 11
#define CLIP_STEP 0.03f

typedef struct calibration {
    const kenc_kmodel *kmodel;
    float *memory; /* what the others point into */
    float *largest[KENC_MAX_LAYERS][KENC_LINEAR_COUNT]; /* magnitude of each input column */
} calibration;

static kith_status new_calibration(calibration *c, const kenc_kmodel *kmodel,
                                   kith_error *err)
{
    const uint32_t n_layers = kmodel->header->config.n_layers;
    *c = (calibration){ .kmodel = kmodel };
    size_t n = 0;
    for (kenc_linear l = 0; l < KENC_LINEAR_COUNT; l++) {
        n += n_layers * kenc_linear_k(&kmodel->shape, l);
    }
    c->memory = kbase_calloc(n, sizeof(*c->memory));
    if (c->memory == NULL) {
        return kbase_fail_memory(err, n * sizeof(*c->memory));
    }
    float *at = c->memory;
    for (uint32_t i = 0; i < n_layers; i++) {
        for (kenc_linear l = 0; l < KENC_LINEAR_COUNT; l++) {
            c->largest[i][l] = at;
            at += kenc_linear_k(&kmodel->shape, l);
        }
    }
    return KITH_OK;
}

static void note_input(void *context, uint32_t layer, kenc_linear linear, const float *rows,
                       size_t m)
{
    calibration *c = context;
    float *largest = c->largest[layer][linear];
    const size_t k = kenc_linear_k(&c->kmodel->shape, linear);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < k; j++) {
            float x = fabsf(rows[i * k + j]);
            largest[j] = x > largest[j] ? x : largest[j];
        }
    }
}

static kith_status calibrate(calibration *c, kith_error *err)
{
    const kenc_observer observer = { note_input, c };
    kenc_token_list list = { 0 };
    kenc_token_list other = { 0 };
    size_t n_second;
    kenc_workspace workspace = KENC_WORKSPACE_INIT;
    kbase_isa isa;
    kith_status status = kbase_isa_choose(NULL, &isa, err);
    float *vector = kbase_calloc(c->kmodel->dim, sizeof(*vector));
    if (status == KITH_OK && vector == NULL) {
        status = kbase_fail_memory(err, c->kmodel->dim * sizeof(*vector));
    }
    unsigned former = kbase_fpenv_enter();
    for (size_t i = 0; i < kenc_n_sample_texts && status == KITH_OK; i++) {
        const char *text = kenc_sample_texts[i];
        const char *next = kenc_sample_texts[(i + 1) % kenc_n_sample_texts];
        status = kenc_kmodel_tokenize(c->kmodel, (kith_text){ text, strlen(text) },
                                      (kith_text){ next, strlen(next) }, &list, &other,
                                      &n_second, err);
        if (status == KITH_OK) {
            status = kenc_workspace_reserve(&workspace, c->kmodel, list.n_tokens, err);
        }
        if (status == KITH_OK) {
            const kenc_sequence sequence = { list.ids, list.n_tokens, vector,
                                             n_second };
            kenc_forward(c->kmodel, kenc_kernels_for(isa), KITH_PRECISION_FP32, &workspace,
                         &sequence, 1, KITH_POOLING_MEAN, false, &observer);
        }
    }
    kbase_fpenv_leave(former);
    kenc_workspace_free(&workspace);
    kenc_token_list_free(&other);
    kenc_token_list_free(&list);
    free(vector);
    return status;
}

/* ------------------------------------------------------------------ weights */

/* Factors of the weights of one linear layer on their way to bytes. */
typedef struct rescaling {
    float *inputs;  /* [k] smoothing */
    float *outputs; /* [n] */
} rescaling;

/* Where element (k, n) lies among the packed floats and the packed bytes. */
static size_t float_at(size_t k, size_t n, size_t n_inputs)
{
    return n / KENC_PANEL * n_inputs * KENC_PANEL + k * KENC_PANEL + n % KENC_PANEL;
}

static size_t byte_at(size_t k, size_t n, size_t n_inputs)
{
    return n / KENC_PANEL * n_inputs * KENC_PANEL + k / 4 * 4 * KENC_PANEL +
           n % KENC_PANEL * 4 + k % 4;
}

/* sqrt(largest input / largest weight) of each column; 1 for a column of zeros. */
static void choose_smoothing(const float *inputs, const float *w, size_t k, size_t n,
                             float *factors)
{
    for (size_t i = 0; i < k; i++) {
        float largest = 0.0f;
        for (size_t j = 0; j < n; j++) {
            float x = fabsf(w[float_at(i, j, k)]);
            largest = x > largest ? x : largest;
        }
        bool is_used = inputs[i] > 0.0f && largest > 0.0f;
        factors[i] = is_used ? sqrtf(inputs[i]) / sqrtf(largest) : 1.0f;
    }
}

static int32_t to_byte(float w, float inverse)
{
    float q = rintf(w * inverse);
    return (int32_t)(q > 127.0f ? 127.0f : q < -127.0f ? -127.0f : q);
}

/* The step of a channel: of some clipped ranges that with the least squared error. */
static float choose_step(const float *w, size_t k)
{
    float largest = 0.0f;
    for (size_t i = 0; i < k; i++) {
        float x = fabsf(w[i]);
        largest = x > largest ? x : largest;
    }
    float best_step = 0.0f;
    double best = INFINITY;
    for (int clip = 0; clip < N_CLIPS && largest > 0.0f; clip++) {
        float step = largest * (1.0f - CLIP_STEP * (float)clip) / 127.0f;
        float inverse = 1.0f / step;
        double error = 0.0;
        for (size_t i = 0; i < k; i++) {
            double d = (double)w[i] - (double)((float)to_byte(w[i], inverse) * step);
            error += d * d;
        }
        if (error < best) {
            best = error;
            best_step = step;
        }
    }
    return best_step;
}

/* Writable views of what a kenc_linear8 of the section points to. */
typedef struct linear8_target {
    int8_t *w;
    float *scale, *sums, *bias, *smooth;
} linear8_target;

static linear8_target target_of(const kenc_linear8 *linear, unsigned char *section)
{
    const void *const parts[] = { linear->w, linear->scale, linear->sums, linear->bias,
                                  linear->smooth };
    void *views[5] = { NULL };
    for (size_t i = 0; i < 5; i++) {
        const unsigned char *part = parts[i];
        if (part != NULL) {
            views[i] = section + (part - section);
        }
    }
    return (linear8_target){ views[0], views[1], views[2], views[3], views[4] };
}

static void quantize_channel(const kenc_linear8 *linear, const linear8_target *target,
                             size_t n, const float *column)
{
    const size_t group = kenc_group(linear->k);
    float step = choose_step(column, linear->k);
    float inverse = step > 0.0f ? 1.0f / step : 0.0f;
    target->scale[n] = step;
    for (size_t first = 0; first < linear->k; first += group) {
        int32_t sum = 0;
        for (size_t i = first; i < first + group; i++) {
            int32_t q = to_byte(column[i], inverse);
            target->w[byte_at(i, n, linear->k)] = (int8_t)q;
            sum += q;
        }
        target->sums[first / group * linear->n + n] = (float)sum;
    }
}

static kith_status quantize_linear(const kenc_linear_weights *from,
                                   const kenc_linear8 *linear, const rescaling *factors,
                                   unsigned char *section, kith_error *err)
{
    const linear8_target target = target_of(linear, section);
    const size_t k = linear->k;
    float *column = kbase_calloc(k, sizeof(*column));
    if (column == NULL) {
        return kbase_fail_memory(err, k * sizeof(*column));
    }
    for (size_t i = 0; i < k && target.smooth != NULL; i++) {
        target.smooth[i] = 1.0f / factors->inputs[i];
    }
    for (size_t n = 0; n < linear->n; n++) {
        for (size_t i = 0; i < k; i++) {
            column[i] = from->w[float_at(i, n, k)] * factors->inputs[i] *
                        factors->outputs[n];
        }
        quantize_channel(linear, &target, n, column);
        target.bias[n] = from->bias[n] * factors->outputs[n];
    }
    free(column);
    return KITH_OK;
}

/* The four linear layers of a layer; `scratch` holds k + n factors of the widest. */
static kith_status quantize_layer(const calibration *c, uint32_t index, float *context,
                                  float *scratch, unsigned char *section, kith_error *err)
{
    const kenc_kmodel *kmodel = c->kmodel;
    const kenc_shape *shape = &kmodel->shape;
    const kenc_layer *layer = &kmodel->weights.layers[index];
    const size_t part = shape->attention;
    const double head = (double)(shape->hidden / kmodel->header->config.n_heads);
    const float query = (float)(LOG2_E / sqrt(head));
    choose_smoothing(c->largest[index][KENC_LINEAR_OUTPUT],
                     layer->fp32[KENC_LINEAR_OUTPUT].w, part, shape->width, context);
    kith_status status = KITH_OK;
    for (kenc_linear l = 0; l < KENC_LINEAR_COUNT && status == KITH_OK; l++) {
        const size_t k = kenc_linear_k(shape, l);
        const size_t n = kenc_linear_n(shape, l);
        const bool is_chosen = l == KENC_LINEAR_OUTPUT;
        const rescaling factors = { is_chosen ? context : scratch, scratch + k };
        if (!is_chosen) {
            choose_smoothing(c->largest[index][l], layer->fp32[l].w, k, n, factors.inputs);
        }
        for (size_t i = 0; i < n; i++) {
            factors.outputs[i] = 1.0f;
        }
        if (l == KENC_LINEAR_QKV) {
            /* A score becomes a power of 2; values come smoothed for OUTPUT. */
            for (size_t i = 0; i < part; i++) {
                factors.outputs[i] = query;
                factors.outputs[2 * part + i] = 1.0f / context[i];
            }
        }
        status = quantize_linear(&layer->fp32[l], &layer->int8[l], &factors, section, err);
    }
    return status;
}

kith_status kenc_quantize(const kenc_kmodel *kmodel, unsigned char *section,
                          kith_error *err)
{
    const kenc_shape *shape = &kmodel->shape;
    const size_t n_factors = shape->attention +
                             2 * (3 * shape->attention + shape->intermediate + shape->width);
    calibration c;
    kith_status status = new_calibration(&c, kmodel, err);
    if (status != KITH_OK) {
        return status;
    }
    float *factors = kbase_calloc(n_factors, sizeof(*factors));
    if (factors == NULL) {
        status = kbase_fail_memory(err, n_factors * sizeof(*factors));
    }
    if (status == KITH_OK) {
        status = calibrate(&c, err);
    }
    for (uint32_t i = 0; i < kmodel->header->config.n_layers && status == KITH_OK; i++) {
        status = quantize_layer(&c, i, factors, factors + shape->attention, section, err);
    }
    free(factors);
    free(c.memory);
    return status;
}
