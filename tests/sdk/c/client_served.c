/* libnq against the server at NQ_SERVER_ADDR: what nq does not use of it, and what must hold
 * whoever uses it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sdk/c/nq.h"

enum { ROWS = 60000 };

static nq_client *client;
static nq_failure failure;

#define MUST(call) assert_int_equal((call), NQ_CODE_OK)

static uint64_t run(const char *sql, const nq_transaction_handle *transaction) {
    nq_rows *rows;
    nq_query query = {.sql = sql, .mode = NQ_DELIVERY_WHOLE};
    if (transaction != NULL) {
        query.transaction_id = transaction->id;
        query.transaction_id_bytes = transaction->id_bytes;
    }
    if (nq_client_query(client, &query, &rows, &failure) != NQ_CODE_OK) {
        fail_msg("%s: %s", sql, failure.message);
    }
    const nq_row_batch *batch;
    uint64_t number = nq_rows_get_summary(rows).rows_affected;
    if (nq_rows_next(rows, &batch, &failure) == NQ_STEP_ITEM) {
        number = (uint64_t)nq_row_batch_get(batch, 0, 0).integer;
    }
    nq_rows_close(rows);
    return number;
}

static int set_up(void **state) {
    (void)state;
    const char *address = getenv("NQ_SERVER_ADDR");
    if (address == NULL || nq_client_open(address, NULL, &client, &failure) != NQ_CODE_OK) {
        return -1;
    }
    run("CREATE TABLE c_numbers (id BIGINT PRIMARY KEY, half DOUBLE PRECISION, name TEXT)", NULL);
    static const char *const names[] = {"id", "half", "name"};
    static const nq_data_type types[] = {NQ_DATA_INT64, NQ_DATA_FLOAT64, NQ_DATA_TEXT};
    nq_load load = {
        .table = "c_numbers", .column_names = names, .column_types = types, .column_count = 3};
    nq_loader *loader;
    nq_load_result result;
    MUST(nq_client_load(client, &load, 0, &loader, &failure));
    for (int64_t i = 0; i < ROWS; i++) {
        nq_datum row[] = {{.type = NQ_DATA_INT64, .integer = i},
                          {.type = NQ_DATA_FLOAT64, .number = (double)i / 2, .is_null = i % 5 == 0},
                          {.type = NQ_DATA_TEXT, .text = "abcdefgh", .text_bytes = (size_t)i % 9}};
        MUST(nq_loader_append(loader, row, &failure));
    }
    MUST(nq_loader_finish(loader, &result, &failure));
    assert_int_equal(result.rows_committed, ROWS);
    nq_loader_close(loader);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    run("DROP TABLE c_numbers", NULL);
    nq_client_close(client);
    return 0;
}

/* Reads to the end; checks every cell. */
static void read_numbers(nq_rows *rows, uint32_t pause_after) {
    const nq_row_batch *batch;
    int64_t next = 0;
    uint32_t batches = 0;
    nq_step step;
    while ((step = nq_rows_next(rows, &batch, &failure)) == NQ_STEP_ITEM) {
        for (uint32_t i = 0; i < nq_row_batch_count(batch); i++, next++) {
            nq_datum half = nq_row_batch_get(batch, 1, i);
            nq_datum name = nq_row_batch_get(batch, 2, i);
            assert_int_equal(nq_row_batch_get(batch, 0, i).integer, next);
            assert_int_equal(half.is_null, next % 5 == 0);
            assert_true(half.is_null || half.number == (double)next / 2);
            assert_int_equal(name.text_bytes, next % 9);
            assert_memory_equal(name.text, "abcdefgh", name.text_bytes);
        }
        if (++batches == pause_after) {
            MUST(nq_rows_pause(rows, &failure));
            MUST(nq_rows_resume(rows, &failure));
        }
    }
    assert_int_equal(step, NQ_STEP_END);
    assert_int_equal(next, ROWS);
    assert_int_equal(nq_rows_get_summary(rows).row_count, ROWS);
}

static void every_delivery_brings_the_same_rows(void **state) {
    (void)state;
    static const nq_delivery_mode modes[] = {NQ_DELIVERY_STREAM, NQ_DELIVERY_PACED,
                                             NQ_DELIVERY_WHOLE};
    for (size_t i = 0; i < 3; i++) {
        nq_rows *rows;
        size_t count;
        nq_query query = {.sql = "SELECT * FROM c_numbers ORDER BY id",
                          .mode = modes[i],
                          .batch_rows = 777,
                          .window = 3};
        MUST(nq_client_query(client, &query, &rows, &failure));
        const nq_column *columns = nq_rows_columns(rows, &count);
        assert_int_equal(count, 3);
        assert_string_equal(columns[2].name, "name");
        assert_int_equal(columns[2].type, NQ_DATA_TEXT);
        read_numbers(rows, modes[i] == NQ_DELIVERY_PACED ? 5 : 0);
        nq_rows_close(rows);
    }
}

