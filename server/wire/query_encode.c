/* Query encode: field numbers are those of query.proto and types.proto; query_encode_test unpacks
 * every response with the generated code. */
#include "server/wire/query_response.h"

#include <stdio.h>

#include "server/wire/status_wire.h"

void nq_column_info_write(nq_writer *writer, uint32_t field, const nq_column_info *column,
                          nq_bytes default_sql) {
    enum { NAME = 1, TYPE, TABLE, AUTO_INCREMENT, PRIMARY_KEY, DEFAULT_SQL };
    enum { DATA_TYPE = 1, PRECISION = 3, NOT_NULL = 5, BLANK_PADDED = 7 };
    size_t opened = nq_writer_open(writer, field);
    nq_writer_put_bytes(writer, NAME, column->name);
    size_t type = nq_writer_open(writer, TYPE);
    nq_writer_put_uint(writer, DATA_TYPE, column->type.id);
    nq_writer_put_uint(writer, PRECISION, column->type.length_max);
    nq_writer_put_uint(writer, NOT_NULL, !column->is_nullable);
    nq_writer_put_uint(writer, BLANK_PADDED, column->type.is_padded);
    nq_writer_close(writer, type);
    nq_writer_put_bytes(writer, TABLE, column->table);
    nq_writer_put_uint(writer, PRIMARY_KEY, column->is_primary_key);
    nq_writer_put_bytes(writer, DEFAULT_SQL, default_sql);
    nq_writer_close(writer, opened);
}

void nq_query_stats_write(nq_writer *writer, uint32_t field, const nq_statement_stats *stats) {
    enum { RETURNED = 1, EXAMINED, AFFECTED, PARSE, PLAN, EXECUTE, WAL_BYTES = 9, MEMORY_PEAK };
    size_t opened = nq_writer_open(writer, field);
    nq_writer_put_uint(writer, RETURNED, stats->rows_returned);
    nq_writer_put_uint(writer, EXAMINED, stats->rows_examined);
    nq_writer_put_uint(writer, AFFECTED, stats->rows_affected);
    nq_writer_put_duration(writer, PARSE, stats->parse_ns);
    nq_writer_put_duration(writer, PLAN, stats->plan_ns);
    nq_writer_put_duration(writer, EXECUTE, stats->execute_ns);
    nq_writer_put_uint(writer, WAL_BYTES, stats->log_bytes);
    nq_writer_put_uint(writer, MEMORY_PEAK, stats->memory_bytes_max);
    nq_writer_close(writer, opened);
}

void nq_consistency_token_write(nq_writer *writer, uint32_t field, uint64_t lsn) {
    nq_writer_put_element(writer, field, nq_bytes_of(&lsn, sizeof lsn));
}

void nq_execute_response_begin(nq_writer *writer, nq_bytes query_id, const nq_column_info *columns,
                               uint32_t column_count) {
    enum { QUERY_ID = 1, COLUMNS };
    nq_writer_put_bytes(writer, QUERY_ID, query_id);
    for (uint32_t i = 0; i < column_count; i++) {
        nq_column_info_write(writer, COLUMNS, &columns[i], (nq_bytes){0});
    }
}

void nq_execute_response_end(nq_writer *writer, const nq_execute_outcome *outcome) {
    enum { TRUNCATED = 6, ROWS_AFFECTED, STATS = 9, TRANSACTION_ID, CONSISTENCY_TOKEN, NOTICES };
    enum { SEVERITY = 1, MESSAGE = 3 };
    nq_writer_put_uint(writer, TRUNCATED, outcome->truncated);
    nq_writer_put_uint(writer, ROWS_AFFECTED, outcome->rows_affected);
    if (outcome->stats != NULL) {
        nq_query_stats_write(writer, STATS, outcome->stats);
    }
    nq_writer_put_bytes(writer, TRANSACTION_ID, outcome->transaction_id);
    if (outcome->lsn > 0) {
        nq_consistency_token_write(writer, CONSISTENCY_TOKEN, outcome->lsn);
    }
    if (outcome->notice != NULL) {
        size_t notice = nq_writer_open(writer, NOTICES);
        nq_writer_put_cstr(writer, SEVERITY, "WARNING");
        nq_writer_put_cstr(writer, MESSAGE, outcome->notice);
        nq_writer_close(writer, notice);
    }
}

