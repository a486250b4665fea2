/* encoder/: a tiny model of the class, made by the reference library (tests/golden), and
 * what strangers' files may hold. */
#include "encoder_fixture.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu.h"
#include "kmodel.h"
#include "safetensors.h"

#define TOLERANCE 2e-5

static kenc_model *open_tiny(const char *cpu, unsigned n_threads)
{
    return open_as(tiny, KITH_PRECISION_FP32, cpu, n_threads);
}

/* The golden texts in vectors of one pooling, `batch` texts a call. */
static float *encode_golden(kenc_model *model, const golden_text *texts, size_t n,
                            size_t batch, kith_pooling pooling)
{
    kith_error error;
    kith_model_info info;
    kenc_model_get_info(model, &info);
    float *vectors = calloc(n * info.dim, sizeof(*vectors));
    kith_text *in = calloc(n, sizeof(*in));
    for (size_t i = 0; i < n; i++) {
        in[i] = (kith_text){ texts[i].text, texts[i].n_bytes };
    }
    for (size_t i = 0; i < n; i += batch) {
        size_t count = n - i < batch ? n - i : batch;
        assert_ok(kenc_encode(model, in + i, count, pooling, KITH_PROMPT_NONE,
                              vectors + i * info.dim, NULL, &error));
    }
    free(in);
    return vectors;
}

static void tiny_ids_equal_the_reference(void **state)
{
    (void)state;
    kith_error error;
    size_t n;
    golden_text *texts = read_golden_texts("tests/golden/tiny-texts.jsonl", &n);
    kenc_model *model = open_tiny(NULL, 1);
    kith_model_info info;
    kenc_token_list list = { 0 };
    kenc_model_get_info(model, &info);
    assert_true(n >= 40);
    for (size_t i = 0; i < n; i++) {
        assert_ok(kenc_tokenize(kenc_model_tokenizer(model), texts[i].text,
                                texts[i].n_bytes, info.max_tokens, &list, &error));
        assert_int_equal(list.n_tokens, texts[i].n_ids);
        assert_memory_equal(list.ids, texts[i].ids, texts[i].n_ids * sizeof(*list.ids));
    }
    kenc_token_list_free(&list);
    kenc_model_close(model);
    free_golden_texts(texts, n);
}

/* Every pooling, against files of as many vectors as they hold. */
static void tiny_vectors_equal_the_reference(void **state)
{
    (void)state;
    static const struct {
        kith_pooling pooling;
        const char *path;
        size_t n_least;
    } cases[] = {
        { KITH_POOLING_DEFAULT, "tests/golden/tiny-vectors.f32", 40 },
        { KITH_POOLING_CLS, "tests/golden/tiny-cls.f32", 8 },
        { KITH_POOLING_MAX, "tests/golden/tiny-max.f32", 8 },
        { KITH_POOLING_POOLER, "tests/golden/tiny-pooler.f32", 8 },
    };
    size_t n;
    golden_text *texts = read_golden_texts("tests/golden/tiny-texts.jsonl", &n);
    kenc_model *model = open_tiny(NULL, 2);
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        size_t n_bytes;
        float *expected = (float *)(void *)read_file(cases[c].path, &n_bytes);
        float *vectors = encode_golden(model, texts, n, n, cases[c].pooling);
        assert_true(n_bytes / (48 * sizeof(float)) >= cases[c].n_least);
        for (size_t i = 0; i < n_bytes / sizeof(float); i++) {
            assert_true(fabs((double)vectors[i] - (double)expected[i]) <= TOLERANCE);
        }
        free(vectors);
        free(expected);
    }
    kenc_model_close(model);
    free_golden_texts(texts, n);
}

