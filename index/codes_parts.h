/* What the files of the codes share: codes_file.c writes and opens, codes_search.c
 * searches. */
#ifndef KIDX_CODES_PARTS_H
#define KIDX_CODES_PARTS_H

#include <stdatomic.h>

#include "codes.h"
#include "file.h"

struct kidx_codes {
    kbase_map map;
    char *path;
    uint32_t dim;
    size_t k; /* codes of a row: dim rounded up to a multiple of 64 */
    uint64_t covers;
    const unsigned char *panels;
    const uint64_t *checksums; /* of the blocks */
    atomic_uchar *is_checked;  /* of the blocks */
    atomic_bool is_damaged;
};

/* Compare a block with its checksum, if that was not done before. */
bool kidx_codes_check_block(kidx_codes *codes, uint64_t block);

/* n numbers of at most `limit` steps of one scale: codes[i] = x[i] / scale, rounded. What
 * this leaves has length *error at most. */
void kidx_quantize(const float *x, size_t n, int limit, int32_t *codes, float *scale,
                   float *error);

#endif
