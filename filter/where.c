/* The parser: recursive descent over
 *
 *   any       = all { OR all }
 *   all       = one { AND one }
 *   one       = NOT one | "(" any ")" | EXISTS field | field test
 *   test      = sign value | [NOT] IN "(" value { "," value } ")"
 *             | [NOT] STARTS WITH string
 */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "memory.h"
#include "where_parts.h"
#include "where_tokens.h"

#define MAX_BYTES 65536
/* Parentheses inside each other. */
#define MAX_DEPTH 64

typedef struct parser {
    kfil_scanner scanner;
    kfil_token token; /* the one that is looked at */
    kfil_where *where;
    unsigned depth;
} parser;

static kith_status advance(parser *p, kith_error *err)
{
    return kfil_next_token(&p->scanner, &p->token, err);
}

static kith_status fail_expected(const parser *p, const char *what, kith_error *err)
{
    const kfil_token *token = &p->token;
    if (token->kind == KFIL_TOKEN_END) {
        return kfil_fail_at(&p->scanner, token->at, err, "%s is needed, not the end",
                            what);
    }
    int n_bytes = 0; /* whole characters of what is there instead */
    for (size_t i = 0; i < token->n_bytes && i < 40 &&
                       (unsigned char)token->at[i] >= 0x20 && token->at[i] != 0x7f;
         i++) {
        n_bytes = ((unsigned char)token->at[i + 1] & 0xc0) != 0x80 ? (int)i + 1 : n_bytes;
    }
    return kfil_fail_at(&p->scanner, token->at, err, "%s is needed, not %.*s", what,
                        n_bytes, token->at);
}

static kith_status new_node(parser *p, kfil_op op, kfil_node **out, kith_error *err)
{
    kfil_node *node = kbase_arena_alloc(&p->where->arena, sizeof(*node));
    if (node == NULL) {
        return kbase_fail_memory(err, sizeof(*node));
    }
    *node = (kfil_node){ .op = op };
    *out = node;
    return KITH_OK;
}

/* ------------------------------------------------------------------ values */

static bool token_is_value(const kfil_token *token)
{
    return token->kind == KFIL_TOKEN_STRING || token->kind == KFIL_TOKEN_NUMBER ||
           kfil_is_keyword(token, "true") || kfil_is_keyword(token, "false") ||
           kfil_is_keyword(token, "null");
}

static kith_status parse_value(parser *p, kfil_value *value, kith_error *err)
{
    const kfil_token *token = &p->token;
    if (!token_is_value(token)) {
        return fail_expected(p, "a value, such as \"en\", 2020, true or null,", err);
    }
    *value = (kfil_value){ .type = KFIL_NULL };
    if (token->kind == KFIL_TOKEN_STRING) {
        value->type = KFIL_STRING;
        value->string = token->content;
        if (token->content.n_bytes > p->where->longest_string) {
            p->where->longest_string = token->content.n_bytes;
        }
    } else if (token->kind == KFIL_TOKEN_NUMBER) {
        value->type = KFIL_NUMBER;
        value->number = token->number;
    } else if (!kfil_is_keyword(token, "null")) {
        value->type = kfil_is_keyword(token, "true") ? KFIL_TRUE : KFIL_FALSE;
    }
    return advance(p, err);
}

static kith_status parse_one_value(parser *p, kfil_node *node, kith_error *err)
{
    node->values = kbase_arena_alloc(&p->where->arena, sizeof(*node->values));
    if (node->values == NULL) {
        return kbase_fail_memory(err, sizeof(*node->values));
    }
    node->n_values = 1;
    return parse_value(p, node->values, err);
}

/* What stands behind IN. */
static kith_status parse_list(parser *p, kfil_node *node, kith_error *err)
{
    kbase_buffer values = KBASE_BUFFER_INIT;
    kith_status status = p->token.kind == KFIL_TOKEN_OPEN
                             ? KITH_OK
                             : fail_expected(p, "( behind IN", err);
    do {
        kfil_value value;
        if (status == KITH_OK) {
            status = advance(p, err);
        }
        if (status == KITH_OK) {
            status = parse_value(p, &value, err);
        }
        if (status == KITH_OK) {
            status = kbase_buffer_append(&values, &value, sizeof(value), err);
        }
    } while (status == KITH_OK && p->token.kind == KFIL_TOKEN_COMMA);
    if (status == KITH_OK && p->token.kind != KFIL_TOKEN_CLOSE) {
        status = fail_expected(p, ", or )", err);
    }
    if (status == KITH_OK) {
        node->n_values = values.n_bytes / sizeof(kfil_value);
        node->values = kbase_arena_alloc(&p->where->arena, values.n_bytes);
        status = node->values != NULL ? advance(p, err)
                                      : kbase_fail_memory(err, values.n_bytes);
    }
    if (status == KITH_OK) {
        memcpy(node->values, values.data, values.n_bytes);
        qsort(node->values, node->n_values, sizeof(*node->values), kfil_value_compare);
    }
    kbase_buffer_free(&values);
    return status;
}

