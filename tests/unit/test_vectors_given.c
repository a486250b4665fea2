/* Records whose vectors or passages come from the caller, with and without a model. */
#include "collection_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIM 5
#define MAX_DIM 64 /* of the tiny model, at most */

static uint32_t model_dim(void)
{
    kith_model_info info;
    kith_model_get_info(model, &info);
    assert_true(info.dim <= MAX_DIM);
    return info.dim;
}

/* Without a model, for vectors of `dim` numbers. */
static kith_status open_bare(uint32_t dim, kith_collection **c, kith_error *err)
{
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.create = dim > 0;
    opts.dim = dim;
    opts.n_threads = 1;
    return kith_collection_open(coll, NULL, &opts, c, err);
}

static kith_collection *bare(void)
{
    kith_error error;
    kith_collection *c = NULL;
    assert_ok(open_bare(DIM, &c, &error));
    return c;
}

static void add_vector(kith_writer *writer, const char *id, const char *text,
                       const float *vector)
{
    kith_error error;
    const kith_input input = { .id = text_of(id), .text = text_of(text),
                               .vector = vector };
    assert_ok(kith_writer_add(writer, &input, &error));
}

static void commit(kith_writer *writer)
{
    kith_error error;
    assert_ok(kith_writer_commit(writer, &error));
}

/* The stored vector of a passage. */
static void read_vector(kith_collection *c, const char *id, size_t passage,
                        uint32_t dim, float *vector)
{
    kith_error error;
    kith_records *records = NULL;
    assert_ok(kith_record_get(c, text_of(id), &records, &error));
    assert_true(passage < kith_records_count(records));
    const kith_record *record = kith_records_at(records, passage);
    assert_non_null(record->vector);
    memcpy(vector, record->vector, dim * sizeof(*vector));
    kith_records_free(records);
}

/* ------------------------------------------------------------------ vectors */

static void a_vector_is_stored_at_unit_length(void **state)
{
    (void)state;
    const float given[DIM] = { 3e20f, -4e20f, 0, 0, 0 };
    const float tiny[DIM] = { 0, 0, 0, 0, 1e-40f };
    kith_collection *c = bare();
    kith_writer *writer = begin(c);
    float stored[DIM];
    add_vector(writer, "a", "", given);
    add_vector(writer, "b", "", tiny);
    commit(writer);
    kith_writer_close(writer);
    read_vector(c, "a", 0, DIM, stored);
    assert_true(fabsf(stored[0] - 0.6f) < 3e-4f && fabsf(stored[1] + 0.8f) < 3e-4f);
    assert_true(!(fabsf(stored[2]) > 0));
    read_vector(c, "b", 0, DIM, stored);
    assert_true(!(fabsf(stored[4] - 1) > 0));
    kith_collection_close(c);
}

#define N_RANDOM 1000

/* Rounded once, rounded for ever: exporting and importing do not wear a vector out. */
static void what_was_stored_is_stored_again_with_the_same_bits(void **state)
{
    (void)state;
    char id[2][16];
    float vectors[2][DIM];
    kith_writer_stats stats;
    kith_collection *c = bare();
    kith_writer *writer = begin(c);
    uint32_t random = 1;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N_RANDOM; i++) {
            sprintf(id[0], "0-%d", i);
            sprintf(id[1], "1-%d", i);
            for (int j = 0; j < DIM && round == 0; j++) {
                random = random * 1664525u + 1013904223u;
                vectors[0][j] = (float)(int32_t)random;
            }
            if (round > 0) {
                read_vector(c, id[0], 0, DIM, vectors[0]);
            }
            add_vector(writer, id[round], "", vectors[0]);
        }
        commit(writer);
    }
    for (int i = 0; i < N_RANDOM; i++) {
        sprintf(id[0], "0-%d", i);
        sprintf(id[1], "1-%d", i);
        read_vector(c, id[0], 0, DIM, vectors[0]);
        read_vector(c, id[1], 0, DIM, vectors[1]);
        assert_memory_equal(vectors[0], vectors[1], sizeof(vectors[0]));
    }
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_encoded, 0);
    kith_writer_close(writer);
    kith_collection_close(c);
}

