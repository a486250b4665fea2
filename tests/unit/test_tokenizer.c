/* The tokenizer: from bytes to ids, and where in the bytes they come from. */
#include "support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer.h"
#include "unicode.h"

/* ---------------------------------------------------------------- a small tokenizer */

enum { PAD, UNK, CLS, SEP, MASK };

static const char *const pieces[] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[CLS", "a", "b", "ab", "##a", "##b",
    "##ab", "play", "##ing", "##s", "i", "##i", "cafe", "caf", "##\u00e9", "x", "##x",
    "xxxxx", "!", "?", "[", "]", "=", "\u00e6", "ss", "\u00df", "\u03c3", "##\u03c3",
    "\u1112", "##\u1161", "##\u11ab", "\u4e2d", "\u6587", "\uff01", "\ufffd",
    "##\ufffd", "i\u0307", "I", "##\u302e\U0001d165", "##\U0001d165\u302e", "7",
    "a\u0301", "\U00020000",
};
#define N_PIECES (sizeof(pieces) / sizeof(pieces[0]))

static const kenc_tokenizer_rules uncased = {
    1, 1, 1, 1, 100, CLS, SEP, UNK, PAD, MASK,
};

typedef struct fixture {
    kenc_tokenizer tokenizer;
    kbase_buffer block;
    kenc_token_list list;
} fixture;

static void view(fixture *f)
{
    kith_error error;
    assert_ok(kenc_vocabulary_view(f->block.data, f->block.n_bytes,
                                   &f->tokenizer.vocabulary, &error));
}

static void use_literals(fixture *f, const uint32_t *literals, uint32_t n_literals)
{
    kith_error error;
    kith_text spellings[N_PIECES];
    for (size_t i = 0; i < N_PIECES; i++) {
        spellings[i] = (kith_text){ pieces[i], strlen(pieces[i]) };
    }
    kbase_buffer_clear(&f->block);
    assert_ok(kenc_vocabulary_pack(spellings, N_PIECES, literals, n_literals, &f->block,
                                   &error));
    view(f);
}

static int set_up(void **state)
{
    static const uint32_t literals[] = { PAD, UNK, CLS, SEP, MASK };
    fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->tokenizer.rules = uncased;
    use_literals(f, literals, 5);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    kenc_token_list_free(&f->list);
    kbase_buffer_free(&f->block);
    free(f);
    return 0;
}

static void tokenize(fixture *f, const char *text, size_t n_bytes, size_t max_tokens)
{
    kith_error error;
    assert_ok(kenc_tokenize(&f->tokenizer, text, n_bytes, max_tokens, &f->list,
                            &error));
}

/* The pieces of the last text with spaces between, without [CLS] and [SEP]. */
static const char *joined(const fixture *f)
{
    static char out[65536];
    size_t n = 0;
    assert_int_equal(f->list.ids[0], f->tokenizer.rules.cls);
    assert_int_equal(f->list.ids[f->list.n_tokens - 1], f->tokenizer.rules.sep);
    for (size_t i = 1; i + 1 < f->list.n_tokens; i++) {
        kith_text piece = kenc_vocabulary_spelling(&f->tokenizer.vocabulary,
                                                   f->list.ids[i]);
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%.*s", n > 0 ? " " : "",
                              (int)piece.n_bytes, piece.data);
    }
    out[n] = '\0';
    return out;
}

static void check_bytes(fixture *f, const char *text, size_t n_bytes,
                        const char *wanted)
{
    tokenize(f, text, n_bytes, 0);
    assert_string_equal(joined(f), wanted);
    assert_int_equal(f->list.n_dropped, 0);
}

static void check(fixture *f, const char *text, const char *wanted)
{
    check_bytes(f, text, strlen(text), wanted);
}

/* ---------------------------------------------------------------- words and pieces */

static void splits_and_matches(void **state)
{
    fixture *f = *state;
    check(f, "", "");
    check(f, " \t\r\n ", "");
    check(f, "a b", "a b");
    check(f, "Playing PLAYS", "play ##ing play ##s");
    check(f, "abab", "ab ##ab");
    check(f, "a!b?a", "a ! b ? a");
    check(f, "!!", "! !");
    check(f, "7a a7 7", "7 ##a [UNK] 7"); /* a digit is no boundary */
    check(f, "abz a", "[UNK] a"); /* no part of a word that does not match to its end */
    check(f, "zab", "[UNK]");
    check(f, "##a", "[UNK] [UNK] a");
}

