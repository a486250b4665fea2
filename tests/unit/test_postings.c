/* Postings against the records that they were made from, and what damage does. */
#include "filter_fixture.h"

#include <unistd.h>

#include "checksum.h"
#include "postings.h"
#include "postings_format.h"

#define MAX_ROWS 3000

typedef struct corpus {
    uint64_t first;
    uint64_t n_rows;
    bool is_live[MAX_ROWS];
    sample samples[MAX_ROWS];
    char json[MAX_ROWS][MAX_SAMPLE_JSON];
    char ids[MAX_ROWS][16];
} corpus;

static corpus rows; /* too large for the stack */

static kith_text text_of(const char *s)
{
    return (kith_text){ s, strlen(s) };
}

static kfil_record record_of(const corpus *c, uint64_t i)
{
    return (kfil_record){ .id = text_of(c->ids[i]),
                          .source = text_of(i % 3 == 0 ? "/a/b" : i % 3 == 1 ? "/a" : ""),
                          .title = text_of(sample_string((unsigned)i % 14)),
                          .metadata = text_of(c->json[i]) };
}

static void draw_corpus(chance *chances, corpus *c, uint64_t first, uint64_t n_rows)
{
    c->first = first;
    c->n_rows = n_rows;
    for (uint64_t i = 0; i < n_rows; i++) {
        c->is_live[i] = below(chances, 10) > 0;
        draw_sample(chances, &c->samples[i]);
        sprintf(c->ids[i], "id-%u", (unsigned)i);
        const kfil_record record = record_of(c, i);
        set_record_field(&c->samples[i], 9, record.source.data);
        set_record_field(&c->samples[i], 10, record.title.data);
        set_record_field(&c->samples[i], 11, record.id.data);
        print_sample(c->json[i], &c->samples[i]);
    }
}

static kbase_buffer content_of(const corpus *c)
{
    kith_error error;
    kfil_builder *builder;
    kbase_buffer content = KBASE_BUFFER_INIT;
    assert_ok(kfil_builder_new(c->first, &builder, &error));
    for (uint64_t i = 0; i < c->n_rows; i++) {
        const kfil_record record = record_of(c, i);
        if (c->is_live[i]) {
            assert_ok(kfil_builder_add(builder, c->first + i, &record, &error));
        }
    }
    assert_ok(kfil_builder_finish(builder, c->first + c->n_rows, &content, &error));
    kfil_builder_free(builder);
    return content;
}

static bool has_bit(const uint64_t *bits, uint64_t i)
{
    return (bits[i / 64] >> (i % 64) & 1) != 0;
}

/* Filters over a corpus: postings and records say what the plain account says. */
static void check_filters(chance *chances, const corpus *c, kfil_postings *postings,
                          unsigned n_filters)
{
    static char text[MAX_FILTER_TEXT];
    const uint64_t end = c->first + c->n_rows;
    const size_t n_words = (size_t)(end + 63) / 64;
    uint64_t *bits = calloc(n_words + 1, sizeof(*bits));
    unsigned n_sufficed = 0;
    for (unsigned round = 0; round < n_filters; round++) {
        kith_error error;
        kfil_where *where;
        test_filter filter;
        draw_filter(chances, &filter);
        *print_node(text, &filter, 0) = '\0';
        assert_ok(kfil_where_parse(text, &where, &error));
        bool suffice = kfil_postings_suffice(where);
        memset(bits, 0, (n_words + 1) * sizeof(*bits));
        if (suffice) {
            n_sufficed++;
            assert_ok(kfil_postings_match(postings, where, bits, &error));
        }
        for (uint64_t i = 0; i < n_words * 64; i++) {
            if (i < c->first || i >= end) {
                assert_false(has_bit(bits, i));
            } else if (c->is_live[i - c->first]) {
                bool by_record;
                const kfil_record record = record_of(c, i - c->first);
                bool expected = filter_takes(&filter, 0, &c->samples[i - c->first]);
                assert_ok(kfil_where_matches(where, &record, &by_record, &error));
                if (by_record != expected || (suffice && has_bit(bits, i) != expected)) {
                    fail_msg("%s should be %d of %s", text, expected,
                             c->json[i - c->first]);
                }
            }
        }
        assert_int_equal(bits[n_words], 0);
        kfil_where_free(where);
    }
    assert_true(n_sufficed > n_filters / 2);
    free(bits);
}