static void give_the_same_bits(kith_precision precision)
{
    static const size_t batches[] = { 1, 7, 64 };
    kith_error error;
    size_t n;
    golden_text *texts = read_golden_texts("tests/golden/tiny-texts.jsonl", &n);
    kenc_model *model = open_as(tiny, precision, "portable", 1);
    float *expected = encode_golden(model, texts, n, 1, KITH_POOLING_DEFAULT);
    kenc_model_close(model);
    for (int c = 0; c < KBASE_ISA_COUNT; c++) {
        const char *cpu = kbase_isa_name((kbase_isa)c);
        kbase_isa isa;
        if (kbase_isa_choose(cpu, &isa, &error) != KITH_OK) {
            print_message("# this CPU has no %s: its kernels are not compared\n", cpu);
            continue;
        }
        for (unsigned threads = 1; threads <= 2; threads++) {
            model = open_as(tiny, precision, cpu, threads);
            for (size_t b = 0; b < 3; b++) {
                float *vectors = encode_golden(model, texts, n, batches[b],
                                               KITH_POOLING_DEFAULT);
                assert_memory_equal(vectors, expected, n * 48 * sizeof(float));
                free(vectors);
            }
            kenc_model_close(model);
        }
    }
    free(expected);
    free_golden_texts(texts, n);
}

static void the_same_text_gives_the_same_bits(void **state)
{
    (void)state;
    give_the_same_bits(KITH_PRECISION_FP32);
    give_the_same_bits(KITH_PRECISION_INT8);
}

/* The tiny model has random weights, to which int8 is less kind than to trained ones. */
static void int8_is_near_to_fp32(void **state)
{
    (void)state;
    size_t n;
    golden_text *texts = read_golden_texts("tests/golden/tiny-texts.jsonl", &n);
    kenc_model *exact = open_as(tiny, KITH_PRECISION_FP32, NULL, 1);
    kenc_model *coarse = open_as(tiny, KITH_PRECISION_INT8, NULL, 1);
    float *a = encode_golden(exact, texts, n, n, KITH_POOLING_DEFAULT);
    float *b = encode_golden(coarse, texts, n, n, KITH_POOLING_DEFAULT);
    for (size_t i = 0; i < n; i++) {
        double cosine = 0.0;
        for (size_t j = i * 48; j < (i + 1) * 48; j++) {
            cosine += (double)a[j] * (double)b[j];
        }
        assert_true(cosine > 0.999);
        assert_true(cosine < 0.9999999); /* or int8 did not run */
    }
    free(a);
    free(b);
    kenc_model_close(exact);
    kenc_model_close(coarse);
    free_golden_texts(texts, n);
}

static void the_order_does_not_matter(void **state)
{
    (void)state;
    size_t n;
    golden_text *texts = read_golden_texts("tests/golden/tiny-texts.jsonl", &n);
    kenc_model *model = open_tiny(NULL, 2);
    float *forward = encode_golden(model, texts, n, n, KITH_POOLING_DEFAULT);
    for (size_t i = 0; i < n / 2; i++) {
        golden_text kept = texts[i];
        texts[i] = texts[n - 1 - i];
        texts[n - 1 - i] = kept;
    }
    float *backward = encode_golden(model, texts, n, n, KITH_POOLING_DEFAULT);
    for (size_t i = 0; i < n; i++) {
        assert_memory_equal(forward + i * 48, backward + (n - 1 - i) * 48,
                            48 * sizeof(float));
    }
    free(forward);
    free(backward);
    kenc_model_close(model);
    free_golden_texts(texts, n);
}

#if defined(__x86_64__)
/* A host may have set flush-to-zero and another rounding: neither may reach us, and both
 * must be back afterwards. */
static void the_hosts_float_settings_do_not_matter(void **state)
{
    (void)state;
    size_t n;
    golden_text *texts = read_golden_texts("tests/golden/tiny-texts.jsonl", &n);
    kenc_model *model = open_tiny(NULL, 1);
    float *expected = encode_golden(model, texts, n, n, KITH_POOLING_DEFAULT);
    unsigned former = _mm_getcsr();
    unsigned hostile = former | 0x8040 | 0x6000; /* FTZ, DAZ, toward zero */
    _mm_setcsr(hostile);
    float *vectors = encode_golden(model, texts, n, n, KITH_POOLING_DEFAULT);
    unsigned left = _mm_getcsr() & ~0x3fu; /* without the sticky exception flags */
    _mm_setcsr(former);
    assert_int_equal(left, hostile & ~0x3fu);
    assert_memory_equal(vectors, expected, n * 48 * sizeof(float));
    free(vectors);
    free(expected);
    kenc_model_close(model);
    free_golden_texts(texts, n);
}
#endif