static void words_have_a_limit(void **state)
{
    fixture *f = *state;
    char text[512];
    memset(text, 'x', sizeof(text));
    tokenize(f, text, 100, 0);
    assert_int_equal(f->list.n_tokens, 2 + 1 + 95);
    check_bytes(f, text, 101, "[UNK]");
    text[101] = ' ';
    text[102] = 'a';
    check_bytes(f, text, 103, "[UNK] a");
    /* Characters, not bytes; and also where the word is not all ASCII. */
    for (size_t i = 0; i < 101; i++) {
        memcpy(text + 2 * i, "\u03c3", 2);
    }
    tokenize(f, text, 200, 0);
    assert_int_equal(f->list.n_tokens, 2 + 100);
    check_bytes(f, text, 202, "[UNK]");
    f->tokenizer.rules.max_word_characters = 3;
    check(f, "xxx xxxx x\u03c3x x\u03c3xx a", "x ##x ##x [UNK] x ##\u03c3 ##x [UNK] a");
    check(f, "x\u0301x\u0301x\u0301", "x ##x ##x");
    f->tokenizer.rules.max_word_characters = 0;
    check(f, "a !", "[UNK] !");
    f->tokenizer.rules.max_word_characters = UINT32_MAX;
    tokenize(f, text, 202, 0);
    assert_int_equal(f->list.n_tokens, 2 + 101);
}

static void literals_are_found_in_raw_text(void **state)
{
    fixture *f = *state;
    check(f, "[CLS]", "[CLS]");
    check(f, "a[SEP]b", "a [SEP] b");
    check(f, "play[MASK]ing", "play [MASK] [UNK]");
    check(f, "[MASK][MASK]", "[MASK] [MASK]");
    check(f, "[cls]", "[ [UNK] ]");
    check(f, "[[CLS]]", "[ [CLS] ]");
    check(f, "[CLS", "[ [UNK]"); /* in the vocabulary, but no literal */
    check(f, "a[SEP]\u0301b", "a [SEP] b");

    /* The longest one wins. */
    static const uint32_t literals[] = { 5, CLS };
    use_literals(f, literals, 2);
    check(f, "[CLSa[CLS][SEP]", "[CLS a [CLS] [ [UNK] ]");
    static const uint32_t reversed[] = { CLS, 5 };
    use_literals(f, reversed, 2);
    check(f, "[CLSa[CLS][SEP]", "[CLS a [CLS] [ [UNK] ]");
}

/* ---------------------------------------------------------------- characters */

static void normalises(void **state)
{
    fixture *f = *state;
    check(f, "Caf\u00e9 CAFE\u0301", "cafe cafe");
    check(f, "\u00c6", "\u00e6");
    check(f, "\u1e9e \u00df", "\u00df \u00df"); /* not "ss" */
    check(f, "\u03a3\u03a3", "\u03c3 ##\u03c3"); /* no final sigma */
    check(f, "\u0130", "i");
    check(f, "\ud55c", "\u1112 ##\u1161 ##\u11ab"); /* Hangul becomes jamo */
    check(f, "a\u4e2d\u6587b", "a \u4e2d \u6587 b");
    check(f, "\U00020000\U0002b820", "\U00020000 [UNK]");
    check(f, "a\uff01b", "a \uff01 b");
    check(f, "\u2260", "="); /* decomposes to punctuation and an accent */
    check(f, "a\u3000b\u2028a\u00a0b", "a b a b");
    check(f, "a\u200bb a\u00ad\ue000b \ufeff", "ab ab");
    check(f, "a\x0b" "b\x0c" "a\xc2\x85" "b", "ab ##ab"); /* VT, FF, NEL join */
    check(f, "a\ufffdb", "ab");
    check_bytes(f, "a\0b", 3, "ab");
}

static void rules_can_be_switched_off(void **state)
{
    fixture *f = *state;
    f->tokenizer.rules.strip_accents = 0;
    check(f, "CAF\u00c9", "caf ##\u00e9");
    check(f, "\u0130", "i\u0307");
    check(f, "A\u0301", "a\u0301");
    check(f, "\ud55c", "[UNK]"); /* no NFD either */
    f->tokenizer.rules.lowercase = 0;
    check(f, "I i A \u03a3", "I i [UNK] [UNK]");
    check(f, "caf\u00e9", "caf ##\u00e9");
    f->tokenizer.rules.space_cjk = 0;
    check(f, "\u4e2d \u4e2d\u6587", "\u4e2d [UNK]");
    f->tokenizer.rules.clean_text = 0;
    check(f, "a\u200bb", "[UNK]");
    check(f, "a\x0b" "b", "a b"); /* VT is white space when it is not removed */
    check_bytes(f, "a\0b", 3, "[UNK]");
    check(f, "\xff", "\ufffd");
    check(f, "\xe4\xb8" "b", "\ufffd ##b");
    check(f, "\xe4\xb8\xff", "\ufffd ##\ufffd");
}

