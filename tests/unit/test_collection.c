/* The library as a stranger uses it: through kith.h alone, with the tiny model. */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TINY "tests/golden/tiny-model"

static char *folder;
static char *coll; /* the path of the collection; each test makes its own */
static kith_model *model;

static int set_up(void **state)
{
    (void)state;
    kith_error error;
    folder = make_temp_folder();
    coll = format("%s/c.kith", folder);
    char *path = format("%s/tiny.kmodel", folder);
    kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    opts.n_threads = 2;
    assert_ok(kith_model_import(TINY, "tiny", path, &error));
    assert_ok(kith_model_open(path, &opts, &model, &error));
    free(path);
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

static kith_collection *open_collection(bool create)
{
    kith_error error;
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.create = create;
    opts.n_threads = 2;
    kith_collection *c = NULL;
    assert_ok(kith_collection_open(coll, model, &opts, &c, &error));
    return c;
}

static kith_writer *begin(kith_collection *c)
{
    kith_error error;
    kith_writer *writer = NULL;
    assert_ok(kith_writer_begin(c, NULL, &writer, &error));
    return writer;
}

static void add(kith_writer *writer, const char *id, const char *text)
{
    kith_error error;
    const kith_input input = { .id = text_of(id), .text = text_of(text) };
    assert_ok(kith_writer_add(writer, &input, &error));
}

/* A collection of these texts, ids "0", "1", ... */
static kith_collection *collection_of(const char *const *texts, size_t n)
{
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    for (size_t i = 0; i < n; i++) {
        char *id = format("%zu", i);
        add(writer, id, texts[i]);
        free(id);
    }
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    return c;
}

static kith_results *ask(kith_collection *c, const char *text, uint32_t k)
{
    kith_error error;
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    kith_results *results = NULL;
    kith_query query = { .text = text_of(text) };
    opts.k = k;
    assert_ok(kith_search(c, &query, 1, &opts, &results, &error));
    return results;
}

static bool is(kith_text text, const char *s)
{
    return text.n_bytes == strlen(s) && memcmp(text.data, s, text.n_bytes) == 0;
}

static uint64_t count_records(kith_collection *c)
{
    kith_error error;
    kith_collection_info info;
    assert_ok(kith_collection_get_info(c, &info, &error));
    return info.n_records;
}

static const char *const animals[] = {
    "a cat sleeps on the sofa", "two dogs run in the park", "the bird sings at dawn",
    "fish swim in cold water",  "a horse eats dry grass",
};
#define N_ANIMALS (sizeof(animals) / sizeof(animals[0]))

/* ------------------------------------------------------------------ search */

static void a_text_finds_itself_first(void **state)
{
    (void)state;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    for (size_t i = 0; i < N_ANIMALS; i++) {
        kith_results *results = ask(c, animals[i], 3);
        const kith_answer *answer = kith_results_at(results, 0);
        assert_int_equal(kith_results_count(results), 1);
        assert_int_equal(answer->n_hits, 3);
        assert_true(answer->exact && answer->recall == 1.0);
        assert_true(fabs((double)answer->hits[0].score - 1.0) < 1e-3);
        assert_true(answer->hits[0].score >= answer->hits[1].score);
        assert_true(is(answer->hits[0].record->text, animals[i]));
        kith_results_free(results);
    }
    kith_collection_close(c);
}

static void k_means_k(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    kith_results *results = ask(c, "cat", 10000);
    assert_int_equal(kith_results_at(results, 0)->n_hits, N_ANIMALS);
    kith_results_free(results);
    kith_writer *writer = begin(c);
    assert_ok(kith_writer_delete(writer, text_of("1"), &error));
    assert_status(KITH_NOT_FOUND, kith_writer_delete(writer, text_of("1"), &error));
    assert_status(KITH_NOT_FOUND, kith_writer_delete(writer, text_of("x"), &error));
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    results = ask(c, animals[1], 4);
    assert_int_equal(kith_results_at(results, 0)->n_hits, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_false(is(kith_results_at(results, 0)->hits[i].record->id, "1"));
    }
    kith_results_free(results);
    kith_collection_close(c);
}

/* One record whose many passages are the best rows must not crowd out the others. */
static void k_counts_records_not_passages(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    char *long_text = calloc(1, 40000);
    for (int i = 0; i < 300; i++) {
        strcat(long_text, "a cat sleeps on the sofa and a cat sleeps on the sofa again. ");
    }
    kith_writer *writer = begin(c);
    add(writer, "long", long_text);
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    kith_results *results = ask(c, "a cat sleeps on the sofa again.", N_ANIMALS + 1);
    const kith_answer *answer = kith_results_at(results, 0);
    assert_int_equal(answer->n_hits, N_ANIMALS + 1);
    for (size_t i = 0; i < answer->n_hits; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_false(answer->hits[i].record->id.n_bytes ==
                             answer->hits[j].record->id.n_bytes &&
                         memcmp(answer->hits[i].record->id.data,
                                answer->hits[j].record->id.data,
                                answer->hits[i].record->id.n_bytes) == 0);
        }
    }
    kith_results_free(results);

    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    kith_query query = { .text = text_of("a cat sleeps on the sofa again.") };
    opts.k = 20;
    opts.passages = true;
    assert_ok(kith_search(c, &query, 1, &opts, &results, &error));
    assert_int_equal(kith_results_at(results, 0)->n_hits, 20);
    kith_results_free(results);

    /* The passages cover the text, in order, and say where they lie. */
    kith_records *records;
    assert_ok(kith_record_get(c, text_of("long"), &records, &error));
    assert_true(kith_records_count(records) > 20);
    for (size_t i = 0; i < kith_records_count(records); i++) {
        const kith_record *record = kith_records_at(records, i);
        assert_int_equal(record->passage, i);
        assert_int_equal(record->n_passages, kith_records_count(records));
        assert_non_null(strstr(long_text, record->text.data));
    }
    kith_records_free(records);
    free(long_text);
    kith_collection_close(c);
}