static void what_is_cut_is_counted(void **state)
{
    (void)state;
    kith_error error;
    kenc_model *model = open_tiny(NULL, 1);
    char text[400];
    memset(text, '.', sizeof(text)); /* one token each */
    const kith_text texts[] = { { text, 30 }, { text, 31 }, { text, 400 }, { "", 0 } };
    float vectors[4 * 48];
    uint32_t dropped[4];
    assert_ok(kenc_encode(model, texts, 4, KITH_POOLING_DEFAULT, KITH_PROMPT_NONE,
                          vectors, dropped, &error));
    assert_int_equal(dropped[0], 0);
    assert_int_equal(dropped[1], 1);
    assert_int_equal(dropped[2], 370);
    assert_int_equal(dropped[3], 0);
    assert_memory_equal(vectors, vectors + 48, 48 * sizeof(float));
    kenc_model_close(model);
}

/* ------------------------------------------------------------------ damaged files */

static void every_damage_of_a_kmodel_is_found(void **state)
{
    (void)state;
    kith_error error;
    size_t n;
    char *data = read_file(tiny, &n);
    char *path = format("%s/damaged.kmodel", folder);
    kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    kenc_model *model;
    for (size_t cut = 0; cut < n; cut += n / 97) {
        write_file(path, data, cut);
        assert_status(KITH_CORRUPT, kenc_model_open(path, &opts, &model, &error));
    }
    unsigned n_found = 0;
    for (size_t i = 0; i < n; i += i < sizeof(kenc_header) ? 1 : 997) {
        data[i] ^= 1 << (i % 8);
        write_file(path, data, n);
        data[i] ^= 1 << (i % 8);
        kith_status status = kenc_model_open(path, &opts, &model, &error);
        if (status == KITH_OK) {
            status = kenc_model_verify(model, &error);
            kenc_model_close(model);
        }
        assert_true(status == KITH_OK || status == KITH_CORRUPT || status == KITH_VERSION);
        n_found += status != KITH_OK;
        /* Only the padding between sections carries nothing. */
        assert_true(status != KITH_OK || data[i] == 0);
    }
    assert_true(n_found > sizeof(kenc_header));
    free(path);
    free(data);
}

/* Word embeddings are not read at open: using a damaged one fails, another does not. */
static void a_damaged_word_is_found_when_it_is_used(void **state)
{
    (void)state;
    kith_error error;
    size_t n;
    char *data = read_file(tiny, &n);
    char *path = format("%s/word.kmodel", folder);
    kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    kenc_model *model = open_tiny(NULL, 1);
    kenc_token_list list = { 0 };
    const kith_text damaged = { "a", 1 };
    const kith_text other = { "b", 1 };
    float vector[48];
    const kenc_header *header = (const void *)data;
    assert_ok(kenc_tokenize(kenc_model_tokenizer(model), "a", 1, 0, &list, &error));
    kenc_model_close(model);
    assert_int_equal(list.n_tokens, 3);
    data[header->sections[KENC_SECTION_WORDS].offset + list.ids[1] * 64 * sizeof(float)] ^=
        1;
    write_file(path, data, n);
    assert_ok(kenc_model_open(path, &opts, &model, &error));
    assert_ok(kenc_encode(model, &other, 1, KITH_POOLING_DEFAULT, KITH_PROMPT_NONE,
                          vector, NULL, &error));
    assert_status(KITH_CORRUPT, kenc_encode(model, &damaged, 1, KITH_POOLING_DEFAULT,
                                            KITH_PROMPT_NONE, vector, NULL, &error));
    kenc_model_close(model);
    kenc_token_list_free(&list);
    free(path);
    free(data);
}

