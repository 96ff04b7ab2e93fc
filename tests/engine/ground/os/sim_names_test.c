/* The simulated disk's names across power cuts: of files, directories and renames. */
#include "tests/engine/ground/os/sim_fixture.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_not_synced_may_vanish_and_synced_ones_never),
        cmocka_unit_test(a_directory_that_was_not_synced_takes_its_files_with_it),
        cmocka_unit_test(a_rename_happens_whole_or_not_at_all),
        cmocka_unit_test(a_temporary_file_renamed_and_synced_is_the_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