static void the_same_vector_is_unchanged_and_another_one_is_not(void **state)
{
    (void)state;
    float vector[DIM] = { 1, 2, 3, 4, 5 };
    kith_writer_stats stats;
    kith_collection *c = bare();
    kith_writer *writer = begin(c);
    add_vector(writer, "a", "text", vector);
    commit(writer);
    add_vector(writer, "a", "text", vector);
    for (int i = 0; i < DIM; i++) {
        vector[i] *= 4; /* the same bits at unit length */
    }
    add_vector(writer, "a", "text", vector);
    commit(writer);
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_unchanged, 2);
    assert_int_equal(stats.n_committed, 1);
    vector[0] = -vector[0];
    add_vector(writer, "a", "text", vector);
    commit(writer);
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_committed, 2);
    float stored[DIM];
    read_vector(c, "a", 0, DIM, stored);
    assert_true(stored[0] < 0);
    kith_writer_close(writer);
    assert_int_equal(count_records(c), 1);
    kith_collection_close(c);
}

static void bad_vectors_are_refused_by_name(void **state)
{
    (void)state;
    kith_error error;
    const float good[DIM] = { 1, 0, 0, 0, 0 };
    const float bad[][DIM] = {
        { 0, -0.0f, 0, 0, 0 },
        { 1, 2, NAN, 0, 0 },
        { 1, 2, 3, 4, INFINITY },
        { -INFINITY, 0, 0, 0, 0 },
    };
    kith_collection *c = bare();
    kith_writer *writer = begin(c);
    add_vector(writer, "good", "", good);
    for (size_t i = 0; i < 4; i++) {
        const kith_input input = { .id = text_of("the bad one"), .vector = bad[i] };
        assert_status(KITH_INVALID, kith_writer_add(writer, &input, &error));
        assert_non_null(strstr(error.message, "the bad one"));
        const kith_input_passage passages[] = { { .vector = good },
                                                { .vector = bad[i] } };
        const kith_input two = { .id = text_of("two"), .passages = passages,
                                 .n_passages = 2 };
        assert_status(KITH_INVALID, kith_writer_add(writer, &two, &error));
    }
    commit(writer);
    kith_writer_close(writer);
    assert_int_equal(count_records(c), 1);
    kith_collection_close(c);
}

/* ------------------------------------------------------------------ without a model */

static void a_collection_without_a_model(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = bare();
    kith_collection *other = NULL;
    kith_collection_model made_with;
    kith_results *results = NULL;
    kith_writer *writer = begin(c);
    for (int i = 0; i < DIM; i++) {
        float vector[DIM] = { 0 };
        char id[2] = { (char)('a' + i), '\0' };
        vector[i] = 1;
        vector[(i + 1) % DIM] = 0.5f;
        add_vector(writer, id, i == 0 ? "a text" : "", vector);
    }
    const kith_input text = { .id = text_of("t"), .text = text_of("no vector") };
    assert_status(KITH_INVALID, kith_writer_add(writer, &text, &error));
    assert_non_null(strstr(error.message, "model"));
    commit(writer);
    kith_writer_close(writer);

    assert_ok(kith_collection_get_model(coll, &made_with, &error));
    assert_true(made_with.name[0] == '\0' && made_with.fingerprint[0] == '\0');
    assert_int_equal(made_with.dim, DIM);
    assert_int_equal(made_with.precision, KITH_PRECISION_DEFAULT);

    const float asked[DIM] = { 0, 0, 7, 0, 0 };
    const kith_query queries[] = { { .vector = asked }, { .like = text_of("b") } };
    assert_ok(kith_search(c, queries, 2, NULL, &results, &error));
    assert_true(is(kith_results_at(results, 0)->hits[0].record->id, "c"));
    assert_null(kith_results_at(results, 0)->hits[0].record->vector);
    assert_int_equal(kith_results_at(results, 1)->n_hits, DIM - 1);
    kith_results_free(results);
    const kith_query by_text = { .text = text_of("a text") };
    assert_status(KITH_INVALID, kith_search(c, &by_text, 1, NULL, &results, &error));
    assert_non_null(strstr(error.message, "made without a model"));
    kith_collection_close(c);

    assert_ok(open_bare(0, &c, &error));
    kith_collection_close(c);
    assert_status(KITH_MISMATCH, open_bare(DIM + 1, &other, &error));
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    assert_status(KITH_MISMATCH,
                  kith_collection_open(coll, model, &opts, &other, &error));
    assert_non_null(strstr(error.message, "without a model"));
}

