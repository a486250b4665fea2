/* Inside a sentence: the vectors of tokens and words, and averages of word embeddings, of a
 * tiny model (tests/golden). */
#include "encoder_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu.h"
#include "kmodel.h"
#include "stopwords.h"

#define TEXTS "tests/golden/tiny-texts.jsonl"
#define DIM 48
#define TOLERANCE 2e-5
#define N_HIDDEN 8 /* texts of tiny-hidden.f32 */

static kith_text text_of(const char *string)
{
    return (kith_text){ string, strlen(string) };
}

static void assert_near(const float *vector, const float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs((double)vector[i] - (double)expected[i]) <= TOLERANCE);
    }
}

static bool is_zero(const float *vector)
{
    for (size_t i = 0; i < DIM; i++) {
        if (vector[i] != 0.0f) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------ tokens */

/* The golden texts, `batch` a call. */
static kith_token_vectors *encode_golden(kenc_model *model, const golden_text *texts,
                                         size_t n, size_t batch)
{
    kith_error error;
    kith_token_vectors *out = calloc(n, sizeof(*out));
    kith_text *in = calloc(n, sizeof(*in));
    for (size_t i = 0; i < n; i++) {
        in[i] = (kith_text){ texts[i].text, texts[i].n_bytes };
    }
    for (size_t i = 0; i < n; i += batch) {
        const size_t count = n - i < batch ? n - i : batch;
        assert_ok(kenc_encode_tokens(model, in + i, count, out + i, &error));
    }
    free(in);
    return out;
}

static void free_all(kith_token_vectors *tokens, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        kenc_token_vectors_free(&tokens[i]);
    }
    free(tokens);
}

static void token_vectors_equal_the_reference(void **state)
{
    (void)state;
    size_t n, n_bytes, n_rows = 0;
    golden_text *texts = read_golden_texts(TEXTS, &n);
    float *expected = (float *)(void *)read_file("tests/golden/tiny-hidden.f32", &n_bytes);
    kenc_model *model = open_as(tiny, KITH_PRECISION_FP32, NULL, 2);
    kith_token_vectors *tokens = encode_golden(model, texts, n, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(tokens[i].tokens.n_tokens, texts[i].n_ids);
        assert_memory_equal(tokens[i].tokens.ids, texts[i].ids,
                            texts[i].n_ids * sizeof(*texts[i].ids));
    }
    for (size_t i = 0; i < N_HIDDEN; i++) {
        assert_true((n_rows + texts[i].n_ids) * DIM * sizeof(*expected) <= n_bytes);
        assert_near(tokens[i].vectors, expected + n_rows * DIM, texts[i].n_ids * DIM);
        n_rows += texts[i].n_ids;
    }
    assert_int_equal(n_rows * DIM * sizeof(*expected), n_bytes);
    free_all(tokens, n);
    kenc_model_close(model);
    free(expected);
    free_golden_texts(texts, n);
}

/* The rows are those that are pooled: the first is [CLS], their largest values are max. */
static void token_vectors_are_what_is_pooled(void **state)
{
    (void)state;
    kith_error error;
    size_t n;
    golden_text *texts = read_golden_texts(TEXTS, &n);
    for (int precision = KITH_PRECISION_FP32; precision <= KITH_PRECISION_INT8;
         precision++) {
        kenc_model *model = open_as(tiny, (kith_precision)precision, NULL, 2);
        kith_token_vectors *tokens = encode_golden(model, texts, n, n);
        for (size_t i = 0; i < n; i++) {
            const kith_text text = { texts[i].text, texts[i].n_bytes };
            float cls[DIM], max[DIM];
            assert_ok(kenc_encode(model, &text, 1, KITH_POOLING_CLS, KITH_PROMPT_NONE, cls,
                                  NULL, &error));
            assert_ok(kenc_encode(model, &text, 1, KITH_POOLING_MAX, KITH_PROMPT_NONE, max,
                                  NULL, &error));
            assert_memory_equal(tokens[i].vectors, cls, sizeof(cls));
            for (size_t c = 0; c < DIM; c++) {
                float largest = tokens[i].vectors[c];
                for (size_t t = 1; t < tokens[i].tokens.n_tokens; t++) {
                    largest = fmaxf(largest, tokens[i].vectors[t * DIM + c]);
                }
                assert_true(largest == max[c]);
            }
        }
        free_all(tokens, n);
        kenc_model_close(model);
    }
    free_golden_texts(texts, n);
}

static void give_the_same_bits(kith_precision precision, const golden_text *texts, size_t n)
{
    static const size_t batches[] = { 1, 7, 64 };
    kenc_model *model = open_as(tiny, precision, "portable", 1);
    kith_token_vectors *expected = encode_golden(model, texts, n, 1);
    kenc_model_close(model);
    for (int c = 0; c < KBASE_ISA_COUNT; c++) {
        kbase_isa isa;
        const char *cpu = kbase_isa_name((kbase_isa)c);
        if (kbase_isa_choose(cpu, &isa, NULL) != KITH_OK) {
            print_message("# this CPU has no %s: its kernels are not compared\n", cpu);
            continue;
        }
        for (size_t b = 0; b < 3; b++) {
            model = open_as(tiny, precision, cpu, 1 + (unsigned)b % 2);
            kith_token_vectors *tokens = encode_golden(model, texts, n, batches[b]);
            for (size_t i = 0; i < n; i++) {
                assert_memory_equal(tokens[i].vectors, expected[i].vectors,
                                    texts[i].n_ids * DIM * sizeof(float));
            }
            free_all(tokens, n);
            kenc_model_close(model);
        }
    }
    free_all(expected, n);
}

static void every_kernel_batch_and_thread_gives_the_same_bits(void **state)
{
    (void)state;
    size_t n;
    golden_text *texts = read_golden_texts(TEXTS, &n);
    give_the_same_bits(KITH_PRECISION_FP32, texts, n);
    give_the_same_bits(KITH_PRECISION_INT8, texts, n);
    free_golden_texts(texts, n);
}

/* What is split beforehand gets the vectors of its text; other ids are looked at first. */
static void tokens_are_encoded_as_their_text(void **state)
{
    (void)state;
    kith_error error;
    float expected[2 * DIM];
    float vectors[2 * DIM];
    const kith_text texts[] = { text_of("A cat sat on the mat."), text_of("") };
    kenc_model *model = open_as(tiny, KITH_PRECISION_INT8, NULL, 1);
    kith_token_vectors split[2];
    assert_ok(kenc_encode(model, texts, 2, KITH_POOLING_DEFAULT, KITH_PROMPT_NONE,
                          expected, NULL, &error));
    assert_ok(kenc_encode_tokens(model, texts, 2, split, &error));
    kith_tokens tokens[] = { split[0].tokens, split[1].tokens };
    assert_ok(kenc_encode_tokenized(model, tokens, 2, KITH_POOLING_DEFAULT, vectors,
                                    &error));
    assert_memory_equal(vectors, expected, sizeof(expected));

    uint32_t unknown = 1u << 20;
    const kith_tokens none = { .n_tokens = 0 };
    const kith_tokens outside = { .n_tokens = 1, .ids = &unknown };
    assert_status(KITH_INVALID, kenc_encode_tokenized(model, &none, 1, KITH_POOLING_DEFAULT,
                                                      vectors, &error));
    assert_status(KITH_INVALID, kenc_encode_tokenized(model, &outside, 1,
                                                      KITH_POOLING_DEFAULT, vectors, &error));
    uint32_t *many = calloc(100000, sizeof(*many));
    const kith_tokens long_one = { .n_tokens = 100000, .ids = many };
    assert_status(KITH_INVALID, kenc_encode_tokenized(model, &long_one, 1,
                                                      KITH_POOLING_DEFAULT, vectors, &error));
    free(many);
    kenc_token_vectors_free(&split[0]);
    kenc_token_vectors_free(&split[1]);
    kenc_model_close(model);
}

static void offsets_and_cuts_are_told(void **state)
{
    (void)state;
    kith_error error;
    kith_token_vectors tokens[3];
    char dots[40];
    memset(dots, '.', sizeof(dots));
    const kith_text texts[] = { { "", 0 }, { "a river", 7 }, { dots, sizeof(dots) } };
    kenc_model *model = open_as(tiny, KITH_PRECISION_FP32, NULL, 1);
    assert_ok(kenc_encode_tokens(model, texts, 3, tokens, &error));
    assert_int_equal(tokens[0].tokens.n_tokens, 2);
    assert_int_equal(tokens[1].tokens.n_tokens, 4);
    assert_int_equal(tokens[1].tokens.first[2], 2);
    assert_int_equal(tokens[1].tokens.last[2], 7);
    assert_int_equal(tokens[1].tokens.n_dropped, 0);
    assert_int_equal(tokens[2].tokens.n_tokens, 32);
    assert_int_equal(tokens[2].tokens.n_dropped, 10);
    for (size_t i = 0; i < 3; i++) {
        kenc_token_vectors_free(&tokens[i]);
    }
    assert_ok(kenc_encode_tokens(model, NULL, 0, NULL, &error));
    kenc_model_close(model);
}

/* ------------------------------------------------------------------ words */

static kith_word_vectors encode_word(kenc_model *model, const char *text, const char *word)
{
    kith_error error;
    kith_word_vectors out;
    const kith_text in = text_of(text);
    assert_ok(kenc_encode_word(model, &in, 1, text_of(word), &out, &error));
    return out;
}

/* How often a word occurs, and how often where the text is cut. */
static void expect_count(kenc_model *model, const char *text, const char *word,
                         size_t n_occurrences, size_t n_cut)
{
    kith_word_vectors out = encode_word(model, text, word);
    assert_int_equal(out.n_occurrences, n_occurrences);
    assert_int_equal(out.n_cut, n_cut);
    assert_true((out.vectors != NULL) == (n_occurrences > 0));
    kenc_word_vectors_free(&out);
}

static void a_word_is_found_as_the_tokenizer_sees_it(void **state)
{
    (void)state;
    kenc_model *model = open_as(tiny, KITH_PRECISION_FP32, NULL, 1);
    expect_count(model, "The river and the River", "RIVER", 2, 0);
    expect_count(model, "the r\u00edver", "river", 1, 0);
    expect_count(model, "the river", "r\u00ccver", 1, 0);
    expect_count(model, "(river), river-ship", "river", 2, 0);
    expect_count(model, "rivers and driver", "river", 0, 0);
    expect_count(model, "", "river", 0, 0);
    expect_count(model, "cook", "river", 0, 0);
    /* several words: in order, one after the other, not overlapping */
    expect_count(model, "they don't, don ' t, dont", "don't", 2, 0);
    expect_count(model, "old  new\nold", "New old", 1, 0);
    expect_count(model, "old old old old old", "old old", 2, 0);
    expect_count(model, "old [SEP] new", "old new", 0, 0);
    expect_count(model, "new", "new old", 0, 0);
    /* two that the vocabulary does not know are not the same word */
    expect_count(model, "\u0627 \u0628", "\u0628", 1, 0);
    expect_count(model, "\u0627", "\u0628", 0, 0);
    expect_count(model, "old", "new", 0, 0);
    expect_count(model, "the [SEP] and [MASK]", "[SEP]", 1, 0);
    kenc_model_close(model);
}

/* A mean of the pieces, in the context of the text. */
static void a_word_is_the_mean_of_its_pieces(void **state)
{
    (void)state;
    static const char text[] = "the bank, a b\u00e4nk";
    kith_error error;
    const kith_text in = text_of(text);
    kenc_model *model = open_as(tiny, KITH_PRECISION_INT8, NULL, 1);
    kith_word_vectors word = encode_word(model, text, "bank");
    kith_token_vectors tokens;
    assert_ok(kenc_encode_tokens(model, &in, 1, &tokens, &error));
    assert_int_equal(word.n_occurrences, 2);
    assert_int_equal(word.occurrences[0].first, 4);
    assert_int_equal(word.occurrences[0].last, 8);
    assert_int_equal(word.occurrences[1].first, 12);
    assert_int_equal(word.occurrences[1].last, sizeof(text) - 1);
    for (size_t i = 0; i < 2; i++) {
        const kith_occurrence *at = &word.occurrences[i];
        assert_int_equal(at->n_tokens, 4); /* b ##a ##n ##k */
        assert_int_equal(tokens.tokens.first[at->token], at->first);
        assert_int_equal(tokens.tokens.last[at->token + 3], at->last);
        for (size_t c = 0; c < DIM; c++) {
            const float *row = tokens.vectors + at->token * DIM + c;
            const double mean = ((double)row[0] + (double)row[DIM] + (double)row[2 * DIM] +
                                 (double)row[3 * DIM]) / 4.0;
            assert_true(word.vectors[i * DIM + c] == (float)mean);
        }
    }
    assert_memory_not_equal(word.vectors, word.vectors + DIM, DIM * sizeof(float));
    kenc_token_vectors_free(&tokens);
    kenc_word_vectors_free(&word);
    kenc_model_close(model);
}

/* The tiny model takes 30 pieces; "bank" is four. */
static void what_is_cut_of_a_word_does_not_count(void **state)
{
    (void)state;
    char text[64];
    kenc_model *model = open_as(tiny, KITH_PRECISION_FP32, NULL, 1);
    for (size_t dots = 24; dots < 34; dots++) {
        memset(text, '.', dots);
        memcpy(text + dots, "bank", 5);
        const bool fits = dots + 4 <= 30;
        expect_count(model, text, "bank", fits, !fits);
    }
    expect_count(model, "bank bank bank bank bank bank bank bank bank", "bank", 7, 2);
    expect_count(model, "a ship. bank bank bank bank bank bank bank bank", "bank bank", 3,
                 1);
    kenc_model_close(model);
}

/* More than are encoded at a time, and some of them without the word. */
static void many_texts_are_searched(void **state)
{
    (void)state;
    enum { N = 70 };
    kith_error error;
    kith_text texts[N];
    kith_word_vectors out[N];
    kenc_model *model = open_as(tiny, KITH_PRECISION_FP32, NULL, 2);
    for (size_t i = 0; i < N; i++) {
        texts[i] = text_of(i % 3 == 0 ? "the sea" : i % 3 == 1 ? "a river" : "river, river");
    }
    assert_ok(kenc_encode_word(model, texts, N, text_of("river"), out, &error));
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(out[i].n_occurrences, i % 3);
        if (i % 3 > 0) {
            assert_memory_equal(out[i].vectors, out[i % 3].vectors,
                                (i % 3) * DIM * sizeof(float));
        }
    }
    for (size_t i = 0; i < N; i++) {
        kenc_word_vectors_free(&out[i]);
    }
    kenc_model_close(model);
}

