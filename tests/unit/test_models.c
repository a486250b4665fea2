/* encoder/: DistilBERT, Dense modules, prompts and cross-encoders, by two tiny models
 * and what the reference library makes of them (tests/golden). */
#include "encoder_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "kmodel.h"

#define GOLDEN "tests/golden/"
#define DISTILBERT GOLDEN "tiny-distilbert"
#define CROSS_ENCODER GOLDEN "tiny-cross-encoder"
#define N_TEXTS 40
#define DIM 12
#define N_LABELS 3
#define TOLERANCE 2e-5

static char *encoder_path;
static char *scorer_path;

static int set_up(void **state)
{
    make_folder(state);
    encoder_path = import_as(DISTILBERT, "encoder");
    scorer_path = import_as(CROSS_ENCODER, "scorer");
    return 0;
}

static int tear_down(void **state)
{
    free(scorer_path);
    free(encoder_path);
    return remove_folder(state);
}

/* The golden texts and pairs. */
typedef struct inputs {
    golden_text *golden;
    golden_text *seconds;
    kith_text texts[N_TEXTS];
    kith_text_pair pairs[N_TEXTS];
} inputs;

static void read_inputs(inputs *in)
{
    size_t n;
    in->golden = read_golden_texts(GOLDEN "tiny-texts.jsonl", &n);
    assert_int_equal(n, N_TEXTS);
    in->seconds = read_golden_texts(GOLDEN "tiny-pairs.jsonl", &n);
    assert_int_equal(n, N_TEXTS);
    for (size_t i = 0; i < N_TEXTS; i++) {
        const golden_text *second = &in->seconds[i];
        in->texts[i] = (kith_text){ in->golden[i].text, in->golden[i].n_bytes };
        in->pairs[i] = (kith_text_pair){ in->texts[i],
                                          { second->text, second->n_bytes } };
    }
}

static void free_inputs(inputs *in)
{
    free_golden_texts(in->golden, N_TEXTS);
    free_golden_texts(in->seconds, N_TEXTS);
}

static void assert_near(const float *found, const char *path, size_t n_columns)
{
    size_t n_bytes;
    float *expected = (float *)(void *)read_file(path, &n_bytes);
    assert_int_equal(n_bytes, N_TEXTS * n_columns * sizeof(float));
    for (size_t i = 0; i < N_TEXTS * n_columns; i++) {
        const double d = fabs((double)found[i] - (double)expected[i]);
        if (!(d <= TOLERANCE)) {
            print_error("%s: number %zu differs by %g\n", path, i, d);
        }
        assert_true(d <= TOLERANCE);
    }
    free(expected);
}

/* ------------------------------------------------------------------ the reference */

static void vectors_equal_the_reference(void **state)
{
    (void)state;
    static const char *const paths[] = { GOLDEN "tiny-distilbert-none.f32",
                                         GOLDEN "tiny-distilbert-query.f32",
                                         GOLDEN "tiny-distilbert-passage.f32" };
    kith_error error;
    inputs in;
    float vectors[N_TEXTS * DIM];
    kenc_model *model = open_as(encoder_path, KITH_PRECISION_FP32, NULL, 2);
    read_inputs(&in);
    for (int prompt = KITH_PROMPT_NONE; prompt <= KITH_PROMPT_PASSAGE; prompt++) {
        assert_ok(kenc_encode(model, in.texts, N_TEXTS, KITH_POOLING_DEFAULT,
                              (kith_prompt)prompt, vectors, NULL, &error));
        assert_near(vectors, paths[prompt], DIM);
    }
    free_inputs(&in);
    kenc_model_close(model);
}

