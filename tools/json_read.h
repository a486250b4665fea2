/* Reading JSON: a record is an object. */
#ifndef KITH_TOOLS_JSON_READ_H
#define KITH_TOOLS_JSON_READ_H

#include <jansson.h>
#include <stdbool.h>

#include "buffer.h"
#include "fields.h"
#include "kith.h"

/* A record made from a JSON object. Texts live until the next use of it. */
typedef struct json_record {
    kith_text id; /* empty: none */
    kith_text text;
    kith_text title;
    kith_text metadata; /* the other members, as they were written */
    const json_t *vector; /* NULL: none */
    json_t *object;     /* what the texts point into */
    buffer rest;
} json_record;

#define JSON_RECORD_EMPTY { .object = NULL }

/* Read n_bytes of JSON, one object and nothing else. False: `reason` tells why not. */
bool json_record_read(json_record *record, const field_names *names, kith_text json,
                      buffer *reason);
void json_record_free(json_record *record);

/* The value of a member of a JSON object that was read, as it was written. False when
 * there is none. */
bool json_member(kith_text object, const char *name, kith_text *value);

/* Append the value of a member of a JSON object, for people: a string as it is,
 * anything else as JSON. False when there is no such member. */
bool json_show_member(kith_text json, const char *name, buffer *out);

/* A JSON object and nothing else. */
bool json_is_valid_object(kith_text json);

#endif
