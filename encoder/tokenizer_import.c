#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "tokenizer.h"

#define MAX_FILE_BYTES ((size_t)16 << 20)

/* What both kinds of files are read into. Spellings point into the file's content. */
typedef struct entries {
    const char *file; /* its name, for messages */
    kith_text *spellings;
    uint32_t n_tokens;
    uint32_t *literals;
    uint32_t n_literals;
} entries;

static void entries_free(entries *in)
{
    free(in->spellings);
    free(in->literals);
}

static kith_status check_size(const char *file, const char *content, kith_error *err)
{
    size_t n_bytes = strlen(content);
    if (n_bytes > MAX_FILE_BYTES) {
        return kbase_fail(err, KITH_INVALID, "%s has %zu bytes: at most %zu are "
                          "accepted", file, n_bytes, MAX_FILE_BYTES);
    }
    return KITH_OK;
}

static kith_status parse(const char *file, const char *content, size_t flags,
                         json_t **root, kith_error *err)
{
    kith_status status = check_size(file, content, err);
    if (status != KITH_OK) {
        return status;
    }
    json_error_t problem;
    *root = json_loads(content, JSON_REJECT_DUPLICATES | flags, &problem);
    if (*root == NULL) {
        return kbase_fail(err, KITH_INVALID, "%s, line %d: %s", file, problem.line,
                          problem.text);
    }
    return KITH_OK;
}

static kith_status reserve(entries *in, size_t n_tokens, size_t n_literals,
                           kith_error *err)
{
    if (n_tokens > KENC_MAX_VOCABULARY) {
        return kbase_fail(err, KITH_INVALID, "%s has %zu vocabulary entries: at most "
                          "%d are accepted", in->file, n_tokens, KENC_MAX_VOCABULARY);
    }
    in->n_tokens = (uint32_t)n_tokens;
    in->spellings = kbase_calloc(n_tokens, sizeof(*in->spellings));
    in->literals = kbase_calloc(n_literals, sizeof(*in->literals));
    if (in->spellings == NULL || in->literals == NULL) {
        return kbase_fail_memory(err, n_tokens * sizeof(*in->spellings));
    }
    return KITH_OK;
}

static bool is_spelled(kith_text spelling, const char *text)
{
    return spelling.n_bytes == strlen(text) &&
           memcmp(spelling.data, text, spelling.n_bytes) == 0;
}

/* The id of a special token, which must be there. */
static kith_status find_special(const entries *in, const char *text, uint32_t *id,
                                kith_error *err)
{
    for (*id = 0; *id < in->n_tokens; (*id)++) {
        if (is_spelled(in->spellings[*id], text)) {
            return KITH_OK;
        }
    }
    return kbase_fail(err, KITH_INVALID, "%s: the special token \"%s\" is not in the "
                      "vocabulary", in->file, text);
}

/* true, false or, when it is not there, `missing`. */
static kith_status get_flag(const char *file, const json_t *object, const char *key,
                            uint32_t missing, uint32_t *out, kith_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value)) {
        *out = missing;
        return KITH_OK;
    }
    if (!json_is_boolean(value)) {
        return kbase_fail(err, KITH_INVALID, "%s: \"%s\" is neither true nor false",
                          file, key);
    }
    *out = json_is_true(value) ? 1 : 0;
    return KITH_OK;
}

/* ---------------------------------------------------------------- tokenizer.json */

static const char json_name[] = "tokenizer.json";

static kith_status refuse(kith_error *err, const char *what, const char *found,
                          const char *known)
{
    return kbase_fail(err, KITH_UNSUPPORTED, "%s: the %s is %s: kith knows %s",
                      json_name, what, found != NULL ? found : "missing", known);
}

/* root[key] is an object of this type. */
static kith_status check_type(const json_t *root, const char *key, const char *type,
                              kith_error *err)
{
    const json_t *object = json_object_get(root, key);
    const char *found = json_string_value(json_object_get(object, "type"));
    return found != NULL && strcmp(found, type) == 0 ? KITH_OK
                                                     : refuse(err, key, found, type);
}

