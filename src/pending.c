#include "pending.h"

#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "error.h"

#define FIRST_BUCKETS 256

/* ------------------------------------------------------------------ the index by id */

kith_pending_op *kith_pending_find(const kith_pending *pending, kith_text id)
{
    if (pending->n_buckets == 0) {
        return NULL;
    }
    uint64_t hash = kbase_hash64(id.data, id.n_bytes);
    kith_pending_op *op = pending->buckets[hash & (pending->n_buckets - 1)];
    while (op != NULL && (op->hash != hash || op->id.n_bytes != id.n_bytes ||
                          memcmp(op->id.data, id.data, id.n_bytes) != 0)) {
        op = op->chained;
    }
    return op;
}

static void link_op(kith_pending_op **buckets, size_t n_buckets, kith_pending_op *op)
{
    kith_pending_op **bucket = &buckets[op->hash & (n_buckets - 1)];
    op->chained = *bucket;
    *bucket = op;
}

static void unlink_op(kith_pending *pending, const kith_pending_op *op)
{
    kith_pending_op **link = &pending->buckets[op->hash & (pending->n_buckets - 1)];
    while (*link != op) {
        link = &(*link)->chained;
    }
    *link = op->chained;
    pending->n_indexed--;
}

static bool grow_index(kith_pending *pending)
{
    size_t n_buckets = pending->n_buckets == 0 ? FIRST_BUCKETS : 2 * pending->n_buckets;
    kith_pending_op **buckets = kbase_calloc(n_buckets, sizeof(buckets[0]));
    if (buckets == NULL) {
        return false;
    }
    for (size_t i = 0; i < pending->n_buckets; i++) {
        for (kith_pending_op *op = pending->buckets[i], *next; op != NULL; op = next) {
            next = op->chained;
            link_op(buckets, n_buckets, op);
        }
    }
    free(pending->buckets);
    pending->buckets = buckets;
    pending->n_buckets = n_buckets;
    return true;
}

/* ------------------------------------------------------------------ adding */

kith_pending_batch *kith_pending_open(const kith_pending *pending)
{
    return pending->last != NULL && !pending->last->is_closed ? pending->last : NULL;
}

/* The open batch; a new one if there is none. NULL when memory is out. */
static kith_pending_batch *open_batch(kith_pending *pending)
{
    kith_pending_batch *batch = kith_pending_open(pending);
    if (batch != NULL || (batch = kbase_calloc(1, sizeof(*batch))) == NULL) {
        return batch;
    }
    if (pending->last != NULL) {
        pending->last->next = batch;
    } else {
        pending->first = batch;
    }
    pending->last = batch;
    if (pending->unready == NULL) {
        pending->unready = batch;
    }
    return batch;
}

void kith_pending_cancel(kith_pending *pending, kith_pending_op *op)
{
    unlink_op(pending, op);
    op->cancelled = true;
    if (!op->is_delete) {
        op->batch->n_records--;
        pending->n_records--;
        pending->n_records_ready -= op->batch->is_ready;
    }
}

kith_pending_op *kith_pending_add(kith_pending *pending, kith_text id, bool is_delete)
{
    kith_pending_op *former = kith_pending_find(pending, id);
    if (former != NULL) {
        kith_pending_cancel(pending, former);
    }
    kith_pending_batch *batch = open_batch(pending);
    if (batch == NULL ||
        (pending->n_indexed == pending->n_buckets && !grow_index(pending))) {
        return NULL;
    }
    kith_text copy = kbase_arena_copy(&batch->arena, id);
    kith_pending_op *op = kbase_arena_alloc(&batch->arena, sizeof(*op));
    if (copy.data == NULL || op == NULL) {
        return NULL;
    }
    *op = (kith_pending_op){ .batch = batch, .id = copy, .is_delete = is_delete,
                             .hash = kbase_hash64(id.data, id.n_bytes) };
    link_op(pending->buckets, pending->n_buckets, op);
    pending->n_indexed++;
    if (batch->last_op != NULL) {
        batch->last_op->next = op;
    } else {
        batch->ops = op;
    }
    batch->last_op = op;
    batch->n_ops++;
    batch->n_records += !is_delete;
    pending->n_records += !is_delete;
    return op;
}

kith_status kith_pending_add_prune(kith_pending *pending, kith_text source,
                                   kith_error *err)
{
    kith_pending_batch *batch = open_batch(pending);
    if (batch == NULL) {
        return kbase_fail_memory(err, sizeof(*batch));
    }
    kith_pending_prune *prune = kbase_arena_alloc(&batch->arena, sizeof(*prune));
    kith_text copy = kbase_arena_copy(&batch->arena, source);
    if (prune == NULL || copy.data == NULL) {
        return kbase_fail_memory(err, source.n_bytes);
    }
    *prune = (kith_pending_prune){ batch->prunes, copy };
    batch->prunes = prune;
    return KITH_OK;
}

/* ------------------------------------------------------------------ batches */

