/* Storms: many threads wake, cancel, write and end many calls at once. Worth most under tsan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ground/os/thread.h"
#include "tests/server/rpc/rpc_fixture.h"

enum { CALLS = 24, WAKERS = 3, ROUNDS = 3000 };

/* One held call, as the wakers see it. The reference keeps the pointer good after the call's end.
 */
typedef struct slot {
    nq_call *call;
    _Atomic uint64_t published; /* before a wake */
    _Atomic uint64_t seen;      /* by on_wake */
    _Atomic int running;        /* callbacks inside the strand right now */
    _Atomic bool is_done;
} slot;

static slot slots[CALLS];
static _Atomic uint32_t slot_count, ready_count, overlaps, done_count;
static _Atomic bool stop_waking;

static slot *slot_of(nq_call *call) {
    return *(slot **)nq_call_state(call);
}

/* No two callbacks of one call at once. */
static void enter(slot *self) {
    if (atomic_fetch_add(&self->running, 1) != 0) {
        atomic_fetch_add(&overlaps, 1);
    }
}
static void leave(slot *self) {
    atomic_fetch_sub(&self->running, 1);
}

static void on_message(nq_call *call, nq_bytes message) {
    slot *self = &slots[atomic_fetch_add(&slot_count, 1)];
    *(slot **)nq_call_state(call) = self;
    self->call = nq_call_acquire(call);
    enter(self);
    nq_call_send_headers(call);
    leave(self);
    atomic_fetch_add(&ready_count, 1);
}
static void write_seen(nq_call *call) {
    slot *self = slot_of(call);
    enter(self);
    uint64_t seen = atomic_load(&self->published);
    atomic_store(&self->seen, seen);
    while (nq_call_can_write(call) && seen > 0) {
        (void)nq_call_write(call, nq_payload_copy(nq_bytes_of(&seen, sizeof(seen))), seen % 3 == 0);
    }
    leave(self);
}
static void on_writable(nq_call *call) {
}
static void on_done(nq_call *call) {
    atomic_store(&slot_of(call)->is_done, true);
    atomic_fetch_add(&done_count, 1);
}
static const nq_method_handler handler = {.state_bytes = sizeof(slot *),
                                          .on_message = on_message,
                                          .on_wake = write_seen,
                                          .on_writable = on_writable,
                                          .on_done = on_done};
static const nq_method methods[] = {
    {"/t.T/Inline", NQ_METHOD_SERVER_STREAM, NQ_METHOD_INLINE, &handler, 0},
    {"/t.T/Worker", NQ_METHOD_SERVER_STREAM, 0, &handler, 0},
};

static void wake_all(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument * 2654435761u + 1;
    for (int i = 0; i < ROUNDS || !atomic_load(&stop_waking); i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        slot *self = &slots[(random >> 33) % CALLS];
        atomic_fetch_add(&self->published, 1);
        nq_call_wake(self->call);
        if (i >= ROUNDS) {
            nq_thread_sleep_ns(100000);
        }
    }
}

static bool all_seen(void *user) {
    for (int i = 0; i < CALLS; i++) {
        if (atomic_load(&slots[i].seen) != atomic_load(&slots[i].published)) {
            return false;
        }
    }
    return true;
}
static bool all_here(void *user) {
    return atomic_load(&ready_count) == CALLS;
}
static bool all_done(void *user) {
    return atomic_load(&done_count) == CALLS;
}

static void reset(void) {
    memset(slots, 0, sizeof(slots));
    atomic_store(&slot_count, 0);
    atomic_store(&ready_count, 0);
    atomic_store(&overlaps, 0);
    atomic_store(&done_count, 0);
    atomic_store(&stop_waking, false);
}

static void open_calls(nq_rpc_client *client, nq_rpc_stream **streams) {
    for (int i = 0; i < CALLS; i++) {
        streams[i] = nq_rpc_stream_open(client, methods[i % 2].path, 0, NULL);
        assert_true(nq_rpc_stream_send(streams[i], NQ_BYTES_LITERAL("x")));
        nq_rpc_stream_half_close(streams[i]);
    }
    assert_true(nq_rpc_await(all_here, NULL));
}

static void no_wake_is_lost_and_no_callbacks_overlap(void **state) {
    nq_rpc_fixture fixture;
    nq_rpc_stream *streams[CALLS];
    nq_thread wakers[WAKERS];
    reset();
    nq_rpc_fixture_start(&fixture, NULL, methods, NQ_COUNT_OF(methods), NULL, NULL);
    nq_rpc_client *client = nq_rpc_fixture_connect(&fixture);
    open_calls(client, streams);
    atomic_store(&stop_waking, true);
    for (uintptr_t i = 0; i < WAKERS; i++) {
        assert_int_equal(nq_thread_start(&fixture.ctx, &wakers[i], "waker", wake_all, (void *)i),
                         NQ_OK);
    }
    for (int i = 0; i < WAKERS; i++) {
        nq_thread_join(&wakers[i]);
    }
    assert_true(nq_rpc_await(all_seen, NULL));
    assert_int_equal(atomic_load(&overlaps), 0);
    for (int i = 0; i < CALLS; i++) {
        nq_rpc_stream_cancel(streams[i]);
        assert_int_equal(nq_rpc_stream_finish(streams[i], NULL), NQ_RPC_CANCELLED);
    }
    assert_true(nq_rpc_await(all_done, NULL));
    for (int i = 0; i < CALLS; i++) {
        nq_call_release(slots[i].call);
    }
    nq_rpc_client_close(client);
    nq_rpc_fixture_stop(&fixture);
}

