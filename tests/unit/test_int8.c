/* encoder/kernels/int8_steps.h: exact sums at the ends of the range, and the bits of the
 * portable kernels from every set. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "forward_kernels.h"
#include "memory.h"
#include "support.h"

#define ROWS 13
#define GROUP 192
#define N_GROUPS 2
#define K (GROUP * N_GROUPS)
#define N 112

/* Sets of kernels that this CPU can run. */
static const kenc_kernels *kernels_of(int isa, const char **name)
{
    kith_error error;
    kbase_isa chosen;
    *name = kbase_isa_name((kbase_isa)isa);
    if (kbase_isa_choose(*name, &chosen, &error) != KITH_OK) {
        print_message("# %s: not compared\n", error.message);
        return NULL;
    }
    return kenc_kernels_for(chosen);
}

typedef struct linear_case {
    uint8_t bytes[ROWS * K];
    kenc_range ranges[ROWS * N_GROUPS];
    int8_t w[N * K];
    float scale[N], sums[N_GROUPS * N], bias[N];
} linear_case;

static void fill(linear_case *c, int pattern)
{
    uint32_t seed = 1;
    for (size_t i = 0; i < ROWS * K; i++) {
        seed = seed * 1664525u + 1013904223u;
        c->bytes[i] = pattern == 2 ? (uint8_t)(seed >> 24) : 255;
    }
    for (size_t i = 0; i < N * K; i++) {
        seed = seed * 1664525u + 1013904223u;
        c->w[i] = pattern == 0 ? 127 : pattern == 1 ? -127 : (int8_t)(seed >> 24);
    }
    for (size_t i = 0; i < ROWS * N_GROUPS; i++) {
        c->ranges[i] = (kenc_range){ 0.5f + (float)i, -3.0f };
    }
    for (size_t i = 0; i < N; i++) {
        c->scale[i] = 0.25f;
        c->bias[i] = (float)i;
    }
    for (size_t i = 0; i < N_GROUPS * N; i++) {
        c->sums[i] = (float)i - 50.0f;
    }
}

static float naive(const linear_case *c, size_t row, size_t n)
{
    float out = 0.0f;
    for (size_t g = 0; g < N_GROUPS; g++) {
        const kenc_range *range = &c->ranges[row * N_GROUPS + g];
        int64_t sum = 0;
        for (size_t k = g * GROUP; k < (g + 1) * GROUP; k++) {
            size_t at = n / 16 * 16 * K + k / 4 * 64 + n % 16 * 4 + k % 4;
            sum += c->bytes[row * K + k] * c->w[at];
        }
        out = fmaf(range->low, c->sums[g * N + n], out);
        out = fmaf((float)sum, range->scale, out);
    }
    return fmaf(out, c->scale[n], c->bias[n]);
}

static void sums_are_exact_at_the_ends_of_the_range(void **state)
{
    (void)state;
    linear_case *c = kbase_alloc_aligned(sizeof(*c), 1);
    float *out = kbase_alloc_aligned(ROWS * N, sizeof(*out));
    const kenc_linear8 linear = { K, N, c->w, c->scale, c->sums, c->bias, NULL };
    const kenc_bytes in = { c->bytes, K, GROUP, N_GROUPS, c->ranges };
    for (int pattern = 0; pattern < 3; pattern++) {
        fill(c, pattern);
        for (int isa = 0; isa < KBASE_ISA_COUNT; isa++) {
            const char *name;
            const kenc_kernels *kernels = kernels_of(isa, &name);
            if (kernels == NULL) {
                continue;
            }
            kernels->linear8(&in, ROWS, &linear, 0, N, out, N);
            for (size_t i = 0; i < ROWS * N; i++) {
                float expected = naive(c, i / N, i % N);
                if (memcmp(&out[i], &expected, sizeof(expected)) != 0) {
                    fail_msg("%s: row %zu, column %zu is %.9g instead of %.9g", name, i / N,
                             i % N, (double)out[i], (double)expected);
                }
            }
        }
    }
    free(out);
    free(c);
}

/* A row whose values lie in a range of 255 steps comes back within half a step. */
static void quantized_rows_stand_for_the_values(void **state)
{
    (void)state;
    float *x = kbase_alloc_aligned(K, sizeof(*x));
    uint8_t bytes[K];
    kenc_range ranges[N_GROUPS];
    const kenc_bytes out = { bytes, K, GROUP, N_GROUPS, ranges };
    const char *name;
    for (int pattern = 0; pattern < 3; pattern++) {
        for (size_t i = 0; i < K; i++) {
            x[i] = pattern == 0 ? 0.0f : pattern == 1 ? -7.25f : sinf((float)i) * 3.0f + 1.0f;
        }
        for (int isa = 0; isa < KBASE_ISA_COUNT; isa++) {
            const kenc_kernels *kernels = kernels_of(isa, &name);
            if (kernels == NULL) {
                continue;
            }
            memset(bytes, 1, sizeof(bytes));
            kernels->quantize(x, K, 1, KENC_ACTIVATION_NONE, NULL, &out, 0, N_GROUPS);
            for (size_t i = 0; i < K; i++) {
                const kenc_range *range = &ranges[i / GROUP];
                double back = (double)range->low + (double)range->scale * bytes[i];
                assert_true(fabs(back - (double)x[i]) <= (double)range->scale * 0.5001);
            }
        }
    }
    free(x);
}

static double plain_attention(const float *qkv, size_t m, size_t head, size_t row, size_t col)
{
    double sum = 0.0, out = 0.0;
    for (size_t j = 0; j < m; j++) {
        double score = 0.0;
        for (size_t d = 0; d < head; d++) {
            score += (double)qkv[row * 3 * head + d] *
                     (double)qkv[j * 3 * head + head + d];
        }
        double e = exp2(score);
        sum += e;
        out += e * (double)qkv[j * 3 * head + 2 * head + col];
    }
    return out / sum;
}

static void attention_is_near_to_the_plain_formula(void **state)
{
    (void)state;
    static const size_t lengths[] = { 1, 2, 3, 15, 16, 17, 33, 100 };
    const size_t head = 32;
    float *qkv = kbase_alloc_aligned(100 * 3 * head, sizeof(*qkv));
    float *first = kbase_alloc_aligned(100 * head, sizeof(*first));
    float *out = kbase_alloc_aligned(100 * head, sizeof(*out));
    void *scratch = kbase_alloc_aligned(kenc_attention8_scratch(100, head), 1);
    for (size_t i = 0; i < 100 * 3 * head; i++) {
        qkv[i] = sinf((float)i * 0.7f) * cosf((float)i * 0.013f);
    }
    for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
        const size_t m = lengths[l];
        for (int isa = 0; isa < KBASE_ISA_COUNT; isa++) {
            const char *name;
            const kenc_kernels *kernels = kernels_of(isa, &name);
            if (kernels == NULL) {
                continue;
            }
            kernels->attention8(qkv, 3 * head, head, m, 1, head, scratch,
                                isa == 0 ? first : out, head);
            assert_memory_equal(isa == 0 ? first : out, first, m * head * sizeof(*out));
        }
        for (size_t i = 0; i < m * head; i++) {
            double exact = plain_attention(qkv, m, head, i / head, i % head);
            assert_true(fabs((double)first[i] - exact) < 0.02);
        }
    }
    free(scratch);
    free(out);
    free(first);
    free(qkv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_exact_at_the_ends_of_the_range),
        cmocka_unit_test(quantized_rows_stand_for_the_values),
        cmocka_unit_test(attention_is_near_to_the_plain_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
