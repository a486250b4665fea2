#include "layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "error.h"

#define MAX_CURRENT_BYTES 256
#define GENERATION_FORMAT "g%06u"
#define GENERATION_BYTES 7
#define REMOVED_SUFFIX ".removed"

/* ------------------------------------------------------------------ CURRENT */

/* "kith 0 g000001 " and the XXH3-64 of what stands before it. */
static void format_current(unsigned number, char *line, size_t n_bytes)
{
    char body[64];
    snprintf(body, sizeof(body), "kith 0 " GENERATION_FORMAT " ", number);
    snprintf(line, n_bytes, "%s%016llx\n", body,
             (unsigned long long)kbase_hash64(body, strlen(body)));
}

/* The number in "g000001", 0 when the text does not begin like that. */
static unsigned generation_number(const char *name)
{
    if (name[0] != 'g' || strspn(name + 1, "0123456789") != GENERATION_BYTES - 1) {
        return 0;
    }
    return (unsigned)strtoul(name + 1, NULL, 10);
}

static kith_status parse_current(const char *path, const char *line, unsigned *number,
                                 kith_error *err)
{
    unsigned version = 0;
    char name[32] = "";
    char expected[MAX_CURRENT_BYTES];
    int n = sscanf(line, "kith %u %31s", &version, name);
    if (n == 2 && version != 0) {
        return kbase_fail(err, KITH_VERSION, "collection %s has format version %u, this "
                          "kith reads version 0", path, version);
    }
    *number = generation_number(name);
    format_current(*number, expected, sizeof(expected));
    if (n != 2 || *number == 0 || strcmp(line, expected) != 0) {
        return kbase_fail(err, KITH_CORRUPT, "%s/CURRENT is damaged: restore it from a "
                          "backup, or write the line that docs/format.md gives", path);
    }
    return KITH_OK;
}

/* Everything through one descriptor: the line and its file belong together, whatever is
 * renamed meanwhile. */
static kith_status read_line(kith_current *current, char line[MAX_CURRENT_BYTES],
                             kith_error *err)
{
    struct stat info;
    if (fstat(current->file.fd, &info) != 0) {
        return kbase_fail_errno(err, errno, "cannot stat %s", current->file.path);
    }
    current->device = info.st_dev;
    current->inode = info.st_ino;
    current->modified = info.st_mtim;
    size_t n_bytes = (size_t)info.st_size < MAX_CURRENT_BYTES ? (size_t)info.st_size
                                                              : MAX_CURRENT_BYTES - 1;
    line[n_bytes] = '\0';
    return kbase_file_read(&current->file, line, n_bytes, 0, err);
}

kith_status kith_current_read(const char *path, kith_current *current, kith_error *err)
{
    kith_current made = KITH_CURRENT_INIT;
    char line[MAX_CURRENT_BYTES];
    char *file = kbase_path_join(path, "CURRENT");
    if (file == NULL) {
        return kbase_fail_memory(err, strlen(path) + 16);
    }
    kith_status status = kbase_file_open(&made.file, file, O_RDONLY, 0, err);
    free(file);
    if (status == KITH_NOT_FOUND) {
        return kbase_fail(err, KITH_NOT_FOUND, "there is no collection %s: make it with "
                          "`kith index`", path);
    }
    if (status == KITH_OK) {
        status = read_line(&made, line, err);
    }
    if (status == KITH_OK) {
        status = parse_current(path, line, &made.number, err);
    }
    if (status != KITH_OK) {
        kith_current_close(&made);
        return status;
    }
    *current = made;
    return KITH_OK;
}

void kith_current_close(kith_current *current)
{
    kbase_file_close(&current->file);
}

bool kith_current_is_same(const kith_current *current)
{
    struct stat info;
    return stat(current->file.path, &info) == 0 && info.st_ino == current->inode &&
           info.st_dev == current->device &&
           info.st_mtim.tv_sec == current->modified.tv_sec &&
           info.st_mtim.tv_nsec == current->modified.tv_nsec;
}

kith_status kith_current_write(const char *path, unsigned number, kith_error *err)
{
    char line[MAX_CURRENT_BYTES];
    format_current(number, line, sizeof(line));
    char *file = kbase_path_join(path, "CURRENT");
    if (file == NULL) {
        return kbase_fail_memory(err, strlen(path) + 16);
    }
    kith_status status = kbase_write_whole(file, line, strlen(line), err);
    free(file);
    return status;
}

/* ------------------------------------------------------------------ generations */

char *kith_generation_path(const char *path, unsigned number)
{
    char name[16];
    snprintf(name, sizeof(name), GENERATION_FORMAT, number);
    return kbase_path_join(path, name);
}