static void words_that_cannot_be_are_refused(void **state)
{
    (void)state;
    kith_error error;
    char long_word[102] = { 0 };
    memset(long_word, 'a', 101);
    const char *const words[] = { "", " \t", "\u0301", long_word };
    const kith_text text = text_of("a river");
    kith_word_vectors out;
    kenc_model *model = open_as(tiny, KITH_PRECISION_FP32, NULL, 1);
    for (size_t i = 0; i < 4; i++) {
        assert_status(KITH_INVALID, kenc_encode_word(model, &text, 1, text_of(words[i]),
                                                     &out, &error));
        assert_null(out.occurrences);
    }
    expect_count(model, long_word + 1, long_word + 1, 0, 1); /* 100 pieces */
    kenc_model_close(model);
}

/* ------------------------------------------------------------------ averages */

static void averages_equal_the_reference(void **state)
{
    (void)state;
    kith_error error;
    size_t n, n_bytes;
    golden_text *texts = read_golden_texts(TEXTS, &n);
    float *expected = (float *)(void *)read_file("tests/golden/tiny-static.f32", &n_bytes);
    kenc_model *model = open_as(tiny, KITH_PRECISION_INT8, NULL, 1);
    kith_text *in = calloc(n, sizeof(*in));
    float *vectors = calloc(n * DIM, sizeof(*vectors));
    size_t *n_pieces = calloc(n, sizeof(*n_pieces));
    size_t n_zeros = 0;
    for (size_t i = 0; i < n; i++) {
        in[i] = (kith_text){ texts[i].text, texts[i].n_bytes };
    }
    assert_ok(kenc_encode_static(model, in, n, false, vectors, n_pieces, &error));
    assert_int_equal(n_bytes, n * DIM * sizeof(*vectors));
    for (size_t i = 0; i < n; i++) {
        assert_near(vectors + i * DIM, expected + i * DIM, DIM);
        assert_true(n_pieces[i] >= texts[i].n_ids - 2); /* more where ids were cut */
        n_zeros += n_pieces[i] == 0;
        assert_true((n_pieces[i] == 0) == is_zero(vectors + i * DIM));
    }
    assert_true(n_zeros > 0 && n_zeros < n / 2);
    free(n_pieces);
    free(vectors);
    free(in);
    kenc_model_close(model);
    free(expected);
    free_golden_texts(texts, n);
}

