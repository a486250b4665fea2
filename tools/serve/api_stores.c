/* Search as other APIs have it: OpenAI's vector stores, Dify's external knowledge. */
#include <stdlib.h>
#include <string.h>

#include "filters.h"
#include "json_read.h"
#include "json_write.h"
#include "parameters.h"
#include "routes.h"
#include "text.h"

#define MAX_QUERIES 16
#define MAX_STORE_RESULTS 50
#define MAX_TOP_K 1000

static void put_metadata(buffer *out, kith_text metadata)
{
    if (metadata.n_bytes > 0 && !json_is_valid_object(metadata)) {
        metadata = text_of(NULL); /* clients need an object */
    }
    put_object(out, metadata);
}

/* Both APIs have it under that name; *min_score stays where it is absent. */
static bool read_threshold(request *r, const json_t *options, double *min_score)
{
    const json_t *threshold = json_object_get(options, "score_threshold");
    if (threshold == NULL || json_is_null(threshold)) {
        return true;
    }
    *min_score = json_number_value(threshold);
    return (json_is_number(threshold) && *min_score >= 0 && *min_score <= 1) ||
           request_refuse(r, "\"score_threshold\" is to be a number from 0 to 1");
}

/* ------------------------------------------------------------------ OpenAI */

typedef struct store_search {
    const served_collection *collection;
    kith_search_opts opts;
    buffer where;
    kith_text queries[MAX_QUERIES];
    size_t n_queries;
    service_answer answers[MAX_QUERIES];
    kith_hit *hits; /* of all answers, best first, each record once */
    size_t n_hits;
} store_search;

static bool read_queries(request *r, store_search *search)
{
    const json_t *given = parameter(r, "query");
    const size_t n = json_is_array(given) ? json_array_size(given) : 1;
    if (n == 0 || n > MAX_QUERIES) {
        return request_refuse(
            r, "\"query\" is to be a text, or a list of 1 to %d texts", MAX_QUERIES);
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_is_array(given) ? json_array_get(given, i) : given;
        search->queries[i] = json_text(one);
        if (!json_is_string(one) || text_is_blank(search->queries[i])) {
            return request_refuse(r,
                                  "each \"query\" is to be a text that is not empty");
        }
    }
    search->n_queries = n;
    return true;
}

static bool read_ranking(request *r, store_search *search)
{
    const json_t *options = parameter(r, "ranking_options");
    if (options != NULL && !json_is_object(options)) {
        return request_refuse(r, "\"ranking_options\" is to be an object");
    }
    return read_threshold(r, options, &search->opts.min_score);
}

static bool read_store_search(request *r, store_search *search)
{
    bool rewrites = false;
    const json_t *filters = parameter(r, "filters");
    if (!read_queries(r, search) || !read_ranking(r, search) ||
        !parameter_count(r, "max_num_results", 1, MAX_STORE_RESULTS, &search->opts.k) ||
        !parameter_bool(r, "rewrite_query", &rewrites)) {
        return false;
    }
    if (rewrites) {
        return request_refuse(r, "\"rewrite_query\" is not offered here");
    }
    if (filters == NULL) {
        return true;
    }
    if (!filter_of_vector_store(r, filters, &search->where)) {
        return false;
    }
    search->opts.where = search->where.data;
    return true;
}

static int by_score(const void *a, const void *b)
{
    const float left = ((const kith_hit *)a)->score;
    const float right = ((const kith_hit *)b)->score;
    return left < right ? 1 : left > right ? -1 : 0;
}

/* The k best of all answers, each record by its best hit. */
static void merge_answers(store_search *search)
{
    size_t n_all = 0;
    search->hits =
        allocate(search->n_queries * search->opts.k, sizeof(search->hits[0]));
    for (size_t i = 0; i < search->n_queries; i++) {
        const kith_answer *one = &search->answers[i].answer;
        for (size_t j = 0; j < one->n_hits; j++) {
            search->hits[n_all++] = one->hits[j];
        }
    }
    if (search->n_queries > 1) {
        qsort(search->hits, n_all, sizeof(search->hits[0]), by_score);
    }
    for (size_t i = 0; i < n_all && search->n_hits < search->opts.k; i++) {
        bool is_new = true;
        for (size_t j = 0; j < search->n_hits && is_new; j++) {
            is_new =
                !text_equals(search->hits[i].record->id, search->hits[j].record->id);
        }
        if (is_new) {
            search->hits[search->n_hits++] = search->hits[i];
        }
    }
}

