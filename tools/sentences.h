/* The sentences that compare is given, and their vectors. */
#ifndef KITH_TOOLS_SENTENCES_H
#define KITH_TOOLS_SENTENCES_H

#include "encoding.h"
#include "texts.h"

typedef struct sentence {
    text_item item;   /* its memory is NULL for one of the command line */
    char *name;       /* for messages: "sentence 2", "FILE:LINE" */
    bool has_vector;  /* false: it is without the word */
} sentence;

typedef struct sentences {
    sentence *all;
    size_t n;
    size_t capacity;
    float *vectors; /* n x width */
    uint32_t width;
} sentences;

/* text: borrowed. */
void sentences_add(sentences *list, kith_text text);
/* Add every line of a file, blank ones too. EXIT_PARTIAL when a line that is refused ended
 * it, or another exit status; both reported. */
int sentences_read(sentences *list, const char *path);
/* Make the vectors, and tell of what was cut or is not there. EXIT_PARTIAL when a sentence
 * is without the word, which is told. */
int sentences_encode(sentences *list, const encoding *how, kith_model *model);
static inline const float *sentences_vector(const sentences *list, size_t i)
{
    return list->vectors + i * list->width;
}
void sentences_free(sentences *list);

#endif
