/* LMDB's own format, read with pread and checked, because LMDB trusts its pages: a file
 * that was cut gives it SIGBUS, a damaged page header worse. Offsets are those of
 * LMDB's data version 1 (0.9.x) on 64-bit machines. */
#include "store_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

#define LMDB_MAGIC 0xBEEFC0DE
#define LMDB_DATA_VERSION 1
#define N_META_PAGES 2
#define MAX_DEPTH 32 /* LMDB's CURSOR_STACK */
#define NO_ROOT UINT64_MAX
/* More than LMDB leaves unwritten at the end of a file, small enough to be mapped. */
#define MAX_MISSING_BYTES ((uint64_t)1 << 40)

/* A page begins: number (8 bytes), padding (2), flags (2), lower and upper (2 each). */
#define PAGE_FLAGS_AT 10
#define PAGE_LOWER_AT 12
#define PAGE_UPPER_AT 14
#define PAGE_COUNT_AT 12 /* of an overflow run, instead of lower and upper */
#define PAGE_HEADER_BYTES 16
#define PAGE_BRANCH 0x01
#define PAGE_LEAF 0x02
#define PAGE_OVERFLOW 0x04
#define PAGE_META 0x08
#define PAGE_KIND_MASK 0x6f

/* A node: size or child (4), flags or child (2), key size (2), key, data. */
#define NODE_HEADER_BYTES 8
#define NODE_BIG_DATA 0x01
#define NODE_SUB_DATABASE 0x02

/* A tree: padding (4), flags (2), depth (2), four counts (8 each), root (8). */
#define TREE_BYTES 48
#define TREE_DEPTH_AT 6
#define TREE_ROOT_AT 40

/* A meta page, behind the page header. */
#define META_MAGIC_AT 16
#define META_VERSION_AT 20
#define META_FREE_TREE_AT 40 /* its padding holds the page size */
#define META_MAIN_TREE_AT 88
#define META_LAST_PAGE_AT 136
#define META_TRANSACTION_AT 144
#define META_BYTES 152

static uint16_t load16(const unsigned char *from)
{
    return (uint16_t)(from[0] | from[1] << 8);
}

static kith_status fail_foreign(kith_error *err, const char *path)
{
    return kbase_fail(err, KITH_CORRUPT,
                      "%s is not a collection's data or its first pages are damaged; "
                      "restore it from a backup",
                      path);
}

static kith_status check_meta(const unsigned char *meta, const char *path,
                              uint64_t file_bytes, kith_error *err)
{
    uint32_t magic = kstore_load32(meta + META_MAGIC_AT);
    if (magic == __builtin_bswap32(LMDB_MAGIC)) {
        return kbase_fail(err, KITH_VERSION,
                          "%s was made on a machine with another byte order; export it "
                          "there and import it here",
                          path);
    }
    if (magic != LMDB_MAGIC || (load16(meta + PAGE_FLAGS_AT) & PAGE_META) == 0) {
        return fail_foreign(err, path);
    }
    uint32_t version = kstore_load32(meta + META_VERSION_AT);
    if (version != LMDB_DATA_VERSION) {
        return kbase_fail(err, KITH_VERSION,
                          "%s has LMDB data version %u, this kith reads version %d",
                          path, version, LMDB_DATA_VERSION);
    }
    uint32_t page_bytes = kstore_load32(meta + META_FREE_TREE_AT);
    if (page_bytes != (uint32_t)sysconf(_SC_PAGESIZE)) {
        return kbase_fail(err, KITH_VERSION,
                          "%s has pages of %u bytes, this machine's have %ld; export "
                          "it on a machine like the one that made it",
                          path, page_bytes, sysconf(_SC_PAGESIZE));
    }
    uint64_t last_page = kstore_load64(meta + META_LAST_PAGE_AT);
    if (last_page >= (file_bytes + MAX_MISSING_BYTES) / page_bytes) {
        return fail_foreign(err, path);
    }
    return KITH_OK;
}

