/* The simulated disk's faults: failed syncs, reads and writes, rot, and what a test spoils itself.
 */
#include "tests/engine/ground/os/sim_fixture.h"

static void a_failed_sync_drops_pages_and_the_next_one_succeeds(void **state) {
    (void)state;
    unsigned dropped = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = seed});
        nq_file *file = make_durable(disk, 4096);
        put(file, 0, 'n', 4096);
        nq_sim_vfs_fault_at(disk, NQ_SIM_SYNC_ERROR, 1);
        assert_int_equal(nq_file_sync_data(&ctx, file), NQ_IO_ERROR);
        assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
        dropped += get(file, 0) == 'o';
        nq_file_close(file);
        nq_sim_vfs_destroy(disk);
    }
    assert_in_range(dropped, 10, 50);
}

static void faults_strike_once_when_scheduled(void **state) {
    (void)state;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 9});
    nq_file *file = make_durable(disk, 16384);
    put(file, 0, 'n', 16384);
    assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
    char data[4096];
    size_t got;

    nq_sim_vfs_fault_at(disk, NQ_SIM_READ_ERROR, 1);
    assert_int_equal(nq_file_read_at(&ctx, file, 0, data, 1, &got), NQ_IO_ERROR);
    assert_non_null(strstr(ctx.error.message, "a"));

    nq_sim_vfs_fault_at(disk, NQ_SIM_STALE_READ, 1);
    assert_int_equal(get(file, 100), 'o');
    assert_int_equal(get(file, 100), 'n');

    nq_sim_vfs_fault_at(disk, NQ_SIM_LOST_WRITE, 1);
    put(file, 0, 'z', 4096);
    assert_int_equal(get(file, 0), 'n');

    nq_sim_vfs_fault_at(disk, NQ_SIM_MISDIRECTED_WRITE, 1);
    put(file, 4096, 'm', 4096);
    assert_int_equal(get(file, 4096), 'n');
    assert_true(get(file, 0) == 'm' || get(file, 8192) == 'm' || get(file, 12288) == 'm');

    nq_sim_vfs_fault_at(disk, NQ_SIM_WRITE_ERROR, 1);
    assert_int_equal(nq_file_write_at(&ctx, file, 0, data, 512), NQ_IO_ERROR);
    nq_sim_vfs_fault_at(disk, NQ_SIM_WRITE_FULL, 1);
    assert_int_equal(nq_file_write_at(&ctx, file, 0, data, 512), NQ_DISK_FULL);

    nq_sim_vfs_fault_at(disk, NQ_SIM_NAME_ERROR, 1);
    put(file, 0, 'n', 16384); /* does not apply to a write: waits */
    assert_int_equal(nq_vfs_unlink(&ctx, nq_sim_vfs_as_vfs(disk), "a"), NQ_IO_ERROR);

    nq_sim_vfs_fault_at(disk, NQ_SIM_MISDIRECTED_READ, 1);
    put(file, 0, '0', 4096);
    assert_int_equal(nq_file_read_at(&ctx, file, 0, data, 4096, &got), NQ_OK);
    assert_int_equal(data[0], 'n');
    assert_int_equal(get(file, 0), '0');

    nq_sim_vfs_fault_at(disk, NQ_SIM_BIT_ROT, 1);
    assert_int_equal(nq_file_read_at(&ctx, file, 4096, data, 4096, &got), NQ_OK);
    unsigned flipped = 0;
    for (size_t i = 0; i < 4096; i++) {
        flipped += (unsigned)__builtin_popcount((uint8_t)(data[i] ^ 'n'));
    }
    assert_int_equal(flipped, 1);
    char again[4096];
    assert_int_equal(nq_file_read_at(&ctx, file, 4096, again, 4096, &got), NQ_OK);
    assert_memory_equal(data, again, 4096);

    nq_sim_vfs_fault_at(disk, NQ_SIM_BLOCK_ROT, 1);
    assert_int_equal(nq_file_read_at(&ctx, file, 9000, data, 100, &got), NQ_OK);
    assert_int_equal(nq_file_read_at(&ctx, file, 9000, again, 100, &got), NQ_OK);
    assert_memory_equal(data, again, 100);
    assert_int_not_equal(memcmp(data, data + 1, 99), 0); /* it was all the same byte */
    assert_int_equal(get(file, 12288), 'n');

    nq_sim_vfs_fault_at(disk, NQ_SIM_BAD_SECTORS, 1);
    assert_int_equal(nq_file_read_at(&ctx, file, 12288, data, 1, &got), NQ_IO_ERROR);

    nq_sim_stats stats = nq_sim_vfs_get_stats(disk);
    for (int fault = 0; fault < NQ_SIM_FAULT_COUNT; fault++) {
        bool was_used = fault != NQ_SIM_SYNC_ERROR && fault != NQ_SIM_POWER_CUT;
        assert_int_equal(stats.faults[fault], was_used);
    }
    nq_file_close(file);
    nq_sim_vfs_destroy(disk);
}

static nq_status read_status(nq_file *file, uint64_t offset, size_t bytes) {
    char data[16384];
    size_t got;
    return nq_file_read_at(&ctx, file, offset, data, bytes, &got);
}

static void bad_sectors_stay_unreadable_until_they_are_written(void **state) {
    (void)state;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1});
    nq_file *file = make_durable(disk, 16384);
    nq_sim_vfs_fault_at(disk, NQ_SIM_BAD_SECTORS, 1);
    assert_int_equal(read_status(file, 5000, 10), NQ_IO_ERROR);
    assert_int_equal(read_status(file, 0, 16384), NQ_IO_ERROR);
    assert_int_equal(read_status(file, 0, 4096), NQ_OK);
    assert_int_equal(read_status(file, 8192, 8192), NQ_OK);
    file = crash_and_reopen(disk, file);
    assert_int_equal(read_status(file, 8191, 1), NQ_IO_ERROR);
    put(file, 4096, 'n', 512);
    assert_int_equal(read_status(file, 4096, 512), NQ_OK);
    assert_int_equal(read_status(file, 4096, 513), NQ_IO_ERROR);
    nq_file_close(file);
    nq_sim_vfs_destroy(disk);
}

static void a_wiped_range_is_zero_now_and_after_a_crash(void **state) {
    (void)state;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1});
    nq_file *file = make_durable(disk, 16384);
    assert_true(nq_sim_vfs_wipe(disk, "a", 1000, 9000));
    assert_false(nq_sim_vfs_wipe(disk, "a", 16000, 385));
    assert_false(nq_sim_vfs_wipe(disk, "none", 0, 1));
    for (int look = 0; look < 2; look++) {
        assert_int_equal(get(file, 999), 'o');
        assert_int_equal(get(file, 1000), 0);
        assert_int_equal(get(file, 9999), 0);
        assert_int_equal(get(file, 10000), 'o');
        file = crash_and_reopen(disk, file);
    }
    nq_file_close(file);
    nq_sim_vfs_destroy(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_sync_drops_pages_and_the_next_one_succeeds),
        cmocka_unit_test(faults_strike_once_when_scheduled),
        cmocka_unit_test(bad_sectors_stay_unreadable_until_they_are_written),
        cmocka_unit_test(a_wiped_range_is_zero_now_and_after_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
