/* The vocabulary: its block, and its import from the files of a model folder. */
#include "support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer.h"

enum { PAD, UNK, CLS, SEP, MASK };

static const char *const pieces[] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "ab", "##a", "##ab", "play",
    "##ing", "##s", "!", "\u00e9", "##\u00e9", "\u4e2d",
};
#define N_PIECES (sizeof(pieces) / sizeof(pieces[0]))

static const kenc_tokenizer_rules uncased = {
    1, 1, 1, 1, 100, CLS, SEP, UNK, PAD, MASK,
};

static kith_status pack(const char *const *spelled, uint32_t n, kbase_buffer *block,
                        kith_error *err)
{
    static const uint32_t literals[] = { PAD, UNK, CLS, SEP, MASK };
    kith_text spellings[64];
    assert_true(n <= 64);
    for (uint32_t i = 0; i < n; i++) {
        spellings[i] = (kith_text){ spelled[i], strlen(spelled[i]) };
    }
    return kenc_vocabulary_pack(spellings, n, literals, 5, block, err);
}

/* ---------------------------------------------------------------- the block */

static void finds_every_spelling(void **state)
{
    (void)state;
    kith_error error;
    kbase_buffer block = KBASE_BUFFER_INIT;
    kenc_vocabulary vocabulary;
    assert_ok(pack(pieces, N_PIECES, &block, &error));
    assert_ok(kenc_vocabulary_view(block.data, block.n_bytes, &vocabulary, &error));
    for (uint32_t i = 0; i < N_PIECES; i++) {
        const size_t n = strlen(pieces[i]);
        assert_int_equal(kenc_vocabulary_find(&vocabulary, pieces[i], n), i);
    }
    assert_int_equal(kenc_vocabulary_find(&vocabulary, "pla", 3), KENC_NO_ID);
    assert_int_equal(kenc_vocabulary_find(&vocabulary, "", 0), KENC_NO_ID);

    size_t n = 0;
    assert_int_equal(kenc_vocabulary_longest(&vocabulary, "abs", 3, false, &n), 7);
    assert_int_equal(n, 2);
    assert_int_equal(kenc_vocabulary_longest(&vocabulary, "abs", 3, true, &n), 9);
    assert_int_equal(kenc_vocabulary_longest(&vocabulary, "as", 2, true, &n), 8);
    assert_int_equal(n, 1);
    assert_int_equal(kenc_vocabulary_longest(&vocabulary, "play", 4, true, &n),
                     KENC_NO_ID);
    assert_int_equal(kenc_vocabulary_literal(&vocabulary, "[SEP] a", 7), SEP);
    assert_int_equal(kenc_vocabulary_literal(&vocabulary, "[SEP", 4), KENC_NO_ID);
    kbase_buffer_free(&block);
}

static void check_pack_fails(const char *const *spelled, uint32_t n,
                             const char *message)
{
    kbase_buffer block = KBASE_BUFFER_INIT;
    kith_error error;
    assert_status(KITH_INVALID, pack(spelled, n, &block, &error));
    assert_string_equal(error.message, message);
    assert_int_equal(block.n_bytes, 0);
    kbase_buffer_free(&block);
}

static void packing_checks_spellings(void **state)
{
    (void)state;
    char longest[KENC_MAX_TOKEN_BYTES + 2];
    memset(longest, 'x', sizeof(longest));
    longest[KENC_MAX_TOKEN_BYTES + 1] = '\0';
    const char *spelled[] = { "a", "b", "c", "d", "e", "f", "a" };
    check_pack_fails(spelled, 7, "vocabulary entries 0 and 6 are both spelled \"a\"");
    check_pack_fails(spelled, 4, "special token 4 is not in the vocabulary of 4");
    check_pack_fails(spelled, 0,
                     "the vocabulary has 0 entries: 1 to 1000000 are accepted");
    spelled[6] = "";
    check_pack_fails(spelled, 7,
                     "vocabulary entry 6 has 0 bytes: 1 to 256 are accepted");
    spelled[6] = longest;
    check_pack_fails(spelled, 7,
                     "vocabulary entry 6 has 257 bytes: 1 to 256 are accepted");
    spelled[6] = "\xed\xa0\x80";
    check_pack_fails(spelled, 7, "vocabulary entry 6 is not UTF-8");
    longest[KENC_MAX_TOKEN_BYTES] = '\0';
    spelled[6] = longest;
    kith_error error;
    kbase_buffer block = KBASE_BUFFER_INIT;
    assert_ok(pack(spelled, 7, &block, &error));
    kbase_buffer_free(&block);
}

