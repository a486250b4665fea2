#include "plan.h"

#include <stdio.h>

/* Measured on two machines (docs/benchmarks.md); only for a process that has to load. */
#define LOAD_SECONDS 25e-3 /* libkith-faiss.so and what it needs */
#define LOAD_BYTES_A_SECOND 2e9
/* Queries of one call from which on a scan shares its pass over the rows. */
#define SHARED_QUERIES 4
/* A row without a code takes so many times as long. */
#define UNCODED 3
/* To read a row and quantize it, twice, takes as long as to multiply it with so many
 * queries. */
#define QUANTIZING 120
/* Of the time that FAISS takes for a query alone, one of many takes so much at least. */
#define FAISS_BATCHED 0.5
/* Where so large a share of the rows visited is wanted, bounds leave out too little. */
#define MAX_SHARE 8

/* Of one query, by what was measured over the rows that the index covers. */
static double scan_seconds(const kidx_plan_request *request, const kidx_ann_info *info,
                           uint64_t first)
{
    const kidx_recall_table *table = &info->recall;
    uint64_t n_rows = request->n_rows > first ? request->n_rows - first : 0;
    uint64_t begin = request->n_coded > first ? request->n_coded : first;
    uint64_t n_uncoded =
        request->n_coded > 0 && request->n_rows > begin ? request->n_rows - begin : 0;
    double seconds = request->n_together < SHARED_QUERIES ? table->scan_seconds
                                                          : table->batch_scan_seconds;
    return seconds * ((double)n_rows + (double)n_uncoded * (UNCODED - 1)) /
           (double)info->covers;
}

/* Of one query by FAISS: as measured at the next nprobe downward; 0: not measured. */
static double faiss_seconds(const kidx_ann_info *info, uint32_t nprobe)
{
    double seconds = 0;
    for (uint32_t i = 0; i < info->recall.n_points; i++) {
        const kidx_recall_point *p = &info->recall.points[i];
        if (p->k == info->recall.points[0].k && p->nprobe <= nprobe) {
            seconds = p->seconds;
        }
    }
    return seconds;
}

/* Of one of n queries, list by list: its share of quantizing all rows, and its products
 * with the rows that it visits. */
static double lists_seconds(const kidx_ann_info *info, size_t n, uint32_t nprobe)
{
    return info->recall.batch_scan_seconds *
           ((double)nprobe / info->n_lists + QUANTIZING / (double)n);
}

bool kidx_plan_by_lists(const kidx_ann_info *info, size_t n, uint32_t nprobe, size_t m)
{
    return info->n_lists > 0 && n > 1 && m > 0 &&
           m <= info->covers / info->n_lists * nprobe / MAX_SHARE &&
           info->recall.batch_scan_seconds > 0 &&
           lists_seconds(info, n, nprobe) < FAISS_BATCHED * faiss_seconds(info, nprobe);
}

static double ann_seconds(const kidx_plan_request *request, const kidx_ann_info *info,
                          const kidx_recall_point *point)
{
    kidx_plan_request delta = *request;
    delta.n_coded = delta.n_coded > 0 ? info->covers : 0; /* its codes are not used */
    const size_t n = (size_t)request->n_together;
    double seconds = kidx_plan_by_lists(info, n, point->nprobe, request->k)
                         ? lists_seconds(info, n, point->nprobe)
                         : point->seconds;
    return seconds + scan_seconds(&delta, info, info->covers);
}

/* The measured k that answers for this one: the next upward; 0: none. */
static uint32_t measured_k(const kidx_recall_table *table, size_t k)
{
    for (uint32_t i = 0; i < table->n_points; i++) {
        if (table->points[i].k >= k) {
            return table->points[i].k;
        }
    }
    return 0;
}

/* The least nprobe that was measured to keep the promise. */
static const kidx_recall_point *find_by_recall(const kidx_recall_table *table,
                                               uint32_t k, double min_recall)
{
    for (uint32_t i = 0; i < table->n_points; i++) {
        const kidx_recall_point *p = &table->points[i];
        if (p->k == k && p->recall >= min_recall) {
            return p;
        }
    }
    return NULL;
}

/* The bound for an nprobe that the caller chose: that of the next one downward. */
static double recall_at(const kidx_recall_table *table, uint32_t k, uint32_t nprobe)
{
    double recall = -1;
    for (uint32_t i = 0; i < table->n_points; i++) {
        const kidx_recall_point *p = &table->points[i];
        if (p->k == k && p->nprobe <= nprobe) {
            recall = p->recall;
        }
    }
    return recall;
}

