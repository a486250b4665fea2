#include "filters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parameters.h"
#include "text.h"

/* ------------------------------------------------------------------ parts */

static bool put_field(request *r, kith_text name, buffer *where)
{
    if (name.n_bytes == 0 || memchr(name.data, '`', name.n_bytes) != NULL ||
        memchr(name.data, '\0', name.n_bytes) != NULL) {
        return request_refuse(r,
                              "a filter needs the name of a field, without ` and NUL");
    }
    buffer_byte(where, '`');
    buffer_append(where, name.data, name.n_bytes);
    buffer_byte(where, '`');
    return true;
}

static bool put_string(request *r, kith_text text, buffer *where)
{
    if (text.n_bytes > 0 && memchr(text.data, '\0', text.n_bytes) != NULL) {
        return request_refuse(r, "a value of the filter holds a NUL");
    }
    buffer_byte(where, '"');
    for (size_t i = 0; i < text.n_bytes; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\') {
            buffer_byte(where, '\\');
        }
        buffer_byte(where, text.data[i]);
    }
    buffer_byte(where, '"');
    return true;
}

static bool put_value(request *r, const json_t *value, buffer *where)
{
    if (json_is_string(value)) {
        return put_string(r, json_text(value), where);
    }
    if (json_is_number(value)) {
        buffer_print(where, "%.17g", json_number_value(value));
        return true;
    }
    if (json_is_boolean(value)) {
        buffer_string(where, json_is_true(value) ? "true" : "false");
        return true;
    }
    return request_refuse(r, "a value of the filter is to be a text, a number, true or "
                             "false");
}

/* What puts one value of a list. */
typedef bool (*put_function)(request *r, const json_t *value, buffer *where);

static bool put_list(request *r, const json_t *values, put_function put, buffer *where)
{
    if (json_array_size(values) == 0) {
        return request_refuse(r, "a filter with \"in\" needs a list of values");
    }
    buffer_byte(where, '(');
    for (size_t i = 0; i < json_array_size(values); i++) {
        buffer_string(where, i == 0 ? "" : ", ");
        if (!put(r, json_array_get(values, i), where)) {
            return false;
        }
    }
    buffer_byte(where, ')');
    return true;
}

/* ------------------------------------------------------------------ OpenAI */

/* A word of its language, and what stands for it here. */
typedef struct openai_operator {
    const char *name;
    const char *written;
    bool takes_list;
} openai_operator;

static const openai_operator *find_openai_operator(const openai_operator *all,
                                                   kith_text name)
{
    while (all->name != NULL && !text_equals(name, text_of(all->name))) {
        all++;
    }
    return all->name == NULL ? NULL : all;
}

static bool put_comparison(request *r, const json_t *filter, kith_text type,
                           buffer *where)
{
    static const openai_operator operators[] = {
        { "eq", " = ", false },   { "ne", " != ", false },     { "gt", " > ", false },
        { "gte", " >= ", false }, { "lt", " < ", false },      { "lte", " <= ", false },
        { "in", " IN ", true },   { "nin", " NOT IN ", true }, { NULL, NULL, false }
    };
    const openai_operator *found = find_openai_operator(operators, type);
    if (found == NULL) {
        return request_refuse(r,
                              "the \"type\" of a filter is to be eq, ne, gt, gte, lt, "
                              "lte, in, nin, and, or");
    }
    if (!put_field(r, json_text(json_object_get(filter, "key")), where)) {
        return false;
    }
    buffer_string(where, found->written);
    const json_t *value = json_object_get(filter, "value");
    return found->takes_list ? put_list(r, value, put_value, where)
                             : put_value(r, value, where);
}

/* Not deeper than the JSON is. */
static bool put_filter(request *r, const json_t *filter, buffer *where)
{
    const kith_text type = json_text(json_object_get(filter, "type"));
    const bool is_and = text_equals(type, text_of("and"));
    if (!is_and && !text_equals(type, text_of("or"))) {
        return put_comparison(r, filter, type, where);
    }
    const json_t *parts = json_object_get(filter, "filters");
    if (json_array_size(parts) == 0) {
        return request_refuse(r, "a filter with \"and\" or \"or\" needs a list of "
                                 "\"filters\"");
    }
    for (size_t i = 0; i < json_array_size(parts); i++) {
        buffer_string(where, i == 0 ? "(" : is_and ? ") AND (" : ") OR (");
        if (!put_filter(r, json_array_get(parts, i), where)) {
            return false;
        }
    }
    buffer_byte(where, ')');
    return true;
}

bool filter_of_vector_store(request *r, const json_t *filter, buffer *where)
{
    if (!put_filter(r, filter, where)) {
        return false;
    }
    buffer_byte(where, '\0');
    return true;
}

/* ------------------------------------------------------------------ Dify */

