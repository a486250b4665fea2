/* Rows of a NumPy file as records, with ids and texts from other files, row by row. */
#ifndef KITH_TOOLS_VECTOR_ROWS_H
#define KITH_TOOLS_VECTOR_ROWS_H

#include "input.h"
#include "json_read.h"
#include "npy.h"

typedef struct vector_rows {
    npy_file npy;
    char *name; /* its real path */
    stream ids;
    stream texts;
    char *ids_name;   /* NULL: the number of a row is its id */
    char *texts_name; /* NULL: records have no text */
    bool texts_are_jsonl;
    const input_options *options;
} vector_rows;

/* Open a NumPy file, a file of ids, one a line, and one of texts: one a line, or a JSON
 * object with a text when it is called .jsonl or .ndjson. The last two may be NULL, and
 * must have as many lines as there are rows (blank lines are no JSON). Gives EXIT_DONE,
 * or reports and gives another exit status. Close it in both cases. */
int vector_rows_open(vector_rows *rows, const char *vectors, const char *ids,
                     const char *texts, const input_options *options);
/* Give all rows to the sink; what cannot be read is skipped. EXIT_INTERRUPTED also when
 * the sink has stopped it. */
int vector_rows_read(vector_rows *rows, const input_sink *sink);
void vector_rows_close(vector_rows *rows);

#endif
