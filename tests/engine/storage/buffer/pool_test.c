/* Pool: what is pinned stays, what is dirty is written before it goes, and what comes from disk is
 * checked. */
#include <stdatomic.h>

#include "engine/ground/os/thread.h"
#include "tests/engine/storage/buffer/fixture.h"

static void come_and_go(nq_cache_policy policy) {
    fixture f;
    set_up_with(&f, (nq_pool_options){.policy = policy});
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
    assert_int_equal(stats.evictions, PAGES - 4 + stats.misses - NQ_POOL_FRAMES_MIN);
    tear_down(&f);
}

static void more_pages_than_frames_come_and_go(void **state) {
    (void)state;
    for (nq_cache_policy policy = 0; policy < NQ_CACHE_POLICY_COUNT; policy++) {
        come_and_go(policy);
    }
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

static void a_copy_inherits_the_standing_of_its_source(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    make_page(&f, 4);
    assert_int_equal(pin_and_unpin(&f, 4), NQ_OK);
    assert_int_equal(pin_and_unpin(&f, 4), NQ_OK);
    nq_pin source;
    nq_pin copy;
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){4, 1}, &source), NQ_OK);
    assert_int_equal(nq_pool_pin_copy(&f.ctx, f.pool, (nq_page_id){5}, 2, source.page, &copy),
                     NQ_OK);
    nq_pool_unpin(f.pool, &source);
    nq_pool_unpin(f.pool, &copy);
    nq_pool_forget(f.pool, (nq_page_id){4});
    for (uint32_t id = 100; id < 100 + 2 * NQ_POOL_FRAMES_MIN; id++) {
        make_page(&f, id);
    }
    nq_pool_stats before;
    nq_pool_stats after;
    nq_pool_get_stats(f.pool, &before);
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){5, 2}, &copy), NQ_OK);
    nq_pool_unpin(f.pool, &copy);
    nq_pool_get_stats(f.pool, &after);
    assert_int_equal(after.hits, before.hits + 1);
    tear_down(&f);
}

static void a_dropped_page_leaves_its_frame_unless_it_is_dirty_or_pinned(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    nq_pool_stats before;
    nq_pool_stats after;
    uint64_t written;
    nq_pin pin;
    make_page(&f, 4);
    nq_pool_drop(f.pool, (nq_page_id){4}); /* dirty: it would be lost */
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){4, 1}, &pin), NQ_OK);
    nq_pool_unpin(f.pool, &pin);
    nq_pool_get_stats(f.pool, &before);
    assert_int_equal(before.pages_read, 0);
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 1, &written), NQ_OK);
    assert_int_equal(written, 1); /* and goes */
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){4, 1}, &pin), NQ_OK);
    nq_pool_get_stats(f.pool, &before);
    assert_int_equal(before.pages_read, 1);
    nq_pool_drop(f.pool, (nq_page_id){4}); /* pinned */
    assert_true(holds_its_id(pin.page, 4));
    nq_pool_unpin(f.pool, &pin);
    nq_pool_drop(f.pool, (nq_page_id){4});
    nq_pool_drop(f.pool, (nq_page_id){5}); /* is not there */
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){4, 1}, &pin), NQ_OK);
    assert_true(holds_its_id(pin.page, 4));
    nq_pool_unpin(f.pool, &pin);
    nq_pool_get_stats(f.pool, &after);
    assert_int_equal(after.pages_read, 2);
    tear_down(&f);
}

static void a_renamed_page_keeps_its_frame_and_what_is_stored_of_it(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    nq_pin pin;
    uint64_t written;
    make_page(&f, 4);
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 1, &written), NQ_OK);
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){4, 1}, &pin), NQ_OK);
    const nq_page *place = pin.page;
    assert_true(nq_pool_rename(f.pool, pin, (nq_page_id){5}, 2));
    assert_int_equal(nq_pool_dirty_count(f.pool), 1);
    nq_pool_unpin(f.pool, &pin);
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){5, 2}, &pin), NQ_OK);
    assert_ptr_equal(pin.page, place);
    assert_true(holds_its_id(pin.page, 4));
    nq_pool_unpin(f.pool, &pin);
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){4, 1}, &pin), NQ_OK);
    assert_ptr_not_equal(pin.page, place);
    assert_true(holds_its_id(pin.page, 4));
    nq_pool_unpin(f.pool, &pin);
    nq_pool_stats stats;
    nq_pool_get_stats(f.pool, &stats);
    assert_int_equal(stats.pages_read, 1);
    tear_down(&f);
}

