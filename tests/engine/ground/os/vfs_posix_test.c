/* The posix files keep vfs.h's promises on a real file system. */
#include "engine/ground/os/vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/obs/counter.h"

static nq_ctx ctx;
static char directory[256];
static char path[300];
static char other[300];

static int make_directory(void **state) {
    (void)state;
    const char *base = getenv("TEST_TMPDIR");
    (void)snprintf(directory, sizeof(directory), "%s/vfs-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    (void)snprintf(path, sizeof(path), "%s/file", directory);
    (void)snprintf(other, sizeof(other), "%s/other", directory);
    nq_ctx_init(&ctx, NULL);
    return 0;
}

static int remove_directory(void **state) {
    (void)state;
    (void)unlink(path);
    (void)unlink(other);
    return rmdir(directory);
}

static nq_file *open_file(const char *name, uint32_t flags) {
    nq_file *file;
    assert_int_equal(nq_vfs_open(&ctx, nq_vfs_posix(), name, flags, &file), NQ_OK);
    return file;
}

static void what_was_written_is_read_back_with_holes_as_zeros(void **state) {
    (void)state;
    nq_file *file = open_file(path, NQ_OPEN_CREATE);
    uint64_t syncs = nq_counter_read(NQ_COUNTER_FILE_SYNCS);
    uint64_t written = nq_counter_read(NQ_COUNTER_FILE_WRITTEN_BYTES);
    assert_int_equal(nq_file_write_at(&ctx, file, 10000, "hello", 5), NQ_OK);
    assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
    assert_int_equal(nq_counter_read(NQ_COUNTER_FILE_SYNCS) - syncs, 1);
    assert_int_equal(nq_counter_read(NQ_COUNTER_FILE_WRITTEN_BYTES) - written, 5);
    char data[16];
    size_t got;
    assert_int_equal(nq_file_read_at(&ctx, file, 9999, data, 16, &got), NQ_OK);
    assert_int_equal(got, 6);
    assert_memory_equal(data, "\0hello", 6);
    assert_int_equal(nq_file_read_at(&ctx, file, 20000, data, 16, &got), NQ_OK);
    assert_int_equal(got, 0);
    uint64_t size;
    assert_int_equal(nq_file_truncate(&ctx, file, 10002), NQ_OK);
    assert_int_equal(nq_file_size(&ctx, file, &size), NQ_OK);
    assert_int_equal(size, 10002);
    bool is_reserved; /* or not: as the file system can */
    assert_int_equal(nq_file_allocate(&ctx, file, 0, 50000, &is_reserved), NQ_OK);
    assert_int_equal(nq_file_allocate(&ctx, file, 0, 100, &is_reserved), NQ_OK);
    assert_int_equal(nq_file_size(&ctx, file, &size), NQ_OK);
    assert_int_equal(size, 50000);
    assert_int_equal(nq_file_read_at(&ctx, file, 10000, data, 4, &got), NQ_OK);
    assert_memory_equal(data, "he\0\0", 4);
    nq_file_close(file);
    nq_file_close(NULL);
}

static int count_descriptors(void) {
    enum { DESCRIPTORS = 256 };
    int count = 0;
    for (int i = 0; i < DESCRIPTORS; i++) {
        count += fcntl(i, F_GETFD) != -1;
    }
    return count;
}

static void what_is_written_out_stays_as_it_was(void **state) {
    (void)state;
    enum { BYTES = 900001, AT = 4097 };
    nq_file *file = open_file(path, NQ_OPEN_CREATE);
    uint8_t *written = nq_heap_alloc(BYTES);
    uint8_t *read = nq_heap_alloc(BYTES);
    for (uint32_t i = 0; i < BYTES; i++) {
        written[i] = (uint8_t)(i * 7 + i / 4096);
    }
    assert_int_equal(nq_file_write_at(&ctx, file, AT, written, BYTES), NQ_OK);
    int open_before = count_descriptors();
    nq_file_write_out(file, AT, BYTES);
    nq_file_write_out(file, AT + 1, 1);
    nq_file_write_out(file, AT, 0);
    nq_file_write_out(file, 2 * BYTES, BYTES); /* there is nothing */
    assert_int_equal(count_descriptors(), open_before);
    assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
    size_t got;
    assert_int_equal(nq_file_read_at(&ctx, file, AT, read, BYTES, &got), NQ_OK);
    assert_int_equal(got, BYTES);
    assert_memory_equal(read, written, BYTES);
    nq_heap_free(written);
    nq_heap_free(read);
    nq_file_close(file);
}

static void what_is_discarded_touches_nothing_beside_it(void **state) {
    (void)state;
    enum { PART = 1 << 16 };
    static uint8_t bytes[3 * PART];
    static uint8_t found[3 * PART];
    memset(bytes, 7, sizeof(bytes));
    nq_file *file = open_file(path, NQ_OPEN_CREATE | NQ_OPEN_TRUNCATE);
    assert_int_equal(nq_file_write_at(&ctx, file, 0, bytes, sizeof(bytes)), NQ_OK);
    nq_file_discard(file, PART, PART);
    uint64_t size;
    size_t got;
    assert_int_equal(nq_file_size(&ctx, file, &size), NQ_OK);
    assert_int_equal(size, sizeof(bytes));
    assert_int_equal(nq_file_read_at(&ctx, file, 0, found, sizeof(found), &got), NQ_OK);
    assert_int_equal(got, sizeof(found));
    assert_memory_equal(found, bytes, PART);
    assert_memory_equal(found + 2 * PART, bytes, PART);
    bool is_reserved;
    assert_int_equal(nq_file_allocate(&ctx, file, PART, PART, &is_reserved), NQ_OK);
    assert_int_equal(nq_file_write_at(&ctx, file, PART, bytes, PART), NQ_OK);
    assert_int_equal(nq_file_read_at(&ctx, file, 0, found, sizeof(found), &got), NQ_OK);
    assert_memory_equal(found, bytes, sizeof(found));
    nq_file_close(file);
}

static void a_prefetch_changes_nothing_wherever_it_points(void **state) {
    (void)state;
    nq_file *file = open_file(path, NQ_OPEN_CREATE);
    assert_int_equal(nq_file_write_at(&ctx, file, 0, "hello", 5), NQ_OK);
    nq_file_prefetch(file, 0, 5);
    nq_file_prefetch(file, 3, 1 << 20);
    nq_file_prefetch(file, UINT64_MAX, 1);
    char data[8];
    size_t got;
    assert_int_equal(nq_file_read_at(&ctx, file, 0, data, 8, &got), NQ_OK);
    assert_int_equal(got, 5);
    assert_memory_equal(data, "hello", 5);
    nq_file_close(file);
}

static void open_flags_mean_what_they_say(void **state) {
    (void)state;
    nq_file *file;
    nq_vfs *vfs = nq_vfs_posix();
    assert_int_equal(nq_vfs_open(&ctx, vfs, path, 0, &file), NQ_IO_ERROR);
    assert_null(file);
    assert_non_null(strstr(ctx.error.message, path));
    assert_non_null(strstr(ctx.error.message, "No such file"));
    file = open_file(path, NQ_OPEN_CREATE | NQ_OPEN_EXCLUSIVE);
    assert_int_equal(nq_file_write_at(&ctx, file, 0, "x", 1), NQ_OK);
    nq_file_close(file);
    assert_int_equal(nq_vfs_open(&ctx, vfs, path, NQ_OPEN_CREATE | NQ_OPEN_EXCLUSIVE, &file),
                     NQ_IO_ERROR);
    file = open_file(path, NQ_OPEN_READ_ONLY);
    assert_int_equal(nq_file_write_at(&ctx, file, 0, "x", 1), NQ_IO_ERROR);
    nq_file_close(file);
    file = open_file(path, NQ_OPEN_TRUNCATE);
    uint64_t size;
    assert_int_equal(nq_file_size(&ctx, file, &size), NQ_OK);
    assert_int_equal(size, 0);
    nq_file_close(file);
}

static void count_names(void *user, const char *name) {
    assert_true(strcmp(name, "file") == 0 || strcmp(name, "other") == 0);
    ++*(unsigned *)user;
}

static void names_are_renamed_removed_listed_and_synced(void **state) {
    (void)state;
    nq_vfs *vfs = nq_vfs_posix();
    bool exists;
    unsigned count = 0;
    nq_file_close(open_file(path, NQ_OPEN_CREATE));
    nq_file_close(open_file(other, NQ_OPEN_CREATE));
    assert_int_equal(nq_vfs_list_dir(&ctx, vfs, directory, count_names, &count), NQ_OK);
    assert_int_equal(count, 2);
    assert_int_equal(nq_vfs_rename(&ctx, vfs, path, other), NQ_OK);
    assert_int_equal(nq_vfs_sync_dir(&ctx, vfs, directory), NQ_OK);
    assert_int_equal(nq_vfs_exists(&ctx, vfs, path, &exists), NQ_OK);
    assert_false(exists);
    assert_int_equal(nq_vfs_exists(&ctx, vfs, other, &exists), NQ_OK);
    assert_true(exists);
    assert_int_equal(nq_vfs_unlink(&ctx, vfs, other), NQ_OK);
    assert_int_equal(nq_vfs_unlink(&ctx, vfs, other), NQ_OK); /* not there: no failure */
    assert_int_equal(nq_vfs_rename(&ctx, vfs, path, other), NQ_IO_ERROR);
    assert_int_equal(nq_vfs_make_dir(&ctx, vfs, directory), NQ_OK); /* there: no failure */
    assert_int_equal(nq_vfs_list_dir(&ctx, vfs, path, count_names, &count), NQ_IO_ERROR);
    assert_int_equal(nq_vfs_sync_dir(&ctx, vfs, path), NQ_IO_ERROR);
    nq_file_close(open_file(path, NQ_OPEN_CREATE));
    assert_int_equal(nq_vfs_make_dir(&ctx, vfs, path), NQ_IO_ERROR); /* a file has that name */
}

static void only_an_empty_directory_is_removed(void **state) {
    (void)state;
    nq_vfs *vfs = nq_vfs_posix();
    char inside[320];
    bool exists;
    (void)snprintf(inside, sizeof(inside), "%s/inside", other);
    assert_int_equal(nq_vfs_make_dir(&ctx, vfs, other), NQ_OK);
    nq_file_close(open_file(inside, NQ_OPEN_CREATE));
    assert_int_equal(nq_vfs_remove_dir(&ctx, vfs, other), NQ_IO_ERROR);
    assert_int_equal(nq_vfs_unlink(&ctx, vfs, inside), NQ_OK);
    assert_int_equal(nq_vfs_remove_dir(&ctx, vfs, other), NQ_OK);
    assert_int_equal(nq_vfs_exists(&ctx, vfs, other, &exists), NQ_OK);
    assert_false(exists);
    assert_int_equal(nq_vfs_remove_dir(&ctx, vfs, other), NQ_OK); /* gone: no failure */
    nq_file_close(open_file(other, NQ_OPEN_CREATE));
    assert_int_equal(nq_vfs_remove_dir(&ctx, vfs, other), NQ_IO_ERROR); /* a file has that name */
}

static void a_lock_keeps_out_this_process_and_others_until_it_is_closed(void **state) {
    (void)state;
    nq_vfs *vfs = nq_vfs_posix();
    nq_file *held;
    nq_file *refused;
    assert_int_equal(nq_vfs_lock_file(&ctx, vfs, path, &held), NQ_OK);
    assert_int_equal(nq_vfs_lock_file(&ctx, vfs, path, &refused), NQ_DATABASE_LOCKED);
    assert_null(refused);
    pid_t child = fork();
    if (child == 0) {
        _exit(nq_vfs_lock_file(&ctx, vfs, path, &refused) == NQ_DATABASE_LOCKED ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    nq_file_close(held);
    assert_int_equal(nq_vfs_lock_file(&ctx, vfs, path, &held), NQ_OK);
    nq_file_close(held);
}

static void count_name(void *user, const char *name) {
    (void)name;
    ++*(uint32_t *)user;
}

static uint32_t count_files(const char *name) {
    uint32_t count = 0;
    assert_int_equal(nq_vfs_list_dir(&ctx, nq_vfs_posix(), name, count_name, &count), NQ_OK);
    return count;
}

static void a_directory_of_many_files_is_emptied_into_another_or_for_good(void **state) {
    (void)state;
    enum { FILES = 900 };
    assert_int_equal(nq_vfs_make_dir_durably(&ctx, nq_vfs_posix(), path), NQ_OK);
    assert_int_equal(nq_vfs_make_dir_durably(&ctx, nq_vfs_posix(), path), NQ_OK); /* is there */
    assert_int_equal(nq_vfs_make_dir_durably(&ctx, nq_vfs_posix(), other), NQ_OK);
    for (int i = 0; i < FILES; i++) {
        char name[400];
        (void)snprintf(name, sizeof(name), "%s/file-%04d", path, i);
        nq_file_close(open_file(name, NQ_OPEN_CREATE));
    }
    assert_int_equal(nq_vfs_empty_dir(&ctx, nq_vfs_posix(), path, other), NQ_OK);
    assert_int_equal(count_files(path), 0);
    assert_int_equal(count_files(other), FILES);
    assert_int_equal(nq_vfs_empty_dir(&ctx, nq_vfs_posix(), other, NULL), NQ_OK);
    assert_int_equal(count_files(other), 0);
    assert_int_equal(nq_vfs_remove_dir(&ctx, nq_vfs_posix(), path), NQ_OK);
    assert_int_equal(nq_vfs_remove_dir(&ctx, nq_vfs_posix(), other), NQ_OK);
}

static void a_full_device_is_told_from_other_failures(void **state) {
    (void)state;
    nq_file *full;
    if (nq_vfs_open(&ctx, nq_vfs_posix(), "/dev/full", 0, &full) != NQ_OK) {
        skip();
    }
    assert_int_equal(nq_file_write_at(&ctx, full, 0, "x", 1), NQ_DISK_FULL);
    assert_non_null(strstr(ctx.error.message, "/dev/full"));
    nq_file_close(full);
}

static void a_lack_of_memory_leaves_nothing_open(void **state) {
    (void)state;
    int64_t before = nq_gauge_read(NQ_GAUGE_FILE_OPEN);
    nq_file *file;
    nq_heap_fail_at(1, true);
    assert_int_equal(nq_vfs_open(&ctx, nq_vfs_posix(), path, NQ_OPEN_CREATE, &file),
                     NQ_MEMORY_LIMIT);
    (void)nq_heap_fail_never();
    assert_null(file);
    assert_int_equal(nq_gauge_read(NQ_GAUGE_FILE_OPEN), before);
}

#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(what_was_written_is_read_back_with_holes_as_zeros),
        WITH_DIRECTORY(what_is_written_out_stays_as_it_was),
        WITH_DIRECTORY(what_is_discarded_touches_nothing_beside_it),
        WITH_DIRECTORY(a_prefetch_changes_nothing_wherever_it_points),
        WITH_DIRECTORY(open_flags_mean_what_they_say),
        WITH_DIRECTORY(names_are_renamed_removed_listed_and_synced),
        WITH_DIRECTORY(only_an_empty_directory_is_removed),
        WITH_DIRECTORY(a_lock_keeps_out_this_process_and_others_until_it_is_closed),
        WITH_DIRECTORY(a_directory_of_many_files_is_emptied_into_another_or_for_good),
        WITH_DIRECTORY(a_full_device_is_told_from_other_failures),
        WITH_DIRECTORY(a_lack_of_memory_leaves_nothing_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
