/* What a writer does while it encodes in the background: order, what is durable when,
 * bounds, errors, interruption. */
#include "collection_fixture.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MANY 3000

/* Records "00000", "00001", ... of some words each. */
static void add_numbered(kith_writer *writer, int first, int last)
{
    for (int i = first; i < last; i++) {
        char *id = format("%05d", i);
        char *text = format("record %d of %d, and so on", i, i * 7919 % 1000);
        add(writer, id, text);
        free(text);
        free(id);
    }
}

static bool is_there(kith_collection *c, const char *id)
{
    kith_error error;
    kith_records *records = NULL;
    kith_status status = kith_record_get(c, text_of(id), &records, &error);
    assert_true(status == KITH_OK || status == KITH_NOT_FOUND);
    kith_records_free(records);
    return status == KITH_OK;
}

static void assert_text(kith_collection *c, const char *id, const char *text)
{
    kith_error error;
    kith_records *records = NULL;
    assert_ok(kith_record_get(c, text_of(id), &records, &error));
    assert_true(is(kith_records_at(records, 0)->text, text));
    kith_records_free(records);
}

static kith_writer *begin_with(kith_collection *c, const kith_writer_opts *opts)
{
    kith_error error;
    kith_writer *writer = NULL;
    assert_ok(kith_writer_begin(c, opts, &writer, &error));
    return writer;
}

static kith_writer_stats stats_of(const kith_writer *writer)
{
    kith_writer_stats stats;
    kith_writer_get_stats(writer, &stats);
    return stats;
}

/* Threads of this process. */
static int count_threads(void)
{
    int n = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        n += entry->d_name[0] != '.';
    }
    closedir(tasks);
    return n;
}

/* What each of the texts that add_numbered() made has for a vector. */
static void assert_vectors_are_right(kith_collection *c, int last)
{
    kith_error error;
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    opts.k = 1;
    for (int i = 0; i < last; i += 97) {
        char *id = format("%05d", i);
        char *text = format("record %d of %d, and so on", i, i * 7919 % 1000);
        kith_query query = { .text = text_of(text) };
        kith_results *results = NULL;
        assert_ok(kith_search(c, &query, 1, &opts, &results, &error));
        const kith_hit *hit = &kith_results_at(results, 0)->hits[0];
        assert_true((double)hit->score > 0.999);
        assert_true(is(hit->record->id, id) || (double)hit->score > 0.9999);
        kith_results_free(results);
        free(text);
        free(id);
    }
}

static void nothing_is_durable_before_a_commit(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    add_numbered(writer, 0, MANY);
    assert_int_equal(stats_of(writer).n_pending, MANY);
    assert_int_equal(count_records(c), 0);
    assert_ok(kith_writer_commit(writer, &error));
    assert_int_equal(stats_of(writer).n_pending, 0);
    assert_int_equal(stats_of(writer).n_encoded, MANY);
    assert_int_equal(count_records(c), MANY);
    kith_writer_close(writer);
    assert_vectors_are_right(c, MANY);
    kith_collection_close(c);
}

static void what_is_ready_is_committed_in_order(void **state)
{
    (void)state;
    kith_error error;
    uint64_t n_before = 0;
    int n_steps = 0;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    for (int n = 0; n < 4 * MANY || n_before < 4 * MANY; n += 100) {
        bool all = n >= 4 * MANY;
        if (!all) {
            add_numbered(writer, n, n + 100);
        }
        assert_ok(kith_writer_commit_ready(writer, all ? 100 : 0, &error));
        const kith_writer_stats stats = stats_of(writer);
        assert_true(stats.n_committed >= n_before);
        assert_true(stats.n_committed - n_before <= 4096);
        assert_true(stats.n_ready <= stats.n_pending);
        assert_int_equal(stats.n_committed + stats.n_pending,
                         all ? 4 * MANY : (uint64_t)n + 100);
        if (stats.n_committed > n_before) {
            n_steps++;
            char *last = format("%05d", (int)stats.n_committed - 1);
            char *next = format("%05d", (int)stats.n_committed);
            assert_int_equal(count_records(c), stats.n_committed);
            assert_true(is_there(c, last));
            assert_false(is_there(c, next));
            free(last);
            free(next);
        }
        n_before = stats.n_committed;
    }
    assert_true(n_steps >= 3); /* 12,000 records, at most 4,096 at a time */
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    assert_vectors_are_right(c, 4 * MANY);
    kith_collection_close(c);
}

