/* The store when its process is killed, and when the system refuses: every call of the
 * I/O table, and full disks. */
#include "store_fixture.h"

#include <errno.h>
#include <sys/resource.h>

typedef struct fixture {
    char dir[256];
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    make_folder(f->dir, sizeof(f->dir));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    kbase_io_set(NULL);
    remove_folder(f->dir);
    free(f);
    return 0;
}

/* ------------------------------------------------------------------ kill -9 */

#define N_KILLS 40

typedef struct writing {
    const char *dir;
    int acknowledge; /* the number of each batch, once it is committed */
} writing;

static int write_for_ever(void *context)
{
    writing *w = context;
    kstore *store = NULL;
    kstore_snapshot *snapshot;
    if (kstore_open(w->dir, false, &store, NULL) != KITH_OK ||
        kstore_snapshot_begin(store, &snapshot, NULL) != KITH_OK) {
        return 1;
    }
    unsigned b = n_batches_in(snapshot);
    kstore_snapshot_end(snapshot);
    test_state state;
    state_after(&state, b);
    for (b++;; b++) {
        if (commit_batch(store, &state, b, NULL) != KITH_OK ||
            write(w->acknowledge, &b, sizeof(b)) != sizeof(b)) {
            return 2;
        }
    }
}

static void test_kill(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 0);
    unsigned last = 0;
    unsigned n_acknowledged = 0;
    for (unsigned i = 0; i < N_KILLS; i++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        writing w = { f->dir, ends[1] };
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            _exit(write_for_ever(&w));
        }
        close(ends[1]);
        unsigned acknowledged = last;
        unsigned b;
        /* A busy machine may let nothing be committed within a given time. */
        for (unsigned n = i % 4; n > 0 && read(ends[0], &b, sizeof(b)) == sizeof(b); n--) {
            acknowledged = b;
            n_acknowledged++;
        }
        usleep((useconds_t)(mix(i) % 20000));
        kill(pid, SIGKILL);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        for (; read(ends[0], &b, sizeof(b)) == sizeof(b); n_acknowledged++) {
            acknowledged = b;
        }
        close(ends[0]);
        kstore *store = open_store(f->dir);
        last = check_store(store);
        kstore_close(store);
        assert_true(last == acknowledged || last == acknowledged + 1);
    }
    assert_true(n_acknowledged > N_KILLS);
}

/* ------------------------------------------------------------------ refused calls */

static struct {
    unsigned n_calls;
    unsigned fail_at; /* 1: the first call */
    bool for_ever;    /* and all that follow */
    bool few_bytes;   /* every transfer is short, every other one interrupted */
    int reason;
} faults;

static bool refuse(void)
{
    faults.n_calls++;
    bool now = faults.fail_at != 0 &&
               (faults.n_calls == faults.fail_at ||
                (faults.for_ever && faults.n_calls > faults.fail_at));
    if (now) {
        errno = faults.reason;
    }
    return now;
}

static size_t shorten(size_t n_bytes)
{
    return faults.few_bytes && n_bytes > 100 ? n_bytes / 2 + 1 : n_bytes;
}

static bool interrupt(void)
{
    if (faults.few_bytes && faults.n_calls % 2 == 0) {
        errno = EINTR;
        return true;
    }
    return false;
}

static int faulty_open(const char *path, int flags, mode_t mode)
{
    return refuse() ? -1 : open(path, flags, mode);
}

static ssize_t faulty_pread(int fd, void *data, size_t n_bytes, off_t offset)
{
    return refuse() || interrupt() ? -1 : pread(fd, data, shorten(n_bytes), offset);
}

static ssize_t faulty_pwrite(int fd, const void *data, size_t n_bytes, off_t offset)
{
    return refuse() || interrupt() ? -1 : pwrite(fd, data, shorten(n_bytes), offset);
}

static int faulty_fdatasync(int fd)
{
    return refuse() ? -1 : fdatasync(fd);
}

static int faulty_fsync(int fd)
{
    return refuse() ? -1 : fsync(fd);
}

static int faulty_fstat(int fd, struct stat *info)
{
    return refuse() ? -1 : fstat(fd, info);
}

static int faulty_rename(const char *from, const char *to)
{
    return refuse() ? -1 : rename(from, to);
}

static const kbase_io faulty_io = {
    faulty_open,  close,        faulty_pread,  faulty_pwrite, faulty_fdatasync,
    faulty_fsync, faulty_fstat, faulty_rename, unlink,
};

static void arm(unsigned fail_at, bool for_ever, int reason)
{
    faults.n_calls = 0;
    faults.fail_at = fail_at;
    faults.for_ever = for_ever;
    faults.reason = reason;
    kbase_io_set(&faulty_io);
}

static void check_refusal(kith_status status, const kith_error *err, int reason)
{
    assert_int_equal(status, reason == ENOSPC ? KITH_FULL : KITH_IO);
    assert_int_equal(err->sys_errno, reason);
    assert_true(strlen(err->message) > 20);
}

