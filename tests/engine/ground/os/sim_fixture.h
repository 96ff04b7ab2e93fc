/* What the simulated disk's tests begin with. Functions fail the cmocka test that calls them. */
#ifndef NQ_TESTS_GROUND_OS_SIM_FIXTURE_H
#define NQ_TESTS_GROUND_OS_SIM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ground/os/sim_vfs.h"

static nq_ctx ctx;

static inline nq_sim_vfs *make_disk(const nq_sim_options *options) {
    nq_sim_vfs *disk;
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_sim_vfs_create(&ctx, options, &disk), NQ_OK);
    return disk;
}

static inline nq_file *open_file(nq_sim_vfs *disk, const char *path, uint32_t flags) {
    nq_file *file;
    assert_int_equal(nq_vfs_open(&ctx, nq_sim_vfs_as_vfs(disk), path, flags, &file), NQ_OK);
    return file;
}

static inline void put(nq_file *file, uint64_t offset, char byte, size_t bytes) {
    char data[64 << 10];
    assert_true(bytes <= sizeof(data));
    memset(data, byte, bytes);
    assert_int_equal(nq_file_write_at(&ctx, file, offset, data, bytes), NQ_OK);
}

static inline uint64_t size_of(nq_file *file) {
    uint64_t bytes;
    assert_int_equal(nq_file_size(&ctx, file, &bytes), NQ_OK);
    return bytes;
}

static inline void sync_dir(nq_sim_vfs *disk, const char *path) {
    assert_int_equal(nq_vfs_sync_dir(&ctx, nq_sim_vfs_as_vfs(disk), path), NQ_OK);
}

/* A file "a" of `bytes` times 'o', durable, and open. */
static inline nq_file *make_durable(nq_sim_vfs *disk, size_t bytes) {
    nq_file *file = open_file(disk, "a", NQ_OPEN_CREATE);
    put(file, 0, 'o', bytes);
    assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
    sync_dir(disk, ".");
    return file;
}

static inline nq_file *crash_and_reopen(nq_sim_vfs *disk, nq_file *file) {
    nq_sim_vfs_crash(disk);
    nq_file_close(file);
    return open_file(disk, "a", 0);
}

static inline char get(nq_file *file, uint64_t offset) {
    char byte = '?';
    size_t got;
    assert_int_equal(nq_file_read_at(&ctx, file, offset, &byte, 1, &got), NQ_OK);
    return got == 1 ? byte : '!';
}

static inline bool exists(nq_sim_vfs *disk, const char *path) {
    bool is_there;
    assert_int_equal(nq_vfs_exists(&ctx, nq_sim_vfs_as_vfs(disk), path, &is_there), NQ_OK);
    return is_there;
}

#endif
