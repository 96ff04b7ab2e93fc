/* StreamService over the real engine: events in order, batches cut as asked, credits, pause, and an
 * end that leaves nothing behind wherever it comes. */
#include <stdio.h>

#include "tests/server/service/live_fixture.h"

/* A request with everything a test may want to vary. */
typedef struct start {
    Neuroquantum__V1__ExecuteStreamRequest request;
    Neuroquantum__V1__Statement statement;
    Neuroquantum__V1__TransactionSelector selector;
    Neuroquantum__V1__TransactionOptions transaction;
    Neuroquantum__V1__QueryOptions options;
    Neuroquantum__V1__StreamOptions stream;
    Google__Protobuf__Duration timeout;
    Neuroquantum__V1__InteractRequest interact;
} start;

static void start_init(start *s, const char *sql) {
    neuroquantum__v1__execute_stream_request__init(&s->request);
    neuroquantum__v1__statement__init(&s->statement);
    neuroquantum__v1__transaction_selector__init(&s->selector);
    neuroquantum__v1__transaction_options__init(&s->transaction);
    neuroquantum__v1__query_options__init(&s->options);
    neuroquantum__v1__stream_options__init(&s->stream);
    google__protobuf__duration__init(&s->timeout);
    neuroquantum__v1__interact_request__init(&s->interact);
    s->statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    s->statement.sql = (char *)sql;
    s->request.statement = &s->statement;
    s->request.options = &s->options;
    s->request.stream = &s->stream;
    s->interact.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_START;
    s->interact.start = &s->request;
}

static nq_fake_call *execute(service_fixture *f, start *s) {
    nq_fake_call *call = live_open(f, "ExecuteStream", false);
    SEND(call, &s->request);
    return call;
}

static nq_fake_call *interact(service_fixture *f, start *s) {
    nq_fake_call *call = live_open(f, "Interact", false);
    SEND(call, &s->interact);
    return call;
}

static Neuroquantum__V1__StreamEvent *event(service_fixture *f, nq_fake_call *call, size_t index) {
    Neuroquantum__V1__InteractResponse *response = RECEIVED(f, call, index, interact_response);
    return response->event;
}

/* Checks the numbering of all batches; the rows they hold. `out_batches` may be NULL. */
static uint64_t count_rows(service_fixture *f, nq_fake_call *call, uint64_t *out_batches) {
    uint64_t rows = 0;
    uint64_t batches = 0;
    for (size_t i = 0; i < nq_fake_call_message_count(call); i++) {
        const Neuroquantum__V1__StreamEvent *e = event(f, call, i);
        if (e->event_case == NEUROQUANTUM__V1__STREAM_EVENT__EVENT_BATCH) {
            assert_int_equal(e->batch->number, ++batches);
            assert_int_equal(e->batch->first_row, rows);
            assert_true(e->batch->row_count > 0);
            rows += e->batch->row_count;
        }
    }
    if (out_batches != NULL) {
        *out_batches = batches;
    }
    return rows;
}

static Neuroquantum__V1__StreamCompleted *completed(service_fixture *f, nq_fake_call *call) {
    live_ended(f, call, NQ_RPC_OK, NULL);
    const Neuroquantum__V1__StreamEvent *last =
        event(f, call, nq_fake_call_message_count(call) - 1);
    assert_int_equal(last->event_case, NEUROQUANTUM__V1__STREAM_EVENT__EVENT_COMPLETED);
    return last->completed;
}

static void no_cursor_is_open(void *user, const char *name, double value) {
    (void)user;
    assert_true(strcmp(name, "open_cursors") != 0 || value == 0);
}

static void nothing_is_left(service_fixture *f) {
    nq_database_visit_stats(f->service.database, no_cursor_is_open, NULL);
    assert_int_equal(nq_query_registry_count(f->service.queries), 0);
}

