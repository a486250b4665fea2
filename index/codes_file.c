/* The file of the codes; docs/format.md describes it. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "checksum.h"
#include "codes_parts.h"
#include "error.h"
#include "memory.h"
#include "select.h"

#define FORMAT_VERSION 0
#define FINGERPRINT_BYTES 32
#define HEADER_BYTES 4096
#define K_UNIT 64
#define BLOCK_PANELS (KIDX_CODES_BLOCK / KIDX_PANEL)
#define BLOCKS_AT_A_TIME 16

static const char magic[8] = "KITHI8R";

/* As it lies in the file, little-endian; zeros up to HEADER_BYTES behind it. The panels
 * and the checksums of the blocks follow. */
typedef struct header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;
    uint64_t file_bytes;
    char fingerprint[FINGERPRINT_BYTES]; /* of the model; zeros behind a shorter one */
    uint32_t dim;
    uint32_t k;
    uint64_t covers;
    uint64_t checksums_checksum; /* XXH3-64 */
    uint64_t checksum;           /* XXH3-64 of the header up to here */
} header;

_Static_assert(sizeof(header) == 88, "the header has no gaps");

static uint64_t div_up(uint64_t n, uint64_t unit)
{
    return n / unit + (n % unit != 0);
}

/* ------------------------------------------------------------------ quantizing */

void kidx_quantize(const float *x, size_t n, int limit, int32_t *codes, float *scale,
                   float *error)
{
    const float rounder = 0x1.8p23f; /* added, it leaves no place for a fraction */
    float largest = 0;
    double rest = 0;
    for (size_t i = 0; i < n; i++) {
        float size = fabsf(x[i]);
        largest = size > largest ? size : largest;
    }
    *scale = largest / (float)limit;
    const float inverse = *scale > 0 ? 1 / *scale : 0;
    for (size_t i = 0; i < n; i++) {
        /* Rounding may lead just above the limit. */
        float code = (x[i] * inverse + rounder) - rounder;
        code = code > (float)limit ? (float)limit : code;
        code = code < (float)-limit ? (float)-limit : code;
        double left = (double)x[i] - (double)*scale * (double)code;
        codes[i] = (int32_t)code;
        rest += left * left;
    }
    *error = (float)(sqrt(rest) * (1 + 1e-6));
}

/* What makes panels. */
typedef struct make {
    const kidx_kernels *kernels;
    const kidx_rows *rows;
    size_t k;
    uint64_t first_panel;
    unsigned char *panels;
} make;

static void make_task(void *context, size_t index, unsigned worker)
{
    const make *m = context;
    const uint64_t first = (m->first_panel + index) * KIDX_PANEL;
    const uint16_t *rows[KIDX_PANEL];
    uint32_t live = 0;
    (void)worker;
    for (size_t lane = 0; lane < KIDX_PANEL; lane++) {
        const uint64_t ordinal = first + lane;
        const bool is_row = ordinal < m->rows->n_rows;
        live |= (uint32_t)(is_row && !kidx_is_dead(m->rows, ordinal)) << lane;
        rows[lane] = m->rows->data + (is_row ? ordinal : first) * m->rows->stride;
    }
    m->kernels->quantize(rows, live, m->rows->dim, m->k,
                         m->panels + index * kidx_panel_bytes(m->k));
}

size_t kidx_codes_k(uint32_t dim)
{
    return (size_t)div_up(dim, K_UNIT) * K_UNIT;
}

void kidx_codes_make(kbase_isa isa, kbase_pool *pool, const kidx_rows *rows,
                     uint64_t first_panel, size_t n, unsigned char *panels)
{
    make m = { .kernels = kidx_kernels_for(isa),
               .rows = rows,
               .k = kidx_codes_k(rows->dim),
               .first_panel = first_panel,
               .panels = panels };
    kidx_run(pool, n, make_task, &m);
}

/* ------------------------------------------------------------------ writing */

typedef struct build {
    const kidx_rows *rows;
    size_t k;
    unsigned char *panels; /* BLOCKS_AT_A_TIME */
    uint64_t *checksums;   /* of the blocks */
    const kbase_file *file;
} build;

