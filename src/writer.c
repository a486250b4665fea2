/* Adding and deleting records: unchanged ones are skipped, texts are encoded in batches,
 * and a commit makes all of it durable at once. */
#include "writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "error.h"
#include "opts.h"

#define MAX_ID_BYTES 4096
#define MAX_SOURCE_BYTES 4096
#define LOCK_RETRY_MS 100

/* ------------------------------------------------------------------ begin and close */

static kith_status take_lock(kith_writer *writer, kith_error *err)
{
    const struct timespec pause = { 0, LOCK_RETRY_MS * 1000000L };
    int64_t holder = 0;
    kith_status status = kstore_lock_try(writer->collection->path, &writer->lock, &holder,
                                         err);
    if (status == KITH_BUSY && !writer->opts.no_wait && writer->opts.on_wait != NULL) {
        writer->opts.on_wait(writer->opts.context, holder);
    }
    while (status == KITH_BUSY && !writer->opts.no_wait) {
        if (kith_writer_is_interrupted(writer)) {
            return kith_fail_interrupted(err);
        }
        nanosleep(&pause, NULL);
        status = kstore_lock_try(writer->collection->path, &writer->lock, &holder, err);
    }
    return status;
}

/* Mark the handle as having a writer; two on one handle are a mistake. */
static kith_status claim(kith_collection *collection, kith_error *err)
{
    if (collection->read_only) {
        return kbase_fail(err, KITH_INVALID, "collection %s was opened read-only",
                          collection->path);
    }
    pthread_mutex_lock(&collection->mutex);
    bool taken = collection->has_writer;
    collection->has_writer = true;
    pthread_mutex_unlock(&collection->mutex);
    return taken ? kbase_fail(err, KITH_BUSY, "this handle of collection %s has a writer "
                              "already: close it first", collection->path)
                 : KITH_OK;
}

static kith_status count_rows(kstore *store, uint64_t *n_rows, kith_error *err)
{
    kstore_snapshot *snapshot = NULL;
    kith_status status = kstore_snapshot_begin(store, &snapshot, err);
    if (status == KITH_OK) {
        *n_rows = kstore_n_rows(snapshot);
    }
    kstore_snapshot_end(snapshot);
    return status;
}

