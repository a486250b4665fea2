#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checked.h"
#include "error.h"

#define REMOVE_ATTEMPTS 4
#define MAX_TRANSFER ((size_t)1 << 30) /* Linux moves at most 2 GiB a call */

static int system_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

static const kbase_io system_io = {
    system_open, close, pread, pwrite, fdatasync, fsync, fstat, rename, unlink,
};

static const kbase_io *io = &system_io;

void kbase_io_set(const kbase_io *replacement)
{
    io = replacement != NULL ? replacement : &system_io;
}

kith_status kbase_file_open(kbase_file *file, const char *path, int flags, mode_t mode,
                            kith_error *err)
{
    char *copy = strdup(path);
    if (copy == NULL) {
        return kbase_fail_memory(err, strlen(path) + 1);
    }
    int fd;
    do {
        fd = io->open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        int reason = errno;
        free(copy);
        return kbase_fail_errno(err, reason, "cannot open %s", path);
    }
    *file = (kbase_file){ fd, copy };
    return KITH_OK;
}

void kbase_file_close(kbase_file *file)
{
    if (file->fd >= 0) {
        io->close(file->fd);
    }
    free(file->path);
    *file = (kbase_file)KBASE_FILE_INIT;
}

kith_status kbase_file_size(const kbase_file *file, uint64_t *n_bytes, kith_error *err)
{
    struct stat info;
    if (io->fstat(file->fd, &info) != 0) {
        return kbase_fail_errno(err, errno, "cannot stat %s", file->path);
    }
    *n_bytes = (uint64_t)info.st_size;
    return KITH_OK;
}

kith_status kbase_file_read(const kbase_file *file, void *data, size_t n_bytes,
                            uint64_t offset, kith_error *err)
{
    size_t done = 0;
    while (done < n_bytes) {
        size_t wanted = n_bytes - done < MAX_TRANSFER ? n_bytes - done : MAX_TRANSFER;
        ssize_t n = io->pread(file->fd, (char *)data + done, wanted, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return kbase_fail_errno(err, errno, "cannot read %s", file->path);
        }
        if (n == 0) {
            return kbase_fail(err, KITH_CORRUPT,
                              "%s ends at byte %llu, %zu bytes early: it was cut",
                              file->path, (unsigned long long)(offset + done),
                              n_bytes - done);
        }
        done += (size_t)n;
    }
    return KITH_OK;
}

kith_status kbase_file_write(const kbase_file *file, const void *data, size_t n_bytes,
                             uint64_t offset, kith_error *err)
{
    size_t done = 0;
    while (done < n_bytes) {
        size_t wanted = n_bytes - done < MAX_TRANSFER ? n_bytes - done : MAX_TRANSFER;
        ssize_t n = io->pwrite(file->fd, (const char *)data + done, wanted,
                               (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return kbase_fail_errno(err, n == 0 ? ENOSPC : errno, "cannot write %s",
                                    file->path);
        }
        done += (size_t)n;
    }
    return KITH_OK;
}

kith_status kbase_file_sync(const kbase_file *file, kith_error *err)
{
    if (io->fdatasync(file->fd) != 0) {
        return kbase_fail_errno(err, errno, "cannot flush %s to the disk", file->path);
    }
    return KITH_OK;
}

kith_status kbase_read_whole(const char *path, size_t max_bytes, kbase_buffer *content,
                             kith_error *err)
{
    kbase_file file = KBASE_FILE_INIT;
    kith_status status = kbase_file_open(&file, path, O_RDONLY, 0, err);
    if (status != KITH_OK) {
        return status;
    }
    uint64_t n_bytes;
    status = kbase_file_size(&file, &n_bytes, err);
    if (status == KITH_OK && n_bytes > max_bytes) {
        status = kbase_fail(err, KITH_INVALID, "%s has %llu bytes: at most %zu are read",
                            path, (unsigned long long)n_bytes, max_bytes);
    }
    if (status == KITH_OK) {
        status = kbase_buffer_reserve(content, (size_t)n_bytes + 1, err);
    }
    if (status == KITH_OK) {
        status = kbase_file_read(&file, content->data, (size_t)n_bytes, 0, err);
    }
    if (status == KITH_OK) {
        content->n_bytes = (size_t)n_bytes;
        content->data[n_bytes] = '\0';
    }
    kbase_file_close(&file);
    return status;
}

kith_status kbase_sync_parent(const char *path, kith_error *err)
{
    char *parent = strdup(path);
    if (parent == NULL) {
        return kbase_fail_memory(err, strlen(path) + 1);
    }
    char *slash = strrchr(parent, '/');
    if (slash != NULL) {
        slash[slash == parent ? 1 : 0] = '\0';
    }
    kbase_file folder = KBASE_FILE_INIT;
    kith_status status = kbase_file_open(&folder, slash != NULL ? parent : ".",
                                         O_RDONLY | O_DIRECTORY, 0, err);
    if (status == KITH_OK && io->fsync(folder.fd) != 0) {
        status = kbase_fail_errno(err, errno, "cannot flush folder %s to the disk",
                                  folder.path);
    }
    kbase_file_close(&folder);
    free(parent);
    return status;
}

kith_status kbase_make_folder(const char *path, kith_error *err)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        return kbase_fail_errno(err, errno, "cannot make folder %s", path);
    }
    return KITH_OK;
}

