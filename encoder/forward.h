/* The forward pass over a tile: a few texts whose tokens lie one after the other. */
#ifndef KENC_FORWARD_H
#define KENC_FORWARD_H

#include "kmodel.h"

/* Instead of a kith_pooling: the rows of the last layer, one a token, as they are. */
#define KENC_NO_POOLING ((kith_pooling)255)

/* One text of a tile. */
typedef struct kenc_sequence {
    const uint32_t *ids;
    size_t n_tokens; /* 1 to max_tokens */
    float *vector;   /* [out] kmodel->dim floats; KENC_NO_POOLING: n_tokens x hidden */
    size_t n_second; /* of its last tokens, which are those of a pair's second text */
} kenc_sequence;

/* Memory for tiles of up to `rows` tokens; each thread has its own. */
typedef struct kenc_workspace {
    size_t rows;
    float *memory; /* what the others point into */
    float *x;      /* [rows, width] the residual stream */
    float *y;      /* [rows, width] what is added to it */
    float *wide;   /* [rows, max(3 * attention, intermediate)] */
    float *context; /* [rows, attention] */
    float *scratch; /* of attention */
    float *pooled; /* [2, widest input or output of the head] */
    uint8_t *bytes; /* [rows, width or attention] input of a linear layer, int8 only */
    uint8_t *wide_bytes; /* [rows, intermediate] int8 only */
    kenc_range *ranges;  /* of bytes */
    kenc_range *wide_ranges;
} kenc_workspace;

#define KENC_WORKSPACE_INIT { 0 }

/* Is shown the input of each linear layer of an fp32 pass: rows[m, k]. */
typedef struct kenc_observer {
    void (*see)(void *context, uint32_t layer, kenc_linear linear, const float *rows,
                size_t m);
    void *context;
} kenc_observer;

/* Make room; what is large enough is kept. KITH_NOMEM. */
kith_status kenc_workspace_reserve(kenc_workspace *workspace, const kenc_kmodel *kmodel,
                                   size_t rows, kith_error *err);
void kenc_workspace_free(kenc_workspace *workspace);

/* Run the model over the texts of a tile, which together have at most workspace->rows
 * tokens. A cross-encoder gives labels, whatever the pooling. `finish`: with what the
 * model does last: to unit length; of a cross-encoder the sigmoid. observer: NULL, or
 * for fp32. A text's vector depends on that text alone. */
void kenc_forward(const kenc_kmodel *kmodel, const kenc_kernels *kernels,
                  kith_precision precision, kenc_workspace *workspace,
                  const kenc_sequence *sequences, size_t n_sequences, kith_pooling pooling,
                  bool finish, const kenc_observer *observer);

#endif
