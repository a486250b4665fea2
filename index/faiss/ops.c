#include "ops.h"

#include <faiss/c_api/IndexIVF_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/index_factory_c.h>
#include <faiss/c_api/index_io_c.h>
#include <stdlib.h>

/* <omp.h> belongs to the compiler, and clang's is not always there. */
extern void omp_set_num_threads(int n_threads);

/* A kidx_faiss is a FaissIndex under another name: no caller sees FAISS's headers. */
static FaissIndex *unwrap(const kidx_faiss *index)
{
    return (FaissIndex *)(uintptr_t)index;
}

static kith_status status_of(int code)
{
    switch (code) {
    case OK:
        return KITH_OK;
    case STD_EXCEPT: /* bad_alloc, since arguments were checked */
        return KITH_NOMEM;
    default:
        return KITH_INVALID;
    }
}

static void set_threads(unsigned n_threads)
{
    omp_set_num_threads((int)n_threads);
}

static kith_status create(uint32_t dim, const char *factory, kidx_faiss **index)
{
    FaissIndex *made = NULL;
    kith_status status =
        status_of(faiss_index_factory(&made, (int)dim, factory, METRIC_INNER_PRODUCT));
    *index = (kidx_faiss *)made;
    return status;
}

static void destroy(kidx_faiss *index)
{
    if (index != NULL) {
        faiss_Index_free(unwrap(index));
    }
}

static kith_status train(kidx_faiss *index, size_t n, const float *vectors)
{
    return status_of(faiss_Index_train(unwrap(index), (idx_t)n, vectors));
}

static kith_status add(kidx_faiss *index, size_t n, const float *vectors,
                       const int64_t *ids)
{
    return status_of(
        ids == NULL ? faiss_Index_add(unwrap(index), (idx_t)n, vectors)
                    : faiss_Index_add_with_ids(unwrap(index), (idx_t)n, vectors, ids));
}

static void set_nprobe(kidx_faiss *index, uint32_t nprobe)
{
    FaissIndexIVF *ivf = faiss_IndexIVF_cast(unwrap(index));
    if (ivf != NULL) {
        faiss_IndexIVF_set_nprobe(ivf, nprobe);
    }
}

static kith_status search(const kidx_faiss *index, size_t n, const float *queries,
                          size_t k, int64_t *ids, float *scores)
{
    return status_of(
        faiss_Index_search(unwrap(index), (idx_t)n, queries, (idx_t)k, scores, ids));
}

static kith_status nearest_lists(const kidx_faiss *index, size_t n, const float *queries,
                                 uint32_t nprobe, int64_t *lists, float *scores)
{
    const FaissIndex *quantizer =
        faiss_IndexIVF_quantizer(faiss_IndexIVF_cast(unwrap(index)));
    return status_of(faiss_Index_search(quantizer, (idx_t)n, queries, (idx_t)nprobe,
                                        scores, lists));
}

static size_t list_size(const kidx_faiss *index, uint32_t list)
{
    return faiss_IndexIVF_get_list_size(faiss_IndexIVF_cast(unwrap(index)), list);
}

static void list_ids(const kidx_faiss *index, uint32_t list, int64_t *ids)
{
    faiss_IndexIVF_invlists_get_ids(faiss_IndexIVF_cast(unwrap(index)), list, ids);
}

static kith_status write_index(const kidx_faiss *index, char **data, size_t *n_bytes)
{
    *data = NULL;
    FILE *out = open_memstream(data, n_bytes);
    if (out == NULL) {
        return KITH_NOMEM;
    }
    int code = faiss_write_index(unwrap(index), out);
    if (fclose(out) != 0 || code != OK) { /* memory is all that can run out here */
        free(*data);
        *data = NULL;
        return KITH_NOMEM;
    }
    return KITH_OK;
}

static kith_status read_index(const void *data, size_t n_bytes, kidx_faiss **index)
{
    FILE *in = fmemopen((void *)(uintptr_t)data, n_bytes, "rb");
    if (in == NULL) {
        return KITH_NOMEM;
    }
    FaissIndex *made = NULL;
    kith_status status = status_of(faiss_read_index(in, 0, &made));
    fclose(in);
    *index = (kidx_faiss *)made;
    return status;
}

static void get_info(const kidx_faiss *index, kidx_faiss_info *info)
{
    const FaissIndex *faiss = unwrap(index);
    FaissIndexIVF *ivf = faiss_IndexIVF_cast(unwrap(index));
    *info = (kidx_faiss_info){
        .dim = (uint32_t)faiss_Index_d(faiss),
        .n_lists = ivf != NULL ? (uint32_t)faiss_IndexIVF_nlist(ivf) : 0,
        .n_vectors = (uint64_t)faiss_Index_ntotal(faiss),
        .trained = faiss_Index_is_trained(faiss) != 0,
        .inner_product = faiss_Index_metric_type(faiss) == METRIC_INNER_PRODUCT,
    };
}

__attribute__((visibility("default"))) const kidx_faiss_ops *kith_faiss_ops(void)
{
    static const kidx_faiss_ops ops = {
        .version = KIDX_FAISS_OPS_VERSION,
        .set_threads = set_threads,
        .create = create,
        .destroy = destroy,
        .train = train,
        .add = add,
        .set_nprobe = set_nprobe,
        .search = search,
        .nearest_lists = nearest_lists,
        .list_size = list_size,
        .list_ids = list_ids,
        .write = write_index,
        .read = read_index,
        .get_info = get_info,
    };
    return &ops;
}
