/* The device client against a real server: what it publishes is heard by another client, what it
 * writes is read back, and what the server refuses comes with its code and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sdk/c/nq.h"
#include "sdk/device/nq_device.h"
#include "sdk/device/nq_device_posix.h"

enum { TIMEOUT_MS = 30000 };

static nq_device device;
static nq_device_posix own_socket;
static nq_device_transport over_tcp;

static const char *address(void) {
    return getenv("NQ_SERVER_ADDR");
}

static int open_device(void **state) {
    char host[64];
    (void)state;
    const char *colon = strrchr(address(), ':');
    assert_true(colon != NULL && (size_t)(colon - address()) < sizeof host);
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - address()), address());
    assert_true(nq_device_posix_connect(&own_socket, host, colon + 1, &over_tcp));
    assert_int_equal(nq_device_open(&device, &over_tcp, address(), TIMEOUT_MS), NQ_DEVICE_OK);
    return 0;
}

static int close_device(void **state) {
    (void)state;
    nq_device_close(&device);
    nq_device_posix_close(&own_socket);
    return 0;
}

static nq_device_code run(const char *sql, const nq_device_value *parameters, size_t count,
                          uint64_t *out_rows) {
    const nq_device_statement statement = {
        .sql = sql, .parameters = parameters, .parameter_count = count};
    return nq_device_execute(&device, &statement, TIMEOUT_MS, out_rows);
}

static void assert_done(nq_device_code code) {
    if (code != NQ_DEVICE_OK) {
        fail_msg("%s", nq_device_last_error(&device)->message);
    }
}

static void the_server_says_that_it_is_well(void **state) {
    (void)state;
    bool is_serving = false;
    assert_done(nq_device_check_health(&device, TIMEOUT_MS, &is_serving));
    assert_true(is_serving);
}

static void a_reading_is_heard_by_a_subscriber(void **state) {
    (void)state;
    static const char *const patterns[] = {"sensors.*"};
    const nq_interest interest = {.patterns = patterns, .pattern_count = 1};
    nq_client *client;
    nq_feed *feed;
    nq_feed_item item;
    nq_failure failure;
    nq_device_published published;
    assert_int_equal(nq_client_open(address(), NULL, &client, &failure), NQ_CODE_OK);
    assert_int_equal(nq_client_subscribe(client, &interest, &feed, &failure), NQ_CODE_OK);
    for (uint64_t turn = 1; turn <= 3; turn++) {
        const nq_device_message message = {
            .channel = "sensors.hall", .payload = "\0\x15\xff", .payload_bytes = 3, .key = "hall"};
        assert_done(nq_device_publish(&device, &message, TIMEOUT_MS, &published));
        assert_int_equal(published.sequence, turn);
        assert_int_equal(published.receivers, 1);
        do {
            assert_int_equal(nq_feed_next(feed, TIMEOUT_MS, &item, &failure), NQ_STEP_ITEM);
        } while (item.kind != NQ_FEED_MESSAGE);
        assert_string_equal(item.message.channel, "sensors.hall");
        assert_string_equal(item.message.key, "hall");
        assert_int_equal(item.message.sequence, turn);
        assert_int_equal(item.message.payload_bytes, 3);
        assert_memory_equal(item.message.payload, "\0\x15\xff", 3);
    }
    nq_feed_close(feed);
    nq_client_close(client);
}

typedef struct seen {
    int rows;
    nq_device_value last[NQ_DEVICE_COLUMNS_MAX];
    char text[NQ_DEVICE_VALUE_BYTES_MAX + 1];
} seen;

static void keep_row(void *user, const nq_device_value *values, size_t count) {
    seen *kept = user;
    kept->rows++;
    for (size_t i = 0; i < count; i++) {
        kept->last[i] = values[i];
        if (values[i].kind == NQ_DEVICE_TEXT) {
            memcpy(kept->text, values[i].bytes.data, values[i].bytes.size);
            kept->text[values[i].bytes.size] = '\0';
        }
    }
}

static seen read_rows(const char *sql) {
    seen kept = {0};
    const nq_device_statement statement = {.sql = sql, .on_row = keep_row, .user = &kept};
    assert_done(nq_device_execute(&device, &statement, TIMEOUT_MS, NULL));
    return kept;
}

static void a_row_is_written_and_read_back(void **state) {
    (void)state;
    uint64_t rows = 0;
    const nq_device_value values[] = {
        {.kind = NQ_DEVICE_INT, .integer = 0},
        {.kind = NQ_DEVICE_DOUBLE, .number = -21.5},
        {.kind = NQ_DEVICE_TEXT, .bytes = {"Küche", 6}},
        {.kind = NQ_DEVICE_TIMESTAMP, .integer = 1700000000123456},
        {.kind = NQ_DEVICE_NULL},
        {.kind = NQ_DEVICE_BOOL, .boolean = false},
    };
    assert_done(run("CREATE TABLE kept (id INTEGER, c DOUBLE PRECISION, place TEXT, at TIMESTAMP, "
                    "note TEXT, ok BOOLEAN)",
                    NULL, 0, NULL));
    assert_done(run("INSERT INTO kept VALUES ($1, $2, $3, $4, $5, $6)", values, 6, &rows));
    assert_int_equal(rows, 1);
    seen kept = read_rows("SELECT * FROM kept");
    assert_int_equal(kept.rows, 1);
    assert_int_equal(kept.last[0].kind, NQ_DEVICE_INT);
    assert_int_equal(kept.last[0].integer, 0);
    assert_true(kept.last[1].kind == NQ_DEVICE_DOUBLE && kept.last[1].number == -21.5);
    assert_string_equal(kept.text, "Küche");
    assert_int_equal(kept.last[3].kind, NQ_DEVICE_TIMESTAMP);
    assert_true(kept.last[3].integer == 1700000000123456);
    assert_int_equal(kept.last[4].kind, NQ_DEVICE_NULL);
    assert_true(kept.last[5].kind == NQ_DEVICE_BOOL && !kept.last[5].boolean);
}

static void a_write_sent_again_under_its_id_happens_once(void **state) {
    (void)state;
    const nq_device_statement statement = {.sql = "INSERT INTO counted VALUES (1)",
                                           .request_id = "device-7-reading-1"};
    assert_done(run("CREATE TABLE counted (n INTEGER)", NULL, 0, NULL));
    for (int turn = 0; turn < 3; turn++) {
        uint64_t rows = 0;
        assert_done(nq_device_execute(&device, &statement, TIMEOUT_MS, &rows));
        assert_int_equal(rows, 1);
    }
    assert_int_equal(read_rows("SELECT count(*) FROM counted").last[0].integer, 1);
}

static void a_refusal_comes_with_code_and_words(void **state) {
    (void)state;
    const nq_device_error *error = nq_device_last_error(&device);
    assert_int_equal(run("SELECT sensr FROM nowhere", NULL, 0, NULL), NQ_DEVICE_REFUSED);
    assert_int_equal(error->server_code, 5); /* NOT_FOUND */
    static const char words[] = "table \"nowhere\" does not exist";
    assert_memory_equal(error->message, words, sizeof words - 1);
    assert_int_equal(run("SELEKT", NULL, 0, NULL), NQ_DEVICE_REFUSED);
    assert_int_equal(error->server_code, 3); /* INVALID_ARGUMENT */
    const nq_device_message message = {.channel = "not*allowed"};
    assert_int_equal(nq_device_publish(&device, &message, TIMEOUT_MS, NULL), NQ_DEVICE_REFUSED);
    assert_int_equal(error->server_code, 3);
    /* The connection is as good as before. */
    assert_int_equal(read_rows("SELECT 7").last[0].integer, 7);
}

