/* Execute and ExecuteBatch over the real engine: formats, limits, transactions, errors. */
#include "tests/server/service/service_fixture.h"

static void a_statement_answers_with_rows(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__ExecuteResponse *have =
        service_sql(f, "SELECT 1 + 1 AS two, 'x' AS t, NULL AS n");
    assert_non_null(have);
    assert_true(have->query_id[0] != '\0');
    assert_int_equal(have->n_columns, 3);
    assert_string_equal(have->columns[0]->name, "two");
    assert_int_equal(have->result_case, NEUROQUANTUM__V1__EXECUTE_RESPONSE__RESULT_ROWS);
    assert_int_equal(have->rows->n_rows, 1);
    assert_int_equal(have->rows->rows[0]->values[0]->int_value, 2);
    assert_string_equal(have->rows->rows[0]->values[1]->text_value, "x");
    assert_int_equal(have->rows->rows[0]->values[2]->kind_case,
                     NEUROQUANTUM__V1__VALUE__KIND_NULL_VALUE);
    assert_int_equal(have->transaction_id.len, 0);
    wire_free(have);
}

static void writes_say_how_many_rows(void **state) {
    service_fixture *f = *state;
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
    Neuroquantum__V1__ExecuteResponse *have =
        service_sql(f, "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')");
    assert_non_null(have);
    assert_int_equal(have->rows_affected, 3);
    assert_int_equal(have->result_case, NEUROQUANTUM__V1__EXECUTE_RESPONSE__RESULT__NOT_SET);
    assert_int_equal(have->consistency_token.len, 8);
    wire_free(have);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 3);
}

/* Execute with everything a test may want to vary. */
static Neuroquantum__V1__ExecuteResponse *execute_with(
    service_fixture *f, const char *sql, const Neuroquantum__V1__QueryOptions *options,
    const char *request_id) {
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    statement.sql = (char *)sql;
    request.statement = &statement;
    request.options = (Neuroquantum__V1__QueryOptions *)options;
    request.request_id = (char *)request_id;
    return CALL(f, "Execute", &request, execute_response);
}

static void columns_are_one_batch_however_many_rows(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__QueryOptions options = NEUROQUANTUM__V1__QUERY_OPTIONS__INIT;
    options.format = NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_COLUMNS;
    options.collect_stats = 1;
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    for (int i = 0; i < 30; i++) {
        char sql[2048];
        int used = snprintf(sql, sizeof sql, "INSERT INTO t VALUES ");
        for (int j = 0; j < 100; j++) {
            used += snprintf(sql + used, sizeof sql - (size_t)used, "%s(%d)", j == 0 ? "" : ",",
                             i * 100 + j);
        }
        service_do(f, sql);
    }
    Neuroquantum__V1__ExecuteResponse *have =
        execute_with(f, "SELECT id FROM t ORDER BY id", &options, "");
    assert_non_null(have);
    assert_int_equal(have->result_case, NEUROQUANTUM__V1__EXECUTE_RESPONSE__RESULT_COLUMN_BATCH);
    assert_int_equal(have->column_batch->row_count, 3000);
    assert_int_equal(have->column_batch->columns[0]->data.len, 12000);
    int32_t last = 0;
    memcpy(&last, have->column_batch->columns[0]->data.data + 11996, 4);
    assert_int_equal(last, 2999);
    assert_int_equal(have->stats->rows_returned, 3000);
    assert_true(have->stats->execute_time->seconds > 0 || have->stats->execute_time->nanos > 0);
    wire_free(have);
    options.format = NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_NONE;
    have = execute_with(f, "SELECT id FROM t", &options, "");
    assert_int_equal(have->result_case, NEUROQUANTUM__V1__EXECUTE_RESPONSE__RESULT__NOT_SET);
    assert_int_equal(have->n_columns, 1);
    assert_int_equal(have->stats->rows_returned, 3000);
    wire_free(have);
}

