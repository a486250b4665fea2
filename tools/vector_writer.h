/* Writing vectors to standard output. */
#ifndef KITH_TOOLS_VECTOR_WRITER_H
#define KITH_TOOLS_VECTOR_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

typedef enum vector_format {
    VECTOR_F32,   /* rows of little-endian float32 */
    VECTOR_NPY,   /* the same behind NumPy's header */
    VECTOR_JSONL, /* {"v":1,"vector":[...]} */
    VECTOR_BASE64 /* of a row of f32, a line each */
} vector_format;

/* In the order of vector_format. */
#define VECTOR_FORMATS "f32|npy|jsonl|base64"

bool vector_format_is_binary(vector_format format);

typedef struct vector_writer vector_writer;

vector_writer *vector_writer_new(vector_format format, uint32_t dim);
/* Write n_rows rows of dim floats. members: NULL, or for each row what a line of JSON has
 * before the vector, such as "line":1. False: writing failed, which was reported. */
bool vector_writer_put(vector_writer *writer, const float *rows, size_t n_rows,
                       const buffer *members);
/* Write what is left and free the writer. */
bool vector_writer_finish(vector_writer *writer);

#endif
