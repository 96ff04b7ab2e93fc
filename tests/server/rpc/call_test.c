/* The call state machine, over the fake transport: what each callback may rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ground/base/heap.h"
#include "tests/support/fake_call.h"

/* A log of what happened, one letter per callback. */
static char story[256];
static void tell(const char *word) {
    assert_true(strlen(story) + strlen(word) + 1 < sizeof(story));
    strcat(story, word);
}

static void on_open(nq_call *call) {
    tell("open ");
}
static void on_open_want(nq_call *call) {
    tell("open ");
    nq_call_want_message(call);
}
static void on_message(nq_call *call, nq_bytes message) {
    char word[32];
    snprintf(word, sizeof(word), "message:%.*s ", NQ_BYTES_FORMAT(message));
    tell(word);
}
static void on_half_close(nq_call *call) {
    tell("half ");
}
static void on_writable(nq_call *call) {
    tell("writable ");
}
static void on_wake(nq_call *call) {
    tell("wake ");
}
static void on_cancel(nq_call *call) {
    tell("cancel ");
}
static void on_done(nq_call *call) {
    tell("done ");
}

#define BASE                                                                        \
    .on_open = on_open, .on_half_close = on_half_close, .on_writable = on_writable, \
    .on_wake = on_wake, .on_cancel = on_cancel, .on_done = on_done

static nq_payload *text(const char *words) {
    return nq_payload_copy(nq_bytes_of_cstr(words));
}

static void assert_message(nq_fake_call *fake, size_t index, const char *want) {
    nq_bytes have = nq_fake_call_message(fake, index);
    assert_int_equal(have.size, strlen(want));
    assert_memory_equal(have.data, want, have.size);
}

static int forget(void **state) {
    story[0] = '\0';
    return 0;
}

/* ---- Unary ---- */

static void reply_on_message(nq_call *call, nq_bytes message) {
    on_message(call, message);
    nq_call_reply(call, text("answer"));
    nq_call_finish(call, NQ_RPC_INTERNAL, "too late", (nq_bytes){0});
    nq_call_reply(call, text("again"));
}

static void the_first_end_of_a_call_wins(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = reply_on_message};
    const uint32_t flags[] = {0, NQ_METHOD_INLINE};
    for (size_t i = 0; i < 2; i++) {
        nq_method method = {"/t.T/M", NQ_METHOD_UNARY, flags[i], &handler, 0};
        nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
        nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
        nq_fake_call_run(fake);
        assert_int_equal(nq_fake_call_code(fake), NQ_RPC_OK);
        assert_int_equal(nq_fake_call_message_count(fake), 1);
        assert_message(fake, 0, "answer");
        assert_string_equal(story, "open message:q done ");
        nq_fake_call_close(fake);
        forget(NULL);
    }
}

static void an_oversized_message_never_reaches_the_handler(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = on_message};
    nq_method method = {"/t.T/M", NQ_METHOD_UNARY, 0, &handler, 4};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("12345"));
    nq_fake_call_run(fake);
    assert_int_equal(nq_fake_call_code(fake), NQ_RPC_RESOURCE_EXHAUSTED);
    assert_string_equal(nq_fake_call_text(fake), "the message is 5 bytes; this method takes 4");
    assert_string_equal(story, "open done ");
    nq_fake_call_close(fake);
}

static void a_client_that_leaves_before_its_message_is_only_an_end(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = on_message};
    nq_method method = {"/t.T/M", NQ_METHOD_UNARY, 0, &handler, 0};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
    nq_fake_call_run(fake);
    nq_fake_call_close(fake);
    assert_non_null(strstr(story, "open "));
    assert_non_null(strstr(story, "done "));
    assert_null(strstr(story, "message"));
}

/* ---- Cancelling ---- */

static void cancel_on_message(nq_call *call, nq_bytes message) {
    on_message(call, message);
}