kith_status kstore_check_header(const char *path, kith_error *err)
{
    kbase_file file = KBASE_FILE_INIT;
    kith_status status = kbase_file_open(&file, path, O_RDONLY, 0, err);
    if (status != KITH_OK) {
        return status;
    }
    uint64_t file_bytes;
    status = kbase_file_size(&file, &file_bytes, err);
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    if (status == KITH_OK && file_bytes < N_META_PAGES * page_bytes) {
        status =
            kbase_fail(err, KITH_CORRUPT,
                       "%s has only %llu bytes: it was cut; restore it from a backup",
                       path, (unsigned long long)file_bytes);
    }
    for (uint64_t i = 0; status == KITH_OK && i < N_META_PAGES; i++) {
        unsigned char meta[META_BYTES];
        status = kbase_file_read(&file, meta, sizeof(meta), i * page_bytes, err);
        if (status == KITH_OK) {
            status = check_meta(meta, path, file_bytes, err);
        }
    }
    kbase_file_close(&file);
    return status;
}

/* ------------------------------------------------------------------ all pages */

typedef struct page_walk {
    kbase_file file; /* LMDB's descriptor, borrowed */
    size_t page_bytes;
    uint64_t n_file_pages; /* whole pages in the file */
    uint64_t last_page;    /* by LMDB's count; while free it may lie beyond the file */
    unsigned char *page;
    unsigned char *taken; /* a bit a page, used or free; NULL: only roots are read */
    kbase_buffer todo;    /* of page_ref */
    kbase_buffer large;   /* a large value */
} page_walk;

typedef struct page_ref {
    uint64_t number;
    uint32_t level; /* 1: a leaf */
    bool is_free;   /* of the tree that lists free pages */
} page_ref;

static kith_status fail_page(const page_walk *walk, uint64_t number,
                             const char *problem, kith_error *err)
{
    return kbase_fail(err, KITH_CORRUPT, "%s: page %llu %s; restore it from a backup",
                      walk->file.path, (unsigned long long)number, problem);
}

/* Each page has one use. */
static kith_status take(page_walk *walk, uint64_t number, kith_error *err)
{
    if (walk->taken == NULL) {
        return KITH_OK;
    }
    unsigned char bit = (unsigned char)(1 << number % 8);
    if (number > walk->last_page || (walk->taken[number / 8] & bit) != 0) {
        return fail_page(walk, number, "is damaged: used twice, or never made", err);
    }
    walk->taken[number / 8] |= bit;
    return KITH_OK;
}

/* Pages first to first + n - 1 are used: they must be in the file. */
static kith_status take_used(page_walk *walk, uint64_t first, uint64_t n,
                             kith_error *err)
{
    if (first < N_META_PAGES || first >= walk->n_file_pages ||
        n > walk->n_file_pages - first) {
        return fail_page(walk, first, "is used but not in the file: the file was cut",
                         err);
    }
    kith_status status = KITH_OK;
    for (uint64_t i = 0; status == KITH_OK && i < n; i++) {
        status = take(walk, first + i, err);
    }
    return status;
}

/* A value of the tree of free pages: their number, then which they are. */
static kith_status take_free(page_walk *walk, uint64_t number, const void *data,
                             size_t n_data, kith_error *err)
{
    const unsigned char *at = data;
    size_t n_words = n_data / sizeof(uint64_t);
    if (n_words == 0 || kstore_load64(at) >= n_words) {
        return fail_page(walk, number, "is damaged: a list of free pages", err);
    }
    kith_status status = KITH_OK;
    for (uint64_t i = kstore_load64(at); status == KITH_OK && i > 0; i--) {
        uint64_t page = kstore_load64(at + i * sizeof(uint64_t));
        status = page < N_META_PAGES ? fail_page(walk, page, "is listed as free", err)
                                     : take(walk, page, err);
    }
    return status;
}

static kith_status push(page_walk *walk, uint64_t number, uint32_t level, bool is_free,
                        kith_error *err)
{
    page_ref ref = { number, level, is_free };
    return kbase_buffer_append(&walk->todo, &ref, sizeof(ref), err);
}

static kith_status push_tree(page_walk *walk, const unsigned char *tree, bool is_free,
                             kith_error *err)
{
    uint16_t depth = load16(tree + TREE_DEPTH_AT);
    uint64_t root = kstore_load64(tree + TREE_ROOT_AT);
    if (root == NO_ROOT) {
        return KITH_OK;
    }
    if (depth == 0 || depth > MAX_DEPTH) {
        return fail_page(walk, root, "is the root of a tree of impossible depth", err);
    }
    return push(walk, root, depth, is_free, err);
}

