/* Files. All access goes through one table of functions, so that tests can make any call
 * fail. Every function checks the result of every call, retries EINTR and short
 * transfers, and names the path in its message. */
#ifndef KBASE_FILE_H
#define KBASE_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "kith.h"
#include "memory.h"

/* As the POSIX functions of these names: -1 and errno on failure. */
typedef struct kbase_io {
    int (*open)(const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *data, size_t n_bytes, off_t offset);
    ssize_t (*pwrite)(int fd, const void *data, size_t n_bytes, off_t offset);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*fstat)(int fd, struct stat *out);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
} kbase_io;

/* Replace the table (NULL: back to the system's). For tests; not while files are used. */
void kbase_io_set(const kbase_io *io);

typedef struct kbase_file {
    int fd; /* -1: not open */
    char *path;
} kbase_file;

#define KBASE_FILE_INIT { -1, NULL }

/* flags and mode as for open(2); O_CLOEXEC is added. */
kith_status kbase_file_open(kbase_file *file, const char *path, int flags, mode_t mode,
                            kith_error *err);
void kbase_file_close(kbase_file *file);

kith_status kbase_file_size(const kbase_file *file, uint64_t *n_bytes, kith_error *err);

/* Exactly n_bytes; a file that ends earlier is KITH_CORRUPT. */
kith_status kbase_file_read(const kbase_file *file, void *data, size_t n_bytes,
                            uint64_t offset, kith_error *err);
kith_status kbase_file_write(const kbase_file *file, const void *data, size_t n_bytes,
                             uint64_t offset, kith_error *err);
/* Flush the data (and the size, when it changed) to the disk. */
kith_status kbase_file_sync(const kbase_file *file, kith_error *err);

/* Read a whole file of at most max_bytes (longer: KITH_INVALID); a NUL follows the
 * content and is not counted. The buffer must be as after KBASE_BUFFER_INIT. */
kith_status kbase_read_whole(const char *path, size_t max_bytes, kbase_buffer *content,
                             kith_error *err);

/* A file that appears under its name only when it is complete and on disk:
 * begin, kbase_file_write() as needed, then commit (sync, rename, sync of the folder) or
 * abort (removes the temporary file; a no-op after commit). */
typedef struct kbase_new_file {
    kbase_file file; /* under a temporary name in the same folder */
    char *path;
} kbase_new_file;

#define KBASE_NEW_FILE_INIT { KBASE_FILE_INIT, NULL }

kith_status kbase_new_file_begin(kbase_new_file *out, const char *path, kith_error *err);
kith_status kbase_new_file_commit(kbase_new_file *out, kith_error *err);
void kbase_new_file_abort(kbase_new_file *out);

/* The three steps for content that is in memory. */
kith_status kbase_write_whole(const char *path, const void *data, size_t n_bytes,
                              kith_error *err);

/* Flush the folder that holds `path`, so that its name survives a crash. */
kith_status kbase_sync_parent(const char *path, kith_error *err);

/* A folder that is there already is KITH_OK. */
kith_status kbase_make_folder(const char *path, kith_error *err);

/* Not flushed. */
kith_status kbase_rename(const char *from, const char *to, kith_error *err);

/* Remove a file, or a folder with everything in it; links are not followed. KITH_OK when
 * nothing is there. Not flushed. */
kith_status kbase_remove_tree(const char *path, kith_error *err);

/* Map a file (or its first n_bytes, when n_bytes is not 0) read-only; a file that is
 * shorter than that is KITH_CORRUPT. */
typedef struct kbase_map {
    const unsigned char *data; /* NULL: nothing mapped */
    size_t n_bytes;
} kbase_map;

#define KBASE_MAP_INIT { NULL, 0 }

kith_status kbase_map_file(const kbase_file *file, size_t n_bytes, kbase_map *map,
                           kith_error *err);
void kbase_unmap(kbase_map *map);

/* "dir/name", allocated; NULL when memory is out. */
char *kbase_path_join(const char *dir, const char *name);

#endif