/* A block of n_slots empty slots, two spellings "a" and "b", and one literal, with one
 * of its numbers, `word` (-1: none), and its last byte replaced. */
static kith_status view_block(uint32_t n_slots, int word, uint32_t value, char byte,
                              kith_error *err)
{
    const uint32_t head[] = { 2, n_slots, 1, 2 };
    const uint32_t tail[] = { 0, 1, 2, 1 };
    const size_t n_table = n_slots + n_slots / 2;
    const size_t n_bytes = (4 + n_table + 4) * sizeof(uint32_t) + 2;
    uint32_t *block = calloc(1, n_bytes);
    assert_non_null(block);
    memcpy(block, head, sizeof(head));
    memcpy(block + 4 + n_table, tail, sizeof(tail));
    memcpy((char *)block + n_bytes - 2, (char[]){ 'a', byte }, 2);
    if (word >= 0) {
        block[word] = value;
    }
    kenc_vocabulary vocabulary;
    kith_status status = kenc_vocabulary_view(block, n_bytes, &vocabulary, err);
    free(block);
    return status;
}

static void opening_checks_every_number(void **state)
{
    (void)state;
    kith_error error;
    enum { SLOTS = 4, OFFSETS = 4 + 4 + 2, LITERAL = OFFSETS + 3 };
    static const struct {
        uint32_t n_slots;
        int word;
        uint32_t value;
        char byte;
    } cases[] = {
        { 4, 0, 0, 'b' },                   /* no spellings */
        { 4, 0, 3, 'b' },                   /* more than there are */
        { 4, 0, UINT32_MAX, 'b' },
        { 2, -1, 0, 'b' },                  /* no slot stays empty */
        { 6, -1, 0, 'b' },                  /* not a power of two */
        { 4, 1, 8, 'b' },
        { 4, 2, 2, 'b' },
        { 4, 3, 3, 'b' },
        { 4, SLOTS, 3, 'b' },               /* id + 1 of a third spelling */
        { 4, SLOTS, UINT32_C(1) << 20, 'b' }, /* a hash without an id */
        { 4, OFFSETS, 1, 'b' },
        { 4, OFFSETS + 1, 0, 'b' },         /* an empty spelling */
        { 4, OFFSETS + 1, 3, 'b' },
        { 4, OFFSETS + 1, UINT32_MAX, 'b' },
        { 4, OFFSETS + 2, 3, 'b' },
        { 4, LITERAL, 2, 'b' },
        { 4, -1, 0, '\x80' },               /* begins inside a character */
    };
    assert_ok(view_block(4, -1, 0, 'b', &error));
    assert_ok(view_block(4, SLOTS, 2, 'b', &error));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_status(KITH_CORRUPT, view_block(cases[i].n_slots, cases[i].word,
                                               cases[i].value, cases[i].byte, &error));
    }
}

/* Without an empty slot, or with few, looking something up would take too long. */
static void full_tables_are_refused(void **state)
{
    (void)state;
    kith_error error;
    kenc_vocabulary vocabulary;
    kbase_buffer block = KBASE_BUFFER_INIT;
    assert_ok(pack(pieces, N_PIECES, &block, &error));
    uint32_t *words = (uint32_t *)(void *)block.data;
    for (uint32_t i = 0; i < words[1]; i++) {
        words[4 + i] = 1;
    }
    assert_status(KITH_CORRUPT, kenc_vocabulary_view(block.data, block.n_bytes,
                                                     &vocabulary, &error));
    kbase_buffer_free(&block);
}

