/* Filtered searches through kith.h alone: what postings are there, and are damaged, and
 * what an answer says of itself. test_property.c asks whether answers are right. */
#include "collection_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_STORED 2500
#define N_LATER 1200 /* enough for postings in memory */

static void add_numbered(kith_writer *writer, unsigned i)
{
    kith_error error;
    char *id = format("%u", i);
    char *text = format("stone %u", i % 50);
    char *metadata = format("{\"even\": %s, \"n\": %u, \"word\": \"w%u\"}",
                            i % 2 == 0 ? "true" : "false", i, i);
    const kith_input input = { .id = text_of(id), .text = text_of(text),
                               .metadata = text_of(metadata) };
    assert_ok(kith_writer_add(writer, &input, &error));
    free(metadata);
    free(text);
    free(id);
}

static void add_range(kith_collection *c, unsigned first, unsigned end, kith_ann ann)
{
    kith_error error;
    kith_build_opts opts = KITH_BUILD_OPTS_INIT;
    kith_writer *writer = begin(c);
    for (unsigned i = first; i < end; i++) {
        add_numbered(writer, i);
    }
    opts.ann = ann;
    assert_ok(kith_writer_commit(writer, &error));
    assert_ok(kith_writer_build_index(writer, &opts, NULL, &error));
    kith_writer_close(writer);
}

static kith_results *filtered(kith_collection *c, const char *where, uint32_t k)
{
    kith_error error;
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    const kith_query query = { .text = text_of("a stone") };
    kith_results *results = NULL;
    opts.k = k;
    opts.where = where;
    assert_ok(kith_search(c, &query, 1, &opts, &results, &error));
    return results;
}

static size_t count(kith_collection *c, const char *where)
{
    kith_results *results = filtered(c, where, 10000);
    size_t n = kith_results_at(results, 0)->n_hits;
    kith_results_free(results);
    return n;
}

static kith_collection_info info_of(kith_collection *c)
{
    kith_error error;
    kith_collection_info info;
    assert_ok(kith_collection_get_info(c, &info, &error));
    return info;
}

/* The path of the postings; free it. */
static char *postings_path(void)
{
    char *folder_path = format("%s/g000001/derived", coll);
    DIR *derived = opendir(folder_path);
    char *path = NULL;
    assert_non_null(derived);
    for (const struct dirent *entry; (entry = readdir(derived)) != NULL;) {
        if (strncmp(entry->d_name, "fields-", 7) == 0) {
            assert_null(path);
            path = format("%s/%s", folder_path, entry->d_name);
        }
    }
    closedir(derived);
    free(folder_path);
    assert_non_null(path);
    return path;
}

static void postings_follow_what_is_written(void **state)
{
    (void)state;
    kith_collection *c = open_collection(true);
    add_range(c, 0, 1999, KITH_ANN_NEVER);
    assert_int_equal(info_of(c).fields_covers, 0);
    assert_int_equal(count(c, "even = true"), 1000);
    add_range(c, 1999, 2000, KITH_ANN_NEVER);
    assert_int_equal(info_of(c).fields_covers, 2000);
    assert_int_equal(count(c, "even = true"), 1000);
    add_range(c, 2000, 2250, KITH_ANN_NEVER); /* an eighth, and no more */
    assert_int_equal(info_of(c).fields_covers, 2000);
    assert_int_equal(count(c, "n >= 1990"), 260);
    add_range(c, 2250, 2251, KITH_ANN_NEVER);
    assert_int_equal(info_of(c).fields_covers, 2251);
    assert_int_equal(count(c, "n >= 1990"), 261);
    free(postings_path()); /* there is one: the former is gone */
    kith_collection_close(c);
}

/* Damage that shows when postings in memory continue those in the file already. */
static void damage_that_shows_late_changes_no_answer(void **state)
{
    (void)state;
    kith_collection *c = open_collection(true);
    add_range(c, 0, N_STORED, KITH_ANN_NEVER);
    kith_writer *writer = begin(c);
    for (unsigned i = N_STORED; i < N_STORED + N_LATER; i++) {
        add_numbered(writer, i);
    }
    kith_error error;
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(count(c, "even = true"), (N_STORED + N_LATER) / 2);
    }
    /* The file is mapped. The part of the field that comes last is that of "word". */
    size_t n_bytes;
    char *path = postings_path();
    char *content = read_file(path, &n_bytes);
    int file = open(path, O_WRONLY);
    content[n_bytes - 2000] ^= 1;
    assert_int_equal(pwrite(file, &content[n_bytes - 2000], 1, (off_t)n_bytes - 2000), 1);
    close(file);
    assert_int_equal(count(c, "even = true"), (N_STORED + N_LATER) / 2);
    assert_int_equal(info_of(c).fields_covers, N_STORED);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(count(c, "word = \"w7\" OR word = \"w3000\""), 2);
        assert_int_equal(count(c, "even = true"), (N_STORED + N_LATER) / 2);
        assert_int_equal(info_of(c).fields_covers, 0);
        assert_non_null(strstr(info_of(c).fields_problem, "damaged"));
    }
    assert_status(KITH_CORRUPT, kith_collection_verify(c, &error));
    add_range(c, N_STORED + N_LATER, N_STORED + N_LATER + 1, KITH_ANN_NEVER);
    assert_int_equal(info_of(c).fields_covers, N_STORED + N_LATER + 1);
    assert_ok(kith_collection_verify(c, &error));
    assert_int_equal(count(c, "word = \"w7\" OR word = \"w3000\""), 2);
    free(content);
    free(path);
    kith_collection_close(c);
}

