/* Alarm: calls are woken once, when it is time, and never after they took their alarm back. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "engine/ground/os/clock.h"
#include "tests/server/service/live_fixture.h"

static _Atomic uint32_t wake_count;

static void on_wake(nq_call *call) {
    (void)call;
    atomic_fetch_add(&wake_count, 1);
}

static void on_open(nq_call *call) {
    nq_call_want_message(call);
}

static const nq_method_handler handler = {.on_open = on_open, .on_wake = on_wake};
static const nq_method method = {"/test.Service/Sleep", NQ_METHOD_BIDI, 0, &handler, 0};

static nq_fake_call *open_call(void) {
    nq_fake_call *call = nq_fake_call_open(&method, NULL, NULL);
    nq_fake_call_run(call);
    return call;
}

static void run_until_wakes(nq_fake_call *call, uint32_t count) {
    int64_t until_ns = nq_clock_monotonic_ns() + INT64_C(30000000000);
    while (atomic_load(&wake_count) < count) {
        assert_true(nq_clock_monotonic_ns() < until_ns);
        nq_fake_call_run(call);
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

static nq_alarm_clock *new_clock(void) {
    nq_ctx ctx;
    nq_alarm_clock *clock;
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_alarm_clock_create(&ctx, &clock), NQ_OK);
    atomic_store(&wake_count, 0);
    return clock;
}

static void an_alarm_wakes_its_call_once_and_not_before_its_time(void **state) {
    (void)state;
    nq_alarm_clock *clock = new_clock();
    nq_fake_call *call = open_call();
    nq_alarm alarm = {0};
    int64_t due_ns = nq_clock_monotonic_ns() + 5000000;
    assert_true(nq_alarm_set(clock, &alarm, nq_fake_call_call(call), due_ns));
    run_until_wakes(call, 1);
    assert_true(nq_clock_monotonic_ns() >= due_ns);
    nq_alarm_clear(clock, &alarm); /* harmless */
    nq_fake_call_run(call);
    assert_int_equal(wake_count, 1);
    nq_fake_call_close(call);
    nq_alarm_clock_destroy(clock);
}

static void a_cleared_alarm_is_forgotten_and_a_moved_one_has_one_time(void **state) {
    (void)state;
    nq_alarm_clock *clock = new_clock();
    nq_fake_call *call = open_call();
    nq_alarm never = {0};
    nq_alarm moved = {0};
    int64_t now_ns = nq_clock_monotonic_ns();
    assert_true(nq_alarm_set(clock, &never, nq_fake_call_call(call), now_ns + 3600000000000));
    assert_true(nq_alarm_set(clock, &moved, nq_fake_call_call(call), now_ns + 3600000000000));
    nq_alarm_clear(clock, &never);
    assert_true(nq_alarm_set(clock, &moved, nq_fake_call_call(call), now_ns));
    run_until_wakes(call, 1);
    assert_int_equal(never.place, 0);
    assert_int_equal(moved.place, 0);
    nq_fake_call_close(call);
    nq_alarm_clock_destroy(clock);
}

static void alarms_ring_in_the_order_of_their_times(void **state) {
    enum { ALARMS = 500 };
    (void)state;
    static nq_alarm alarms[ALARMS];
    static nq_fake_call *calls[ALARMS];
    nq_alarm_clock *clock = new_clock();
    int64_t start_ns = nq_clock_monotonic_ns() + 20000000;
    uint32_t random = 1;
    for (int i = 0; i < ALARMS; i++) {
        random = random * 1664525 + 1013904223;
        calls[i] = open_call();
        assert_true(nq_alarm_set(clock, &alarms[i], nq_fake_call_call(calls[i]),
                                 start_ns + (random >> 8) % 10000000));
    }
    for (int i = 0; i < ALARMS; i += 3) {
        nq_alarm_clear(clock, &alarms[i]);
    }
    while (atomic_load(&wake_count) < ALARMS - (ALARMS + 2) / 3) {
        for (int i = 0; i < ALARMS; i++) {
            uint32_t before = wake_count;
            nq_fake_call_run(calls[i]);
            assert_true(wake_count == before || nq_clock_monotonic_ns() >= alarms[i].due_ns);
            assert_true(wake_count == before || i % 3 != 0);
        }
    }
    for (int i = 0; i < ALARMS; i++) {
        assert_int_equal(alarms[i].place, 0);
        nq_fake_call_close(calls[i]);
    }
    nq_alarm_clock_destroy(clock);
}

static void *set_and_clear(void *argument) {
    nq_alarm_clock *clock = argument;
    uint32_t random = (uint32_t)(uintptr_t)&random;
    for (int i = 0; i < 200; i++) {
        nq_fake_call *call = nq_fake_call_open(&method, NULL, NULL);
        nq_alarm alarm = {0};
        nq_fake_call_run(call);
        random = random * 1664525 + 1013904223;
        assert_true(nq_alarm_set(clock, &alarm, nq_fake_call_call(call),
                                 nq_clock_monotonic_ns() + (random >> 8) % 200000));
        nq_fake_call_run(call);
        nq_alarm_clear(clock, &alarm);
        nq_fake_call_close(call); /* freed: a late wake would be found out */
    }
    return NULL;
}

static void a_call_may_end_while_its_alarm_rings(void **state) {
    (void)state;
    nq_alarm_clock *clock = new_clock();
    pthread_t thread;
    /* The fake counts its calls without a lock: one thread makes them, the clock's wakes them. */
    assert_int_equal(pthread_create(&thread, NULL, set_and_clear, clock), 0);
    pthread_join(thread, NULL);
    nq_alarm_clock_destroy(clock);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alarm_wakes_its_call_once_and_not_before_its_time),
        cmocka_unit_test(a_cleared_alarm_is_forgotten_and_a_moved_one_has_one_time),
        cmocka_unit_test(alarms_ring_in_the_order_of_their_times),
        cmocka_unit_test(a_call_may_end_while_its_alarm_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