static void an_administrator_ends_a_call_with_the_reason(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = cancel_on_message};
    nq_method method = {"/t.T/M", NQ_METHOD_SERVER_STREAM, 0, &handler, 0};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
    nq_fake_call_run(fake);
    nq_call_cancel(nq_fake_call_call(fake), NQ_CANCELLED_BY_ADMIN);
    nq_call_cancel(nq_fake_call_call(fake), NQ_SHUTTING_DOWN);
    assert_int_equal(*nq_call_cancel_flag(nq_fake_call_call(fake)), NQ_CANCELLED_BY_ADMIN);
    nq_fake_call_run(fake);
    assert_int_equal(nq_fake_call_code(fake), NQ_RPC_CANCELLED);
    assert_string_equal(story, "open message:q cancel done ");
    nq_fake_call_close(fake);
}

static void last_words(nq_call *call) {
    tell("cancel ");
    assert_true(nq_call_write(call, text("bye"), true));
    nq_call_finish(call, NQ_RPC_UNAVAILABLE, "moving", (nq_bytes){0});
}

static void a_handler_may_say_a_last_word_when_cancelled_from_within(void **state) {
    static const nq_method_handler handler = {
        .on_message = on_message, .on_cancel = last_words, .on_done = on_done};
    nq_method method = {"/t.T/M", NQ_METHOD_SERVER_STREAM, 0, &handler, 0};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
    nq_fake_call_run(fake);
    nq_call_cancel(nq_fake_call_call(fake), NQ_SHUTTING_DOWN);
    nq_fake_call_run(fake);
    assert_message(fake, 0, "bye");
    assert_int_equal(nq_fake_call_code(fake), NQ_RPC_UNAVAILABLE);
    assert_string_equal(nq_fake_call_text(fake), "moving");
    nq_fake_call_close(fake);
}

static void a_lost_client_sets_the_flag_and_is_told_once(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = on_message};
    nq_method method = {"/t.T/M", NQ_METHOD_SERVER_STREAM, 0, &handler, 0};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
    nq_fake_call_run(fake);
    nq_call *call = nq_call_acquire(nq_fake_call_call(fake));
    nq_fake_call_go_away(fake);
    nq_fake_call_run(fake);
    assert_int_equal(*nq_call_cancel_flag(call), NQ_CANCELLED_BY_CLIENT);
    assert_string_equal(story, "open message:q cancel done ");
    nq_call_wake(call); /* after the end: nothing */
    nq_call_cancel(call, NQ_CANCELLED_BY_ADMIN);
    nq_fake_call_run(fake);
    assert_string_equal(story, "open message:q cancel done ");
    nq_call_release(call);
    nq_fake_call_close(fake);
}

static void a_passed_deadline_is_told_from_a_lost_client(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = on_message};
    nq_method method = {"/t.T/M", NQ_METHOD_SERVER_STREAM, 0, &handler, 0};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
    nq_fake_call_run(fake);
    nq_call *call = nq_call_acquire(nq_fake_call_call(fake));
    nq_fake_call_pass_deadline(fake);
    nq_fake_call_run(fake);
    assert_int_equal(*nq_call_cancel_flag(call), NQ_STATEMENT_TIMEOUT);
    nq_call_release(call);
    nq_fake_call_close(fake);
}

/* ---- Waking ---- */

static void many_wakes_are_one(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = on_message};
    const uint32_t flags[] = {0, NQ_METHOD_INLINE};
    for (size_t i = 0; i < 2; i++) {
        nq_method method = {"/t.T/M", NQ_METHOD_SERVER_STREAM, flags[i], &handler, 0};
        nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
        nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
        nq_fake_call_run(fake);
        for (int k = 0; k < 100; k++) {
            nq_call_wake(nq_fake_call_call(fake));
        }
        nq_fake_call_run(fake);
        assert_string_equal(story, "open message:q wake ");
        nq_fake_call_close(fake);
        forget(NULL);
    }
}

/* ---- Writing ---- */

static void one_write_at_a_time(nq_call *call, nq_bytes message) {
    assert_true(nq_call_can_write(call));
    assert_true(nq_call_write(call, text("one"), false));
    assert_false(nq_call_can_write(call));
}

