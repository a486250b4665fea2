/* kith eval --beir: a folder of texts, queries and judgements, encoded into a
 * collection that is removed again. */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "eval.h"
#include "filling.h"
#include "json_write.h"
#include "progress.h"
#include "text.h"

#define SKIPPED_SHOWN 10

/* ------------------------------------------------------------------ the model */

model_facts model_facts_of(const kith_model *model)
{
    kith_model_info info;
    kith_model_get_info(model, &info);
    model_facts facts = { .precision = info.precision,
                          .dim = info.dim,
                          .max_tokens = info.max_tokens,
                          .file_bytes = info.file_bytes };
    snprintf(facts.name, sizeof(facts.name), "%s", info.name);
    return facts;
}

void put_model_facts(buffer *out, const model_facts *facts)
{
    put_key(out, "model");
    put_text(out, text_of(facts->name));
    put_key(out, "precision");
    put_text(out, text_of(models_precision_name(facts->precision)));
    put_key(out, "dim");
    put_count(out, facts->dim);
    put_key(out, "max_tokens");
    put_count(out, facts->max_tokens);
    put_key(out, "file_bytes");
    put_count(out, facts->file_bytes);
    put_key(out, "texts_per_second");
    put_real(out, facts->texts_per_second);
}

/* ------------------------------------------------------------------ files */

typedef struct beir_files {
    char *corpus;
    char *queries;
    char *qrels;
} beir_files;

static int find_files(beir_files *files, const eval_options *options)
{
    files->corpus = format_string("%s/corpus.jsonl", options->beir);
    files->queries = options->queries != NULL
                         ? copy_string(options->queries)
                         : format_string("%s/queries.jsonl", options->beir);
    files->qrels = options->qrels != NULL
                       ? copy_string(options->qrels)
                       : format_string("%s/qrels/test.tsv", options->beir);
    const char *const paths[] = { files->corpus, files->queries, files->qrels };
    for (size_t i = 0; i < 3; i++) {
        if (access(paths[i], R_OK) != 0) {
            message("%s: %s: a BEIR folder has corpus.jsonl, queries.jsonl and "
                    "qrels/test.tsv; --queries and --qrels name other files", paths[i],
                    strerror(errno));
            return EXIT_ENVIRONMENT;
        }
    }
    return EXIT_DONE;
}

static void free_files(beir_files *files)
{
    free(files->corpus);
    free(files->queries);
    free(files->qrels);
}

static int remove_entry(const char *path, const struct stat *status, int kind,
                        struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    if (remove(path) != 0) {
        report_errno(path, errno);
    }
    return 0;
}

/* A new folder, for free() and remove_folder(); NULL is reported. */
static char *make_folder(void)
{
    const char *parent = getenv("TMPDIR");
    char *folder = format_string("%s/kith-eval-XXXXXX",
                                 parent == NULL || parent[0] == '\0' ? "/tmp" : parent);
    if (mkdtemp(folder) == NULL) {
        report_errno(folder, errno);
        free(folder);
        return NULL;
    }
    return folder;
}

static void remove_folder(char *folder)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

/* ------------------------------------------------------------------ the corpus */

static int read_corpus(filling *f, const char *path)
{
    const input_options options = { .format = INPUT_JSONL, .max_record = 16u << 20 };
    const input_sink sink = ingest_sink(&f->in);
    char *real = realpath(path, NULL);
    struct stat status;
    if (real == NULL || stat(real, &status) != 0) {
        free(real);
        return report_errno(path, errno);
    }
    const input_file file = { real, (uint64_t)status.st_size, INPUT_JSONL, false };
    f->in.n_bytes_in_all = file.n_bytes;
    input_result result = input_read(&file, &options, &sink);
    free(real);
    if (result == INPUT_STOPPED) {
        return f->in.failure != EXIT_DONE ? f->in.failure : EXIT_INTERRUPTED;
    }
    return ingest_commit(&f->in) ? EXIT_DONE : f->in.failure;
}

/* Only makes exact search faster. */
static int build_codes(filling *f)
{
    kith_error err;
    kith_build_opts opts = KITH_BUILD_OPTS_INIT;
    opts.ann = KITH_ANN_NEVER;
    return kith_writer_build_index(f->in.writer, &opts, NULL, &err) == KITH_OK
               ? EXIT_DONE
               : report(&err, SUBJECT_ENVIRONMENT);
}

