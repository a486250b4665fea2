#include "stopwords.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STOPWORD_BYTES 10

/* Sorted; docs/man/kith.1 has the same list. The tokenizer splits "they'll" into "they",
 * "'" and "ll". Words that deny are not in it: without them a sentence says the
 * opposite. */
static const char stopwords[][MAX_STOPWORD_BYTES + 1] = {
    "a", "about", "above", "after", "again", "against", "all", "also", "am", "an", "and",
    "any", "are", "as", "at", "be", "because", "been", "before", "being", "below",
    "between", "both", "but", "by", "can", "could", "d", "did", "do", "does", "doing",
    "down", "during", "each", "either", "few", "for", "from", "further", "had", "has",
    "have", "having", "he", "her", "here", "hers", "herself", "him", "himself", "his",
    "how", "i", "if", "in", "into", "is", "it", "its", "itself", "just", "ll", "m", "may",
    "me", "might", "more", "most", "must", "my", "myself", "of", "off", "on", "once",
    "only", "or", "other", "our", "ours", "ourselves", "out", "over", "own", "re", "s",
    "same", "shall", "she", "should", "so", "some", "such", "t", "than", "that", "the",
    "their", "theirs", "them", "themselves", "then", "there", "these", "they", "this",
    "those", "through", "to", "too", "under", "until", "up", "upon", "us", "ve", "very",
    "was", "we", "were", "what", "when", "where", "which", "while", "who", "whom",
    "whose", "why", "will", "with", "would", "you", "your", "yours", "yourself",
    "yourselves",
};

static int compare_words(const void *a, const void *b)
{
    return strcmp(a, b);
}

bool kenc_is_stopword(const char *word, size_t n_bytes)
{
    char lower[MAX_STOPWORD_BYTES + 1] = { 0 };
    if (n_bytes == 0 || n_bytes > MAX_STOPWORD_BYTES) {
        return false;
    }
    for (size_t i = 0; i < n_bytes; i++) {
        const bool is_capital = word[i] >= 'A' && word[i] <= 'Z';
        lower[i] = (char)(is_capital ? word[i] | 0x20 : word[i]);
    }
    return bsearch(lower, stopwords, sizeof(stopwords) / sizeof(stopwords[0]),
                   sizeof(stopwords[0]), compare_words) != NULL;
}
