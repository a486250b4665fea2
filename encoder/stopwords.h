/* English words that say little by themselves. */
#ifndef KENC_STOPWORDS_H
#define KENC_STOPWORDS_H

#include <stdbool.h>
#include <stddef.h>

/* A word as the tokenizer normalises it, which for some models is with its capitals: the
 * case of ASCII letters does not matter here. */
bool kenc_is_stopword(const char *word, size_t n_bytes);

#endif