/* A safetensors file with this header and so many bytes of data. */
static kith_status open_header(const char *header, size_t n_data)
{
    kith_error error;
    char *path = format("%s/t.safetensors", folder);
    uint64_t n_header = strlen(header);
    size_t n_bytes = 8 + (size_t)n_header + n_data;
    char *bytes = calloc(n_bytes, 1);
    memcpy(bytes, &n_header, 8);
    memcpy(bytes + 8, header, (size_t)n_header);
    write_file(path, bytes, n_bytes);
    kenc_safetensors file = KENC_SAFETENSORS_INIT;
    kith_status status = kenc_safetensors_open(path, &file, &error);
    if (status == KITH_OK) {
        kenc_safetensors_close(&file);
    }
    free(bytes);
    free(path);
    return status;
}

static void hostile_safetensors_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t n_data;
        kith_status expected;
    } cases[] = {
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, KITH_OK },
        { "{\"__metadata__\":{\"format\":\"pt\"},"
          "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, KITH_OK },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, KITH_OK },
        { "{}", 0, KITH_OK },
        /* too little data, too much, a hole, an overlap, backwards, behind the end */
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7,
          KITH_CORRUPT },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9,
          KITH_CORRUPT },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8,
          KITH_CORRUPT },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
          "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8,
          KITH_CORRUPT },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,4]}}", 8,
          KITH_CORRUPT },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 8,
          KITH_CORRUPT },
        /* a length that is not the shape's, a product that overflows, a negative size */
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8,
          KITH_CORRUPT },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],"
          "\"data_offsets\":[0,0]}}", 0, KITH_CORRUPT },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8,
          KITH_CORRUPT },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],"
          "\"data_offsets\":[0,8]}}", 8, KITH_CORRUPT },
        /* dtypes, keys, JSON */
        { "{\"a\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
          KITH_UNSUPPORTED },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8,
          KITH_CORRUPT },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
          "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8,
          KITH_CORRUPT },
        { "{\"__metadata__\":{\"n\":1}}", 0, KITH_CORRUPT },
        { "{\"a\":[[[[[[[[[[1]]]]]]]]]]}", 0, KITH_CORRUPT },
        { "[1, 2]", 0, KITH_CORRUPT },
        { "{\"a\"", 0, KITH_CORRUPT },
        { " {}", 0, KITH_CORRUPT },
        { "{\"a\xff\":1}", 0, KITH_CORRUPT },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kith_status status = open_header(cases[i].header, cases[i].n_data);
        if (status != cases[i].expected) {
            print_error("case %zu: %s\n", i, cases[i].header);
        }
        assert_int_equal(status, cases[i].expected);
    }
}

static void header_lengths_are_checked(void **state)
{
    (void)state;
    static const uint64_t lengths[] = { 0,          1,       3,          9,
                                        1u << 20,   1u << 30, UINT64_MAX, UINT64_MAX - 7,
                                        INT64_MAX };
    kith_error error;
    char *path = format("%s/l.safetensors", folder);
    kenc_safetensors file = KENC_SAFETENSORS_INIT;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char bytes[10] = "........{}";
        memcpy(bytes, &lengths[i], 8);
        write_file(path, bytes, sizeof(bytes));
        assert_status(KITH_CORRUPT, kenc_safetensors_open(path, &file, &error));
    }
    write_file(path, "1234567", 7);
    assert_status(KITH_CORRUPT, kenc_safetensors_open(path, &file, &error));
    write_file(path, "", 0);
    assert_status(KITH_CORRUPT, kenc_safetensors_open(path, &file, &error));
    free(path);
}

