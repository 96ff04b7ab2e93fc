/* Statuses are complete and distinct; a failure's words fit their room as UTF-8 whatever they are.
 */
#include "engine/ground/base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/ground/base/ctx.h"
#include "engine/ground/base/utf8.h"

static void every_status_has_a_name_a_meaning_and_a_sqlstate(void **state) {
    (void)state;
    for (int code = 0; code < NQ_STATUS_COUNT; code++) {
        assert_true(strlen(nq_status_name((nq_status)code)) > 1);
        assert_true(strlen(nq_status_meaning((nq_status)code)) > 1);
        assert_int_equal(strlen(nq_status_sqlstate((nq_status)code)), 5);
        assert_in_range(nq_status_rpc_code((nq_status)code), 0, 16);
        for (int other = 0; other < code; other++) {
            assert_string_not_equal(nq_status_name((nq_status)code),
                                    nq_status_name((nq_status)other));
        }
    }
    assert_string_equal(nq_status_name(NQ_WRITE_CONFLICT), "WRITE_CONFLICT");
    assert_string_equal(nq_status_sqlstate(NQ_WRITE_CONFLICT), "40001");
    assert_int_equal(nq_status_rpc_code(NQ_WRITE_CONFLICT), NQ_RPC_ABORTED);
    assert_true(nq_status_is_retryable(NQ_WRITE_CONFLICT));
    assert_false(nq_status_is_retryable(NQ_SQL_SYNTAX));
}

static void only_ok_maps_to_the_ok_of_rpc(void **state) {
    (void)state;
    for (int code = 0; code < NQ_STATUS_COUNT; code++) {
        assert_int_equal(nq_status_rpc_code((nq_status)code) == NQ_RPC_OK, code == NQ_OK);
    }
}

static void an_unknown_number_is_answered_as_a_bug(void **state) {
    (void)state;
    assert_string_equal(nq_status_name((nq_status)NQ_STATUS_COUNT), "BUG");
    assert_string_equal(nq_status_name((nq_status)-1), "BUG");
}

static void failing_writes_the_words_and_clears_what_an_earlier_failure_left(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_fail(&ctx, NQ_IO_ERROR, "first"), NQ_IO_ERROR);
    nq_error_set_hint(&ctx.error, "try %d", 7);
    nq_error_set_object(&ctx.error, "column", 6);
    ctx.error.position.line = 3;
    assert_string_equal(ctx.error.hint, "try 7");
    assert_string_equal(ctx.error.object, "column");
    assert_int_equal(nq_fail(&ctx, NQ_SQL_SYNTAX, "after %s", ctx.error.message), NQ_SQL_SYNTAX);
    assert_int_equal(ctx.error.code, NQ_SQL_SYNTAX);
    assert_string_equal(ctx.error.message, "after first");
    assert_string_equal(ctx.error.hint, "");
    assert_string_equal(ctx.error.object, "");
    assert_int_equal(ctx.error.position.line, 0);
    assert_non_null(strstr(ctx.error.source_file, "status_test.c"));
}

static void a_message_too_long_is_cut_between_characters(void **state) {
    (void)state;
    /* Shifts a run of 2-, 3- and 4-byte characters over the end of the room. */
    static const char *const CHARACTERS[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x90\x98"};
    for (size_t kind = 0; kind < 3; kind++) {
        for (size_t shift = 0; shift < 8; shift++) {
            char text[600] = "";
            memset(text, 'x', shift);
            for (int i = 0; i < 120; i++) {
                strcat(text, CHARACTERS[kind]);
            }
            nq_ctx ctx;
            nq_ctx_init(&ctx, NULL);
            assert_int_equal(nq_fail(&ctx, NQ_BUG, "%s", text), NQ_BUG);
            size_t size = strlen(ctx.error.message);
            assert_in_range(size, NQ_ERROR_MESSAGE_BYTES - 4, NQ_ERROR_MESSAGE_BYTES - 1);
            assert_true(nq_utf8_is_valid(nq_bytes_of_cstr(ctx.error.message)));
            assert_memory_equal(ctx.error.message, text, size);
            nq_error_set_object(&ctx.error, text, strlen(text));
            size = strlen(ctx.error.object);
            assert_in_range(size, NQ_ERROR_OBJECT_BYTES - 4, NQ_ERROR_OBJECT_BYTES - 1);
            assert_memory_equal(ctx.error.object, text, size);
        }
    }
}

static void bytes_that_are_not_utf8_become_question_marks(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_fail(&ctx, NQ_BUG, "a\xFF\xC3(\xE2\x82"), NQ_BUG);
    assert_string_equal(ctx.error.message, "a?"
                                           "?("
                                           "??");
    nq_error_set_object(&ctx.error, "a\0b\xFF", 4);
    assert_string_equal(ctx.error.object, "a?b?");
    nq_error_set_object(&ctx.error, NULL, 0);
    assert_string_equal(ctx.error.object, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_name_a_meaning_and_a_sqlstate),
        cmocka_unit_test(only_ok_maps_to_the_ok_of_rpc),
        cmocka_unit_test(an_unknown_number_is_answered_as_a_bug),
        cmocka_unit_test(failing_writes_the_words_and_clears_what_an_earlier_failure_left),
        cmocka_unit_test(a_message_too_long_is_cut_between_characters),
        cmocka_unit_test(bytes_that_are_not_utf8_become_question_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