/* A value that has pages of its own; the node holds the number of the first. */
static kith_status check_large(page_walk *walk, uint64_t first, uint64_t n_data,
                               bool is_free, kith_error *err)
{
    uint64_t n = (PAGE_HEADER_BYTES - 1 + n_data) / walk->page_bytes + 1;
    uint64_t at = first * walk->page_bytes;
    unsigned char header[PAGE_HEADER_BYTES];
    if (first >= walk->n_file_pages) {
        return take_used(walk, first, n, err);
    }
    kith_status status = kbase_file_read(&walk->file, header, sizeof(header), at, err);
    if (status != KITH_OK) {
        return status;
    }
    /* A value that replaced a longer one may have more pages than it needs. */
    uint64_t n_run = kstore_load32(header + PAGE_COUNT_AT);
    if (kstore_load64(header) != first ||
        (load16(header + PAGE_FLAGS_AT) & PAGE_KIND_MASK) != PAGE_OVERFLOW ||
        n_run < n) {
        return fail_page(walk, first, "is damaged: not the large value it should be",
                         err);
    }
    status = take_used(walk, first, n_run, err);
    if (status != KITH_OK || !is_free || walk->taken == NULL) {
        return status;
    }
    kbase_buffer_clear(&walk->large);
    status = kbase_buffer_reserve(&walk->large, n_data, err);
    if (status == KITH_OK) {
        status = kbase_file_read(&walk->file, walk->large.data, n_data,
                                 at + PAGE_HEADER_BYTES, err);
    }
    return status == KITH_OK ? take_free(walk, first, walk->large.data, n_data, err)
                             : status;
}

static kith_status check_leaf_node(page_walk *walk, const page_ref *ref, size_t at,
                                   kith_error *err)
{
    const unsigned char *node = walk->page + at;
    uint32_t n_data = kstore_load32(node);
    uint16_t flags = load16(node + 4);
    size_t data_at = at + NODE_HEADER_BYTES + load16(node + 6);
    size_t n_inline = (flags & NODE_BIG_DATA) != 0 ? sizeof(uint64_t) : n_data;
    if (data_at > walk->page_bytes || n_inline > walk->page_bytes - data_at) {
        return fail_page(walk, ref->number, "is damaged: an entry leaves the page",
                         err);
    }
    const unsigned char *data = walk->page + data_at;
    switch (flags) {
    case 0:
        return ref->is_free ? take_free(walk, ref->number, data, n_data, err) : KITH_OK;
    case NODE_BIG_DATA:
        return check_large(walk, kstore_load64(data), n_data, ref->is_free, err);
    case NODE_SUB_DATABASE:
        if (n_data == TREE_BYTES) {
            return push_tree(walk, data, false, err);
        }
        break;
    default:
        break;
    }
    return fail_page(walk, ref->number, "is damaged: an entry of no known kind", err);
}

static kith_status check_branch_node(page_walk *walk, const page_ref *ref, size_t at,
                                     kith_error *err)
{
    const unsigned char *node = walk->page + at;
    if ((size_t)load16(node + 6) > walk->page_bytes - at - NODE_HEADER_BYTES) {
        return fail_page(walk, ref->number, "is damaged: a key leaves the page", err);
    }
    if (walk->taken == NULL) {
        return KITH_OK;
    }
    uint64_t child = kstore_load32(node) | (uint64_t)load16(node + 4) << 32;
    return push(walk, child, ref->level - 1, ref->is_free, err);
}

