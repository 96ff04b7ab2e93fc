/* The simulated disk, when it only obeys, keeps what vfs.h promises: files, names, locks. */
#include "engine/ground/base/rng.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/sim_clock.h"
#include "tests/engine/ground/os/sim_fixture.h"

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
        cmocka_unit_test(a_lock_is_exclusive_and_ends_with_the_file_or_the_power),
        cmocka_unit_test(only_an_empty_directory_is_removed),
        cmocka_unit_test(listing_shows_one_directory_and_misuse_is_refused),
        cmocka_unit_test(an_unlinked_file_lives_until_it_is_closed),
        cmocka_unit_test(an_io_takes_its_time_on_the_simulated_clock),
        cmocka_unit_test(a_random_run_agrees_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
