/* The vector file: a header, then a row of f16 numbers for each ordinal. */
#include "store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "checked.h"
#include "checksum.h"
#include "error.h"

#define FILE_NAME "vectors"
#define MAGIC "kithvec"

#define HEADER_BYTES 4096
#define ROW_ALIGNMENT 64
#define MAGIC_AT 0
#define VERSION_AT 8
#define BYTE_ORDER_AT 12
#define DIM_AT 16
#define STRIDE_AT 20
#define IDENTITY_AT 24
#define CHECKSUM_AT (HEADER_BYTES - 8)

/* A map is made larger than the file, so that rows added later appear in it. */
#define MIN_MAP_BYTES ((size_t)64 << 20)

static size_t stride_of(uint32_t dim)
{
    size_t n_bytes = dim * sizeof(uint16_t);
    return (n_bytes + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT;
}

kith_status kstore_vectors_create(const char *dir, uint32_t dim,
                                  const unsigned char identity[KSTORE_IDENTITY_BYTES],
                                  kith_error *err)
{
    unsigned char header[HEADER_BYTES] = { 0 };
    memcpy(header + MAGIC_AT, MAGIC, sizeof(MAGIC));
    kstore_save32(header + VERSION_AT, KSTORE_FORMAT_VERSION);
    kstore_save32(header + BYTE_ORDER_AT, KSTORE_BYTE_ORDER);
    kstore_save32(header + DIM_AT, dim);
    kstore_save32(header + STRIDE_AT, (uint32_t)stride_of(dim));
    memcpy(header + IDENTITY_AT, identity, KSTORE_IDENTITY_BYTES);
    kstore_save64(header + CHECKSUM_AT, kbase_hash64(header, CHECKSUM_AT));

    char *path = kbase_path_join(dir, FILE_NAME);
    if (path == NULL) {
        return kbase_fail_memory(err, sizeof(FILE_NAME));
    }
    kith_status status = kbase_write_whole(path, header, sizeof(header), err);
    free(path);
    return status;
}

static kith_status check_header(const unsigned char *header, const char *path,
                                uint32_t dim, const unsigned char *identity,
                                kith_error *err)
{
    if (memcmp(header + MAGIC_AT, MAGIC, sizeof(MAGIC)) != 0) {
        return kbase_fail(err, KITH_CORRUPT,
                          "%s is not a vector file; restore it from a backup", path);
    }
    uint32_t version = kstore_load32(header + VERSION_AT);
    if (version != KSTORE_FORMAT_VERSION) {
        return kbase_fail(err, KITH_VERSION,
                          "%s has format version %u, this kith reads version %d", path,
                          version, KSTORE_FORMAT_VERSION);
    }
    if (kstore_load64(header + CHECKSUM_AT) != kbase_hash64(header, CHECKSUM_AT)) {
        return kbase_fail(err, KITH_CORRUPT,
                          "%s: the header is damaged; restore it from a backup", path);
    }
    if (kstore_load32(header + BYTE_ORDER_AT) != KSTORE_BYTE_ORDER ||
        kstore_load32(header + DIM_AT) != dim ||
        kstore_load32(header + STRIDE_AT) != stride_of(dim) ||
        memcmp(header + IDENTITY_AT, identity, KSTORE_IDENTITY_BYTES) != 0) {
        return kbase_fail(
            err, KITH_CORRUPT,
            "%s and the data.mdb beside it are not of one collection; restore "
            "both from one backup",
            path);
    }
    return KITH_OK;
}

kith_status kstore_vectors_open(kstore_vector_file *vectors, const char *dir,
                                uint32_t dim,
                                const unsigned char identity[KSTORE_IDENTITY_BYTES],
                                bool writable, kith_error *err)
{
    char *path = kbase_path_join(dir, FILE_NAME);
    if (path == NULL) {
        return kbase_fail_memory(err, sizeof(FILE_NAME));
    }
    kith_status status =
        kbase_file_open(&vectors->file, path, writable ? O_RDWR : O_RDONLY, 0, err);
    free(path);
    if (status != KITH_OK) {
        return status;
    }
    vectors->stride = stride_of(dim);
    unsigned char header[HEADER_BYTES];
    status = kbase_file_read(&vectors->file, header, sizeof(header), 0, err);
    if (status == KITH_OK) {
        status = check_header(header, vectors->file.path, dim, identity, err);
    }
    return status;
}

void kstore_vectors_close(kstore_vector_file *vectors)
{
    for (size_t i = 0; i < vectors->n_maps; i++) {
        kbase_unmap(&vectors->maps[i]);
    }
    free(vectors->maps);
    kbase_file_close(&vectors->file);
}

/* Where a row begins; false when the file could not be that long. */
static bool offset_of(const kstore_vector_file *vectors, uint64_t row, uint64_t *offset)
{
    return kbase_mul64(offset, row, vectors->stride) &&
           kbase_add64(offset, *offset, HEADER_BYTES) && *offset <= INT64_MAX;
}

static kith_status row_offset(const kstore_vector_file *vectors, uint64_t row,
                              uint64_t *offset, kith_error *err)
{
    if (!offset_of(vectors, row, offset)) {
        return kbase_fail(err, KITH_CORRUPT, "%s cannot have %llu rows",
                          vectors->file.path, (unsigned long long)row);
    }
    return KITH_OK;
}

kith_status kstore_vectors_check_size(const kstore_vector_file *vectors,
                                      uint64_t n_rows, kith_error *err)
{
    uint64_t wanted;
    uint64_t n_bytes;
    kith_status status = row_offset(vectors, n_rows, &wanted, err);
    if (status == KITH_OK) {
        status = kbase_file_size(&vectors->file, &n_bytes, err);
    }
    if (status == KITH_OK && n_bytes < wanted) {
        status = kbase_fail(err, KITH_CORRUPT,
                            "%s has %llu bytes, its %llu rows need %llu: it was cut; "
                            "restore it from a backup",
                            vectors->file.path, (unsigned long long)n_bytes,
                            (unsigned long long)n_rows, (unsigned long long)wanted);
    }
    return status;
}

kith_status kstore_vectors_read(const kstore_vector_file *vectors, uint64_t row,
                                void *data, size_t n_bytes, kith_error *err)
{
    uint64_t offset;
    kith_status status = row_offset(vectors, row, &offset, err);
    if (status == KITH_OK) {
        status = kbase_file_read(&vectors->file, data, n_bytes, offset, err);
    }
    return status;
}

kith_status kstore_vectors_write(const kstore_vector_file *vectors, uint64_t row,
                                 const void *rows, size_t n_bytes, kith_error *err)
{
    uint64_t offset;
    kith_status status = row_offset(vectors, row, &offset, err);
    if (status == KITH_OK) {
        status = kbase_file_write(&vectors->file, rows, n_bytes, offset, err);
    }
    return status;
}

/* ------------------------------------------------------------------ mapping */

/* The current map, or a larger one. The environment's mutex is held. */
static kith_status map_bytes(kstore_vector_file *vectors, size_t n_bytes,
                             kith_error *err)
{
    if (vectors->n_maps > 0 && vectors->maps[vectors->n_maps - 1].n_bytes >= n_bytes) {
        return KITH_OK;
    }
    size_t wanted;
    if (!kbase_mul(&wanted, n_bytes, 2)) {
        return kbase_fail_memory(err, n_bytes);
    }
    wanted = wanted > MIN_MAP_BYTES ? wanted : MIN_MAP_BYTES;
    kbase_map *maps = kbase_realloc(vectors->maps, vectors->n_maps + 1, sizeof(*maps));
    if (maps == NULL) {
        return kbase_fail_memory(err, sizeof(*maps));
    }
    vectors->maps = maps;
    void *data = mmap(NULL, wanted, PROT_READ, MAP_SHARED, vectors->file.fd, 0);
    if (data == MAP_FAILED) {
        return kbase_fail_errno(err, errno, "cannot map %s into memory",
                                vectors->file.path);
    }
    vectors->maps[vectors->n_maps++] = (kbase_map){ data, wanted };
    return KITH_OK;
}

kith_status kstore_map_vectors(const kstore_snapshot *snapshot, kstore_vectors *vectors,
                               kith_error *err)
{
    kstore_environment *environment = snapshot->environment;
    kstore_vector_file *file = &environment->vectors;
    uint64_t n_bytes;
    kith_status status = kstore_check_process(environment, err);
    if (status == KITH_OK) {
        status = row_offset(file, snapshot->n_file_rows, &n_bytes, err);
    }
    if (status == KITH_OK) {
        status = kstore_vectors_check_size(file, snapshot->n_file_rows, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    pthread_mutex_lock(&environment->mutex);
    status = map_bytes(file, (size_t)n_bytes, err);
    if (status == KITH_OK) {
        const unsigned char *data = file->maps[file->n_maps - 1].data;
        *vectors = (kstore_vectors){
            .data = (const uint16_t *)(const void *)(data + HEADER_BYTES),
            .stride = file->stride / sizeof(uint16_t),
            .n_rows = snapshot->n_file_rows,
        };
    }
    pthread_mutex_unlock(&environment->mutex);
    return status;
}
