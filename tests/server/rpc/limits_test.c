/* Limits, and the ends of calls, connections and servers that do not come from a handler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/ground/os/clock.h"
#include "engine/ground/os/thread.h"
#include "tests/server/rpc/rpc_fixture.h"

/* ---- Handlers ---- */

static void echo_on_message(nq_call *call, nq_bytes message) {
    nq_call_reply(call, nq_payload_copy(message));
}
static const nq_method_handler echo = {.on_message = echo_on_message};

/* Holds the stream until cancelled or gone; counts how it went. */
static _Atomic int held, cancelled, done;
static _Atomic uint32_t reason;
static void hold_on_message(nq_call *call, nq_bytes message) {
    atomic_fetch_add(&held, 1);
    nq_call_send_headers(call);
}
static void hold_on_cancel(nq_call *call) {
    atomic_store(&reason, atomic_load(nq_call_cancel_flag(call)));
    atomic_fetch_add(&cancelled, 1);
}
static void hold_on_done(nq_call *call) {
    atomic_fetch_add(&done, 1);
}
static const nq_method_handler hold = {
    .on_message = hold_on_message, .on_cancel = hold_on_cancel, .on_done = hold_on_done};

/* Works on a worker until its flag says stop. */
static void work_on_message(nq_call *call, nq_bytes message) {
    nq_ctx ctx;
    nq_call_init_ctx(call, &ctx, NULL);
    atomic_fetch_add(&held, 1);
    nq_status status = NQ_OK;
    while ((status = nq_ctx_poll(&ctx)) == NQ_OK) {
        nq_thread_sleep_ns(100000);
    }
    atomic_store(&reason, (uint32_t)status);
    nq_call_fail(call, &ctx.error);
}
static const nq_method_handler work = {.on_message = work_on_message, .on_done = hold_on_done};

static const nq_method methods[] = {
    {"/t.T/Echo", NQ_METHOD_UNARY, NQ_METHOD_INLINE, &echo, 0},
    {"/t.T/Prefetch", NQ_METHOD_UNARY, NQ_METHOD_INLINE | NQ_METHOD_PREFETCH, &echo, 0},
    {"/t.T/Small", NQ_METHOD_UNARY, NQ_METHOD_INLINE, &echo, 1024},
    {"/t.T/Large", NQ_METHOD_UNARY, 0, &echo, 6 << 20},
    {"/t.T/Hold", NQ_METHOD_SERVER_STREAM, NQ_METHOD_INLINE, &hold, 0},
    {"/t.T/HoldOnWorker", NQ_METHOD_SERVER_STREAM, 0, &hold, 0},
    {"/t.T/Work", NQ_METHOD_UNARY, 0, &work, 0},
};

static nq_rpc_fixture fixture;
static nq_rpc_client *client;

static void start(const nq_server_options *options) {
    atomic_store(&held, 0);
    atomic_store(&cancelled, 0);
    atomic_store(&done, 0);
    atomic_store(&reason, 0);
    nq_rpc_fixture_start(&fixture, options, methods, NQ_COUNT_OF(methods), NULL, NULL);
    client = nq_rpc_fixture_connect(&fixture);
}

static void stop(void) {
    nq_rpc_client_close(client);
    nq_rpc_fixture_stop(&fixture);
}

static nq_rpc_code call_echo(nq_rpc_client *with) {
    return nq_rpc_unary(with, "/t.T/Echo", NQ_BYTES_LITERAL("x"), 0, NULL, NULL);
}

static nq_rpc_stream *open_held(nq_rpc_client *with, const char *path, uint32_t timeout_ms) {
    nq_rpc_stream *stream = nq_rpc_stream_open(with, path, timeout_ms, NULL);
    assert_true(nq_rpc_stream_send(stream, NQ_BYTES_LITERAL("x")));
    nq_rpc_stream_half_close(stream);
    return stream;
}

