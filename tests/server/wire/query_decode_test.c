/* Requests of QueryService: what is asked for arrives, what cannot be honoured is refused by name.
 */
#include <neuroquantum/v1/query.pb-c.h>
#include <string.h>

#include "server/wire/query_wire.h"
#include "tests/server/wire/wire_fixture.h"

typedef struct execute_fixture {
    wire_fixture wire;
    Neuroquantum__V1__ExecuteRequest request;
    Neuroquantum__V1__Statement statement;
    Neuroquantum__V1__TransactionSelector selector;
    Neuroquantum__V1__TransactionOptions transaction_options;
    Neuroquantum__V1__QueryOptions options;
    Neuroquantum__V1__Parameter parameter;
    Neuroquantum__V1__Parameter *parameters[1];
    Neuroquantum__V1__Value value;
    Neuroquantum__V1__Type type;
    Google__Protobuf__Duration duration;
    nq_execute_request decoded;
} execute_fixture;

static void execute_init(execute_fixture *f) {
    memset(f, 0, sizeof *f);
    wire_fixture_init(&f->wire, 1 << 20);
    neuroquantum__v1__execute_request__init(&f->request);
    neuroquantum__v1__statement__init(&f->statement);
    neuroquantum__v1__transaction_selector__init(&f->selector);
    neuroquantum__v1__transaction_options__init(&f->transaction_options);
    neuroquantum__v1__query_options__init(&f->options);
    neuroquantum__v1__parameter__init(&f->parameter);
    neuroquantum__v1__value__init(&f->value);
    neuroquantum__v1__type__init(&f->type);
    google__protobuf__duration__init(&f->duration);
    f->statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    f->statement.sql = (char *)"SELECT $1";
    f->parameters[0] = &f->parameter;
    f->parameter.value = &f->value;
    f->request.statement = &f->statement;
}

static nq_status decode(execute_fixture *f) {
    return nq_execute_request_decode(&f->wire.ctx, PACKED(&f->wire, &f->request), &f->decoded);
}

static void assert_refused(execute_fixture *f, nq_status want, const char *field) {
    assert_int_equal(decode(f), want);
    assert_string_equal(f->wire.ctx.error.object, field);
}

static void execute_deinit(execute_fixture *f) {
    wire_fixture_deinit(&f->wire);
}

static void a_statement_is_required(void **state) {
    (void)state;
    execute_fixture f;
    execute_init(&f);
    f.request.statement = NULL;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "statement");
    f.request.statement = &f.statement;
    f.statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE__NOT_SET;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "statement");
    execute_deinit(&f);
}

static void a_plain_request_has_the_defaults(void **state) {
    (void)state;
    execute_fixture f;
    execute_init(&f);
    assert_int_equal(decode(&f), NQ_OK);
    assert_true(nq_bytes_equal(f.decoded.statement.sql, NQ_BYTES_LITERAL("SELECT $1")));
    assert_int_equal(f.decoded.selector.kind, NQ_SELECTOR_NONE);
    assert_int_equal(f.decoded.options.format, NQ_ROW_FORMAT_UNSPECIFIED);
    assert_true(f.decoded.options.rows_max == UINT64_MAX);
    assert_int_equal(f.decoded.options.timeout_ns, 0);
    execute_deinit(&f);
}

static void options_that_are_not_honoured_are_refused(void **state) {
    (void)state;
    execute_fixture f;
    execute_init(&f);
    f.request.options = &f.options;
    f.options.format = NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_ARROW_IPC;
    assert_refused(&f, NQ_FEATURE_UNSUPPORTED, "options.format");
    f.options.format = 99;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "options.format");
    f.options.format = NEUROQUANTUM__V1__RESULT_FORMAT__RESULT_FORMAT_COLUMNS;
    f.options.priority = NEUROQUANTUM__V1__PRIORITY__PRIORITY_HIGH;
    assert_refused(&f, NQ_FEATURE_UNSUPPORTED, "options.priority");
    f.options.priority = NEUROQUANTUM__V1__PRIORITY__PRIORITY_NORMAL;
    f.options.tag =
        (char *)"this tag goes on and on until it is longer than the sixty-four bytes allowed";
    assert_refused(&f, NQ_INVALID_ARGUMENT, "options.tag");
    f.options.tag = (char *)"";
    Neuroquantum__V1__Consistency consistency = NEUROQUANTUM__V1__CONSISTENCY__INIT;
    f.options.consistency = &consistency;
    consistency.requirement_case = NEUROQUANTUM__V1__CONSISTENCY__REQUIREMENT_AT_EXACT_TOKEN;
    consistency.at_exact_token = (ProtobufCBinaryData){8, (uint8_t *)"12345678"};
    assert_refused(&f, NQ_FEATURE_UNSUPPORTED, "options.consistency");
    consistency.requirement_case = NEUROQUANTUM__V1__CONSISTENCY__REQUIREMENT_AT_LEAST_TOKEN;
    assert_int_equal(decode(&f), NQ_OK);
    consistency.at_least_token.len = 3;
    assert_refused(&f, NQ_BAD_TOKEN, "options.consistency");
    execute_deinit(&f);
}

