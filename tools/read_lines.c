/* A record a line. */
#include <stdio.h>

#include "input.h"
#include "text.h"

static input_result pass_line(reader *r, const text_line *line)
{
    kith_text text = { line->data, line->n_bytes };
    size_t n_valid = utf8_valid_bytes(text.data, text.n_bytes);
    if (n_valid < text.n_bytes) {
        char reason[80];
        snprintf(reason, sizeof(reason), "not UTF-8 (byte %zu of the line)",
                 n_valid + 1);
        reader_skip(r, SKIP_REFUSED, line->number, reason);
        return INPUT_WHOLE;
    }
    kith_input record = { .text = text,
                          .byte = { line->byte[0], line->byte[1] },
                          .line = { line->number, line->number },
                          .spans_source = true };
    return reader_pass(r, &record);
}

input_result read_lines(reader *r)
{
    input_result result = INPUT_WHOLE;
    while (result == INPUT_WHOLE) {
        text_line line;
        read_result got = stream_line(&r->in, r->options->max_record, &line);
        if (got != READ_OK) {
            return reader_end(r, got);
        }
        if (line.is_too_long) {
            reader_skip_too_long(r, line.number);
        } else if (!text_is_blank((kith_text){ line.data, line.n_bytes })) {
            result = pass_line(r, &line);
        }
    }
    return result;
}