static void a_stream_starts_brings_every_row_and_completes(void **state) {
    service_fixture *f = *state;
    start s;
    uint64_t batches;
    start_init(&s, "SELECT x, 'n' || x AS name FROM generate_series(1, 20000) AS t(x)");
    nq_fake_call *call = execute(f, &s);
    const Neuroquantum__V1__StreamEvent *first = event(f, call, 0);
    assert_int_equal(first->event_case, NEUROQUANTUM__V1__STREAM_EVENT__EVENT_STARTED);
    assert_int_equal(first->started->n_columns, 2);
    assert_string_equal(first->started->columns[1]->name, "name");
    assert_int_equal(first->started->batch_rows, 8192);
    assert_int_equal(first->started->batch_bytes, 131072);
    assert_true(first->started->query_id[0] != '\0');
    assert_int_equal(first->started->transaction_id.len, 0);
    assert_int_equal(count_rows(f, call, &batches), 20000);
    const Neuroquantum__V1__StreamCompleted *end = completed(f, call);
    assert_int_equal(end->rows, 20000);
    assert_int_equal(end->batches, batches);
    assert_int_equal(end->stats->rows_returned, 20000);
    nq_fake_call_close(call);
    nothing_is_left(f);
}

static void a_write_streams_no_rows_but_says_how_many(void **state) {
    service_fixture *f = *state;
    start s;
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    start_init(&s, "INSERT INTO t VALUES (1), (2), (3)");
    nq_fake_call *call = execute(f, &s);
    assert_int_equal(nq_fake_call_message_count(call), 2);
    const Neuroquantum__V1__StreamCompleted *end = completed(f, call);
    assert_int_equal(end->stats->rows_affected, 3);
    assert_int_equal(end->consistency_token.len, 8);
    nq_fake_call_close(call);
    start_init(&s, "DELETE FROM t RETURNING id");
    call = execute(f, &s);
    assert_int_equal(count_rows(f, call, NULL), 3);
    assert_int_equal(completed(f, call)->stats->rows_affected, 3);
    nq_fake_call_close(call);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 0);
}

static void batches_are_cut_by_rows_and_by_bytes_and_a_wide_row_goes_alone(void **state) {
    service_fixture *f = *state;
    start s;
    uint64_t batches;
    start_init(&s, "SELECT x FROM generate_series(1, 1050) AS t(x)");
    s.stream.batch_rows = 100;
    nq_fake_call *call = execute(f, &s);
    assert_int_equal(count_rows(f, call, &batches), 1050);
    assert_int_equal(batches, 11);
    nq_fake_call_close(call);
    for (int format = NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_ROWS;
         format <= NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_COLUMNS; format++) {
        start_init(&s, "SELECT repeat('x', 3000) FROM generate_series(1, 100) AS t(x)");
        s.options.format = (Neuroquantum__V1__ResultFormat)format;
        s.stream.batch_bytes = 10000;
        call = execute(f, &s);
        assert_int_equal(count_rows(f, call, &batches), 100);
        assert_true(batches >= 34 && batches <= 50); /* three a batch, two if the bound is coarse */
        for (size_t i = 0; i < nq_fake_call_message_count(call); i++) {
            assert_true(nq_fake_call_message(call, i).size < 11000);
        }
        nq_fake_call_close(call);
        start_init(&s, "SELECT repeat('x', 300000) FROM generate_series(1, 5) AS t(x)");
        s.options.format = (Neuroquantum__V1__ResultFormat)format;
        call = execute(f, &s);
        assert_int_equal(count_rows(f, call, &batches), 5);
        assert_int_equal(batches, 5);
        nq_fake_call_close(call);
    }
}

