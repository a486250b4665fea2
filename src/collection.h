/* What the files of src/ share: the collection and its view of the store. */
#ifndef KITH_COLLECTION_H
#define KITH_COLLECTION_H

#include <pthread.h>
#include <sys/types.h>

#include "ann.h"
#include "codes.h"
#include "encoder.h"
#include "kith.h"
#include "layout.h"
#include "memory.h"
#include "rows.h"
#include "store.h"

struct kith_model {
    kenc_model *encoder;
    kith_model_info info;
};

/* A derived file that was found beside the store: the approximate index, or the rows in 8
 * bits. Shared by the views that use it. */
typedef struct kith_derived_slot {
    unsigned n_references;
    char name[KSTORE_DERIVED_BYTES]; /* below derived/ */
    char problem[128];               /* why it cannot be used, or empty */
    kidx_ann_info info;
    kidx_ann *ann;     /* NULL until a search wants it */
    kidx_codes *codes; /* NULL: could not be opened */
} kith_derived_slot;

/* The same for postings of metadata: filter.c. */
typedef struct kith_fields_slot kith_fields_slot;

/* One committed state, ready for searching. Immutable but for what is read or made when it
 * is first needed: ann->ann, fields, recent. */
typedef struct kith_view {
    unsigned n_references;
    const struct kith_generation *generation; /* outlives it */
    uint64_t transaction;
    uint64_t n_records;
    uint64_t n_passages;
    uint64_t *dead;
    kidx_rows rows;
    kith_derived_slot *ann;   /* NULL: there is none */
    kith_derived_slot *codes; /* NULL: there are none */
    kith_fields_slot *fields; /* NULL: there are none */
    kith_fields_slot *recent; /* of rows behind those, in memory; NULL: not made */
} kith_view;

/* A generation that this handle has open: the current one, and for as long as somebody
 * works with it a former one. */
typedef struct kith_generation {
    unsigned n_references;
    kith_current current; /* the line that named it */
    char *path;           /* NAME.kith/g000001 */
    kstore *store;
    kith_view *view; /* the newest one; NULL at first */
} kith_generation;

/* A committed state of a generation, for the length of one operation. */
typedef struct kith_reading {
    kith_generation *generation;
    kstore_snapshot *snapshot;
} kith_reading;

struct kith_collection {
    char *path; /* NAME.kith, absolute */
    kith_model *model;
    bool read_only;
    pid_t pid;
    kbase_isa isa;
    kstore_settings settings; /* of all generations */
    pthread_mutex_t mutex; /* guards generation, views, reference counts and has_writer */
    kith_generation *generation; /* the current one when last looked at */
    bool has_writer;
    pthread_mutex_t load_mutex; /* held while an approximate index is read */
    pthread_mutex_t filter_mutex; /* held while postings are read or made */
    bool has_filtered;            /* guarded by it */
    pthread_mutex_t pool_mutex; /* held while the pool runs */
    kbase_pool *pool;
};

/* KITH_INVALID after fork(). */
kith_status kith_check_process(const kith_collection *collection, kith_error *err);

/* KITH_INVALID: what is asked for needs a model, which the collection was opened, or
 * made, without. */
kith_status kith_fail_no_model(const kith_collection *collection, const char *why,
                               kith_error *err);

/* The length of a vector, in double: the same bits everywhere. 0 when it is zero or not
 * finite. */
double kith_vector_length(const float *vector, size_t dim);

/* Open the generation that CURRENT names, with one reference. As kstore_open(), and
 * kith_current_read(). */
kith_status kith_generation_open(const char *path, bool read_only, kith_generation **out,
                                 kith_error *err);
/* Its last reference is gone: close it. NULL is a no-op. */
void kith_generation_free(kith_generation *generation);

/* The generation that CURRENT names now; costs one stat() unless that has changed. Give it
 * back with release; NULL is a no-op there. KITH_NOT_FOUND (the collection is gone);
 * KITH_MISMATCH (it was replaced by one of another model). */
kith_status kith_generation_acquire(kith_collection *collection, kith_generation **out,
                                    kith_error *err);
void kith_generation_release(kith_collection *collection, kith_generation *generation);

/* Every operation that reads begins with this, and sees one committed state until it ends.
 * An end without a begin, from zeros, does nothing. */
kith_status kith_read_begin(kith_collection *collection, kith_reading *reading,
                            kith_error *err);
void kith_read_end(kith_collection *collection, kith_reading *reading);

/* The view of a state, made when the store has changed. Give it back with release while
 * the generation is held. */
kith_status kith_view_acquire(kith_collection *collection, const kith_reading *reading,
                              kith_view **view, kith_error *err);
void kith_view_release(kith_collection *collection, kith_view *view);
/* For its generation alone, when nobody else has it. */
void kith_view_free(kith_view *view);

/* The path of a derived file, allocated; NULL when memory is out. */
char *kith_derived_path(const kith_generation *generation, const char *name);

/* What is known of the view's approximate index: NULL when there is none or it cannot be
 * used. *loaded: it is in memory. */
const kidx_ann_info *kith_view_ann_info(kith_collection *collection, const kith_view *view,
                                        bool *loaded);

/* Load the view's approximate index if it is not in memory. A failure is kept as its
 * problem; the caller then searches exactly. */
kith_status kith_view_load_ann(kith_collection *collection, kith_view *view,
                               kith_error *err);

/* The collection's pool, if no other thread uses it now (give it back), else NULL. */
kbase_pool *kith_pool_take(kith_collection *collection);
void kith_pool_give_back(kith_collection *collection, kbase_pool *pool);

/* Copy a stored record into an arena. KITH_NOMEM. */
kith_status kith_record_copy(kbase_arena *arena, const kstore_record *stored,
                             kith_record *record, kith_error *err);

#endif
