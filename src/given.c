#include "given.h"

#include <math.h>
#include <string.h>

#include "checked.h"
#include "error.h"

/* A vector whose length differs less from 1 is not scaled: what was rounded to f16 once
 * stays as it is (rounding changes a length by 2^-11 at most), and so do the bits of
 * what the encoder gave. Scores do not depend on the length of a row. */
#define UNIT_TOLERANCE 0x1p-10

double kith_vector_length(const float *vector, size_t dim)
{
    double squares = 0.0;
    for (size_t i = 0; i < dim; i++) {
        squares += (double)vector[i] * (double)vector[i];
    }
    return isfinite(squares) ? sqrt(squares) : 0.0;
}

static kith_status make_row(const kith_collection *collection, kith_text id,
                            const float *vector, uint32_t dim, uint16_t *row,
                            kith_error *err)
{
    const double length = kith_vector_length(vector, dim);
    if (!(length > 0.0)) {
        return kbase_fail(err, KITH_INVALID,
                          "record \"%.*s\": its vector is zero or not finite",
                          (int)(id.n_bytes < 200 ? id.n_bytes : 200), id.data);
    }
    if (fabs(length - 1.0) <= UNIT_TOLERANCE) {
        kidx_f16_from_f32(collection->isa, vector, dim, row);
        return KITH_OK;
    }
    float scaled[64];
    for (uint32_t i = 0; i < dim; i += 64) {
        const uint32_t n = dim - i < 64 ? dim - i : 64;
        for (uint32_t j = 0; j < n; j++) {
            scaled[j] = (float)((double)vector[i + j] / length);
        }
        kidx_f16_from_f32(collection->isa, scaled, n, row + i);
    }
    return KITH_OK;
}

static uint16_t *row_of(const kith_given *given, size_t i, uint32_t dim)
{
    return (uint16_t *)(void *)given->rows.data + i * dim;
}

static kith_status make_rows(const kith_collection *collection, kith_text id,
                             kith_given *given, kith_error *err)
{
    const uint32_t dim = collection->settings.dim;
    kith_status status = KITH_OK;
    bool has_room = false;
    for (size_t i = 0; i < given->n && status == KITH_OK; i++) {
        size_t n_bytes;
        const float *vector = given->passages[i].vector;
        if (vector == NULL) {
            continue;
        }
        if (!has_room) {
            kbase_buffer_clear(&given->rows);
            status = kbase_mul(&n_bytes, given->n, dim * sizeof(uint16_t))
                         ? kbase_buffer_reserve(&given->rows, n_bytes, err)
                         : kbase_fail_memory(err, SIZE_MAX);
            has_room = true;
        }
        if (status == KITH_OK) {
            status = make_row(collection, id, vector, dim, row_of(given, i, dim), err);
        }
    }
    return status;
}

kith_status kith_given_take(const kith_collection *collection, const kith_input *input,
                            kith_given *given, kith_error *err)
{
    given->n = input->n_passages;
    given->passages = input->passages;
    if (given->n == 0 && input->vector != NULL) {
        given->whole = (kith_input_passage){
            .text = input->text, .vector = input->vector,
            .byte = { input->byte[0], input->byte[1] },
            .line = { input->line[0], input->line[1] },
        };
        given->n = 1;
        given->passages = &given->whole;
    }
    bool is_encoded = given->n == 0;
    for (size_t i = 0; i < given->n; i++) {
        is_encoded = is_encoded || given->passages[i].vector == NULL;
    }
    if (is_encoded && collection->model == NULL) {
        return kith_fail_no_model(collection, "adding needs one, or a vector with each "
                                  "record", err);
    }
    if (given->n > UINT32_MAX) {
        return kbase_fail(err, KITH_INVALID, "a record of %zu passages", given->n);
    }
    const unsigned former = kbase_fpenv_enter();
    kith_status status = make_rows(collection, input->id, given, err);
    kbase_fpenv_leave(former);
    return status;
}

void kith_given_free(kith_given *given)
{
    kbase_buffer_free(&given->rows);
}

kith_status kith_given_append(const kith_given *given, uint32_t dim,
                              kbase_buffer *bytes, kith_error *err)
{
    kith_status status = KITH_OK;
    for (size_t i = 0; i < given->n && status == KITH_OK; i++) {
        const kith_input_passage *passage = &given->passages[i];
        const bool has_vector = passage->vector != NULL;
        const uint64_t numbers[] = { passage->text.n_bytes, passage->byte[0],
                                     passage->byte[1],      passage->line[0],
                                     passage->line[1],      has_vector };
        status = kbase_buffer_append(bytes, numbers, sizeof(numbers), err);
        if (status == KITH_OK) {
            status = kbase_buffer_append(bytes, passage->text.data,
                                         passage->text.n_bytes, err);
        }
        if (status == KITH_OK && has_vector) {
            status = kbase_buffer_append(bytes, row_of(given, i, dim),
                                         dim * sizeof(uint16_t), err);
        }
    }
    return status;
}

kith_status kith_given_fit_title(const kith_given *given,
                                 const kenc_tokenizer *tokenizer, kith_text title,
                                 size_t max_tokens, kenc_token_list *list,
                                 kith_spans *spans, kith_error *err)
{
    if (given->n > 1) {
        return kith_fit_title(tokenizer, title, max_tokens, list, &spans->title_bytes,
                              err);
    }
    kith_status status = kith_cut_passages(tokenizer, title, given->passages[0].text,
                                           max_tokens, list, spans, err);
    if (status == KITH_OK && spans->n > 1) {
        spans->title_bytes = title.n_bytes; /* KITH_LONG_TRUNCATE has made it */
    }
    return status;
}

kith_status kith_given_fill(const kith_given *given, size_t i, uint32_t dim,
                            kbase_arena *arena, kith_pending_passage *passage,
                            kith_error *err)
{
    const kith_input_passage *from = &given->passages[i];
    kstore_record *record = &passage->record;
    record->text = kbase_arena_copy(arena, from->text);
    memcpy(record->byte, from->byte, sizeof(record->byte));
    memcpy(record->line, from->line, sizeof(record->line));
    if (record->text.data == NULL) {
        return kbase_fail_memory(err, from->text.n_bytes);
    }
    if (from->vector != NULL) {
        const size_t n_bytes = dim * sizeof(uint16_t);
        passage->is_given = true;
        passage->row = kbase_arena_alloc(arena, n_bytes);
        if (passage->row == NULL) {
            return kbase_fail_memory(err, n_bytes);
        }
        memcpy(passage->row, row_of(given, i, dim), n_bytes);
    }
    return KITH_OK;
}
