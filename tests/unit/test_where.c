/* The language of filters: what is accepted, what it means, what is said of mistakes. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "where.h"

static kith_text text_of(const char *s)
{
    return (kith_text){ s, strlen(s) };
}

/* ------------------------------------------------------------------ meaning */

static const char *const metadata =
    "{\"lang\": \"en\", \"year\": 2020, \"price\": 9.5, \"zero\": -0.0, \"good\": true,"
    " \"bad\": false, \"none\": null, \"empty\": \"\", \"tags\": [\"a\", \"b\", 7],"
    " \"nothing\": [], \"author\": {\"name\": \"Eve\", \"born\": 1970},"
    " \"a.b\": 1, \"odd name\": 2, \"in\": 3, \"\": 4, \"gr\\u00f6\\u00dfe\": 5,"
    " \"editors\": [{\"name\": \"Ann\"}, {\"name\": \"Bob\", \"born\": 1980}],"
    " \"nested\": [[1, [2]], {\"x\": [3]}], \"nul\": \"a\\u0000b\", \"kebab-case\": 6,"
    " \"big\": 1e300, \"not_valid\": \"\\ud83d\\ude00\"}";

typedef struct meaning {
    const char *filter;
    bool is_true;
} meaning;

static const meaning meanings[] = {
    { "lang = \"en\"", true },
    { "lang = 'en'", true },
    { "lang = \"EN\"", false },
    { "lang = \"e\"", false },
    { "lang != \"en\"", false },
    { "lang != \"de\"", true },
    { "lang < \"eo\"", true },
    { "lang < \"en\"", false },
    { "lang <= \"en\"", true },
    { "lang > \"e\"", true },
    { "lang >= \"en\"", true },
    { "lang >= \"en \"", false },
    { "year = 2020", true },
    { "year = 2020.0", true },
    { "year = 2.02e3", true },
    { "year > 2019.5 AND year < 2020.5", true },
    { "year >= 2021", false },
    { "year <= 2020", true },
    { "price = 9.5", true },
    { "price > -1", true },
    { "zero = 0", true },
    { "zero = -0", true },
    { "zero < 0", false },
    { "big > 1e299", true },
    /* Types do not mix. */
    { "year = \"2020\"", false },
    { "year != \"2020\"", true },
    { "year > \"\"", false },
    { "year < \"3\"", false },
    { "lang > 0", false },
    { "good = 1", false },
    { "none = 0", false },
    { "empty = null", false },
    { "good = true", true },
    { "good = TRUE", true },
    { "good = false", false },
    { "bad = false", true },
    { "bad != true", true },
    { "none = null", true },
    { "none != null", false },
    { "empty = \"\"", true },
    /* What is not there. */
    { "absent = 1", false },
    { "absent = null", false },
    { "absent != 1", true },
    { "NOT absent = 1", true },
    { "absent < 1", false },
    { "NOT absent < 1", true },
    { "absent >= 1", false },
    { "absent IN (1, null)", false },
    { "absent NOT IN (1)", true },
    { "absent STARTS WITH \"\"", false },
    { "absent NOT STARTS WITH \"\"", true },
    { "EXISTS absent", false },
    { "NOT EXISTS absent", true },
    { "EXISTS none", true },
    { "EXISTS nothing", true },
    { "EXISTS author", true },
    { "EXISTS author.name", true },
    { "EXISTS author.age", false },
    { "EXISTS lang.name", false },
    /* Arrays and objects. */
    { "tags = \"a\"", true },
    { "tags = 7", true },
    { "tags != \"a\"", false },
    { "tags != \"c\"", true },
    { "tags > \"a\"", true },
    { "tags > \"b\"", false },
    { "tags IN (\"x\", \"b\")", true },
    { "tags STARTS WITH \"b\"", true },
    { "nothing = 1", false },
    { "nothing != 1", true },
    { "author = \"Eve\"", false },
    { "author != \"Eve\"", true },
    { "author.name = \"Eve\"", true },
    { "author.born < 1980", true },
    { "author.name.x = 1", false },
    { "editors.name = \"Bob\"", true },
    { "editors.name = \"Eve\"", false },
    { "editors.born = 1980", true },
    { "EXISTS editors.born", true },
    { "EXISTS editors.died", false },
    { "nested = 1", true },
    { "nested = 2", true },
    { "nested = 3", false },
    { "nested.x = 3", true },
    /* Names. */
    { "`a.b` = 1", true },
    { "a.b = 1", false },
    { "`odd name` = 2", true },
    { "`in` = 3", true },
    { "`` = 4", true },
    { "gr\xc3\xb6\xc3\x9f" "e = 5", true },
    { "kebab-case = 6", true },
    { "`author`.`name` = \"Eve\"", true },
    { "author.`name` = \"Eve\"", true },
    { "Lang = \"en\"", false },
    { "starts = 1 OR with = 1 OR lang = 'en'", true },
    { "nul STARTS WITH \"a\"", true },
    { "nul = \"a\"", false },
    { "not_valid = \"\xf0\x9f\x98\x80\"", true },
    /* The record's own fields. */
    { "$id = \"the id\"", true },
    { "$id STARTS WITH 'the'", true },
    { "$source = \"/a/b.txt\"", true },
    { "$source STARTS WITH \"/a/\"", true },
    { "$title = \"\"", false },
    { "EXISTS $title", false },
    { "EXISTS $id", true },
    { "`$id` = \"the id\"", false },
    /* Lists and beginnings. */
    { "lang IN (\"en\")", true },
    { "lang in (\"de\", 'fr', \"en\", \"en\")", true },
    { "lang NOT IN (\"de\", \"fr\")", true },
    { "year IN (1, \"x\", null, true, 2020)", true },
    { "year NOT IN (2020)", false },
    { "lang STARTS WITH \"e\"", true },
    { "lang starts with \"\"", true },
    { "lang STARTS WITH \"en\"", true },
    { "lang STARTS WITH \"enx\"", false },
    { "lang NOT STARTS WITH \"d\"", true },
    { "year STARTS WITH \"2\"", false },
    /* Joins: NOT before AND before OR. */
    { "lang = 'en' AND year = 2020", true },
    { "lang = 'en' AND year = 1", false },
    { "lang = 'de' OR year = 2020", true },
    { "lang = 'de' AND year = 1 OR good = true", true },
    { "good = true OR lang = 'de' AND year = 1", true },
    { "(good = true OR lang = 'de') AND year = 1", false },
    { "NOT lang = 'de' AND year = 2020", true },
    { "NOT (lang = 'de' OR year = 2020)", false },
    { "NOT NOT lang = 'en'", true },
    { "not not not lang = 'en'", false },
    { "((((lang = 'en'))))", true },
    { "lang='en'AND\n\tyear>=2020", true },
    { "NOT lang != 'en'", true },
    { "lang = \"e\\\"\\'\\\\n\"", false },
};

