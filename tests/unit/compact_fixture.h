/* A collection with a past, and what there is to say about one. */
#ifndef KITH_TESTS_COMPACT_FIXTURE_H
#define KITH_TESTS_COMPACT_FIXTURE_H

#include "collection.h"
#include "collection_fixture.h"

#define SECRET "xylograph" /* in what was deleted or replaced, and nowhere else */

/* A collection in `coll`: records with and without title, metadata, source and several
 * passages; some were deleted and some changed, in several commits. */
kith_collection *make_past(void);

/* Everything that is stored of all that lives, in the order of the rows, with the bits of
 * the vectors. Free it. */
kbase_buffer dump(kith_collection *c);
/* The same of the collection that is opened anew. */
void assert_holds(const kbase_buffer *expected);

/* Whether some file below a folder holds a text. */
bool some_file_holds(const char *path, const char *text);
/* Whether the collection's folder has an entry of this name. */
bool has_entry(const char *name);

#endif
