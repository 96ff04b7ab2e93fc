/* The simulated disk's clones: independent of it, and made at any I/O. */
#include "tests/engine/ground/os/sim_fixture.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clones_crash_at_every_io_without_harm_to_the_original),
        cmocka_unit_test(a_disk_and_its_clone_change_without_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
