/* Collects the fields of records and writes their postings. */
#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "error.h"
#include "record_fields.h"
#include "postings.h"
#include "postings_format.h"

/* Rows in ascending order, counted from the builder's first. `bytes` holds them as
 * kfil_list says as soon as there are two. */
typedef struct row_list {
    uint64_t n;
    uint64_t last;
    unsigned char *bytes;
    size_t n_bytes;
    size_t capacity;
} row_list;

typedef struct field {
    kith_text key;
    size_t place; /* in the order in which fields were found */
    row_list present;
} field;

/* A value of a field, and who has it. */
typedef struct posting {
    size_t field;
    kfil_value value;
    row_list rows;
} posting;

/* Places in an array by hash: open addressing, at most half full. */
typedef struct hash_table {
    size_t *slots; /* place + 1, or 0 */
    size_t n_slots; /* a power of two, or 0 */
} hash_table;

struct kfil_builder {
    uint64_t first;
    uint64_t row; /* the one that is added, counted from `first` */
    kbase_arena arena;
    kbase_buffer key; /* of the field that is looked at */
    field *fields;
    size_t n_fields;
    size_t fields_capacity;
    hash_table field_table;
    posting *postings;
    size_t n_postings;
    size_t postings_capacity;
    hash_table posting_table;
};

kith_status kfil_builder_new(uint64_t first, kfil_builder **out, kith_error *err)
{
    kfil_builder *builder = kbase_calloc(1, sizeof(*builder));
    if (builder == NULL) {
        return kbase_fail_memory(err, sizeof(*builder));
    }
    builder->first = first;
    *out = builder;
    return KITH_OK;
}

void kfil_builder_free(kfil_builder *builder)
{
    if (builder == NULL) {
        return;
    }
    for (size_t i = 0; i < builder->n_fields; i++) {
        free(builder->fields[i].present.bytes);
    }
    for (size_t i = 0; i < builder->n_postings; i++) {
        free(builder->postings[i].rows.bytes);
    }
    free(builder->fields);
    free(builder->field_table.slots);
    free(builder->postings);
    free(builder->posting_table.slots);
    kbase_buffer_free(&builder->key);
    kbase_arena_free(&builder->arena);
    free(builder);
}

/* ------------------------------------------------------------------ lists of rows */

static unsigned char *put_number(unsigned char *to, uint64_t number)
{
    for (; number >= 0x80; number >>= 7) {
        *to++ = (unsigned char)(number | 0x80);
    }
    *to++ = (unsigned char)number;
    return to;
}

/* Nothing when the row is there already. */
static kith_status add_row(row_list *rows, uint64_t row, kith_error *err)
{
    if (rows->n > 0 && rows->last == row) {
        return KITH_OK;
    }
    if (rows->n > 0 && rows->capacity - rows->n_bytes < 2 * 10) {
        size_t capacity = rows->capacity == 0 ? 24 : rows->capacity * 2;
        unsigned char *bytes = kbase_realloc(rows->bytes, capacity, 1);
        if (bytes == NULL) {
            return kbase_fail_memory(err, capacity);
        }
        rows->bytes = bytes;
        rows->capacity = capacity;
    }
    if (rows->n > 0) {
        unsigned char *to = rows->bytes + rows->n_bytes;
        to = rows->n == 1 ? put_number(to, rows->last) : to;
        to = put_number(to, row - rows->last);
        rows->n_bytes = (size_t)(to - rows->bytes);
    }
    rows->last = row;
    rows->n++;
    return KITH_OK;
}

static kith_status append_bits(const row_list *rows, uint64_t n_rows,
                               kbase_buffer *lists, kith_error *err)
{
    size_t n_bytes = (size_t)(n_rows + 63) / 64 * 8;
    kith_status status = kbase_buffer_reserve(lists, n_bytes, err);
    if (status != KITH_OK) {
        return status;
    }
    unsigned char *bits = (unsigned char *)lists->data + lists->n_bytes;
    memset(bits, 0, n_bytes);
    lists->n_bytes += n_bytes;
    uint64_t row = 0;
    uint64_t difference = 0;
    unsigned shift = 0;
    for (size_t i = 0; i < rows->n_bytes; i++) {
        difference |= (uint64_t)(rows->bytes[i] & 0x7f) << shift;
        shift += 7;
        if (rows->bytes[i] < 0x80) {
            row += difference;
            bits[row / 8] |= (unsigned char)(1u << (row % 8));
            difference = 0;
            shift = 0;
        }
    }
    return KITH_OK;
}

