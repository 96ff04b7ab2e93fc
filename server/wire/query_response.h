/* Query responses: QueryService's answers, written field by field.
 *
 * An ExecuteResponse is begun, given its result, and ended, so that rows go from the cursor into
 * the payload without a stop. The others are one call each. */
#ifndef NQ_WIRE_QUERY_RESPONSE_H
#define NQ_WIRE_QUERY_RESPONSE_H

#include "engine/api/database.h"
#include "server/wire/column_batch.h"
#include "server/wire/row_batch.h"

/* Where an ExecuteResponse's result goes. */
enum { NQ_EXECUTE_RESPONSE_ROWS = 3, NQ_EXECUTE_RESPONSE_COLUMN_BATCH = 4 };

/* Parts that several responses embed. */
void nq_column_info_write(nq_writer *writer, uint32_t field, const nq_column_info *column,
                          nq_bytes default_sql);
void nq_query_stats_write(nq_writer *writer, uint32_t field, const nq_statement_stats *stats);
void nq_consistency_token_write(nq_writer *writer, uint32_t field, uint64_t lsn);

void nq_execute_response_begin(nq_writer *writer, nq_bytes query_id, const nq_column_info *columns,
                               uint32_t column_count);

typedef struct nq_execute_outcome {
    bool truncated;
    uint64_t rows_affected;
    const nq_statement_stats *stats; /* NULL: not asked for */
    nq_bytes transaction_id;         /* empty: none is open */
    uint64_t lsn;                    /* written or seen */
    const char *notice;              /* NULL: none. A WARNING, for people */
} nq_execute_outcome;

void nq_execute_response_end(nq_writer *writer, const nq_execute_outcome *outcome);

/* One BatchResult. `error` NULL: it succeeded. */
void nq_batch_result_write(nq_writer *writer, uint64_t rows_affected, const nq_error *error,
                           uint32_t statement_index);
void nq_execute_batch_response_end(nq_writer *writer, nq_bytes transaction_id, uint64_t lsn);

void nq_prepare_response_write(nq_writer *writer, nq_bytes prepared_id, const nq_prepared *prepared,
                               int64_t expire_time_us);
void nq_explain_response_write(nq_writer *writer, const nq_plan_node_info *nodes,
                               uint32_t node_count, nq_bytes text);
void nq_begin_response_write(nq_writer *writer, nq_bytes transaction_id, uint64_t snapshot_lsn);
void nq_commit_response_write(nq_writer *writer, uint64_t commit_lsn, int64_t commit_time_us);
void nq_cancel_query_response_write(nq_writer *writer, bool found);

typedef struct nq_ingest_outcome {
    uint64_t rows_committed;
    uint64_t next_offset;
    uint64_t commit_lsn;
    uint64_t rows_skipped_duplicate;
} nq_ingest_outcome;

void nq_ingest_response_write(nq_writer *writer, const nq_ingest_outcome *outcome);

/* `next_page_token` is the last name when more follow, empty otherwise. */
void nq_list_tables_response_write(nq_writer *writer, const nq_table_info *tables, uint32_t count,
                                   nq_bytes next_page_token);
void nq_get_table_response_write(nq_writer *writer, const nq_table_detail *detail);

#endif