/* ------------------------------------------------------------------ conditions */

static kith_status parse_field(parser *p, kith_text *field, kith_error *err)
{
    static const char *const keywords[] = { "and",   "or",   "not",  "in",
                                            "true",  "false", "null", "exists" };
    const kfil_token *token = &p->token;
    bool is_field = token->kind == KFIL_TOKEN_WORD || token->kind == KFIL_TOKEN_FIELD;
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]) && is_field; i++) {
        is_field = !kfil_is_keyword(token, keywords[i]);
    }
    if (!is_field) {
        return fail_expected(p, "a field, bare or in backquotes,", err);
    }
    *field = token->content;
    p->where->reads_metadata |= field->data[0] == KFIL_METADATA;
    return advance(p, err);
}

static kith_status parse_starts_with(parser *p, kfil_node *node, kith_error *err)
{
    node->op = KFIL_STARTS_WITH;
    if (!kfil_is_keyword(&p->token, "with")) {
        return fail_expected(p, "WITH behind STARTS", err);
    }
    kith_status status = advance(p, err);
    if (status == KITH_OK && p->token.kind != KFIL_TOKEN_STRING) {
        status = fail_expected(p, "a string", err);
    }
    return status == KITH_OK ? parse_one_value(p, node, err) : status;
}

/* = and its relatives. */
static kith_status parse_comparison(parser *p, kfil_node *node, bool *is_negated,
                                    kith_error *err)
{
    const kfil_token_kind kind = p->token.kind;
    *is_negated = kind == KFIL_TOKEN_NOT_EQUAL;
    node->op = kind == KFIL_TOKEN_LESS            ? KFIL_LESS
               : kind == KFIL_TOKEN_LESS_EQUAL    ? KFIL_LESS_EQUAL
               : kind == KFIL_TOKEN_GREATER       ? KFIL_GREATER
               : kind == KFIL_TOKEN_GREATER_EQUAL ? KFIL_GREATER_EQUAL
                                                  : KFIL_IN;
    if (kind < KFIL_TOKEN_EQUAL) {
        return fail_expected(p, "=, !=, <, <=, >, >=, IN or STARTS WITH", err);
    }
    kith_status status = advance(p, err);
    if (status == KITH_OK && node->op != KFIL_IN && token_is_value(&p->token) &&
        p->token.kind == KFIL_TOKEN_WORD) {
        status = fail_expected(p, "a number or a string", err);
    }
    return status == KITH_OK ? parse_one_value(p, node, err) : status;
}

/* Put NOT above a node. */
static kith_status negate(parser *p, kfil_node **node, kith_error *err)
{
    kfil_node *above = NULL;
    kith_status status = new_node(p, KFIL_NOT, &above, err);
    if (status == KITH_OK) {
        above->first = *node;
        *node = above;
    }
    return status;
}

static kith_status parse_condition(parser *p, kfil_node **out, kith_error *err)
{
    bool is_negated = false;
    kith_status status = new_node(p, KFIL_IN, out, err);
    kfil_node *node = *out;
    if (status == KITH_OK) {
        status = parse_field(p, &node->field, err);
    }
    if (status == KITH_OK && kfil_is_keyword(&p->token, "not")) {
        is_negated = true;
        status = advance(p, err);
        if (status == KITH_OK && !kfil_is_keyword(&p->token, "in") &&
            !kfil_is_keyword(&p->token, "starts")) {
            status = fail_expected(p, "IN or STARTS WITH", err);
        }
    }
    if (status != KITH_OK) {
        return status;
    }
    if (kfil_is_keyword(&p->token, "in")) {
        status = advance(p, err);
        status = status == KITH_OK ? parse_list(p, node, err) : status;
    } else if (kfil_is_keyword(&p->token, "starts")) {
        status = advance(p, err);
        status = status == KITH_OK ? parse_starts_with(p, node, err) : status;
    } else {
        status = parse_comparison(p, node, &is_negated, err);
    }
    return status == KITH_OK && is_negated ? negate(p, out, err) : status;
}

