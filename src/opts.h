/* Structs of options as a caller fills them in. */
#ifndef KITH_OPTS_H
#define KITH_OPTS_H

#include "kith.h"

/* Copy what the caller set over `complete`, which holds the defaults and has n_bytes; opts
 * begins with its own size, as of the kith.h that the caller was compiled with, and may be
 * NULL. KITH_INVALID when that is larger than ours; `name` is the struct's. */
kith_status kith_take_opts(void *complete, size_t n_bytes, const void *opts,
                           const char *name, kith_error *err);

#endif
