/* Turning sources (files, folders, stdin) into records. */
#ifndef KITH_TOOLS_INPUT_H
#define KITH_TOOLS_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "fields.h"
#include "kith.h"
#include "stream.h"

typedef enum input_format {
    INPUT_AUTO, /* by the name of the file */
    INPUT_FILES,
    INPUT_LINES,
    INPUT_JSONL,
    INPUT_CSV,
    INPUT_TSV,
    INPUT_UNKNOWN
} input_format;

/* In the order of input_format. */
#define INPUT_FORMATS "auto|files|lines|jsonl|csv|tsv"

typedef struct input_options {
    input_format format;
    field_names names;
    const char *stdin_name; /* NULL: not given */
    uint64_t max_record;    /* bytes */
    const char *const *columns; /* NULL, or the names, up to NULL, of the columns of a
                                   table: its first row is a record if it has as many
                                   cells and none is called like the text */
    uint32_t *dim; /* records have vectors of so many numbers; 0: as many as the first,
                      which sets it. NULL: they have none */
} input_options;

/* Why something did not become a record. */
typedef enum skip_kind {
    SKIP_REFUSED, /* an input that was asked for: makes the exit status 3 */
    SKIP_PASSED   /* empty, or found in a folder and no text: only told of */
} skip_kind;

/* Where records go. */
typedef struct input_sink {
    void *context;
    /* Pointers in the record live during the call. False stops reading. */
    bool (*record)(void *context, const kith_input *record);
    /* line 0: the whole source. */
    void (*skip)(void *context, skip_kind kind, const char *source, uint64_t line,
                 const char *reason);
    /* No input has come for a second. False stops reading. */
    bool (*idle)(void *context);
    /* So many bytes of the source were read. */
    void (*progress)(void *context, uint64_t n_bytes);
} input_sink;

/* A file to read. */
typedef struct input_file {
    char *path; /* "-" for stdin, else a real path: the name of the source */
    uint64_t n_bytes;
    input_format format;
    bool is_double;
} input_file;

typedef struct input_files {
    input_file *items;
    size_t n_items;
    size_t capacity;
    uint64_t n_bytes;
} input_files;

/* Find the files of a source: itself, or all below a folder, by name. What is no file
 * to read goes to sink->skip. `folder` gets its real path if it is one (for free()), or
 * NULL. */
void input_find(input_files *files, const char *source, const input_options *options,
                const input_sink *sink, char **folder);
/* Keep each file once, where it came first: links and overlapping sources. */
void input_drop_doubles(input_files *files);
void input_files_free(input_files *files);

/* How reading a file ended. */
typedef enum input_result {
    INPUT_WHOLE,   /* all of it was read (records may have been refused) */
    INPUT_REFUSED, /* it could not be read, or not to its end; told to sink->skip */
    INPUT_STOPPED, /* by the sink or by a signal */
    INPUT_NAMELESS /* a record on stdin has no id, and stdin has no name */
} input_result;

input_result input_read(const input_file *file, const input_options *options,
                        const input_sink *sink);

/* ------------------------------------------------------------------ for the readers */

/* What a reader of one format works on. */
typedef struct reader {
    stream in;
    const input_options *options;
    const input_sink *sink;
    const char *name; /* of the source; NULL: stdin without a name */
} reader;

input_result read_files(reader *r);
input_result read_lines(reader *r);
input_result read_jsonl(reader *r);
input_result read_vector_jsonl(reader *r); /* with vectors */
input_result read_table(reader *r, bool is_csv);

/* What the end of the stream means; a failure to read is told. */
input_result reader_end(reader *r, read_result result);
void reader_skip(reader *r, skip_kind kind, uint64_t line, const char *reason);
void reader_skip_too_long(reader *r, uint64_t line);
/* Why a vector is of no use, or NULL. */
const char *vector_problem(const float *vector, size_t dim);
/* Complete the record (source; an id if there is none) and hand it on. INPUT_WHOLE: go
 * on reading. */
input_result reader_pass(reader *r, kith_input *record);

#endif