static void tell_skipped(beir_run *run, const ingest *in)
{
    size_t n_told = 0;
    for (size_t i = 0; i < in->n_skipped; i++) {
        bool is_refused = in->skipped[i].kind == SKIP_REFUSED;
        if (is_refused && n_told++ < SKIPPED_SHOWN) {
            message("skipped %s: %s", in->skipped[i].source, in->skipped[i].reason);
        }
    }
    if (n_told > SKIPPED_SHOWN) {
        message("skipped %zu more", n_told - SKIPPED_SHOWN);
    }
    run->n_skipped = in->n_skipped;
    run->has_refusal = n_told > 0;
}

static int encode_corpus(beir_run *run, filling *f, const char *path)
{
    kith_writer_stats stats;
    int status = session_open_to_write(&f->session, f->path, &f->model, false);
    if (status != EXIT_DONE) {
        return status;
    }
    kith_writer_opts opts = ingest_writer_opts(&f->in);
    opts.long_text = KITH_LONG_TRUNCATE;
    if (!filling_begin(f, &opts)) {
        return f->in.failure;
    }
    run->model = model_facts_of(f->session.model);
    f->began = seconds_now();
    progress_begin("encoding", f->is_quiet);
    status = read_corpus(f, path);
    progress_end();
    kith_writer_get_stats(f->in.writer, &stats);
    run->n_texts = stats.n_committed;
    run->n_truncated = stats.n_truncated;
    run->model.texts_per_second =
        (double)stats.n_committed / (seconds_now() - f->began);
    tell_skipped(run, &f->in);
    if (status == EXIT_DONE && stats.n_duplicates > 0 && !f->is_quiet) {
        message("%" PRIu64 " document ids are there more than once: the last one "
                "counts", stats.n_duplicates);
    }
    if (status == EXIT_DONE && stats.n_committed == 0) {
        message("%s: there is no document in it", path);
        return EXIT_DATA;
    }
    return status == EXIT_DONE ? build_codes(f) : status;
}

/* ------------------------------------------------------------------ all of it */

static int evaluate(beir_run *run, const eval_options *options,
                    const model_request *model, const char *corpus, const char *folder)
{
    filling f = FILLING_INIT("encoded");
    char *path = format_string("%s/eval.kith", folder);
    f.model = *model;
    f.path = path;
    f.is_quiet = options->is_quiet;
    int status = encode_corpus(run, &f, corpus);
    kith_writer_close(f.in.writer);
    if (status == EXIT_DONE) {
        status = retrieval_ask(&run->retrieval, options, f.session.collection);
    }
    session_close(&f.session);
    ingest_free(&f.in);
    free(path);
    return status;
}

int beir_run_make(beir_run *run, const eval_options *options,
                  const model_request *model)
{
    beir_files files;
    *run = (beir_run){ .n_texts = 0 };
    int status = find_files(&files, options);
    if (status == EXIT_DONE) {
        status = retrieval_read(&run->retrieval, options, files.queries, files.qrels);
    }
    if (status == EXIT_DONE) {
        signals_handle(SIGNAL_ASKS); /* so that the folder does not stay */
        char *folder = make_folder();
        status = folder == NULL ? EXIT_ENVIRONMENT
                                : evaluate(run, options, model, files.corpus, folder);
        if (folder != NULL) {
            remove_folder(folder);
        }
        signals_handle(SIGNAL_EXITS);
    }
    free_files(&files);
    return status;
}

void beir_run_free(beir_run *run)
{
    retrieval_free(&run->retrieval);
}

static void put_beir_facts(buffer *out, const void *context)
{
    const beir_run *run = context;
    put_key(out, "documents");
    put_count(out, run->n_texts);
    put_key(out, "truncated_documents");
    put_count(out, run->n_truncated);
    put_key(out, "skipped_documents");
    put_count(out, run->n_skipped);
    put_model_facts(out, &run->model);
}

int eval_beir(const eval_options *options)
{
    beir_run run;
    int status = beir_run_make(&run, options, &options->model);
    if (status == EXIT_DONE && !options->is_quiet) {
        message("%" PRIu64 " documents, %" PRIu64 " truncated, %" PRIu64
                " skipped, %.0f a second", run.n_texts, run.n_truncated, run.n_skipped,
                run.model.texts_per_second);
    }
    if (status == EXIT_DONE) {
        status = retrieval_print(&run.retrieval, options, put_beir_facts, &run);
    }
    if (status == EXIT_DONE && run.has_refusal) {
        status = EXIT_PARTIAL;
    }
    beir_run_free(&run);
    return status;
}