/* Replace text in a file of a copy of the tiny model, then import the copy. */
static void what_is_not_known_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *file, *old, *new;
        kith_status expected;
        const char *named;
    } cases[] = {
        { "config.json", NULL, NULL, KITH_NOT_FOUND, "config.json" },
        { "model.safetensors", NULL, NULL, KITH_NOT_FOUND, "model.safetensors" },
        { "config.json", "\"bert\"", "\"gpt2\"", KITH_UNSUPPORTED, "gpt2" },
        { "config.json", "\"gelu\"", "\"swish\"", KITH_UNSUPPORTED, "swish" },
        { "config.json", "\"hidden_size\": 48", "\"hidden_size\": 64", KITH_INVALID,
          "1_Pooling/config.json: \"word_embedding_dimension\"" },
        { "config.json", "\"intermediate_size\": 96", "\"intermediate_size\": 95",
          KITH_INVALID, "encoder.layer.0.intermediate.dense.weight" },
        { "config.json", "\"num_attention_heads\": 4,", "", KITH_INVALID,
          "\"num_attention_heads\" is missing" },
        { "config.json", "BertModel", "GPT2Model", KITH_UNSUPPORTED, "GPT2Model" },
        { "config.json", "\"hidden_size\": 48", "\"hidden_size\": -1", KITH_INVALID,
          "hidden_size" },
        { "config.json", "\"num_attention_heads\": 4", "\"num_attention_heads\": 5",
          KITH_INVALID, "5 heads" },
        { "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3",
          KITH_INVALID, "encoder.layer.2." },
        { "config.json", "{", "[", KITH_INVALID, "config.json" },
        { "modules.json", "models.Normalize", "models.Dropout", KITH_UNSUPPORTED,
          "Dropout" },
        { "sentence_bert_config.json", "32", "65", KITH_INVALID, "max_seq_length" },
        { "1_Pooling/config.json", "\"pooling_mode_mean_tokens\": true",
          "\"pooling_mode_lasttoken\": true", KITH_UNSUPPORTED, "pooling_mode_lasttoken" },
        { "tokenizer.json", "\"type\": \"WordPiece\",\n  \"unk_token\"",
          "\"type\": \"Unigram\",\n  \"unk_token\"", KITH_UNSUPPORTED, "Unigram" },
        { "tokenizer.json", "BertNormalizer", "Lowercase", KITH_UNSUPPORTED, "Lowercase" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kith_error error;
        print_message("# %s: %s\n", cases[i].file, cases[i].named);
        assert_status(cases[i].expected, import_altered(TINY, cases[i].file, cases[i].old,
                                                        cases[i].new, NULL, &error));
        if (strstr(error.message, cases[i].named) == NULL) {
            print_error("case %zu: \"%s\" does not name %s\n", i, error.message,
                        cases[i].named);
        }
        assert_non_null(strstr(error.message, cases[i].named));
    }
}

static void names_and_options_are_checked(void **state)
{
    (void)state;
    kith_error error;
    char *out = format("%s/x.kmodel", folder);
    assert_status(KITH_INVALID, kenc_import(TINY, "", out, NULL, &error));
    assert_status(KITH_INVALID, kenc_import(TINY, "../x", out, NULL, &error));
    assert_status(KITH_INVALID, kenc_import(TINY, ".x", out, NULL, &error));
    kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    kenc_model *model;
    opts.precision = (kith_precision)3;
    assert_status(KITH_INVALID, kenc_model_open(tiny, &opts, &model, &error));
    opts.precision = KITH_PRECISION_FP32;
    opts.cpu = "z80";
    assert_status(KITH_INVALID, kenc_model_open(tiny, &opts, &model, &error));
    opts.cpu = NULL;
    assert_status(KITH_NOT_FOUND, kenc_model_open("/nonexistent", &opts, &model, &error));
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiny_ids_equal_the_reference),
        cmocka_unit_test(tiny_vectors_equal_the_reference),
        cmocka_unit_test(the_same_text_gives_the_same_bits),
        cmocka_unit_test(int8_is_near_to_fp32),
        cmocka_unit_test(the_order_does_not_matter),
#if defined(__x86_64__)
        cmocka_unit_test(the_hosts_float_settings_do_not_matter),
#endif
        cmocka_unit_test(what_is_cut_is_counted),
        cmocka_unit_test(every_damage_of_a_kmodel_is_found),
        cmocka_unit_test(a_damaged_word_is_found_when_it_is_used),
        cmocka_unit_test(hostile_safetensors_are_refused),
        cmocka_unit_test(header_lengths_are_checked),
        cmocka_unit_test(what_is_not_known_is_refused_by_name),
        cmocka_unit_test(names_and_options_are_checked),
    };
    return cmocka_run_group_tests(tests, make_tiny, remove_folder);
}
