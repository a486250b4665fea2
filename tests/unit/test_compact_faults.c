/* Compaction when the process dies at any call, when the system refuses any, when the
 * files are damaged; and opening while the files are replaced. */
#include "compact_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------------ the system */

static struct {
    unsigned n_calls;
    unsigned at;     /* the call that goes wrong; 0: none */
    bool for_ever;   /* and all that follow */
    bool dies;       /* the process ends before the call */
    bool only_sync;  /* only flushes of folders count */
    void (*instead)(void); /* called before the call, which is then made */
} fault;

static bool goes_wrong(bool is_folder_sync)
{
    if (fault.only_sync && !is_folder_sync) {
        return false;
    }
    fault.n_calls++;
    bool now = fault.at != 0 && (fault.n_calls == fault.at ||
                                 (fault.for_ever && fault.n_calls > fault.at));
    if (now && fault.dies) {
        _exit(9);
    }
    if (now && fault.instead != NULL) {
        fault.at = 0;
        fault.instead();
        return false;
    }
    errno = now ? EIO : errno;
    return now;
}

static int io_open(const char *path, int flags, mode_t mode)
{
    return goes_wrong(false) ? -1 : open(path, flags, mode);
}

static ssize_t io_pread(int fd, void *data, size_t n_bytes, off_t offset)
{
    return goes_wrong(false) ? -1 : pread(fd, data, n_bytes, offset);
}

static ssize_t io_pwrite(int fd, const void *data, size_t n_bytes, off_t offset)
{
    return goes_wrong(false) ? -1 : pwrite(fd, data, n_bytes, offset);
}

static int io_fdatasync(int fd)
{
    return goes_wrong(false) ? -1 : fdatasync(fd);
}

static int io_fsync(int fd)
{
    return goes_wrong(true) ? -1 : fsync(fd);
}

static int io_rename(const char *from, const char *to)
{
    return goes_wrong(false) ? -1 : rename(from, to);
}

static int io_unlink(const char *path)
{
    return goes_wrong(false) ? -1 : unlink(path);
}

static const kbase_io faulty_io = {
    io_open,  close, io_pread,  io_pwrite, io_fdatasync,
    io_fsync, fstat, io_rename, io_unlink,
};

static void arm(unsigned at)
{
    fault.n_calls = 0;
    fault.at = at;
    kbase_io_set(&faulty_io);
}

static void disarm(void)
{
    kbase_io_set(NULL);
    memset(&fault, 0, sizeof(fault));
}

/* ------------------------------------------------------------------ helpers */

static char *past; /* a copy of what make_past() made, closed */
static kbase_buffer content;

static int set_up(void **state)
{
    collection_set_up(state);
    kith_collection *c = make_past();
    content = dump(c);
    kith_collection_close(c);
    past = format("%s/past.kith", folder);
    copy_tree(coll, past);
    return 0;
}

static int tear_down(void **state)
{
    free(past);
    kbase_buffer_free(&content);
    return collection_tear_down(state);
}

static int fresh(void **state)
{
    (void)state;
    disarm();
    remove_tree(coll);
    copy_tree(past, coll);
    return 0;
}

/* Opens the collection without a model, as another process would. */
static kith_status compact_once(kith_error *err)
{
    kith_collection *c = NULL;
    kith_writer *writer = NULL;
    kith_status status = kith_collection_open(coll, NULL, NULL, &c, err);
    if (status == KITH_OK) {
        status = kith_writer_begin(c, NULL, &writer, err);
    }
    if (status == KITH_OK) {
        status = kith_writer_compact(writer, NULL, NULL, err);
    }
    kith_writer_close(writer);
    kith_collection_close(c);
    return status;
}

/* The content is as it was; the next writer sweeps, and the next compaction works. */
static void assert_recovers(void)
{
    kith_error error;
    assert_holds(&content);
    kith_collection *c = open_collection(false);
    kith_writer *writer = begin(c);
    char *generation = strrchr(c->generation->path, '/') + 1;
    static const char *const names[] = { "g000001", "g000002", "g000003",
                                         "g000001.removed", "g000002.removed" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(has_entry(names[i]), strcmp(names[i], generation) == 0);
    }
    assert_ok(kith_writer_compact(writer, NULL, NULL, &error));
    assert_false(some_file_holds(coll, SECRET));
    kith_writer_close(writer);
    kith_collection_close(c);
    assert_holds(&content);
}

