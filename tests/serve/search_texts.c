/* For same_answers.py: the answers of libkith to the lines on standard input, one call
 * each. A line is the bits of a score and an id; an empty line ends an answer. */
#include <kith.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(kith_status status, const kith_error *err)
{
    if (status != KITH_OK) {
        fprintf(stderr, "search_texts: %s\n", err->message);
        exit(1);
    }
}

static void answer(kith_collection *collection, const kith_search_opts *opts,
                   const char *text)
{
    kith_error err;
    kith_results *results;
    kith_query query = { .text = { text, strlen(text) } };
    must(kith_search(collection, &query, 1, opts, &results, &err), &err);
    const kith_answer *found = kith_results_at(results, 0);
    for (size_t i = 0; i < found->n_hits; i++) {
        uint32_t bits;
        memcpy(&bits, &found->hits[i].score, sizeof(bits));
        const kith_text id = found->hits[i].record->id;
        printf("%08" PRIx32 " %.*s\n", bits, (int)id.n_bytes, id.data);
    }
    putchar('\n');
    kith_results_free(results);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: search_texts COLLECTION MODEL K exact|always <TEXTS\n");
        return 2;
    }
    kith_error err;
    kith_model *model;
    kith_collection *collection;
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    opts.k = (uint32_t)strtoul(argv[3], NULL, 10);
    opts.ann = strcmp(argv[4], "exact") == 0 ? KITH_USE_ANN_NEVER : KITH_USE_ANN_ALWAYS;
    must(kith_model_open(argv[2], NULL, &model, &err), &err);
    must(kith_collection_open(argv[1], model, NULL, &collection, &err), &err);
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while ((n = getline(&line, &room, stdin)) > 0) {
        line[n - (line[n - 1] == '\n')] = '\0';
        answer(collection, &opts, line);
    }
    free(line);
    kith_collection_close(collection);
    kith_model_close(model);
    return 0;
}
