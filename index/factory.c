#include "factory.h"

#include <stdio.h>
#include <string.h>

#include "error.h"

/* FAISS warns on stderr below this many training vectors for each cluster. */
#define TRAINING_PER_CLUSTER 39
#define MAX_LISTS (1u << 20)
/* Without lists, fast scan adds up a byte for each part in 16 bits, unchecked. */
#define MAX_PARTS_FLAT 256

/* Below this many rows, looking at all of them costs as much as choosing lists. */
#define MIN_ROWS_FOR_LISTS 20000

/* Read a number of at most 7 digits without leading zero; NULL: there is none. */
static const char *read_number(const char *text, uint32_t *number)
{
    uint32_t n = 0;
    int n_digits = 0;
    while (text[n_digits] >= '0' && text[n_digits] <= '9' && n_digits < 7) {
        n = n * 10 + (uint32_t)(text[n_digits++] - '0');
    }
    *number = n;
    return n_digits > 0 && text[0] != '0' ? text + n_digits : NULL;
}

/* "IVF1024," or "IVF1024_HNSW32,": what follows it, or NULL. */
static const char *read_lists(const char *text, uint32_t *n_lists)
{
    const char *rest = read_number(text + strlen("IVF"), n_lists);
    if (rest != NULL && strncmp(rest, "_HNSW32", 7) == 0) {
        rest += 7;
    }
    return rest != NULL && *rest == ',' ? rest + 1 : NULL;
}

/* The code behind the lists. n_clusters: what its training forms. */
static bool read_code(const char *code, bool has_lists, uint32_t *n_parts,
                      uint32_t *n_clusters, bool *append_np)
{
    *n_parts = 1;
    *n_clusters = 1;
    *append_np = false;
    if (has_lists && (strcmp(code, "SQ8") == 0 || strcmp(code, "Flat") == 0)) {
        return true;
    }
    const char *rest =
        strncmp(code, "PQ", 2) == 0 ? read_number(code + 2, n_parts) : NULL;
    if (rest == NULL) {
        return false;
    }
    *n_clusters = 16;
    if (strcmp(rest, "x4fs") == 0 || (has_lists && strcmp(rest, "x4fsr") == 0)) {
        return true;
    }
    *n_clusters = 256;
    *append_np = *rest == '\0';
    return has_lists && (*append_np || strcmp(rest, "np") == 0);
}

kith_status kidx_factory_parse(const char *text, uint32_t dim, kidx_factory *factory,
                               kith_error *err)
{
    bool has_lists = strncmp(text, "IVF", 3) == 0;
    const char *code = text;
    uint32_t n_parts;
    uint32_t n_clusters;
    bool append_np;
    factory->n_lists = 0;
    if (has_lists) {
        code = read_lists(text, &factory->n_lists);
    }
    if (strlen(text) + strlen("np") >= sizeof(factory->text) || code == NULL ||
        !read_code(code, has_lists, &n_parts, &n_clusters, &append_np)) {
        return kbase_fail(err, KITH_INVALID,
                          "index factory \"%.40s\": possible are PQ<m>x4fs and "
                          "IVF<n>,<code> or IVF<n>_HNSW32,<code> with code PQ<m>x4fsr, "
                          "PQ<m>x4fs, PQ<m>, SQ8 or Flat",
                          text);
    }
    if (dim % n_parts != 0 || (!has_lists && n_parts > MAX_PARTS_FLAT)) {
        return kbase_fail(err, KITH_INVALID,
                          "index factory \"%s\": %u parts: the number must divide %u, "
                          "the dimension, and be at most %d without IVF",
                          text, n_parts, dim, MAX_PARTS_FLAT);
    }
    if (factory->n_lists > MAX_LISTS) {
        return kbase_fail(err, KITH_INVALID, "index factory \"%s\": at most %u lists",
                          text, MAX_LISTS);
    }
    uint32_t most = n_clusters > factory->n_lists ? n_clusters : factory->n_lists;
    factory->min_training = (uint64_t)most * TRAINING_PER_CLUSTER;
    snprintf(factory->text, sizeof(factory->text), "%s%s", text, append_np ? "np" : "");
    return KITH_OK;
}

/* Two numbers a part is what 4 bits encode well; odd dimensions get one. */
static uint32_t default_parts(uint32_t dim)
{
    if (dim % 2 != 0 && dim <= MAX_PARTS_FLAT) {
        return dim;
    }
    uint32_t size = 2;
    while (dim % size != 0 || dim / size > MAX_PARTS_FLAT) {
        size++;
    }
    return dim / size;
}

void kidx_ann_default_factory(uint64_t n_rows, uint32_t dim,
                              char factory[KIDX_FACTORY_BYTES])
{
    uint32_t n_parts = default_parts(dim);
    if (n_rows < MIN_ROWS_FOR_LISTS) {
        snprintf(factory, KIDX_FACTORY_BYTES, "PQ%ux4fs", n_parts);
        return;
    }
    /* A power of two near sqrt(n): on 20,000 to 75,000 vectors of real questions, more
     * lists take longer to train and are no faster at the same recall
     * (docs/benchmarks.md). */
    uint64_t n_lists = 1;
    while (2 * n_lists * n_lists < n_rows && n_lists < MAX_LISTS) {
        n_lists *= 2;
    }
    snprintf(factory, KIDX_FACTORY_BYTES, "IVF%u,PQ%ux4fsr", (unsigned)n_lists,
             n_parts);
}
