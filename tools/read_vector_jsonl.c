/* A JSON object a line, with a vector: records of other programs, and what `kith
 * export` has written, which "v" tells. */
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "input.h"
#include "json_read.h"
#include "text.h"

/* The passages of an exported record, a line each, until all are there. */
typedef struct group {
    kith_input record; /* its texts and passages are copies */
    size_t n_wanted;
    uint64_t line; /* of passage 0 */
} group;

typedef struct vector_reader {
    reader *r;
    json_record object;
    buffer numbers; /* floats of the present line's vector */
    buffer reason;
    group group; /* n_passages 0: none */
} vector_reader;

/* ------------------------------------------------------------------ the vector */

/* An array of numbers, or base64 of little-endian floats; null is none. */
static bool take_numbers(const json_t *value, buffer *numbers, buffer *reason)
{
    buffer_clear(numbers);
    if (value == NULL || json_is_null(value)) {
        return true;
    }
    if (json_is_string(value)) {
        if (!base64_read(numbers, json_string_value(value),
                         json_string_length(value)) ||
            numbers->size % sizeof(float) != 0) {
            buffer_string(reason, "the vector is not base64 of 32-bit floats");
            return false;
        }
    } else {
        size_t n = json_array_size(value);
        for (size_t i = 0; i < n && json_is_number(json_array_get(value, i)); i++) {
            float number = (float)json_number_value(json_array_get(value, i));
            buffer_append(numbers, &number, sizeof(number));
        }
        if (!json_is_array(value) || numbers->size < n * sizeof(float)) {
            buffer_string(reason,
                          "the vector is neither an array of numbers nor base64");
            return false;
        }
    }
    if (numbers->size == 0) {
        buffer_string(reason, "the vector has no numbers");
    }
    return numbers->size > 0;
}

/* *vector: NULL when the line has none. False: `reason` tells why it is refused. */
static bool take_vector(vector_reader *v, const float **vector)
{
    uint32_t *dim = v->r->options->dim;
    *vector = NULL;
    if (!take_numbers(v->object.vector, &v->numbers, &v->reason)) {
        return false;
    }
    size_t n = v->numbers.size / sizeof(float);
    if (n == 0) {
        if (*dim == 0) {
            field_is_missing(&v->r->options->names, FIELD_VECTOR, &v->reason);
        }
        return *dim > 0;
    }
    *vector = (const float *)(const void *)v->numbers.data;
    const char *problem = vector_problem(*vector, n);
    if (problem != NULL) {
        buffer_string(&v->reason, problem);
        return false;
    }
    if (*dim == 0 && n <= UINT32_MAX) {
        *dim = (uint32_t)n;
    }
    if (n != *dim) {
        buffer_print(&v->reason, "a vector of %zu numbers, not %u", n, *dim);
    }
    return n == *dim;
}

/* -------------------------------------------------------------- exported members */

static bool take_whole(const json_t *value, uint64_t *whole)
{
    double number = json_number_value(value);
    *whole = number >= 0 && number < 0x1p53 ? (uint64_t)number : 0;
    return json_is_number(value) && (double)*whole == number;
}

static void take_range(const json_t *source, const char *name, uint64_t range[2])
{
    const json_t *pair = json_object_get(source, name);
    if (!take_whole(json_array_get(pair, 0), &range[0]) ||
        !take_whole(json_array_get(pair, 1), &range[1])) {
        range[0] = range[1] = 0;
    }
}

/* Metadata and source as members of their own, and which passage it is. */
static bool take_exported(vector_reader *v, kith_text json, kith_input *record,
                          kith_input_passage *passage, uint64_t place[2])
{
    const json_t *object = v->object.object;
    const json_t *metadata = json_object_get(object, "metadata");
    const json_t *source = json_object_get(object, "source");
    const json_t *path = json_object_get(source, "path");
    record->metadata = (kith_text){ "", 0 };
    if (json_object_size(metadata) > 0) {
        json_member(json, "metadata", &record->metadata);
    }
    if (json_is_string(path)) {
        record->source =
            (kith_text){ json_string_value(path), json_string_length(path) };
    }
    passage->text = v->object.text;
    take_range(source, "byte", passage->byte);
    take_range(source, "line", passage->line);
    if (!take_whole(json_object_get(object, "passage"), &place[0]) ||
        !take_whole(json_object_get(object, "passages"), &place[1]) ||
        place[0] >= place[1] || record->id.n_bytes == 0) {
        buffer_string(&v->reason, "\"v\" is 1, but \"id\", \"passage\" or \"passages\" "
                                  "is missing or wrong");
        return false;
    }
    return true;
}

/* -------------------------------------------------------------- passages together */

static kith_text keep(kith_text text)
{
    return (kith_text){ copy_bytes(text.data, text.n_bytes), text.n_bytes };
}

static void release(kith_text text)
{
    free((char *)(uintptr_t)text.data);
}

static void group_clear(group *g)
{
    kith_input *record = &g->record;
    for (size_t i = 0; i < record->n_passages; i++) {
        release(record->passages[i].text);
        free((float *)(uintptr_t)record->passages[i].vector);
    }
    free((kith_input_passage *)(uintptr_t)record->passages);
    release(record->id);
    release(record->title);
    release(record->metadata);
    release(record->source);
    *g = (group){ .n_wanted = 0 };
}

