/* Environments: one for each data.mdb in a process, however many handles there are. */
#include "store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "error.h"

#define DEFAULT_MAP_BYTES ((size_t)64 << 30)
#define MIN_MAP_BYTES ((size_t)1 << 30) /* where address space is limited */
#define MAX_READERS 1024
#define OPEN_ATTEMPTS 4
#define FILE_MODE 0666 /* less the umask */

const kstore_db_kind kstore_db_kinds[KSTORE_N_DBS] = {
    [KSTORE_META] = { "meta", 0 },
    [KSTORE_RECORDS] = { "records", MDB_INTEGERKEY },
    [KSTORE_IDS] = { "ids", 0 },
    [KSTORE_SOURCES] = { "sources", 0 },
    [KSTORE_DEAD] = { "dead", MDB_INTEGERKEY },
    [KSTORE_BLOCKS] = { "blocks", MDB_INTEGERKEY },
};

static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static kstore_environment *registry;
static size_t map_bytes = DEFAULT_MAP_BYTES;

void kstore_set_map_bytes(size_t n_bytes)
{
    map_bytes = n_bytes > 0 ? n_bytes : DEFAULT_MAP_BYTES;
}

/* File systems where locks or maps are not what LMDB needs. */
static const char *unsuitable_file_system(const char *path)
{
    static const struct {
        uint32_t type;
        const char *name;
    } unsuitable[] = {
        { 0x6969, "NFS" },      { 0x517b, "SMB" },       { 0xff534d42, "CIFS" },
        { 0xfe534d42, "SMB2" }, { 0x01021997, "9p" },    { 0x65735546, "FUSE" },
        { 0x5346414f, "AFS" },  { 0x00c36400, "Ceph" },  { 0x73757245, "Coda" },
    };
    struct statfs info;
    if (statfs(path, &info) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(unsuitable) / sizeof(unsuitable[0]); i++) {
        if ((uint32_t)info.f_type == unsuitable[i].type) {
            return unsuitable[i].name;
        }
    }
    return NULL;
}

static kith_status check_file_system(const char *dir, kith_error *err)
{
    const char *name = unsuitable_file_system(dir);
    if (name == NULL) {
        return KITH_OK;
    }
    return kbase_fail(err, KITH_UNSUPPORTED,
                      "%s is on %s, where LMDB does not work: move the collection to a "
                      "local file system",
                      dir, name);
}

/* ------------------------------------------------------------------ opening LMDB */

static int try_open(MDB_env **lmdb, const char *dir, unsigned flags, size_t n_bytes)
{
    int rc = mdb_env_create(lmdb);
    if (rc != MDB_SUCCESS) {
        return rc;
    }
    mdb_env_set_maxdbs(*lmdb, KSTORE_N_DBS);
    mdb_env_set_maxreaders(*lmdb, MAX_READERS);
    mdb_env_set_mapsize(*lmdb, n_bytes);
    rc = mdb_env_open(*lmdb, dir, flags, FILE_MODE);
    if (rc != MDB_SUCCESS) {
        mdb_env_close(*lmdb);
        *lmdb = NULL;
    }
    return rc;
}

/* Durability is LMDB's default: neither MDB_NOSYNC nor MDB_WRITEMAP. */
static kith_status open_lmdb(kstore_environment *environment, const char *dir,
                             kith_error *err)
{
    unsigned flags = MDB_NOTLS;
    size_t n_bytes = map_bytes;
    for (int attempt = 1;;) {
        int rc = try_open(&environment->lmdb, dir, flags, n_bytes);
        if (rc == MDB_SUCCESS) {
            environment->writable = (flags & MDB_RDONLY) == 0;
            return KITH_OK;
        }
        if ((rc == EACCES || rc == EROFS || rc == EPERM) && (flags & MDB_RDONLY) == 0) {
            flags |= MDB_RDONLY;
        } else if ((rc == ENOMEM || rc == EINVAL) && n_bytes > MIN_MAP_BYTES) {
            n_bytes /= 2; /* a limit of address space; valgrind's is EINVAL */
        } else if ((rc == EAGAIN || rc == MDB_INVALID) && attempt < OPEN_ATTEMPTS) {
            /* Another process may be opening or closing it just now. */
            struct timespec pause = { 0, 5000000L << (2 * attempt) };
            nanosleep(&pause, NULL);
            attempt++;
        } else {
            return kstore_fail_lmdb(err, rc, environment->path, "cannot open");
        }
    }
}

