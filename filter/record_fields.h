/* The fields of a record and their values, as filters and postings see them. */
#ifndef KFIL_RECORD_FIELDS_H
#define KFIL_RECORD_FIELDS_H

#include <jansson.h>

#include "kith.h"
#include "where.h"

/* A field's key: KFIL_METADATA and the names on the way to it, a NUL between two (no
 * name in JSON has one); or KFIL_RECORD and "id", "source" or "title". */
#define KFIL_METADATA '.'
#define KFIL_RECORD '$'

/* Names on the way to a field. What lies deeper has none. */
#define KFIL_MAX_NAMES 16

/* In their order: no value of one type is equal to, less or greater than one of
 * another. */
typedef enum kfil_type {
    KFIL_NULL = 0,
    KFIL_FALSE = 1,
    KFIL_TRUE = 2,
    KFIL_NUMBER = 3,
    KFIL_STRING = 4
} kfil_type;

typedef struct kfil_value {
    kfil_type type;
    double number;    /* never NaN, never -0 */
    kith_text string;
} kfil_value;

/* By type, then numbers by size, strings by their bytes; also for qsort and bsearch. */
int kfil_value_compare(const void *a, const void *b);

/* False for an object or array. A string lives as long as the JSON. */
bool kfil_value_from(const json_t *json, kfil_value *value);

/* The metadata as an object, or NULL when it is none. json_decref() it. KITH_NOMEM. */
kith_status kfil_load(kith_text metadata, json_t **object, kith_error *err);

/* The id, source or title of a record; which: the key without KFIL_RECORD. */
kith_text kfil_record_text(const kfil_record *record, kith_text which);

/* By their bytes; a shorter one before those that it begins. */
int kfil_text_compare(kith_text a, kith_text b);

#endif