static void parameters_of_every_kind_come_back(void **state) {
    (void)state;
    const nq_datum parameters[] = {
        {.type = NQ_DATA_BOOL, .boolean = true},
        {.type = NQ_DATA_INT64, .integer = INT64_MIN},
        {.type = NQ_DATA_FLOAT64, .number = 0.1},
        {.type = NQ_DATA_TEXT, .text = "it's", .text_bytes = 4},
        {.type = NQ_DATA_BYTES, .text = "\0\xff", .text_bytes = 2},
        {.type = NQ_DATA_TIMESTAMP, .integer = -1},
        {.type = NQ_DATA_DATE, .integer = 11016},
        {.type = NQ_DATA_UUID, .text = "0123456789abcdef", .text_bytes = 16},
        {.type = NQ_DATA_TEXT, .is_null = true}};
    nq_query query = {.sql = "SELECT CAST($1 AS BOOLEAN), CAST($2 AS BIGINT), CAST($3 AS DOUBLE "
                             "PRECISION), $4, CAST($5 AS BYTEA), CAST($6 AS TIMESTAMP), CAST($7 AS "
                             "DATE), CAST($8 AS UUID), $9",
                      .mode = NQ_DELIVERY_WHOLE,
                      .parameters = parameters,
                      .parameter_count = 9};
    nq_rows *rows;
    const nq_row_batch *batch;
    if (nq_client_query(client, &query, &rows, &failure) != NQ_CODE_OK) {
        fail_msg("%s", failure.message);
    }
    assert_int_equal(nq_rows_next(rows, &batch, &failure), NQ_STEP_ITEM);
    assert_true(nq_row_batch_get(batch, 0, 0).boolean);
    assert_true(nq_row_batch_get(batch, 1, 0).integer == INT64_MIN);
    assert_true(nq_row_batch_get(batch, 2, 0).number == 0.1);
    assert_memory_equal(nq_row_batch_get(batch, 3, 0).text, "it's", 4);
    assert_int_equal(nq_row_batch_get(batch, 4, 0).text_bytes, 2);
    assert_int_equal(nq_row_batch_get(batch, 5, 0).integer, -1);
    assert_int_equal(nq_row_batch_get(batch, 6, 0).integer, 11016);
    assert_memory_equal(nq_row_batch_get(batch, 7, 0).text, "0123456789abcdef", 16);
    assert_true(nq_row_batch_get(batch, 8, 0).is_null);
    assert_int_equal(nq_rows_next(rows, &batch, &failure), NQ_STEP_END);
    nq_rows_close(rows);
}

static void a_transaction_is_seen_when_it_commits(void **state) {
    (void)state;
    nq_transaction_handle transaction;
    run("CREATE TABLE c_txn (id INT PRIMARY KEY)", NULL);
    MUST(nq_client_begin(client, false, &transaction, &failure));
    assert_int_equal(run("INSERT INTO c_txn VALUES (1), (2)", &transaction), 2);
    assert_int_equal(run("SELECT count(*) FROM c_txn", NULL), 0);
    MUST(nq_client_commit(client, &transaction, &failure));
    assert_int_equal(transaction.id_bytes, 0);
    assert_int_equal(run("SELECT count(*) FROM c_txn", NULL), 2);
    MUST(nq_client_begin(client, false, &transaction, &failure));
    assert_int_equal(run("DELETE FROM c_txn", &transaction), 2);
    MUST(nq_client_rollback(client, &transaction, &failure));
    assert_int_equal(run("SELECT count(*) FROM c_txn", NULL), 2);
    run("DROP TABLE c_txn", NULL);
}

static void a_failure_says_what_and_where(void **state) {
    (void)state;
    nq_rows *rows;
    nq_query query = {.sql = "SELECT 1,\n       nothing FROM c_numbers",
                      .mode = NQ_DELIVERY_STREAM};
    assert_int_equal(nq_client_query(client, &query, &rows, &failure), NQ_CODE_INVALID_ARGUMENT);
    assert_null(rows);
    assert_string_equal(failure.reason, "UNKNOWN_COLUMN");
    assert_string_equal(failure.sqlstate, "42703");
    assert_int_equal(failure.line, 2);
    assert_int_equal(failure.column, 8);
    assert_int_equal(failure.offset, 17);
    assert_false(nq_failure_is_retryable(&failure));
}

static void *cancel_soon(void *unused) {
    struct timespec wait = {.tv_nsec = 200 * 1000 * 1000};
    (void)unused;
    nanosleep(&wait, NULL);
    nq_client_cancel(client);
    return NULL;
}

