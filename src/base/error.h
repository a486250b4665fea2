/* Filling a caller's kith_error. */
#ifndef KBASE_ERROR_H
#define KBASE_ERROR_H

#include "kith.h"

/* Write `code` and a formatted message into err (may be NULL); returns code, so that
 * `return kbase_fail(err, KITH_INVALID, "...")` reads well. */
kith_status kbase_fail(kith_error *err, kith_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a system call that failed: the status follows from sys_errno (ENOENT:
 * not found, ENOSPC: full, ENOMEM: no memory, other: I/O) and the message ends with its
 * text. */
kith_status kbase_fail_errno(kith_error *err, int sys_errno, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Out of memory, with the number of bytes that were wanted. */
kith_status kbase_fail_memory(kith_error *err, size_t n_bytes);

#endif