/* Make and write all panels, and note the checksums of the blocks. */
static kith_status write_panels(const build *b, kbase_isa isa, kbase_pool *pool,
                                kith_error *err)
{
    const size_t panel_bytes = kidx_panel_bytes(b->k);
    const uint64_t n_panels = div_up(b->rows->n_rows, KIDX_PANEL);
    const size_t at_a_time = BLOCKS_AT_A_TIME * BLOCK_PANELS;
    kith_status status = KITH_OK;
    for (uint64_t first = 0; first < n_panels && status == KITH_OK; first += at_a_time) {
        uint64_t left = n_panels - first;
        size_t n = left < at_a_time ? (size_t)left : at_a_time;
        kidx_codes_make(isa, pool, b->rows, first, n, b->panels);
        for (size_t i = 0; i < n; i += BLOCK_PANELS) {
            size_t in_block = n - i < BLOCK_PANELS ? n - i : BLOCK_PANELS;
            b->checksums[(first + i) / BLOCK_PANELS] =
                kbase_hash64(b->panels + i * panel_bytes, in_block * panel_bytes);
        }
        status = kbase_file_write(b->file, b->panels, n * panel_bytes,
                                  HEADER_BYTES + first * panel_bytes, err);
    }
    return status;
}

static kith_status write_rest(const build *b, const char *fingerprint, kith_error *err)
{
    unsigned char bytes[HEADER_BYTES] = { 0 };
    header head = { .version = FORMAT_VERSION, .header_bytes = sizeof(head) };
    const size_t n_bytes =
        (size_t)div_up(b->rows->n_rows, KIDX_CODES_BLOCK) * sizeof(*b->checksums);
    const uint64_t at = HEADER_BYTES + div_up(b->rows->n_rows, KIDX_PANEL) *
                                           kidx_panel_bytes(b->k);
    memcpy(head.magic, magic, sizeof(magic));
    memcpy(head.fingerprint, fingerprint, strnlen(fingerprint, FINGERPRINT_BYTES));
    head.file_bytes = at + n_bytes;
    head.dim = b->rows->dim;
    head.k = (uint32_t)b->k;
    head.covers = b->rows->n_rows;
    head.checksums_checksum = kbase_hash64(b->checksums, n_bytes);
    head.checksum = kbase_hash64(&head, offsetof(header, checksum));
    memcpy(bytes, &head, sizeof(head));
    kith_status status = kbase_file_write(b->file, b->checksums, n_bytes, at, err);
    return status == KITH_OK ? kbase_file_write(b->file, bytes, sizeof(bytes), 0, err)
                             : status;
}

kith_status kidx_codes_build(kbase_isa isa, kbase_pool *pool, const kidx_rows *rows,
                             const char *path, const char *fingerprint, kith_error *err)
{
    kbase_new_file out = KBASE_NEW_FILE_INIT;
    build b = { .rows = rows, .k = kidx_codes_k(rows->dim), .file = &out.file };
    const size_t n_bytes = BLOCKS_AT_A_TIME * BLOCK_PANELS * kidx_panel_bytes(b.k);
    b.checksums =
        kbase_calloc(div_up(rows->n_rows, KIDX_CODES_BLOCK) + 1, sizeof(*b.checksums));
    b.panels = kbase_alloc_aligned(n_bytes, 1);
    kith_status status = b.checksums != NULL && b.panels != NULL
                             ? kbase_new_file_begin(&out, path, err)
                             : kbase_fail_memory(err, n_bytes);
    if (status == KITH_OK) {
        status = write_panels(&b, isa, pool, err);
    }
    if (status == KITH_OK) {
        status = write_rest(&b, fingerprint, err);
    }
    if (status == KITH_OK) {
        status = kbase_new_file_commit(&out, err);
    }
    kbase_new_file_abort(&out);
    free(b.panels);
    free(b.checksums);
    return status;
}

/* ------------------------------------------------------------------ opening */

static kith_status corrupt(const char *path, const char *what, kith_error *err)
{
    return kbase_fail(err, KITH_CORRUPT,
                      "%s is damaged (%s): delete it and build the index again", path,
                      what);
}

/* Whether the file is as long as its header says, and the header is of one piece. */
static kith_status check_header(const kidx_codes *codes, const header *head,
                                const char *fingerprint, kith_error *err)
{
    uint64_t n_panels = div_up(head->covers, KIDX_PANEL);
    uint64_t n_bytes;
    if (memcmp(head->magic, magic, sizeof(magic)) != 0) {
        return corrupt(codes->path, "it does not start as codes do", err);
    }
    if (head->version != FORMAT_VERSION) {
        return kbase_fail(err, KITH_VERSION,
                          "%s has format version %u, not %d: build the index again",
                          codes->path, head->version, FORMAT_VERSION);
    }
    if (head->header_bytes != sizeof(*head) ||
        head->checksum != kbase_hash64(head, offsetof(header, checksum))) {
        return corrupt(codes->path, "checksum of the header", err);
    }
    if (head->dim != codes->dim || head->k != codes->k ||
        strncmp(head->fingerprint, fingerprint, FINGERPRINT_BYTES) != 0) {
        return kbase_fail(err, KITH_MISMATCH,
                          "%s was made with another model: build the index again",
                          codes->path);
    }
    if (!kbase_mul64(&n_bytes, n_panels, kidx_panel_bytes(codes->k)) ||
        !kbase_add64(&n_bytes, n_bytes, HEADER_BYTES) ||
        !kbase_add64(&n_bytes, n_bytes, div_up(head->covers, KIDX_CODES_BLOCK) * 8) ||
        n_bytes != head->file_bytes || n_bytes != codes->map.n_bytes) {
        return corrupt(codes->path, "length of the file", err);
    }
    return KITH_OK;
}

