/* The functions of libkith-faiss.so, which links FAISS, OpenBLAS, OpenMP and libstdc++
 * so that nothing else has to. index/faiss_module.c loads it and gets this table.
 *
 * Vectors are row-major floats of unit length (or zero); the metric is the inner
 * product. The caller has checked everything that it passes: FAISS ends the process
 * when something is wrong inside a parallel section. A status other than KITH_OK is
 * KITH_NOMEM or KITH_INVALID (FAISS refused); there is no message. */
#ifndef KIDX_FAISS_OPS_H
#define KIDX_FAISS_OPS_H

#include "kith.h"

/* Changes with anything below. */
#define KIDX_FAISS_OPS_VERSION 2

typedef struct kidx_faiss kidx_faiss; /* an index */

typedef struct kidx_faiss_info {
    uint32_t dim;
    uint32_t n_lists; /* 0: an index without lists */
    uint64_t n_vectors;
    bool trained;
    bool inner_product;
} kidx_faiss_info;

typedef struct kidx_faiss_ops {
    uint32_t version;

    /* OpenMP threads of the calls that this thread makes from now on. */
    void (*set_threads)(unsigned n_threads);

    /* `factory` is one of the strings that index/factory.h lets through. */
    kith_status (*create)(uint32_t dim, const char *factory, kidx_faiss **index);
    void (*destroy)(kidx_faiss *index); /* NULL is a no-op */

    kith_status (*train)(kidx_faiss *index, size_t n, const float *vectors);

    /* ids NULL: they count on from the last one (the only way without lists). */
    kith_status (*add)(kidx_faiss *index, size_t n, const float *vectors,
                       const int64_t *ids);

    /* Lists visited by a search, 1 to n_lists. Not while another thread searches. */
    void (*set_nprobe)(kidx_faiss *index, uint32_t nprobe);

    /* ids[n, k], scores[n, k]: nearest first by FAISS's estimate; id -1 where there are
     * fewer. The index must not be empty. Thread-safe. */
    kith_status (*search)(const kidx_faiss *index, size_t n, const float *queries,
                          size_t k, int64_t *ids, float *scores);

    /* Of an index with lists. lists[n, nprobe]: those that a search visits, nearest first;
     * -1 where there are fewer. scores[n, nprobe]: room. Thread-safe. */
    kith_status (*nearest_lists)(const kidx_faiss *index, size_t n, const float *queries,
                                 uint32_t nprobe, int64_t *lists, float *scores);
    size_t (*list_size)(const kidx_faiss *index, uint32_t list);
    void (*list_ids)(const kidx_faiss *index, uint32_t list, int64_t *ids);

    /* The index as bytes; free() them. */
    kith_status (*write)(const kidx_faiss *index, char **data, size_t *n_bytes);
    /* Only from bytes that write() made: FAISS does not check what it reads. */
    kith_status (*read)(const void *data, size_t n_bytes, kidx_faiss **index);

    void (*get_info)(const kidx_faiss *index, kidx_faiss_info *info);
} kidx_faiss_ops;

/* The one symbol that the module exports. */
#define KIDX_FAISS_SYMBOL "kith_faiss_ops"
const kidx_faiss_ops *kith_faiss_ops(void);

#endif