static void marks_get_canonical_order(void **state)
{
    fixture *f = *state;
    /* Kept marks of class 224 and 216. U+034F, class 0, goes but stops them. */
    check(f, "x\U0001d165\u302e", "x ##\U0001d165\u302e");
    check(f, "x\u302e\U0001d165", "x ##\U0001d165\u302e");
    check(f, "x\u302e\u0301\U0001d165", "x ##\U0001d165\u302e");
    check(f, "x\u302e\u034f\U0001d165", "x ##\u302e\U0001d165");
    check(f, "x\u302e\u200b\U0001d165", "x ##\U0001d165\u302e");
    f->tokenizer.rules.strip_accents = 0;
    check(f, "x\u302e\U0001d165", "x ##\u302e\U0001d165");
}

static void invalid_utf8_is_decoded_by_maximal_parts(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        uint32_t code_point;
        size_t n_bytes;
    } cases[] = {
        { "A", 'A', 1 },
        { "\xc3\xa9", 0xe9, 2 },
        { "\xf4\x8f\xbf\xbf", 0x10ffff, 4 },
        { "\xef\xbf\xbd", KENC_REPLACEMENT, 3 },
        { "\x80", KENC_REPLACEMENT, 1 },
        { "\xc0\xaf", KENC_REPLACEMENT, 1 },         /* overlong */
        { "\xe0\x9f\xbf", KENC_REPLACEMENT, 1 },     /* overlong */
        { "\xed\xa0\x80", KENC_REPLACEMENT, 1 },     /* surrogate */
        { "\xf0\x8f\xbf\xbf", KENC_REPLACEMENT, 1 }, /* overlong */
        { "\xf4\x90\x80\x80", KENC_REPLACEMENT, 1 }, /* above U+10FFFF */
        { "\xf8\x88\x80\x80", KENC_REPLACEMENT, 1 },
        { "\xc3", KENC_REPLACEMENT, 1 },
        { "\xc3(", KENC_REPLACEMENT, 1 },
        { "\xe2\x82(", KENC_REPLACEMENT, 2 },
        { "\xf0\x9f\x98", KENC_REPLACEMENT, 3 },
        { "\xf0\x9f\x98(", KENC_REPLACEMENT, 3 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t code_point;
        size_t n = kenc_decode(cases[i].bytes, strlen(cases[i].bytes), &code_point);
        assert_int_equal(n, cases[i].n_bytes);
        assert_int_equal(code_point, cases[i].code_point);
    }
}

static void categories_are_those_of_unicode_8(void **state)
{
    (void)state;
    static const struct {
        uint32_t code_point;
        kenc_class class;
    } cases[] = {
        { 'a', KENC_LETTER },         { '$', KENC_PUNCTUATION },
        { 0x7f, KENC_REMOVED },       { 0x85, KENC_REMOVED_SPACE },
        { 0xa0, KENC_SPACE },         { 0xa7, KENC_PUNCTUATION },
        { 0x300, KENC_ACCENT },       { 0x903, KENC_LETTER },
        { 0x166d, KENC_PUNCTUATION }, { 0x1734, KENC_ACCENT },
        { 0x1885, KENC_LETTER },      { 0x180e, KENC_REMOVED },
        { 0xa9bd, KENC_LETTER },      { 0x111c9, KENC_PUNCTUATION },
        { 0x08d3, KENC_LETTER },      { 0x2e52, KENC_LETTER }, /* marks and dashes of */
        { 0x1133b, KENC_LETTER },     { 0x1f600, KENC_LETTER }, /* later years */
        { 0x2b91f, KENC_LETTER },     { 0x2b920, KENC_IDEOGRAPH },
        { 0xffff, KENC_LETTER },      { 0x10000, KENC_LETTER },
        { 0xf0000, KENC_REMOVED },    { 0xffffe, KENC_LETTER },
        { 0x10fffd, KENC_REMOVED },   { 0x10ffff, KENC_LETTER },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("# U+%04X\n", cases[i].code_point);
        assert_int_equal(kenc_class_of(cases[i].code_point), cases[i].class);
    }
}

/* ---------------------------------------------------------------- the list */

