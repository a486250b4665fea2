/* Compaction: what stays, what goes, and who may go on meanwhile. */
#include "compact_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static kith_compact_stats compact(kith_collection *c)
{
    kith_error error;
    kith_compact_stats stats;
    kith_writer *writer = begin(c);
    assert_ok(kith_writer_compact(writer, NULL, &stats, &error));
    kith_writer_close(writer);
    return stats;
}

/* ------------------------------------------------------------------ content */

static void what_lives_stays_and_the_rest_goes(void **state)
{
    (void)state;
    kith_error error;
    kith_collection_info before;
    kith_collection_info after;
    kith_collection *c = make_past();
    kbase_buffer content = dump(c);
    assert_ok(kith_collection_get_info(c, &before, &error));
    assert_true(some_file_holds(coll, SECRET));
    kith_compact_stats stats = compact(c);
    assert_false(some_file_holds(coll, SECRET));
    assert_holds(&content);
    kbase_buffer present = dump(c);
    assert_int_equal(present.n_bytes, content.n_bytes);
    assert_memory_equal(present.data, content.data, content.n_bytes);
    assert_ok(kith_collection_get_info(c, &after, &error));
    assert_int_equal(stats.n_records, before.n_records);
    assert_int_equal(stats.n_passages, before.n_passages);
    assert_int_equal(stats.n_dropped, before.n_rows - before.n_passages);
    assert_int_equal(after.n_rows, before.n_passages);
    assert_int_equal(stats.bytes_before, before.bytes_store + before.bytes_vectors +
                                             before.bytes_derived);
    assert_int_equal(stats.bytes_after, after.bytes_store + after.bytes_vectors);
    assert_true(stats.bytes_after < stats.bytes_before);
    assert_true(has_entry("g000002") && !has_entry("g000001"));
    assert_false(has_entry("g000001.removed"));
    kbase_buffer_free(&present);
    kbase_buffer_free(&content);
    kith_collection_close(c);
}

static void nothing_is_left_of_nothing(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_compact_stats stats = compact(c); /* never had anything */
    assert_int_equal(stats.n_records, 0);
    kith_writer *writer = begin(c);
    add(writer, "a", "an entry");
    assert_ok(kith_writer_commit(writer, &error));
    assert_ok(kith_writer_delete(writer, text_of("a"), &error));
    assert_ok(kith_writer_commit(writer, &error));
    assert_ok(kith_writer_compact(writer, NULL, &stats, &error));
    assert_int_equal(stats.n_records, 0);
    assert_int_equal(stats.n_dropped, 1);
    kith_writer_close(writer);
    kith_results *results = ask(c, "an entry", 3);
    assert_int_equal(kith_results_at(results, 0)->n_hits, 0);
    kith_results_free(results);
    kith_collection_close(c);
    assert_true(has_entry("g000003"));
}

/* The ledger leads from a source to its records as before. */
static void sources_can_be_pruned_afterwards(void **state)
{
    (void)state;
    kith_error error;
    kith_writer_stats stats;
    kith_collection *c = make_past();
    uint64_t n_before = count_records(c);
    compact(c);
    kith_writer *writer = begin(c);
    assert_ok(kith_writer_prune(writer, text_of("/folder/source-0"), &error));
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_deleted, 15); /* 0, 4, 8, ... 56 */
    kith_writer_close(writer);
    assert_int_equal(count_records(c), n_before - 15);
    kith_collection_close(c);
}

/* ------------------------------------------------------------------ the writer */

static void the_writer_goes_on(void **state)
{
    (void)state;
    kith_error error;
    kith_writer_stats stats;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    kith_writer *writer = begin(c);
    for (int i = 0; i < 4; i++) {
        char *id = format("new %d", i);
        add(writer, id, "one more of them");
        assert_status(KITH_INVALID, kith_writer_compact(writer, NULL, NULL, &error));
        assert_ok(kith_writer_commit(writer, &error));
        assert_ok(kith_writer_compact(writer, NULL, NULL, &error));
        add(writer, id, "one more of them"); /* known: not encoded again */
        assert_ok(kith_writer_commit(writer, &error));
        free(id);
    }
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_unchanged, 4);
    assert_int_equal(stats.n_committed, 4);
    assert_ok(kith_writer_delete(writer, text_of("new 2"), &error));
    assert_status(KITH_INVALID, kith_writer_compact(writer, NULL, NULL, &error));
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    assert_int_equal(count_records(c), N_ANIMALS + 3);
    kith_collection_close(c);
    c = open_collection(false);
    assert_int_equal(count_records(c), N_ANIMALS + 3);
    kith_collection_close(c);
    assert_true(has_entry("g000005"));
}

