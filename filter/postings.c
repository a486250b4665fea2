/* Reads postings: what a filter needs of them is checked before it is believed. */
#include "postings.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "checksum.h"
#include "error.h"
#include "file.h"
#include "postings_format.h"
#include "where_parts.h"

/* Whether a field's part has its checksum. */
enum { UNKNOWN = 0, GOOD = 1, BAD = 2 };

struct kfil_postings {
    char *path;
    kbase_map map;        /* of a file, */
    kbase_buffer content; /* or in memory */
    const unsigned char *data;
    kfil_header header;
    const kfil_entry *entries;
    const char *keys;
    atomic_uchar *checked; /* one a field */
};

/* ------------------------------------------------------------------ opening */

static kith_status corrupt(const char *path, const char *what, kith_error *err)
{
    return kbase_fail(err, KITH_CORRUPT,
                      "%s is damaged (%s): delete it and build the index again", path,
                      what);
}

static kith_status check_header(const kfil_header *header, uint64_t n_bytes,
                                const char *path, kith_error *err)
{
    uint64_t directory_bytes;
    if (memcmp(header->magic, KFIL_MAGIC, sizeof(header->magic)) != 0) {
        return corrupt(path, "it does not start as postings do", err);
    }
    if (header->version != KFIL_FORMAT_VERSION) {
        return kbase_fail(err, KITH_VERSION,
                          "%s has format version %u, not %d: build the index again",
                          path, header->version, KFIL_FORMAT_VERSION);
    }
    if (header->header_bytes != sizeof(*header) ||
        header->checksum != kbase_hash64(header, offsetof(kfil_header, checksum))) {
        return corrupt(path, "checksum of the header", err);
    }
    if (header->file_bytes != n_bytes ||
        !kbase_mul64(&directory_bytes, header->n_fields, sizeof(kfil_entry)) ||
        !kbase_add64(&directory_bytes, directory_bytes, header->key_bytes) ||
        directory_bytes > n_bytes - sizeof(*header) ||
        header->first > UINT64_MAX - header->n_rows) {
        return corrupt(path, "lengths", err);
    }
    return KITH_OK;
}

static kith_status check_directory(const kfil_postings *postings, const char *path,
                                   kith_error *err)
{
    const kfil_header *header = &postings->header;
    size_t n_bytes =
        (size_t)(header->n_fields * sizeof(kfil_entry) + header->key_bytes);
    if (kbase_hash64(postings->entries, n_bytes) != header->directory_checksum) {
        return corrupt(path, "checksum of the directory", err);
    }
    uint64_t key_end = 0;
    for (uint64_t i = 0; i < header->n_fields; i++) {
        const kfil_entry *entry = &postings->entries[i];
        if (entry->key_end <= key_end || entry->key_end > header->key_bytes ||
            entry->at % 8 != 0 || entry->at > header->file_bytes ||
            entry->n_bytes > header->file_bytes - entry->at ||
            entry->n_bytes < sizeof(kfil_part)) {
            return corrupt(path, "directory", err);
        }
        key_end = entry->key_end;
    }
    return KITH_OK;
}

static kith_status take(kfil_postings *postings, const void *data, size_t n_bytes,
                        const char *path, kith_error *err)
{
    postings->path = strdup(path);
    if (postings->path == NULL) {
        return kbase_fail_memory(err, strlen(path) + 1);
    }
    if (n_bytes < sizeof(postings->header)) {
        return corrupt(path, "length of the file", err);
    }
    postings->data = data;
    memcpy(&postings->header, data, sizeof(postings->header));
    kith_status status = check_header(&postings->header, n_bytes, path, err);
    if (status != KITH_OK) {
        return status;
    }
    postings->entries = (const kfil_entry *)(const void *)(postings->data +
                                                           sizeof(postings->header));
    postings->keys = (const char *)(postings->entries + postings->header.n_fields);
    postings->checked = kbase_calloc((size_t)postings->header.n_fields, 1);
    return postings->checked != NULL
               ? check_directory(postings, path, err)
               : kbase_fail_memory(err, (size_t)postings->header.n_fields);
}