static void a_slow_reader_holds_back_the_next_write(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = one_write_at_a_time};
    nq_method method = {"/t.T/M", NQ_METHOD_SERVER_STREAM, 0, &handler, 0};
    nq_fake_options options = {.holds_writes = true};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, &options);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
    nq_fake_call_run(fake);
    assert_string_equal(story, "open ");
    nq_fake_call_complete_write(fake);
    nq_fake_call_run(fake);
    assert_string_equal(story, "open writable ");
    assert_message(fake, 0, "one");
    nq_fake_call_close(fake);
    assert_string_equal(story, "open writable cancel done ");
}

static void promise_more(nq_call *call, nq_bytes message) {
    assert_true(nq_call_write(call, text("promised"), true));
    assert_true(nq_call_can_write(call));
}

static void a_message_that_promised_more_leaves_when_nothing_follows(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = promise_more};
    const uint32_t flags[] = {0, NQ_METHOD_INLINE};
    for (size_t i = 0; i < 2; i++) {
        nq_method method = {"/t.T/M", NQ_METHOD_SERVER_STREAM, flags[i], &handler, 0};
        nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
        nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
        nq_fake_call_run(fake);
        assert_message(fake, 0, "promised");
        assert_string_equal(story, "open writable ");
        nq_fake_call_close(fake);
        forget(NULL);
    }
}

static void write_and_finish(nq_call *call, nq_bytes message) {
    assert_true(nq_call_write(call, text("first"), true));
    assert_true(nq_call_write(call, text("second"), true));
    nq_call_finish(call, NQ_RPC_OK, "", (nq_bytes){0});
    assert_false(nq_call_can_write(call));
    assert_false(nq_call_write(call, text("third"), false));
}

static void everything_accepted_before_the_finish_is_sent_and_nothing_after(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = write_and_finish};
    nq_method method = {"/t.T/M", NQ_METHOD_SERVER_STREAM, 0, &handler, 0};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
    nq_fake_call_run(fake);
    assert_int_equal(nq_fake_call_message_count(fake), 2);
    assert_message(fake, 0, "first");
    assert_message(fake, 1, "second");
    assert_string_equal(story, "open done ");
    nq_fake_call_close(fake);
}

static void no_memory_for_a_message(nq_call *call, nq_bytes message) {
    assert_false(nq_call_write(call, NULL, false));
}

static void a_message_that_could_not_be_built_ends_the_call(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = no_memory_for_a_message};
    nq_method method = {"/t.T/M", NQ_METHOD_SERVER_STREAM, 0, &handler, 0};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
    nq_fake_call_run(fake);
    assert_int_equal(nq_fake_call_code(fake), NQ_RPC_RESOURCE_EXHAUSTED);
    nq_fake_call_close(fake);
}

static void only_headers(nq_call *call, nq_bytes message) {
    assert_true(nq_call_add_header(call, "x-query-id", NQ_BYTES_LITERAL("7")));
    assert_false(nq_call_add_header(call, "Not-Lower", NQ_BYTES_LITERAL("7")));
    assert_false(nq_call_add_header(call, "x-bad", NQ_BYTES_LITERAL("line\nbreak")));
    nq_call_send_headers(call);
    assert_false(nq_call_add_header(call, "x-late", NQ_BYTES_LITERAL("7")));
}

static void headers_leave_before_any_message(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = only_headers};
    nq_method method = {"/t.T/M", NQ_METHOD_SERVER_STREAM, 0, &handler, 0};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
    nq_fake_call_run(fake);
    assert_true(nq_bytes_equal(nq_fake_call_header(fake, "x-query-id"), NQ_BYTES_LITERAL("7")));
    assert_int_equal(nq_fake_call_message_count(fake), 0);
    assert_false(nq_fake_call_has_status(fake));
    nq_fake_call_close(fake);
}

/* ---- Working elsewhere ---- */

static nq_bytes kept;
static void work(nq_call *call) {
    char word[32];
    snprintf(word, sizeof(word), "work:%.*s ", NQ_BYTES_FORMAT(kept));
    tell(word);
    nq_call_reply(call, text("worked"));
}
static void run_work(nq_call *call, nq_bytes message) {
    kept = message;
    nq_call_wake(call); /* must wait for the work */
    nq_call_run(call, work);
    tell("asked ");
}

