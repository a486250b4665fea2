/* Pairs, clusters and duplicates of a collection, through kith.h. What is found is
 * looked at in test_pairs.c; here: records and passages, reading, refusals. */
#include "collection_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MEMBERS 512

/* Members that were read, with copies of their ids; "" for one that is gone. */
typedef struct read_group {
    kith_member member;
    char id[16];
} read_group;

static size_t read_all(kith_groups *groups, read_group *members)
{
    kith_error error;
    size_t n = 0;
    kith_status status;
    while ((status = kith_groups_next(groups, &members[n].member, &error)) == KITH_OK) {
        const kith_record *record = members[n].member.record;
        members[n].id[0] = '\0';
        if (record != NULL) {
            assert_true(record->id.n_bytes < sizeof(members[n].id));
            memcpy(members[n].id, record->id.data, record->id.n_bytes + 1);
        }
        n++;
        assert_true(n < MAX_MEMBERS);
    }
    assert_status(KITH_NOT_FOUND, status);
    kith_groups_free(groups);
    return n;
}

static size_t read_pairs(kith_collection *c, const kith_pairs_opts *opts,
                         read_group *members)
{
    kith_error error;
    kith_groups *groups = NULL;
    assert_ok(kith_pairs(c, opts, &groups, &error));
    const uint64_t n_groups = kith_groups_count(groups);
    const size_t n = read_all(groups, members);
    assert_int_equal(n, 2 * n_groups);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(members[i].member.group, i / 2);
        assert_int_equal(members[i].member.position, i % 2);
        assert_int_equal(members[i].member.n_members, 2);
        assert_true(members[i].member.score == members[i - i % 2].member.score);
        assert_true(i < 2 || members[i].member.score <= members[i - 2].member.score);
    }
    return n;
}

static void every_pair_scores_as_search_does(void **state)
{
    (void)state;
    kith_error error;
    read_group members[MAX_MEMBERS];
    kith_collection *c = collection_of(animals, N_ANIMALS);
    assert_int_equal(read_pairs(c, NULL, members), N_ANIMALS * (N_ANIMALS - 1));
    for (size_t i = 0; i < N_ANIMALS * (N_ANIMALS - 1); i += 2) {
        kith_results *results = NULL;
        const kith_query query = { .like = text_of(members[i].id) };
        bool is_found = false;
        assert_true(strcmp(members[i].id, members[i + 1].id) < 0);
        assert_ok(kith_search(c, &query, 1, NULL, &results, &error));
        for (size_t j = 0; j < N_ANIMALS - 1; j++) {
            const kith_hit *hit = &kith_results_at(results, 0)->hits[j];
            is_found |= is(hit->record->id, members[i + 1].id) &&
                        hit->score == members[i].member.score;
        }
        assert_true(is_found);
        kith_results_free(results);
    }
    const float second = members[2].member.score;
    kith_pairs_opts opts = KITH_PAIRS_OPTS_INIT;
    opts.min_score = (double)second;
    assert_int_equal(read_pairs(c, &opts, members), 4);
    opts.min_score = (double)second + 1e-12; /* finer than a float */
    assert_int_equal(read_pairs(c, &opts, members), 2);
    opts = (kith_pairs_opts)KITH_PAIRS_OPTS_INIT;
    opts.max_pairs = 3;
    assert_int_equal(read_pairs(c, &opts, members), 6);
    opts.max_pairs = UINT64_MAX;
    opts.top_k = 1;
    assert_in_range(read_pairs(c, &opts, members), N_ANIMALS - 1, 2 * N_ANIMALS);
    kith_collection_close(c);
}

/* A text of some passages that begins with these words. */
static char *long_text(const char *words)
{
    char *text = calloc(1, 20000);
    strcpy(text, words);
    for (int i = 0; i < 100; i++) {
        char *more = format(" Sentence %d speaks of cats and of the sea. ", i % 9);
        strcat(text, more);
        free(more);
    }
    return text;
}

static kith_collection *collection_with_passages(void)
{
    kith_error error;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    kith_writer *writer = begin(c);
    char *text = long_text("The first.");
    char *other = long_text("Another.");
    add(writer, "long", text);
    add(writer, "other", other);
    add(writer, "upper", "A CAT SLEEPS ON THE SOFA");
    add(writer, "again", animals[0]);
    add(writer, "copy", text);
    free(other);
    free(text);
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    return c;
}