static void ids_of_pairs_equal_the_reference(void **state)
{
    (void)state;
    kith_error error;
    inputs in;
    kenc_model *model = open_as(scorer_path, KITH_PRECISION_FP32, NULL, 1);
    const kenc_tokenizer *tokenizer = kenc_model_tokenizer(model);
    kenc_token_list list = { 0 };
    kenc_token_list other = { 0 };
    size_t n_cut = 0;
    read_inputs(&in);
    for (size_t i = 0; i < N_TEXTS; i++) {
        size_t n_second;
        assert_ok(kenc_tokenize_pair(tokenizer, in.pairs[i].first, in.pairs[i].second,
                                     32, &list, &other, &n_second, &error));
        assert_int_equal(list.n_tokens, in.seconds[i].n_ids);
        assert_memory_equal(list.ids, in.seconds[i].ids,
                            list.n_tokens * sizeof(*list.ids));
        assert_true(n_second >= 1 && n_second < list.n_tokens);
        assert_int_equal(list.ids[list.n_tokens - n_second - 1], tokenizer->rules.sep);
        n_cut += list.n_dropped > 0;
    }
    assert_true(n_cut > 10 && n_cut < N_TEXTS);
    kenc_token_list_free(&other);
    kenc_token_list_free(&list);
    free_inputs(&in);
    kenc_model_close(model);
}

static void scores_equal_the_reference(void **state)
{
    (void)state;
    kith_error error;
    inputs in;
    float scores[N_TEXTS * N_LABELS];
    kenc_model *model = open_as(scorer_path, KITH_PRECISION_FP32, NULL, 2);
    read_inputs(&in);
    assert_ok(kenc_score(model, in.pairs, N_TEXTS, true, scores, NULL, &error));
    assert_near(scores, GOLDEN "tiny-logits.f32", N_LABELS);
    assert_ok(kenc_score(model, in.pairs, N_TEXTS, false, scores, NULL, &error));
    assert_near(scores, GOLDEN "tiny-scores.f32", N_LABELS);
    free_inputs(&in);
    kenc_model_close(model);
}

/* ------------------------------------------------------------------ the same bits */

/* All texts, or pairs, `batch` at a call. */
static void run(kenc_model *model, const inputs *in, bool are_pairs, size_t batch,
                float *out)
{
    kith_error error;
    for (size_t i = 0; i < N_TEXTS; i += batch) {
        const size_t n = N_TEXTS - i < batch ? N_TEXTS - i : batch;
        assert_ok(are_pairs
                      ? kenc_score(model, in->pairs + i, n, false, out + i * N_LABELS,
                                   NULL, &error)
                      : kenc_encode(model, in->texts + i, n, KITH_POOLING_DEFAULT,
                                    KITH_PROMPT_PASSAGE, out + i * DIM, NULL, &error));
    }
}

static void give_the_same_bits(bool are_pairs, kith_precision precision)
{
    static const size_t batches[] = { 1, 7, N_TEXTS };
    const char *path = are_pairs ? scorer_path : encoder_path;
    inputs in;
    float expected[N_TEXTS * DIM] = { 0.0f };
    float found[N_TEXTS * DIM] = { 0.0f };
    kbase_isa isa;
    read_inputs(&in);
    kenc_model *model = open_as(path, precision, "portable", 1);
    run(model, &in, are_pairs, N_TEXTS, expected);
    kenc_model_close(model);
    for (int i = 0; i < KBASE_ISA_COUNT; i++) {
        const char *name = kbase_isa_name((kbase_isa)i);
        if (kbase_isa_choose(name, &isa, NULL) != KITH_OK) {
            continue;
        }
        for (unsigned n_threads = 1; n_threads <= 3; n_threads++) {
            model = open_as(path, precision, name, n_threads);
            for (size_t b = 0; b < 3; b++) {
                run(model, &in, are_pairs, batches[b], found);
                assert_memory_equal(found, expected, sizeof(found));
            }
            kenc_model_close(model);
        }
    }
    free_inputs(&in);
}

