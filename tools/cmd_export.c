/* kith export: all records, or their vectors. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "cli.h"
#include "ids.h"
#include "json_write.h"
#include "options.h"
#include "output.h"
#include "session.h"
#include "show.h"
#include "vector_writer.h"

typedef enum export_format { EXPORT_JSONL, EXPORT_NPY } export_format;

typedef struct export_run {
    /* options */
    int format;
    bool has_vectors;
    const char *ids_path;
    /* what is worked on */
    uint32_t dim;
    FILE *ids;
    vector_writer *rows;
    buffer out;
    bool has_refusal;
} export_run;

static bool put_passage(export_run *run, const kith_record *record)
{
    buffer *out = &run->out;
    put_open(out, '{');
    put_key(out, "v");
    put_count(out, 1);
    put_key(out, "id");
    put_text(out, record->id);
    put_key(out, "passage");
    put_count(out, record->passage);
    put_key(out, "passages");
    put_count(out, record->n_passages);
    put_key(out, "text");
    put_text(out, record->text);
    show_put_origin(out, record);
    if (record->vector != NULL) {
        put_key(out, "vector");
        buffer_byte(out, '"');
        base64_put(out, record->vector, run->dim * sizeof(record->vector[0]));
        buffer_byte(out, '"');
    }
    put_close(out, '}');
    buffer_byte(out, '\n');
    return output_write(out);
}

/* A row, and its id in the other file. */
static bool put_row(export_run *run, const kith_record *record)
{
    kith_text id = record->id;
    if (run->ids != NULL && (memchr(id.data, '\n', id.n_bytes) != NULL ||
                             id.data[id.n_bytes - 1] == '\r')) {
        kith_text shown = id_shown(id);
        message("skipped %.*s: an id with a line feed does not go in a line",
                (int)shown.n_bytes, shown.data);
        run->has_refusal = true;
        return true;
    }
    if (run->ids != NULL && (fwrite(id.data, 1, id.n_bytes, run->ids) != id.n_bytes ||
                             putc('\n', run->ids) == EOF)) {
        report_errno(run->ids_path, errno);
        return false;
    }
    return vector_writer_put(run->rows, record->vector, 1, NULL);
}

static int export_all(export_run *run, kith_collection *collection)
{
    kith_error err;
    kith_cursor *cursor = NULL;
    kith_records *records = NULL;
    bool is_written = true;
    kith_status status = kith_cursor_open(collection, &cursor, &err);
    if (status == KITH_OK && run->has_vectors) {
        kith_cursor_read_vectors(cursor);
    }
    while (status == KITH_OK && is_written) {
        status = kith_cursor_next(cursor, &records, &err);
        if (status != KITH_OK) {
            break;
        }
        for (size_t i = 0; i < kith_records_count(records) && is_written; i++) {
            const kith_record *record = kith_records_at(records, i);
            is_written = run->format == EXPORT_NPY ? put_row(run, record)
                                                   : put_passage(run, record);
        }
        kith_records_free(records);
    }
    kith_cursor_close(cursor);
    if (status != KITH_OK && status != KITH_NOT_FOUND) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    return !is_written ? EXIT_ENVIRONMENT : run->has_refusal ? EXIT_PARTIAL : EXIT_DONE;
}

/* Open what else is written to, and put it away again. */
static int export_to(export_run *run, kith_collection *collection)
{
    kith_error err;
    kith_collection_info info;
    if (kith_collection_get_info(collection, &info, &err) != KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    run->dim = info.model.dim;
    if (run->ids_path != NULL && (run->ids = fopen(run->ids_path, "we")) == NULL) {
        return report_errno(run->ids_path, errno);
    }
    if (run->format == EXPORT_NPY) {
        run->rows = vector_writer_new(VECTOR_NPY, run->dim);
    }
    int status = export_all(run, collection);
    if (run->rows != NULL && !vector_writer_finish(run->rows) && status == EXIT_DONE) {
        status = EXIT_ENVIRONMENT;
    }
    if (run->ids != NULL && fclose(run->ids) != 0 && status == EXIT_DONE) {
        status = report_errno(run->ids_path, errno);
    }
    buffer_free(&run->out);
    return status;
}

int cmd_export(int argc, char **argv)
{
    export_run run = { .format = EXPORT_JSONL };
    const option options[] = {
        CHOICE(0, "format", "jsonl|npy", &run.format,
               "a JSON object a passage, or the vectors alone as\n"
               "a NumPy file, a row a passage"),
        SWITCH(0, "vectors", &run.has_vectors,
               "JSON objects have the vectors, in base64"),
        TEXT(0, "ids", "FILE", &run.ids_path,
             "with npy: write the id of each row there, one a\nline"),
        END_OF_OPTIONS
    };
    const usage use = {
        "export", "COLLECTION [options]",
        "Print all records, in the order of their ids. 'kith import' reads the JSON "
        "objects.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments != 1) {
        return usage_error(&use, "one collection is needed");
    }
    if (run.ids_path != NULL && run.format != EXPORT_NPY) {
        return usage_error(&use, "--ids goes with --format npy");
    }
    if (run.format == EXPORT_NPY && output_is_terminal()) {
        return usage_error(&use,
                           "vectors are binary and no good for a terminal: redirect");
    }
    run.has_vectors = run.has_vectors || run.format == EXPORT_NPY;
    session s = SESSION_EMPTY;
    status = session_open(&s, argv[1], true);
    if (status == EXIT_DONE) {
        status = export_to(&run, s.collection);
    }
    session_close(&s);
    return status;
}
