#include "config_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "file.h"

#define MAX_CONFIG_BYTES ((size_t)1 << 20)

kith_status kenc_json_read(const char *dir, const char *folder, const char *name,
                           bool needed, kenc_json *file, kith_error *err)
{
    file->root = NULL;
    snprintf(file->name, sizeof(file->name), "%s%s%s", folder,
             *folder != '\0' ? "/" : "", name);
    kbase_buffer content = KBASE_BUFFER_INIT;
    char *path = kbase_path_join(dir, file->name);
    if (path == NULL) {
        return kbase_fail_memory(err, strlen(dir) + strlen(file->name) + 2);
    }
    kith_status status = kbase_read_whole(path, MAX_CONFIG_BYTES, &content, err);
    if (status == KITH_OK) {
        json_error_t problem;
        file->root =
            json_loadb(content.data, content.n_bytes,
                       JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &problem);
        if (file->root == NULL) {
            status = kbase_fail(err, KITH_INVALID, "%s, line %d: %s", path,
                                problem.line, problem.text);
        }
    } else if (status == KITH_NOT_FOUND && !needed) {
        status = KITH_OK;
    }
    kbase_buffer_free(&content);
    free(path);
    return status;
}

void kenc_json_free(kenc_json *file)
{
    json_decref(file->root);
    file->root = NULL;
}

const json_t *kenc_json_get(const kenc_json *file, const char *key)
{
    const json_t *value = json_object_get(file->root, key);
    return json_is_null(value) ? NULL : value;
}

kith_status kenc_json_count(const kenc_json *file, const char *key, uint32_t *out,
                            kith_error *err)
{
    const json_t *value = json_object_get(file->root, key);
    const double number = json_real_value(value);
    if (!json_is_real(value) || !(number >= 1.0 && number <= INT32_MAX) ||
        number != floor(number)) {
        return kbase_fail(err, KITH_INVALID, "%s: \"%s\" is %s", file->name, key,
                          value == NULL ? "missing" : "not a positive integer");
    }
    *out = (uint32_t)number;
    return KITH_OK;
}

kith_status kenc_json_flag(const kenc_json *file, const char *key, bool missing,
                           bool *out, kith_error *err)
{
    const json_t *value = kenc_json_get(file, key);
    if (value != NULL && !json_is_boolean(value)) {
        return kbase_fail(err, KITH_INVALID, "%s: \"%s\" is neither true nor false",
                          file->name, key);
    }
    *out = value != NULL ? json_is_true(value) : missing;
    return KITH_OK;
}

kith_status kenc_json_text(const kenc_json *file, const char *key, const char **out,
                           kith_error *err)
{
    const json_t *value = kenc_json_get(file, key);
    if (value != NULL && !json_is_string(value)) {
        return kbase_fail(err, KITH_INVALID, "%s: \"%s\" is not a string", file->name,
                          key);
    }
    *out = json_string_value(value);
    return KITH_OK;
}

bool kenc_json_is(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

kith_status kenc_json_refuse(const kenc_json *file, const char *key,
                             const json_t *value, const char *known, kith_error *err)
{
    const char *text = json_string_value(value);
    if (text == NULL) {
        return kbase_fail(err, KITH_UNSUPPORTED, "%s: \"%s\" is %s: kith knows %s",
                          file->name, key, value == NULL ? "missing" : "not a string",
                          known);
    }
    return kbase_fail(err, KITH_UNSUPPORTED, "%s: \"%s\" is \"%s\": kith knows %s",
                      file->name, key, text, known);
}
