#include "pending.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

#define NO_SLOT SIZE_MAX

static size_t slot_of(const kith_pending *pending, kith_text id)
{
    if (pending->n_slots == 0) {
        return NO_SLOT;
    }
    size_t i = (size_t)kbase_hash64(id.data, id.n_bytes) & (pending->n_slots - 1);
    while (pending->slots[i] != 0) {
        const kith_text *other = &pending->ops[pending->slots[i] - 1].id;
        if (other->n_bytes == id.n_bytes && memcmp(other->data, id.data, id.n_bytes) == 0) {
            break;
        }
        i = (i + 1) & (pending->n_slots - 1);
    }
    return i;
}

kith_pending_op *kith_pending_find(kith_pending *pending, kith_text id)
{
    size_t slot = slot_of(pending, id);
    if (slot == NO_SLOT || pending->slots[slot] == 0) {
        return NULL;
    }
    kith_pending_op *op = &pending->ops[pending->slots[slot] - 1];
    return op->cancelled ? NULL : op;
}

/* Twice the room, for operations and their index. */
static bool grow(kith_pending *pending)
{
    size_t capacity = pending->capacity == 0 ? 64 : 2 * pending->capacity;
    kith_pending_op *ops = kbase_realloc(pending->ops, capacity, sizeof(*ops));
    if (ops == NULL) {
        return false;
    }
    pending->ops = ops;
    size_t *slots = kbase_calloc(2 * capacity, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    free(pending->slots);
    pending->slots = slots;
    pending->n_slots = 2 * capacity;
    pending->capacity = capacity;
    for (size_t i = 0; i < pending->n_ops; i++) {
        pending->slots[slot_of(pending, pending->ops[i].id)] = i + 1;
    }
    return true;
}

kith_pending_op *kith_pending_add(kith_pending *pending, kith_text id)
{
    kith_text copy = kbase_arena_copy(&pending->arena, id);
    if (copy.data == NULL || (pending->n_ops == pending->capacity && !grow(pending))) {
        return NULL;
    }
    size_t slot = slot_of(pending, copy);
    if (pending->slots[slot] != 0) {
        pending->ops[pending->slots[slot] - 1].cancelled = true;
    }
    kith_pending_op *op = &pending->ops[pending->n_ops++];
    *op = (kith_pending_op){ .id = copy };
    pending->slots[slot] = pending->n_ops;
    return op;
}

void kith_pending_clear(kith_pending *pending)
{
    kbase_arena_free(&pending->arena);
    kbase_buffer_free(&pending->prunes);
    free(pending->ops);
    free(pending->slots);
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