/* Rows have other numbers then; which of them are the writer's must still be known. */
static void the_writer_knows_its_own_records(void **state)
{
    (void)state;
    kith_error error;
    kith_writer_stats stats;
    kith_writer *writer;
    kith_writer_opts opts = KITH_WRITER_OPTS_INIT;
    kith_collection *c = make_past();
    opts.no_prune = true; /* then the rows tell */
    assert_ok(kith_writer_begin(c, &opts, &writer, &error));
    add(writer, "new", "one more of them");
    assert_ok(kith_writer_delete(writer, text_of("id 4"), &error));
    assert_ok(kith_writer_commit(writer, &error));
    assert_ok(kith_writer_compact(writer, NULL, NULL, &error));
    add(writer, "id 57", "was there before"); /* in the last row of those */
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_duplicates, 0);
    add(writer, "new", "given before");
    kith_writer_get_stats(writer, &stats);
    assert_int_equal(stats.n_duplicates, 1);
    kith_writer_close(writer);
    kith_collection_close(c);
}

typedef struct calls {
    unsigned n_steps;
    unsigned n_questions;
    double last;
    bool stop;
} calls;

static void on_step(void *context, const char *step, double fraction)
{
    calls *seen = context;
    assert_non_null(step);
    assert_true(fraction >= seen->last && fraction <= 1.0);
    seen->last = fraction;
    seen->n_steps++;
}

static bool on_question(void *context)
{
    calls *seen = context;
    seen->n_questions++;
    return seen->stop;
}

static void it_can_be_interrupted(void **state)
{
    (void)state;
    kith_error error;
    calls seen = { .stop = true };
    kith_collection *c = make_past();
    kbase_buffer content = dump(c);
    kith_writer *writer;
    kith_writer_opts opts = KITH_WRITER_OPTS_INIT;
    kith_compact_opts compact_opts = KITH_COMPACT_OPTS_INIT;
    opts.interrupted = on_question;
    opts.context = &seen;
    compact_opts.progress = on_step;
    compact_opts.context = &seen;
    assert_ok(kith_writer_begin(c, &opts, &writer, &error));
    assert_status(KITH_INTERRUPTED,
                  kith_writer_compact(writer, &compact_opts, NULL, &error));
    assert_int_equal(seen.n_questions, 1);
    assert_true(has_entry("g000001") && !has_entry("g000002"));
    assert_holds(&content);
    seen.stop = false;
    assert_ok(kith_writer_compact(writer, &compact_opts, NULL, &error));
    assert_int_equal(seen.n_steps, 1);
    assert_holds(&content);
    kith_writer_close(writer);
    kbase_buffer_free(&content);
    kith_collection_close(c);
}

/* ------------------------------------------------------------------ readers */

/* Files of former generations that this process still has mapped. */
static unsigned n_removed_maps(void)
{
    char line[4096];
    unsigned n = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps) != NULL) {
        n += strstr(line, coll) != NULL && strstr(line, "(deleted)") != NULL;
    }
    fclose(maps);
    return n;
}

static void what_has_begun_ends_on_the_old_files(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = make_past();
    kith_collection *second = open_collection(false);
    kbase_buffer content = dump(c);
    kith_reading reading;
    kith_view *view;
    assert_ok(kith_read_begin(second, &reading, &error));
    assert_ok(kith_view_acquire(second, &reading, &view, &error));
    compact(c);
    kith_writer *writer = begin(c);
    assert_ok(kith_writer_delete(writer, text_of("id 0"), &error));
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);

    /* The operation under way, then a new one, on one handle. */
    kstore_record record;
    assert_ok(kstore_get(reading.snapshot, 0, &record, &error));
    assert_true(is(record.id, "id 0"));
    assert_ok(kstore_verify(reading.snapshot, &error));
    assert_true(view->rows.n_rows > view->n_passages);
    kith_records *records;
    assert_status(KITH_NOT_FOUND,
                  kith_record_get(second, text_of("id 0"), &records, &error));
    assert_ok(kstore_get(reading.snapshot, 0, &record, &error));
    assert_true(n_removed_maps() > 0);
    kith_view_release(second, view);
    kith_read_end(second, &reading);
    assert_int_equal(n_removed_maps(), 0); /* and the space is given back */
    assert_int_equal(count_records(second), count_records(c));
    kbase_buffer_free(&content);
    kith_collection_close(second);
    kith_collection_close(c);
}

