/* kith compare: how similar sentences are. */
#include <math.h>
#include <stdlib.h>

#include "cli.h"
#include "json_write.h"
#include "models.h"
#include "options.h"
#include "output.h"
#include "text.h"

static double cosine(const float *a, const float *b, size_t dim)
{
    double dot = 0;
    double a_square = 0;
    double b_square = 0;
    for (size_t i = 0; i < dim; i++) {
        dot += (double)a[i] * b[i];
        a_square += (double)a[i] * a[i];
        b_square += (double)b[i] * b[i];
    }
    return dot / (sqrt(a_square) * sqrt(b_square));
}

static void put_scores(buffer *out, const double *scores, size_t n_scores, bool is_json)
{
    if (!is_json) {
        for (size_t i = 0; i < n_scores; i++) {
            buffer_print(out, "%.4f\n", scores[i]);
        }
        return;
    }
    put_open(out, '{');
    put_key(out, "v");
    put_count(out, 1);
    put_key(out, "metric");
    put_text(out, text_of("cosine"));
    put_key(out, "scores");
    put_open(out, '[');
    for (size_t i = 0; i < n_scores; i++) {
        put_real(out, scores[i]);
    }
    put_close(out, ']');
    put_close(out, '}');
    buffer_byte(out, '\n');
}

static int compare(kith_model *model, char **sentences, size_t n_sentences,
                   bool is_json)
{
    kith_error err;
    kith_model_info info;
    int status = EXIT_DONE;
    kith_model_get_info(model, &info);
    kith_text *texts = allocate(n_sentences, sizeof(texts[0]));
    float *vectors = allocate(n_sentences, info.dim * sizeof(vectors[0]));
    double *scores = allocate(n_sentences, sizeof(scores[0]));
    for (size_t i = 0; i < n_sentences; i++) {
        texts[i] = text_of(sentences[i]);
    }
    if (kith_model_encode(model, texts, n_sentences, NULL, vectors,
                          NULL, &err) != KITH_OK) {
        status = report(&err, SUBJECT_ENVIRONMENT);
    } else {
        buffer out = BUFFER_EMPTY;
        for (size_t i = 1; i < n_sentences; i++) {
            scores[i] = cosine(vectors, vectors + i * info.dim, info.dim);
        }
        put_scores(&out, scores + 1, n_sentences - 1, is_json);
        output_write(&out);
        buffer_free(&out);
    }
    free(scores);
    free(vectors);
    free(texts);
    return status;
}

int cmd_compare(int argc, char **argv)
{
    model_request request = MODEL_REQUEST_INIT;
    bool is_json = false;
    const option options[] = {
        SWITCH(0, "json", &is_json, "print one JSON object"),
        TEXT(0, "model", "NAME|PATH", &request.name, "instead of the default one"),
        CHOICE(0, "precision", MODEL_PRECISIONS, &request.precision, "(int8)"),
        COUNT(0, "threads", "N", &request.n_threads, "0: one a processor"),
        END_OF_OPTIONS
    };
    const usage use = {
        "compare", "A B... [options]",
        "Print the similarity (cosine, -1 to 1) of sentence A with each of "
        "the others.",
        options
    };
    int n_arguments;
    int status = options_parse(&use, argc, argv, &n_arguments);
    if (status != GO_ON) {
        return status;
    }
    if (n_arguments < 2) {
        return usage_error(&use, "two sentences or more are needed");
    }
    kith_model *model = NULL;
    status = models_open(&request, &model);
    if (status == EXIT_DONE) {
        status = compare(model, argv + 1, (size_t)n_arguments, is_json);
    }
    kith_model_close(model);
    return status;
}
