/* Texts of many kinds and lengths, in UTF-8. The importer runs the model over all of them
 * to learn the range of each activation column (calibration of the int8 precision), and
 * the first 16 are the self-test of `kith model test`. Changing, adding, removing or
 * moving a text changes the int8 weights: KENC_RECIPE_VERSION in kmodel.h must rise. */
#ifndef KENC_SAMPLE_TEXTS_H
#define KENC_SAMPLE_TEXTS_H

#include <stddef.h>

extern const char *const kenc_sample_texts[];
extern const size_t kenc_n_sample_texts;

#endif