static void a_cursor_goes_on_behind_its_place(void **state)
{
    (void)state;
    enum { N = 600 }; /* more than a cursor reads at a time */
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    for (int i = 0; i < N; i++) {
        char *id = format("%04d", i);
        add(writer, id, id);
        free(id);
    }
    assert_ok(kith_writer_commit(writer, &error));
    kith_cursor *cursor;
    kith_records *records;
    assert_ok(kith_cursor_open(c, &cursor, &error));
    int n = 0;
    while (kith_cursor_next(cursor, &records, &error) == KITH_OK) {
        for (size_t i = 0; i < kith_records_count(records); i++, n++) {
            char *id = format("%04d", n);
            assert_true(is(kith_records_at(records, i)->id, id));
            free(id);
        }
        kith_records_free(records);
        assert_ok(kith_writer_compact(writer, NULL, NULL, &error));
    }
    assert_int_equal(n, N);
    kith_cursor_close(cursor);
    kith_writer_close(writer);
    kith_collection_close(c);
}

/* All ids and scores, a line each. Free it. */
static char *list_members(kith_groups *groups)
{
    kith_error error;
    kith_member member;
    char *all = calloc(1, 1);
    while (kith_groups_next(groups, &member, &error) == KITH_OK) {
        assert_non_null(member.record);
        char *longer = format("%s%s %.9g\n", all, member.record->id.data,
                              (double)member.score);
        free(all);
        all = longer;
    }
    return all;
}

/* They are of rows, which have other numbers then. */
static void pairs_stay_what_they_were(void **state)
{
    (void)state;
    kith_error error;
    kith_groups *groups[2];
    kith_pairs_opts opts = KITH_PAIRS_OPTS_INIT;
    opts.min_score = -1.0;
    kith_collection *c = make_past();
    for (size_t i = 0; i < 2; i++) {
        assert_ok(kith_pairs(c, &opts, &groups[i], &error));
    }
    char *before = list_members(groups[0]);
    assert_true(strlen(before) > 1000);
    compact(c);
    char *after = list_members(groups[1]);
    assert_string_equal(before, after);
    free(before);
    free(after);
    kith_groups_free(groups[0]);
    kith_groups_free(groups[1]);
    count_records(c);
    assert_int_equal(n_removed_maps(), 0);
    kith_collection_close(c);
}

typedef struct reader {
    pthread_t thread;
    kith_collection *collection;
    atomic_bool *stop;
    unsigned n_answers;
    bool wrong;
} reader;

/* Two records say the same number in each state, and it grows. */
static void *read_numbers(void *argument)
{
    reader *r = argument;
    kith_error error;
    unsigned last = 0;
    do {
        kith_results *results;
        kith_query query = { .text = text_of("number") };
        if (kith_search(r->collection, &query, 1, NULL, &results, &error) != KITH_OK) {
            r->wrong = true;
            return NULL;
        }
        const kith_answer *answer = kith_results_at(results, 0);
        unsigned numbers[2] = { 0, 1 };
        for (size_t i = 0; i < answer->n_hits && i < 2; i++) {
            sscanf(answer->hits[i].record->text.data, "number %u", &numbers[i]);
        }
        r->wrong = r->wrong || answer->n_hits != 2 || numbers[0] != numbers[1] ||
                   numbers[0] < last;
        last = numbers[0];
        r->n_answers++;
        kith_results_free(results);
    } while (!*r->stop);
    return NULL;
}

static void write_number(kith_writer *writer, unsigned number)
{
    kith_error error;
    char *text = format("number %u", number);
    add(writer, "a", text);
    add(writer, "b", text);
    assert_ok(kith_writer_commit(writer, &error));
    free(text);
}

static void searches_go_on(void **state)
{
    (void)state;
    kith_error error;
    atomic_bool stop = false;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    write_number(writer, 1);
    reader readers[3];
    for (size_t i = 0; i < 3; i++) {
        kith_collection *own = i == 0 ? open_collection(false) : c;
        readers[i] = (reader){ .collection = own, .stop = &stop };
        assert_int_equal(
            pthread_create(&readers[i].thread, NULL, read_numbers, &readers[i]), 0);
    }
    for (unsigned i = 2; i < 40; i++) {
        write_number(writer, i);
        assert_ok(kith_writer_compact(writer, NULL, NULL, &error));
    }
    stop = true;
    for (size_t i = 0; i < 3; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_false(readers[i].wrong);
        assert_true(readers[i].n_answers > 0);
    }
    kith_writer_close(writer);
    kith_collection_close(readers[0].collection);
    kith_collection_close(c);
}

