/* Locks exclude, conditions wake, waits end at their deadline, and the order of locks is asserted.
 */
#include "engine/ground/os/mutex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/ground/os/clock.h"
#include "engine/ground/os/sim_clock.h"
#include "engine/ground/os/thread.h"

enum { THREADS = 4, TURNS = 5000 };

static nq_mutex mutex;
static nq_cond changed;
static unsigned turn;
static unsigned total;

static void take_turns(void *argument) {
    unsigned self = *(unsigned *)argument;
    for (int i = 0; i < TURNS; i++) {
        nq_mutex_lock(&mutex);
        while (turn % THREADS != self) {
            nq_cond_wait(&changed, &mutex);
        }
        turn++;
        total += self + 1;
        nq_cond_broadcast(&changed);
        nq_mutex_unlock(&mutex);
    }
}

static void threads_take_turns_under_a_mutex(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_thread threads[THREADS];
    unsigned selves[THREADS];
    nq_ctx_init(&ctx, NULL);
    nq_mutex_init(&mutex, NQ_LOCK_LOGGER);
    nq_cond_init(&changed);
    for (unsigned i = 0; i < THREADS; i++) {
        selves[i] = i;
        assert_int_equal(nq_thread_start(&ctx, &threads[i], "turn", take_turns, &selves[i]), NQ_OK);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_int_equal(turn, THREADS * TURNS);
    assert_int_equal(total, TURNS * (1 + 2 + 3 + 4));
    nq_cond_deinit(&changed);
    nq_mutex_deinit(&mutex);
}

static void a_wait_ends_at_its_deadline_and_not_before(void **state) {
    (void)state;
    nq_mutex_init(&mutex, NQ_LOCK_LOGGER);
    nq_cond_init(&changed);
    nq_mutex_lock(&mutex);
    int64_t deadline_ns = nq_clock_deadline_ns(20000000);
    while (nq_cond_wait_until(&changed, &mutex, deadline_ns)) {
        /* A wake-up nobody asked for: wait on. */
    }
    assert_true(nq_clock_monotonic_ns() >= deadline_ns);
    assert_false(nq_cond_wait_until(&changed, &mutex, -5));
    nq_mutex_unlock(&mutex);
    nq_cond_deinit(&changed);
    nq_mutex_deinit(&mutex);
}

static void advance_the_clock(void *argument) {
    (void)argument;
    nq_sim_clock_advance(INT64_C(3600) * 1000000000);
}

static void a_wait_follows_the_simulated_clock(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_thread thread;
    nq_ctx_init(&ctx, NULL);
    nq_sim_clock_start(0, 0);
    nq_mutex_init(&mutex, NQ_LOCK_LOGGER);
    nq_cond_init(&changed);
    assert_int_equal(nq_thread_start(&ctx, &thread, "clock", advance_the_clock, NULL), NQ_OK);
    nq_mutex_lock(&mutex);
    while (nq_cond_wait_until(&changed, &mutex, INT64_C(1800) * 1000000000)) {
        /* An hour passes at once; the test would not wait for half of it. */
    }
    nq_mutex_unlock(&mutex);
    nq_thread_join(&thread);
    nq_sim_clock_stop();
    nq_cond_deinit(&changed);
    nq_mutex_deinit(&mutex);
}

static void a_lock_that_is_held_is_not_taken_by_trying(void **state) {
    (void)state;
    nq_mutex_init(&mutex, NQ_LOCK_LOGGER);
    assert_true(nq_mutex_try_lock(&mutex));
    assert_false(nq_mutex_try_lock(&mutex));
    nq_mutex_unlock(&mutex);
    assert_true(nq_mutex_try_lock(&mutex));
    nq_mutex_unlock(&mutex);
    nq_mutex_deinit(&mutex);
}

/* Runs `misuse` in a child; true if it aborted. */
static bool aborts(void (*misuse)(void)) {
    pid_t child = fork();
    if (child == 0) {
        (void)close(STDERR_FILENO); /* what it says is not for the test's reader */
        (void)signal(SIGABRT, SIG_DFL);
        misuse();
        _exit(0);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    return !WIFEXITED(result) || WEXITSTATUS(result) != 0;
}

static nq_mutex outer;
static nq_mutex inner;

static void in_order(void) {
    nq_mutex_lock(&outer);
    nq_mutex_lock(&inner);
    nq_mutex_unlock(&outer);
    nq_mutex_unlock(&inner);
}

static void against_the_order(void) {
    nq_mutex_lock(&inner);
    nq_mutex_lock(&outer);
}

static void trying_against_the_order(void) {
    nq_mutex_lock(&inner);
    if (!nq_mutex_try_lock(&outer)) {
        _exit(1);
    }
}

static void two_of_one_rank(void) {
    nq_mutex second;
    nq_mutex_init(&second, NQ_LOCK_LOG);
    nq_mutex_lock(&outer);
    nq_mutex_lock(&second);
}

static void builds_with_assertions_abort_on_a_wrong_order(void **state) {
    (void)state;
    nq_mutex_init(&outer, NQ_LOCK_LOG);
    nq_mutex_init(&inner, NQ_LOCK_LOGGER);
    assert_false(aborts(in_order));
    assert_false(aborts(trying_against_the_order));
#ifndef NDEBUG
    assert_true(aborts(against_the_order));
    assert_true(aborts(two_of_one_rank));
#else
    (void)against_the_order;
    (void)two_of_one_rank;
#endif
    nq_mutex_deinit(&outer);
    nq_mutex_deinit(&inner);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_take_turns_under_a_mutex),
        cmocka_unit_test(a_wait_ends_at_its_deadline_and_not_before),
        cmocka_unit_test(a_wait_follows_the_simulated_clock),
        cmocka_unit_test(a_lock_that_is_held_is_not_taken_by_trying),
        cmocka_unit_test(builds_with_assertions_abort_on_a_wrong_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
