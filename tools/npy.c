#include "npy.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "buffer.h"
#include "cli.h"

#define MAX_HEADER_BYTES 65536
#define MAX_DIM 65536
#define MAX_DIMENSIONS 8

/* ------------------------------------------------------------------ the header */

/* Goes over the header, the text of a Python dictionary with three keys. */
typedef struct header {
    const char *at; /* a NUL ends it */
    char descr[32];
    bool is_fortran;
    uint64_t shape[MAX_DIMENSIONS];
    size_t n_dimensions;
} header;

static void skip_blanks(header *h)
{
    h->at += strspn(h->at, " \t\n\r");
}

static bool take(header *h, const char *word)
{
    skip_blanks(h);
    size_t length = strlen(word);
    bool is_it = strncmp(h->at, word, length) == 0;
    h->at += is_it ? length : 0;
    return is_it;
}

/* A string without escapes. */
static bool take_string(header *h, char *string, size_t size)
{
    skip_blanks(h);
    char quote = *h->at;
    if (quote != '\'' && quote != '"') {
        return false;
    }
    const char *end = strchr(h->at + 1, quote);
    if (end == NULL || (size_t)(end - h->at) > size) {
        return false;
    }
    size_t length = (size_t)(end - h->at) - 1;
    memcpy(string, h->at + 1, length);
    string[length] = '\0';
    h->at = end + 1;
    return memchr(string, '\\', length) == NULL;
}

static bool take_number(header *h, uint64_t *number)
{
    skip_blanks(h);
    size_t n_digits = strspn(h->at, "0123456789");
    *number = strtoull(h->at, NULL, 10);
    h->at += n_digits;
    return n_digits > 0 && n_digits < 19;
}

static bool take_shape(header *h)
{
    bool is_open = take(h, "(");
    while (is_open && !take(h, ")")) {
        is_open = h->n_dimensions < MAX_DIMENSIONS &&
                  take_number(h, &h->shape[h->n_dimensions]);
        h->n_dimensions++;
        if (is_open && !take(h, ",")) {
            return take(h, ")");
        }
    }
    return is_open;
}

static bool take_truth(header *h, bool *truth)
{
    *truth = take(h, "True");
    return *truth || take(h, "False");
}

static bool parse(header *h)
{
    char key[32];
    bool has[3] = { false, false, false };
    if (!take(h, "{")) {
        return false;
    }
    while (!take(h, "}")) {
        if (!take_string(h, key, sizeof(key)) || !take(h, ":")) {
            return false;
        }
        int which = strcmp(key, "descr") == 0           ? 0
                    : strcmp(key, "fortran_order") == 0 ? 1
                    : strcmp(key, "shape") == 0         ? 2
                                                        : -1;
        bool is_taken = which == 0   ? take_string(h, h->descr, sizeof(h->descr))
                        : which == 1 ? take_truth(h, &h->is_fortran)
                                     : which == 2 && take_shape(h);
        if (!is_taken || has[which]) {
            return false;
        }
        has[which] = true;
        if (!take(h, ",")) {
            if (!take(h, "}")) {
                return false;
            }
            break;
        }
    }
    skip_blanks(h);
    return has[0] && has[1] && has[2] && *h->at == '\0';
}

/* ------------------------------------------------------------------ opening */

static int refuse(const npy_file *file, const char *reason)
{
    message("%s: %s", file->name, reason);
    return EXIT_DATA;
}

