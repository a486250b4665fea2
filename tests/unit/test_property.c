/* Random adds, updates, deletes, commits, builds and filtered searches against an oracle
 * that keeps everything in arrays: always min(k, matches) hits, exact scores, and no
 * record that is dead or does not match.
 *
 * KITH_PROPERTY_OPERATIONS and KITH_PROPERTY_SEED choose a longer or another run. */
#include "collection_fixture.h"
#include "filter_fixture.h"

#include <math.h>
#include <time.h>

#include "rows.h"

#define DEFAULT_OPERATIONS 5000
#define N_IDS 4000
#define N_FIRST 2600 /* records before anything else happens: enough for all indexes */
#define N_TEXTS 250
#define N_LONG 10 /* of them become several passages */
#define MAX_PASSAGES 2000
#define N_QUERIES 64
#define DIM 48
#define STRIDE 64

/* ------------------------------------------------------------------ texts and scores */

/* Texts that records take theirs from, as the library cuts and encodes them. */
typedef struct pool_text {
    char *text;
    const char *title;
    unsigned first; /* passage */
    unsigned n_passages;
} pool_text;

static pool_text texts[N_TEXTS];
static unsigned n_passages;
static uint16_t vectors[MAX_PASSAGES * STRIDE];
static float queries[N_QUERIES][DIM]; /* as they are given */
static char *query_texts[N_QUERIES];
static float scores[N_QUERIES][MAX_PASSAGES];
static float like_scores[N_TEXTS][MAX_PASSAGES]; /* of a text's first passage */

static char *draw_text(chance *c, unsigned n_words)
{
    static const char *const words[] = { "sea",   "river", "stone", "bird",  "house",
                                         "road",  "light", "paper", "glass", "bread",
                                         "milk",  "cat",   "dog",   "red",   "old",
                                         "small", "runs",  "sings", "sleeps", "falls" };
    char *text = calloc(n_words, 8);
    for (unsigned i = 0; i < n_words; i++) {
        strcat(text, words[below(c, 20)]);
        strcat(text, i + 1 == n_words ? "" : i % 9 == 8 ? ". " : " ");
    }
    return text;
}

/* As the library does it: in double. */
static void to_unit_length(float *vector)
{
    double squares = 0.0;
    for (size_t i = 0; i < DIM; i++) {
        squares += (double)vector[i] * (double)vector[i];
    }
    double length = sqrt(squares);
    for (size_t i = 0; i < DIM; i++) {
        vector[i] = (float)((double)vector[i] / length);
    }
}

static void encode(const char *text, float vector[DIM])
{
    kith_error error;
    const kith_text one = text_of(text);
    assert_ok(kith_model_encode(model, &one, 1, NULL, vector, NULL, &error));
}

/* Where the library cuts a text, from a collection of its own. */
static void find_passages(kith_collection *c, kbase_isa isa, unsigned i)
{
    kith_error error;
    kith_records *records;
    char *id = format("%u", i);
    assert_ok(kith_record_get(c, text_of(id), &records, &error));
    texts[i].first = n_passages;
    texts[i].n_passages = (unsigned)kith_records_count(records);
    for (unsigned p = 0; p < texts[i].n_passages; p++) {
        float vector[DIM];
        char *passage = format("%s%s%s", texts[i].title, texts[i].title[0] ? " " : "",
                               kith_records_at(records, p)->text.data);
        encode(passage, vector);
        assert_true(n_passages < MAX_PASSAGES);
        kidx_f16_from_f32(isa, vector, DIM, vectors + (size_t)n_passages++ * STRIDE);
        free(passage);
    }
    kith_records_free(records);
    free(id);
}

static void score_all(kbase_isa isa, const float *query, float *out)
{
    const kidx_rows rows = { vectors, STRIDE, DIM, n_passages, NULL, NULL };
    uint64_t all[MAX_PASSAGES];
    for (unsigned i = 0; i < n_passages; i++) {
        all[i] = i;
    }
    kidx_score(isa, &rows, query, all, n_passages, out);
}

