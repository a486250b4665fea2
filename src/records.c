/* Reading records: one by its id, all of them by a cursor. */
#include <stdlib.h>
#include <string.h>

#include "collection.h"
#include "error.h"

/* Passages that a cursor reads in one snapshot, and the others of the last record. */
#define CURSOR_RECORDS 256

struct kith_records {
    kbase_arena arena;
    size_t n;
    size_t capacity;
    kith_record *records;
};

struct kith_cursor {
    kith_collection *collection;
    bool reads_vectors;
    bool started;
    kbase_buffer id; /* of the last passage read */
    uint32_t passage;
};

kith_status kith_record_copy(kbase_arena *arena, const kstore_record *stored,
                             kith_record *record, kith_error *err)
{
    *record = (kith_record){
        .id = kbase_arena_copy(arena, stored->id),
        .passage = stored->passage,
        .n_passages = stored->n_passages,
        .text = kbase_arena_copy(arena, stored->text),
        .title = kbase_arena_copy(arena, stored->title),
        .metadata = kbase_arena_copy(arena, stored->metadata),
        .source = kbase_arena_copy(arena, stored->source),
        .byte = { stored->byte[0], stored->byte[1] },
        .line = { stored->line[0], stored->line[1] },
    };
    if (record->id.data == NULL || record->text.data == NULL ||
        record->title.data == NULL || record->metadata.data == NULL ||
        record->source.data == NULL) {
        return kbase_fail_memory(err, stored->text.n_bytes);
    }
    return KITH_OK;
}

/* The row of the record that was appended last. */
static kith_status append_vector(const kith_collection *collection,
                                 const kstore_snapshot *snapshot, uint64_t ordinal,
                                 kith_records *records, kith_error *err)
{
    const uint32_t dim = collection->settings.dim;
    kstore_vectors vectors;
    kith_status status = kstore_map_vectors(snapshot, &vectors, err);
    float *vector = status == KITH_OK
                        ? kbase_arena_alloc(&records->arena, dim * sizeof(*vector))
                        : NULL;
    if (status == KITH_OK && vector == NULL) {
        status = kbase_fail_memory(err, dim * sizeof(*vector));
    }
    if (status == KITH_OK) {
        kidx_f32_from_f16(collection->isa, vectors.data + ordinal * vectors.stride, dim,
                          vector);
        records->records[records->n - 1].vector = vector;
    }
    return status;
}

static kith_status append(kith_records *records, const kstore_record *stored,
                          kith_error *err)
{
    if (records->n == records->capacity) {
        size_t capacity = records->capacity == 0 ? 16 : 2 * records->capacity;
        kith_record *more = kbase_realloc(records->records, capacity, sizeof(*more));
        if (more == NULL) {
            return kbase_fail_memory(err, capacity * sizeof(*more));
        }
        records->records = more;
        records->capacity = capacity;
    }
    kith_status status = kith_record_copy(&records->arena, stored,
                                          &records->records[records->n], err);
    records->n += status == KITH_OK;
    return status;
}

static kith_status read_passages(const kith_collection *collection,
                                 const kstore_snapshot *snapshot, kith_text id,
                                 kith_records *records, kith_error *err)
{
    uint32_t n_passages = 1;
    kith_status status = KITH_OK;
    for (uint32_t i = 0; i < n_passages && status == KITH_OK; i++) {
        uint64_t ordinal;
        kstore_record stored;
        status = kstore_find(snapshot, id, i, &ordinal, err);
        if (status == KITH_OK) {
            status = kstore_get(snapshot, ordinal, &stored, err);
        }
        if (status == KITH_OK) {
            n_passages = stored.n_passages;
            status = append(records, &stored, err);
        }
        if (status == KITH_OK) {
            status = append_vector(collection, snapshot, ordinal, records, err);
        }
    }
    return status;
}

kith_status kith_record_get(kith_collection *collection, kith_text id, kith_records **out,
                            kith_error *err)
{
    kith_status status = kith_check_process(collection, err);
    if (status != KITH_OK) {
        return status;
    }
    kith_records *records = calloc(1, sizeof(*records));
    if (records == NULL) {
        return kbase_fail_memory(err, sizeof(*records));
    }
    kith_reading reading;
    status = kith_read_begin(collection, &reading, err);
    if (status == KITH_OK) {
        status = read_passages(collection, reading.snapshot, id, records, err);
    }
    kith_read_end(collection, &reading);
    if (status != KITH_OK) {
        kith_records_free(records);
        return status;
    }
    *out = records;
    return KITH_OK;
}

size_t kith_records_count(const kith_records *records)
{
    return records->n;
}

const kith_record *kith_records_at(const kith_records *records, size_t i)
{
    return &records->records[i];
}

void kith_records_free(kith_records *records)
{
    if (records != NULL) {
        kbase_arena_free(&records->arena);
        free(records->records);
        free(records);
    }
}

kith_status kith_cursor_open(kith_collection *collection, kith_cursor **out,
                             kith_error *err)
{
    kith_cursor *cursor = calloc(1, sizeof(*cursor));
    if (cursor == NULL) {
        return kbase_fail_memory(err, sizeof(*cursor));
    }
    cursor->collection = collection;
    *out = cursor;
    return KITH_OK;
}

/* One passage after the cursor's place; moves it there. */
static kith_status step(kith_cursor *cursor, const kstore_snapshot *snapshot,
                        kith_records *records, kith_error *err)
{
    uint64_t ordinal;
    kstore_record stored;
    kith_text place = { cursor->id.data, cursor->id.n_bytes };
    kith_status status = kstore_next(snapshot, cursor->started ? &place : NULL,
                                     cursor->passage, &ordinal, err);
    if (status == KITH_OK) {
        status = kstore_get(snapshot, ordinal, &stored, err);
    }
    if (status == KITH_OK) {
        status = append(records, &stored, err);
    }
    if (status == KITH_OK && cursor->reads_vectors) {
        status = append_vector(cursor->collection, snapshot, ordinal, records, err);
    }
    if (status == KITH_OK) {
        cursor->started = true;
        cursor->passage = stored.passage;
        kbase_buffer_clear(&cursor->id);
        status = kbase_buffer_append(&cursor->id, stored.id.data, stored.id.n_bytes, err);
    }
    return status;
}

void kith_cursor_read_vectors(kith_cursor *cursor)
{
    cursor->reads_vectors = true;
}

/* The last record has all its passages. */
static bool is_whole(const kith_records *records)
{
    const kith_record *last = &records->records[records->n - 1];
    return last->passage + 1 == last->n_passages;
}

kith_status kith_cursor_next(kith_cursor *cursor, kith_records **out, kith_error *err)
{
    *out = NULL;
    kith_status status = kith_check_process(cursor->collection, err);
    if (status != KITH_OK) {
        return status;
    }
    kith_records *records = calloc(1, sizeof(*records));
    if (records == NULL) {
        return kbase_fail_memory(err, sizeof(*records));
    }
    kith_reading reading;
    status = kith_read_begin(cursor->collection, &reading, err);
    while (status == KITH_OK && (records->n < CURSOR_RECORDS || !is_whole(records))) {
        status = step(cursor, reading.snapshot, records, err);
    }
    kith_read_end(cursor->collection, &reading);
    if (status == KITH_OK || (status == KITH_NOT_FOUND && records->n > 0)) {
        *out = records;
        return KITH_OK;
    }
    kith_records_free(records);
    return status;
}

void kith_cursor_close(kith_cursor *cursor)
{
    if (cursor != NULL) {
        kbase_buffer_free(&cursor->id);
        free(cursor);
    }
}
