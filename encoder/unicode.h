/* Characters as the reference tokenizer sees them. Its tables are of different ages:
 * categories are those of Unicode 8 (what was assigned later is a plain letter), white
 * space and lowercase are current, canonical decomposition does not change with age. */
#ifndef KENC_UNICODE_H
#define KENC_UNICODE_H

#include <stddef.h>
#include <stdint.h>

#include "unicode_tables.h"

#define KENC_REPLACEMENT 0xfffd
#define KENC_MAX_DECOMPOSITION 4 /* code points that one can become */
#define KENC_MAX_LOWERCASE 2

/* Decode the character that text[0] begins; n_bytes, at least 1, are there. Bytes that
 * are not UTF-8 give U+FFFD for as many of them as could have been the beginning of a
 * character, at least one. Returns the number of bytes. */
size_t kenc_decode(const char *text, size_t n_bytes, uint32_t *code_point);

kenc_class kenc_class_of(uint32_t code_point);

/* The canonical decomposition, complete; returns how many code points, at least 1. */
size_t kenc_decompose(uint32_t code_point, uint32_t out[KENC_MAX_DECOMPOSITION]);

/* The lowercase mapping, whatever stands around; returns how many code points. */
size_t kenc_lowercase(uint32_t code_point, uint32_t out[KENC_MAX_LOWERCASE]);

/* The canonical combining class; 0 for what no mark may be moved past. */
unsigned kenc_combining_class(uint32_t code_point);

#endif
