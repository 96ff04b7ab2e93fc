/* The simulated disk's power cuts: what was synced stays, the rest is kept, dropped or garbled. */
#include "tests/engine/ground/os/sim_fixture.h"

static void what_was_synced_survives_every_crash(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = seed, .writeback_ppm = 500000});
        nq_file *file = make_durable(disk, 20000);
        assert_true(nq_sim_vfs_is_durable(disk, "a"));
        put(file, 8192, 'n', 4096);
        assert_false(nq_sim_vfs_is_durable(disk, "a"));
        file = crash_and_reopen(disk, file);
        assert_int_equal(size_of(file), 20000);
        for (uint64_t at = 0; at < 20000; at += 100) {
            if (at < 8192 || at >= 12288) {
                assert_int_equal(get(file, at), 'o');
            }
        }
        nq_file_close(file);
        nq_sim_vfs_destroy(disk);
    }
}

static void unsynced_sectors_are_kept_dropped_or_garbled_one_by_one(void **state) {
    (void)state;
    unsigned kept = 0;
    unsigned dropped = 0;
    unsigned mixed = 0;
    uint64_t garbled = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = seed});
        nq_file *file = make_durable(disk, 8192);
        put(file, 0, 'n', 8192);
        file = crash_and_reopen(disk, file);
        unsigned news = 0;
        unsigned olds = 0;
        for (uint64_t at = 0; at < 8192; at += NQ_SIM_SECTOR_BYTES) {
            news += get(file, at) == 'n';
            olds += get(file, at) == 'o';
        }
        kept += news == 16;
        dropped += olds == 16;
        mixed += news > 0 && olds > 0;
        garbled += nq_sim_vfs_get_stats(disk).sectors_garbled;
        nq_file_close(file);
        nq_sim_vfs_destroy(disk);
    }
    assert_true(kept > 10);
    assert_true(dropped > 10);
    assert_true(mixed > 50);
    assert_true(garbled > 50);
}

static void an_unsynced_size_is_old_new_or_between(void **state) {
    (void)state;
    unsigned olds = 0;
    unsigned news = 0;
    unsigned between = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = seed});
        nq_file *file = make_durable(disk, 4096);
        put(file, 4096, 'n', 40000);
        file = crash_and_reopen(disk, file);
        uint64_t size = size_of(file);
        assert_in_range(size, 4096, 44096);
        olds += size == 4096;
        news += size == 44096;
        between += size > 4096 && size < 44096;
        /* What is beyond does not come back when the file grows again. */
        assert_int_equal(nq_file_truncate(&ctx, file, size + 60000), NQ_OK);
        for (uint64_t at = size; at < size + 60000; at += 256) {
            assert_int_equal(get(file, at), 0);
        }
        nq_file_close(file);
        nq_sim_vfs_destroy(disk);
    }
    assert_true(olds > 10 && news > 10 && between > 10);
}

static void an_unsynced_cut_is_there_or_not_but_never_mixes_in_old_bytes(void **state) {
    (void)state;
    unsigned cut = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = seed, .writeback_ppm = 1000000});
        nq_file *file = make_durable(disk, 20000);
        assert_int_equal(nq_file_truncate(&ctx, file, 1000), NQ_OK);
        assert_int_equal(get(file, 999), 'o');
        file = crash_and_reopen(disk, file);
        uint64_t size = size_of(file);
        assert_true(size == 1000 || size == 20000);
        assert_int_equal(get(file, size - 1), 'o');
        cut += size == 1000;
        nq_file_close(file);
        nq_sim_vfs_destroy(disk);
    }
    assert_in_range(cut, 20, 80);
}

static void an_older_version_of_a_sector_may_be_found(void **state) {
    (void)state;
    unsigned found = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = seed, .writeback_ppm = 300000});
        nq_file *file = make_durable(disk, 4096);
        put(file, 0, '1', 4096);
        put(file, 0, '2', 4096);
        file = crash_and_reopen(disk, file);
        found += get(file, 0) == '1';
        nq_file_close(file);
        nq_sim_vfs_destroy(disk);
    }
    assert_true(found > 3);
}

