/* Token ids to vectors, by the encoder's own sources and without the tokenizer, so that
 * it can be compiled for another CPU without the libraries that the tokenizer needs.
 *
 *     encode_ids KMODEL fp32|int8 default|mean|cls|max|pooler <IDS >VECTORS
 *
 * IDS: the ids of one text a line, [CLS] and [SEP] included, with blanks between them.
 * VECTORS: what `kith encode` writes for these texts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "forward.h"
#include "kmodel.h"
#include "memory.h"
#include "threads.h"

#define TILE_TOKENS 64

typedef struct texts {
    kenc_sequence *sequences;
    size_t n;
    uint32_t *ids; /* of all texts, one after the other */
    size_t n_ids;
    float *vectors;
} texts;

/* Tile i: the texts starts[i] to starts[i + 1]. */
typedef struct plan {
    const kenc_kmodel *kmodel;
    const kenc_kernels *kernels;
    kith_precision precision;
    kith_pooling pooling;
    bool normalize;
    kenc_workspace *workspaces;
    const kenc_sequence *sequences;
    size_t *starts;
    size_t n_tiles;
} plan;

static void die(const char *message)
{
    fprintf(stderr, "encode_ids: %s\n", message);
    exit(1);
}

static void need(kith_status status, const kith_error *err)
{
    if (status != KITH_OK) {
        die(err->message);
    }
}

static void *grow(void *array, size_t n, size_t size)
{
    array = kbase_realloc(array, n, size);
    if (array == NULL) {
        die("out of memory");
    }
    return array;
}

/* The ids of one line, appended. */
static void read_ids(texts *t, const char *line, const kenc_kmodel *kmodel)
{
    kith_error err;
    size_t first = t->n_ids;
    char *end;
    for (const char *at = line;; at = end) {
        unsigned long id = strtoul(at, &end, 10);
        if (end == at) {
            break;
        }
        if (id >= kmodel->header->config.vocabulary) {
            die("an id is not in the vocabulary");
        }
        need(kenc_kmodel_check_word(kmodel, (uint32_t)id, &err), &err);
        t->ids = grow(t->ids, t->n_ids + 1, sizeof(*t->ids));
        t->ids[t->n_ids++] = (uint32_t)id;
    }
    size_t n = t->n_ids - first;
    if (*end != '\n' || n == 0 || n > kmodel->header->config.max_tokens) {
        die("a line is not made of ids, or of too few or too many");
    }
    t->sequences = grow(t->sequences, t->n + 1, sizeof(*t->sequences));
    t->sequences[t->n++] = (kenc_sequence){ .n_tokens = n };
}

static void read_texts(texts *t, FILE *file, const kenc_kmodel *kmodel)
{
    char *line = NULL;
    size_t capacity = 0;
    const size_t dim = kmodel->header->config.hidden;
    while (getline(&line, &capacity, file) > 0) {
        read_ids(t, line, kmodel);
    }
    free(line);
    if (t->n == 0) {
        die("no texts");
    }
    t->vectors = grow(NULL, t->n * dim, sizeof(*t->vectors));
    const uint32_t *ids = t->ids;
    for (size_t i = 0; i < t->n; i++) {
        t->sequences[i].ids = ids;
        t->sequences[i].vector = t->vectors + i * dim;
        ids += t->sequences[i].n_tokens;
    }
}

/* Whole texts to tiles; room for the largest in the workspace of each worker. */
static void make_tiles(plan *p, const texts *t, unsigned n_workers)
{
    kith_error err;
    size_t rows = 0;
    size_t largest = 0;
    p->sequences = t->sequences;
    p->starts = grow(NULL, t->n + 1, sizeof(*p->starts));
    for (size_t i = 0; i < t->n; i++) {
        size_t n = t->sequences[i].n_tokens;
        if (i == 0 || rows + n > TILE_TOKENS) {
            p->starts[p->n_tiles++] = i;
            rows = 0;
        }
        rows += n;
        largest = rows > largest ? rows : largest;
    }
    p->starts[p->n_tiles] = t->n;
    p->workspaces = grow(NULL, n_workers, sizeof(*p->workspaces));
    for (unsigned i = 0; i < n_workers; i++) {
        p->workspaces[i] = (kenc_workspace)KENC_WORKSPACE_INIT;
        need(kenc_workspace_reserve(&p->workspaces[i], p->kmodel, largest, &err), &err);
    }
}

static void run_tile(void *context, size_t index, unsigned worker)
{
    const plan *p = context;
    size_t first = p->starts[index];
    kenc_forward(p->kmodel, p->kernels, p->precision, &p->workspaces[worker],
                 p->sequences + first, p->starts[index + 1] - first, p->pooling,
                 p->normalize, NULL);
}

static void usage(void)
{
    die("usage: encode_ids KMODEL fp32|int8 default|mean|cls|max|pooler <IDS >VECTORS");
}

/* The index of a word in `words`, which ends with NULL. */
static int choose(const char *word, const char *const *words)
{
    int i = 0;
    while (words[i] != NULL && strcmp(word, words[i]) != 0) {
        i++;
    }
    if (words[i] == NULL) {
        usage();
    }
    return i;
}

/* In the order of kith_precision and kith_pooling. */
static const char *const precisions[] = { "-", "fp32", "int8", NULL };
static const char *const poolings[] = {
    "default", "mean", "cls", "max", "pooler", NULL,
};

static void open_plan(plan *p, kenc_kmodel *kmodel, char **argv)
{
    kith_error err;
    p->precision = (kith_precision)choose(argv[2], precisions);
    p->pooling = (kith_pooling)choose(argv[3], poolings);
    need(kenc_kmodel_open(argv[1], p->precision, kmodel, &err), &err);
    const kenc_config *config = &kmodel->header->config;
    if (p->pooling == KITH_POOLING_DEFAULT) {
        p->pooling = (kith_pooling)config->pooling;
        p->normalize = config->normalizes != 0;
    }
    if (p->pooling == KITH_POOLING_POOLER && config->has_pooler == 0) {
        die("the model has no pooler");
    }
}

int main(int argc, char **argv)
{
    kith_error err;
    kenc_kmodel kmodel;
    kbase_isa isa;
    kbase_pool *pool;
    texts t = { 0 };
    plan p = { .kmodel = &kmodel };
    if (argc != 4) {
        usage();
    }
    need(kbase_isa_choose(NULL, &isa, &err), &err);
    p.kernels = kenc_kernels_for(isa);
    open_plan(&p, &kmodel, argv);
    need(kbase_pool_new(0, &pool, &err), &err);
    read_texts(&t, stdin, &kmodel);
    make_tiles(&p, &t, kbase_pool_size(pool));
    kbase_pool_run(pool, p.n_tiles, run_tile, &p);
    size_t n = t.n * kmodel.header->config.hidden;
    if (fwrite(t.vectors, sizeof(float), n, stdout) != n || fflush(stdout) != 0) {
        die("the vectors cannot be written");
    }
    fprintf(stderr, "kernels %s, %zu texts, %zu tokens\n", kbase_isa_name(isa), t.n,
            t.n_ids);
    for (unsigned i = 0; i < kbase_pool_size(pool); i++) {
        kenc_workspace_free(&p.workspaces[i]);
    }
    kbase_pool_free(pool);
    kenc_kmodel_close(&kmodel);
    free(p.workspaces);
    free(p.starts);
    free(t.sequences);
    free(t.ids);
    free(t.vectors);
    return 0;
}
