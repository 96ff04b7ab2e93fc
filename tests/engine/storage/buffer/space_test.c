/* Space: pages are given out once, come back, and are listed as runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/storage/buffer/space.h"

static void pages_are_given_out_once_and_in_order(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_space space;
    nq_page_id page;
    assert_int_equal(nq_space_init(&ctx, &space, 4), NQ_OK);
    for (uint32_t i = 4; i < 5000; i++) {
        assert_int_equal(nq_space_take(&ctx, &space, &page), NQ_OK);
        assert_int_equal(page.value, i);
    }
    for (uint32_t i = 100; i < 200; i++) {
        nq_space_give(&space, (nq_page_id){i});
    }
    assert_int_equal(space.free_count, 100);
    for (uint32_t i = 100; i < 200; i++) {
        assert_int_equal(nq_space_take(&ctx, &space, &page), NQ_OK);
        assert_int_equal(page.value, i);
    }
    assert_int_equal(nq_space_take(&ctx, &space, &page), NQ_OK);
    assert_int_equal(page.value, 5000);
    nq_space_deinit(&space);
}

static void runs_cover_exactly_the_free_pages(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_rng rng = {1};
    enum { PAGES = 3000 };
    static bool is_free[PAGES];
    nq_space space;
    nq_space copy;
    assert_int_equal(nq_space_init(&ctx, &space, PAGES), NQ_OK);
    for (int i = 0; i < 1500; i++) {
        uint32_t page = (uint32_t)nq_rng_below(&rng, PAGES);
        if (!is_free[page]) {
            is_free[page] = true;
            nq_space_give(&space, (nq_page_id){page});
        }
    }
    assert_int_equal(nq_space_copy(&ctx, &space, &copy), NQ_OK);
    uint32_t run_count = 0;
    uint32_t free_count = 0;
    nq_page_run run = nq_space_find_run(&copy, 0);
    while (run.count != 0) {
        for (uint32_t i = 0; i < run.count; i++) {
            assert_true(is_free[run.first + i]);
        }
        uint32_t end = run.first + run.count;
        assert_true(end == PAGES || !is_free[end]);
        run_count++;
        free_count += run.count;
        run = nq_space_find_run(&copy, end);
    }
    assert_int_equal(run_count, nq_space_count_runs(&copy));
    assert_int_equal(free_count, copy.free_count);
    nq_space_remove(&copy, (nq_page_id){nq_space_find_run(&copy, 0).first});
    assert_int_equal(copy.free_count + 1, space.free_count);
    nq_space_deinit(&space);
    nq_space_deinit(&copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_given_out_once_and_in_order),
        cmocka_unit_test(runs_cover_exactly_the_free_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
