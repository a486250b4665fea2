/* kith verify: look for damage, or measure the recall afresh. */
#include <inttypes.h>

#include "cli.h"
#include "json_write.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "session.h"
#include "text.h"

#define MOST_QUERIES 1000000

/* What the build measured for the same setting, or -1. */
static double stated(const kith_collection_info *info, const kith_recall_point *point)
{
    for (size_t i = 0; i < info->n_recall; i++) {
        if (info->recall[i].k == point->k && info->recall[i].nprobe == point->nprobe) {
            return info->recall[i].recall;
        }
    }
    return -1;
}

static void put_points(buffer *out, const kith_collection_info *info,
                       const kith_recall_point *points, size_t n_points)
{
    put_key(out, "recall");
    put_open(out, '[');
    for (size_t i = 0; i < n_points; i++) {
        put_open(out, '{');
        put_key(out, "k");
        put_count(out, points[i].k);
        put_key(out, "nprobe");
        put_count(out, points[i].nprobe);
        put_key(out, "recall");
        put_real(out, points[i].recall);
        put_key(out, "stated");
        if (stated(info, &points[i]) < 0) {
            put_null(out);
        } else {
            put_real(out, stated(info, &points[i]));
        }
        put_close(out, '}');
    }
    put_close(out, ']');
}

static void show_points(buffer *out, const kith_collection_info *info,
                        const kith_recall_point *points, size_t n_points)
{
    buffer_print(out, "%8s %8s %10s %10s\n", "k", "lists", "recall", "stated");
    for (size_t i = 0; i < n_points; i++) {
        buffer_print(out, "%8" PRIu32 " %8" PRIu32 " %10.4f", points[i].k,
                     points[i].nprobe, points[i].recall);
        if (stated(info, &points[i]) >= 0) {
            buffer_print(out, " %10.4f", stated(info, &points[i]));
        }
        buffer_byte(out, '\n');
    }
}

static void on_step(void *context, const char *step, double fraction)
{
    (void)context;
    progress_step(step, fraction);
}

/* Damage is a clean "no"; that a file could not be read is not. */
static int run_verify(kith_collection *collection, bool is_json, buffer *out)
{
    kith_error err;
    progress_begin("reading everything", false);
    kith_status status = kith_collection_verify(collection, &err);
    progress_end();
    const bool is_damaged = status == KITH_CORRUPT || status == KITH_VERSION;
    if (status != KITH_OK && !is_damaged) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    if (is_json) {
        put_open(out, '{');
        put_key(out, "v");
        put_count(out, 1);
        put_key(out, "damage");
        if (is_damaged) {
            put_text(out, text_of(err.message));
        } else {
            put_null(out);
        }
        put_close(out, '}');
        buffer_byte(out, '\n');
    } else if (is_damaged) {
        buffer_print(out, "%s\n", err.message);
    } else {
        buffer_string(out, "everything is as its checksums say\n");
    }
    return is_damaged ? EXIT_NO : EXIT_DONE;
}

static int run_measure(kith_collection *collection, uint32_t n_queries, bool is_json,
                       buffer *out)
{
    kith_error err;
    kith_collection_info info;
    kith_recall_point points[KITH_MAX_RECALL_POINTS];
    size_t n_points;
    kith_measure_opts opts = KITH_MEASURE_OPTS_INIT;
    opts.n_queries = n_queries;
    opts.progress = on_step;
    kith_status status = kith_collection_get_info(collection, &info, &err);
    if (status == KITH_OK) {
        progress_begin("measuring recall", false);
        status = kith_collection_measure_recall(collection, &opts, points, &n_points, &err);
        progress_end();
    }
    if (status == KITH_NOT_FOUND) {
        message("%s", err.message);
        return EXIT_NO;
    }
    if (status != KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    if (is_json) {
        put_open(out, '{');
        put_key(out, "v");
        put_count(out, 1);
        put_points(out, &info, points, n_points);
        put_close(out, '}');
        buffer_byte(out, '\n');
    } else {
        show_points(out, &info, points, n_points);
    }
    return EXIT_DONE;
}

int cmd_verify(int argc, char **argv)
{
    bool is_json = false;
    uint32_t n_queries = 0;
    const option options[] = {
        COUNT(0, "recall", "N", &n_queries,
              "instead: measure the recall of the approximate\n"
              "index with N records as questions"),
        SWITCH(0, "json", &is_json, "print one JSON object"),
        END_OF_OPTIONS
    };
    const usage use = {
        "verify", "COLLECTION [options]",
        "Read all of a collection and compare it with its checksums. The status is 1\n"
        "when something is damaged.",
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
    if (n_queries > MOST_QUERIES) {
        return usage_error(&use, "--recall takes at most 1000000 records");
    }
    session s = SESSION_EMPTY;
    status = session_open(&s, argv[1], true);
    if (status == EXIT_DONE) {
        buffer out = BUFFER_EMPTY;
        status = n_queries > 0 ? run_measure(s.collection, n_queries, is_json, &out)
                               : run_verify(s.collection, is_json, &out);
        output_write(&out);
        buffer_free(&out);
    }
    session_close(&s);
    return status;
}
