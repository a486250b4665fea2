/* src/base: errors, checked sizes, memory, files, checksums, threads. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checked.h"
#include "checksum.h"
#include "cpu.h"
#include "error.h"
#include "file.h"
#include "memory.h"
#include "threads.h"

static void errors_are_written_only_on_failure(void **state)
{
    (void)state;
    kith_error error;
    memset(&error, 0x55, sizeof(error));
    assert_int_equal(kbase_fail(&error, KITH_INVALID, "k is %d", 0), KITH_INVALID);
    assert_int_equal(error.code, KITH_INVALID);
    assert_int_equal(error.sys_errno, 0);
    assert_string_equal(error.message, "k is 0");
    assert_int_equal(kbase_fail(NULL, KITH_IO, "nobody listens"), KITH_IO);
    assert_int_equal(kbase_fail_errno(&error, ENOSPC, "cannot write %s", "a"), KITH_FULL);
    assert_int_equal(error.sys_errno, ENOSPC);
    assert_string_equal(error.message, "cannot write a: No space left on device");
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    kith_error error;
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    kbase_fail_errno(&error, EIO, "%s", text);
    assert_int_equal(strlen(error.message), sizeof(error.message) - 1);
}

static void every_status_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i >= KITH_UNSUPPORTED; i--) {
        assert_string_not_equal(kith_status_name((kith_status)i), "unknown status");
    }
    assert_string_equal(kith_status_name((kith_status)1), "unknown status");
}

static void sizes_do_not_wrap(void **state)
{
    (void)state;
    size_t n;
    assert_true(kbase_mul(&n, SIZE_MAX / 3, 3));
    assert_false(kbase_mul(&n, SIZE_MAX / 3, 4));
    assert_false(kbase_add(&n, SIZE_MAX, 1));
    assert_null(kbase_realloc(NULL, SIZE_MAX / 2, 4));
    assert_null(kbase_alloc_aligned(SIZE_MAX / 2, 4));
    kith_error error;
    kbase_buffer buffer = KBASE_BUFFER_INIT;
    assert_ok(kbase_buffer_append(&buffer, "abc", 3, &error));
    assert_status(KITH_NOMEM, kbase_buffer_reserve(&buffer, SIZE_MAX - 1, &error));
    assert_memory_equal(buffer.data, "abc", 3);
    kbase_buffer_free(&buffer);
}

static void arenas_keep_what_they_gave(void **state)
{
    (void)state;
    kbase_arena arena = KBASE_ARENA_INIT;
    char *pieces[200];
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = kbase_arena_alloc(&arena, 100 * i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)i, 100 * i);
    }
    for (size_t i = 1; i < 200; i++) {
        assert_int_equal((unsigned char)pieces[i][100 * i - 1], i);
    }
    kith_text copy = kbase_arena_copy(&arena, (kith_text){ "a\0b", 3 });
    assert_memory_equal(copy.data, "a\0b", 4);
    assert_null(kbase_arena_alloc(&arena, SIZE_MAX));
    kbase_arena_free(&arena);
}

static void known_digests(void **state)
{
    (void)state;
    unsigned char digest[KBASE_SHA256_BYTES];
    char hex[2 * KBASE_SHA256_BYTES + 1];
    kbase_sha256("abc", 3, digest);
    kbase_hex(digest, sizeof(digest), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
                             "b00361a396177a9cb410ff61f20015ad"); /* FIPS 180-2, B.1 */
    assert_true(kbase_hash64("", 0) == 0x2d06800538d394c2u); /* XXH3, seed 0 */
}

static void files_appear_whole(void **state)
{
    (void)state;
    kith_error error;
    char *folder = make_temp_folder();
    char *path = format("%s/a", folder);
    assert_ok(kbase_write_whole(path, "first", 5, &error));
    kbase_new_file out = KBASE_NEW_FILE_INIT;
    assert_ok(kbase_new_file_begin(&out, path, &error));
    assert_ok(kbase_file_write(&out.file, "second", 6, 0, &error));
    kbase_buffer content = KBASE_BUFFER_INIT;
    assert_ok(kbase_read_whole(path, 100, &content, &error));
    assert_string_equal(content.data, "first");
    char *temporary = strdup(out.file.path);
    kbase_new_file_abort(&out);
    assert_int_equal(access(temporary, F_OK), -1);
    assert_status(KITH_INVALID, kbase_read_whole(path, 4, &content, &error));
    assert_status(KITH_NOT_FOUND, kbase_write_whole("/nonexistent/a", "", 0, &error));
    kbase_buffer_free(&content);
    free(temporary);
    free(path);
    remove_tree(folder);
    free(folder);
}

