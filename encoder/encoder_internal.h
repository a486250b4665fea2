/* A model while it is open: what opening it and encoding with it share. */
#ifndef KENC_ENCODER_INTERNAL_H
#define KENC_ENCODER_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "cpu.h"
#include "encoder.h"
#include "forward.h"
#include "kmodel.h"
#include "threads.h"

struct kenc_model {
    kenc_kmodel kmodel;
    kith_precision precision;
    kbase_isa isa;
    const kenc_kernels *kernels;
    char fingerprint[33];
    char *sources; /* NUL-terminated */
    size_t prompt_tokens[KITH_PROMPT_PASSAGE + 1]; /* by kith_prompt */
    pid_t pid;
    pthread_mutex_t mutex; /* guards what follows */
    kbase_pool *pool;
    kenc_workspace *workspaces; /* one a worker */
    kenc_token_list list;
    kenc_token_list other; /* of the second text of a pair */
    kbase_buffer prompted; /* a text with its prompt */
    uint64_t *checked_words; /* bit i: the embedding of word i was found undamaged */
    uint32_t *ids; /* of the texts of a group, one after the other */
    size_t ids_capacity;
    kenc_sequence *sequences;
    size_t sequences_capacity;
};

const char *kenc_prompt_text(const kenc_model *model, kith_prompt prompt);

#endif
