#include "json_write.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "json_read.h"
#include "text.h"

static void separate(buffer *buf)
{
    if (buf->size > 0 && strchr("{[:\n", buf->data[buf->size - 1]) == NULL) {
        buffer_byte(buf, ',');
    }
}

void put_open(buffer *buf, char bracket)
{
    separate(buf);
    buffer_byte(buf, bracket);
}

void put_close(buffer *buf, char bracket)
{
    buffer_byte(buf, bracket);
}

void put_key(buffer *buf, const char *key)
{
    separate(buf);
    buffer_byte(buf, '"');
    buffer_string(buf, key);
    buffer_append(buf, "\":", 2);
}

/* How many bytes at the start stand for themselves in a string. */
static size_t plain_bytes(const char *data, size_t n_bytes)
{
    size_t n = 0;
    while (n < n_bytes && data[n] >= 0x20 && data[n] < 0x7f && data[n] != '"' &&
           data[n] != '\\') {
        n++;
    }
    return n;
}

void put_text(buffer *buf, kith_text text)
{
    separate(buf);
    buffer_byte(buf, '"');
    for (size_t at = 0; at < text.n_bytes;) {
        size_t n_plain = plain_bytes(text.data + at, text.n_bytes - at);
        buffer_append(buf, text.data + at, n_plain);
        at += n_plain;
        if (at == text.n_bytes) {
            break;
        }
        unsigned char byte = (unsigned char)text.data[at];
        size_t length = utf8_decode(text.data + at, text.n_bytes - at, NULL);
        if (byte == '"' || byte == '\\') {
            buffer_byte(buf, '\\');
            buffer_byte(buf, (char)byte);
        } else if (byte == '\n') {
            buffer_string(buf, "\\n");
        } else if (byte == '\t') {
            buffer_string(buf, "\\t");
        } else if (byte < 0x20 || byte == 0x7f) {
            buffer_print(buf, "\\u%04x", byte);
        } else if (length == 0) {
            buffer_string(buf, "\xef\xbf\xbd");
        } else {
            buffer_append(buf, text.data + at, length);
        }
        at += length == 0 ? 1 : length;
    }
    buffer_byte(buf, '"');
}

void put_count(buffer *buf, uint64_t count)
{
    separate(buf);
    buffer_print(buf, "%" PRIu64, count);
}

void put_real(buffer *buf, double value)
{
    separate(buf);
    if (isfinite(value)) {
        buffer_print(buf, "%.9g", value);
    } else {
        buffer_string(buf, "null");
    }
}

void put_bool(buffer *buf, bool value)
{
    separate(buf);
    buffer_string(buf, value ? "true" : "false");
}

void put_null(buffer *buf)
{
    separate(buf);
    buffer_string(buf, "null");
}

void put_text_or_null(buffer *buf, const char *key, const char *text)
{
    put_key(buf, key);
    if (text == NULL) {
        put_null(buf);
    } else {
        put_text(buf, text_of(text));
    }
}

void put_object(buffer *buf, kith_text json)
{
    if (json.n_bytes == 0) {
        put_open(buf, '{');
        put_close(buf, '}');
        return;
    }
    /* The library stores metadata as it was given, by whatever program. */
    if (!json_is_valid_object(json)) {
        put_null(buf);
        return;
    }
    separate(buf);
    size_t start = buf->size;
    buffer_append(buf, json.data, json.n_bytes);
    for (size_t i = start; i < buf->size; i++) {
        if (buf->data[i] == '\n' || buf->data[i] == '\r') {
            buf->data[i] = ' '; /* between tokens: in a string it would be escaped */
        }
    }
}
