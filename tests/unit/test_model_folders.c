/* encoder/: folders of models that are wrong, or that become something else, and files
 * whose head is strange. */
#include "encoder_fixture.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checksum.h"
#include "kmodel.h"

#define DISTILBERT "tests/golden/tiny-distilbert"
#define CROSS_ENCODER "tests/golden/tiny-cross-encoder"
#define N_LABELS 3

typedef struct alteration {
    const char *file, *old, *new;
    kith_status expected;
    const char *named[2]; /* parts of the message */
} alteration;

static void assert_refused(const char *model, const alteration *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        kith_error error;
        const kith_status status = import_altered(model, cases[i].file, cases[i].old,
                                                  cases[i].new, NULL, &error);
        bool is_named = status != KITH_OK;
        for (size_t p = 0; p < 2 && is_named && cases[i].named[p] != NULL; p++) {
            is_named = strstr(error.message, cases[i].named[p]) != NULL;
        }
        if (status != cases[i].expected || !is_named) {
            print_error("%s, %s: status %d, \"%s\"\n", cases[i].file,
                        cases[i].new != NULL ? cases[i].new : "removed", status,
                        status != KITH_OK ? error.message : "");
        }
        assert_int_equal(status, cases[i].expected);
        assert_true(is_named);
    }
}

#define TRANSFORMER "0_Transformer/config.json"