static void a_page_that_is_nowhere_else_or_anothers_too_is_not_renamed(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    nq_pin pin;
    nq_pin another;
    uint64_t written;
    make_page(&f, 4);
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){4, 1}, &pin), NQ_OK);
    assert_false(nq_pool_rename(f.pool, pin, (nq_page_id){5}, 2)); /* dirty */
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 1, &written), NQ_OK);
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){4, 1}, &another), NQ_OK);
    assert_false(nq_pool_rename(f.pool, pin, (nq_page_id){5}, 2));
    nq_pool_unpin(f.pool, &another);
    assert_int_equal(pin.page->id, 4);
    assert_int_equal(nq_pool_dirty_count(f.pool), 0);
    assert_true(nq_pool_rename(f.pool, pin, (nq_page_id){5}, 2));
    nq_pool_unpin(f.pool, &pin);
    tear_down(&f);
}

static void a_page_missed_soon_after_it_went_is_a_ghost_hit(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    for (uint32_t id = 4; id < 4 + NQ_POOL_FRAMES_MIN + 1; id++) {
        make_page(&f, id);
    }
    assert_int_equal(pin_and_unpin(&f, 4), NQ_OK);
    nq_pool_stats stats;
    nq_pool_get_stats(f.pool, &stats);
    assert_int_equal(stats.ghost_hits, 1);
    assert_int_equal(stats.evictions, 2);
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
    assert_int_equal(pages_checkpoint_all(&f.ctx, f.pager, 100), NQ_OK);
    for (uint32_t id = 100; id < 100 + 2 * NQ_POOL_FRAMES_MIN; id++) {
        make_page(&f, id); /* drives the others out */
    }
    /* The block of page 4 and its two of parity. */
    nq_segment_layout layout = {1};
    for (uint64_t block = 1; block <= 18; block += block == 1 ? 16 : 1) {
        uint64_t offset = nq_segment_bytes(layout) + block * NQ_SEGMENT_BLOCK_BYTES + 100;
        for (uint64_t byte = 0; byte < 16; byte++) { /* a single bit would be found */
            assert_true(nq_sim_vfs_flip_bit(f.disk, "data", offset + byte, 2));
        }
    }
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

static void a_failed_read_costs_no_frame(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    for (uint32_t i = 0; i < 3 * NQ_POOL_FRAMES_MIN; i++) {
        assert_int_equal(pin_and_unpin(&f, 1000 + i), NQ_PAGE_CORRUPT);
    }
    nq_pin pins[NQ_POOL_FRAMES_MIN];
    for (uint32_t i = 0; i < NQ_POOL_FRAMES_MIN; i++) {
        assert_int_equal(
            nq_pool_pin_new(&f.ctx, f.pool, (nq_page_id){4 + i}, 1, NQ_PAGE_LEAF, &pins[i]), NQ_OK);
    }
    for (uint32_t i = 0; i < NQ_POOL_FRAMES_MIN; i++) {
        nq_pool_unpin(f.pool, &pins[i]);
    }
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

static void a_disk_that_refuses_writes_costs_clean_pages_only(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    static const uint32_t always[NQ_SIM_FAULT_COUNT] = {[NQ_SIM_WRITE_ERROR] = 1000000};
    static const uint32_t never[NQ_SIM_FAULT_COUNT] = {0};
    nq_sim_vfs_set_fault_ppm(f.disk, always);
    nq_status status = NQ_OK;
    uint32_t end = 4;
    while (status == NQ_OK && end < 10 * NQ_POOL_FRAMES_MIN) {
        nq_pin pin;
        status = nq_pool_pin_new(&f.ctx, f.pool, (nq_page_id){end}, 1, NQ_PAGE_LEAF, &pin);
        if (status == NQ_OK) {
            nq_pool_unpin(f.pool, &pin);
            nq_pool_forget(f.pool, (nq_page_id){end});
            make_page(&f, end++);
        }
    }
    assert_int_equal(status, NQ_IO_ERROR);
    for (int round = 0; round < 2; round++) {
        for (uint32_t id = 4; id < end && round == 1; id++) {
            assert_int_equal(pin_and_unpin(&f, id), NQ_OK);
        }
        nq_sim_vfs_set_fault_ppm(f.disk, never);
    }
    tear_down(&f);
}

/* ---- Many at once ---- */

enum { SHARED_PAGES = 3 * NQ_POOL_FRAMES_MIN, PINS = 4000, THREADS = 4, CHARGES = 100 };

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

static void share_few_frames(nq_cache_policy policy) {
    fixture f;
    set_up_with(&f, (nq_pool_options){.policy = policy, .cache_bytes = 1 << 20});
    for (uint32_t id = 4; id < SHARED_PAGES; id++) {
        make_page(&f, id);
    }
    readers r = {.f = &f, .next_seed = 1};
    nq_thread threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(nq_thread_start(&f.ctx, &threads[i], "reader", pin_often, &r), NQ_OK);
    }
    for (int i = 0; i < CHARGES; i++) {
        nq_pool_charge(f.pool, i % 2 == 0 ? 300 << 10 : -(300 << 10));
        nq_thread_sleep_ns(10000);
    }
    for (int i = 0; i < THREADS; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_int_equal(atomic_load(&r.failures), 0);
    nq_pool_stats stats;
    nq_pool_get_stats(f.pool, &stats);
    assert_int_equal(stats.hits + stats.misses, THREADS * PINS);
    assert_true(stats.bytes_used <= stats.bytes_budget);
    tear_down(&f);
}

static void many_threads_share_few_frames(void **state) {
    (void)state;
    for (nq_cache_policy policy = 0; policy < NQ_CACHE_POLICY_COUNT; policy++) {
        share_few_frames(policy);
    }
}

/* A page of `count` entries that are all its id. */
static void make_uniform_page(fixture *f, uint32_t id) {
    enum { ENTRIES = 200 };
    nq_pin pin;
    assert_int_equal(nq_pool_pin_new(&f->ctx, f->pool, (nq_page_id){id}, 1, NQ_PAGE_LEAF, &pin),
                     NQ_OK);
    for (uint16_t i = 0; i < ENTRIES; i++) {
        uint16_t key = __builtin_bswap16(i);
        assert_true(nq_node_insert(pin.page, i, nq_bytes_of(&key, sizeof key),
                                   nq_bytes_of(&id, sizeof id), false));
    }
    nq_pool_unpin(f->pool, &pin);
}

/* Looks a page's entries up, as a reader would, through one view; false: they were not its own.
 */
static bool view_is_uniform(nq_ctx *ctx, nq_pool *pool, uint32_t id, uint32_t *out_failed_count) {
    bool has_failed = false;
    bool is_right;
    do {
        nq_view view;
        if (nq_pool_view_begin(ctx, pool, (nq_page_ref){id, 1}, has_failed, &view) != NQ_OK) {
            return false;
        }
        is_right = true;
        for (uint16_t i = 0; i < 200; i += 7) {
            uint16_t key = __builtin_bswap16(i);
            bool is_equal;
            bool is_overflow;
            nq_bytes payload;
            uint32_t found = 0;
            uint16_t slot = nq_node_find(view.page, nq_bytes_of(&key, sizeof key), &is_equal);
            if (nq_node_read_payload(view.page, slot, &payload, &is_overflow) &&
                payload.size == sizeof found) {
                memcpy(&found, payload.data, sizeof found);
            }
            is_right = is_right && is_equal && found == id;
        }
        has_failed = !nq_pool_view_end(pool, &view);
        *out_failed_count += has_failed ? 1 : 0;
    } while (has_failed);
    return is_right;
}

static void view_often(void *argument) {
    readers *r = argument;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_rng rng = {atomic_fetch_add(&r->next_seed, 1)};
    uint32_t failed_count = 0;
    for (int i = 0; i < PINS; i++) {
        uint32_t id = 4 + (uint32_t)nq_rng_below(&rng, SHARED_PAGES - 4);
        if (!view_is_uniform(&ctx, r->f->pool, id, &failed_count)) {
            atomic_fetch_add(&r->failures, 1);
            return;
        }
    }
}

static void views_that_are_good_show_one_page(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    for (uint32_t id = 4; id < SHARED_PAGES; id++) {
        make_uniform_page(&f, id);
    }
    readers r = {.f = &f, .next_seed = 1};
    nq_thread threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(nq_thread_start(&f.ctx, &threads[i], "viewer", view_often, &r), NQ_OK);
    }
    for (int i = 0; i < THREADS; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_int_equal(atomic_load(&r.failures), 0);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_pages_than_frames_come_and_go),
        cmocka_unit_test(a_scan_does_not_drive_out_what_is_asked_for_again),
        cmocka_unit_test(a_copy_inherits_the_standing_of_its_source),
        cmocka_unit_test(a_dropped_page_leaves_its_frame_unless_it_is_dirty_or_pinned),
        cmocka_unit_test(a_renamed_page_keeps_its_frame_and_what_is_stored_of_it),
        cmocka_unit_test(a_page_that_is_nowhere_else_or_anothers_too_is_not_renamed),
        cmocka_unit_test(a_page_missed_soon_after_it_went_is_a_ghost_hit),
        cmocka_unit_test(when_every_frame_is_pinned_the_next_is_refused),
        cmocka_unit_test(damage_on_disk_is_refused_and_the_rest_still_read),
        cmocka_unit_test(a_failed_read_costs_no_frame),
        cmocka_unit_test(only_generations_asked_for_are_written),
        cmocka_unit_test(a_failed_write_loses_nothing),
        cmocka_unit_test(a_disk_that_refuses_writes_costs_clean_pages_only),
        cmocka_unit_test(many_threads_share_few_frames),
        cmocka_unit_test(views_that_are_good_show_one_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
