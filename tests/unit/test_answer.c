/* What an answer does beyond the nearest rows: diversity, few of one source. */
#include "collection_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_RECORDS 200
#define N_SOURCES 7
#define DIM 48

static kith_collection *fill(void)
{
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    for (int i = 0; i < N_RECORDS; i++) {
        char *id = format("%d", i);
        char *text = format("%s number %d of %d", animals[i % N_ANIMALS], i % 17, i % 3);
        char *source = format("source %d", i * i % N_SOURCES);
        kith_input input = { .id = text_of(id), .text = text_of(text) };
        if (i % 10 != 0) { /* some have none */
            input.source = text_of(source);
        }
        assert_ok(kith_writer_add(writer, &input, &error));
        free(source);
        free(text);
        free(id);
    }
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    return c;
}

static kith_results *ask_with(kith_collection *c, const kith_search_opts *opts)
{
    kith_error error;
    kith_results *results = NULL;
    const kith_query query = { .text = text_of("a dog in the park") };
    assert_ok(kith_search(c, &query, 1, opts, &results, &error));
    return results;
}

/* The stored vector at unit length. */
static void read_vector(kith_collection *c, kith_text id, double vector[DIM])
{
    kith_error error;
    kith_records *records = NULL;
    double square = 0;
    assert_ok(kith_record_get(c, id, &records, &error));
    for (int i = 0; i < DIM; i++) {
        vector[i] = (double)kith_records_at(records, 0)->vector[i];
        square += vector[i] * vector[i];
    }
    for (int i = 0; i < DIM; i++) {
        vector[i] /= sqrt(square);
    }
    kith_records_free(records);
}

static double product(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < DIM; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* The value of hit i of the pool, when those marked have been chosen. */
static double value_of(double vectors[][DIM], const kith_answer *pool, const bool *chosen,
                       size_t i, double mmr)
{
    double alike = -2;
    for (size_t j = 0; j < pool->n_hits; j++) {
        if (chosen[j]) {
            alike = fmax(alike, product(vectors[i], vectors[j]));
        }
    }
    return mmr * (double)pool->hits[i].score - (alike > -2 ? (1 - mmr) * alike : 0);
}

static void each_hit_is_the_best_that_is_left(void **state)
{
    (void)state;
    kith_collection *c = fill();
    for (double mmr = 0; mmr < 1; mmr += 0.25) {
        kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
        opts.k = 50;
        kith_results *wide = ask_with(c, &opts);
        const kith_answer *pool = kith_results_at(wide, 0);
        static double vectors[50][DIM];
        bool chosen[50] = { false };
        for (size_t i = 0; i < pool->n_hits; i++) {
            read_vector(c, pool->hits[i].record->id, vectors[i]);
        }
        opts.k = 10;
        opts.mmr = mmr;
        kith_results *results = ask_with(c, &opts);
        const kith_answer *answer = kith_results_at(results, 0);
        assert_int_equal(answer->n_hits, 10);
        for (size_t h = 0; h < answer->n_hits; h++) {
            double best = -9;
            size_t place = SIZE_MAX;
            for (size_t i = 0; i < pool->n_hits; i++) {
                if (!chosen[i]) {
                    best = fmax(best, value_of(vectors, pool, chosen, i, mmr));
                }
                const kith_text id = pool->hits[i].record->id;
                const kith_text wanted = answer->hits[h].record->id;
                if (id.n_bytes == wanted.n_bytes &&
                    memcmp(id.data, wanted.data, id.n_bytes) == 0) {
                    place = i;
                }
            }
            assert_true(place < pool->n_hits && !chosen[place]);
            assert_true(value_of(vectors, pool, chosen, place, mmr) > best - 1e-5);
            assert_true(answer->hits[h].score == pool->hits[place].score);
            chosen[place] = true;
        }
        kith_results_free(results);
        kith_results_free(wide);
    }
    kith_collection_close(c);
}

static void all_that_is_there_comes_with_diversity_too(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = fill();
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    opts.k = 1000;
    opts.mmr = 0.5;
    kith_results *results = ask_with(c, &opts);
    assert_int_equal(kith_results_at(results, 0)->n_hits, N_RECORDS);
    kith_results_free(results);
    const kith_query query = { .text = text_of("a dog") };
    opts.k = 1001;
    assert_status(KITH_INVALID, kith_search(c, &query, 1, &opts, &results, &error));
    opts.k = 10;
    const double bad[] = { -0.1, 1.1, NAN, INFINITY };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        opts.mmr = bad[i];
        assert_status(KITH_INVALID, kith_search(c, &query, 1, &opts, &results, &error));
    }
    kith_collection_close(c);
}

/* The hits are those of the whole order, less what a source has too many of. */
static void few_come_from_one_source(void **state)
{
    (void)state;
    kith_collection *c = fill();
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    opts.k = N_RECORDS;
    kith_results *all = ask_with(c, &opts);
    const kith_answer *order = kith_results_at(all, 0);
    assert_int_equal(order->n_hits, N_RECORDS);
    const uint32_t sizes[] = { 1, 10, 30, 200 };
    for (uint32_t most = 1; most <= 3; most++) {
        for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            opts.k = sizes[s];
            opts.max_per_source = most;
            kith_results *results = ask_with(c, &opts);
            const kith_answer *answer = kith_results_at(results, 0);
            uint32_t counts[N_SOURCES] = { 0 };
            size_t n = 0;
            for (size_t i = 0; i < order->n_hits && n < opts.k; i++) {
                const kith_record *record = order->hits[i].record;
                if (record->source.n_bytes > 0) {
                    int number = record->source.data[record->source.n_bytes - 1] - '0';
                    if (counts[number] == most) {
                        continue;
                    }
                    counts[number]++;
                }
                assert_true(n < answer->n_hits);
                assert_true(is(record->id, answer->hits[n].record->id.data));
                n++;
            }
            assert_int_equal(answer->n_hits, n);
            kith_results_free(results);
        }
    }
    kith_results_free(all);
    kith_collection_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_hit_is_the_best_that_is_left, collection_fresh),
        cmocka_unit_test_setup(all_that_is_there_comes_with_diversity_too,
                               collection_fresh),
        cmocka_unit_test_setup(few_come_from_one_source, collection_fresh),
    };
    return cmocka_run_group_tests(tests, collection_set_up, collection_tear_down);
}
