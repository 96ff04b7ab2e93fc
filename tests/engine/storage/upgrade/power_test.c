/* Upgrade, interrupted: power may fail at any moment, and other servers may come in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/engine/storage/upgrade/old_store.h"

enum { CUTS_MAX = 4096 };

typedef struct campaign {
    fixture f;
    uint32_t digest; /* of what must come out */
    size_t count, found_old, found_new;
    nq_sim_vfs *disks[CUTS_MAX];
} campaign;

/* What the power cut left: the old store, whole, or the new one, as whoever starts a server finds
 * it. */
static void start_server(campaign *c, fixture *f) {
    nq_status status = nq_upgrade_prepare(&f->ctx, f->vfs, "db");
    if (status == NQ_UPGRADE_NEEDED) {
        assert_true(has_content(f, DATA_PATH, &killed.data));
        assert_true(has_content(f, LOG_PATH, &killed.log));
        c->found_old++;
        return;
    }
    assert_int_equal(status, NQ_OK);
    assert_int_equal(digest_of_new(f), c->digest);
    assert_true(has_content(f, "db/format-1/data.nqdb", &killed.data));
    assert_true(has_content(f, "db/format-1/log/0000000000000000.log", &killed.log));
    c->found_new++;
}

/* The run goes on and holds locks: what is left of its clones is looked at later. */
static void cut_power_before(void *user, uint64_t io) {
    campaign *c = user;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    assert_true(c->count < CUTS_MAX);
    assert_int_equal(nq_sim_vfs_clone(&ctx, c->f.disk, io, &c->disks[c->count]), NQ_OK);
    nq_sim_vfs_crash(c->disks[c->count++]);
}

static void recover(campaign *c, nq_sim_vfs *disk, bool runs_again) {
    fixture f = {.disk = disk, .vfs = nq_sim_vfs_as_vfs(disk)};
    nq_ctx_init(&f.ctx, NULL);
    start_server(c, &f);
    if (runs_again) {
        assert_int_equal(upgrade(&f), NQ_OK);
        assert_int_equal(digest_of_new(&f), c->digest);
        assert_false(exists(&f, "db/upgrade"));
    }
    tear_down(&f);
}

static void a_power_cut_at_any_moment_leaves_the_old_store_or_the_new(void **state) {
    (void)state;
    static campaign c;
    set_up(&c.f, &killed);
    assert_int_equal(upgrade(&c.f), NQ_OK);
    c.digest = digest_of_new(&c.f);
    tear_down(&c.f);
    set_up(&c.f, &killed);
    nq_sim_vfs_set_observer(c.f.disk, cut_power_before, &c);
    assert_int_equal(upgrade(&c.f), NQ_OK);
    nq_sim_vfs_set_observer(c.f.disk, NULL, NULL);
    tear_down(&c.f);
    for (size_t i = 0; i < c.count; i++) {
        recover(&c, c.disks[i], i % 4 == 0); /* to upgrade again takes a while */
    }
    print_message("%zu power cuts: %zu left the old store, %zu the new one\n", c.count, c.found_old,
                  c.found_new);
    assert_true(c.found_old > 0 && c.found_new > 0);
}

/* Power fails in the middle of finishing what a power cut had interrupted, and so on. */
static void a_swap_that_is_always_interrupted_ends(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &killed);
    assert_int_equal(upgrade(&f), NQ_OK);
    uint32_t digest = digest_of_new(&f);
    uint64_t ios = nq_sim_vfs_get_stats(f.disk).ios;
    tear_down(&f);
    set_up(&f, &killed);
    uint64_t before = nq_sim_vfs_get_stats(f.disk).ios;
    nq_sim_vfs_fault_at(f.disk, NQ_SIM_POWER_CUT, (ios - before) / 2);
    for (uint64_t life = 1; upgrade(&f) != NQ_OK; life++) {
        assert_true(life < 10000);
        nq_sim_vfs_restart(f.disk);
        nq_sim_vfs_fault_at(f.disk, NQ_SIM_POWER_CUT, 100 + life * 7);
    }
    nq_sim_vfs_fault_at(f.disk, NQ_SIM_POWER_CUT, 0);
    assert_int_equal(digest_of_new(&f), digest);
    assert_true(has_content(&f, "db/format-1/data.nqdb", &killed.data));
    tear_down(&f);
}

static void rename_file(fixture *f, const char *from, const char *to) {
    assert_int_equal(nq_vfs_rename(&f->ctx, f->vfs, from, to), NQ_OK);
}

/* The new store was decided for, the old one has moved out, and then an old server has begun a
 * store. */
static void a_store_begun_during_the_swap_is_not_replaced(void **state) {
    (void)state;
    const content stray = {(uint8_t *)"stray", 5};
    fixture f;
    set_up(&f, &clean);
    assert_int_equal(upgrade(&f), NQ_OK);
    uint32_t digest = digest_of_new(&f);
    assert_int_equal(nq_vfs_make_dir(&f.ctx, f.vfs, "db/upgrade"), NQ_OK);
    assert_int_equal(nq_vfs_make_dir(&f.ctx, f.vfs, "db/upgrade/log"), NQ_OK);
    rename_file(&f, DATA_PATH, "db/upgrade/data.nqdb");
    write_file(&f, "db/upgrade/verified", NULL, 0);
    write_file(&f, DATA_PATH, stray.bytes, stray.size);
    assert_int_equal(nq_upgrade_prepare(&f.ctx, f.vfs, "db"), NQ_INVALID_ARGUMENT);
    assert_non_null(strstr(f.ctx.error.message, DATA_PATH " was made by another server"));
    assert_true(has_content(&f, DATA_PATH, &stray));
    assert_true(has_content(&f, "db/format-1/data.nqdb", &clean.data));
    rename_file(&f, DATA_PATH, "db/stray");
    assert_int_equal(nq_upgrade_prepare(&f.ctx, f.vfs, "db"), NQ_OK);
    assert_int_equal(digest_of_new(&f), digest);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_cut_at_any_moment_leaves_the_old_store_or_the_new),
        cmocka_unit_test(a_swap_that_is_always_interrupted_ends),
        cmocka_unit_test(a_store_begun_during_the_swap_is_not_replaced),
    };
    return cmocka_run_group_tests(tests, load_fixtures, free_fixtures);
}
