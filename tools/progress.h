/* The progress line: on stderr, only when that is a terminal, only after a second. */
#ifndef KITH_TOOLS_PROGRESS_H
#define KITH_TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Start to show what goes on, for example "indexing". One at a time; quiet: show
 * nothing. */
void progress_begin(const char *action, bool quiet);
/* So many records are done. fraction of the whole, or a negative number: unknown. */
void progress_records(uint64_t n_records, double fraction);
/* A step by name instead, such as "training". */
void progress_step(const char *step, double fraction);
/* Take the line away, so that something else can be printed; the next call shows it
 * again. */
void progress_hide(void);
void progress_end(void);

#endif
