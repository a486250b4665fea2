#include "json_read.h"

#include <string.h>

#include "text.h"

/* Numbers are only ever passed on as they were written, so that one of more than 64
 * bits does no harm. */
#define LOAD_FLAGS (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)

/* ------------------------------------------------------------------ as written */

/* Goes over the members of an object that jansson has accepted. jansson itself would
 * write numbers anew, with other digits. */
typedef struct members {
    const char *at;
    const char *end;
    kith_text name;  /* with its quotes */
    kith_text value;
} members;

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && strchr(" \t\r\n,:", *at) != NULL) {
        at++;
    }
    return at;
}

/* One past the string that starts at `at`. */
static const char *string_end(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        at += *at == '\\';
    }
    return at + 1;
}

static const char *value_end(const char *at, const char *end)
{
    size_t depth = 0;
    do {
        if (*at == '"') {
            at = string_end(at, end);
            continue;
        }
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at++;
    } while (at < end && (depth > 0 || strchr(",}] \t\r\n", *at) == NULL));
    return at;
}

static members members_of(kith_text object)
{
    const char *open = memchr(object.data, '{', object.n_bytes);
    return (members){ .at = open + 1, .end = object.data + object.n_bytes };
}

static bool next_member(members *m)
{
    const char *name = skip_blanks(m->at, m->end);
    if (name >= m->end || *name != '"') {
        return false;
    }
    const char *after = string_end(name, m->end);
    const char *value = skip_blanks(after, m->end);
    m->name = (kith_text){ name, (size_t)(after - name) };
    m->at = value_end(value, m->end);
    m->value = (kith_text){ value, (size_t)(m->at - value) };
    return true;
}