void nq_batch_result_write(nq_writer *writer, uint64_t rows_affected, const nq_error *error,
                           uint32_t statement_index) {
    enum { RESULTS = 1 };
    enum { ROWS_AFFECTED = 1, ERROR_CODE = 3, ERROR_MESSAGE, ERROR_DETAIL };
    size_t opened = nq_writer_open(writer, RESULTS);
    nq_writer_put_uint(writer, ROWS_AFFECTED, rows_affected);
    if (error != NULL) {
        nq_writer_put_int32(writer, ERROR_CODE, (int32_t)nq_status_rpc_code(error->code));
        nq_writer_put_cstr(writer, ERROR_MESSAGE, error->message);
        nq_query_error_detail_write(writer, ERROR_DETAIL, error, statement_index);
    }
    nq_writer_close(writer, opened);
}

void nq_execute_batch_response_end(nq_writer *writer, nq_bytes transaction_id, uint64_t lsn) {
    enum { TRANSACTION_ID = 2, CONSISTENCY_TOKEN };
    nq_writer_put_bytes(writer, TRANSACTION_ID, transaction_id);
    if (lsn > 0) {
        nq_consistency_token_write(writer, CONSISTENCY_TOKEN, lsn);
    }
}

void nq_prepare_response_write(nq_writer *writer, nq_bytes prepared_id, const nq_prepared *prepared,
                               int64_t expire_time_us) {
    enum { PREPARED_ID = 1, COLUMNS, PARAMETERS, EXPIRE_TIME, READ_ONLY };
    nq_statement_kind kind = nq_prepared_kind(prepared);
    const nq_column_info *columns = nq_prepared_columns(prepared);
    const nq_column_info *parameters = nq_prepared_parameters(prepared);
    nq_writer_put_bytes(writer, PREPARED_ID, prepared_id);
    for (uint32_t i = 0; i < nq_prepared_column_count(prepared); i++) {
        nq_column_info_write(writer, COLUMNS, &columns[i], (nq_bytes){0});
    }
    for (uint32_t i = 0; i < nq_prepared_parameter_count(prepared); i++) {
        nq_column_info_write(writer, PARAMETERS, &parameters[i], (nq_bytes){0});
    }
    nq_writer_put_timestamp(writer, EXPIRE_TIME, expire_time_us);
    nq_writer_put_uint(writer, READ_ONLY,
                       kind == NQ_STATEMENT_QUERY || kind == NQ_STATEMENT_EXPLAIN);
}

static void put_plan_node(nq_writer *writer, const nq_plan_node_info *node, uint32_t index) {
    enum { NODES = 1 };
    enum { INDEX = 1, PARENT, OPERATOR, TARGET, ESTIMATED = 7, ACTUAL, TIME, LOOPS, DETAILS };
    size_t opened = nq_writer_open(writer, NODES);
    nq_writer_put_uint(writer, INDEX, index);
    nq_writer_put_sint(writer, PARENT, node->parent);
    nq_writer_put_bytes(writer, OPERATOR, node->operator_name);
    nq_writer_put_bytes(writer, TARGET, node->target);
    nq_writer_put_double(writer, ESTIMATED, node->estimated_rows);
    nq_writer_put_uint(writer, ACTUAL, node->actual_rows);
    if (node->loops > 0) {
        nq_writer_put_duration(writer, TIME, node->actual_ns);
    }
    nq_writer_put_uint(writer, LOOPS, node->loops);
    nq_bytes rest = node->details;
    while (rest.size > 0) {
        const uint8_t *newline = memchr(rest.data, '\n', rest.size);
        size_t line_bytes = newline == NULL ? rest.size : (size_t)(newline - rest.data);
        nq_writer_put_element(writer, DETAILS, nq_bytes_of(rest.data, line_bytes));
        size_t taken = newline == NULL ? rest.size : line_bytes + 1;
        rest = nq_bytes_of(rest.data + taken, rest.size - taken);
    }
    nq_writer_close(writer, opened);
}

void nq_explain_response_write(nq_writer *writer, const nq_plan_node_info *nodes,
                               uint32_t node_count, nq_bytes text) {
    enum { TEXT = 2 };
    for (uint32_t i = 0; i < node_count; i++) {
        put_plan_node(writer, &nodes[i], i);
    }
    nq_writer_put_bytes(writer, TEXT, text);
}

