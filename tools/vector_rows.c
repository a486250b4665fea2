#include "vector_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "text.h"

/* ------------------------------------------------------------------ opening */

static char *real_name(const char *path)
{
    char *name = realpath(path, NULL);
    return name != NULL ? name : copy_string(path);
}

/* Open a file of lines that belong to rows. With another number of lines than rows all
 * records would get wrong ids or texts: so they are counted first. */
static int open_lines(stream *in, const char *path, const char *what, bool skips_blank,
                      uint64_t n_rows, uint64_t max_record)
{
    uint64_t n_lines = 0;
    text_line line;
    read_result got = stream_open(in, path);
    if (got == READ_OK && in->size == 0 && n_rows > 0) {
        message("%s: no regular file, or empty", path);
        return EXIT_DATA;
    }
    while (got == READ_OK && (got = stream_line(in, max_record, &line)) == READ_OK) {
        n_lines += !skips_blank ||
                   !text_is_blank((kith_text){ line.data, line.n_bytes });
    }
    stream_close(in);
    if (got == READ_END) {
        if (n_lines != n_rows) {
            message("%s: %" PRIu64 " %s for %" PRIu64 " rows of vectors", path, n_lines,
                    what, n_rows);
            return EXIT_DATA;
        }
        got = stream_open(in, path);
    }
    return got == READ_OK        ? EXIT_DONE
           : got == READ_STOPPED ? EXIT_INTERRUPTED
                                 : report_errno(path, in->error_number);
}

int vector_rows_open(vector_rows *rows, const char *vectors, const char *ids,
                     const char *texts, const input_options *options)
{
    *rows = (vector_rows){ .ids = { .fd = -1 }, .texts = { .fd = -1 },
                           .options = options };
    int status = npy_open(&rows->npy, vectors);
    rows->name = real_name(vectors);
    if (status == EXIT_DONE && ids != NULL) {
        rows->ids_name = real_name(ids);
        status = open_lines(&rows->ids, ids, "ids", false, rows->npy.n_rows,
                            options->max_record);
    }
    if (status == EXIT_DONE && texts != NULL) {
        rows->texts_name = real_name(texts);
        rows->texts_are_jsonl =
            has_ending(texts, ".jsonl") || has_ending(texts, ".ndjson");
        status = open_lines(&rows->texts, texts, "texts", rows->texts_are_jsonl,
                            rows->npy.n_rows, options->max_record);
    }
    return status;
}

void vector_rows_close(vector_rows *rows)
{
    npy_close(&rows->npy);
    stream_close(&rows->ids);
    stream_close(&rows->texts);
    free(rows->name);
    free(rows->ids_name);
    free(rows->texts_name);
}

/* ------------------------------------------------------------------ reading */

/* A row being put together. */
typedef struct row {
    kith_input record;
    float *vector;
    json_record object;
    buffer id;
    buffer reason; /* not empty: it is skipped */
} row;

static int next_line(stream *in, uint64_t max_bytes, const char *name, text_line *line)
{
    read_result got = stream_line(in, max_bytes, line);
    if (got == READ_END) {
        message("%s became shorter while it was read", name);
        return EXIT_ENVIRONMENT;
    }
    return got == READ_OK        ? EXIT_DONE
           : got == READ_STOPPED ? EXIT_INTERRUPTED
                                 : report_errno(name, in->error_number);
}

static bool is_utf8(const text_line *line, const char *what, buffer *reason)
{
    bool is_valid = utf8_valid_bytes(line->data, line->n_bytes) == line->n_bytes;
    if (!is_valid) {
        buffer_print(reason, "the %s is not UTF-8", what);
    }
    return is_valid;
}

static int take_id(vector_rows *rows, row *a_row)
{
    text_line line;
    if (rows->ids_name == NULL) {
        return EXIT_DONE;
    }
    int status =
        next_line(&rows->ids, rows->options->max_record, rows->ids_name, &line);
    buffer_clear(&a_row->id);
    if (status == EXIT_DONE && is_utf8(&line, "id", &a_row->reason)) {
        buffer_append(&a_row->id, line.data, line.n_bytes);
        if (line.n_bytes == 0) {
            buffer_string(&a_row->reason, "the id is empty");
        }
    }
    return status;
}

