#include "filling.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "ids.h"
#include "json_write.h"
#include "output.h"
#include "progress.h"
#include "text.h"

int filling_check(const usage *use, const filling *f)
{
    return f->in.max_pending_bytes == 0
               ? usage_error(use, "--mem 0 leaves no room for a record")
               : GO_ON;
}

bool filling_fail(filling *f, int status)
{
    f->in.failure = status;
    return status == EXIT_DONE;
}

bool filling_begin(filling *f, const kith_writer_opts *opts)
{
    kith_error err;
    kith_writer_opts complete = *opts;
    complete.no_wait = f->no_wait;
    kith_status status =
        kith_writer_begin(f->session.collection, &complete, &f->in.writer, &err);
    f->in.committed_at = seconds_now();
    if (status == KITH_INTERRUPTED) {
        return filling_fail(f, EXIT_INTERRUPTED);
    }
    return status == KITH_OK || filling_fail(f, report(&err, SUBJECT_ENVIRONMENT));
}

/* ------------------------------------------------------------------ the index */

static void on_build_step(void *context, const char *step, double fraction)
{
    (void)context;
    progress_step(step, fraction);
}

bool filling_build(filling *f)
{
    kith_error err;
    bool built = false;
    kith_build_opts opts = KITH_BUILD_OPTS_INIT;
    opts.ann = (kith_ann)f->ann;
    opts.factory = f->factory;
    opts.progress = on_build_step;
    f->is_all_committed = true;
    if (signal_received()) {
        return filling_fail(f, EXIT_INTERRUPTED);
    }
    /* All records are committed, and a build leaves no trace before it is whole. */
    signals_handle(SIGNAL_EXITS);
    progress_begin("building the index", f->is_quiet);
    kith_status status = kith_writer_build_index(f->in.writer, &opts, &built, &err);
    progress_end();
    if (status == KITH_UNSUPPORTED && opts.ann == KITH_ANN_AUTO) {
        message("search stays exact: %s", err.message);
        return true;
    }
    if (status == KITH_OK && opts.ann == KITH_ANN_ALWAYS && !built) {
        message("too few records for an approximate index: search stays exact");
    }
    return status == KITH_OK || filling_fail(f, report(&err, SUBJECT_ENVIRONMENT));
}

/* ------------------------------------------------------------------ the report */

static void put_summary(const filling *f, const kith_writer_stats *stats)
{
    buffer out = BUFFER_EMPTY;
    put_open(&out, '{');
    put_key(&out, "v");
    put_count(&out, 1);
    put_key(&out, "indexed");
    put_count(&out, stats->n_committed);
    put_key(&out, "unchanged");
    put_count(&out, stats->n_unchanged);
    put_key(&out, "skipped");
    put_open(&out, '[');
    for (size_t i = 0; i < f->in.n_skipped; i++) {
        put_open(&out, '{');
        put_key(&out, "source");
        put_text(&out, text_of(f->in.skipped[i].source));
        put_key(&out, "reason");
        put_text(&out, text_of(f->in.skipped[i].reason));
        put_close(&out, '}');
    }
    put_close(&out, ']');
    put_key(&out, "truncated");
    put_count(&out, stats->n_truncated);
    if (stats->n_condensed > 0) {
        put_key(&out, "condensed");
        put_count(&out, stats->n_condensed);
    }
    put_key(&out, "duplicates");
    put_count(&out, stats->n_duplicates);
    put_key(&out, "deleted");
    put_count(&out, stats->n_deleted);
    put_key(&out, "seconds");
    put_real(&out, seconds_now() - f->began);
    put_close(&out, '}');
    buffer_byte(&out, '\n');
    output_flush(&out);
    buffer_free(&out);
}

#define SKIPPED_SHOWN 10

static size_t tell_skipped(const ingest *in, skip_kind kind, size_t n_shown)
{
    for (size_t i = 0; i < in->n_skipped && n_shown < SKIPPED_SHOWN; i++) {
        if (in->skipped[i].kind == kind) {
            kith_text shown = id_shown(text_of(in->skipped[i].source));
            message("skipped %.*s: %s", (int)shown.n_bytes, shown.data,
                    in->skipped[i].reason);
            n_shown++;
        }
    }
    return n_shown;
}

/* For people, on stderr. What was refused is told even to those who want quiet. */
static void tell_summary(const filling *f, const kith_writer_stats *stats)
{
    const ingest *in = &f->in;
    size_t n_shown = tell_skipped(in, SKIP_REFUSED, 0);
    size_t n_told = in->n_refused;
    if (!f->is_quiet) {
        n_shown = tell_skipped(in, SKIP_PASSED, n_shown);
        n_told = in->n_skipped;
    }
    if (n_shown < n_told) {
        message("skipped %zu more: --jsonl lists all", n_told - n_shown);
    }
    if (!f->is_quiet) {
        double seconds = seconds_now() - f->began;
        if (stats->n_condensed > 0) {
            message("%" PRIu64 " long texts have one vector, an average or that of a "
                    "summary", stats->n_condensed);
        }
        message("%" PRIu64 " %s, %" PRIu64 " unchanged, %zu skipped, %" PRIu64
                " truncated, %" PRIu64 " duplicates, %" PRIu64 " deleted in %.1f s "
                "(%.0f records/s)",
                stats->n_committed, f->done, stats->n_unchanged, in->n_skipped,
                stats->n_truncated, stats->n_duplicates, stats->n_deleted, seconds,
                (double)in->n_read / (seconds > 0 ? seconds : 1));
    }
}

static int tell(filling *f)
{
    kith_writer_stats stats = { 0 };
    if (f->in.writer != NULL) {
        kith_writer_get_stats(f->in.writer, &stats);
    }
    progress_end();
    if (f->in.failure == EXIT_DONE) {
        tell_summary(f, &stats);
        if (f->in.is_jsonl) {
            put_summary(f, &stats);
        }
        return f->in.n_refused > 0 ? EXIT_PARTIAL : EXIT_DONE;
    }
    const char *why = f->in.failure == EXIT_INTERRUPTED ? "interrupted: " : "";
    if (f->is_all_committed) {
        message("all records are committed: only the approximate index is missing");
    } else if (f->in.writer != NULL) {
        message("%s%" PRIu64
                " records were committed; the same command goes on from there",
                why, stats.n_committed);
    }
    return f->in.failure;
}

int filling_finish(filling *f)
{
    int status = tell(f);
    kith_writer_close(f->in.writer);
    session_close(&f->session);
    ingest_free(&f->in);
    return status;
}
