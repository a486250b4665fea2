/* A whole file is one record. */
#include <stdio.h>

#include "input.h"
#include "text.h"

/* Read to the end, or until there are more bytes than a record may have. */
static read_result read_all(stream *in, uint64_t max_bytes, buffer *bytes)
{
    read_result result = READ_OK;
    while (result == READ_OK && bytes->size <= max_bytes) {
        buffer_append(bytes, in->data + in->begin, in->end - in->begin);
        in->offset += in->end - in->begin;
        in->begin = in->end;
        result = stream_fill(in);
    }
    return result;
}

static uint64_t count_lines(const buffer *bytes)
{
    uint64_t n_lines = 0;
    for (size_t i = 0; i < bytes->size; i++) {
        n_lines += bytes->data[i] == '\n' || i + 1 == bytes->size;
    }
    return n_lines;
}

static input_result pass_file(reader *r, const buffer *bytes, uint64_t first_byte)
{
    size_t n_valid = utf8_valid_bytes(bytes->data, bytes->size);
    if (n_valid < bytes->size) {
        char reason[80];
        snprintf(reason, sizeof(reason), "not UTF-8 (byte %llu)",
                 (unsigned long long)(first_byte + n_valid + 1));
        reader_skip(r, SKIP_REFUSED, 0, reason);
        return INPUT_WHOLE;
    }
    if (text_is_blank((kith_text){ bytes->data, bytes->size })) {
        reader_skip(r, SKIP_PASSED, 0, "empty");
        return INPUT_WHOLE;
    }
    if (r->name == NULL) {
        return INPUT_NAMELESS;
    }
    kith_input record = { .id = text_of(r->name),
                          .text = { bytes->data, bytes->size },
                          .byte = { first_byte, first_byte + bytes->size },
                          .line = { 1, count_lines(bytes) },
                          .spans_source = true };
    return reader_pass(r, &record);
}

input_result read_files(reader *r)
{
    buffer bytes = BUFFER_EMPTY;
    uint64_t first_byte = r->in.offset;
    read_result got = read_all(&r->in, r->options->max_record, &bytes);
    input_result result = INPUT_WHOLE;
    if (got == READ_FAILED || got == READ_STOPPED) {
        result = reader_end(r, got);
    } else if (bytes.size > r->options->max_record) {
        reader_skip_too_long(r, 0);
    } else {
        result = pass_file(r, &bytes, first_byte);
    }
    buffer_free(&bytes);
    return result;
}