static void a_step_is_not_larger_than_promised(void **state)
{
    (void)state;
    kith_error error;
    const struct timespec pause = { 0, 10 * 1000000L };
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    int n = 3 * MANY;
    add_numbered(writer, 0, n);
    for (; stats_of(writer).n_ready <= 4500 && n < 4 * MANY; n++) {
        nanosleep(&pause, NULL);
        add_numbered(writer, n, n + 1);
    }
    assert_true(stats_of(writer).n_ready > 4500);
    assert_ok(kith_writer_commit_ready(writer, 60000, &error));
    assert_true(stats_of(writer).n_committed > 3000);
    assert_true(stats_of(writer).n_committed <= 4096);
    assert_ok(kith_writer_commit(writer, &error)); /* all the rest at once */
    assert_int_equal(stats_of(writer).n_committed, n);
    kith_writer_close(writer);
    kith_collection_close(c);
}

/* The encoder's thread is not worth its start for a handful of records. */
static void a_thread_is_started_when_there_is_work_for_it(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    add_numbered(writer, 0, 200); /* now the model has the threads of its pool */
    assert_ok(kith_writer_commit(writer, &error));
    int n_threads = count_threads();
    add_numbered(writer, 200, 300);
    assert_ok(kith_writer_commit(writer, &error));
    assert_int_equal(stats_of(writer).n_committed, 300);
    add_numbered(writer, 300, 400);
    assert_ok(kith_writer_commit_ready(writer, 60000, &error));
    assert_int_equal(stats_of(writer).n_committed, 400);
    assert_int_equal(count_threads(), n_threads);
    add_numbered(writer, 400, 2400);
    assert_int_equal(count_threads(), n_threads + 1);
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    assert_int_equal(count_threads(), n_threads);
    assert_int_equal(count_records(c), 2400);
    kith_collection_close(c);
}

static void later_operations_win_across_batches(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    add(writer, "stored", "as it was");
    add(writer, "other", "as it was");
    assert_ok(kith_writer_commit(writer, &error));
    add(writer, "twice", "first");
    add(writer, "stored", "changed");
    add(writer, "gone", "soon");
    assert_ok(kith_writer_delete(writer, text_of("other"), &error));
    add_numbered(writer, 0, MANY); /* those above are with the encoder now */
    add(writer, "twice", "second");
    assert_ok(kith_writer_delete(writer, text_of("gone"), &error));
    assert_ok(kith_writer_delete(writer, text_of("stored"), &error));
    assert_status(KITH_NOT_FOUND, kith_writer_delete(writer, text_of("stored"), &error));
    add(writer, "other", "is back");
    assert_int_equal(stats_of(writer).n_pending, MANY + 2);
    while (stats_of(writer).n_committed < MANY) {
        assert_ok(kith_writer_commit_ready(writer, 100, &error));
        if (!is_there(c, "twice")) { /* then its batch has not come */
            assert_text(c, "stored", "as it was");
            assert_text(c, "other", "as it was");
        }
    }
    add(writer, "twice", "third");
    assert_ok(kith_writer_commit(writer, &error));
    assert_text(c, "twice", "third");
    assert_text(c, "other", "is back");
    assert_false(is_there(c, "gone"));
    assert_false(is_there(c, "stored"));
    assert_int_equal(stats_of(writer).n_deleted, 1);
    assert_int_equal(stats_of(writer).n_pending, 0);
    kith_writer_close(writer);
    assert_int_equal(count_records(c), MANY + 2);
    kith_collection_close(c);
}

/* Deleted once by name and once with its source, in two batches. */
static void a_record_that_was_pruned_is_deleted_again(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    const kith_input input = { .id = text_of("x"), .text = text_of("x"),
                               .source = text_of("one.txt") };
    assert_ok(kith_writer_add(writer, &input, &error));
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    writer = begin(c);
    assert_ok(kith_writer_prune(writer, text_of("one.txt"), &error));
    add_numbered(writer, 0, MANY); /* so that what follows is another batch */
    assert_ok(kith_writer_delete(writer, text_of("x"), &error));
    while (stats_of(writer).n_pending > 0) {
        assert_ok(kith_writer_commit_ready(writer, 100, &error));
    }
    assert_ok(kith_writer_commit(writer, &error));
    assert_int_equal(stats_of(writer).n_deleted, 1);
    assert_false(is_there(c, "x"));
    kith_writer_close(writer);
    kith_collection_close(c);
}