static bool is_held(void *user) {
    return atomic_load(&held) >= *(int *)user;
}
static bool is_done(void *user) {
    return atomic_load(&done) >= *(int *)user;
}
static void await_held(int count) {
    assert_true(nq_rpc_await(is_held, &count));
}
static void await_done(int count) {
    assert_true(nq_rpc_await(is_done, &count));
}
static nq_server_stats stats(void) {
    nq_server_stats now;
    nq_server_get_stats(fixture.server, &now);
    return now;
}
static bool has_connections(void *user) {
    return stats().connections == *(uint64_t *)user;
}
static void await_connections(uint64_t count) {
    assert_true(nq_rpc_await(has_connections, &count));
}

/* ---- Ends of calls ---- */

static void a_cancel_reaches_the_handler_and_the_flag(void **state) {
    const char *const paths[] = {"/t.T/Hold", "/t.T/HoldOnWorker", "/t.T/Work"};
    start(NULL);
    for (int i = 0; i < 3; i++) {
        nq_rpc_stream *stream = open_held(client, paths[i], 0);
        await_held(i + 1);
        nq_rpc_stream_cancel(stream);
        assert_int_equal(nq_rpc_stream_finish(stream, NULL), NQ_RPC_CANCELLED);
        await_done(i + 1);
        assert_int_equal(atomic_load(&reason), NQ_CANCELLED_BY_CLIENT);
    }
    assert_int_equal(atomic_load(&cancelled), 2);
    stop();
}

static void a_deadline_stops_work(void **state) {
    const char *const paths[] = {"/t.T/Hold", "/t.T/HoldOnWorker", "/t.T/Work"};
    start(NULL);
    for (int i = 0; i < 3; i++) {
        nq_rpc_stream *stream = open_held(client, paths[i], 1000);
        assert_int_equal(nq_rpc_stream_finish(stream, NULL), NQ_RPC_DEADLINE_EXCEEDED);
        await_done(i + 1);
        /* The client's own deadline may send its cancel a moment before ours passes. */
        assert_true(atomic_load(&reason) == NQ_STATEMENT_TIMEOUT ||
                    atomic_load(&reason) == NQ_CANCELLED_BY_CLIENT);
    }
    stop();
}

static void a_broken_connection_ends_its_calls(void **state) {
    start(NULL);
    nq_rpc_stream *stream = open_held(client, "/t.T/Hold", 0);
    await_held(1);
    assert_true(nq_server_close_connection(fixture.server, 1));
    assert_false(nq_server_close_connection(fixture.server, 999));
    assert_int_equal(nq_rpc_stream_finish(stream, NULL), NQ_RPC_UNAVAILABLE);
    await_done(1);
    nq_rpc_client *other = nq_rpc_fixture_connect(&fixture);
    assert_int_equal(call_echo(other), NQ_RPC_OK);
    nq_rpc_client_close(other);
    stop();
}

/* ---- Sizes ---- */

static void check_size(const char *path, size_t bytes, nq_rpc_code want) {
    static uint8_t large[8 << 20];
    assert_true(bytes <= sizeof(large));
    assert_int_equal(nq_rpc_unary(client, path, nq_bytes_of(large, bytes), 0, NULL, NULL), want);
}

static void messages_over_the_limit_are_refused_and_those_at_it_are_not(void **state) {
    nq_server_options options = {.message_bytes_max = 1 << 20};
    start(&options);
    check_size("/t.T/Small", 1024, NQ_RPC_OK);
    check_size("/t.T/Small", 1025, NQ_RPC_RESOURCE_EXHAUSTED);
    check_size("/t.T/Echo", 1 << 20, NQ_RPC_OK);
    check_size("/t.T/Echo", (1 << 20) + 1, NQ_RPC_RESOURCE_EXHAUSTED);
    check_size("/t.T/Large", 6 << 20, NQ_RPC_OK);
    check_size("/t.T/Large", (6 << 20) + 1, NQ_RPC_RESOURCE_EXHAUSTED);
    check_size("/t.T/Echo", 8 << 20, NQ_RPC_RESOURCE_EXHAUSTED);
    assert_int_equal(call_echo(client), NQ_RPC_OK);
    stop();
}

