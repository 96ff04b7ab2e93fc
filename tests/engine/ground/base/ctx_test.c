/* A context says why work must stop: cancelled, or out of time. */
#include "engine/ground/base/ctx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static int64_t fake_now_ns;

static int64_t read_fake_clock(void) {
    return fake_now_ns;
}

static void a_new_context_never_stops(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_ctx_poll(&ctx), NQ_OK);
    assert_int_equal(ctx.error.code, NQ_OK);
    ctx.deadline_ns = 5; /* without a clock nothing is compared */
    assert_int_equal(nq_ctx_poll(&ctx), NQ_OK);
}

static void the_deadline_is_reached_at_its_nanosecond(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    ctx.now_ns = read_fake_clock;
    ctx.deadline_ns = 1000;
    fake_now_ns = 999;
    assert_int_equal(nq_ctx_poll(&ctx), NQ_OK);
    fake_now_ns = 1000;
    assert_int_equal(nq_ctx_poll(&ctx), NQ_STATEMENT_TIMEOUT);
    assert_int_equal(ctx.error.code, NQ_STATEMENT_TIMEOUT);
    ctx.deadline_ns = NQ_NO_DEADLINE;
    fake_now_ns = INT64_MAX;
    assert_int_equal(nq_ctx_poll(&ctx), NQ_OK);
}

static void the_cancel_flag_says_with_which_status(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_cancel_flag flag = NQ_OK;
    nq_ctx_init(&ctx, NULL);
    ctx.cancel = &flag;
    assert_int_equal(nq_ctx_poll(&ctx), NQ_OK);
    flag = NQ_SHUTTING_DOWN;
    assert_int_equal(nq_ctx_poll(&ctx), NQ_SHUTTING_DOWN);
    assert_string_equal(ctx.error.message, nq_status_meaning(NQ_SHUTTING_DOWN));
}

static void no_memory_names_what_for_and_the_budget(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_arena arena;
    nq_arena_init(&arena, 12345);
    nq_ctx_init(&ctx, &arena);
    assert_int_equal(nq_fail_no_memory(&ctx, "a sort"), NQ_MEMORY_LIMIT);
    assert_non_null(strstr(ctx.error.message, "a sort"));
    assert_non_null(strstr(ctx.error.message, "12345"));
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_fail_no_memory(&ctx, "a sort"), NQ_MEMORY_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_context_never_stops),
        cmocka_unit_test(the_deadline_is_reached_at_its_nanosecond),
        cmocka_unit_test(the_cancel_flag_says_with_which_status),
        cmocka_unit_test(no_memory_names_what_for_and_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
