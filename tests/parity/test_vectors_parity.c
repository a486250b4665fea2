/* The real model against the reference library's vectors: our own golden texts
 * (tests/golden), and the large set in ../shared/data where that is at hand. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIM 384
#define TOLERANCE 2e-5
#define LEAST_COSINE 0.999999

static char *folder;
static char *kmodel; /* NULL: the model is not on this machine */

static int set_up(void **state)
{
    (void)state;
    kith_error error;
    char *source = real_model_folder();
    folder = make_temp_folder();
    if (source != NULL) {
        kmodel = format("%s/m.kmodel", folder);
        assert_ok(kith_model_import(source, "all-MiniLM-L6-v2", kmodel, NULL, &error));
    }
    free(source);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_tree(folder);
    free(kmodel);
    free(folder);
    return 0;
}

static kith_model *open_model_as(kith_precision precision, const char *cpu,
                                 unsigned n_threads)
{
    if (kmodel == NULL) {
        skip_because("the model is not here: run tools/setup model");
    }
    kith_error error;
    kith_model *model = NULL;
    kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    opts.precision = precision;
    opts.cpu = cpu;
    opts.n_threads = n_threads;
    assert_ok(kith_model_open(kmodel, &opts, &model, &error));
    return model;
}

static kith_model *open_model(const char *cpu, unsigned n_threads)
{
    return open_model_as(KITH_PRECISION_FP32, cpu, n_threads);
}

static float *encode(kith_model *model, const golden_text *texts, size_t n, size_t batch,
                     kith_pooling pooling)
{
    kith_error error;
    kith_encode_opts opts = KITH_ENCODE_OPTS_INIT;
    opts.pooling = pooling;
    float *vectors = calloc(n * DIM, sizeof(*vectors));
    kith_text *in = calloc(n, sizeof(*in));
    for (size_t i = 0; i < n; i++) {
        in[i] = (kith_text){ texts[i].text, texts[i].n_bytes };
    }
    for (size_t i = 0; i < n; i += batch) {
        size_t count = n - i < batch ? n - i : batch;
        assert_ok(kith_model_encode(model, in + i, count, &opts, vectors + i * DIM, NULL,
                                    &error));
    }
    free(in);
    return vectors;
}

/* Compare as many vectors as the file holds; print what was found. */
static void compare(const char *what, const float *vectors, const char *path,
                    size_t n_least)
{
    size_t n_bytes;
    float *expected = (float *)(void *)read_file(path, &n_bytes);
    size_t n = n_bytes / (DIM * sizeof(float));
    double largest = 0.0;
    double least = 1.0;
    assert_true(n >= n_least);
    for (size_t i = 0; i < n; i++) {
        double ab = 0.0, aa = 0.0, bb = 0.0;
        for (size_t j = i * DIM; j < (i + 1) * DIM; j++) {
            double a = (double)vectors[j], b = (double)expected[j];
            largest = fabs(a - b) > largest ? fabs(a - b) : largest;
            ab += a * b;
            aa += a * a;
            bb += b * b;
        }
        double cosine = ab / sqrt(aa * bb);
        least = cosine < least ? cosine : least;
    }
    print_message("# %s: %zu vectors, largest difference %.2g, least cosine %.9f\n", what,
                  n, largest, least);
    assert_true(largest <= TOLERANCE);
    assert_true(least >= LEAST_COSINE);
    free(expected);
}

static const struct {
    kith_pooling pooling;
    const char *own;
    size_t n_own;
    const char *shared;
    size_t n_shared;
} poolings[] = {
    { KITH_POOLING_DEFAULT, "vectors.f32", 150, "embeddings.f32", 1529 },
    { KITH_POOLING_MEAN, NULL, 0, "unnormalised.f32", 64 },
    { KITH_POOLING_CLS, "cls.f32", 8, "cls.f32", 8 },
    { KITH_POOLING_MAX, "max.f32", 8, "max.f32", 8 },
    { KITH_POOLING_POOLER, "pooler.f32", 8, "pooler.f32", 64 },
};

static void own_vectors_equal_the_reference(void **state)
{
    (void)state;
    kith_model *model = open_model(NULL, 2);
    size_t n;
    golden_text *texts = read_golden_texts("tests/golden/texts.jsonl", &n);
    for (size_t i = 0; i < sizeof(poolings) / sizeof(poolings[0]); i++) {
        if (poolings[i].own == NULL) {
            continue;
        }
        char *path = format("tests/golden/%s", poolings[i].own);
        float *vectors = encode(model, texts, n, n, poolings[i].pooling);
        compare(poolings[i].own, vectors, path, poolings[i].n_own);
        free(vectors);
        free(path);
    }
    free_golden_texts(texts, n);
    kith_model_close(model);
}