/* The passages that need a vector, in order; returns their number. list may be NULL. */
static size_t list_passages(const kith_pending_batch *batch,
                            kith_pending_passage **list)
{
    size_t n = 0;
    for (const kith_pending_op *op = batch->ops; op != NULL; op = op->next) {
        for (size_t i = 0; !op->cancelled && i < op->n_passages; i++) {
            kith_pending_passage *passage = &op->passages[i];
            if (passage->copy_of == UINT64_MAX && passage->row == NULL) {
                if (list != NULL) {
                    list[n] = passage;
                }
                n++;
            }
        }
    }
    return n;
}

kith_status kith_pending_close(kith_pending *pending, uint32_t dim, kith_error *err)
{
    kith_pending_batch *batch = pending->last;
    kith_encode_job *job = &batch->job;
    *job = (kith_encode_job){ .n = list_passages(batch, NULL) };
    if (job->n > 0) {
        size_t n_list;
        size_t n_rows;
        if (!kbase_mul(&n_list, job->n, sizeof(job->passages[0])) ||
            !kbase_mul(&n_rows, job->n, dim * sizeof(job->rows[0]))) {
            return kbase_fail_memory(err, SIZE_MAX);
        }
        job->passages = kbase_arena_alloc(&batch->arena, n_list);
        job->rows = kbase_arena_alloc(&batch->arena, n_rows);
        if (job->passages == NULL || job->rows == NULL) {
            return kbase_fail_memory(err, n_list + n_rows);
        }
        list_passages(batch, job->passages);
    }
    batch->is_closed = true;
    batch->n_bytes = sizeof(*batch) + batch->arena.n_bytes;
    pending->n_bytes_closed += batch->n_bytes;
    return KITH_OK;
}

void kith_pending_reopen(kith_pending *pending)
{
    pending->last->is_closed = false;
    pending->n_bytes_closed -= pending->last->n_bytes;
}

void kith_pending_set_ready(kith_pending *pending)
{
    kith_pending_batch *batch = pending->unready;
    batch->is_ready = true;
    pending->n_records_ready += batch->n_records;
    pending->n_bytes_ready += batch->n_bytes;
    pending->unready = batch->next;
}

static void free_batch(kith_pending_batch *batch)
{
    kbase_arena_free(&batch->arena);
    free(batch);
}

void kith_pending_drop(kith_pending *pending)
{
    kith_pending_batch *batch = pending->first;
    for (const kith_pending_op *op = batch->ops; op != NULL; op = op->next) {
        if (!op->cancelled) {
            unlink_op(pending, op);
        }
    }
    pending->n_records -= batch->n_records;
    pending->n_records_ready -= batch->n_records;
    pending->n_bytes_closed -= batch->n_bytes;
    pending->n_bytes_ready -= batch->n_bytes;
    pending->first = batch->next;
    if (pending->first == NULL) {
        pending->last = NULL;
    }
    free_batch(batch);
}

size_t kith_pending_bytes(const kith_pending *pending)
{
    const kith_pending_batch *open = kith_pending_open(pending);
    return pending->n_bytes_closed + pending->n_buckets * sizeof(pending->buckets[0]) +
           (open != NULL ? sizeof(*open) + open->arena.n_bytes : 0);
}

void kith_pending_clear(kith_pending *pending)
{
    for (kith_pending_batch *batch = pending->first, *next; batch != NULL;
         batch = next) {
        next = batch->next;
        free_batch(batch);
    }
    free(pending->buckets);
    *pending = (kith_pending){ 0 };
}

/* ------------------------------------------------------------------ ids */

static bool is_free(kbase_hash128 hash)
{
    return hash.low == 0 && hash.high == 0;
}

static kbase_hash128 *find(const kith_id_set *set, kbase_hash128 hash)
{
    size_t i = (size_t)hash.low & (set->n_slots - 1);
    while (!is_free(set->slots[i]) &&
           (set->slots[i].low != hash.low || set->slots[i].high != hash.high)) {
        i = (i + 1) & (set->n_slots - 1);
    }
    return &set->slots[i];
}

bool kith_id_set_has(const kith_id_set *set, kith_text id)
{
    return set->n_slots > 0 && !is_free(*find(set, kbase_hash128_of(id.data, id.n_bytes)));
}

static bool grow_set(kith_id_set *set)
{
    kith_id_set larger = { set->n, set->n_slots == 0 ? 1024 : 2 * set->n_slots, NULL };
    larger.slots = kbase_calloc(larger.n_slots, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < set->n_slots; i++) {
        if (!is_free(set->slots[i])) {
            *find(&larger, set->slots[i]) = set->slots[i];
        }
    }
    free(set->slots);
    *set = larger;
    return true;
}

kith_status kith_id_set_add(kith_id_set *set, kith_text id, kith_error *err)
{
    if (2 * (set->n + 1) > set->n_slots && !grow_set(set)) {
        return kbase_fail_memory(err, 2 * set->n_slots * sizeof(*set->slots));
    }
    kbase_hash128 hash = kbase_hash128_of(id.data, id.n_bytes);
    kbase_hash128 *slot = find(set, hash);
    if (!is_free(*slot)) {
        return KITH_EXISTS;
    }
    *slot = hash;
    set->n++;
    return KITH_OK;
}

void kith_id_set_free(kith_id_set *set)
{
    free(set->slots);
    *set = (kith_id_set){ 0 };
}
