#include "memory.h"

#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "error.h"

#define CACHE_LINE 64
#define ARENA_BLOCK_BYTES ((size_t)16 << 10)

void *kbase_calloc(size_t n, size_t size)
{
    return calloc(n > 0 ? n : 1, size > 0 ? size : 1);
}

void *kbase_realloc(void *data, size_t n, size_t size)
{
    size_t n_bytes;
    if (!kbase_mul(&n_bytes, n, size)) {
        return NULL;
    }
    return realloc(data, n_bytes > 0 ? n_bytes : 1);
}

void *kbase_alloc_aligned(size_t n, size_t size)
{
    size_t n_bytes;
    if (!kbase_mul(&n_bytes, n, size) || !kbase_add(&n_bytes, n_bytes, CACHE_LINE)) {
        return NULL;
    }
    return aligned_alloc(CACHE_LINE, n_bytes / CACHE_LINE * CACHE_LINE);
}

kith_status kbase_buffer_reserve(kbase_buffer *buffer, size_t more, kith_error *err)
{
    size_t wanted;
    if (!kbase_add(&wanted, buffer->n_bytes, more)) {
        return kbase_fail_memory(err, SIZE_MAX);
    }
    if (wanted <= buffer->capacity) {
        return KITH_OK;
    }
    size_t capacity = buffer->capacity < 256 ? 256 : buffer->capacity;
    while (capacity < wanted) {
        capacity = capacity > SIZE_MAX / 2 ? wanted : capacity * 2;
    }
    char *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        return kbase_fail_memory(err, capacity);
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return KITH_OK;
}

kith_status kbase_buffer_append(kbase_buffer *buffer, const void *data, size_t n_bytes,
                                kith_error *err)
{
    if (n_bytes == 0) {
        return KITH_OK;
    }
    kith_status status = kbase_buffer_reserve(buffer, n_bytes, err);
    if (status == KITH_OK) {
        memcpy(buffer->data + buffer->n_bytes, data, n_bytes);
        buffer->n_bytes += n_bytes;
    }
    return status;
}

void kbase_buffer_clear(kbase_buffer *buffer)
{
    buffer->n_bytes = 0;
}

void kbase_buffer_free(kbase_buffer *buffer)
{
    free(buffer->data);
    *buffer = (kbase_buffer)KBASE_BUFFER_INIT;
}

struct kbase_arena_block {
    struct kbase_arena_block *next;
    size_t n_used;
    size_t capacity;
    max_align_t data[];
};

void *kbase_arena_alloc(kbase_arena *arena, size_t n_bytes)
{
    const size_t unit = sizeof(max_align_t);
    size_t wanted;
    if (!kbase_add(&wanted, n_bytes, unit - 1)) {
        return NULL;
    }
    wanted = wanted / unit * unit;
    struct kbase_arena_block *block = arena->blocks;
    if (block == NULL || block->capacity - block->n_used < wanted) {
        size_t capacity = wanted > ARENA_BLOCK_BYTES ? wanted : ARENA_BLOCK_BYTES;
        size_t total;
        if (!kbase_add(&total, capacity, sizeof(*block)) ||
            (block = malloc(total)) == NULL) {
            return NULL;
        }
        *block = (struct kbase_arena_block){ arena->blocks, 0, capacity };
        arena->blocks = block;
        arena->n_bytes += total;
    }
    void *piece = (char *)block->data + block->n_used;
    block->n_used += wanted;
    return piece;
}

kith_text kbase_arena_copy(kbase_arena *arena, kith_text text)
{
    size_t n_bytes;
    char *copy = kbase_add(&n_bytes, text.n_bytes, 1) ? kbase_arena_alloc(arena, n_bytes)
                                                      : NULL;
    if (copy == NULL) {
        return (kith_text){ NULL, 0 };
    }
    if (text.n_bytes > 0) {
        memcpy(copy, text.data, text.n_bytes);
    }
    copy[text.n_bytes] = '\0';
    return (kith_text){ copy, text.n_bytes };
}

void kbase_arena_free(kbase_arena *arena)
{
    while (arena->blocks != NULL) {
        struct kbase_arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    arena->n_bytes = 0;
}
