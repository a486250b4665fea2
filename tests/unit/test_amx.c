/* encoder/kernels/amx.c gives the bits of the portable kernels for every number of rows
 * and touches nothing outside its arguments: with its tile instructions in C on any CPU
 * with AVX-512 VNNI, and with real ones where there are any. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu.h"
#include "emulated_tiles.h"
#include "encoder.h"
#include "forward.h"
#include "support.h"

#define MOST_ROWS 210

emulated_tiles tiles;
extern const kenc_kernels kenc_kernels_emulated_amx; /* amx.c, compiled once more */

static uint32_t next_random(void)
{
    static uint32_t seed = 1;
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

/* Memory whose last byte is followed by a page that must not be touched. */
typedef struct guarded {
    void *data;
    void *pages;
    size_t n_bytes; /* of all pages */
} guarded;

static guarded guarded_new(size_t n_bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t before = (n_bytes + page - 1) / page * page;
    guarded g = { .n_bytes = before + page };
    g.pages = mmap(NULL, g.n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
    assert_true(g.pages != MAP_FAILED);
    assert_int_equal(mprotect((uint8_t *)g.pages + before, page, PROT_NONE), 0);
    g.data = (uint8_t *)g.pages + before - n_bytes;
    return g;
}

static void guarded_free(guarded *g)
{
    munmap(g->pages, g->n_bytes);
}

static guarded random_floats(size_t n)
{
    guarded g = guarded_new(n * sizeof(float));
    float *values = g.data;
    for (size_t i = 0; i < n; i++) {
        values[i] = (float)next_random() * 0x1p-20f - 7.0f;
    }
    return g;
}

/* The largest magnitudes for the first of each, then anything. */
static guarded random_bytes(size_t n, size_t n_first, int first)
{
    guarded g = guarded_new(n);
    uint8_t *bytes = g.data;
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(i < n_first ? (uint32_t)first : next_random());
    }
    return g;
}

/* Some columns of a linear layer. */
typedef struct columns {
    size_t k, n, column, n_columns;
} columns;

static void multiply(const kenc_kernels *kernels, const columns *c, size_t m,
                     const kenc_bytes *in, const kenc_linear8 *linear, size_t ldo,
                     float *out)
{
    memset(out, 0xab, ((m - 1) * ldo + c->n_columns) * sizeof(*out));
    kernels->linear8(in, m, linear, c->column, c->n_columns, out, ldo);
    assert_false(tiles.are_configured);
}

static void compare_rows(const columns *c, size_t m, const kenc_linear8 *linear)
{
    const size_t group = kenc_group(c->k);
    const size_t ldo = c->n_columns + 16;
    const size_t n_out = (m - 1) * ldo + c->n_columns;
    guarded bytes = random_bytes(m * c->k, c->k, 255);
    guarded ranges = random_floats(m * (c->k / group) * 2);
    guarded expected = guarded_new(n_out * sizeof(float));
    guarded out = guarded_new(n_out * sizeof(float));
    const kenc_bytes in = { bytes.data, c->k, group, c->k / group, ranges.data };
    kith_error error;
    kbase_isa isa;
    multiply(&kenc_kernels_portable, c, m, &in, linear, ldo, expected.data);
    const size_t before = tiles.n_products;
    multiply(&kenc_kernels_emulated_amx, c, m, &in, linear, ldo, out.data);
    assert_true(tiles.n_products - before >= c->k / 64 * (c->n_columns / 16));
    if (memcmp(out.data, expected.data, n_out * sizeof(float)) != 0) {
        fail_msg("%zu rows, %zu columns of input: other bits", m, c->k);
    }
    if (kbase_isa_choose("amx", &isa, &error) == KITH_OK) {
        multiply(kenc_kernels_for(isa), c, m, &in, linear, ldo, out.data);
        if (memcmp(out.data, expected.data, n_out * sizeof(float)) != 0) {
            fail_msg("%zu rows, %zu columns of input: other bits from AMX", m, c->k);
        }
    }
    guarded_free(&out);
    guarded_free(&expected);
    guarded_free(&ranges);
    guarded_free(&bytes);
}

static void compare_columns(const columns *c, const size_t *rows, size_t n_rows)
{
    guarded w = random_bytes(c->n * c->k, c->k * KENC_PANEL, -128);
    guarded scale = random_floats(c->n);
    guarded sums = random_floats(c->k / kenc_group(c->k) * c->n);
    guarded bias = random_floats(c->n);
    const kenc_linear8 linear = { c->k,      c->n,      w.data, scale.data,
                                  sums.data, bias.data, NULL };
    for (size_t i = 0; i < n_rows; i++) {
        compare_rows(c, rows[i], &linear);
    }
    guarded_free(&bias);
    guarded_free(&sums);
    guarded_free(&scale);
    guarded_free(&w);
}

/* Says on which kernels a test runs; skips it where the CPU lacks what all need. */
static void announce_kernels(void)
{
    kith_error error;
    kbase_isa isa;
    if (kbase_isa_choose("avx512vnni", &isa, &error) != KITH_OK) {
        skip_because("%s", error.message);
    }
    if (kbase_isa_choose("amx", &isa, &error) != KITH_OK) {
        print_message("# %s: only its emulation is compared\n", error.message);
    }
}

static void every_number_of_rows_gives_the_same_bits(void **state)
{
    (void)state;
    /* Groups of 64 to 384 columns, 1 to 5 of them; an odd number of panels. */
    static const size_t widths[] = { 64, 128, 192, 256, 320, 384, 1280, 1536 };
    size_t rows[MOST_ROWS];
    announce_kernels();
    for (size_t i = 0; i < MOST_ROWS; i++) {
        rows[i] = i + 1;
    }
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        compare_columns(&(columns){ widths[i], 64, 16, 48 }, rows, 70);
    }
    compare_columns(&(columns){ 384, 48, 0, 48 }, rows, MOST_ROWS);
}

