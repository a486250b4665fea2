/* Many vectors out of few, for measurements of size: each row of the result is a row of
 * the base, plus Gaussian noise, scaled to unit length. Streamed: memory does not
 * depend on N.
 *
 *   ninja -C build bench/make_vectors
 *   build/bench/make_vectors BASE.npy N OUT.npy --noise S --seed K
 *
 * S is the length that the noise has on average, the base's vectors having length 1:
 * the cosine of a row to its base is about 1 / sqrt(1 + S * S). Row i comes from row
 * i mod (rows of the base), and from i and K alone: a smaller N gives the same first
 * rows. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "cli.h"
#include "npy.h"

#define HEADER_BYTES 128
#define BLOCK_ROWS 256

typedef struct request {
    const char *base;
    const char *out;
    uint64_t n;
    double noise;
    uint64_t seed;
} request;

/* SplitMix64. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double next_uniform(uint64_t *state) /* -1 to 1 */
{
    return (double)(int64_t)next_random(state) * 0x1p-63;
}

/* Two independent numbers with mean 0 and variance 1: Marsaglia's polar method. */
static void next_gaussians(uint64_t *state, double pair[2])
{
    double square;
    do {
        pair[0] = next_uniform(state);
        pair[1] = next_uniform(state);
        square = pair[0] * pair[0] + pair[1] * pair[1];
    } while (square >= 1 || square < 1e-300);
    double factor = sqrt(-2 * log(square) / square);
    pair[0] *= factor;
    pair[1] *= factor;
}

static void scale(float *vector, uint32_t dim)
{
    double squares = 0;
    for (uint32_t i = 0; i < dim; i++) {
        squares += (double)vector[i] * (double)vector[i];
    }
    for (uint32_t i = 0; i < dim && squares > 0; i++) {
        vector[i] = (float)((double)vector[i] / sqrt(squares));
    }
}

static void make_row(const request *r, const float *base, uint32_t dim, uint64_t row,
                     float *vector)
{
    uint64_t state = r->seed;
    state = next_random(&state) ^ row * 0xd1342543de82ef95u;
    const double deviation = r->noise / sqrt((double)dim);
    for (uint32_t i = 0; i < dim; i += 2) {
        double pair[2];
        next_gaussians(&state, pair);
        for (uint32_t j = 0; j < 2 && i + j < dim; j++) {
            vector[i + j] = (float)((double)base[i + j] + deviation * pair[j]);
        }
    }
    scale(vector, dim);
}

static bool write_header(FILE *out, uint64_t n, uint32_t dim)
{
    char header[HEADER_BYTES + 1];
    char dict[HEADER_BYTES - 10];
    snprintf(dict, sizeof(dict),
             "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRIu64 ", %" PRIu32
             "), }", n, dim);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
    snprintf(header + 10, sizeof(header) - 10, "%-117s\n", dict);
    return fwrite(header, 1, HEADER_BYTES, out) == HEADER_BYTES;
}

static bool write_rows(const request *r, const float *base, const npy_file *file,
                       FILE *out)
{
    const uint32_t dim = file->dim;
    float *block = allocate(BLOCK_ROWS, dim * sizeof(block[0]));
    bool is_written = write_header(out, r->n, dim);
    for (uint64_t row = 0; row < r->n && is_written; row += BLOCK_ROWS) {
        size_t n = r->n - row < BLOCK_ROWS ? r->n - row : BLOCK_ROWS;
        for (size_t i = 0; i < n; i++) {
            make_row(r, base + (row + i) % file->n_rows * dim, dim, row + i,
                     block + i * dim);
        }
        is_written = fwrite(block, dim * sizeof(block[0]), n, out) == n;
    }
    free(block);
    return is_written;
}

static int make(const request *r)
{
    npy_file file;
    int status = npy_open(&file, r->base);
    float *base = allocate(file.n_rows, file.dim * sizeof(base[0]));
    for (uint64_t i = 0; i < file.n_rows && status == EXIT_DONE; i++) {
        status = npy_read(&file, base + i * file.dim) ? EXIT_DONE : EXIT_ENVIRONMENT;
        scale(base + i * file.dim, file.dim);
    }
    if (status == EXIT_DONE && file.n_rows == 0) {
        message("%s has no rows", r->base);
        status = EXIT_DATA;
    }
    if (status == EXIT_DONE) {
        FILE *out = fopen(r->out, "wb");
        bool is_written = out != NULL && write_rows(r, base, &file, out);
        if ((out != NULL && fclose(out) != 0) || !is_written) {
            status = report_errno(r->out, errno);
        }
    }
    free(base);
    npy_close(&file);
    return status;
}

int main(int argc, char **argv)
{
    char nothing[] = "";
    char *end[3] = { nothing, nothing, nothing };
    request r = { .noise = 0 };
    if (argc == 8 && strcmp(argv[4], "--noise") == 0 &&
        strcmp(argv[6], "--seed") == 0) {
        r = (request){ .base = argv[1],
                       .out = argv[3],
                       .n = strtoull(argv[2], &end[0], 10),
                       .noise = strtod(argv[5], &end[1]),
                       .seed = strtoull(argv[7], &end[2], 10) };
    }
    if (r.base == NULL || *end[0] != '\0' || *end[1] != '\0' || *end[2] != '\0' ||
        !(r.noise >= 0) || !isfinite(r.noise)) {
        fputs("usage: make_vectors BASE.npy N OUT.npy --noise S --seed K\n", stderr);
        return EXIT_USAGE;
    }
    return make(&r);
}
