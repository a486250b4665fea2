#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "error.h"
#include "passage_map.h"
#include "memory.h"

/* ------------------------------------------------------------------ reading */

/* The record that is being read. */
typedef struct record_rows {
    kbase_buffer rows;   /* uint64_t of each passage */
    kbase_buffer hashes; /* of their texts */
} record_rows;

static kith_status add_passage(record_rows *r, uint64_t ordinal,
                               const kstore_record *stored, kith_error *err)
{
    kith_status status = kbase_buffer_append(&r->rows, (const char *)&ordinal,
                                             sizeof(ordinal), err);
    return status == KITH_OK
               ? kbase_buffer_append(&r->hashes, (const char *)stored->text_hash,
                                     sizeof(stored->text_hash), err)
               : status;
}

/* All passages of a record are known. */
static kith_status end_record(kith_passage_map *map, record_rows *r, kith_error *err)
{
    const uint64_t *rows = (const uint64_t *)(const void *)r->rows.data;
    const size_t n = r->rows.n_bytes / sizeof(*rows);
    uint64_t lowest = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        lowest = rows[i] < lowest ? rows[i] : lowest;
    }
    for (size_t i = 0; i < n; i++) {
        map->owners[rows[i]] = (uint32_t)lowest;
        map->is_part[rows[i]] = n > 1;
    }
    if (n > 1) {
        const kbase_hash128 hash = kbase_hash128_of(r->hashes.data, r->hashes.n_bytes);
        if ((map->n_wholes & (map->n_wholes - 1)) == 0) { /* a power of two: full */
            const size_t capacity = map->n_wholes == 0 ? 1 : 2 * map->n_wholes;
            kith_whole *more = kbase_realloc(map->wholes, capacity, sizeof(*more));
            if (more == NULL) {
                return kbase_fail_memory(err, capacity * sizeof(*more));
            }
            map->wholes = more;
        }
        map->wholes[map->n_wholes++] =
            (kith_whole){ { hash.low, hash.high }, (uint32_t)lowest };
    }
    kbase_buffer_clear(&r->rows);
    kbase_buffer_clear(&r->hashes);
    return KITH_OK;
}

kith_status kith_passage_map_read(const kstore_snapshot *snapshot, uint64_t n_rows,
                                  kith_passage_map *map, kith_error *err)
{
    record_rows r = { KBASE_BUFFER_INIT, KBASE_BUFFER_INIT };
    uint64_t ordinal;
    kstore_record stored = { .id = { NULL, 0 } };
    map->owners = kbase_calloc(n_rows, sizeof(*map->owners));
    map->is_part = kbase_calloc(n_rows, sizeof(*map->is_part));
    if (map->owners == NULL || map->is_part == NULL) {
        return kbase_fail_memory(err, n_rows * sizeof(*map->owners));
    }
    kith_status status = kstore_next(snapshot, NULL, 0, &ordinal, err);
    while (status == KITH_OK) {
        status = kstore_get(snapshot, ordinal, &stored, err);
        if (status == KITH_OK && stored.passage == 0 && r.rows.n_bytes > 0) {
            status = end_record(map, &r, err);
        }
        if (status == KITH_OK) {
            status = add_passage(&r, ordinal, &stored, err);
        }
        if (status == KITH_OK) {
            status = kstore_next(snapshot, &stored.id, stored.passage, &ordinal, err);
        }
    }
    if (status == KITH_NOT_FOUND) {
        status = end_record(map, &r, err);
    }
    kbase_buffer_free(&r.hashes);
    kbase_buffer_free(&r.rows);
    return status;
}

void kith_passage_map_free(kith_passage_map *map)
{
    free(map->wholes);
    free(map->is_part);
    free(map->owners);
    *map = (kith_passage_map){ NULL, NULL, NULL, 0 };
}

/* ------------------------------------------------------------------ equal records */

static int compare_wholes(const void *x, const void *y)
{
    const kith_whole *p = x;
    const kith_whole *q = y;
    const int order = memcmp(p->hash, q->hash, sizeof(p->hash));
    return order != 0 ? order : p->row < q->row ? -1 : p->row > q->row;
}

static bool are_equal(const kith_whole *p, const kith_whole *q)
{
    return memcmp(p->hash, q->hash, sizeof(p->hash)) == 0;
}

/* A group, by where its rows are. */
typedef struct span {
    const uint32_t *rows;
    const float *scores; /* NULL: all are 1 */
    size_t n;
} span;

static int compare_spans(const void *x, const void *y)
{
    const span *p = x;
    const span *q = y;
    return p->rows[0] < q->rows[0] ? -1 : p->rows[0] > q->rows[0];
}

static kith_status join_spans(const span *spans, size_t n, size_t n_rows,
                              kidx_groups *groups, kith_error *err)
{
    kith_status status = kidx_groups_new(groups, n, n_rows, err);
    for (size_t i = 0; i < n && status == KITH_OK; i++) {
        const size_t start = groups->starts[i];
        for (size_t j = 0; j < spans[i].n; j++) {
            groups->rows[start + j] = spans[i].rows[j];
            groups->scores[start + j] =
                spans[i].scores != NULL ? spans[i].scores[j] : 1;
        }
        groups->starts[i + 1] = start + spans[i].n;
        groups->n_groups = i + 1;
    }
    return status;
}

kith_status kith_passage_map_add_equal(kith_passage_map *map, kidx_groups *groups,
                                       kith_error *err)
{
    const size_t n_wholes = map->n_wholes;
    kidx_groups all = { 0 };
    span *spans = kbase_calloc(groups->n_groups + n_wholes + 1, sizeof(*spans));
    uint32_t *rows = kbase_calloc(n_wholes + 1, sizeof(*rows));
    size_t n = 0;
    size_t n_rows = groups->starts[groups->n_groups];
    if (spans == NULL || rows == NULL) {
        free(spans);
        free(rows);
        return kbase_fail_memory(err, n_wholes * sizeof(*spans));
    }
    for (; n < groups->n_groups; n++) {
        const size_t start = groups->starts[n];
        spans[n] = (span){ groups->rows + start, groups->scores + start,
                           groups->starts[n + 1] - start };
    }
    if (n_wholes > 0) {
        qsort(map->wholes, n_wholes, sizeof(*map->wholes), compare_wholes);
    }
    for (size_t i = 0, end = 0; i < n_wholes; i = end) {
        for (; end < n_wholes && are_equal(&map->wholes[i], &map->wholes[end]); end++) {
            rows[end] = map->wholes[end].row;
        }
        if (end - i > 1) {
            spans[n++] = (span){ rows + i, NULL, end - i };
            n_rows += end - i;
        }
    }
    qsort(spans, n, sizeof(*spans), compare_spans);
    kith_status status = join_spans(spans, n, n_rows, &all, err);
    if (status == KITH_OK) {
        kidx_groups_free(groups);
        *groups = all;
    }
    free(rows);
    free(spans);
    return status;
}