static void kernels_batches_and_threads_do_not_matter(void **state)
{
    (void)state;
    give_the_same_bits(false, KITH_PRECISION_FP32);
    give_the_same_bits(false, KITH_PRECISION_INT8);
    give_the_same_bits(true, KITH_PRECISION_FP32);
    give_the_same_bits(true, KITH_PRECISION_INT8);
}

static void int8_is_near_to_fp32(void **state)
{
    (void)state;
    inputs in;
    read_inputs(&in);
    for (int are_pairs = 0; are_pairs < 2; are_pairs++) {
        const char *path = are_pairs ? scorer_path : encoder_path;
        float fp32[N_TEXTS * DIM];
        float int8[N_TEXTS * DIM];
        double largest = 0.0;
        kenc_model *model = open_as(path, KITH_PRECISION_FP32, NULL, 1);
        run(model, &in, are_pairs, N_TEXTS, fp32);
        kenc_model_close(model);
        model = open_as(path, KITH_PRECISION_INT8, NULL, 1);
        run(model, &in, are_pairs, N_TEXTS, int8);
        kenc_model_close(model);
        for (size_t i = 0; i < (size_t)N_TEXTS * (are_pairs ? N_LABELS : DIM); i++) {
            largest = fmax(largest, fabs((double)fp32[i] - (double)int8[i]));
        }
        assert_true(largest < 0.02);
        assert_true(largest > 1e-5); /* or int8 did not run */
    }
    free_inputs(&in);
}

static void both_pass_their_self_test(void **state)
{
    (void)state;
    kith_error error;
    const char *const paths[] = { encoder_path, scorer_path };
    for (size_t i = 0; i < 4; i++) {
        kith_model_test_result result;
        kenc_model *model =
            open_as(paths[i / 2],
                    i % 2 == 0 ? KITH_PRECISION_FP32 : KITH_PRECISION_INT8, NULL, 2);
        assert_ok(kenc_model_test(model, &result, &error));
        assert_true(result.is_equal);
        assert_true(result.cosine > 0.999);
        assert_true((result.cosine == 1.0) == (i % 2 == 0));
        kenc_model_close(model);
    }
}

/* ------------------------------------------------------------------ what they are for
 */

static void a_model_does_one_thing(void **state)
{
    (void)state;
    kith_error error;
    kith_model_info info;
    float out[DIM];
    const kith_text text = { "a", 1 };
    const kith_text_pair pair = { text, text };
    kenc_model *encoder = open_as(encoder_path, KITH_PRECISION_DEFAULT, NULL, 1);
    kenc_model *scorer = open_as(scorer_path, KITH_PRECISION_DEFAULT, NULL, 1);
    assert_status(KITH_INVALID,
                  kenc_score(encoder, &pair, 1, false, out, NULL, &error));
    assert_non_null(strstr(error.message, "no cross-encoder"));
    assert_status(KITH_INVALID, kenc_encode(scorer, &text, 1, KITH_POOLING_DEFAULT,
                                            KITH_PROMPT_NONE, out, NULL, &error));
    assert_non_null(strstr(error.message, "is a cross-encoder"));
    assert_status(KITH_INVALID, kenc_encode(encoder, &text, 1, KITH_POOLING_POOLER,
                                            KITH_PROMPT_NONE, out, NULL, &error));
    assert_status(KITH_INVALID, kenc_encode(encoder, &text, 1, KITH_POOLING_DEFAULT,
                                            (kith_prompt)3, out, NULL, &error));
    assert_ok(kenc_score(scorer, NULL, 0, false, out, NULL, &error));
    kenc_model_get_info(encoder, &info);
    assert_string_equal(info.model_class, "distilbert");
    assert_string_equal(info.query_prompt, "find: ");
    assert_string_equal(info.passage_prompt, "the text says ");
    assert_int_equal(info.dim, DIM);
    assert_int_equal(info.hidden, 24);
    assert_int_equal(info.n_dense, 2);
    assert_int_equal(info.n_labels, 0);
    assert_int_equal(info.max_tokens, 28);
    assert_int_equal(info.pooling, KITH_POOLING_CLS);
    kenc_model_get_info(scorer, &info);
    assert_string_equal(info.model_class, "bert");
    assert_int_equal(info.dim, 0);
    assert_int_equal(info.n_labels, N_LABELS);
    assert_true(info.has_sigmoid);
    assert_int_equal(info.max_tokens, 32);
    kenc_model_close(scorer);
    kenc_model_close(encoder);
}

