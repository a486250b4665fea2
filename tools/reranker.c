#include "reranker.h"

#include <inttypes.h>
#include <stdlib.h>

#include "buffer.h"
#include "cli.h"
#include "text.h"

#define GROUP 64 /* pairs scored together */

int reranker_open(reranker *r, const model_request *request)
{
    kith_model_info info;
    int status = models_open(request, &r->model);
    if (status != EXIT_DONE) {
        return status;
    }
    kith_model_get_info(r->model, &info);
    if (info.n_labels != 1) {
        message("model %s %s: a cross-encoder with one score is needed to rerank",
                info.name, info.n_labels == 0 ? "makes vectors" : "gives several scores");
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

void reranker_close(reranker *r)
{
    if (r->n_cut > 0) {
        message("reranking: %" PRIu64 " of %" PRIu64 " texts were cut to fit with the query",
                r->n_cut, r->n_scored);
    }
    free(r->hits);
    free(r->similarities);
    kith_model_close(r->model);
    *r = (reranker)RERANKER_EMPTY;
}

int reranker_score(reranker *r, kith_text query, const kith_text *texts, size_t n,
                   float *scores)
{
    kith_error err;
    kith_text_pair pairs[GROUP];
    uint32_t n_dropped[GROUP];
    for (size_t i = 0; i < n; i += GROUP) {
        const size_t n_group = n - i < GROUP ? n - i : GROUP;
        for (size_t j = 0; j < n_group; j++) {
            pairs[j] = (kith_text_pair){ query, texts[i + j] };
        }
        if (kith_model_score(r->model, pairs, n_group, NULL, scores + i, n_dropped, &err) !=
            KITH_OK) {
            return report(&err, SUBJECT_ENVIRONMENT);
        }
        for (size_t j = 0; j < n_group; j++) {
            r->n_cut += n_dropped[j] > 0;
        }
    }
    r->n_scored += n;
    return EXIT_DONE;
}

static int best_first(const void *a, const void *b, void *context)
{
    const float *scores = context;
    const size_t x = *(const size_t *)a;
    const size_t y = *(const size_t *)b;
    if (scores[x] < scores[y] || scores[x] > scores[y]) {
        return scores[x] > scores[y] ? -1 : 1;
    }
    return x < y ? -1 : x > y;
}

void reranker_sort(const float *scores, size_t n, size_t *order)
{
    for (size_t i = 0; i < n; i++) {
        order[i] = i;
    }
    qsort_r(order, n, sizeof(order[0]), best_first, (void *)(uintptr_t)scores);
}

/* What the cross-encoder reads of each hit: title and text of its best passage. */
static int score_hits(reranker *r, kith_text query, const kith_answer *answer,
                      float *scores)
{
    buffer titled = BUFFER_EMPTY;
    kith_text *texts = allocate(answer->n_hits, sizeof(texts[0]));
    size_t *starts = allocate(answer->n_hits, sizeof(starts[0]));
    for (size_t i = 0; i < answer->n_hits; i++) {
        const kith_record *record = answer->hits[i].record;
        starts[i] = titled.size;
        if (!text_is_blank(record->title)) {
            buffer_append(&titled, record->title.data, record->title.n_bytes);
            buffer_byte(&titled, ' ');
        }
        buffer_append(&titled, record->text.data, record->text.n_bytes);
    }
    for (size_t i = 0; i < answer->n_hits; i++) {
        const size_t end = i + 1 < answer->n_hits ? starts[i + 1] : titled.size;
        texts[i] = (kith_text){ titled.data + starts[i], end - starts[i] };
    }
    int status = reranker_score(r, query, texts, answer->n_hits, scores);
    free(starts);
    free(texts);
    buffer_free(&titled);
    return status;
}

int reranker_answer(reranker *r, kith_text query, const kith_answer *answer, size_t k,
                    kith_answer *reranked, const float **similarities)
{
    const size_t n = answer->n_hits;
    float *scores = allocate(n, sizeof(scores[0]));
    size_t *order = allocate(n, sizeof(order[0]));
    int status = score_hits(r, query, answer, scores);
    reranker_sort(scores, n, order);
    free(r->hits);
    free(r->similarities);
    r->hits = allocate(n, sizeof(r->hits[0]));
    r->similarities = allocate(n, sizeof(r->similarities[0]));
    for (size_t i = 0; i < n; i++) {
        const kith_hit *hit = &answer->hits[order[i]];
        r->hits[i] = (kith_hit){ scores[order[i]], hit->record };
        r->similarities[i] = hit->score;
    }
    free(order);
    free(scores);
    *reranked = *answer;
    reranked->hits = r->hits;
    reranked->n_hits = n < k ? n : k;
    *similarities = r->similarities;
    return status;
}