static void queries_by_record_and_by_vector(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    kith_results *results;
    float vector[48];
    const kith_text cat = text_of(animals[0]);
    assert_ok(kith_model_encode(model, &cat, 1, KITH_POOLING_DEFAULT, vector, NULL, &error));
    for (size_t i = 0; i < 48; i++) {
        vector[i] *= 7.0f; /* any length */
    }
    const kith_query queries[] = { { .like = text_of("0") }, { .vector = vector } };
    assert_ok(kith_search(c, queries, 2, NULL, &results, &error));
    const kith_answer *like = kith_results_at(results, 0);
    const kith_answer *by_vector = kith_results_at(results, 1);
    assert_int_equal(like->n_hits, N_ANIMALS - 1);
    assert_int_equal(by_vector->n_hits, N_ANIMALS);
    assert_true(is(by_vector->hits[0].record->id, "0"));
    for (size_t i = 0; i < like->n_hits; i++) {
        assert_false(is(like->hits[i].record->id, "0"));
    }
    kith_results_free(results);

    const kith_query wrong[] = {
        { .text = { NULL, 0 } },
        { .text = text_of("a"), .like = text_of("0") },
    };
    assert_status(KITH_INVALID, kith_search(c, &wrong[0], 1, NULL, &results, &error));
    assert_status(KITH_INVALID, kith_search(c, &wrong[1], 1, NULL, &results, &error));
    const kith_query absent = { .like = text_of("nobody") };
    assert_status(KITH_NOT_FOUND, kith_search(c, &absent, 1, NULL, &results, &error));
    float zeros[48] = { 0 };
    const kith_query zero = { .vector = zeros };
    assert_status(KITH_INVALID, kith_search(c, &zero, 1, NULL, &results, &error));
    zeros[3] = NAN;
    assert_status(KITH_INVALID, kith_search(c, &zero, 1, NULL, &results, &error));
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    opts.k = 0;
    assert_status(KITH_INVALID, kith_search(c, &queries[0], 1, &opts, &results, &error));
    kith_collection_close(c);
}

static void scores_below_the_least_are_left_out(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    kith_query query = { .text = text_of(animals[2]) };
    kith_results *results;
    opts.min_score = 0.9999;
    assert_ok(kith_search(c, &query, 1, &opts, &results, &error));
    assert_int_equal(kith_results_at(results, 0)->n_hits, 1);
    kith_results_free(results);
    opts.min_score = 1.1;
    assert_ok(kith_search(c, &query, 1, &opts, &results, &error));
    assert_int_equal(kith_results_at(results, 0)->n_hits, 0);
    kith_results_free(results);
    kith_collection_close(c);
}