static void rows_and_no_rows_are_formats_too(void **state) {
    service_fixture *f = *state;
    start s;
    start_init(&s, "SELECT x FROM generate_series(1, 3) AS t(x)");
    s.options.format = NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_ROWS;
    nq_fake_call *call = execute(f, &s);
    const Neuroquantum__V1__StreamEvent *e = event(f, call, 1);
    assert_int_equal(e->batch->payload_case, NEUROQUANTUM__V1__BATCH__PAYLOAD_ROWS);
    assert_int_equal(e->batch->rows->n_rows, 3);
    assert_int_equal(e->batch->rows->rows[2]->values[0]->int_value, 3);
    nq_fake_call_close(call);
    s.options.format = NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_NONE;
    call = execute(f, &s);
    assert_int_equal(nq_fake_call_message_count(call), 2);
    assert_int_equal(completed(f, call)->stats->rows_returned, 3);
    nq_fake_call_close(call);
}

static void max_rows_cuts_and_a_notice_says_so(void **state) {
    service_fixture *f = *state;
    start s;
    start_init(&s, "SELECT x FROM generate_series(1, 5000) AS t(x)");
    s.options.max_rows = 3000;
    nq_fake_call *call = execute(f, &s);
    assert_int_equal(count_rows(f, call, NULL), 3000);
    assert_int_equal(completed(f, call)->rows, 3000);
    const Neuroquantum__V1__StreamEvent *e = event(f, call, nq_fake_call_message_count(call) - 2);
    assert_int_equal(e->event_case, NEUROQUANTUM__V1__STREAM_EVENT__EVENT_NOTICE);
    nq_fake_call_close(call);
    s.options.max_rows = 5000; /* exactly what there is: no notice */
    call = execute(f, &s);
    assert_int_equal(completed(f, call)->rows, 5000);
    e = event(f, call, nq_fake_call_message_count(call) - 2);
    assert_int_equal(e->event_case, NEUROQUANTUM__V1__STREAM_EVENT__EVENT_BATCH);
    nq_fake_call_close(call);
}

static void grant(nq_fake_call *call, uint64_t through) {
    Neuroquantum__V1__InteractRequest request = NEUROQUANTUM__V1__INTERACT_REQUEST__INIT;
    Neuroquantum__V1__Flow flow = NEUROQUANTUM__V1__FLOW__INIT;
    flow.grant_through = through;
    request.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_FLOW;
    request.flow = &flow;
    SEND(call, &request);
}

static void no_batch_goes_beyond_the_credit(void **state) {
    service_fixture *f = *state;
    start s;
    uint64_t batches;
    start_init(&s, "SELECT x FROM generate_series(1, 500) AS t(x)");
    s.stream.batch_rows = 100;
    s.stream.manual_grant = 1;
    s.stream.initial_grant = 2;
    nq_fake_call *call = interact(f, &s);
    assert_int_equal(count_rows(f, call, &batches), 200);
    grant(call, 3);
    assert_int_equal(count_rows(f, call, &batches), 300);
    grant(call, 1); /* smaller than before: ignored */
    assert_int_equal(count_rows(f, call, &batches), 300);
    grant(call, 5); /* exactly what is left: the end needs no credit */
    assert_int_equal(completed(f, call)->batches, 5);
    nq_fake_call_close(call);
    nothing_is_left(f);
}

static void control(nq_fake_call *call, bool is_pause, bool value) {
    Neuroquantum__V1__InteractRequest request = NEUROQUANTUM__V1__INTERACT_REQUEST__INIT;
    request.request_case = is_pause ? NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_PAUSE
                                    : NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_CANCEL;
    if (is_pause) {
        request.pause = value;
    } else {
        request.cancel = value;
    }
    SEND(call, &request);
}

static nq_fake_call *paused(service_fixture *f, start *s) {
    s->stream.batch_rows = 100;
    s->stream.manual_grant = 1;
    s->stream.initial_grant = 1;
    nq_fake_call *call = interact(f, s);
    control(call, true, true);
    return call;
}

