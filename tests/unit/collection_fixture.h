/* What the tests of the public functions share: a tiny model and an empty place for a
 * collection. */
#ifndef KITH_TESTS_COLLECTION_FIXTURE_H
#define KITH_TESTS_COLLECTION_FIXTURE_H

#include "support.h"

#define TINY "tests/golden/tiny-model"

extern char *folder;
extern char *coll; /* the path of the collection; each test makes its own */
extern kith_model *model;

/* Of a group: the model is imported and opened; all of it is removed. */
int collection_set_up(void **state);
int collection_tear_down(void **state);
/* Of a test: the collection is removed. */
int collection_fresh(void **state);

kith_text text_of(const char *s);
bool is(kith_text text, const char *s);

/* These fail the test unless they succeed. */
kith_collection *open_collection(bool create);
kith_writer *begin(kith_collection *c);
void add(kith_writer *writer, const char *id, const char *text);
kith_results *ask(kith_collection *c, const char *text, uint32_t k);
uint64_t count_records(kith_collection *c);

/* A collection of these texts, ids "0", "1", ... */
kith_collection *collection_of(const char *const *texts, size_t n);

#define N_ANIMALS 5
extern const char *const animals[N_ANIMALS];

#endif