static void make_pool(chance *c)
{
    static const char *const titles[] = { "", "", "", "abc", "x y" };
    kith_error error;
    kbase_isa isa;
    assert_ok(kbase_isa_choose(NULL, &isa, &error));
    kith_collection *scratch = open_collection(true);
    kith_writer *writer = begin(scratch);
    for (unsigned i = 0; i < N_TEXTS; i++) {
        texts[i].text = draw_text(c, i < N_LONG ? 150 + below(c, 400) : 3 + below(c, 8));
        texts[i].title = titles[i % 5];
        char *id = format("%u", i);
        const kith_input input = { .id = text_of(id), .text = text_of(texts[i].text),
                                   .title = text_of(texts[i].title) };
        assert_ok(kith_writer_add(writer, &input, &error));
        free(id);
    }
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    for (unsigned i = 0; i < N_TEXTS; i++) {
        find_passages(scratch, isa, i);
    }
    kith_collection_close(scratch);
    collection_fresh(NULL);
    for (unsigned i = 0; i < N_QUERIES; i++) {
        query_texts[i] = i % 3 == 0 ? strdup(texts[below(c, N_TEXTS)].text)
                                    : draw_text(c, 1 + below(c, 12));
        float vector[DIM];
        encode(query_texts[i], queries[i]);
        memcpy(vector, queries[i], sizeof(vector));
        to_unit_length(vector);
        score_all(isa, vector, scores[i]);
    }
    for (unsigned i = 0; i < N_TEXTS; i++) {
        float vector[DIM];
        kidx_f32_from_f16(isa, vectors + (size_t)texts[i].first * STRIDE, DIM, vector);
        to_unit_length(vector);
        score_all(isa, vector, like_scores[i]);
    }
}

static void free_pool(void)
{
    for (unsigned i = 0; i < N_TEXTS; i++) {
        free(texts[i].text);
    }
    for (unsigned i = 0; i < N_QUERIES; i++) {
        free(query_texts[i]);
    }
}

/* ------------------------------------------------------------------ the oracle */

typedef struct oracle_record {
    bool is_there;
    unsigned text;
    sample fields;
} oracle_record;

typedef struct world {
    chance chances;
    kith_collection *collection;
    kith_writer *writer; /* NULL: none */
    char ids[N_IDS][16];
    oracle_record pending[N_IDS]; /* as it will be after the next commit */
    oracle_record records[N_IDS]; /* committed */
    bool has_changed[N_IDS];
    /* what happened */
    unsigned n_searches;
    unsigned n_filtered;
    unsigned n_none;        /* nothing matched */
    unsigned n_few;         /* fewer than k matched */
    unsigned n_approximate;
    unsigned n_approximate_filtered;
    unsigned n_builds;
    uint64_t n_rows;
} world;

static world w; /* too large for the stack */

static const char *source_of(unsigned i)
{
    static const char *const sources[] = { "", "/a", "/a/b", "/c" };
    return sources[i % 4];
}

static kith_writer *writer_of(void)
{
    w.writer = w.writer == NULL ? begin(w.collection) : w.writer;
    return w.writer;
}

static void close_writer(void)
{
    kith_writer_close(w.writer); /* what is pending is dropped */
    w.writer = NULL;
    for (unsigned i = 0; i < N_IDS; i++) {
        if (w.has_changed[i]) {
            w.pending[i] = w.records[i];
            w.has_changed[i] = false;
        }
    }
}

static void put(unsigned i)
{
    static char json[MAX_SAMPLE_JSON];
    kith_error error;
    oracle_record *record = &w.pending[i];
    bool is_new = !record->is_there;
    if (is_new || below(&w.chances, 10) < 6) {
        record->text = below(&w.chances, 100) == 0
                           ? below(&w.chances, N_LONG)
                           : N_LONG + below(&w.chances, N_TEXTS - N_LONG);
    }
    if (is_new || below(&w.chances, 10) < 8) {
        draw_sample(&w.chances, &record->fields);
    }
    const pool_text *text = &texts[record->text];
    record->is_there = true;
    set_record_field(&record->fields, 9, source_of(i));
    set_record_field(&record->fields, 10, text->title);
    set_record_field(&record->fields, 11, w.ids[i]);
    print_sample(json, &record->fields);
    const kith_input input = { .id = text_of(w.ids[i]), .text = text_of(text->text),
                               .title = text_of(text->title), .metadata = text_of(json),
                               .source = text_of(source_of(i)) };
    assert_ok(kith_writer_add(writer_of(), &input, &error));
    w.has_changed[i] = true;
}

static void forget(unsigned i)
{
    kith_error error;
    assert_status(w.pending[i].is_there ? KITH_OK : KITH_NOT_FOUND,
                  kith_writer_delete(writer_of(), text_of(w.ids[i]), &error));
    w.pending[i].is_there = false;
    w.has_changed[i] = true;
}

