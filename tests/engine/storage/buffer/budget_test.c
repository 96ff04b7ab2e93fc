/* Budget: frames give way to whoever has a claim on the pool's memory, and no further. */
#include "tests/engine/storage/buffer/fixture.h"

enum { BUDGET = 4 << 20, SLACK = BUDGET / 64 };

static void set_up_with_budget(fixture *f) {
    /* A policy that remembers nothing leaves everything to pages. */
    set_up_with(f, (nq_pool_options){.cache_bytes = BUDGET, .policy = NQ_CACHE_CLOCK});
    for (uint32_t id = 4; id < 4 + BUDGET / NQ_PAGE_BYTES; id++) {
        make_page(f, id);
    }
}

static uint64_t bytes_used(fixture *f) {
    nq_pool_stats stats;
    nq_pool_get_stats(f->pool, &stats);
    assert_int_equal(stats.bytes_budget, BUDGET);
    return stats.bytes_used;
}

static void tables_and_frames_fit_the_budget_and_fill_it(void **state) {
    (void)state;
    fixture f;
    set_up_with_budget(&f);
    uint64_t used = bytes_used(&f);
    assert_true(used <= BUDGET && used > BUDGET - SLACK);
    tear_down(&f);
}

static void what_others_take_pages_give_up(void **state) {
    (void)state;
    fixture f;
    set_up_with_budget(&f);
    uint64_t written;
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 1, &written), NQ_OK);
    assert_true(nq_pool_charge(f.pool, 1 << 20));
    uint64_t used = bytes_used(&f);
    assert_true(used <= BUDGET && used > BUDGET - SLACK);
    for (uint32_t id = 4; id < 4 + BUDGET / NQ_PAGE_BYTES; id++) {
        assert_int_equal(pin_and_unpin(&f, id), NQ_OK);
        assert_true(bytes_used(&f) <= BUDGET);
    }
    nq_pool_charge(f.pool, -(1 << 20));
    uint64_t before = bytes_used(&f);
    assert_true(before <= BUDGET - (1 << 20) + NQ_PAGE_BYTES);
    for (uint32_t id = 4; id < 4 + BUDGET / NQ_PAGE_BYTES; id++) {
        assert_int_equal(pin_and_unpin(&f, id), NQ_OK);
    }
    used = bytes_used(&f); /* pages and their compressed images have taken it up again */
    assert_true(used <= BUDGET && used > before);
    tear_down(&f);
}

static void what_comes_and_goes_moves_no_frames(void **state) {
    (void)state;
    fixture f;
    set_up_with_budget(&f);
    uint64_t written;
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 1, &written), NQ_OK);
    nq_pool_charge(f.pool, 4096);
    nq_pool_stats before;
    nq_pool_get_stats(f.pool, &before);
    for (int i = 0; i < 1000; i++) {
        nq_pool_charge(f.pool, 4096);
        nq_pool_charge(f.pool, -4096);
    }
    nq_pool_stats after;
    nq_pool_get_stats(f.pool, &after);
    assert_int_equal(after.evictions, before.evictions);
    assert_int_equal(after.bytes_used, before.bytes_used);
    tear_down(&f);
}

static void pages_that_are_worth_more_stay_wherever_they_were(void **state) {
    (void)state;
    enum { KEPT = 250 }; /* of some 350, in three quarters of the budget */
    fixture f;
    set_up_with_budget(&f);
    uint64_t written;
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 1, &written), NQ_OK);
    nq_pool_charge(f.pool, BUDGET / 4);
    uint32_t end = 4 + BUDGET / NQ_PAGE_BYTES;
    nq_pin pin;
    for (uint32_t id = end - KEPT; id < end; id++) {
        assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){id, 1}, &pin), NQ_OK);
        assert_true(holds_its_id(pin.page, id));
        nq_pool_unpin(f.pool, &pin);
    }
    nq_pool_stats stats;
    nq_pool_get_stats(f.pool, &stats);
    assert_int_equal(stats.hits, KEPT);
    tear_down(&f);
}