/* Whatever the bytes, a block is refused or can be used. */
static void hostile_blocks_are_harmless(void **state)
{
    (void)state;
    static const char text[] = "Playing ab [CLS] \u00e9 \u4e2d a\u302e!";
    kith_error error;
    kbase_buffer block = KBASE_BUFFER_INIT;
    kenc_tokenizer tokenizer = { .rules = uncased };
    kenc_token_list list = { 0 };
    assert_ok(pack(pieces, N_PIECES, &block, &error));
    for (size_t n = 0; n < block.n_bytes; n++) {
        char *cut = malloc(n > 0 ? n : 1); /* so that ASan sees its end */
        assert_non_null(cut);
        memcpy(cut, block.data, n);
        assert_status(KITH_CORRUPT,
                      kenc_vocabulary_view(cut, n, &tokenizer.vocabulary, &error));
        free(cut);
    }
    size_t n_refused = 0;
    tokenizer.rules.strip_accents = 0;
    for (size_t at = 0; at < block.n_bytes * 8; at++) {
        const int bit = 1 << (at % 8);
        block.data[at / 8] = (char)(block.data[at / 8] ^ bit);
        if (kenc_vocabulary_view(block.data, block.n_bytes, &tokenizer.vocabulary,
                                 NULL) == KITH_OK) {
            assert_ok(kenc_tokenize(&tokenizer, text, sizeof(text) - 1, 8, &list,
                                    &error));
        } else {
            n_refused++;
        }
        block.data[at / 8] = (char)(block.data[at / 8] ^ bit);
    }
    print_message("# %zu of %zu altered blocks refused\n", n_refused,
                  block.n_bytes * 8);
    assert_true(n_refused > block.n_bytes);
    kenc_token_list_free(&list);
    kbase_buffer_free(&block);
}

/* ---------------------------------------------------------------- import */

#define NORMALIZER \
    "{\"type\": \"BertNormalizer\", \"clean_text\": true, " \
    "\"handle_chinese_chars\": true, \"strip_accents\": null, \"lowercase\": true}"
#define PRE_TOKENIZER "{\"type\": \"BertPreTokenizer\"}"
#define PROCESSOR \
    "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], \"cls\": [\"[CLS]\", 2]}"
#define VOCAB "{\"a\": 5, \"[PAD]\": 0, \"[UNK]\": 1, \"[CLS]\": 2, \"[SEP]\": 3, " \
              "\"[MASK]\": 4}"
#define MODEL_WITH(vocab) \
    "{\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", " \
    "\"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 100, " \
    "\"vocab\": " vocab "}"
#define ADDED "[{\"id\": 4, \"content\": \"[MASK]\", \"lstrip\": false}]"

/* A tokenizer.json with one of its parts (normalizer, ...) replaced, or removed. */
static char *json_with(const char *key, const char *part)
{
    json_t *root = json_pack("{s:o, s:o, s:o, s:o, s:o}",
                             "normalizer", json_loads(NORMALIZER, 0, NULL),
                             "pre_tokenizer", json_loads(PRE_TOKENIZER, 0, NULL),
                             "post_processor", json_loads(PROCESSOR, 0, NULL),
                             "model", json_loads(MODEL_WITH(VOCAB), 0, NULL),
                             "added_tokens", json_loads(ADDED, 0, NULL));
    assert_non_null(root);
    if (part != NULL) {
        json_t *replacement = json_loads(part, JSON_DECODE_ANY, NULL);
        assert_non_null(replacement);
        json_object_set_new(root, key, replacement);
    } else if (key != NULL) {
        json_object_del(root, key);
    }
    char *text = json_dumps(root, 0);
    json_decref(root);
    return text;
}

/* Imports and releases; the block of a success can be opened. */
static kith_status import(const char *json, const char *lines, const char *config,
                          kenc_tokenizer_rules *rules, kith_error *err)
{
    kith_error error;
    kenc_vocabulary vocabulary;
    kbase_buffer block = KBASE_BUFFER_INIT;
    kith_status status =
        kenc_tokenizer_import(json, lines, config, false, rules, &block, err);
    if (status == KITH_OK) {
        assert_ok(kenc_vocabulary_view(block.data, block.n_bytes, &vocabulary, &error));
    } else {
        assert_int_equal(block.n_bytes, 0);
    }
    kbase_buffer_free(&block);
    return status;
}

