/* The models and collections that a server has open, all its life long. */
#ifndef KITH_TOOLS_CATALOG_H
#define KITH_TOOLS_CATALOG_H

#include <pthread.h>

#include "models.h"

/* Threads that encode: more of them than this do not help a server. */
#define MAX_WORKERS 64

typedef struct served_model {
    kith_model *
        *encoders; /* one a worker, each of one thread: they do not wait for each
                    * other, and a text of a question has no work for two */
    unsigned n_encoders;
    kith_model_info info;
    uint32_t cls; /* the ids that begin and end every text */
    uint32_t sep;
} served_model;

typedef struct served_collection {
    char *name;
    kith_collection *collection;
    const served_model *model; /* NULL: made without one */
    kith_collection_model made_with;
    pthread_mutex_t writing; /* one change at a time */
} served_collection;

typedef struct catalog {
    served_collection *collections; /* the first one is the default */
    size_t n_collections;
    served_model *models;
    size_t n_models;
    const served_model *model; /* for embeddings; NULL: none */
    unsigned n_workers;
    bool is_writable;
} catalog;

#define CATALOG_EMPTY                                                                  \
    {                                                                                  \
        0                                                                              \
    }

/* Open collections by their paths, and the models that they need. EXIT_DONE, or reports
 * and gives another exit status. Close the catalog in both cases. */
int catalog_open(catalog *c, char **paths, size_t n_paths, const model_request *request,
                 bool is_writable);
void catalog_close(catalog *c);

/* NULL: there is none. */
served_collection *catalog_find(const catalog *c, kith_text name);

#endif
