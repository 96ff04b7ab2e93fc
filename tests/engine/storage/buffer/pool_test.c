/* Pool: what is pinned stays, what is dirty is written before it goes, and what comes from disk is
 * checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/buffer/pool.h"
#include "engine/storage/page/node.h"

typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_file *file;
    nq_pool *pool;
} fixture;

static void set_up(fixture *f) {
    nq_ctx_init(&f->ctx, NULL);
    nq_sim_options sim = {.seed = 1};
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &sim, &f->disk), NQ_OK);
    assert_int_equal(
        nq_vfs_open(&f->ctx, nq_sim_vfs_as_vfs(f->disk), "data", NQ_OPEN_CREATE, &f->file), NQ_OK);
    assert_int_equal(nq_pool_create(&f->ctx, f->file, 0, &f->pool), NQ_OK);
}

static void tear_down(fixture *f) {
    nq_pool_destroy(f->pool);
    nq_file_close(f->file);
    nq_sim_vfs_destroy(f->disk);
}

/* Page `id` of generation 1, whose first entry says so. */
static void make_page(fixture *f, uint32_t id) {
    nq_pin pin;
    assert_int_equal(nq_pool_pin_new(&f->ctx, f->pool, (nq_page_id){id}, 1, NQ_PAGE_LEAF, &pin),
                     NQ_OK);
    assert_true(nq_node_insert(pin.page, 0, nq_bytes_of(&id, sizeof id), (nq_bytes){0}, false));
    nq_pool_unpin(f->pool, &pin);
}

static bool holds_its_id(const nq_page *page, uint32_t id) {
    return nq_bytes_equal(nq_node_suffix(page, 0), nq_bytes_of(&id, sizeof id));
}

static void more_pages_than_frames_come_and_go(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    enum { PAGES = 5 * NQ_POOL_FRAMES_MIN };
    for (uint32_t id = 4; id < PAGES; id++) {
        make_page(&f, id);
    }
    nq_rng rng = {1};
    for (int i = 0; i < 3000; i++) {
        uint32_t id = 4 + (uint32_t)nq_rng_below(&rng, PAGES - 4);
        nq_pin pin;
        assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){id, 1}, &pin), NQ_OK);
        assert_true(holds_its_id(pin.page, id));
        nq_pool_unpin(f.pool, &pin);
    }
    nq_pool_stats stats;
    nq_pool_get_stats(f.pool, &stats);
    assert_true(stats.bytes_used <= stats.bytes_budget);
    assert_int_equal(stats.hits + stats.misses, 3000);
    assert_int_equal(stats.misses, stats.pages_read);
    assert_true(stats.hits > 0 && stats.misses > 0 && stats.pages_written > 0);
    tear_down(&f);
}

static void a_scan_does_not_drive_out_what_is_asked_for_again(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    enum { HOT = NQ_POOL_FRAMES_MIN / 4, PAGES = 10 * NQ_POOL_FRAMES_MIN };
    for (uint32_t id = 4; id < PAGES; id++) {
        make_page(&f, id);
    }
    uint64_t misses_of_hot = 0;
    for (uint32_t id = 4 + HOT; id < PAGES; id++) {
        nq_pin pin;
        assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){id, 1}, &pin), NQ_OK);
        nq_pool_unpin(f.pool, &pin);
        nq_pool_stats before;
        nq_pool_stats after;
        nq_pool_get_stats(f.pool, &before);
        assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){4 + id % HOT, 1}, &pin), NQ_OK);
        nq_pool_unpin(f.pool, &pin);
        nq_pool_get_stats(f.pool, &after);
        misses_of_hot += after.misses - before.misses;
    }
    assert_true(misses_of_hot <= 3 * HOT);
    tear_down(&f);
}

static void when_every_frame_is_pinned_the_next_is_refused(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    nq_pin pins[NQ_POOL_FRAMES_MIN];
    for (uint32_t i = 0; i < NQ_POOL_FRAMES_MIN; i++) {
        assert_int_equal(
            nq_pool_pin_new(&f.ctx, f.pool, (nq_page_id){4 + i}, 1, NQ_PAGE_LEAF, &pins[i]), NQ_OK);
    }
    nq_pin pin;
    assert_int_equal(nq_pool_pin_new(&f.ctx, f.pool, (nq_page_id){999}, 1, NQ_PAGE_LEAF, &pin),
                     NQ_MEMORY_LIMIT);
    nq_pool_unpin(f.pool, &pins[7]);
    assert_int_equal(nq_pool_pin_new(&f.ctx, f.pool, (nq_page_id){999}, 1, NQ_PAGE_LEAF, &pin),
                     NQ_OK);
    nq_pool_unpin(f.pool, &pin);
    for (uint32_t i = 0; i < NQ_POOL_FRAMES_MIN; i++) {
        nq_pool_unpin(f.pool, &pins[i]);
    }
    tear_down(&f);
}