static void another_thread_can_cancel(void **state) {
    (void)state;
    pthread_t thread;
    nq_rows *rows;
    nq_query query = {.sql = "SELECT count(*) FROM c_numbers a, c_numbers b, c_numbers c",
                      .mode = NQ_DELIVERY_WHOLE};
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
    assert_int_equal(nq_client_query(client, &query, &rows, &failure), NQ_CODE_CANCELLED);
    pthread_join(thread, NULL);
    assert_int_equal(run("SELECT 1", NULL), 1);
}

static void a_deadline_ends_a_statement(void **state) {
    (void)state;
    nq_rows *rows;
    nq_query query = {.sql = "SELECT count(*) FROM c_numbers a, c_numbers b, c_numbers c",
                      .mode = NQ_DELIVERY_STREAM,
                      .timeout_ms = 200};
    nq_code code = nq_client_query(client, &query, &rows, &failure);
    if (code == NQ_CODE_OK) {
        const nq_row_batch *batch;
        assert_int_equal(nq_rows_next(rows, &batch, &failure), NQ_STEP_FAILED);
        code = failure.code;
        nq_rows_close(rows);
    }
    assert_int_equal(code, NQ_CODE_DEADLINE_EXCEEDED);
}

static void publish(const char *channel, const char *payload) {
    nq_message message = {
        .channel = channel, .payload = (const uint8_t *)payload, .payload_bytes = strlen(payload)};
    MUST(nq_client_publish(client, &message, NULL, NULL, &failure));
}

/* The next message; losses are failures, news is passed over. */
static nq_message next_message(nq_feed *feed) {
    nq_feed_item item;
    for (;;) {
        nq_step step = nq_feed_next(feed, 10000, &item, &failure);
        if (step != NQ_STEP_ITEM || item.kind == NQ_FEED_GAP) {
            fail_msg("step %d: %s", step, failure.message);
        }
        if (item.kind == NQ_FEED_MESSAGE) {
            return item.message;
        }
    }
}

static void a_feed_waits_for_acknowledgement(void **state) {
    (void)state;
    static const char *const patterns[] = {"c.feed.*"};
    nq_interest interest = {.patterns = patterns, .pattern_count = 1, .window = 4};
    nq_feed *feed;
    nq_feed_item item;
    char text[16];
    MUST(nq_client_subscribe(client, &interest, &feed, &failure));
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof text, "%d", i);
        publish("c.feed.a", text);
    }
    nq_message message = {0};
    for (int i = 0; i < 4; i++) {
        message = next_message(feed);
    }
    assert_int_equal(message.sequence, 4);
    nq_step step;
    do { /* news may come, a fifth message must not */
        step = nq_feed_next(feed, 300, &item, &failure);
        assert_true(step == NQ_STEP_TIMEOUT || item.kind == NQ_FEED_STATE);
    } while (step != NQ_STEP_TIMEOUT);
    MUST(nq_feed_acknowledge(feed, message.delivery_id, &failure));
    for (uint64_t i = 5; i <= 10; i++) {
        message = next_message(feed);
        assert_int_equal(message.sequence, i);
        MUST(nq_feed_acknowledge(feed, message.delivery_id, &failure));
    }
    MUST(nq_feed_drain(feed, &failure));
    while ((step = nq_feed_next(feed, 10000, &item, &failure)) == NQ_STEP_ITEM) {
        assert_int_not_equal(item.kind, NQ_FEED_MESSAGE);
    }
    assert_int_equal(step, NQ_STEP_END);
    nq_feed_close(feed);
}

static void a_feed_begins_with_history(void **state) {
    (void)state;
    static const char *const patterns[] = {"c.history"};
    nq_interest interest = {.patterns = patterns, .pattern_count = 1, .history = 2};
    nq_feed *feed;
    publish("c.history", "one");
    publish("c.history", "two");
    publish("c.history", "three");
    MUST(nq_client_listen(client, &interest, &feed, &failure));
    nq_message message = next_message(feed);
    assert_int_equal(message.payload_bytes, 3);
    assert_memory_equal(message.payload, "two", 3);
    assert_int_equal(next_message(feed).sequence, 3);
    assert_int_equal(nq_feed_pause(feed, true, &failure), NQ_CODE_FAILED_PRECONDITION);
    nq_feed_close(feed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_delivery_brings_the_same_rows),
        cmocka_unit_test(parameters_of_every_kind_come_back),
        cmocka_unit_test(a_transaction_is_seen_when_it_commits),
        cmocka_unit_test(a_failure_says_what_and_where),
        cmocka_unit_test(another_thread_can_cancel),
        cmocka_unit_test(a_deadline_ends_a_statement),
        cmocka_unit_test(a_feed_waits_for_acknowledgement),
        cmocka_unit_test(a_feed_begins_with_history),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
