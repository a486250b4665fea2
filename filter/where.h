/* Filters on the fields of records: parsed once, then asked of a record, or of postings
 * (postings.h). kith.h describes the language. */
#ifndef KFIL_WHERE_H
#define KFIL_WHERE_H

#include "kith.h"

typedef struct kfil_where kfil_where;

/* What a filter sees of a record. */
typedef struct kfil_record {
    kith_text id;
    kith_text source;
    kith_text title;
    kith_text metadata; /* what is not a JSON object has no fields */
} kfil_record;

/* KITH_INVALID names the column (in characters, from 1) and what was expected there. */
kith_status kfil_where_parse(const char *text, kfil_where **where, kith_error *err);
void kfil_where_free(kfil_where *where);

/* KITH_NOMEM. Thread-safe. */
kith_status kfil_where_matches(const kfil_where *where, const kfil_record *record,
                               bool *matches, kith_error *err);

#endif
