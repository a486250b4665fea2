/* CSV (RFC 4180) and TSV (tabs, no quotes), with a header: a record a row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "json_write.h"
#include "text.h"

/* The cells of a row, one after the other; ends[i] is one past the end of cell i. */
typedef struct row {
    buffer bytes;
    size_t *ends;
    size_t n_cells;
    size_t capacity;
    uint64_t byte[2];
    uint64_t line[2];
    bool is_too_long;
    bool holds_return; /* the last byte was "\r", not in quotes */
    const char *problem; /* NULL: a good row */
} row;

typedef struct table {
    reader *r;
    bool is_csv;
    row header;
    row row;
    int places[N_FIELDS]; /* the column of each field; -1: none */
    buffer metadata;
} table;

static void row_free(row *a_row)
{
    buffer_free(&a_row->bytes);
    free(a_row->ends);
}

static kith_text cell(const row *a_row, size_t i)
{
    size_t start = i == 0 ? 0 : a_row->ends[i - 1];
    return (kith_text){ a_row->bytes.data + start, a_row->ends[i] - start };
}

/* Cells count as a byte each, so that a row of empty ones is bounded too. */
static bool has_room(const table *t, row *a_row)
{
    a_row->is_too_long |=
        a_row->bytes.size + a_row->n_cells >= t->r->options->max_record;
    return !a_row->is_too_long;
}

static void add_byte(const table *t, row *a_row, int byte)
{
    if (has_room(t, a_row)) {
        buffer_byte(&a_row->bytes, (char)byte);
    }
}

static void end_cell(const table *t, row *a_row)
{
    if (has_room(t, a_row)) {
        a_row->ends = make_room(a_row->ends, a_row->n_cells, &a_row->capacity,
                                sizeof(a_row->ends[0]));
        a_row->ends[a_row->n_cells++] = a_row->bytes.size;
    }
}

/* ------------------------------------------------------------------ rows */

typedef enum cell_state {
    CELL_START,
    CELL_PLAIN,
    CELL_QUOTED,
    CELL_QUOTE /* after a quote in a quoted cell: its end, or the first half of "" */
} cell_state;

static void add_plain(const table *t, row *a_row, cell_state *state, int byte)
{
    if (*state == CELL_QUOTE) {
        a_row->problem = "text after a closing quote";
    }
    add_byte(t, a_row, byte);
    *state = CELL_PLAIN;
}

static void take_quoted(const table *t, row *a_row, cell_state *state, int byte)
{
    if (byte == '"') {
        *state = CELL_QUOTE;
    } else {
        add_byte(t, a_row, byte);
    }
}

/* Take one byte; true at the end of the row. */
static bool take_byte(const table *t, row *a_row, cell_state *state, int byte)
{
    if (*state == CELL_QUOTED) {
        take_quoted(t, a_row, state, byte);
        return false;
    }
    if (a_row->holds_return && byte != '\n') {
        add_plain(t, a_row, state, '\r');
    }
    a_row->holds_return = byte == '\r'; /* dropped when a line feed follows */
    if (byte == '\n') {
        return true;
    }
    if (byte == (t->is_csv ? ',' : '\t')) {
        end_cell(t, a_row);
        *state = CELL_START;
    } else if (byte == '"' && *state == CELL_START && t->is_csv) {
        *state = CELL_QUOTED;
    } else if (byte == '"' && *state == CELL_QUOTE) {
        add_byte(t, a_row, byte);
        *state = CELL_QUOTED;
    } else if (byte != '\r') {
        add_plain(t, a_row, state, byte);
    }
    return false;
}

static read_result read_row(table *t, row *a_row)
{
    stream *in = &t->r->in;
    cell_state state = CELL_START;
    buffer_clear(&a_row->bytes);
    a_row->n_cells = 0;
    a_row->is_too_long = false;
    a_row->holds_return = false;
    a_row->problem = NULL;
    a_row->byte[0] = in->offset;
    a_row->line[0] = in->line;
    for (;;) {
        uint64_t line = in->line;
        int byte = stream_byte(in);
        if (byte == -(int)READ_END && in->offset > a_row->byte[0]) {
            if (state == CELL_QUOTED) {
                a_row->problem =
                    "a quote that is never closed: nothing after it was read";
            }
        } else if (byte < 0) {
            return (read_result)-byte;
        } else if (!take_byte(t, a_row, &state, byte)) {
            continue;
        }
        a_row->byte[1] = in->offset - (byte == '\n');
        a_row->line[1] = line;
        break;
    }
    end_cell(t, a_row);
    return READ_OK;
}

static bool is_blank(const row *a_row)
{
    return a_row->n_cells == 1 && a_row->problem == NULL && !a_row->is_too_long &&
           text_is_blank(cell(a_row, 0));
}

/* What is wrong with the bytes of a row; NULL: nothing. */
static const char *find_problem(const row *a_row)
{
    if (a_row->problem == NULL &&
        utf8_valid_bytes(a_row->bytes.data, a_row->bytes.size) < a_row->bytes.size) {
        return "not UTF-8";
    }
    return a_row->problem;
}

/* ------------------------------------------------------------------ the header */

static int find_column(const table *t, field which)
{
    const char *candidates[MAX_CANDIDATES];
    field_candidates(&t->r->options->names, which, candidates);
    for (size_t i = 0; candidates[i] != NULL; i++) {
        for (size_t column = 0; column < t->header.n_cells; column++) {
            if (text_equals(cell(&t->header, column), text_of(candidates[i]))) {
                return (int)column;
            }
        }
    }
    return -1;
}