static void commit(void)
{
    kith_error error;
    assert_ok(kith_writer_commit(writer_of(), &error));
    for (unsigned i = 0; i < N_IDS; i++) {
        if (w.has_changed[i]) {
            w.records[i] = w.pending[i];
            w.has_changed[i] = false;
        }
    }
}

/* ------------------------------------------------------------------ searching */

typedef struct question {
    kith_query query;
    const float *scores; /* of all passages */
    unsigned like;       /* id, or N_IDS */
    char filter_text[MAX_FILTER_TEXT];
    test_filter filter;
    kith_search_opts opts;
} question;

static question q;
static float expected[N_IDS * 64];

static int higher_first(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return x > y ? -1 : x < y;
}

static bool is_match(unsigned i)
{
    return w.records[i].is_there && i != q.like &&
           (q.opts.where == NULL || filter_takes(&q.filter, 0, &w.records[i].fields));
}

/* What must be found, highest first; *n of all that match. */
static size_t expect(size_t *n)
{
    size_t n_found = 0;
    *n = 0;
    for (unsigned i = 0; i < N_IDS; i++) {
        if (!is_match(i)) {
            continue;
        }
        const pool_text *text = &texts[w.records[i].text];
        float best = -INFINITY;
        for (unsigned p = text->first; p < text->first + text->n_passages; p++) {
            best = q.scores[p] > best ? q.scores[p] : best;
            if (q.opts.passages) {
                expected[n_found++] = q.scores[p];
            }
        }
        if (!q.opts.passages) {
            expected[n_found++] = best;
        }
    }
    *n = n_found;
    qsort(expected, n_found, sizeof(*expected), higher_first);
    n_found = n_found < q.opts.k ? n_found : q.opts.k;
    while (n_found > 0 && (double)expected[n_found - 1] < q.opts.min_score) {
        n_found--;
    }
    return n_found;
}

static void draw_question(void)
{
    static const uint32_t ks[] = { 1, 1, 2, 5, 10, 10, 10, 50, 300, 6000 };
    chance *c = &w.chances;
    unsigned i = below(c, N_QUERIES);
    q.opts = (kith_search_opts)KITH_SEARCH_OPTS_INIT;
    q.query = (kith_query){ .vector = queries[i] };
    q.scores = scores[i];
    q.like = N_IDS;
    if (below(c, 4) == 0) {
        q.query = (kith_query){ .text = text_of(query_texts[i]) };
    }
    unsigned like = below(c, N_IDS);
    if (below(c, 5) == 0 && w.records[like].is_there) {
        q.query = (kith_query){ .like = text_of(w.ids[like]) };
        q.scores = like_scores[w.records[like].text];
        q.like = like;
    }
    q.opts.k = ks[below(c, 10)];
    q.opts.passages = below(c, 6) == 0;
    q.opts.min_score = below(c, 8) == 0 ? below(c, 1000) / 1000.0 : -2.0;
    q.opts.ann = (kith_use_ann)below(c, 3);
    q.opts.nprobe = below(c, 4) == 0 ? 1 + below(c, 8) : 0;
    q.opts.min_recall = below(c, 3) == 0 ? 0.0 : 0.9;
    if (below(c, 8) > 0) {
        draw_filter(c, &q.filter);
        *print_node(q.filter_text, &q.filter, 0) = '\0';
        q.opts.where = q.filter_text;
    }
}

static unsigned id_number(const kith_record *record)
{
    unsigned i = N_IDS;
    assert_int_equal(sscanf(record->id.data, "r%u", &i), 1);
    assert_true(i < N_IDS);
    return i;
}

static void check_hit(const kith_hit *hit, bool *seen)
{
    static char json[MAX_SAMPLE_JSON];
    const kith_record *record = hit->record;
    unsigned i = id_number(record);
    const pool_text *text = &texts[w.records[i].text];
    assert_true(is_match(i));
    assert_true(q.opts.passages || !seen[i]);
    seen[i] = true;
    assert_true(record->passage < text->n_passages);
    assert_int_equal(record->n_passages, text->n_passages);
    assert_true(hit->score == q.scores[text->first + record->passage]);
    assert_true((double)hit->score >= q.opts.min_score);
    print_sample(json, &w.records[i].fields);
    assert_true(is(record->metadata, json));
    assert_true(is(record->source, source_of(i)));
    assert_true(text->n_passages > 1 || is(record->text, text->text));
}

