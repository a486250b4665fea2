/* Files of texts for encode, tokens and search: one text a line, or one JSON object
 * with a text a line. */
#ifndef KITH_TOOLS_TEXTS_H
#define KITH_TOOLS_TEXTS_H

#include <stdbool.h>

#include "json_read.h"
#include "stream.h"

typedef struct text_file {
    stream in;
    const char *name;
    field_names names;
    bool is_jsonl;
    bool is_known; /* what it is: else the first line that is not blank decides */
} text_file;

/* A text, in memory of its own. */
typedef struct text_item {
    kith_text id;        /* of the object, or the number of the line */
    kith_text text;
    const float *vector; /* to ask with instead of the text, or NULL */
    const char *problem; /* NULL: a good one; else why the line is refused */
    uint64_t line;
    char *bytes;
} text_item;

/* A text field by name makes it JSONL; else .jsonl and .ndjson are, .txt is not, and
 * any other is if the first line is an object with a text. False: reported. */
bool texts_open(text_file *file, const char *path, const field_names *names);
/* The next text; blank lines too. READ_FAILED is reported. */
read_result texts_next(text_file *file, text_item *item);
/* Another can be had without waiting. */
bool texts_has_more(const text_file *file);
void texts_close(text_file *file);
void text_item_free(text_item *item);

#endif
