/* Asking every line of a file: for search and join. */
#ifndef KITH_TOOLS_QUESTIONS_H
#define KITH_TOOLS_QUESTIONS_H

#include "kith.h"
#include "texts.h"

/* Where answers go, in the order of the lines. False stops: writing has failed. */
typedef struct question_sink {
    void *context;
    bool (*answer)(void *context, const text_item *item, const kith_answer *answer);
    /* A line that is no question, which people are told. */
    bool (*refuse)(void *context, const text_item *item, const char *reason);
} question_sink;

/* Questions that are asked together. */
#define QUESTIONS 64

/* Ask at most QUESTIONS items of a file. Gives EXIT_DONE, or reports and gives another
 * exit status. */
int questions_ask_group(kith_collection *collection, const char *path,
                        const kith_search_opts *opts, const question_sink *sink,
                        const text_item *items, size_t n_items);

/* All lines of a file, but blank ones. Lines that are at hand are asked together, which
 * is faster; none waits for more. */
int questions_ask(kith_collection *collection, const char *path,
                  const kith_search_opts *opts, const question_sink *sink);

#endif
