/* The other methods of QueryService: prepared statements, plans, tables, cancelling. */
#include <stdlib.h>

#include "engine/ground/os/clock.h"
#include "engine/ground/os/thread.h"
#include "tests/server/service/service_fixture.h"

static Neuroquantum__V1__PrepareResponse *prepare(service_fixture *f, const char *sql) {
    Neuroquantum__V1__PrepareRequest request = NEUROQUANTUM__V1__PREPARE_REQUEST__INIT;
    request.sql = (char *)sql;
    return CALL(f, "Prepare", &request, prepare_response);
}

static int64_t run_prepared(service_fixture *f, ProtobufCBinaryData id, int64_t argument) {
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    Neuroquantum__V1__Parameter parameter = NEUROQUANTUM__V1__PARAMETER__INIT;
    Neuroquantum__V1__Parameter *parameters[] = {&parameter};
    Neuroquantum__V1__Value value = NEUROQUANTUM__V1__VALUE__INIT;
    value.kind_case = NEUROQUANTUM__V1__VALUE__KIND_INT_VALUE;
    value.int_value = argument;
    parameter.value = &value;
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_PREPARED_ID;
    statement.prepared_id = id;
    statement.n_parameters = 1;
    statement.parameters = parameters;
    request.statement = &statement;
    Neuroquantum__V1__ExecuteResponse *have = CALL(f, "Execute", &request, execute_response);
    int64_t result = have == NULL ? -1 : have->rows->rows[0]->values[0]->int_value;
    wire_free(have);
    return result;
}

static bool close_prepared(service_fixture *f, ProtobufCBinaryData id) {
    Neuroquantum__V1__ClosePreparedRequest request = NEUROQUANTUM__V1__CLOSE_PREPARED_REQUEST__INIT;
    request.prepared_id = id;
    void *have = CALL(f, "ClosePrepared", &request, close_prepared_response);
    bool is_closed = have != NULL;
    wire_free(have);
    return is_closed;
}

static void a_prepared_statement_runs_until_it_is_closed(void **state) {
    service_fixture *f = *state;
    service_do(f, "CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT)");
    service_do(f, "INSERT INTO t VALUES (1, 10), (2, 20)");
    Neuroquantum__V1__PrepareResponse *have = prepare(f, "SELECT v FROM t WHERE id = $1");
    assert_non_null(have);
    assert_true(have->read_only);
    assert_int_equal(have->prepared_id.len, 16);
    assert_int_equal(have->n_columns, 1);
    assert_string_equal(have->columns[0]->name, "v");
    assert_int_equal(have->n_parameters, 1);
    assert_int_equal(have->parameters[0]->type->data_type,
                     NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_INT64);
    assert_int_equal(run_prepared(f, have->prepared_id, 1), 10);
    assert_int_equal(run_prepared(f, have->prepared_id, 2), 20);
    service_do(f, "UPDATE t SET v = 11 WHERE id = 1");
    assert_int_equal(run_prepared(f, have->prepared_id, 1), 11);
    assert_true(close_prepared(f, have->prepared_id));
    assert_int_equal(run_prepared(f, have->prepared_id, 1), -1);
    assert_string_equal(f->reason, "PREPARED_NOT_FOUND");
    assert_false(close_prepared(f, have->prepared_id));
    wire_free(have);
}

static void a_statement_that_does_not_parse_is_not_prepared(void **state) {
    service_fixture *f = *state;
    assert_null(prepare(f, "SELECT ) 1"));
    assert_string_equal(f->reason, "SQL_SYNTAX");
    assert_non_null(strstr(f->text, "LINE 1: SELECT ) 1"));
    assert_int_equal(nq_prepared_registry_count(f->service.prepared), 0);
}

static void prepared_statements_are_limited_and_expire(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__PrepareRequest request = NEUROQUANTUM__V1__PREPARE_REQUEST__INIT;
    Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;
    request.sql = (char *)"SELECT $1 + 1";
    request.ttl = &ttl;
    ttl.nanos = 1000000;
    for (int i = 0; i < 4; i++) {
        wire_free(CALL(f, "Prepare", &request, prepare_response));
        assert_int_equal(f->code, NQ_RPC_OK);
    }
    assert_int_equal(nq_prepared_registry_count(f->service.prepared), 4);
    int64_t expired_ns = nq_clock_monotonic_ns() + 2000000;
    while (nq_clock_monotonic_ns() < expired_ns) {
        nq_thread_sleep_ns(1000000);
    }
    /* Full of what has expired: there is room. */
    request.ttl = NULL;
    for (int i = 0; i < 4; i++) {
        wire_free(CALL(f, "Prepare", &request, prepare_response));
        assert_int_equal(f->code, NQ_RPC_OK);
    }
    assert_null(CALL(f, "Prepare", &request, prepare_response));
    assert_string_equal(f->reason, "PREPARED_LIMIT");
}

