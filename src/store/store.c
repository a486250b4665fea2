/* Handles of generations. */
#include "store_internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "error.h"

/* The files of a generation. */
static const char *const file_names[] = { "vectors", "data.mdb", "lock.mdb" };
#define N_FILES (sizeof(file_names) / sizeof(file_names[0]))

static kith_status check_absent(const char *dir, kith_error *err)
{
    for (size_t i = 0; i < N_FILES; i++) {
        char *path = kbase_path_join(dir, file_names[i]);
        if (path == NULL) {
            return kbase_fail_memory(err, N_FILES);
        }
        bool is_there = access(path, F_OK) == 0;
        free(path);
        if (is_there) {
            return kbase_fail(err, KITH_EXISTS, "%s/%s is there already", dir,
                              file_names[i]);
        }
    }
    return KITH_OK;
}

static void remove_files(const char *dir)
{
    for (size_t i = 0; i < N_FILES; i++) {
        char *path = kbase_path_join(dir, file_names[i]);
        if (path != NULL) {
            unlink(path);
        }
        free(path);
    }
}

kith_status kstore_create(const char *dir, const kstore_settings *settings,
                          kith_error *err)
{
    kith_status status = kstore_check_settings(settings, err);
    if (status == KITH_OK) {
        status = check_absent(dir, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    status = kstore_environment_create(dir, settings, err);
    if (status != KITH_OK) {
        remove_files(dir);
    }
    return status;
}

kith_status kstore_open(const char *dir, bool read_only, kstore **store,
                        kith_error *err)
{
    kstore *made = kbase_calloc(1, sizeof(*made));
    if (made == NULL) {
        return kbase_fail_memory(err, sizeof(*made));
    }
    made->read_only = read_only;
    kith_status status =
        kstore_environment_open(dir, !read_only, &made->environment, err);
    if (status != KITH_OK) {
        free(made);
        return status;
    }
    /* What a snapshot checks is part of opening: counts that agree, vectors long
     * enough. */
    kstore_snapshot *snapshot;
    status = kstore_snapshot_begin(made, &snapshot, err);
    if (status != KITH_OK) {
        kstore_close(made);
        return status;
    }
    kstore_snapshot_end(snapshot);
    *store = made;
    return KITH_OK;
}

void kstore_close(kstore *store)
{
    if (store != NULL) {
        kstore_environment_close(store->environment);
        free(store);
    }
}

const kstore_settings *kstore_get_settings(const kstore *store)
{
    return &store->environment->settings;
}