static void dimensions_have_limits(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = NULL;
    kith_results *results = NULL;
    assert_status(KITH_INVALID, open_bare(65537, &c, &error));
    assert_status(KITH_NOT_FOUND, open_bare(0, &c, &error)); /* nothing was made */
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.create = true;
    opts.dim = model_dim() + 1;
    assert_status(KITH_MISMATCH, kith_collection_open(coll, model, &opts, &c, &error));
    assert_status(KITH_NOT_FOUND, open_bare(0, &c, &error));

    const uint32_t most = 65536;
    float *vector = calloc(most, sizeof(*vector));
    assert_ok(open_bare(most, &c, &error));
    kith_writer *writer = begin(c);
    for (uint32_t i = 0; i < most; i++) {
        vector[i] = (float)(i % 7) - 3;
    }
    add_vector(writer, "a", "", vector);
    vector[0] = 1000;
    add_vector(writer, "b", "", vector);
    commit(writer);
    kith_writer_close(writer);
    const kith_query query = { .vector = vector };
    assert_ok(kith_search(c, &query, 1, NULL, &results, &error));
    assert_true(is(kith_results_at(results, 0)->hits[0].record->id, "b"));
    assert_true(fabsf(kith_results_at(results, 0)->hits[0].score - 1) < 1e-4f);
    kith_results_free(results);
    kith_collection_close(c);
    free(vector);
}

/* ------------------------------------------------------------------ with a model */

static void given_and_encoded_vectors_side_by_side(void **state)
{
    (void)state;
    kith_error error;
    const uint32_t dim = model_dim();
    float vectors[N_ANIMALS][MAX_DIM];
    float encoded[MAX_DIM];
    float given[MAX_DIM];
    kith_writer_stats stats;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    for (int i = 0; i < N_ANIMALS; i++) {
        const kith_text text = text_of(animals[i]);
        assert_ok(kith_model_encode(model, &text, 1, NULL, vectors[i],
                                    NULL, &error));
        char *id = format("encoded %d", i);
        add(writer, id, animals[i]);
        free(id);
        id = format("given %d", i);
        add_vector(writer, id, animals[i], vectors[i]);
        free(id);
    }
    commit(writer);
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_passages, 2 * N_ANIMALS);
    assert_int_equal(stats.n_encoded, N_ANIMALS);
    for (int i = 0; i < N_ANIMALS; i++) {
        char *id = format("encoded %d", i);
        read_vector(c, id, 0, dim, encoded);
        free(id);
        id = format("given %d", i);
        read_vector(c, id, 0, dim, given);
        free(id);
        assert_memory_equal(encoded, given, dim * sizeof(*given));
    }

    /* Another vector with the same text, and then the text alone: it is encoded. */
    add_vector(writer, "given 0", animals[0], vectors[1]);
    commit(writer);
    add(writer, "given 0", animals[0]);
    commit(writer);
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_encoded, N_ANIMALS + 1);
    read_vector(c, "encoded 0", 0, dim, encoded);
    read_vector(c, "given 0", 0, dim, given);
    assert_memory_equal(encoded, given, dim * sizeof(*given));
    kith_writer_close(writer);
    kith_collection_close(c);
}

static void a_given_vector_makes_one_passage_of_a_long_text(void **state)
{
    (void)state;
    kith_error error;
    float vector[MAX_DIM] = { 1 };
    char *text = calloc(1, 20000);
    for (int i = 0; i < 1000; i++) {
        strcat(text, "word and word. ");
    }
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    const kith_input input = { .id = text_of("long"), .text = text_of(text),
                               .vector = vector, .byte = { 7, 9 }, .line = { 1, 2 } };
    assert_ok(kith_writer_add(writer, &input, &error));
    commit(writer);
    kith_writer_close(writer);
    kith_records *records = NULL;
    assert_ok(kith_record_get(c, text_of("long"), &records, &error));
    assert_int_equal(kith_records_count(records), 1);
    const kith_record *record = kith_records_at(records, 0);
    assert_true(is(record->text, text));
    assert_true(record->byte[0] == 7 && record->line[1] == 2);
    kith_records_free(records);
    free(text);
    kith_collection_close(c);
}

