/* The four shapes of a call over a real wire, inline and on workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ground/os/worker_pool.h"
#include "server/rpc/server.h"
#include "tests/support/rpc_client.h"

/* ---- Handlers ---- */

static void echo_on_message(nq_call *call, nq_bytes message) {
    nq_call_reply(call, nq_payload_copy(message));
}
static const nq_method_handler echo = {.on_message = echo_on_message};

/* Sends the numbers 1 … n, where n is the first byte of the request. */
typedef struct counting {
    uint32_t next;
    uint32_t last;
} counting;

static void count_on(nq_call *call) {
    counting *self = nq_call_state(call);
    while (nq_call_can_write(call) && self->next <= self->last) {
        char text[16];
        int bytes = snprintf(text, sizeof(text), "%u", self->next++);
        (void)nq_call_write(call, nq_payload_copy(nq_bytes_of(text, (size_t)bytes)),
                            self->next <= self->last);
    }
    if (self->next > self->last) {
        (void)nq_call_add_trailer(call, "x-trailer", NQ_BYTES_LITERAL("counted"));
        nq_call_finish(call, NQ_RPC_OK, "", (nq_bytes){0});
    }
}
static void count_on_message(nq_call *call, nq_bytes message) {
    counting *self = nq_call_state(call);
    self->next = 1;
    memcpy(&self->last, message.data, sizeof(self->last));
    (void)nq_call_add_header(call, "x-header", NQ_BYTES_LITERAL("counting"));
    count_on(call);
}
static const nq_method_handler count = {
    .state_bytes = sizeof(counting), .on_message = count_on_message, .on_writable = count_on};

/* Sums the sizes of all messages. */
static void sum_on_open(nq_call *call) {
    nq_call_want_message(call);
}
static void sum_on_message(nq_call *call, nq_bytes message) {
    *(uint64_t *)nq_call_state(call) += message.size;
    nq_call_want_message(call);
}
static void sum_on_half_close(nq_call *call) {
    nq_call_reply(call, nq_payload_copy(nq_bytes_of(nq_call_state(call), sizeof(uint64_t))));
}
static const nq_method_handler sum = {.state_bytes = sizeof(uint64_t),
                                      .on_open = sum_on_open,
                                      .on_message = sum_on_message,
                                      .on_half_close = sum_on_half_close};

/* Answers each message with two parts joined: a shared head and the message. */
static nq_payload *head;
static void talk_on_message(nq_call *call, nq_bytes message) {
    nq_payload *parts[] = {nq_payload_acquire(head), nq_payload_copy(message)};
    (void)nq_call_write(call, nq_payload_join(parts, 2), false);
}
static void talk_on_half_close(nq_call *call) {
    nq_call_finish(call, NQ_RPC_ABORTED, "enough talk", NQ_BYTES_LITERAL("details"));
}
static const nq_method_handler talk = {.on_open = sum_on_open,
                                       .on_message = talk_on_message,
                                       .on_writable = sum_on_open,
                                       .on_half_close = talk_on_half_close};

/* ---- The server ---- */

#define BOTH(name, shape, handler)                             \
    {"/t.Worker/" name, shape, 0, handler, 0}, {               \
        "/t.Inline/" name, shape, NQ_METHOD_INLINE, handler, 0 \
    }
static const nq_method methods[] = {
    BOTH("Echo", NQ_METHOD_UNARY, &echo),
    BOTH("Count", NQ_METHOD_SERVER_STREAM, &count),
    BOTH("Sum", NQ_METHOD_CLIENT_STREAM, &sum),
    BOTH("Talk", NQ_METHOD_BIDI, &talk),
    {"/t.Prefetch/Echo", NQ_METHOD_UNARY, NQ_METHOD_INLINE | NQ_METHOD_PREFETCH, &echo, 0},
    {"/t.Prefetch/Count", NQ_METHOD_SERVER_STREAM, NQ_METHOD_PREFETCH, &count, 0},
    {"/t.Worker/Later", NQ_METHOD_UNARY, 0, NULL, 0},
};

typedef struct fixture {
    nq_ctx ctx;
    nq_worker_pool *workers;
    nq_server *server;
    nq_rpc_client *client;
} fixture;