static void timeouts_are_durations_of_ours(void **state) {
    (void)state;
    execute_fixture f;
    execute_init(&f);
    f.request.options = &f.options;
    f.options.timeout = &f.duration;
    f.duration.seconds = 1;
    f.duration.nanos = 500;
    assert_int_equal(decode(&f), NQ_OK);
    assert_int_equal(f.decoded.options.timeout_ns, 1000000500);
    f.duration.seconds = -1;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "options.timeout");
    f.duration.seconds = INT64_MAX;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "options.timeout");
    f.duration.seconds = 1;
    f.duration.nanos = 1000000000;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "options.timeout");
    execute_deinit(&f);
}

static void a_transaction_is_selected_in_one_of_four_ways(void **state) {
    (void)state;
    execute_fixture f;
    execute_init(&f);
    f.request.transaction = &f.selector;
    f.selector.commit = 1;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "transaction.commit");
    f.selector.selector_case = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_TRANSACTION_ID;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "transaction.transaction_id");
    f.selector.transaction_id = (ProtobufCBinaryData){3, (uint8_t *)"abc"};
    assert_int_equal(decode(&f), NQ_OK);
    assert_int_equal(f.decoded.selector.kind, NQ_SELECTOR_ID);
    assert_true(f.decoded.selector.commit);
    f.selector.selector_case = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_BEGIN;
    f.selector.begin = &f.transaction_options;
    f.transaction_options.isolation =
        NEUROQUANTUM__V1__ISOLATION_LEVEL__ISOLATION_LEVEL_SERIALIZABLE;
    f.transaction_options.read_only = 1;
    assert_int_equal(decode(&f), NQ_OK);
    assert_int_equal(f.decoded.selector.kind, NQ_SELECTOR_BEGIN);
    assert_int_equal(f.decoded.selector.options.options.isolation, NQ_ISOLATION_SERIALIZABLE);
    assert_true(f.decoded.selector.options.options.read_only);
    f.transaction_options.isolation = 9;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "transaction.begin.isolation");
    f.transaction_options.isolation =
        NEUROQUANTUM__V1__ISOLATION_LEVEL__ISOLATION_LEVEL_UNSPECIFIED;
    f.selector.selector_case = NEUROQUANTUM__V1__TRANSACTION_SELECTOR__SELECTOR_SINGLE_USE;
    f.transaction_options.idle_timeout = &f.duration;
    f.duration.seconds = 1;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "transaction.single_use.idle_timeout");
    execute_deinit(&f);
}

static void parameters_keep_their_kind(void **state) {
    (void)state;
    execute_fixture f;
    execute_init(&f);
    f.statement.n_parameters = 1;
    f.statement.parameters = f.parameters;
    f.value.kind_case = NEUROQUANTUM__V1__VALUE__KIND_INT_VALUE;
    f.value.int_value = -7;
    assert_int_equal(decode(&f), NQ_OK);
    const nq_parameter *parameter = &f.decoded.statement.parameters[0];
    assert_int_equal(parameter->position, 1);
    assert_int_equal(parameter->value.type, NQ_TYPE_INT64);
    assert_int_equal(parameter->value.integer, -7);
    f.value.kind_case = NEUROQUANTUM__V1__VALUE__KIND__NOT_SET;
    assert_int_equal(decode(&f), NQ_OK);
    assert_true(f.decoded.statement.parameters[0].value.is_null);
    f.value.kind_case = NEUROQUANTUM__V1__VALUE__KIND_TEXT_VALUE;
    f.value.text_value = (char *)"2026-01-31";
    assert_int_equal(decode(&f), NQ_OK);
    assert_int_equal(f.decoded.statement.parameters[0].value.type, NQ_TYPE_UNKNOWN);
    f.parameter.type = &f.type;
    f.type.data_type = NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_DATE;
    assert_int_equal(decode(&f), NQ_OK);
    assert_int_equal(f.decoded.statement.parameters[0].value.type, NQ_TYPE_DATE);
    assert_int_equal(f.decoded.statement.parameters[0].value.integer, 20484);
    execute_deinit(&f);
}