static void metadata_over_the_limit_is_refused(void **state) {
    static char large[40000];
    memset(large, 'a', sizeof(large) - 1);
    start(NULL);
    const char *const metadata[] = {"x-large", large, NULL};
    nq_rpc_stream *stream = nq_rpc_stream_open(client, "/t.T/Echo", 0, metadata);
    assert_int_equal(nq_rpc_stream_finish(stream, NULL), NQ_RPC_RESOURCE_EXHAUSTED);
    /* The core may give up the connection as well; others are not concerned. */
    nq_rpc_client *other = nq_rpc_fixture_connect(&fixture);
    assert_int_equal(call_echo(other), NQ_RPC_OK);
    nq_rpc_client_close(other);
    stop();
}

/* ---- Numbers of calls ---- */

static nq_bytes encode(void *self, nq_arena *arena, const nq_error *error) {
    return nq_arena_copy(arena, nq_bytes_of_cstr(nq_status_name(error->code)));
}

static void calls_over_the_cap_are_refused_with_details_and_room_comes_back(void **state) {
    nq_server_options options = {.calls_max = 3, .encode_error = encode};
    nq_rpc_stream *streams[3];
    nq_rpc_end end;
    start(&options);
    for (int i = 0; i < 3; i++) {
        streams[i] = open_held(client, "/t.T/Hold", 0);
    }
    await_held(3);
    assert_int_equal(nq_rpc_unary(client, "/t.T/Echo", (nq_bytes){0}, 0, NULL, &end),
                     NQ_RPC_RESOURCE_EXHAUSTED);
    assert_string_equal(end.text, "3 calls are in flight already");
    assert_int_equal(end.details_bytes, strlen("OVERLOADED"));
    assert_memory_equal(end.details, "OVERLOADED", end.details_bytes);
    nq_rpc_end_clear(&end);
    /* Health is answered all the same. */
    assert_int_equal(
        nq_rpc_unary(client, "/grpc.health.v1.Health/Check", (nq_bytes){0}, 0, NULL, NULL),
        NQ_RPC_OK);
    assert_int_equal(stats().calls_refused, 1);
    for (int i = 0; i < 3; i++) {
        nq_rpc_stream_cancel(streams[i]);
        assert_int_equal(nq_rpc_stream_finish(streams[i], NULL), NQ_RPC_CANCELLED);
    }
    await_done(3);
    assert_int_equal(call_echo(client), NQ_RPC_OK);
    stop();
}

static void calls_that_never_send_their_message_are_ended(void **state) {
    enum { COUNT = 200 };
    static nq_rpc_stream *streams[COUNT];
    nq_server_options options = {.first_message_ms_max = 200};
    start(&options);
    for (int i = 0; i < COUNT; i++) {
        streams[i] =
            nq_rpc_stream_open(client, i % 2 == 0 ? "/t.T/Echo" : "/t.T/HoldOnWorker", 0, NULL);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(nq_rpc_stream_finish(streams[i], NULL), NQ_RPC_DEADLINE_EXCEEDED);
    }
    assert_int_equal(atomic_load(&held), 0);
    /* One that did send is left in peace. */
    nq_rpc_stream *stream = open_held(client, "/t.T/Hold", 0);
    await_held(1);
    nq_thread_sleep_ns(600000000);
    assert_int_equal(atomic_load(&done), COUNT / 2);
    nq_rpc_stream_cancel(stream);
    nq_rpc_stream_finish(stream, NULL);
    stop();
}

static void without_prefetch_no_call_escapes(void **state) {
    nq_server_options options = {.first_message_ms_max = 200, .without_prefetch = true};
    start(&options);
    nq_rpc_stream *stream = nq_rpc_stream_open(client, "/t.T/Prefetch", 0, NULL);
    assert_int_equal(nq_rpc_stream_finish(stream, NULL), NQ_RPC_DEADLINE_EXCEEDED);
    assert_int_equal(nq_rpc_unary(client, "/t.T/Prefetch", NQ_BYTES_LITERAL("x"), 0, NULL, NULL),
                     NQ_RPC_OK);
    stop();
}

/* ---- Connections ---- */

