/* Postings: for each field its values in order, and for each value the rows that have
 * it. Made from the records, asked instead of them. docs/format.md gives the bytes. */
#ifndef KFIL_POSTINGS_H
#define KFIL_POSTINGS_H

#include "memory.h"
#include "where.h"

/* ------------------------------------------------------------------ making */

typedef struct kfil_builder kfil_builder;

/* For the rows from `first` up. KITH_NOMEM. */
kith_status kfil_builder_new(uint64_t first, kfil_builder **builder, kith_error *err);
void kfil_builder_free(kfil_builder *builder);

/* A row and its record; rows in ascending order, those without a record left out.
 * KITH_NOMEM: the builder can only be freed. */
kith_status kfil_builder_add(kfil_builder *builder, uint64_t row,
                             const kfil_record *record, kith_error *err);

/* Append the postings of the rows first .. end - 1 to `content`, which is what a file of
 * them holds. KITH_NOMEM. */
kith_status kfil_builder_finish(kfil_builder *builder, uint64_t end,
                                kbase_buffer *content, kith_error *err);

/* A number that decides all of the content: the checksum of its header. */
uint64_t kfil_content_checksum(const kbase_buffer *content);

/* ------------------------------------------------------------------ asking */

typedef struct kfil_postings kfil_postings;

/* Postings in memory; takes the buffer over, also on failure. */
kith_status kfil_postings_take(kbase_buffer *content, kfil_postings **postings,
                               kith_error *err);

/* Map a file that has this checksum. Reads its header and directory; a field's part is
 * checked when a filter first needs it. KITH_NOT_FOUND; KITH_CORRUPT; KITH_VERSION;
 * KITH_MISMATCH (another checksum); KITH_IO; KITH_NOMEM. */
kith_status kfil_postings_open(const char *path, uint64_t checksum,
                               kfil_postings **postings, kith_error *err);
void kfil_postings_close(kfil_postings *postings);

/* They answer for the rows first .. end - 1. */
uint64_t kfil_postings_first(const kfil_postings *postings);
uint64_t kfil_postings_end(const kfil_postings *postings);

/* Compare every part with its checksum. KITH_CORRUPT. */
kith_status kfil_postings_verify(kfil_postings *postings, kith_error *err);

/* Long strings are cut in postings: whether these suffice for the filter. */
bool kfil_postings_suffice(const kfil_where *where);

/* Set bit i of `bits` for each row i from first to end - 1 that matches, if it had a
 * record; a row that had none may match. Leaves the other bits alone.
 * KITH_CORRUPT: `bits` is then as it was; KITH_NOMEM. Thread-safe. */
kith_status kfil_postings_match(kfil_postings *postings, const kfil_where *where,
                                uint64_t *bits, kith_error *err);

#endif