/* The list as it stands in a file; its bytes, if any, go behind `lists`. */
static kith_status write_list(const row_list *rows, uint64_t n_rows, kfil_list *list,
                              kbase_buffer *lists, kith_error *err)
{
    *list = (kfil_list){ rows->n, rows->n == 1 ? rows->last : lists->n_bytes };
    if (rows->n < 2) {
        return KITH_OK;
    }
    return kfil_list_is_dense(rows->n, n_rows)
               ? append_bits(rows, n_rows, lists, err)
               : kbase_buffer_append(lists, rows->bytes, rows->n_bytes, err);
}

/* ------------------------------------------------------------------ tables */

/* Room for one more in an array of `size` bytes each. KITH_NOMEM. */
static kith_status grow(void **items, size_t n, size_t *capacity, size_t size,
                        kith_error *err)
{
    if (n < *capacity) {
        return KITH_OK;
    }
    size_t wanted = *capacity == 0 ? 64 : 2 * *capacity;
    void *more = kbase_realloc(*items, wanted, size);
    if (more == NULL) {
        return kbase_fail_memory(err, wanted * size);
    }
    *items = more;
    *capacity = wanted;
    return KITH_OK;
}

static uint64_t field_hash(const field *one)
{
    return kbase_hash64(one->key.data, one->key.n_bytes);
}