static bool matches(const char *filter, const kfil_record *record)
{
    kith_error error;
    kfil_where *where;
    bool result = false;
    assert_ok(kfil_where_parse(filter, &where, &error));
    assert_ok(kfil_where_matches(where, record, &result, &error));
    kfil_where_free(where);
    return result;
}

static void filters_mean_what_is_written(void **state)
{
    (void)state;
    const kfil_record record = { .id = text_of("the id"),
                                 .source = text_of("/a/b.txt"),
                                 .metadata = text_of(metadata) };
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (matches(meanings[i].filter, &record) != meanings[i].is_true) {
            fail_msg("%s should be %s", meanings[i].filter,
                     meanings[i].is_true ? "true" : "false");
        }
    }
}

static void escapes_stand_for_quotes(void **state)
{
    (void)state;
    const kfil_record record = { .metadata =
                                     text_of("{\"q\": \"say \\\"it's\\\" \\\\ \"}") };
    assert_true(matches("q = \"say \\\"it's\\\" \\\\ \"", &record));
    assert_true(matches("q = 'say \"it\\'s\" \\\\ '", &record));
}

static void metadata_that_is_no_object_has_no_fields(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "", "{", "{\"a\": 1", "[{\"a\": 1}]", "1", "{\"a\": 1} {\"a\": 1}",
        "{\"a\": 1e999}", "{\"a\": \"\xff\"}", "{a: 1}",
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        const kfil_record record = { .id = text_of("x"), .metadata = text_of(broken[i]) };
        assert_false(matches("EXISTS a", &record));
        assert_true(matches("a != 1", &record));
        assert_true(matches("$id = 'x'", &record));
    }
}

