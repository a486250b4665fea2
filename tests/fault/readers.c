/* Processes that search while one adds, deletes and compacts; prints TAP.
 *
 * The content of the collection follows from the number of its last commit: every record
 * of a group tells that number, and which of the other records exist depends on it. So an
 * answer shows which state it is of, and whether it is that state, all of it. The writer
 * tells in shared memory which commit it has begun and which has succeeded: an answer may
 * be no older than what had succeeded when it was asked for, and no newer than what had
 * begun when it came.
 *
 * usage: readers MODEL_FOLDER SECONDS [PROCESSES] */
#include <kith.h>

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_GROUP 10
#define N_OTHERS 20
#define MAX_READERS 64
#define MAX_DIM 64
#define N_KINDS 7
#define QUERY "which record tells the state?"
/* A stored vector is rounded to 11 bits of each number. */
#define SCORE_TOLERANCE 2e-3f

static struct shared {
    atomic_uint begun;
    atomic_uint succeeded;
    atomic_bool stop;
    atomic_bool has_complaint;
    char complaint[800];
    unsigned n_compactions;
    atomic_uint n_answers[MAX_READERS];
    atomic_uint n_states[MAX_READERS]; /* answers of another state than the one before */
} *shared;

static char folder[64];
static char model_path[96];
static char coll_path[96];
static double seconds;

/* ------------------------------------------------------------------ the states */

static bool exists(unsigned state, unsigned i)
{
    return ((state + i) * 2654435761u >> 13) % 3 != 0;
}

static unsigned n_records_in(unsigned state)
{
    unsigned n = N_GROUP;
    for (unsigned i = 0; i < N_OTHERS; i++) {
        n += exists(state, i);
    }
    return n;
}

typedef struct sighting {
    unsigned state;
    unsigned n_group;
    unsigned n_others;
    bool group[N_GROUP];
    bool others[N_OTHERS];
} sighting;

/* ------------------------------------------------------------------ complaints */

/* The first one counts. */
static bool complain(const char *what, const kith_error *err, unsigned a, unsigned b)
{
    if (!atomic_exchange(&shared->has_complaint, true)) {
        snprintf(shared->complaint, sizeof(shared->complaint), "%s (%u, %u) %s", what, a,
                 b, err != NULL ? err->message : "");
        atomic_store(&shared->stop, true);
    }
    return false;
}

static bool is_good(kith_status status, const char *what, const kith_error *err)
{
    return status == KITH_OK || complain(what, err, 0, 0);
}

/* ------------------------------------------------------------------ reading */

typedef struct reader {
    unsigned number;
    kith_model *model;
    kith_collection *collection;
    unsigned last; /* state of the former answer */
    float query[MAX_DIM];
} reader;

static bool note(sighting *seen, const kith_record *record)
{
    unsigned i;
    unsigned state;
    char expected[64];
    if (sscanf(record->id.data, "g%u", &i) == 1 && i < N_GROUP && !seen->group[i]) {
        if (sscanf(record->text.data, "record %*u is in state %u", &state) != 1) {
            return complain("a text of the group", NULL, i, 0);
        }
        if (seen->n_group > 0 && state != seen->state) {
            return complain("two states in one answer", NULL, seen->state, state);
        }
        seen->state = state;
        seen->group[i] = true;
        seen->n_group++;
        snprintf(expected, sizeof(expected), "record %u is in state %u", i, state);
    } else if (sscanf(record->id.data, "o%u", &i) == 1 && i < N_OTHERS &&
               !seen->others[i]) {
        seen->others[i] = true;
        seen->n_others++;
        snprintf(expected, sizeof(expected), "number %u of the others", i);
    } else {
        return complain("a record that is none, or comes twice", NULL, 0, 0);
    }
    return strcmp(expected, record->text.data) == 0 ||
           complain("another text", NULL, i, 0);
}

