/* The client over a transport of the test's own: what is refused is not sent, and no peer, however
 * odd, silent or hostile, does more than fail the call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sdk/device/nq_device.h"

/* A server's greeting: its settings (none), and the acknowledgement of ours. */
static const uint8_t greeting[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0};

typedef struct peer {
    const uint8_t *script; /* what it says, whatever it hears */
    size_t script_bytes;
    size_t said_bytes;
    size_t heard_bytes;
    size_t piece_bytes; /* at most so many at a time, either way; 0: as many as wanted */
    bool is_deaf;       /* takes nothing */
    bool hangs_up;      /* once it has said all */
    uint32_t now_ms;
} peer;

static size_t at_most(const peer *self, size_t bytes) {
    return self->piece_bytes != 0 && bytes > self->piece_bytes ? self->piece_bytes : bytes;
}

static int hear(void *self, const uint8_t *data, size_t bytes) {
    peer *p = self;
    (void)data;
    if (p->is_deaf) {
        return 0;
    }
    bytes = at_most(p, bytes);
    p->heard_bytes += bytes;
    return (int)bytes;
}

/* Waiting is what makes its time pass. */
static int say(void *self, uint8_t *room, size_t bytes, uint32_t timeout_ms) {
    peer *p = self;
    size_t left = p->script_bytes - p->said_bytes;
    if (left == 0) {
        p->now_ms += timeout_ms;
        return p->hangs_up ? -1 : 0;
    }
    bytes = at_most(p, bytes < left ? bytes : left);
    memcpy(room, p->script + p->said_bytes, bytes);
    p->said_bytes += bytes;
    return (int)bytes;
}

static uint32_t tell_time(void *self) {
    return ((peer *)self)->now_ms;
}

static nq_device device;

static nq_device_code open_to(peer *p) {
    const nq_device_transport transport = {
        .self = p, .send = hear, .receive = say, .now_ms = tell_time};
    return nq_device_open(&device, &transport, "server:50051", 1000);
}

static peer greeter(void) {
    return (peer){.script = greeting, .script_bytes = sizeof greeting};
}

static nq_device_code publish(const char *channel) {
    const nq_device_message message = {.channel = channel, .payload = "1", .payload_bytes = 1};
    return nq_device_publish(&device, &message, 1000, NULL);
}

static void what_is_too_long_is_not_sent(void **state) {
    (void)state;
    peer p = greeter();
    char channel[NQ_DEVICE_CHANNEL_BYTES_MAX + 2];
    memset(channel, 'c', sizeof channel - 1);
    channel[sizeof channel - 1] = '\0';
    assert_int_equal(open_to(&p), NQ_DEVICE_OK);
    size_t heard_bytes = p.heard_bytes;
    assert_int_equal(publish(channel), NQ_DEVICE_TOO_LONG);
    assert_int_equal(nq_device_last_error(&device)->code, NQ_DEVICE_TOO_LONG);
    assert_int_equal(p.heard_bytes, heard_bytes);
    /* The connection is as good as before. */
    assert_int_equal(publish("c"), NQ_DEVICE_TIMEOUT);
    assert_true(p.heard_bytes > heard_bytes);
    nq_device_close(&device);
}

static void a_name_too_long_for_the_server_opens_nothing(void **state) {
    (void)state;
    peer p = greeter();
    const nq_device_transport transport = {
        .self = &p, .send = hear, .receive = say, .now_ms = tell_time};
    char authority[NQ_DEVICE_AUTHORITY_BYTES_MAX + 2];
    memset(authority, 'h', sizeof authority - 1);
    authority[sizeof authority - 1] = '\0';
    assert_int_equal(nq_device_open(&device, &transport, authority, 1000), NQ_DEVICE_TOO_LONG);
    assert_int_equal(p.heard_bytes, 0);
    assert_int_equal(publish("c"), NQ_DEVICE_CLOSED);
    nq_device_close(&device);
}

static void a_greeting_may_come_byte_by_byte(void **state) {
    (void)state;
    peer p = greeter();
    p.piece_bytes = 1;
    assert_int_equal(open_to(&p), NQ_DEVICE_OK);
    nq_device_close(&device);
}

static void a_silent_server_times_out(void **state) {
    (void)state;
    peer p = {0};
    assert_int_equal(open_to(&p), NQ_DEVICE_TIMEOUT);
    nq_device_close(&device);
    p = greeter();
    assert_int_equal(open_to(&p), NQ_DEVICE_OK);
    uint32_t start_ms = p.now_ms;
    assert_int_equal(publish("c"), NQ_DEVICE_TIMEOUT);
    assert_int_equal(p.now_ms - start_ms, 1000);
    nq_device_close(&device);
}

static void the_clock_may_wrap_around(void **state) {
    (void)state;
    peer p = greeter();
    p.now_ms = UINT32_MAX - 100;
    assert_int_equal(open_to(&p), NQ_DEVICE_OK);
    assert_int_equal(publish("c"), NQ_DEVICE_TIMEOUT);
    assert_int_equal(p.now_ms, 899); /* 1000 ms later */
    nq_device_close(&device);
}

static void a_transport_that_takes_nothing_times_out(void **state) {
    (void)state;
    peer p = greeter();
    assert_int_equal(open_to(&p), NQ_DEVICE_OK);
    p.is_deaf = true;
    assert_int_equal(publish("c"), NQ_DEVICE_TIMEOUT);
    nq_device_close(&device);
}