static void postings_agree_with_records(void **state)
{
    (void)state;
    static const uint64_t sizes[][2] = { { 0, 1 },    { 0, 2 },     { 0, 63 },
                                         { 0, 64 },   { 0, 65 },    { 1, 1 },
                                         { 63, 2 },   { 64, 64 },   { 1000, 1300 },
                                         { 17, 130 }, { 0, MAX_ROWS } };
    chance chances = { 1 };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        kith_error error;
        kfil_postings *postings;
        draw_corpus(&chances, &rows, sizes[i][0], sizes[i][1]);
        kbase_buffer content = content_of(&rows);
        assert_ok(kfil_postings_take(&content, &postings, &error));
        assert_int_equal(kfil_postings_first(postings), rows.first);
        assert_int_equal(kfil_postings_end(postings), rows.first + rows.n_rows);
        check_filters(&chances, &rows, postings, rows.n_rows < 1000 ? 400 : 150);
        kfil_postings_close(postings);
    }
}

/* The same records, the same bytes. */
static void postings_are_reproducible(void **state)
{
    (void)state;
    chance chances = { 2 };
    draw_corpus(&chances, &rows, 0, 500);
    kbase_buffer first = content_of(&rows);
    kbase_buffer second = content_of(&rows);
    assert_int_equal(first.n_bytes, second.n_bytes);
    assert_memory_equal(first.data, second.data, first.n_bytes);
    kbase_buffer_free(&first);
    kbase_buffer_free(&second);
}

static void no_rows_and_no_fields(void **state)
{
    (void)state;
    kith_error error;
    kfil_builder *builder;
    kfil_postings *postings;
    kfil_where *where;
    for (uint64_t end = 5; end < 7; end++) {
        kbase_buffer content = KBASE_BUFFER_INIT;
        uint64_t bits = 0;
        assert_ok(kfil_builder_new(5, &builder, &error));
        assert_ok(kfil_builder_finish(builder, end, &content, &error));
        kfil_builder_free(builder);
        assert_ok(kfil_postings_take(&content, &postings, &error));
        assert_ok(kfil_where_parse("x != 1", &where, &error));
        assert_ok(kfil_postings_match(postings, where, &bits, &error));
        assert_int_equal(bits, end == 5 ? 0 : 1 << 5);
        kfil_where_free(where);
        kfil_postings_close(postings);
    }
}

/* ------------------------------------------------------------------ damage */

static const char *const questions[] = {
    "lang = \"en\"",      "lang >= \"de\"",  "year > 2005",        "tags IN (1, \"a\")",
    "EXISTS author.name", "$id = \"id-7\"",  "$id STARTS WITH 'id-1'",
    "flag = null",        "rare != 1",       "`odd. name` = true", "gone = 1",
};
#define N_QUESTIONS (sizeof(questions) / sizeof(questions[0]))
#define DAMAGE_ROWS 200
#define DAMAGE_WORDS ((DAMAGE_ROWS + 63) / 64)

/* The answers, or the status that one of them fails with. */
static kith_status answers_of(kfil_postings *postings,
                              uint64_t bits[N_QUESTIONS][DAMAGE_WORDS], bool good[])
{
    kith_error error;
    kith_status result = KITH_OK;
    for (size_t i = 0; i < N_QUESTIONS; i++) {
        kfil_where *where;
        assert_ok(kfil_where_parse(questions[i], &where, &error));
        memset(bits[i], 0, sizeof(bits[i]));
        kith_status status = kfil_postings_match(postings, where, bits[i], &error);
        good[i] = status == KITH_OK;
        assert_true(status == KITH_OK || status == KITH_CORRUPT);
        result = status == KITH_OK ? result : status;
        kfil_where_free(where);
    }
    return result;
}

/* Every byte of a file changed, and every length: it is refused when it is opened or when
 * a field is asked, and whatever is answered is right. */