static void own_ids_equal_the_reference(void **state)
{
    (void)state;
    kith_error error;
    kith_model *model = open_model(NULL, 1);
    size_t n;
    golden_text *texts = read_golden_texts("tests/golden/texts.jsonl", &n);
    assert_true(n >= 150);
    for (size_t i = 0; i < n; i++) {
        kith_tokens tokens;
        assert_ok(kith_model_tokenize(model, (kith_text){ texts[i].text, texts[i].n_bytes },
                                      true, &tokens, &error));
        assert_int_equal(tokens.n_tokens, texts[i].n_ids);
        assert_memory_equal(tokens.ids, texts[i].ids, texts[i].n_ids * sizeof(uint32_t));
        kith_tokens_free(&tokens);
    }
    free_golden_texts(texts, n);
    kith_model_close(model);
}

static void shared_vectors_equal_the_reference(void **state)
{
    (void)state;
    char *path = shared_data_path("golden/minilm-l6/embeddings.jsonl");
    if (path == NULL) {
        skip_because("../shared/data/golden is not here");
    }
    kith_model *model = open_model(NULL, 2);
    size_t n;
    golden_text *texts = read_golden_texts(path, &n);
    for (size_t i = 0; i < sizeof(poolings) / sizeof(poolings[0]); i++) {
        char *name = format("golden/minilm-l6/%s", poolings[i].shared);
        char *expected = shared_data_path(name);
        float *vectors = encode(model, texts, n, n, poolings[i].pooling);
        compare(poolings[i].shared, vectors, expected, poolings[i].n_shared);
        free(vectors);
        free(expected);
        free(name);
    }
    free_golden_texts(texts, n);
    free(path);
    kith_model_close(model);
}

/* The rows of the first 8 texts, one text after the other. */
static void shared_token_vectors_equal_the_reference(void **state)
{
    (void)state;
    char *path = shared_data_path("golden/minilm-l6/embeddings.jsonl");
    char *hidden = shared_data_path("golden/minilm-l6/hidden.f32");
    if (path == NULL || hidden == NULL) {
        skip_because("../shared/data/golden is not here");
    }
    kith_error error;
    kith_model *model = open_model(NULL, 2);
    kith_token_vectors tokens[8];
    kith_text in[8];
    size_t n, n_bytes;
    golden_text *texts = read_golden_texts(path, &n);
    free(read_file(hidden, &n_bytes));
    float *rows = calloc(1, n_bytes);
    size_t n_rows = 0;
    for (size_t i = 0; i < 8; i++) {
        in[i] = (kith_text){ texts[i].text, texts[i].n_bytes };
    }
    assert_ok(kith_model_encode_tokens(model, in, 8, tokens, &error));
    for (size_t i = 0; i < 8; i++) {
        const size_t more = tokens[i].tokens.n_tokens;
        assert_true((n_rows + more) * DIM * sizeof(*rows) <= n_bytes);
        memcpy(rows + n_rows * DIM, tokens[i].vectors, more * DIM * sizeof(*rows));
        n_rows += more;
        kith_token_vectors_free(&tokens[i]);
    }
    assert_int_equal(n_rows * DIM * sizeof(*rows), n_bytes);
    compare("hidden.f32", rows, hidden, n_rows);
    free(rows);
    free_golden_texts(texts, n);
    free(hidden);
    free(path);
    kith_model_close(model);
}

static void give_the_same_bits(kith_precision precision)
{
    static const size_t batches[] = { 1, 7, 64 };
    static const char *const cpus[] = { "portable", "avx2",       "avxvnni",
                                        "avx512",   "avx512vnni", "amx" };
    size_t n;
    kith_error error;
    kith_model *model = open_model_as(precision, NULL, 1);
    golden_text *texts = read_golden_texts("tests/golden/texts.jsonl", &n);
    float *expected = encode(model, texts, n, 1, KITH_POOLING_DEFAULT);
    kith_model_close(model);
    for (size_t c = 0; c < sizeof(cpus) / sizeof(cpus[0]); c++) {
        kith_model_opts opts = KITH_MODEL_OPTS_INIT;
        opts.cpu = cpus[c];
        if (kith_model_open(kmodel, &opts, &model, &error) != KITH_OK) {
            print_message("# %s: not compared\n", error.message);
            continue;
        }
        kith_model_close(model);
        /* The reference is slow: one batch size, one thread count. */
        for (unsigned threads = c == 0 ? 2 : 1; threads <= 2; threads++) {
            model = open_model_as(precision, cpus[c], threads);
            for (size_t b = c == 0 ? 1 : 0; b < (c == 0 ? 2 : 3); b++) {
                float *vectors = encode(model, texts, n, batches[b], KITH_POOLING_DEFAULT);
                assert_memory_equal(vectors, expected, n * DIM * sizeof(float));
                free(vectors);
            }
            kith_model_close(model);
        }
    }
    free(expected);
    free_golden_texts(texts, n);
}

