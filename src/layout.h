/* What a collection is on disk: the line CURRENT, and a folder for each generation. */
#ifndef KITH_LAYOUT_H
#define KITH_LAYOUT_H

#include <sys/types.h>
#include <time.h>

#include "file.h"
#include "store.h"

#define KITH_FIRST_GENERATION 1
#define KITH_LAST_GENERATION 999999

/* The line as it was read, and the file that it stood in. */
typedef struct kith_current {
    unsigned number; /* of the generation that counts */
    kbase_file file; /* open, so that no later CURRENT gets its inode number */
    dev_t device;
    ino_t inode;
    struct timespec modified;
} kith_current;

#define KITH_CURRENT_INIT { .file = KBASE_FILE_INIT }

/* path: the collection. KITH_NOT_FOUND; KITH_VERSION; KITH_CORRUPT. */
kith_status kith_current_read(const char *path, kith_current *current, kith_error *err);
void kith_current_close(kith_current *current);

/* Whether CURRENT is still the file that was read: one stat(). */
bool kith_current_is_same(const kith_current *current);

/* Make a generation the current one, atomically and durably. After a failure CURRENT may
 * name either. */
kith_status kith_current_write(const char *path, unsigned number, kith_error *err);

/* "NAME.kith/g000001", allocated; NULL when memory is out. */
char *kith_generation_path(const char *path, unsigned number);

/* Make the folder of a generation, with an empty store in it; durable. A folder that is
 * there must be empty. */
kith_status kith_generation_make(const char *path, unsigned number,
                                 const kstore_settings *settings, kith_error *err);

/* Remove the folder of a generation that is not, or not any more, the current one. Who has
 * its files open goes on reading them. To be called by the writer. */
kith_status kith_generation_remove(const char *path, unsigned number, kith_error *err);

/* Remove what an interrupted compaction has left beside a generation. To be called by the
 * writer. What cannot be removed stays; KITH_IO: it is not certain that the generation
 * would be current after a power failure. */
kith_status kith_generations_sweep(const char *path, unsigned current, kith_error *err);

/* Bytes on disk of a file of a generation, or of the files in a folder of it; 0 when it is
 * not there. */
uint64_t kith_allocated_bytes(const char *generation, const char *name);

#endif
