/* Base64 (RFC 4648, with padding) of the bytes of vectors. */
#ifndef KITH_TOOLS_BASE64_H
#define KITH_TOOLS_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

void base64_put(buffer *out, const void *bytes, size_t n_bytes);
/* Append what it stands for. False when it is not base64. */
bool base64_read(buffer *out, const char *text, size_t n_bytes);

#endif
