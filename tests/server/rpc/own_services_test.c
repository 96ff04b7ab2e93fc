/* Health and reflection as standard clients use them, decoded with protobuf's own rules by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ground/base/heap.h"
#include "tests/server/rpc/rpc_fixture.h"

/* ---- A descriptor set, written as protoc would ---- */

typedef struct writer {
    uint8_t bytes[8192];
    size_t size;
} writer;

static void put(writer *out, const void *bytes, size_t size) {
    assert_true(out->size + size <= sizeof(out->bytes));
    memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}
static void put_varint(writer *out, uint64_t value) {
    do {
        uint8_t byte = (uint8_t)((value & 0x7f) | (value >= 0x80 ? 0x80 : 0));
        put(out, &byte, 1);
        value >>= 7;
    } while (value != 0);
}
static void put_bytes(writer *out, uint32_t id, const void *bytes, size_t size) {
    put_varint(out, id << 3 | 2);
    put_varint(out, size);
    put(out, bytes, size);
}
static void put_text(writer *out, uint32_t id, const char *text) {
    put_bytes(out, id, text, strlen(text));
}
static void put_number(writer *out, uint32_t id, uint64_t value) {
    put_varint(out, id << 3);
    put_varint(out, value);
}
static void put_message(writer *out, uint32_t id, const writer *message) {
    put_bytes(out, id, message->bytes, message->size);
}
/* A descriptor that has only a name. */
static void put_named(writer *out, uint32_t id, const char *name) {
    writer inner = {.size = 0};
    put_text(&inner, 1, name);
    put_message(out, id, &inner);
}

static writer base_file, user_file, set;

static void write_set(void) {
    writer message = {.size = 0}, nested = {.size = 0}, kind = {.size = 0};
    writer service = {.size = 0}, extension = {.size = 0};
    base_file.size = user_file.size = set.size = 0;
    put_text(&base_file, 1, "base.proto");
    put_text(&base_file, 2, "base.v1");
    put_text(&message, 1, "Thing");
    put_named(&message, 2, "field_one");
    put_named(&message, 8, "choice");
    put_text(&nested, 1, "Inner");
    put_message(&message, 3, &nested);
    put_message(&base_file, 4, &message);

    put_text(&user_file, 1, "user.proto");
    put_text(&user_file, 2, "user.v1");
    put_text(&user_file, 3, "base.proto");
    put_text(&kind, 1, "Kind");
    put_named(&kind, 2, "KIND_ONE");
    put_message(&user_file, 5, &kind);
    put_text(&service, 1, "TestService");
    put_named(&service, 2, "Echo");
    put_message(&user_file, 6, &service);
    put_text(&extension, 1, "extra");
    put_text(&extension, 2, ".base.v1.Thing");
    put_number(&extension, 3, 1000);
    put_message(&user_file, 7, &extension);
    put_message(&set, 1, &base_file);
    put_message(&set, 1, &user_file);
}

/* ---- Reading ---- */

/* The first field `id` of `message`: bytes or number. */
static bool read_field(nq_bytes message, uint32_t id, nq_bytes *out_bytes, uint64_t *out_number,
                       nq_bytes *out_rest) {
    size_t at = 0;
    while (at < message.size) {
        uint64_t parts[2] = {0, 0};
        for (int i = 0; i < 2; i++) {
            for (int shift = 0;; shift += 7) {
                assert_true(at < message.size && shift < 64);
                uint8_t byte = message.data[at++];
                parts[i] |= (uint64_t)(byte & 0x7f) << shift;
                if (byte < 0x80) {
                    break;
                }
            }
        }
        bool is_bytes = (parts[0] & 7) == 2;
        assert_true(is_bytes || (parts[0] & 7) == 0);
        assert_true(!is_bytes || parts[1] <= message.size - at);
        nq_bytes content = nq_bytes_of(message.data + at, is_bytes ? (size_t)parts[1] : 0);
        at += content.size;
        if (parts[0] >> 3 == id) {
            *out_bytes = content;
            *out_number = parts[1];
            *out_rest = nq_bytes_of(message.data + at, message.size - at);
            return true;
        }
    }
    return false;
}

static nq_bytes bytes_field(nq_bytes message, uint32_t id) {
    nq_bytes bytes = {0}, rest;
    uint64_t number;
    return read_field(message, id, &bytes, &number, &rest) ? bytes : (nq_bytes){0};
}
static uint64_t number_field(nq_bytes message, uint32_t id) {
    nq_bytes bytes, rest;
    uint64_t number = 0;
    return read_field(message, id, &bytes, &number, &rest) ? number : 0;
}

/* ---- The server ---- */

