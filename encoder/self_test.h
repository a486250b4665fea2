/* The self-test: vectors of sample texts that an import computes with the portable
 * kernels, stored in the model file, and the comparison with what a machine gives. */
#ifndef KENC_SELF_TEST_H
#define KENC_SELF_TEST_H

#include "encoder.h"
#include "kmodel.h"

/* The content of KENC_SECTION_TEST for a model that is complete in memory but for it.
 * free() *section. KITH_NOMEM. */
kith_status kenc_self_test_make(const kenc_kmodel *kmodel, unsigned char **section,
                                size_t *n_bytes, kith_error *err);

/* As kith_model_test(); `kmodel` is the file of `model`. */
kith_status kenc_self_test_run(kenc_model *model, const kenc_kmodel *kmodel,
                               kith_model_test_result *result, kith_error *err);

#endif