static void an_empty_collection_answers(void **state)
{
    (void)state;
    kith_collection *c = open_collection(true);
    kith_results *results = ask(c, "anything", 5);
    assert_int_equal(kith_results_at(results, 0)->n_hits, 0);
    assert_true(kith_results_at(results, 0)->exact);
    kith_results_free(results);
    kith_collection_close(c);
}

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

/* ------------------------------------------------------------------ sharing */

static void one_writer_at_a_time(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_collection *second = open_collection(false);
    kith_writer *writer = begin(c);
    kith_writer *other = NULL;
    kith_writer_opts opts = KITH_WRITER_OPTS_INIT;
    opts.no_wait = true;
    assert_status(KITH_BUSY, kith_writer_begin(c, &opts, &other, &error));
    assert_status(KITH_BUSY, kith_writer_begin(second, &opts, &other, &error));
    char *pid = format("%ld", (long)getpid());
    assert_non_null(strstr(error.message, pid));
    free(pid);
    kith_writer_close(writer);
    assert_ok(kith_writer_begin(second, &opts, &other, &error));
    kith_writer_close(other);
    kith_collection_close(second);

    kith_collection_opts read_only = KITH_COLLECTION_OPTS_INIT;
    read_only.read_only = true;
    assert_ok(kith_collection_open(coll, NULL, &read_only, &second, &error));
    assert_status(KITH_INVALID, kith_writer_begin(second, NULL, &other, &error));
    kith_collection_close(second);
    kith_collection_close(c);
}

static void handles_do_not_survive_fork(void **state)
{
    (void)state;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    pid_t child = fork();
    if (child == 0) {
        kith_error error;
        kith_collection_info info;
        kith_results *results;
        kith_query query = { .text = text_of("a") };
        float vector[48];
        bool good =
            kith_collection_get_info(c, &info, &error) == KITH_INVALID &&
            kith_search(c, &query, 1, NULL, &results, &error) == KITH_INVALID &&
            kith_model_encode(model, &query.text, 1, KITH_POOLING_DEFAULT, vector, NULL,
                              &error) == KITH_INVALID;
        _exit(good ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    kith_collection_close(c);
}

typedef struct reader {
    pthread_t thread;
    kith_collection *collection;
    volatile bool *stop;
    unsigned n_answers;
    bool wrong;
} reader;

/* Records are added in pairs with one commit: a reader sees both or none. */
static void *read_pairs(void *argument)
{
    reader *r = argument;
    kith_error error;
    do {
        kith_results *results;
        kith_query query = { .text = text_of("pair") };
        kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
        opts.k = 1000;
        if (kith_search(r->collection, &query, 1, &opts, &results, &error) != KITH_OK) {
            r->wrong = true;
            return NULL;
        }
        r->wrong = r->wrong || kith_results_at(results, 0)->n_hits % 2 != 0;
        r->n_answers++;
        kith_results_free(results);
    } while (!*r->stop);
    return NULL;
}

static void searches_see_whole_commits(void **state)
{
    (void)state;
    kith_error error;
    volatile bool stop = false;
    kith_collection *c = open_collection(true);
    reader readers[3];
    for (size_t i = 0; i < 3; i++) {
        readers[i] = (reader){ .collection = c, .stop = &stop };
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_pairs, &readers[i]),
                         0);
    }
    kith_writer *writer = begin(c);
    for (int i = 0; i < 60; i++) {
        char *ids[] = { format("%da", i), format("%db", i) };
        add(writer, ids[0], ids[0]);
        add(writer, ids[1], ids[1]);
        assert_ok(kith_writer_commit(writer, &error));
        free(ids[0]);
        free(ids[1]);
    }
    kith_writer_close(writer);
    stop = true;
    for (size_t i = 0; i < 3; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_false(readers[i].wrong);
        assert_true(readers[i].n_answers > 0);
    }
    assert_int_equal(count_records(c), 120);
    kith_collection_close(c);
}

