#include "buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void *check(void *memory)
{
    if (memory == NULL) {
        fputs("kith: out of memory\n", stderr);
        _Exit(EXIT_ENVIRONMENT);
    }
    return memory;
}

void *reallocate(void *memory, size_t n_items, size_t item_bytes)
{
    size_t n_bytes;
    if (__builtin_mul_overflow(n_items, item_bytes, &n_bytes)) {
        return check(NULL);
    }
    return check(realloc(memory, n_bytes == 0 ? 1 : n_bytes));
}

void *allocate(size_t n_items, size_t item_bytes)
{
    return reallocate(NULL, n_items, item_bytes);
}

char *copy_bytes(const char *data, size_t n_bytes)
{
    char *copy = allocate(n_bytes + 1, 1);
    if (n_bytes > 0) {
        memcpy(copy, data, n_bytes);
    }
    copy[n_bytes] = '\0';
    return copy;
}

char *copy_string(const char *string)
{
    return copy_bytes(string, strlen(string));
}

void *make_room(void *items, size_t count, size_t *capacity, size_t item_bytes)
{
    if (count < *capacity) {
        return items;
    }
    *capacity = *capacity == 0 ? 16 : *capacity * 2;
    return reallocate(items, *capacity, item_bytes);
}

static void reserve(buffer *buf, size_t n_bytes)
{
    if (n_bytes <= buf->capacity - buf->size) {
        return;
    }
    size_t capacity = buf->capacity < 64 ? 64 : buf->capacity;
    while (capacity - buf->size < n_bytes) {
        capacity = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
    }
    buf->data = reallocate(buf->data, capacity, 1);
    buf->capacity = capacity;
}

void buffer_append(buffer *buf, const void *data, size_t n_bytes)
{
    if (n_bytes > 0) {
        reserve(buf, n_bytes);
        memcpy(buf->data + buf->size, data, n_bytes);
        buf->size += n_bytes;
    }
}

void buffer_string(buffer *buf, const char *string)
{
    buffer_append(buf, string, strlen(string));
}

void buffer_byte(buffer *buf, char byte)
{
    buffer_append(buf, &byte, 1);
}

__attribute__((format(printf, 2, 0), nonnull))
static void print_list(buffer *buf, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int n_bytes = vsnprintf(NULL, 0, format, arguments);
    if (n_bytes > 0) {
        reserve(buf, (size_t)n_bytes + 1);
        vsnprintf(buf->data + buf->size, (size_t)n_bytes + 1, format, again);
        buf->size += (size_t)n_bytes;
    }
    va_end(again);
}

void buffer_print(buffer *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_list(buf, format, arguments);
    va_end(arguments);
}

char *format_string(const char *format, ...)
{
    buffer buf = BUFFER_EMPTY;
    va_list arguments;
    va_start(arguments, format);
    print_list(&buf, format, arguments);
    va_end(arguments);
    buffer_byte(&buf, '\0');
    return buf.data;
}

void buffer_clear(buffer *buf)
{
    buf->size = 0;
}

void buffer_free(buffer *buf)
{
    free(buf->data);
    *buf = (buffer)BUFFER_EMPTY;
}
