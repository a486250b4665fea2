#include "ratings.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "cli.h"
#include "stream.h"
#include "text.h"

#define MAX_LINE_BYTES (1u << 20)
#define BLOCK_BYTES (1u << 20)
#define MAX_COLUMNS 7 /* one more than any line may have */

/* ------------------------------------------------------------------ the list */

int compare_ids(kith_text a, kith_text b)
{
    size_t n_bytes = a.n_bytes < b.n_bytes ? a.n_bytes : b.n_bytes;
    int order = n_bytes == 0 ? 0 : memcmp(a.data, b.data, n_bytes);
    return order != 0 ? order : (a.n_bytes > b.n_bytes) - (a.n_bytes < b.n_bytes);
}

static kith_text keep(ratings *list, kith_text id)
{
    if (id.n_bytes > list->n_free) {
        list->n_free = id.n_bytes > BLOCK_BYTES ? id.n_bytes : BLOCK_BYTES;
        list->blocks = make_room(list->blocks, list->n_blocks, &list->block_capacity,
                                 sizeof(list->blocks[0]));
        /* Filled from its end, so that what is free says where. */
        list->blocks[list->n_blocks++] = allocate(list->n_free, 1);
    }
    if (id.n_bytes == 0) {
        return (kith_text){ "", 0 };
    }
    list->n_free -= id.n_bytes;
    char *copy = list->blocks[list->n_blocks - 1] + list->n_free;
    memcpy(copy, id.data, id.n_bytes);
    return (kith_text){ copy, id.n_bytes };
}

static void add_at(ratings *list, kith_text query, kith_text doc, double value,
                   uint64_t place)
{
    const rating *last = list->n_items > 0 ? &list->items[list->n_items - 1] : NULL;
    bool is_same = last != NULL && compare_ids(last->query, query) == 0;
    rating new = { .value = value, .place = place };
    new.query = is_same ? last->query : keep(list, query);
    new.doc = keep(list, doc);
    list->items =
        make_room(list->items, list->n_items, &list->capacity, sizeof(list->items[0]));
    list->items[list->n_items++] = new;
}

void ratings_add(ratings *list, kith_text query, kith_text doc, double value)
{
    add_at(list, query, doc, value, list->n_items);
}

void ratings_free(ratings *list)
{
    for (size_t i = 0; i < list->n_blocks; i++) {
        free(list->blocks[i]);
    }
    free(list->blocks);
    free(list->items);
    *list = (ratings)RATINGS_EMPTY;
}

/* ------------------------------------------------------------------ order */

