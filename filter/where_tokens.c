#include "where_tokens.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "error.h"

kith_status kfil_fail_at(const kfil_scanner *scanner, const char *at, kith_error *err,
                         const char *format, ...)
{
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    size_t column = 1;
    for (const char *c = scanner->text; c < at; c++) {
        column += ((unsigned char)*c & 0xc0) != 0x80; /* characters, not bytes */
    }
    return kbase_fail(err, KITH_INVALID, "the filter, column %zu: %s", column, what);
}

bool kfil_is_keyword(const kfil_token *token, const char *keyword)
{
    return token->kind == KFIL_TOKEN_WORD && strlen(keyword) == token->n_bytes &&
           strncasecmp(token->at, keyword, token->n_bytes) == 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *end_of_name(const char *at)
{
    while (is_letter(*at) || is_digit(*at) || *at == '-') {
        at++;
    }
    return at;
}

/* ------------------------------------------------------------------ fields */

/* One name, bare or in backquotes; *bare stays true while all of them are bare. */
static kith_status read_name(kfil_scanner *scanner, char **out, bool *bare,
                             kith_error *err)
{
    const char *at = scanner->next;
    if (*at == '`') {
        const char *end = strchr(at + 1, '`');
        if (end == NULL) {
            return kfil_fail_at(scanner, at, err, "this backquote is never closed");
        }
        memcpy(*out, at + 1, (size_t)(end - at) - 1);
        *out += end - at - 1;
        scanner->next = end + 1;
        *bare = false;
        return KITH_OK;
    }
    if (!is_letter(*at)) {
        return kfil_fail_at(scanner, at, err, "a name is needed behind the dot");
    }
    const char *end = end_of_name(at);
    memcpy(*out, at, (size_t)(end - at));
    *out += end - at;
    scanner->next = end;
    return KITH_OK;
}

/* Names with dots between them. */
static kith_status read_field(kfil_scanner *scanner, kfil_token *token, kith_error *err)
{
    char *key = scanner->room;
    char *end = key;
    bool bare = true;
    kith_status status = KITH_OK;
    *end++ = KFIL_METADATA;
    for (size_t n_names = 1; status == KITH_OK; n_names++) {
        if (n_names > KFIL_MAX_NAMES) {
            return kfil_fail_at(scanner, scanner->next, err,
                                "a field has at most %d names", KFIL_MAX_NAMES);
        }
        status = read_name(scanner, &end, &bare, err);
        if (status != KITH_OK || *scanner->next != '.') {
            break;
        }
        *end++ = '\0';
        scanner->next++;
    }
    *end = '\0';
    scanner->room = end + 1;
    token->kind = bare ? KFIL_TOKEN_WORD : KFIL_TOKEN_FIELD;
    token->content = (kith_text){ key, (size_t)(end - key) };
    return status;
}

static kith_status read_record_field(kfil_scanner *scanner, kfil_token *token,
                                     kith_error *err)
{
    static const char *const names[] = { "$id", "$source", "$title" };
    const char *at = scanner->next;
    scanner->next = end_of_name(at + 1);
    size_t n_bytes = (size_t)(scanner->next - at);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == n_bytes && memcmp(names[i], at, n_bytes) == 0) {
            token->kind = KFIL_TOKEN_FIELD;
            token->content = (kith_text){ names[i], n_bytes };
            return KITH_OK;
        }
    }
    return kfil_fail_at(scanner, at, err,
                        "there are $id, $source and $title; a field of the metadata "
                        "with such a name stands in backquotes");
}

/* ------------------------------------------------------------------ values */

static kith_status read_string(kfil_scanner *scanner, kfil_token *token,
                               kith_error *err)
{
    const char *at = scanner->next;
    char *content = scanner->room;
    size_t n = 0;
    const char *c = at + 1;
    for (; *c != *at; c++) {
        if (*c == '\\') {
            c++;
            if (*c != '\\' && *c != '"' && *c != '\'') {
                return kfil_fail_at(scanner, c - 1, err,
                                    "a backslash stands before a quote or another one");
            }
        } else if (*c == '\0') {
            return kfil_fail_at(scanner, at, err, "this quote is never closed");
        }
        content[n++] = *c;
    }
    scanner->next = c + 1;
    token->kind = KFIL_TOKEN_STRING;
    token->content = (kith_text){ content, n };
    scanner->room = content + n;
    return KITH_OK;
}

/* By jansson, which goes by no locale, and as in the metadata. */
static kith_status read_number(kfil_scanner *scanner, kfil_token *token,
                               kith_error *err)
{
    const char *at = scanner->next;
    const char *end = at + 1;
    while (is_digit(*end) || is_letter(*end) || *end == '.' ||
           ((*end == '-' || *end == '+') && (end[-1] == 'e' || end[-1] == 'E'))) {
        end++;
    }
    json_t *json = json_loadb(at, (size_t)(end - at),
                              JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    kfil_value value = { .type = KFIL_NULL };
    bool is_number =
        json != NULL && kfil_value_from(json, &value) && value.type == KFIL_NUMBER;
    json_decref(json);
    if (!is_number) {
        return kfil_fail_at(scanner, at, err,
                            "this is no number, such as -3, 0.5 or 1e6");
    }
    scanner->next = end;
    token->kind = KFIL_TOKEN_NUMBER;
    token->number = value.number;
    return KITH_OK;
}

/* ------------------------------------------------------------------ tokens */

static bool read_sign(kfil_scanner *scanner, kfil_token *token)
{
    static const struct {
        const char *sign;
        kfil_token_kind kind;
    } signs[] = {
        { "(", KFIL_TOKEN_OPEN },        { ")", KFIL_TOKEN_CLOSE },
        { ",", KFIL_TOKEN_COMMA },       { "=", KFIL_TOKEN_EQUAL },
        { "!=", KFIL_TOKEN_NOT_EQUAL },  { "<=", KFIL_TOKEN_LESS_EQUAL },
        { "<", KFIL_TOKEN_LESS },        { ">=", KFIL_TOKEN_GREATER_EQUAL },
        { ">", KFIL_TOKEN_GREATER },
    };
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        size_t n_bytes = strlen(signs[i].sign);
        if (strncmp(scanner->next, signs[i].sign, n_bytes) == 0) {
            token->kind = signs[i].kind;
            scanner->next += n_bytes;
            return true;
        }
    }
    return false;
}

static kith_status read_token(kfil_scanner *scanner, kfil_token *token, kith_error *err)
{
    char c = *scanner->next;
    if (c == '\0' || read_sign(scanner, token)) {
        return KITH_OK;
    }
    if (c == '"' || c == '\'') {
        return read_string(scanner, token, err);
    }
    if (is_digit(c) || c == '-') {
        return read_number(scanner, token, err);
    }
    if (c == '$') {
        return read_record_field(scanner, token, err);
    }
    if (is_letter(c) || c == '`') {
        return read_field(scanner, token, err);
    }
    return kfil_fail_at(scanner, scanner->next, err,
                        c > 0x20 && c < 0x7f ? "\"%c\" has no meaning here"
                                             : "the byte %#04x has no meaning here",
                        c);
}

kith_status kfil_next_token(kfil_scanner *scanner, kfil_token *token, kith_error *err)
{
    scanner->next += strspn(scanner->next, " \t\r\n");
    *token = (kfil_token){ .kind = KFIL_TOKEN_END, .at = scanner->next };
    kith_status status = read_token(scanner, token, err);
    token->n_bytes = (size_t)(scanner->next - token->at);
    return status;
}
