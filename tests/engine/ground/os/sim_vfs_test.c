/* The simulated disk keeps what vfs.h promises, breaks everything else, and does it again by seed.
 */
#include <stdio.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/sim_clock.h"
#include "tests/engine/ground/os/sim_fixture.h"

static char get(nq_file *file, uint64_t offset) {
    char byte = '?';
    size_t got;
    assert_int_equal(nq_file_read_at(&ctx, file, offset, &byte, 1, &got), NQ_OK);
    return got == 1 ? byte : '!';
}

static bool exists(nq_sim_vfs *disk, const char *path) {
    bool is_there;
    assert_int_equal(nq_vfs_exists(&ctx, nq_sim_vfs_as_vfs(disk), path, &is_there), NQ_OK);
    return is_there;
}

static void what_was_written_is_read_back_with_holes_as_zeros(void **state) {
    (void)state;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1});
    nq_file *file = open_file(disk, "a", NQ_OPEN_CREATE);
    put(file, 5000, 'x', 10000);
    assert_int_equal(size_of(file), 15000);
    assert_int_equal(get(file, 4999), 0);
    assert_int_equal(get(file, 5000), 'x');
    assert_int_equal(get(file, 14999), 'x');
    char data[100];
    size_t got;
    assert_int_equal(nq_file_read_at(&ctx, file, 14990, data, 100, &got), NQ_OK);
    assert_int_equal(got, 10);
    assert_int_equal(nq_file_read_at(&ctx, file, 20000, data, 100, &got), NQ_OK);
    assert_int_equal(got, 0);
    nq_file_close(file);
    nq_sim_vfs_destroy(disk);
}

static void a_cut_and_grown_file_reads_as_zeros_between(void **state) {
    (void)state;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1});
    nq_file *file = open_file(disk, "a", NQ_OPEN_CREATE);
    put(file, 0, 'x', 10000);
    assert_int_equal(nq_file_truncate(&ctx, file, 700), NQ_OK);
    bool is_reserved = false;
    assert_int_equal(nq_file_allocate(&ctx, file, 0, 9000, &is_reserved), NQ_OK);
    assert_true(is_reserved);
    assert_int_equal(size_of(file), 9000);
    assert_int_equal(get(file, 699), 'x');
    assert_int_equal(get(file, 700), 0);
    assert_int_equal(get(file, 8999), 0);
    assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
    sync_dir(disk, ".");
    file = crash_and_reopen(disk, file);
    assert_int_equal(get(file, 699), 'x');
    assert_int_equal(get(file, 700), 0);
    nq_file_close(file);
    nq_sim_vfs_destroy(disk);
}

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

static void names_not_synced_may_vanish_and_synced_ones_never(void **state) {
    (void)state;
    unsigned lost = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = seed});
        nq_vfs *vfs = nq_sim_vfs_as_vfs(disk);
        assert_int_equal(nq_vfs_make_dir(&ctx, vfs, "d"), NQ_OK);
        sync_dir(disk, ".");
        nq_file_close(open_file(disk, "d/kept", NQ_OPEN_CREATE));
        sync_dir(disk, "d");
        nq_file_close(open_file(disk, "d/new", NQ_OPEN_CREATE));
        assert_int_equal(nq_vfs_unlink(&ctx, vfs, "d/kept"), NQ_OK);
        nq_file_close(open_file(disk, "d/kept", NQ_OPEN_CREATE));
        nq_sim_vfs_crash(disk);
        assert_true(exists(disk, "d"));
        lost += !exists(disk, "d/new");
        nq_sim_vfs_destroy(disk);
    }
    assert_in_range(lost, 20, 80);
}

static void a_directory_that_was_not_synced_takes_its_files_with_it(void **state) {
    (void)state;
    unsigned lost = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = seed});
        assert_int_equal(nq_vfs_make_dir(&ctx, nq_sim_vfs_as_vfs(disk), "d"), NQ_OK);
        nq_file *file = open_file(disk, "d/a", NQ_OPEN_CREATE);
        assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
        nq_file_close(file);
        sync_dir(disk, "d");
        nq_sim_vfs_crash(disk);
        assert_int_equal(exists(disk, "d"), exists(disk, "d/a"));
        lost += !exists(disk, "d");
        nq_sim_vfs_destroy(disk);
    }
    assert_in_range(lost, 5, 45);
}

