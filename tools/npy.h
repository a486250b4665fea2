/* Reading NumPy files (.npy) of vectors: a matrix of float16, float32 or float64. */
#ifndef KITH_TOOLS_NPY_H
#define KITH_TOOLS_NPY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct npy_file {
    const char *name;
    FILE *in;
    uint64_t n_rows;
    uint32_t dim;
    uint64_t n_bytes;     /* of the file */
    unsigned item_bytes;  /* of a number: 2, 4 or 8 */
    uint64_t data_offset; /* of row 0 */
    uint64_t row;         /* that comes next */
    void *items;          /* of a row, as they stand in the file */
} npy_file;

#define NPY_FILE_EMPTY { .in = NULL }

/* Open a file: versions 1 to 3, little-endian, C order, two dimensions, as long as its
 * header says. Gives EXIT_DONE, or reports and gives another exit status. Close it in
 * both cases. `path` must outlive it. */
int npy_open(npy_file *file, const char *path);
/* The next row, dim floats; only while row < n_rows. False: reported. */
bool npy_read(npy_file *file, float *vector);
void npy_close(npy_file *file);

#endif