static void a_paused_stream_sits_and_goes_on_with_new_sizes(void **state) {
    service_fixture *f = *state;
    start s;
    uint64_t batches;
    start_init(&s, "SELECT x FROM generate_series(1, 1000) AS t(x)");
    nq_fake_call *call = paused(f, &s);
    grant(call, 1000);
    assert_int_equal(count_rows(f, call, &batches), 100);
    Neuroquantum__V1__InteractRequest request = NEUROQUANTUM__V1__INTERACT_REQUEST__INIT;
    Neuroquantum__V1__StreamOptions update = NEUROQUANTUM__V1__STREAM_OPTIONS__INIT;
    update.batch_rows = 300;
    request.request_case = NEUROQUANTUM__V1__INTERACT_REQUEST__REQUEST_UPDATE;
    request.update = &update;
    SEND(call, &request);
    control(call, true, false);
    assert_int_equal(count_rows(f, call, &batches), 1000);
    assert_int_equal(batches, 4);
    assert_int_equal(completed(f, call)->batches, 4);
    nq_fake_call_close(call);
}

static void half_closing_ends_a_pause(void **state) {
    service_fixture *f = *state;
    start s;
    start_init(&s, "SELECT x FROM generate_series(1, 1000) AS t(x)");
    nq_fake_call *call = paused(f, &s);
    grant(call, 1000);
    nq_fake_call_half_close(call);
    nq_fake_call_run(call);
    assert_int_equal(completed(f, call)->rows, 1000);
    nq_fake_call_close(call);
}

static void a_cancel_ends_the_stream(void **state) {
    service_fixture *f = *state;
    start s;
    start_init(&s, "SELECT x FROM generate_series(1, 1000) AS t(x)");
    nq_fake_call *call = paused(f, &s);
    control(call, false, true);
    live_ended(f, call, NQ_RPC_CANCELLED, NULL);
    nq_fake_call_close(call);
    nothing_is_left(f);
}

static void a_paused_stream_ends_at_its_own_timeout(void **state) {
    service_fixture *f = *state;
    start s;
    start_init(&s, "SELECT x FROM generate_series(1, 1000) AS t(x)");
    s.timeout.nanos = 20000000;
    s.options.timeout = &s.timeout;
    nq_fake_call *call = paused(f, &s);
    live_wait(call, SIZE_MAX);
    live_ended(f, call, NQ_RPC_DEADLINE_EXCEEDED, NULL);
    nq_fake_call_close(call);
    nothing_is_left(f);
}

static void an_error_may_follow_batches(void **state) {
    service_fixture *f = *state;
    start s;
    start_init(&s, "SELECT 10 / (x - 9000) FROM generate_series(1, 10000) AS t(x)");
    s.stream.batch_rows = 100;
    nq_fake_call *call = execute(f, &s);
    live_ended(f, call, NQ_RPC_INVALID_ARGUMENT, "DIVISION_BY_ZERO");
    assert_true(count_rows(f, call, NULL) > 0);
    nq_fake_call_close(call);
    nothing_is_left(f);
}

static void a_stream_holds_its_transaction_until_it_ends(void **state) {
    service_fixture *f = *state;
    start s;
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    service_do(f, "INSERT INTO t SELECT x FROM generate_series(1, 500) AS s(x)");
    start_init(&s, "SELECT id FROM t");
    s.selector.selector_case = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_BEGIN;
    s.selector.begin = &s.transaction;
    s.request.transaction = &s.selector;
    s.stream.batch_rows = 100;
    s.stream.manual_grant = 1;
    s.stream.initial_grant = 1;
    nq_fake_call *call = interact(f, &s);
    ProtobufCBinaryData id = event(f, call, 0)->started->transaction_id;
    assert_int_equal(id.len, 16);
    assert_null(service_sql_in(f, &id, "SELECT 1"));
    assert_string_equal(f->reason, "TRANSACTION_BUSY");
    grant(call, 100);
    assert_int_equal(completed(f, call)->rows, 500);
    nq_fake_call_close(call);
    wire_free(service_sql_in(f, &id, "DELETE FROM t"));
    assert_int_equal(f->code, NQ_RPC_OK);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 500);
    wire_free(service_sql_in(f, &id, "COMMIT"));
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 0);
}