static void a_rename_happens_whole_or_not_at_all(void **state) {
    (void)state;
    unsigned done = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = seed});
        nq_file_close(make_durable(disk, 100));
        nq_file *file = open_file(disk, "b", NQ_OPEN_CREATE);
        put(file, 0, 'b', 100);
        assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
        nq_file_close(file);
        sync_dir(disk, ".");
        assert_int_equal(nq_vfs_rename(&ctx, nq_sim_vfs_as_vfs(disk), "b", "a"), NQ_OK);
        nq_sim_vfs_crash(disk);
        file = open_file(disk, "a", 0);
        char first = get(file, 0);
        assert_int_equal(exists(disk, "b"), first == 'o');
        done += first == 'b';
        nq_file_close(file);
        nq_sim_vfs_destroy(disk);
    }
    assert_in_range(done, 20, 80);
}

static void a_temporary_file_renamed_and_synced_is_the_new_one(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = seed});
        nq_file *file = open_file(disk, "/d", NQ_OPEN_CREATE);
        nq_file_close(file);
        file = open_file(disk, "/d.tmp", NQ_OPEN_CREATE | NQ_OPEN_EXCLUSIVE);
        put(file, 0, 'x', 10);
        assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
        nq_file_close(file);
        assert_int_equal(nq_vfs_rename(&ctx, nq_sim_vfs_as_vfs(disk), "/d.tmp", "//d"), NQ_OK);
        sync_dir(disk, "/");
        nq_sim_vfs_crash(disk);
        file = open_file(disk, "/d", 0);
        assert_int_equal(get(file, 0), 'x');
        nq_file_close(file);
        assert_false(exists(disk, "/d.tmp"));
        nq_sim_vfs_destroy(disk);
    }
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

enum { WIDE_FILE_BYTES = 1 << 20, WIDE_AT = 512 << 10, WIDE_BYTES = 64 << 10 };

/* Cuts a write of WIDE_BYTES short; counts the damaged quarter-KiBs before and behind it, none of
 * which may be farther away than `reach`. */
static void cut_a_wide_write(uint64_t seed, uint32_t option, uint32_t reach, unsigned *before,
                             unsigned *behind) {
    nq_sim_vfs *disk = make_disk(
        &(nq_sim_options){.seed = seed, .collateral_damage = true, .collateral_bytes = option});
    nq_file *file = open_file(disk, "a", NQ_OPEN_CREATE);
    for (uint64_t at = 0; at < WIDE_FILE_BYTES; at += 64 << 10) {
        put(file, at, 'o', 64 << 10);
    }
    assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
    sync_dir(disk, ".");
    put(file, WIDE_AT, 'n', WIDE_BYTES);
    file = crash_and_reopen(disk, file);
    for (uint64_t at = 0; at < WIDE_FILE_BYTES; at += 256) {
        if (get(file, at) == 'o' || (at >= WIDE_AT && at < WIDE_AT + WIDE_BYTES)) {
            continue;
        }
        assert_in_range(at, WIDE_AT - reach, WIDE_AT + WIDE_BYTES + reach + NQ_SIM_SECTOR_BYTES);
        *(at < WIDE_AT ? before : behind) += 1;
    }
    nq_file_close(file);
    nq_sim_vfs_destroy(disk);
}

static void collateral_damage_stays_within_its_reach_of_the_whole_write(void **state) {
    (void)state;
    const uint32_t options[] = {0, 8 << 10};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        unsigned before = 0;
        unsigned behind = 0;
        uint32_t reach = options[i] == 0 ? NQ_SIM_COLLATERAL_BYTES : options[i];
        for (uint64_t seed = 0; seed < 30; seed++) {
            cut_a_wide_write(seed, options[i], reach, &before, &behind);
        }
        assert_true(before > 30);
        assert_true(behind > 30);
    }
}

/* Whether anything within `reach` before or behind the 4 KiB at `at` is no longer the 'o' it was.
 */
static bool is_damaged_near(nq_file *file, uint64_t at, uint32_t reach) {
    bool is_damaged = false;
    for (uint64_t i = at - reach; i < at + 4096 + reach; i += NQ_SIM_SECTOR_BYTES) {
        is_damaged = is_damaged || (get(file, i) != 'o' && (i < at || i >= at + 4096));
    }
    return is_damaged;
}

