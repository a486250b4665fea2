#include "record_fields.h"

#include <string.h>

#include "error.h"

/* All numbers as double: those of a filter are read in the same way. */
#define LOAD_FLAGS (JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)

int kfil_text_compare(kith_text a, kith_text b)
{
    size_t n = a.n_bytes < b.n_bytes ? a.n_bytes : b.n_bytes;
    int order = n > 0 ? memcmp(a.data, b.data, n) : 0;
    if (order != 0) {
        return order < 0 ? -1 : 1;
    }
    return a.n_bytes < b.n_bytes ? -1 : a.n_bytes > b.n_bytes;
}

int kfil_value_compare(const void *a, const void *b)
{
    const kfil_value *x = a;
    const kfil_value *y = b;
    if (x->type != y->type) {
        return x->type < y->type ? -1 : 1;
    }
    if (x->type == KFIL_NUMBER) {
        return x->number < y->number ? -1 : x->number > y->number;
    }
    return x->type == KFIL_STRING ? kfil_text_compare(x->string, y->string) : 0;
}

bool kfil_value_from(const json_t *json, kfil_value *value)
{
    *value = (kfil_value){ .type = KFIL_NULL };
    switch (json_typeof(json)) {
    case JSON_STRING:
        value->type = KFIL_STRING;
        value->string = (kith_text){ json_string_value(json), json_string_length(json) };
        return true;
    case JSON_REAL:
        value->type = KFIL_NUMBER;
        value->number = json_real_value(json) + 0.0; /* -0 becomes 0 */
        return true;
    case JSON_TRUE:
        value->type = KFIL_TRUE;
        return true;
    case JSON_FALSE:
        value->type = KFIL_FALSE;
        return true;
    case JSON_NULL:
        return true;
    default: /* there are no integers: LOAD_FLAGS */
        return false;
    }
}

kith_status kfil_load(kith_text metadata, json_t **object, kith_error *err)
{
    json_error_t problem;
    *object = NULL;
    if (metadata.n_bytes == 0) {
        return KITH_OK;
    }
    json_t *json = json_loadb(metadata.data, metadata.n_bytes, LOAD_FLAGS, &problem);
    if (json == NULL && json_error_code(&problem) == json_error_out_of_memory) {
        return kbase_fail_memory(err, metadata.n_bytes);
    }
    if (!json_is_object(json)) {
        json_decref(json);
        json = NULL;
    }
    *object = json;
    return KITH_OK;
}

kith_text kfil_record_text(const kfil_record *record, kith_text which)
{
    switch (which.data[0]) {
    case 'i':
        return record->id;
    case 's':
        return record->source;
    default:
        return record->title;
    }
}