static void check_answer(const kith_answer *answer, size_t n_expected)
{
    static bool seen[N_IDS];
    memset(seen, 0, sizeof(seen));
    assert_true(answer->n_hits == n_expected ||
                (!answer->exact && q.opts.min_score > -1.0 &&
                 answer->n_hits < n_expected));
    for (size_t i = 0; i < answer->n_hits; i++) {
        check_hit(&answer->hits[i], seen);
        assert_true(i == 0 || answer->hits[i - 1].score >= answer->hits[i].score);
        assert_true(!answer->exact || answer->hits[i].score == expected[i]);
    }
    if (answer->exact) {
        assert_true(answer->recall == 1.0);
    } else {
        assert_true(q.opts.ann != KITH_USE_ANN_NEVER);
        assert_true(q.opts.where == NULL ? answer->recall <= 1.0 : answer->recall == -1.0);
        assert_true(q.opts.nprobe > 0 || answer->recall >= q.opts.min_recall ||
                    q.opts.min_recall == 0.0);
    }
}

static void search(void)
{
    kith_error error;
    kith_results *results;
    size_t n_matches;
    draw_question();
    size_t n_expected = expect(&n_matches);
    assert_ok(kith_search(w.collection, &q.query, 1, &q.opts, &results, &error));
    const kith_answer *answer = kith_results_at(results, 0);
    check_answer(answer, n_expected);
    w.n_searches++;
    w.n_filtered += q.opts.where != NULL;
    w.n_none += n_matches == 0;
    w.n_few += n_matches > 0 && n_matches < q.opts.k;
    w.n_approximate += !answer->exact;
    w.n_approximate_filtered += !answer->exact && q.opts.where != NULL;
    kith_results_free(results);
}

/* ------------------------------------------------------------------ the run */

static void build(void)
{
    kith_error error;
    bool built;
    kith_build_opts opts = KITH_BUILD_OPTS_INIT;
    opts.ann = KITH_ANN_ALWAYS;
    commit();
    assert_ok(kith_writer_build_index(w.writer, &opts, &built, &error));
    assert_true(built);
    w.n_builds++;
}

static void reopen(void)
{
    close_writer();
    kith_collection_close(w.collection);
    w.collection = open_collection(false);
}

static void operate(void)
{
    unsigned kind = below(&w.chances, 1000);
    unsigned i = below(&w.chances, N_IDS);
    if (kind < 380) {
        put(i);
    } else if (kind < 500) {
        forget(i);
    } else if (kind < 530) {
        commit();
    } else if (kind < 532) {
        reopen();
    } else if (kind < 533 && below(&w.chances, 4) == 0) {
        build();
    } else {
        search();
    }
}

static unsigned number_from(const char *variable, unsigned otherwise)
{
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0' ? (unsigned)strtoul(value, NULL, 10)
                                             : otherwise;
}

static void filtered_searches_agree_with_the_oracle(void **state)
{
    (void)state;
    const unsigned n_operations =
        number_from("KITH_PROPERTY_OPERATIONS", DEFAULT_OPERATIONS);
    const unsigned seed = number_from("KITH_PROPERTY_SEED", 1);
    w.chances = (chance){ seed };
    make_pool(&w.chances);
    w.collection = open_collection(true);
    for (unsigned i = 0; i < N_IDS; i++) {
        sprintf(w.ids[i], "r%u", i);
    }
    for (unsigned i = 0; i < n_operations; i++) {
        if (i < N_FIRST) {
            put(i);
        } else if (i == n_operations / 2 + N_FIRST / 2) {
            build();
        } else {
            operate();
        }
        if (i == N_FIRST) {
            commit();
        }
    }
    kith_collection_info info;
    kith_error error;
    assert_ok(kith_collection_get_info(w.collection, &info, &error));
    print_message("# seed %u: %u operations, %u searches, %u with a filter (%u without a "
                  "match, %u with fewer than k), %u approximate (%u with a filter), %u "
                  "builds, %llu rows, postings cover %llu\n",
                  seed, n_operations, w.n_searches, w.n_filtered, w.n_none, w.n_few,
                  w.n_approximate, w.n_approximate_filtered, w.n_builds,
                  (unsigned long long)info.n_rows,
                  (unsigned long long)info.fields_covers);
    assert_true(w.n_none > 0 && w.n_few > 0 && w.n_builds > 0);
    assert_true(w.n_approximate_filtered > 0 && w.n_approximate > w.n_approximate_filtered);
    assert_true(info.fields_covers > 0 && info.fields_problem[0] == '\0');
    close_writer();
    kith_collection_close(w.collection);
    free_pool();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(filtered_searches_agree_with_the_oracle, collection_fresh),
    };
    return cmocka_run_group_tests(tests, collection_set_up, collection_tear_down);
}