static void collateral_damage_is_near_every_write_that_awaits_a_sync_and_no_other(void **state) {
    (void)state;
    enum { REACH = 4 << 10, SYNCED_AT = 16 << 10, FIRST_AT = 32 << 10, SECOND_AT = 48 << 10 };
    unsigned first = 0;
    unsigned second = 0;
    unsigned both = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        nq_sim_vfs *disk = make_disk(
            &(nq_sim_options){.seed = seed, .collateral_damage = true, .collateral_bytes = REACH});
        nq_file *file = make_durable(disk, 64 << 10);
        put(file, SYNCED_AT, 'o', 4096);
        assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
        put(file, FIRST_AT, 'o', 4096);
        put(file, SECOND_AT, 'o', 4096);
        file = crash_and_reopen(disk, file);
        assert_false(is_damaged_near(file, SYNCED_AT, REACH));
        bool is_first = is_damaged_near(file, FIRST_AT, REACH);
        bool is_second = is_damaged_near(file, SECOND_AT, REACH);
        first += is_first;
        second += is_second;
        both += is_first && is_second;
        nq_file_close(file);
        nq_sim_vfs_destroy(disk);
    }
    assert_in_range(first, 10, 50);
    assert_in_range(second, 10, 50);
    assert_in_range(both, 5, 40);
}

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

static void a_lock_is_exclusive_and_ends_with_the_file_or_the_power(void **state) {
    (void)state;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1});
    nq_vfs *vfs = nq_sim_vfs_as_vfs(disk);
    nq_file *held;
    nq_file *refused;
    assert_int_equal(nq_vfs_lock_file(&ctx, vfs, "lock", &held), NQ_OK);
    assert_int_equal(nq_vfs_lock_file(&ctx, vfs, "lock", &refused), NQ_DATABASE_LOCKED);
    assert_null(refused);
    nq_file_close(held);
    assert_int_equal(nq_vfs_lock_file(&ctx, vfs, "lock", &held), NQ_OK);
    nq_sim_vfs_crash(disk);
    nq_file *after;
    assert_int_equal(nq_vfs_lock_file(&ctx, vfs, "lock", &after), NQ_OK);
    nq_file_close(held); /* dead: must not end the new one's lock */
    assert_int_equal(nq_vfs_lock_file(&ctx, vfs, "lock", &refused), NQ_DATABASE_LOCKED);
    nq_file_close(after);
    nq_sim_vfs_destroy(disk);
}

static void append_name(void *user, const char *name) {
    strcat(user, name);
    strcat(user, " ");
}

static void only_an_empty_directory_is_removed(void **state) {
    (void)state;
    unsigned came_back = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = seed});
        nq_vfs *vfs = nq_sim_vfs_as_vfs(disk);
        assert_int_equal(nq_vfs_make_dir(&ctx, vfs, "d"), NQ_OK);
        sync_dir(disk, ".");
        nq_file_close(open_file(disk, "d/a", NQ_OPEN_CREATE));
        assert_int_equal(nq_vfs_remove_dir(&ctx, vfs, "d"), NQ_IO_ERROR);
        assert_int_equal(nq_vfs_remove_dir(&ctx, vfs, "d/a"), NQ_IO_ERROR);
        assert_int_equal(nq_vfs_unlink(&ctx, vfs, "d/a"), NQ_OK);
        assert_int_equal(nq_vfs_remove_dir(&ctx, vfs, "d"), NQ_OK);
        assert_int_equal(nq_vfs_remove_dir(&ctx, vfs, "d"), NQ_OK);
        assert_false(exists(disk, "d"));
        nq_sim_vfs_crash(disk);
        came_back += exists(disk, "d");
        nq_sim_vfs_destroy(disk);
    }
    assert_in_range(came_back, 5, 45);
}

static void listing_shows_one_directory_and_misuse_is_refused(void **state) {
    (void)state;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1});
    nq_vfs *vfs = nq_sim_vfs_as_vfs(disk);
    nq_file *file;
    assert_int_equal(nq_vfs_open(&ctx, vfs, "d/x", NQ_OPEN_CREATE, &file), NQ_IO_ERROR);
    assert_int_equal(nq_vfs_make_dir(&ctx, vfs, "d/"), NQ_OK);
    assert_int_equal(nq_vfs_make_dir(&ctx, vfs, "./d"), NQ_OK);
    nq_file_close(open_file(disk, "d/x", NQ_OPEN_CREATE));
    nq_file_close(open_file(disk, "dx", NQ_OPEN_CREATE));
    char names[100] = "";
    assert_int_equal(nq_vfs_list_dir(&ctx, vfs, "d", append_name, names), NQ_OK);
    assert_string_equal(names, "x ");
    assert_int_equal(nq_vfs_list_dir(&ctx, vfs, "e", append_name, names), NQ_IO_ERROR);
    assert_int_equal(nq_vfs_open(&ctx, vfs, "d", 0, &file), NQ_IO_ERROR);
    assert_int_equal(nq_vfs_open(&ctx, vfs, "none", 0, &file), NQ_IO_ERROR);
    assert_int_equal(nq_vfs_open(&ctx, vfs, "dx", NQ_OPEN_CREATE | NQ_OPEN_EXCLUSIVE, &file),
                     NQ_IO_ERROR);
    assert_int_equal(nq_vfs_rename(&ctx, vfs, "none", "dx"), NQ_IO_ERROR);
    assert_int_equal(nq_vfs_unlink(&ctx, vfs, "none"), NQ_OK);
    file = open_file(disk, "dx", NQ_OPEN_READ_ONLY);
    assert_int_equal(nq_file_write_at(&ctx, file, 0, "x", 1), NQ_IO_ERROR);
    nq_file_close(file);
    nq_sim_vfs_destroy(disk);
}