/* The calls end, by cancel or drain, while they are being woken; references outlive them. */
static void calls_may_end_in_the_middle_of_a_storm(void **state) {
    for (int how = 0; how < 2; how++) {
        nq_rpc_fixture fixture;
        nq_rpc_stream *streams[CALLS];
        nq_thread wakers[WAKERS];
        reset();
        nq_rpc_fixture_start(&fixture, NULL, methods, NQ_COUNT_OF(methods), NULL, NULL);
        nq_rpc_client *client = nq_rpc_fixture_connect(&fixture);
        open_calls(client, streams);
        for (uintptr_t i = 0; i < WAKERS; i++) {
            assert_int_equal(
                nq_thread_start(&fixture.ctx, &wakers[i], "waker", wake_all, (void *)i), NQ_OK);
        }
        if (how == 0) {
            for (int i = 0; i < CALLS; i++) {
                if (i % 3 == 0) {
                    nq_rpc_stream_cancel(streams[i]);
                }
                nq_call_cancel(slots[i].call, NQ_CANCELLED_BY_ADMIN);
            }
        } else {
            nq_server_drain(fixture.server, 50);
        }
        /* Over even though their clients have read nothing and their windows are full. */
        assert_true(nq_rpc_await(all_done, NULL));
        for (int i = 0; i < CALLS; i++) {
            nq_bytes message;
            while (nq_rpc_stream_receive(streams[i], &message)) {
                nq_rpc_message_free(message);
            }
            assert_int_not_equal(nq_rpc_stream_finish(streams[i], NULL), NQ_RPC_OK);
        }
        atomic_store(&stop_waking, true);
        for (int i = 0; i < WAKERS; i++) {
            nq_thread_join(&wakers[i]);
        }
        assert_int_equal(atomic_load(&overlaps), 0);
        for (int i = 0; i < CALLS; i++) {
            nq_call_release(slots[i].call);
        }
        nq_rpc_client_close(client);
        nq_rpc_fixture_stop(&fixture);
    }
}

/* ---- Many short calls from many clients, on few queues ---- */

static void echo_on_message(nq_call *call, nq_bytes message) {
    nq_call_reply(call, nq_payload_copy(message));
}
static const nq_method_handler echo = {.on_message = echo_on_message};
static const nq_method echo_methods[] = {
    {"/t.T/Inline", NQ_METHOD_UNARY, NQ_METHOD_INLINE, &echo, 0},
    {"/t.T/Worker", NQ_METHOD_UNARY, 0, &echo, 0},
    {"/t.T/Prefetch", NQ_METHOD_UNARY, NQ_METHOD_PREFETCH | NQ_METHOD_INLINE, &echo, 0},
};

typedef struct caller {
    nq_rpc_fixture *fixture;
    _Atomic uint32_t *wrong;
    uint32_t id;
} caller;

static void call_often(void *argument) {
    caller *self = argument;
    nq_rpc_client *client = nq_rpc_fixture_connect(self->fixture);
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t words[2] = {self->id, i};
        nq_bytes answer;
        nq_rpc_code code = nq_rpc_unary(client, echo_methods[i % 3].path,
                                        nq_bytes_of(words, sizeof(words)), 0, &answer, NULL);
        if (code != NQ_RPC_OK || answer.size != sizeof(words) ||
            memcmp(answer.data, words, sizeof(words)) != 0) {
            atomic_fetch_add(self->wrong, 1);
        }
        nq_rpc_message_free(answer);
    }
    nq_rpc_client_close(client);
}

static void every_answer_reaches_its_own_caller(void **state) {
    nq_rpc_fixture fixture;
    nq_thread threads[6];
    caller callers[6];
    _Atomic uint32_t wrong = 0;
    nq_rpc_fixture_start(&fixture, NULL, echo_methods, NQ_COUNT_OF(echo_methods), NULL, NULL);
    for (uint32_t i = 0; i < 6; i++) {
        callers[i] = (caller){&fixture, &wrong, i};
        assert_int_equal(
            nq_thread_start(&fixture.ctx, &threads[i], "caller", call_often, &callers[i]), NQ_OK);
    }
    for (int i = 0; i < 6; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_int_equal(atomic_load(&wrong), 0);
    nq_server_stats now;
    nq_server_get_stats(fixture.server, &now);
    assert_int_equal(now.calls, 1800);
    nq_rpc_fixture_stop(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_wake_is_lost_and_no_callbacks_overlap),
        cmocka_unit_test(calls_may_end_in_the_middle_of_a_storm),
        cmocka_unit_test(every_answer_reaches_its_own_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
