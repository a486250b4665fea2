/* kith model: import, list, describe and test models. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "json_write.h"
#include "models.h"
#include "options.h"
#include "output.h"
#include "text.h"

/* ------------------------------------------------------------------ facts */

static const char *pooling_name(kith_pooling pooling)
{
    static const char *const names[] = { "default", "mean", "cls", "max", "pooler" };
    return (size_t)pooling < sizeof(names) / sizeof(names[0]) ? names[pooling]
                                                              : "unknown";
}

static void put_numbers(buffer *out, const kith_model_info *info)
{
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {
        { "dim", info->dim },           { "max_tokens", info->max_tokens },
        { "layers", info->n_layers },   { "heads", info->n_heads },
        { "hidden", info->hidden },     { "intermediate", info->intermediate },
        { "vocabulary", info->vocabulary }, { "bytes", info->file_bytes },
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        put_key(out, numbers[i].key);
        put_count(out, numbers[i].value);
    }
}

/* The "SHA256  NAME" lines as {"NAME":"SHA256"}. */
static void put_sources(buffer *out, const char *lines)
{
    put_open(out, '{');
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        size_t digest = strcspn(lines, " ");
        if (digest + 2 < length) {
            put_text(out, (kith_text){ lines + digest + 2, length - digest - 2 });
            buffer_byte(out, ':');
            put_text(out, (kith_text){ lines, digest });
        }
        lines += length + (lines[length] == '\n');
    }
    put_close(out, '}');
}

static void put_name(buffer *out, const kith_model_info *info, const char *path)
{
    put_key(out, "name");
    put_text(out, text_of(info->name));
    put_key(out, "path");
    put_text(out, text_of(path));
}

static void put_info(buffer *out, const kith_model_info *info, const char *path)
{
    put_name(out, info, path);
    put_key(out, "fingerprint");
    put_text(out, text_of(info->fingerprint));
    put_numbers(out, info);
    put_key(out, "pooling");
    put_text(out, text_of(pooling_name(info->pooling)));
    put_key(out, "precision");
    put_text(out, text_of(models_precision_name(info->precision)));
    put_key(out, "normalizes");
    put_bool(out, info->normalizes);
    put_key(out, "has_pooler");
    put_bool(out, info->has_pooler);
    put_key(out, "lowercases");
    put_bool(out, info->lowercases);
    put_key(out, "class");
    put_text(out, text_of(info->model_class));
    put_key(out, "dense");
    put_count(out, info->n_dense);
    put_key(out, "prompts");
    put_open(out, '{');
    put_key(out, "query");
    put_text(out, text_of(info->query_prompt));
    put_key(out, "passage");
    put_text(out, text_of(info->passage_prompt));
    put_close(out, '}');
    put_key(out, "labels");
    put_count(out, info->n_labels);
    put_key(out, "sigmoid");
    put_bool(out, info->has_sigmoid);
    put_key(out, "kernels");
    put_text(out, text_of(info->kernels));
    put_key(out, "sources");
    put_sources(out, info->sources);
}

static void show_name(buffer *out, const kith_model_info *info, const char *path)
{
    buffer_print(out, "name         %s\n", info->name);
    buffer_string(out, "file         ");
    output_text(out, text_of(path));
    buffer_print(out, " (%.1f MiB)\n", (double)info->file_bytes / (1 << 20));
}

/* In quotation marks, since it often ends with a blank. */
static void show_prompt(buffer *out, const char *what, const char *prompt)
{
    if (*prompt != '\0') {
        buffer_print(out, "%-12s \"", what);
        output_text(out, text_of(prompt));
        buffer_string(out, "\" goes before\n");
    }
}

static void show_info(buffer *out, const kith_model_info *info, const char *path)
{
    show_name(out, info, path);
    buffer_print(out, "fingerprint  %s\n", info->fingerprint);
    if (info->n_labels > 0) {
        buffer_print(out, "scores       %" PRIu32 " for each pair, %s, %s\n",
                     info->n_labels, info->has_sigmoid ? "sigmoid" : "logits",
                     models_precision_name(info->precision));
    } else {
        buffer_print(out,
                     "vectors      %" PRIu32 " dimensions, pooling %s, %s%snormalised, "
                     "%s\n", info->dim, pooling_name(info->pooling),
                     info->n_dense > 0 ? "Dense, " : "", info->normalizes ? "" : "not ",
                     models_precision_name(info->precision));
    }
    show_prompt(out, "query", info->query_prompt);
    show_prompt(out, "passage", info->passage_prompt);
    buffer_print(out, "texts        up to %" PRIu32 " tokens of %" PRIu32 "%s\n",
                 info->max_tokens, info->vocabulary,
                 info->lowercases ? ", lower case" : "");
    buffer_print(out,
                 "network      %s, %" PRIu32 " layers, %" PRIu32 " heads, %" PRIu32
                 " hidden, %" PRIu32 " intermediate%s\n",
                 info->model_class, info->n_layers, info->n_heads, info->hidden,
                 info->intermediate, info->has_pooler ? ", pooler" : "");
    buffer_print(out, "kernels      %s\n", info->kernels);
    buffer_print(out, "made from\n%s", info->sources);
}