static void at_the_connection_cap_newcomers_wait_and_are_served_when_there_is_room(void **state) {
    nq_server_options options = {.connections_max = 4};
    int idle[3];
    start(&options);
    assert_int_equal(call_echo(client), NQ_RPC_OK);
    for (int i = 0; i < 3; i++) {
        idle[i] = nq_rpc_fixture_dial(&fixture);
    }
    await_connections(4);
    nq_rpc_client *late = nq_rpc_fixture_connect(&fixture);
    assert_int_equal(nq_rpc_unary(late, "/t.T/Echo", (nq_bytes){0}, 300, NULL, NULL),
                     NQ_RPC_DEADLINE_EXCEEDED);
    assert_int_equal(stats().connections, 4);
    close(idle[0]);
    assert_int_equal(call_echo(late), NQ_RPC_OK);
    close(idle[1]);
    close(idle[2]);
    nq_rpc_client_close(late);
    stop();
}

static void further_connections_of_one_address_are_closed_at_once(void **state) {
    nq_server_options options = {.connections_per_ip_max = 2};
    char byte = 0;
    start(&options);
    assert_int_equal(call_echo(client), NQ_RPC_OK);
    int second = nq_rpc_fixture_dial(&fixture);
    await_connections(2);
    int third = nq_rpc_fixture_dial(&fixture);
    assert_true(recv(third, &byte, 1, 0) <= 0);
    assert_int_equal(stats().connections_refused, 1);
    close(third);
    close(second);
    await_connections(1);
    stop();
}

