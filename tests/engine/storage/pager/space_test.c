/* Space: ids are given out once, and come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/storage/pager/space.h"

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

static void a_copy_goes_its_own_way(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_space space;
    nq_space copy;
    nq_page_id page;
    assert_int_equal(nq_space_init(&ctx, &space, 300), NQ_OK);
    nq_space_give(&space, (nq_page_id){17});
    assert_int_equal(nq_space_copy(&ctx, &space, &copy), NQ_OK);
    assert_int_equal(nq_space_take(&ctx, &space, &page), NQ_OK);
    assert_int_equal(page.value, 17);
    nq_space_give(&copy, (nq_page_id){250});
    assert_false(nq_space_is_free(&space, (nq_page_id){17}));
    assert_false(nq_space_is_free(&space, (nq_page_id){250}));
    assert_true(nq_space_is_free(&copy, (nq_page_id){17}));
    assert_int_equal(copy.free_count, 2);
    nq_space_deinit(&space);
    nq_space_deinit(&copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_given_out_once_and_in_order),
        cmocka_unit_test(a_copy_goes_its_own_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