static bool is_named(const members *m, const char *name)
{
    size_t length = strlen(name);
    if (memchr(m->name.data, '\\', m->name.n_bytes) == NULL) {
        return m->name.n_bytes == length + 2 &&
               memcmp(m->name.data + 1, name, length) == 0;
    }
    json_t *decoded = json_loadb(m->name.data, m->name.n_bytes,
                                 JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool is_it = json_string_length(decoded) == length &&
                 memcmp(json_string_value(decoded), name, length) == 0;
    json_decref(decoded);
    return is_it;
}

bool json_member(kith_text object, const char *name, kith_text *value)
{
    for (members m = members_of(object); next_member(&m);) {
        if (is_named(&m, name)) {
            *value = m.value;
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------ records */

static bool load(json_record *record, kith_text json, buffer *reason)
{
    size_t n_valid = utf8_valid_bytes(json.data, json.n_bytes);
    if (n_valid < json.n_bytes) {
        buffer_print(reason, "not UTF-8 (byte %zu of the line)", n_valid + 1);
        return false;
    }
    json_error_t error;
    record->object = json_loadb(json.data, json.n_bytes, LOAD_FLAGS, &error);
    if (record->object == NULL) {
        buffer_print(reason, "invalid JSON: %s (column %d)", error.text, error.column);
        return false;
    }
    if (!json_is_object(record->object)) {
        buffer_string(reason, "not a JSON object");
        return false;
    }
    return true;
}

/* The name under which the object has the field; null is as good as nothing. */
static const char *find_name(const json_record *record, const field_names *names,
                             field which)
{
    const char *candidates[MAX_CANDIDATES];
    field_candidates(names, which, candidates);
    for (size_t i = 0; candidates[i] != NULL; i++) {
        json_t *value = json_object_get(record->object, candidates[i]);
        if (value != NULL && !json_is_null(value)) {
            return candidates[i];
        }
    }
    return NULL;
}

static bool take_text(const json_record *record, const char *name, kith_text *text,
                      buffer *reason)
{
    json_t *value = json_object_get(record->object, name);
    if (!json_is_string(value)) {
        buffer_print(reason, "\"%s\" is not a string", name);
        return false;
    }
    *text = (kith_text){ json_string_value(value), json_string_length(value) };
    return true;
}

static bool take_id(json_record *record, kith_text json, const char *name,
                    buffer *reason)
{
    if (json_is_string(json_object_get(record->object, name))) {
        return take_text(record, name, &record->id, reason);
    }
    kith_text written = { "", 0 };
    json_member(json, name, &written);
    size_t sign = written.n_bytes > 0 && written.data[0] == '-';
    size_t n_digits = 0;
    while (sign + n_digits < written.n_bytes && written.data[sign + n_digits] >= '0' &&
           written.data[sign + n_digits] <= '9') {
        n_digits++;
    }
    if (n_digits == 0 || sign + n_digits < written.n_bytes) {
        buffer_print(reason, "\"%s\" is neither a string nor a whole number", name);
        return false;
    }
    record->id = written;
    return true;
}

static void take_rest(json_record *record, kith_text json,
                      const char *const taken[N_FIELDS])
{
    buffer *rest = &record->rest;
    for (members m = members_of(json); next_member(&m);) {
        bool is_taken = false;
        for (size_t i = 0; i < N_FIELDS; i++) {
            is_taken |= taken[i] != NULL && is_named(&m, taken[i]);
        }
        if (!is_taken) {
            buffer_byte(rest, rest->size == 0 ? '{' : ',');
            buffer_append(rest, m.name.data, m.name.n_bytes);
            buffer_byte(rest, ':');
            buffer_append(rest, m.value.data, m.value.n_bytes);
        }
    }
    if (rest->size > 0) {
        buffer_byte(rest, '}');
        record->metadata = (kith_text){ rest->data, rest->size };
    }
}

bool json_record_read(json_record *record, const field_names *names, kith_text json,
                      buffer *reason)
{
    const char *found[N_FIELDS];
    json_decref(record->object);
    *record = (json_record){ .rest = record->rest };
    buffer_clear(&record->rest);
    if (!load(record, json, reason)) {
        return false;
    }
    for (size_t i = 0; i < N_FIELDS; i++) {
        found[i] = find_name(record, names, i);
    }
    for (size_t i = 0; i < N_FIELDS; i++) {
        bool is_needed = i == FIELD_TEXT ? found[FIELD_VECTOR] == NULL
                                         : i != FIELD_TITLE && names->given[i] != NULL;
        if (found[i] == NULL && is_needed) {
            field_is_missing(names, i, reason);
            return false;
        }
    }
    if (found[FIELD_VECTOR] != NULL) {
        record->vector = json_object_get(record->object, found[FIELD_VECTOR]);
    }
    if ((found[FIELD_TEXT] != NULL &&
         !take_text(record, found[FIELD_TEXT], &record->text, reason)) ||
        (found[FIELD_TITLE] != NULL &&
         !take_text(record, found[FIELD_TITLE], &record->title, reason)) ||
        (found[FIELD_ID] != NULL && !take_id(record, json, found[FIELD_ID], reason))) {
        return false;
    }
    take_rest(record, json, found);
    return true;
}

void json_record_free(json_record *record)
{
    json_decref(record->object);
    record->object = NULL;
    buffer_free(&record->rest);
}

/* ------------------------------------------------------------------ showing */

bool json_is_valid_object(kith_text json)
{
    json_t *object = json_loadb(json.data, json.n_bytes, LOAD_FLAGS, NULL);
    bool is_object = json_is_object(object);
    json_decref(object);
    return is_object;
}

bool json_show_member(kith_text json, const char *name, buffer *out)
{
    kith_text value;
    if (json.n_bytes == 0 || !json_is_valid_object(json) ||
        !json_member(json, name, &value)) {
        return false;
    }
    json_t *decoded = json_loadb(value.data, value.n_bytes,
                                 LOAD_FLAGS | JSON_DECODE_ANY, NULL);
    if (json_is_string(decoded)) {
        buffer_append(out, json_string_value(decoded), json_string_length(decoded));
    } else {
        buffer_append(out, value.data, value.n_bytes);
    }
    json_decref(decoded);
    return true;
}
