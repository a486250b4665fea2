#include "input.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

void reader_skip(reader *r, skip_kind kind, uint64_t line, const char *reason)
{
    r->sink->skip(r->sink->context, kind, r->name == NULL ? "-" : r->name, line,
                  reason);
}

void reader_skip_too_long(reader *r, uint64_t line)
{
    char reason[80];
    snprintf(reason, sizeof(reason), "longer than --max-record (%" PRIu64 " bytes)",
             r->options->max_record);
    reader_skip(r, SKIP_REFUSED, line, reason);
}

input_result reader_end(reader *r, read_result result)
{
    switch (result) {
    case READ_OK:
    case READ_END:
        return INPUT_WHOLE;
    case READ_FAILED:
        reader_skip(r, SKIP_REFUSED, 0, strerror(r->in.error_number));
        return INPUT_REFUSED;
    case READ_STOPPED:
        break;
    }
    return INPUT_STOPPED;
}

input_result reader_pass(reader *r, kith_input *record)
{
    buffer id = BUFFER_EMPTY;
    r->sink->progress(r->sink->context, r->in.offset);
    if (record->vector == NULL && text_is_blank(record->text) &&
        text_is_blank(record->title)) {
        reader_skip(r, SKIP_PASSED, record->line[0], "empty");
        return INPUT_WHOLE;
    }
    if (record->id.n_bytes == 0) {
        if (r->name == NULL) {
            return INPUT_NAMELESS;
        }
        buffer_print(&id, "%s:%" PRIu64, r->name, record->line[0]);
        record->id = (kith_text){ id.data, id.size };
    }
    record->source = text_of(r->name);
    bool goes_on = r->sink->record(r->sink->context, record);
    buffer_free(&id);
    return goes_on ? INPUT_WHOLE : INPUT_STOPPED;
}

const char *vector_problem(const float *vector, size_t dim)
{
    bool is_zero = true;
    for (size_t i = 0; i < dim; i++) {
        if (!isfinite(vector[i])) {
            return "a number of the vector is not finite";
        }
        is_zero = is_zero && !(vector[i] < 0 || vector[i] > 0);
    }
    return is_zero ? "the vector is zero" : NULL;
}

/* What comes on a pipe is JSONL when it starts like an object. */
static input_format look_at(stream *in)
{
    do {
        for (size_t i = in->begin; i < in->end; i++) {
            if (strchr(" \t\r\n", in->data[i]) == NULL || in->data[i] == '\0') {
                return in->data[i] == '{' ? INPUT_JSONL : INPUT_LINES;
            }
        }
    } while (in->end - in->begin < 4096 && stream_fill(in) == READ_OK);
    return INPUT_LINES;
}

input_result input_read(const input_file *file, const input_options *options,
                        const input_sink *sink)
{
    bool is_stdin = strcmp(file->path, "-") == 0;
    reader r = { .options = options, .sink = sink };
    r.name = is_stdin ? options->stdin_name : file->path;
    input_result result = INPUT_REFUSED;
    read_result opened = stream_open(&r.in, file->path);
    if (opened != READ_OK) {
        return reader_end(&r, opened);
    }
    r.in.idle = sink->idle;
    r.in.context = sink->context;
    switch (file->format == INPUT_AUTO ? look_at(&r.in) : file->format) {
    case INPUT_FILES:
        result = read_files(&r);
        break;
    case INPUT_JSONL:
        result = options->dim == NULL ? read_jsonl(&r) : read_vector_jsonl(&r);
        break;
    case INPUT_CSV:
    case INPUT_TSV:
        result = read_table(&r, file->format == INPUT_CSV);
        break;
    case INPUT_LINES:
    case INPUT_AUTO:
    case INPUT_UNKNOWN:
        result = read_lines(&r);
        break;
    }
    stream_close(&r.in);
    return result;
}
