/* Every task runs once, in order, on the pool's threads; a bound refuses; draining and ending wait.
 */
#include "engine/ground/os/worker_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/os/mutex.h"
#include "engine/ground/os/thread.h"

enum { TASKS = 5000 };

static nq_ctx ctx;

static nq_worker_pool *make_pool(uint32_t threads) {
    nq_worker_pool *pool;
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_worker_pool_create(&ctx, threads, &pool), NQ_OK);
    return pool;
}

static _Atomic unsigned ran;
static unsigned order[TASKS];

static void note_order(void *argument) {
    order[atomic_fetch_add(&ran, 1)] = *(unsigned *)argument;
}

static void one_thread_runs_tasks_in_the_order_they_came(void **state) {
    (void)state;
    static nq_worker_task tasks[TASKS];
    static unsigned numbers[TASKS];
    nq_worker_pool *pool = make_pool(1);
    ran = 0;
    for (unsigned i = 0; i < TASKS; i++) {
        numbers[i] = i;
        nq_worker_pool_submit(pool, &tasks[i], note_order, &numbers[i]);
    }
    nq_worker_pool_drain(pool);
    assert_int_equal(ran, TASKS);
    for (unsigned i = 0; i < TASKS; i++) {
        assert_int_equal(order[i], i);
    }
    nq_worker_pool_stats stats;
    nq_worker_pool_get_stats(pool, &stats);
    assert_int_equal(stats.run_count, TASKS);
    assert_int_equal(stats.waiting_count, 0);
    assert_int_equal(stats.busy_count, 0);
    assert_int_equal(stats.thread_count, 1);
    nq_worker_pool_destroy(pool);
}

typedef struct chain {
    nq_worker_pool *pool;
    nq_worker_task task;
    unsigned left;
} chain;

/* Submits itself again until it has run `left` times: its node is free as soon as it runs. */
static void run_chain(void *argument) {
    chain *self = argument;
    atomic_fetch_add(&ran, 1);
    if (--self->left > 0) {
        nq_worker_pool_submit(self->pool, &self->task, run_chain, self);
    }
}

static void ending_a_pool_runs_what_tasks_still_submit(void **state) {
    (void)state;
    enum { CHAINS = 20, LENGTH = 200 };
    static chain chains[CHAINS];
    nq_worker_pool *pool = make_pool(4);
    ran = 0;
    for (int i = 0; i < CHAINS; i++) {
        chains[i] = (chain){.pool = pool, .left = LENGTH};
        nq_worker_pool_submit(pool, &chains[i].task, run_chain, &chains[i]);
    }
    nq_worker_pool_destroy(pool);
    assert_int_equal(ran, CHAINS * LENGTH);
    nq_worker_pool_destroy(NULL);
}

static nq_worker_task many[4][TASKS];

typedef struct submitter {
    nq_worker_pool *pool;
    nq_worker_task *tasks;
} submitter;

static void count_one(void *argument) {
    (void)argument;
    atomic_fetch_add(&ran, 1);
}

static void submit_many(void *argument) {
    submitter *self = argument;
    for (int i = 0; i < TASKS; i++) {
        nq_worker_pool_submit(self->pool, &self->tasks[i], count_one, NULL);
    }
}

static void tasks_from_many_threads_all_run(void **state) {
    (void)state;
    nq_worker_pool *pool = make_pool(3);
    nq_thread threads[4];
    submitter submitters[4];
    ran = 0;
    for (int i = 0; i < 4; i++) {
        submitters[i] = (submitter){pool, many[i]};
        assert_int_equal(nq_thread_start(&ctx, &threads[i], "submit", submit_many, &submitters[i]),
                         NQ_OK);
    }
    for (int i = 0; i < 4; i++) {
        nq_thread_join(&threads[i]);
    }
    nq_worker_pool_drain(pool);
    assert_int_equal(ran, 4 * TASKS);
    nq_worker_pool_destroy(pool);
}

static nq_mutex gate;
static nq_cond gate_changed;
static bool is_open;
static bool has_arrived;

static void wait_at_gate(void *argument) {
    (void)argument;
    nq_mutex_lock(&gate);
    has_arrived = true;
    nq_cond_broadcast(&gate_changed);
    while (!is_open) {
        nq_cond_wait(&gate_changed, &gate);
    }
    nq_mutex_unlock(&gate);
}

static void a_full_queue_refuses_and_the_task_stays_the_callers(void **state) {
    (void)state;
    nq_worker_pool *pool = make_pool(1);
    nq_worker_task blocker;
    nq_worker_task tasks[3];
    nq_mutex_init(&gate, NQ_LOCK_LOGGER);
    nq_cond_init(&gate_changed);
    ran = 0;
    nq_worker_pool_submit(pool, &blocker, wait_at_gate, NULL);
    nq_mutex_lock(&gate);
    while (!has_arrived) {
        nq_cond_wait(&gate_changed, &gate);
    }
    nq_mutex_unlock(&gate);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(nq_worker_pool_try_submit(&ctx, pool, 2, &tasks[i], count_one, NULL),
                         NQ_OK);
    }
    assert_int_equal(nq_worker_pool_try_submit(&ctx, pool, 2, &tasks[2], count_one, NULL),
                     NQ_OVERLOADED);
    nq_mutex_lock(&gate);
    is_open = true;
    nq_cond_broadcast(&gate_changed);
    nq_mutex_unlock(&gate);
    nq_worker_pool_drain(pool);
    assert_int_equal(ran, 2);
    assert_int_equal(nq_worker_pool_try_submit(&ctx, pool, 2, &tasks[2], count_one, NULL), NQ_OK);
    nq_worker_pool_destroy(pool);
    assert_int_equal(ran, 3);
    nq_cond_deinit(&gate_changed);
    nq_mutex_deinit(&gate);
}

static void check_signals(void *argument) {
    sigset_t blocked;
    bool *are_blocked = argument;
    (void)sigemptyset(&blocked);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    *are_blocked = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGINT) == 1 &&
                   sigismember(&blocked, SIGHUP) == 1;
}

static void workers_are_not_interrupted_by_signals(void **state) {
    (void)state;
    nq_worker_pool *pool = make_pool(1);
    nq_worker_task task;
    bool are_blocked = false;
    nq_worker_pool_submit(pool, &task, check_signals, &are_blocked);
    nq_worker_pool_destroy(pool);
    assert_true(are_blocked);
}

static void a_lack_of_memory_leaves_no_thread_behind(void **state) {
    (void)state;
    nq_ctx_init(&ctx, NULL);
    for (uint64_t nth = 1;; nth++) {
        nq_worker_pool *pool;
        nq_heap_fail_at(nth, true);
        nq_status status = nq_worker_pool_create(&ctx, 3, &pool);
        uint64_t tried = nq_heap_fail_never();
        if (status == NQ_OK) {
            assert_true(tried < nth);
            nq_worker_pool_destroy(pool);
            break;
        }
        assert_int_equal(status, NQ_MEMORY_LIMIT);
        assert_null(pool);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_runs_tasks_in_the_order_they_came),
        cmocka_unit_test(ending_a_pool_runs_what_tasks_still_submit),
        cmocka_unit_test(tasks_from_many_threads_all_run),
        cmocka_unit_test(a_full_queue_refuses_and_the_task_stays_the_callers),
        cmocka_unit_test(workers_are_not_interrupted_by_signals),
        cmocka_unit_test(a_lack_of_memory_leaves_no_thread_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
