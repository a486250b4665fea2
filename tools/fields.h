/* What the members of a record, or the columns of a table, are called. */
#ifndef KITH_TOOLS_FIELDS_H
#define KITH_TOOLS_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

typedef enum field {
    FIELD_ID,
    FIELD_TEXT,
    FIELD_TITLE,
    FIELD_VECTOR, /* only where vectors are read */
    N_FIELDS
} field;

typedef struct field_names {
    const char *given[N_FIELDS]; /* by the user; NULL: the usual names */
    bool is_query;               /* "query" is a usual name of a text too */
    bool has_vector;             /* a record may have a vector, and then no text */
} field_names;

#define MAX_CANDIDATES 8

/* The names a field may go by, best first, then NULL. */
void field_candidates(const field_names *names, field which,
                      const char *candidates[MAX_CANDIDATES]);

/* Append why a record without that field is refused. */
void field_is_missing(const field_names *names, field which, buffer *reason);

#endif