static void max_rows_cuts_and_says_so(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__QueryOptions options = NEUROQUANTUM__V1__QUERY_OPTIONS__INIT;
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    service_do(f, "INSERT INTO t VALUES (1), (2), (3)");
    options.max_rows = 2;
    Neuroquantum__V1__ExecuteResponse *have = execute_with(f, "SELECT id FROM t", &options, "");
    assert_int_equal(have->rows->n_rows, 2);
    assert_true(have->truncated);
    wire_free(have);
    options.max_rows = 3;
    have = execute_with(f, "SELECT id FROM t", &options, "");
    assert_int_equal(have->rows->n_rows, 3);
    assert_false(have->truncated);
    wire_free(have);
}

static void a_result_larger_than_a_response_is_refused_and_a_write_undone(void **state) {
    service_fixture *f = *state;
    char sql[4000];
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT)");
    for (int i = 0; i < 40; i++) {
        int used = snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%d, '", i);
        memset(sql + used, 'x', 3000);
        snprintf(sql + used + 3000, 4, "')");
        service_do(f, sql);
    }
    assert_null(service_sql(f, "SELECT * FROM t"));
    assert_int_equal(f->code, NQ_RPC_RESOURCE_EXHAUSTED);
    assert_string_equal(f->reason, "RESULT_TOO_LARGE");
    assert_null(service_sql(f, "DELETE FROM t RETURNING *"));
    assert_string_equal(f->reason, "RESULT_TOO_LARGE");
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 40);
}

static void a_syntax_error_shows_its_place(void **state) {
    service_fixture *f = *state;
    assert_null(service_sql(f, "SELECT 1 FRM t WHERE"));
    assert_int_equal(f->code, NQ_RPC_INVALID_ARGUMENT);
    assert_non_null(strstr(f->text, "LINE 1: SELECT 1 FRM t WHERE\n"));
    assert_non_null(strstr(f->text, "^"));
    assert_non_null(f->status);
}

static void errors_carry_reason_and_sqlstate(void **state) {
    service_fixture *f = *state;
    assert_null(service_sql(f, "SELECT * FROM nowhere"));
    assert_int_equal(f->code, NQ_RPC_NOT_FOUND);
    assert_string_equal(f->reason, "TABLE_NOT_FOUND");
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    service_do(f, "INSERT INTO t VALUES (1)");
    assert_null(service_sql(f, "INSERT INTO t VALUES (1)"));
    assert_string_equal(f->reason, "UNIQUE_VIOLATION");
    assert_null(service_sql(f, "SELECT 1; SELECT 2"));
    assert_int_equal(f->code, NQ_RPC_INVALID_ARGUMENT);
}

static void a_repeated_request_id_writes_once(void **state) {
    service_fixture *f = *state;
    service_do(f, "CREATE TABLE t (id INTEGER)");
    for (int i = 0; i < 2; i++) {
        Neuroquantum__V1__ExecuteResponse *have =
            execute_with(f, "INSERT INTO t VALUES (1), (2)", NULL, "request-1");
        assert_non_null(have);
        assert_int_equal(have->rows_affected, 2);
        wire_free(have);
    }
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 2);
    assert_null(execute_with(f, "INSERT INTO t VALUES (3)", NULL, "request-1"));
    assert_string_equal(f->reason, "REQUEST_ID_REUSED");
}

/* ---- Transactions ---- */

static ProtobufCBinaryData begin(service_fixture *f, uint8_t id[16]) {
    Neuroquantum__V1__BeginTransactionRequest request =
        NEUROQUANTUM__V1__BEGIN_TRANSACTION_REQUEST__INIT;
    Neuroquantum__V1__BeginTransactionResponse *have =
        CALL(f, "BeginTransaction", &request, begin_transaction_response);
    assert_non_null(have);
    assert_int_equal(have->transaction_id.len, 16);
    memcpy(id, have->transaction_id.data, 16);
    wire_free(have);
    return (ProtobufCBinaryData){16, id};
}

static bool commit_as(service_fixture *f, ProtobufCBinaryData id, const char *request_id) {
    Neuroquantum__V1__CommitTransactionRequest request =
        NEUROQUANTUM__V1__COMMIT_TRANSACTION_REQUEST__INIT;
    request.transaction_id = id;
    request.request_id = (char *)request_id;
    Neuroquantum__V1__CommitTransactionResponse *have =
        CALL(f, "CommitTransaction", &request, commit_transaction_response);
    bool is_committed = have != NULL;
    wire_free(have);
    return is_committed;
}

static bool commit(service_fixture *f, ProtobufCBinaryData id) {
    return commit_as(f, id, "");
}

