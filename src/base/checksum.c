#include "checksum.h"

#include <nettle/sha2.h>
#include <xxhash.h>

uint64_t kbase_hash64(const void *data, size_t n_bytes)
{
    return XXH3_64bits(data, n_bytes);
}

kbase_hash128 kbase_hash128_of(const void *data, size_t n_bytes)
{
    XXH128_hash_t hash = XXH3_128bits(data, n_bytes);
    return (kbase_hash128){ hash.low64, hash.high64 };
}

void kbase_sha256(const void *data, size_t n_bytes,
                  unsigned char digest[KBASE_SHA256_BYTES])
{
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, n_bytes, data);
    sha256_digest(&context, KBASE_SHA256_BYTES, digest);
}

void kbase_hex(const void *data, size_t n_bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = data;
    for (size_t i = 0; i < n_bytes; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}