static void a_plan_is_shown_as_nodes_and_as_text(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__ExplainRequest request = NEUROQUANTUM__V1__EXPLAIN_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    service_do(f, "CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT)");
    service_do(f, "INSERT INTO t VALUES (1, 10), (2, 20)");
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    statement.sql = (char *)"SELECT v FROM t WHERE v > 5 ORDER BY v";
    request.statement = &statement;
    Neuroquantum__V1__ExplainResponse *have = CALL(f, "Explain", &request, explain_response);
    assert_non_null(have);
    assert_true(have->n_nodes >= 2);
    assert_int_equal(have->nodes[0]->parent_index, -1);
    assert_int_equal(have->nodes[1]->parent_index, 0);
    assert_non_null(strstr(have->text, "->  "));
    assert_null(strstr(have->text, "actual"));
    wire_free(have);
    request.analyze = 1;
    have = CALL(f, "Explain", &request, explain_response);
    assert_non_null(strstr(have->text, "actual rows=2"));
    wire_free(have);
    statement.sql = (char *)"DELETE FROM t";
    wire_free(CALL(f, "Explain", &request, explain_response));
    assert_int_equal(f->code, NQ_RPC_OK);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 2);
    request.buffers = 1;
    assert_null(CALL(f, "Explain", &request, explain_response));
    assert_string_equal(f->reason, "FEATURE_UNSUPPORTED");
}

static void tables_are_listed_a_page_at_a_time(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__ListTablesRequest request = NEUROQUANTUM__V1__LIST_TABLES_REQUEST__INIT;
    service_do(f, "CREATE TABLE alpha (id INTEGER)");
    service_do(f, "CREATE TABLE beta (id INTEGER)");
    service_do(f, "CREATE TABLE alpine (id INTEGER)");
    request.page_size = 2;
    Neuroquantum__V1__ListTablesResponse *have =
        CALL(f, "ListTables", &request, list_tables_response);
    assert_int_equal(have->n_tables, 2);
    assert_string_equal(have->tables[0]->name, "alpha");
    assert_string_equal(have->tables[1]->name, "alpine");
    assert_string_equal(have->next_page_token, "alpine");
    request.page_token = (char *)"alpine";
    Neuroquantum__V1__ListTablesResponse *rest =
        CALL(f, "ListTables", &request, list_tables_response);
    assert_int_equal(rest->n_tables, 1);
    assert_string_equal(rest->tables[0]->name, "beta");
    assert_string_equal(rest->next_page_token, "");
    wire_free(rest);
    wire_free(have);
    request.page_token = (char *)"";
    request.name_pattern = (char *)"alp%";
    have = CALL(f, "ListTables", &request, list_tables_response);
    assert_int_equal(have->n_tables, 2);
    assert_string_equal(have->next_page_token, "");
    wire_free(have);
}

static void a_table_is_described(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__GetTableRequest request = NEUROQUANTUM__V1__GET_TABLE_REQUEST__INIT;
    service_do(f, "CREATE TABLE t (a INTEGER, b TEXT DEFAULT 'x' NOT NULL, PRIMARY KEY (b, a))");
    request.name = (char *)"t";
    Neuroquantum__V1__GetTableResponse *have = CALL(f, "GetTable", &request, get_table_response);
    assert_int_equal(have->n_columns, 2);
    assert_true(have->columns[1]->type->not_null);
    assert_string_equal(have->columns[1]->default_sql, "'x'");
    assert_int_equal(have->n_indexes, 1);
    assert_string_equal(have->indexes[0]->columns[0], "b");
    assert_string_equal(have->indexes[0]->columns[1], "a");
    wire_free(have);
    request.name = (char *)"nowhere";
    assert_null(CALL(f, "GetTable", &request, get_table_response));
    assert_string_equal(f->reason, "TABLE_NOT_FOUND");
}

static void cancelling_what_does_not_run_finds_nothing(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__CancelQueryRequest request = NEUROQUANTUM__V1__CANCEL_QUERY_REQUEST__INIT;
    request.query_id = (char *)"no-such-query";
    Neuroquantum__V1__CancelQueryResponse *have =
        CALL(f, "CancelQuery", &request, cancel_query_response);
    assert_false(have->found);
    wire_free(have);
    request.query_id = (char *)"";
    assert_null(CALL(f, "CancelQuery", &request, cancel_query_response));
    assert_int_equal(f->code, NQ_RPC_INVALID_ARGUMENT);
}

static void a_running_query_stops_at_its_timeout(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    Neuroquantum__V1__QueryOptions options = NEUROQUANTUM__V1__QUERY_OPTIONS__INIT;
    Google__Protobuf__Duration timeout = GOOGLE__PROTOBUF__DURATION__INIT;
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    statement.sql = (char *)"SELECT count(*) FROM generate_series(1, 100000000000)";
    timeout.nanos = 20000000;
    options.timeout = &timeout;
    request.statement = &statement;
    request.options = &options;
    assert_null(CALL(f, "Execute", &request, execute_response));
    assert_int_equal(f->code, NQ_RPC_DEADLINE_EXCEEDED);
    assert_string_equal(f->reason, "STATEMENT_TIMEOUT");
    assert_int_equal(nq_query_registry_count(f->service.queries), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(a_prepared_statement_runs_until_it_is_closed),
        SERVICE_TEST(a_statement_that_does_not_parse_is_not_prepared),
        SERVICE_TEST(prepared_statements_are_limited_and_expire),
        SERVICE_TEST(a_plan_is_shown_as_nodes_and_as_text),
        SERVICE_TEST(tables_are_listed_a_page_at_a_time),
        SERVICE_TEST(a_table_is_described),
        SERVICE_TEST(cancelling_what_does_not_run_finds_nothing),
        SERVICE_TEST(a_running_query_stops_at_its_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