/* How the lists are visited, for the reason. */
static const char *way_of(const kidx_plan_request *request, const kidx_ann_info *info,
                          uint32_t nprobe)
{
    return kidx_plan_by_lists(info, (size_t)request->n_together, nprobe, request->k)
               ? " list by list"
               : "";
}

static void choose_exact(kidx_plan *plan)
{
    plan->exact = true;
    plan->nprobe = 0;
    plan->recall = 1;
}

/* The caller asked for this nprobe. */
static void take_given(const kidx_plan_request *request, const kidx_ann_info *info,
                       kidx_plan *plan)
{
    uint32_t k = measured_k(&info->recall, request->k);
    plan->exact = false;
    plan->nprobe = request->nprobe < info->n_lists ? request->nprobe : info->n_lists;
    plan->recall = k > 0 ? recall_at(&info->recall, k, plan->nprobe) : -1;
    const char *way = way_of(request, info, plan->nprobe);
    if (plan->recall < 0) {
        snprintf(plan->reason, sizeof(plan->reason),
                 "approximate: %s, nprobe %u%s as asked, recall not measured for k = %zu",
                 info->factory, plan->nprobe, way, request->k);
    } else {
        snprintf(plan->reason, sizeof(plan->reason),
                 "approximate: %s, nprobe %u%s as asked, recall at least %.3f at k = %u",
                 info->factory, plan->nprobe, way, plan->recall, k);
    }
}

/* Scan, or the point of the table that keeps the promise: whichever takes less time. */
static void take_cheaper(const kidx_plan_request *request, const kidx_ann_info *info,
                         const kidx_recall_point *point, kidx_plan *plan)
{
    double n = request->n_queries > 0 ? (double)request->n_queries : 1;
    double scan = n * scan_seconds(request, info, 0);
    double load = request->loaded
                      ? 0
                      : LOAD_SECONDS + (double)info->n_bytes / LOAD_BYTES_A_SECOND;
    double ann = n * ann_seconds(request, info, point);
    if (request->use != KITH_USE_ANN_ALWAYS && scan <= load + ann) {
        choose_exact(plan);
        snprintf(plan->reason, sizeof(plan->reason),
                 "exact: %.0f %s over %llu rows scan in about %.1f ms, the index takes "
                 "%.1f (%.1f to load)",
                 n, n > 1 ? "queries" : "query", (unsigned long long)request->n_rows,
                 scan * 1e3, (load + ann) * 1e3, load * 1e3);
        return;
    }
    plan->exact = false;
    plan->nprobe = point->nprobe;
    plan->recall = point->recall;
    snprintf(plan->reason, sizeof(plan->reason),
             "approximate: %s, nprobe %u%s, recall at least %.3f at k = %u "
             "(%.3f wanted); about %.1f ms, a scan %.1f",
             info->factory, point->nprobe, way_of(request, info, point->nprobe),
             point->recall, point->k, request->min_recall, (load + ann) * 1e3,
             scan * 1e3);
}

void kidx_plan_choose(const kidx_plan_request *request, const kidx_ann_info *info,
                      kidx_plan *plan)
{
    if (request->use == KITH_USE_ANN_NEVER || info == NULL) {
        choose_exact(plan);
        snprintf(plan->reason, sizeof(plan->reason), "exact: %s",
                 request->use == KITH_USE_ANN_NEVER ? "as asked"
                                                    : "there is no approximate index");
        return;
    }
    if (request->nprobe > 0) {
        take_given(request, info, plan);
        return;
    }
    uint32_t k = measured_k(&info->recall, request->k);
    const kidx_recall_point *point =
        k > 0 ? find_by_recall(&info->recall, k, request->min_recall) : NULL;
    if (point != NULL) {
        take_cheaper(request, info, point, plan);
        return;
    }
    choose_exact(plan);
    if (k == 0) {
        snprintf(plan->reason, sizeof(plan->reason),
                 "exact: recall of %s was not measured for k = %zu", info->factory,
                 request->k);
    } else {
        snprintf(plan->reason, sizeof(plan->reason),
                 "exact: no nprobe of %s was measured to reach recall %.3f at k = %u",
                 info->factory, request->min_recall, k);
    }
}
