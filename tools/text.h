/* Text for people: UTF-8, columns of a terminal, control bytes made harmless. */
#ifndef KITH_TOOLS_TEXT_H
#define KITH_TOOLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "kith.h"

kith_text text_of(const char *string); /* NULL: an empty text */
bool text_equals(kith_text a, kith_text b);
bool has_ending(const char *name, const char *ending); /* and something before it */
bool text_is_blank(kith_text text); /* ASCII white space only, or nothing */

/* The length of the code point at the start of n_bytes > 0 bytes; 0 when they are not
 * UTF-8 there (strict: no surrogates, nothing overlong). code_point may be NULL. */
size_t utf8_decode(const char *data, size_t n_bytes, uint32_t *code_point);
/* The offset of the first byte that is not UTF-8, or n_bytes. */
size_t utf8_valid_bytes(const char *data, size_t n_bytes);

/* Append text with control characters, and bytes that are not UTF-8, as \xNN. */
void text_escape(buffer *out, kith_text text);
/* The same, but line feeds and tabs stay. */
void text_escape_lines(buffer *out, kith_text text);

/* Append as much of the text as fits in so many columns, on one line: runs of white
 * space become one space, what is cut is shown by "...". */
void text_cut(buffer *out, kith_text text, size_t n_columns);
/* Append all of the text in lines of so many columns, broken at spaces where there are
 * any; every line starts with `indent` spaces and ends with a line feed. Line feeds of
 * the text stay. */
void text_wrap(buffer *out, kith_text text, size_t indent, size_t n_columns);

#endif