/* ------------------------------------------------------------------ given passages */

/* The records of `from`, passage by passage, into another collection. */
static void copy_records(kith_collection *from, kith_writer *writer, bool with_vectors)
{
    kith_error error;
    kith_cursor *cursor = NULL;
    kith_records *records = NULL;
    assert_ok(kith_cursor_open(from, &cursor, &error));
    if (with_vectors) {
        kith_cursor_read_vectors(cursor);
    }
    while (kith_cursor_next(cursor, &records, &error) == KITH_OK) {
        for (size_t i = 0; i < kith_records_count(records);) {
            const kith_record *first = kith_records_at(records, i);
            kith_input_passage *passages = calloc(first->n_passages, sizeof(*passages));
            for (size_t j = 0; j < first->n_passages; j++) {
                const kith_record *record = kith_records_at(records, i + j);
                assert_true(is(record->id, first->id.data) && record->passage == j);
                assert_true((record->vector != NULL) == with_vectors);
                passages[j] = (kith_input_passage){
                    .text = record->text, .vector = record->vector,
                    .byte = { record->byte[0], record->byte[1] },
                    .line = { record->line[0], record->line[1] },
                };
            }
            const kith_input input = { .id = first->id, .title = first->title,
                                       .metadata = first->metadata,
                                       .source = first->source, .passages = passages,
                                       .n_passages = first->n_passages };
            assert_ok(kith_writer_add(writer, &input, &error));
            i += first->n_passages;
            free(passages);
        }
        kith_records_free(records);
    }
    assert_int_equal(error.code, KITH_NOT_FOUND);
    kith_cursor_close(cursor);
}

static void compare_record(kith_collection *a, kith_collection *b, const char *id)
{
    kith_error error;
    const uint32_t dim = model_dim();
    kith_records *of_a = NULL;
    kith_records *of_b = NULL;
    assert_ok(kith_record_get(a, text_of(id), &of_a, &error));
    assert_ok(kith_record_get(b, text_of(id), &of_b, &error));
    assert_int_equal(kith_records_count(of_a), kith_records_count(of_b));
    for (size_t i = 0; i < kith_records_count(of_a); i++) {
        const kith_record *x = kith_records_at(of_a, i);
        const kith_record *y = kith_records_at(of_b, i);
        assert_memory_equal(x->vector, y->vector, dim * sizeof(*x->vector));
        assert_true(is(x->text, y->text.data) && is(x->title, y->title.data));
        assert_true(is(x->metadata, y->metadata.data) && is(x->source, y->source.data));
        assert_memory_equal(x->byte, y->byte, sizeof(x->byte));
        assert_memory_equal(x->line, y->line, sizeof(x->line));
    }
    kith_records_free(of_a);
    kith_records_free(of_b);
}

static void add_long(kith_writer *writer, const char *id, size_t n_title, size_t n_text)
{
    kith_error error;
    char *title = calloc(n_title + 1, 16);
    char *text = calloc(n_text + 1, 32);
    for (size_t i = 0; i < n_title; i++) {
        strcat(title, "title ");
    }
    for (size_t i = 0; i < n_text; i++) {
        sprintf(text + strlen(text), "Line %zu of it.\n", i);
    }
    const kith_input input = { .id = text_of(id), .title = text_of(title),
                               .text = text_of(text), .metadata = text_of("{\"a\":1}"),
                               .source = text_of("f"), .byte = { 0, strlen(text) },
                               .line = { 1, n_text }, .spans_source = true };
    assert_ok(kith_writer_add(writer, &input, &error));
    free(title);
    free(text);
}

/* A refresh from the source finds the vectors of what was copied. */
static void write_again(kith_collection *c)
{
    kith_writer_stats stats;
    kith_writer *writer = begin(c);
    add_long(writer, "short", 1, 2);
    add_long(writer, "title", 150, 20);
    add_long(writer, "both", 300, 200);
    commit(writer);
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_committed, 3);
    assert_int_equal(stats.n_encoded, 0);
    kith_writer_close(writer);
}

