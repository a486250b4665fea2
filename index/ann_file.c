/* The frame around FAISS's bytes; docs/format.md describes it. FAISS believes what it
 * reads, so nothing reaches it that does not have the digest written at the build. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ann_parts.h"
#include "checked.h"
#include "checksum.h"
#include "error.h"
#include "factory.h"
#include "faiss_module.h"
#include "file.h"

#define FORMAT_VERSION 0
#define FINGERPRINT_BYTES 32
#define COMPARE_BYTES ((size_t)1 << 20)

static const char magic[8] = "KITHANN";

typedef struct stored_point {
    uint32_t k;
    uint32_t nprobe;
    double recall;
    double seconds;
} stored_point;

/* As it lies in the file, little-endian. The map, n_map ordinals of 8 bytes, and the
 * blob follow it. */
typedef struct header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;
    uint64_t file_bytes;
    char fingerprint[FINGERPRINT_BYTES]; /* of the model; zeros behind a shorter one */
    uint32_t dim;
    uint32_t n_lists;
    uint64_t covers;
    uint64_t n_vectors;
    uint64_t n_map; /* n_vectors, or 0: FAISS's ids are ordinals */
    uint64_t blob_bytes;
    char factory[KIDX_FACTORY_BYTES]; /* zeros behind it */
    uint32_t n_queries;
    uint32_t n_points;
    double scan_seconds;
    double batch_scan_seconds;
    double margin;
    uint64_t n_candidates;
    stored_point points[KIDX_MAX_POINTS];
    uint64_t map_checksum;   /* XXH3-64 */
    uint64_t blob_digest[2]; /* XXH3-128: low, high half */
    uint64_t checksum;       /* XXH3-64 of the header up to here */
} header;

_Static_assert(sizeof(header) == 2536, "the header has no gaps");

/* An open file whose header has been checked. */
typedef struct frame {
    kbase_file file;
    header head;
} frame;

/* A name or fingerprint in a field of fixed size, zeros behind it. */
static void put_text(char *field, size_t size, const char *text)
{
    size_t n = strnlen(text, size);
    memset(field, 0, size);
    memcpy(field, text, n);
}

static kith_status corrupt(const char *path, const char *what, kith_error *err)
{
    return kbase_fail(err, KITH_CORRUPT,
                      "%s is damaged (%s): delete it and build the index again", path,
                      what);
}

static kith_status check_points(const char *path, const header *head, kith_error *err)
{
    if (head->n_points > KIDX_MAX_POINTS) {
        return corrupt(path, "length of the recall table", err);
    }
    if (!(head->scan_seconds >= 0 && head->batch_scan_seconds >= 0)) {
        return corrupt(path, "seconds of a scan", err);
    }
    if (!isfinite(head->margin) || head->n_candidates == 0 ||
        head->n_candidates > KIDX_MAX_CANDIDATES) {
        return corrupt(path, "what is rescored", err);
    }
    for (uint32_t i = 0; i < head->n_points; i++) {
        const stored_point *p = &head->points[i];
        bool follows =
            i == 0 || p[-1].k < p->k || (p[-1].k == p->k && p[-1].nprobe < p->nprobe);
        if (!follows || !(p->recall >= 0 && p->recall <= 1) ||
            !(p->seconds >= 0) ||
            p->nprobe > head->n_lists) {
            return corrupt(path, "recall table", err);
        }
    }
    return KITH_OK;
}

