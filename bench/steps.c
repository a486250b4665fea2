/* Microseconds a token of each step of the forward pass, one thread, the least of many
 * passes: what to look at before making one faster. Each function of a kernel table is
 * wrapped in a clock.
 *
 *   ninja -C build bench/steps && build/bench/steps MODEL.kmodel [fp32|int8] [KERNELS]
 *       [TOKENS A TEXT] [TOKENS A TILE] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu.h"
#include "forward.h"
#include "memory.h"

#define SECONDS 1.5

enum {
    LINEAR_QKV,
    LINEAR_OUTPUT,
    LINEAR_UP,
    LINEAR_DOWN,
    QUANTIZE_NARROW,
    QUANTIZE_ACTIVATION,
    ADD_NORM,
    ATTENTION,
    EMBED,
    POOL,
    N_STEPS
};

static const char *const names[] = { "linear: queries, keys, values",
                                     "linear: attention output",
                                     "linear: up",
                                     "linear: down",
                                     "quantize",
                                     "activation and quantize",
                                     "add and layer norm",
                                     "attention",
                                     "embedding",
                                     "pooling" };

static const kenc_kernels *real;
static const kenc_kmodel *kmodel;
static double spent[N_STEPS + 1]; /* and in all */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int linear_step(size_t k, size_t n)
{
    return k == kmodel->shape.intermediate        ? LINEAR_DOWN
           : n == 3 * kmodel->shape.attention     ? LINEAR_QKV
           : n == kmodel->shape.intermediate      ? LINEAR_UP
                                                  : LINEAR_OUTPUT;
}

#define TIMED(step, call) \
    double start = now(); \
    call; \
    spent[step] += now() - start

static void linear(const float *a, size_t lda, size_t m, size_t k, size_t n, const float *w,
                   const float *bias, kenc_activation activation, float *out, size_t ldo)
{
    TIMED(linear_step(k, n),
          real->linear(a, lda, m, k, n, w, bias, activation, out, ldo));
}

static void linear8(const kenc_bytes *a, size_t m, const kenc_linear8 *w, size_t column,
                    size_t n, float *out, size_t ldo)
{
    TIMED(linear_step(w->k, w->n), real->linear8(a, m, w, column, n, out, ldo));
}

static void quantize(const float *x, size_t ldx, size_t m, kenc_activation activation,
                     const float *smooth, const kenc_bytes *out, size_t first_group,
                     size_t n_groups)
{
    TIMED(activation == KENC_ACTIVATION_NONE ? QUANTIZE_NARROW : QUANTIZE_ACTIVATION,
          real->quantize(x, ldx, m, activation, smooth, out, first_group, n_groups));
}

static void add_norm(float *x, const float *y, size_t m, size_t width, size_t padded,
                     const float *gamma, const float *beta, float epsilon)
{
    TIMED(ADD_NORM, real->add_norm(x, y, m, width, padded, gamma, beta, epsilon));
}

static void embed(const uint32_t *ids, size_t m, size_t padded, const float *words,
                  const float *positions, float *out)
{
    TIMED(EMBED, real->embed(ids, m, padded, words, positions, out));
}

static void attention(const float *qkv, size_t ldq, size_t part, size_t m, size_t n_heads,
                      size_t head, float scale, float *scratch, float *out, size_t ldo)
{
    TIMED(ATTENTION,
          real->attention(qkv, ldq, part, m, n_heads, head, scale, scratch, out, ldo));
}

static void attention8(const float *qkv, size_t ldq, size_t part, size_t m, size_t n_heads,
                       size_t head, void *scratch, float *out, size_t ldo)
{
    TIMED(ATTENTION, real->attention8(qkv, ldq, part, m, n_heads, head, scratch, out, ldo));
}

static void pool_mean(const float *x, size_t m, size_t padded, float *out)
{
    TIMED(POOL, real->mean(x, m, padded, out));
}

static void fail(const char *message)
{
    fprintf(stderr, "steps: %s\n", message);
    exit(1);
}

int main(int argc, char **argv)
{
    kith_error err;
    kenc_kmodel model;
    kbase_isa isa;
    const bool is_fp32 = argc > 2 && strcmp(argv[2], "fp32") == 0;
    const kith_precision precision = is_fp32 ? KITH_PRECISION_FP32 : KITH_PRECISION_INT8;
    const size_t length = argc > 4 ? strtoul(argv[4], NULL, 10) : 16;
    const size_t tile = argc > 5 ? strtoul(argv[5], NULL, 10) : 192;
    if (argc < 2 || length < 1 || length > 256 || tile < length) {
        fail("usage: steps MODEL.kmodel [fp32|int8] [KERNELS] [TOKENS A TEXT] "
             "[TOKENS A TILE]");
    }
    if (kbase_isa_choose(argc > 3 ? argv[3] : NULL, &isa, &err) != KITH_OK ||
        kenc_kmodel_open(argv[1], precision, &model, &err) != KITH_OK) {
        fail(err.message);
    }
    real = kenc_kernels_for(isa);
    kmodel = &model;
    kenc_kernels timed = *real;
    timed.linear = linear;
    timed.linear8 = linear8;
    timed.quantize = quantize;
    timed.add_norm = add_norm;
    timed.embed = embed;
    timed.attention = attention;
    timed.attention8 = attention8;
    timed.mean = pool_mean;

    const size_t n = tile / length;
    kenc_workspace workspace = KENC_WORKSPACE_INIT;
    kenc_sequence *sequences = kbase_calloc(n, sizeof(*sequences));
    uint32_t *ids = kbase_calloc(n * length, sizeof(*ids));
    float *vectors = kbase_calloc(n, model.shape.hidden * sizeof(*vectors));
    if (sequences == NULL || ids == NULL || vectors == NULL ||
        kenc_workspace_reserve(&workspace, &model, n * length, &err) != KITH_OK) {
        fail("out of memory");
    }
    for (size_t i = 0; i < n * length; i++) {
        ids[i] = (uint32_t)(1000 + i * 7919 % 20000);
    }
    for (size_t i = 0; i < n; i++) {
        sequences[i] = (kenc_sequence){ ids + i * length, length,
                                        vectors + i * model.shape.hidden, 0 };
    }
    kbase_fpenv_enter();
    double least[N_STEPS + 1];
    double begin = now();
    for (size_t run = 0; run < 3 || now() - begin < SECONDS; run++) {
        memset(spent, 0, sizeof(spent));
        double start = now();
        kenc_forward(&model, &timed, precision, &workspace, sequences, n,
                     KITH_POOLING_MEAN, true, NULL);
        spent[N_STEPS] = now() - start;
        for (size_t i = 0; i <= N_STEPS; i++) {
            least[i] = run == 0 || spent[i] < least[i] ? spent[i] : least[i];
        }
    }
    const double tokens = (double)(n * length);
    printf("%s, %s, texts of %zu tokens, tiles of %zu, one thread\n", kbase_isa_name(isa),
           is_fp32 ? "fp32" : "int8", length, n * length);
    for (size_t i = 0; i < N_STEPS; i++) {
        printf("%-32s %7.2f us a token\n", names[i], 1e6 * least[i] / tokens);
    }
    printf("%-32s %7.2f us a token = %.0f tokens/s\n", "all",
           1e6 * least[N_STEPS] / tokens, tokens / least[N_STEPS]);
    free(vectors);
    free(ids);
    free(sequences);
    kenc_workspace_free(&workspace);
    kenc_kmodel_close(&model);
    return 0;
}
