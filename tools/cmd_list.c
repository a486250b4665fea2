/* kith list: the ids of all records. */
#include <stdio.h>

#include "cli.h"
#include "ids.h"
#include "json_write.h"
#include "options.h"
#include "output.h"
#include "session.h"
#include "show.h"

typedef enum list_format { LIST_PEOPLE, LIST_JSON, LIST_JSONL } list_format;

static void put_entry(buffer *out, const kith_record *record, list_format format,
                      bool is_first)
{
    if (format == LIST_PEOPLE) {
        output_text(out, id_shown(record->id));
        buffer_byte(out, '\n');
        return;
    }
    /* The array is written piece by piece: its commas are ours. */
    buffer_string(out, format == LIST_JSON && !is_first ? ",\n" : "");
    put_open(out, '{');
    if (format == LIST_JSONL) {
        put_key(out, "v");
        put_count(out, 1);
    }
    put_key(out, "id");
    put_text(out, record->id);
    put_key(out, "passages");
    put_count(out, record->n_passages);
    show_put_origin(out, record);
    put_close(out, '}');
    buffer_string(out, format == LIST_JSONL ? "\n" : "");
}

static int list_records(kith_collection *collection, list_format format)
{
    kith_error err;
    kith_cursor *cursor = NULL;
    kith_records *records = NULL;
    buffer out = BUFFER_EMPTY;
    bool is_first = true;
    bool is_written = true;
    buffer_string(&out, format == LIST_JSON ? "{\"v\":1,\"records\":[\n" : "");
    kith_status status = kith_cursor_open(collection, &cursor, &err);
    while (status == KITH_OK && is_written) {
        status = kith_cursor_next(cursor, &records, &err);
        if (status != KITH_OK) {
            break;
        }
        for (size_t i = 0; i < kith_records_count(records); i++) {
            const kith_record *record = kith_records_at(records, i);
            if (record->passage == 0) {
                put_entry(&out, record, format, is_first);
                is_first = false;
            }
        }
        kith_records_free(records);
        is_written = output_write(&out);
    }
    kith_cursor_close(cursor);
    buffer_string(&out, format == LIST_JSON ? "]}\n" : "");
    is_written = output_write(&out) && is_written;
    buffer_free(&out);
    if (status != KITH_OK && status != KITH_NOT_FOUND) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    return is_written ? EXIT_DONE : EXIT_ENVIRONMENT;
}

int cmd_list(int argc, char **argv)
{
    bool is_json = false;
    bool is_jsonl = false;
    const option options[] = {
        SWITCH(0, "json", &is_json, "print one JSON object"),
        SWITCH(0, "jsonl", &is_jsonl, "print one JSON object a record"),
        END_OF_OPTIONS
    };
    const usage use = { "list", "COLLECTION [options]", "Print the ids of all records.",
                        options };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments != 1) {
        return usage_error(&use, "one collection is needed");
    }
    if (is_json && is_jsonl) {
        return usage_error(&use, "--json and --jsonl exclude each other");
    }
    session s = SESSION_EMPTY;
    status = session_open(&s, argv[1], true);
    if (status == EXIT_DONE) {
        status = list_records(s.collection, is_json    ? LIST_JSON
                                            : is_jsonl ? LIST_JSONL
                                                       : LIST_PEOPLE);
    }
    session_close(&s);
    return status;
}