static bool rollback(service_fixture *f, ProtobufCBinaryData id, const char *savepoint) {
    Neuroquantum__V1__RollbackTransactionRequest request =
        NEUROQUANTUM__V1__ROLLBACK_TRANSACTION_REQUEST__INIT;
    request.transaction_id = id;
    request.to_savepoint = (char *)savepoint;
    void *have = CALL(f, "RollbackTransaction", &request, rollback_transaction_response);
    bool is_done = have != NULL;
    wire_free(have);
    return is_done;
}

static void do_in(service_fixture *f, ProtobufCBinaryData id, const char *sql) {
    Neuroquantum__V1__ExecuteResponse *have = service_sql_in(f, &id, sql);
    if (have == NULL) {
        print_error("%s: %s\n", sql, f->text);
    }
    assert_non_null(have);
    wire_free(have);
}

static void a_transaction_is_seen_by_others_when_it_commits(void **state) {
    service_fixture *f = *state;
    uint8_t id[16];
    service_do(f, "CREATE TABLE t (id INTEGER)");
    ProtobufCBinaryData txn = begin(f, id);
    do_in(f, txn, "INSERT INTO t VALUES (1)");
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 0);
    assert_true(commit(f, txn));
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 1);
    assert_false(commit(f, txn));
    assert_string_equal(f->reason, "TRANSACTION_NOT_FOUND");
}

static void a_commit_sent_again_after_a_restart_is_known_by_its_request_id(void **state) {
    service_fixture *f = *state;
    uint8_t id[16];
    service_do(f, "CREATE TABLE t (id INTEGER)");
    ProtobufCBinaryData txn = begin(f, id);
    do_in(f, txn, "INSERT INTO t VALUES (1)");
    assert_true(commit_as(f, txn, "commit-1"));
    service_restart(f);
    assert_true(commit_as(f, txn, "commit-1"));
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 1);
    assert_false(commit_as(f, txn, "commit-2"));
    assert_string_equal(f->reason, "TRANSACTION_NOT_FOUND");
    assert_false(commit(f, txn));
    assert_string_equal(f->reason, "TRANSACTION_NOT_FOUND");
}

static void a_rollback_leaves_nothing(void **state) {
    service_fixture *f = *state;
    uint8_t id[16];
    service_do(f, "CREATE TABLE t (id INTEGER)");
    ProtobufCBinaryData txn = begin(f, id);
    do_in(f, txn, "INSERT INTO t VALUES (1)");
    assert_true(rollback(f, txn, ""));
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 0);
}

static void a_failed_statement_fails_the_transaction_until_a_savepoint(void **state) {
    service_fixture *f = *state;
    uint8_t id[16];
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    ProtobufCBinaryData txn = begin(f, id);
    do_in(f, txn, "INSERT INTO t VALUES (1)");
    do_in(f, txn, "SAVEPOINT s");
    assert_null(service_sql_in(f, &txn, "INSERT INTO t VALUES (1)"));
    assert_string_equal(f->reason, "UNIQUE_VIOLATION");
    assert_null(service_sql_in(f, &txn, "SELECT 1"));
    assert_string_equal(f->reason, "TRANSACTION_FAILED");
    assert_true(rollback(f, txn, "s"));
    do_in(f, txn, "INSERT INTO t VALUES (2)");
    assert_true(commit(f, txn));
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 2);
}

static void committing_a_failed_transaction_rolls_it_back(void **state) {
    service_fixture *f = *state;
    uint8_t id[16];
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    ProtobufCBinaryData txn = begin(f, id);
    do_in(f, txn, "INSERT INTO t VALUES (1)");
    assert_null(service_sql_in(f, &txn, "SELECT nonsense"));
    assert_false(commit(f, txn));
    assert_int_equal(f->code, NQ_RPC_FAILED_PRECONDITION);
    assert_string_equal(f->reason, "TRANSACTION_FAILED");
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 0);
}

