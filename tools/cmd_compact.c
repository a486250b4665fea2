/* kith compact: give back the space of what was deleted. */
#include <inttypes.h>

#include "cli.h"
#include "filling.h"
#include "json_write.h"
#include "output.h"
#include "progress.h"

typedef struct compact_run {
    filling filling;
    bool is_json;
    kith_compact_stats stats;
    kith_collection_info info; /* afterwards */
} compact_run;

static bool on_question(void *context)
{
    (void)context;
    return signal_received();
}

static void on_step(void *context, const char *step, double fraction)
{
    (void)context;
    progress_step(step, fraction);
}

static bool compact(filling *f, kith_compact_stats *stats)
{
    kith_error err;
    kith_compact_opts opts = KITH_COMPACT_OPTS_INIT;
    opts.progress = on_step;
    progress_begin("compacting", f->is_quiet);
    kith_status status = kith_writer_compact(f->in.writer, &opts, stats, &err);
    progress_end();
    if (status == KITH_INTERRUPTED) {
        return filling_fail(f, EXIT_INTERRUPTED);
    }
    return status == KITH_OK || filling_fail(f, report(&err, SUBJECT_ENVIRONMENT));
}

static bool look(filling *f, kith_collection_info *info)
{
    kith_error err;
    return kith_collection_get_info(f->session.collection, info, &err) == KITH_OK ||
           filling_fail(f, report(&err, SUBJECT_ENVIRONMENT));
}

static uint64_t bytes_after(const compact_run *run)
{
    const kith_collection_info *info = &run->info;
    return info->bytes_store + info->bytes_vectors + info->bytes_derived;
}

static void put_summary(const compact_run *run)
{
    buffer out = BUFFER_EMPTY;
    put_open(&out, '{');
    put_key(&out, "v");
    put_count(&out, 1);
    put_key(&out, "records");
    put_count(&out, run->stats.n_records);
    put_key(&out, "passages");
    put_count(&out, run->stats.n_passages);
    put_key(&out, "dropped");
    put_count(&out, run->stats.n_dropped);
    put_key(&out, "bytes");
    put_open(&out, '{');
    put_key(&out, "before");
    put_count(&out, run->stats.bytes_before);
    put_key(&out, "after");
    put_count(&out, bytes_after(run));
    put_close(&out, '}');
    put_key(&out, "seconds");
    put_real(&out, seconds_now() - run->filling.began);
    put_close(&out, '}');
    buffer_byte(&out, '\n');
    output_write(&out);
    buffer_free(&out);
}

static void tell(const compact_run *run)
{
    const filling *f = &run->filling;
    const bool is_done = f->in.failure == EXIT_DONE;
    const double mib = 1 << 20;
    if (is_done && run->is_json) {
        put_summary(run);
    } else if (is_done && !f->is_quiet) {
        message("%" PRIu64 " records (%" PRIu64 " passages) kept, %" PRIu64
                " rows dropped: %.1f MiB before, %.1f MiB after, in %.1f s",
                run->stats.n_records, run->stats.n_passages, run->stats.n_dropped,
                (double)run->stats.bytes_before / mib, (double)bytes_after(run) / mib,
                seconds_now() - f->began);
    } else if (!is_done && f->is_all_committed) {
        message("it is compacted: only the approximate index is missing");
    } else if (f->in.failure == EXIT_INTERRUPTED) {
        message("interrupted: nothing has changed");
    }
}

static int run_compact(compact_run *run)
{
    filling *f = &run->filling;
    f->began = seconds_now();
    signals_handle(SIGNAL_ASKS);
    kith_writer_opts opts = KITH_WRITER_OPTS_INIT;
    opts.on_wait = session_tell_wait;
    opts.interrupted = on_question;
    if (filling_fail(f, session_open(&f->session, f->path, false)) &&
        filling_begin(f, &opts) && compact(f, &run->stats) && filling_build(f)) {
        look(f, &run->info);
    }
    tell(run);
    kith_writer_close(f->in.writer);
    session_close(&f->session);
    return f->in.failure;
}

int cmd_compact(int argc, char **argv)
{
    compact_run run = { .filling = FILLING_INIT("kept") };
    filling *f = &run.filling;
    const option options[] = {
        FILLING_INDEX_OPTIONS(f),
        SWITCH(0, "no-wait", &f->no_wait, "fail when another process writes"),
        SWITCH(0, "json", &run.is_json, "print one JSON object"),
        SWITCH('q', "quiet", &f->is_quiet, "no progress and no summary"),
        END_OF_OPTIONS
    };
    const usage use = {
        "compact", "COLLECTION [options]",
        "Give back the space of what was deleted or changed, and purge its text "
        "from all files.\nSearches go on meanwhile.",
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
    f->path = argv[1];
    return run_compact(&run);
}