kith_status kith_writer_begin(kith_collection *collection, const kith_writer_opts *opts,
                              kith_writer **out, kith_error *err)
{
    kith_writer_opts complete = KITH_WRITER_OPTS_INIT;
    kith_status status = kith_take_opts(&complete, sizeof(complete), opts,
                                        "kith_writer_opts", err);
    if (status == KITH_OK) {
        status = kith_check_process(collection, err);
    }
    if (status == KITH_OK) {
        status = claim(collection, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    kith_writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL) {
        collection->has_writer = false;
        return kbase_fail_memory(err, sizeof(*writer));
    }
    writer->collection = collection;
    writer->opts = complete;
    status = take_lock(writer, err);
    if (status == KITH_OK) {
        status = kith_generation_acquire(collection, &writer->generation, err);
    }
    if (status == KITH_OK) {
        status = kith_generations_sweep(collection->path,
                                        writer->generation->current.number, err);
    }
    if (status == KITH_OK) {
        status = count_rows(writer->generation->store, &writer->first_row, err);
    }
    if (status != KITH_OK) {
        kith_writer_close(writer);
        return status;
    }
    *out = writer;
    return KITH_OK;
}

void kith_writer_close(kith_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    kith_encode_queue_free(writer->queue);
    kith_pending_clear(&writer->pending);
    kith_id_set_free(&writer->added);
    kith_given_free(&writer->given);
    kith_condenser_free(&writer->condenser);
    kenc_token_list_free(&writer->tokens);
    free(writer->spans.spans);
    kbase_buffer_free(&writer->hashed);
    kith_generation_release(writer->collection, writer->generation);
    kstore_lock_release(writer->lock);
    pthread_mutex_lock(&writer->collection->mutex);
    writer->collection->has_writer = false;
    pthread_mutex_unlock(&writer->collection->mutex);
    free(writer);
}

void kith_writer_get_stats(const kith_writer *writer, kith_writer_stats *stats)
{
    *stats = writer->stats;
    stats->n_pending = writer->pending.n_records;
    stats->n_ready = writer->pending.n_records_ready;
}

/* ------------------------------------------------------------------ adding */

static kith_status check_input(const kith_input *input, kith_error *err)
{
    const kith_text *metadata = &input->metadata;
    if (input->id.n_bytes < 1 || input->id.n_bytes > MAX_ID_BYTES) {
        return kbase_fail(err, KITH_INVALID, "an id of %zu bytes: 1 to %d are possible",
                          input->id.n_bytes, MAX_ID_BYTES);
    }
    if (input->source.n_bytes > MAX_SOURCE_BYTES) {
        return kbase_fail(err, KITH_INVALID, "a source of %zu bytes: at most %d are "
                          "possible", input->source.n_bytes, MAX_SOURCE_BYTES);
    }
    if (metadata->n_bytes > 0 && (metadata->n_bytes < 2 || metadata->data[0] != '{' ||
                                  metadata->data[metadata->n_bytes - 1] != '}')) {
        return kbase_fail(err, KITH_INVALID, "the metadata is no JSON object");
    }
    return KITH_OK;
}

static uint32_t dim_of(const kith_writer *writer)
{
    return writer->collection->settings.dim;
}

/* A digest of everything that is stored of an input. */
static kith_status hash_input(kith_writer *writer, const kith_input *input,
                              kbase_hash128 *hash, kith_error *err)
{
    kith_input whole = *input;
    if (writer->given.n > 0) { /* text and place belong to the passages */
        whole.text.n_bytes = 0;
        memset(whole.byte, 0, sizeof(whole.byte));
        memset(whole.line, 0, sizeof(whole.line));
        whole.spans_source = false;
    }
    const kith_text texts[] = { whole.text, whole.title, whole.metadata, whole.source };
    const uint64_t numbers[] = {
        whole.text.n_bytes,  whole.title.n_bytes, whole.metadata.n_bytes,
        whole.source.n_bytes, whole.byte[0],      whole.byte[1],
        whole.line[0],       whole.line[1],       whole.spans_source,
        (uint64_t)writer->opts.long_text,
    };
    kbase_buffer *bytes = &writer->hashed;
    kbase_buffer_clear(bytes);
    kith_status status = kbase_buffer_append(bytes, numbers, sizeof(numbers), err);
    for (size_t i = 0; i < 4 && status == KITH_OK; i++) {
        status = kbase_buffer_append(bytes, texts[i].data, texts[i].n_bytes, err);
    }
    if (status == KITH_OK) {
        status = kith_given_append(&writer->given, dim_of(writer), bytes, err);
    }
    if (status == KITH_OK) {
        *hash = kbase_hash128_of(bytes->data, bytes->n_bytes);
    }
    return status;
}

static uint64_t count_newlines(const char *data, size_t n_bytes)
{
    uint64_t n = 0;
    for (const char *p = data; (p = memchr(p, '\n', n_bytes - (size_t)(p - data))) != NULL;
         p++) {
        n++;
    }
    return n;
}

/* "title text", or one of them when the other is empty; data NULL: out of memory. */
static kith_text join_title(kbase_arena *arena, kith_text title, kith_text text)
{
    if (title.n_bytes == 0) {
        return text;
    }
    if (text.n_bytes == 0) {
        return title;
    }
    char *joined = kbase_arena_alloc(arena, title.n_bytes + 1 + text.n_bytes);
    if (joined != NULL) {
        memcpy(joined, title.data, title.n_bytes);
        joined[title.n_bytes] = ' ';
        memcpy(joined + title.n_bytes + 1, text.data, text.n_bytes);
    }
    return (kith_text){ joined, title.n_bytes + 1 + text.n_bytes };
}

/* Text and place of a passage that was cut out of the input's text. The passages come
 * in order: *line is that of the byte *counted. */
static void fill_cut(const kith_input *input, kith_text text, const kith_span *span,
                     uint64_t *line, size_t *counted, kstore_record *record)
{
    record->text = (kith_text){ text.data + span->first, span->last - span->first };
    memcpy(record->byte, input->byte, sizeof(record->byte));
    memcpy(record->line, input->line, sizeof(record->line));
    if (input->spans_source) {
        record->byte[0] = input->byte[0] + span->first;
        record->byte[1] = input->byte[0] + span->last;
        *line += count_newlines(text.data + *counted, span->first - *counted);
        record->line[0] = *line;
        *line += count_newlines(text.data + span->first, span->last - span->first);
        record->line[1] = *line;
        *counted = span->last;
    }
}

/* What is encoded of a passage, and its hash. */
static kith_status fill_encoded(const kith_writer *writer, kith_text title,
                                kbase_arena *arena, uint32_t dim,
                                kith_pending_passage *passage, kith_error *err)
{
    kstore_record *record = &passage->record;
    kbase_hash128 hash;
    passage->copy_of = UINT64_MAX;
    if (passage->is_given) {
        hash = kbase_hash128_of(passage->row, dim * sizeof(*passage->row));
    } else {
        passage->encoded = join_title(
            arena, (kith_text){ title.data, writer->spans.title_bytes }, record->text);
        if (passage->encoded.data == NULL) {
            return kbase_fail_memory(err, record->text.n_bytes);
        }
        hash = kbase_hash128_of(passage->encoded.data, passage->encoded.n_bytes);
    }
    record->text_hash[0] = hash.low;
    record->text_hash[1] = hash.high;
    return KITH_OK;
}

/* Fill in the passages of an operation. */
static kith_status fill_passages(kith_writer *writer, const kith_input *input,
                                 const kith_pending_op *op, kbase_hash128 record_hash,
                                 kith_error *err)
{
    kbase_arena *arena = &op->batch->arena;
    const bool is_cut = writer->given.n == 0;
    const kith_text text =
        kbase_arena_copy(arena, is_cut ? input->text : (kith_text){ NULL, 0 });
    const kstore_record common = {
        .id = op->id,
        .n_passages = (uint32_t)op->n_passages,
        .title = kbase_arena_copy(arena, input->title),
        .metadata = kbase_arena_copy(arena, input->metadata),
        .source = kbase_arena_copy(arena, input->source),
        .record_hash = { record_hash.low, record_hash.high },
    };
    if (text.data == NULL || common.title.data == NULL ||
        common.metadata.data == NULL || common.source.data == NULL) {
        return kbase_fail_memory(err, input->text.n_bytes);
    }
    uint64_t line = input->line[0];
    size_t counted = 0;
    kith_status status = KITH_OK;
    for (size_t i = 0; i < op->n_passages && status == KITH_OK; i++) {
        kith_pending_passage *passage = &op->passages[i];
        passage->record = common;
        passage->record.passage = (uint32_t)i;
        if (is_cut) {
            fill_cut(input, text, &writer->spans.spans[i], &line, &counted,
                     &passage->record);
        } else {
            status = kith_given_fill(&writer->given, i, dim_of(writer), arena, passage,
                                     err);
        }
        if (status == KITH_OK) {
            status = fill_encoded(writer, common.title, arena, dim_of(writer), passage,
                                  err);
        }
    }
    return status;
}

/* Passages whose text is stored under this id already take its vector. */
static kith_status find_vectors(kith_pending_op *op, const kstore_snapshot *snapshot,
                                kith_error *err)
{
    for (size_t i = 0; i < op->n_passages; i++) {
        kith_pending_passage *passage = &op->passages[i];
        uint64_t ordinal;
        kstore_record stored;
        kith_status status = kstore_find(snapshot, op->id, (uint32_t)i, &ordinal, err);
        if (status == KITH_OK) {
            status = kstore_get(snapshot, ordinal, &stored, err);
        }
        if (status == KITH_NOT_FOUND) {
            return KITH_OK;
        }
        if (status != KITH_OK) {
            return status;
        }
        if (!passage->is_given && memcmp(stored.text_hash, passage->record.text_hash,
                                         sizeof(stored.text_hash)) == 0) {
            passage->copy_of = ordinal;
        }
    }
    return KITH_OK;
}

/* Whether a passage is to be made from its text. */
static bool needs_encoding(const kith_given *given)
{
    bool needs = given->n == 0;
    for (size_t i = 0; i < given->n && !needs; i++) {
        needs = given->passages[i].vector == NULL;
    }
    return needs;
}

/* Tokens of a passage that the prompt leaves: at least half of them. */
static size_t passage_limit(const kith_model *model)
{
    const size_t limit = model->info.max_tokens < KITH_PASSAGE_TOKENS
                             ? model->info.max_tokens
                             : KITH_PASSAGE_TOKENS;
    const size_t prompt = kenc_model_prompt_tokens(model->encoder, KITH_PROMPT_PASSAGE);
    return prompt < limit / 2 ? limit - prompt : limit - limit / 2;
}

/* Cut the text, unless its passages are given. *n: how many there are. */
static kith_status cut(kith_writer *writer, const kith_input *input, size_t *n,
                       kith_error *err)
{
    *n = writer->given.n;
    writer->spans.title_bytes = input->title.n_bytes;
    if (!needs_encoding(&writer->given)) {
        return KITH_OK;
    }
    const kith_model *model = writer->collection->model;
    const kenc_tokenizer *tokenizer = kenc_model_tokenizer(model->encoder);
    size_t limit = passage_limit(model);
    if (*n > 0) {
        return kith_given_fit_title(&writer->given, tokenizer, input->title, limit,
                                    &writer->tokens, &writer->spans, err);
    }
    if (writer->opts.long_text == KITH_LONG_TRUNCATE) {
        limit = SIZE_MAX;
    }
    kith_status status = kith_cut_passages(tokenizer, input->title, input->text, limit,
                                           &writer->tokens, &writer->spans, err);
    *n = writer->spans.n;
    return status;
}

static bool is_interrupted(void *context)
{
    return kith_writer_is_interrupted(context);
}

/* Give a text that was cut one vector for all of it. *condensed: the input with that. */
static kith_status condense(kith_writer *writer, const kith_input *input,
                            kith_input *condensed, kith_error *err)
{
    const kith_model *model = writer->collection->model;
    kith_condenser *condenser = &writer->condenser;
    const bool is_summary = writer->opts.long_text == KITH_LONG_SUMMARY;
    const kith_condense_request request = { .model = model->encoder,
                                            .dim = dim_of(writer),
                                            .title = input->title,
                                            .text = input->text,
                                            .metadata = input->metadata,
                                            .passages = &writer->spans,
                                            .max_tokens = passage_limit(model),
                                            .interrupted = is_interrupted,
                                            .context = writer };
    kith_status status = is_summary ? kith_summarize(&request, condenser, err)
                                    : kith_average(&request, condenser, err);
    if (status != KITH_OK) {
        return status;
    }
    *condensed = *input;
    condensed->vector = condenser->vector;
    if (is_summary) {
        condensed->metadata = (kith_text){ condenser->metadata.data,
                                           condenser->metadata.n_bytes };
    }
    writer->stats.n_condensed++;
    return kith_given_take(writer->collection, condensed, &writer->given, err);
}

/* Make the operation that writes a new or changed record. */
static kith_status add_changed(kith_writer *writer, const kith_input *given,
                               kbase_hash128 hash, const kstore_snapshot *snapshot,
                               bool is_stored, kith_error *err)
{
    size_t n;
    kith_input condensed;
    const kith_input *input = given;
    kith_status status = cut(writer, input, &n, err);
    if (status == KITH_OK && n > 1 && writer->given.n == 0 &&
        writer->opts.long_text != KITH_LONG_CHUNK) {
        status = condense(writer, given, &condensed, err);
        input = &condensed;
        n = 1;
    }
    if (status != KITH_OK) {
        return status;
    }
    kith_pending_op *op = kith_pending_add(&writer->pending, input->id, false);
    if (op != NULL) {
        op->passages = kbase_arena_alloc(&op->batch->arena, n * sizeof(*op->passages));
    }
    if (op == NULL || op->passages == NULL) {
        return kbase_fail_memory(err, n * sizeof(*op->passages));
    }
    memset(op->passages, 0, n * sizeof(*op->passages));
    op->n_passages = n;
    op->is_new = !is_stored;
    status = fill_passages(writer, input, op, hash, err);
    if (status == KITH_OK && is_stored) {
        status = find_vectors(op, snapshot, err);
    }
    op->is_title_cut = writer->spans.title_bytes < input->title.n_bytes;
    for (size_t i = 0; i < n; i++) {
        if (op->passages[i].copy_of == UINT64_MAX && !op->passages[i].is_given) {
            op->batch->n_bytes_to_encode += op->passages[i].encoded.n_bytes;
        }
    }
    return status;
}

/* Whether the stored record is the one that is given. *ordinal: of its passage 0, or
 * UINT64_MAX when there is none. */
static kith_status compare_stored(const kstore_snapshot *snapshot, kith_text id,
                                  kbase_hash128 hash, uint64_t *ordinal, bool *is_same,
                                  kith_error *err)
{
    kstore_record stored;
    *is_same = false;
    kith_status status = kstore_find(snapshot, id, 0, ordinal, err);
    if (status == KITH_OK) {
        status = kstore_get(snapshot, *ordinal, &stored, err);
    }
    if (status == KITH_OK) {
        *is_same = stored.record_hash[0] == hash.low && stored.record_hash[1] == hash.high;
        return KITH_OK;
    }
    *ordinal = UINT64_MAX;
    return status == KITH_NOT_FOUND ? KITH_OK : status;
}

/* Count an id that was added before. Without a list of them: one that is pending, or
 * that has a row of this writer. */
static kith_status note_id(kith_writer *writer, kith_text id, uint64_t ordinal,
                           kith_error *err)
{
    kith_status status = KITH_OK;
    if (!writer->opts.no_prune) {
        status = kith_id_set_add(&writer->added, id, err);
    } else if (kith_pending_find(&writer->pending, id) != NULL ||
               (ordinal != UINT64_MAX && ordinal >= writer->first_row)) {
        status = KITH_EXISTS;
    }
    writer->stats.n_duplicates += status == KITH_EXISTS;
    return status == KITH_EXISTS ? KITH_OK : status;
}

kith_status kith_writer_add(kith_writer *writer, const kith_input *input, kith_error *err)
{
    kbase_hash128 hash;
    kstore_snapshot *snapshot = NULL;
    uint64_t ordinal = UINT64_MAX;
    bool is_same = false;
    kith_status status = kith_writer_check(writer, err);
    if (status == KITH_OK) {
        status = check_input(input, err);
    }
    if (status == KITH_OK) {
        status = kith_given_take(writer->collection, input, &writer->given, err);
    }
    if (status == KITH_OK) {
        status = hash_input(writer, input, &hash, err);
    }
    if (status == KITH_OK) {
        status = kstore_snapshot_begin(writer->generation->store, &snapshot, err);
    }
    if (status == KITH_OK) {
        status = compare_stored(snapshot, input->id, hash, &ordinal, &is_same, err);
    }
    if (status == KITH_OK) {
        status = note_id(writer, input->id, ordinal, err);
    }
    if (status == KITH_OK) {
        const bool is_stored = ordinal != UINT64_MAX;
        kith_pending_op *former = kith_pending_find(&writer->pending, input->id);
        if (former != NULL) {
            kith_pending_cancel(&writer->pending, former);
        }
        if (is_same) {
            writer->stats.n_unchanged++;
        } else {
            status = add_changed(writer, input, hash, snapshot, is_stored, err);
        }
    }
    kstore_snapshot_end(snapshot);
    return status == KITH_OK ? kith_writer_settle(writer, err) : status;
}

kith_status kith_writer_delete(kith_writer *writer, kith_text id, kith_error *err)
{
    uint64_t ordinal;
    kstore_snapshot *snapshot = NULL;
    kith_status status = kith_writer_check(writer, err);
    if (status == KITH_OK) {
        status = kstore_snapshot_begin(writer->generation->store, &snapshot, err);
    }
    if (status == KITH_OK) {
        status = kstore_find(snapshot, id, 0, &ordinal, err);
    }
    kstore_snapshot_end(snapshot);
    if (status != KITH_OK && status != KITH_NOT_FOUND) {
        return status;
    }
    kith_pending_op *former = kith_pending_find(&writer->pending, id);
    bool is_stored = status == KITH_OK && (former == NULL || !former->is_delete);
    if (!is_stored && (former == NULL || former->is_delete)) {
        return kbase_fail(err, KITH_NOT_FOUND, "there is no record %.*s",
                          (int)(id.n_bytes < 200 ? id.n_bytes : 200), id.data);
    }
    if (former != NULL) {
        kith_pending_cancel(&writer->pending, former);
    }
    if (is_stored && kith_pending_add(&writer->pending, id, true) == NULL) {
        return kbase_fail_memory(err, id.n_bytes);
    }
    return kith_writer_settle(writer, err);
}

kith_status kith_writer_prune(kith_writer *writer, kith_text source, kith_error *err)
{
    if (writer->opts.no_prune) {
        return kbase_fail(err, KITH_INVALID, "this writer was begun with no_prune");
    }
    kith_status status = kith_writer_check(writer, err);
    return status == KITH_OK ? kith_pending_add_prune(&writer->pending, source, err)
                             : status;
}
