/* encode --tokens and --word: several rows a text, or none. */
#ifndef KITH_TOOLS_PIECE_ROWS_H
#define KITH_TOOLS_PIECE_ROWS_H

#include "kith.h"
#include "texts.h"
#include "vector_writer.h"

typedef struct piece_rows {
    kith_model *model;
    const char *file;
    vector_writer *out;
    uint64_t n_rows;
    uint64_t n_cut;     /* texts of which tokens, or occurrences of the word, were cut */
    uint64_t n_without; /* texts without the word */
} piece_rows;

/* Write the rows of some texts and count. Each gives EXIT_DONE, or reports and gives
 * another exit status. texts: those of the items. */
int piece_rows_put_tokens(piece_rows *rows, const text_item *items, const kith_text *texts,
                          size_t n_texts);
/* A text without the word is told of. */
int piece_rows_put_word(piece_rows *rows, const char *word, const text_item *items,
                        const kith_text *texts, size_t n_texts);

#endif
