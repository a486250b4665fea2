/* kith status: what a collection holds. */
#include <inttypes.h>

#include "cli.h"
#include "json_write.h"
#include "models.h"
#include "options.h"
#include "output.h"
#include "session.h"
#include "text.h"

static void put_index(buffer *out, const kith_collection_info *info)
{
    put_open(out, '{');
    put_key(out, "kind");
    put_text(out, text_of(info->index_kind));
    put_text_or_null(out, "factory",
                     info->index_factory[0] != '\0' ? info->index_factory : NULL);
    put_key(out, "covers");
    put_count(out, info->index_covers);
    if (info->index_problem[0] != '\0') {
        put_key(out, "problem");
        put_text(out, text_of(info->index_problem));
    }
    put_key(out, "recall");
    put_open(out, '[');
    for (size_t i = 0; i < info->n_recall; i++) {
        put_open(out, '{');
        put_key(out, "k");
        put_count(out, info->recall[i].k);
        put_key(out, "nprobe");
        put_count(out, info->recall[i].nprobe);
        put_key(out, "recall");
        put_real(out, info->recall[i].recall);
        put_close(out, '}');
    }
    put_close(out, ']');
    put_close(out, '}');
}

static void put_count_of(buffer *out, const char *key, uint64_t count)
{
    put_key(out, key);
    put_count(out, count);
}

static void put_status(buffer *out, const kith_collection_info *info)
{
    put_open(out, '{');
    put_count_of(out, "v", 1);
    put_count_of(out, "records", info->n_records);
    put_count_of(out, "passages", info->n_passages);
    put_count_of(out, "rows", info->n_rows);
    put_count_of(out, "sources", info->n_sources);
    put_count_of(out, "dim", info->model.dim);
    bool has_model = info->model.fingerprint[0] != '\0';
    put_text_or_null(out, "model", has_model ? info->model.name : NULL);
    put_text_or_null(out, "fingerprint", has_model ? info->model.fingerprint : NULL);
    put_text_or_null(out, "precision",
                     has_model ? models_precision_name(info->model.precision) : NULL);
    put_key(out, "index");
    put_index(out, info);
    put_key(out, "fields");
    put_open(out, '{');
    put_count_of(out, "covers", info->fields_covers);
    if (info->fields_problem[0] != '\0') {
        put_key(out, "problem");
        put_text(out, text_of(info->fields_problem));
    }
    put_close(out, '}');
    put_key(out, "bytes");
    put_open(out, '{');
    put_count_of(out, "store", info->bytes_store);
    put_count_of(out, "vectors", info->bytes_vectors);
    put_count_of(out, "derived", info->bytes_derived);
    put_close(out, '}');
    put_close(out, '}');
    buffer_byte(out, '\n');
}

/* A line for each number of lists visited, a column for each k. */
static void show_recall(buffer *out, const kith_collection_info *info)
{
    const kith_recall_point *points = info->recall;
    size_t n_lines = 0;
    while (n_lines < info->n_recall && points[n_lines].k == points[0].k) {
        n_lines++;
    }
    if (n_lines == 0) {
        return;
    }
    buffer_string(out, "recall    lists");
    for (size_t i = 0; i < info->n_recall; i += n_lines) {
        buffer_print(out, "   k = %-4" PRIu32, points[i].k);
    }
    for (size_t line = 0; line < n_lines; line++) {
        buffer_print(out, "\n%15" PRIu32, points[line].nprobe);
        for (size_t i = line; i < info->n_recall; i += n_lines) {
            buffer_print(out, "   %-8.4f", points[i].recall);
        }
    }
    buffer_byte(out, '\n');
}

static void show_status(buffer *out, const kith_collection_info *info)
{
    const double mib = 1 << 20;
    buffer_print(out,
                 "records   %" PRIu64 " (%" PRIu64 " passages, %" PRIu64 " sources)\n",
                 info->n_records, info->n_passages, info->n_sources);
    buffer_print(out, "rows      %" PRIu64 " (%" PRIu64 " of them deleted)\n",
                 info->n_rows, info->n_rows - info->n_passages);
    if (info->model.fingerprint[0] == '\0') {
        buffer_print(out, "model     none: vectors were imported, %" PRIu32
                     " dimensions\n", info->model.dim);
    } else {
        buffer_print(out, "model     %s, %" PRIu32 " dimensions, %s, fingerprint %s\n",
                     info->model.name, info->model.dim,
                     models_precision_name(info->model.precision),
                     info->model.fingerprint);
    }
    buffer_print(out, "on disk   store %.1f MiB, vectors %.1f MiB, derived %.1f MiB\n",
                 (double)info->bytes_store / mib, (double)info->bytes_vectors / mib,
                 (double)info->bytes_derived / mib);
    buffer_print(out, "index     %s", info->index_kind);
    if (info->index_factory[0] != '\0') {
        buffer_print(out, " %s, covers %" PRIu64 " rows", info->index_factory,
                     info->index_covers);
    }
    buffer_byte(out, '\n');
    if (info->index_problem[0] != '\0') {
        buffer_print(out, "problem   %s\n", info->index_problem);
    }
    show_recall(out, info);
    if (info->fields_covers > 0) {
        buffer_print(out, "fields    postings cover %" PRIu64 " rows\n",
                     info->fields_covers);
    }
    if (info->fields_problem[0] != '\0') {
        buffer_print(out, "problem   %s\n", info->fields_problem);
    }
}

int cmd_status(int argc, char **argv)
{
    bool is_json = false;
    const option options[] = {
        SWITCH(0, "json", &is_json, "print one JSON object"),
        END_OF_OPTIONS
    };
    const usage use = {
        "status", "COLLECTION [options]",
        "Tell what a collection holds, which model it was made with, and how "
        "good its\napproximate index is.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments != 1) {
        return usage_error(&use, "one collection is needed");
    }
    session s = SESSION_EMPTY;
    status = session_open(&s, argv[1], true);
    if (status == EXIT_DONE) {
        kith_error err;
        kith_collection_info info;
        buffer out = BUFFER_EMPTY;
        if (kith_collection_get_info(s.collection, &info, &err) != KITH_OK) {
            status = report(&err, SUBJECT_ENVIRONMENT);
        } else if (is_json) {
            put_status(&out, &info);
        } else {
            show_status(&out, &info);
        }
        output_write(&out);
        buffer_free(&out);
    }
    session_close(&s);
    return status;
}