static void damage_on_disk_is_refused_and_the_rest_still_read(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    make_page(&f, 4);
    make_page(&f, 5);
    uint64_t written;
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 1, &written), NQ_OK);
    assert_int_equal(written, 2);
    nq_pool_forget(f.pool, (nq_page_id){4});
    nq_pool_forget(f.pool, (nq_page_id){5});
    assert_true(nq_sim_vfs_flip_bit(f.disk, "data", 4 * NQ_PAGE_BYTES + 5000, 2));
    nq_pin pin;
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){4, 1}, &pin), NQ_PAGE_CORRUPT);
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){4, 1}, &pin), NQ_PAGE_CORRUPT);
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){5, 2}, &pin), NQ_PAGE_CORRUPT);
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){5, 1}, &pin), NQ_OK);
    nq_pool_unpin(f.pool, &pin);
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){77, 1}, &pin), NQ_PAGE_CORRUPT);
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){0, 0}, &pin), NQ_PAGE_CORRUPT);
    tear_down(&f);
}

static void only_generations_asked_for_are_written(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    make_page(&f, 4);
    nq_pin pin;
    assert_int_equal(nq_pool_pin_new(&f.ctx, f.pool, (nq_page_id){5}, 2, NQ_PAGE_LEAF, &pin),
                     NQ_OK);
    nq_pool_unpin(f.pool, &pin);
    uint64_t written;
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 1, &written), NQ_OK);
    assert_int_equal(written, 1);
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 1, &written), NQ_OK);
    assert_int_equal(written, 0);
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 2, &written), NQ_OK);
    assert_int_equal(written, 1);
    tear_down(&f);
}

static void a_failed_write_loses_nothing(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    for (uint32_t id = 4; id < 4 + NQ_POOL_FRAMES_MIN; id++) {
        make_page(&f, id);
    }
    nq_sim_vfs_set_capacity(f.disk, 1);
    nq_pin pin;
    assert_int_equal(nq_pool_pin_new(&f.ctx, f.pool, (nq_page_id){500}, 1, NQ_PAGE_LEAF, &pin),
                     NQ_DISK_FULL);
    uint64_t written;
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 1, &written), NQ_DISK_FULL);
    for (uint32_t id = 4; id < 4 + NQ_POOL_FRAMES_MIN; id++) {
        assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){id, 1}, &pin), NQ_OK);
        assert_true(holds_its_id(pin.page, id));
        nq_pool_unpin(f.pool, &pin);
    }
    nq_sim_vfs_set_capacity(f.disk, 0);
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 1, &written), NQ_OK);
    assert_int_equal(written, NQ_POOL_FRAMES_MIN);
    tear_down(&f);
}

/* ---- Many at once ---- */

enum { SHARED_PAGES = 3 * NQ_POOL_FRAMES_MIN, PINS = 4000 };

typedef struct readers {
    fixture *f;
    _Atomic uint32_t next_seed;
    _Atomic int failures;
} readers;

static void pin_often(void *argument) {
    readers *r = argument;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_rng rng = {atomic_fetch_add(&r->next_seed, 1)};
    for (int i = 0; i < PINS; i++) {
        uint32_t id = 4 + (uint32_t)nq_rng_below(&rng, SHARED_PAGES - 4);
        nq_pin pin;
        if (nq_pool_pin(&ctx, r->f->pool, (nq_page_ref){id, 1}, &pin) != NQ_OK ||
            !holds_its_id(pin.page, id)) {
            atomic_fetch_add(&r->failures, 1);
            return;
        }
        nq_pool_unpin(r->f->pool, &pin);
    }
}

static void many_threads_share_few_frames(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    for (uint32_t id = 4; id < SHARED_PAGES; id++) {
        make_page(&f, id);
    }
    readers r = {.f = &f, .next_seed = 1};
    nq_thread threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(nq_thread_start(&f.ctx, &threads[i], "reader", pin_often, &r), NQ_OK);
    }
    for (int i = 0; i < 4; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_int_equal(atomic_load(&r.failures), 0);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_pages_than_frames_come_and_go),
        cmocka_unit_test(a_scan_does_not_drive_out_what_is_asked_for_again),
        cmocka_unit_test(when_every_frame_is_pinned_the_next_is_refused),
        cmocka_unit_test(damage_on_disk_is_refused_and_the_rest_still_read),
        cmocka_unit_test(only_generations_asked_for_are_written),
        cmocka_unit_test(a_failed_write_loses_nothing),
        cmocka_unit_test(many_threads_share_few_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
