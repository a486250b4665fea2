#include "ingest.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli.h"
#include "json_write.h"
#include "output.h"
#include "progress.h"
#include "session.h"
#include "text.h"

#define COMMIT_RECORDS 4096
#define COMMIT_MS 2000

static void show_progress(const ingest *in)
{
    uint64_t n_bytes = in->n_bytes_before + in->n_bytes_now;
    progress_records(in->n_read, in->n_bytes_in_all == 0
                                     ? -1
                                     : (double)n_bytes / (double)in->n_bytes_in_all);
}

static bool fail(ingest *in, const kith_error *err)
{
    in->failure = err->code == KITH_INTERRUPTED ? EXIT_INTERRUPTED
                                                : report(err, SUBJECT_ENVIRONMENT);
    return false;
}

/* After each call of the library that may have committed. */
static bool note_commits(ingest *in)
{
    kith_writer_stats stats;
    kith_writer_get_stats(in->writer, &stats);
    if (stats.n_committed > in->n_committed || stats.n_pending == 0) {
        in->committed_at = seconds_now();
    }
    if (in->is_jsonl && stats.n_committed > in->n_committed) {
        buffer line = BUFFER_EMPTY;
        put_open(&line, '{');
        put_key(&line, "v");
        put_count(&line, 1);
        put_key(&line, "committed");
        put_count(&line, stats.n_committed);
        put_close(&line, '}');
        buffer_byte(&line, '\n');
        if (!output_flush(&line)) {
            in->failure = EXIT_ENVIRONMENT;
        }
        buffer_free(&line);
    }
    in->n_committed = stats.n_committed;
    return in->failure == EXIT_DONE;
}

static uint64_t count_pending(const ingest *in)
{
    kith_writer_stats stats;
    kith_writer_get_stats(in->writer, &stats);
    return stats.n_pending;
}

/* Commit what is encoded; wait up to `max_ms` if that is less than a commit takes. */
static bool commit_ready(ingest *in, uint32_t max_ms)
{
    kith_error err;
    if (kith_writer_commit_ready(in->writer, max_ms, &err) != KITH_OK) {
        return fail(in, &err);
    }
    return note_commits(in);
}

static bool commit_when_due(ingest *in)
{
    kith_writer_stats stats;
    if (!note_commits(in)) {
        return false;
    }
    kith_writer_get_stats(in->writer, &stats);
    return (stats.n_ready < COMMIT_RECORDS &&
            seconds_now() - in->committed_at < COMMIT_MS / 1000.0) ||
           commit_ready(in, 0);
}

bool ingest_commit(ingest *in)
{
    kith_error err;
    while (count_pending(in) > 0) {
        if (!commit_ready(in, COMMIT_MS)) {
            return false;
        }
    }
    /* What is left is deletions. */
    if (kith_writer_commit(in->writer, &err) != KITH_OK) {
        return fail(in, &err);
    }
    return note_commits(in);
}

/* ------------------------------------------------------------------ the sink */

static void on_skip(void *context, skip_kind kind, const char *source, uint64_t line,
                    const char *reason)
{
    ingest *in = context;
    in->skipped = make_room(in->skipped, in->n_skipped, &in->capacity,
                            sizeof(in->skipped[0]));
    in->skipped[in->n_skipped++] = (skipped){
        .kind = kind,
        .source = line == 0 ? copy_string(source)
                            : format_string("%s:%" PRIu64, source, line),
        .reason = copy_string(reason),
    };
    in->n_refused += kind == SKIP_REFUSED;
}

static bool on_record(void *context, const kith_input *record)
{
    ingest *in = context;
    kith_error err;
    if (signal_received()) {
        in->failure = EXIT_INTERRUPTED;
        return false;
    }
    if (in->writer == NULL && !in->begin(in->begin_context)) {
        return false;
    }
    in->n_read++;
    kith_status status = kith_writer_add(in->writer, record, &err);
    if (status == KITH_INVALID) {
        char *source = copy_bytes(record->source.data, record->source.n_bytes);
        on_skip(in, SKIP_REFUSED, source[0] == '\0' ? "-" : source, record->line[0],
                err.message);
        free(source);
    } else if (status != KITH_OK) {
        return fail(in, &err);
    }
    show_progress(in);
    return commit_when_due(in);
}

/* There is time to wait for the encoder. */
static bool on_idle(void *context)
{
    ingest *in = context;
    return in->writer == NULL || count_pending(in) == 0 || commit_ready(in, COMMIT_MS);
}

static void on_progress(void *context, uint64_t n_bytes)
{
    ingest *in = context;
    in->n_bytes_now = n_bytes;
}

input_sink ingest_sink(ingest *in)
{
    return (input_sink){ in, on_record, on_skip, on_idle, on_progress };
}

/* ------------------------------------------------------------------ the writer */

static bool on_question(void *context)
{
    show_progress(context);
    return signal_received();
}

kith_writer_opts ingest_writer_opts(ingest *in)
{
    kith_writer_opts opts = KITH_WRITER_OPTS_INIT;
    opts.on_wait = session_tell_wait;
    opts.interrupted = on_question;
    opts.context = in;
    opts.max_pending_bytes = in->max_pending_bytes;
    return opts;
}

void ingest_free(ingest *in)
{
    for (size_t i = 0; i < in->n_skipped; i++) {
        free(in->skipped[i].source);
        free(in->skipped[i].reason);
    }
    free(in->skipped);
    in->skipped = NULL;
    in->n_skipped = 0;
}
