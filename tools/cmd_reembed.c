/* kith reembed: the records of a collection, with vectors of another model or
 * precision, in a new one. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "filling.h"
#include "ids.h"
#include "progress.h"
#include "text.h"

typedef struct reembed_run {
    const char *from_path;
    session from;
    filling filling; /* of the new collection */
    input_sink sink;
} reembed_run;

/* The passages from `first` on that belong to one record; false stops. */
static bool copy_record(reembed_run *run, const kith_records *records, size_t first)
{
    const kith_record *record = kith_records_at(records, first);
    const size_t n = record->n_passages;
    kith_input_passage *passages = allocate(n, sizeof(passages[0]));
    bool is_blank = text_is_blank(record->title);
    for (size_t i = 0; i < n; i++) {
        const kith_record *passage = kith_records_at(records, first + i);
        passages[i] = (kith_input_passage){
            .text = passage->text,
            .byte = { passage->byte[0], passage->byte[1] },
            .line = { passage->line[0], passage->line[1] },
        };
        is_blank = is_blank && text_is_blank(passage->text);
    }
    const kith_input input = { .id = record->id,
                               .title = record->title,
                               .metadata = record->metadata,
                               .source = record->source,
                               .passages = passages,
                               .n_passages = n };
    run->sink.progress(run->sink.context, run->filling.in.n_bytes_now + 1);
    bool goes_on = true;
    if (is_blank) {
        char *id = copy_bytes(record->id.data, record->id.n_bytes);
        run->sink.skip(run->sink.context, SKIP_REFUSED, id, 0,
                       "no text that a vector could be made from");
        free(id);
    } else {
        goes_on = run->sink.record(run->sink.context, &input);
    }
    free(passages);
    return goes_on;
}

static bool copy_all(reembed_run *run)
{
    filling *f = &run->filling;
    kith_error err;
    kith_cursor *cursor = NULL;
    kith_records *records = NULL;
    bool goes_on = true;
    kith_status status = kith_cursor_open(run->from.collection, &cursor, &err);
    while (status == KITH_OK && goes_on) {
        status = kith_cursor_next(cursor, &records, &err);
        if (status != KITH_OK) {
            break;
        }
        for (size_t i = 0; i < kith_records_count(records) && goes_on;
             i += kith_records_at(records, i)->n_passages) {
            goes_on = copy_record(run, records, i);
        }
        kith_records_free(records);
    }
    kith_cursor_close(cursor);
    if (status != KITH_OK && status != KITH_NOT_FOUND) {
        return filling_fail(f, report(&err, SUBJECT_ENVIRONMENT));
    }
    return goes_on;
}

/* The old collection, and how much there is to do. */
static int open_from(reembed_run *run, char **model_name)
{
    kith_error err;
    kith_collection_info info;
    model_request *request = &run->filling.model;
    int status = session_open(&run->from, run->from_path, true);
    if (status != EXIT_DONE) {
        return status;
    }
    if (kith_collection_get_info(run->from.collection, &info, &err) != KITH_OK) {
        return report(&err, SUBJECT_ENVIRONMENT);
    }
    run->filling.in.n_bytes_in_all = info.n_records;
    if (request->name == NULL && info.model.name[0] == '\0') {
        message("reembed: the collection has no model, since its vectors were imported "
                "without one: say with --model which one is to be used");
        return EXIT_USAGE;
    }
    if (request->name == NULL) {
        *model_name = copy_string(info.model.name);
        request->name = *model_name;
    }
    return EXIT_DONE;
}

static bool is_same_folder(const char *a, const char *b)
{
    char *real_a = realpath(a, NULL);
    char *real_b = realpath(b, NULL);
    bool is_same = real_a != NULL && real_b != NULL && strcmp(real_a, real_b) == 0;
    free(real_a);
    free(real_b);
    return is_same;
}

static int run_reembed(reembed_run *run)
{
    filling *f = &run->filling;
    char *model_name = NULL;
    f->began = seconds_now();
    run->sink = ingest_sink(&f->in);
    signals_handle(SIGNAL_ASKS);
    progress_begin("encoding", f->is_quiet);
    kith_writer_opts opts = ingest_writer_opts(&f->in);
    opts.no_prune = true;
    if (filling_fail(f, open_from(run, &model_name)) &&
        filling_fail(f, session_open_to_write(&f->session, f->path, &f->model,
                                              f->no_wait)) &&
        filling_begin(f, &opts) && copy_all(run) && ingest_commit(&f->in)) {
        filling_build(f);
    }
    int status = filling_finish(f);
    session_close(&run->from);
    free(model_name);
    return status;
}

int cmd_reembed(int argc, char **argv)
{
    reembed_run run = { .from = SESSION_EMPTY, .filling = FILLING_INIT("encoded") };
    filling *f = &run.filling;
    const option options[] = {
        TEXT(0, "to", "COLLECTION", &f->path, "the new collection"),
        TEXT(0, "model", "NAME|PATH", &f->model.name, "of it (the old one's)"),
        CHOICE(0, "precision", MODEL_PRECISIONS, &f->model.precision, "of it (int8)"),
        FILLING_INDEX_OPTIONS(f),
        FILLING_RUN_OPTIONS(f),
        END_OF_OPTIONS
    };
    const usage use = {
        "reembed", "COLLECTION --to NEW [options]",
        "Encode all records again, with another model or precision, into a new "
        "collection.\nThe old one stays as it is.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments != 1 || f->path == NULL) {
        return usage_error(&use, "a collection and --to NEW are needed");
    }
    if (f->model.name == NULL && f->model.precision < 0) {
        return usage_error(&use, "--model or --precision is needed");
    }
    if (is_same_folder(argv[1], f->path)) {
        return usage_error(&use, "--to needs another collection");
    }
    run.from_path = argv[1];
    status = filling_check(&use, f);
    return status == GO_ON ? run_reembed(&run) : status;
}