static void dirty_pages_follow_when_frames_are_wanted(void **state) {
    (void)state;
    fixture f;
    set_up_with_budget(&f);
    nq_pool_charge(f.pool, 1 << 20); /* nothing is clean */
    assert_true(bytes_used(&f) > BUDGET);
    make_page(&f, 5000);
    assert_true(bytes_used(&f) <= BUDGET);
    tear_down(&f);
}

static void the_least_frames_stay_whatever_is_charged(void **state) {
    (void)state;
    fixture f;
    set_up_with_budget(&f);
    assert_false(nq_pool_charge(f.pool, (int64_t)1 << 40));
    nq_pin pins[NQ_POOL_FRAMES_MIN];
    for (uint32_t i = 0; i < NQ_POOL_FRAMES_MIN; i++) {
        assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){4 + i, 1}, &pins[i]), NQ_OK);
    }
    nq_pin pin;
    assert_int_equal(nq_pool_pin(&f.ctx, f.pool, (nq_page_ref){400, 1}, &pin), NQ_MEMORY_LIMIT);
    for (uint32_t i = 0; i < NQ_POOL_FRAMES_MIN; i++) {
        nq_pool_unpin(f.pool, &pins[i]);
    }
    tear_down(&f);
}

/* ---- Views ---- */

/* ---- Frames at hand ---- */

/* Of the least size at which memory comes in huge pages. */
enum { LARGE_BUDGET = 64 << 20, STOCK_BYTES = LARGE_BUDGET / 32 };

static void set_up_large(fixture *f) {
    set_up_with(f, (nq_pool_options){.cache_bytes = LARGE_BUDGET, .policy = NQ_CACHE_CLOCK});
}

static nq_pool_stats stats_of(fixture *f) {
    nq_pool_stats stats;
    nq_pool_get_stats(f->pool, &stats);
    return stats;
}

static void frames_are_at_hand_before_pages_come(void **state) {
    (void)state;
    fixture f;
    set_up_large(&f);
    uint64_t before = stats_of(&f).bytes_used;
    assert_true(nq_pool_wants_frames(f.pool));
    nq_pool_add_frames(f.pool);
    assert_false(nq_pool_wants_frames(f.pool));
    uint64_t stocked = stats_of(&f).bytes_used;
    assert_true(stocked >= before + STOCK_BYTES / 2 && stocked <= before + STOCK_BYTES);
    uint32_t id = 4;
    while (!nq_pool_wants_frames(f.pool)) {
        make_page(&f, id++);
        assert_int_equal(stats_of(&f).bytes_used, stocked);
    }
    nq_pool_add_frames(f.pool);
    assert_false(nq_pool_wants_frames(f.pool));
    for (uint32_t made = 4; made < id; made++) {
        assert_int_equal(pin_and_unpin(&f, made), NQ_OK);
    }
    assert_int_equal(stats_of(&f).misses, 0);
    tear_down(&f);
}

static void a_full_pool_wants_no_frames(void **state) {
    (void)state;
    fixture f;
    set_up_large(&f);
    for (uint32_t id = 4; stats_of(&f).evictions == 0; id++) {
        make_page(&f, id);
        if (nq_pool_wants_frames(f.pool)) {
            nq_pool_add_frames(f.pool);
        }
        assert_true(stats_of(&f).bytes_used <= LARGE_BUDGET);
    }
    assert_false(nq_pool_wants_frames(f.pool));
    tear_down(&f);
}

static void a_small_pool_wants_no_frames(void **state) {
    (void)state;
    fixture f;
    set_up_with_budget(&f);
    assert_false(nq_pool_wants_frames(f.pool));
    uint64_t before = bytes_used(&f);
    nq_pool_add_frames(f.pool);
    assert_int_equal(bytes_used(&f), before);
    tear_down(&f);
}

