#include "vector_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "json_write.h"
#include "output.h"

struct vector_writer {
    vector_format format;
    uint32_t dim;
    uint64_t n_rows;
    buffer out;
    FILE *spool; /* npy: rows, until their number is known, which the header tells */
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

static void put_base64(buffer *out, const unsigned char *bytes, size_t n_bytes)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n_bytes; i += 3) {
        size_t n = n_bytes - i < 3 ? n_bytes - i : 3;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        bits |= n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        bits |= n > 2 ? bytes[i + 2] : 0;
        for (size_t j = 0; j < 4; j++) {
            buffer_byte(out, j <= n ? digits[bits >> (18 - 6 * j) & 63] : '=');
        }
    }
}

static void put_row(vector_writer *writer, const float *row)
{
    buffer *out = &writer->out;
    if (writer->format == VECTOR_BASE64) {
        put_base64(out, (const unsigned char *)row, writer->dim * sizeof(row[0]));
    } else {
        put_open(out, '{');
        put_key(out, "v");
        put_count(out, 1);
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

bool vector_writer_put(vector_writer *writer, const float *rows, size_t n_rows)
{
    writer->n_rows += n_rows;
    if (writer->format == VECTOR_NPY) {
        if (writer->spool == NULL) {
            writer->spool = tmpfile();
        }
        return (writer->spool != NULL &&
                fwrite(rows, writer->dim * sizeof(rows[0]), n_rows, writer->spool) ==
                    n_rows) ||
               fail_spool();
    }
    if (writer->format == VECTOR_F32) {
        buffer_append(&writer->out, rows, n_rows * writer->dim * sizeof(rows[0]));
    }
    for (size_t i = 0; i < n_rows && writer->format != VECTOR_F32; i++) {
        put_row(writer, rows + i * writer->dim);
    }
    return output_flush(&writer->out);
}

/* Version 1.0: all of it is a multiple of 64 bytes long. */
static bool put_header(vector_writer *writer)
{
    char dict[118];
    int n = snprintf(dict, sizeof(dict),
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRIu64
                     ", %" PRIu32 "), }", writer->n_rows, writer->dim);
    buffer_append(&writer->out, "\x93NUMPY\x01\x00\x76\x00", 10);
    buffer_print(&writer->out, "%-117.*s\n", n, dict);
    return output_write(&writer->out);
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

bool vector_writer_finish(vector_writer *writer)
{
    bool is_written = true;
    if (writer->format == VECTOR_NPY) {
        is_written = put_header(writer) && copy_spool(writer);
    }
    is_written = output_flush(&writer->out) && is_written;
    if (writer->spool != NULL) {
        fclose(writer->spool);
    }
    buffer_free(&writer->out);
    free(writer);
    return is_written;
}