static void work_keeps_the_strand_and_the_message(void **state) {
    static const nq_method_handler handler = {BASE, .on_message = run_work};
    nq_method method = {"/t.T/M", NQ_METHOD_UNARY, NQ_METHOD_INLINE, &handler, 0};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("payload"));
    nq_fake_call_run(fake);
    assert_string_equal(story, "open asked work:payload done ");
    assert_message(fake, 0, "worked");
    nq_fake_call_close(fake);
}

/* ---- Receiving ---- */

static void next_message(nq_call *call, nq_bytes message) {
    on_message(call, message);
    nq_call_want_message(call);
    nq_call_want_message(call);
}

static void messages_come_one_per_asking_and_end_with_half_close(void **state) {
    static const nq_method_handler handler = {.on_open = on_open_want,
                                              .on_message = next_message,
                                              .on_half_close = on_half_close,
                                              .on_done = on_done};
    nq_method method = {"/t.T/M", NQ_METHOD_BIDI, 0, &handler, 0};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("a"));
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("b"));
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("c"));
    nq_fake_call_half_close(fake);
    nq_fake_call_run(fake);
    assert_string_equal(story, "open message:a message:b message:c half ");
    nq_fake_call_close(fake);
}

/* ---- State, arena, context ---- */

static void use_state(nq_call *call, nq_bytes message) {
    uint64_t *state = nq_call_state(call);
    nq_ctx ctx;
    assert_int_equal((uintptr_t)state % 16, 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(state[i], 0);
    }
    memset(state, 0xff, 320);
    assert_non_null(nq_arena_alloc(nq_call_arena(call), 1000));
    nq_call_init_ctx(call, &ctx, NULL);
    assert_ptr_equal(ctx.scratch, nq_call_arena(call));
    assert_int_equal(ctx.deadline_ns, nq_call_deadline_ns(call));
    assert_string_equal(nq_call_peer(call), "ipv4:127.0.0.1:1");
    assert_true(nq_bytes_equal(nq_call_metadata(call, "x-request-id"), NQ_BYTES_LITERAL("r1")));
    assert_int_equal(nq_call_metadata(call, "x-absent").size, 0);
    nq_call_reply(call, text(nq_call_service(call)));
}

static void a_handler_finds_zeroed_state_and_what_belongs_to_the_call(void **state) {
    static const nq_method_handler handler = {.state_bytes = 320, .on_message = use_state};
    static char service[] = "service";
    nq_method method = {"/t.T/M", NQ_METHOD_UNARY, 0, &handler, 0};
    const char *const metadata[] = {"x-request-id", "r1", NULL};
    nq_fake_options options = {.metadata = metadata};
    nq_fake_call *fake = nq_fake_call_open(&method, service, &options);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
    nq_fake_call_run(fake);
    assert_message(fake, 0, "service");
    nq_fake_call_close(fake);
}

static nq_bytes encode(void *self, nq_arena *arena, const nq_error *error) {
    return nq_arena_copy(arena, nq_bytes_of_cstr(nq_status_name(error->code)));
}

static void fail_on_message(nq_call *call, nq_bytes message) {
    nq_ctx ctx;
    nq_call_init_ctx(call, &ctx, NULL);
    assert_int_equal(nq_fail(&ctx, NQ_TABLE_NOT_FOUND, "no table t"), NQ_TABLE_NOT_FOUND);
    nq_call_fail(call, &ctx.error);
}

static void everything_on_message(nq_call *call, nq_bytes message) {
    (void)nq_call_add_header(call, "x-header", message);
    (void)nq_call_add_trailer(call, "x-trailer", message);
    (void)nq_arena_alloc(nq_call_arena(call), 100);
    nq_payload *parts[] = {nq_payload_copy(message), nq_payload_copy(message)};
    if (nq_call_write(call, nq_payload_join(parts, 2), true)) {
        (void)nq_call_write(call, nq_payload_copy(message), false);
    }
    nq_call_finish(call, NQ_RPC_ABORTED, "text", message);
}

