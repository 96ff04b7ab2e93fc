/* The real binary over a real wire: start, answer, cancel, drain, refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <neuroquantum/v1/admin.pb-c.h>
#include <neuroquantum/v1/query.pb-c.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/rpc/server_process.h"
#include "tests/support/rpc_client.h"

#define QUERY "/neuroquantum.v1.QueryService/"
#define ADMIN "/neuroquantum.v1.AdminService/"

/* It would run for hours. */
#define ENDLESS "SELECT count(*) FROM generate_series(1, 1000000000000)"

typedef struct box {
    char directory[256];
    server_process server;
    nq_rpc_client *client;
    nq_rpc_end end; /* of the last call */
} box;

static int open_box(void **state) {
    box *b = calloc(1, sizeof *b);
    server_make_directory(b->directory);
    static const char *const arguments[] = {"--threads-worker", "2", NULL};
    server_start(&b->server, b->directory, arguments, true);
    b->client = nq_rpc_client_open(b->server.target);
    *state = b;
    return 0;
}

static int close_box(void **state) {
    box *b = *state;
    nq_rpc_end_clear(&b->end);
    nq_rpc_client_close(b->client);
    if (b->server.pid > 0) {
        server_signal(&b->server, SIGTERM);
        assert_int_equal(server_wait(&b->server), 0);
    }
    free(b);
    return 0;
}

static void *call(box *b, nq_rpc_client *client, const char *path, const ProtobufCMessage *request,
                  const ProtobufCMessageDescriptor *response, uint32_t timeout_ms) {
    size_t bytes = protobuf_c_message_get_packed_size(request);
    uint8_t *packed = malloc(bytes + 1);
    nq_bytes message = {0};
    void *answer = NULL;
    protobuf_c_message_pack(request, packed);
    nq_rpc_end_clear(&b->end);
    if (nq_rpc_unary(client, path, nq_bytes_of(packed, bytes), timeout_ms, &message, &b->end) ==
        NQ_RPC_OK) {
        answer =
            protobuf_c_message_unpack(response, NULL, message.size,
                                      message.data == NULL ? (const uint8_t *)"" : message.data);
        assert_non_null(answer);
        nq_rpc_message_free(message);
    }
    free(packed);
    return answer;
}

static Neuroquantum__V1__ExecuteResponse *execute(box *b, const char *sql, uint32_t timeout_ms) {
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    statement.sql = (char *)sql;
    request.statement = &statement;
    return call(b, b->client, QUERY "Execute", &request.base,
                &neuroquantum__v1__execute_response__descriptor, timeout_ms);
}

static void must_execute(box *b, const char *sql) {
    Neuroquantum__V1__ExecuteResponse *have = execute(b, sql, 0);
    if (have == NULL) {
        print_error("%s: %s\n", sql, b->end.text);
    }
    assert_non_null(have);
    protobuf_c_message_free_unpacked(&have->base, NULL);
}

static int64_t first_int(box *b, const char *sql) {
    Neuroquantum__V1__ExecuteResponse *have = execute(b, sql, 0);
    assert_non_null(have);
    int64_t value = have->rows->rows[0]->values[0]->int_value;
    protobuf_c_message_free_unpacked(&have->base, NULL);
    return value;
}

/* Sends a statement without waiting for its answer. */
static nq_rpc_stream *start_statement(nq_rpc_client *client, const char *sql) {
    uint8_t packed[512];
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    statement.sql = (char *)sql;
    request.statement = &statement;
    size_t bytes = neuroquantum__v1__execute_request__pack(&request, packed);
    nq_rpc_stream *stream = nq_rpc_stream_open(client, QUERY "Execute", 0, NULL);
    assert_true(nq_rpc_stream_send(stream, nq_bytes_of(packed, bytes)));
    nq_rpc_stream_half_close(stream);
    return stream;
}

static Neuroquantum__V1__ListQueriesResponse *list_queries(box *b) {
    Neuroquantum__V1__ListQueriesRequest request = NEUROQUANTUM__V1__LIST_QUERIES_REQUEST__INIT;
    return call(b, b->client, ADMIN "ListQueries", &request.base,
                &neuroquantum__v1__list_queries_response__descriptor, 0);
}