/* What the fields say about each other; a checksum that fits does not prove that. */
static kith_status check_fields(const char *path, const header *head, kith_error *err)
{
    kidx_factory factory;
    uint64_t map_bytes;
    uint64_t n_bytes = sizeof(*head);
    if (!kbase_mul64(&map_bytes, head->n_map, sizeof(uint64_t)) ||
        !kbase_add64(&n_bytes, n_bytes, map_bytes) ||
        !kbase_add64(&n_bytes, n_bytes, head->blob_bytes) ||
        n_bytes != head->file_bytes || head->blob_bytes == 0) {
        return corrupt(path, "lengths", err);
    }
    if (memchr(head->factory, '\0', sizeof(head->factory)) == NULL ||
        kidx_factory_parse(head->factory, head->dim, &factory, NULL) != KITH_OK ||
        factory.n_lists != head->n_lists) {
        return corrupt(path, "factory string", err);
    }
    if (head->n_vectors == 0 || head->n_vectors > head->covers ||
        head->n_map != (head->n_lists == 0 ? head->n_vectors : 0)) {
        return corrupt(path, "counts", err);
    }
    return check_points(path, head, err);
}

static kith_status check_header(const frame *in, const char *path, kith_error *err)
{
    const header *head = &in->head;
    if (memcmp(head->magic, magic, sizeof(magic)) != 0) {
        return corrupt(path, "it does not start as an index does", err);
    }
    if (head->version != FORMAT_VERSION) {
        return kbase_fail(err, KITH_VERSION,
                          "%s has format version %u, not %d: build the index again",
                          path, head->version, FORMAT_VERSION);
    }
    if (head->header_bytes != sizeof(*head) ||
        head->checksum != kbase_hash64(head, offsetof(header, checksum))) {
        return corrupt(path, "checksum of the header", err);
    }
    uint64_t n_bytes;
    kith_status status = kbase_file_size(&in->file, &n_bytes, err);
    if (status != KITH_OK) {
        return status;
    }
    if (n_bytes != head->file_bytes) {
        return corrupt(path, "length of the file", err);
    }
    return check_fields(path, head, err);
}

/* Open, read the header, check it; in->file is open only on success. */
static kith_status frame_open(frame *in, const char *path, const char *fingerprint,
                              uint32_t dim, kith_error *err)
{
    in->file = (kbase_file)KBASE_FILE_INIT;
    kith_status status = kbase_file_open(&in->file, path, O_RDONLY, 0, err);
    if (status != KITH_OK) {
        return status;
    }
    char wanted[FINGERPRINT_BYTES];
    put_text(wanted, sizeof(wanted), fingerprint);
    status = kbase_file_read(&in->file, &in->head, sizeof(in->head), 0, err);
    if (status == KITH_OK) {
        status = check_header(in, path, err);
    }
    if (status == KITH_OK &&
        (memcmp(in->head.fingerprint, wanted, sizeof(wanted)) != 0 ||
         in->head.dim != dim)) {
        status = kbase_fail(err, KITH_MISMATCH,
                            "%s is of another model: build the index again", path);
    }
    if (status != KITH_OK) {
        kbase_file_close(&in->file);
    }
    return status;
}

static void info_from(const header *head, kidx_ann_info *info)
{
    *info = (kidx_ann_info){ .n_lists = head->n_lists,
                             .covers = head->covers,
                             .n_bytes = head->file_bytes,
                             .n_candidates = (uint32_t)head->n_candidates,
                             .margin = head->margin };
    memcpy(info->factory, head->factory, sizeof(info->factory));
    info->recall.n_queries = head->n_queries;
    info->recall.n_points = head->n_points;
    info->recall.scan_seconds = head->scan_seconds;
    info->recall.batch_scan_seconds = head->batch_scan_seconds;
    for (uint32_t i = 0; i < head->n_points; i++) {
        const stored_point *p = &head->points[i];
        info->recall.points[i] = (kidx_recall_point){ p->k, p->nprobe, p->recall,
                                                      p->seconds };
    }
}

kith_status kidx_ann_peek(const char *path, const char *fingerprint, uint32_t dim,
                          kidx_ann_info *info, kith_error *err)
{
    frame in;
    kith_status status = frame_open(&in, path, fingerprint, dim, err);
    if (status == KITH_OK) {
        info_from(&in.head, info);
        kbase_file_close(&in.file);
    }
    return status;
}