static void every_failed_allocation_still_ends_in_a_status(void **state) {
    static const nq_method_handler handler = {.state_bytes = 64,
                                              .on_open = on_open,
                                              .on_message = everything_on_message,
                                              .on_done = on_done};
    nq_method method = {"/t.T/M", NQ_METHOD_SERVER_STREAM, 0, &handler, 0};
    for (int is_lasting = 0; is_lasting < 2; is_lasting++) {
        uint64_t tried = 1;
        for (uint64_t nth = 1; nth <= tried; nth++) {
            nq_fake_call *fake = nq_fake_call_open(&method, NULL, NULL);
            forget(NULL);
            nq_fake_call_send(fake, NQ_BYTES_LITERAL("seven b"));
            nq_heap_fail_at(nth, is_lasting != 0);
            nq_fake_call_run(fake);
            tried = nq_heap_fail_never();
            assert_true(nq_fake_call_has_status(fake));
            assert_true(nq_fake_call_is_done(fake));
            /* No handler without its state, and an end for every beginning. */
            assert_int_equal(strstr(story, "open") != NULL, strstr(story, "done") != NULL);
            nq_fake_call_close(fake);
        }
        assert_true(tried >= (is_lasting ? 1 : 8));
    }
}

static void a_failure_becomes_code_text_and_details(void **state) {
    static const nq_method_handler handler = {.on_message = fail_on_message};
    nq_method method = {"/t.T/M", NQ_METHOD_UNARY, 0, &handler, 0};
    nq_fake_options options = {.encode_error = encode};
    nq_fake_call *fake = nq_fake_call_open(&method, NULL, &options);
    nq_fake_call_send(fake, NQ_BYTES_LITERAL("q"));
    nq_fake_call_run(fake);
    assert_int_equal(nq_fake_call_code(fake), NQ_RPC_NOT_FOUND);
    assert_string_equal(nq_fake_call_text(fake), "no table t");
    assert_true(nq_bytes_equal(nq_fake_call_details(fake), NQ_BYTES_LITERAL("TABLE_NOT_FOUND")));
    nq_fake_call_close(fake);
}

/* ---- Payloads ---- */

static void a_join_is_the_concatenation_and_owns_its_parts(void **state) {
    nq_payload *shared = text("shared ");
    nq_payload *parts[] = {nq_payload_acquire(shared), text("own")};
    nq_payload *joined = nq_payload_join(parts, 2);
    assert_int_equal(nq_payload_size(joined), 10);
    assert_int_equal(nq_payload_part_count(joined), 2);
    assert_true(nq_bytes_equal(nq_payload_part(joined, 0), NQ_BYTES_LITERAL("shared ")));
    assert_true(nq_bytes_equal(nq_payload_part(joined, 1), NQ_BYTES_LITERAL("own")));
    nq_payload_release(joined);
    nq_payload *broken[] = {nq_payload_acquire(shared), NULL};
    assert_null(nq_payload_join(broken, 2));
    assert_int_equal(nq_payload_size(shared), 7);
    nq_payload_release(shared);
    nq_payload_release(NULL);
}

#define TEST(name) cmocka_unit_test_setup(name, forget)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_first_end_of_a_call_wins),
        TEST(an_oversized_message_never_reaches_the_handler),
        TEST(a_client_that_leaves_before_its_message_is_only_an_end),
        TEST(an_administrator_ends_a_call_with_the_reason),
        TEST(a_handler_may_say_a_last_word_when_cancelled_from_within),
        TEST(a_lost_client_sets_the_flag_and_is_told_once),
        TEST(a_passed_deadline_is_told_from_a_lost_client),
        TEST(many_wakes_are_one),
        TEST(a_slow_reader_holds_back_the_next_write),
        TEST(a_message_that_promised_more_leaves_when_nothing_follows),
        TEST(everything_accepted_before_the_finish_is_sent_and_nothing_after),
        TEST(a_message_that_could_not_be_built_ends_the_call),
        TEST(headers_leave_before_any_message),
        TEST(work_keeps_the_strand_and_the_message),
        TEST(messages_come_one_per_asking_and_end_with_half_close),
        TEST(a_handler_finds_zeroed_state_and_what_belongs_to_the_call),
        TEST(every_failed_allocation_still_ends_in_a_status),
        TEST(a_failure_becomes_code_text_and_details),
        TEST(a_join_is_the_concatenation_and_owns_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
