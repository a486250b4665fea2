/* Which way to answer: the cheapest that meets the promise. */
#ifndef KIDX_PLAN_H
#define KIDX_PLAN_H

#include "ann.h"

typedef struct kidx_plan_request {
    uint64_t n_rows;  /* live and dead */
    uint64_t n_coded; /* of them have codes */
    size_t k;
    double min_recall;
    uint32_t nprobe; /* 0: choose */
    kith_use_ann use;
    uint64_t n_queries;  /* expected on this handle */
    uint64_t n_together; /* in this call */
    bool loaded;        /* the approximate index is in memory already */
} kidx_plan_request;

typedef struct kidx_plan {
    bool exact;
    uint32_t nprobe;
    double recall;    /* 1 if exact; -1: not in the table */
    char reason[192]; /* one line for --explain */
} kidx_plan;

/* info: the approximate index that is there, or NULL. */
void kidx_plan_choose(const kidx_plan_request *request, const kidx_ann_info *info,
                      kidx_plan *plan);

/* Whether n queries in one call, m hits each, take less time list by list than by FAISS:
 * as measured at the build. It finds no less. */
bool kidx_plan_by_lists(const kidx_ann_info *info, size_t n, uint32_t nprobe, size_t m);

#endif