/* What the header says of the numbers, and whether the file is as long as it must. */
static int accept(npy_file *file, const header *h)
{
    static const char *const types[] = { "<f2", "<f4", "<f8" };
    uint64_t row_bytes;
    uint64_t n_bytes;
    char reason[160];
    for (unsigned i = 0; i < 3; i++) {
        file->item_bytes = strcmp(h->descr, types[i]) == 0 ? 2u << i : file->item_bytes;
    }
    if (file->item_bytes == 0) {
        snprintf(reason, sizeof(reason),
                 "numbers of type %s: <f2, <f4 and <f8 (little-endian floats) can be "
                 "read", h->descr);
        return refuse(file, reason);
    }
    if (h->n_dimensions != 2 || h->is_fortran) {
        snprintf(reason, sizeof(reason),
                 "%zu dimensions in %s order: two are needed, row after row (C order)",
                 h->n_dimensions, h->is_fortran ? "Fortran" : "C");
        return refuse(file, reason);
    }
    if (h->shape[1] < 1 || h->shape[1] > MAX_DIM) {
        snprintf(reason, sizeof(reason),
                 "vectors of %llu numbers: 1 to %d are possible",
                 (unsigned long long)h->shape[1], MAX_DIM);
        return refuse(file, reason);
    }
    file->n_rows = h->shape[0];
    file->dim = (uint32_t)h->shape[1];
    row_bytes = (uint64_t)file->dim * file->item_bytes;
    if (__builtin_mul_overflow(file->n_rows, row_bytes, &n_bytes) ||
        __builtin_add_overflow(n_bytes, file->data_offset, &n_bytes) ||
        n_bytes != file->n_bytes) {
        snprintf(reason, sizeof(reason),
                 "%llu bytes are not what %llu rows of %u numbers take: the file is "
                 "cut off or damaged", (unsigned long long)file->n_bytes,
                 (unsigned long long)file->n_rows, file->dim);
        return refuse(file, reason);
    }
    file->items = allocate(file->dim, file->item_bytes);
    return EXIT_DONE;
}

static int read_header(npy_file *file)
{
    static const char no_npy[] = "no NumPy file (.npy) of a version that is known";
    unsigned char start[12];
    if (fread(start, 1, 10, file->in) != 10 || memcmp(start, "\x93NUMPY", 6) != 0 ||
        start[6] < 1 || start[6] > 3 || start[7] != 0 ||
        (start[6] > 1 && fread(start + 10, 1, 2, file->in) != 2)) {
        return refuse(file, no_npy);
    }
    size_t n_bytes = start[8] | (size_t)start[9] << 8;
    file->data_offset = 10 + n_bytes;
    if (start[6] > 1) {
        n_bytes |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
        file->data_offset = 12 + n_bytes;
    }
    if (n_bytes > MAX_HEADER_BYTES) {
        return refuse(file, no_npy);
    }
    char *text = allocate(n_bytes + 1, 1);
    header h = { .at = text };
    bool is_read = fread(text, 1, n_bytes, file->in) == n_bytes;
    text[is_read ? n_bytes : 0] = '\0';
    bool is_parsed = is_read && strlen(text) == n_bytes && parse(&h);
    free(text);
    return is_parsed ? accept(file, &h)
                     : refuse(file, "the header of the NumPy file is damaged");
}

int npy_open(npy_file *file, const char *path)
{
    struct stat status;
    *file = (npy_file){ .name = path, .in = fopen(path, "rbe") };
    if (file->in == NULL || fstat(fileno(file->in), &status) != 0) {
        return report_errno(path, errno);
    }
    if (!S_ISREG(status.st_mode)) {
        message("%s: no regular file", path);
        return EXIT_ENVIRONMENT;
    }
    file->n_bytes = (uint64_t)status.st_size;
    return read_header(file);
}

void npy_close(npy_file *file)
{
    if (file->in != NULL) {
        fclose(file->in);
    }
    free(file->items);
    *file = (npy_file)NPY_FILE_EMPTY;
}

/* ------------------------------------------------------------------ reading */

static float float_of_half(uint16_t half)
{
    unsigned exponent = half >> 10 & 31;
    unsigned fraction = half & 1023;
    float value = ldexpf((float)(1024 + fraction), (int)exponent - 25);
    if (exponent == 31) {
        value = fraction == 0 ? INFINITY : NAN;
    } else if (exponent == 0) {
        value = ldexpf((float)fraction, -24);
    }
    return half >> 15 != 0 ? -value : value;
}

bool npy_read(npy_file *file, float *vector)
{
    if (fread(file->items, file->item_bytes, file->dim, file->in) != file->dim) {
        if (ferror(file->in) != 0) {
            report_errno(file->name, errno);
        } else {
            message("%s became shorter while it was read", file->name);
        }
        return false;
    }
    file->row++;
    const uint16_t *halves = file->items;
    const double *doubles = file->items;
    if (file->item_bytes == sizeof(vector[0])) {
        memcpy(vector, file->items, file->dim * sizeof(vector[0]));
        return true;
    }
    for (uint32_t i = 0; i < file->dim; i++) {
        vector[i] =
            file->item_bytes == 2 ? float_of_half(halves[i]) : (float)doubles[i];
    }
    return true;
}
