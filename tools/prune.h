/* Forgetting records whose sources lost them. */
#ifndef KITH_TOOLS_PRUNE_H
#define KITH_TOOLS_PRUNE_H

#include "input.h"
#include "kith.h"

/* The name under which the records of a file are stored; NULL: none (stdin). */
const char *prune_name(const input_file *file, const input_options *options);

/* Each takes effect at the next commit; gives EXIT_DONE, or reports and gives another
 * exit status. */

/* What was not given to the writer of this source. */
int prune_source(kith_writer *writer, const char *name);
/* Everything of files below a folder (a real path) that are not there any more. */
int prune_gone(kith_collection *collection, kith_writer *writer, const char *folder);

#endif
