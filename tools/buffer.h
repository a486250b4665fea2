/* Memory for the program: it ends with a message when memory is out, since nothing that
 * is not yet committed could be saved anyway. */
#ifndef KITH_TOOLS_BUFFER_H
#define KITH_TOOLS_BUFFER_H

#include <stddef.h>

/* n_items * item_bytes; never NULL. */
void *allocate(size_t n_items, size_t item_bytes);
void *reallocate(void *memory, size_t n_items, size_t item_bytes);
char *copy_bytes(const char *data, size_t n_bytes); /* with a NUL after them */
char *copy_string(const char *string);
/* Like sprintf, into memory of its own. */
char *format_string(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Room for one more item: doubles `items` when `count` of them fill it. */
void *make_room(void *items, size_t count, size_t *capacity, size_t item_bytes);

/* Bytes that grow. No NUL at the end unless one is appended. */
typedef struct buffer {
    char *data;
    size_t size;
    size_t capacity;
} buffer;

#define BUFFER_EMPTY { NULL, 0, 0 }

void buffer_append(buffer *buf, const void *data, size_t n_bytes);
void buffer_string(buffer *buf, const char *string);
void buffer_byte(buffer *buf, char byte);
void buffer_print(buffer *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_clear(buffer *buf); /* keeps the memory */
void buffer_free(buffer *buf);

#endif