/* ------------------------------------------------------------------ dying */

static void it_dies_at_any_call(void **state)
{
    (void)state;
    unsigned n_old = 0;
    unsigned n_new = 0;
    unsigned n_removed = 0;
    int result = 0x900;
    for (unsigned k = 1; result == 0x900; k++) {
        fresh(state);
        pid_t child = fork();
        if (child == 0) {
            fault.dies = true;
            arm(k);
            _exit(compact_once(NULL) == KITH_OK ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(result == 0 || result == 0x900);
        bool is_new = !has_entry("g000001");
        n_removed += has_entry("g000001.removed");
        n_new += is_new;
        n_old += !is_new;
        assert_recovers();
    }
    assert_true(n_old > 20 && n_new > 5 && n_removed > 3);
}

/* ------------------------------------------------------------------ refused calls */

static void it_is_refused_any_call(void **state)
{
    (void)state;
    unsigned n_refused = 0;
    bool is_done = false;
    for (unsigned k = 1; !is_done; k++) {
        kith_error error = { 0 };
        fresh(state);
        arm(k);
        kith_status status = compact_once(&error);
        is_done = fault.n_calls < k;
        disarm();
        if (is_done) {
            assert_ok(status);
        } else {
            assert_int_equal(status, KITH_IO);
            assert_true(strlen(error.message) > 20);
            n_refused++;
        }
        assert_recovers();
    }
    assert_true(n_refused > 30);
}

/* The switch is made, but not known to be durable: readers have the new files, a power
 * failure may bring the old ones back. Nothing may be written until that is settled. */
static void a_switch_in_doubt_stops_the_writer(void **state)
{
    (void)state;
    kith_error error;
    kith_collection *c = open_collection(false);
    kith_writer *writer = begin(c);
    unsigned n_syncs = 0;
    for (unsigned k = 1; has_entry("g000001"); k++) { /* which flush is CURRENT's? */
        kith_collection *probe = open_collection(false);
        fault.only_sync = true;
        arm(k);
        kith_status status = kith_writer_compact(writer, NULL, NULL, &error);
        n_syncs = fault.n_calls;
        disarm();
        kith_current current = KITH_CURRENT_INIT;
        assert_ok(kith_current_read(coll, &current, &error));
        kith_current_close(&current);
        if (current.number == 2 && status == KITH_IO && has_entry("g000001")) {
            assert_true(has_entry("g000002"));
            add(writer, "late", "may not be lost");
            assert_status(KITH_IO, kith_writer_commit(writer, &error));
            assert_non_null(strstr(error.message, "open it again"));
            kbase_buffer seen = dump(probe);
            assert_int_equal(seen.n_bytes, content.n_bytes);
            kbase_buffer_free(&seen);
            kith_collection_close(probe);
            kith_writer_close(writer);
            kith_collection_close(c);
            assert_recovers();
            return;
        }
        kith_collection_close(probe);
    }
    fail_msg("none of %u flushes is that of CURRENT", n_syncs);
}

/* One in which every call from the k-th on fails; 0: none. Whether there were so many. */
static bool compact_with_failing_end(unsigned k, bool *has_stayed)
{
    kith_error error;
    kith_collection *c = open_collection(false);
    kith_writer *writer = begin(c);
    fault.for_ever = true;
    arm(k);
    kith_status status = kith_writer_compact(writer, NULL, NULL, &error);
    const unsigned n_calls = fault.n_calls;
    disarm();
    fault.n_calls = n_calls;
    *has_stayed = status != KITH_OK && strstr(error.message, "is compacted, but") != NULL;
    if (*has_stayed) {
        add(writer, "late", "goes to the new files");
        assert_ok(kith_writer_commit(writer, &error));
        assert_ok(kith_writer_delete(writer, text_of("late"), &error));
        assert_ok(kith_writer_commit(writer, &error));
    }
    kith_writer_close(writer);
    kith_collection_close(c);
    assert_recovers();
    return n_calls >= k;
}

/* Files that cannot be removed: the switch was made, the next writer removes them. */
static void the_old_files_may_stay_for_a_while(void **state)
{
    unsigned n_stayed = 0;
    bool has_stayed;
    bool has_failed = compact_with_failing_end(0, &has_stayed);
    /* The folder's name, its files, the flush, and something more. */
    for (unsigned k = fault.n_calls - 15; has_failed; k++) {
        fresh(state);
        has_failed = compact_with_failing_end(k, &has_stayed);
        n_stayed += has_stayed;
    }
    assert_true(n_stayed >= 4);
}

/* ------------------------------------------------------------------ damage */

/* Change a byte of a file of the first generation wherever `mark` ends: pages that are
 * not used any more have it, too. */
static void damage(const char *name, const void *mark, size_t n_bytes)
{
    size_t n;
    unsigned n_found = 0;
    char *path = format("%s/g000001/%s", coll, name);
    char *data = read_file(path, &n);
    char *at = data;
    while ((at = memmem(at, n - (size_t)(at - data), mark, n_bytes)) != NULL) {
        at[n_bytes - 1] ^= 8;
        n_found++;
    }
    assert_true(n_found > 0);
    write_file(path, data, n);
    free(data);
    free(path);
}

static void assert_refused(void)
{
    kith_error error;
    assert_status(KITH_CORRUPT, compact_once(&error));
    assert_non_null(strstr(error.message, "backup"));
    assert_true(has_entry("g000001") && !has_entry("g000002"));
}

static void damage_is_not_carried_over(void **state)
{
    kith_error error;
    damage("data.mdb", "Record 2 tells", 14);
    assert_refused();

    fresh(state);
    kith_reading reading;
    kstore_vectors vectors;
    kith_collection *c = open_collection(false);
    assert_ok(kith_read_begin(c, &reading, &error));
    assert_ok(kstore_map_vectors(reading.snapshot, &vectors, &error));
    uint16_t row[24];
    memcpy(row, vectors.data + 5 * vectors.stride, sizeof(row));
    kith_read_end(c, &reading);
    kith_collection_close(c);
    damage("vectors", row, sizeof(row));
    assert_refused();

    fresh(state);
    assert_ok(compact_once(&error));
    assert_holds(&content);
}

/* ------------------------------------------------------------------ late openers */

static char *compacted; /* `past` after a compaction */

/* What a compaction of another process does to the files, all at once. */
static void replace_generation(void)
{
    kith_error error;
    char *from = format("%s/g000002", compacted);
    char *to = format("%s/g000002", coll);
    kbase_io_set(NULL);
    copy_tree(from, to);
    assert_ok(kith_current_write(coll, 2, &error));
    assert_ok(kith_generation_remove(coll, 1, &error));
    kbase_io_set(&faulty_io);
    free(to);
    free(from);
}

static void who_opens_meanwhile_gets_either(void **state)
{
    kith_error error;
    unsigned n_late = 0;
    bool is_done = false;
    assert_ok(compact_once(&error));
    compacted = format("%s/compacted.kith", folder);
    copy_tree(coll, compacted);
    for (unsigned k = 1; !is_done; k++) {
        fresh(state);
        kith_collection *c = NULL;
        fault.instead = replace_generation;
        arm(k);
        kith_status status = kith_collection_open(coll, model, NULL, &c, &error);
        is_done = fault.n_calls < k;
        disarm();
        assert_ok(status);
        n_late += c->generation->current.number == 2;
        kbase_buffer found = dump(c);
        assert_int_equal(found.n_bytes, content.n_bytes);
        assert_memory_equal(found.data, content.data, found.n_bytes);
        kbase_buffer_free(&found);
        assert_int_equal(c->generation->current.number, is_done ? 1 : 2);
        kith_collection_close(c);
    }
    assert_true(n_late > 3);
    free(compacted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_dies_at_any_call, fresh),
        cmocka_unit_test_setup(it_is_refused_any_call, fresh),
        cmocka_unit_test_setup(a_switch_in_doubt_stops_the_writer, fresh),
        cmocka_unit_test_setup(the_old_files_may_stay_for_a_while, fresh),
        cmocka_unit_test_setup(damage_is_not_carried_over, fresh),
        cmocka_unit_test_setup(who_opens_meanwhile_gets_either, fresh),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