static void test_refused_open_and_commit(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 10);
    test_state expected;
    state_after(&expected, 10);
    unsigned b = 11;
    unsigned n_refused = 0;
    for (unsigned mode = 0; mode < 4; mode++) {
        int reason = mode % 2 == 0 ? EIO : ENOSPC;
        bool done = false;
        for (unsigned k = 1; !done; k++) {
            kith_error err = { 0 };
            kstore *store = NULL;
            test_state next = expected;
            arm(k, mode / 2 == 1, reason);
            kith_status status = kstore_open(f->dir, false, &store, &err);
            if (status == KITH_OK) {
                status = commit_batch(store, &next, b, &err);
            }
            done = faults.n_calls < k;
            kbase_io_set(NULL);
            kstore_close(store);
            if (status == KITH_OK) {
                assert_true(done);
                expected = next;
                b++;
            } else {
                check_refusal(status, &err, reason);
                n_refused++;
            }
            store = open_store(f->dir);
            assert_int_equal(check_store(store), b - 1);
            kstore_close(store);
        }
    }
    assert_true(n_refused > 4 * 8);
}

static void test_refused_create(void **state)
{
    fixture *f = *state;
    bool done = false;
    for (unsigned k = 1; !done; k++) {
        kith_error err = { 0 };
        arm(k, false, EIO);
        kith_status status = kstore_create(f->dir, &test_settings, &err);
        done = faults.n_calls < k;
        kbase_io_set(NULL);
        if (done) {
            assert_int_equal(status, KITH_OK);
        } else {
            check_refusal(status, &err, EIO);
            assert_int_equal(rmdir(f->dir), 0); /* nothing is left */
            assert_int_equal(mkdir(f->dir, 0700), 0);
        }
    }
    kstore *store = open_store(f->dir);
    assert_int_equal(check_store(store), 0);
    kstore_close(store);
}

static void test_refused_lock(void **state)
{
    fixture *f = *state;
    bool done = false;
    for (unsigned k = 1; !done; k++) {
        kstore_lock *lock = NULL;
        int64_t holder;
        kith_error err = { 0 };
        arm(k, false, EIO);
        kith_status status = kstore_lock_try(f->dir, &lock, &holder, &err);
        done = faults.n_calls < k;
        kbase_io_set(NULL);
        if (done) {
            assert_int_equal(status, KITH_OK);
            kstore_lock_release(lock);
        } else {
            check_refusal(status, &err, EIO);
        }
    }
}

/* After a flush that failed nothing is written until the store is opened anew; reading
 * goes on. */
static void test_failed_flush(void **state)
{
    fixture *f = *state;
    make_store(f->dir, 5);
    kstore *store = open_store(f->dir);
    test_state expected;
    state_after(&expected, 5);
    test_state lost = expected;
    static kbase_io io;
    io = faulty_io;
    io.pread = pread;
    io.pwrite = pwrite;
    io.fstat = fstat;
    arm(1, true, EIO);
    kbase_io_set(&io); /* only the flush fails */
    assert_int_equal(commit_batch(store, &lost, 6, NULL), KITH_IO);
    assert_int_equal(faults.n_calls, 1);
    kbase_io_set(NULL);
    kith_error err = { 0 };
    lost = expected;
    assert_int_equal(commit_batch(store, &lost, 6, &err), KITH_IO);
    assert_non_null(strstr(err.message, "open it again"));
    assert_int_equal(check_store(store), 5);
    kstore_close(store);
    store = open_store(f->dir);
    assert_int_equal(commit_batch(store, &expected, 6, NULL), KITH_OK);
    assert_int_equal(check_store(store), 6);
    kstore_close(store);
}

static void test_short_transfers(void **state)
{
    fixture *f = *state;
    faults.few_bytes = true;
    arm(0, false, 0);
    make_store(f->dir, 10);
    kstore *store = open_store(f->dir);
    assert_int_equal(check_store(store), 10);
    kstore_close(store);
    faults.few_bytes = false;
    kbase_io_set(NULL);
}

/* ------------------------------------------------------------------ full disks */

typedef struct limited {
    const char *dir;
    rlim_t n_bytes;
} limited;

/* Batches until one fails, with files that may not grow beyond a limit, which LMDB's
 * own writes meet, too. The number of the last batch that succeeded; 250: a wrong
 * status. */
static int write_until_full(void *context)
{
    limited *l = context;
    kstore *store = NULL;
    test_state state = { { 0 } };
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = { l->n_bytes, l->n_bytes };
    if (kstore_open(l->dir, false, &store, NULL) != KITH_OK ||
        setrlimit(RLIMIT_FSIZE, &limit) != 0) {
        return 251;
    }
    for (int b = 1; b < 250; b++) {
        kith_error err = { 0 };
        kith_status status = commit_batch(store, &state, (unsigned)b, &err);
        if (status != KITH_OK) {
            return (status == KITH_FULL || status == KITH_IO) && err.message[0] != '\0'
                       ? b - 1
                       : 250;
        }
    }
    return 250;
}

static void test_full(void **state)
{
    fixture *f = *state;
    int last = -1;
    unsigned n_steps = 0;
    for (rlim_t n_bytes = 16384; n_bytes < 400000; n_bytes += 7000) {
        make_store(f->dir, 0);
        limited l = { f->dir, n_bytes };
        int n = in_child(write_until_full, &l);
        assert_true(n < 250);
        kstore *store = open_store(f->dir);
        assert_int_equal(check_store(store), n);
        kstore_close(store);
        assert_true(n >= last);
        n_steps += n > last;
        last = n;
        remove_folder(f->dir);
        assert_int_equal(mkdir(f->dir, 0700), 0);
    }
    assert_true(n_steps > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_open_and_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_create, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_flush, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short_transfers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