static void a_parameter_that_cannot_be_is_refused_with_its_path(void **state) {
    (void)state;
    execute_fixture f;
    execute_init(&f);
    f.statement.n_parameters = 1;
    f.statement.parameters = f.parameters;
    f.value.kind_case = NEUROQUANTUM__V1__VALUE__KIND_TEXT_VALUE;
    f.value.text_value = (char *)"no date";
    f.parameter.type = &f.type;
    f.type.data_type = NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_DATE;
    assert_refused(&f, NQ_INVALID_DATETIME, "statement.parameters[0]");
    f.type.data_type = NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_VECTOR;
    assert_refused(&f, NQ_FEATURE_UNSUPPORTED, "statement.parameters[0]");
    f.type.data_type = NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_DATE;
    f.type.scale = 2;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "statement.parameters[0]");
    f.parameter.type = NULL;
    f.value.kind_case = NEUROQUANTUM__V1__VALUE__KIND_UUID_VALUE;
    f.value.uuid_value = (ProtobufCBinaryData){3, (uint8_t *)"abc"};
    assert_refused(&f, NQ_INVALID_ARGUMENT, "statement.parameters[0]");
    f.value.kind_case = NEUROQUANTUM__V1__VALUE__KIND_TIME_US;
    f.value.time_us = -1;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "statement.parameters[0]");
    f.value.kind_case = NEUROQUANTUM__V1__VALUE__KIND_INT_VALUE;
    f.parameter.name = (char *)"a";
    f.parameter.position = 1;
    assert_refused(&f, NQ_INVALID_ARGUMENT, "statement.parameters[0]");
    execute_deinit(&f);
}

static void a_request_beyond_its_memory_is_refused_before_it_is_unpacked(void **state) {
    (void)state;
    execute_fixture f;
    execute_init(&f);
    nq_bytes packed = PACKED(&f.wire, &f.request);
    nq_arena small;
    nq_ctx ctx;
    nq_arena_init(&small, 64);
    nq_ctx_init(&ctx, &small);
    assert_int_equal(nq_execute_request_decode(&ctx, packed, &f.decoded), NQ_MEMORY_LIMIT);
    nq_arena_deinit(&small);
    execute_deinit(&f);
}

/* ---- Ingest ---- */

static void an_ingest_header_names_table_and_columns(void **state) {
    (void)state;
    wire_fixture wire;
    nq_ingest_message decoded;
    wire_fixture_init(&wire, 1 << 20);
    Neuroquantum__V1__IngestRequest request = NEUROQUANTUM__V1__INGEST_REQUEST__INIT;
    Neuroquantum__V1__IngestHeader header = NEUROQUANTUM__V1__INGEST_HEADER__INIT;
    Neuroquantum__V1__ColumnMeta column = NEUROQUANTUM__V1__COLUMN_META__INIT;
    Neuroquantum__V1__ColumnMeta *columns[] = {&column};
    request.message_case = NEUROQUANTUM__V1__INGEST_REQUEST__MESSAGE_HEADER;
    request.header = &header;
    header.n_columns = 1;
    header.columns = columns;
    column.name = (char *)"value";
    assert_int_equal(
        nq_ingest_message_decode(&wire.ctx, PACKED(&wire, &request), NULL, 0, &decoded),
        NQ_INVALID_ARGUMENT);
    assert_string_equal(wire.ctx.error.object, "header.table");
    header.table = (char *)"series";
    header.ingest_id = (char *)"load-1";
    header.rows_per_transaction = 10;
    assert_int_equal(
        nq_ingest_message_decode(&wire.ctx, PACKED(&wire, &request), NULL, 0, &decoded), NQ_OK);
    assert_int_equal(decoded.kind, NQ_INGEST_HEADER);
    assert_true(nq_bytes_equal(decoded.header.table, NQ_BYTES_LITERAL("series")));
    assert_true(nq_bytes_equal(decoded.header.columns[0], NQ_BYTES_LITERAL("value")));
    assert_int_equal(decoded.header.rows_per_transaction, 10);
    wire_fixture_deinit(&wire);
}

