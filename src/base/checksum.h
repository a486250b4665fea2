/* Checksums of what is stored (XXH3) and digests of what is imported (SHA-256). */
#ifndef KBASE_CHECKSUM_H
#define KBASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

typedef struct kbase_hash128 {
    uint64_t low;
    uint64_t high;
} kbase_hash128;

uint64_t kbase_hash64(const void *data, size_t n_bytes);
kbase_hash128 kbase_hash128_of(const void *data, size_t n_bytes);

#define KBASE_SHA256_BYTES 32

void kbase_sha256(const void *data, size_t n_bytes,
                  unsigned char digest[KBASE_SHA256_BYTES]);

/* Lower-case hex of n_bytes bytes, NUL-terminated: out holds 2 * n_bytes + 1. */
void kbase_hex(const void *data, size_t n_bytes, char *out);

#endif