/* ------------------------------------------------------------------ files */

static void another_model_is_refused(void **state)
{
    (void)state;
    kith_error error;
    kith_collection_close(collection_of(animals, 1));
    char *copy = format("%s/other", folder);
    char *path = format("%s/sentence_bert_config.json", copy);
    char *kmodel = format("%s/other.kmodel", folder);
    copy_tree(TINY, copy);
    write_file(path, "{\"max_seq_length\": 31}", 22);
    kith_model *other;
    assert_ok(kith_model_import(copy, "other", kmodel, &error));
    assert_ok(kith_model_open(kmodel, NULL, &other, &error));
    kith_collection *c;
    assert_status(KITH_MISMATCH, kith_collection_open(coll, other, NULL, &c, &error));
    kith_collection_model made_with;
    assert_ok(kith_collection_get_model(coll, &made_with, &error));
    assert_string_equal(made_with.name, "tiny");
    assert_int_equal(made_with.dim, 48);
    kith_model_close(other);
    free(kmodel);
    free(path);
    free(copy);
}

static void what_is_no_collection_is_refused(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c;
    kith_collection_opts create = KITH_COLLECTION_OPTS_INIT;
    create.create = true;
    assert_status(KITH_NOT_FOUND, kith_collection_open(coll, model, NULL, &c, &error));
    assert_status(KITH_INVALID, kith_collection_open(folder, model, &create, &c, &error));
    assert_status(KITH_INVALID, kith_collection_open("", model, &create, &c, &error));
    kith_collection_close(collection_of(animals, 2));
    char *current = format("%s/CURRENT", coll);
    size_t n;
    char *line = read_file(current, &n);
    for (size_t i = 0; i < n; i++) {
        line[i] ^= 4;
        write_file(current, line, n);
        line[i] ^= 4;
        kith_status status = kith_collection_open(coll, model, NULL, &c, &error);
        assert_true(status == KITH_CORRUPT || status == KITH_VERSION);
    }
    write_file(current, line, n);
    c = open_collection(false);
    assert_int_equal(count_records(c), 2);
    kith_collection_close(c);
    free(line);
    free(current);
}

static void an_interrupted_creation_is_resumed(void **state)
{
    (void)state;
    kith_collection_close(collection_of(animals, 2));
    char *current = format("%s/CURRENT", coll);
    assert_int_equal(unlink(current), 0); /* as if it had not come to this */
    kith_collection *c = open_collection(true);
    assert_int_equal(count_records(c), 0);
    kith_collection_close(c);
    free(current);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_text_finds_itself_first, fresh),
        cmocka_unit_test_setup(k_means_k, fresh),
        cmocka_unit_test_setup(k_counts_records_not_passages, fresh),
        cmocka_unit_test_setup(queries_by_record_and_by_vector, fresh),
        cmocka_unit_test_setup(scores_below_the_least_are_left_out, fresh),
        cmocka_unit_test_setup(an_empty_collection_answers, fresh),
        cmocka_unit_test_setup(what_is_unchanged_is_not_encoded_again, fresh),
        cmocka_unit_test_setup(the_later_of_two_ids_wins, fresh),
        cmocka_unit_test_setup(deleting_and_adding_in_one_commit, fresh),
        cmocka_unit_test_setup(pruning_forgets_what_a_source_no_longer_has, fresh),
        cmocka_unit_test_setup(what_is_not_committed_is_not_there, fresh),
        cmocka_unit_test_setup(every_field_comes_back, fresh),
        cmocka_unit_test_setup(bad_input_is_refused_and_nothing_is_lost, fresh),
        cmocka_unit_test_setup(passages_know_their_place_in_the_source, fresh),
        cmocka_unit_test_setup(the_cursor_sees_every_record_once, fresh),
        cmocka_unit_test_setup(one_writer_at_a_time, fresh),
        cmocka_unit_test_setup(handles_do_not_survive_fork, fresh),
        cmocka_unit_test_setup(searches_see_whole_commits, fresh),
        cmocka_unit_test_setup(another_model_is_refused, fresh),
        cmocka_unit_test_setup(what_is_no_collection_is_refused, fresh),
        cmocka_unit_test_setup(an_interrupted_creation_is_resumed, fresh),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
