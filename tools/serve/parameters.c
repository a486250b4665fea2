#include "parameters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* ------------------------------------------------------------------ query strings */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool percent_decode(buffer *out, kith_text part, bool plus_is_space)
{
    const size_t start = out->size;
    for (size_t i = 0; i < part.n_bytes; i++) {
        char c = part.data[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            const bool is_whole = part.n_bytes - i > 2;
            const int high = is_whole ? digit_of(part.data[i + 1]) : -1;
            const int low = is_whole ? digit_of(part.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        buffer_byte(out, c);
    }
    const size_t n_bytes = out->size - start;
    return n_bytes == 0 || utf8_valid_bytes(out->data + start, n_bytes) == n_bytes;
}

/* The text up to the separator, which is taken off the rest with it. */
static kith_text next_part(kith_text *rest, char separator)
{
    const char *end = memchr(rest->data, separator, rest->n_bytes);
    kith_text part = { rest->data,
                       end == NULL ? rest->n_bytes : (size_t)(end - rest->data) };
    const size_t n_taken = part.n_bytes + (end != NULL);
    *rest = (kith_text){ rest->data + n_taken, rest->n_bytes - n_taken };
    return part;
}

static bool add_pair(request *r, kith_text pair, json_t *parameters)
{
    buffer name = BUFFER_EMPTY;
    buffer value = BUFFER_EMPTY;
    bool is_added = false;
    const kith_text written = next_part(&pair, '=');
    if (!percent_decode(&name, written, true) || !percent_decode(&value, pair, true)) {
        request_refuse(r, "the query string is not percent-encoded UTF-8");
    } else if (name.size > 0 && memchr(name.data, '\0', name.size) != NULL) {
        request_refuse(r, "a name in the query string holds a NUL");
    } else {
        buffer_byte(&name, '\0');
        if (json_object_get(parameters, name.data) != NULL) {
            request_refuse(r, "\"%s\" is there twice", name.data);
        } else {
            json_object_set_new(
                parameters, name.data,
                json_stringn(value.size > 0 ? value.data : "", value.size));
            is_added = true;
        }
    }
    buffer_free(&name);
    buffer_free(&value);
    return is_added;
}

bool parameters_read_query(request *r, json_t **parameters)
{
    kith_text rest = r->query;
    bool is_good = true;
    *parameters = json_object();
    while (rest.n_bytes > 0 && is_good) {
        const kith_text pair = next_part(&rest, '&');
        is_good = pair.n_bytes == 0 || add_pair(r, pair, *parameters);
    }
    return is_good;
}

/* ------------------------------------------------------------------ bodies */

/* jansson calls itself for each level, and takes memory for each value: what it would
 * not bear is found before. */
static bool check_size(request *r)
{
    const buffer *body = &r->body;
    size_t depth = 0;
    size_t n_values = 0;
    size_t n_parts = 0;
    bool is_string = false;
    for (size_t i = 0; i < body->size; i++) {
        const char c = body->data[i];
        const bool opens = c == '{' || c == '[';
        if (is_string) {
            i += c == '\\';
            is_string = c != '"';
            continue;
        }
        is_string = c == '"';
        depth += opens;
        depth -= (c == '}' || c == ']') && depth > 0;
        n_parts += opens;
        n_values += opens || c == ',';
        if (depth > MAX_JSON_DEPTH || n_values > MAX_JSON_VALUES ||
            n_parts > MAX_JSON_PARTS) {
            return request_fail(r, HTTP_BAD_REQUEST, "invalid_json",
                                "the JSON has more than %d levels, %d values, or %d "
                                "objects and arrays",
                                MAX_JSON_DEPTH, MAX_JSON_VALUES, MAX_JSON_PARTS);
        }
    }
    return true;
}

static bool read_body(request *r)
{
    json_error_t error;
    if (!check_size(r)) {
        return false;
    }
    r->parameters = json_loadb(r->body.size > 0 ? r->body.data : "", r->body.size,
                               JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (r->parameters == NULL) {
        char *quoted = strstr(error.text, " near ");
        if (quoted != NULL) {
            *quoted = '\0'; /* what the client sent */
        }
        return request_fail(r, HTTP_BAD_REQUEST, "invalid_json",
                            "the body is not JSON: line %d, column %d: %s", error.line,
                            error.column, error.text);
    }
    if (!json_is_object(r->parameters)) {
        return request_fail(r, HTTP_BAD_REQUEST, "invalid_json",
                            "the body is JSON, but not an object");
    }
    return true;
}

bool parameters_read(request *r)
{
    return r->method == METHOD_GET ? parameters_read_query(r, &r->parameters)
                                   : read_body(r);
}

/* ------------------------------------------------------------------ values */

static bool is_among(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0) {
        names++;
    }
    return *names != NULL;
}

bool parameters_check_names(request *r, const char *const *names)
{
    const char *name;
    json_t *value;
    if (r->method == METHOD_POST && r->query.n_bytes > 0) {
        return request_refuse(r,
                              "what a POST asks for stands in its body, not behind ?");
    }
    json_object_foreach(r->parameters, name, value)
    {
        if (!is_among(name, names)) {
            return request_refuse(r, "there is no parameter \"%s\" here", name);
        }
    }
    return true;
}

const json_t *parameter(const request *r, const char *name)
{
    const json_t *value = json_object_get(r->parameters, name);
    return json_is_null(value) ? NULL : value;
}

kith_text json_text(const json_t *string)
{
    return (kith_text){ json_string_value(string), json_string_length(string) };
}

bool parameter_text(request *r, const char *name, kith_text *value)
{
    const json_t *given = parameter(r, name);
    if (given == NULL) {
        return true;
    }
    if (!json_is_string(given)) {
        return request_refuse(r, "\"%s\" is to be a string", name);
    }
    *value = json_text(given);
    return true;
}

bool parameter_needed_text(request *r, const char *name, kith_text *value)
{
    *value = text_of(NULL);
    if (!parameter_text(r, name, value)) {
        return false;
    }
    return !text_is_blank(*value) ||
           request_refuse(r, "\"%s\" is needed, and not empty", name);
}

/* From JSON or, in a query string, from the text of a number. */
static bool read_number(const request *r, const json_t *given, double *number)
{
    if (json_is_number(given)) {
        *number = json_number_value(given);
        return true;
    }
    if (r->method != METHOD_GET || !json_is_string(given)) {
        return false;
    }
    const char *text = json_string_value(given);
    char *end;
    *number = strtod(text, &end);
    /* strtod() also takes blanks, hexadecimal digits and the word "infinity". */
    return end != text && strlen(text) == json_string_length(given) &&
           text[strspn(text, "0123456789+-.eE")] == '\0' && *end == '\0' &&
           isfinite(*number);
}

bool parameter_number(request *r, const char *name, double least, double most,
                      double *value)
{
    const json_t *given = parameter(r, name);
    double number;
    if (given == NULL) {
        return true;
    }
    if (!read_number(r, given, &number) || number < least || number > most) {
        return request_refuse(r, "\"%s\" is to be a number from %g to %g", name, least,
                              most);
    }
    *value = number;
    return true;
}

bool parameter_count(request *r, const char *name, uint32_t least, uint32_t most,
                     uint32_t *value)
{
    const json_t *given = parameter(r, name);
    double number;
    if (given == NULL) {
        return true;
    }
    if (!read_number(r, given, &number) || number < least || number > most ||
        number != floor(number)) {
        return request_refuse(r, "\"%s\" is to be a whole number from %u to %u", name,
                              least, most);
    }
    *value = (uint32_t)number;
    return true;
}

bool parameter_bool(request *r, const char *name, bool *value)
{
    const json_t *given = parameter(r, name);
    if (given == NULL) {
        return true;
    }
    const kith_text text = json_text(given);
    const bool is_text = r->method == METHOD_GET && json_is_string(given);
    const bool is_yes = is_text && text_equals(text, text_of("true"));
    const bool is_no = is_text && text_equals(text, text_of("false"));
    if (!json_is_boolean(given) && !is_yes && !is_no) {
        return request_refuse(r, "\"%s\" is to be true or false", name);
    }
    *value = json_is_true(given) || is_yes;
    return true;
}