/* Those of all-MiniLM-L6-v2: queries, keys and values; output; a group of up; down. */
static void the_layers_of_a_model_give_the_same_bits(void **state)
{
    (void)state;
    static const columns layers[] = { { 384, 1152, 0, 1152 },
                                      { 384, 384, 0, 384 },
                                      { 384, 1536, 1152, 384 },
                                      { 1536, 384, 0, 384 } };
    static const size_t rows[] = { 2, 16, 31, 192 };
    announce_kernels();
    for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
        compare_columns(&layers[i], rows, sizeof(rows) / sizeof(rows[0]));
    }
}

static void the_whole_pass_gives_the_same_bits(void **state)
{
    (void)state;
    enum { TEXTS = 10, TOKENS = 1 + 2 + 3 + 13 + 16 + 17 + 32 + 33 + 49 + 64 };
    static const size_t lengths[TEXTS] = { 1, 2, 3, 13, 16, 17, 32, 33, 49, 64 };
    announce_kernels();
    kith_error error;
    char *folder = make_temp_folder();
    char *path = format("%s/tiny.kmodel", folder);
    kenc_kmodel kmodel;
    kenc_workspace workspace = KENC_WORKSPACE_INIT;
    assert_ok(kenc_import("tests/golden/tiny-model", "tiny", path, NULL, &error));
    assert_ok(kenc_kmodel_open(path, KITH_PRECISION_INT8, &kmodel, &error));
    assert_ok(kenc_workspace_reserve(&workspace, &kmodel, TOKENS, &error));
    const size_t hidden = kmodel.shape.hidden;
    float *vectors = calloc(2 * TEXTS * hidden, sizeof(*vectors));
    uint32_t ids[64];
    for (size_t i = 0; i < 64; i++) {
        ids[i] = (uint32_t)(i * 7919 % 400);
    }
    const kenc_kernels *const kernels[] = { &kenc_kernels_portable,
                                            &kenc_kernels_emulated_amx };
    for (size_t s = 0; s < 2; s++) {
        kenc_sequence sequences[TEXTS];
        for (size_t i = 0; i < TEXTS; i++) {
            sequences[i] = (kenc_sequence){ ids, lengths[i],
                                            vectors + (s * TEXTS + i) * hidden, 0 };
        }
        kenc_forward(&kmodel, kernels[s], KITH_PRECISION_INT8, &workspace, sequences,
                     TEXTS, KITH_POOLING_MEAN, true, NULL);
    }
    assert_true(vectors[0] != 0.0f);
    assert_memory_equal(vectors, vectors + TEXTS * hidden,
                        TEXTS * hidden * sizeof(*vectors));
    free(vectors);
    kenc_workspace_free(&workspace);
    kenc_kmodel_close(&kmodel);
    remove_tree(folder);
    free(path);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_of_rows_gives_the_same_bits),
        cmocka_unit_test(the_layers_of_a_model_give_the_same_bits),
        cmocka_unit_test(the_whole_pass_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