static int by_place(const void *x, const void *y)
{
    const rating *a = x;
    const rating *b = y;
    int order = compare_ids(a->query, b->query);
    return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

static int by_document(const void *x, const void *y)
{
    const rating *a = x;
    const rating *b = y;
    int order = compare_ids(a->query, b->query);
    order = order != 0 ? order : compare_ids(a->doc, b->doc);
    return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

static int by_score(const void *x, const void *y)
{
    const rating *a = x;
    const rating *b = y;
    int order = compare_ids(a->query, b->query);
    float a_score = (float)a->value;
    float b_score = (float)b->value;
    order = order != 0 ? order : (a_score < b_score) - (a_score > b_score);
    return order != 0 ? order : compare_ids(b->doc, a->doc);
}

static void sort(ratings *list, int (*order)(const void *, const void *))
{
    if (list->n_items > 0) {
        qsort(list->items, list->n_items, sizeof(list->items[0]), order);
    }
}

void ratings_sort_by_place(ratings *list)
{
    sort(list, by_place);
}

const rating *ratings_of(const ratings *list, kith_text query, size_t *n)
{
    size_t low = 0;
    size_t high = list->n_items;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_ids(list->items[middle].query, query) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (high = low; high < list->n_items; high++) {
        if (compare_ids(list->items[high].query, query) != 0) {
            break;
        }
    }
    *n = high - low;
    return *n > 0 ? &list->items[low] : NULL;
}

static int find_document(const void *key, const void *item)
{
    return compare_ids(*(const kith_text *)key, ((const rating *)item)->doc);
}

const rating *rating_of(const rating *of_query, size_t n, kith_text doc)
{
    return n == 0 ? NULL : bsearch(&doc, of_query, n, sizeof(*of_query), find_document);
}

/* ------------------------------------------------------------------ columns */

/* What the columns of a line are called, and what a line must have. */
typedef struct layout {
    const char *what; /* a line is called */
    const char *names[MAX_COLUMNS];
    size_t n_columns;
    size_t query;
    size_t doc;
    size_t value;
    bool is_whole; /* the value is a whole number */
    bool has_tabs; /* between columns; else any blanks */
} layout;

static const layout beir_layout = {
    "a judgement in BEIR's form", { "query-id", "corpus-id", "score" }, 3, 0, 1, 2,
    true, true
};
static const layout trec_layout = {
    "a judgement in TREC's form", { "query", "iteration", "document", "label" }, 4, 0,
    2, 3, true, false
};
static const layout run_layout = {
    "a line of a run", { "query", "Q0", "document", "rank", "score", "tag" }, 6, 0, 2,
    4, false, false
};

/* Gives their number; more than MAX_COLUMNS are not told apart. */
static size_t split(const text_line *line, bool has_tabs, kith_text *columns)
{
    const char *at = line->data;
    const char *end = at + line->n_bytes;
    size_t n = 0;
    while (n < MAX_COLUMNS) {
        while (!has_tabs && at < end && (*at == ' ' || *at == '\t')) {
            at++;
        }
        const char *begin = at;
        while (at < end && *at != '\t' && (has_tabs || *at != ' ')) {
            at++;
        }
        if (at > begin || has_tabs) {
            columns[n++] = (kith_text){ begin, (size_t)(at - begin) };
        }
        if (at == end) {
            break;
        }
        at += has_tabs;
    }
    return n;
}

static bool parse_value(kith_text text, bool is_whole, double *value)
{
    char copy[64];
    char *end;
    if (text.n_bytes == 0 || text.n_bytes >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.data, text.n_bytes);
    copy[text.n_bytes] = '\0';
    *value = is_whole ? (double)strtoll(copy, &end, 10) : strtod(copy, &end);
    return end == copy + text.n_bytes && isfinite(*value) && fabs(*value) <= 3e38 &&
           (!is_whole || fabs(*value) < INT32_MAX);
}

static int wrong_columns(const char *path, const text_line *line, const layout *form,
                         size_t n_columns)
{
    buffer names = BUFFER_EMPTY;
    for (size_t i = 0; i < form->n_columns; i++) {
        buffer_print(&names, "%s%s", i > 0 ? ", " : "", form->names[i]);
    }
    bool has_more = n_columns == MAX_COLUMNS;
    message("%s:%" PRIu64 ": %zu%s columns, but %s has %zu with %s between: %.*s", path,
            line->number, has_more ? n_columns - 1 : n_columns,
            has_more ? " or more" : "", form->what, form->n_columns, form->has_tabs ? "tabs" : "blanks",
            (int)names.size, names.data);
    buffer_free(&names);
    return EXIT_DATA;
}

static int take_line(ratings *list, const char *path, const text_line *line,
                     const layout *form)
{
    kith_text columns[MAX_COLUMNS];
    double value;
    size_t n_columns = split(line, form->has_tabs, columns);
    if (n_columns != form->n_columns) {
        return wrong_columns(path, line, form, n_columns);
    }
    for (size_t i = 0; i < n_columns; i++) {
        if (columns[i].n_bytes == 0) {
            message("%s:%" PRIu64 ": %s is empty", path, line->number, form->names[i]);
            return EXIT_DATA;
        }
    }
    kith_text text = columns[form->value];
    if (!parse_value(text, form->is_whole, &value)) {
        message("%s:%" PRIu64 ": %s is \"%.*s\", which is no %s", path, line->number,
                form->names[form->value], (int)text.n_bytes, text.data,
                form->is_whole ? "whole number" : "finite number");
        return EXIT_DATA;
    }
    add_at(list, columns[form->query], columns[form->doc], value, line->number);
    return EXIT_DONE;
}

/* ------------------------------------------------------------------ files */

static bool is_beir_header(const text_line *line)
{
    kith_text columns[MAX_COLUMNS];
    double value;
    return split(line, true, columns) == 3 && !parse_value(columns[2], true, &value);
}

/* form NULL: the first line decides which judgements they are. */
static int read_lines(ratings *list, const char *path, const layout *form, stream *in)
{
    text_line line;
    read_result got = READ_OK;
    int status = EXIT_DONE;
    while (status == EXIT_DONE &&
           (got = stream_line(in, MAX_LINE_BYTES, &line)) == READ_OK) {
        if (line.is_too_long) {
            message("%s:%" PRIu64 ": longer than 1 MiB", path, line.number);
            status = EXIT_DATA;
        } else if (text_is_blank((kith_text){ line.data, line.n_bytes })) {
            continue;
        } else if (form == NULL && is_beir_header(&line)) {
            form = &beir_layout;
        } else {
            form = form != NULL ? form : &trec_layout;
            status = take_line(list, path, &line, form);
        }
    }
    if (status == EXIT_DONE && got == READ_FAILED) {
        return report_errno(path, in->error_number);
    }
    if (status == EXIT_DONE && got == READ_STOPPED) {
        return EXIT_INTERRUPTED;
    }
    if (status == EXIT_DATA && form == &trec_layout && list->n_items == 0) {
        message("%s: judgements in BEIR's form begin with the line query-id, "
                "corpus-id, score, with tabs between", path);
    }
    return status;
}

static int read_file(ratings *list, const char *path, const layout *form)
{
    stream in;
    if (stream_open(&in, path) != READ_OK) {
        return report_errno(path, in.error_number);
    }
    int status = read_lines(list, path, form, &in);
    stream_close(&in);
    if (status == EXIT_DONE && list->n_items == 0) {
        message("%s: there is no %s in it", path,
                form == NULL ? "judgement" : "result");
        status = EXIT_DATA;
    }
    sort(list, by_document);
    return status;
}

static bool is_same_pair(const rating *a, const rating *b)
{
    return compare_ids(a->query, b->query) == 0 && compare_ids(a->doc, b->doc) == 0;
}

static int tell_double(const char *path, const rating *first, const rating *second)
{
    message("%s:%" PRIu64 ": document \"%.*s\" of query \"%.*s\" is there already, in "
            "line %" PRIu64, path, second->place, (int)second->doc.n_bytes,
            second->doc.data, (int)second->query.n_bytes, second->query.data,
            first->place);
    return EXIT_DATA;
}

int ratings_read_qrels(ratings *list, const char *path)
{
    int status = read_file(list, path, NULL);
    size_t n_kept = 0;
    for (size_t i = 0; status == EXIT_DONE && i < list->n_items; i++) {
        const rating *last = n_kept > 0 ? &list->items[n_kept - 1] : NULL;
        bool is_double = last != NULL && is_same_pair(last, &list->items[i]);
        if (is_double && last->value != list->items[i].value) {
            status = tell_double(path, last, &list->items[i]);
        } else if (!is_double) { /* said twice is as good as said once */
            list->items[n_kept++] = list->items[i];
        }
    }
    list->n_items = status == EXIT_DONE ? n_kept : list->n_items;
    return status;
}

int ratings_read_run(ratings *list, const char *path)
{
    int status = read_file(list, path, &run_layout);
    for (size_t i = 1; status == EXIT_DONE && i < list->n_items; i++) {
        if (is_same_pair(&list->items[i - 1], &list->items[i])) {
            status = tell_double(path, &list->items[i - 1], &list->items[i]);
        }
    }
    sort(list, by_score);
    return status;
}