static void no_damage_is_believed(void **state)
{
    (void)state;
    static uint64_t right[N_QUESTIONS][DAMAGE_WORDS];
    static uint64_t found[N_QUESTIONS][DAMAGE_WORDS];
    bool good[N_QUESTIONS];
    kith_error error;
    kfil_postings *postings;
    chance chances = { 3 };
    char *folder = make_temp_folder();
    char *path = format("%s/fields", folder);
    draw_corpus(&chances, &rows, 0, DAMAGE_ROWS);
    kbase_buffer content = content_of(&rows);
    const uint64_t checksum = kfil_content_checksum(&content);
    write_file(path, content.data, content.n_bytes);
    assert_ok(kfil_postings_open(path, checksum, &postings, &error));
    assert_ok(answers_of(postings, right, good));
    kfil_postings_close(postings);
    unsigned n_refused_late = 0;
    for (size_t at = 0; at < content.n_bytes; at++) {
        const char mask = (char)(1u << below(&chances, 8));
        content.data[at] ^= mask;
        kbase_buffer damaged = KBASE_BUFFER_INIT;
        assert_ok(kbase_buffer_append(&damaged, content.data, content.n_bytes, &error));
        kith_status status = kfil_postings_take(&damaged, &postings, &error);
        if (status == KITH_OK) {
            status = answers_of(postings, found, good);
            n_refused_late += status != KITH_OK;
            for (size_t i = 0; i < N_QUESTIONS; i++) {
                assert_true(!good[i] ||
                            memcmp(found[i], right[i], sizeof(right[i])) == 0);
                good[i] = good[i] || found[i][0] == 0; /* nothing of it is set */
                assert_true(good[i]);
            }
            kfil_postings_close(postings);
        } else {
            assert_true(status == KITH_CORRUPT || status == KITH_VERSION);
        }
        content.data[at] ^= mask;
    }
    assert_true(n_refused_late > content.n_bytes / 2);
    for (size_t n = 0; n < content.n_bytes; n += n < 200 ? 1 : 97) {
        write_file(path, content.data, n);
        assert_status(KITH_CORRUPT,
                      kfil_postings_open(path, checksum, &postings, &error));
    }
    write_file(path, content.data, content.n_bytes);
    assert_status(KITH_MISMATCH,
                  kfil_postings_open(path, checksum + 1, &postings, &error));
    unlink(path);
    assert_status(KITH_NOT_FOUND, kfil_postings_open(path, checksum, &postings, &error));
    kbase_buffer_free(&content);
    remove_tree(folder);
    free(path);
    free(folder);
}

/* Numbers that a checksum vouches for are checked all the same. The checksums are made
 * anew over random damage: an error or an answer, and no access outside of the bytes. */
static void crafted_postings_do_no_harm(void **state)
{
    (void)state;
    static uint64_t found[N_QUESTIONS][DAMAGE_WORDS];
    bool good[N_QUESTIONS];
    kith_error error;
    chance chances = { 4 };
    draw_corpus(&chances, &rows, 0, DAMAGE_ROWS);
    kbase_buffer content = content_of(&rows);
    unsigned n_opened = 0;
    for (unsigned round = 0; round < 20000; round++) {
        kfil_postings *postings;
        kbase_buffer crafted = KBASE_BUFFER_INIT;
        assert_ok(kbase_buffer_append(&crafted, content.data, content.n_bytes, &error));
        for (unsigned i = 0, n = 1 + below(&chances, 4); i < n; i++) {
            size_t at = below(&chances, (unsigned)content.n_bytes / 8) * 8;
            uint64_t number = below(&chances, 2) == 0 ? draw(&chances)
                                                      : below(&chances, 300);
            memcpy(crafted.data + at, &number, sizeof(number));
        }
        kfil_header header;
        kfil_entry entry;
        memcpy(&header, crafted.data, sizeof(header));
        for (uint64_t i = 0; i < header.n_fields && i < 50; i++) {
            char *at = crafted.data + sizeof(header) + i * sizeof(entry);
            memcpy(&entry, at, sizeof(entry));
            if (entry.at <= content.n_bytes &&
                entry.n_bytes <= content.n_bytes - entry.at) {
                entry.checksum =
                    kbase_hash64(crafted.data + entry.at, (size_t)entry.n_bytes);
                memcpy(at, &entry, sizeof(entry));
            }
        }
        uint64_t directory_bytes = header.n_fields * sizeof(entry) + header.key_bytes;
        if (directory_bytes <= content.n_bytes - sizeof(header)) {
            header.directory_checksum =
                kbase_hash64(crafted.data + sizeof(header), (size_t)directory_bytes);
        }
        header.checksum = kbase_hash64(&header, offsetof(kfil_header, checksum));
        memcpy(crafted.data, &header, sizeof(header));
        if (kfil_postings_take(&crafted, &postings, &error) == KITH_OK) {
            n_opened++;
            if (kfil_postings_end(postings) <= DAMAGE_ROWS) {
                answers_of(postings, found, good);
            }
            kfil_postings_close(postings);
        }
    }
    assert_true(n_opened > 5000);
    kbase_buffer_free(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(postings_agree_with_records),
        cmocka_unit_test(postings_are_reproducible),
        cmocka_unit_test(no_rows_and_no_fields),
        cmocka_unit_test(no_damage_is_believed),
        cmocka_unit_test(crafted_postings_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