static void every_kernel_batch_and_thread_gives_the_same_bits(void **state)
{
    (void)state;
    give_the_same_bits(KITH_PRECISION_FP32);
    give_the_same_bits(KITH_PRECISION_INT8);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Cosines of int8 and fp32 vectors of the texts of a file: their mean and their first
 * percentile are not below these. */
static void compare_precisions(const char *what, const char *path, double least_mean,
                               double least_p1)
{
    size_t n;
    golden_text *texts = read_golden_texts(path, &n);
    kith_model *fp32 = open_model_as(KITH_PRECISION_FP32, NULL, 2);
    kith_model *int8 = open_model_as(KITH_PRECISION_INT8, NULL, 2);
    float *a = encode(fp32, texts, n, n, KITH_POOLING_DEFAULT);
    float *b = encode(int8, texts, n, n, KITH_POOLING_DEFAULT);
    double *cosines = calloc(n, sizeof(*cosines));
    double mean = 0.0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i * DIM; j < (i + 1) * DIM; j++) {
            cosines[i] += (double)a[j] * (double)b[j];
        }
        mean += cosines[i] / (double)n;
    }
    qsort(cosines, n, sizeof(*cosines), by_value);
    print_message("# int8, %s: mean cosine %.5f, 1st percentile %.5f, least %.5f\n", what,
                  mean, cosines[n / 100], cosines[0]);
    assert_true(mean >= least_mean && mean < 0.99999);
    assert_true(cosines[n / 100] >= least_p1);
    free(cosines);
    free(a);
    free(b);
    kith_model_close(fp32);
    kith_model_close(int8);
    free_golden_texts(texts, n);
}

static void int8_is_near_to_fp32(void **state)
{
    (void)state;
    /* Many scripts and odd characters: harder than what people embed. */
    compare_precisions("own texts", "tests/golden/texts.jsonl", 0.9990, 0.9960);
}

static void int8_is_near_to_fp32_on_shared_texts(void **state)
{
    (void)state;
    char *path = shared_data_path("golden/minilm-l6/embeddings.jsonl");
    if (path == NULL) {
        skip_because("../shared/data/golden is not here");
    }
    compare_precisions("shared texts", path, 0.9993, 0.9978);
    free(path);
}

/* Known pairs: order and stop words count, unlike in an average of word vectors. */
static void known_pairs_have_their_cosines(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        double cosine;
    } pairs[] = {
        { "Today is a sunny day", "The weather today is beautiful", 0.7344 },
        { "Today is a sunny day", "It's raining!", 0.4180 },
        { "Today is a sunny day", "Dogs are awesome", 0.1060 },
        { "The kids play in the park.", "The play was for kids in the park.", 0.6849 },
    };
    kith_error error;
    kith_model *model = open_model(NULL, 1);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        const kith_text texts[] = { { pairs[i].a, strlen(pairs[i].a) },
                                    { pairs[i].b, strlen(pairs[i].b) } };
        float v[2 * DIM];
        double cosine = 0.0;
        assert_ok(kith_model_encode(model, texts, 2, NULL, v, NULL, &error));
        for (size_t j = 0; j < DIM; j++) {
            cosine += (double)v[j] * (double)v[DIM + j];
        }
        assert_true(fabs(cosine - pairs[i].cosine) <= 5.1e-5);
    }
    kith_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_ids_equal_the_reference),
        cmocka_unit_test(own_vectors_equal_the_reference),
        cmocka_unit_test(shared_vectors_equal_the_reference),
        cmocka_unit_test(shared_token_vectors_equal_the_reference),
        cmocka_unit_test(every_kernel_batch_and_thread_gives_the_same_bits),
        cmocka_unit_test(int8_is_near_to_fp32),
        cmocka_unit_test(int8_is_near_to_fp32_on_shared_texts),
        cmocka_unit_test(known_pairs_have_their_cosines),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
