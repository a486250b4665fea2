/* The bytes of postings: docs/format.md. postings_build.c writes them, postings.c reads
 * them. All parts begin at a multiple of 8 bytes. */
#ifndef KFIL_POSTINGS_FORMAT_H
#define KFIL_POSTINGS_FORMAT_H

#include <stdint.h>

#define KFIL_MAGIC "KITHFLD"
#define KFIL_FORMAT_VERSION 0

/* Of a longer string so many bytes are kept. A shorter one that it is compared with
 * gives the same answer. */
#define KFIL_CUT_BYTES 256

typedef struct kfil_header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;
    uint64_t file_bytes;
    uint64_t first;              /* row */
    uint64_t n_rows;
    uint64_t n_fields;
    uint64_t key_bytes;          /* of all fields; the directory stands before them */
    uint64_t directory_checksum; /* XXH3-64 of directory and keys */
    uint64_t checksum;           /* XXH3-64 of the header up to here */
} kfil_header;

_Static_assert(sizeof(kfil_header) == 72, "the header has no gaps");

/* Of one field. Ascending by key. */
typedef struct kfil_entry {
    uint64_t key_end;  /* in the keys; it begins where the one before ends */
    uint64_t at;       /* of its part, in the file */
    uint64_t n_bytes;  /* of its part */
    uint64_t checksum; /* XXH3-64 of its part */
} kfil_entry;

/* A list of rows, counted from `first`, ascending. One row stands in `at` itself. More:
 * `at` is the offset, in the lists of the field, of differences, the first to 0, in
 * groups of 7 bits, the lowest first, bit 7 set in all bytes but the last of a number;
 * or of one bit a row where that is shorter: kfil_list_is_dense(). */
typedef struct kfil_list {
    uint64_t n;
    uint64_t at;
} kfil_list;

static inline int kfil_list_is_dense(uint64_t n, uint64_t n_rows)
{
    return n > 1 && n > n_rows / 8;
}

/* A field's part: this, then numbers as f64, their lists, ends of the strings (u64, in
 * the bytes of all strings), their lists, the strings, zeros to a multiple of 8, the
 * lists' bytes, zeros. */
typedef struct kfil_part {
    uint64_t n_numbers;
    uint64_t n_strings;
    uint64_t string_bytes;
    uint64_t list_bytes;
    kfil_list present;      /* rows that have the field, with whatever value */
    kfil_list constants[3]; /* kfil_type: null, false, true */
} kfil_part;

_Static_assert(sizeof(kfil_part) == 96, "a part has no gaps");

static inline uint64_t kfil_round_up(uint64_t n)
{
    return (n + 7) / 8 * 8;
}

#endif