/* Dify writes numbers as texts, too: one that reads as a number may be either. */
static bool reads_as_number(const json_t *value)
{
    if (!json_is_string(value) || json_string_length(value) == 0) {
        return false;
    }
    const char *text = json_string_value(value);
    char *end;
    return text[strspn(text, "0123456789+-.eE")] == '\0' &&
           isfinite(strtod(text, &end)) && *end == '\0' &&
           strlen(text) == json_string_length(value);
}

static bool put_dify_value(request *r, const json_t *value, buffer *where)
{
    if (reads_as_number(value)) {
        buffer_print(where, "%.17g", strtod(json_string_value(value), NULL));
        return true;
    }
    return put_value(r, value, where);
}

/* Equal to the text, or to the number that it reads as. */
static bool put_dify_equal(request *r, const json_t *value, buffer *where)
{
    if (!reads_as_number(value)) {
        buffer_string(where, " = ");
        return put_value(r, value, where);
    }
    buffer_string(where, " IN (");
    buffer_print(where, "%.17g, ", strtod(json_string_value(value), NULL));
    const bool is_put = put_value(r, value, where);
    buffer_byte(where, ')');
    return is_put;
}

static bool put_dify_list(request *r, const json_t *value, buffer *where)
{
    return json_is_array(value) ? put_list(r, value, put_value, where)
                                : request_refuse(r, "\"in\" needs a list of values");
}

typedef struct dify_operator {
    const char *name;
    const char *before; /* the field */
    const char *after;  /* it */
    put_function put;   /* NULL: no value follows */
    const char *end;
} dify_operator;

static const dify_operator dify_operators[] = {
    { "is", "", "", put_dify_equal, "" },
    { "=", "", "", put_dify_equal, "" },
    { "is not", "NOT (", "", put_dify_equal, ")" },
    { "\u2260", "NOT (", "", put_dify_equal, ")" },
    { ">", "", " > ", put_dify_value, "" },
    { "<", "", " < ", put_dify_value, "" },
    { "\u2265", "", " >= ", put_dify_value, "" },
    { "\u2264", "", " <= ", put_dify_value, "" },
    { "after", "", " > ", put_dify_value, "" },
    { "before", "", " < ", put_dify_value, "" },
    { "in", "", " IN ", put_dify_list, "" },
    { "not in", "", " NOT IN ", put_dify_list, "" },
    { "start with", "", " STARTS WITH ", put_value, "" },
    { "empty", "NOT EXISTS ", "", NULL, "" },
    { "not empty", "EXISTS ", "", NULL, "" },
};

static const dify_operator *find_dify_operator(kith_text name)
{
    for (size_t i = 0; i < sizeof(dify_operators) / sizeof(dify_operators[0]); i++) {
        if (text_equals(name, text_of(dify_operators[i].name))) {
            return &dify_operators[i];
        }
    }
    return NULL;
}

/* A field by each of its names. */
static bool put_condition(request *r, const json_t *condition, const json_t *name,
                          buffer *where)
{
    const dify_operator *found = find_dify_operator(
        json_text(json_object_get(condition, "comparison_operator")));
    if (found == NULL) {
        return request_refuse(r, "this \"comparison_operator\" is not offered here; "
                                 "docs/http.md lists those that are");
    }
    buffer_string(where, found->before);
    if (!put_field(r, json_text(name), where)) {
        return false;
    }
    buffer_string(where, found->after);
    if (found->put != NULL &&
        !found->put(r, json_object_get(condition, "value"), where)) {
        return false;
    }
    buffer_string(where, found->end);
    return true;
}

bool filter_of_retrieval(request *r, const json_t *condition, buffer *where)
{
    const json_t *conditions = json_object_get(condition, "conditions");
    const json_t *operator_given = json_object_get(condition, "logical_operator");
    const bool is_or = text_equals(json_text(operator_given), text_of("or"));
    if (operator_given != NULL && !json_is_null(operator_given) && !is_or &&
        !text_equals(json_text(operator_given), text_of("and"))) {
        return request_refuse(r, "\"logical_operator\" is to be \"and\" or \"or\"");
    }
    if (!json_is_object(condition) ||
        (conditions != NULL && !json_is_null(conditions) &&
         !json_is_array(conditions))) {
        return request_refuse(
            r, "\"metadata_condition\" is to be an object with a list of "
               "\"conditions\"");
    }
    size_t n_put = 0;
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *one = json_array_get(conditions, i);
        const json_t *names = json_object_get(one, "name");
        const size_t n_names = json_is_array(names) ? json_array_size(names) : 1;
        if (n_names == 0) {
            return request_refuse(r, "a condition needs a \"name\"");
        }
        for (size_t j = 0; j < n_names; j++) {
            buffer_string(where, n_put++ == 0 ? "(" : is_or ? ") OR (" : ") AND (");
            if (!put_condition(r, one,
                               json_is_array(names) ? json_array_get(names, j) : names,
                               where)) {
                return false;
            }
        }
    }
    if (n_put > 0) {
        buffer_string(where, ")");
        buffer_byte(where, '\0');
    }
    return true;
}
