/* Times the search of a collection by vectors, for bench/ann and by hand:
 *
 *   search_vectors COLLECTION QUERIES OUT [k=10] [threads=1] [batch=1] [recall=0.95] [nprobe=0]
 *          [ann=auto|always|never] [runs=3]
 *
 * QUERIES: float32 vectors, row after row. OUT gets the ids found, k a line, of the last
 * run. Prints a line: queries a second (median of the runs), the least and the most,
 * milliseconds of opening and the first query, resident MB, the plan. */
#include <kith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_RUNS 15

typedef struct settings {
    unsigned k, threads, batch, nprobe, runs;
    double recall;
    kith_use_ann ann;
} settings;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "search_vectors: %s\n", what);
    exit(1);
}

static void set(settings *s, const char *argument)
{
    static const char *const anns[] = { "auto", "always", "never" };
    unsigned *const numbers[] = { &s->k, &s->threads, &s->batch, &s->nprobe, &s->runs };
    static const char *const names[] = { "k", "threads", "batch", "nprobe", "runs" };
    const char *value = strchr(argument, '=');
    size_t n = value != NULL ? (size_t)(value - argument) : 0;
    bool known = false;
    for (size_t i = 0; value != NULL && i < 5; i++) {
        if (strlen(names[i]) == n && strncmp(names[i], argument, n) == 0) {
            *numbers[i] = (unsigned)strtoul(value + 1, NULL, 10);
            known = true;
        }
    }
    for (size_t i = 0; value != NULL && strncmp(argument, "ann=", 4) == 0 && i < 3; i++) {
        if (strcmp(anns[i], value + 1) == 0) {
            s->ann = (kith_use_ann)i;
            known = true;
        }
    }
    if (value != NULL && strncmp(argument, "recall=", 7) == 0) {
        s->recall = strtod(value + 1, NULL);
        known = true;
    }
    if (!known || s->k == 0 || s->batch == 0 || s->runs == 0 || s->runs > MAX_RUNS) {
        die("see the head of bench/search_vectors.c for the arguments");
    }
}

static float *read_queries(const char *path, uint32_t dim, size_t *n)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        die("the queries cannot be read");
    }
    size_t n_bytes = (size_t)ftell(file);
    rewind(file);
    float *queries = malloc(n_bytes + 1);
    *n = n_bytes / (dim * sizeof(float));
    if (queries == NULL || *n == 0 || fread(queries, 1, n_bytes, file) != n_bytes) {
        die("the queries cannot be read");
    }
    fclose(file);
    return queries;
}

/* All queries, `batch` a call. */
static double ask(kith_collection *c, const settings *s, const float *vectors, uint32_t dim,
                  size_t n, FILE *out, char plan[256])
{
    kith_error err;
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    kith_query *queries = calloc(s->batch, sizeof(*queries));
    opts.k = s->k;
    opts.min_recall = s->recall;
    opts.nprobe = s->nprobe;
    opts.ann = s->ann;
    opts.n_expected = n;
    double seconds = 0;
    for (size_t i = 0; i < n && queries != NULL; i += s->batch) {
        size_t together = n - i < s->batch ? n - i : s->batch;
        kith_results *results = NULL;
        for (size_t j = 0; j < together; j++) {
            queries[j] = (kith_query){ .vector = vectors + (i + j) * dim };
        }
        double began = now();
        if (kith_search(c, queries, together, &opts, &results, &err) != KITH_OK) {
            die(err.message);
        }
        seconds += now() - began;
        for (size_t j = 0; j < together; j++) {
            const kith_answer *answer = kith_results_at(results, j);
            snprintf(plan, 256, "%s", answer->plan);
            for (size_t h = 0; out != NULL && h < answer->n_hits; h++) {
                kith_text id = answer->hits[h].record->id;
                fprintf(out, "%s%.*s", h > 0 ? "\t" : "", (int)id.n_bytes, id.data);
            }
            if (out != NULL) {
                fputc('\n', out);
            }
        }
        kith_results_free(results);
    }
    free(queries);
    return seconds;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double resident_megabytes(void)
{
    char line[256];
    double kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kilobytes = strtod(line + 6, NULL);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kilobytes / 1024;
}

int main(int argc, char **argv)
{
    settings s = { .k = 10, .threads = 1, .batch = 1, .runs = 3, .recall = 0.95 };
    kith_error err;
    kith_collection *c = NULL;
    kith_collection_model model;
    char plan[256] = "";
    if (argc < 4) {
        die("COLLECTION, QUERIES and OUT are needed");
    }
    for (int i = 4; i < argc; i++) {
        set(&s, argv[i]);
    }
    if (kith_collection_get_model(argv[1], &model, &err) != KITH_OK) {
        die(err.message);
    }
    size_t n;
    float *queries = read_queries(argv[2], model.dim, &n);
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.read_only = true;
    opts.n_threads = s.threads;
    double began = now();
    if (kith_collection_open(argv[1], NULL, &opts, &c, &err) != KITH_OK) {
        die(err.message);
    }
    ask(c, &s, queries, model.dim, 1, NULL, plan);
    double opening = now() - began;
    ask(c, &s, queries, model.dim, n < 200 ? n : 200, NULL, plan); /* loads and warms */
    FILE *out = fopen(argv[3], "w");
    double seconds[MAX_RUNS];
    if (out == NULL) {
        die("OUT cannot be written");
    }
    for (unsigned i = 0; i < s.runs; i++) {
        seconds[i] = ask(c, &s, queries, model.dim, n, i + 1 == s.runs ? out : NULL, plan);
    }
    qsort(seconds, s.runs, sizeof(*seconds), compare);
    printf("%.1f queries/s (%.1f-%.1f), opening %.1f ms, resident %.0f MB, %s\n",
           (double)n / seconds[s.runs / 2], (double)n / seconds[s.runs - 1],
           (double)n / seconds[0], opening * 1e3, resident_megabytes(), plan);
    fclose(out);
    kith_collection_close(c);
    free(queries);
    return 0;
}
