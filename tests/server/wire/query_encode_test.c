/* Responses, unpacked by the generated code: every field arrives under its number. */
#include <neuroquantum/v1/admin.pb-c.h>
#include <neuroquantum/v1/query.pb-c.h>
#include <string.h>

#include "server/wire/admin_wire.h"
#include "server/wire/query_response.h"
#include "tests/server/wire/wire_fixture.h"

enum { BYTES_MAX = 1 << 20 };

typedef struct encode_fixture {
    wire_fixture wire;
    nq_writer writer;
} encode_fixture;

static void encode_init(encode_fixture *f) {
    wire_fixture_init(&f->wire, 1 << 20);
    nq_writer_init(&f->writer, 8, BYTES_MAX);
}

static void encode_deinit(encode_fixture *f) {
    nq_writer_deinit(&f->writer);
    wire_fixture_deinit(&f->wire);
}

#define UNPACKED(f, name) \
    wire_unpacked(&(f)->wire, &neuroquantum__v1__##name##__descriptor, &(f)->writer)

static void a_row_carries_the_member_its_type_says(void **state) {
    (void)state;
    encode_fixture f;
    encode_init(&f);
    static const uint8_t nulls[] = {1};
    static const uint8_t booleans[] = {0};
    static const int64_t integers[] = {-5};
    static const double numbers[] = {0.0};
    static const nq_bytes texts[] = {{(const uint8_t *)"sixteen bytes...", 16}};
    static const nq_bytes empty[] = {{NULL, 0}};
    const nq_vector columns[] = {
        {.type = {.id = NQ_TYPE_INT32}, .nulls = nulls, .integers = integers},
        {.type = {.id = NQ_TYPE_BOOL}, .booleans = booleans},
        {.type = {.id = NQ_TYPE_INT16}, .integers = integers},
        {.type = {.id = NQ_TYPE_FLOAT64}, .numbers = numbers},
        {.type = {.id = NQ_TYPE_TEXT}, .bytes = empty},
        {.type = {.id = NQ_TYPE_BYTES}, .bytes = texts},
        {.type = {.id = NQ_TYPE_TIMESTAMP}, .integers = integers},
        {.type = {.id = NQ_TYPE_DATE}, .integers = integers},
        {.type = {.id = NQ_TYPE_TIME}, .integers = integers},
        {.type = {.id = NQ_TYPE_UUID}, .bytes = texts},
    };
    const nq_batch batch = {.row_count = 1, .column_count = 10, .columns = columns};
    nq_rows_write(&f.writer, &batch);
    Neuroquantum__V1__RowBatch *rows = UNPACKED(&f, row_batch);
    assert_int_equal(rows->n_rows, 1);
    assert_int_equal(rows->rows[0]->n_values, 10);
    Neuroquantum__V1__Value **values = rows->rows[0]->values;
    assert_int_equal(values[0]->kind_case, NEUROQUANTUM__V1__VALUE__KIND_NULL_VALUE);
    assert_int_equal(values[0]->null_value, NEUROQUANTUM__V1__NULL_VALUE__NULL_VALUE_NULL);
    assert_int_equal(values[1]->kind_case, NEUROQUANTUM__V1__VALUE__KIND_BOOL_VALUE);
    assert_false(values[1]->bool_value);
    assert_int_equal(values[2]->kind_case, NEUROQUANTUM__V1__VALUE__KIND_INT_VALUE);
    assert_int_equal(values[2]->int_value, -5);
    assert_int_equal(values[3]->kind_case, NEUROQUANTUM__V1__VALUE__KIND_DOUBLE_VALUE);
    assert_true(values[3]->double_value == 0.0);
    assert_int_equal(values[4]->kind_case, NEUROQUANTUM__V1__VALUE__KIND_TEXT_VALUE);
    assert_string_equal(values[4]->text_value, "");
    assert_int_equal(values[5]->kind_case, NEUROQUANTUM__V1__VALUE__KIND_BYTES_VALUE);
    assert_int_equal(values[5]->bytes_value.len, 16);
    assert_int_equal(values[6]->kind_case, NEUROQUANTUM__V1__VALUE__KIND_TIMESTAMP_US);
    assert_int_equal(values[6]->timestamp_us, -5);
    assert_int_equal(values[7]->kind_case, NEUROQUANTUM__V1__VALUE__KIND_DATE_DAYS);
    assert_int_equal(values[7]->date_days, -5);
    assert_int_equal(values[8]->kind_case, NEUROQUANTUM__V1__VALUE__KIND_TIME_US);
    assert_int_equal(values[8]->time_us, -5);
    assert_int_equal(values[9]->kind_case, NEUROQUANTUM__V1__VALUE__KIND_UUID_VALUE);
    assert_int_equal(values[9]->uuid_value.len, 16);
    wire_free(rows);
    encode_deinit(&f);
}

static void an_execute_response_has_all_its_fields(void **state) {
    (void)state;
    encode_fixture f;
    encode_init(&f);
    const nq_column_info columns[] = {
        {.name = NQ_BYTES_LITERAL("name"),
         .type = {.id = NQ_TYPE_TEXT, .length_max = 20, .is_padded = true},
         .table = NQ_BYTES_LITERAL("people"),
         .is_primary_key = true},
        {.name = NQ_BYTES_LITERAL("n"), .type = {.id = NQ_TYPE_INT64}, .is_nullable = true},
    };
    const nq_statement_stats stats = {.rows_returned = 1,
                                      .rows_examined = 2,
                                      .rows_affected = 3,
                                      .parse_ns = 4,
                                      .plan_ns = 1000000005,
                                      .execute_ns = 6,
                                      .memory_bytes_max = 7,
                                      .log_bytes = 8};
    const nq_execute_outcome outcome = {.truncated = true,
                                        .rows_affected = 9,
                                        .stats = &stats,
                                        .transaction_id = NQ_BYTES_LITERAL("0123456789abcdef"),
                                        .lsn = 0x0102030405060708,
                                        .notice = "look out"};
    nq_execute_response_begin(&f.writer, NQ_BYTES_LITERAL("q-1"), columns, 2);
    nq_execute_response_end(&f.writer, &outcome);
    Neuroquantum__V1__ExecuteResponse *have = UNPACKED(&f, execute_response);
    assert_string_equal(have->query_id, "q-1");
    assert_int_equal(have->n_columns, 2);
    assert_string_equal(have->columns[0]->name, "name");
    assert_string_equal(have->columns[0]->table, "people");
    assert_int_equal(have->columns[0]->type->data_type,
                     NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_TEXT);
    assert_int_equal(have->columns[0]->type->precision, 20);
    assert_true(have->columns[0]->type->blank_padded);
    assert_true(have->columns[0]->type->not_null);
    assert_true(have->columns[0]->primary_key);
    assert_false(have->columns[1]->type->not_null);
    assert_true(have->truncated);
    assert_int_equal(have->rows_affected, 9);
    assert_int_equal(have->stats->rows_returned, 1);
    assert_int_equal(have->stats->rows_examined, 2);
    assert_int_equal(have->stats->rows_affected, 3);
    assert_int_equal(have->stats->parse_time->nanos, 4);
    assert_int_equal(have->stats->plan_time->seconds, 1);
    assert_int_equal(have->stats->plan_time->nanos, 5);
    assert_int_equal(have->stats->execute_time->nanos, 6);
    assert_int_equal(have->stats->memory_peak_bytes, 7);
    assert_int_equal(have->stats->wal_bytes, 8);
    assert_memory_equal(have->transaction_id.data, "0123456789abcdef", 16);
    assert_int_equal(have->consistency_token.len, 8);
    assert_int_equal(have->n_notices, 1);
    assert_string_equal(have->notices[0]->severity, "WARNING");
    assert_string_equal(have->notices[0]->message, "look out");
    wire_free(have);
    encode_deinit(&f);
}

static void batch_results_carry_their_errors(void **state) {
    (void)state;
    encode_fixture f;
    nq_error error = {.code = NQ_UNIQUE_VIOLATION, .message = "duplicate", .object = "t_pkey"};
    encode_init(&f);
    nq_batch_result_write(&f.writer, 4, NULL, 0);
    nq_batch_result_write(&f.writer, 0, &error, 1);
    nq_execute_batch_response_end(&f.writer, NQ_BYTES_LITERAL("id"), 5);
    Neuroquantum__V1__ExecuteBatchResponse *have = UNPACKED(&f, execute_batch_response);
    assert_int_equal(have->n_results, 2);
    assert_int_equal(have->results[0]->rows_affected, 4);
    assert_null(have->results[0]->error_detail);
    assert_int_equal(have->results[1]->error_code, NQ_RPC_ALREADY_EXISTS);
    assert_string_equal(have->results[1]->error_message, "duplicate");
    assert_int_equal(have->results[1]->error_detail->statement_index, 1);
    assert_string_equal(have->results[1]->error_detail->constraint, "t_pkey");
    assert_int_equal(have->transaction_id.len, 2);
    wire_free(have);
    encode_deinit(&f);
}

static void a_plan_is_a_flat_list(void **state) {
    (void)state;
    encode_fixture f;
    encode_init(&f);
    const nq_plan_node_info nodes[] = {
        {.parent = -1,
         .operator_name = NQ_BYTES_LITERAL("Filter"),
         .estimated_rows = 2.5,
         .details = NQ_BYTES_LITERAL("filter: a\nkey: b")},
        {.parent = 0,
         .operator_name = NQ_BYTES_LITERAL("Seq Scan"),
         .target = NQ_BYTES_LITERAL("t"),
         .actual_rows = 9,
         .actual_ns = 11,
         .loops = 1},
    };
    nq_explain_response_write(&f.writer, nodes, 2, NQ_BYTES_LITERAL("text"));
    Neuroquantum__V1__ExplainResponse *have = UNPACKED(&f, explain_response);
    assert_int_equal(have->n_nodes, 2);
    assert_int_equal(have->nodes[0]->parent_index, -1);
    assert_int_equal(have->nodes[0]->n_details, 2);
    assert_string_equal(have->nodes[0]->details[1], "key: b");
    assert_true(have->nodes[0]->estimated_rows == 2.5);
    assert_null(have->nodes[0]->actual_time);
    assert_int_equal(have->nodes[1]->index, 1);
    assert_string_equal(have->nodes[1]->operator_, "Seq Scan");
    assert_string_equal(have->nodes[1]->target, "t");
    assert_int_equal(have->nodes[1]->actual_rows, 9);
    assert_int_equal(have->nodes[1]->actual_time->nanos, 11);
    assert_int_equal(have->nodes[1]->loops, 1);
    assert_string_equal(have->text, "text");
    wire_free(have);
    encode_deinit(&f);
}

static void tables_and_their_details(void **state) {
    (void)state;
    encode_fixture f;
    encode_init(&f);
    const nq_column_info columns[] = {
        {.name = NQ_BYTES_LITERAL("id"), .type = {.id = NQ_TYPE_INT64}},
        {.name = NQ_BYTES_LITERAL("v"), .type = {.id = NQ_TYPE_FLOAT64}}};
    const nq_bytes defaults[] = {{0}, NQ_BYTES_LITERAL("1 + 1")};
    const uint32_t key[] = {0};
    const nq_bytes constraints[] = {NQ_BYTES_LITERAL("CHECK (v > 0)")};
    const nq_table_detail detail = {.table = {.name = NQ_BYTES_LITERAL("t"),
                                              .row_estimate = 5,
                                              .bytes = 6,
                                              .create_time_us = 1500000},
                                    .columns = columns,
                                    .column_defaults = defaults,
                                    .column_count = 2,
                                    .key_columns = key,
                                    .key_column_count = 1,
                                    .constraints = constraints,
                                    .constraint_count = 1};
    nq_get_table_response_write(&f.writer, &detail);
    Neuroquantum__V1__GetTableResponse *have = UNPACKED(&f, get_table_response);
    assert_string_equal(have->table->name, "t");
    assert_int_equal(have->table->row_estimate, 5);
    assert_int_equal(have->table->bytes, 6);
    assert_int_equal(have->table->compression, NEUROQUANTUM__V1__COMPRESSION__COMPRESSION_NONE);
    assert_int_equal(have->table->create_time->seconds, 1);
    assert_int_equal(have->table->create_time->nanos, 500000000);
    assert_string_equal(have->columns[1]->default_sql, "1 + 1");
    assert_int_equal(have->n_indexes, 1);
    assert_string_equal(have->indexes[0]->name, "t_pkey");
    assert_string_equal(have->indexes[0]->columns[0], "id");
    assert_true(have->indexes[0]->unique);
    assert_true(have->indexes[0]->primary);
    assert_string_equal(have->indexes[0]->method, "btree");
    assert_string_equal(have->constraints[0], "CHECK (v > 0)");
    wire_free(have);
    nq_writer_init(&f.writer, 8, BYTES_MAX);
    nq_list_tables_response_write(&f.writer, &detail.table, 1, NQ_BYTES_LITERAL("t"));
    Neuroquantum__V1__ListTablesResponse *list = UNPACKED(&f, list_tables_response);
    assert_int_equal(list->n_tables, 1);
    assert_string_equal(list->next_page_token, "t");
    wire_free(list);
    encode_deinit(&f);
}

static void the_small_answers(void **state) {
    (void)state;
    encode_fixture f;
    encode_init(&f);
    nq_begin_response_write(&f.writer, NQ_BYTES_LITERAL("id"), 7);
    Neuroquantum__V1__BeginTransactionResponse *begin = UNPACKED(&f, begin_transaction_response);
    assert_int_equal(begin->transaction_id.len, 2);
    assert_int_equal(begin->snapshot_lsn, 7);
    wire_free(begin);
    nq_writer_init(&f.writer, 8, BYTES_MAX);
    nq_commit_response_write(&f.writer, 8, -1);
    Neuroquantum__V1__CommitTransactionResponse *commit = UNPACKED(&f, commit_transaction_response);
    assert_int_equal(commit->commit_lsn, 8);
    assert_int_equal(commit->commit_time->seconds, -1);
    assert_int_equal(commit->commit_time->nanos, 999999000);
    assert_int_equal(commit->consistency_token.len, 8);
    wire_free(commit);
    nq_writer_init(&f.writer, 8, BYTES_MAX);
    nq_cancel_query_response_write(&f.writer, true);
    Neuroquantum__V1__CancelQueryResponse *cancel = UNPACKED(&f, cancel_query_response);
    assert_true(cancel->found);
    wire_free(cancel);
    nq_writer_init(&f.writer, 8, BYTES_MAX);
    const nq_ingest_outcome outcome = {1, 2, 3, 4};
    nq_ingest_response_write(&f.writer, &outcome);
    Neuroquantum__V1__IngestResponse *ingest = UNPACKED(&f, ingest_response);
    assert_int_equal(ingest->rows_committed, 1);
    assert_int_equal(ingest->next_offset, 2);
    assert_int_equal(ingest->commit_lsn, 3);
    assert_int_equal(ingest->rows_skipped_duplicate, 4);
    wire_free(ingest);
    encode_deinit(&f);
}

static void what_admin_answers(void **state) {
    (void)state;
    encode_fixture f;
    encode_init(&f);
    static const char *const features[] = {"execute"};
    static const nq_server_limit limits[] = {{"calls_max", 20000}};
    const nq_server_info info = {.version = "1",
                                 .build = "b",
                                 .api_minor = 2,
                                 .server_id = NQ_BYTES_LITERAL("id"),
                                 .platform = "linux/amd64",
                                 .start_time_us = 1000000,
                                 .features = features,
                                 .feature_count = 1,
                                 .limits = limits,
                                 .limit_count = 1};
    nq_server_info_write(&f.writer, &info);
    Neuroquantum__V1__GetServerInfoResponse *have = UNPACKED(&f, get_server_info_response);
    assert_string_equal(have->version, "1");
    assert_string_equal(have->build, "b");
    assert_int_equal(have->api_minor, 2);
    assert_string_equal(have->server_id, "id");
    assert_string_equal(have->platform, "linux/amd64");
    assert_int_equal(have->start_time->seconds, 1);
    assert_string_equal(have->features[0], "execute");
    assert_string_equal(have->limits[0]->key, "calls_max");
    assert_int_equal(have->limits[0]->value, 20000);
    wire_free(have);
    nq_writer_init(&f.writer, 8, BYTES_MAX);
    nq_stats_response_begin(&f.writer, 2000000);
    nq_metric_write(&f.writer, "m_seconds", "_sum", "operation=\"read\",x=\"y\"", "0.5", 1.5);
    Neuroquantum__V1__GetStatsResponse *stats = UNPACKED(&f, get_stats_response);
    assert_int_equal(stats->time->seconds, 2);
    assert_string_equal(stats->metrics[0]->name, "m_seconds_sum");
    assert_true(stats->metrics[0]->value == 1.5);
    assert_int_equal(stats->metrics[0]->n_labels, 3);
    assert_string_equal(stats->metrics[0]->labels[0]->key, "operation");
    assert_string_equal(stats->metrics[0]->labels[0]->value, "read");
    assert_string_equal(stats->metrics[0]->labels[1]->value, "y");
    assert_string_equal(stats->metrics[0]->labels[2]->key, "quantile");
    wire_free(stats);
    nq_writer_init(&f.writer, 8, BYTES_MAX);
    const nq_query_row query = {.query_id = NQ_BYTES_LITERAL("q"),
                                .sql = NQ_BYTES_LITERAL("SELECT"),
                                .state = "running",
                                .start_time_us = 1,
                                .rows_returned = 5,
                                .execute_ns = 6,
                                .stream_id = NQ_BYTES_LITERAL("s")};
    nq_list_queries_response_write(&f.writer, &query, 1, 77);
    Neuroquantum__V1__ListQueriesResponse *queries = UNPACKED(&f, list_queries_response);
    assert_string_equal(queries->queries[0]->query_id, "q");
    assert_string_equal(queries->queries[0]->sql, "SELECT");
    assert_string_equal(queries->queries[0]->state, "running");
    assert_int_equal(queries->queries[0]->stats->rows_returned, 5);
    assert_string_equal(queries->queries[0]->stream_id, "s");
    assert_string_equal(queries->next_page_token, "77");
    wire_free(queries);
    nq_writer_init(&f.writer, 8, BYTES_MAX);
    const nq_connection_row connection = {
        .id = 3, .peer = NQ_BYTES_LITERAL("ipv4:1"), .connect_time_us = 1000000, .open_streams = 2};
    nq_list_connections_response_write(&f.writer, &connection, 1, 0);
    Neuroquantum__V1__ListConnectionsResponse *connections =
        UNPACKED(&f, list_connections_response);
    assert_string_equal(connections->connections[0]->id, "3");
    assert_string_equal(connections->connections[0]->peer, "ipv4:1");
    assert_int_equal(connections->connections[0]->open_streams, 2);
    assert_string_equal(connections->next_page_token, "");
    wire_free(connections);
    nq_writer_init(&f.writer, 8, BYTES_MAX);
    nq_config_value_write(&f.writer, "listen", NQ_BYTES_LITERAL("x:1"), true);
    Neuroquantum__V1__GetConfigResponse *config = UNPACKED(&f, get_config_response);
    assert_string_equal(config->values[0]->key, "listen");
    assert_string_equal(config->values[0]->value, "x:1");
    assert_string_equal(config->restart_required[0], "listen");
    wire_free(config);
    nq_writer_init(&f.writer, 8, BYTES_MAX);
    nq_checkpoint_response_write(&f.writer, 1, 2, 3);
    Neuroquantum__V1__CheckpointResponse *checkpoint = UNPACKED(&f, checkpoint_response);
    assert_int_equal(checkpoint->lsn, 1);
    assert_int_equal(checkpoint->pages_written, 2);
    assert_int_equal(checkpoint->duration->nanos, 3);
    wire_free(checkpoint);
    encode_deinit(&f);
}

static void a_writer_stops_at_its_limit_and_says_so(void **state) {
    (void)state;
    encode_fixture f;
    nq_payload *payload = NULL;
    wire_fixture_init(&f.wire, 1 << 20);
    nq_writer_init(&f.writer, 8, 100);
    size_t opened = nq_writer_open(&f.writer, 1);
    for (uint32_t i = 0; i < 1000; i++) {
        nq_writer_put_uint(&f.writer, 1, 1000000);
    }
    nq_writer_close(&f.writer, opened);
    assert_int_equal(nq_writer_finish(&f.wire.ctx, &f.writer, &payload), NQ_RESULT_TOO_LARGE);
    assert_null(payload);
    assert_true(f.wire.ctx.error.hint[0] != '\0');
    encode_deinit(&f);
}

static void submessages_of_every_length_nest(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 126, 127, 128, 129, 16383, 16384, 70000};
    char *text = test_malloc(70001);
    memset(text, 'x', 70000);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        encode_fixture f;
        encode_init(&f);
        size_t outer = nq_writer_open(&f.writer, 1); /* ExecuteRequest.statement */
        nq_writer_put_element(&f.writer, 1, nq_bytes_of(text, sizes[i]));
        nq_writer_close(&f.writer, outer);
        nq_writer_put_cstr(&f.writer, 4, "after");
        Neuroquantum__V1__ExecuteRequest *have = UNPACKED(&f, execute_request);
        assert_int_equal(strlen(have->statement->sql), sizes[i]);
        assert_string_equal(have->request_id, "after");
        wire_free(have);
        encode_deinit(&f);
    }
    test_free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_carries_the_member_its_type_says),
        cmocka_unit_test(an_execute_response_has_all_its_fields),
        cmocka_unit_test(batch_results_carry_their_errors),
        cmocka_unit_test(a_plan_is_a_flat_list),
        cmocka_unit_test(tables_and_their_details),
        cmocka_unit_test(the_small_answers),
        cmocka_unit_test(what_admin_answers),
        cmocka_unit_test(a_writer_stops_at_its_limit_and_says_so),
        cmocka_unit_test(submessages_of_every_length_nest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