void nq_begin_response_write(nq_writer *writer, nq_bytes transaction_id, uint64_t snapshot_lsn) {
    enum { TRANSACTION_ID = 1, SNAPSHOT_LSN };
    nq_writer_put_bytes(writer, TRANSACTION_ID, transaction_id);
    nq_writer_put_uint(writer, SNAPSHOT_LSN, snapshot_lsn);
}

void nq_commit_response_write(nq_writer *writer, uint64_t commit_lsn, int64_t commit_time_us) {
    enum { COMMIT_LSN = 1, COMMIT_TIME, CONSISTENCY_TOKEN };
    nq_writer_put_uint(writer, COMMIT_LSN, commit_lsn);
    nq_writer_put_timestamp(writer, COMMIT_TIME, commit_time_us);
    nq_consistency_token_write(writer, CONSISTENCY_TOKEN, commit_lsn);
}

void nq_cancel_query_response_write(nq_writer *writer, bool found) {
    nq_writer_put_uint(writer, 1, found);
}

void nq_ingest_response_write(nq_writer *writer, const nq_ingest_outcome *outcome) {
    enum { ROWS_COMMITTED = 1, NEXT_OFFSET, COMMIT_LSN, ROWS_SKIPPED };
    nq_writer_put_uint(writer, ROWS_COMMITTED, outcome->rows_committed);
    nq_writer_put_uint(writer, NEXT_OFFSET, outcome->next_offset);
    nq_writer_put_uint(writer, COMMIT_LSN, outcome->commit_lsn);
    nq_writer_put_uint(writer, ROWS_SKIPPED, outcome->rows_skipped_duplicate);
}

static void put_table_info(nq_writer *writer, uint32_t field, const nq_table_info *table) {
    enum { NAME = 1, ROW_ESTIMATE, BYTES, COMPRESSION, CREATE_TIME, COMPRESSION_NONE = 1 };
    size_t opened = nq_writer_open(writer, field);
    nq_writer_put_bytes(writer, NAME, table->name);
    nq_writer_put_uint(writer, ROW_ESTIMATE, table->row_estimate);
    nq_writer_put_uint(writer, BYTES, table->bytes);
    nq_writer_put_uint(writer, COMPRESSION, COMPRESSION_NONE);
    nq_writer_put_timestamp(writer, CREATE_TIME, table->create_time_us);
    nq_writer_close(writer, opened);
}

void nq_list_tables_response_write(nq_writer *writer, const nq_table_info *tables, uint32_t count,
                                   nq_bytes next_page_token) {
    enum { TABLES = 1, NEXT_PAGE_TOKEN };
    for (uint32_t i = 0; i < count; i++) {
        put_table_info(writer, TABLES, &tables[i]);
    }
    nq_writer_put_bytes(writer, NEXT_PAGE_TOKEN, next_page_token);
}

static void put_primary_key(nq_writer *writer, const nq_table_detail *detail) {
    enum { INDEXES = 3 };
    enum { NAME = 1, COLUMNS, UNIQUE, METHOD, PRIMARY = 7 };
    char name[256];
    size_t opened = nq_writer_open(writer, INDEXES);
    (void)snprintf(name, sizeof name, "%.*s_pkey", NQ_BYTES_FORMAT(detail->table.name));
    nq_writer_put_cstr(writer, NAME, name);
    for (uint32_t i = 0; i < detail->key_column_count; i++) {
        nq_writer_put_element(writer, COLUMNS, detail->columns[detail->key_columns[i]].name);
    }
    nq_writer_put_uint(writer, UNIQUE, 1);
    nq_writer_put_cstr(writer, METHOD, "btree");
    nq_writer_put_uint(writer, PRIMARY, 1);
    nq_writer_close(writer, opened);
}

void nq_get_table_response_write(nq_writer *writer, const nq_table_detail *detail) {
    enum { TABLE = 1, COLUMNS, CONSTRAINTS = 4 };
    put_table_info(writer, TABLE, &detail->table);
    for (uint32_t i = 0; i < detail->column_count; i++) {
        nq_column_info_write(writer, COLUMNS, &detail->columns[i],
                             detail->column_defaults == NULL ? (nq_bytes){0}
                                                             : detail->column_defaults[i]);
    }
    if (detail->key_column_count > 0) {
        put_primary_key(writer, detail);
    }
    for (uint32_t i = 0; i < detail->constraint_count; i++) {
        nq_writer_put_element(writer, CONSTRAINTS, detail->constraints[i]);
    }
}