static const alteration encoder_folders[] = {
    { TRANSFORMER, "\"dim\": 24,", "", KITH_INVALID, { TRANSFORMER, "\"dim\"" } },
    { TRANSFORMER, "\"n_heads\": 3", "\"n_heads\": \"3\"", KITH_INVALID,
      { TRANSFORMER, "\"n_heads\"" } },
    { TRANSFORMER, "\"gelu\"", "\"silu\"", KITH_UNSUPPORTED,
      { "\"activation\"", "silu" } },
    { TRANSFORMER, "\"DistilBertForMaskedLM\"", "\"RobertaModel\"",
      KITH_UNSUPPORTED, { "\"architectures\"", "RobertaModel" } },
    { TRANSFORMER, "\"n_layers\": 1", "\"n_layers\": 2", KITH_INVALID,
      { "model.safetensors", "transformer.layer.1.attention.q_lin.weight" } },
    { TRANSFORMER, "\"hidden_dim\": 40", "\"hidden_dim\": 41", KITH_INVALID,
      { "transformer.layer.0.ffn.lin1.weight", "[41, 24]" } },
    { TRANSFORMER, NULL, NULL, KITH_NOT_FOUND, { TRANSFORMER } },
    { "0_Transformer/tokenizer.json", "\"[PAD]\": 0,",
      "\"[PAD]\": 0, \"zzzz\": 400,", KITH_INVALID, { "401", "vocab_size" } },
    { "0_Transformer/tokenizer_config.json", "28", "-1", KITH_INVALID,
      { "0_Transformer/tokenizer_config.json", "model_max_length" } },
    { "0_Transformer/sentence_bert_config.json", "", "{\"max_seq_length\": 41}",
      KITH_INVALID,
      { "0_Transformer/sentence_bert_config.json", "max_seq_length" } },
    { "0_Transformer/sentence_bert_config.json", "",
      "{\"transformer_task\": \"fill-mask\"}", KITH_UNSUPPORTED, { "fill-mask" } },
    { "modules.json", ".Normalize", ".LayerNorm", KITH_UNSUPPORTED,
      { "modules.json", "LayerNorm" } },
    { "modules.json", "models.Pooling", "models.CNN", KITH_UNSUPPORTED,
      { "modules.json", "CNN" } },
    { "modules.json", "models.Transformer", "models.BoW", KITH_UNSUPPORTED,
      { "modules.json", "BoW" } },
    { "modules.json", "\"2_Dense\"", "\"../2_Dense\"", KITH_INVALID,
      { "modules.json", "\"path\"" } },
    { "modules.json", "\"0_Transformer\"", "\"elsewhere\"", KITH_NOT_FOUND,
      { "elsewhere/config.json" } },
    { "modules.json", "\"path\": \"1_Pooling\",", "", KITH_INVALID,
      { "modules.json", "\"path\"" } },
    { "modules.json", "\"1_Pooling\"", "\"4_Normalize\"", KITH_NOT_FOUND,
      { "4_Normalize/config.json" } },
    { "1_Pooling/config.json", "\"cls\"", "\"lasttoken\"", KITH_UNSUPPORTED,
      { "1_Pooling/config.json", "lasttoken" } },
    { "1_Pooling/config.json", "\"cls\"", "[\"cls\", \"mean\"]", KITH_UNSUPPORTED,
      { "1_Pooling/config.json", "pooling_mode" } },
    { "1_Pooling/config.json", "\"pooling_mode\": \"cls\",", "", KITH_UNSUPPORTED,
      { "1_Pooling/config.json", "0 pooling modes" } },
    { "1_Pooling/config.json", "\"embedding_dimension\": 24",
      "\"embedding_dimension\": 32", KITH_INVALID,
      { "1_Pooling/config.json", "embedding_dimension" } },
    { "1_Pooling/config.json", "true", "false", KITH_UNSUPPORTED,
      { "1_Pooling/config.json", "include_prompt" } },
    { "2_Dense/config.json", "\"in_features\": 24", "\"in_features\": 25",
      KITH_INVALID, { "2_Dense/config.json", "in_features" } },
    { "2_Dense/config.json", "\"out_features\": 20", "\"out_features\": 21",
      KITH_INVALID, { "3_Dense/config.json", "in_features" } },
    { "2_Dense/config.json", "\"out_features\": 20,", "", KITH_INVALID,
      { "2_Dense/config.json", "out_features" } },
    { "2_Dense/config.json", "activation.Tanh", "activation.GELU", KITH_UNSUPPORTED,
      { "activation_function", "GELU" } },
    { "2_Dense/config.json", "true", "1", KITH_INVALID,
      { "2_Dense/config.json", "\"bias\"" } },
    { "2_Dense/config.json", "\"bias\"", "\"use_residual\": true, \"bias\"",
      KITH_UNSUPPORTED, { "2_Dense/config.json", "use_residual" } },
    { "2_Dense/config.json", "\"bias\"",
      "\"module_input_name\": \"token_embeddings\", \"bias\"", KITH_UNSUPPORTED,
      { "module_input_name", "token_embeddings" } },
    { "2_Dense/model.safetensors", NULL, NULL, KITH_NOT_FOUND,
      { "2_Dense/model.safetensors" } },
    { "3_Dense/config.json", "false", "true", KITH_INVALID,
      { "3_Dense/model.safetensors", "linear.bias" } },
    { "3_Dense/config.json", "\"out_features\": 12", "\"out_features\": 13",
      KITH_INVALID, { "linear.weight", "[13, 20]" } },
    { "config_sentence_transformers.json", "\"find: \"", "7", KITH_INVALID,
      { "config_sentence_transformers.json", "\"query\"" } },
    { "config_sentence_transformers.json", "{\n \"prompts\": {",
      "{\"prompts\":7,\"x\":{", KITH_INVALID,
      { "config_sentence_transformers.json", "\"prompts\"" } },
};

static void folders_of_an_encoder_are_checked(void **state)
{
    (void)state;
    assert_refused(DISTILBERT, encoder_folders,
                   sizeof(encoder_folders) / sizeof(encoder_folders[0]));
}

