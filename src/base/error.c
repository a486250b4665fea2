#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void __attribute__((format(printf, 4, 0)))
fill(kith_error *err, kith_status code, int sys_errno, const char *format, va_list args)
{
    err->code = code;
    err->sys_errno = sys_errno;
    vsnprintf(err->message, sizeof(err->message), format, args);
    if (sys_errno != 0) {
        char reason[128];
        size_t n = strlen(err->message);
        snprintf(err->message + n, sizeof(err->message) - n, ": %s",
                 strerror_r(sys_errno, reason, sizeof(reason)));
    }
}

kith_status kbase_fail(kith_error *err, kith_status code, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        fill(err, code, 0, format, args);
        va_end(args);
    }
    return code;
}

static kith_status status_of_errno(int sys_errno)
{
    switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
        return KITH_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return KITH_FULL;
    case ENOMEM:
        return KITH_NOMEM;
    case EEXIST:
        return KITH_EXISTS;
    default:
        return KITH_IO;
    }
}

kith_status kbase_fail_errno(kith_error *err, int sys_errno, const char *format, ...)
{
    kith_status code = status_of_errno(sys_errno);
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        fill(err, code, sys_errno, format, args);
        va_end(args);
    }
    return code;
}

kith_status kbase_fail_memory(kith_error *err, size_t n_bytes)
{
    return kbase_fail(err, KITH_NOMEM, "out of memory: %zu bytes were wanted", n_bytes);
}

const char *kith_status_name(kith_status status)
{
    switch (status) {
    case KITH_OK:
        return "ok";
    case KITH_NOT_FOUND:
        return "not found";
    case KITH_EXISTS:
        return "exists";
    case KITH_INVALID:
        return "invalid";
    case KITH_CORRUPT:
        return "corrupt";
    case KITH_VERSION:
        return "another format version";
    case KITH_MISMATCH:
        return "another model";
    case KITH_BUSY:
        return "busy";
    case KITH_FULL:
        return "full";
    case KITH_NOMEM:
        return "out of memory";
    case KITH_IO:
        return "input/output error";
    case KITH_INTERRUPTED:
        return "interrupted";
    case KITH_UNSUPPORTED:
        return "unsupported";
    }
    return "unknown status";
}
