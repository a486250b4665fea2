#include "sets.h"

#include <inttypes.h>
#include <string.h>

#include "cli.h"
#include "ids.h"
#include "json_write.h"
#include "output.h"
#include "progress.h"
#include "text.h"

#define MIN_TEXT_COLUMNS 20
/* Written at a time. */
#define WRITE_BYTES 65536

/* ------------------------------------------------------------------ options */

int sets_check(const usage *use, const set_options *options, int n_arguments)
{
    if (n_arguments != 1) {
        return usage_error(use, "one collection is needed");
    }
    if (options->is_json && options->is_jsonl) {
        return usage_error(use, "--json and --jsonl exclude each other");
    }
    return GO_ON;
}

set_format sets_format(const set_options *options)
{
    return options->is_json ? SET_JSON : options->is_jsonl ? SET_JSONL : SET_PEOPLE;
}

/* ------------------------------------------------------------------ progress */

void sets_progress(void *context, const char *step, double fraction)
{
    (void)context;
    progress_step(step, fraction);
}

bool sets_interrupted(void *context)
{
    (void)context;
    return signal_received();
}

void sets_begin(bool is_quiet)
{
    signals_handle(SIGNAL_ASKS);
    progress_begin("all pairs", is_quiet);
}

void sets_end(void)
{
    progress_end();
    signals_handle(SIGNAL_EXITS);
}

/* ------------------------------------------------------------------ lists */

void set_list_begin(set_list *list)
{
    if (list->format == SET_JSON) {
        buffer_print(&list->out, "{\"v\":1,\"%s\":[\n", list->name);
    }
}

void set_list_open(set_list *list)
{
    if (list->format == SET_PEOPLE) {
        return;
    }
    /* The array is written piece by piece: its commas are ours. */
    buffer_string(&list->out, list->format == SET_JSON && list->n > 0 ? ",\n" : "");
    buffer_byte(&list->out, '{');
    if (list->format == SET_JSONL) {
        put_key(&list->out, "v");
        put_count(&list->out, 1);
    }
}

bool set_list_close(set_list *list)
{
    if (list->format != SET_PEOPLE) {
        put_close(&list->out, '}');
        buffer_string(&list->out, list->format == SET_JSONL ? "\n" : "");
    }
    list->n++;
    return list->out.size < WRITE_BYTES || output_write(&list->out);
}

bool set_list_end(set_list *list)
{
    if (list->format == SET_JSON) {
        buffer_string(&list->out, "]}\n");
    }
    bool is_written = output_write(&list->out);
    buffer_free(&list->out);
    return is_written;
}

int set_list_finish(set_list *list, bool is_written, kith_status status,
                    const kith_error *err)
{
    is_written = set_list_end(list) && is_written;
    if (status != KITH_OK && status != KITH_NOT_FOUND) {
        return report(err, SUBJECT_ENVIRONMENT);
    }
    return !is_written ? EXIT_ENVIRONMENT : list->n > 0 ? EXIT_DONE : EXIT_NO;
}

/* ------------------------------------------------------------------ members */

void put_member(buffer *out, const kith_record *record)
{
    put_key(out, "id");
    put_text(out, record->id);
    put_key(out, "passage");
    put_count(out, record->passage);
    put_key(out, "title");
    put_text(out, record->title);
    put_key(out, "text");
    put_text(out, record->text);
}

/* As much of the text as fits on the line, but never less than a few words. */
static void show_rest(buffer *out, size_t n_columns, kith_text text)
{
    const size_t n_all = output_columns();
    text_cut(out, text, n_columns + MIN_TEXT_COLUMNS < n_all ? n_all - n_columns
                                                              : MIN_TEXT_COLUMNS);
}

void show_member(buffer *out, size_t n_columns, kith_text id, kith_text title,
                 kith_text text)
{
    const bool has_colour = output_has_colour();
    id = id_shown(id);
    buffer_string(out, has_colour ? "\033[1m" : "");
    text_escape(out, id);
    buffer_string(out, has_colour ? "\033[0m" : "");
    buffer_string(out, "  ");
    n_columns += id.n_bytes + 2;
    if (!text_is_blank(title)) {
        const size_t start = out->size;
        show_rest(out, n_columns + MIN_TEXT_COLUMNS, title);
        buffer_string(out, ": ");
        n_columns += out->size - start;
    }
    show_rest(out, n_columns, text);
    buffer_byte(out, '\n');
}

void show_pair(buffer *out, uint64_t rank, float score, const kith_record *a,
               const kith_record *b)
{
    const size_t start = out->size;
    buffer_print(out, "%3" PRIu64 "  %.4f  ", rank, (double)score);
    const size_t n_columns = out->size - start;
    show_member(out, n_columns, a->id, a->title, a->text);
    buffer_print(out, "%*s", (int)n_columns, "");
    show_member(out, n_columns, b->id, b->title, b->text);
}
