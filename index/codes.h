/* The rows in 8 bits, in a derived file: exact search that reads half as many bytes, and
 * multiplies bytes instead of floats.
 *
 * A row, scaled to unit length, is scale * codes + rest, and the length of the rest is
 * kept as its error. So the score of every row is known to within a bound (Cauchy and
 * Schwarz), and only those that may be among the best are scored from the row itself.
 * What comes back is what kidx_scan() finds, bit for bit. */
#ifndef KIDX_CODES_H
#define KIDX_CODES_H

#include "row_kernels.h"
#include "rows.h"

/* Rows that one checksum covers. */
#define KIDX_CODES_BLOCK 1024

/* An open file; may be used by many threads. */
typedef struct kidx_codes kidx_codes;

/* Write the codes of all rows. Rows that are dead now will never be found. As
 * kidx_ann_save() the file appears under its name when it is complete and on disk.
 * KITH_IO, KITH_FULL, KITH_NOMEM. Cost: about two seconds a million rows. */
kith_status kidx_codes_build(kbase_isa isa, kbase_pool *pool, const kidx_rows *rows,
                             const char *path, const char *fingerprint, kith_error *err);

/* Map a file; checks header and length, each block when it is first read.
 * KITH_NOT_FOUND, KITH_CORRUPT, KITH_VERSION, KITH_MISMATCH, KITH_NOMEM. */
kith_status kidx_codes_open(const char *path, const char *fingerprint, uint32_t dim,
                            kidx_codes **codes, kith_error *err);
void kidx_codes_close(kidx_codes *codes);

/* Rows 0 .. covers - 1 have codes; 0 once a block was found to be damaged. */
uint64_t kidx_codes_covers(const kidx_codes *codes);

/* Compare every block with its checksum. KITH_CORRUPT. */
kith_status kidx_codes_verify(kidx_codes *codes, kith_error *err);

/* kidx_scan() for rows that have these codes, also KITH_CORRUPT: a block is damaged, and
 * the codes are not used again. Rows beyond those covered are scanned. */
kith_status kidx_codes_search(kidx_codes *codes, kbase_isa isa, kbase_pool *pool,
                              const kidx_rows *rows, const float *queries,
                              size_t n_queries, size_t m, kidx_hit *hits, size_t *counts,
                              kith_error *err);

#endif
