#include "base64.h"

#include <stdint.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(buffer *out, const void *bytes, size_t n_bytes)
{
    const unsigned char *from = bytes;
    for (size_t i = 0; i < n_bytes; i += 3) {
        size_t n = n_bytes - i < 3 ? n_bytes - i : 3;
        uint32_t bits = (uint32_t)from[i] << 16;
        bits |= n > 1 ? (uint32_t)from[i + 1] << 8 : 0;
        bits |= n > 2 ? from[i + 2] : 0;
        for (size_t j = 0; j < 4; j++) {
            buffer_byte(out, j <= n ? digits[bits >> (18 - 6 * j) & 63] : '=');
        }
    }
}

/* The value of a digit, 0 to 63; 64 for any other byte. */
static uint32_t value_of(char digit)
{
    return digit >= 'A' && digit <= 'Z'   ? (uint32_t)(digit - 'A')
           : digit >= 'a' && digit <= 'z' ? (uint32_t)(digit - 'a') + 26
           : digit >= '0' && digit <= '9' ? (uint32_t)(digit - '0') + 52
           : digit == '+'                 ? 62
           : digit == '/'                 ? 63
                                          : 64;
}

bool base64_read(buffer *out, const char *text, size_t n_bytes)
{
    if (n_bytes % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < n_bytes; i += 4) {
        size_t n = 3; /* bytes that the four digits stand for */
        while (i + 4 == n_bytes && n > 1 && text[i + n] == '=') {
            n--;
        }
        uint32_t bits = 0;
        for (size_t j = 0; j < 4; j++) {
            uint32_t value = j <= n ? value_of(text[i + j]) : 0;
            if (value > 63) {
                return false;
            }
            bits = bits << 6 | value;
        }
        const char bytes[3] = { (char)(bits >> 16 & 255), (char)(bits >> 8 & 255),
                                (char)(bits & 255) };
        buffer_append(out, bytes, n);
    }
    return true;
}
