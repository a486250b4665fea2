#include "show.h"

#include <inttypes.h>

#include "ids.h"
#include "json_read.h"
#include "json_write.h"
#include "output.h"
#include "text.h"

/* ------------------------------------------------------------------ JSON */

static void put_range(buffer *out, const char *key, const uint64_t range[2])
{
    put_key(out, key);
    put_open(out, '[');
    put_count(out, range[0]);
    put_count(out, range[1]);
    put_close(out, ']');
}

void show_put_span(buffer *out, const kith_record *record)
{
    put_range(out, "byte", record->byte);
    put_range(out, "line", record->line);
}

void show_put_origin(buffer *out, const kith_record *record)
{
    put_key(out, "title");
    put_text(out, record->title);
    put_key(out, "metadata");
    put_object(out, record->metadata);
    put_key(out, "source");
    put_open(out, '{');
    put_key(out, "path");
    if (record->source.n_bytes == 0) {
        put_null(out);
    } else {
        put_text(out, record->source);
    }
    show_put_span(out, record);
    put_close(out, '}');
}

static void put_hit(buffer *out, size_t rank, const kith_hit *hit,
                    const float *similarity)
{
    const kith_record *record = hit->record;
    put_open(out, '{');
    put_key(out, "rank");
    put_count(out, rank);
    put_key(out, "id");
    put_text(out, record->id);
    put_key(out, "passage");
    put_count(out, record->passage);
    put_key(out, "score");
    put_real(out, hit->score);
    if (similarity != NULL) {
        put_key(out, "similarity");
        put_real(out, *similarity);
    }
    put_key(out, "text");
    put_text(out, record->text);
    show_put_origin(out, record);
    put_close(out, '}');
}

static void put_query(buffer *out, const show_query *query)
{
    put_open(out, '{');
    put_key(out, "v");
    put_count(out, 1);
    put_key(out, "query_id");
    put_text(out, query->id);
    put_key(out, "query");
    if (query->text.data == NULL) {
        put_null(out);
    } else {
        put_text(out, query->text);
    }
    if (query->like.data != NULL) {
        put_key(out, "like");
        put_text(out, query->like);
    }
}

void show_open_answer(buffer *out, const show_query *query, const kith_answer *answer)
{
    put_query(out, query);
    put_key(out, "exact");
    put_bool(out, answer->exact);
    put_key(out, "recall");
    if (answer->recall < 0) {
        put_null(out);
    } else {
        put_real(out, answer->recall);
    }
    if (answer->n_dropped > 0) {
        put_key(out, "truncated");
        put_count(out, answer->n_dropped);
    }
    if (query->explains) {
        put_key(out, "plan");
        put_text(out, text_of(answer->plan));
    }
}

void show_close_answer(buffer *out, const show_query *query, const kith_answer *answer)
{
    put_key(out, "hits");
    put_open(out, '[');
    for (size_t i = 0; i < answer->n_hits; i++) {
        put_hit(out, i + 1, &answer->hits[i],
                query->similarities != NULL ? &query->similarities[i] : NULL);
    }
    put_close(out, ']');
    put_close(out, '}');
    buffer_byte(out, '\n');
}

void show_put_answer(buffer *out, const show_query *query, const kith_answer *answer)
{
    show_open_answer(out, query, answer);
    show_close_answer(out, query, answer);
}

void show_put_refusal(buffer *out, const show_query *query, const char *reason)
{
    put_query(out, query);
    put_key(out, "exact");
    put_bool(out, false);
    put_key(out, "recall");
    put_null(out);
    put_key(out, "error");
    put_text(out, text_of(reason));
    put_key(out, "hits");
    put_open(out, '[');
    put_close(out, ']');
    put_close(out, '}');
    buffer_byte(out, '\n');
}

static void put_passage(buffer *out, const kith_record *record)
{
    put_open(out, '{');
    put_key(out, "passage");
    put_count(out, record->passage);
    put_key(out, "text");
    put_text(out, record->text);
    show_put_span(out, record);
    put_close(out, '}');
}

void show_put_record(buffer *out, const kith_records *records, bool is_versioned)
{
    size_t n_passages = kith_records_count(records);
    kith_record whole = *kith_records_at(records, 0);
    const kith_record *last = kith_records_at(records, n_passages - 1);
    whole.byte[1] = last->byte[1];
    whole.line[1] = last->line[1];
    put_open(out, '{');
    if (is_versioned) {
        put_key(out, "v");
        put_count(out, 1);
    }
    put_key(out, "id");
    put_text(out, whole.id);
    show_put_origin(out, &whole);
    put_key(out, "passages");
    put_open(out, '[');
    for (size_t i = 0; i < n_passages; i++) {
        put_passage(out, kith_records_at(records, i));
    }
    put_close(out, ']');
    put_close(out, '}');
}

/* ------------------------------------------------------------------ TREC */

/* Columns are separated by blanks: those in an id become %20 and the like. */
static void put_column(buffer *out, kith_text text)
{
    for (size_t i = 0; i < text.n_bytes; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte <= ' ' || byte == '%' || byte == 0x7f) {
            buffer_print(out, "%%%02X", byte);
        } else {
            buffer_byte(out, (char)byte);
        }
    }
}

void show_trec_hit(buffer *out, kith_text query, kith_text id, size_t rank,
                   double score)
{
    put_column(out, query);
    buffer_string(out, " Q0 ");
    put_column(out, id);
    buffer_print(out, " %zu %.9g kith\n", rank, score);
}

void show_trec(buffer *out, const show_query *query, const kith_answer *answer)
{
    for (size_t i = 0; i < answer->n_hits; i++) {
        show_trec_hit(out, query->id, answer->hits[i].record->id, i + 1,
                      (double)answer->hits[i].score);
    }
}

/* ------------------------------------------------------------------ people */

#define INDENT 4

static void show_place(buffer *out, const kith_record *record)
{
    if (record->n_passages > 1) {
        buffer_print(out, " (passage %" PRIu32 " of %" PRIu32, record->passage + 1,
                     record->n_passages);
        if (record->line[0] > 0) {
            buffer_print(out, ", lines %" PRIu64 "-%" PRIu64, record->line[0],
                         record->line[1]);
        }
        buffer_byte(out, ')');
    }
}

static void show_hit(buffer *out, size_t rank, const kith_hit *hit,
                     const char *wanted)
{
    const kith_record *record = hit->record;
    bool has_colour = output_has_colour();
    size_t n_columns = output_columns();
    buffer_print(out, "%3zu  %.4f  %s", rank, (double)hit->score,
                 has_colour ? "\033[1m" : "");
    text_escape(out, id_shown(record->id));
    buffer_string(out, has_colour ? "\033[0m" : "");
    show_place(out, record);
    if (!text_is_blank(record->title)) {
        buffer_string(out, "  ");
        text_escape(out, record->title);
    }
    buffer_print(out, "\n%*s", INDENT, "");
    text_cut(out, record->text, n_columns - INDENT);
    buffer_byte(out, '\n');
    buffer value = BUFFER_EMPTY;
    if (wanted != NULL && json_show_member(record->metadata, wanted, &value)) {
        text_wrap(out, (kith_text){ value.data, value.size }, INDENT, n_columns);
    }
    buffer_free(&value);
}

void show_answer(buffer *out, const show_query *query, const kith_answer *answer)
{
    for (size_t i = 0; i < answer->n_hits; i++) {
        show_hit(out, i + 1, &answer->hits[i], query->field);
    }
}
