/* POST /v1/embeddings, as OpenAI's API has it, and POST /compare. */
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "cli.h"
#include "json_write.h"
#include "parameters.h"
#include "routes.h"
#include "similarity.h"
#include "text.h"

#define MAX_INPUTS 2048
#define MAX_SENTENCES 256

/* ------------------------------------------------------------------ inputs */

/* Texts that are to be encoded, as tokens. */
typedef struct inputs {
    const served_model *model;
    kith_tokens *tokens;
    size_t n;
    uint64_t n_cut; /* that were too long */
} inputs;

static void inputs_free(inputs *in)
{
    for (size_t i = 0; i < in->n; i++) {
        kith_tokens_free(&in->tokens[i]);
    }
    free(in->tokens);
}

static bool add_text(request *r, inputs *in, kith_text text)
{
    kith_error err;
    kith_tokens *tokens = &in->tokens[in->n];
    if (kith_model_tokenize(in->model->encoders[0], text, true, tokens, &err) !=
        KITH_OK) {
        return request_fail_library(r, &err);
    }
    in->n_cut += tokens->n_dropped > 0;
    in->n++;
    return true;
}

static bool read_id(request *r, const inputs *in, const json_t *given, uint32_t *id)
{
    const json_int_t number = json_integer_value(given);
    if (!json_is_integer(given) || number < 0 ||
        number >= (json_int_t)in->model->info.vocabulary) {
        return request_refuse(r,
                              "a token id is to be a whole number from 0 to %u, as "
                              "'kith tokens' prints them",
                              in->model->info.vocabulary - 1);
    }
    *id = (uint32_t)number;
    return true;
}

/* Ids of word pieces; the two that begin and end every text are put in where they are
 * missing. */
static bool add_ids(request *r, inputs *in, const json_t *given)
{
    const size_t n_given = json_array_size(given);
    const size_t max = in->model->info.max_tokens;
    uint32_t *ids = allocate(n_given + 2, sizeof(ids[0]));
    size_t n = 0;
    for (size_t i = 0; i < n_given; i++) {
        uint32_t id = 0;
        if (!read_id(r, in, json_array_get(given, i), &id)) {
            free(ids);
            return false;
        }
        if (i == 0 && id != in->model->cls) {
            ids[n++] = in->model->cls;
        }
        ids[n++] = id;
    }
    if (ids[n - 1] != in->model->sep || n == 1) {
        ids[n++] = in->model->sep;
    }
    if (n > max) {
        ids[max - 1] = in->model->sep;
        n = max;
        in->n_cut++;
    }
    in->tokens[in->n++] = (kith_tokens){ .ids = ids, .n_tokens = n };
    return true;
}

static bool add_input(request *r, inputs *in, const json_t *given)
{
    if (json_is_string(given) && json_string_length(given) > 0) {
        return add_text(r, in, json_text(given));
    }
    if (json_is_array(given) && json_array_size(given) > 0) {
        return add_ids(r, in, given);
    }
    return request_refuse(r,
                          "each \"input\" is to be a text or a list of token ids, and "
                          "not empty");
}

static bool read_inputs(request *r, inputs *in)
{
    const json_t *given = parameter(r, "input");
    const bool is_one =
        json_is_string(given) || json_is_integer(json_array_get(given, 0));
    const bool is_text = json_is_string(json_array_get(given, 0));
    const size_t n = is_one ? 1 : json_array_size(given);
    if (n == 0 || n > MAX_INPUTS) {
        return request_refuse(r,
                              "\"input\" is to be a text, a list of token ids, or a "
                              "list of 1 to %d of them",
                              MAX_INPUTS);
    }
    in->tokens = allocate(n, sizeof(in->tokens[0]));
    bool is_good = true;
    for (size_t i = 0; i < n && is_good; i++) {
        const json_t *one = is_one ? given : json_array_get(given, i);
        is_good =
            is_one || json_is_string(one) == is_text
                ? add_input(r, in, one)
                : request_refuse(r, "\"input\" is to hold texts or lists of token "
                                    "ids, not both");
    }
    return is_good;
}

/* ------------------------------------------------------------------ embeddings */

static bool check_model(service *s, request *r)
{
    kith_text name;
    if (!parameter_needed_text(r, "model", &name)) {
        return false;
    }
    const served_model *model = s->catalog.model;
    if (model == NULL) {
        return request_fail(r, HTTP_NOT_FOUND, "model_not_found",
                            "this server has no model");
    }
    if (!text_equals(name, text_of(model->info.name))) {
        return request_fail(r, HTTP_NOT_FOUND, "model_not_found",
                            "the model of this server is \"%s\"", model->info.name);
    }
    return true;
}

static bool read_format(request *r, bool *is_base64)
{
    kith_text format = text_of("float");
    if (!parameter_text(r, "encoding_format", &format)) {
        return false;
    }
    *is_base64 = text_equals(format, text_of("base64"));
    return *is_base64 || text_equals(format, text_of("float")) ||
           request_refuse(r, "\"encoding_format\" is to be \"float\" or \"base64\"");
}

