/* Writing JSON. Numbers have nine significant digits, which jansson can only be told
 * for a whole document: metadata would lose digits.
 *
 * A comma goes before a key or value where one is due, which the last byte of the
 * buffer tells: begin each document with an empty buffer or after a line feed. */
#ifndef KITH_TOOLS_JSON_WRITE_H
#define KITH_TOOLS_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "kith.h"

void put_open(buffer *buf, char bracket);  /* '{' or '[' */
void put_close(buffer *buf, char bracket); /* '}' or ']' */
void put_key(buffer *buf, const char *key);
void put_text(buffer *buf, kith_text text); /* bytes that are not UTF-8 become U+FFFD */
void put_count(buffer *buf, uint64_t count);
void put_real(buffer *buf, double value); /* nine significant digits */
void put_bool(buffer *buf, bool value);
void put_null(buffer *buf);
/* A key with a string, or with null where there is none. */
void put_text_or_null(buffer *buf, const char *key, const char *text);
/* A JSON object as it is, on one line; {} when empty; null when it is no object. */
void put_object(buffer *buf, kith_text json);

#endif
