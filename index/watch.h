/* Telling how far a comparison is. */
#ifndef KIDX_WATCH_H
#define KIDX_WATCH_H

#include "error.h"
#include "pairs.h"

static inline kith_status kidx_tell(const kidx_watch *watch, const char *step,
                                    double fraction, kith_error *err)
{
    return watch->tell(watch->context, step, fraction)
               ? kbase_fail(err, KITH_INTERRUPTED, "interrupted")
               : KITH_OK;
}

/* `done` of n rows were compared with all that follow them. */
static inline kith_status kidx_tell_half(const kidx_watch *watch, const char *step,
                                         uint64_t done, uint64_t n, kith_error *err)
{
    const double left = 1 - (double)done / (double)n;
    return kidx_tell(watch, step, 1 - left * left, err);
}

#endif