/* Each passage is encoded as when its text was cut, with as much of the title. */
static void copied_passages_get_the_same_vectors(void **state)
{
    (void)state;
    kith_error error;
    static const char *const ids[] = { "short", "title", "long",
                                       "both",  "many",  "cut" };
    char *first = coll;
    kith_collection *from = open_collection(true);
    kith_writer *writer = begin(from);
    add_long(writer, "short", 1, 2);
    add_long(writer, "title", 150, 20); /* a title that is cut, one passage */
    add_long(writer, "long", 1, 200);
    add_long(writer, "both", 300, 200);
    add_long(writer, "many", 2, 6000); /* more passages than a cursor reads at a time */
    commit(writer);
    kith_writer_close(writer);
    kith_writer_opts opts = KITH_WRITER_OPTS_INIT;
    opts.long_text = KITH_LONG_TRUNCATE;
    assert_ok(kith_writer_begin(from, &opts, &writer, &error));
    add_long(writer, "cut", 5, 200);
    commit(writer);
    kith_writer_close(writer);
    kith_records *records = NULL;
    assert_ok(kith_record_get(from, text_of("many"), &records, &error));
    assert_true(kith_records_count(records) > 260);
    kith_records_free(records);

    for (int with_vectors = 0; with_vectors < 2; with_vectors++) {
        kith_writer_stats stats;
        coll = format("%s-copy-%d", first, with_vectors);
        kith_collection *to = open_collection(true);
        writer = begin(to);
        copy_records(from, writer, with_vectors > 0);
        commit(writer);
        copy_records(from, writer, with_vectors > 0);
        commit(writer);
        kith_writer_get_stats(writer, &stats);
        assert_int_equal(stats.n_unchanged, 6);
        assert_int_equal(stats.n_encoded, with_vectors > 0 ? 0 : stats.n_passages);
        kith_writer_close(writer);
        for (size_t i = 0; i < 6; i++) {
            compare_record(from, to, ids[i]);
        }
        if (with_vectors == 0) {
            write_again(to);
        }
        kith_collection_close(to);
        remove_tree(coll);
        free(coll);
        coll = first;
    }
    kith_collection_close(from);
}

/* ---------------------------------------------------------- without a list of ids */

static void without_pruning_duplicates_are_counted_all_the_same(void **state)
{
    (void)state;
    kith_error error;
    const float x[DIM] = { 1, 0, 0, 0, 0 };
    const float y[DIM] = { 0, 1, 0, 0, 0 };
    kith_writer_opts opts = KITH_WRITER_OPTS_INIT;
    kith_writer_stats stats;
    kith_writer *writer = NULL;
    kith_collection *c = bare();
    for (int round = 0; round < 2; round++) {
        opts.no_prune = true;
        assert_ok(kith_writer_begin(c, &opts, &writer, &error));
        add_vector(writer, "a", "", x);
        add_vector(writer, "a", "", y); /* pending */
        commit(writer);
        add_vector(writer, "b", "", x);
        add_vector(writer, "a", "", y); /* committed by this writer, or as it was */
        commit(writer);
        kith_writer_get_stats(writer, &stats);
        assert_int_equal(stats.n_duplicates, 2 - round);
        assert_status(KITH_INVALID, kith_writer_prune(writer, text_of("s"), &error));
        kith_writer_close(writer);
    }
    assert_int_equal(count_records(c), 2);
    kith_collection_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_vector_is_stored_at_unit_length, collection_fresh),
        cmocka_unit_test_setup(what_was_stored_is_stored_again_with_the_same_bits,
                               collection_fresh),
        cmocka_unit_test_setup(the_same_vector_is_unchanged_and_another_one_is_not,
                               collection_fresh),
        cmocka_unit_test_setup(bad_vectors_are_refused_by_name, collection_fresh),
        cmocka_unit_test_setup(a_collection_without_a_model, collection_fresh),
        cmocka_unit_test_setup(dimensions_have_limits, collection_fresh),
        cmocka_unit_test_setup(given_and_encoded_vectors_side_by_side,
                               collection_fresh),
        cmocka_unit_test_setup(a_given_vector_makes_one_passage_of_a_long_text,
                               collection_fresh),
        cmocka_unit_test_setup(copied_passages_get_the_same_vectors, collection_fresh),
        cmocka_unit_test_setup(without_pruning_duplicates_are_counted_all_the_same,
                               collection_fresh),
    };
    return cmocka_run_group_tests(tests, collection_set_up, collection_tear_down);
}