/* All of a state, and of one that was to be expected. */
static bool is_whole(reader *r, const sighting *seen, unsigned at_least)
{
    unsigned at_most = atomic_load(&shared->begun);
    if (seen->n_group != N_GROUP) {
        return complain("a part of the group", NULL, seen->state, seen->n_group);
    }
    for (unsigned i = 0; i < N_OTHERS; i++) {
        if (seen->others[i] != exists(seen->state, i)) {
            return complain("a record too many or too few", NULL, seen->state, i);
        }
    }
    if (seen->state < at_least || seen->state > at_most || seen->state < r->last) {
        return complain("a state of another time", NULL, seen->state, at_least);
    }
    atomic_fetch_add(&shared->n_answers[r->number], 1);
    atomic_fetch_add(&shared->n_states[r->number], seen->state != r->last);
    r->last = seen->state;
    return true;
}

/* The row belongs to the text. */
static bool has_its_score(reader *r, const kith_hit *hit)
{
    kith_error err;
    float vector[MAX_DIM];
    const kith_text text = hit->record->text;
    if (!is_good(kith_model_encode(r->model, &text, 1, NULL, vector, NULL,
                                   &err), "encode", &err)) {
        return false;
    }
    kith_model_info info;
    kith_model_get_info(r->model, &info);
    float score = 0.0f;
    for (uint32_t i = 0; i < info.dim; i++) {
        score += vector[i] * r->query[i];
    }
    return fabsf(score - hit->score) < SCORE_TOLERANCE ||
           complain("a vector that is not the text's", NULL, 0, 0);
}

static bool search(reader *r)
{
    kith_error err;
    kith_results *results;
    kith_search_opts opts = KITH_SEARCH_OPTS_INIT;
    const kith_query query = { .text = { QUERY, sizeof(QUERY) - 1 } };
    sighting seen = { 0 };
    unsigned at_least = atomic_load(&shared->succeeded);
    opts.k = 1000;
    if (!is_good(kith_search(r->collection, &query, 1, &opts, &results, &err), "search",
                 &err)) {
        return false;
    }
    const kith_answer *answer = kith_results_at(results, 0);
    bool good = answer->exact || complain("not exact", NULL, 0, 0);
    for (size_t i = 0; i < answer->n_hits && good; i++) {
        good = note(&seen, answer->hits[i].record);
    }
    good = good && is_whole(r, &seen, at_least) &&
           has_its_score(r, &answer->hits[r->last % answer->n_hits]);
    kith_results_free(results);
    return good;
}

static bool list(reader *r)
{
    kith_error err;
    kith_cursor *cursor;
    kith_records *records;
    sighting seen = { 0 };
    unsigned at_least = atomic_load(&shared->succeeded);
    if (!is_good(kith_cursor_open(r->collection, &cursor, &err), "cursor", &err)) {
        return false;
    }
    bool good = is_good(kith_cursor_next(cursor, &records, &err), "next", &err);
    for (size_t i = 0; good && i < kith_records_count(records); i++) {
        good = note(&seen, kith_records_at(records, i));
    }
    good = good && is_whole(r, &seen, at_least);
    kith_records_free(records);
    kith_cursor_close(cursor);
    return good;
}

static bool get(reader *r)
{
    kith_error err;
    kith_records *records = NULL;
    sighting seen = { 0 };
    unsigned at_least = atomic_load(&shared->succeeded);
    const kith_text id = { "g3", 2 };
    bool good = is_good(kith_record_get(r->collection, id, &records, &err), "get", &err) &&
                note(&seen, kith_records_at(records, 0));
    if (good && (seen.state < at_least || seen.state < r->last)) {
        good = complain("an old record", NULL, seen.state, at_least);
    }
    r->last = good ? seen.state : r->last;
    kith_records_free(records);
    return good;
}

static bool look(reader *r)
{
    kith_error err;
    kith_collection_info info;
    unsigned at_least = atomic_load(&shared->succeeded);
    if (!is_good(kith_collection_get_info(r->collection, &info, &err), "info", &err)) {
        return false;
    }
    unsigned at_most = atomic_load(&shared->begun);
    for (unsigned state = at_least; state <= at_most; state++) {
        if (info.n_records == n_records_in(state) && info.bytes_store > 0) {
            return true;
        }
    }
    return complain("a number of records", NULL, (unsigned)info.n_records, at_least);
}

