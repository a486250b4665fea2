/* fp32 weights become those of the int8 pass, once, when a model is imported. */
#ifndef KENC_QUANTIZE_H
#define KENC_QUANTIZE_H

#include "kmodel.h"

/* Run the fp32 pass of `kmodel`, which is complete but for its int8 weights, over sample
 * texts, and fill in what its weights' int8 pointers lead to, which is `section`, zeroed.
 * The result is the same on every machine. KITH_NOMEM; KITH_UNSUPPORTED (this CPU). */
kith_status kenc_quantize(const kenc_kmodel *kmodel, unsigned char *section,
                          kith_error *err);

#endif
