/* Reading a file or a pipe in bounded memory, by bytes or by lines. */
#ifndef KITH_TOOLS_STREAM_H
#define KITH_TOOLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

/* What became of a request to read. */
typedef enum read_result {
    READ_OK,
    READ_END,
    READ_FAILED, /* stream.error_number says why */
    READ_STOPPED /* a signal was received, or the one who waits wants no more */
} read_result;

typedef struct stream {
    int fd;
    char *data; /* data[begin] to data[end - 1] were read and not yet taken */
    size_t begin;
    size_t end;
    uint64_t offset; /* in the file, of data[begin]; a byte order mark counts */
    uint64_t line;   /* 1-based, of data[begin] */
    uint64_t size;   /* of a regular file, else 0 */
    int error_number;
    bool is_at_end;
    buffer long_line; /* a line that did not fit in data */
    /* Called when no byte has come for a second, so that what is at hand can be dealt
     * with; false gives READ_STOPPED. May be NULL. */
    bool (*idle)(void *context);
    void *context;
} stream;

/* A line without its end ("\n" or "\r\n"). */
typedef struct text_line {
    const char *data; /* until the next call */
    size_t n_bytes;
    uint64_t byte[2]; /* where it stands in the stream: first, one past the last */
    uint64_t number;
    bool is_too_long; /* over the limit: data is its beginning */
} text_line;

/* Open path, or stdin for "-". READ_FAILED with error_number, else READ_OK. Directories
 * are refused with EISDIR. */
read_result stream_open(stream *in, const char *path);
void stream_close(stream *in);

/* Read more, keeping what is there, if there is room for it. */
read_result stream_fill(stream *in);
/* The next byte, 0 to 255, or a negated read_result. */
int stream_byte(stream *in);
/* The next line. */
read_result stream_line(stream *in, uint64_t max_bytes, text_line *line);
/* Another whole line can be had without waiting. */
bool stream_has_line(const stream *in);

#endif