static void stop_words_are_dropped(void **state)
{
    (void)state;
    kith_error error;
    float v[5 * DIM];
    size_t n_pieces[5];
    const kith_text texts[] = {
        text_of("The kids play in the park."), text_of("Kids play park ."),
        text_of("THE th\u00e9 of, yourselves"), text_of("The the"), text_of(""),
    };
    kenc_model *model = open_as(tiny, KITH_PRECISION_FP32, NULL, 1);
    assert_ok(kenc_encode_static(model, texts, 5, true, v, n_pieces, &error));
    assert_memory_equal(v, v + DIM, DIM * sizeof(float));
    assert_int_equal(n_pieces[0], n_pieces[1]);
    assert_int_equal(n_pieces[2], 1); /* the comma */
    assert_int_equal(n_pieces[3], 0);
    assert_int_equal(n_pieces[4], 0);
    assert_true(is_zero(v + 3 * DIM) && is_zero(v + 4 * DIM));
    assert_ok(kenc_encode_static(model, texts, 5, false, v, NULL, &error));
    assert_memory_not_equal(v, v + DIM, DIM * sizeof(float));
    kenc_model_close(model);
    assert_true(kenc_is_stopword("a", 1) && kenc_is_stopword("Yourselves", 10));
    assert_false(kenc_is_stopword("", 0) || kenc_is_stopword("not", 3) ||
                 kenc_is_stopword("th", 2) || kenc_is_stopword("yourselvesx", 11));
}