static void an_unlinked_file_lives_until_it_is_closed(void **state) {
    (void)state;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1});
    nq_file *file = make_durable(disk, 100);
    assert_int_equal(nq_vfs_unlink(&ctx, nq_sim_vfs_as_vfs(disk), "a"), NQ_OK);
    sync_dir(disk, ".");
    assert_int_equal(get(file, 0), 'o');
    assert_false(exists(disk, "a"));
    nq_file_close(file);
    nq_sim_vfs_destroy(disk);
}

typedef struct campaign {
    nq_sim_vfs *disk;
    unsigned clones;
    unsigned news;
} campaign;

/* At every I/O: the clone's copy of the file is old, or new where it was being written. */
static void crash_a_clone(void *user, uint64_t io) {
    campaign *self = user;
    nq_sim_vfs *copy;
    assert_int_equal(nq_sim_vfs_clone(&ctx, self->disk, io, &copy), NQ_OK);
    nq_sim_vfs_crash(copy);
    if (exists(copy, "a")) {
        nq_file *file = open_file(copy, "a", 0);
        self->news += get(file, 0) == 'n';
        nq_file_close(file);
    }
    self->clones++;
    nq_sim_vfs_destroy(copy);
}

static void clones_crash_at_every_io_without_harm_to_the_original(void **state) {
    (void)state;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1});
    campaign self = {.disk = disk};
    nq_sim_vfs_set_observer(disk, crash_a_clone, &self);
    nq_file *file = make_durable(disk, 1000);
    for (int i = 0; i < 20; i++) {
        put(file, 0, 'n', 1000);
    }
    assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
    assert_int_equal(get(file, 0), 'n');
    assert_int_equal(self.clones, 4 + 20 + 2);
    assert_in_range(self.news, 2, 20);
    nq_file_close(file);
    nq_sim_vfs_destroy(disk);
}

static void a_disk_and_its_clone_change_without_each_other(void **state) {
    (void)state;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1});
    nq_file *file = make_durable(disk, 16384);
    put(file, 4096, 'n', 4096);
    nq_sim_vfs *copy;
    assert_int_equal(nq_sim_vfs_clone(&ctx, disk, 2, &copy), NQ_OK);
    nq_file *other = open_file(copy, "a", 0);
    put(other, 0, 'c', 512);
    assert_true(nq_sim_vfs_wipe(copy, "a", 8192, 100));
    assert_int_equal(nq_file_sync_data(&ctx, other), NQ_OK);
    assert_int_equal(nq_file_truncate(&ctx, other, 9000), NQ_OK);
    put(file, 12288, 'd', 512);
    assert_int_equal(get(file, 0), 'o');
    assert_int_equal(get(file, 4096), 'n');
    assert_int_equal(get(file, 8192), 'o');
    assert_int_equal(get(file, 9001), 'o');
    assert_false(nq_sim_vfs_is_durable(disk, "a"));
    nq_file_close(file);
    nq_sim_vfs_destroy(disk);
    assert_int_equal(get(other, 0), 'c');
    assert_int_equal(get(other, 4096), 'n');
    assert_int_equal(get(other, 8192), 0);
    assert_int_equal(get(other, 12288), '!');
    nq_file_close(other);
    nq_sim_vfs_destroy(copy);
}

static void an_io_takes_its_time_on_the_simulated_clock(void **state) {
    (void)state;
    nq_sim_clock_start(1000, 5000000);
    assert_true(nq_sim_clock_is_on());
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1, .io_ns = 2000000});
    nq_file_close(open_file(disk, "a", NQ_OPEN_CREATE));
    sync_dir(disk, ".");
    assert_int_equal(nq_clock_monotonic_ns(), 4001000);
    assert_int_equal(nq_clock_realtime_us(), 5004000);
    assert_int_equal(nq_clock_deadline_ns(INT64_MAX), INT64_MAX);
    nq_sim_clock_stop();
    int64_t now = nq_clock_monotonic_ns();
    assert_true(nq_clock_monotonic_ns() >= now);
    nq_sim_vfs_destroy(disk);
}

