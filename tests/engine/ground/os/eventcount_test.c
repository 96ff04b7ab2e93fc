/* Who waits for an event is woken by it, whether it slept already or was about to. */
#include "engine/ground/os/eventcount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/ground/os/thread.h"

enum { THREADS = 4, ROUNDS = 3000 };

static nq_eventcount event;
static nq_eventcount answered;
static _Atomic uint32_t round_number;
static _Atomic uint32_t arrived;

static void await(nq_eventcount *awaited, const _Atomic uint32_t *number, uint32_t least) {
    for (;;) {
        nq_eventcount_key key = nq_eventcount_prepare(awaited);
        if (atomic_load(number) >= least) {
            nq_eventcount_cancel(awaited);
            return;
        }
        nq_eventcount_wait(awaited, key);
    }
}

static void follow(void *argument) {
    (void)argument;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        await(&event, &round_number, round);
        atomic_fetch_add(&arrived, 1);
        nq_eventcount_notify_one(&answered);
    }
}

static void no_notification_is_lost_however_they_race(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_thread threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(nq_thread_start(&ctx, &threads[i], "follower", follow, NULL), NQ_OK);
    }
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        atomic_store(&round_number, round);
        nq_eventcount_notify_all(&event);
        await(&answered, &arrived, round * THREADS);
    }
    for (int i = 0; i < THREADS; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_int_equal(atomic_load(&arrived), THREADS * ROUNDS);
    assert_int_equal(atomic_load(&event.waiter_count), 0);
    assert_int_equal(atomic_load(&answered.waiter_count), 0);
}

static void a_notification_since_prepare_ends_the_wait_at_once(void **state) {
    (void)state;
    nq_eventcount own = {0};
    nq_eventcount_key key = nq_eventcount_prepare(&own);
    nq_eventcount_notify_one(&own);
    nq_eventcount_wait(&own, key); /* or the test never ends */
    assert_int_equal(atomic_load(&own.waiter_count), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_notification_is_lost_however_they_race),
        cmocka_unit_test(a_notification_since_prepare_ends_the_wait_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
