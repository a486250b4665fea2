/* LMDB transactions, and the map that must not move while there is one. */
#include "store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "error.h"

#define RESIZE_WAIT_SECONDS 10
#define RESIZE_ATTEMPTS 8
#define CHECK_ATTEMPTS 100 /* each fails only when two commits fall into microseconds */
#define NEARLY_FULL_BYTES ((uint64_t)1 << 20)

static bool disk_is_full(const char *path)
{
    struct statvfs info;
    return statvfs(path, &info) == 0 &&
           (uint64_t)info.f_bavail * info.f_frsize < NEARLY_FULL_BYTES;
}

kith_status kstore_fail_lmdb(kith_error *err, int result, const char *path,
                             const char *what)
{
    /* LMDB turns a short write, which is what a full disk gives first, into EIO. */
    if (result == EIO && disk_is_full(path)) {
        result = ENOSPC;
    }
    if (result > 0) {
        return kbase_fail_errno(err, result, "%s %s", what, path);
    }
    kith_status status = KITH_CORRUPT;
    const char *hint = "it is damaged; restore it from a backup";
    switch (result) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        status = KITH_FULL;
        hint = "commit fewer records at a time";
        break;
    case MDB_READERS_FULL:
        status = KITH_BUSY;
        hint = "too many searches are under way; try again";
        break;
    case MDB_MAP_RESIZED:
        status = KITH_BUSY;
        hint = "another process lets it grow; try again";
        break;
    case MDB_VERSION_MISMATCH:
        status = KITH_VERSION;
        hint = "another version of LMDB made it or has it open";
        break;
    case MDB_PANIC:
        status = KITH_IO;
        hint = "an earlier write failed; close the collection and open it again";
        break;
    default:
        break;
    }
    return kbase_fail(err, status, "%s %s: %s (%s)", what, path, hint,
                      mdb_strerror(result));
}

kith_status kstore_check_process(const kstore_environment *environment, kith_error *err)
{
    if (environment->pid == getpid()) {
        return KITH_OK;
    }
    return kbase_fail(err, KITH_INVALID,
                      "%s was opened before a fork(): open it again in the child",
                      environment->path);
}

static kith_status fail_unmapped(const kstore_environment *environment, kith_error *err)
{
    return kbase_fail(err, KITH_NOMEM,
                      "no address space for %s: raise the limit (ulimit -v), close the "
                      "collection and open it again",
                      environment->path);
}

/* ------------------------------------------------------------------ counting */

static kith_status enter(kstore_environment *environment, kith_error *err)
{
    kith_status status = KITH_OK;
    pthread_mutex_lock(&environment->mutex);
    while (environment->resizing) {
        pthread_cond_wait(&environment->changed, &environment->mutex);
    }
    if (environment->unmapped) {
        status = fail_unmapped(environment, err);
    } else {
        environment->n_transactions++;
    }
    pthread_mutex_unlock(&environment->mutex);
    return status;
}

static void leave(kstore_environment *environment)
{
    pthread_mutex_lock(&environment->mutex);
    environment->n_transactions--;
    pthread_cond_broadcast(&environment->changed);
    pthread_mutex_unlock(&environment->mutex);
}

/* Wait until there is no transaction; the mutex is held. */
static bool wait_for_transactions(kstore_environment *environment)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RESIZE_WAIT_SECONDS;
    while (environment->n_transactions > 0) {
        int rc =
            pthread_cond_timedwait(&environment->changed, &environment->mutex, &until);
        if (rc == ETIMEDOUT && environment->n_transactions > 0) {
            return false;
        }
    }
    return true;
}

/* n_bytes 0: as large as another process has made it. */
static kith_status resize(kstore_environment *environment, size_t n_bytes,
                          kith_error *err)
{
    kith_status status = KITH_OK;
    pthread_mutex_lock(&environment->mutex);
    while (environment->resizing) {
        pthread_cond_wait(&environment->changed, &environment->mutex);
    }
    environment->resizing = true;
    if (environment->unmapped) {
        status = fail_unmapped(environment, err);
    } else if (!wait_for_transactions(environment)) {
        status =
            kbase_fail(err, KITH_BUSY,
                       "%s must grow in memory, but this process has been reading it "
                       "for %d seconds; try again",
                       environment->path, RESIZE_WAIT_SECONDS);
    } else if (mdb_env_set_mapsize(environment->lmdb, n_bytes) != MDB_SUCCESS) {
        /* The old map is gone, too. */
        environment->unmapped = true;
        status = fail_unmapped(environment, err);
    }
    environment->resizing = false;
    pthread_cond_broadcast(&environment->changed);
    pthread_mutex_unlock(&environment->mutex);
    return status;
}

