#include "unicode.h"

#include <utf8proc.h>

size_t kenc_decode(const char *text, size_t n_bytes, uint32_t *code_point)
{
    const unsigned char *bytes = (const unsigned char *)text;
    const unsigned char lead = bytes[0];
    *code_point = lead;
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        *code_point = KENC_REPLACEMENT;
        return 1;
    }
    /* The second byte decides between valid and overlong, surrogate or too large. */
    const size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    uint32_t value = lead & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (i == n_bytes || bytes[i] < low || bytes[i] > high) {
            *code_point = KENC_REPLACEMENT;
            return i;
        }
        value = value << 6 | (bytes[i] & 0x3f);
        low = 0x80;
        high = 0xbf;
    }
    *code_point = value;
    return length;
}

kenc_class kenc_class_of(uint32_t code_point)
{
    /* The last change that is not behind the code point. */
    size_t low = kenc_class_pages[256];
    size_t high = kenc_n_class_changes - 1;
    if (code_point < 0x10000) {
        low = kenc_class_pages[code_point >> 8];
        high = kenc_class_pages[(code_point >> 8) + 1];
    }
    while (low < high) {
        size_t middle = (low + high + 1) / 2;
        if (kenc_class_changes[middle] >> 8 <= code_point) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return (kenc_class)(kenc_class_changes[low] & 0xff);
}

size_t kenc_decompose(uint32_t code_point, uint32_t out[KENC_MAX_DECOMPOSITION])
{
    utf8proc_int32_t parts[KENC_MAX_DECOMPOSITION];
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)code_point, parts,
                                                 KENC_MAX_DECOMPOSITION,
                                                 UTF8PROC_DECOMPOSE, &boundary);
    if (n < 1 || n > KENC_MAX_DECOMPOSITION) {
        out[0] = code_point;
        return 1;
    }
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        out[i] = (uint32_t)parts[i];
    }
    return (size_t)n;
}

size_t kenc_lowercase(uint32_t code_point, uint32_t out[KENC_MAX_LOWERCASE])
{
    switch (code_point) {
    case 0x0130: /* I with dot above, the only one that becomes two */
        out[0] = 'i';
        out[1] = 0x0307;
        return 2;
    case 0xa7cb: /* capitals that Unicode 16 gave to older letters */
        out[0] = 0x0264;
        return 1;
    case 0xa7dc:
        out[0] = 0x019b;
        return 1;
    default:
        out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code_point);
        return 1;
    }
}

unsigned kenc_combining_class(uint32_t code_point)
{
    const utf8proc_property_t *property =
        utf8proc_get_property((utf8proc_int32_t)code_point);
    return (unsigned)property->combining_class;
}
