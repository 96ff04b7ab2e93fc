/* Failures and addresses: what the client makes of status details and of what a user types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "sdk/c/client_internal.h"

static void details_fill_the_failure(void **state) {
    (void)state;
    uint8_t info_bytes[64], detail_bytes[128], status_bytes[512];
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    info.reason = (char *)"SQL_SYNTAX";
    Neuroquantum__V1__Position position = NEUROQUANTUM__V1__POSITION__INIT;
    position.line = 2;
    position.column = 8;
    position.offset = 15;
    Neuroquantum__V1__QueryErrorDetail detail = NEUROQUANTUM__V1__QUERY_ERROR_DETAIL__INIT;
    detail.sqlstate = (char *)"42601";
    detail.position = &position;
    detail.token = (char *)"FORM";
    detail.hint = (char *)"did you mean FROM?";
    Google__Protobuf__Any first = GOOGLE__PROTOBUF__ANY__INIT, second = GOOGLE__PROTOBUF__ANY__INIT;
    first.type_url = (char *)"type.googleapis.com/google.rpc.ErrorInfo";
    first.value =
        (ProtobufCBinaryData){google__rpc__error_info__pack(&info, info_bytes), info_bytes};
    second.type_url = (char *)"type.googleapis.com/neuroquantum.v1.QueryErrorDetail";
    second.value = (ProtobufCBinaryData){
        neuroquantum__v1__query_error_detail__pack(&detail, detail_bytes), detail_bytes};
    Google__Protobuf__Any *list[] = {&first, &second};
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    status.n_details = 2;
    status.details = list;
    size_t bytes = google__rpc__status__pack(&status, status_bytes);

    nq_failure failure = {.code = NQ_CODE_INVALID_ARGUMENT};
    nq__failure_read_details(&failure, status_bytes, bytes);
    assert_string_equal(failure.reason, "SQL_SYNTAX");
    assert_string_equal(failure.sqlstate, "42601");
    assert_string_equal(failure.token, "FORM");
    assert_string_equal(failure.hint, "did you mean FROM?");
    assert_int_equal(failure.line, 2);
    assert_int_equal(failure.column, 8);
    assert_int_equal(failure.offset, 15);
}

static void details_that_are_garbage_change_nothing(void **state) {
    (void)state;
    nq_failure failure = {.code = NQ_CODE_INTERNAL, .message = "kept"};
    nq__failure_read_details(&failure, (const uint8_t *)"\xff\xff\xff", 3);
    assert_string_equal(failure.message, "kept");
    assert_string_equal(failure.reason, "");
}

static void texts_are_cut_between_characters(void **state) {
    (void)state;
    char small[4];
    nq__copy_text(small, sizeof small, "a\xc3\xa9\xc3\xa9", 5);
    assert_string_equal(small, "a\xc3\xa9");
    nq__copy_text(small, sizeof small, "ab\xc3\xa9", 4);
    assert_string_equal(small, "ab");
}

static void expect_target(const char *uri, const char *wanted) {
    nq_failure failure;
    char *target = nq__target_parse(uri, &failure);
    if (wanted == NULL) {
        assert_null(target);
        assert_int_equal(failure.code, NQ_CODE_INVALID_ARGUMENT);
    } else {
        assert_non_null(target);
        assert_string_equal(target, wanted);
    }
    free(target);
}

static void addresses_have_a_default_port(void **state) {
    (void)state;
    expect_target("nq://example:1234", "dns:example:1234");
    expect_target("nq://example/", "dns:example:50051");
    expect_target("localhost", "dns:localhost:50051");
    expect_target("127.0.0.1:7", "dns:127.0.0.1:7");
    expect_target("nq://[::1]:7", "dns:[::1]:7");
    expect_target("[::1]", "dns:[::1]:50051");
    expect_target("unix:/run/nq.sock", "unix:/run/nq.sock");
}

static void addresses_that_promise_more_than_there_is_are_refused(void **state) {
    (void)state;
    expect_target("", NULL);
    expect_target(":50051", NULL);
    expect_target("host:port", NULL);
    expect_target("nq://me@host", NULL);
    expect_target("nq://host/db", NULL);
    expect_target("nq://host?tls=on", NULL);
    expect_target("http://host", NULL);
    expect_target("unix:", NULL);
}

static void only_what_may_pass_is_worth_a_retry(void **state) {
    (void)state;
    nq_failure failure = {.code = NQ_CODE_UNAVAILABLE};
    assert_true(nq_failure_is_retryable(&failure));
    failure.code = NQ_CODE_ABORTED;
    assert_true(nq_failure_is_retryable(&failure));
    failure.code = NQ_CODE_RESOURCE_EXHAUSTED;
    assert_true(nq_failure_is_retryable(&failure));
    strcpy(failure.reason, "RESULT_TOO_LARGE");
    assert_false(nq_failure_is_retryable(&failure));
    failure.code = NQ_CODE_INVALID_ARGUMENT;
    assert_false(nq_failure_is_retryable(&failure));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(details_fill_the_failure),
        cmocka_unit_test(details_that_are_garbage_change_nothing),
        cmocka_unit_test(texts_are_cut_between_characters),
        cmocka_unit_test(addresses_have_a_default_port),
        cmocka_unit_test(addresses_that_promise_more_than_there_is_are_refused),
        cmocka_unit_test(only_what_may_pass_is_worth_a_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
