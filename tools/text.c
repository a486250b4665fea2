#include "text.h"

#include <string.h>
#include <wchar.h>

kith_text text_of(const char *string)
{
    return (kith_text){ string, string == NULL ? 0 : strlen(string) };
}

bool text_equals(kith_text a, kith_text b)
{
    return a.n_bytes == b.n_bytes &&
           (a.n_bytes == 0 || memcmp(a.data, b.data, a.n_bytes) == 0);
}

bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name);
    size_t ending_length = strlen(ending);
    return length > ending_length && strcmp(name + length - ending_length, ending) == 0;
}

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

bool text_is_blank(kith_text text)
{
    for (size_t i = 0; i < text.n_bytes; i++) {
        if (!is_space(text.data[i])) {
            return false;
        }
    }
    return true;
}

size_t utf8_decode(const char *data, size_t n_bytes, uint32_t *code_point)
{
    static const uint32_t smallest[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *byte = (const unsigned char *)data;
    size_t length = byte[0] < 0x80   ? 1
                    : byte[0] < 0xc2 ? 0
                    : byte[0] < 0xe0 ? 2
                    : byte[0] < 0xf0 ? 3
                    : byte[0] < 0xf5 ? 4
                                     : 0;
    if (length == 0 || length > n_bytes) {
        return 0;
    }
    uint32_t value = length == 1 ? byte[0] : byte[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (byte[i] & 0x3f);
    }
    if (value < smallest[length] || value > 0x10ffff ||
        (value >= 0xd800 && value <= 0xdfff)) {
        return 0;
    }
    if (code_point != NULL) {
        *code_point = value;
    }
    return length;
}

size_t utf8_valid_bytes(const char *data, size_t n_bytes)
{
    size_t at = 0;
    while (at < n_bytes) {
        size_t length = utf8_decode(data + at, n_bytes - at, NULL);
        if (length == 0) {
            break;
        }
        at += length;
    }
    return at;
}

/* Controls, and the marks that reorder what a terminal shows. */
static bool is_unsafe(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) ||
           (code_point >= 0x202a && code_point <= 0x202e) ||
           (code_point >= 0x2066 && code_point <= 0x2069);
}

/* Append the first code point, or an escape of it; gives the bytes and columns it
 * takes. */
static size_t append_safe(buffer *out, kith_text text, size_t *n_columns)
{
    uint32_t code_point = 0;
    size_t length = utf8_decode(text.data, text.n_bytes, &code_point);
    size_t n_bytes = length == 0 ? 1 : length;
    if (length == 0 || is_unsafe(code_point)) {
        for (size_t i = 0; i < n_bytes; i++) {
            buffer_print(out, "\\x%02x", (unsigned char)text.data[i]);
        }
        *n_columns = 4 * n_bytes;
        return n_bytes;
    }
    int width = wcwidth((wchar_t)code_point);
    buffer_append(out, text.data, n_bytes);
    *n_columns = width < 0 ? 1 : (size_t)width;
    return n_bytes;
}

static void escape(buffer *out, kith_text text, bool keep_lines)
{
    for (size_t at = 0; at < text.n_bytes;) {
        if (keep_lines && (text.data[at] == '\n' || text.data[at] == '\t')) {
            buffer_byte(out, text.data[at++]);
        } else {
            size_t n_columns;
            at += append_safe(
                out, (kith_text){ text.data + at, text.n_bytes - at }, &n_columns);
        }
    }
}

void text_escape(buffer *out, kith_text text)
{
    escape(out, text, false);
}

void text_escape_lines(buffer *out, kith_text text)
{
    escape(out, text, true);
}

static size_t skip_spaces(kith_text text, size_t at)
{
    while (at < text.n_bytes && is_space(text.data[at])) {
        at++;
    }
    return at;
}

void text_cut(buffer *out, kith_text text, size_t n_columns)
{
    const size_t dots = 3;
    size_t used = 0;
    size_t fits = out->size; /* where the dots would go */
    for (size_t at = skip_spaces(text, 0); at < text.n_bytes;) {
        size_t width = 1;
        size_t before = out->size;
        if (is_space(text.data[at])) {
            at = skip_spaces(text, at);
            if (at == text.n_bytes) {
                return;
            }
            buffer_byte(out, ' ');
        } else {
            at += append_safe(
                out, (kith_text){ text.data + at, text.n_bytes - at }, &width);
        }
        if (used + dots <= n_columns) {
            fits = before;
        }
        used += width;
        if (used > n_columns) {
            out->size = fits;
            buffer_append(out, "...", n_columns < dots ? n_columns : dots);
            return;
        }
    }
}

/* Append the next word, escaped, to `word`; gives the bytes taken. */
static size_t next_word(buffer *word, kith_text text, size_t at, size_t *n_columns)
{
    size_t start = at;
    *n_columns = 0;
    while (at < text.n_bytes && !is_space(text.data[at])) {
        size_t width;
        at +=
            append_safe(word, (kith_text){ text.data + at, text.n_bytes - at }, &width);
        *n_columns += width;
    }
    return at - start;
}

static void wrap_line(buffer *out, kith_text line, size_t indent, size_t n_columns)
{
    buffer word = BUFFER_EMPTY;
    size_t used = 0;
    for (size_t at = skip_spaces(line, 0); at < line.n_bytes;
         at = skip_spaces(line, at)) {
        size_t width;
        buffer_clear(&word);
        at += next_word(&word, line, at, &width);
        if (used > 0 && used + 1 + width > n_columns) {
            buffer_byte(out, '\n');
            used = 0;
        }
        if (used == 0) {
            buffer_print(out, "%*s", (int)indent, "");
            used = indent;
        } else {
            buffer_byte(out, ' ');
            used++;
        }
        buffer_append(out, word.data, word.size);
        used += width;
    }
    buffer_byte(out, '\n');
    buffer_free(&word);
}

void text_wrap(buffer *out, kith_text text, size_t indent, size_t n_columns)
{
    while (text.n_bytes > 0 && is_space(text.data[text.n_bytes - 1])) {
        text.n_bytes--;
    }
    for (size_t at = 0; at < text.n_bytes;) {
        const char *end = memchr(text.data + at, '\n', text.n_bytes - at);
        size_t length =
            end == NULL ? text.n_bytes - at : (size_t)(end - text.data) - at;
        wrap_line(out, (kith_text){ text.data + at, length }, indent, n_columns);
        at += length + 1;
    }
}