kith_status kfil_postings_take(kbase_buffer *content, kfil_postings **out,
                               kith_error *err)
{
    kfil_postings *postings = kbase_calloc(1, sizeof(*postings));
    if (postings == NULL) {
        kbase_buffer_free(content);
        return kbase_fail_memory(err, sizeof(*postings));
    }
    postings->content = *content;
    *content = (kbase_buffer)KBASE_BUFFER_INIT;
    kith_status status = take(postings, postings->content.data,
                              postings->content.n_bytes, "postings in memory", err);
    if (status != KITH_OK) {
        kfil_postings_close(postings);
        return status;
    }
    *out = postings;
    return KITH_OK;
}

kith_status kfil_postings_open(const char *path, uint64_t checksum, kfil_postings **out,
                               kith_error *err)
{
    kbase_file file = KBASE_FILE_INIT;
    uint64_t n_bytes = 0;
    kfil_postings *postings = kbase_calloc(1, sizeof(*postings));
    kith_status status = postings != NULL ? KITH_OK
                                          : kbase_fail_memory(err, sizeof(*postings));
    if (status == KITH_OK) {
        status = kbase_file_open(&file, path, O_RDONLY, 0, err);
    }
    if (status == KITH_OK) {
        status = kbase_file_size(&file, &n_bytes, err);
    }
    if (status == KITH_OK && n_bytes < sizeof(kfil_header)) {
        status = corrupt(path, "length of the file", err);
    }
    if (status == KITH_OK) {
        status = kbase_map_file(&file, (size_t)n_bytes, &postings->map, err);
    }
    if (status == KITH_OK) {
        status = take(postings, postings->map.data, postings->map.n_bytes, path, err);
    }
    if (status == KITH_OK && postings->header.checksum != checksum) {
        status = kbase_fail(err, KITH_MISMATCH,
                            "%s is of another collection: build the index again", path);
    }
    kbase_file_close(&file);
    if (status != KITH_OK) {
        kfil_postings_close(postings);
        return status;
    }
    *out = postings;
    return KITH_OK;
}

void kfil_postings_close(kfil_postings *postings)
{
    if (postings != NULL) {
        free((void *)postings->checked);
        kbase_unmap(&postings->map);
        kbase_buffer_free(&postings->content);
        free(postings->path);
        free(postings);
    }
}

uint64_t kfil_postings_first(const kfil_postings *postings)
{
    return postings->header.first;
}

uint64_t kfil_postings_end(const kfil_postings *postings)
{
    return postings->header.first + postings->header.n_rows;
}

bool kfil_postings_suffice(const kfil_where *where)
{
    return where->longest_string < KFIL_CUT_BYTES;
}

/* ------------------------------------------------------------------ parts */

/* A field's part; its lengths have been compared with those of the entry. */
typedef struct part {
    kfil_part head;
    const double *numbers;
    const kfil_list *number_lists;
    const uint64_t *string_ends;
    const kfil_list *string_lists;
    const char *strings;
    const unsigned char *lists;
} part;

/* One answer. */
typedef struct query {
    kfil_postings *postings;
    uint64_t n_rows;
    size_t n_words;
    kith_error *err;
} query;

static kith_status fail_part(const query *q)
{
    return corrupt(q->postings->path, "part of a field", q->err);
}

static kith_text key_of(const kfil_postings *postings, uint64_t i)
{
    uint64_t start = i > 0 ? postings->entries[i - 1].key_end : 0;
    return (kith_text){ postings->keys + start,
                        (size_t)(postings->entries[i].key_end - start) };
}