static void sql_begins_and_ends_transactions_too(void **state) {
    service_fixture *f = *state;
    uint8_t id[16];
    service_do(f, "CREATE TABLE t (id INTEGER)");
    Neuroquantum__V1__ExecuteResponse *have =
        service_sql(f, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_non_null(have);
    assert_int_equal(have->transaction_id.len, 16);
    memcpy(id, have->transaction_id.data, 16);
    wire_free(have);
    ProtobufCBinaryData txn = {16, id};
    assert_null(service_sql_in(f, &txn, "BEGIN"));
    assert_string_equal(f->reason, "TRANSACTION_ACTIVE");
    assert_true(rollback(f, txn, ""));
    have = service_sql(f, "BEGIN");
    memcpy(id, have->transaction_id.data, 16);
    wire_free(have);
    do_in(f, txn, "INSERT INTO t VALUES (1)");
    do_in(f, txn, "SAVEPOINT a");
    do_in(f, txn, "INSERT INTO t VALUES (2)");
    do_in(f, txn, "ROLLBACK TO a");
    do_in(f, txn, "RELEASE a");
    have = service_sql_in(f, &txn, "COMMIT");
    assert_non_null(have);
    assert_int_equal(have->transaction_id.len, 0);
    wire_free(have);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 1);
    assert_null(service_sql(f, "COMMIT"));
    assert_string_equal(f->reason, "TRANSACTION_NOT_FOUND");
}

static void a_transaction_may_begin_and_commit_with_a_statement(void **state) {
    service_fixture *f = *state;
    uint8_t id[16];
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    Neuroquantum__V1__TransactionSelector selector = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__INIT;
    Neuroquantum__V1__TransactionOptions options = NEUROQUANTUM__V1__TRANSACTION_OPTIONS__INIT;
    service_do(f, "CREATE TABLE t (id INTEGER)");
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    statement.sql = (char *)"INSERT INTO t VALUES (1)";
    selector.selector_case = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_BEGIN;
    selector.begin = &options;
    request.statement = &statement;
    request.transaction = &selector;
    Neuroquantum__V1__ExecuteResponse *have = CALL(f, "Execute", &request, execute_response);
    assert_int_equal(have->transaction_id.len, 16);
    memcpy(id, have->transaction_id.data, 16);
    wire_free(have);
    selector.selector_case = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_TRANSACTION_ID;
    selector.transaction_id = (ProtobufCBinaryData){16, id};
    selector.commit = 1;
    have = CALL(f, "Execute", &request, execute_response);
    assert_non_null(have);
    assert_int_equal(have->transaction_id.len, 0);
    wire_free(have);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 2);
    selector.selector_case = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_SINGLE_USE;
    selector.single_use = &options;
    options.read_only = 1;
    selector.commit = 0;
    assert_null(CALL(f, "Execute", &request, execute_response));
    assert_string_equal(f->reason, "READ_ONLY_TRANSACTION");
    assert_int_equal(nq_transaction_registry_count(f->service.transactions), 0);
}

static void a_statement_that_fails_ends_the_transaction_it_began(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    Neuroquantum__V1__TransactionSelector selector = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__INIT;
    Neuroquantum__V1__TransactionOptions options = NEUROQUANTUM__V1__TRANSACTION_OPTIONS__INIT;
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    statement.sql = (char *)"SELECT * FROM nowhere";
    selector.selector_case = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_BEGIN;
    selector.begin = &options;
    request.statement = &statement;
    request.transaction = &selector;
    assert_null(CALL(f, "Execute", &request, execute_response));
    assert_int_equal(nq_transaction_registry_count(f->service.transactions), 0);
}

static void open_transactions_are_limited(void **state) {
    service_fixture *f = *state;
    uint8_t ids[4][16];
    Neuroquantum__V1__BeginTransactionRequest request =
        NEUROQUANTUM__V1__BEGIN_TRANSACTION_REQUEST__INIT;
    for (int i = 0; i < 4; i++) {
        (void)begin(f, ids[i]);
    }
    assert_null(CALL(f, "BeginTransaction", &request, begin_transaction_response));
    assert_int_equal(f->code, NQ_RPC_RESOURCE_EXHAUSTED);
    assert_string_equal(f->reason, "TRANSACTION_LIMIT");
    assert_true(rollback(f, (ProtobufCBinaryData){16, ids[0]}, ""));
    (void)begin(f, ids[0]);
}

/* ---- Batches ---- */

