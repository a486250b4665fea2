/* What the files of the codes share: codes_file.c makes, writes and opens them,
 * codes_search.c searches, sweep.c compares rows with rows. */
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

/* Codes of a row of so many numbers. */
size_t kidx_codes_k(uint32_t dim);

/* Make n panels into memory; those lanes that have no live row are below everything. */
void kidx_codes_make(kbase_isa isa, kbase_pool *pool, const kidx_rows *rows,
                     uint64_t first_panel, size_t n, unsigned char *panels);

#endif