static void folders_of_a_cross_encoder_are_checked(void **state)
{
    (void)state;
    static const alteration cases[] = {
        { "config.json", "\"1\": \"LABEL_1\",", "", KITH_INVALID,
          { "classifier.weight", "[2, 24]" } },
        { "config.json", "\"id2label\"", "\"num_labels\": 2, \"id2label\"",
          KITH_INVALID, { "config.json", "num_labels" } },
        { "config.json", "\"id2label\"", "\"other\"", KITH_INVALID,
          { "classifier.weight", "[2, 24]" } },
        { "config.json", "activation.Sigmoid", "activation.Softmax", KITH_UNSUPPORTED,
          { "activation_fn", "Softmax" } },
        { "config_sentence_transformers.json", "",
          "{\"activation_fn\": \"a.b.Softplus\"}", KITH_UNSUPPORTED,
          { "config_sentence_transformers.json", "Softplus" } },
        { "sentence_bert_config.json", "",
          "{\"transformer_task\": \"text-generation\"}", KITH_UNSUPPORTED,
          { "transformer_task", "text-generation" } },
        { "sentence_bert_config.json", "", "{\"do_lower_case\": 1}", KITH_INVALID,
          { "do_lower_case" } },
        { "tokenizer.json", "\"id\": \"B\",\n     \"type_id\": 1",
          "\"id\": \"B\",\n     \"type_id\": 0", KITH_UNSUPPORTED,
          { "post_processor" } },
        { "tokenizer.json", "\"pair\"", "\"pairs\"", KITH_UNSUPPORTED,
          { "post_processor" } },
        { "modules.json", "",
          "[{\"type\": \"a.Transformer\", \"path\": \"\"},"
          " {\"type\": \"b.LogitScore\", \"path\": \"1\"}]",
          KITH_UNSUPPORTED, { "modules.json", "LogitScore" } },
    };
    assert_refused(CROSS_ENCODER, cases, sizeof(cases) / sizeof(cases[0]));
}

/* An import that works, and what the model is then. */
static void assert_imported(const char *model, const char *file, const char *old,
                            const char *new, const kith_model_import_opts *opts,
                            kith_model_info *info, char fingerprint[33])
{
    kith_error error;
    char *path = format("%s/altered.kmodel", folder);
    assert_ok(import_altered(model, file, old, new, opts, &error));
    kenc_model *opened = NULL;
    kith_model_opts plain = KITH_MODEL_OPTS_INIT;
    assert_ok(kenc_model_open(path, &plain, &opened, &error));
    kenc_model_get_info(opened, info);
    memcpy(fingerprint, info->fingerprint, 33);
    kenc_model_close(opened);
    free(path);
}

static void what_a_cross_encoder_becomes(void **state)
{
    (void)state;
    kith_model_info info;
    char print[33];
    /* Without an activation: of one label the sigmoid, else nothing. */
    assert_imported(CROSS_ENCODER, "config.json", "\"sentence_transformers\"", "\"x\"",
                    NULL, &info, print);
    assert_int_equal(info.n_labels, N_LABELS);
    assert_false(info.has_sigmoid);
    assert_imported(CROSS_ENCODER, "config.json", "\"sentence_transformers\": {\n",
                    "\"sbert_ce_default_activation_function\":"
                    " \"torch.nn.modules.linear.Identity\", \"x\": {",
                    NULL, &info, print);
    assert_false(info.has_sigmoid);
    assert_imported(CROSS_ENCODER, "config_sentence_transformers.json", "",
                    "{\"activation_fn\": \"torch.nn.modules.linear.Identity\"}", NULL,
                    &info, print);
    assert_false(info.has_sigmoid);
    /* With a Pooling module, or as another class, the same weights are an encoder. */
    assert_imported(CROSS_ENCODER, "config.json", "ForSequenceClassification", "Model",
                    NULL, &info, print);
    assert_int_equal(info.n_labels, 0);
    assert_int_equal(info.pooling, KITH_POOLING_MEAN);
    assert_true(info.has_pooler);
}

static void prompts_are_part_of_the_model(void **state)
{
    (void)state;
    static const char plain[] = TINY;
    kith_error error;
    kith_model_info info;
    char prints[5][33];
    kith_model_import_opts opts = KITH_MODEL_IMPORT_OPTS_INIT;
    assert_imported(plain, "config_sentence_transformers.json", "", "{}", NULL, &info,
                    prints[0]);
    assert_imported(plain, "config_sentence_transformers.json", "",
                    "{\"prompts\": {\"query\": \"q: \"}}", NULL, &info, prints[1]);
    assert_imported(plain, "config_sentence_transformers.json", "",
                    "{\"prompts\": {\"corpus\": \"q: \", \"passage\": null}}", NULL,
                    &info, prints[2]);
    opts.query_prompt = "q: ";
    assert_imported(plain, "config_sentence_transformers.json", "", "{}", &opts, &info,
                    prints[3]);
    opts.query_prompt = "";
    assert_imported(plain, "config_sentence_transformers.json", "",
                    "{\"prompts\": {\"query\": \"q: \"}}", &opts, &info, prints[4]);
    assert_string_equal(prints[1], prints[3]);
    assert_string_equal(prints[0], prints[4]);
    assert_string_not_equal(prints[0], prints[1]);
    assert_string_not_equal(prints[0], prints[2]);
    assert_string_not_equal(prints[1], prints[2]);

    char long_prompt[1100];
    memset(long_prompt, '.', sizeof(long_prompt));
    long_prompt[1025] = '\0';
    opts.query_prompt = long_prompt;
    assert_status(KITH_INVALID, import_altered(plain, "x", "", "", &opts, &error));
    assert_non_null(strstr(error.message, "1025 bytes"));
    long_prompt[16] = '\0'; /* of 30 tokens beside [CLS] and [SEP] */
    assert_status(KITH_INVALID, import_altered(plain, "x", "", "", &opts, &error));
    assert_non_null(strstr(error.message, "16 tokens"));
    long_prompt[15] = '\0';
    assert_ok(import_altered(plain, "x", "", "", &opts, &error));
    assert_status(KITH_INVALID,
                  import_altered(CROSS_ENCODER, "x", "", "", &opts, &error));
    assert_non_null(strstr(error.message, "cross-encoder"));
}