static void short_files_are_damage(void **state)
{
    (void)state;
    kith_error error;
    char *folder = make_temp_folder();
    char *path = format("%s/a", folder);
    char data[10];
    write_file(path, "12345", 5);
    kbase_file file = KBASE_FILE_INIT;
    kbase_map map = KBASE_MAP_INIT;
    assert_ok(kbase_file_open(&file, path, O_RDONLY, 0, &error));
    assert_status(KITH_CORRUPT, kbase_file_read(&file, data, 10, 0, &error));
    assert_status(KITH_CORRUPT, kbase_map_file(&file, 6, &map, &error));
    assert_ok(kbase_map_file(&file, 0, &map, &error));
    assert_int_equal(map.n_bytes, 5);
    kbase_unmap(&map);
    kbase_file_close(&file);
    free(path);
    remove_tree(folder);
    free(folder);
}

/* A table in which the n-th call from now on fails. */
static int calls_left;
static bool fails(void)
{
    errno = EIO;
    return calls_left-- == 0;
}
static int faulty_open(const char *path, int flags, mode_t mode)
{
    return fails() ? -1 : open(path, flags, mode);
}
static ssize_t short_pwrite(int fd, const void *data, size_t n, off_t offset)
{
    return fails() ? -1 : pwrite(fd, data, n > 3 ? 3 : n, offset);
}
static int faulty_fdatasync(int fd)
{
    return fails() ? -1 : fdatasync(fd);
}
static int faulty_fsync(int fd)
{
    return fails() ? -1 : fsync(fd);
}
static int faulty_rename(const char *from, const char *to)
{
    return fails() ? -1 : rename(from, to);
}
static const kbase_io faulty = { faulty_open,      close,        pread, short_pwrite,
                                 faulty_fdatasync, faulty_fsync, fstat, faulty_rename,
                                 unlink };

static void a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    kith_error error;
    char *folder = make_temp_folder();
    char *path = format("%s/a", folder);
    assert_ok(kbase_write_whole(path, "old", 3, &error));
    kith_status status = KITH_IO;
    int n_failures = 0;
    for (int i = 0; status != KITH_OK; i++) {
        kbase_buffer content = KBASE_BUFFER_INIT;
        calls_left = i;
        kbase_io_set(&faulty);
        status = kbase_write_whole(path, "new content", 11, &error);
        kbase_io_set(NULL);
        n_failures += status != KITH_OK;
        assert_ok(kbase_read_whole(path, 100, &content, &error));
        assert_true(strcmp(content.data, "new content") == 0 ||
                    (status != KITH_OK && strcmp(content.data, "old") == 0));
        kbase_buffer_free(&content);
    }
    assert_true(n_failures >= 8); /* open, four short writes, sync, rename, folder */
    char *rest = format("test $(ls '%s' | wc -l) = 1", folder);
    assert_int_equal(system(rest), 0); /* no temporary file stays */
    free(rest);
    free(path);
    remove_tree(folder);
    free(folder);
}

typedef struct tally {
    atomic_int done[1000];
    atomic_int n_by_worker[4];
} tally;

static void count_task(void *context, size_t index, unsigned worker)
{
    tally *t = context;
    atomic_fetch_add(&t->done[index], 1);
    atomic_fetch_add(&t->n_by_worker[worker], 1);
}

static void pools_run_every_task_once(void **state)
{
    (void)state;
    kith_error error;
    for (unsigned n_threads = 1; n_threads <= 4; n_threads++) {
        kbase_pool *pool;
        assert_ok(kbase_pool_new(n_threads, &pool, &error));
        assert_int_equal(kbase_pool_size(pool), n_threads);
        tally *t = calloc(1, sizeof(*t));
        for (int round = 1; round <= 50; round++) {
            kbase_pool_run(pool, 1000, count_task, t);
            for (size_t i = 0; i < 1000; i++) {
                assert_int_equal(t->done[i], round);
            }
        }
        kbase_pool_run(pool, 0, count_task, t);
        free(t);
        kbase_pool_free(pool);
    }
    kbase_pool *pool;
    assert_status(KITH_INVALID, kbase_pool_new(100000, &pool, &error));
}

static void kernels_are_chosen_by_name(void **state)
{
    (void)state;
    kith_error error;
    kbase_isa isa;
    assert_ok(kbase_isa_choose(NULL, &isa, &error));
    assert_ok(kbase_isa_choose(kbase_isa_name(isa), &isa, &error));
    assert_ok(kbase_isa_choose("portable", &isa, &error));
    assert_int_equal(isa, KBASE_ISA_PORTABLE);
    assert_status(KITH_INVALID, kbase_isa_choose("sse9", &isa, &error));
    for (int i = 0; i < KBASE_ISA_COUNT; i++) {
        assert_non_null(strstr(error.message, kbase_isa_name((kbase_isa)i)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_written_only_on_failure),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(every_status_has_a_name),
        cmocka_unit_test(sizes_do_not_wrap),
        cmocka_unit_test(arenas_keep_what_they_gave),
        cmocka_unit_test(known_digests),
        cmocka_unit_test(files_appear_whole),
        cmocka_unit_test(short_files_are_damage),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(pools_run_every_task_once),
        cmocka_unit_test(kernels_are_chosen_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