static void rest(void) {
    const struct timespec pause = {.tv_nsec = 2000000};
    (void)nanosleep(&pause, NULL);
}

/* Waits until this many statements run (others may be queued); returns the id of the first. */
static void wait_for_queries(box *b, size_t count, char id[64]) {
    while (true) {
        size_t running = 0;
        Neuroquantum__V1__ListQueriesResponse *have = list_queries(b);
        assert_non_null(have);
        for (size_t i = 0; i < have->n_queries; i++) {
            assert_string_equal(have->queries[i]->sql, ENDLESS);
            if (strcmp(have->queries[i]->state, "running") == 0 && running++ == 0) {
                (void)snprintf(id, 64, "%s", have->queries[i]->query_id);
            }
        }
        protobuf_c_message_free_unpacked(&have->base, NULL);
        if (running == count) {
            return;
        }
        rest();
    }
}

static bool is_listed(box *b, const char *id) {
    bool is_found = false;
    Neuroquantum__V1__ListQueriesResponse *have = list_queries(b);
    assert_non_null(have);
    for (size_t i = 0; i < have->n_queries; i++) {
        is_found |= strcmp(have->queries[i]->query_id, id) == 0;
    }
    protobuf_c_message_free_unpacked(&have->base, NULL);
    return is_found;
}

static bool cancel_query(box *b, const char *id) {
    Neuroquantum__V1__CancelQueryRequest request = NEUROQUANTUM__V1__CANCEL_QUERY_REQUEST__INIT;
    request.query_id = (char *)id;
    Neuroquantum__V1__CancelQueryResponse *have =
        call(b, b->client, QUERY "CancelQuery", &request.base,
             &neuroquantum__v1__cancel_query_response__descriptor, 0);
    assert_non_null(have);
    bool is_found = have->found;
    protobuf_c_message_free_unpacked(&have->base, NULL);
    return is_found;
}

/* ---- Serving ---- */

static void it_greets_with_its_address_and_three_commands(void **state) {
    box *b = *state;
    assert_non_null(strstr(b->server.printed, "neuroquantumd 0.1.0 serves "));
    must_execute(b, "SELECT 1");
    server_signal(&b->server, SIGTERM);
    assert_int_equal(server_wait(&b->server), 0);
    b->server.pid = 0;
    assert_non_null(strstr(b->server.printed, "nq --server 127.0.0.1:"));
    assert_non_null(strstr(b->server.printed, "grpcurl -plaintext 127.0.0.1:"));
    assert_non_null(strstr(b->server.printed, "neuroquantum.v1.QueryService/Execute"));
    assert_non_null(strstr(b->server.printed, "stopped"));
}

static void what_was_committed_survives_a_kill(void **state) {
    box *b = *state;
    must_execute(b, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)");
    for (int i = 0; i < 20; i++) {
        char sql[64];
        (void)snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%d, 'x')", i);
        must_execute(b, sql);
    }
    server_signal(&b->server, SIGKILL);
    assert_int_equal(server_wait(&b->server), -SIGKILL);
    nq_rpc_client_close(b->client);
    server_start(&b->server, b->directory, NULL, true);
    b->client = nq_rpc_client_open(b->server.target);
    assert_int_equal(first_int(b, "SELECT count(*) FROM t"), 20);
}

static void a_statement_is_cancelled_from_another_call(void **state) {
    box *b = *state;
    char id[64];
    nq_rpc_end end;
    nq_rpc_stream *stream = start_statement(b->client, ENDLESS);
    wait_for_queries(b, 1, id);
    assert_true(cancel_query(b, id));
    assert_int_equal(nq_rpc_stream_finish(stream, &end), NQ_RPC_CANCELLED);
    nq_rpc_end_clear(&end);
    wait_for_queries(b, 0, id);
    assert_false(cancel_query(b, id));
}