/* ------------------------------------------------------------------ import */

static bool is_model_name(const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789._-");
    return length >= 1 && length <= 64 && name[length] == '\0' && name[0] != '.';
}

/* Make a folder and those above it. */
static bool make_folders(const char *folder)
{
    char *path = copy_string(folder);
    bool is_made = true;
    for (char *slash = path; is_made && slash != NULL;) {
        slash = strchr(slash + 1, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
        is_made = mkdir(path, 0777) == 0 || errno == EEXIST;
        if (slash != NULL) {
            *slash = '/';
        }
    }
    free(path);
    if (!is_made) {
        report_errno(folder, errno);
    }
    return is_made;
}

static int import_as(const char *source, const char *name,
                     const kith_model_import_opts *opts)
{
    kith_error err;
    char *folder = models_folder();
    char *path = folder == NULL ? NULL : format_string("%s/%s.kmodel", folder, name);
    int status = EXIT_ENVIRONMENT;
    if (path != NULL && make_folders(folder)) {
        status = EXIT_DONE;
        kith_status imported = kith_model_import(source, name, path, opts, &err);
        if (imported != KITH_OK) {
            status = report(&err, imported == KITH_NOT_FOUND ? SUBJECT_ENVIRONMENT
                                                             : SUBJECT_FOREIGN_DATA);
        } else {
            buffer out = BUFFER_EMPTY;
            output_text(&out, text_of(path));
            buffer_byte(&out, '\n');
            output_write(&out);
            buffer_free(&out);
        }
    }
    free(path);
    free(folder);
    return status;
}

static int model_import(int argc, char **argv)
{
    const char *name = NULL;
    kith_model_import_opts opts = KITH_MODEL_IMPORT_OPTS_INIT;
    const option options[] = {
        TEXT(0, "name", "NAME", &name, "what to call it (as the folder is called)"),
        TEXT(0, "query-prompt", "TEXT", &opts.query_prompt,
             "what goes before each query, where the folder does\nnot say it, or "
             "instead"),
        TEXT(0, "passage-prompt", "TEXT", &opts.passage_prompt, "the same for records"),
        END_OF_OPTIONS};
    const usage use = {
        "model import", "FOLDER [options]",
        "Turn a sentence-transformers folder (a BERT or DistilBERT encoder, or a "
        "cross-encoder)\ninto a model file in $KITH_HOME/models and print the path of "
        "that "
        "file.",
        options};
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments != 1) {
        return usage_error(&use, "one folder is needed");
    }
    char *source = realpath(argv[1], NULL);
    if (source == NULL) {
        return report_errno(argv[1], errno);
    }
    const char *slash = strrchr(source, '/');
    const char *chosen = name != NULL ? name : slash + 1;
    if (is_model_name(chosen)) {
        status = import_as(source, chosen, &opts);
    } else {
        status = usage_error(&use,
                             "\"%s\" is no name for a model: give 1 to 64 letters, "
                             "digits, dots, _ and - with --name",
                             chosen);
    }
    free(source);
    return status;
}

/* ------------------------------------------------------------------ list, info */

static int put_model(buffer *out, const char *path, bool is_json)
{
    kith_model *model;
    kith_model_info info;
    model_request request = MODEL_REQUEST_INIT;
    request.name = path;
    request.n_threads = 1;
    int status = models_open(&request, &model);
    if (status != EXIT_DONE) {
        return status;
    }
    kith_model_get_info(model, &info);
    if (is_json) {
        put_open(out, '{');
        put_info(out, &info, path);
        put_close(out, '}');
    } else {
        const bool is_encoder = info.n_labels == 0;
        buffer_print(out,
                     "%-32s %5" PRIu32 " %-10s %5" PRIu32 " tokens %8.1f MiB  %.8s\n",
                     info.name, is_encoder ? info.dim : info.n_labels,
                     is_encoder ? "dimensions" : "scores", info.max_tokens,
                     (double)info.file_bytes / (1 << 20), info.fingerprint);
    }
    kith_model_close(model);
    return EXIT_DONE;
}