/* Something else follows: a record that lacks passages is refused. */
static void group_end(vector_reader *v)
{
    if (v->group.record.n_passages < v->group.n_wanted) {
        char *reason =
            format_string("%zu of the %zu passages that \"passages\" tells of",
                          v->group.record.n_passages, v->group.n_wanted);
        reader_skip(v->r, SKIP_REFUSED, v->group.line, reason);
        free(reason);
    }
    group_clear(&v->group);
}

static void group_add(group *g, const kith_input_passage *passage, size_t dim)
{
    kith_input *record = &g->record;
    kith_input_passage *passages = (kith_input_passage *)(uintptr_t)record->passages;
    size_t n = record->n_passages;
    if ((n & (n - 1)) == 0) { /* 0, or a power of two: full */
        passages = reallocate(passages, n == 0 ? 1 : 2 * n, sizeof(passages[0]));
    }
    passages[n] = *passage;
    passages[n].text = keep(passage->text);
    if (passage->vector != NULL) {
        passages[n].vector = (const float *)(const void *)copy_bytes(
            (const char *)passage->vector, dim * sizeof(float));
    }
    record->passages = passages;
    record->n_passages = n + 1;
}

/* ------------------------------------------------------------------ passing on */

static input_result pass_exported(vector_reader *v, const kith_input *record)
{
    const input_sink *sink = v->r->sink;
    bool is_empty = text_is_blank(record->title);
    for (size_t i = 0; i < record->n_passages && is_empty; i++) {
        is_empty = record->passages[i].vector == NULL &&
                   text_is_blank(record->passages[i].text);
    }
    if (is_empty) {
        reader_skip(v->r, SKIP_PASSED, record->line[0], "empty");
        return INPUT_WHOLE;
    }
    sink->progress(sink->context, v->r->in.offset);
    return sink->record(sink->context, record) ? INPUT_WHOLE : INPUT_STOPPED;
}

static input_result collect(vector_reader *v, kith_input *record,
                            const kith_input_passage *passage, const uint64_t place[2])
{
    group *g = &v->group;
    size_t n = g->record.n_passages;
    if (n > 0 && (place[0] != n || place[1] != g->n_wanted ||
                  !text_equals(record->id, g->record.id))) {
        group_end(v);
        n = 0;
    }
    if (place[1] == 1) {
        record->passages = passage;
        record->n_passages = 1;
        return pass_exported(v, record);
    }
    if (n == 0 && place[0] > 0) {
        reader_skip(v->r, SKIP_REFUSED, record->line[0],
                    "a passage without the ones before it");
        return INPUT_WHOLE;
    }
    if (n == 0) {
        g->record = (kith_input){ .id = keep(record->id),
                                  .title = keep(record->title),
                                  .metadata = keep(record->metadata),
                                  .source = keep(record->source) };
        g->n_wanted = place[1];
        g->line = record->line[0];
    }
    group_add(g, passage, *v->r->options->dim);
    if (g->record.n_passages < g->n_wanted) {
        return INPUT_WHOLE;
    }
    input_result result = pass_exported(v, &g->record);
    group_clear(g);
    return result;
}

static input_result pass_line(vector_reader *v, const text_line *line)
{
    kith_text json = { line->data, line->n_bytes };
    kith_input_passage passage = { .vector = NULL };
    uint64_t place[2];
    buffer_clear(&v->reason);
    const field_names *names = &v->r->options->names;
    bool is_good = json_record_read(&v->object, names, json, &v->reason) &&
                   take_vector(v, &passage.vector);
    kith_input record = { .id = v->object.id,
                          .text = v->object.text,
                          .title = v->object.title,
                          .metadata = v->object.metadata,
                          .byte = { line->byte[0], line->byte[1] },
                          .line = { line->number, line->number },
                          .vector = passage.vector };
    const json_t *version = is_good ? json_object_get(v->object.object, "v") : NULL;
    bool is_exported = json_is_number(version) && (int)json_number_value(version) == 1 &&
                       json_object_get(v->object.object, "passages") != NULL;
    if (is_exported) {
        is_good = take_exported(v, json, &record, &passage, place);
    }
    if (!is_good) {
        buffer_byte(&v->reason, '\0');
        reader_skip(v->r, SKIP_REFUSED, line->number, v->reason.data);
        return INPUT_WHOLE;
    }
    if (is_exported) {
        return collect(v, &record, &passage, place);
    }
    group_end(v);
    return reader_pass(v->r, &record);
}

input_result read_vector_jsonl(reader *r)
{
    vector_reader v = { .r = r };
    input_result result = INPUT_WHOLE;
    while (result == INPUT_WHOLE) {
        text_line line;
        read_result got = stream_line(&r->in, r->options->max_record, &line);
        if (got != READ_OK) {
            result = reader_end(r, got);
            break;
        }
        if (line.is_too_long) {
            reader_skip_too_long(r, line.number);
        } else if (!text_is_blank((kith_text){ line.data, line.n_bytes })) {
            result = pass_line(&v, &line);
        }
    }
    if (result == INPUT_WHOLE) {
        group_end(&v);
    }
    group_clear(&v.group);
    buffer_free(&v.reason);
    buffer_free(&v.numbers);
    json_record_free(&v.object);
    return result;
}
