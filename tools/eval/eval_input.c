/* Files of the tasks of kith eval. The first thing that is wrong ends reading: a score
 * over a part of the data would be another score. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "eval_parts.h"
#include "input.h"
#include "text.h"

#define MAX_ROW_BYTES (16u << 20)

typedef struct reading {
    eval_table *table;
    bool has_failed;
    buffer cell;
} reading;

int eval_file_error(const char *path, const char *format, ...)
{
    char problem[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, sizeof(problem), format, arguments);
    va_end(arguments);
    message("%s: %s", path, problem);
    return EXIT_DATA;
}

static bool line_error(reading *r, uint64_t line, const char *problem)
{
    if (!r->has_failed && line > 0) {
        message("%s:%" PRIu64 ": %s", r->table->path, line, problem);
    } else if (!r->has_failed) {
        message("%s: %s", r->table->path, problem);
    }
    r->has_failed = true;
    return false;
}

/* ------------------------------------------------------------------ rows */

static void free_cells(kith_text *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free((char *)cells[i].data);
    }
}

/* What a member is as text. False: it is none. */
static bool member_text(const json_t *object, const char *name, buffer *cell)
{
    const json_t *value = json_object_get(object, name);
    buffer_clear(cell);
    if (json_is_string(value)) {
        buffer_append(cell, json_string_value(value), json_string_length(value));
    } else if (json_is_integer(value)) {
        buffer_print(cell, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        buffer_print(cell, "%.17g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        buffer_byte(cell, json_is_true(value) ? '1' : '0');
    } else {
        return false;
    }
    return true;
}

/* The text of a column. False: there is none. */
static bool find_text(reading *r, const kith_input *record, const json_t *metadata,
                      size_t column, kith_text *text)
{
    if (column == 0) {
        *text = record->text;
        return true;
    }
    if (!member_text(metadata, r->table->columns->names[column], &r->cell)) {
        return false;
    }
    *text = (kith_text){ r->cell.data, r->cell.size };
    return true;
}

static bool add_row(reading *r, const kith_input *record, const json_t *metadata)
{
    eval_table *table = r->table;
    kith_text cells[EVAL_MAX_COLUMNS] = { { NULL, 0 } };
    for (size_t i = 0; i < table->n_columns; i++) {
        kith_text text = { "", 0 };
        bool is_there = find_text(r, record, metadata, i, &text);
        if (i < table->columns->n_needed && (!is_there || text_is_blank(text))) {
            const char *problem = is_there ? "nothing in" : "no text or number named";
            buffer_clear(&r->cell);
            buffer_print(&r->cell, "%s \"%s\"", problem, table->columns->names[i]);
            buffer_byte(&r->cell, '\0');
            free_cells(cells, i);
            return line_error(r, record->line[0], r->cell.data);
        }
        cells[i] = (kith_text){ copy_bytes(text.data, text.n_bytes), text.n_bytes };
    }
    table->rows = make_room(table->rows, table->n_rows, &table->capacity,
                            sizeof(table->rows[0]));
    memcpy(table->rows[table->n_rows].cells, cells, sizeof(cells));
    table->rows[table->n_rows++].line = record->line[0];
    return true;
}

static bool on_record(void *context, const kith_input *record)
{
    reading *r = context;
    if (r->has_failed) {
        return false;
    }
    json_t *metadata =
        record->metadata.n_bytes == 0
            ? NULL
            : json_loadb(record->metadata.data, record->metadata.n_bytes,
                         JSON_ALLOW_NUL, NULL);
    bool goes_on = add_row(r, record, metadata);
    json_decref(metadata);
    return goes_on;
}

static void on_skip(void *context, skip_kind kind, const char *source, uint64_t line,
                    const char *reason)
{
    (void)kind;
    (void)source;
    line_error(context, line, reason);
}

static void on_progress(void *context, uint64_t n_bytes)
{
    (void)context;
    (void)n_bytes;
}

/* ------------------------------------------------------------------ files */

static input_format format_of(const char *path)
{
    if (has_ending(path, ".csv")) {
        return INPUT_CSV;
    }
    if (has_ending(path, ".tsv")) {
        return INPUT_TSV;
    }
    return strcmp(path, "-") == 0 || has_ending(path, ".jsonl") ||
                   has_ending(path, ".ndjson")
               ? INPUT_JSONL
               : INPUT_UNKNOWN;
}

/* A file that cannot be opened is no fault of its data. */
static int check_file(const char *path)
{
    struct stat status;
    if (strcmp(path, "-") == 0) {
        return EXIT_DONE;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return report_errno(path, errno);
    }
    bool is_folder = fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode);
    fclose(file);
    return is_folder ? report_errno(path, EISDIR) : EXIT_DONE;
}

static int read_file(input_file *file, const input_options *options, eval_table *table)
{
    reading r = { .table = table, .cell = BUFFER_EMPTY };
    const input_sink sink = { &r, on_record, on_skip, NULL, on_progress };
    int status = check_file(file->path);
    if (status == EXIT_DONE) {
        input_result result = input_read(file, options, &sink);
        status = result == INPUT_WHOLE && !r.has_failed ? EXIT_DONE : EXIT_DATA;
    }
    if (status == EXIT_DONE && table->n_rows == 0) {
        status = eval_file_error(file->path, "it has no rows");
    }
    buffer_free(&r.cell);
    return status;
}

int eval_read(const char *path, const eval_columns *columns, eval_table *table)
{
    const char *text = columns->names[0];
    input_file file = { .path = (char *)path, .format = format_of(path) };
    const input_options options = {
        .names.given[FIELD_TEXT] = strcmp(text, "text") == 0 ? NULL : text,
        .stdin_name = "-",
        .max_record = MAX_ROW_BYTES,
        .columns = columns->header_is_optional ? columns->names : NULL,
    };
    *table = (eval_table){ .path = path, .columns = columns };
    while (columns->names[table->n_columns] != NULL) {
        table->n_columns++;
    }
    if (file.format == INPUT_UNKNOWN) {
        message("%s: the name of a table ends in .csv, .tsv, .jsonl or .ndjson", path);
        return EXIT_USAGE;
    }
    return read_file(&file, &options, table);
}

int eval_read_lines(const char *path, eval_table *table)
{
    static const eval_columns columns = { { "text" }, 1, false };
    input_file file = { .path = (char *)path, .format = INPUT_LINES };
    const input_options options = { .stdin_name = "-", .max_record = MAX_ROW_BYTES };
    *table = (eval_table){ .path = path, .columns = &columns, .n_columns = 1 };
    int status = read_file(&file, &options, table);
    for (size_t i = 0; i < table->n_rows && status == EXIT_DONE; i++) {
        if (table->rows[i].line != i + 1) { /* the reader passes over blank lines */
            message("%s:%zu: an empty line", path, i + 1);
            status = EXIT_DATA;
        }
    }
    return status;
}

void eval_table_free(eval_table *table)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        free_cells(table->rows[i].cells, table->n_columns);
    }
    free(table->rows);
    table->rows = NULL;
    table->n_rows = 0;
}