/* ------------------------------------------------------------------ mistakes */

typedef struct mistake {
    const char *filter;
    unsigned column;
    const char *says;
} mistake;

static const mistake mistakes[] = {
    { "", 1, "a field" },
    { "   ", 4, "a field" },
    { "lang", 5, "=, !=" },
    { "lang =", 7, "a value" },
    { "lang = en", 8, "a value, such as \"en\", 2020, true or null, is needed, not en" },
    { "lang == \"en\"", 7, "a value" },
    { "lang ! \"en\"", 6, "\"!\" has no meaning" },
    { "lang <> \"en\"", 7, "needed, not >" },
    { "lang = \"en", 8, "never closed" },
    { "lang = 'e\\n'", 10, "backslash" },
    { "lang = 'e\\", 10, "backslash" },
    { "`lang = 1", 1, "never closed" },
    { "lang = \"en\" year = 1", 13, "AND, OR or the end is needed, not year" },
    { "lang = \"en\" AND", 16, "a field" },
    { "lang = \"en\" AND AND year = 1", 17, "a field" },
    { "AND lang = 1", 1, "a field" },
    { "(lang = 1", 10, "AND, OR or )" },
    { "lang = 1)", 9, "AND, OR or the end" },
    { "()", 2, "a field" },
    { "lang IN 1", 9, "(" },
    { "lang IN ()", 10, "a value" },
    { "lang IN (1,)", 12, "a value" },
    { "lang IN (1", 11, ", or )" },
    { "lang IN (1 2)", 12, ", or )" },
    { "lang NOT = 1", 10, "IN or STARTS WITH" },
    { "lang LIKE 'a%'", 6, "STARTS WITH" },
    { "lang STARTS 'a'", 13, "WITH" },
    { "lang STARTS WITH 1", 18, "a string" },
    { "good < true", 8, "a number or a string" },
    { "good >= null", 9, "a number or a string" },
    { "EXISTS", 7, "a field" },
    { "EXISTS 1", 8, "a field" },
    { "EXISTS (a)", 8, "a field" },
    { "year = 20x", 8, "no number" },
    { "year = 1.", 8, "no number" },
    { "year = .5", 8, "\".\" has no meaning" },
    { "year = -", 8, "no number" },
    { "year = +1", 8, "\"+\" has no meaning" },
    { "year = 007", 8, "no number" },
    { "year = 1e999", 8, "no number" },
    { "1 = year", 1, "a field" },
    { "\"lang\" = 1", 1, "a field" },
    { "a. = 1", 3, "a name" },
    { "a..b = 1", 3, "a name" },
    { ".a = 1", 1, "\".\" has no meaning" },
    { "$name = 1", 1, "$id, $source and $title" },
    { "$ = 1", 1, "$id, $source and $title" },
    { "lang = \"\xc3\xa4\xc3\xb6\" x", 13, "not x" },
    { "a = 1 AND \x01", 11, "byte 0x01" },
    { "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q = 1", 33, "at most 16" },
};

static void mistakes_are_told_where_they_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        kith_error error;
        kfil_where *where;
        assert_status(KITH_INVALID, kfil_where_parse(mistakes[i].filter, &where, &error));
        char *column = format("column %u: ", mistakes[i].column);
        if (strstr(error.message, column) == NULL ||
            strstr(error.message, mistakes[i].says) == NULL) {
            fail_msg("%s: %s", mistakes[i].filter, error.message);
        }
        free(column);
    }
}