/* ------------------------------------------------------------------ the folder */

static void leftovers_are_swept_and_nothing_else(void **state)
{
    (void)state;
    kith_collection *c = make_past();
    kbase_buffer content = dump(c);
    static const char *const swept[] = { "g000002", "g000007", "g000004.removed",
                                         "CURRENT.new.123" };
    static const char *const kept[] = { "notes", "g0000010", "g000003.backup", "g00001x" };
    for (size_t i = 0; i < 4; i++) {
        char *path = format("%s/%s", coll, swept[i]);
        if (swept[i][0] == 'g') { /* what a compaction leaves that was killed */
            char *first = format("%s/g000001", coll);
            copy_tree(first, path);
            free(first);
        } else {
            write_file(path, "x", 1);
        }
        free(path);
        path = format("%s/%s", coll, kept[i]);
        assert_int_equal(mkdir(path, 0700), 0);
        free(path);
    }
    kith_writer_close(begin(c));
    for (size_t i = 0; i < 4; i++) {
        assert_false(has_entry(swept[i]));
        assert_true(has_entry(kept[i]));
    }
    compact(c);
    assert_holds(&content);
    assert_false(some_file_holds(coll, SECRET));
    kbase_buffer_free(&content);
    kith_collection_close(c);
}

static void another_working_folder_does_not_matter(void **state)
{
    (void)state;
    kith_error error;
    char *here = getcwd(NULL, 0);
    kith_collection_close(collection_of(animals, N_ANIMALS));
    assert_int_equal(chdir(folder), 0);
    kith_collection *c = NULL;
    assert_ok(kith_collection_open("c.kith", model, NULL, &c, &error));
    assert_int_equal(chdir("/"), 0);
    compact(c);
    assert_int_equal(count_records(c), N_ANIMALS);
    assert_int_equal(chdir(here), 0);
    kith_collection_close(c);
    free(here);
}

static void a_collection_that_is_gone_is_told(void **state)
{
    (void)state;
    kith_error error;
    kith_results *results;
    kith_query query = { .text = text_of("cat") };
    kith_collection *c = collection_of(animals, N_ANIMALS);
    char *moved = format("%s/moved.kith", folder);
    assert_int_equal(rename(coll, moved), 0);
    assert_status(KITH_NOT_FOUND, kith_search(c, &query, 1, NULL, &results, &error));
    assert_int_equal(rename(moved, coll), 0);
    assert_ok(kith_search(c, &query, 1, NULL, &results, &error));
    kith_results_free(results);
    kith_collection_close(c);
    free(moved);
}

/* A folder of the same name, made with another model, takes the collection's place. */
static void another_model_in_its_place_is_told(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    kstore_settings settings = c->settings;
    settings.fingerprint[0] ^= 1;
    assert_ok(kith_generation_make(coll, 2, &settings, &error));
    assert_ok(kith_current_write(coll, 2, &error));
    kith_collection_info info;
    assert_status(KITH_MISMATCH, kith_collection_get_info(c, &info, &error));
    assert_ok(kith_current_write(coll, 1, &error));
    assert_ok(kith_collection_get_info(c, &info, &error));
    kith_collection_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_lives_stays_and_the_rest_goes, collection_fresh),
        cmocka_unit_test_setup(nothing_is_left_of_nothing, collection_fresh),
        cmocka_unit_test_setup(sources_can_be_pruned_afterwards, collection_fresh),
        cmocka_unit_test_setup(the_writer_goes_on, collection_fresh),
        cmocka_unit_test_setup(the_writer_knows_its_own_records, collection_fresh),
        cmocka_unit_test_setup(it_can_be_interrupted, collection_fresh),
        cmocka_unit_test_setup(what_has_begun_ends_on_the_old_files, collection_fresh),
        cmocka_unit_test_setup(a_cursor_goes_on_behind_its_place, collection_fresh),
        cmocka_unit_test_setup(pairs_stay_what_they_were, collection_fresh),
        cmocka_unit_test_setup(searches_go_on, collection_fresh),
        cmocka_unit_test_setup(leftovers_are_swept_and_nothing_else, collection_fresh),
        cmocka_unit_test_setup(another_working_folder_does_not_matter, collection_fresh),
        cmocka_unit_test_setup(a_collection_that_is_gone_is_told, collection_fresh),
        cmocka_unit_test_setup(another_model_in_its_place_is_told, collection_fresh),
    };
    return cmocka_run_group_tests(tests, collection_set_up, collection_tear_down);
}
