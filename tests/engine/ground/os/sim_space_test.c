/* The simulated disk's space: files take it, holes give it back, and who comes too late is refused.
 */
#include "tests/engine/ground/os/sim_fixture.h"

static void a_full_disk_says_so_and_takes_more_after_something_is_removed(void **state) {
    (void)state;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1, .capacity_bytes = 10000});
    nq_file *file = open_file(disk, "a", NQ_OPEN_CREATE);
    put(file, 0, 'x', 8000);
    nq_file *other = open_file(disk, "b", NQ_OPEN_CREATE);
    char data[4000] = {0};
    assert_int_equal(nq_file_write_at(&ctx, other, 0, data, 4000), NQ_DISK_FULL);
    bool is_reserved;
    assert_int_equal(nq_file_allocate(&ctx, other, 0, 4000, &is_reserved), NQ_DISK_FULL);
    put(file, 4000, 'y', 4000); /* needs no more room */
    nq_file_close(file);
    assert_int_equal(nq_vfs_unlink(&ctx, nq_sim_vfs_as_vfs(disk), "a"), NQ_OK);
    sync_dir(disk, "."); /* until then the disk still holds it */
    assert_int_equal(nq_file_write_at(&ctx, other, 0, data, 4000), NQ_OK);
    nq_file_close(other);
    nq_sim_vfs_destroy(disk);
}

static void a_hole_gives_its_space_to_others_until_it_is_filled(void **state) {
    (void)state;
    enum { CAPACITY = 32 << 10, HALF = CAPACITY / 2 };
    static const char data[HALF];
    bool is_reserved;
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1, .capacity_bytes = CAPACITY});
    nq_file *file = open_file(disk, "a", NQ_OPEN_CREATE);
    put(file, 0, 'x', CAPACITY);
    nq_file *other = open_file(disk, "b", NQ_OPEN_CREATE);
    assert_int_equal(nq_file_write_at(&ctx, other, 0, data, 1), NQ_DISK_FULL);
    nq_file_discard(file, HALF - 1, HALF + 1); /* four whole blocks */
    assert_int_equal(size_of(file), CAPACITY);
    assert_int_equal(nq_file_write_at(&ctx, other, 0, data, HALF), NQ_OK);
    assert_int_equal(nq_file_write_at(&ctx, file, HALF + 100, data, 1), NQ_DISK_FULL);
    assert_int_equal(nq_file_allocate(&ctx, file, HALF, HALF, &is_reserved), NQ_DISK_FULL);
    put(file, 0, 'y', HALF); /* has its space */
    assert_int_equal(nq_file_truncate(&ctx, other, HALF / 2), NQ_OK);
    assert_int_equal(nq_file_allocate(&ctx, file, HALF, HALF, &is_reserved), NQ_DISK_FULL);
    assert_int_equal(nq_file_allocate(&ctx, file, HALF, HALF / 2, &is_reserved), NQ_OK);
    put(file, HALF, 'z', HALF / 2); /* was promised */
    assert_int_equal(nq_file_write_at(&ctx, other, HALF / 2, data, 1), NQ_DISK_FULL);
    nq_file_close(file);
    nq_file_close(other);
    nq_sim_vfs_destroy(disk);
}

static void holes_outlive_a_crash_and_go_with_the_end_of_the_file(void **state) {
    (void)state;
    enum { BYTES = 16 << 10 };
    static const char data[BYTES];
    nq_sim_vfs *disk = make_disk(&(nq_sim_options){.seed = 1});
    nq_file *file = make_durable(disk, BYTES);
    nq_sim_vfs_set_capacity(disk, BYTES);
    nq_file_discard(file, 0, BYTES);
    file = crash_and_reopen(disk, file);
    nq_file *other = open_file(disk, "b", NQ_OPEN_CREATE);
    assert_int_equal(nq_file_write_at(&ctx, other, 0, data, BYTES), NQ_OK);
    assert_int_equal(nq_file_write_at(&ctx, other, BYTES, data, 1), NQ_DISK_FULL);
    assert_int_equal(nq_file_truncate(&ctx, file, 0), NQ_OK);
    assert_int_equal(nq_file_write_at(&ctx, other, BYTES, data, 1), NQ_DISK_FULL);
    nq_file_close(file);
    nq_file_close(other);
    nq_sim_vfs_destroy(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_says_so_and_takes_more_after_something_is_removed),
        cmocka_unit_test(a_hole_gives_its_space_to_others_until_it_is_filled),
        cmocka_unit_test(holes_outlive_a_crash_and_go_with_the_end_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