kith_status kbase_rename(const char *from, const char *to, kith_error *err)
{
    if (io->rename(from, to) != 0) {
        return kbase_fail_errno(err, errno, "cannot rename %s to %s", from, to);
    }
    return KITH_OK;
}

static kith_status remove_entries(const char *path, kith_error *err)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return errno == ENOENT
                   ? KITH_OK
                   : kbase_fail_errno(err, errno, "cannot open folder %s", path);
    }
    kith_status status = KITH_OK;
    const struct dirent *entry;
    while (status == KITH_OK && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        char *below = kbase_path_join(path, entry->d_name);
        status = below != NULL ? kbase_remove_tree(below, err)
                               : kbase_fail_memory(err, strlen(path) + 256);
        free(below);
    }
    closedir(folder);
    return status;
}

kith_status kbase_remove_tree(const char *path, kith_error *err)
{
    if (io->unlink(path) == 0 || errno == ENOENT) {
        return KITH_OK;
    }
    if (errno != EISDIR) {
        return kbase_fail_errno(err, errno, "cannot remove %s", path);
    }
    /* Somebody may make a file in the folder while it is emptied. */
    kith_status status = KITH_OK;
    for (int i = 0; status == KITH_OK && rmdir(path) != 0 && errno != ENOENT; i++) {
        if (i == REMOVE_ATTEMPTS || errno != ENOTEMPTY) {
            return kbase_fail_errno(err, errno, "cannot remove folder %s", path);
        }
        status = remove_entries(path, err);
    }
    return status;
}

kith_status kbase_new_file_begin(kbase_new_file *out, const char *path, kith_error *err)
{
    char *temporary = NULL;
    out->path = strdup(path);
    if (out->path == NULL || asprintf(&temporary, "%s.new.%ld", path, (long)getpid()) < 0) {
        free(out->path);
        *out = (kbase_new_file)KBASE_NEW_FILE_INIT;
        return kbase_fail_memory(err, strlen(path) + 32);
    }
    kith_status status = kbase_file_open(&out->file, temporary,
                                         O_RDWR | O_CREAT | O_TRUNC, 0666, err);
    free(temporary);
    if (status != KITH_OK) {
        free(out->path);
        *out = (kbase_new_file)KBASE_NEW_FILE_INIT;
    }
    return status;
}

kith_status kbase_new_file_commit(kbase_new_file *out, kith_error *err)
{
    kith_status status = kbase_file_sync(&out->file, err);
    if (status == KITH_OK && io->rename(out->file.path, out->path) != 0) {
        status = kbase_fail_errno(err, errno, "cannot rename %s to %s", out->file.path,
                                  out->path);
    }
    if (status != KITH_OK) {
        kbase_new_file_abort(out);
        return status;
    }
    status = kbase_sync_parent(out->path, err);
    kbase_file_close(&out->file);
    free(out->path);
    out->path = NULL;
    return status;
}

void kbase_new_file_abort(kbase_new_file *out)
{
    if (out->file.path != NULL) {
        io->unlink(out->file.path);
    }
    kbase_file_close(&out->file);
    free(out->path);
    out->path = NULL;
}

kith_status kbase_write_whole(const char *path, const void *data, size_t n_bytes,
                              kith_error *err)
{
    kbase_new_file out = KBASE_NEW_FILE_INIT;
    kith_status status = kbase_new_file_begin(&out, path, err);
    if (status != KITH_OK) {
        return status;
    }
    status = kbase_file_write(&out.file, data, n_bytes, 0, err);
    if (status != KITH_OK) {
        kbase_new_file_abort(&out);
        return status;
    }
    return kbase_new_file_commit(&out, err);
}

kith_status kbase_map_file(const kbase_file *file, size_t n_bytes, kbase_map *map,
                           kith_error *err)
{
    uint64_t size;
    kith_status status = kbase_file_size(file, &size, err);
    if (status != KITH_OK) {
        return status;
    }
    if (n_bytes == 0) {
        n_bytes = (size_t)size;
    }
    if (size < n_bytes || n_bytes == 0) {
        return kbase_fail(err, KITH_CORRUPT, "%s has %llu bytes, %zu are needed: it was cut",
                          file->path, (unsigned long long)size, n_bytes);
    }
    void *data = mmap(NULL, n_bytes, PROT_READ, MAP_SHARED, file->fd, 0);
    if (data == MAP_FAILED) {
        return kbase_fail_errno(err, errno, "cannot map %s into memory", file->path);
    }
    *map = (kbase_map){ data, n_bytes };
    return KITH_OK;
}

void kbase_unmap(kbase_map *map)
{
    if (map->data != NULL) {
        munmap((void *)(uintptr_t)map->data, map->n_bytes);
    }
    *map = (kbase_map)KBASE_MAP_INIT;
}

char *kbase_path_join(const char *dir, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}