static void cancelling_gets_through_when_every_worker_is_busy(void **state) {
    box *b = *state;
    char id[64];
    nq_rpc_end end;
    nq_rpc_stream *streams[5];
    for (int i = 0; i < 5; i++) {
        streams[i] = start_statement(b->client, ENDLESS);
    }
    /* Two workers, five statements: each cancelled one lets the next one in. */
    for (int i = 0; i < 5; i++) {
        wait_for_queries(b, i < 4 ? 2 : 1, id);
        assert_true(cancel_query(b, id));
        while (is_listed(b, id)) {
            rest();
        }
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(nq_rpc_stream_finish(streams[i], &end), NQ_RPC_CANCELLED);
        nq_rpc_end_clear(&end);
    }
}

static size_t running_count(box *b) {
    size_t running = 0;
    Neuroquantum__V1__ListQueriesResponse *have = list_queries(b);
    assert_non_null(have);
    for (size_t i = 0; i < have->n_queries; i++) {
        running += strcmp(have->queries[i]->state, "running") == 0;
    }
    protobuf_c_message_free_unpacked(&have->base, NULL);
    return running;
}

/* Sends a statement of an open transaction and waits for its answer. */
static nq_rpc_code execute_in(box *b, const uint8_t id[16], const char *sql) {
    uint8_t packed[512];
    nq_bytes message = {0};
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    Neuroquantum__V1__TransactionSelector selector = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__INIT;
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    statement.sql = (char *)sql;
    selector.selector_case = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_TRANSACTION_ID;
    selector.transaction_id = (ProtobufCBinaryData){16, (uint8_t *)id};
    request.statement = &statement;
    request.transaction = &selector;
    size_t bytes = neuroquantum__v1__execute_request__pack(&request, packed);
    nq_rpc_end_clear(&b->end);
    nq_rpc_code code = nq_rpc_unary(b->client, QUERY "Execute", nq_bytes_of(packed, bytes), 5000,
                                    &message, &b->end);
    nq_rpc_message_free(message);
    return code;
}

/* Both workers wait for a row that an open transaction holds: its end must not wait for a worker.
 */
static void a_commit_gets_through_when_every_worker_waits_for_its_lock(void **state) {
    box *b = *state;
    uint8_t id[16];
    nq_rpc_end end;
    nq_rpc_stream *waiting[2];
    must_execute(b, "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)");
    must_execute(b, "INSERT INTO t VALUES (1, 0)");
    Neuroquantum__V1__ExecuteResponse *begun = execute(b, "BEGIN", 0);
    assert_non_null(begun);
    memcpy(id, begun->transaction_id.data, sizeof id);
    protobuf_c_message_free_unpacked(&begun->base, NULL);
    assert_int_equal(execute_in(b, id, "UPDATE t SET v = v + 1 WHERE id = 1"), NQ_RPC_OK);
    for (int i = 0; i < 2; i++) {
        waiting[i] = start_statement(b->client, "UPDATE t SET v = v + 1 WHERE id = 1");
    }
    while (running_count(b) < 2) {
        rest();
    }
    assert_int_equal(execute_in(b, id, "COMMIT"), NQ_RPC_OK);
    for (int i = 0; i < 2; i++) {
        nq_bytes message = {0};
        assert_true(nq_rpc_stream_receive(waiting[i], &message));
        nq_rpc_message_free(message);
        assert_int_equal(nq_rpc_stream_finish(waiting[i], &end), NQ_RPC_OK);
        nq_rpc_end_clear(&end);
    }
    assert_int_equal(first_int(b, "SELECT v FROM t WHERE id = 1"), 3);
}

static void a_client_that_goes_away_stops_its_statement(void **state) {
    box *b = *state;
    char id[64];
    nq_rpc_end end;
    nq_rpc_stream *stream = start_statement(b->client, ENDLESS);
    wait_for_queries(b, 1, id);
    nq_rpc_stream_cancel(stream);
    assert_int_equal(nq_rpc_stream_finish(stream, &end), NQ_RPC_CANCELLED);
    nq_rpc_end_clear(&end);
    wait_for_queries(b, 0, id);
}

