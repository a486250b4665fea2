/* A filter asked of one record. */
#include <stdlib.h>
#include <string.h>

#include "where_parts.h"

static bool starts_with(kith_text text, kith_text start)
{
    return text.n_bytes >= start.n_bytes &&
           (start.n_bytes == 0 || memcmp(text.data, start.data, start.n_bytes) == 0);
}

bool kfil_node_takes(const kfil_node *node, const kfil_value *value)
{
    if (node->op == KFIL_IN) {
        return bsearch(value, node->values, node->n_values, sizeof(*value),
                       kfil_value_compare) != NULL;
    }
    if (value->type != node->values->type) {
        return false;
    }
    int order = kfil_value_compare(value, node->values);
    switch (node->op) {
    case KFIL_LESS:
        return order < 0;
    case KFIL_LESS_EQUAL:
        return order <= 0;
    case KFIL_GREATER:
        return order > 0;
    case KFIL_GREATER_EQUAL:
        return order >= 0;
    default: /* KFIL_STARTS_WITH */
        return starts_with(value->string, node->values->string);
    }
}

/* Whether the node is true of what lies behind the names from `name` up to `end`, from
 * this JSON on; an array is each of its elements. */
static bool takes_json(const kfil_node *node, const json_t *json, const char *name,
                       const char *end)
{
    if (name > end && node->op == KFIL_EXISTS) {
        return true;
    }
    if (json_is_array(json)) {
        for (size_t i = 0; i < json_array_size(json); i++) {
            if (takes_json(node, json_array_get(json, i), name, end)) {
                return true;
            }
        }
        return false;
    }
    if (name > end) {
        kfil_value value;
        return kfil_value_from(json, &value) && kfil_node_takes(node, &value);
    }
    const json_t *member = json_object_get(json, name);
    return member != NULL && takes_json(node, member, name + strlen(name) + 1, end);
}

static bool takes_field(const kfil_node *node, const kfil_record *record,
                        const json_t *metadata)
{
    const char *name = node->field.data + 1;
    if (node->field.data[0] == KFIL_METADATA) {
        return metadata != NULL &&
               takes_json(node, metadata, name, node->field.data + node->field.n_bytes);
    }
    const kfil_value value = {
        .type = KFIL_STRING,
        .string = kfil_record_text(record, (kith_text){ name, node->field.n_bytes - 1 }),
    };
    return value.string.n_bytes > 0 &&
           (node->op == KFIL_EXISTS || kfil_node_takes(node, &value));
}

static bool is_true(const kfil_node *node, const kfil_record *record,
                    const json_t *metadata)
{
    if (node->op == KFIL_NOT) {
        return !is_true(node->first, record, metadata);
    }
    if (node->op != KFIL_AND && node->op != KFIL_OR) {
        return takes_field(node, record, metadata);
    }
    for (const kfil_node *part = node->first; part != NULL; part = part->next) {
        if (is_true(part, record, metadata) == (node->op == KFIL_OR)) {
            return node->op == KFIL_OR;
        }
    }
    return node->op == KFIL_AND;
}

kith_status kfil_where_matches(const kfil_where *where, const kfil_record *record,
                               bool *matches, kith_error *err)
{
    json_t *metadata = NULL;
    kith_status status = where->reads_metadata
                             ? kfil_load(record->metadata, &metadata, err)
                             : KITH_OK;
    if (status == KITH_OK) {
        *matches = is_true(where->root, record, metadata);
    }
    json_decref(metadata);
    return status;
}