static kith_status read_normalizer(const json_t *root, kenc_tokenizer_rules *rules,
                                   kith_error *err)
{
    const json_t *normalizer = json_object_get(root, "normalizer");
    kith_status status = check_type(root, "normalizer", "BertNormalizer", err);
    const struct {
        const char *key;
        uint32_t *flag;
    } flags[] = {
        { "lowercase", &rules->lowercase },
        { "clean_text", &rules->clean_text },
        { "handle_chinese_chars", &rules->space_cjk },
    };
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]) && status == KITH_OK; i++) {
        status = get_flag(json_name, normalizer, flags[i].key, 1, flags[i].flag, err);
    }
    if (status == KITH_OK) {
        status = get_flag(json_name, normalizer, "strip_accents", rules->lowercase,
                          &rules->strip_accents, err);
    }
    return status;
}

static kith_status read_spellings(const json_t *vocabulary, entries *in,
                                  kith_error *err)
{
    const char *spelling;
    const json_t *value;
    json_object_foreach((json_t *)vocabulary, spelling, value) {
        json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || id >= in->n_tokens) {
            return kbase_fail(err, KITH_INVALID, "%s: the id of \"%.64s\" is not one "
                              "of 0 to %" PRIu32, in->file, spelling, in->n_tokens - 1);
        }
        if (in->spellings[id].data != NULL) {
            return kbase_fail(err, KITH_INVALID, "%s: \"%.64s\" and \"%.64s\" have the "
                              "same id", in->file, in->spellings[id].data, spelling);
        }
        in->spellings[id] = (kith_text){ spelling, strlen(spelling) };
    }
    return KITH_OK;
}

static kith_status read_model(const json_t *root, kenc_tokenizer_rules *rules,
                              entries *in, kith_error *err)
{
    const json_t *model = json_object_get(root, "model");
    const json_t *vocabulary = json_object_get(model, "vocab");
    const json_t *longest = json_object_get(model, "max_input_chars_per_word");
    const json_t *added = json_object_get(root, "added_tokens");
    const char *prefix =
        json_string_value(json_object_get(model, "continuing_subword_prefix"));
    const char *unknown = json_string_value(json_object_get(model, "unk_token"));

    /* Early files do not name the type; no other model has a longest word. */
    kith_status status = KITH_OK;
    if (json_object_get(model, "type") != NULL || longest == NULL) {
        status = check_type(root, "model", "WordPiece", err);
    }
    if (status != KITH_OK) {
        return status;
    }
    if (prefix == NULL || strcmp(prefix, "##") != 0) {
        return refuse(err, "continuing_subword_prefix", prefix, "##");
    }
    json_int_t n_characters = json_integer_value(longest);
    if (n_characters < 1 || n_characters > KENC_MAX_WORD_CHARACTERS) {
        return kbase_fail(err, KITH_UNSUPPORTED, "%s: \"max_input_chars_per_word\" is "
                          "not one of 1 to %d", in->file, KENC_MAX_WORD_CHARACTERS);
    }
    rules->max_word_characters = (uint32_t)n_characters;
    if (!json_is_object(vocabulary) || unknown == NULL) {
        return kbase_fail(err, KITH_INVALID, "%s: the model has no \"vocab\" or no "
                          "\"unk_token\"", in->file);
    }
    status = reserve(in, json_object_size(vocabulary), json_array_size(added), err);
    if (status == KITH_OK) {
        status = read_spellings(vocabulary, in, err);
    }
    return status == KITH_OK ? find_special(in, unknown, &rules->unk, err) : status;
}