/* Points are a token each; 29 fit beside [CLS] and twice [SEP]. */
static void the_longer_text_is_cut_first(void **state)
{
    (void)state;
    static const struct {
        size_t first, second;           /* given */
        size_t kept_first, kept_second; /* fit */
    } cases[] = {
        { 0, 0, 0, 0 }, { 14, 15, 14, 15 }, { 15, 15, 14, 15 },
        { 100, 0, 29, 0 }, { 0, 100, 0, 29 }, { 100, 10, 19, 10 },
        { 10, 100, 10, 19 }, { 14, 90, 14, 15 }, { 90, 14, 15, 14 },
        { 90, 15, 15, 14 }, { 15, 90, 14, 15 }, { 90, 91, 14, 15 },
        { 91, 90, 15, 14 }, { 90, 90, 14, 15 },
    };
    kith_error error;
    char points[128];
    memset(points, '.', sizeof(points));
    kenc_model *model = open_as(scorer_path, KITH_PRECISION_FP32, NULL, 1);
    kenc_token_list list = { 0 };
    kenc_token_list other = { 0 };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const kith_text first = { points, cases[i].first };
        const kith_text second = { points, cases[i].second };
        const kith_text_pair pair = { first, second };
        const size_t n_kept = cases[i].kept_first + cases[i].kept_second;
        float scores[N_LABELS];
        uint32_t n_dropped;
        size_t n_second;
        assert_ok(kenc_tokenize_pair(kenc_model_tokenizer(model), first, second, 32,
                                     &list, &other, &n_second, &error));
        assert_int_equal(n_second, cases[i].kept_second + 1);
        assert_int_equal(list.n_tokens, n_kept + 3);
        assert_int_equal(list.n_dropped, first.n_bytes + second.n_bytes - n_kept);
        assert_ok(kenc_score(model, &pair, 1, false, scores, &n_dropped, &error));
        assert_int_equal(n_dropped, list.n_dropped);
    }
    kenc_token_list_free(&other);
    kenc_token_list_free(&list);
    kenc_model_close(model);
}

/* Small scores keep their digits, so that what is far from relevant still has an order.
 */
static void the_sigmoid_is_precise(void **state)
{
    (void)state;
    kith_error error;
    kbase_isa isa;
    assert_ok(kbase_isa_choose(NULL, &isa, &error));
    for (double x = -87.0; x < 88.0; x += 0.25) {
        float values[16];
        for (size_t i = 0; i < 16; i++) {
            values[i] = (float)(x + (double)i / 64.0);
        }
        kenc_kernels_for(isa)->sigmoid(values, 16);
        for (size_t i = 0; i < 16; i++) {
            const double expected = 1.0 / (1.0 + exp(-(x + (double)i / 64.0)));
            const double tolerance = 2e-7 + fmax(0.0, -x) * 1.2e-7;
            assert_true(fabs((double)values[i] / expected - 1.0) <= tolerance);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_equal_the_reference),
        cmocka_unit_test(ids_of_pairs_equal_the_reference),
        cmocka_unit_test(scores_equal_the_reference),
        cmocka_unit_test(kernels_batches_and_threads_do_not_matter),
        cmocka_unit_test(int8_is_near_to_fp32),
        cmocka_unit_test(both_pass_their_self_test),
        cmocka_unit_test(a_model_does_one_thing),
        cmocka_unit_test(the_longer_text_is_cut_first),
        cmocka_unit_test(the_sigmoid_is_precise),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
