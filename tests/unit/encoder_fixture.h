/* What the tests of encoder/ share: a folder, and models imported into it. */
#ifndef KITH_TESTS_ENCODER_FIXTURE_H
#define KITH_TESTS_ENCODER_FIXTURE_H

#include "encoder.h"
#include "support.h"

#define TINY "tests/golden/tiny-model"

extern char *folder;
extern char *tiny; /* TINY as a .kmodel; NULL where it was not imported */

/* Of a group: the folder alone, or with the tiny model. One takes away what either made. */
int make_folder(void **state);
int make_tiny(void **state);
int remove_folder(void **state);

/* These fail the test unless they succeed. The path of the .kmodel is for free(). */
char *import_as(const char *from, const char *name);
kenc_model *open_as(const char *path, kith_precision precision, const char *cpu,
                    unsigned n_threads);

/* Change a file of a copy of a model, then import that. old "": make the file. old
 * NULL: remove it. */
kith_status import_altered(const char *model, const char *name, const char *old,
                           const char *new, const kith_model_import_opts *opts,
                           kith_error *error);

#endif