/* added_tokens: literals of the raw text, which are in the vocabulary too. */
static kith_status read_literals(const json_t *root, entries *in, kith_error *err)
{
    static const char *const must_be_false[] = { "single_word", "lstrip", "rstrip",
                                                 "normalized" };
    size_t i;
    const json_t *token;
    json_array_foreach(json_object_get(root, "added_tokens"), i, token) {
        const char *content = json_string_value(json_object_get(token, "content"));
        json_int_t id = json_integer_value(json_object_get(token, "id"));
        if (content == NULL || id < 0 || id >= in->n_tokens ||
            !is_spelled(in->spellings[id], content)) {
            return kbase_fail(err, KITH_UNSUPPORTED, "%s: the added token \"%.64s\" is "
                              "not in the vocabulary under its id", in->file,
                              content != NULL ? content : "");
        }
        for (size_t f = 0; f < sizeof(must_be_false) / sizeof(must_be_false[0]); f++) {
            const char *key = must_be_false[f];
            if (json_is_true(json_object_get(token, key))) {
                return kbase_fail(err, KITH_UNSUPPORTED, "%s: the added token "
                                  "\"%.64s\" is \"%s\", which kith does not know",
                                  in->file, content, key);
            }
        }
        in->literals[in->n_literals++] = (uint32_t)id;
    }
    return KITH_OK;
}

/* The id of a template's special token, or -1. */
static json_int_t template_id(const json_t *processor, const char *template,
                              size_t position)
{
    const json_t *item = json_array_get(json_object_get(processor, template), position);
    const json_t *special = json_object_get(item, "SpecialToken");
    const char *name = json_string_value(json_object_get(special, "id"));
    const json_t *all = json_object_get(processor, "special_tokens");
    const json_t *ids = json_object_get(json_object_get(all, name), "ids");
    const json_t *id = json_array_get(ids, 0);
    if (json_array_size(ids) != 1 || !json_is_integer(id)) {
        return -1;
    }
    return json_integer_value(id);
}

/* The id of a BertProcessing's ["[CLS]", 101], or -1. */
static json_int_t pair_id(const json_t *processor, const char *key)
{
    const json_t *id = json_array_get(json_object_get(processor, key), 1);
    return json_is_integer(id) ? json_integer_value(id) : -1;
}

static kith_status read_processor(const json_t *root, const entries *in,
                                  kenc_tokenizer_rules *rules, kith_error *err)
{
    const json_t *processor = json_object_get(root, "post_processor");
    const json_t *single = json_object_get(processor, "single");
    const char *type = json_string_value(json_object_get(processor, "type"));
    json_int_t cls = -1;
    json_int_t sep = -1;
    if (type != NULL && strcmp(type, "BertProcessing") == 0) {
        cls = pair_id(processor, "cls");
        sep = pair_id(processor, "sep");
    } else if (type != NULL && strcmp(type, "TemplateProcessing") == 0) {
        if (json_array_size(single) == 3 &&
            json_object_get(json_array_get(single, 1), "Sequence") != NULL) {
            cls = template_id(processor, "single", 0);
            sep = template_id(processor, "single", 2);
        }
    } else {
        return refuse(err, "post_processor", type,
                      "TemplateProcessing and BertProcessing");
    }
    if (cls < 0 || cls >= in->n_tokens || sep < 0 || sep >= in->n_tokens) {
        return kbase_fail(err, KITH_UNSUPPORTED, "%s: the post_processor does not put "
                          "one token of the vocabulary before and one after a text",
                          in->file);
    }
    rules->cls = (uint32_t)cls;
    rules->sep = (uint32_t)sep;
    return KITH_OK;
}

/* Whether an item of the template for pairs is this, in the segment of this text. */
static bool is_item(const json_t *pair, size_t position, const char *kind,
                    const char *id, json_int_t segment)
{
    const json_t *item = json_object_get(json_array_get(pair, position), kind);
    const char *found = json_string_value(json_object_get(item, "id"));
    return found != NULL && (id == NULL || strcmp(found, id) == 0) &&
           json_integer_value(json_object_get(item, "type_id")) == segment;
}

