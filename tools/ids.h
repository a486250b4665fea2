/* Ids as people see and write them: a path below the working folder is shown, and may
 * be written, relative to it. */
#ifndef KITH_TOOLS_IDS_H
#define KITH_TOOLS_IDS_H

#include "kith.h"

/* The part of an id that is shown. */
kith_text id_shown(kith_text id);

/* The id of the record that was meant, for free(): as it was written or else as a
 * relative path. NULL: there is neither, which is reported. */
char *id_find(kith_collection *collection, const char *written);

#endif
