/* kith get: whole records. */
#include <stdlib.h>

#include "cli.h"
#include "ids.h"
#include "json_write.h"
#include "options.h"
#include "output.h"
#include "session.h"
#include "show.h"
#include "text.h"

typedef enum get_format { GET_PEOPLE, GET_JSON, GET_JSONL } get_format;

/* For people: the title, and the passages as paragraphs. */
static void show_record(buffer *out, const kith_records *records)
{
    const kith_record *first = kith_records_at(records, 0);
    if (!text_is_blank(first->title)) {
        output_paragraph(out, first->title);
        buffer_string(out, "\n\n");
    }
    for (size_t i = 0; i < kith_records_count(records); i++) {
        kith_text text = kith_records_at(records, i)->text;
        buffer_string(out, i == 0 ? "" : "\n");
        output_paragraph(out, text);
        if (text.n_bytes == 0 || text.data[text.n_bytes - 1] != '\n') {
            buffer_byte(out, '\n');
        }
    }
}

static int get_one(kith_collection *collection, const char *written, get_format format,
                   bool is_first, buffer *out)
{
    kith_error err;
    kith_records *records = NULL;
    char *id = id_find(collection, written);
    if (id == NULL) {
        return EXIT_NO;
    }
    kith_status status = kith_record_get(collection, text_of(id), &records, &err);
    free(id);
    if (status != KITH_OK) {
        return report(&err, SUBJECT_RECORD);
    }
    if (format == GET_PEOPLE) {
        buffer_string(out, is_first ? "" : "\n");
        show_record(out, records);
    } else {
        show_put_record(out, records, format == GET_JSONL);
        buffer_string(out, format == GET_JSONL ? "\n" : "");
    }
    kith_records_free(records);
    return EXIT_DONE;
}

static int get_all(kith_collection *collection, char **ids, size_t n_ids,
                   get_format format)
{
    buffer out = BUFFER_EMPTY;
    int result = EXIT_DONE;
    if (format == GET_JSON) {
        put_open(&out, '{');
        put_key(&out, "v");
        put_count(&out, 1);
        put_key(&out, "records");
        put_open(&out, '[');
    }
    for (size_t i = 0; i < n_ids && result <= EXIT_NO; i++) {
        int status = get_one(collection, ids[i], format, i == 0, &out);
        result = status > result ? status : result;
        if (format != GET_JSON && !output_write(&out)) {
            result = EXIT_ENVIRONMENT;
        }
    }
    if (format == GET_JSON) {
        put_close(&out, ']');
        put_close(&out, '}');
        buffer_byte(&out, '\n');
        output_write(&out);
    }
    buffer_free(&out);
    return result;
}

int cmd_get(int argc, char **argv)
{
    bool is_json = false;
    bool is_jsonl = false;
    const option options[] = {
        SWITCH(0, "json", &is_json, "print one JSON object"),
        SWITCH(0, "jsonl", &is_jsonl, "print one JSON object a record"),
        END_OF_OPTIONS
    };
    const usage use = {
        "get", "COLLECTION ID... [options]",
        "Print records: title and text. The exit status is 1 when an id is "
        "not there.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments < 2) {
        return usage_error(&use, "a collection and at least one id are needed");
    }
    if (is_json && is_jsonl) {
        return usage_error(&use, "--json and --jsonl exclude each other");
    }
    session s = SESSION_EMPTY;
    status = session_open(&s, argv[1], true);
    if (status == EXIT_DONE) {
        status = get_all(s.collection, argv + 2, (size_t)n_arguments - 1,
                         is_json ? GET_JSON : is_jsonl ? GET_JSONL : GET_PEOPLE);
    }
    session_close(&s);
    return status;
}
