/* A reply is one whole message with status OK, or a failure that says what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sdk/device/device_internal.h"

enum { ROOM = 16 };

static uint8_t room[ROOM];
static nq_device_error error;

static void add_header(nq__device_reply *reply, const char *name, const char *value) {
    nq__device_reply_add_header(reply, (const uint8_t *)name, strlen(name), (const uint8_t *)value,
                                strlen(value));
}

static void begin(nq__device_reply *reply) {
    memset(&error, 0, sizeof error);
    nq__device_reply_init(reply, room, sizeof room);
    add_header(reply, ":status", "200");
    add_header(reply, "content-type", "application/grpc");
}

static nq_device_code end_with(const void *body, size_t bytes, size_t piece_bytes,
                               const char *status) {
    nq__device_reply reply;
    begin(&reply);
    for (size_t at = 0; at < bytes; at += piece_bytes) {
        size_t left = bytes - at;
        nq__device_reply_add_data(&reply, (const uint8_t *)body + at,
                                  left < piece_bytes ? left : piece_bytes);
    }
    if (status != NULL) {
        add_header(&reply, "grpc-status", status);
    }
    return nq__device_reply_end(&reply, &error);
}

static void a_message_cut_anywhere_is_put_together(void **state) {
    (void)state;
    for (size_t piece = 1; piece <= 12; piece++) {
        memset(room, 0, sizeof room);
        assert_int_equal(end_with("\0\0\0\0\7reading", 12, piece, "0"), NQ_DEVICE_OK);
        assert_memory_equal(room, "reading", 7);
    }
    assert_int_equal(end_with("\0\0\0\0\0", 5, 5, "0"), NQ_DEVICE_OK);
}

static void what_is_not_one_whole_message_is_a_bad_reply(void **state) {
    (void)state;
    static const struct {
        const char *body;
        size_t bytes;
        const char *status;
    } cases[] = {
        {"", 0, "0"},                        /* none */
        {"\0\0\0", 3, "0"},                  /* a cut prefix */
        {"\0\0\0\0\7read", 9, "0"},          /* a cut message */
        {"\0\0\0\0\1ab", 7, "0"},            /* too much */
        {"\0\0\0\0\1a\0\0\0\0\1b", 12, "0"}, /* two messages */
        {"\1\0\0\0\7reading", 12, "0"},      /* compressed */
        {"\0\0\0\0\7reading", 12, NULL},     /* no status */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(end_with(cases[i].body, cases[i].bytes, 4, cases[i].status),
                         NQ_DEVICE_BAD_REPLY);
        assert_true(strlen(error.message) > 0);
    }
}

static void what_does_not_fit_is_too_large_and_never_written(void **state) {
    (void)state;
    static const uint8_t longest[] = "\0\0\0\0\20"
                                     "0123456789abcdef";
    static const uint8_t longer[] = "\0\0\0\0\21"
                                    "0123456789abcdefg";
    static const uint8_t huge[] = "\0\xff\xff\xff\xff"
                                  "x";
    assert_int_equal(end_with(longest, 21, 7, "0"), NQ_DEVICE_OK);
    assert_int_equal(end_with(longer, 22, 7, NULL), NQ_DEVICE_REPLY_TOO_LARGE);
    assert_string_equal(error.message, "the reply is 17 bytes, at most 16 fit");
    assert_int_equal(end_with(huge, 6, 1, "0"), NQ_DEVICE_REPLY_TOO_LARGE);
}

static nq_device_code refuse_with(const char *status, const char *message) {
    nq__device_reply reply;
    begin(&reply);
    add_header(&reply, "grpc-status", status);
    add_header(&reply, "grpc-message", message);
    return nq__device_reply_end(&reply, &error);
}

static void a_status_comes_with_its_code_and_words(void **state) {
    (void)state;
    assert_int_equal(refuse_with("3", "column %22sensr%22 does not exist%0a100%25 sure"),
                     NQ_DEVICE_REFUSED);
    assert_int_equal(error.server_code, 3);
    assert_string_equal(error.message, "column \"sensr\" does not exist\n100% sure");
    assert_int_equal(refuse_with("16", ""), NQ_DEVICE_REFUSED);
    assert_int_equal(error.server_code, 16);
    assert_string_equal(error.message, "");
}

static void odd_statuses_and_escapes_are_taken_as_they_are(void **state) {
    (void)state;
    static const char *const odd[] = {"17", "999", "12345678901", "-1", "x", ""};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_int_equal(refuse_with(odd[i], "m"), NQ_DEVICE_REFUSED);
        assert_int_equal(error.server_code, 2);
    }
    (void)refuse_with("5", "100% %4 %zz %00 %C3%A4");
    assert_string_equal(error.message, "100% %4 %zz ? \xc3\xa4");
}

static void a_long_message_is_cut_between_characters(void **state) {
    (void)state;
    char message[3 * NQ_DEVICE_ERROR_BYTES];
    /* An odd number of single bytes first, so that the limit falls into a character of two. */
    for (size_t lead = 0; lead < 4; lead++) {
        size_t used = 0;
        while (used < lead) {
            message[used++] = 'a';
        }
        while (used + 2 < sizeof message) {
            memcpy(message + used, "\xc3\xa4", 2);
            used += 2;
        }
        message[used] = '\0';
        (void)refuse_with("3", message);
        size_t have = strlen(error.message);
        assert_in_range(have, NQ_DEVICE_ERROR_BYTES - 2, NQ_DEVICE_ERROR_BYTES - 1);
        assert_int_equal((have - lead) % 2, 0);
        assert_memory_equal(error.message, message, have);
    }
}

static void what_is_no_grpc_server_is_told_by_its_http_status(void **state) {
    (void)state;
    nq__device_reply reply;
    nq__device_reply_init(&reply, room, sizeof room);
    add_header(&reply, ":status", "404");
    assert_int_equal(nq__device_reply_end(&reply, &error), NQ_DEVICE_BAD_REPLY);
    assert_string_equal(error.message, "HTTP status 404: no gRPC server");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_cut_anywhere_is_put_together),
        cmocka_unit_test(what_is_not_one_whole_message_is_a_bad_reply),
        cmocka_unit_test(what_does_not_fit_is_too_large_and_never_written),
        cmocka_unit_test(a_status_comes_with_its_code_and_words),
        cmocka_unit_test(odd_statuses_and_escapes_are_taken_as_they_are),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
        cmocka_unit_test(what_is_no_grpc_server_is_told_by_its_http_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
