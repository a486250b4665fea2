/* What a parsed filter consists of: where.c makes it, where_match.c and postings.c
 * follow it. */
#ifndef KFIL_WHERE_PARTS_H
#define KFIL_WHERE_PARTS_H

#include "record_fields.h"
#include "memory.h"
#include "where.h"

typedef enum kfil_op {
    KFIL_AND,
    KFIL_OR,
    KFIL_NOT,
    KFIL_EXISTS,
    KFIL_IN, /* also =, and != below KFIL_NOT */
    KFIL_LESS,
    KFIL_LESS_EQUAL,
    KFIL_GREATER,
    KFIL_GREATER_EQUAL,
    KFIL_STARTS_WITH
} kfil_op;

typedef struct kfil_node {
    kfil_op op;
    struct kfil_node *first; /* of what it joins */
    struct kfil_node *next;  /* joined with it */
    kith_text field;         /* key; a NUL follows it */
    kfil_value *values;      /* KFIL_IN: ascending; else one, or none */
    size_t n_values;
} kfil_node;

struct kfil_where {
    kbase_arena arena;
    kfil_node *root;
    bool reads_metadata;
    size_t longest_string; /* that a field is compared with, in bytes */
};

/* Whether a value of the node's field makes it true. Not for joins and KFIL_EXISTS. */
bool kfil_node_takes(const kfil_node *node, const kfil_value *value);

#endif