static void echo_on_message(nq_call *call, nq_bytes message) {
    nq_call_reply(call, nq_payload_copy(message));
}
static const nq_method_handler echo = {.on_message = echo_on_message};
static const nq_method methods[] = {
    {"/user.v1.TestService/Echo", NQ_METHOD_UNARY, 0, &echo, 0},
    {"/another.Service/Echo", NQ_METHOD_UNARY, 0, &echo, 0},
};
static nq_rpc_fixture fixture;
static nq_rpc_client *client;

static int set_up(void **state) {
    write_set();
    nq_server_options options = {.descriptor_set = nq_bytes_of(set.bytes, set.size)};
    nq_rpc_fixture_start(&fixture, &options, methods, NQ_COUNT_OF(methods), NULL, NULL);
    client = nq_rpc_fixture_connect(&fixture);
    return 0;
}
static int tear_down(void **state) {
    nq_rpc_client_close(client);
    nq_rpc_fixture_stop(&fixture);
    return 0;
}

/* ---- Health ---- */

enum { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };

static nq_rpc_code check(const char *service, uint64_t *out_status) {
    writer request = {.size = 0};
    nq_bytes answer;
    put_text(&request, 1, service);
    nq_rpc_code code = nq_rpc_unary(client, "/grpc.health.v1.Health/Check",
                                    nq_bytes_of(request.bytes, request.size), 0, &answer, NULL);
    *out_status = number_field(answer, 1);
    nq_rpc_message_free(answer);
    return code;
}

static void health_is_checked_per_service(void **state) {
    uint64_t status;
    assert_int_equal(check("", &status), NQ_RPC_OK);
    assert_int_equal(status, NOT_SERVING);
    nq_server_set_serving(fixture.server, "", true);
    nq_server_set_serving(fixture.server, "user.v1.TestService", true);
    assert_int_equal(check("", &status), NQ_RPC_OK);
    assert_int_equal(status, SERVING);
    assert_int_equal(check("user.v1.TestService", &status), NQ_RPC_OK);
    assert_int_equal(status, SERVING);
    assert_int_equal(check("another.Service", &status), NQ_RPC_OK);
    assert_int_equal(status, NOT_SERVING);
    assert_int_equal(check("nobody", &status), NQ_RPC_NOT_FOUND);
    assert_int_equal(nq_rpc_unary(client, "/grpc.health.v1.Health/Check",
                                  NQ_BYTES_LITERAL("\x0a\x7f"), 0, NULL, NULL),
                     NQ_RPC_INVALID_ARGUMENT);
}

static void health_lists_every_service(void **state) {
    nq_bytes answer, rest, entry;
    uint64_t number;
    int count = 0;
    assert_int_equal(
        nq_rpc_unary(client, "/grpc.health.v1.Health/List", (nq_bytes){0}, 0, &answer, NULL),
        NQ_RPC_OK);
    rest = answer;
    while (read_field(rest, 1, &entry, &number, &rest)) {
        nq_bytes name = bytes_field(entry, 1);
        uint64_t want = nq_bytes_equal(name, NQ_BYTES_LITERAL("")) ||
                                nq_bytes_equal(name, NQ_BYTES_LITERAL("user.v1.TestService"))
                            ? SERVING
                            : NOT_SERVING;
        assert_int_equal(number_field(bytes_field(entry, 2), 1), want);
        count++;
    }
    /* "", health, two reflections, two of ours. */
    assert_int_equal(count, 6);
    nq_rpc_message_free(answer);
}

static void expect_status(nq_rpc_stream *stream, uint64_t want) {
    nq_bytes message;
    assert_true(nq_rpc_stream_receive(stream, &message));
    assert_int_equal(number_field(message, 1), want);
    nq_rpc_message_free(message);
}

static nq_rpc_stream *watch(const char *service) {
    writer request = {.size = 0};
    put_text(&request, 1, service);
    nq_rpc_stream *stream = nq_rpc_stream_open(client, "/grpc.health.v1.Health/Watch", 0, NULL);
    assert_true(nq_rpc_stream_send(stream, nq_bytes_of(request.bytes, request.size)));
    nq_rpc_stream_half_close(stream);
    return stream;
}

static void a_watcher_hears_every_change_and_an_unknown_name_is_said_so(void **state) {
    nq_rpc_stream *known = watch("another.Service"), *unknown = watch("nobody");
    expect_status(known, NOT_SERVING);
    expect_status(unknown, SERVICE_UNKNOWN);
    for (int i = 0; i < 5; i++) {
        nq_server_set_serving(fixture.server, "another.Service", true);
        expect_status(known, SERVING);
        nq_server_set_serving(fixture.server, "another.Service", false);
        expect_status(known, NOT_SERVING);
    }
    nq_rpc_stream_cancel(unknown);
    nq_rpc_stream_cancel(known);
    assert_int_equal(nq_rpc_stream_finish(unknown, NULL), NQ_RPC_CANCELLED);
    assert_int_equal(nq_rpc_stream_finish(known, NULL), NQ_RPC_CANCELLED);
}

