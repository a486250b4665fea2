/* /search and /similar: kith's own search. */
#include "cli.h"
#include "json_write.h"
#include "parameters.h"
#include "routes.h"
#include "show.h"
#include "text.h"

#define MAX_K 1000

typedef struct search_request {
    const served_collection *collection;
    kith_search_opts opts;
    kith_query query;
} search_request;

static bool read_ann(request *r, kith_search_opts *opts)
{
    bool is_exact = false;
    if (!parameter_bool(r, "exact", &is_exact)) {
        return false;
    }
    opts->ann = is_exact ? KITH_USE_ANN_NEVER : KITH_USE_ANN_AUTO;
    return true;
}

static bool read_where(request *r, kith_search_opts *opts)
{
    kith_error err;
    kith_text where = text_of(NULL);
    if (!parameter_text(r, "where", &where)) {
        return false;
    }
    if (where.data == NULL) {
        return true;
    }
    if (text_of(where.data).n_bytes != where.n_bytes) {
        return request_refuse(r, "\"where\" holds a NUL");
    }
    opts->where = where.data;
    return kith_where_check(opts->where, &err) == KITH_OK ||
           request_fail_library(r, &err);
}

static bool read_search(service *s, request *r, search_request *search)
{
    kith_search_opts *opts = &search->opts;
    *opts = (kith_search_opts)KITH_SEARCH_OPTS_INIT;
    search->collection = service_collection(s, r, parameter(r, "collection"));
    return search->collection != NULL && parameter_count(r, "k", 1, MAX_K, &opts->k) &&
           parameter_number(r, "min_score", -1, 1, &opts->min_score) &&
           parameter_number(r, "min_recall", 0, 1, &opts->min_recall) &&
           parameter_number(r, "mmr", 0, 1, &opts->mmr) &&
           parameter_count(r, "max_per_source", 0, UINT32_MAX, &opts->max_per_source) &&
           parameter_bool(r, "passages", &opts->passages) && read_ann(r, opts) &&
           read_where(r, opts);
}

static void answer(service *s, request *r, const search_request *search)
{
    buffer *out = &r->reply;
    const served_model *model = search->collection->model;
    const show_query shown = { .id = text_of("1"),
                               .text = search->query.text,
                               .like = search->query.like,
                               .explains = true };
    service_answer found;
    if (!service_search(s, r, search->collection, &search->query, &search->opts,
                        &found)) {
        return;
    }
    show_open_answer(out, &shown, &found.answer);
    put_key(out, "collection");
    put_text(out, text_of(search->collection->name));
    put_text_or_null(out, "model", model == NULL ? NULL : model->info.name);
    put_text_or_null(
        out, "precision",
        model == NULL ? NULL : models_precision_name(model->info.precision));
    put_key(out, "milliseconds");
    put_real(out, 1e3 * (seconds_now() - r->began));
    show_close_answer(out, &shown, &found.answer);
    service_release(&found);
}

void api_search(service *s, request *r)
{
    static const char *const names[] = {
        "query",    "q",     "collection", "k",   "min_score",      "where",
        "passages", "exact", "min_recall", "mmr", "max_per_source", NULL
    };
    search_request search = { .query = { { NULL, 0 }, NULL, { NULL, 0 } } };
    /* A query string has the short name alone, a body the long one. */
    const bool is_get = r->method == METHOD_GET;
    const char *name = is_get ? "q" : "query";
    const char *other = is_get ? "query" : "q";
    if (parameter(r, other) != NULL) {
        request_refuse(r, "the question is called \"%s\" here", name);
        return;
    }
    if (!parameters_check_names(r, names) ||
        !parameter_needed_text(r, name, &search.query.text) ||
        !read_search(s, r, &search)) {
        return;
    }
    if (search.collection->model == NULL) {
        request_refuse(
            r, "the collection was made without a model: it can be asked by id, "
               "with /similar");
        return;
    }
    answer(s, r, &search);
}

void api_similar(service *s, request *r)
{
    static const char *const names[] = { "id",        "collection", "k",
                                         "min_score", "where",      "passages",
                                         "exact",     "min_recall", "max_per_source",
                                         NULL };
    search_request search = { .query = { { NULL, 0 }, NULL, { NULL, 0 } } };
    if (parameters_check_names(r, names) &&
        parameter_needed_text(r, "id", &search.query.like) &&
        read_search(s, r, &search)) {
        answer(s, r, &search);
    }
}