static Neuroquantum__V1__ExecuteBatchResponse *batch(service_fixture *f, const char *const *texts,
                                                     size_t count, bool go_on) {
    Neuroquantum__V1__ExecuteBatchRequest request = NEUROQUANTUM__V1__EXECUTE_BATCH_REQUEST__INIT;
    Neuroquantum__V1__Statement statements[8];
    Neuroquantum__V1__Statement *list[8];
    for (size_t i = 0; i < count; i++) {
        neuroquantum__v1__statement__init(&statements[i]);
        statements[i].source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
        statements[i].sql = (char *)texts[i];
        list[i] = &statements[i];
    }
    request.n_statements = count;
    request.statements = list;
    request.continue_on_error = go_on;
    return CALL(f, "ExecuteBatch", &request, execute_batch_response);
}

static void a_batch_is_all_or_nothing(void **state) {
    service_fixture *f = *state;
    static const char *const good[] = {"INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2), (3)"};
    static const char *const bad[] = {"INSERT INTO t VALUES (4)", "INSERT INTO t VALUES (1)"};
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    Neuroquantum__V1__ExecuteBatchResponse *have = batch(f, good, 2, false);
    assert_non_null(have);
    assert_int_equal(have->n_results, 2);
    assert_int_equal(have->results[1]->rows_affected, 2);
    wire_free(have);
    assert_null(batch(f, bad, 2, false));
    assert_string_equal(f->reason, "UNIQUE_VIOLATION");
    assert_non_null(strstr(f->text, "statement 2: "));
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 3);
}

static void a_batch_may_go_on_after_errors(void **state) {
    service_fixture *f = *state;
    static const char *const mixed[] = {"INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)",
                                        "SELEC", "INSERT INTO t VALUES (2)"};
    service_do(f, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    Neuroquantum__V1__ExecuteBatchResponse *have = batch(f, mixed, 4, true);
    assert_non_null(have);
    assert_int_equal(have->n_results, 4);
    assert_int_equal(have->results[0]->error_code, 0);
    assert_int_equal(have->results[1]->error_code, NQ_RPC_ALREADY_EXISTS);
    assert_string_equal(have->results[1]->error_detail->sqlstate, "23505");
    assert_int_equal(have->results[2]->error_code, NQ_RPC_INVALID_ARGUMENT);
    assert_int_equal(have->results[3]->error_code, 0);
    wire_free(have);
    assert_int_equal(service_int(f, "SELECT count(*) FROM t"), 2);
}

static void a_batch_cannot_end_its_transaction(void **state) {
    service_fixture *f = *state;
    static const char *const texts[] = {"SELECT 1", "COMMIT"};
    assert_null(batch(f, texts, 2, false));
    assert_string_equal(f->reason, "TRANSACTION_ACTIVE");
    assert_int_equal(nq_transaction_registry_count(f->service.transactions), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(a_statement_answers_with_rows),
        SERVICE_TEST(writes_say_how_many_rows),
        SERVICE_TEST(columns_are_one_batch_however_many_rows),
        SERVICE_TEST(max_rows_cuts_and_says_so),
        SERVICE_TEST(a_result_larger_than_a_response_is_refused_and_a_write_undone),
        SERVICE_TEST(a_syntax_error_shows_its_place),
        SERVICE_TEST(errors_carry_reason_and_sqlstate),
        SERVICE_TEST(a_repeated_request_id_writes_once),
        SERVICE_TEST(a_transaction_is_seen_by_others_when_it_commits),
        SERVICE_TEST(a_commit_sent_again_after_a_restart_is_known_by_its_request_id),
        SERVICE_TEST(a_rollback_leaves_nothing),
        SERVICE_TEST(a_failed_statement_fails_the_transaction_until_a_savepoint),
        SERVICE_TEST(committing_a_failed_transaction_rolls_it_back),
        SERVICE_TEST(sql_begins_and_ends_transactions_too),
        SERVICE_TEST(a_transaction_may_begin_and_commit_with_a_statement),
        SERVICE_TEST(a_statement_that_fails_ends_the_transaction_it_began),
        SERVICE_TEST(open_transactions_are_limited),
        SERVICE_TEST(a_batch_is_all_or_nothing),
        SERVICE_TEST(a_batch_may_go_on_after_errors),
        SERVICE_TEST(a_batch_cannot_end_its_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