#if defined(__x86_64__)
/* A host may have set another rounding: averages do not follow it, and it is back after. */
static void the_hosts_float_settings_do_not_matter(void **state)
{
    (void)state;
    kith_error error;
    float expected[DIM], vector[DIM];
    const kith_text text = text_of("the bank and the ships of a river");
    kenc_model *model = open_as(tiny, KITH_PRECISION_FP32, NULL, 1);
    assert_ok(kenc_encode_static(model, &text, 1, false, expected, NULL, &error));
    kith_word_vectors usual = encode_word(model, text.data, "bank");
    const unsigned former = _mm_getcsr();
    const unsigned hostile = former | 0x8040 | 0x6000; /* FTZ, DAZ, toward zero */
    _mm_setcsr(hostile);
    kith_status status = kenc_encode_static(model, &text, 1, false, vector, NULL, &error);
    kith_word_vectors word = encode_word(model, text.data, "bank");
    const unsigned left = _mm_getcsr() & ~0x3fu; /* without the sticky exception flags */
    _mm_setcsr(former);
    assert_ok(status);
    assert_int_equal(left, hostile & ~0x3fu);
    assert_memory_equal(vector, expected, sizeof(vector));
    assert_memory_equal(word.vectors, usual.vectors, sizeof(vector));
    kenc_word_vectors_free(&word);
    kenc_word_vectors_free(&usual);
    kenc_model_close(model);
}
#endif

