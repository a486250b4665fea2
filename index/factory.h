/* The FAISS factory strings that kith builds: the kinds that it can fill, save, load
 * and search without running into FAISS's known traps (docs/format.md names them). */
#ifndef KIDX_FACTORY_H
#define KIDX_FACTORY_H

#include "ann.h"

typedef struct kidx_factory {
    char text[KIDX_FACTORY_BYTES]; /* for FAISS: an 8-bit PQ has "np" appended */
    uint32_t n_lists;              /* 0: none */
    uint64_t min_training;         /* vectors that training needs, and has no warning */
} kidx_factory;

/* Read and check a factory string for vectors of `dim` numbers. KITH_INVALID says what
 * is possible. */
kith_status kidx_factory_parse(const char *text, uint32_t dim, kidx_factory *factory,
                               kith_error *err);

#endif