static void a_broken_connection_is_closed_until_opened_again(void **state) {
    (void)state;
    peer p = greeter();
    assert_int_equal(open_to(&p), NQ_DEVICE_OK);
    p.hangs_up = true;
    assert_int_equal(publish("c"), NQ_DEVICE_CLOSED);
    assert_int_equal(publish("c"), NQ_DEVICE_CLOSED);
    assert_int_equal(nq_device_poll(&device, 10), NQ_DEVICE_CLOSED);
    nq_device_close(&device);
    p = greeter();
    assert_int_equal(open_to(&p), NQ_DEVICE_OK);
    nq_device_close(&device);
}

static void a_closed_device_may_be_closed_and_used_in_vain(void **state) {
    (void)state;
    memset(&device, 0, sizeof device);
    nq_device_close(&device);
    assert_int_equal(publish("c"), NQ_DEVICE_CLOSED);
    bool is_serving = true;
    assert_int_equal(nq_device_check_health(&device, 10, &is_serving), NQ_DEVICE_CLOSED);
    assert_false(is_serving);
}

/* What the peer says next. */
static void say_next(peer *p, const uint8_t *script, size_t bytes) {
    p->script = script;
    p->script_bytes = bytes;
    p->said_bytes = 0;
}

/* ":status: 200" from HPACK's table; one DATA frame, "serving"; "grpc-status: 0" and the end; and,
 * in the same breath, GOAWAY. */
static const uint8_t last_answer[] = {
    0,   0, 1,   1, 4, 0, 0, 0, 1, 0x88,                                                       /**/
    0,   0, 7,   0, 0, 0, 0, 0, 1, 0,    0,  0,   0,   2,   8,   1,                            /**/
    0,   0, 15,  1, 5, 0, 0, 0, 1, 0x00, 11, 'g', 'r', 'p', 'c', '-', 's', 't', 'a', 't', 'u', /**/
    's', 1, '0', 0, 0, 8, 7, 0, 0, 0,    0,  0,   0,   0,   0,   1,   0,   0,   0,   0};

static void an_answer_that_comes_with_a_goodbye_is_an_answer(void **state) {
    (void)state;
    for (size_t piece = 0; piece <= 16; piece++) {
        peer p = greeter();
        bool is_serving = false;
        assert_int_equal(open_to(&p), NQ_DEVICE_OK);
        say_next(&p, last_answer, sizeof last_answer);
        p.piece_bytes = piece;
        assert_int_equal(nq_device_check_health(&device, 1000, &is_serving), NQ_DEVICE_OK);
        assert_true(is_serving);
        (void)nq_device_poll(&device, 0);
        assert_int_equal(publish("c"), NQ_DEVICE_CLOSED);
        nq_device_close(&device);
    }
}

static void a_ping_is_answered_between_calls(void **state) {
    (void)state;
    static const uint8_t ping[] = {0,   0,   8,   6,   0,   0,   0,   0,  0,
                                   'p', 'i', 'n', 'g', '-', 'm', 'e', '!'};
    peer p = greeter();
    assert_int_equal(open_to(&p), NQ_DEVICE_OK);
    size_t heard_bytes = p.heard_bytes;
    say_next(&p, ping, sizeof ping);
    assert_int_equal(nq_device_poll(&device, 10), NQ_DEVICE_OK);
    assert_int_equal(p.heard_bytes, heard_bytes + sizeof ping);
    nq_device_close(&device);
}

/* After the greeting, frames of noise. Whatever they mean to nghttp2, a call ends. */
static void noise_fails_the_call_and_no_more(void **state) {
    (void)state;
    static uint8_t script[sizeof greeting + 2000];
    uint32_t random = 1;
    for (int turn = 0; turn < 2000; turn++) {
        memcpy(script, greeting, sizeof greeting);
        for (size_t i = sizeof greeting; i < sizeof script; i++) {
            random = random * 1664525U + 1013904223U;
            script[i] = (uint8_t)(random >> 24);
        }
        /* A length that can be right, and a type that exists: noise that is not refused at once. */
        script[sizeof greeting] = 0;
        script[sizeof greeting + 1] = 0;
        script[sizeof greeting + 2] &= 0x7f;
        script[sizeof greeting + 3] = (uint8_t)(turn % 10);
        peer p = {.script = script, .script_bytes = sizeof script, .piece_bytes = 37};
        nq_device_code code = open_to(&p);
        if (code == NQ_DEVICE_OK) {
            code = publish("c");
        }
        assert_int_not_equal(code, NQ_DEVICE_OK);
        assert_true(strlen(nq_device_last_error(&device)->message) > 0);
        nq_device_close(&device);
        assert_int_equal(device.pool.used_bytes, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_too_long_is_not_sent),
        cmocka_unit_test(a_name_too_long_for_the_server_opens_nothing),
        cmocka_unit_test(a_greeting_may_come_byte_by_byte),
        cmocka_unit_test(a_silent_server_times_out),
        cmocka_unit_test(the_clock_may_wrap_around),
        cmocka_unit_test(a_transport_that_takes_nothing_times_out),
        cmocka_unit_test(a_broken_connection_is_closed_until_opened_again),
        cmocka_unit_test(a_closed_device_may_be_closed_and_used_in_vain),
        cmocka_unit_test(an_answer_that_comes_with_a_goodbye_is_an_answer),
        cmocka_unit_test(a_ping_is_answered_between_calls),
        cmocka_unit_test(noise_fails_the_call_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