/* A file of another collection has the right name in vain. */
static void foreign_postings_are_not_used(void **state)
{
    (void)state;
    size_t n_bytes;
    kith_collection *c = open_collection(true);
    add_range(c, 1000000, 1000000 + N_STORED, KITH_ANN_NEVER);
    char *path = postings_path();
    char *foreign = read_file(path, &n_bytes);
    kith_collection_close(c);
    free(path);
    collection_fresh(NULL);
    c = open_collection(true);
    add_range(c, 0, N_STORED, KITH_ANN_NEVER);
    kith_collection_close(c);
    path = postings_path();
    write_file(path, foreign, n_bytes);
    c = open_collection(false);
    assert_int_equal(count(c, "n < 100"), 100);
    assert_non_null(strstr(info_of(c).fields_problem, "another collection"));
    free(foreign);
    free(path);
    kith_collection_close(c);
}

static void an_answer_says_how_it_was_found(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(true);
    add_range(c, 0, N_STORED, KITH_ANN_ALWAYS);
    const struct {
        const char *where;
        double min_recall;
        uint32_t nprobe;
        bool is_exact;
        const char *plan;
    } cases[] = {
        { NULL, 0.0, 0, false, "approximate" },
        { "n >= 10", 0.0, 0, false, "2490 of 2500 rows match" },
        { "n >= 10", 0.0, 2, false, "2490 of 2500 rows match" },
        { "n >= 10", 0.5, 0, true, "recall was not measured with a filter" },
        { "n < 1249", 0.0, 0, true, "fewer than half of the rows match the filter" },
        { "n < 1250", 0.0, 0, false, "1250 of 2500 rows match" },
        { "n < 0", 0.0, 0, true, "0 of 2500 rows match" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
        const kith_query query = { .text = text_of("a stone") };
        kith_results *results;
        opts.ann = KITH_USE_ANN_ALWAYS;
        opts.where = cases[i].where;
        opts.min_recall = cases[i].min_recall;
        opts.nprobe = cases[i].nprobe;
        assert_ok(kith_search(c, &query, 1, &opts, &results, &error));
        const kith_answer *answer = kith_results_at(results, 0);
        assert_int_equal(answer->exact, cases[i].is_exact);
        assert_true(cases[i].is_exact        ? answer->recall == 1.0
                    : cases[i].where != NULL ? answer->recall == -1.0
                                             : answer->recall > 0.0);
        assert_non_null(strstr(answer->plan, cases[i].plan));
        kith_results_free(results);
    }
    kith_collection_close(c);
}

static void a_filter_that_is_none_is_refused(void **state)
{
    (void)state;
    kith_error error;
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    const kith_query query = { .text = text_of("a") };
    kith_results *results;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    opts.where = "lang = ";
    assert_status(KITH_INVALID, kith_search(c, &query, 1, &opts, &results, &error));
    assert_non_null(strstr(error.message, "column 8"));
    assert_status(KITH_INVALID, kith_where_check(opts.where, &error));
    assert_ok(kith_where_check("lang = 1", &error));
    kith_collection_close(c);
}

/* ------------------------------------------------------------------ threads */

typedef struct reader {
    pthread_t thread;
    kith_collection *collection;
    atomic_bool *stop;
    bool is_wrong;
} reader;

/* Pairs are added together: as many are even as are odd, in every state. */
static void *read_filtered(void *argument)
{
    reader *r = argument;
    do {
        kith_error error;
        kith_results *results;
        kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
        const kith_query query = { .text = text_of("a stone") };
        size_t n[2] = { 0, 0 };
        opts.k = 10000;
        opts.where = "even = true OR even = false";
        if (kith_search(r->collection, &query, 1, &opts, &results, &error) != KITH_OK) {
            r->is_wrong = true;
            return NULL;
        }
        const kith_answer *answer = kith_results_at(results, 0);
        for (size_t i = 0; i < answer->n_hits; i++) {
            n[atoi(answer->hits[i].record->id.data) % 2]++;
        }
        r->is_wrong = r->is_wrong || n[0] != n[1] || n[0] < N_STORED / 2;
        kith_results_free(results);
    } while (!atomic_load(r->stop));
    return NULL;
}

static void filters_see_whole_commits(void **state)
{
    (void)state;
    kith_error error;
    atomic_bool stop = false;
    reader readers[3];
    kith_collection *c = open_collection(true);
    add_range(c, 0, N_STORED, KITH_ANN_NEVER);
    for (size_t i = 0; i < 3; i++) {
        readers[i] = (reader){ .collection = c, .stop = &stop };
        assert_int_equal(
            pthread_create(&readers[i].thread, NULL, read_filtered, &readers[i]), 0);
    }
    kith_writer *writer = begin(c);
    for (unsigned i = N_STORED; i < N_STORED + N_LATER; i += 40) {
        for (unsigned j = i; j < i + 40; j++) {
            add_numbered(writer, j);
        }
        assert_ok(kith_writer_commit(writer, &error));
        if ((i - N_STORED) % 400 == 360) {
            assert_ok(kith_writer_build_index(writer, NULL, NULL, &error));
        }
    }
    kith_writer_close(writer);
    atomic_store(&stop, true);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_false(readers[i].is_wrong);
    }
    kith_collection_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(postings_follow_what_is_written, collection_fresh),
        cmocka_unit_test_setup(damage_that_shows_late_changes_no_answer, collection_fresh),
        cmocka_unit_test_setup(foreign_postings_are_not_used, collection_fresh),
        cmocka_unit_test_setup(an_answer_says_how_it_was_found, collection_fresh),
        cmocka_unit_test_setup(a_filter_that_is_none_is_refused, collection_fresh),
        cmocka_unit_test_setup(filters_see_whole_commits, collection_fresh),
    };
    return cmocka_run_group_tests(tests, collection_set_up, collection_tear_down);
}