static void a_server_that_ran_out_of_descriptors_serves_again(void **state) {
    struct rlimit before, low;
    int taken[512];
    int count = 0;
    start(NULL);
    assert_int_equal(call_echo(client), NQ_RPC_OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int dials[3];
    for (int i = 0; i < 3; i++) {
        dials[i] = socket(AF_INET, SOCK_STREAM, 0);
    }
    low = before;
    low.rlim_cur = 200;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (count < 512 && (taken[count] = dup(0)) >= 0) {
        count++;
    }
    uint64_t refused = stats().connections_refused;
    for (int i = 0; i < 3; i++) {
        struct sockaddr_in {
            uint16_t family, port;
            uint32_t ip;
            uint8_t zero[8];
        } address = {AF_INET, (uint16_t)(fixture.port >> 8 | fixture.port << 8), 0x0100007f, {0}};
        assert_int_equal(connect(dials[i], (struct sockaddr *)&address, sizeof(address)), 0);
    }
    /* At least one is met with EMFILE and refused; the established connection works on. */
    assert_int_equal(call_echo(client), NQ_RPC_OK);
    for (int i = 0; i < 60000 && stats().connections_refused == refused; i++) {
        nq_thread_sleep_ns(1000000);
    }
    assert_true(stats().connections_refused > refused);
    while (count > 0) {
        close(taken[--count]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    nq_rpc_client *again = nq_rpc_fixture_connect(&fixture);
    assert_int_equal(call_echo(again), NQ_RPC_OK);
    nq_rpc_client_close(again);
    for (int i = 0; i < 3; i++) {
        close(dials[i]);
    }
    stop();
}

typedef struct sighting {
    int count;
    nq_connection_info info;
    char peer[80];
    char user_agent[128];
} sighting;
static void see(void *user, const nq_connection_info *info) {
    sighting *seen = user;
    seen->count++;
    seen->info = *info;
    snprintf(seen->peer, sizeof(seen->peer), "%s", info->peer);
    snprintf(seen->user_agent, sizeof(seen->user_agent), "%s", info->user_agent);
}

static void connections_are_listed_with_their_calls_and_bytes(void **state) {
    sighting seen = {0};
    start(NULL);
    assert_int_equal(call_echo(client), NQ_RPC_OK);
    nq_rpc_stream *stream = open_held(client, "/t.T/Hold", 0);
    await_held(1);
    nq_server_visit_connections(fixture.server, see, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.info.calls, 2);
    assert_int_equal(seen.info.open_calls, 1);
    assert_true(seen.info.bytes_received > 100);
    assert_true(seen.info.bytes_sent > 50);
    assert_memory_equal(seen.peer, "ipv4:127.0.0.1:", 15);
    assert_memory_equal(seen.user_agent, "grpc-c/", 7);
    nq_rpc_stream_cancel(stream);
    nq_rpc_stream_finish(stream, NULL);
    stop();
}

static void idle_connections_come_and_go(void **state) {
    enum { COUNT = 200 };
    int idle[COUNT];
    start(NULL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            idle[i] = nq_rpc_fixture_dial(&fixture);
        }
        await_connections(COUNT + (round > 0));
        assert_int_equal(call_echo(client), NQ_RPC_OK);
        for (int i = 0; i < COUNT; i++) {
            close(idle[i]);
        }
        await_connections(1);
    }
    stop();
}

/* ---- Sockets ---- */

static void a_unix_socket_serves_replaces_a_stale_file_and_cleans_up(void **state) {
    char directory[] = "/tmp/nq-rpc-XXXXXX", path[64];
    sighting seen = {0};
    struct stat file;
    nq_server *other = NULL;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/socket", directory);
    for (int round = 0; round < 2; round++) {
        nq_rpc_fixture_start(&fixture, NULL, methods, NQ_COUNT_OF(methods), NULL, path);
        client = nq_rpc_fixture_connect(&fixture);
        assert_int_equal(call_echo(client), NQ_RPC_OK);
        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
        nq_server_visit_connections(fixture.server, see, &seen);
        assert_memory_equal(seen.peer, "unix:pid=", 9);
        assert_int_equal(seen.info.uid, getuid());
        /* Somebody answers there: a second server may not take it over. */
        nq_server_options options = {.workers = fixture.workers};
        assert_int_equal(nq_server_create(&fixture.ctx, &options, &other), NQ_OK);
        assert_true(nq_server_listen_unix(&fixture.ctx, other, path, 0) != NQ_OK);
        assert_non_null(strstr(fixture.ctx.error.message, path));
        nq_server_destroy(other);
        stop();
        assert_int_not_equal(stat(path, &file), 0);
        if (round == 0) {
            /* What a killed server leaves behind. */
            int fd = socket(AF_UNIX, SOCK_STREAM, 0);
            struct {
                uint16_t family;
                char path[108];
            } address = {AF_UNIX, {0}};
            memcpy(address.path, path, strlen(path));
            assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
            close(fd);
            assert_int_equal(stat(path, &file), 0);
        }
    }
    rmdir(directory);
}

static void bind_errors_say_what_and_where(void **state) {
    nq_server *other = NULL;
    uint16_t port = 0;
    start(NULL);
    nq_server_options options = {.workers = fixture.workers};
    nq_ctx *ctx = &fixture.ctx;
    assert_int_equal(nq_server_create(ctx, &options, &other), NQ_OK);
    assert_true(nq_server_listen_tcp(ctx, other, "127.0.0.1", fixture.port, &port) != NQ_OK);
    assert_non_null(strstr(ctx->error.message, fixture.target));
    assert_non_null(strstr(ctx->error.message, "in use"));
    assert_int_equal(nq_server_listen_tcp(ctx, other, "no.such.host.invalid", 1, &port),
                     NQ_INVALID_ARGUMENT);
    assert_int_equal(nq_server_listen_tcp(ctx, other, "192.0.2.1", 0, &port), NQ_INVALID_ARGUMENT);
    assert_int_equal(nq_server_listen_unix(ctx, other, "", 0), NQ_INVALID_ARGUMENT);
    assert_int_equal(nq_server_add_methods(ctx, other, methods, 1, NULL), NQ_OK);
    assert_int_equal(nq_server_add_methods(ctx, other, methods, 1, NULL), NQ_INVALID_ARGUMENT);
    assert_int_equal(nq_server_listen_tcp(ctx, other, "::", 0, &port), NQ_OK);
    assert_int_equal(nq_server_start(ctx, other), NQ_OK);
    nq_server_destroy(other);
    stop();
}

/* ---- Draining ---- */

static void a_drain_lets_calls_finish_and_then_refuses(void **state) {
    start(NULL);
    assert_int_equal(call_echo(client), NQ_RPC_OK);
    nq_server_drain(fixture.server, 30000);
    /* The client may know that nobody listens any more, or still be trying when its time is up. */
    nq_rpc_code code = nq_rpc_unary(client, "/t.T/Echo", (nq_bytes){0}, 300, NULL, NULL);
    assert_true(code == NQ_RPC_DEADLINE_EXCEEDED || code == NQ_RPC_UNAVAILABLE);
    nq_server_drain(fixture.server, 30000);
    assert_int_equal(stats().calls_open, 0);
    stop();
}

static void a_drain_ends_held_calls_after_the_grace_with_a_reason(void **state) {
    const char *const paths[] = {"/t.T/Hold", "/t.T/HoldOnWorker", "/t.T/Work"};
    nq_rpc_stream *streams[3];
    start(NULL);
    for (int i = 0; i < 3; i++) {
        streams[i] = open_held(client, paths[i], 0);
    }
    await_held(3);
    nq_server_drain(fixture.server, 300);
    assert_int_equal(atomic_load(&done), 3);
    assert_int_equal(atomic_load(&reason), NQ_SHUTTING_DOWN);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(nq_rpc_stream_finish(streams[i], NULL), NQ_RPC_UNAVAILABLE);
    }
    stop();
}

static void a_drain_is_not_held_up_by_silent_connections(void **state) {
    int idle[10];
    start(NULL);
    for (int i = 0; i < 10; i++) {
        idle[i] = nq_rpc_fixture_dial(&fixture);
    }
    await_connections(10);
    int64_t began_ns = nq_clock_monotonic_ns();
    nq_server_drain(fixture.server, 100);
    assert_true(nq_clock_monotonic_ns() - began_ns < INT64_C(15000000000));
    for (int i = 0; i < 10; i++) {
        close(idle[i]);
    }
    stop();
}

static void a_server_that_never_started_can_be_destroyed(void **state) {
    nq_server *other = NULL;
    nq_ctx ctx;
    nq_worker_pool *workers = NULL;
    uint16_t port = 0;
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_worker_pool_create(&ctx, 1, &workers), NQ_OK);
    nq_server_options options = {.workers = workers};
    assert_int_equal(nq_server_create(&ctx, &options, &other), NQ_OK);
    assert_int_equal(nq_server_listen_tcp(&ctx, other, "localhost", 0, &port), NQ_OK);
    nq_server_destroy(other);
    nq_server_destroy(NULL);
    nq_worker_pool_destroy(workers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancel_reaches_the_handler_and_the_flag),
        cmocka_unit_test(a_deadline_stops_work),
        cmocka_unit_test(a_broken_connection_ends_its_calls),
        cmocka_unit_test(messages_over_the_limit_are_refused_and_those_at_it_are_not),
        cmocka_unit_test(metadata_over_the_limit_is_refused),
        cmocka_unit_test(calls_over_the_cap_are_refused_with_details_and_room_comes_back),
        cmocka_unit_test(calls_that_never_send_their_message_are_ended),
        cmocka_unit_test(without_prefetch_no_call_escapes),
        cmocka_unit_test(at_the_connection_cap_newcomers_wait_and_are_served_when_there_is_room),
        cmocka_unit_test(further_connections_of_one_address_are_closed_at_once),
        cmocka_unit_test(a_server_that_ran_out_of_descriptors_serves_again),
        cmocka_unit_test(connections_are_listed_with_their_calls_and_bytes),
        cmocka_unit_test(idle_connections_come_and_go),
        cmocka_unit_test(a_unix_socket_serves_replaces_a_stale_file_and_cleans_up),
        cmocka_unit_test(bind_errors_say_what_and_where),
        cmocka_unit_test(a_drain_lets_calls_finish_and_then_refuses),
        cmocka_unit_test(a_drain_ends_held_calls_after_the_grace_with_a_reason),
        cmocka_unit_test(a_drain_is_not_held_up_by_silent_connections),
        cmocka_unit_test(a_server_that_never_started_can_be_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
