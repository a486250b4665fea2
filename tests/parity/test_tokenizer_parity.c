/* The tokenizer against what the reference library gave: every code point, and many
 * texts. The data is not part of the project; where it is absent a test is skipped. */
#include "support.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer.h"

#define MAX_SHOWN 5 /* differences */

#define CODE_POINTS "golden/minilm-l6/codepoints.tsv.xz"
#define TEXTS "golden/minilm-l6/tokenizer-ids.jsonl.xz"
#define TRUNCATED_TEXTS "golden/minilm-l6/truncated.jsonl"
#define ASSETS "tokenizer/all-MiniLM-L6-v2-assets"
#define OTHER_ASSETS "tokenizer/all-MiniLM-L6-v2-hf-files" /* of an earlier export */

typedef struct fixture {
    kenc_tokenizer tokenizer;
    kbase_buffer block;
    kenc_token_list list;
    size_t n_compared;
    size_t n_different;
} fixture;

/* ---------------------------------------------------------------- the data */

/* The path of a file of ../shared/data. Free it. */
static char *data_path(const char *name)
{
    char *path = shared_data_path(name);
    if (path == NULL) {
        skip_because("../shared/data/%s is absent: NOT TESTED", name);
    }
    return path;
}

/* Skip the test before it holds anything. */
static void need(const char *name)
{
    free(data_path(name));
}

static char *read_data(const char *name)
{
    char *path = data_path(name);
    char *content = read_file(path, NULL);
    free(path);
    return content;
}

/* The lines of a file, unpacked when its name ends in .xz. Close with pclose(). */
static FILE *open_lines(const char *name)
{
    const char *end = strrchr(name, '.');
    char *path = data_path(name);
    char *command = format("%s '%s'", strcmp(end, ".xz") == 0 ? "xz -dc" : "cat", path);
    FILE *lines = popen(command, "r");
    assert_non_null(lines);
    free(command);
    free(path);
    return lines;
}

static void open_tokenizer(fixture *f)
{
    kith_error error;
    *f = (fixture){ .block = KBASE_BUFFER_INIT };
    char *json = read_data(ASSETS "/tokenizer.json");
    assert_ok(kenc_tokenizer_import(json, NULL, NULL, false, &f->tokenizer.rules,
                                    &f->block, &error));
    free(json);
    assert_ok(kenc_vocabulary_view(f->block.data, f->block.n_bytes,
                                   &f->tokenizer.vocabulary, &error));
}

static void close_tokenizer(fixture *f)
{
    kbase_buffer_free(&f->block);
    kenc_token_list_free(&f->list);
}

/* ---------------------------------------------------------------- comparing */

static void print_ids(const char *name, const uint32_t *ids, size_t n)
{
    print_message("#   %s:", name);
    for (size_t i = 0; i < n && i < 24; i++) {
        print_message(" %u", ids[i]);
    }
    print_message(n > 24 ? " ... (%zu)\n" : "\n", n);
}

static void compare(fixture *f, const char *label, const uint32_t *ids, size_t n_ids,
                    const uint32_t *wanted, size_t n_wanted)
{
    f->n_compared++;
    if (n_ids == n_wanted && memcmp(ids, wanted, n_ids * sizeof(*ids)) == 0) {
        return;
    }
    if (f->n_different++ < MAX_SHOWN) {
        print_message("# %s\n", label);
        print_ids("ids", ids, n_ids);
        print_ids("wanted", wanted, n_wanted);
    }
}

static void tokenize(fixture *f, const char *text, size_t n_bytes, size_t max_tokens)
{
    kith_error error;
    assert_ok(kenc_tokenize(&f->tokenizer, text, n_bytes, max_tokens, &f->list,
                            &error));
}

/* The source of a piece is where it says: in order, and where it is all printable
 * ASCII, its letters are the piece's. */
static bool source_is_plausible(const fixture *f, const char *text, size_t n_bytes)
{
    const kenc_token_list *list = &f->list;
    for (size_t i = 0; i < list->n_tokens; i++) {
        uint64_t first = list->first[i];
        uint64_t last = list->last[i];
        if (first > last || last > n_bytes || (i > 0 && first < list->first[i - 1])) {
            return false;
        }
        kith_text piece =
            kenc_vocabulary_spelling(&f->tokenizer.vocabulary, list->ids[i]);
        bool is_ascii = first < last && list->ids[i] != f->tokenizer.rules.unk;
        for (uint64_t at = first; at < last; at++) {
            is_ascii = is_ascii && isgraph((unsigned char)text[at]);
        }
        if (!is_ascii) {
            continue;
        }
        size_t skipped = piece.n_bytes > 2 && memcmp(piece.data, "##", 2) == 0 ? 2 : 0;
        if (piece.n_bytes - skipped != last - first ||
            strncasecmp(piece.data + skipped, text + first, last - first) != 0) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- the tests */

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) {
        out[i] = (char)(0x80 | (c & 0x3f));
    }
    out[0] = (char)(n == 2 ? 0xc0 | c : n == 3 ? 0xe0 | c : 0xf0 | c);
    return n;
}