/* ---- Reflection ---- */

static nq_rpc_stream *reflection(const char *version) {
    char path[96];
    snprintf(path, sizeof(path), "/grpc.reflection.%s.ServerReflection/ServerReflectionInfo",
             version);
    return nq_rpc_stream_open(client, path, 0, NULL);
}

/* The answer repeats the question; `out_answer` is the caller's to free. */
static nq_bytes ask(nq_rpc_stream *stream, uint32_t id, const void *content, size_t size,
                    nq_bytes *out_answer) {
    writer request = {.size = 0};
    put_text(&request, 1, "here");
    put_bytes(&request, id, content, size);
    assert_true(nq_rpc_stream_send(stream, nq_bytes_of(request.bytes, request.size)));
    assert_true(nq_rpc_stream_receive(stream, out_answer));
    assert_true(nq_bytes_equal(bytes_field(*out_answer, 1), NQ_BYTES_LITERAL("here")));
    assert_true(
        nq_bytes_equal(bytes_field(*out_answer, 2), nq_bytes_of(request.bytes, request.size)));
    return *out_answer;
}

static void expect_file(nq_rpc_stream *stream, uint32_t id, const char *content,
                        const writer *want) {
    nq_bytes answer;
    nq_bytes files = bytes_field(ask(stream, id, content, strlen(content), &answer), 4);
    assert_true(nq_bytes_equal(bytes_field(files, 1), nq_bytes_of(want->bytes, want->size)));
    nq_rpc_message_free(answer);
}

static void expect_not_found(nq_rpc_stream *stream, uint32_t id, const char *content) {
    nq_bytes answer;
    nq_bytes error = bytes_field(ask(stream, id, content, strlen(content), &answer), 7);
    assert_int_equal(number_field(error, 1), NQ_RPC_NOT_FOUND);
    assert_true(bytes_field(error, 2).size > 0);
    nq_rpc_message_free(answer);
}

static void both_versions_of_reflection_answer_every_question(void **state) {
    const char *const versions[] = {"v1", "v1alpha"};
    for (int i = 0; i < 2; i++) {
        nq_bytes answer, entry, rest;
        uint64_t number;
        char names[512] = "";
        nq_rpc_stream *stream = reflection(versions[i]);
        rest = bytes_field(ask(stream, 7, "", 0, &answer), 6);
        while (read_field(rest, 1, &entry, &number, &rest)) {
            nq_bytes name = bytes_field(entry, 1);
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%.*s ",
                     NQ_BYTES_FORMAT(name));
        }
        assert_string_equal(
            names, "another.Service grpc.health.v1.Health grpc.reflection.v1.ServerReflection "
                   "grpc.reflection.v1alpha.ServerReflection user.v1.TestService ");
        nq_rpc_message_free(answer);
        expect_file(stream, 3, "base.proto", &base_file);
        expect_file(stream, 3, "user.proto", &user_file);
        expect_file(stream, 4, "user.v1.TestService", &user_file);
        expect_file(stream, 4, "user.v1.TestService.Echo", &user_file);
        expect_file(stream, 4, "user.v1.Kind", &user_file);
        expect_file(stream, 4, "user.v1.KIND_ONE", &user_file);
        expect_file(stream, 4, "user.v1.extra", &user_file);
        expect_file(stream, 4, "base.v1.Thing", &base_file);
        expect_file(stream, 4, "base.v1.Thing.Inner", &base_file);
        expect_file(stream, 4, "base.v1.Thing.field_one", &base_file);
        expect_file(stream, 4, "base.v1.Thing.choice", &base_file);
        expect_not_found(stream, 3, "no.proto");
        expect_not_found(stream, 4, "base.v1.Thin");
        expect_not_found(stream, 4, "base.v1");
        expect_not_found(stream, 4, "");
        expect_not_found(stream, 6, "base.v1.Nothing");
        nq_rpc_stream_half_close(stream);
        assert_int_equal(nq_rpc_stream_finish(stream, NULL), NQ_RPC_OK);
    }
}

static void a_file_comes_with_what_it_imports(void **state) {
    nq_bytes answer, first, second, rest;
    uint64_t number;
    nq_rpc_stream *stream = reflection("v1");
    rest = bytes_field(ask(stream, 3, "user.proto", 10, &answer), 4);
    assert_true(read_field(rest, 1, &first, &number, &rest));
    assert_true(read_field(rest, 1, &second, &number, &rest));
    assert_true(nq_bytes_equal(second, nq_bytes_of(base_file.bytes, base_file.size)));
    assert_int_equal(rest.size, 0);
    nq_rpc_message_free(answer);
    nq_rpc_stream_cancel(stream);
    nq_rpc_stream_finish(stream, NULL);
}

