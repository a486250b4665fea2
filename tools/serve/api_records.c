/* /records/{id}: the records themselves. */
#include "json_read.h"
#include "json_write.h"
#include "parameters.h"
#include "routes.h"
#include "show.h"
#include "text.h"

static kith_text id_of(const request *r)
{
    return (kith_text){ r->place.data, r->place.size };
}

/* The collection that the query string names; it may name nothing else. */
static served_collection *find_collection(service *s, request *r)
{
    json_t *parameters = NULL;
    served_collection *collection = NULL;
    if (parameters_read_query(r, &parameters)) {
        const json_t *name = json_object_get(parameters, "collection");
        if (json_object_size(parameters) > (name != NULL)) {
            request_refuse(r, "a record takes no parameter but \"collection\"");
        } else {
            collection = service_collection(s, r, name);
        }
    }
    json_decref(parameters);
    return collection;
}

void api_get_record(service *s, request *r)
{
    kith_error err;
    kith_records *records = NULL;
    const served_collection *collection = find_collection(s, r);
    if (collection == NULL) {
        return;
    }
    const kith_status status =
        kith_record_get(collection->collection, id_of(r), &records, &err);
    if (status == KITH_NOT_FOUND) {
        service_fail_no_record(r);
    } else if (status != KITH_OK) {
        request_fail_library(r, &err);
    } else {
        show_put_record(&r->reply, records, true);
        buffer_byte(&r->reply, '\n');
    }
    kith_records_free(records);
}

/* ------------------------------------------------------------------ changing */

static void put_change(request *r, const char *what, bool value)
{
    put_open(&r->reply, '{');
    put_key(&r->reply, "v");
    put_count(&r->reply, 1);
    put_key(&r->reply, "id");
    put_text(&r->reply, id_of(r));
    put_key(&r->reply, what);
    put_bool(&r->reply, value);
    put_close(&r->reply, '}');
    buffer_byte(&r->reply, '\n');
}

static bool is_late(void *context)
{
    return request_is_late(context);
}

/* The one writer, for one change. It waits for no other process: the client may. */
static kith_writer *begin_change(request *r, const served_collection *collection)
{
    kith_error err;
    kith_writer *writer = NULL;
    kith_writer_opts opts = KITH_WRITER_OPTS_INIT;
    opts.no_wait = true;
    opts.no_prune = true;
    opts.interrupted = is_late;
    opts.context = r;
    if (kith_writer_begin(collection->collection, &opts, &writer, &err) != KITH_OK) {
        request_fail_library(r, &err);
    }
    return writer;
}

static served_collection *find_writable(service *s, request *r)
{
    if (!s->catalog.is_writable) {
        request_fail(r, HTTP_FORBIDDEN, "read_only",
                     "this server was started without --writable");
        return NULL;
    }
    return find_collection(s, r);
}

static bool read_record(request *r, const served_collection *collection,
                        kith_input *input)
{
    static const char *const names[] = { "text", "title", "metadata", NULL };
    const kith_text body = { r->body.data, r->body.size };
    const json_t *metadata = parameter(r, "metadata");
    *input = (kith_input){ .id = id_of(r) };
    if (!service_takes_texts(r, collection) || !parameters_check_names(r, names) ||
        !parameter_needed_text(r, "text", &input->text) ||
        !parameter_text(r, "title", &input->title)) {
        return false;
    }
    if (metadata == NULL) {
        return true;
    }
    /* As it was written: jansson would write numbers anew. */
    return (json_is_object(metadata) &&
            json_member(body, "metadata", &input->metadata)) ||
           request_refuse(r, "\"metadata\" is to be an object");
}

static void write_record(request *r, served_collection *collection,
                         const kith_input *input)
{
    kith_error err;
    kith_records *before = NULL;
    kith_writer *writer = begin_change(r, collection);
    if (writer == NULL) {
        return;
    }
    const kith_status found =
        kith_record_get(collection->collection, input->id, &before, &err);
    const bool is_new = found == KITH_NOT_FOUND;
    kith_records_free(before);
    if ((found != KITH_OK && !is_new) ||
        kith_writer_add(writer, input, &err) != KITH_OK ||
        kith_writer_commit(writer, &err) != KITH_OK) {
        request_fail_library(r, &err);
    } else {
        r->status = is_new ? HTTP_CREATED : HTTP_OK;
        put_change(r, "created", is_new);
    }
    kith_writer_close(writer);
}

void api_put_record(service *s, request *r)
{
    kith_input input;
    served_collection *collection = find_writable(s, r);
    if (collection == NULL || !read_record(r, collection, &input)) {
        return;
    }
    pthread_mutex_lock(&collection->writing);
    if (request_has_time(r)) { /* others may have had the lock for long */
        write_record(r, collection, &input);
    }
    pthread_mutex_unlock(&collection->writing);
}

static void delete_record(request *r, const served_collection *collection)
{
    kith_error err;
    kith_writer *writer = begin_change(r, collection);
    if (writer == NULL) {
        return;
    }
    kith_status status = kith_writer_delete(writer, id_of(r), &err);
    if (status == KITH_OK) {
        status = kith_writer_commit(writer, &err);
    }
    if (status == KITH_NOT_FOUND) {
        service_fail_no_record(r);
    } else if (status != KITH_OK) {
        request_fail_library(r, &err);
    } else {
        put_change(r, "deleted", true);
    }
    kith_writer_close(writer);
}

void api_delete_record(service *s, request *r)
{
    served_collection *collection = find_writable(s, r);
    if (collection == NULL) {
        return;
    }
    pthread_mutex_lock(&collection->writing);
    if (request_has_time(r)) {
        delete_record(r, collection);
    }
    pthread_mutex_unlock(&collection->writing);
}