static void truncates_and_counts(void **state)
{
    fixture *f = *state;
    static const char text[] = "plays a b abab zz [MASK] !";
    tokenize(f, text, strlen(text), 0);
    const size_t full = f->list.n_tokens;
    uint32_t ids[32];
    assert_true(full <= 32);
    memcpy(ids, f->list.ids, full * sizeof(*ids));
    for (size_t max = 1; max < full + 2; max++) {
        tokenize(f, text, strlen(text), max);
        const size_t n = max < full ? max : full;
        assert_int_equal(f->list.n_tokens, n);
        assert_int_equal(f->list.n_dropped, full - n);
        assert_memory_equal(f->list.ids, ids, (n - 1) * sizeof(*ids));
        assert_int_equal(f->list.ids[n - 1], SEP);
    }
    /* A word that turns out to be unknown takes back the pieces that were dropped. */
    tokenize(f, "abababz a", 9, 3);
    assert_int_equal(f->list.ids[1], UNK);
    assert_int_equal(f->list.n_dropped, 1);
    tokenize(f, "a abababz", 9, 3);
    assert_int_equal(f->list.n_dropped, 1);
}

static void check_sources(fixture *f, const char *text, const char *wanted)
{
    char out[512];
    size_t n = 0;
    tokenize(f, text, strlen(text), 0);
    for (size_t i = 0; i < f->list.n_tokens; i++) {
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%zu-%zu", n > 0 ? " " : "",
                              (size_t)f->list.first[i], (size_t)f->list.last[i]);
    }
    assert_string_equal(out, wanted);
}

static void sources_are_in_the_original(void **state)
{
    fixture *f = *state;
    check_sources(f, "", "0-0 0-0");
    check_sources(f, " plays !", "0-0 1-5 5-6 7-8 8-8");
    check_sources(f, "a[SEP]b", "0-0 0-1 1-6 6-7 7-7");
    check_sources(f, "\u00e1b\u03a3", "0-0 0-3 3-5 5-5");
    check_sources(f, "x\u0301x", "0-0 0-3 3-4 4-4"); /* the accent is its letter's */
    check_sources(f, "\u0301x \u0301", "0-0 2-3 6-6");
    check_sources(f, "x\u200bx", "0-0 0-1 4-5 5-5");
    check_sources(f, "\ud55c", "0-0 0-3 0-3 0-3 3-3");
    check_sources(f, "a\u4e2db", "0-0 0-1 1-4 4-5 5-5");
    check_sources(f, "\u2260", "0-0 0-3 3-3");
    check_sources(f, " zz\u0301 a", "0-0 1-5 6-7 7-7");
    check_sources(f, "x\u302e\U0001d165", "0-0 0-1 1-8 8-8");
    f->tokenizer.rules.max_word_characters = 2;
    check_sources(f, " xxxx\u0301 a", "0-0 1-7 8-9 9-9");
}

/* Anything but linear time does not end here. */
static void hostile_input_ends(void **state)
{
    fixture *f = *state;
    static const char *const units[] = {
        "x", "\u0301", "\u302e", "[", "[CLS", "\xff", "\xe2", "!", "ab", "\ud55c", " ",
        "\U0001d165\u302e", "\xf0\x9f", "\u034f",
    };
    const size_t n_bytes = (size_t)4 << 20;
    char *text = calloc(n_bytes, 1);
    assert_non_null(text);
    tokenize(f, text, n_bytes, 16);
    assert_int_equal(f->list.n_tokens, 2);
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        const size_t n = strlen(units[u]);
        for (size_t i = 0; i < n_bytes; i++) {
            text[i] = units[u][i % n];
        }
        tokenize(f, text, n_bytes, 16);
        assert_true(f->list.n_tokens <= 16);
    }
    /* One letter and marks in descending class: each has to go before all others. */
    for (size_t i = 0; i + 4 <= n_bytes; i += 4) {
        memcpy(text + i, i < n_bytes / 2 ? "\u302ex" : "\U0001d165", 4);
    }
    tokenize(f, text, n_bytes, 16);
    f->tokenizer.rules.max_word_characters = UINT32_MAX;
    tokenize(f, text, n_bytes, 16);
    assert_true(f->list.n_tokens <= 16);
    free(text);
}

/* ---------------------------------------------------------------- the reference */