static uint64_t posting_hash(const posting *one)
{
    const kfil_value *value = &one->value;
    uint64_t hash = value->type == KFIL_STRING
                        ? kbase_hash64(value->string.data, value->string.n_bytes)
                        : kbase_hash64(&value->number, sizeof(value->number));
    return hash + (one->field * 8 + value->type + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Make room for one more place; `hash_of` gives the hash of the one at a place. */
static kith_status grow_table(hash_table *table, size_t n, const kfil_builder *builder,
                              uint64_t (*hash_of)(const kfil_builder *builder, size_t i),
                              kith_error *err)
{
    if (2 * (n + 1) <= table->n_slots) {
        return KITH_OK;
    }
    size_t n_slots = table->n_slots == 0 ? 256 : 2 * table->n_slots;
    size_t *slots = kbase_calloc(n_slots, sizeof(*slots));
    if (slots == NULL) {
        return kbase_fail_memory(err, n_slots * sizeof(*slots));
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)hash_of(builder, i) & (n_slots - 1);
        while (slots[at] != 0) {
            at = (at + 1) & (n_slots - 1);
        }
        slots[at] = i + 1;
    }
    free(table->slots);
    *table = (hash_table){ slots, n_slots };
    return KITH_OK;
}

static uint64_t field_hash_at(const kfil_builder *builder, size_t i)
{
    return field_hash(&builder->fields[i]);
}

static uint64_t posting_hash_at(const kfil_builder *builder, size_t i)
{
    return posting_hash(&builder->postings[i]);
}

/* The place of the field whose key is in builder->key, made when it is new. */
static kith_status find_field(kfil_builder *builder, size_t *place, kith_error *err)
{
    field wanted = { .key = { builder->key.data, builder->key.n_bytes } };
    hash_table *table = &builder->field_table;
    kith_status status =
        grow_table(table, builder->n_fields, builder, field_hash_at, err);
    if (status == KITH_OK) {
        status = grow((void **)&builder->fields, builder->n_fields,
                      &builder->fields_capacity, sizeof(wanted), err);
    }
    if (status != KITH_OK) {
        return status;
    }
    size_t at = (size_t)field_hash(&wanted) & (table->n_slots - 1);
    for (; table->slots[at] != 0; at = (at + 1) & (table->n_slots - 1)) {
        if (kfil_text_compare(builder->fields[table->slots[at] - 1].key, wanted.key) ==
            0) {
            *place = table->slots[at] - 1;
            return KITH_OK;
        }
    }
    wanted.key = kbase_arena_copy(&builder->arena, wanted.key);
    if (wanted.key.data == NULL) {
        return kbase_fail_memory(err, wanted.key.n_bytes);
    }
    wanted.place = builder->n_fields++;
    builder->fields[wanted.place] = wanted;
    *place = wanted.place;
    table->slots[at] = builder->n_fields;
    return KITH_OK;
}

/* The present row has this value of the field. */
static kith_status post(kfil_builder *builder, size_t place, const kfil_value *value,
                        kith_error *err)
{
    posting wanted = { .field = place, .value = *value };
    hash_table *table = &builder->posting_table;
    if (wanted.value.string.n_bytes > KFIL_CUT_BYTES) {
        wanted.value.string.n_bytes = KFIL_CUT_BYTES;
    }
    kith_status status =
        grow_table(table, builder->n_postings, builder, posting_hash_at, err);
    if (status == KITH_OK) {
        status = grow((void **)&builder->postings, builder->n_postings,
                      &builder->postings_capacity, sizeof(wanted), err);
    }
    if (status != KITH_OK) {
        return status;
    }
    size_t at = (size_t)posting_hash(&wanted) & (table->n_slots - 1);
    for (; table->slots[at] != 0; at = (at + 1) & (table->n_slots - 1)) {
        posting *there = &builder->postings[table->slots[at] - 1];
        if (there->field == place &&
            kfil_value_compare(&there->value, &wanted.value) == 0) {
            return add_row(&there->rows, builder->row, err);
        }
    }
    if (value->type == KFIL_STRING) {
        wanted.value.string = kbase_arena_copy(&builder->arena, wanted.value.string);
        if (wanted.value.string.data == NULL) {
            return kbase_fail_memory(err, wanted.value.string.n_bytes);
        }
    }
    builder->postings[builder->n_postings++] = wanted;
    table->slots[at] = builder->n_postings;
    return add_row(&builder->postings[builder->n_postings - 1].rows, builder->row, err);
}

/* ------------------------------------------------------------------ records */

static kith_status post_json(kfil_builder *builder, const json_t *json, size_t place,
                             unsigned n_names, kith_error *err);

/* Members of an object that is reached by builder->key, which has n_names. */
static kith_status post_members(kfil_builder *builder, const json_t *object,
                                unsigned n_names, kith_error *err)
{
    kbase_buffer *key = &builder->key;
    const size_t n_bytes = key->n_bytes;
    kith_status status = KITH_OK;
    for (void *i = json_object_iter((json_t *)(uintptr_t)object);
         i != NULL && status == KITH_OK && n_names < KFIL_MAX_NAMES;
         i = json_object_iter_next((json_t *)(uintptr_t)object, i)) {
        const char *name = json_object_iter_key(i);
        size_t place = 0;
        status = kbase_buffer_append(key, "", n_names > 0 ? 1 : 0, err);
        if (status == KITH_OK) {
            status = kbase_buffer_append(key, name, strlen(name), err);
        }
        if (status == KITH_OK) {
            status = find_field(builder, &place, err);
        }
        if (status == KITH_OK) {
            status = add_row(&builder->fields[place].present, builder->row, err);
        }
        if (status == KITH_OK) {
            status = post_json(builder, json_object_iter_value(i), place, n_names + 1,
                               err);
        }
        key->n_bytes = n_bytes;
    }
    return status;
}

static kith_status post_json(kfil_builder *builder, const json_t *json, size_t place,
                             unsigned n_names, kith_error *err)
{
    kith_status status = KITH_OK;
    kfil_value value;
    if (json_is_array(json)) {
        for (size_t i = 0; i < json_array_size(json) && status == KITH_OK; i++) {
            status = post_json(builder, json_array_get(json, i), place, n_names, err);
        }
        return status;
    }
    return kfil_value_from(json, &value) ? post(builder, place, &value, err)
                                         : post_members(builder, json, n_names, err);
}

/* The id, source or title. */
static kith_status post_record_field(kfil_builder *builder, const kfil_record *record,
                                     const char *name, kith_error *err)
{
    kith_text which = { name + 1, strlen(name) - 1 };
    const kfil_value value = { .type = KFIL_STRING,
                               .string = kfil_record_text(record, which) };
    size_t place = 0;
    if (value.string.n_bytes == 0) {
        return KITH_OK;
    }
    kbase_buffer_clear(&builder->key);
    kith_status status =
        kbase_buffer_append(&builder->key, name, which.n_bytes + 1, err);
    if (status == KITH_OK) {
        status = find_field(builder, &place, err);
    }
    if (status == KITH_OK) {
        status = add_row(&builder->fields[place].present, builder->row, err);
    }
    return status == KITH_OK ? post(builder, place, &value, err) : status;
}

kith_status kfil_builder_add(kfil_builder *builder, uint64_t row,
                             const kfil_record *record, kith_error *err)
{
    static const char *const names[] = { "$id", "$source", "$title" };
    static const char metadata_key = KFIL_METADATA;
    json_t *metadata = NULL;
    kith_status status = KITH_OK;
    builder->row = row - builder->first;
    for (size_t i = 0; i < 3 && status == KITH_OK; i++) {
        status = post_record_field(builder, record, names[i], err);
    }
    if (status == KITH_OK) {
        status = kfil_load(record->metadata, &metadata, err);
    }
    if (status == KITH_OK && metadata != NULL) {
        kbase_buffer_clear(&builder->key);
        status = kbase_buffer_append(&builder->key, &metadata_key, 1, err);
        if (status == KITH_OK) {
            status = post_members(builder, metadata, 0, err);
        }
    }
    json_decref(metadata);
    return status;
}

/* ------------------------------------------------------------------ writing */

typedef struct writing {
    uint64_t n_rows;
    kbase_buffer *content;
    size_t start; /* of the header */
    kbase_buffer lists; /* of the field that is written */
} writing;

static int compare_fields(const void *a, const void *b)
{
    return kfil_text_compare(((const field *)a)->key, ((const field *)b)->key);
}

static int compare_postings(const void *a, const void *b)
{
    const posting *x = a;
    const posting *y = b;
    if (x->field != y->field) {
        return x->field < y->field ? -1 : 1;
    }
    return kfil_value_compare(&x->value, &y->value);
}

/* Zeros up to a multiple of 8 bytes from the header. */
static kith_status pad(writing *w, kith_error *err)
{
    static const char zeros[8];
    size_t n_bytes = w->content->n_bytes - w->start;
    return kbase_buffer_append(w->content, zeros, kfil_round_up(n_bytes) - n_bytes, err);
}

/* Numbers or strings of a field in order: their values, which begin at `values`, and
 * lists behind all of them. */
static kith_status write_values(writing *w, const posting *postings, size_t n,
                                size_t values, uint64_t *string_bytes, kith_error *err)
{
    kith_status status = KITH_OK;
    for (size_t i = 0; i < n && status == KITH_OK; i++) {
        const kfil_value *value = &postings[i].value;
        kfil_list list;
        status = write_list(&postings[i].rows, w->n_rows, &list, &w->lists, err);
        *string_bytes += value->string.n_bytes;
        const void *from = value->type == KFIL_STRING ? (const void *)string_bytes
                                                      : (const void *)&value->number;
        memcpy(w->content->data + values + 8 * i, from, 8);
        memcpy(w->content->data + values + 8 * n + sizeof(list) * i, &list, sizeof(list));
    }
    return status;
}

/* The postings of one field, sorted. */
static kith_status write_part(writing *w, const field *of, const posting *postings,
                              size_t n, kith_error *err)
{
    kfil_part part = { .n_numbers = 0 };
    const size_t at = w->content->n_bytes;
    kbase_buffer_clear(&w->lists);
    kith_status status =
        write_list(&of->present, w->n_rows, &part.present, &w->lists, err);
    for (; n > 0 && postings->value.type < KFIL_NUMBER && status == KITH_OK; n--) {
        status = write_list(&postings->rows, w->n_rows,
                            &part.constants[postings->value.type], &w->lists, err);
        postings++;
    }
    while (part.n_numbers < n && postings[part.n_numbers].value.type == KFIL_NUMBER) {
        part.n_numbers++;
    }
    part.n_strings = n - part.n_numbers;
    const size_t fixed = sizeof(part) + n * (8 + sizeof(kfil_list));
    if (status == KITH_OK) {
        status = kbase_buffer_reserve(w->content, fixed, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    w->content->n_bytes += fixed;
    const size_t numbers = at + sizeof(part);
    const size_t strings = numbers + (8 + sizeof(kfil_list)) * part.n_numbers;
    status = write_values(w, postings, part.n_numbers, numbers, &part.string_bytes, err);
    postings += part.n_numbers;
    if (status == KITH_OK) {
        status = write_values(w, postings, part.n_strings, strings, &part.string_bytes,
                              err);
    }
    part.list_bytes = w->lists.n_bytes;
    memcpy(w->content->data + at, &part, sizeof(part));
    for (size_t i = 0; i < part.n_strings && status == KITH_OK; i++) {
        status = kbase_buffer_append(w->content, postings[i].value.string.data,
                                     postings[i].value.string.n_bytes, err);
    }
    status = status == KITH_OK ? pad(w, err) : status;
    if (status == KITH_OK) {
        status = kbase_buffer_append(w->content, w->lists.data, w->lists.n_bytes, err);
    }
    return status == KITH_OK ? pad(w, err) : status;
}

/* Fields and postings in the order in which they are written. */
static kith_status sort_all(kfil_builder *builder, kith_error *err)
{
    if (builder->n_fields == 0) {
        return KITH_OK;
    }
    size_t *ranks = kbase_calloc(builder->n_fields, sizeof(*ranks));
    if (ranks == NULL) {
        return kbase_fail_memory(err, builder->n_fields * sizeof(*ranks));
    }
    qsort(builder->fields, builder->n_fields, sizeof(*builder->fields), compare_fields);
    for (size_t i = 0; i < builder->n_fields; i++) {
        ranks[builder->fields[i].place] = i;
    }
    for (size_t i = 0; i < builder->n_postings; i++) {
        builder->postings[i].field = ranks[builder->postings[i].field];
    }
    free(ranks);
    if (builder->n_postings > 0) {
        qsort(builder->postings, builder->n_postings, sizeof(*builder->postings),
              compare_postings);
    }
    return KITH_OK;
}

/* The directory, behind the header: room for it, with the keys behind it. */
static kith_status write_keys(writing *w, const kfil_builder *builder, kith_error *err)
{
    const size_t n_bytes = sizeof(kfil_header) + builder->n_fields * sizeof(kfil_entry);
    kith_status status = kbase_buffer_reserve(w->content, n_bytes, err);
    if (status != KITH_OK) {
        return status;
    }
    memset(w->content->data + w->start, 0, n_bytes);
    w->content->n_bytes += n_bytes;
    for (size_t i = 0; i < builder->n_fields && status == KITH_OK; i++) {
        const kith_text *key = &builder->fields[i].key;
        status = kbase_buffer_append(w->content, key->data, key->n_bytes, err);
    }
    return status;
}

/* All parts, and the directory's entries for them. */
static kith_status write_parts(writing *w, const kfil_builder *builder, kith_error *err)
{
    kith_status status = pad(w, err);
    kfil_entry entry = { .key_end = 0 };
    const posting *next = builder->postings;
    const posting *end = next + builder->n_postings;
    for (size_t i = 0; i < builder->n_fields && status == KITH_OK; i++) {
        const posting *first = next;
        const size_t at = w->content->n_bytes;
        while (next < end && next->field == i) {
            next++;
        }
        status = write_part(w, &builder->fields[i], first, (size_t)(next - first), err);
        entry.key_end += builder->fields[i].key.n_bytes;
        entry.at = at - w->start;
        entry.n_bytes = w->content->n_bytes - at;
        entry.checksum = kbase_hash64(w->content->data + at, (size_t)entry.n_bytes);
        memcpy(w->content->data + w->start + sizeof(kfil_header) + i * sizeof(entry),
               &entry, sizeof(entry));
    }
    return status;
}

kith_status kfil_builder_finish(kfil_builder *builder, uint64_t end,
                                kbase_buffer *content, kith_error *err)
{
    writing w = { end - builder->first, content, content->n_bytes, KBASE_BUFFER_INIT };
    kfil_header header = { .magic = KFIL_MAGIC,
                           .version = KFIL_FORMAT_VERSION,
                           .header_bytes = sizeof(header),
                           .first = builder->first,
                           .n_rows = w.n_rows,
                           .n_fields = builder->n_fields };
    kith_status status = sort_all(builder, err);
    if (status == KITH_OK) {
        status = write_keys(&w, builder, err);
    }
    size_t directory_end = content->n_bytes;
    if (status == KITH_OK) {
        status = write_parts(&w, builder, err);
    }
    kbase_buffer_free(&w.lists);
    if (status != KITH_OK) {
        return status;
    }
    char *start = content->data + w.start;
    const size_t directory_bytes = directory_end - w.start - sizeof(header);
    header.file_bytes = content->n_bytes - w.start;
    header.key_bytes = directory_bytes - builder->n_fields * sizeof(kfil_entry);
    header.directory_checksum = kbase_hash64(start + sizeof(header), directory_bytes);
    header.checksum = kbase_hash64(&header, offsetof(kfil_header, checksum));
    memcpy(start, &header, sizeof(header));
    return KITH_OK;
}

uint64_t kfil_content_checksum(const kbase_buffer *content)
{
    uint64_t checksum;
    memcpy(&checksum, content->data + offsetof(kfil_header, checksum), sizeof(checksum));
    return checksum;
}
