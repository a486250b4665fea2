/* The writer's lock: an open-file-description lock, so that it also holds between two
 * handles of one process and does not vanish when some other descriptor is closed. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"

#define PID_BYTES 21 /* "%-20lld\n": always the same length, so nothing is left over */

struct kstore_lock {
    kbase_file file;
    pid_t pid;
};

/* For messages only: what the file says when nobody holds the lock means nothing. */
static int64_t read_holder(const kbase_file *file)
{
    char text[PID_BYTES + 1] = "";
    if (kbase_file_read(file, text, PID_BYTES, 0, NULL) != KITH_OK) {
        return 0;
    }
    long long pid = strtoll(text, NULL, 10);
    return pid > 0 ? pid : 0;
}

static kith_status take(const kbase_file *file, int64_t *holder, kith_error *err)
{
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(file->fd, F_OFD_SETLK, &range) == 0) {
        char text[PID_BYTES + 1];
        snprintf(text, sizeof(text), "%-20lld\n", (long long)getpid());
        return kbase_file_write(file, text, PID_BYTES, 0, err);
    }
    if (errno != EAGAIN && errno != EACCES) {
        return kbase_fail_errno(err, errno, "cannot lock %s", file->path);
    }
    *holder = read_holder(file);
    return kbase_fail(err, KITH_BUSY, "process %lld writes here: %s is locked",
                      (long long)*holder, file->path);
}

kith_status kstore_lock_try(const char *collection_dir, kstore_lock **lock,
                            int64_t *holder, kith_error *err)
{
    char *path = kbase_path_join(collection_dir, "writer.lock");
    kstore_lock *made = kbase_calloc(1, sizeof(*made));
    if (path == NULL || made == NULL) {
        free(path);
        free(made);
        return kbase_fail_memory(err, sizeof(*made));
    }
    *made = (kstore_lock){ KBASE_FILE_INIT, getpid() };
    kith_status status =
        kbase_file_open(&made->file, path, O_RDWR | O_CREAT, 0666, err);
    free(path);
    *holder = 0;
    if (status == KITH_OK) {
        status = take(&made->file, holder, err);
    }
    if (status != KITH_OK) {
        kbase_file_close(&made->file);
        free(made);
        return status;
    }
    *lock = made;
    return KITH_OK;
}

void kstore_lock_release(kstore_lock *lock)
{
    if (lock == NULL) {
        return;
    }
    /* Closing would do, were there not a child of fork() that has the descriptor, too.
     * In such a child the lock stays the parent's. */
    if (lock->pid == getpid()) {
        struct flock range = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
        (void)fcntl(lock->file.fd, F_OFD_SETLK, &range);
    }
    kbase_file_close(&lock->file);
    free(lock);
}
