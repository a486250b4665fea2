/* Finding and opening models.
 *
 * Models are kept in $KITH_HOME/models/NAME.kmodel; KITH_HOME is ~/.local/share/kith
 * when it is not set. */
#ifndef KITH_TOOLS_MODELS_H
#define KITH_TOOLS_MODELS_H

#include <stddef.h>

#include "kith.h"

/* How to open a model; what the options --model, --precision and --threads fill in. */
typedef struct model_request {
    const char *name;    /* of a model, or the path of a file; NULL: the default */
    int precision; /* kith_precision - 1: the place in MODEL_PRECISIONS; -1: default */
    uint32_t n_threads;  /* 0: one a processor */
} model_request;

#define MODEL_REQUEST_INIT { NULL, -1, 0 }
#define MODEL_PRECISIONS "fp32|int8"

/* "fp32" or "int8"; "none" for KITH_PRECISION_DEFAULT, of no model. */
const char *models_precision_name(kith_precision precision);

/* The kernels that KITH_CPU asks for; NULL: the best. */
const char *models_cpu(void);

/* The folder of models; NULL when there is no home, which is reported. For free(). */
char *models_folder(void);
/* The paths of all models there, by name. For models_free_paths(). */
char **models_paths(const char *folder, size_t *n_paths);
void models_free_paths(char **paths, size_t n_paths);

/* Each gives EXIT_DONE, or reports and gives another exit status. */

/* Open the model asked for. */
int models_open(const model_request *request, kith_model **model);
/* The same; *path, for free(), is where it was found. */
int models_open_path(const model_request *request, kith_model **model, char **path);
/* Open the model that a collection was made with, unless the request names one. */
int models_open_for(const kith_collection_model *made_with,
                    const model_request *request, kith_model **model);

#endif
