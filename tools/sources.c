/* Which files a source stands for. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "input.h"
#include "text.h"

static const struct {
    const char *ending;
    input_format format;
} endings[] = {
    { ".txt", INPUT_FILES },    { ".md", INPUT_FILES },  { ".rst", INPUT_FILES },
    { ".text", INPUT_FILES },   { ".csv", INPUT_CSV },   { ".tsv", INPUT_TSV },
    { ".jsonl", INPUT_JSONL },  { ".ndjson", INPUT_JSONL },
};

static input_format format_of(const char *path, const input_options *options)
{
    if (options->format != INPUT_AUTO) {
        return options->format;
    }
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (has_ending(path, endings[i].ending)) {
            return endings[i].format;
        }
    }
    return INPUT_UNKNOWN;
}

static void add_file(input_files *files, char *path, input_format format, off_t n_bytes)
{
    files->items = make_room(files->items, files->n_items, &files->capacity,
                             sizeof(files->items[0]));
    files->items[files->n_items++] =
        (input_file){ .path = path, .n_bytes = (uint64_t)n_bytes, .format = format };
    files->n_bytes += (uint64_t)n_bytes;
}

static void skip(const input_sink *sink, skip_kind kind, const char *path,
                 const char *reason)
{
    sink->skip(sink->context, kind, path, 0, reason);
}

/* ------------------------------------------------------------------ folders */

static void walk(input_files *files, const char *folder, const input_options *options,
                 const input_sink *sink);

/* A symbolic link to a file stands for that file; one to a folder is not followed, so
 * that there is no way round in a circle. */
static void walk_link(input_files *files, const char *path,
                      const input_options *options, const input_sink *sink)
{
    struct stat status;
    char *target = realpath(path, NULL);
    if (target == NULL || stat(target, &status) != 0) {
        skip(sink, SKIP_REFUSED, path, strerror(errno));
    } else if (S_ISDIR(status.st_mode)) {
        skip(sink, SKIP_PASSED, path, "symbolic link to a folder: not followed");
    } else if (!S_ISREG(status.st_mode)) {
        skip(sink, SKIP_PASSED, path, "not a regular file");
    } else if (format_of(path, options) == INPUT_UNKNOWN) {
        skip(sink, SKIP_PASSED, path, "unknown format");
    } else {
        add_file(files, target, format_of(path, options), status.st_size);
        return;
    }
    free(target);
}

static void walk_entry(input_files *files, const char *path,
                       const input_options *options, const input_sink *sink)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        skip(sink, SKIP_REFUSED, path, strerror(errno));
    } else if (S_ISLNK(status.st_mode)) {
        walk_link(files, path, options, sink);
    } else if (S_ISDIR(status.st_mode) && has_ending(path, ".kith")) {
        skip(sink, SKIP_PASSED, path, "a collection");
    } else if (S_ISDIR(status.st_mode)) {
        walk(files, path, options, sink);
    } else if (!S_ISREG(status.st_mode)) {
        skip(sink, SKIP_PASSED, path, "not a regular file");
    } else if (format_of(path, options) == INPUT_UNKNOWN) {
        skip(sink, SKIP_PASSED, path, "unknown format");
    } else {
        add_file(files, copy_string(path), format_of(path, options), status.st_size);
    }
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void walk(input_files *files, const char *folder, const input_options *options,
                 const input_sink *sink)
{
    struct dirent **entries;
    int n_entries = scandir(folder, &entries, is_visible, by_name);
    if (n_entries < 0) {
        skip(sink, SKIP_REFUSED, folder, strerror(errno));
        return;
    }
    for (int i = 0; i < n_entries; i++) {
        const char *slash = strcmp(folder, "/") == 0 ? "" : "/";
        char *path = format_string("%s%s%s", folder, slash, entries[i]->d_name);
        walk_entry(files, path, options, sink);
        free(path);
        free(entries[i]);
    }
    free(entries);
}

/* ------------------------------------------------------------------ a source */

void input_find(input_files *files, const char *source, const input_options *options,
                const input_sink *sink, char **folder)
{
    struct stat status;
    *folder = NULL;
    if (strcmp(source, "-") == 0) {
        add_file(files, copy_string(source), options->format, 0);
        return;
    }
    if (stat(source, &status) != 0) {
        skip(sink, SKIP_REFUSED, source, strerror(errno));
        return;
    }
    char *path = realpath(source, NULL);
    if (path == NULL) {
        path = copy_string(source); /* a pipe of the shell's has no other name */
    }
    input_format format = format_of(path, options);
    if (S_ISDIR(status.st_mode)) {
        walk(files, path, options, sink);
        *folder = path;
        return;
    }
    if (!S_ISREG(status.st_mode)) {
        add_file(files, path, format == INPUT_UNKNOWN ? INPUT_AUTO : format, 0);
    } else if (format == INPUT_UNKNOWN) {
        skip(sink, SKIP_REFUSED, path, "unknown format: tell it with --format");
        free(path);
    } else {
        add_file(files, path, format, status.st_size);
    }
}

static int by_path(const void *a, const void *b)
{
    const input_file *const *x = a;
    const input_file *const *y = b;
    int order = strcmp((*x)->path, (*y)->path);
    return order != 0 ? order : (*x > *y) - (*x < *y);
}

void input_drop_doubles(input_files *files)
{
    size_t n_kept = 0;
    input_file **sorted = allocate(files->n_items, sizeof(sorted[0]));
    for (size_t i = 0; i < files->n_items; i++) {
        sorted[i] = &files->items[i];
    }
    qsort(sorted, files->n_items, sizeof(sorted[0]), by_path);
    for (size_t i = 1; i < files->n_items; i++) {
        sorted[i]->is_double = strcmp(sorted[i]->path, sorted[i - 1]->path) == 0;
    }
    free(sorted);
    for (size_t i = 0; i < files->n_items; i++) {
        if (files->items[i].is_double) {
            files->n_bytes -= files->items[i].n_bytes;
            free(files->items[i].path);
        } else {
            files->items[n_kept++] = files->items[i];
        }
    }
    files->n_items = n_kept;
}

void input_files_free(input_files *files)
{
    for (size_t i = 0; i < files->n_items; i++) {
        free(files->items[i].path);
    }
    free(files->items);
    *files = (input_files){ .items = NULL };
}