static void ingested_rows_become_typed_batches(void **state) {
    (void)state;
    wire_fixture wire;
    nq_ingest_message decoded;
    static const nq_type types[] = {{.id = NQ_TYPE_INT32}, {.id = NQ_TYPE_TEXT}};
    wire_fixture_init(&wire, 1 << 20);
    Neuroquantum__V1__IngestRequest request = NEUROQUANTUM__V1__INGEST_REQUEST__INIT;
    Neuroquantum__V1__RowBatch rows = NEUROQUANTUM__V1__ROW_BATCH__INIT;
    Neuroquantum__V1__Row row = NEUROQUANTUM__V1__ROW__INIT;
    Neuroquantum__V1__Row *row_list[] = {&row, &row};
    Neuroquantum__V1__Value number = NEUROQUANTUM__V1__VALUE__INIT;
    Neuroquantum__V1__Value text = NEUROQUANTUM__V1__VALUE__INIT;
    Neuroquantum__V1__Value *values[] = {&number, &text};
    number.kind_case = NEUROQUANTUM__V1__VALUE__KIND_TEXT_VALUE;
    number.text_value = (char *)"42";
    text.kind_case = NEUROQUANTUM__V1__VALUE__KIND_NULL_VALUE;
    row.n_values = 2;
    row.values = values;
    rows.n_rows = 2;
    rows.rows = row_list;
    request.message_case = NEUROQUANTUM__V1__INGEST_REQUEST__MESSAGE_ROWS;
    request.rows = &rows;
    request.offset = 7;
    assert_int_equal(
        nq_ingest_message_decode(&wire.ctx, PACKED(&wire, &request), types, 2, &decoded), NQ_OK);
    assert_int_equal(decoded.offset, 7);
    assert_int_equal(decoded.batches.row_count, 2);
    const nq_batch *batch = &decoded.batches.batches[0];
    assert_int_equal(nq_batch_value(batch, 0, 1).integer, 42);
    assert_true(nq_batch_value(batch, 1, 0).is_null);
    row.n_values = 1;
    assert_int_equal(
        nq_ingest_message_decode(&wire.ctx, PACKED(&wire, &request), types, 2, &decoded),
        NQ_INVALID_ARGUMENT);
    assert_string_equal(wire.ctx.error.object, "rows.rows[0]");
    row.n_values = 2;
    number.text_value = (char *)"forty-two";
    assert_int_equal(
        nq_ingest_message_decode(&wire.ctx, PACKED(&wire, &request), types, 2, &decoded),
        NQ_INVALID_TEXT_VALUE);
    assert_string_equal(wire.ctx.error.object, "rows.rows[0].values[0]");
    assert_int_equal(
        nq_ingest_message_decode(&wire.ctx, PACKED(&wire, &request), NULL, 0, &decoded),
        NQ_INVALID_ARGUMENT);
    wire_fixture_deinit(&wire);
}

static void an_ingest_message_without_content_is_refused(void **state) {
    (void)state;
    wire_fixture wire;
    nq_ingest_message decoded;
    wire_fixture_init(&wire, 1 << 20);
    assert_int_equal(nq_ingest_message_decode(&wire.ctx, (nq_bytes){0}, NULL, 0, &decoded),
                     NQ_INVALID_ARGUMENT);
    wire_fixture_deinit(&wire);
}

static void a_batch_names_the_statement_at_fault(void **state) {
    (void)state;
    execute_fixture f;
    nq_execute_batch_request decoded;
    execute_init(&f);
    Neuroquantum__V1__ExecuteBatchRequest request = NEUROQUANTUM__V1__EXECUTE_BATCH_REQUEST__INIT;
    Neuroquantum__V1__Statement empty = NEUROQUANTUM__V1__STATEMENT__INIT;
    Neuroquantum__V1__Statement *statements[] = {&f.statement, &empty};
    assert_int_equal(
        nq_execute_batch_request_decode(&f.wire.ctx, PACKED(&f.wire, &request), &decoded),
        NQ_INVALID_ARGUMENT);
    assert_string_equal(f.wire.ctx.error.object, "statements");
    request.n_statements = 2;
    request.statements = statements;
    assert_int_equal(
        nq_execute_batch_request_decode(&f.wire.ctx, PACKED(&f.wire, &request), &decoded),
        NQ_INVALID_ARGUMENT);
    assert_string_equal(f.wire.ctx.error.object, "statements[1]");
    execute_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_is_required),
        cmocka_unit_test(a_plain_request_has_the_defaults),
        cmocka_unit_test(options_that_are_not_honoured_are_refused),
        cmocka_unit_test(timeouts_are_durations_of_ours),
        cmocka_unit_test(a_transaction_is_selected_in_one_of_four_ways),
        cmocka_unit_test(parameters_keep_their_kind),
        cmocka_unit_test(a_parameter_that_cannot_be_is_refused_with_its_path),
        cmocka_unit_test(a_request_beyond_its_memory_is_refused_before_it_is_unpacked),
        cmocka_unit_test(an_ingest_header_names_table_and_columns),
        cmocka_unit_test(ingested_rows_become_typed_batches),
        cmocka_unit_test(an_ingest_message_without_content_is_refused),
        cmocka_unit_test(a_batch_names_the_statement_at_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
