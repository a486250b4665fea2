#include "eval_search.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "buffer.h"
#include "cli.h"
#include "progress.h"
#include "text.h"

/* Queries that are asked together. */
#define GROUP 64

/* ------------------------------------------------------------------ queries */

static int by_id(const void *x, const void *y)
{
    const text_item *a = x;
    const text_item *b = y;
    int order = compare_ids(a->id, b->id);
    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

static int read_items(eval_queries *queries, const char *path)
{
    const field_names names = { .is_query = true };
    text_file file;
    text_item item;
    size_t capacity = 0;
    int status = EXIT_DONE;
    read_result got = READ_OK;
    if (!texts_open(&file, path, &names)) {
        return EXIT_ENVIRONMENT;
    }
    while (status == EXIT_DONE && (got = texts_next(&file, &item)) == READ_OK) {
        if (item.problem != NULL) {
            message("%s:%" PRIu64 ": %s", path, item.line, item.problem);
            status = EXIT_DATA;
        } else if (text_is_blank(item.text)) {
            text_item_free(&item);
            continue;
        }
        queries->items = make_room(queries->items, queries->n_items, &capacity,
                                   sizeof(queries->items[0]));
        queries->items[queries->n_items++] = item;
    }
    texts_close(&file);
    return status != EXIT_DONE || got == READ_END ? status
           : got == READ_STOPPED                  ? EXIT_INTERRUPTED
                                                  : EXIT_ENVIRONMENT;
}

static int refuse_doubles(const eval_queries *queries, const char *path)
{
    for (size_t i = 1; i < queries->n_items; i++) {
        const text_item *first = &queries->items[i - 1];
        const text_item *second = &queries->items[i];
        if (compare_ids(first->id, second->id) == 0) {
            message("%s:%" PRIu64 ": query id \"%.*s\" is there already, in line "
                    "%" PRIu64, path, second->line, (int)second->id.n_bytes,
                    second->id.data, first->line);
            return EXIT_DATA;
        }
    }
    return EXIT_DONE;
}

static size_t count_queries(const ratings *qrels)
{
    size_t n = 0;
    for (size_t i = 0; i < qrels->n_items; i++) {
        const rating *item = &qrels->items[i];
        n += i == 0 || compare_ids(item[-1].query, item->query) != 0;
    }
    return n;
}

static void keep_judged(eval_queries *queries, const ratings *qrels)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < queries->n_items; i++) {
        size_t n;
        if (ratings_of(qrels, queries->items[i].id, &n) != NULL) {
            queries->items[n_kept++] = queries->items[i];
        } else {
            text_item_free(&queries->items[i]);
        }
    }
    queries->n_unjudged = queries->n_items - n_kept;
    queries->n_missing = count_queries(qrels) - n_kept;
    queries->n_items = n_kept;
    queries->ids = allocate(n_kept, sizeof(queries->ids[0]));
    for (size_t i = 0; i < n_kept; i++) {
        queries->ids[i] = queries->items[i].id;
    }
}

int eval_queries_read(eval_queries *queries, const char *path, const ratings *qrels)
{
    *queries = (eval_queries){ .items = NULL };
    int status = read_items(queries, path);
    if (status != EXIT_DONE) {
        return status;
    }
    if (queries->n_items == 0) {
        message("%s: there is no query in it", path);
        return EXIT_DATA;
    }
    qsort(queries->items, queries->n_items, sizeof(queries->items[0]), by_id);
    status = refuse_doubles(queries, path);
    if (status != EXIT_DONE) {
        return status;
    }
    char *first = copy_bytes(queries->items[0].id.data, queries->items[0].id.n_bytes);
    keep_judged(queries, qrels);
    if (queries->n_items == 0) {
        kith_text judged = qrels->items[0].query;
        message("%s: no query in it is judged: an id there is \"%s\", one in the "
                "judgements \"%.*s\"", path, first, (int)judged.n_bytes, judged.data);
        status = EXIT_DATA;
    }
    free(first);
    return status;
}

void eval_queries_free(eval_queries *queries)
{
    for (size_t i = 0; i < queries->n_items; i++) {
        text_item_free(&queries->items[i]);
    }
    free(queries->items);
    free(queries->ids);
    *queries = (eval_queries){ .items = NULL };
}

/* ------------------------------------------------------------------ answers */

static void take_answer(eval_answers *answers, kith_text query,
                        const kith_answer *answer)
{
    for (size_t i = 0; i < answer->n_hits; i++) {
        const kith_hit *hit = &answer->hits[i];
        ratings_add(&answers->run, query, hit->record->id, (double)hit->score);
    }
    answers->n_approximate += !answer->exact;
    answers->n_truncated += answer->n_dropped > 0;
}

static int ask_group(eval_answers *answers, kith_collection *collection,
                     const text_item *items, size_t n_items,
                     const kith_search_opts *opts)
{
    kith_query asked[GROUP] = { 0 };
    kith_error err;
    kith_results *results = NULL;
    for (size_t i = 0; i < n_items; i++) {
        asked[i] = (kith_query){ .text = items[i].text };
    }
    if (kith_search(collection, asked, n_items, opts, &results, &err) != KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    for (size_t i = 0; i < n_items; i++) {
        take_answer(answers, items[i].id, kith_results_at(results, i));
    }
    kith_results_free(results);
    return EXIT_DONE;
}

int eval_ask(eval_answers *answers, kith_collection *collection,
             const eval_queries *queries, const kith_search_opts *opts)
{
    int status = EXIT_DONE;
    for (size_t begin = 0; begin < queries->n_items && status == EXIT_DONE;
         begin += GROUP) {
        size_t n_left = queries->n_items - begin;
        char step[48];
        snprintf(step, sizeof(step), "%zu queries asked", begin);
        progress_step(step, (double)begin / (double)queries->n_items);
        status = signal_received()
                     ? EXIT_INTERRUPTED
                     : ask_group(answers, collection, queries->items + begin,
                                 n_left < GROUP ? n_left : GROUP, opts);
    }
    ratings_sort_by_place(&answers->run);
    return status;
}

/* ------------------------------------------------------------------ documents */

static int by_bytes(const void *x, const void *y)
{
    return compare_ids(*(const kith_text *)x, *(const kith_text *)y);
}

int eval_count_unknown(kith_collection *collection, const ratings *qrels,
                       size_t *n_unknown, size_t *n_documents)
{
    int status = EXIT_DONE;
    kith_text *ids = allocate(qrels->n_items, sizeof(ids[0]));
    for (size_t i = 0; i < qrels->n_items; i++) {
        ids[i] = qrels->items[i].doc;
    }
    qsort(ids, qrels->n_items, sizeof(ids[0]), by_bytes);
    *n_unknown = 0;
    *n_documents = 0;
    for (size_t i = 0; i < qrels->n_items && status == EXIT_DONE; i++) {
        kith_error err;
        kith_records *records = NULL;
        if (i > 0 && compare_ids(ids[i - 1], ids[i]) == 0) {
            continue;
        }
        kith_status found = kith_record_get(collection, ids[i], &records, &err);
        bool is_unknown = found == KITH_NOT_FOUND || found == KITH_INVALID;
        *n_unknown += is_unknown;
        *n_documents += 1;
        if (found != KITH_OK && !is_unknown) {
            status = report(&err, SUBJECT_ENVIRONMENT);
        }
        kith_records_free(records);
    }
    free(ids);
    return status;
}
