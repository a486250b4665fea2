#include "support.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void assert_status_is(kith_status expected, kith_status status, const kith_error *error,
                      const char *file, int line)
{
    if (status != expected) {
        print_error("%s:%d: %s, expected %s%s%s\n", file, line, kith_status_name(status),
                    kith_status_name(expected), status != KITH_OK ? ": " : "",
                    status != KITH_OK ? error->message : "");
    }
    _assert_int_equal((unsigned long)(long)status, (unsigned long)(long)expected, file,
                      line);
    if (status != KITH_OK) {
        _assert_true(error->code == status && error->message[0] != '\0' &&
                         strchr(error->message, '\n') == NULL,
                     "a message of one line", file, line);
    }
}

char *format(const char *text, ...)
{
    char *out = NULL;
    va_list args;
    va_start(args, text);
    int n = vasprintf(&out, text, args);
    va_end(args);
    assert_true(n >= 0);
    return out;
}

char *make_temp_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = format("%s/kith-test-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static void run(const char *command, const char *a, const char *b)
{
    char *line = format("%s '%s' %s%s%s", command, a, b != NULL ? "'" : "",
                        b != NULL ? b : "", b != NULL ? "'" : "");
    assert_int_equal(system(line), 0);
    free(line);
}

void remove_tree(const char *path)
{
    run("rm -rf", path, NULL);
}

void copy_tree(const char *from, const char *to)
{
    run("cp -r", from, to);
}

char *read_file(const char *path, size_t *n_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        print_error("cannot open %s: %s\n", path, strerror(errno));
    }
    assert_non_null(file);
    struct stat info;
    assert_int_equal(fstat(fileno(file), &info), 0);
    char *data = malloc((size_t)info.st_size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)info.st_size, file), info.st_size);
    fclose(file);
    data[info.st_size] = '\0';
    if (n_bytes != NULL) {
        *n_bytes = (size_t)info.st_size;
    }
    return data;
}

void write_file(const char *path, const void *data, size_t n_bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, n_bytes, file), n_bytes);
    assert_int_equal(fclose(file), 0);
}

static void parse_golden(const char *line, golden_text *out)
{
    json_error_t problem;
    json_t *root = json_loads(line, JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &problem);
    assert_non_null(root);
    const json_t *text = json_object_get(root, "t");
    const json_t *ids = json_object_get(root, "ids");
    out->n_bytes = json_string_length(text);
    out->text = malloc(out->n_bytes + 1);
    memcpy(out->text, json_string_value(text), out->n_bytes + 1);
    out->n_ids = json_array_size(ids);
    out->ids = malloc((out->n_ids + 1) * sizeof(*out->ids));
    for (size_t i = 0; i < out->n_ids; i++) {
        out->ids[i] = (uint32_t)json_integer_value(json_array_get(ids, i));
    }
    json_decref(root);
}

static char *if_there(char *path)
{
    struct stat info;
    if (stat(path, &info) == 0) {
        return path;
    }
    free(path);
    return NULL;
}

char *real_model_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (cache != NULL && cache[0] != '\0') {
        return if_there(format("%s/kith/models/all-MiniLM-L6-v2", cache));
    }
    return if_there(format("%s/.cache/kith/models/all-MiniLM-L6-v2",
                           home != NULL ? home : ""));
}

char *shared_data_path(const char *name)
{
    const char *root = getenv("KITH_SHARED_DATA");
    return if_there(format("%s/%s", root != NULL ? root : "../shared/data", name));
}

golden_text *read_golden_texts(const char *path, size_t *n)
{
    char *content = read_file(path, NULL);
    golden_text *texts = NULL;
    *n = 0;
    char *rest = content;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && line[0] != '\0'; (*n)++) {
        texts = realloc(texts, (*n + 1) * sizeof(*texts));
        assert_non_null(texts);
        parse_golden(line, &texts[*n]);
    }
    free(content);
    return texts;
}

void free_golden_texts(golden_text *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(texts[i].text);
        free(texts[i].ids);
    }
    free(texts);
}