static void an_answer_that_does_not_fit_is_told_and_the_next_one_comes(void **state) {
    (void)state;
    const nq_device_error *error = nq_device_last_error(&device);
    for (int turn = 0; turn < 5; turn++) {
        assert_int_equal(run("SELECT g FROM generate_series(1, 5000) AS s(g)", NULL, 0, NULL),
                         NQ_DEVICE_REPLY_TOO_LARGE);
        assert_true(strstr(error->message, "at most 1024 fit") != NULL);
        assert_int_equal(read_rows("SELECT 8").last[0].integer, 8);
    }
}

static void a_statement_that_takes_too_long_is_given_up(void **state) {
    (void)state;
    const nq_device_statement endless = {
        .sql = "SELECT count(*) FROM generate_series(1, 1000000000000) AS s(g)"};
    nq_device_code code = nq_device_execute(&device, &endless, 50, NULL);
    /* Ours or the server's clock may be first. */
    assert_true(code == NQ_DEVICE_TIMEOUT ||
                (code == NQ_DEVICE_REFUSED && nq_device_last_error(&device)->server_code == 4));
    assert_int_equal(read_rows("SELECT 9").last[0].integer, 9);
}

static void a_thousand_calls_take_no_more_memory_than_ten(void **state) {
    (void)state;
    for (int turn = 0; turn < 1000; turn++) {
        if (turn == 10) {
            assert_true(device.pool.used_bytes_max > 0);
        }
        assert_int_equal(read_rows("SELECT 1").last[0].integer, 1);
        (void)run("SELECT nothing", NULL, 0, NULL);
    }
    assert_in_range(nq_device_pool_bytes_used(&device), 1, NQ_DEVICE_POOL_BYTES);
    assert_done(nq_device_poll(&device, 0));
}

#define DEVICE_TEST(name) cmocka_unit_test_setup_teardown(name, open_device, close_device)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(the_server_says_that_it_is_well),
        DEVICE_TEST(a_reading_is_heard_by_a_subscriber),
        DEVICE_TEST(a_row_is_written_and_read_back),
        DEVICE_TEST(a_write_sent_again_under_its_id_happens_once),
        DEVICE_TEST(a_refusal_comes_with_code_and_words),
        DEVICE_TEST(an_answer_that_does_not_fit_is_told_and_the_next_one_comes),
        DEVICE_TEST(a_statement_that_takes_too_long_is_given_up),
        DEVICE_TEST(a_thousand_calls_take_no_more_memory_than_ten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
