/* A collection of a model with prompts: records are encoded as passages, texts that are
 * searched for as queries. And what a cross-encoder is not for. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kith.h"

#define MODEL "tests/golden/tiny-distilbert"
#define CROSS_ENCODER "tests/golden/tiny-cross-encoder"
#define DIM 12

static char *folder;
static char *coll;
static kith_model *model;

static kith_model *import(const char *from, const char *name)
{
    kith_error error;
    kith_model *opened = NULL;
    char *path = format("%s/%s.kmodel", folder, name);
    assert_ok(kith_model_import(from, name, path, NULL, &error));
    assert_ok(kith_model_open(path, NULL, &opened, &error));
    free(path);
    return opened;
}

static int set_up(void **state)
{
    (void)state;
    folder = make_temp_folder();
    coll = format("%s/c.kith", folder);
    model = import(MODEL, "tiny");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kith_model_close(model);
    remove_tree(folder);
    free(coll);
    free(folder);
    return 0;
}

static int fresh(void **state)
{
    (void)state;
    remove_tree(coll);
    return 0;
}

static kith_text text_of(const char *s)
{
    return (kith_text){ s, strlen(s) };
}

static void encode(const char *text, kith_prompt prompt, float vector[DIM])
{
    kith_error error;
    const kith_text given = text_of(text);
    kith_encode_opts opts = KITH_ENCODE_OPTS_INIT;
    opts.prompt = prompt;
    assert_ok(kith_model_encode(model, &given, 1, &opts, vector, NULL, &error));
}

static double largest_difference(const float *a, const float *b)
{
    double largest = 0.0;
    for (size_t i = 0; i < DIM; i++) {
        largest = fmax(largest, fabs((double)a[i] - (double)b[i]));
    }
    return largest;
}

/* A collection with one record, "r". */
static kith_collection *collection_of(const char *text, kith_writer_stats *stats)
{
    kith_error error;
    kith_collection *c = NULL;
    kith_writer *writer = NULL;
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    const kith_input input = { .id = text_of("r"), .text = text_of(text) };
    opts.create = true;
    assert_ok(kith_collection_open(coll, model, &opts, &c, &error));
    assert_ok(kith_writer_begin(c, NULL, &writer, &error));
    assert_ok(kith_writer_add(writer, &input, &error));
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_get_stats(writer, stats);
    kith_writer_close(writer);
    return c;
}

static void the_prompt_is_put_before_the_text(void **state)
{
    (void)state;
    static const struct {
        kith_prompt prompt;
        const char *whole;
    } cases[] = { { KITH_PROMPT_NONE, "a question" },
                  { KITH_PROMPT_QUERY, "find: a question" },
                  { KITH_PROMPT_PASSAGE, "the text says a question" } };
    for (size_t i = 0; i < 3; i++) {
        float found[DIM];
        float expected[DIM];
        encode("a question", cases[i].prompt, found);
        encode(cases[i].whole, KITH_PROMPT_NONE, expected);
        assert_memory_equal(found, expected, sizeof(found));
    }
}

static void records_are_passages_and_searches_queries(void **state)
{
    (void)state;
    kith_error error;
    kith_writer_stats stats;
    kith_records *records = NULL;
    kith_collection *c = collection_of("one thing", &stats);
    float passage[DIM];
    float plain[DIM];
    float query[DIM];
    encode("one thing", KITH_PROMPT_PASSAGE, passage);
    encode("one thing", KITH_PROMPT_NONE, plain);
    encode("other", KITH_PROMPT_QUERY, query);
    assert_ok(kith_record_get(c, text_of("r"), &records, &error));
    const float *stored = kith_records_at(records, 0)->vector;
    assert_true(largest_difference(stored, passage) < 1e-3); /* f16 */
    assert_true(largest_difference(stored, plain) > 1e-2);
    kith_records_free(records);

    kith_query queries[2] = { { .text = text_of("other") }, { .vector = query } };
    kith_results *results = NULL;
    assert_ok(kith_search(c, queries, 2, NULL, &results, &error));
    const float by_text = kith_results_at(results, 0)->hits[0].score;
    const float by_vector = kith_results_at(results, 1)->hits[0].score;
    assert_true(fabs((double)by_text - (double)by_vector) < 1e-6);
    kith_results_free(results);
    kith_collection_close(c);
}

/* The model takes 28 tokens, of which [CLS], [SEP] and the prompt are five. */
static void passages_leave_room_for_the_prompt(void **state)
{
    (void)state;
    kith_error error;
    kith_model_info info;
    kith_writer_stats stats;
    kith_tokens tokens;
    kith_model_get_info(model, &info);
    assert_ok(kith_model_tokenize(model, text_of(info.passage_prompt), false, &tokens,
                                  &error));
    const size_t room = info.max_tokens - tokens.n_tokens;
    kith_tokens_free(&tokens);
    char points[100];
    memset(points, '.', sizeof(points)); /* a token each */
    for (size_t n = room - 1; n <= room + 1; n++) {
        points[n] = '\0';
        kith_collection *c = collection_of(points, &stats);
        points[n] = '.';
        assert_int_equal(stats.n_passages, n <= room ? 1 : 2);
        assert_int_equal(stats.n_truncated, 0);
        kith_collection_close(c);
        remove_tree(coll);
    }
    points[99] = '\0';
    kith_collection *c = collection_of(points, &stats);
    assert_int_equal(stats.n_passages, (99 + room - 1) / room);
    assert_int_equal(stats.n_truncated, 0);
    kith_collection_close(c);
}

static void a_cross_encoder_makes_no_collection(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = NULL;
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    kith_model *scorer = import(CROSS_ENCODER, "scorer");
    opts.create = true;
    assert_status(KITH_INVALID, kith_collection_open(coll, scorer, &opts, &c, &error));
    assert_non_null(strstr(error.message, "scorer is a cross-encoder"));

    const kith_text_pair pair = { text_of("a question"), text_of("an answer") };
    kith_score_opts scoring = KITH_SCORE_OPTS_INIT;
    float scores[3];
    float logits[3];
    assert_ok(kith_model_score(scorer, &pair, 1, NULL, scores, NULL, &error));
    scoring.logits = true;
    assert_ok(kith_model_score(scorer, &pair, 1, &scoring, logits, NULL, &error));
    for (size_t i = 0; i < 3; i++) {
        assert_true(fabs(1.0 / (1.0 + exp(-(double)logits[i])) - (double)scores[i]) <
                    1e-6);
    }
    scoring.size = sizeof(scoring) + 8;
    assert_status(KITH_INVALID,
                  kith_model_score(scorer, &pair, 1, &scoring, logits, NULL, &error));
    kith_model_close(scorer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_prompt_is_put_before_the_text, fresh),
        cmocka_unit_test_setup(records_are_passages_and_searches_queries, fresh),
        cmocka_unit_test_setup(passages_leave_room_for_the_prompt, fresh),
        cmocka_unit_test_setup(a_cross_encoder_makes_no_collection, fresh),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