static kith_status fill_generation(const char *generation, const char *derived,
                                   const kstore_settings *settings, kith_error *err)
{
    kith_status status = kbase_make_folder(generation, err);
    if (status == KITH_OK) {
        status = kstore_create(generation, settings, err);
    }
    if (status == KITH_OK) {
        status = kbase_make_folder(derived, err);
    }
    if (status == KITH_OK) {
        status = kbase_sync_parent(derived, err);
    }
    return status == KITH_OK ? kbase_sync_parent(generation, err) : status;
}

kith_status kith_generation_make(const char *path, unsigned number,
                                 const kstore_settings *settings, kith_error *err)
{
    char *generation = kith_generation_path(path, number);
    char *derived = generation != NULL ? kbase_path_join(generation, "derived") : NULL;
    kith_status status = derived != NULL
                             ? fill_generation(generation, derived, settings, err)
                             : kbase_fail_memory(err, strlen(path) + 32);
    free(derived);
    free(generation);
    return status;
}

/* The name goes first and at once. So nobody who comes late finds a part of the files, and
 * LMDB, which makes what it does not find, makes nothing there. */
kith_status kith_generation_remove(const char *path, unsigned number, kith_error *err)
{
    char removed_name[32];
    snprintf(removed_name, sizeof(removed_name), GENERATION_FORMAT REMOVED_SUFFIX, number);
    char *generation = kith_generation_path(path, number);
    char *removed = kbase_path_join(path, removed_name);
    kith_status status = generation != NULL && removed != NULL
                             ? kbase_rename(generation, removed, err)
                             : kbase_fail_memory(err, strlen(path) + 32);
    if (status == KITH_OK) {
        status = kbase_remove_tree(removed, err);
    }
    if (status == KITH_OK) {
        status = kbase_sync_parent(removed, err);
    }
    free(removed);
    free(generation);
    return status;
}

/* Remove an entry of the collection's folder if it is a leftover; or, with look_only, only
 * tell whether it is one. */
static bool sweep_entry(const char *path, const char *name, unsigned current,
                        bool look_only)
{
    unsigned number = generation_number(name);
    bool is_generation = number != 0 && strlen(name) == GENERATION_BYTES;
    bool is_removed = number != 0 && strcmp(name + GENERATION_BYTES, REMOVED_SUFFIX) == 0;
    bool is_leftover = (is_generation && number != current) || is_removed ||
                       strncmp(name, "CURRENT.new.", 12) == 0;
    if (!is_leftover || look_only) {
        return is_leftover;
    }
    if (is_generation) {
        kith_generation_remove(path, number, NULL);
    } else {
        char *leftover = kbase_path_join(path, name);
        if (leftover != NULL) {
            kbase_remove_tree(leftover, NULL);
        }
        free(leftover);
    }
    return true;
}

static kith_status sweep(const char *path, unsigned current, bool look_only, bool *found,
                         kith_error *err)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return kbase_fail_errno(err, errno, "cannot open folder %s", path);
    }
    const struct dirent *entry;
    *found = false;
    while ((entry = readdir(folder)) != NULL) {
        *found = sweep_entry(path, entry->d_name, current, look_only) || *found;
    }
    closedir(folder);
    return KITH_OK;
}

/* Who flipped CURRENT may have died before that was on the disk: a generation must not be
 * removed while CURRENT might come back to it. */
kith_status kith_generations_sweep(const char *path, unsigned current, kith_error *err)
{
    bool found;
    kith_status status = sweep(path, current, true, &found, err);
    if (status != KITH_OK || !found) {
        return status;
    }
    char *generation = kith_generation_path(path, current);
    if (generation == NULL) {
        return kbase_fail_memory(err, strlen(path) + 16);
    }
    status = kbase_sync_parent(generation, err);
    free(generation);
    return status == KITH_OK ? sweep(path, current, false, &found, err) : status;
}

/* ------------------------------------------------------------------ sizes */

static uint64_t allocated(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (uint64_t)info.st_blocks * 512 : 0;
}

uint64_t kith_allocated_bytes(const char *generation, const char *name)
{
    char *path = kbase_path_join(generation, name);
    DIR *folder = path != NULL ? opendir(path) : NULL;
    uint64_t n_bytes = path != NULL && folder == NULL ? allocated(path) : 0;
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char *below =
            entry->d_name[0] != '.' ? kbase_path_join(path, entry->d_name) : NULL;
        n_bytes += below != NULL ? allocated(below) : 0;
        free(below);
    }
    if (folder != NULL) {
        closedir(folder);
    }
    free(path);
    return n_bytes;
}