static void check_accepted(const char *key, const char *part,
                           const kenc_tokenizer_rules *wanted)
{
    kith_error error;
    kenc_tokenizer_rules rules;
    char *json = json_with(key, part);
    assert_ok(import(json, NULL, NULL, &rules, &error));
    assert_memory_equal(&rules, wanted, sizeof(rules));
    free(json);
}

static void check_refused(const char *key, const char *part, kith_status wanted,
                          const char *message)
{
    kith_error error;
    kenc_tokenizer_rules rules;
    char *json = json_with(key, part);
    assert_status(wanted, import(json, NULL, NULL, &rules, &error));
    assert_string_equal(error.message, message);
    free(json);
}

static void json_is_read(void **state)
{
    (void)state;
    check_accepted(NULL, NULL, &uncased);
    check_accepted("added_tokens", NULL, &uncased);
    kenc_tokenizer_rules rules = { 0, 1, 0, 0, 100, CLS, SEP, UNK, PAD, MASK };
    check_accepted("normalizer",
                   "{\"type\": \"BertNormalizer\", \"clean_text\": false, "
                   "\"handle_chinese_chars\": false, \"strip_accents\": true, "
                   "\"lowercase\": false}", &rules);
    rules = uncased;
    rules.max_word_characters = 20;
    check_accepted("model", "{\"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": "
                   "\"##\", \"max_input_chars_per_word\": 20, \"vocab\": " VOCAB "}",
                   &rules);
    rules = uncased;
    rules.cls = 5;
    check_accepted("post_processor",
                   "{\"type\": \"TemplateProcessing\", \"single\": ["
                   "{\"SpecialToken\": {\"id\": \"x\"}}, "
                   "{\"Sequence\": {\"id\": \"A\"}}, "
                   "{\"SpecialToken\": {\"id\": \"y\"}}], "
                   "\"special_tokens\": {\"x\": {\"ids\": [5]}, "
                   "\"y\": {\"ids\": [3]}}}", &rules);
}

static void json_of_others_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *part;
        const char *message; /* behind "tokenizer.json: " */
    } cases[] = {
        { "model", NULL, "the model is missing: kith knows WordPiece" },
        { "model", "{\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}",
          "the model is BPE: kith knows WordPiece" },
        { "model", "{\"type\": \"Unigram\", \"vocab\": []}",
          "the model is Unigram: kith knows WordPiece" },
        { "normalizer", "{\"type\": \"Sequence\", \"normalizers\": []}",
          "the normalizer is Sequence: kith knows BertNormalizer" },
        { "pre_tokenizer", "{\"type\": \"Metaspace\"}",
          "the pre_tokenizer is Metaspace: kith knows BertPreTokenizer" },
        { "post_processor", "{\"type\": \"RobertaProcessing\"}",
          "the post_processor is RobertaProcessing: kith knows TemplateProcessing and "
          "BertProcessing" },
        { "post_processor", "{\"type\": \"BertProcessing\", \"cls\": [\"x\", 6]}",
          "the post_processor does not put one token of the vocabulary before and one "
          "after a text" },
        { "added_tokens", "[{\"id\": 4, \"content\": \"[MASK]\", \"lstrip\": true}]",
          "the added token \"[MASK]\" is \"lstrip\", which kith does not know" },
        { "added_tokens", "[{\"id\": 6, \"content\": \"new\"}]",
          "the added token \"new\" is not in the vocabulary under its id" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char message[256];
        snprintf(message, sizeof(message), "tokenizer.json: %s", cases[i].message);
        check_refused(cases[i].key, cases[i].part, KITH_UNSUPPORTED, message);
    }
    check_refused("normalizer", "{\"type\": \"BertNormalizer\", \"lowercase\": 1}",
                  KITH_INVALID,
                  "tokenizer.json: \"lowercase\" is neither true nor false");
}

static void check_vocab(const char *vocab, const char *message)
{
    char model[1024];
    snprintf(model, sizeof(model), MODEL_WITH("%s"), vocab);
    check_refused("model", model, KITH_INVALID, message);
}