/* ------------------------------------------------------------------ joins */

static kith_status parse_join(parser *p, kfil_op op, kfil_node **out, kith_error *err);

static kith_status parse_group(parser *p, kfil_node **out, kith_error *err)
{
    if (++p->depth > MAX_DEPTH) {
        return kfil_fail_at(&p->scanner, p->token.at, err,
                            "more than %d parentheses inside each other", MAX_DEPTH);
    }
    kith_status status = advance(p, err);
    if (status == KITH_OK) {
        status = parse_join(p, KFIL_OR, out, err);
    }
    if (status == KITH_OK && p->token.kind != KFIL_TOKEN_CLOSE) {
        status = fail_expected(p, "AND, OR or )", err);
    }
    p->depth--;
    return status == KITH_OK ? advance(p, err) : status;
}

static kith_status parse_exists(parser *p, kfil_node **out, kith_error *err)
{
    kith_status status = new_node(p, KFIL_EXISTS, out, err);
    if (status == KITH_OK) {
        status = advance(p, err);
    }
    return status == KITH_OK ? parse_field(p, &(*out)->field, err) : status;
}

static kith_status parse_one(parser *p, kfil_node **out, kith_error *err)
{
    bool is_negated = false;
    kith_status status = KITH_OK;
    while (status == KITH_OK && kfil_is_keyword(&p->token, "not")) {
        is_negated = !is_negated;
        status = advance(p, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    if (p->token.kind == KFIL_TOKEN_OPEN) {
        status = parse_group(p, out, err);
    } else if (kfil_is_keyword(&p->token, "exists")) {
        status = parse_exists(p, out, err);
    } else {
        status = parse_condition(p, out, err);
    }
    return status == KITH_OK && is_negated ? negate(p, out, err) : status;
}

/* One or more, joined by `op`, which is KFIL_AND or KFIL_OR. */
static kith_status parse_join(parser *p, kfil_op op, kfil_node **out, kith_error *err)
{
    kfil_node *first = NULL;
    kfil_node **last = &first;
    kith_status status = KITH_OK;
    for (;;) {
        status = op == KFIL_OR ? parse_join(p, KFIL_AND, last, err)
                               : parse_one(p, last, err);
        if (status != KITH_OK ||
            !kfil_is_keyword(&p->token, op == KFIL_OR ? "or" : "and")) {
            break;
        }
        last = &(*last)->next;
        status = advance(p, err);
        if (status != KITH_OK) {
            break;
        }
    }
    *out = first;
    if (status != KITH_OK || first->next == NULL) {
        return status;
    }
    status = new_node(p, op, out, err);
    if (status == KITH_OK) {
        (*out)->first = first;
    }
    return status;
}

/* ------------------------------------------------------------------ the entry */

kith_status kfil_where_parse(const char *text, kfil_where **out, kith_error *err)
{
    if (strnlen(text, MAX_BYTES + 1) > MAX_BYTES) {
        return kbase_fail(err, KITH_INVALID, "a filter of more than %d bytes", MAX_BYTES);
    }
    kfil_where *where = kbase_calloc(1, sizeof(*where));
    if (where == NULL) {
        return kbase_fail_memory(err, sizeof(*where));
    }
    /* A key has at most two bytes more than what is written, which has at least one. */
    char *room = kbase_arena_alloc(&where->arena, 3 * strlen(text) + 1);
    parser p = { .scanner = { text, text, room }, .where = where };
    kith_status status = room != NULL ? advance(&p, err)
                                      : kbase_fail_memory(err, 3 * strlen(text));
    if (status == KITH_OK) {
        status = parse_join(&p, KFIL_OR, &where->root, err);
    }
    if (status == KITH_OK && p.token.kind != KFIL_TOKEN_END) {
        status = fail_expected(&p, "AND, OR or the end", err);
    }
    if (status != KITH_OK) {
        kfil_where_free(where);
        return status;
    }
    *out = where;
    return KITH_OK;
}

void kfil_where_free(kfil_where *where)
{
    if (where != NULL) {
        kbase_arena_free(&where->arena);
        free(where);
    }
}