static void frames_at_hand_give_way_before_pages_do(void **state) {
    (void)state;
    fixture f;
    set_up_large(&f);
    enum { PAGES = 100 };
    for (uint32_t id = 4; id < 4 + PAGES; id++) {
        make_page(&f, id);
    }
    uint64_t written;
    assert_int_equal(nq_pool_write_dirty(&f.ctx, f.pool, 1, &written), NQ_OK);
    nq_pool_add_frames(f.pool);
    uint64_t room = (PAGES + 10) * NQ_PAGE_BYTES;
    uint64_t tables = stats_of(&f).bytes_used - STOCK_BYTES - PAGES * NQ_PAGE_BYTES;
    nq_pool_charge(f.pool, (int64_t)(LARGE_BUDGET - tables - room));
    assert_true(stats_of(&f).bytes_used <= LARGE_BUDGET + NQ_PAGE_BYTES);
    assert_int_equal(stats_of(&f).evictions, 0);
    tear_down(&f);
}

/* ---- Views ---- */

static void see(fixture *f, uint32_t id, nq_view *out_view) {
    assert_int_equal(nq_pool_view_begin(&f->ctx, f->pool, (nq_page_ref){id, 1}, false, out_view),
                     NQ_OK);
}

static void a_view_shows_the_page_and_keeps_nobody_from_evicting_it(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    make_page(&f, 4);
    make_page(&f, 5);
    nq_view view;
    see(&f, 4, &view);
    assert_true(holds_its_id(view.page, 4));
    assert_true(nq_pool_view_end(f.pool, &view));
    see(&f, 5, &view);
    for (uint32_t id = 100; id < 100 + 2 * NQ_POOL_FRAMES_MIN; id++) {
        make_page(&f, id);
    }
    /* ThreadSanitizer's views are pins. */
    assert_int_equal(nq_pool_view_end(f.pool, &view), view.is_pinned);
    tear_down(&f);
}

static void a_view_of_a_forgotten_page_fails(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    make_page(&f, 4);
    nq_view view;
    see(&f, 4, &view);
    if (!view.is_pinned) {
        nq_pool_forget(f.pool, (nq_page_id){4});
        make_page(&f, 4);
        assert_false(nq_pool_view_end(f.pool, &view));
        see(&f, 4, &view);
    }
    assert_true(nq_pool_view_end(f.pool, &view));
    tear_down(&f);
}

static void a_view_of_a_page_on_disk_reads_it(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    make_page(&f, 4);
    for (uint32_t id = 100; id < 100 + NQ_POOL_FRAMES_MIN; id++) {
        make_page(&f, id);
    }
    nq_view view;
    see(&f, 4, &view);
    assert_true(view.is_pinned);
    assert_true(holds_its_id(view.page, 4));
    assert_true(nq_pool_view_end(f.pool, &view));
    assert_int_equal(nq_pool_view_begin(&f.ctx, f.pool, (nq_page_ref){4, 2}, false, &view),
                     NQ_PAGE_CORRUPT);
    tear_down(&f);
}

static void a_page_whose_view_has_failed_is_pinned(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    make_page(&f, 4);
    nq_view view;
    assert_int_equal(nq_pool_view_begin(&f.ctx, f.pool, (nq_page_ref){4, 1}, true, &view), NQ_OK);
    assert_true(view.is_pinned);
    assert_true(nq_pool_view_end(f.pool, &view));
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_and_frames_fit_the_budget_and_fill_it),
        cmocka_unit_test(what_others_take_pages_give_up),
        cmocka_unit_test(what_comes_and_goes_moves_no_frames),
        cmocka_unit_test(pages_that_are_worth_more_stay_wherever_they_were),
        cmocka_unit_test(dirty_pages_follow_when_frames_are_wanted),
        cmocka_unit_test(the_least_frames_stay_whatever_is_charged),
        cmocka_unit_test(frames_are_at_hand_before_pages_come),
        cmocka_unit_test(a_full_pool_wants_no_frames),
        cmocka_unit_test(a_small_pool_wants_no_frames),
        cmocka_unit_test(frames_at_hand_give_way_before_pages_do),
        cmocka_unit_test(a_view_shows_the_page_and_keeps_nobody_from_evicting_it),
        cmocka_unit_test(a_view_of_a_forgotten_page_fails),
        cmocka_unit_test(a_view_of_a_page_on_disk_reads_it),
        cmocka_unit_test(a_page_whose_view_has_failed_is_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