static int model_list(int argc, char **argv)
{
    bool is_json = false;
    const option options[] = {
        SWITCH(0, "json", &is_json, "print one JSON object"),
        END_OF_OPTIONS
    };
    const usage use = { "model list", "[options]",
                        "List the models in $KITH_HOME/models.", options };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments != 0) {
        return usage_error(&use, "there is nothing to name here");
    }
    char *folder = models_folder();
    if (folder == NULL) {
        return EXIT_ENVIRONMENT;
    }
    buffer out = BUFFER_EMPTY;
    size_t n_paths;
    char **paths = models_paths(folder, &n_paths);
    status = EXIT_DONE;
    buffer_string(&out, is_json ? "{\"v\":1,\"models\":[" : "");
    for (size_t i = 0; i < n_paths; i++) {
        int one = put_model(&out, paths[i], is_json);
        status = one == EXIT_DONE ? status : one;
    }
    buffer_string(&out, is_json ? "]}\n" : "");
    output_write(&out);
    buffer_free(&out);
    models_free_paths(paths, n_paths);
    free(folder);
    return status;
}

/* Open the model that the arguments name, or the default one. */
static int open_argument(const usage *use, int n_arguments, char **argv,
                         uint32_t n_threads, kith_model **model, char **path)
{
    model_request request = MODEL_REQUEST_INIT;
    if (n_arguments > 1) {
        return usage_error(use, "one model at most");
    }
    request.name = n_arguments == 1 ? argv[1] : NULL;
    request.n_threads = n_threads;
    return models_open_path(&request, model, path);
}

static int model_info(int argc, char **argv)
{
    bool is_json = false;
    const option options[] = {
        SWITCH(0, "json", &is_json, "print one JSON object"),
        END_OF_OPTIONS
    };
    const usage use = { "model info", "[NAME|PATH] [options]",
                        "Describe a model: the default one if none is named.",
                        options };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    kith_model *model = NULL;
    char *path = NULL;
    status = open_argument(&use, n_arguments, argv, 0, &model, &path);
    if (status == EXIT_DONE) {
        kith_model_info info;
        buffer out = BUFFER_EMPTY;
        kith_model_get_info(model, &info);
        if (is_json) {
            buffer_string(&out, "{\"v\":1");
            put_info(&out, &info, path);
            buffer_string(&out, "}\n");
        } else {
            show_info(&out, &info, path);
        }
        output_write(&out);
        buffer_free(&out);
    }
    kith_model_close(model);
    free(path);
    return status;
}

/* ------------------------------------------------------------------ test */

typedef struct model_trial {
    const char *path;
    uint32_t n_threads;
    bool is_json;
    uint32_t n_texts;  /* 0: none was encoded so far */
    uint32_t n_tokens;
    buffer rows; /* JSON: an object for each set of kernels and precision */
} model_trial;

static void put_result(model_trial *trial, const kith_model_info *info,
                       const kith_model_test_result *result)
{
    buffer *out = &trial->rows;
    if (trial->is_json) {
        put_open(out, '{');
        put_key(out, "kernels");
        put_text(out, text_of(info->kernels));
        put_key(out, "precision");
        put_text(out, text_of(models_precision_name(info->precision)));
        put_key(out, "equal");
        put_bool(out, result->is_equal);
        put_key(out, "largest_difference");
        put_real(out, result->largest_difference);
        put_key(out, "cosine_to_fp32");
        put_real(out, result->cosine);
        put_key(out, "tokens_per_second");
        put_real(out, result->tokens_per_second);
        put_close(out, '}');
    } else {
        if (trial->n_texts == 0) {
            buffer_print(out, "texts        %" PRIu32 ", %" PRIu32 " tokens\n\n",
                         result->n_texts, result->n_tokens);
            buffer_print(out, "%-12s %-10s %10s %15s %10s\n", "kernels", "precision",
                         "difference", "cosine to fp32", "tokens/s");
        }
        buffer_print(out, "%-12s %-10s %10.3g %15.6f %10.0f\n", info->kernels,
                     models_precision_name(info->precision), result->largest_difference,
                     result->cosine, result->tokens_per_second);
        output_flush(out); /* the slowest kernels take seconds */
    }
    trial->n_texts = result->n_texts;
    trial->n_tokens = result->n_tokens;
}

