/* What several test programs need. */
#ifndef KITH_TESTS_SUPPORT_H
#define KITH_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kith.h"

/* Fails the test and prints the message unless the status is KITH_OK. */
#define assert_ok(call) assert_status_is(KITH_OK, (call), &error, __FILE__, __LINE__)
/* Fails unless it is this one; a failure must have left a message of one line. */
#define assert_status(expected, call) \
    assert_status_is((expected), (call), &error, __FILE__, __LINE__)

void assert_status_is(kith_status expected, kith_status status, const kith_error *error,
                      const char *file, int line);

/* A fresh folder below TMPDIR, removed by remove_tree(). Free the path. */
char *make_temp_folder(void);
void remove_tree(const char *path);

/* printf into allocated memory. */
char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));

/* A whole file; NUL follows. Fails the test when it cannot be read. */
char *read_file(const char *path, size_t *n_bytes);
void write_file(const char *path, const void *data, size_t n_bytes);
void copy_tree(const char *from, const char *to);

/* The `t` strings, and when `ids` is not NULL the `ids` arrays, of a JSONL file. */
typedef struct golden_text {
    char *text;
    size_t n_bytes;
    uint32_t *ids;
    size_t n_ids;
} golden_text;

golden_text *read_golden_texts(const char *path, size_t *n);
void free_golden_texts(golden_text *texts, size_t n);

/* The folder of all-MiniLM-L6-v2 that tools/setup fetched, or NULL. Free it. */
char *real_model_folder(void);

/* A path below ../shared/data, or NULL when it is not there. Free it. */
char *shared_data_path(const char *name);

/* Say why, then skip the running test. */
#define skip_because(...)            \
    do {                             \
        print_message("# SKIP: ");   \
        print_message(__VA_ARGS__);  \
        print_message("\n");         \
        skip();                      \
    } while (0)

#endif