static kith_status open_databases(kstore_environment *environment, MDB_txn *txn,
                                  bool create, kith_error *err)
{
    for (int i = 0; i < KSTORE_N_DBS; i++) {
        unsigned flags = kstore_db_kinds[i].flags | (create ? MDB_CREATE : 0);
        int rc = mdb_dbi_open(txn, kstore_db_kinds[i].name, flags, &environment->db[i]);
        if (rc == MDB_NOTFOUND) {
            return kbase_fail(
                err, KITH_CORRUPT,
                "%s has no database \"%s\": it is no collection, or damaged",
                environment->path, kstore_db_kinds[i].name);
        }
        if (rc != MDB_SUCCESS) {
            return kstore_fail_lmdb(err, rc, environment->path, "cannot read");
        }
    }
    return KITH_OK;
}

static kith_status read_settings(kstore_environment *environment, kith_error *err)
{
    /* Before anything is read through the map: is the file all there? */
    kith_status status = kstore_check_newest(environment, false, err);
    MDB_txn *txn;
    if (status == KITH_OK) {
        status = kstore_txn_begin(environment, false, &txn, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    status = open_databases(environment, txn, false, err);
    if (status == KITH_OK) {
        kstore_snapshot state = { .environment = environment, .txn = txn };
        status = kstore_settings_get(&state, err);
    }
    if (status != KITH_OK) {
        kstore_txn_abort(environment, txn);
        return status;
    }
    /* A commit, although nothing was written: it keeps the database handles. */
    return kstore_txn_commit(environment, txn, err);
}

/* ------------------------------------------------------------------ life */

static void free_environment(kstore_environment *environment)
{
    if (environment == NULL) {
        return;
    }
    if (environment->lmdb != NULL) {
        mdb_env_close(environment->lmdb);
    }
    kstore_vectors_close(&environment->vectors);
    pthread_cond_destroy(&environment->changed);
    pthread_mutex_destroy(&environment->mutex);
    free(environment->path);
    free(environment);
}

static kith_status new_environment(const char *dir, kstore_environment **environment,
                                   kith_error *err)
{
    kstore_environment *made = kbase_calloc(1, sizeof(*made));
    char *path = kbase_path_join(dir, "data.mdb");
    if (made == NULL || path == NULL) {
        free(path);
        free(made);
        return kbase_fail_memory(err, sizeof(*made));
    }
    made->path = path;
    made->pid = getpid();
    made->n_handles = 1;
    made->vectors = (kstore_vector_file){ .file = KBASE_FILE_INIT };
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->changed, NULL);
    *environment = made;
    return KITH_OK;
}

static kith_status fill_environment(kstore_environment *environment, const char *dir,
                                    kith_error *err)
{
    kith_status status = kstore_check_header(environment->path, err);
    if (status == KITH_OK) {
        status = open_lmdb(environment, dir, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    int n_dead;
    mdb_reader_check(environment->lmdb, &n_dead);
    status = read_settings(environment, err);
    if (status == KITH_OK) {
        status = kstore_check_not_cut(environment, err);
    }
    if (status == KITH_OK) {
        status =
            kstore_vectors_open(&environment->vectors, dir, environment->settings.dim,
                                environment->identity, environment->writable, err);
    }
    return status;
}

/* The registry's mutex is held. */
static kith_status find_or_open(const char *dir, const char *path,
                                kstore_environment **environment, kith_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return kbase_fail_errno(err, errno, "cannot open %s", path);
    }
    for (kstore_environment *e = registry; e != NULL; e = e->next) {
        /* Those of another process were inherited through fork() and are of no use. */
        if (e->device == info.st_dev && e->inode == info.st_ino && e->pid == getpid()) {
            e->n_handles++;
            *environment = e;
            return KITH_OK;
        }
    }
    kith_status status = check_file_system(dir, err);
    if (status != KITH_OK) {
        return status;
    }
    kstore_environment *made;
    status = new_environment(dir, &made, err);
    if (status != KITH_OK) {
        return status;
    }
    status = fill_environment(made, dir, err);
    if (status != KITH_OK) {
        free_environment(made);
        return status;
    }
    made->device = info.st_dev;
    made->inode = info.st_ino;
    made->next = registry;
    registry = made;
    *environment = made;
    return KITH_OK;
}

kith_status kstore_environment_open(const char *dir, bool write,
                                    kstore_environment **environment, kith_error *err)
{
    char *path = kbase_path_join(dir, "data.mdb");
    if (path == NULL) {
        return kbase_fail_memory(err, strlen(dir) + 16);
    }
    kstore_environment *found = NULL;
    pthread_mutex_lock(&registry_mutex);
    kith_status status = find_or_open(dir, path, &found, err);
    pthread_mutex_unlock(&registry_mutex);
    if (status == KITH_OK && write && !found->writable) {
        status = kbase_fail_errno(err, EACCES, "cannot open %s for writing", path);
        kstore_environment_close(found);
    } else if (status == KITH_OK) {
        *environment = found;
    }
    free(path);
    return status;
}

void kstore_environment_close(kstore_environment *environment)
{
    if (environment->pid != getpid()) {
        return; /* the parent's: closing it here would take its reader slots away */
    }
    pthread_mutex_lock(&registry_mutex);
    if (--environment->n_handles == 0) {
        kstore_environment **link = &registry;
        while (*link != environment) {
            link = &(*link)->next;
        }
        *link = environment->next;
        free_environment(environment);
    }
    pthread_mutex_unlock(&registry_mutex);
}

/* ------------------------------------------------------------------ creating */

static kith_status create_databases(kstore_environment *environment, kith_error *err)
{
    MDB_txn *txn;
    kith_status status = kstore_txn_begin(environment, true, &txn, err);
    if (status != KITH_OK) {
        return status;
    }
    kstore_snapshot empty = { .environment = environment, .txn = txn };
    status = open_databases(environment, txn, true, err);
    if (status == KITH_OK) {
        status = kstore_settings_put(&empty, err);
    }
    if (status == KITH_OK) {
        status = kstore_counts_put(&empty, err);
    }
    if (status != KITH_OK) {
        kstore_txn_abort(environment, txn);
        return status;
    }
    return kstore_txn_commit(environment, txn, err);
}

kith_status kstore_environment_create(const char *dir, const kstore_settings *settings,
                                      kith_error *err)
{
    kith_status status = check_file_system(dir, err);
    if (status != KITH_OK) {
        return status;
    }
    kstore_environment *environment;
    status = new_environment(dir, &environment, err);
    if (status != KITH_OK) {
        return status;
    }
    environment->settings = *settings;
    pthread_mutex_lock(&registry_mutex);
    status = kstore_identity_new(environment->identity, err);
    if (status == KITH_OK) {
        status = kstore_vectors_create(dir, settings->dim, environment->identity, err);
    }
    if (status == KITH_OK) {
        status = open_lmdb(environment, dir, err);
    }
    if (status == KITH_OK) {
        status = create_databases(environment, err);
    }
    if (status == KITH_OK) {
        status = kbase_sync_parent(environment->path, err);
    }
    free_environment(environment);
    pthread_mutex_unlock(&registry_mutex);
    return status;
}