static bool find_field(const kfil_postings *postings, kith_text key, uint64_t *found)
{
    uint64_t low = 0;
    uint64_t high = postings->header.n_fields;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int order = kfil_text_compare(key_of(postings, middle), key);
        if (order == 0) {
            *found = middle;
            return true;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return false;
}

/* Once a field and handle; two threads at the same time find the same. */
static bool has_checksum(kfil_postings *postings, uint64_t i)
{
    const kfil_entry *entry = &postings->entries[i];
    unsigned char state = atomic_load(&postings->checked[i]);
    if (state == UNKNOWN) {
        uint64_t found =
            kbase_hash64(postings->data + entry->at, (size_t)entry->n_bytes);
        state = found == entry->checksum ? GOOD : BAD;
        atomic_store(&postings->checked[i], state);
    }
    return state == GOOD;
}

kith_status kfil_postings_verify(kfil_postings *postings, kith_error *err)
{
    for (uint64_t i = 0; i < postings->header.n_fields; i++) {
        if (!has_checksum(postings, i)) {
            return corrupt(postings->path, "checksum of a field", err);
        }
    }
    return KITH_OK;
}

static kith_status open_part(const query *q, uint64_t i, part *out)
{
    const kfil_entry *entry = &q->postings->entries[i];
    const unsigned char *data = q->postings->data + entry->at;
    if (!has_checksum(q->postings, i)) {
        return fail_part(q);
    }
    memcpy(&out->head, data, sizeof(out->head));
    const kfil_part *head = &out->head;
    const size_t a_value = 8 + sizeof(kfil_list);
    uint64_t left = entry->n_bytes - sizeof(*head);
    if (head->n_numbers > left / a_value || head->n_strings > left / a_value ||
        (head->n_numbers + head->n_strings) > left / a_value) {
        return fail_part(q);
    }
    left -= (head->n_numbers + head->n_strings) * a_value;
    if (head->string_bytes > left || head->list_bytes > left ||
        kfil_round_up(head->string_bytes) + kfil_round_up(head->list_bytes) != left) {
        return fail_part(q);
    }
    data += sizeof(*head);
    out->numbers = (const double *)(const void *)data;
    out->number_lists = (const kfil_list *)(const void *)(out->numbers + head->n_numbers);
    data = (const unsigned char *)(out->number_lists + head->n_numbers);
    out->string_ends = (const uint64_t *)(const void *)data;
    out->string_lists =
        (const kfil_list *)(const void *)(out->string_ends + head->n_strings);
    out->strings = (const char *)(out->string_lists + head->n_strings);
    out->lists =
        (const unsigned char *)out->strings + kfil_round_up(head->string_bytes);
    return KITH_OK;
}

static bool string_at(const part *p, uint64_t i, kith_text *string)
{
    uint64_t start = i > 0 ? p->string_ends[i - 1] : 0;
    uint64_t end = p->string_ends[i];
    if (start > end || end > p->head.string_bytes) {
        return false;
    }
    *string = (kith_text){ p->strings + start, (size_t)(end - start) };
    return true;
}

/* ------------------------------------------------------------------ lists */

static bool add_dense(const query *q, const part *p, uint64_t at, uint64_t *bits)
{
    if (p->head.list_bytes < 8 * q->n_words || at > p->head.list_bytes - 8 * q->n_words) {
        return false;
    }
    const unsigned char *from = p->lists + at;
    for (size_t i = 0; i < q->n_words; i++) {
        uint64_t word;
        memcpy(&word, from + 8 * i, sizeof(word));
        bits[i] |= word;
    }
    return true;
}

static bool add_sparse(const query *q, const part *p, const kfil_list *list,
                       uint64_t *bits)
{
    uint64_t row = 0;
    if (list->at > p->head.list_bytes) {
        return false;
    }
    const unsigned char *next = p->lists + list->at;
    const unsigned char *end = p->lists + p->head.list_bytes;
    for (uint64_t i = 0; i < list->n; i++) {
        uint64_t difference = 0;
        unsigned shift = 0;
        unsigned char byte;
        do {
            if (next == end || shift > 56) {
                return false;
            }
            byte = *next++;
            difference |= (uint64_t)(byte & 0x7f) << shift;
            shift += 7;
        } while (byte >= 0x80);
        if (difference >= q->n_rows - row) {
            return false;
        }
        row += difference;
        bits[row / 64] |= (uint64_t)1 << (row % 64);
    }
    return true;
}

static kith_status add_list(const query *q, const part *p, const kfil_list *list,
                            uint64_t *bits)
{
    bool is_good = true;
    if (list->n == 1) {
        is_good = list->at < q->n_rows;
        if (is_good) {
            bits[list->at / 64] |= (uint64_t)1 << (list->at % 64);
        }
    } else if (kfil_list_is_dense(list->n, q->n_rows)) {
        is_good = add_dense(q, p, list->at, bits);
    } else if (list->n > 0) {
        is_good = add_sparse(q, p, list, bits);
    }
    return is_good ? KITH_OK : fail_part(q);
}

static kith_status add_lists(const query *q, const part *p, const kfil_list *lists,
                             uint64_t first, uint64_t end, uint64_t *bits)
{
    kith_status status = KITH_OK;
    for (uint64_t i = first; i < end && status == KITH_OK; i++) {
        status = add_list(q, p, &lists[i], bits);
    }
    return status;
}

/* ------------------------------------------------------------------ values */

/* How many numbers are less than this one, or, with `or_equal`, not greater. */
static uint64_t count_numbers(const part *p, double number, bool or_equal)
{
    uint64_t low = 0;
    uint64_t high = p->head.n_numbers;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        bool counts =
            p->numbers[middle] < number || (or_equal && p->numbers[middle] == number);
        low = counts ? middle + 1 : low;
        high = counts ? high : middle;
    }
    return low;
}