/* One set of kernels in one precision. */
static int test_one(model_trial *trial, const char *kernels, kith_precision precision)
{
    kith_error err;
    kith_model *model = NULL;
    kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    opts.precision = precision;
    opts.n_threads = trial->n_threads;
    opts.cpu = kernels;
    kith_status status = kith_model_open(trial->path, &opts, &model, &err);
    if (status == KITH_OK) {
        kith_model_info info;
        kith_model_test_result result;
        kith_model_get_info(model, &info);
        status = kith_model_test(model, &result, &err);
        if (result.n_texts > 0) {
            put_result(trial, &info, &result);
        }
    }
    kith_model_close(model);
    return status == KITH_OK ? EXIT_DONE : report(&err, SUBJECT_ENVIRONMENT);
}

/* What KITH_CPU asks for, or all that this CPU offers. */
static int test_kernels(model_trial *trial)
{
    const char *all = models_cpu() != NULL ? models_cpu() : kith_kernels();
    int status = EXIT_DONE;
    while (*all != '\0') {
        const size_t length = strcspn(all, " ");
        char *kernels = format_string("%.*s", (int)length, all);
        for (int p = KITH_PRECISION_FP32; p <= KITH_PRECISION_INT8; p++) {
            const int one = test_one(trial, kernels, (kith_precision)p);
            status = one == EXIT_DONE ? status : one;
        }
        free(kernels);
        all += length + (all[length] == ' ');
    }
    return status;
}

static int test_model(model_trial *trial, const kith_model *model)
{
    kith_error err;
    kith_model_info info;
    kith_model_get_info(model, &info);
    if (kith_model_verify(model, &err) != KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    if (!trial->is_json) {
        show_name(&trial->rows, &info, trial->path);
        buffer_string(&trial->rows, "checksums    good\n");
        output_flush(&trial->rows);
        return test_kernels(trial);
    }
    int status = test_kernels(trial);
    buffer out = BUFFER_EMPTY;
    buffer_string(&out, "{\"v\":1");
    put_name(&out, &info, trial->path);
    put_key(&out, "ok");
    put_bool(&out, status == EXIT_DONE);
    put_key(&out, "threads");
    put_count(&out, trial->n_threads);
    put_key(&out, "texts");
    put_count(&out, trial->n_texts);
    put_key(&out, "tokens");
    put_count(&out, trial->n_tokens);
    put_key(&out, "tests");
    put_open(&out, '[');
    buffer_append(&out, trial->rows.data, trial->rows.size);
    buffer_string(&out, "]}\n");
    output_write(&out);
    buffer_free(&out);
    return status;
}

static int model_test(int argc, char **argv)
{
    model_trial trial = { .n_threads = 1, .rows = BUFFER_EMPTY };
    const option options[] = {
        SWITCH(0, "json", &trial.is_json, "print one JSON object"),
        COUNT(0, "threads", "N", &trial.n_threads, "(1) 0: one a processor"),
        END_OF_OPTIONS
    };
    const usage use = {
        "model test", "[NAME|PATH] [options]",
        "Check a model file, the default one if none is named, and whether this "
        "machine\ngives the vectors that it should: with all kernels, or those of "
        "KITH_CPU.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    kith_model *model = NULL;
    char *path = NULL;
    status = open_argument(&use, n_arguments, argv, 1, &model, &path);
    if (status == EXIT_DONE) {
        trial.path = path;
        status = test_model(&trial, model);
    }
    buffer_free(&trial.rows);
    kith_model_close(model);
    free(path);
    return status;
}

int cmd_model(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } forms[] = { { "import", model_import }, { "list", model_list },
                  { "info", model_info },     { "test", model_test } };
    const option options[] = { END_OF_OPTIONS };
    const usage use = {
        "model",
        "import FOLDER [--name NAME] [--query-prompt TEXT] [--passage-prompt TEXT]\n"
        "list [--json]\n"
        "info [NAME|PATH] [--json]\ntest [NAME|PATH] [--json] [--threads N]",
        "Import, list, describe and test models. Each form has a --help of its own.",
        options
    };
    for (size_t i = 0; argc > 1 && i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (strcmp(argv[1], forms[i].name) == 0) {
            return forms[i].run(argc - 1, argv + 1);
        }
    }
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    return status != GO_ON ? status
                           : usage_error(&use, "import, list, info or test is needed");
}