/* A prompt that is not pooled, where there is none: nothing to be refused. */
static void a_pooling_without_prompts_is_accepted_without_one(void **state)
{
    (void)state;
    kith_error error;
    kith_model_import_opts opts = KITH_MODEL_IMPORT_OPTS_INIT;
    opts.query_prompt = "";
    opts.passage_prompt = "";
    assert_ok(import_altered(DISTILBERT, "1_Pooling/config.json", "true", "false",
                             &opts, &error));
}

/* Fields of the header that a checksum fits. */
static void strange_heads_are_refused(void **state)
{
    (void)state;
    kith_error error;
    size_t n;
    char *source = format("%s/encoder.kmodel", folder);
    assert_ok(kenc_import(DISTILBERT, "encoder", source, NULL, &error));
    char *data = read_file(source, &n);
    char *path = format("%s/strange.kmodel", folder);
    kenc_header header;
    memcpy(&header, data, sizeof(header));
    const struct {
        uint32_t *field;
        uint32_t value;
    } cases[] = {
        { &header.head.n_dense, 3 },
        { &header.head.n_dense, 1 },
        { &header.head.n_dense, UINT32_MAX },
        { &header.head.n_labels, 1 },
        { &header.head.class, 7 },
        { &header.head.dense[0].n_out, 0 },
        { &header.head.dense[0].n_in, 48 },
        { &header.head.dense[1].n_out, UINT32_MAX },
        { &header.config.pooling, KITH_POOLING_POOLER },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint32_t kept = *cases[i].field;
        kith_model_opts opts = KITH_MODEL_OPTS_INIT;
        kenc_model *model;
        *cases[i].field = cases[i].value;
        header.checksum = kbase_hash64(&header, offsetof(kenc_header, checksum));
        memcpy(data, &header, sizeof(header));
        write_file(path, data, n);
        const kith_status status = kenc_model_open(path, &opts, &model, &error);
        assert_true(status == KITH_INVALID || status == KITH_CORRUPT);
        *cases[i].field = kept;
    }
    /* Prompts that do not end. */
    kenc_section_entry *entry = &header.sections[KENC_SECTION_PROMPTS];
    char *last = data + entry->offset + entry->n_bytes - 1;
    *last = 'x';
    entry->checksum = kbase_hash64(data + entry->offset, entry->n_bytes);
    header.checksum = kbase_hash64(&header, offsetof(kenc_header, checksum));
    memcpy(data, &header, sizeof(header));
    write_file(path, data, n);
    kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    kenc_model *model;
    assert_status(KITH_CORRUPT, kenc_model_open(path, &opts, &model, &error));
    assert_non_null(strstr(error.message, "prompts"));
    free(path);
    free(data);
    free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_of_an_encoder_are_checked),
        cmocka_unit_test(folders_of_a_cross_encoder_are_checked),
        cmocka_unit_test(what_a_cross_encoder_becomes),
        cmocka_unit_test(prompts_are_part_of_the_model),
        cmocka_unit_test(a_pooling_without_prompts_is_accepted_without_one),
        cmocka_unit_test(strange_heads_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
