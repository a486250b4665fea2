/* The library as a stranger uses it, through kith.h alone: searching, sharing, files. */
#include "collection_fixture.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
    assert_ok(kith_model_encode(model, &cat, 1, NULL, vector, NULL, &error));
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
            kith_model_encode(model, &query.text, 1, NULL, vector, NULL,
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
    assert_ok(kith_model_import(copy, "other", kmodel, NULL, &error));
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
        cmocka_unit_test_setup(a_text_finds_itself_first, collection_fresh),
        cmocka_unit_test_setup(k_means_k, collection_fresh),
        cmocka_unit_test_setup(k_counts_records_not_passages, collection_fresh),
        cmocka_unit_test_setup(queries_by_record_and_by_vector, collection_fresh),
        cmocka_unit_test_setup(scores_below_the_least_are_left_out, collection_fresh),
        cmocka_unit_test_setup(an_empty_collection_answers, collection_fresh),
        cmocka_unit_test_setup(one_writer_at_a_time, collection_fresh),
        cmocka_unit_test_setup(handles_do_not_survive_fork, collection_fresh),
        cmocka_unit_test_setup(searches_see_whole_commits, collection_fresh),
        cmocka_unit_test_setup(another_model_is_refused, collection_fresh),
        cmocka_unit_test_setup(what_is_no_collection_is_refused, collection_fresh),
        cmocka_unit_test_setup(an_interrupted_creation_is_resumed, collection_fresh),
    };
    return cmocka_run_group_tests(tests, collection_set_up, collection_tear_down);
}
