#include "compact_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_RECORDS 60

static void add_full(kith_writer *writer, unsigned i, const char *word)
{
    kith_error error;
    char text[6000];
    char *id = format("id %u", i);
    char *title = format("title %u of %s", i, word);
    char *metadata = format("{\"n\":%u,\"word\":\"%s\"}", i, word);
    char *source = format("/folder/source-%u", i % 4);
    int n = snprintf(text, sizeof(text), "Record %u tells of %s.", i, word);
    for (unsigned j = 0; i % 7 == 0 && j < 120; j++) { /* several passages */
        n += snprintf(text + n, sizeof(text) - (size_t)n, " Sentence %u of it.\n", j);
    }
    const kith_input input = {
        .id = text_of(id), .text = text_of(text),
        .title = text_of(i % 3 == 0 ? "" : title),
        .metadata = text_of(i % 5 == 0 ? "" : metadata),
        .source = text_of(i % 4 == 3 ? "" : source),
        .byte = { 100 * i, 100 * i + (unsigned)n }, .line = { i, i + 7 },
        .spans_source = i % 2 == 0,
    };
    assert_ok(kith_writer_add(writer, &input, &error));
    free(source);
    free(metadata);
    free(title);
    free(id);
}

kith_collection *make_past(void)
{
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    for (unsigned i = 0; i < N_RECORDS; i++) {
        add_full(writer, i, i % 2 == 0 ? "stones" : SECRET);
        if (i % 16 == 15) {
            assert_ok(kith_writer_commit(writer, &error));
        }
    }
    assert_ok(kith_writer_commit(writer, &error));
    for (unsigned i = 1; i < N_RECORDS; i += 2) {
        char *id = format("id %u", i);
        if (i % 3 == 0) {
            add_full(writer, i, "water"); /* another text in its place */
        } else {
            assert_ok(kith_writer_delete(writer, text_of(id), &error));
        }
        free(id);
    }
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    return c;
}

static void dump_record(kbase_buffer *out, const kstore_record *record,
                        const uint16_t *row, size_t dim)
{
    const kith_text texts[] = { record->id, record->source, record->title,
                                record->metadata, record->text };
    for (size_t i = 0; i < 5; i++) {
        kbase_buffer_append(out, &texts[i].n_bytes, sizeof(texts[i].n_bytes), NULL);
        kbase_buffer_append(out, texts[i].data, texts[i].n_bytes, NULL);
    }
    kbase_buffer_append(out, &record->passage, sizeof(record->passage), NULL);
    kbase_buffer_append(out, &record->n_passages, sizeof(record->n_passages), NULL);
    kbase_buffer_append(out, record->byte, sizeof(record->byte), NULL);
    kbase_buffer_append(out, record->line, sizeof(record->line), NULL);
    kbase_buffer_append(out, record->text_hash, sizeof(record->text_hash), NULL);
    kbase_buffer_append(out, record->record_hash, sizeof(record->record_hash), NULL);
    kbase_buffer_append(out, row, dim * sizeof(*row), NULL);
}

kbase_buffer dump(kith_collection *c)
{
    kith_error error;
    kith_reading reading;
    kstore_vectors vectors;
    kbase_buffer out = KBASE_BUFFER_INIT;
    assert_ok(kith_read_begin(c, &reading, &error));
    assert_ok(kstore_verify(reading.snapshot, &error));
    assert_ok(kstore_map_vectors(reading.snapshot, &vectors, &error));
    for (uint64_t i = 0; i < vectors.n_rows; i++) {
        kstore_record record;
        kith_status status = kstore_get(reading.snapshot, i, &record, &error);
        if (status != KITH_NOT_FOUND) {
            assert_ok(status);
            dump_record(&out, &record, vectors.data + i * vectors.stride,
                        c->settings.dim);
        }
    }
    uint64_t counts[3] = { kstore_n_records(reading.snapshot),
                           kstore_n_passages(reading.snapshot) };
    assert_ok(kstore_n_sources(reading.snapshot, &counts[2], &error));
    kbase_buffer_append(&out, counts, sizeof(counts), NULL);
    kith_read_end(c, &reading);
    return out;
}

void assert_holds(const kbase_buffer *expected)
{
    kith_collection *c = open_collection(false);
    kbase_buffer found = dump(c);
    assert_int_equal(found.n_bytes, expected->n_bytes);
    assert_memory_equal(found.data, expected->data, found.n_bytes);
    kbase_buffer_free(&found);
    kith_collection_close(c);
}

/* In a process of its own: closing a file of LMDB's would drop its locks in this one. */
bool some_file_holds(const char *path, const char *text)
{
    char *command = format("grep -rqaF '%s' '%s'", text, path);
    int result = system(command);
    free(command);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) < 2);
    return WEXITSTATUS(result) == 0;
}

bool has_entry(const char *name)
{
    char *path = format("%s/%s", coll, name);
    bool is_there = access(path, F_OK) == 0;
    free(path);
    return is_there;
}