static char *repeated(const char *start, const char *middle, size_t n, const char *end)
{
    size_t length = strlen(middle);
    char *text = calloc(strlen(start) + n * length + strlen(end) + 1, 1);
    char *to = stpcpy(text, start);
    for (size_t i = 0; i < n; i++, to += length) {
        memcpy(to, middle, length);
    }
    strcpy(to, end);
    return text;
}

static void lengths_have_bounds(void **state)
{
    (void)state;
    kith_error error;
    kfil_where *where;
    const kfil_record record = { .metadata = text_of("{\"a\": 1}") };
    char *deep = repeated("", "(", 64, "a = 1");
    char *closed = repeated(deep, ")", 64, "");
    assert_true(matches(closed, &record));
    char *deeper = repeated("(", closed, 1, ")");
    assert_status(KITH_INVALID, kfil_where_parse(deeper, &where, &error));
    assert_non_null(strstr(error.message, "column 65: more than 64"));
    char *names = repeated("a", ".a", 15, " = 1");
    assert_false(matches(names, &record));

    /* Long ones are quick, and need no deep stack. */
    char *many = repeated("a = 0", " OR a = 0", 7000, " OR a = 1");
    assert_true(matches(many, &record));
    char *nots = repeated("", "NOT ", 16000, "a = 1");
    assert_true(matches(nots, &record));
    char *list = repeated("a IN (0", ", 0", 20000, ", 1)");
    assert_true(matches(list, &record));
    char *too_long = repeated("a = 1", " ", 65532, "");
    assert_status(KITH_INVALID, kfil_where_parse(too_long, &where, &error));
    too_long[65536] = '\0';
    assert_true(matches(too_long, &record));
    char *const texts[] = { deep, closed, deeper, names, many, nots, list, too_long };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        free(texts[i]);
    }
}

/* ------------------------------------------------------------------ anything at all */

/* Bytes and words of the language in any order: an answer, or an error of one line. */
static void any_bytes_get_an_answer(void **state)
{
    (void)state;
    static const char *const words[] = {
        "lang", "year", "`a.b`", "author.name", "$id", "$", ".", "`", "\"", "'", "\\",
        "\"en\"", "'", "2020", "-1.5e3", "(", ")", ",", "=", "!=", "<", "<=", ">", ">=",
        "AND", "or", "Not", "IN", "EXISTS", "STARTS", "WITH", "true", "false", "null",
        " ", " ", " ", "\xc3\xa4", "\xff", "1e", "in(1,2)",
    };
    const kfil_record record = { .id = text_of("x"), .metadata = text_of(metadata) };
    unsigned n_valid = 0;
    srand(7);
    for (unsigned round = 0; round < 200000; round++) {
        kith_error error = { KITH_OK, 0, "" };
        kfil_where *where;
        char text[256];
        size_t n = 0;
        for (unsigned i = 0, n_words = (unsigned)rand() % 12; i <= n_words; i++) {
            const char *word = words[(size_t)rand() % (sizeof(words) / sizeof(words[0]))];
            if (rand() % 20 == 0) {
                text[n++] = (char)(rand() % 255 + 1);
            } else {
                n += (size_t)sprintf(text + n, "%s%s", word, rand() % 4 == 0 ? "" : " ");
            }
        }
        text[n] = '\0';
        char *exact = strdup(text); /* so that a byte too far is noticed */
        bool result;
        kith_status status = kfil_where_parse(exact, &where, &error);
        assert_true(status == KITH_OK || status == KITH_INVALID);
        if (status == KITH_OK) {
            n_valid++;
            assert_ok(kfil_where_matches(where, &record, &result, &error));
            kfil_where_free(where);
        } else {
            assert_null(strchr(error.message, '\n'));
        }
        free(exact);
    }
    assert_true(n_valid > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_mean_what_is_written),
        cmocka_unit_test(escapes_stand_for_quotes),
        cmocka_unit_test(metadata_that_is_no_object_has_no_fields),
        cmocka_unit_test(mistakes_are_told_where_they_are),
        cmocka_unit_test(lengths_have_bounds),
        cmocka_unit_test(any_bytes_get_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