static kith_status read_page(page_walk *walk, const page_ref *ref, size_t *n_keys,
                             kith_error *err)
{
    kith_status status = take_used(walk, ref->number, 1, err);
    if (status == KITH_OK) {
        status = kbase_file_read(&walk->file, walk->page, walk->page_bytes,
                                 ref->number * walk->page_bytes, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    size_t lower = load16(walk->page + PAGE_LOWER_AT);
    size_t upper = load16(walk->page + PAGE_UPPER_AT);
    int kind = load16(walk->page + PAGE_FLAGS_AT) & PAGE_KIND_MASK;
    if (kstore_load64(walk->page) != ref->number ||
        kind != (ref->level == 1 ? PAGE_LEAF : PAGE_BRANCH) || lower > upper ||
        upper > walk->page_bytes || lower % 2 != 0 || lower <= PAGE_HEADER_BYTES) {
        return fail_page(walk, ref->number, "is damaged", err);
    }
    *n_keys = (lower - PAGE_HEADER_BYTES) / 2;
    /* LMDB allows a branch with one key in the tree of free pages only. */
    if (ref->level > 1 && *n_keys == 1 && !ref->is_free) {
        return fail_page(walk, ref->number, "is damaged: too few branches", err);
    }
    return KITH_OK;
}

static kith_status check_page(page_walk *walk, const page_ref *ref, kith_error *err)
{
    size_t n_keys = 0;
    kith_status status = read_page(walk, ref, &n_keys, err);
    for (size_t i = 0; status == KITH_OK && i < n_keys; i++) {
        size_t at = load16(walk->page + PAGE_HEADER_BYTES + 2 * i);
        if (at < load16(walk->page + PAGE_UPPER_AT) || at % 2 != 0 ||
            at > walk->page_bytes - NODE_HEADER_BYTES) {
            status = fail_page(walk, ref->number,
                               "is damaged: an entry leaves the page", err);
        } else if (ref->level > 1) {
            status = check_branch_node(walk, ref, at, err);
        } else {
            status = check_leaf_node(walk, ref, at, err);
        }
    }
    return status;
}

/* Read the meta page of the transaction; its trees become the first things to do. */
static kith_status begin_walk(page_walk *walk, MDB_txn *txn, const char *path,
                              kith_error *err)
{
    *walk = (page_walk){ .file = { -1, (char *)(uintptr_t)path } };
    mdb_env_get_fd(mdb_txn_env(txn), &walk->file.fd);
    walk->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    uint64_t id = mdb_txn_id(txn);
    unsigned char meta[META_BYTES];
    kith_status status = kbase_file_read(&walk->file, meta, sizeof(meta),
                                         id % N_META_PAGES * walk->page_bytes, err);
    if (status == KITH_OK && kstore_load64(meta + META_TRANSACTION_AT) != id) {
        status = kbase_fail(err, KITH_BUSY,
                            "%s changes too fast to be checked; try again", path);
    }
    uint64_t file_bytes;
    if (status == KITH_OK) {
        status = kbase_file_size(&walk->file, &file_bytes, err);
    }
    if (status != KITH_OK) {
        return status;
    }
    walk->n_file_pages = file_bytes / walk->page_bytes;
    walk->last_page = kstore_load64(meta + META_LAST_PAGE_AT);
    walk->page = kbase_alloc_aligned(walk->page_bytes, 1);
    if (walk->page == NULL) {
        return kbase_fail_memory(err, walk->page_bytes);
    }
    status = push_tree(walk, meta + META_FREE_TREE_AT, true, err);
    return status == KITH_OK ? push_tree(walk, meta + META_MAIN_TREE_AT, false, err)
                             : status;
}

kith_status kstore_check_pages(MDB_txn *txn, const char *path, bool all,
                               kith_error *err)
{
    page_walk walk;
    kith_status status = begin_walk(&walk, txn, path, err);
    if (status == KITH_OK && (all || walk.last_page >= walk.n_file_pages)) {
        walk.taken = kbase_calloc(walk.last_page / 8 + 1, 1);
        if (walk.taken == NULL) {
            status = kbase_fail_memory(err, walk.last_page / 8 + 1);
        }
    }
    while (status == KITH_OK && walk.todo.n_bytes > 0) {
        page_ref ref;
        walk.todo.n_bytes -= sizeof(ref);
        memcpy(&ref, walk.todo.data + walk.todo.n_bytes, sizeof(ref));
        status = check_page(&walk, &ref, err);
    }
    free(walk.page);
    free(walk.taken);
    kbase_buffer_free(&walk.todo);
    kbase_buffer_free(&walk.large);
    return status;
}