static bool verify(reader *r)
{
    kith_error err;
    return is_good(kith_collection_verify(r->collection, &err), "verify", &err);
}

static bool open_collection(reader *r)
{
    kith_error err;
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.read_only = r->number % 2 == 0;
    opts.n_threads = 1;
    return is_good(kith_collection_open(coll_path, r->model, &opts, &r->collection, &err),
                   "open", &err);
}

/* Every fourth process opens the collection for each look at it. */
static void *read_on(void *context)
{
    reader r = *(reader *)context;
    static bool (*const kinds[N_KINDS])(reader *r) = {
        search, list, search, get, search, look, verify,
    };
    bool good = true;
    for (unsigned n = 0; good && !atomic_load(&shared->stop); n++) {
        if (r.number % 4 == 3) {
            kith_collection_close(r.collection);
            r.collection = NULL;
            good = open_collection(&r);
        }
        good = good && kinds[n % N_KINDS](&r);
    }
    ((reader *)context)->collection = r.collection;
    return NULL;
}

static bool open_model(kith_model **model)
{
    kith_error err;
    kith_model_opts opts = KITH_MODEL_OPTS_INIT;
    opts.n_threads = 1;
    return is_good(kith_model_open(model_path, &opts, model, &err), "model", &err);
}

/* Every fourth process, another one, reads with two threads on one handle. */
static void run_reader(unsigned number)
{
    kith_error err;
    reader r = { .number = number };
    const kith_text query = { QUERY, sizeof(QUERY) - 1 };
    if (!open_model(&r.model) || !open_collection(&r) ||
        !is_good(kith_model_encode(r.model, &query, 1, NULL, r.query, NULL,
                                   &err), "encode", &err)) {
        return;
    }
    pthread_t thread;
    reader twin = r;
    bool has_twin = number % 4 == 1 && pthread_create(&thread, NULL, read_on, &twin) == 0;
    read_on(&r);
    if (has_twin) {
        pthread_join(thread, NULL);
    }
    kith_collection_close(r.collection);
    kith_model_close(r.model);
}

/* ------------------------------------------------------------------ writing */

static bool add(kith_writer *writer, const char *id, const char *text)
{
    kith_error err;
    const kith_input input = { .id = { id, strlen(id) }, .text = { text, strlen(text) } };
    return is_good(kith_writer_add(writer, &input, &err), "add", &err);
}

static bool write_state(kith_writer *writer, unsigned state)
{
    kith_error err;
    char id[16];
    char text[64];
    bool good = true;
    for (unsigned i = 0; i < N_GROUP && good; i++) {
        snprintf(id, sizeof(id), "g%u", i);
        snprintf(text, sizeof(text), "record %u is in state %u", i, state);
        good = add(writer, id, text);
    }
    for (unsigned i = 0; i < N_OTHERS && good; i++) {
        snprintf(id, sizeof(id), "o%u", i);
        snprintf(text, sizeof(text), "number %u of the others", i);
        bool was_there = state > 1 && exists(state - 1, i);
        if (exists(state, i)) {
            good = add(writer, id, text);
        } else if (was_there) {
            const kith_text gone = { id, strlen(id) };
            good = is_good(kith_writer_delete(writer, gone, &err), "delete", &err);
        }
    }
    atomic_store(&shared->begun, state);
    good = good && is_good(kith_writer_commit(writer, &err), "commit", &err);
    if (good) {
        atomic_store(&shared->succeeded, state);
    }
    return good;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Writers come and go, too: a new one every eighth commit. */
static void run_writer(kith_collection *collection)
{
    kith_error err;
    kith_writer *writer = NULL;
    const double end = now() + seconds;
    bool good = true;
    for (unsigned state = 2; good && now() < end && !atomic_load(&shared->stop); state++) {
        if (writer == NULL) {
            good = is_good(kith_writer_begin(collection, NULL, &writer, &err), "begin",
                           &err);
        }
        good = good && write_state(writer, state);
        if (good && state % 3 == 0) {
            good = is_good(kith_writer_compact(writer, NULL, NULL, &err), "compact", &err);
            shared->n_compactions++;
        }
        if (state % 8 == 0) {
            kith_writer_close(writer);
            writer = NULL;
        }
    }
    kith_writer_close(writer);
}

static void write_all(bool is_first)
{
    kith_error err;
    kith_model *model = NULL;
    kith_collection *collection = NULL;
    kith_writer *writer = NULL;
    kith_collection_opts opts = KITH_COLLECTION_OPTS_INIT;
    opts.create = true;
    if (open_model(&model) &&
        is_good(kith_collection_open(coll_path, model, &opts, &collection, &err), "open",
                &err)) {
        if (!is_first) {
            run_writer(collection);
        } else if (is_good(kith_writer_begin(collection, NULL, &writer, &err), "begin",
                           &err)) {
            write_state(writer, 1);
            kith_writer_close(writer);
        }
    }
    kith_collection_close(collection);
    kith_model_close(model);
    atomic_store(&shared->stop, !is_first || atomic_load(&shared->has_complaint));
}

/* ------------------------------------------------------------------ processes */

static pid_t start(void (*run)(unsigned number), unsigned number)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm((unsigned)(seconds * 10) + 120); /* nobody hangs for ever */
        run(number);
        _exit(0);
    }
    return pid;
}