/* FAISS's part, after the digest was found right. */
static kith_status read_blob(kidx_ann *ann, const header *head, const void *blob,
                             const char *path, kith_error *err)
{
    kith_status status = ann->ops->read(blob, (size_t)head->blob_bytes, &ann->index);
    if (status != KITH_OK) {
        return kbase_fail(err, status == KITH_INVALID ? KITH_CORRUPT : status,
                          "%s: FAISS cannot read it: build the index again", path);
    }
    kidx_faiss_info info;
    ann->ops->get_info(ann->index, &info);
    if (!info.trained || !info.inner_product || info.dim != head->dim ||
        info.n_lists != head->n_lists || info.n_vectors != head->n_vectors) {
        return corrupt(path, "FAISS's counts are not those of the header", err);
    }
    return KITH_OK;
}

static kith_status take_map(kidx_ann *ann, const header *head, const unsigned char *map,
                            const char *path, kith_error *err)
{
    if (head->n_map == 0) {
        return KITH_OK;
    }
    size_t n_bytes = (size_t)head->n_map * sizeof(*ann->ordinals);
    ann->ordinals = malloc(n_bytes);
    if (ann->ordinals == NULL) {
        return kbase_fail_memory(err, n_bytes);
    }
    memcpy(ann->ordinals, map, n_bytes);
    for (uint64_t i = 0; i < head->n_map; i++) {
        if (ann->ordinals[i] >= head->covers) {
            return corrupt(path, "ordinals", err);
        }
    }
    return KITH_OK;
}

static kith_status read_content(kidx_ann *ann, const frame *in, const char *path,
                                kith_error *err)
{
    kbase_map map = KBASE_MAP_INIT;
    const header *head = &in->head;
    kith_status status = kbase_map_file(&in->file, (size_t)head->file_bytes, &map, err);
    if (status != KITH_OK) {
        return status;
    }
    const unsigned char *content = map.data + sizeof(*head);
    size_t map_bytes = (size_t)head->n_map * sizeof(uint64_t);
    kbase_hash128 digest =
        kbase_hash128_of(content + map_bytes, (size_t)head->blob_bytes);
    if (kbase_hash64(content, map_bytes) != head->map_checksum ||
        digest.low != head->blob_digest[0] || digest.high != head->blob_digest[1]) {
        status = corrupt(path, "checksum of the content", err);
    }
    if (status == KITH_OK) {
        status = take_map(ann, head, content, path, err);
    }
    if (status == KITH_OK) {
        status = read_blob(ann, head, content + map_bytes, path, err);
    }
    kbase_unmap(&map);
    return status;
}

kith_status kidx_ann_load_with(const kidx_faiss_ops *ops, const char *path,
                               const char *fingerprint, uint32_t dim, kidx_ann **out,
                               kith_error *err)
{
    frame in;
    kith_status status = frame_open(&in, path, fingerprint, dim, err);
    if (status != KITH_OK) {
        return status;
    }
    kidx_ann *ann = NULL;
    if (ops == NULL) {
        status = kidx_faiss_load(&ops, err);
    }
    if (status == KITH_OK) {
        ann = kidx_ann_new(ops, dim);
        status = ann != NULL ? read_content(ann, &in, path, err)
                             : kbase_fail_memory(err, sizeof(*ann));
    }
    kbase_file_close(&in.file);
    if (status != KITH_OK) {
        kidx_ann_free(ann);
        return status;
    }
    info_from(&in.head, &ann->info);
    ann->n_vectors = in.head.n_vectors;
    ann->nprobe = ann->info.n_lists > 0 ? 1 : 0;
    ops->set_nprobe(ann->index, 1);
    *out = ann;
    return KITH_OK;
}

kith_status kidx_ann_load(const char *path, const char *fingerprint, uint32_t dim,
                          kidx_ann **ann, kith_error *err)
{
    return kidx_ann_load_with(NULL, path, fingerprint, dim, ann, err);
}