static int set_up(void **state) {
    static fixture self;
    uint16_t port = 0;
    char target[32];
    memset(&self, 0, sizeof(self));
    nq_ctx_init(&self.ctx, NULL);
    head = nq_payload_copy(NQ_BYTES_LITERAL("head:"));
    assert_int_equal(nq_worker_pool_create(&self.ctx, 2, &self.workers), NQ_OK);
    nq_server_options options = {.workers = self.workers, .queue_count = 2};
    assert_int_equal(nq_server_create(&self.ctx, &options, &self.server), NQ_OK);
    assert_int_equal(nq_server_add_methods(&self.ctx, self.server, methods,
                                           sizeof(methods) / sizeof(methods[0]), NULL),
                     NQ_OK);
    assert_int_equal(nq_server_listen_tcp(&self.ctx, self.server, "127.0.0.1", 0, &port), NQ_OK);
    assert_true(port != 0);
    assert_int_equal(nq_server_start(&self.ctx, self.server), NQ_OK);
    snprintf(target, sizeof(target), "127.0.0.1:%u", port);
    self.client = nq_rpc_client_open(target);
    *state = &self;
    return 0;
}

static int tear_down(void **state) {
    fixture *self = *state;
    nq_rpc_client_close(self->client);
    nq_server_destroy(self->server);
    nq_worker_pool_destroy(self->workers);
    nq_payload_release(head);
    return 0;
}

static const char *const services[] = {"Worker", "Inline"};

static void a_unary_call_is_answered_with_its_own_bytes(void **state) {
    fixture *self = *state;
    const char *const paths[] = {"/t.Worker/Echo", "/t.Inline/Echo", "/t.Prefetch/Echo"};
    for (size_t i = 0; i < 3; i++) {
        for (int round = 0; round < 20; round++) {
            nq_bytes answer;
            assert_int_equal(
                nq_rpc_unary(self->client, paths[i], NQ_BYTES_LITERAL("hello"), 0, &answer, NULL),
                NQ_RPC_OK);
            assert_int_equal(answer.size, 5);
            assert_memory_equal(answer.data, "hello", 5);
            nq_rpc_message_free(answer);
        }
    }
}

static void an_empty_message_is_a_message(void **state) {
    fixture *self = *state;
    nq_bytes answer;
    assert_int_equal(nq_rpc_unary(self->client, "/t.Inline/Echo", (nq_bytes){0}, 0, &answer, NULL),
                     NQ_RPC_OK);
    assert_int_equal(answer.size, 0);
    nq_rpc_message_free(answer);
}

