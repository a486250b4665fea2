#include "questions.h"

#include "cli.h"
#include "text.h"

/* How many questions a program on a pipe is taken to ask. */
#define PIPE_QUERIES 1000
/* Bytes of a line in a file of queries, more or less: only decides whether loading the
 * approximate index pays. */
#define QUERY_BYTES 64

typedef struct asking {
    kith_collection *collection;
    const char *path;
    kith_search_opts opts;
    const question_sink *sink;
} asking;

static bool is_question(const text_item *item)
{
    return item->problem == NULL &&
           (item->vector != NULL || !text_is_blank(item->text));
}

static bool refuse(const asking *a, const text_item *item, const char *reason)
{
    message("%s:%llu: %s", a->path, (unsigned long long)item->line, reason);
    return a->sink->refuse(a->sink->context, item, reason);
}

static int ask_group(const asking *a, const text_item *items, size_t n_items)
{
    kith_query queries[QUESTIONS];
    size_t n_queries = 0;
    kith_error err;
    kith_results *results = NULL;
    kith_status status = KITH_OK;
    for (size_t i = 0; i < n_items; i++) {
        if (is_question(&items[i])) {
            queries[n_queries++] = (kith_query){ .text = items[i].text,
                                                 .vector = items[i].vector };
        }
    }
    if (n_queries > 0) {
        status =
            kith_search(a->collection, queries, n_queries, &a->opts, &results, &err);
    }
    if (status == KITH_INVALID && n_items > 1) {
        int result = EXIT_DONE; /* one of them spoils it: ask for each by itself */
        for (size_t i = 0; i < n_items && result == EXIT_DONE; i++) {
            result = ask_group(a, &items[i], 1);
        }
        return result;
    }
    if (status != KITH_OK && status != KITH_INVALID) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    bool is_written = true;
    for (size_t i = 0, next = 0; i < n_items && is_written; i++) {
        if (items[i].problem != NULL) {
            is_written = refuse(a, &items[i], items[i].problem);
        } else if (is_question(&items[i]) && status == KITH_INVALID) {
            is_written = refuse(a, &items[i], err.message);
        } else if (is_question(&items[i])) {
            is_written = a->sink->answer(a->sink->context, &items[i],
                                         kith_results_at(results, next++));
        }
    }
    kith_results_free(results);
    return is_written ? EXIT_DONE : EXIT_ENVIRONMENT;
}

int questions_ask_group(kith_collection *collection, const char *path,
                        const kith_search_opts *opts, const question_sink *sink,
                        const text_item *items, size_t n_items)
{
    const asking a = { collection, path, *opts, sink };
    return ask_group(&a, items, n_items);
}

int questions_ask(kith_collection *collection, const char *path,
                  const kith_search_opts *opts, const question_sink *sink)
{
    const field_names names = { .is_query = true };
    asking a = { collection, path, *opts, sink };
    text_file file;
    if (!texts_open(&file, path, &names)) {
        return EXIT_ENVIRONMENT;
    }
    a.opts.n_expected =
        file.in.size == 0 ? PIPE_QUERIES : file.in.size / QUERY_BYTES + 1;
    int result = EXIT_DONE;
    read_result got = READ_OK;
    while (got == READ_OK && result == EXIT_DONE) {
        text_item items[QUESTIONS];
        size_t n_items = 0;
        do {
            got = texts_next(&file, &items[n_items]);
            n_items += got == READ_OK;
        } while (got == READ_OK && n_items < QUESTIONS && texts_has_more(&file));
        if (n_items > 0) {
            result = ask_group(&a, items, n_items);
        }
        for (size_t i = 0; i < n_items; i++) {
            text_item_free(&items[i]);
        }
    }
    texts_close(&file);
    return result == EXIT_DONE && got == READ_FAILED ? EXIT_ENVIRONMENT : result;
}
