/* The simulated disk's collateral damage: a power cut destroys what lies near a write in flight. */
#include "tests/engine/ground/os/sim_fixture.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collateral_damage_stays_within_its_reach_of_the_whole_write),
        cmocka_unit_test(collateral_damage_is_near_every_write_that_awaits_a_sync_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