static void what_is_pending_is_bounded(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer_opts opts = KITH_WRITER_OPTS_INIT;
    opts.max_pending_bytes = 256 << 10;
    kith_writer *writer = begin_with(c, &opts);
    for (int i = 0; i < MANY; i++) {
        add_numbered(writer, i, i + 1);
        /* The vector, the id and the text alone are over 128 bytes. */
        assert_true(stats_of(writer).n_pending < opts.max_pending_bytes / 128);
    }
    assert_true(stats_of(writer).n_committed > 0);
    assert_int_equal(count_records(c), stats_of(writer).n_committed);

    char *text = calloc(1, 400000);
    for (int i = 0; i < 30000; i++) {
        memcpy(text + 13 * (size_t)i, "a few words. ", 13);
    }
    add(writer, "large", text);
    assert_int_equal(stats_of(writer).n_pending, 0);
    assert_true(is_there(c, "large"));
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    free(text);
    assert_int_equal(count_records(c), MANY + 1);
    assert_vectors_are_right(c, MANY);
    kith_collection_close(c);
}

static kith_status encode(kith_model *with, const char *text)
{
    kith_error error;
    float vector[48];
    const kith_text given = text_of(text);
    return kith_model_encode(with, &given, 1, NULL, vector, NULL, &error);
}

/* A copy of the tiny model in which the embedding of "q" is damaged, open; or NULL. */
static kith_model *open_damaged(const char *path)
{
    kith_error error;
    size_t n_bytes;
    char *tiny = format("%s/tiny.kmodel", folder);
    char *data = read_file(tiny, &n_bytes);
    kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    kith_model *found = NULL;
    opts.n_threads = 2;
    for (size_t at = 0; at < n_bytes && found == NULL; at += 32) {
        data[at] ^= 1;
        write_file(path, data, n_bytes);
        if (kith_model_open(path, &opts, &found, &error) == KITH_OK &&
            (encode(found, "q") != KITH_CORRUPT ||
             encode(found, "record 0123456789, and so on of") != KITH_OK)) {
            kith_model_close(found);
            found = NULL;
        }
        data[at] ^= 1;
    }
    free(data);
    free(tiny);
    return found;
}

