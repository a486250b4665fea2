#include "rows_fixture.h"

#include <math.h>
#include <stdlib.h>

static uint64_t random_state;

float next_random(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(random_state >> 32) / 2147483648.0f;
}

data make_data(uint64_t n_rows, uint32_t dim, size_t n_queries)
{
    data d = { .rows = { .dim = dim, .n_rows = n_rows } };
    d.rows.stride = (dim + 31) / 32 * 32;
    d.halves = kbase_calloc((size_t)n_rows * d.rows.stride, sizeof(*d.halves));
    d.queries = kbase_calloc(n_queries * dim, sizeof(*d.queries));
    d.dead = kbase_calloc((size_t)n_rows / 64 + 1, sizeof(*d.dead));
    float *numbers = kbase_calloc(dim, sizeof(*numbers));
    assert_true(d.halves != NULL && d.queries != NULL && numbers != NULL);
    for (uint64_t i = 0; i < n_rows; i++) {
        for (uint32_t j = 0; j < dim; j++) {
            numbers[j] = next_random();
        }
        kidx_f16_from_f32(KBASE_ISA_PORTABLE, numbers, dim,
                          d.halves + i * d.rows.stride);
    }
    for (size_t i = 0; i < n_queries * dim; i++) {
        d.queries[i] = next_random() / sqrtf((float)dim / 3);
    }
    free(numbers);
    d.rows.data = d.halves;
    return d;
}

void free_data(data *d)
{
    free(d->halves);
    free(d->queries);
    free(d->dead);
}

kbase_isa best_isa(void)
{
    kbase_isa isa;
    assert_int_equal(kbase_isa_choose(NULL, &isa, NULL), KITH_OK);
    return isa;
}

int next_isa(int isa)
{
    for (isa++; isa < KBASE_ISA_COUNT; isa++) {
        kbase_isa found;
        if (kbase_isa_choose(kbase_isa_name((kbase_isa)isa), &found, NULL) == KITH_OK) {
            return isa;
        }
    }
    return -1;
}
