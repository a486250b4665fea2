/* A JSON object a line. */
#include "input.h"
#include "json_read.h"
#include "text.h"

static input_result pass_object(reader *r, const text_line *line, json_record *object,
                                buffer *reason)
{
    kith_text json = { line->data, line->n_bytes };
    buffer_clear(reason);
    if (!json_record_read(object, &r->options->names, json, reason)) {
        buffer_byte(reason, '\0');
        reader_skip(r, SKIP_REFUSED, line->number, reason->data);
        return INPUT_WHOLE;
    }
    kith_input record = { .id = object->id,
                          .text = object->text,
                          .title = object->title,
                          .metadata = object->metadata,
                          .byte = { line->byte[0], line->byte[1] },
                          .line = { line->number, line->number } };
    return reader_pass(r, &record);
}

input_result read_jsonl(reader *r)
{
    json_record object = JSON_RECORD_EMPTY;
    buffer reason = BUFFER_EMPTY;
    input_result result = INPUT_WHOLE;
    while (result == INPUT_WHOLE) {
        text_line line;
        read_result got = stream_line(&r->in, r->options->max_record, &line);
        if (got != READ_OK) {
            result = reader_end(r, got);
            break;
        }
        if (line.is_too_long) {
            reader_skip_too_long(r, line.number);
        } else if (!text_is_blank((kith_text){ line.data, line.n_bytes })) {
            result = pass_object(r, &line, &object, &reason);
        }
    }
    buffer_free(&reason);
    json_record_free(&object);
    return result;
}