static void pairs_are_of_records(void **state)
{
    (void)state;
    const size_t n_records = N_ANIMALS + 5;
    read_group members[MAX_MEMBERS];
    kith_collection *c = collection_with_passages();
    const size_t n = read_pairs(c, NULL, members);
    assert_int_equal(n, n_records * (n_records - 1));
    for (size_t i = 0; i < n; i += 2) {
        assert_string_not_equal(members[i].id, members[i + 1].id);
        for (size_t j = 0; j < i; j += 2) {
            assert_false(strcmp(members[i].id, members[j].id) == 0 &&
                         strcmp(members[i + 1].id, members[j + 1].id) == 0);
            assert_false(strcmp(members[i].id, members[j + 1].id) == 0 &&
                         strcmp(members[i + 1].id, members[j].id) == 0);
        }
    }
    kith_collection_close(c);
}

static void duplicates_are_exact_or_near(void **state)
{
    (void)state;
    kith_error error;
    kith_groups *groups = NULL;
    read_group members[MAX_MEMBERS];
    kith_collection *c = collection_with_passages();
    kith_duplicates_opts opts = KITH_DUPLICATES_OPTS_INIT;
    opts.min_score = 1; /* the model has random weights: only what is sure */
    assert_ok(kith_duplicates(c, &opts, &groups, &error));
    assert_int_equal(kith_groups_count(groups), 2);
    assert_int_equal(read_all(groups, members), 5);
    static const char *const ids[] = { "0", "upper", "again", "long", "copy" };
    static const bool is_exact[] = { true, false, true, true, true };
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(members[i].id, ids[i]);
        assert_int_equal(members[i].member.group, i / 3);
        assert_int_equal(members[i].member.position, i % 3);
        assert_int_equal(members[i].member.n_members, i < 3 ? 3 : 2);
        assert_int_equal(members[i].member.exact, is_exact[i]);
        assert_true(fabsf(members[i].member.score - 1) < 1e-5f);
    }
    kith_collection_close(c);
}

/* Titles count: they are part of what is encoded. */
static void a_title_makes_a_difference(void **state)
{
    (void)state;
    kith_error error;
    kith_groups *groups = NULL;
    read_group members[MAX_MEMBERS];
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    const kith_input inputs[] = {
        { .id = text_of("a"), .title = text_of("red"), .text = text_of("blue green") },
        { .id = text_of("b"), .title = text_of("red blue"), .text = text_of("green") },
        { .id = text_of("c"), .title = text_of("red"), .text = text_of("blue green") },
    };
    for (size_t i = 0; i < 3; i++) {
        assert_ok(kith_writer_add(writer, &inputs[i], &error));
    }
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    assert_ok(kith_duplicates(c, NULL, &groups, &error));
    assert_int_equal(read_all(groups, members), 3);
    assert_true(members[0].member.exact && members[2].member.exact);
    assert_false(members[1].member.exact); /* the same vector, another record */
    kith_collection_close(c);
}

static void clusters_hold_every_row_once(void **state)
{
    (void)state;
    kith_error error;
    kith_groups *groups = NULL;
    kith_collection_info info;
    read_group members[MAX_MEMBERS];
    kith_collection *c = collection_with_passages();
    kith_clusters_opts opts = KITH_CLUSTERS_OPTS_INIT;
    assert_ok(kith_collection_get_info(c, &info, &error));
    opts.min_size = 1;
    opts.min_score = 0.9999;
    assert_ok(kith_clusters(c, &opts, &groups, &error));
    size_t n = read_all(groups, members);
    assert_int_equal(n, info.n_passages);
    for (size_t i = 1; i < n; i++) {
        const kith_member *x = &members[i - 1].member;
        const kith_member *y = &members[i].member;
        assert_true(y->position == 0 ? x->position + 1 == x->n_members &&
                                           y->group == x->group + 1 &&
                                           y->n_members <= x->n_members
                                     : y->position == x->position + 1 &&
                                           y->group == x->group &&
                                           (x->position == 0 || y->score <= x->score));
    }
    opts.min_size = MAX_MEMBERS;
    assert_ok(kith_clusters(c, &opts, &groups, &error));
    assert_int_equal(read_all(groups, members), 0);
    kith_collection_close(c);
}

static void what_was_deleted_is_null(void **state)
{
    (void)state;
    kith_error error;
    kith_groups *groups = NULL;
    read_group members[MAX_MEMBERS];
    kith_collection *c = collection_of(animals, N_ANIMALS);
    assert_ok(kith_pairs(c, NULL, &groups, &error));
    kith_writer *writer = begin(c);
    assert_ok(kith_writer_delete(writer, text_of("3"), &error));
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    size_t n = read_all(groups, members);
    size_t n_gone = 0;
    for (size_t i = 0; i < n; i++) {
        n_gone += members[i].member.record == NULL;
        assert_string_not_equal(members[i].id, "3");
    }
    assert_int_equal(n, N_ANIMALS * (N_ANIMALS - 1));
    assert_int_equal(n_gone, N_ANIMALS - 1);
    assert_int_equal(read_pairs(c, NULL, members), (N_ANIMALS - 1) * (N_ANIMALS - 2));
    kith_collection_close(c);
}

