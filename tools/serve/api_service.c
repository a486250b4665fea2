/* What a server tells of itself: the page, the description, health, status, metrics. */
#include <inttypes.h>

#include "assets.h"
#include "json_write.h"
#include "counters.h"
#include "parameters.h"
#include "routes.h"
#include "text.h"

void api_page(service *s, request *r)
{
    (void)s;
    r->content_type = "text/html; charset=utf-8";
    buffer_append(&r->reply, asset_page, asset_page_size);
}

void api_openapi(service *s, request *r)
{
    (void)s;
    buffer_append(&r->reply, asset_openapi, asset_openapi_size);
}

void api_health(service *s, request *r)
{
    (void)s;
    buffer_string(&r->reply, "{\"status\":\"ok\"}\n");
}

void api_models(service *s, request *r)
{
    buffer *out = &r->reply;
    put_open(out, '{');
    put_key(out, "object");
    put_text(out, text_of("list"));
    put_key(out, "data");
    put_open(out, '[');
    if (s->catalog.model != NULL) {
        put_open(out, '{');
        put_key(out, "id");
        put_text(out, text_of(s->catalog.model->info.name));
        put_key(out, "object");
        put_text(out, text_of("model"));
        put_key(out, "created");
        put_count(out, 0);
        put_key(out, "owned_by");
        put_text(out, text_of("kith"));
        put_close(out, '}');
    }
    put_close(out, ']');
    put_close(out, '}');
    buffer_byte(out, '\n');
}

/* ------------------------------------------------------------------ status */

static void put_model(buffer *out, const served_model *model)
{
    put_key(out, "model");
    if (model == NULL) {
        put_null(out);
        return;
    }
    put_open(out, '{');
    put_key(out, "name");
    put_text(out, text_of(model->info.name));
    put_key(out, "precision");
    put_text(out, text_of(models_precision_name(model->info.precision)));
    put_key(out, "dim");
    put_count(out, model->info.dim);
    put_key(out, "max_tokens");
    put_count(out, model->info.max_tokens);
    put_key(out, "kernels");
    put_text(out, text_of(model->info.kernels));
    put_close(out, '}');
}

static void put_collection(buffer *out, const served_collection *collection,
                           const kith_collection_info *info)
{
    const served_model *model = collection->model;
    put_open(out, '{');
    put_key(out, "name");
    put_text(out, text_of(collection->name));
    put_key(out, "records");
    put_count(out, info->n_records);
    put_key(out, "passages");
    put_count(out, info->n_passages);
    put_text_or_null(out, "model", model == NULL ? NULL : info->model.name);
    put_text_or_null(
        out, "precision",
        model == NULL ? NULL : models_precision_name(info->model.precision));
    put_key(out, "dim");
    put_count(out, info->model.dim);
    put_key(out, "index");
    put_open(out, '{');
    put_key(out, "kind");
    put_text(out, text_of(info->index_kind));
    put_key(out, "covers");
    put_count(out, info->index_covers);
    put_close(out, '}');
    put_close(out, '}');
}

void api_status(service *s, request *r)
{
    kith_error err;
    kith_collection_info info;
    buffer *out = &r->reply;
    put_open(out, '{');
    put_key(out, "v");
    put_count(out, 1);
    put_key(out, "version");
    put_text(out, text_of(kith_version()));
    put_key(out, "writable");
    put_bool(out, s->catalog.is_writable);
    put_model(out, s->catalog.model);
    put_key(out, "collections");
    put_open(out, '[');
    for (size_t i = 0; i < s->catalog.n_collections; i++) {
        const served_collection *collection = &s->catalog.collections[i];
        if (kith_collection_get_info(collection->collection, &info, &err) != KITH_OK) {
            request_fail_library(r, &err);
            return;
        }
        put_collection(out, collection, &info);
    }
    put_close(out, ']');
    put_close(out, '}');
    buffer_byte(out, '\n');
}

/* ------------------------------------------------------------------ metrics */

static void put_counter(buffer *out, const char *name, const char *help, uint64_t value)
{
    buffer_print(out, "# HELP %s %s\n# TYPE %s counter\n%s %" PRIu64 "\n", name, help,
                 name, name, value);
}

void api_metrics(service *s, request *r)
{
    buffer *out = &r->reply;
    r->content_type = "text/plain; version=0.0.4; charset=utf-8";
    counters_put(out);
    put_counter(out, "kith_encoded_texts_total", "Texts encoded, queries among them.",
                s->n_encoded_texts);
    put_counter(out, "kith_encoded_tokens_total", "Their tokens.", s->n_encoded_tokens);
    put_counter(out, "kith_encode_batches_total", "Batches that they were encoded in.",
                gather_batches(s->encodings));
    put_counter(out, "kith_search_batches_total", "Batches of searches.",
                gather_batches(s->searches));
}