/* The same for strings; false when the part is damaged. */
static bool count_strings(const part *p, kith_text text, bool or_equal, uint64_t *n)
{
    uint64_t low = 0;
    uint64_t high = p->head.n_strings;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        kith_text string;
        if (!string_at(p, middle, &string)) {
            return false;
        }
        bool counts = kfil_text_compare(string, text) < (or_equal ? 1 : 0);
        low = counts ? middle + 1 : low;
        high = counts ? high : middle;
    }
    *n = low;
    return true;
}

/* The rows of all values from one to another, by their numbers in the part. */
static kith_status add_range(const query *q, const part *p, kfil_op op,
                             const kfil_value *value, uint64_t *bits)
{
    bool is_number = value->type == KFIL_NUMBER;
    uint64_t less = 0;
    uint64_t not_greater = 0;
    if (is_number) {
        less = count_numbers(p, value->number, false);
        not_greater = count_numbers(p, value->number, true);
    } else if (!count_strings(p, value->string, false, &less) ||
               !count_strings(p, value->string, true, &not_greater)) {
        return fail_part(q);
    }
    uint64_t first = op == KFIL_GREATER                            ? not_greater
                     : op == KFIL_GREATER_EQUAL || op == KFIL_IN ? less
                                                                   : 0;
    uint64_t end = op == KFIL_LESS                            ? less
                   : op == KFIL_LESS_EQUAL || op == KFIL_IN ? not_greater
                   : is_number                                ? p->head.n_numbers
                                                              : p->head.n_strings;
    return add_lists(q, p, is_number ? p->number_lists : p->string_lists, first, end,
                     bits);
}

static kith_status add_starting_with(const query *q, const part *p, kith_text start,
                                     uint64_t *bits)
{
    uint64_t i;
    kith_text string;
    if (!count_strings(p, start, false, &i)) {
        return fail_part(q);
    }
    for (; i < p->head.n_strings; i++) {
        if (!string_at(p, i, &string)) {
            return fail_part(q);
        }
        if (string.n_bytes < start.n_bytes ||
            memcmp(string.data, start.data, start.n_bytes) != 0) {
            break;
        }
        kith_status status = add_list(q, p, &p->string_lists[i], bits);
        if (status != KITH_OK) {
            return status;
        }
    }
    return KITH_OK;
}