static void a_client_may_go_away_at_any_point(void **state) {
    service_fixture *f = *state;
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    service_do(f, "INSERT INTO t SELECT x FROM generate_series(1, 500) AS s(x)");
    for (int writes = -1; writes < 8; writes++) {
        start s;
        start_init(&s, "DELETE FROM t WHERE id > 0 RETURNING id");
        s.selector.selector_case = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_SINGLE_USE;
        s.selector.single_use = &s.transaction;
        s.request.transaction = &s.selector;
        s.stream.batch_rows = 100;
        nq_fake_call *call = live_open(f, "Interact", true);
        if (writes >= 0) {
            SEND(call, &s.interact);
        }
        for (int i = 0; i < writes; i++) {
            nq_fake_call_complete_write(call);
            nq_fake_call_run(call);
        }
        bool is_committed = service_int(f, "SELECT count(*) FROM t") == 0;
        nq_fake_call_go_away(call);
        nq_fake_call_run(call);
        nq_fake_call_close(call);
        nothing_is_left(f);
        /* Not committed before the last batch had left: rolled back. */
        assert_true(is_committed || writes < 7);
        assert_int_equal(service_int(f, "SELECT count(*) FROM t"), is_committed ? 0 : 500);
        if (is_committed) {
            break;
        }
    }
}

static void what_does_not_begin_with_start_is_refused(void **state) {
    service_fixture *f = *state;
    start s;
    nq_fake_call *call = live_open(f, "Interact", false);
    grant(call, 1);
    live_ended(f, call, NQ_RPC_INVALID_ARGUMENT, NULL);
    nq_fake_call_close(call);
    call = live_open(f, "Interact", false);
    nq_fake_call_half_close(call);
    nq_fake_call_run(call);
    live_ended(f, call, NQ_RPC_INVALID_ARGUMENT, NULL);
    nq_fake_call_close(call);
    start_init(&s, "SELECT x FROM generate_series(1, 1000) AS t(x)");
    call = paused(f, &s);
    SEND(call, &s.interact);
    live_ended(f, call, NQ_RPC_INVALID_ARGUMENT, NULL);
    nq_fake_call_close(call);
    start_init(&s, "SELECT nothing FROM nowhere");
    call = execute(f, &s);
    live_ended(f, call, NQ_RPC_NOT_FOUND, "TABLE_NOT_FOUND");
    assert_int_equal(nq_fake_call_message_count(call), 0);
    nq_fake_call_close(call);
    nothing_is_left(f);
}

#define LIVE_TEST(name) cmocka_unit_test_setup_teardown(name, live_set_up, live_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        LIVE_TEST(a_stream_starts_brings_every_row_and_completes),
        LIVE_TEST(a_write_streams_no_rows_but_says_how_many),
        LIVE_TEST(batches_are_cut_by_rows_and_by_bytes_and_a_wide_row_goes_alone),
        LIVE_TEST(rows_and_no_rows_are_formats_too),
        LIVE_TEST(max_rows_cuts_and_a_notice_says_so),
        LIVE_TEST(no_batch_goes_beyond_the_credit),
        LIVE_TEST(a_paused_stream_sits_and_goes_on_with_new_sizes),
        LIVE_TEST(half_closing_ends_a_pause),
        LIVE_TEST(a_cancel_ends_the_stream),
        LIVE_TEST(a_paused_stream_ends_at_its_own_timeout),
        LIVE_TEST(an_error_may_follow_batches),
        LIVE_TEST(a_stream_holds_its_transaction_until_it_ends),
        LIVE_TEST(a_client_may_go_away_at_any_point),
        LIVE_TEST(what_does_not_begin_with_start_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
