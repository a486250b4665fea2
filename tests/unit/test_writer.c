/* The library as a stranger uses it, through kith.h alone: adding, changing, deleting. */
#include "collection_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ writing */

static void what_is_unchanged_is_not_encoded_again(void **state)
{
    (void)state;
    kith_error error;
    kith_writer_stats stats;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    kith_writer *writer = begin(c);
    for (size_t i = 0; i < N_ANIMALS; i++) {
        char *id = format("%zu", i);
        add(writer, id, animals[i]);
        free(id);
    }
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_unchanged, N_ANIMALS);
    assert_int_equal(stats.n_committed, 0);
    assert_int_equal(stats.n_encoded, 0);

    /* A change of metadata alone keeps the vector. */
    const kith_input input = { .id = text_of("2"), .text = text_of(animals[2]),
                               .metadata = text_of("{\"lang\":\"en\"}") };
    assert_ok(kith_writer_add(writer, &input, &error));
    add(writer, "3", "something else");
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_committed, 2);
    assert_int_equal(stats.n_encoded, 1);
    kith_writer_close(writer);
    assert_int_equal(count_records(c), N_ANIMALS);
    kith_results *results = ask(c, animals[2], 1);
    const kith_hit *hit = &kith_results_at(results, 0)->hits[0];
    assert_true(is(hit->record->metadata, "{\"lang\":\"en\"}"));
    assert_true(fabs((double)hit->score - 1.0) < 1e-3);
    kith_results_free(results);
    kith_collection_close(c);
}

static void the_later_of_two_ids_wins(void **state)
{
    (void)state;
    kith_error error;
    kith_writer_stats stats;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    add(writer, "a", "first");
    add(writer, "a", "second");
    assert_ok(kith_writer_commit(writer, &error));
    add(writer, "a", "third");
    add(writer, "a", "second"); /* what is stored: nothing to do in the end */
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_pending, 0);
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_committed, 1);
    assert_int_equal(stats.n_duplicates, 3);
    kith_writer_close(writer);
    kith_records *records;
    assert_ok(kith_record_get(c, text_of("a"), &records, &error));
    assert_true(is(kith_records_at(records, 0)->text, "second"));
    kith_records_free(records);
    assert_int_equal(count_records(c), 1);
    kith_collection_close(c);
}

static void deleting_and_adding_in_one_commit(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    kith_writer *writer = begin(c);
    add(writer, "new", "n");
    assert_ok(kith_writer_delete(writer, text_of("new"), &error));
    assert_ok(kith_writer_delete(writer, text_of("0"), &error));
    add(writer, "0", "zero again");
    assert_ok(kith_writer_delete(writer, text_of("1"), &error));
    add(writer, "1", animals[1]); /* as it is stored */
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    assert_int_equal(count_records(c), N_ANIMALS);
    kith_records *records;
    assert_status(KITH_NOT_FOUND, kith_record_get(c, text_of("new"), &records, &error));
    assert_ok(kith_record_get(c, text_of("0"), &records, &error));
    assert_true(is(kith_records_at(records, 0)->text, "zero again"));
    kith_records_free(records);
    assert_ok(kith_record_get(c, text_of("1"), &records, &error));
    kith_records_free(records);
    kith_collection_close(c);
}

static void pruning_forgets_what_a_source_no_longer_has(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    for (int round = 0; round < 2; round++) {
        kith_writer *writer = begin(c);
        for (int i = round; i < 5; i++) {
            char *id = format("%d", i);
            const kith_input input = { .id = text_of(id), .text = text_of(id),
                                       .source = text_of("one.txt") };
            assert_ok(kith_writer_add(writer, &input, &error));
            free(id);
        }
        const kith_input other = { .id = text_of("other"), .text = text_of("other"),
                                   .source = text_of("two.txt") };
        if (round == 0) {
            assert_ok(kith_writer_add(writer, &other, &error));
        } else {
            assert_ok(kith_writer_prune(writer, text_of("one.txt"), &error));
        }
        assert_ok(kith_writer_commit(writer, &error));
        kith_writer_close(writer);
    }
    kith_records *records;
    assert_int_equal(count_records(c), 5);
    assert_status(KITH_NOT_FOUND, kith_record_get(c, text_of("0"), &records, &error));
    assert_ok(kith_record_get(c, text_of("other"), &records, &error));
    kith_records_free(records);
    kith_collection_close(c);
}

static void what_is_not_committed_is_not_there(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    add(writer, "a", "kept");
    assert_ok(kith_writer_commit(writer, &error));
    add(writer, "b", "dropped");
    assert_int_equal(count_records(c), 1);
    kith_writer_close(writer);
    kith_collection_close(c);
    c = open_collection(false);
    assert_int_equal(count_records(c), 1);
    kith_collection_close(c);
}

static void every_field_comes_back(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    const kith_input input = {
        .id = { "i\0d", 3 },           .text = { "te\0xt", 5 }, .title = text_of("Title"),
        .metadata = text_of("{\"a\":[1]}"), .source = text_of("dir/file.txt"),
        .byte = { 10, 15 },            .line = { 3, 4 },
    };
    assert_ok(kith_writer_add(writer, &input, &error));
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    kith_records *records;
    assert_ok(kith_record_get(c, input.id, &records, &error));
    const kith_record *r = kith_records_at(records, 0);
    assert_int_equal(r->id.n_bytes, 3);
    assert_memory_equal(r->text.data, "te\0xt", 5);
    assert_true(is(r->title, "Title") && is(r->metadata, "{\"a\":[1]}"));
    assert_true(is(r->source, "dir/file.txt"));
    assert_true(r->byte[0] == 10 && r->byte[1] == 15 && r->line[0] == 3 && r->line[1] == 4);
    kith_records_free(records);
    kith_collection_close(c);
}