static void power_fails_at_the_chosen_io_and_stays_off_until_restart(void **state) {
    (void)state;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 3});
    nq_file *file = make_durable(disk, 4096);
    nq_sim_vfs_fault_at(disk, NQ_SIM_POWER_CUT, 2);
    put(file, 0, 'n', 512);
    char data[512] = "torn";
    assert_int_equal(nq_file_write_at(&ctx, file, 512, data, 512), NQ_IO_ERROR);
    assert_false(nq_sim_vfs_is_on(disk));
    uint64_t bytes;
    assert_int_equal(nq_file_size(&ctx, file, &bytes), NQ_IO_ERROR);
    nq_file *other;
    assert_int_equal(nq_vfs_open(&ctx, nq_sim_vfs_as_vfs(disk), "a", 0, &other), NQ_IO_ERROR);
    assert_null(other);
    nq_sim_vfs_restart(disk);
    assert_true(nq_sim_vfs_is_on(disk));
    assert_int_equal(nq_file_size(&ctx, file, &bytes), NQ_IO_ERROR); /* opened before the cut */
    nq_file_close(file);
    file = open_file(disk, "a", 0);
    assert_int_equal(size_of(file), 4096);
    nq_file_close(file);
    nq_sim_vfs_destroy(disk);
}

static void the_same_seed_gives_the_same_disk(void **state) {
    (void)state;
    char first[8192];
    for (int round = 0; round < 2; round++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){
            .seed = 42, .writeback_ppm = 100000, .fault_ppm[NQ_SIM_BIT_ROT] = 100000});
        nq_file *file = make_durable(disk, 8192);
        for (uint64_t i = 0; i < 100; i++) {
            put(file, i * 77 % 7000, (char)i, 700);
            (void)get(file, i * 31);
        }
        file = crash_and_reopen(disk, file);
        char data[8192];
        size_t got;
        assert_int_equal(nq_file_read_at(&ctx, file, 0, data, sizeof(data), &got), NQ_OK);
        if (round == 0) {
            memcpy(first, data, sizeof(data));
        } else {
            assert_memory_equal(first, data, sizeof(data));
        }
        nq_file_close(file);
        nq_sim_vfs_destroy(disk);
    }
}

static void what_is_discarded_is_zero_and_a_crash_spares_what_is_beside_it(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = seed});
        nq_file *file = make_durable(disk, 16384);
        char before[16384];
        char after[16384];
        size_t got;
        assert_int_equal(nq_file_read_at(&ctx, file, 0, before, sizeof before, &got), NQ_OK);
        nq_file_discard(file, 4096, 8192);
        assert_int_equal(nq_file_read_at(&ctx, file, 0, after, sizeof after, &got), NQ_OK);
        assert_int_equal(got, sizeof after);
        for (size_t i = 4096; i < 12288; i++) {
            assert_int_equal(after[i], 0);
        }
        file = crash_and_reopen(disk, file);
        assert_int_equal(nq_file_read_at(&ctx, file, 0, after, sizeof after, &got), NQ_OK);
        assert_memory_equal(after, before, 4096);
        assert_memory_equal(after + 12288, before + 12288, 4096);
        nq_file_close(file);
        nq_sim_vfs_destroy(disk);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_synced_survives_every_crash),
        cmocka_unit_test(unsynced_sectors_are_kept_dropped_or_garbled_one_by_one),
        cmocka_unit_test(an_unsynced_size_is_old_new_or_between),
        cmocka_unit_test(an_unsynced_cut_is_there_or_not_but_never_mixes_in_old_bytes),
        cmocka_unit_test(an_older_version_of_a_sector_may_be_found),
        cmocka_unit_test(power_fails_at_the_chosen_io_and_stays_off_until_restart),
        cmocka_unit_test(the_same_seed_gives_the_same_disk),
        cmocka_unit_test(what_is_discarded_is_zero_and_a_crash_spares_what_is_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