static void extensions_are_found_by_number_and_listed(void **state) {
    nq_bytes answer;
    writer wanted = {.size = 0};
    nq_rpc_stream *stream = reflection("v1");
    put_text(&wanted, 1, "base.v1.Thing");
    put_number(&wanted, 2, 1000);
    nq_bytes files = bytes_field(ask(stream, 5, wanted.bytes, wanted.size, &answer), 4);
    assert_true(
        nq_bytes_equal(bytes_field(files, 1), nq_bytes_of(user_file.bytes, user_file.size)));
    nq_rpc_message_free(answer);
    wanted.size = 0;
    put_text(&wanted, 1, "base.v1.Thing");
    put_number(&wanted, 2, 1001);
    nq_bytes error = bytes_field(ask(stream, 5, wanted.bytes, wanted.size, &answer), 7);
    assert_int_equal(number_field(error, 1), NQ_RPC_NOT_FOUND);
    nq_rpc_message_free(answer);
    nq_bytes numbers = bytes_field(ask(stream, 6, "base.v1.Thing", 13, &answer), 5);
    assert_true(nq_bytes_equal(bytes_field(numbers, 1), NQ_BYTES_LITERAL("base.v1.Thing")));
    assert_true(nq_bytes_equal(bytes_field(numbers, 2), NQ_BYTES_LITERAL("\xe8\x07")));
    nq_rpc_message_free(answer);
    nq_rpc_stream_cancel(stream);
    nq_rpc_stream_finish(stream, NULL);
}

static void a_malformed_question_ends_the_stream_and_an_empty_one_is_answered(void **state) {
    nq_bytes answer;
    nq_rpc_stream *stream = reflection("v1");
    assert_true(nq_rpc_stream_send(stream, (nq_bytes){0}));
    assert_true(nq_rpc_stream_receive(stream, &answer));
    assert_int_equal(number_field(bytes_field(answer, 7), 1), NQ_RPC_INVALID_ARGUMENT);
    nq_rpc_message_free(answer);
    assert_true(nq_rpc_stream_send(stream, NQ_BYTES_LITERAL("\x1a\xff\xff")));
    assert_int_equal(nq_rpc_stream_finish(stream, NULL), NQ_RPC_INVALID_ARGUMENT);
}

static void a_broken_descriptor_set_is_refused_at_the_start(void **state) {
    nq_server *other = NULL;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    for (size_t size = 1; size < set.size; size++) {
        nq_server_options options = {.workers = fixture.workers,
                                     .descriptor_set = nq_bytes_of(set.bytes, size)};
        nq_status status = nq_server_create(&ctx, &options, &other);
        /* Cut between the two files it is a whole set of one. */
        bool is_whole = size == base_file.size + 2;
        assert_int_equal(status, is_whole ? NQ_OK : NQ_INVALID_REQUEST);
        nq_server_destroy(other);
    }
}

static void a_server_that_cannot_get_memory_says_so(void **state) {
    nq_ctx ctx;
    nq_server *other = NULL;
    uint64_t tried = 1;
    for (uint64_t nth = 1; nth <= tried; nth++) {
        nq_server_options options = {.workers = fixture.workers,
                                     .descriptor_set = nq_bytes_of(set.bytes, set.size)};
        nq_ctx_init(&ctx, NULL);
        nq_heap_fail_at(nth, false);
        nq_status status = nq_server_create(&ctx, &options, &other);
        uint64_t count = nq_heap_fail_never();
        if (status == NQ_OK) {
            assert_true(nth > 5);
            nq_server_destroy(other);
            return;
        }
        assert_int_equal(status, NQ_MEMORY_LIMIT);
        assert_null(other);
        tried = count + 1;
    }
    fail();
}

static void a_draining_server_tells_watchers_and_does_not_wait_for_them(void **state) {
    nq_rpc_stream *stream = watch("");
    expect_status(stream, SERVING);
    nq_server_drain(fixture.server, 30000);
    expect_status(stream, NOT_SERVING);
    assert_int_equal(nq_rpc_stream_finish(stream, NULL), NQ_RPC_UNAVAILABLE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_is_checked_per_service),
        cmocka_unit_test(health_lists_every_service),
        cmocka_unit_test(a_watcher_hears_every_change_and_an_unknown_name_is_said_so),
        cmocka_unit_test(both_versions_of_reflection_answer_every_question),
        cmocka_unit_test(a_file_comes_with_what_it_imports),
        cmocka_unit_test(extensions_are_found_by_number_and_listed),
        cmocka_unit_test(a_malformed_question_ends_the_stream_and_an_empty_one_is_answered),
        cmocka_unit_test(a_broken_descriptor_set_is_refused_at_the_start),
        cmocka_unit_test(a_server_that_cannot_get_memory_says_so),
        cmocka_unit_test(a_draining_server_tells_watchers_and_does_not_wait_for_them),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