static void every_code_point(void **state)
{
    (void)state;
    fixture f;
    need(CODE_POINTS);
    open_tokenizer(&f);
    FILE *lines = open_lines(CODE_POINTS);
    char line[256];
    while (fgets(line, sizeof(line), lines) != NULL) {
        if (line[0] == '#') {
            continue;
        }
        char *at;
        uint32_t wanted[16];
        size_t n_wanted = 0;
        uint32_t first = (uint32_t)strtoul(line, &at, 16);
        uint32_t last = (uint32_t)strtoul(at, &at, 16);
        for (char *end; n_wanted < 16; at = end) {
            wanted[n_wanted] = (uint32_t)strtoul(at, &end, 10);
            if (end == at) {
                break;
            }
            n_wanted++;
        }
        for (uint32_t c = first; c <= last; c++) {
            char text[8] = "a";
            char label[16];
            size_t n = 1 + put_utf8(text + 1, c);
            text[n++] = 'b';
            snprintf(label, sizeof(label), "U+%04X", c);
            tokenize(&f, text, n, 0);
            compare(&f, label, f.list.ids + 1, f.list.n_tokens - 2, wanted, n_wanted);
        }
    }
    assert_int_equal(pclose(lines), 0);
    print_message("# %zu code points, %zu differ\n", f.n_compared, f.n_different);
    assert_int_equal(f.n_compared, 0x110000 - 1 - 0x800);
    assert_int_equal(f.n_different, 0);
    close_tokenizer(&f);
}

/* Compares every line of a JSONL file; `full`, the untruncated length, may be there. */
static void compare_lines(fixture *f, const char *name, size_t max_tokens)
{
    FILE *lines = open_lines(name);
    char *line = NULL;
    size_t capacity = 0;
    uint32_t *wanted = NULL;
    size_t n_implausible = 0;
    while (getline(&line, &capacity, lines) > 0) {
        json_t *root = json_loads(line, JSON_ALLOW_NUL, NULL);
        assert_non_null(root);
        const json_t *text = json_object_get(root, "t");
        const json_t *ids = json_object_get(root, "ids");
        const json_t *full = json_object_get(root, "full");
        wanted = kbase_realloc(wanted, json_array_size(ids), sizeof(*wanted));
        assert_non_null(wanted);
        for (size_t i = 0; i < json_array_size(ids); i++) {
            wanted[i] = (uint32_t)json_integer_value(json_array_get(ids, i));
        }
        tokenize(f, json_string_value(text), json_string_length(text), max_tokens);
        compare(f, line, f->list.ids, f->list.n_tokens, wanted, json_array_size(ids));
        if (full != NULL) {
            assert_int_equal(f->list.n_tokens + f->list.n_dropped,
                             json_integer_value(full));
        } else {
            assert_int_equal(f->list.n_dropped, 0);
        }
        n_implausible += !source_is_plausible(f, json_string_value(text),
                                              json_string_length(text));
        json_decref(root);
    }
    free(wanted);
    free(line);
    assert_int_equal(pclose(lines), 0);
    print_message("# %zu texts, %zu differ\n", f->n_compared, f->n_different);
    assert_int_equal(f->n_different, 0);
    assert_int_equal(n_implausible, 0);
}

static void every_text(void **state)
{
    (void)state;
    fixture f;
    need(TEXTS);
    open_tokenizer(&f);
    compare_lines(&f, TEXTS, 0);
    assert_int_equal(f.n_compared, 88927);
    close_tokenizer(&f);
}

static void truncated_texts(void **state)
{
    (void)state;
    fixture f;
    need(TRUNCATED_TEXTS);
    open_tokenizer(&f);
    compare_lines(&f, TRUNCATED_TEXTS, 256);
    assert_int_equal(f.n_compared, 50);
    close_tokenizer(&f);
}

/* All ways to say what the tokenizer is give the same one. */
static void same_from_every_file(void **state)
{
    (void)state;
    fixture f;
    need(OTHER_ASSETS "/tokenizer.json");
    open_tokenizer(&f);
    char *vocab_txt = read_data(ASSETS "/vocab.txt");
    char *config = read_data(ASSETS "/tokenizer_config.json");
    char *json = read_data(OTHER_ASSETS "/tokenizer.json");
    const char *const sources[] = { json, NULL };
    for (size_t i = 0; i < 2; i++) {
        kith_error error;
        kenc_tokenizer_rules rules;
        kbase_buffer block = KBASE_BUFFER_INIT;
        assert_ok(kenc_tokenizer_import(sources[i], vocab_txt, config, false, &rules,
                                        &block, &error));
        assert_memory_equal(&rules, &f.tokenizer.rules, sizeof(rules));
        assert_int_equal(block.n_bytes, f.block.n_bytes);
        assert_memory_equal(block.data, f.block.data, block.n_bytes);
        kbase_buffer_free(&block);
    }
    free(vocab_txt);
    free(config);
    free(json);
    close_tokenizer(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(every_text),
        cmocka_unit_test(truncated_texts),
        cmocka_unit_test(same_from_every_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