static void run_first(unsigned number)
{
    (void)number;
    write_all(true);
}

static void run_rest(unsigned number)
{
    (void)number;
    write_all(false);
}

static void wait_for(pid_t pid, const char *who)
{
    int result = 0;
    if (pid < 0 || waitpid(pid, &result, 0) != pid || result != 0) {
        complain(who, NULL, (unsigned)result, 0);
    }
}

static void report(bool good, unsigned n, const char *what)
{
    printf("%s %u - %s\n", good ? "ok" : "not ok", n, what);
}

int main(int argc, char **argv)
{
    kith_error err;
    unsigned n_readers = argc > 3 ? (unsigned)atoi(argv[3]) : 8;
    if (argc < 3 || n_readers > MAX_READERS) {
        fprintf(stderr, "usage: readers MODEL_FOLDER SECONDS [PROCESSES]\n");
        return 2;
    }
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%.40s/kith-readers-XXXXXX",
             parent != NULL ? parent : "/tmp");
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || mkdtemp(folder) == NULL) {
        perror("readers");
        return 2;
    }
    seconds = atof(argv[2]);
    snprintf(model_path, sizeof(model_path), "%s/tiny.kmodel", folder);
    snprintf(coll_path, sizeof(coll_path), "%s/c.kith", folder);
    is_good(kith_model_import(argv[1], "tiny", model_path, NULL, &err), "import", &err);
    wait_for(start(run_first, 0), "the first commit");
    pid_t readers[MAX_READERS];
    for (unsigned i = 0; i < n_readers; i++) {
        readers[i] = start(run_reader, i);
    }
    wait_for(start(run_rest, 0), "the writer");
    atomic_store(&shared->stop, true);
    unsigned n_answers = 0;
    bool all_have_seen = true;
    for (unsigned i = 0; i < n_readers; i++) {
        wait_for(readers[i], "a reader");
        n_answers += atomic_load(&shared->n_answers[i]);
        all_have_seen = all_have_seen && atomic_load(&shared->n_states[i]) > 2;
    }
    printf("1..3\n# %u processes, %u whole answers, %u commits, %u compactions\n",
           n_readers, n_answers, atomic_load(&shared->succeeded), shared->n_compactions);
    report(!atomic_load(&shared->has_complaint), 1, "every answer is of a committed state");
    if (atomic_load(&shared->has_complaint)) {
        printf("# %s\n", shared->complaint);
    }
    report(shared->n_compactions > 2, 2, "there were compactions");
    report(all_have_seen, 3, "every reader saw several states");
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command) == 0 && !atomic_load(&shared->has_complaint) ? 0 : 1;
}
