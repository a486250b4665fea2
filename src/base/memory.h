/* Allocation with checked sizes, a growable run of bytes, and an arena. */
#ifndef KBASE_MEMORY_H
#define KBASE_MEMORY_H

#include "kith.h"

/* n items of `size` bytes, zeroed; NULL on overflow or when memory is out. free() it. */
void *kbase_calloc(size_t n, size_t size);

/* Resize an array to n items of `size` bytes; NULL on overflow or when memory is out, and
 * `data` is then unchanged. free() it. */
void *kbase_realloc(void *data, size_t n, size_t size);

/* n items of `size` bytes, aligned to 64 bytes, not initialised. free() it. */
void *kbase_alloc_aligned(size_t n, size_t size);

/* Bytes that grow. Start from KBASE_BUFFER_INIT. */
typedef struct kbase_buffer {
    char *data;
    size_t n_bytes;
    size_t capacity;
} kbase_buffer;

#define KBASE_BUFFER_INIT { NULL, 0, 0 }

/* Make room for `more` bytes behind the present ones. */
kith_status kbase_buffer_reserve(kbase_buffer *buffer, size_t more, kith_error *err);

/* Append bytes. `data` may be NULL when n_bytes is 0. */
kith_status kbase_buffer_append(kbase_buffer *buffer, const void *data, size_t n_bytes,
                                kith_error *err);

/* Keep the memory, forget the content. */
void kbase_buffer_clear(kbase_buffer *buffer);

/* Release the memory; the buffer is then as after KBASE_BUFFER_INIT. */
void kbase_buffer_free(kbase_buffer *buffer);

/* Many small pieces that are released together. Start from KBASE_ARENA_INIT. */
typedef struct kbase_arena {
    struct kbase_arena_block *blocks; /* the newest first */
    size_t n_bytes; /* of all blocks */
} kbase_arena;

#define KBASE_ARENA_INIT { NULL, 0 }

/* n_bytes, aligned for any type, not initialised; NULL when memory is out. */
void *kbase_arena_alloc(kbase_arena *arena, size_t n_bytes);

/* A copy of a text, with a NUL behind it that is not counted. Its data is NULL when memory
 * is out. */
kith_text kbase_arena_copy(kbase_arena *arena, kith_text text);

/* Release everything; the arena is then as after KBASE_ARENA_INIT. */
void kbase_arena_free(kbase_arena *arena);

#endif
