#include "opts.h"

#include <string.h>

#include "error.h"

kith_status kith_take_opts(void *complete, size_t n_bytes, const void *opts,
                           const char *name, kith_error *err)
{
    size_t n_given = 0;
    if (opts != NULL) {
        memcpy(&n_given, opts, sizeof(n_given));
    }
    if (n_given > n_bytes) {
        return kbase_fail(err, KITH_INVALID, "%s is of a newer kith.h", name);
    }
    if (n_given > 0) {
        memcpy(complete, opts, n_given);
    }
    return KITH_OK;
}