/* ------------------------------------------------------------------ cells */

kith_text eval_cell(const eval_table *table, size_t row, size_t column)
{
    return table->rows[row].cells[column];
}

int eval_cell_error(const eval_table *table, size_t row, size_t column,
                    const char *problem)
{
    buffer cell = BUFFER_EMPTY;
    text_cut(&cell, eval_cell(table, row, column), 40);
    buffer_byte(&cell, '\0');
    message("%s:%" PRIu64 ": \"%s\" is \"%s\": %s", table->path, table->rows[row].line,
            table->columns->names[column], cell.data, problem);
    buffer_free(&cell);
    return EXIT_DATA;
}

int eval_numbers(const eval_table *table, size_t column, double *numbers)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        kith_text cell = eval_cell(table, i, column);
        char *end;
        numbers[i] = strtod(cell.data, &end);
        if (end == cell.data || end != cell.data + cell.n_bytes ||
            !isfinite(numbers[i])) {
            return eval_cell_error(table, i, column, "not a number");
        }
    }
    return EXIT_DONE;
}

bool eval_all_equal(const double *numbers, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (numbers[i] < numbers[0] || numbers[i] > numbers[0]) {
            return false;
        }
    }
    return true;
}

void eval_column(const eval_table *table, size_t column, kith_text *texts)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        texts[i] = eval_cell(table, i, column);
    }
}