/* What the line of a text gives; it is at hand until the next one is read. */
static int take_text(vector_rows *rows, row *a_row)
{
    kith_input *record = &a_row->record;
    json_record *object = &a_row->object;
    text_line line;
    int status;
    do {
        status = next_line(&rows->texts, rows->options->max_record, rows->texts_name,
                           &line);
    } while (status == EXIT_DONE && rows->texts_are_jsonl &&
             text_is_blank((kith_text){ line.data, line.n_bytes }));
    if (status != EXIT_DONE) {
        return status;
    }
    record->text = (kith_text){ line.data, line.n_bytes };
    record->spans_source = !rows->texts_are_jsonl;
    if (line.is_too_long) {
        buffer_print(&a_row->reason, "longer than --max-record (%" PRIu64 " bytes)",
                     rows->options->max_record);
    } else if (!rows->texts_are_jsonl) {
        is_utf8(&line, "text", &a_row->reason);
    } else if (json_record_read(object, &rows->options->names, record->text,
                                &a_row->reason)) {
        record->id = object->id;
        record->text = object->text;
        record->title = object->title;
        record->metadata = object->metadata;
    }
    record->source = text_of(rows->texts_name);
    record->byte[0] = line.byte[0];
    record->byte[1] = line.byte[1];
    record->line[0] = record->line[1] = line.number;
    return EXIT_DONE;
}

static int read_row(vector_rows *rows, row *a_row, const input_sink *sink)
{
    npy_file *npy = &rows->npy;
    char number[24];
    const uint64_t which = npy->row;
    const uint64_t row_bytes = (uint64_t)npy->dim * npy->item_bytes;
    const uint64_t first = npy->data_offset + which * row_bytes;
    a_row->record = (kith_input){ .source = text_of(rows->name),
                                  .byte = { first, first + row_bytes },
                                  .vector = a_row->vector };
    buffer_clear(&a_row->reason);
    int status = npy_read(npy, a_row->vector) ? EXIT_DONE : EXIT_ENVIRONMENT;
    if (status == EXIT_DONE && rows->texts_name != NULL) {
        status = take_text(rows, a_row);
    }
    if (status == EXIT_DONE) {
        status = take_id(rows, a_row);
    }
    if (status != EXIT_DONE) {
        return status;
    }
    snprintf(number, sizeof(number), "%" PRIu64, which);
    if (rows->ids_name != NULL) {
        a_row->record.id = (kith_text){ a_row->id.data, a_row->id.size };
    } else if (a_row->record.id.n_bytes == 0) {
        a_row->record.id = text_of(number);
    }
    const char *problem = vector_problem(a_row->vector, npy->dim);
    if (a_row->reason.size == 0 && problem != NULL) {
        buffer_string(&a_row->reason, problem);
    }
    sink->progress(sink->context, first + row_bytes);
    if (a_row->reason.size > 0) {
        char *reason = format_string("row %" PRIu64 ": %.*s", which,
                                     (int)a_row->reason.size, a_row->reason.data);
        sink->skip(sink->context, SKIP_REFUSED, rows->name, 0, reason);
        free(reason);
        return EXIT_DONE;
    }
    return sink->record(sink->context, &a_row->record) ? EXIT_DONE : EXIT_INTERRUPTED;
}

int vector_rows_read(vector_rows *rows, const input_sink *sink)
{
    int status = EXIT_DONE;
    row a_row = { .vector = allocate(rows->npy.dim, sizeof(float)) };
    while (status == EXIT_DONE && rows->npy.row < rows->npy.n_rows) {
        status = read_row(rows, &a_row, sink);
    }
    json_record_free(&a_row.object);
    buffer_free(&a_row.id);
    buffer_free(&a_row.reason);
    free(a_row.vector);
    return status;
}