static kith_status add_value(const query *q, const part *p, const kfil_node *node,
                             const kfil_value *value, uint64_t *bits)
{
    if (value->type < KFIL_NUMBER) {
        return add_list(q, p, &p->head.constants[value->type], bits);
    }
    return node->op == KFIL_STARTS_WITH
               ? add_starting_with(q, p, value->string, bits)
               : add_range(q, p, node->op, value, bits);
}

/* ------------------------------------------------------------------ filters */

/* Add the rows for which a condition on one field holds. */
static kith_status add_condition(const query *q, const kfil_node *node, uint64_t *bits)
{
    uint64_t i;
    part p;
    if (!find_field(q->postings, node->field, &i)) {
        return KITH_OK;
    }
    kith_status status = open_part(q, i, &p);
    if (status == KITH_OK && node->op == KFIL_EXISTS) {
        return add_list(q, &p, &p.head.present, bits);
    }
    for (size_t v = 0; v < node->n_values && status == KITH_OK; v++) {
        status = add_value(q, &p, node, &node->values[v], bits);
    }
    return status;
}

static kith_status add_matches(const query *q, const kfil_node *node, uint64_t *bits);

/* For AND and NOT: the matches of each part by itself. */
static kith_status add_combined(const query *q, const kfil_node *node, uint64_t *bits)
{
    uint64_t *all = kbase_calloc(q->n_words, sizeof(*all));
    uint64_t *of_part = kbase_calloc(q->n_words, sizeof(*of_part));
    kith_status status = all != NULL && of_part != NULL
                             ? add_matches(q, node->first, all)
                             : kbase_fail_memory(q->err, q->n_words * sizeof(*all));
    for (const kfil_node *next = node->first->next; next != NULL && status == KITH_OK;
         next = next->next) {
        memset(of_part, 0, q->n_words * sizeof(*of_part));
        status = add_matches(q, next, of_part);
        for (size_t i = 0; i < q->n_words; i++) {
            all[i] &= of_part[i];
        }
    }
    for (size_t i = 0; i < q->n_words && status == KITH_OK; i++) {
        bits[i] |= node->op == KFIL_NOT ? ~all[i] : all[i];
    }
    free(of_part);
    free(all);
    return status;
}

static kith_status add_matches(const query *q, const kfil_node *node, uint64_t *bits)
{
    if (node->op == KFIL_AND || node->op == KFIL_NOT) {
        return add_combined(q, node, bits);
    }
    if (node->op != KFIL_OR) {
        return add_condition(q, node, bits);
    }
    kith_status status = KITH_OK;
    for (const kfil_node *next = node->first; next != NULL && status == KITH_OK;
         next = next->next) {
        status = add_matches(q, next, bits);
    }
    return status;
}

kith_status kfil_postings_match(kfil_postings *postings, const kfil_where *where,
                                uint64_t *bits, kith_error *err)
{
    const uint64_t first = postings->header.first;
    query q = { .postings = postings, .n_rows = postings->header.n_rows, .err = err };
    if (q.n_rows == 0) {
        return KITH_OK;
    }
    q.n_words = (size_t)(q.n_rows + 63) / 64;
    uint64_t *found = kbase_calloc(q.n_words, sizeof(*found));
    if (found == NULL) {
        return kbase_fail_memory(err, q.n_words * sizeof(*found));
    }
    kith_status status = add_matches(&q, where->root, found);
    if (q.n_rows % 64 != 0) {
        found[q.n_words - 1] &= ((uint64_t)1 << (q.n_rows % 64)) - 1;
    }
    const unsigned shift = first % 64;
    for (size_t i = 0; i < q.n_words && status == KITH_OK; i++) {
        bits[first / 64 + i] |= found[i] << shift;
        if (shift > 0 && found[i] >> (64 - shift) != 0) {
            bits[first / 64 + i + 1] |= found[i] >> (64 - shift);
        }
    }
    free(found);
    return status;
}