/* A pair becomes [CLS] A [SEP] B [SEP], as BertProcessing always makes it. */
static kith_status check_pair(const json_t *root, const kenc_tokenizer_rules *rules,
                              kith_error *err)
{
    const json_t *processor = json_object_get(root, "post_processor");
    const json_t *pair = json_object_get(processor, "pair");
    const char *type = json_string_value(json_object_get(processor, "type"));
    if (type != NULL && strcmp(type, "BertProcessing") == 0) {
        return KITH_OK;
    }
    const bool is_known = json_array_size(pair) == 5 &&
                          is_item(pair, 0, "SpecialToken", NULL, 0) &&
                          is_item(pair, 1, "Sequence", "A", 0) &&
                          is_item(pair, 2, "SpecialToken", NULL, 0) &&
                          is_item(pair, 3, "Sequence", "B", 1) &&
                          is_item(pair, 4, "SpecialToken", NULL, 1) &&
                          template_id(processor, "pair", 0) == rules->cls &&
                          template_id(processor, "pair", 2) == rules->sep &&
                          template_id(processor, "pair", 4) == rules->sep;
    return is_known
               ? KITH_OK
               : kbase_fail(err, KITH_UNSUPPORTED,
                            "%s: the post_processor does not "
                            "make [CLS] A [SEP] B [SEP] of a pair, with segments 0 "
                            "and 1",
                            json_name);
}

static kith_status read_json(const json_t *root, kenc_tokenizer_rules *rules,
                             entries *in, kith_error *err)
{
    kith_status status = read_model(root, rules, in, err);
    if (status == KITH_OK) {
        status = read_normalizer(root, rules, err);
    }
    if (status == KITH_OK) {
        status = check_type(root, "pre_tokenizer", "BertPreTokenizer", err);
    }
    if (status == KITH_OK) {
        status = read_literals(root, in, err);
    }
    if (status == KITH_OK) {
        status = read_processor(root, in, rules, err);
    }
    if (status == KITH_OK) {
        status = find_special(in, "[PAD]", &rules->pad, err);
    }
    return status == KITH_OK ? find_special(in, "[MASK]", &rules->mask, err) : status;
}

/* ---------------------------------------------------------------- vocab.txt */

static const char config_name[] = "tokenizer_config.json";

/* One spelling a line; its number, from 0, is the id. */
static kith_status read_lines(const char *vocab_txt, entries *in, kith_error *err)
{
    kith_status status = check_size(in->file, vocab_txt, err);
    if (status != KITH_OK) {
        return status;
    }
    size_t n_lines = 0;
    for (const char *at = vocab_txt; *at != '\0'; at += *at == '\n') {
        at += strcspn(at, "\n");
        n_lines++;
    }
    status = reserve(in, n_lines, 5, err);
    const char *at = vocab_txt;
    for (size_t i = 0; i < n_lines && status == KITH_OK; i++) {
        size_t n_bytes = strcspn(at, "\n");
        const char *next = at + n_bytes + (at[n_bytes] == '\n');
        n_bytes -= n_bytes > 0 && at[n_bytes - 1] == '\r';
        in->spellings[i] = (kith_text){ at, n_bytes };
        at = next;
    }
    return status;
}

/* The settings that turn a BERT tokenizer into something else. */
static kith_status check_config(const json_t *config, kith_error *err)
{
    static const char *const known[] = {
        "BertTokenizer",       "BertTokenizerFast",
        "DistilBertTokenizer", "DistilBertTokenizerFast",
        "ElectraTokenizer",    "ElectraTokenizerFast",
    };
    const json_t *never_split = json_object_get(config, "never_split");
    const char *class = json_string_value(json_object_get(config, "tokenizer_class"));
    bool is_known = class == NULL;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !is_known; i++) {
        is_known = strcmp(class, known[i]) == 0;
    }
    if (!is_known) {
        return kbase_fail(err, KITH_UNSUPPORTED, "%s: the tokenizer_class is %s: kith "
                          "knows BertTokenizer and its kin", config_name, class);
    }
    if (json_is_false(json_object_get(config, "do_basic_tokenize")) ||
        json_array_size(never_split) > 0) {
        return kbase_fail(err, KITH_UNSUPPORTED, "%s: kith does not know "
                          "\"do_basic_tokenize\": false and \"never_split\"",
                          config_name);
    }
    return KITH_OK;
}