kith_status kstore_make_room(kstore_environment *environment, kith_error *err)
{
    for (;;) {
        kith_status status = enter(environment, err);
        if (status != KITH_OK) {
            return status;
        }
        MDB_envinfo info;
        MDB_stat stat;
        mdb_env_info(environment->lmdb, &info);
        mdb_env_stat(environment->lmdb, &stat);
        leave(environment);
        size_t n_used = (info.me_last_pgno + 1) * stat.ms_psize;
        if (n_used <= info.me_mapsize / 2) {
            return KITH_OK;
        }
        status = resize(environment, info.me_mapsize * 2, err);
        if (status != KITH_OK) {
            return status;
        }
    }
}

kith_status kstore_check_not_cut(kstore_environment *environment, kith_error *err)
{
    /* Asked for before the file is: meanwhile another thread may see it grow. */
    pthread_mutex_lock(&environment->mutex);
    uint64_t n_before = environment->n_bytes;
    pthread_mutex_unlock(&environment->mutex);
    int fd;
    struct stat info;
    if (mdb_env_get_fd(environment->lmdb, &fd) != MDB_SUCCESS ||
        fstat(fd, &info) != 0) {
        return kbase_fail_errno(err, errno, "cannot stat %s", environment->path);
    }
    uint64_t n_bytes = (uint64_t)info.st_size;
    if (n_bytes < n_before) {
        return kbase_fail(
            err, KITH_CORRUPT,
            "%s became shorter while it was open; restore it from a backup",
            environment->path);
    }
    pthread_mutex_lock(&environment->mutex);
    if (environment->n_bytes < n_bytes) {
        environment->n_bytes = n_bytes;
    }
    pthread_mutex_unlock(&environment->mutex);
    return KITH_OK;
}

/* ------------------------------------------------------------------ transactions */

kith_status kstore_txn_begin(kstore_environment *environment, bool write, MDB_txn **txn,
                             kith_error *err)
{
    kith_status status = kstore_check_process(environment, err);
    bool checked_readers = false;
    for (int i = 0; status == KITH_OK; i++) {
        status = enter(environment, err);
        if (status != KITH_OK) {
            break;
        }
        int rc = mdb_txn_begin(environment->lmdb, NULL, write ? 0 : MDB_RDONLY, txn);
        if (rc == MDB_SUCCESS) {
            return KITH_OK;
        }
        if (rc == MDB_READERS_FULL && !checked_readers) {
            /* Processes that died have left their places taken. */
            int n_dead;
            mdb_reader_check(environment->lmdb, &n_dead);
            checked_readers = true;
            leave(environment);
        } else if (rc == MDB_MAP_RESIZED && i < RESIZE_ATTEMPTS) {
            leave(environment);
            status = resize(environment, 0, err);
        } else {
            leave(environment);
            status = kstore_fail_lmdb(err, rc, environment->path,
                                      write ? "cannot begin to write" : "cannot read");
        }
    }
    return status;
}

void kstore_txn_abort(kstore_environment *environment, MDB_txn *txn)
{
    mdb_txn_abort(txn);
    leave(environment);
}

kith_status kstore_check_newest(kstore_environment *environment, bool all,
                                kith_error *err)
{
    kith_status status = KITH_BUSY;
    for (int i = 0; status == KITH_BUSY && i < CHECK_ATTEMPTS; i++) {
        MDB_txn *txn;
        status = kstore_txn_begin(environment, false, &txn, err);
        if (status == KITH_OK) {
            status = kstore_check_pages(txn, environment->path, all, err);
            kstore_txn_abort(environment, txn);
        }
    }
    return status;
}

/* LMDB may leave free pages at the end unwritten. Make the file as long as its page
 * count says, so that the next open need not read all pages to tell that from a file
 * that was cut. fallocate never shortens or overwrites; where it fails, that open is
 * slower. */
static void complete_file(kstore_environment *environment)
{
    MDB_envinfo info;
    MDB_stat pages;
    struct stat file;
    int fd;
    if (mdb_env_info(environment->lmdb, &info) != MDB_SUCCESS ||
        mdb_env_stat(environment->lmdb, &pages) != MDB_SUCCESS ||
        mdb_env_get_fd(environment->lmdb, &fd) != MDB_SUCCESS ||
        fstat(fd, &file) != 0) {
        return;
    }
    off_t last_page = (off_t)(info.me_last_pgno * pages.ms_psize);
    if (file.st_size < last_page + (off_t)pages.ms_psize) {
        (void)!fallocate(fd, 0, last_page, pages.ms_psize);
    }
}

kith_status kstore_txn_commit(kstore_environment *environment, MDB_txn *txn,
                              kith_error *err)
{
    kith_status status = KITH_OK;
    int rc = mdb_txn_commit(txn);
    if (rc == MDB_SUCCESS) {
        complete_file(environment);
    } else {
        status = kstore_fail_lmdb(err, rc, environment->path, "cannot commit to");
    }
    leave(environment);
    return status;
}