static void header_from(const kidx_ann *ann, const char *fingerprint, const char *blob,
                        size_t blob_bytes, header *head)
{
    const kidx_ann_info *info = &ann->info;
    memset(head, 0, sizeof(*head));
    memcpy(head->magic, magic, sizeof(magic));
    head->version = FORMAT_VERSION;
    head->header_bytes = sizeof(*head);
    put_text(head->fingerprint, sizeof(head->fingerprint), fingerprint);
    head->dim = ann->dim;
    head->n_lists = info->n_lists;
    head->covers = info->covers;
    head->n_vectors = ann->n_vectors;
    head->n_map = ann->ordinals != NULL ? ann->n_vectors : 0;
    head->blob_bytes = blob_bytes;
    head->file_bytes = sizeof(*head) + head->n_map * sizeof(uint64_t) + blob_bytes;
    put_text(head->factory, sizeof(head->factory), info->factory);
    head->n_queries = info->recall.n_queries;
    head->n_points = info->recall.n_points;
    head->scan_seconds = info->recall.scan_seconds;
    head->batch_scan_seconds = info->recall.batch_scan_seconds;
    head->margin = info->margin;
    head->n_candidates = info->n_candidates;
    for (uint32_t i = 0; i < head->n_points; i++) {
        const kidx_recall_point *p = &info->recall.points[i];
        head->points[i] = (stored_point){ p->k, p->nprobe, p->recall, p->seconds };
    }
    head->map_checksum = kbase_hash64(ann->ordinals, (size_t)head->n_map * 8);
    kbase_hash128 digest = kbase_hash128_of(blob, blob_bytes);
    head->blob_digest[0] = digest.low;
    head->blob_digest[1] = digest.high;
    head->checksum = kbase_hash64(head, offsetof(header, checksum));
}

/* Write one part of the file, then read it back and compare. */
static kith_status write_part(kbase_new_file *out, const void *data, size_t n_bytes,
                              uint64_t offset, kith_error *err)
{
    kith_status status = kbase_file_write(&out->file, data, n_bytes, offset, err);
    if (status != KITH_OK) {
        return status;
    }
    size_t chunk = n_bytes < COMPARE_BYTES ? n_bytes : COMPARE_BYTES;
    char *back = malloc(chunk + 1);
    if (back == NULL) {
        return kbase_fail_memory(err, chunk);
    }
    for (size_t i = 0; i < n_bytes && status == KITH_OK; i += chunk) {
        size_t n = n_bytes - i < chunk ? n_bytes - i : chunk;
        status = kbase_file_read(&out->file, back, n, offset + i, err);
        if (status == KITH_OK && memcmp(back, (const char *)data + i, n) != 0) {
            status = kbase_fail(err, KITH_IO,
                                "%s: other bytes were read back than were written",
                                out->file.path);
        }
    }
    free(back);
    return status;
}

kith_status kidx_ann_save(const kidx_ann *ann, const char *path,
                          const char *fingerprint, kith_error *err)
{
    char *blob = NULL;
    size_t blob_bytes = 0;
    kbase_new_file out = KBASE_NEW_FILE_INIT;
    kith_status status = ann->ops->write(ann->index, &blob, &blob_bytes);
    if (status != KITH_OK) {
        return kbase_fail(err, status, "no memory to write the approximate index");
    }
    header head;
    header_from(ann, fingerprint, blob, blob_bytes, &head);
    size_t map_bytes = (size_t)head.n_map * sizeof(uint64_t);
    status = kbase_new_file_begin(&out, path, err);
    if (status == KITH_OK) {
        status = write_part(&out, &head, sizeof(head), 0, err);
    }
    if (status == KITH_OK && map_bytes > 0) {
        status = write_part(&out, ann->ordinals, map_bytes, sizeof(head), err);
    }
    if (status == KITH_OK) {
        status = write_part(&out, blob, blob_bytes, sizeof(head) + map_bytes, err);
    }
    if (status == KITH_OK) {
        status = kbase_new_file_commit(&out, err);
    } else {
        kbase_new_file_abort(&out);
    }
    free(blob);
    return status;
}