static kith_status read_specials(const json_t *config, kenc_tokenizer_rules *rules,
                                 entries *in, kith_error *err)
{
    const struct {
        const char *key;
        const char *missing;
        uint32_t *id;
    } specials[] = {
        { "pad_token", "[PAD]", &rules->pad },    { "unk_token", "[UNK]", &rules->unk },
        { "cls_token", "[CLS]", &rules->cls },    { "sep_token", "[SEP]", &rules->sep },
        { "mask_token", "[MASK]", &rules->mask },
    };
    const size_t n = sizeof(specials) / sizeof(specials[0]);
    kith_status status = KITH_OK;
    for (size_t i = 0; i < n && status == KITH_OK; i++) {
        const json_t *value = json_object_get(config, specials[i].key);
        if (json_is_object(value)) {
            value = json_object_get(value, "content");
        }
        const char *text = json_string_value(value);
        status = find_special(in, text != NULL ? text : specials[i].missing,
                              specials[i].id, err);
        in->literals[in->n_literals++] = *specials[i].id;
    }
    return status;
}

static kith_status read_text(const char *vocab_txt, const json_t *config,
                             kenc_tokenizer_rules *rules, entries *in, kith_error *err)
{
    rules->clean_text = 1;
    rules->max_word_characters = 100;
    kith_status status = check_config(config, err);
    if (status == KITH_OK) {
        status = get_flag(config_name, config, "do_lower_case", 1, &rules->lowercase,
                          err);
    }
    if (status == KITH_OK) {
        status = get_flag(config_name, config, "tokenize_chinese_chars", 1,
                          &rules->space_cjk, err);
    }
    if (status == KITH_OK) {
        status = get_flag(config_name, config, "strip_accents", rules->lowercase,
                          &rules->strip_accents, err);
    }
    if (status == KITH_OK) {
        status = read_lines(vocab_txt, in, err);
    }
    return status == KITH_OK ? read_specials(config, rules, in, err) : status;
}

/* ---------------------------------------------------------------- either */

kith_status kenc_tokenizer_import(const char *tokenizer_json, const char *vocab_txt,
                                  const char *tokenizer_config, bool takes_pairs,
                                  kenc_tokenizer_rules *rules, kbase_buffer *vocabulary,
                                  kith_error *err)
{
    entries in = { .file = tokenizer_json != NULL ? json_name : "vocab.txt" };
    json_t *root = NULL;
    kith_status status = KITH_OK;
    *rules = (kenc_tokenizer_rules){ 0 };
    if (tokenizer_json != NULL) {
        status = parse(json_name, tokenizer_json, 0, &root, err);
        if (status == KITH_OK) {
            status = read_json(root, rules, &in, err);
        }
        if (status == KITH_OK && takes_pairs) {
            status = check_pair(root, rules, err);
        }
    } else {
        if (tokenizer_config != NULL) {
            /* Lengths that were never set are 10^30. */
            status = parse(config_name, tokenizer_config, JSON_DECODE_INT_AS_REAL,
                           &root, err);
        }
        if (status == KITH_OK) {
            status = read_text(vocab_txt, root, rules, &in, err);
        }
    }
    if (status == KITH_OK) {
        status = kenc_vocabulary_pack(in.spellings, in.n_tokens, in.literals,
                                      in.n_literals, vocabulary, err);
    }
    entries_free(&in);
    json_decref(root);
    return status;
}