/* ------------------------------------------------------------------ watching, refusals */

typedef struct watched {
    unsigned n_told;
    bool stops;
} watched;

static void on_progress(void *context, const char *step, double fraction)
{
    watched *w = context;
    w->n_told++;
    assert_true(step[0] != '\0' && fraction >= 0 && fraction <= 1);
}

static bool on_question(void *context)
{
    return ((const watched *)context)->stops;
}

static void a_caller_can_watch_and_stop(void **state)
{
    (void)state;
    kith_error error;
    kith_groups *groups = NULL;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    watched w = { 0, false };
    kith_pairs_opts pairs = KITH_PAIRS_OPTS_INIT;
    pairs.progress = on_progress;
    pairs.interrupted = on_question;
    pairs.context = &w;
    assert_ok(kith_pairs(c, &pairs, &groups, &error));
    kith_groups_free(groups);
    assert_true(w.n_told > 0);
    w.stops = true;
    assert_status(KITH_INTERRUPTED, kith_pairs(c, &pairs, &groups, &error));
    kith_clusters_opts clusters = KITH_CLUSTERS_OPTS_INIT;
    clusters.interrupted = on_question;
    clusters.context = &w;
    assert_status(KITH_INTERRUPTED, kith_clusters(c, &clusters, &groups, &error));
    kith_duplicates_opts duplicates = KITH_DUPLICATES_OPTS_INIT;
    duplicates.interrupted = on_question;
    duplicates.context = &w;
    assert_status(KITH_INTERRUPTED, kith_duplicates(c, &duplicates, &groups, &error));
    kith_collection_close(c);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    kith_error error;
    kith_groups *groups = NULL;
    kith_collection *c = collection_of(animals, N_ANIMALS);
    kith_pairs_opts pairs = KITH_PAIRS_OPTS_INIT;
    pairs.top_k = 0;
    assert_status(KITH_INVALID, kith_pairs(c, &pairs, &groups, &error));
    pairs = (kith_pairs_opts)KITH_PAIRS_OPTS_INIT;
    pairs.max_pairs = 0;
    assert_status(KITH_INVALID, kith_pairs(c, &pairs, &groups, &error));
    pairs = (kith_pairs_opts)KITH_PAIRS_OPTS_INIT;
    pairs.min_score = NAN;
    assert_status(KITH_INVALID, kith_pairs(c, &pairs, &groups, &error));
    kith_clusters_opts clusters = KITH_CLUSTERS_OPTS_INIT;
    clusters.min_size = 0;
    assert_status(KITH_INVALID, kith_clusters(c, &clusters, &groups, &error));
    kith_duplicates_opts duplicates = KITH_DUPLICATES_OPTS_INIT;
    duplicates.min_score = NAN;
    assert_status(KITH_INVALID, kith_duplicates(c, &duplicates, &groups, &error));
    kith_groups_free(NULL);
    kith_collection_close(c);
}

static void an_empty_collection_has_no_groups(void **state)
{
    (void)state;
    kith_error error;
    kith_groups *groups = NULL;
    read_group members[1];
    kith_collection *c = open_collection(true);
    assert_ok(kith_pairs(c, NULL, &groups, &error));
    assert_int_equal(read_all(groups, members), 0);
    assert_ok(kith_clusters(c, NULL, &groups, &error));
    assert_int_equal(read_all(groups, members), 0);
    assert_ok(kith_duplicates(c, NULL, &groups, &error));
    assert_int_equal(read_all(groups, members), 0);
    kith_collection_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_pair_scores_as_search_does, collection_fresh),
        cmocka_unit_test_setup(pairs_are_of_records, collection_fresh),
        cmocka_unit_test_setup(duplicates_are_exact_or_near, collection_fresh),
        cmocka_unit_test_setup(a_title_makes_a_difference, collection_fresh),
        cmocka_unit_test_setup(clusters_hold_every_row_once, collection_fresh),
        cmocka_unit_test_setup(what_was_deleted_is_null, collection_fresh),
        cmocka_unit_test_setup(a_caller_can_watch_and_stop, collection_fresh),
        cmocka_unit_test_setup(what_makes_no_sense_is_refused, collection_fresh),
        cmocka_unit_test_setup(an_empty_collection_has_no_groups, collection_fresh),
    };
    return cmocka_run_group_tests(tests, collection_set_up, collection_tear_down);
}