static void bad_input_is_refused_and_nothing_is_lost(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    char *long_id = calloc(1, 5000);
    memset(long_id, 'x', 4999);
    const kith_input inputs[] = {
        { .id = { "", 0 }, .text = text_of("no id") },
        { .id = { long_id, 4097 }, .text = text_of("an id too long") },
        { .id = text_of("m"), .text = text_of("m"), .metadata = text_of("[1]") },
    };
    add(writer, "good", "good");
    for (size_t i = 0; i < 3; i++) {
        assert_status(KITH_INVALID, kith_writer_add(writer, &inputs[i], &error));
    }
    const kith_input longest = { .id = { long_id, 4096 }, .text = text_of("") };
    assert_ok(kith_writer_add(writer, &longest, &error));
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    assert_int_equal(count_records(c), 2);
    free(long_id);
    kith_collection_close(c);
}

static void passages_know_their_place_in_the_source(void **state)
{
    (void)state;
    kith_error error;
    char *text = calloc(1, 20000);
    for (int i = 0; i < 200; i++) {
        sprintf(text + strlen(text), "Line %d of the file.\n%s", i, i % 5 == 4 ? "\n" : "");
    }
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    const kith_input input = { .id = text_of("f"), .text = text_of(text),
                               .source = text_of("f"), .byte = { 0, strlen(text) },
                               .line = { 1, 240 }, .spans_source = true };
    assert_ok(kith_writer_add(writer, &input, &error));
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    kith_records *records;
    assert_ok(kith_record_get(c, text_of("f"), &records, &error));
    size_t n = kith_records_count(records);
    assert_true(n > 10);
    uint64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        const kith_record *r = kith_records_at(records, i);
        assert_true(r->byte[0] >= end && r->byte[1] > r->byte[0]);
        end = r->byte[1];
        assert_int_equal(r->text.n_bytes, r->byte[1] - r->byte[0]);
        assert_memory_equal(text + r->byte[0], r->text.data, r->text.n_bytes);
        uint64_t line = 1;
        for (uint64_t b = 0; b < r->byte[0]; b++) {
            line += text[b] == '\n';
        }
        assert_int_equal(r->line[0], line);
    }
    assert_true(end + 2 >= strlen(text)); /* only white space is left out */
    kith_records_free(records);
    free(text);
    kith_collection_close(c);
}

static void the_cursor_sees_every_record_once(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    for (int i = 0; i < 1000; i++) {
        char *id = format("%04d", i);
        add(writer, id, id);
        free(id);
    }
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    kith_cursor *cursor;
    kith_records *records;
    kith_status status;
    int n = 0;
    assert_ok(kith_cursor_open(c, &cursor, &error));
    while ((status = kith_cursor_next(cursor, &records, &error)) == KITH_OK) {
        for (size_t i = 0; i < kith_records_count(records); i++, n++) {
            char *id = format("%04d", n);
            assert_true(is(kith_records_at(records, i)->id, id));
            free(id);
        }
        kith_records_free(records);
    }
    assert_int_equal(status, KITH_NOT_FOUND);
    assert_int_equal(n, 1000);
    kith_cursor_close(cursor);
    kith_collection_close(c);
}

/* An empty text has a vector, too, though there are no bytes to encode. */
static void an_empty_text_can_stand_alone(void **state)
{
    (void)state;
    kith_error error;
    kith_writer_stats stats;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    add(writer, "empty", "");
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_encoded, 1);
    kith_writer_close(writer);
    float vector[48];
    const kith_text empty = text_of("");
    assert_ok(kith_model_encode(model, &empty, 1, NULL, vector, NULL,
                                &error));
    const kith_query query = { .vector = vector };
    kith_results *results = NULL;
    assert_ok(kith_search(c, &query, 1, NULL, &results, &error));
    assert_true(fabs((double)kith_results_at(results, 0)->hits[0].score - 1.0) < 1e-3);
    kith_results_free(results);
    kith_collection_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_unchanged_is_not_encoded_again, collection_fresh),
        cmocka_unit_test_setup(the_later_of_two_ids_wins, collection_fresh),
        cmocka_unit_test_setup(deleting_and_adding_in_one_commit, collection_fresh),
        cmocka_unit_test_setup(pruning_forgets_what_a_source_no_longer_has, collection_fresh),
        cmocka_unit_test_setup(what_is_not_committed_is_not_there, collection_fresh),
        cmocka_unit_test_setup(every_field_comes_back, collection_fresh),
        cmocka_unit_test_setup(bad_input_is_refused_and_nothing_is_lost, collection_fresh),
        cmocka_unit_test_setup(passages_know_their_place_in_the_source, collection_fresh),
        cmocka_unit_test_setup(the_cursor_sees_every_record_once, collection_fresh),
        cmocka_unit_test_setup(an_empty_text_can_stand_alone, collection_fresh),
    };
    return cmocka_run_group_tests(tests, collection_set_up, collection_tear_down);
}