/* Every line of tiny-texts.jsonl, which was cut at 32 tokens. */
static void check_golden(fixture *f, const char *lines)
{
    size_t n_lines = 0;
    for (const char *line = lines; *line != '\0'; line += strcspn(line, "\n") + 1) {
        json_t *root = json_loads(line, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL);
        const json_t *text = json_object_get(root, "t");
        const json_t *ids = json_object_get(root, "ids");
        assert_non_null(root);
        tokenize(f, json_string_value(text), json_string_length(text), 32);
        assert_int_equal(f->list.n_tokens + f->list.n_dropped,
                         json_integer_value(json_object_get(root, "full")));
        assert_int_equal(f->list.n_tokens, json_array_size(ids));
        for (size_t i = 0; i < f->list.n_tokens; i++) {
            assert_int_equal(f->list.ids[i],
                             json_integer_value(json_array_get(ids, i)));
        }
        json_decref(root);
        n_lines++;
    }
    assert_int_equal(n_lines, 40);
}

static void tiny_model_has_the_ids_of_the_reference(void **state)
{
    fixture *f = *state;
    kith_error error;
    char *json = read_file("tests/golden/tiny-model/tokenizer.json", NULL);
    char *vocabulary = read_file("tests/golden/tiny-model/vocab.txt", NULL);
    char *config = read_file("tests/golden/tiny-model/tokenizer_config.json", NULL);
    char *lines = read_file("tests/golden/tiny-texts.jsonl", NULL);
    const char *const sources[] = { json, NULL };
    for (size_t i = 0; i < 2; i++) {
        kbase_buffer_clear(&f->block);
        assert_ok(kenc_tokenizer_import(sources[i], vocabulary, config, false,
                                        &f->tokenizer.rules, &f->block, &error));
        view(f);
        check_golden(f, lines);
    }
    free(json);
    free(vocabulary);
    free(config);
    free(lines);
}

static void expect_words(fixture *f, const char *text, size_t max_tokens,
                         const kenc_word *words, const char *const *spellings, size_t n)
{
    kenc_words found = { 0 };
    f->list.words = &found;
    tokenize(f, text, strlen(text), max_tokens);
    assert_int_equal(found.n_words, n);
    for (size_t i = 0; i < n; i++) {
        const kenc_word *word = &found.words[i];
        assert_int_equal(word->token, words[i].token);
        assert_int_equal(word->n_tokens, words[i].n_tokens);
        assert_int_equal(word->first, words[i].first);
        assert_int_equal(word->last, words[i].last);
        assert_int_equal(word->n_bytes, strlen(spellings[i]));
        assert_memory_equal(found.spellings.data + word->spelling, spellings[i],
                            word->n_bytes);
    }
    f->list.words = NULL;
    kenc_words_free(&found);
}

/* Whole, normalised, with their pieces: also what is unknown, literal, or cut. */
static void words_are_told(void **state)
{
    static const kenc_word words[] = {
        { 1, 2, 0, 7, 0, 0 },   { 3, 1, 7, 8, 0, 0 },   { 4, 1, 9, 14, 0, 0 },
        { 5, 1, 15, 18, 0, 0 }, { 6, 1, 18, 23, 0, 0 },
    };
    static const char *const spellings[] = { "playing", "!", "cafe", "zzz", "[SEP]" };
    static const kenc_word ideographs[] = { { 1, 1, 0, 3, 0, 0 }, { 2, 1, 3, 6, 0, 0 } };
    static const char *const spelt[] = { "\u4e2d", "\u6587" };
    static const kenc_word long_one[] = { { 1, 1, 0, 101, 0, 0 } };
    static const char *const nothing[] = { "" };
    char text[102] = { 0 };
    for (size_t max_tokens = 0; max_tokens < 10; max_tokens += 3) {
        expect_words(*state, "Playing! Caf\u00e9 zzz[SEP] ", max_tokens, words, spellings,
                     5);
    }
    expect_words(*state, "\u4e2d\u6587", 0, ideographs, spelt, 2);
    expect_words(*state, " \t", 0, NULL, NULL, 0);
    memset(text, 'a', 101);
    expect_words(*state, text, 0, long_one, nothing, 1);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(splits_and_matches),
        WITH_FIXTURE(words_have_a_limit),
        WITH_FIXTURE(literals_are_found_in_raw_text),
        WITH_FIXTURE(normalises),
        WITH_FIXTURE(rules_can_be_switched_off),
        WITH_FIXTURE(marks_get_canonical_order),
        cmocka_unit_test(invalid_utf8_is_decoded_by_maximal_parts),
        cmocka_unit_test(categories_are_those_of_unicode_8),
        WITH_FIXTURE(truncates_and_counts),
        WITH_FIXTURE(sources_are_in_the_original),
        WITH_FIXTURE(words_are_told),
        WITH_FIXTURE(hostile_input_ends),
        WITH_FIXTURE(tiny_model_has_the_ids_of_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
