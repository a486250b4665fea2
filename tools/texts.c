#include "texts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "text.h"

#define MAX_LINE_BYTES (16u << 20)

bool texts_open(text_file *file, const char *path, const field_names *names)
{
    *file = (text_file){ .name = path, .names = *names };
    if (stream_open(&file->in, path) != READ_OK) {
        report_errno(path, file->in.error_number);
        return false;
    }
    file->is_jsonl = names->given[FIELD_TEXT] != NULL || has_ending(path, ".jsonl") ||
                     has_ending(path, ".ndjson");
    file->is_known = file->is_jsonl || has_ending(path, ".txt");
    return true;
}

void texts_close(text_file *file)
{
    stream_close(&file->in);
}

/* Copy everything that the item points to. */
static void keep(text_item *item, kith_text id, kith_text text, const char *problem)
{
    size_t problem_bytes = problem == NULL ? 0 : strlen(problem) + 1;
    item->bytes = allocate(id.n_bytes + text.n_bytes + problem_bytes, 1);
    buffer bytes = { item->bytes, 0, id.n_bytes + text.n_bytes + problem_bytes };
    item->id = (kith_text){ item->bytes, id.n_bytes };
    item->text = (kith_text){ item->bytes + id.n_bytes, text.n_bytes };
    item->problem = problem == NULL ? NULL : item->bytes + id.n_bytes + text.n_bytes;
    buffer_append(&bytes, id.data, id.n_bytes);
    buffer_append(&bytes, text.data, text.n_bytes);
    buffer_append(&bytes, problem, problem_bytes);
}

static void take_line(text_file *file, const text_line *line, text_item *item)
{
    char number[24];
    kith_text text = { line->data, line->n_bytes };
    json_record object = JSON_RECORD_EMPTY;
    buffer reason = BUFFER_EMPTY;
    int n_digits = snprintf(number, sizeof(number), "%" PRIu64, line->number);
    kith_text id = { number, (size_t)n_digits };
    bool is_blank = text_is_blank(text);
    bool is_object = (file->is_jsonl || !file->is_known) && !is_blank &&
                     !line->is_too_long &&
                     json_record_read(&object, &file->names, text, &reason);
    if (!file->is_known && !is_blank) {
        file->is_jsonl = is_object;
        file->is_known = true;
    }
    buffer_byte(&reason, '\0');
    if (line->is_too_long) {
        keep(item, id, (kith_text){ "", 0 }, "longer than 16 MiB");
    } else if (is_object) {
        keep(item, object.id.n_bytes > 0 ? object.id : id, object.text, NULL);
    } else if (file->is_jsonl && !is_blank) {
        keep(item, id, (kith_text){ "", 0 }, reason.data);
    } else {
        keep(item, id, text, NULL);
    }
    json_record_free(&object);
    buffer_free(&reason);
}

read_result texts_next(text_file *file, text_item *item)
{
    text_line line;
    *item = (text_item){ .bytes = NULL };
    read_result result = stream_line(&file->in, MAX_LINE_BYTES, &line);
    if (result == READ_OK) {
        item->line = line.number;
        take_line(file, &line, item);
    } else if (result == READ_FAILED) {
        report_errno(file->name, file->in.error_number);
    }
    return result;
}

bool texts_has_more(const text_file *file)
{
    return stream_has_line(&file->in);
}

void text_item_free(text_item *item)
{
    free(item->bytes);
    item->bytes = NULL;
}