static void an_error_of_the_encoder_is_reported(void **state)
{
    (void)state;
    kith_error error;
    char *path = format("%s/damaged.kmodel", folder);
    kith_model *damaged = open_damaged(path);
    assert_non_null(damaged);
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    kith_collection *c = NULL;
    opts.create = true;
    assert_ok(kith_collection_open(coll, damaged, &opts, &c, &error));
    kith_writer *writer = begin(c);
    add_numbered(writer, 0, MANY);
    assert_ok(kith_writer_commit(writer, &error));
    add(writer, "bad", "q");
    kith_status status = KITH_OK;
    int n = MANY;
    while (status == KITH_OK && n < 50 * MANY) { /* in the background */
        char *id = format("%d", n++);
        const kith_input input = { .id = text_of(id), .text = text_of(id) };
        status = kith_writer_add(writer, &input, &error);
        free(id);
    }
    assert_int_equal(status, KITH_CORRUPT);
    assert_status(KITH_CORRUPT, kith_writer_commit_ready(writer, 100, &error));
    assert_status(KITH_CORRUPT, kith_writer_commit(writer, &error));
    assert_status(KITH_CORRUPT, kith_writer_delete(writer, text_of("00000"), &error));
    assert_int_equal(stats_of(writer).n_committed, MANY);
    kith_writer_close(writer);
    assert_int_equal(count_records(c), MANY);

    writer = begin(c); /* and in this thread */
    add(writer, "bad", "q");
    assert_status(KITH_CORRUPT, kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    assert_int_equal(count_records(c), MANY);
    kith_collection_close(c);
    kith_model_close(damaged);
    free(path);
}

static void closing_drops_what_is_being_encoded(void **state)
{
    (void)state;
    kith_collection *c = open_collection(true);
    for (int round = 0; round < 5; round++) {
        kith_writer *writer = begin(c);
        add_numbered(writer, 0, MANY + 100 * round);
        kith_writer_close(writer);
        assert_int_equal(count_records(c), 0);
    }
    kith_collection_close(c);
}

static bool is_asked_to_stop(void *context)
{
    return *(bool *)context;
}

/* Texts that keep the encoder busy for a second while adding them takes milliseconds. */
static void add_long(kith_writer *writer, int n)
{
    char *text = calloc(1, 200001);
    for (int i = 0; i < 200000; i++) {
        text[i] = "some words "[i % 11];
    }
    for (int i = 0; i < n; i++) {
        char *id = format("long %d", i);
        memcpy(text, id, strlen(id)); /* no two are equal */
        add(writer, id, text);
        free(id);
    }
    free(text);
}

static void interrupt_and_repeat(kith_collection *c, kith_writer *writer, bool *stop)
{
    kith_error error;
    const uint64_t n = stats_of(writer).n_pending + stats_of(writer).n_committed;
    *stop = true;
    assert_status(KITH_INTERRUPTED, kith_writer_commit(writer, &error));
    assert_status(KITH_INTERRUPTED, kith_writer_commit_ready(writer, 60000, &error));
    assert_int_equal(stats_of(writer).n_pending + stats_of(writer).n_committed, n);
    assert_int_equal(count_records(c), stats_of(writer).n_committed);
    *stop = false;
    assert_ok(kith_writer_commit(writer, &error));
    assert_int_equal(stats_of(writer).n_committed, n);
    assert_int_equal(count_records(c), n);
}

static void an_interrupted_commit_can_be_repeated(void **state)
{
    (void)state;
    bool stop = false;
    kith_collection *c = open_collection(true);
    kith_writer_opts opts = KITH_WRITER_OPTS_INIT;
    opts.interrupted = is_asked_to_stop;
    opts.context = &stop;
    kith_writer *writer = begin_with(c, &opts);
    add_numbered(writer, 0, 100); /* the caller's thread encodes these */
    interrupt_and_repeat(c, writer, &stop);
    add_long(writer, 20); /* and the writer's thread these */
    interrupt_and_repeat(c, writer, &stop);
    kith_writer_close(writer);
    assert_int_equal(count_records(c), 120);
    assert_vectors_are_right(c, 100);
    kith_collection_close(c);
}

static void a_writer_does_not_survive_fork(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    add_numbered(writer, 0, MANY); /* the thread is at work */
    pid_t child = fork();
    if (child == 0) {
        const kith_input input = { .id = text_of("c"), .text = text_of("c") };
        bool good = kith_writer_add(writer, &input, &error) == KITH_INVALID &&
                    kith_writer_delete(writer, text_of("00000"), &error) == KITH_INVALID &&
                    kith_writer_prune(writer, text_of("c"), &error) == KITH_INVALID &&
                    kith_writer_commit_ready(writer, 100, &error) == KITH_INVALID &&
                    kith_writer_commit(writer, &error) == KITH_INVALID;
        kith_writer_close(writer);
        _exit(good ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    assert_int_equal(count_records(c), MANY);
    kith_collection_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_durable_before_a_commit, collection_fresh),
        cmocka_unit_test_setup(what_is_ready_is_committed_in_order, collection_fresh),
        cmocka_unit_test_setup(a_step_is_not_larger_than_promised, collection_fresh),
        cmocka_unit_test_setup(a_thread_is_started_when_there_is_work_for_it,
                               collection_fresh),
        cmocka_unit_test_setup(later_operations_win_across_batches, collection_fresh),
        cmocka_unit_test_setup(a_record_that_was_pruned_is_deleted_again, collection_fresh),
        cmocka_unit_test_setup(what_is_pending_is_bounded, collection_fresh),
        cmocka_unit_test_setup(an_error_of_the_encoder_is_reported, collection_fresh),
        cmocka_unit_test_setup(closing_drops_what_is_being_encoded, collection_fresh),
        cmocka_unit_test_setup(an_interrupted_commit_can_be_repeated, collection_fresh),
        cmocka_unit_test_setup(a_writer_does_not_survive_fork, collection_fresh),
    };
    return cmocka_run_group_tests(tests, collection_set_up, collection_tear_down);
}
