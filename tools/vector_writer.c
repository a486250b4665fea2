#include "vector_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base64.h"
#include "cli.h"
#include "json_write.h"
#include "output.h"

struct vector_writer {
    vector_format format;
    uint32_t dim;
    uint64_t n_rows;
    buffer out;
    /* npy: the header tells the number of rows, which is known at the end. It is then
     * written into its place; where there is no going back, rows wait in the spool. */
    bool is_started;
    off_t header_at; /* -1: there is no going back */
    FILE *spool;
};

bool vector_format_is_binary(vector_format format)
{
    return format == VECTOR_F32 || format == VECTOR_NPY;
}

static bool fail_spool(void)
{
    report_errno("a temporary file", errno);
    return false;
}

vector_writer *vector_writer_new(vector_format format, uint32_t dim)
{
    vector_writer *writer = allocate(1, sizeof(*writer));
    *writer = (vector_writer){ .format = format, .dim = dim };
    return writer;
}

static void put_row(vector_writer *writer, const float *row, const buffer *members)
{
    buffer *out = &writer->out;
    if (writer->format == VECTOR_BASE64) {
        base64_put(out, row, writer->dim * sizeof(row[0]));
    } else {
        put_open(out, '{');
        put_key(out, "v");
        put_count(out, 1);
        if (members != NULL) {
            buffer_byte(out, ',');
            buffer_append(out, members->data, members->size);
        }
        put_key(out, "vector");
        put_open(out, '[');
        for (uint32_t i = 0; i < writer->dim; i++) {
            put_real(out, row[i]);
        }
        put_close(out, ']');
        put_close(out, '}');
    }
    buffer_byte(out, '\n');
}

/* Version 1.0: all of it is a multiple of 64 bytes long. */
static void put_header(vector_writer *writer)
{
    char dict[118];
    int n = snprintf(dict, sizeof(dict),
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRIu64
                     ", %" PRIu32 "), }", writer->n_rows, writer->dim);
    buffer_append(&writer->out, "\x93NUMPY\x01\x00\x76\x00", 10);
    buffer_print(&writer->out, "%-117.*s\n", n, dict);
}

/* Where an npy file begins in a regular file of its own, or -1. */
static off_t place_of_header(void)
{
    struct stat status;
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (fflush(stdout) != 0 || fstat(STDOUT_FILENO, &status) != 0 ||
        !S_ISREG(status.st_mode) || flags < 0 || (flags & O_APPEND) != 0) {
        return -1;
    }
    return lseek(STDOUT_FILENO, 0, SEEK_CUR);
}

static bool start_npy(vector_writer *writer)
{
    if (writer->is_started) {
        return true;
    }
    writer->is_started = true;
    writer->header_at = place_of_header();
    if (writer->header_at >= 0) {
        put_header(writer);
        return true;
    }
    writer->spool = tmpfile();
    return writer->spool != NULL || fail_spool();
}

bool vector_writer_put(vector_writer *writer, const float *rows, size_t n_rows,
                       const buffer *members)
{
    writer->n_rows += n_rows;
    if (writer->format == VECTOR_NPY && !start_npy(writer)) {
        return false;
    }
    if (writer->spool != NULL) {
        return fwrite(rows, writer->dim * sizeof(rows[0]), n_rows, writer->spool) ==
                   n_rows ||
               fail_spool();
    }
    if (vector_format_is_binary(writer->format)) {
        buffer_append(&writer->out, rows, n_rows * writer->dim * sizeof(rows[0]));
    }
    for (size_t i = 0; i < n_rows && !vector_format_is_binary(writer->format);
         i++) {
        put_row(writer, rows + i * writer->dim, members == NULL ? NULL : &members[i]);
    }
    return output_flush(&writer->out);
}

static bool copy_spool(vector_writer *writer)
{
    char block[65536];
    if (writer->spool == NULL) {
        return true; /* no rows */
    }
    if (fflush(writer->spool) != 0 || fseek(writer->spool, 0, SEEK_SET) != 0) {
        return fail_spool();
    }
    size_t n_bytes;
    while ((n_bytes = fread(block, 1, sizeof(block), writer->spool)) > 0) {
        buffer_append(&writer->out, block, n_bytes);
        if (!output_write(&writer->out)) {
            return false;
        }
    }
    return ferror(writer->spool) == 0 || fail_spool();
}

static bool finish_npy(vector_writer *writer)
{
    if (!writer->is_started || writer->spool != NULL) {
        put_header(writer);
        return output_write(&writer->out) && copy_spool(writer);
    }
    bool is_written = output_flush(&writer->out);
    put_header(writer);
    if (is_written && pwrite(STDOUT_FILENO, writer->out.data, writer->out.size,
                             writer->header_at) != (ssize_t)writer->out.size) {
        report_errno("standard output", errno);
        is_written = false;
    }
    buffer_clear(&writer->out);
    return is_written;
}

bool vector_writer_finish(vector_writer *writer)
{
    bool is_written = writer->format != VECTOR_NPY || finish_npy(writer);
    is_written = output_flush(&writer->out) && is_written;
    if (writer->spool != NULL) {
        fclose(writer->spool);
    }
    buffer_free(&writer->out);
    free(writer);
    return is_written;
}