static void put_vector(buffer *out, const float *vector, uint32_t dim, bool is_base64)
{
    if (is_base64) {
        buffer_byte(out, '"');
        base64_put(out, vector, dim * sizeof(vector[0]));
        buffer_byte(out, '"');
        return;
    }
    put_open(out, '[');
    for (uint32_t i = 0; i < dim; i++) {
        put_real(out, (double)vector[i]);
    }
    put_close(out, ']');
}

static void put_embeddings(request *r, const inputs *in, const float *vectors,
                           uint64_t n_tokens, bool is_base64)
{
    buffer *out = &r->reply;
    const kith_model_info *info = &in->model->info;
    put_open(out, '{');
    put_key(out, "object");
    put_text(out, text_of("list"));
    put_key(out, "data");
    put_open(out, '[');
    for (size_t i = 0; i < in->n; i++) {
        put_open(out, '{');
        put_key(out, "object");
        put_text(out, text_of("embedding"));
        put_key(out, "index");
        put_count(out, i);
        put_key(out, "embedding");
        put_vector(out, vectors + i * info->dim, info->dim, is_base64);
        put_close(out, '}');
    }
    put_close(out, ']');
    put_key(out, "model");
    put_text(out, text_of(info->name));
    put_key(out, "usage");
    put_open(out, '{');
    put_key(out, "prompt_tokens");
    put_count(out, n_tokens);
    put_key(out, "total_tokens");
    put_count(out, n_tokens);
    put_close(out, '}');
    put_key(out, "truncated");
    put_count(out, in->n_cut);
    put_close(out, '}');
    buffer_byte(out, '\n');
}

void api_embeddings(service *s, request *r)
{
    bool is_base64;
    uint64_t n_tokens;
    inputs in = { .model = s->catalog.model };
    if (!check_model(s, r) || !read_format(r, &is_base64)) {
        return;
    }
    uint32_t dim = in.model->info.dim;
    if (parameter_count(r, "dimensions", dim, dim, &dim) && read_inputs(r, &in)) {
        float *vectors = service_encode(s, r, in.model, in.tokens, in.n, &n_tokens);
        if (vectors != NULL) {
            put_embeddings(r, &in, vectors, n_tokens, is_base64);
        }
        free(vectors);
    }
    inputs_free(&in);
}

/* ------------------------------------------------------------------ compare */

static bool read_sentences(request *r, inputs *in, const json_t *sentences)
{
    const size_t n = json_array_size(sentences);
    if (n < 2 || n > MAX_SENTENCES) {
        return request_refuse(r, "\"sentences\" is to be a list of 2 to %d texts",
                              MAX_SENTENCES);
    }
    in->tokens = allocate(n, sizeof(in->tokens[0]));
    bool is_good = true;
    for (size_t i = 0; i < n && is_good; i++) {
        const json_t *sentence = json_array_get(sentences, i);
        is_good = json_is_string(sentence)
                      ? add_text(r, in, json_text(sentence))
                      : request_refuse(r, "sentence %zu is not a text", i + 1);
    }
    return is_good;
}

static void put_matrix(buffer *out, const float *vectors, size_t n, uint32_t dim)
{
    put_open(out, '[');
    for (size_t i = 0; i < n; i++) {
        put_open(out, '[');
        for (size_t j = 0; j < n; j++) {
            put_real(out, keval_similarity(KEVAL_COSINE, vectors + i * dim,
                                           vectors + j * dim, dim));
        }
        put_close(out, ']');
    }
    put_close(out, ']');
}

static void put_comparison(request *r, const inputs *in, const json_t *sentences,
                           const float *vectors)
{
    buffer *out = &r->reply;
    put_open(out, '{');
    put_key(out, "v");
    put_count(out, 1);
    put_key(out, "metric");
    put_text(out, text_of("cosine"));
    put_key(out, "sentences");
    put_open(out, '[');
    for (size_t i = 0; i < in->n; i++) {
        put_text(out, json_text(json_array_get(sentences, i)));
    }
    put_close(out, ']');
    put_key(out, "matrix");
    put_matrix(out, vectors, in->n, in->model->info.dim);
    if (in->n_cut > 0) {
        put_key(out, "truncated");
        put_count(out, in->n_cut);
    }
    put_key(out, "model");
    put_text(out, text_of(in->model->info.name));
    put_key(out, "precision");
    put_text(out, text_of(models_precision_name(in->model->info.precision)));
    put_key(out, "milliseconds");
    put_real(out, 1e3 * (seconds_now() - r->began));
    put_close(out, '}');
    buffer_byte(out, '\n');
}

void api_compare(service *s, request *r)
{
    static const char *const names[] = { "sentences", NULL };
    uint64_t n_tokens;
    inputs in = { .model = s->catalog.model };
    if (!parameters_check_names(r, names)) {
        return;
    }
    if (in.model == NULL) {
        request_fail(r, HTTP_NOT_FOUND, "model_not_found", "this server has no model");
        return;
    }
    const json_t *sentences = parameter(r, "sentences");
    if (read_sentences(r, &in, sentences)) {
        float *vectors = service_encode(s, r, in.model, in.tokens, in.n, &n_tokens);
        if (vectors != NULL) {
            put_comparison(r, &in, sentences, vectors);
        }
        free(vectors);
    }
    inputs_free(&in);
}
