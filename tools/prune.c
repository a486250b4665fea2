#include "prune.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "buffer.h"
#include "cli.h"
#include "text.h"

const char *prune_name(const input_file *file, const input_options *options)
{
    return strcmp(file->path, "-") == 0 ? options->stdin_name : file->path;
}

int prune_source(kith_writer *writer, const char *name)
{
    kith_error err;
    return kith_writer_prune(writer, text_of(name), &err) == KITH_OK
               ? EXIT_DONE
               : report(&err, SUBJECT_ENVIRONMENT);
}

static bool is_below(kith_text source, const char *folder)
{
    size_t length = strlen(folder);
    return source.n_bytes > length && memcmp(source.data, folder, length) == 0 &&
           (source.data[length] == '/' || strcmp(folder, "/") == 0);
}

static bool is_gone(const char *path)
{
    struct stat status;
    return lstat(path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Records of one source often follow one another: the last one seen need not be looked
 * at again, and pruning a source twice does no harm. */
static int prune_records(kith_writer *writer, const kith_records *records,
                         const char *folder, char **last)
{
    for (size_t i = 0; i < kith_records_count(records); i++) {
        kith_text source = kith_records_at(records, i)->source;
        if (!is_below(source, folder) || text_equals(source, text_of(*last))) {
            continue;
        }
        free(*last);
        *last = copy_bytes(source.data, source.n_bytes);
        if (is_gone(*last)) {
            int status = prune_source(writer, *last);
            if (status != EXIT_DONE) {
                return status;
            }
        }
    }
    return EXIT_DONE;
}

int prune_gone(kith_collection *collection, kith_writer *writer, const char *folder)
{
    kith_error err;
    kith_cursor *cursor = NULL;
    kith_records *records = NULL;
    char *last = NULL;
    int result = EXIT_DONE;
    kith_status status = kith_cursor_open(collection, &cursor, &err);
    while (status == KITH_OK && result == EXIT_DONE) {
        status = kith_cursor_next(cursor, &records, &err);
        if (status == KITH_OK) {
            result = prune_records(writer, records, folder, &last);
            kith_records_free(records);
        }
    }
    if (status != KITH_OK && status != KITH_NOT_FOUND) {
        result = report(&err, SUBJECT_ENVIRONMENT);
    }
    free(last);
    kith_cursor_close(cursor);
    return result;
}