static void a_deadline_stops_its_statement(void **state) {
    box *b = *state;
    char id[64];
    assert_null(execute(b, ENDLESS, 100));
    assert_int_equal(b->end.code, NQ_RPC_DEADLINE_EXCEEDED);
    wait_for_queries(b, 0, id);
}

static void a_method_nobody_has_is_unimplemented(void **state) {
    box *b = *state;
    nq_bytes message = {0};
    nq_rpc_end_clear(&b->end);
    assert_int_equal(nq_rpc_unary(b->client, QUERY "Guess", (nq_bytes){0}, 0, &message, &b->end),
                     NQ_RPC_UNIMPLEMENTED);
    nq_rpc_end_clear(&b->end);
    assert_int_equal(nq_rpc_unary(b->client, ADMIN "Vacuum", (nq_bytes){0}, 0, &message, &b->end),
                     NQ_RPC_UNIMPLEMENTED);
    assert_non_null(strstr(b->end.text, "Vacuum"));
}

/* ---- Hostile input ---- */

static void hostile_requests_are_refused_and_change_nothing(void **state) {
    box *b = *state;
    enum { BYTES = 3 << 20 };
    uint8_t *bytes = malloc(BYTES);
    static const struct {
        const char *path;
        uint8_t first, second;
        nq_rpc_code want;
    } floods[] = {
        {QUERY "ExecuteBatch", 0x0a, 0x00, NQ_RPC_RESOURCE_EXHAUSTED}, /* empty submessages */
        {QUERY "Execute", 0x0a, 0x7e, NQ_RPC_INVALID_ARGUMENT},        /* nesting, cut short */
        {QUERY "Execute", 0xff, 0xff, NQ_RPC_INVALID_ARGUMENT},        /* endless varints */
        {ADMIN "GetStats", 0x0a, 0x01, NQ_RPC_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
        nq_bytes message = {0};
        for (size_t at = 0; at < BYTES; at += 2) {
            bytes[at] = floods[i].first;
            bytes[at + 1] = floods[i].second;
        }
        nq_rpc_end_clear(&b->end);
        assert_int_equal(nq_rpc_unary(b->client, floods[i].path, nq_bytes_of(bytes, BYTES), 0,
                                      &message, &b->end),
                         floods[i].want);
    }
    free(bytes);
    must_execute(b, "SELECT 1");
}

static void a_request_larger_than_the_limit_is_refused(void **state) {
    box *b = *state;
    enum { BYTES = 5 << 20 };
    nq_bytes message = {0};
    uint8_t *bytes = calloc(1, BYTES);
    nq_rpc_end_clear(&b->end);
    assert_int_equal(
        nq_rpc_unary(b->client, QUERY "Execute", nq_bytes_of(bytes, BYTES), 0, &message, &b->end),
        NQ_RPC_RESOURCE_EXHAUSTED);
    free(bytes);
    must_execute(b, "SELECT 1");
}

/* ---- Starting and stopping ---- */

static void a_second_server_on_the_directory_is_refused(void **state) {
    box *b = *state;
    server_process second;
    server_start(&second, b->directory, NULL, false);
    assert_int_equal(server_wait(&second), 3);
    assert_non_null(strstr(second.printed, "neuroquantumd: cannot start: "));
}

static void an_address_in_use_is_refused(void **state) {
    box *b = *state;
    server_process second;
    char directory[256];
    server_make_directory(directory);
    const char *const arguments[] = {"--listen", b->server.target, NULL};
    server_start(&second, directory, arguments, false);
    assert_int_equal(server_wait(&second), 4);
    assert_non_null(strstr(second.printed, b->server.target));
}

static void a_wrong_setting_is_refused_before_anything_starts(void **state) {
    (void)state;
    server_process server;
    static const char *const arguments[] = {"--listne", "x", NULL};
    assert_int_equal(server_run(&server, arguments), 2);
    assert_non_null(strstr(server.printed, "--listen"));
}

static void it_prints_its_version_and_its_settings(void **state) {
    (void)state;
    server_process server;
    static const char *const version[] = {"--version", NULL};
    static const char *const check[] = {"--check-config", "--storage-cache", "128MiB", NULL};
    static const char *const help[] = {"--help", NULL};
    assert_int_equal(server_run(&server, version), 0);
    assert_non_null(strstr(server.printed, "neuroquantumd 0.1.0"));
    assert_int_equal(server_run(&server, check), 0);
    assert_non_null(strstr(server.printed, "128MiB"));
    assert_int_equal(server_run(&server, help), 0);
    assert_non_null(strstr(server.printed, "Usage: neuroquantumd"));
}

static void a_drain_asked_for_by_a_client_ends_the_process(void **state) {
    box *b = *state;
    Neuroquantum__V1__DrainRequest request = NEUROQUANTUM__V1__DRAIN_REQUEST__INIT;
    Google__Protobuf__Duration grace = GOOGLE__PROTOBUF__DURATION__INIT;
    grace.seconds = 5;
    request.grace = &grace;
    void *have = call(b, b->client, ADMIN "Drain", &request.base,
                      &neuroquantum__v1__drain_response__descriptor, 0);
    assert_non_null(have);
    protobuf_c_message_free_unpacked(have, NULL);
    assert_int_equal(server_wait(&b->server), 0);
    b->server.pid = 0;
}

static void a_drain_cancels_what_outlasts_its_grace(void **state) {
    box *b = *state;
    char id[64];
    nq_rpc_end end;
    Neuroquantum__V1__DrainRequest request = NEUROQUANTUM__V1__DRAIN_REQUEST__INIT;
    Google__Protobuf__Duration grace = GOOGLE__PROTOBUF__DURATION__INIT;
    grace.nanos = 1000000;
    request.grace = &grace;
    nq_rpc_stream *stream = start_statement(b->client, ENDLESS);
    wait_for_queries(b, 1, id);
    void *have = call(b, b->client, ADMIN "Drain", &request.base,
                      &neuroquantum__v1__drain_response__descriptor, 0);
    assert_non_null(have);
    protobuf_c_message_free_unpacked(have, NULL);
    assert_int_equal(nq_rpc_stream_finish(stream, &end), NQ_RPC_UNAVAILABLE);
    nq_rpc_end_clear(&end);
    assert_int_equal(server_wait(&b->server), 0);
    b->server.pid = 0;
}

static void a_second_signal_ends_it_at_once(void **state) {
    box *b = *state;
    char id[64];
    nq_rpc_end end;
    nq_rpc_stream *stream = start_statement(b->client, ENDLESS);
    wait_for_queries(b, 1, id);
    server_signal(&b->server, SIGTERM);
    server_read_until(&b->server, "draining");
    server_signal(&b->server, SIGINT);
    assert_int_equal(server_wait(&b->server), 1);
    b->server.pid = 0;
    (void)nq_rpc_stream_finish(stream, &end);
    nq_rpc_end_clear(&end);
}

#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, open_box, close_box)

int main(void) {
    const struct CMUnitTest tests[] = {
        BOX_TEST(it_greets_with_its_address_and_three_commands),
        BOX_TEST(what_was_committed_survives_a_kill),
        BOX_TEST(a_statement_is_cancelled_from_another_call),
        BOX_TEST(cancelling_gets_through_when_every_worker_is_busy),
        BOX_TEST(a_commit_gets_through_when_every_worker_waits_for_its_lock),
        BOX_TEST(a_client_that_goes_away_stops_its_statement),
        BOX_TEST(a_deadline_stops_its_statement),
        BOX_TEST(a_method_nobody_has_is_unimplemented),
        BOX_TEST(hostile_requests_are_refused_and_change_nothing),
        BOX_TEST(a_request_larger_than_the_limit_is_refused),
        BOX_TEST(a_second_server_on_the_directory_is_refused),
        BOX_TEST(an_address_in_use_is_refused),
        cmocka_unit_test(a_wrong_setting_is_refused_before_anything_starts),
        cmocka_unit_test(it_prints_its_version_and_its_settings),
        BOX_TEST(a_drain_asked_for_by_a_client_ends_the_process),
        BOX_TEST(a_drain_cancels_what_outlasts_its_grace),
        BOX_TEST(a_second_signal_ends_it_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