static kith_status map_file(kidx_codes *codes, const char *fingerprint, kith_error *err)
{
    kbase_file file = KBASE_FILE_INIT;
    header head;
    kith_status status = kbase_file_open(&file, codes->path, O_RDONLY, 0, err);
    if (status == KITH_OK) {
        status = kbase_map_file(&file, 0, &codes->map, err);
    }
    kbase_file_close(&file);
    if (status != KITH_OK) {
        return status;
    }
    if (codes->map.n_bytes < HEADER_BYTES) {
        return corrupt(codes->path, "length of the file", err);
    }
    memcpy(&head, codes->map.data, sizeof(head));
    status = check_header(codes, &head, fingerprint, err);
    if (status != KITH_OK) {
        return status;
    }
    const size_t n_blocks = (size_t)div_up(head.covers, KIDX_CODES_BLOCK);
    codes->covers = head.covers;
    codes->panels = codes->map.data + HEADER_BYTES;
    codes->checksums = (const uint64_t *)(const void *)(codes->map.data +
                                                        codes->map.n_bytes - n_blocks * 8);
    if (head.checksums_checksum != kbase_hash64(codes->checksums, n_blocks * 8)) {
        return corrupt(codes->path, "checksums of the blocks", err);
    }
    codes->is_checked = kbase_calloc(n_blocks + 1, sizeof(*codes->is_checked));
    return codes->is_checked != NULL ? KITH_OK : kbase_fail_memory(err, n_blocks);
}

kith_status kidx_codes_open(const char *path, const char *fingerprint, uint32_t dim,
                            kidx_codes **out, kith_error *err)
{
    kidx_codes *codes = kbase_calloc(1, sizeof(*codes));
    if (codes == NULL || (codes->path = strdup(path)) == NULL) {
        free(codes);
        return kbase_fail_memory(err, sizeof(*codes));
    }
    codes->dim = dim;
    codes->k = kidx_codes_k(dim);
    kith_status status = map_file(codes, fingerprint, err);
    if (status == KITH_OK) {
        *out = codes;
    } else {
        kidx_codes_close(codes);
    }
    return status;
}

void kidx_codes_close(kidx_codes *codes)
{
    if (codes != NULL) {
        kbase_unmap(&codes->map);
        free(codes->is_checked);
        free(codes->path);
        free(codes);
    }
}

uint64_t kidx_codes_covers(const kidx_codes *codes)
{
    return atomic_load(&codes->is_damaged) ? 0 : codes->covers;
}

bool kidx_codes_check_block(kidx_codes *codes, uint64_t block)
{
    if (atomic_load_explicit(&codes->is_checked[block], memory_order_relaxed) != 0) {
        return true;
    }
    const uint64_t n_panels = div_up(codes->covers, KIDX_PANEL) - block * BLOCK_PANELS;
    const size_t panel_bytes = kidx_panel_bytes(codes->k);
    const size_t n_bytes =
        (size_t)(n_panels < BLOCK_PANELS ? n_panels : BLOCK_PANELS) * panel_bytes;
    if (kbase_hash64(codes->panels + block * BLOCK_PANELS * panel_bytes, n_bytes) !=
        codes->checksums[block]) {
        atomic_store(&codes->is_damaged, true);
        return false;
    }
    atomic_store_explicit(&codes->is_checked[block], 1, memory_order_relaxed);
    return true;
}

kith_status kidx_codes_verify(kidx_codes *codes, kith_error *err)
{
    const uint64_t n_blocks = div_up(codes->covers, KIDX_CODES_BLOCK);
    for (uint64_t block = 0; block < n_blocks; block++) {
        atomic_store(&codes->is_checked[block], 0);
        if (!kidx_codes_check_block(codes, block)) {
            return corrupt(codes->path, "checksum of a block", err);
        }
    }
    return KITH_OK;
}
