#include "collection_fixture.h"

#include <stdlib.h>
#include <string.h>

char *folder;
char *coll;
kith_model *model;

int collection_set_up(void **state)
{
    (void)state;
    kith_error error;
    folder = make_temp_folder();
    coll = format("%s/c.kith", folder);
    char *path = format("%s/tiny.kmodel", folder);
    kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    opts.n_threads = 2;
    assert_ok(kith_model_import(TINY, "tiny", path, NULL, &error));
    assert_ok(kith_model_open(path, &opts, &model, &error));
    free(path);
    return 0;
}

int collection_tear_down(void **state)
{
    (void)state;
    kith_model_close(model);
    remove_tree(folder);
    free(coll);
    free(folder);
    return 0;
}

int collection_fresh(void **state)
{
    (void)state;
    remove_tree(coll);
    return 0;
}

kith_text text_of(const char *s)
{
    return (kith_text){ s, strlen(s) };
}

kith_collection *open_collection(bool create)
{
    kith_error error;
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.create = create;
    opts.n_threads = 2;
    kith_collection *c = NULL;
    assert_ok(kith_collection_open(coll, model, &opts, &c, &error));
    return c;
}

kith_writer *begin(kith_collection *c)
{
    kith_error error;
    kith_writer *writer = NULL;
    assert_ok(kith_writer_begin(c, NULL, &writer, &error));
    return writer;
}

void add(kith_writer *writer, const char *id, const char *text)
{
    kith_error error;
    const kith_input input = { .id = text_of(id), .text = text_of(text) };
    assert_ok(kith_writer_add(writer, &input, &error));
}

/* A collection of these texts, ids "0", "1", ... */
kith_collection *collection_of(const char *const *texts, size_t n)
{
    kith_error error;
    kith_collection *c = open_collection(true);
    kith_writer *writer = begin(c);
    for (size_t i = 0; i < n; i++) {
        char *id = format("%zu", i);
        add(writer, id, texts[i]);
        free(id);
    }
    assert_ok(kith_writer_commit(writer, &error));
    kith_writer_close(writer);
    return c;
}

kith_results *ask(kith_collection *c, const char *text, uint32_t k)
{
    kith_error error;
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    kith_results *results = NULL;
    kith_query query = { .text = text_of(text) };
    opts.k = k;
    assert_ok(kith_search(c, &query, 1, &opts, &results, &error));
    return results;
}

bool is(kith_text text, const char *s)
{
    return text.n_bytes == strlen(s) && memcmp(text.data, s, text.n_bytes) == 0;
}

uint64_t count_records(kith_collection *c)
{
    kith_error error;
    kith_collection_info info;
    assert_ok(kith_collection_get_info(c, &info, &error));
    return info.n_records;
}

const char *const animals[N_ANIMALS] = {
    "a cat sleeps on the sofa", "two dogs run in the park", "the bird sings at dawn",
    "fish swim in cold water",  "a horse eats dry grass",
};