static bool has_double_column(const row *header)
{
    for (size_t i = 1; i < header->n_cells; i++) {
        for (size_t j = 0; j < i; j++) {
            if (text_equals(cell(header, i), cell(header, j))) {
                return true;
            }
        }
    }
    return false;
}

#define MAX_COLUMNS 4096

/* Why the table cannot be read goes to `reason`; false then. */
static bool accept_header(table *t, buffer *reason)
{
    const char *problem = find_problem(&t->header);
    if (problem == NULL && t->header.n_cells > MAX_COLUMNS) {
        problem = "more than 4096 columns";
    }
    if (problem == NULL && has_double_column(&t->header)) {
        problem = "two columns of the same name";
    }
    if (problem != NULL || t->header.is_too_long) {
        buffer_print(reason, "header: %s", problem == NULL ? "too long" : problem);
        return false;
    }
    for (size_t i = 0; i < N_FIELDS; i++) {
        t->places[i] = find_column(t, i);
        if (t->places[i] < 0 &&
            (i == FIELD_TEXT ||
             (i == FIELD_ID && t->r->options->names.given[i] != NULL))) {
            buffer_string(reason, "header: ");
            field_is_missing(&t->r->options->names, i, reason);
            return false;
        }
    }
    return true;
}

static void swap_rows(row *a, row *b)
{
    row kept = *a;
    *a = *b;
    *b = kept;
}

/* Where the first row is a record, make it the row, and a header of the names given. */
static bool take_headless(table *t)
{
    const char *const *columns = t->r->options->columns;
    size_t n_columns = 0;
    while (columns != NULL && columns[n_columns] != NULL) {
        n_columns++;
    }
    if (n_columns == 0 || t->header.n_cells != n_columns ||
        find_column(t, FIELD_TEXT) >= 0) {
        return false;
    }
    swap_rows(&t->header, &t->row);
    for (size_t i = 0; i < n_columns; i++) {
        buffer_string(&t->header.bytes, columns[i]);
        end_cell(t, &t->header);
    }
    return true;
}

/* ------------------------------------------------------------------ records */

static kith_text field_of(const table *t, field which)
{
    return t->places[which] < 0 ? (kith_text){ "", 0 }
                                : cell(&t->row, (size_t)t->places[which]);
}

static kith_text metadata_of(table *t)
{
    buffer *json = &t->metadata;
    buffer_clear(json);
    for (size_t i = 0; i < t->header.n_cells; i++) {
        bool is_taken = false;
        for (size_t j = 0; j < N_FIELDS; j++) {
            is_taken |= t->places[j] == (int)i;
        }
        if (!is_taken) {
            if (json->size == 0) {
                put_open(json, '{');
            }
            put_text(json, cell(&t->header, i));
            buffer_byte(json, ':');
            put_text(json, cell(&t->row, i));
        }
    }
    if (json->size > 0) {
        put_close(json, '}');
    }
    return (kith_text){ json->data, json->size };
}

static input_result pass_row(table *t)
{
    const row *a_row = &t->row;
    char reason[80];
    const char *problem = find_problem(a_row);
    if (a_row->is_too_long) {
        reader_skip_too_long(t->r, a_row->line[0]);
        return INPUT_WHOLE;
    }
    if (problem == NULL && a_row->n_cells != t->header.n_cells) {
        snprintf(reason, sizeof(reason), "%zu cells where the header has %zu",
                 a_row->n_cells, t->header.n_cells);
        problem = reason;
    }
    if (problem != NULL) {
        reader_skip(t->r, SKIP_REFUSED, a_row->line[0], problem);
        return INPUT_WHOLE;
    }
    kith_input record = { .id = field_of(t, FIELD_ID),
                          .text = field_of(t, FIELD_TEXT),
                          .title = field_of(t, FIELD_TITLE),
                          .metadata = metadata_of(t),
                          .byte = { a_row->byte[0], a_row->byte[1] },
                          .line = { a_row->line[0], a_row->line[1] } };
    return reader_pass(t->r, &record);
}

static input_result read_rows(table *t, buffer *reason)
{
    input_result result = INPUT_WHOLE;
    read_result got = read_row(t, &t->header);
    bool is_headless = got == READ_OK && take_headless(t);
    if (got == READ_OK && !accept_header(t, reason)) {
        buffer_byte(reason, '\0');
        reader_skip(t->r, SKIP_REFUSED, 0, reason->data);
        return INPUT_REFUSED;
    }
    if (is_headless) {
        result = pass_row(t);
    }
    while (got == READ_OK && result == INPUT_WHOLE) {
        got = read_row(t, &t->row);
        if (got == READ_OK && !is_blank(&t->row)) {
            result = pass_row(t);
        }
    }
    return result == INPUT_WHOLE ? reader_end(t->r, got) : result;
}

input_result read_table(reader *r, bool is_csv)
{
    table t = { .r = r, .is_csv = is_csv };
    buffer reason = BUFFER_EMPTY;
    input_result result = read_rows(&t, &reason);
    buffer_free(&reason);
    buffer_free(&t.metadata);
    row_free(&t.header);
    row_free(&t.row);
    return result;
}