static void put_result(buffer *out, const kith_hit *hit)
{
    const kith_record *record = hit->record;
    put_open(out, '{');
    put_key(out, "file_id");
    put_text(out, record->id);
    put_key(out, "filename");
    put_text(out, record->source.n_bytes > 0 ? record->source : record->id);
    put_key(out, "score");
    put_real(out, hit->score);
    put_key(out, "attributes");
    put_metadata(out, record->metadata);
    put_key(out, "content");
    put_open(out, '[');
    put_open(out, '{');
    put_key(out, "type");
    put_text(out, text_of("text"));
    put_key(out, "text");
    put_text(out, record->text);
    put_close(out, '}');
    put_close(out, ']');
    put_close(out, '}');
}

static void put_results_page(buffer *out, const store_search *search)
{
    put_open(out, '{');
    put_key(out, "object");
    put_text(out, text_of("vector_store.search_results.page"));
    put_key(out, "search_query");
    put_open(out, '[');
    for (size_t i = 0; i < search->n_queries; i++) {
        put_text(out, search->queries[i]);
    }
    put_close(out, ']');
    put_key(out, "data");
    put_open(out, '[');
    for (size_t i = 0; i < search->n_hits; i++) {
        put_result(out, &search->hits[i]);
    }
    put_close(out, ']');
    put_key(out, "has_more");
    put_bool(out, false);
    put_key(out, "next_page");
    put_null(out);
    put_close(out, '}');
    buffer_byte(out, '\n');
}

static bool ask_all(service *s, request *r, store_search *search)
{
    for (size_t i = 0; i < search->n_queries; i++) {
        const kith_query query = { .text = search->queries[i] };
        if (!service_search(s, r, search->collection, &query, &search->opts,
                            &search->answers[i]) ||
            !request_has_time(r)) {
            return false;
        }
    }
    return true;
}

void api_vector_store_search(service *s, request *r)
{
    store_search search = { .opts = KITH_SEARCH_OPTS_INIT };
    search.collection =
        service_collection_named(s, r, (kith_text){ r->place.data, r->place.size });
    if (search.collection != NULL && service_takes_texts(r, search.collection) &&
        read_store_search(r, &search) && ask_all(s, r, &search)) {
        merge_answers(&search);
        put_results_page(&r->reply, &search);
    }
    for (size_t i = 0; i < search.n_queries; i++) {
        service_release(&search.answers[i]);
    }
    free(search.hits);
    buffer_free(&search.where);
}

/* ------------------------------------------------------------------ Dify */

static bool read_setting(request *r, kith_search_opts *opts)
{
    const json_t *setting = parameter(r, "retrieval_setting");
    const json_t *top_k = json_object_get(setting, "top_k");
    if (!json_is_integer(top_k) || json_integer_value(top_k) < 1 ||
        json_integer_value(top_k) > MAX_TOP_K) {
        return request_refuse(r, "\"retrieval_setting\" needs a \"top_k\" from 1 to %d",
                              MAX_TOP_K);
    }
    opts->k = (uint32_t)json_integer_value(top_k);
    if (!read_threshold(r, setting, &opts->min_score)) {
        return false;
    }
    if (opts->min_score == 0) {
        opts->min_score = -1; /* how Dify says that there is none */
    }
    return true;
}

static void put_retrieved(buffer *out, const kith_answer *answer)
{
    put_open(out, '{');
    put_key(out, "records");
    put_open(out, '[');
    for (size_t i = 0; i < answer->n_hits; i++) {
        const kith_record *record = answer->hits[i].record;
        put_open(out, '{');
        put_key(out, "content");
        put_text(out, record->text);
        put_key(out, "score");
        put_real(out, answer->hits[i].score);
        put_key(out, "title");
        put_text(out, text_is_blank(record->title) ? record->id : record->title);
        put_key(out, "metadata");
        put_metadata(out, record->metadata);
        put_close(out, '}');
    }
    put_close(out, ']');
    put_close(out, '}');
    buffer_byte(out, '\n');
}

static void retrieve(service *s, request *r, const served_collection *collection,
                     buffer *where)
{
    kith_query query = { .text = text_of(NULL) };
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    const json_t *condition = parameter(r, "metadata_condition");
    if (!service_takes_texts(r, collection) ||
        !parameter_needed_text(r, "query", &query.text) ||
        !read_setting(r, &opts) ||
        (condition != NULL && !filter_of_retrieval(r, condition, where))) {
        return;
    }
    opts.where = where->size > 0 ? where->data : NULL;
    service_answer found;
    if (service_search(s, r, collection, &query, &opts, &found)) {
        put_retrieved(&r->reply, &found.answer);
        service_release(&found);
    }
}

void api_retrieval(service *s, request *r)
{
    kith_text name;
    buffer where = BUFFER_EMPTY;
    if (!parameter_needed_text(r, "knowledge_id", &name)) {
        return;
    }
    r->dify_error = DIFY_KNOWLEDGE;
    const served_collection *collection = service_collection_named(s, r, name);
    r->dify_error = DIFY_OTHER;
    if (collection != NULL) {
        retrieve(s, r, collection, &where);
    }
    buffer_free(&where);
}
