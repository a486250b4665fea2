/* Which rows a filter lets through: from postings where there are some, from the records
 * themselves where not. */
#ifndef KITH_FILTER_H
#define KITH_FILTER_H

#include "collection.h"
#include "postings.h"
#include "where.h"

/* Give a view that is being made its postings: those of the derived file `name` (""
 * when there is none), and from the present view those in memory that still serve it.
 * The collection's mutex is held. KITH_NOMEM. */
kith_status kith_fields_attach(const char *name, kith_view *view, kith_error *err);
/* Of a view that ends. The collection's mutex is held. */
void kith_fields_detach(kith_view *view);

/* The name of a view's derived file, or NULL when there is none. */
const char *kith_fields_name(const kith_view *view);

/* Compare all of the derived file with its checksums. KITH_CORRUPT; KITH_NOMEM. */
kith_status kith_fields_verify(const kith_view *view, kith_error *err);

/* Rows that the derived file covers; 0 when there is none or it cannot be used, and then
 * `problem` (may be NULL) says why. */
uint64_t kith_fields_covers(kith_collection *collection, kith_view *view,
                            char problem[128]);

/* Postings of the view's live rows from `first` up, as kfil_builder_finish() makes
 * them. The snapshot is of the view's state. KITH_CORRUPT; KITH_NOMEM. */
kith_status kith_fields_make(const kith_view *view, const kstore_snapshot *snapshot,
                             uint64_t first, kbase_buffer *content, kith_error *err);

/* Set bit i of `bits` (zeroed, one for each row of the view) if row i is live and
 * matches; *n of them. KITH_CORRUPT; KITH_NOMEM. */
kith_status kith_filter_rows(kith_collection *collection, kith_view *view,
                             const kstore_snapshot *snapshot, const kfil_where *where,
                             uint64_t *bits, uint64_t *n, kith_error *err);

#endif