/* A model of 4 files with reads and writes at random agrees with the disk, crash or not, as long as
 * everything is synced before each crash. */
static void a_random_run_agrees_with_a_model(void **state) {
    (void)state;
    enum { BYTES = 30000, ROUNDS = 3000 };
    static uint8_t model[BYTES];
    nq_rng rng = {7};
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 7, .writeback_ppm = 200000});
    nq_file *file = open_file(disk, "a", NQ_OPEN_CREATE);
    sync_dir(disk, ".");
    uint64_t size = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t at = nq_rng_below(&rng, BYTES - 1);
        size_t bytes = (size_t)nq_rng_below(&rng, BYTES - at);
        uint64_t what = nq_rng_below(&rng, 20);
        if (what < 9) {
            uint8_t data[BYTES];
            memset(data, (int)nq_rng_next(&rng), bytes);
            assert_int_equal(nq_file_write_at(&ctx, file, at, data, bytes), NQ_OK);
            memcpy(model + at, data, bytes);
            size = bytes > 0 && at + bytes > size ? at + bytes : size;
        } else if (what < 11) {
            assert_int_equal(nq_file_truncate(&ctx, file, at), NQ_OK);
            memset(model + at, 0, BYTES - at);
            size = at;
        } else if (what == 11) {
            assert_int_equal(nq_file_sync_data(&ctx, file), NQ_OK);
            file = crash_and_reopen(disk, file);
        } else {
            uint8_t data[BYTES];
            size_t got;
            assert_int_equal(nq_file_read_at(&ctx, file, at, data, bytes, &got), NQ_OK);
            uint64_t left = at < size ? size - at : 0;
            assert_int_equal(got, left < bytes ? left : bytes);
            assert_memory_equal(data, model + at, got);
        }
        assert_int_equal(size_of(file), size);
    }
    nq_file_close(file);
    nq_sim_vfs_destroy(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_back_with_holes_as_zeros),
        cmocka_unit_test(a_cut_and_grown_file_reads_as_zeros_between),
        cmocka_unit_test(what_was_synced_survives_every_crash),
        cmocka_unit_test(unsynced_sectors_are_kept_dropped_or_garbled_one_by_one),
        cmocka_unit_test(an_unsynced_size_is_old_new_or_between),
        cmocka_unit_test(an_unsynced_cut_is_there_or_not_but_never_mixes_in_old_bytes),
        cmocka_unit_test(an_older_version_of_a_sector_may_be_found),
        cmocka_unit_test(names_not_synced_may_vanish_and_synced_ones_never),
        cmocka_unit_test(a_directory_that_was_not_synced_takes_its_files_with_it),
        cmocka_unit_test(a_rename_happens_whole_or_not_at_all),
        cmocka_unit_test(a_temporary_file_renamed_and_synced_is_the_new_one),
        cmocka_unit_test(power_fails_at_the_chosen_io_and_stays_off_until_restart),
        cmocka_unit_test(the_same_seed_gives_the_same_disk),
        cmocka_unit_test(collateral_damage_stays_within_its_reach_of_the_whole_write),
        cmocka_unit_test(collateral_damage_is_near_every_write_that_awaits_a_sync_and_no_other),
        cmocka_unit_test(a_failed_sync_drops_pages_and_the_next_one_succeeds),
        cmocka_unit_test(faults_strike_once_when_scheduled),
        cmocka_unit_test(bad_sectors_stay_unreadable_until_they_are_written),
        cmocka_unit_test(what_is_discarded_is_zero_and_a_crash_spares_what_is_beside_it),
        cmocka_unit_test(a_wiped_range_is_zero_now_and_after_a_crash),
        cmocka_unit_test(a_lock_is_exclusive_and_ends_with_the_file_or_the_power),
        cmocka_unit_test(only_an_empty_directory_is_removed),
        cmocka_unit_test(listing_shows_one_directory_and_misuse_is_refused),
        cmocka_unit_test(an_unlinked_file_lives_until_it_is_closed),
        cmocka_unit_test(clones_crash_at_every_io_without_harm_to_the_original),
        cmocka_unit_test(a_disk_and_its_clone_change_without_each_other),
        cmocka_unit_test(an_io_takes_its_time_on_the_simulated_clock),
        cmocka_unit_test(a_random_run_agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