static void a_large_message_arrives_in_one_piece(void **state) {
    fixture *self = *state;
    static uint8_t large[3 << 20];
    for (size_t i = 0; i < sizeof(large); i++) {
        large[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    for (size_t i = 0; i < 2; i++) {
        char path[32];
        nq_bytes answer;
        snprintf(path, sizeof(path), "/t.%s/Echo", services[i]);
        assert_int_equal(
            nq_rpc_unary(self->client, path, nq_bytes_of(large, sizeof(large)), 0, &answer, NULL),
            NQ_RPC_OK);
        assert_int_equal(answer.size, sizeof(large));
        assert_memory_equal(answer.data, large, sizeof(large));
        nq_rpc_message_free(answer);
    }
}

static void check_count(fixture *self, const char *path, uint32_t last) {
    nq_bytes message;
    nq_rpc_end end;
    nq_rpc_stream *stream = nq_rpc_stream_open(self->client, path, 0, NULL);
    assert_true(nq_rpc_stream_send(stream, nq_bytes_of(&last, sizeof(last))));
    nq_rpc_stream_half_close(stream);
    assert_string_equal(nq_rpc_stream_header(stream, "x-header"), "counting");
    for (uint32_t i = 1; i <= last; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%u", i);
        assert_true(nq_rpc_stream_receive(stream, &message));
        assert_int_equal(message.size, strlen(text));
        assert_memory_equal(message.data, text, message.size);
        nq_rpc_message_free(message);
    }
    assert_false(nq_rpc_stream_receive(stream, &message));
    assert_int_equal(nq_rpc_stream_finish(stream, &end), NQ_RPC_OK);
    assert_string_equal(end.trailer, "counted");
    nq_rpc_end_clear(&end);
}

static void a_server_stream_keeps_order_and_ends_with_trailers(void **state) {
    fixture *self = *state;
    for (uint32_t last = 0; last < 5; last++) {
        check_count(self, "/t.Worker/Count", last);
        check_count(self, "/t.Inline/Count", last);
        check_count(self, "/t.Prefetch/Count", last);
    }
    check_count(self, "/t.Worker/Count", 5000);
    check_count(self, "/t.Inline/Count", 5000);
}

static void a_client_stream_is_summed_up(void **state) {
    fixture *self = *state;
    for (size_t i = 0; i < 2; i++) {
        char path[32];
        nq_bytes answer;
        snprintf(path, sizeof(path), "/t.%s/Sum", services[i]);
        nq_rpc_stream *stream = nq_rpc_stream_open(self->client, path, 0, NULL);
        for (int k = 0; k < 100; k++) {
            assert_true(nq_rpc_stream_send(stream, NQ_BYTES_LITERAL("seven b")));
        }
        nq_rpc_stream_half_close(stream);
        assert_true(nq_rpc_stream_receive(stream, &answer));
        uint64_t total = 0;
        memcpy(&total, answer.data, sizeof(total));
        assert_int_equal(total, 700);
        nq_rpc_message_free(answer);
        assert_int_equal(nq_rpc_stream_finish(stream, NULL), NQ_RPC_OK);
    }
}

static void a_conversation_joins_shared_and_own_bytes_and_ends_with_details(void **state) {
    fixture *self = *state;
    for (size_t i = 0; i < 2; i++) {
        char path[32];
        nq_bytes answer;
        nq_rpc_end end;
        snprintf(path, sizeof(path), "/t.%s/Talk", services[i]);
        nq_rpc_stream *stream = nq_rpc_stream_open(self->client, path, 0, NULL);
        for (int k = 0; k < 50; k++) {
            assert_true(nq_rpc_stream_send(stream, NQ_BYTES_LITERAL("tail")));
            assert_true(nq_rpc_stream_receive(stream, &answer));
            assert_int_equal(answer.size, 9);
            assert_memory_equal(answer.data, "head:tail", 9);
            nq_rpc_message_free(answer);
        }
        nq_rpc_stream_half_close(stream);
        assert_false(nq_rpc_stream_receive(stream, &answer));
        assert_int_equal(nq_rpc_stream_finish(stream, &end), NQ_RPC_ABORTED);
        assert_string_equal(end.text, "enough talk");
        assert_int_equal(end.details_bytes, 7);
        assert_memory_equal(end.details, "details", 7);
        nq_rpc_end_clear(&end);
    }
}

static void unknown_and_unfinished_methods_are_named(void **state) {
    fixture *self = *state;
    nq_rpc_end end;
    assert_int_equal(nq_rpc_unary(self->client, "/t.Worker/Nothing", (nq_bytes){0}, 0, NULL, &end),
                     NQ_RPC_UNIMPLEMENTED);
    assert_string_equal(end.text, "there is no method /t.Worker/Nothing");
    assert_int_equal(nq_rpc_unary(self->client, "/no.Such/Service", (nq_bytes){0}, 0, NULL, &end),
                     NQ_RPC_UNIMPLEMENTED);
    assert_int_equal(nq_rpc_unary(self->client, "/t.Worker/Later", (nq_bytes){0}, 0, NULL, &end),
                     NQ_RPC_UNIMPLEMENTED);
    assert_string_equal(end.text, "/t.Worker/Later is not in this version");
}

static void a_call_without_a_request_is_refused(void **state) {
    fixture *self = *state;
    nq_rpc_end end;
    nq_rpc_stream *stream = nq_rpc_stream_open(self->client, "/t.Inline/Echo", 0, NULL);
    nq_rpc_stream_half_close(stream);
    assert_int_equal(nq_rpc_stream_finish(stream, &end), NQ_RPC_INVALID_ARGUMENT);
    assert_string_equal(end.text, "the call carries no request message");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unary_call_is_answered_with_its_own_bytes),
        cmocka_unit_test(an_empty_message_is_a_message),
        cmocka_unit_test(a_large_message_arrives_in_one_piece),
        cmocka_unit_test(a_server_stream_keeps_order_and_ends_with_trailers),
        cmocka_unit_test(a_client_stream_is_summed_up),
        cmocka_unit_test(a_conversation_joins_shared_and_own_bytes_and_ends_with_details),
        cmocka_unit_test(unknown_and_unfinished_methods_are_named),
        cmocka_unit_test(a_call_without_a_request_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