/* ------------------------------------------------------------------ damage */

/* Whatever reads the embedding of a word finds that it is damaged. */
static void a_damaged_word_is_found(void **state)
{
    (void)state;
    kith_error error;
    size_t n;
    char *data = read_file(tiny, &n);
    char *path = format("%s/damaged.kmodel", folder);
    const kenc_header *header = (const void *)data;
    const kith_text texts[] = { text_of("the sea"), text_of("a river") };
    const kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    kith_token_vectors tokens[2];
    kith_word_vectors words[2];
    float vectors[2 * DIM];
    kenc_model *model = open_as(tiny, KITH_PRECISION_FP32, NULL, 1);
    const kenc_vocabulary *vocabulary = &kenc_model_tokenizer(model)->vocabulary;
    const uint32_t id = kenc_vocabulary_find(vocabulary, "river", 5);
    data[header->sections[KENC_SECTION_WORDS].offset + id * 64 * sizeof(float)] ^= 1;
    kenc_model_close(model);
    write_file(path, data, n);
    assert_ok(kenc_model_open(path, &opts, &model, &error));
    assert_status(KITH_CORRUPT, kenc_encode_static(model, texts, 2, false, vectors, NULL,
                                                   &error));
    assert_status(KITH_CORRUPT, kenc_encode_tokens(model, texts, 2, tokens, &error));
    assert_null(tokens[0].vectors);
    assert_status(KITH_CORRUPT, kenc_encode_word(model, texts, 2, text_of("river"), words,
                                                 &error));
    assert_null(words[1].occurrences);
    assert_ok(kenc_encode_static(model, texts, 1, false, vectors, NULL, &error));
    kenc_model_close(model);
    free(path);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_vectors_equal_the_reference),
        cmocka_unit_test(token_vectors_are_what_is_pooled),
        cmocka_unit_test(every_kernel_batch_and_thread_gives_the_same_bits),
        cmocka_unit_test(tokens_are_encoded_as_their_text),
        cmocka_unit_test(offsets_and_cuts_are_told),
        cmocka_unit_test(a_word_is_found_as_the_tokenizer_sees_it),
        cmocka_unit_test(a_word_is_the_mean_of_its_pieces),
        cmocka_unit_test(what_is_cut_of_a_word_does_not_count),
        cmocka_unit_test(many_texts_are_searched),
        cmocka_unit_test(words_that_cannot_be_are_refused),
        cmocka_unit_test(averages_equal_the_reference),
        cmocka_unit_test(stop_words_are_dropped),
#if defined(__x86_64__)
        cmocka_unit_test(the_hosts_float_settings_do_not_matter),
#endif
        cmocka_unit_test(a_damaged_word_is_found),
    };
    return cmocka_run_group_tests(tests, make_tiny, remove_folder);
}
