/* Interceptors: their order, their refusals, and what they are told at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ground/os/mutex.h"
#include "tests/server/rpc/rpc_fixture.h"

/* What happened, one word per event; written by queue threads and workers. */
static nq_mutex lock;
static char story[512];
static nq_call_report last;
static char last_text[128], last_path[64];
/* The same, as await_story found them. */
static nq_call_report report;
static char text[128], path[64];

static void tell(const char *who, const char *what) {
    nq_mutex_lock(&lock);
    snprintf(story + strlen(story), sizeof(story) - strlen(story), "%s:%s ", who, what);
    nq_mutex_unlock(&lock);
}
static bool story_has(void *user) {
    nq_mutex_lock(&lock);
    bool has = strstr(story, user) != NULL;
    nq_mutex_unlock(&lock);
    return has;
}
static void await_story(const char *want) {
    assert_true(nq_rpc_await(story_has, (void *)want));
    nq_mutex_lock(&lock);
    assert_string_equal(story, want);
    story[0] = '\0';
    report = last;
    snprintf(text, sizeof(text), "%s", last_text);
    snprintf(path, sizeof(path), "%s", last_path);
    nq_mutex_unlock(&lock);
}

static nq_status start(void *self, nq_ctx *ctx, nq_call *call) {
    assert_int_equal(ctx->deadline_ns, nq_call_deadline_ns(call));
    assert_memory_equal(nq_call_peer(call), "ipv4:127.0.0.1:", 15);
    assert_true(nq_call_id(call) > 0);
    tell(self, "start");
    return NQ_OK;
}
static void finish(void *self, nq_call *call, const nq_call_report *told) {
    nq_mutex_lock(&lock);
    last = *told;
    snprintf(last_text, sizeof(last_text), "%s", told->text);
    snprintf(last_path, sizeof(last_path), "%s", nq_call_method(call)->path);
    nq_mutex_unlock(&lock);
    tell(self, "finish");
}
/* Lets in whoever knows the word. */
static nq_status guard(void *self, nq_ctx *ctx, nq_call *call) {
    tell(self, "start");
    if (nq_bytes_equal(nq_call_metadata(call, "x-word"), NQ_BYTES_LITERAL("sesame"))) {
        return NQ_OK;
    }
    return nq_fail(ctx, NQ_TRANSACTION_LIMIT, "the word is missing");
}

static const nq_interceptor chain[] = {
    {"log", "log", start, finish},
    {"guard", "guard", guard, finish},
    {"quiet", NULL, NULL, NULL},
    {"count", "count", start, finish},
};

static void echo_on_message(nq_call *call, nq_bytes message) {
    tell("handler", "message");
    nq_call_reply(call, nq_payload_copy(message));
}
static void echo_on_done(nq_call *call) {
    tell("handler", "done");
}
static const nq_method_handler echo = {.on_message = echo_on_message, .on_done = echo_on_done};
static const nq_method methods[] = {
    {"/t.T/Inline", NQ_METHOD_UNARY, NQ_METHOD_INLINE, &echo, 0},
    {"/t.T/Worker", NQ_METHOD_UNARY, 0, &echo, 0},
};

static nq_rpc_fixture fixture;
static nq_rpc_client *client;

static int set_up(void **state) {
    nq_server_options options = {.interceptors = chain, .interceptor_count = NQ_COUNT_OF(chain)};
    nq_mutex_init(&lock, NQ_LOCK_LOGGER);
    nq_rpc_fixture_start(&fixture, &options, methods, NQ_COUNT_OF(methods), NULL, NULL);
    client = nq_rpc_fixture_connect(&fixture);
    return 0;
}
static int tear_down(void **state) {
    nq_rpc_client_close(client);
    nq_rpc_fixture_stop(&fixture);
    nq_mutex_deinit(&lock);
    return 0;
}

static nq_rpc_code call(const char *method, const char *word, nq_rpc_end *end) {
    const char *const metadata[] = {"x-word", word, NULL};
    nq_bytes answer;
    nq_rpc_stream *stream = nq_rpc_stream_open(client, method, 0, metadata);
    (void)nq_rpc_stream_send(stream, NQ_BYTES_LITERAL("12345"));
    nq_rpc_stream_half_close(stream);
    (void)nq_rpc_stream_receive(stream, &answer);
    nq_rpc_message_free(answer);
    return nq_rpc_stream_finish(stream, end);
}

static void they_start_in_order_and_finish_in_reverse_around_the_handler(void **state) {
    nq_rpc_end end;
    for (size_t i = 0; i < NQ_COUNT_OF(methods); i++) {
        assert_int_equal(call(methods[i].path, "sesame", &end), NQ_RPC_OK);
        await_story("log:start guard:start count:start handler:message handler:done count:finish "
                    "guard:finish log:finish ");
        assert_string_equal(path, methods[i].path);
        assert_int_equal(report.code, NQ_RPC_OK);
        assert_int_equal(report.messages_received, 1);
        assert_int_equal(report.messages_sent, 1);
        assert_int_equal(report.bytes_received, 5);
        assert_int_equal(report.bytes_sent, 5);
        assert_true(report.done_ns >= report.opened_ns);
    }
}

static void a_refusal_reaches_the_client_but_not_the_handler(void **state) {
    nq_rpc_end end;
    assert_int_equal(call("/t.T/Worker", "please", &end), NQ_RPC_RESOURCE_EXHAUSTED);
    assert_string_equal(end.text, "the word is missing");
    await_story("log:start guard:start log:finish ");
    assert_int_equal(report.code, NQ_RPC_RESOURCE_EXHAUSTED);
    assert_string_equal(text, "the word is missing");
}

static void unknown_methods_pass_the_chain_too(void **state) {
    nq_rpc_end end;
    assert_int_equal(call("/t.T/Nothing", "sesame", &end), NQ_RPC_UNIMPLEMENTED);
    await_story("log:start guard:start count:start count:finish guard:finish log:finish ");
    assert_int_equal(report.code, NQ_RPC_UNIMPLEMENTED);
    assert_string_equal(text, "there is no method /t.T/Nothing");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_start_in_order_and_finish_in_reverse_around_the_handler),
        cmocka_unit_test(a_refusal_reaches_the_client_but_not_the_handler),
        cmocka_unit_test(unknown_methods_pass_the_chain_too),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