static void json_vocabulary_is_checked(void **state)
{
    (void)state;
    check_vocab("{\"[UNK]\": 0, \"a\": 2}",
                "tokenizer.json: the id of \"a\" is not one of 0 to 1");
    check_vocab("{\"[UNK]\": 0, \"a\": -1}",
                "tokenizer.json: the id of \"a\" is not one of 0 to 1");
    check_vocab("{\"[UNK]\": 0, \"a\": \"1\"}",
                "tokenizer.json: the id of \"a\" is not one of 0 to 1");
    check_vocab("{\"[UNK]\": 1, \"a\": 1}",
                "tokenizer.json: \"[UNK]\" and \"a\" have the same id");
    check_vocab("{\"a\": 0}", "tokenizer.json: the special token \"[UNK]\" is not in "
                "the vocabulary");
    check_vocab("[]", "tokenizer.json: the model has no \"vocab\" or no \"unk_token\"");
    kenc_tokenizer_rules rules;
    kith_error error;
    assert_status(KITH_INVALID,
                  import("{\"a\": 1, \"a\": 2}", NULL, NULL, &rules, &error));
    assert_status(KITH_INVALID, import("", NULL, NULL, &rules, &error));
    assert_status(KITH_UNSUPPORTED, import("[]", NULL, NULL, &rules, &error));
}

#define LINES "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"

static void lines_are_read(void **state)
{
    (void)state;
    kenc_tokenizer_rules rules;
    kith_error error;
    assert_ok(import(NULL, LINES "a\n", NULL, &rules, &error));
    assert_memory_equal(&rules, &uncased, sizeof(rules));
    assert_ok(import(NULL, "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\na",
                     "{\"do_lower_case\": false, \"cls_token\": {\"content\": \"a\"}, "
                     "\"tokenize_chinese_chars\": false}", &rules, &error));
    const kenc_tokenizer_rules cased = { 0, 0, 1, 0, 100, 5, SEP, UNK, PAD, MASK };
    assert_memory_equal(&rules, &cased, sizeof(rules));
    /* A length that was never set. */
    assert_ok(import(NULL, LINES "a\n",
                     "{\"model_max_length\": 1000000000000000019884624838656}", &rules,
                     &error));
    assert_memory_equal(&rules, &uncased, sizeof(rules));
}

static void other_lines_are_refused(void **state)
{
    (void)state;
    static const struct {
        kith_status status;
        const char *lines;
        const char *config;
        const char *message;
    } cases[] = {
        { KITH_INVALID, "", NULL,
          "vocab.txt: the special token \"[PAD]\" is not in the vocabulary" },
        { KITH_INVALID, "[PAD]\n[UNK]\n[SEP]\n[MASK]\n", NULL,
          "vocab.txt: the special token \"[CLS]\" is not in the vocabulary" },
        { KITH_INVALID, LINES "\na\n", NULL,
          "vocabulary entry 5 has 0 bytes: 1 to 256 are accepted" },
        { KITH_INVALID, LINES "[CLS]\n", NULL,
          "vocabulary entries 2 and 5 are both spelled \"[CLS]\"" },
        { KITH_UNSUPPORTED, LINES, "{\"tokenizer_class\": \"BertJapaneseTokenizer\"}",
          "tokenizer_config.json: the tokenizer_class is BertJapaneseTokenizer: kith "
          "knows BertTokenizer and its kin" },
        { KITH_UNSUPPORTED, LINES, "{\"never_split\": [\"a\"]}",
          "tokenizer_config.json: kith does not know \"do_basic_tokenize\": false and "
          "\"never_split\"" },
        { KITH_INVALID, LINES, "{\"do_lower_case\": 1}",
          "tokenizer_config.json: \"do_lower_case\" is neither true nor false" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kenc_tokenizer_rules rules;
        kith_error error;
        assert_status(cases[i].status, import(NULL, cases[i].lines, cases[i].config,
                                              &rules, &error));
        assert_string_equal(error.message, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_every_spelling),
        cmocka_unit_test(packing_checks_spellings),
        cmocka_unit_test(opening_checks_every_number),
        cmocka_unit_test(full_tables_are_refused),
        cmocka_unit_test(hostile_blocks_are_harmless),
        cmocka_unit_test(json_is_read),
        cmocka_unit_test(json_of_others_is_refused),
        cmocka_unit_test(json_vocabulary_is_checked),
        cmocka_unit_test(lines_are_read),
        cmocka_unit_test(other_lines_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
