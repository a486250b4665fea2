/* The JSON files of a model folder: values by key, refusals by file and key. */
#ifndef KENC_CONFIG_JSON_H
#define KENC_CONFIG_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "kith.h"

/* A JSON file of a folder. */
typedef struct kenc_json {
    char name[160]; /* below the folder, for messages */
    json_t *root;   /* an object or array; NULL: there is no such file */
} kenc_json;

#define KENC_JSON_INIT { "", NULL }

/* Read dir/folder/name; folder may be "". KITH_NOT_FOUND where it is needed,
 * KITH_INVALID (no JSON), KITH_IO, KITH_NOMEM. Numbers that are too large for an
 * integer are accepted: all numbers are reals. */
kith_status kenc_json_read(const char *dir, const char *folder, const char *name,
                           bool needed, kenc_json *file, kith_error *err);
void kenc_json_free(kenc_json *file);

/* The value of a key, NULL when it is null, not there, or the file is not. */
const json_t *kenc_json_get(const kenc_json *file, const char *key);

/* A whole number from 1 to INT32_MAX, which has to be there. */
kith_status kenc_json_count(const kenc_json *file, const char *key, uint32_t *out,
                            kith_error *err);
/* true or false; `missing` when it is not there. */
kith_status kenc_json_flag(const kenc_json *file, const char *key, bool missing,
                           bool *out, kith_error *err);
/* A string; NULL when it is not there. */
kith_status kenc_json_text(const kenc_json *file, const char *key, const char **out,
                           kith_error *err);

bool kenc_json_is(const json_t *value, const char *text);

/* KITH_UNSUPPORTED: this file's key has a value that is none of the `known`. */
kith_status kenc_json_refuse(const kenc_json *file, const char *key,
                             const json_t *value, const char *known, kith_error *err);

#endif
