/* Query wire: QueryService's messages as plain values.
 *
 * Decoding checks everything that can be checked without the engine — the guard's pass, limits,
 * enum values, durations — and refuses options this version does not honour rather than ignore
 * them. What a decoded request points to lives in ctx->scratch or in the request's own bytes: both
 * outlive the handler. Errors name the field at fault as their object. */
#ifndef NQ_WIRE_QUERY_WIRE_H
#define NQ_WIRE_QUERY_WIRE_H

#include "engine/api/database.h"
#include "server/wire/column_batch.h"

enum {
    NQ_WIRE_ID_BYTES_MAX = 64, /* request_id, ingest_id, tag */
    NQ_WIRE_PARAMETERS_MAX = 65535,
    NQ_WIRE_STATEMENTS_MAX = 10000, /* of one ExecuteBatch */
    NQ_CONSISTENCY_TOKEN_BYTES = 8, /* a log position */
};

/* How rows are asked for. */
typedef enum nq_row_format {
    NQ_ROW_FORMAT_UNSPECIFIED, /* the method's own default */
    NQ_ROW_FORMAT_ROWS,
    NQ_ROW_FORMAT_COLUMNS,
    NQ_ROW_FORMAT_NONE, /* the statement runs, its rows are counted and dropped */
} nq_row_format;

/* Exactly one of sql and prepared_id is not empty. */
typedef struct nq_wire_statement {
    nq_bytes sql;
    nq_bytes prepared_id;
    const nq_parameter *parameters;
    uint32_t parameter_count;
} nq_wire_statement;

typedef struct nq_wire_transaction_options {
    nq_transaction_options options;
    bool has_isolation;      /* false: the server's default */
    int64_t idle_timeout_ns; /* 0: the server's default */
} nq_wire_transaction_options;

typedef enum nq_selector_kind {
    NQ_SELECTOR_NONE,       /* a transaction of its own */
    NQ_SELECTOR_ID,         /* an open transaction */
    NQ_SELECTOR_BEGIN,      /* a new one, that stays open unless commit */
    NQ_SELECTOR_SINGLE_USE, /* a transaction of its own, with options */
} nq_selector_kind;

typedef struct nq_wire_selector {
    nq_selector_kind kind;
    nq_bytes transaction_id;             /* ID */
    nq_wire_transaction_options options; /* BEGIN, SINGLE_USE */
    bool commit;                         /* ID, BEGIN: commit when the statement succeeded */
} nq_wire_selector;

typedef struct nq_wire_query_options {
    nq_row_format format;
    uint64_t rows_max;  /* UINT64_MAX: no limit */
    int64_t timeout_ns; /* 0: only the call's deadline */
    bool wants_stats;
    nq_bytes tag;
} nq_wire_query_options;

typedef struct nq_execute_request {
    nq_wire_statement statement;
    nq_wire_selector selector;
    nq_wire_query_options options;
    nq_bytes request_id;
} nq_execute_request;

nq_status nq_execute_request_decode(nq_ctx *ctx, nq_bytes message, nq_execute_request *out);

typedef struct nq_execute_batch_request {
    const nq_wire_statement *statements;
    uint32_t statement_count;
    nq_wire_selector selector;
    nq_wire_query_options options;
    nq_bytes request_id;
    bool continue_on_error;
} nq_execute_batch_request;

nq_status nq_execute_batch_request_decode(nq_ctx *ctx, nq_bytes message,
                                          nq_execute_batch_request *out);

typedef struct nq_prepare_request {
    nq_bytes sql;
    int64_t ttl_ns; /* 0: the server's default */
} nq_prepare_request;

nq_status nq_prepare_request_decode(nq_ctx *ctx, nq_bytes message, nq_prepare_request *out);
nq_status nq_close_prepared_request_decode(nq_ctx *ctx, nq_bytes message, nq_bytes *out_id);

typedef struct nq_explain_request {
    nq_wire_statement statement;
    nq_wire_selector selector; /* NONE or ID */
    bool analyze;
} nq_explain_request;

nq_status nq_explain_request_decode(nq_ctx *ctx, nq_bytes message, nq_explain_request *out);

typedef struct nq_begin_request {
    nq_wire_transaction_options options;
    nq_bytes request_id;
} nq_begin_request;

nq_status nq_begin_request_decode(nq_ctx *ctx, nq_bytes message, nq_begin_request *out);

typedef struct nq_commit_request {
    nq_bytes transaction_id;
    nq_bytes request_id;
} nq_commit_request;

nq_status nq_commit_request_decode(nq_ctx *ctx, nq_bytes message, nq_commit_request *out);

typedef struct nq_rollback_request {
    nq_bytes transaction_id;
    nq_bytes to_savepoint; /* empty: all of it */
} nq_rollback_request;

nq_status nq_rollback_request_decode(nq_ctx *ctx, nq_bytes message, nq_rollback_request *out);

typedef struct nq_cancel_query_request {
    nq_bytes query_id;
    nq_bytes reason;
} nq_cancel_query_request;

nq_status nq_cancel_query_request_decode(nq_ctx *ctx, nq_bytes message,
                                         nq_cancel_query_request *out);

typedef struct nq_list_tables_request {
    uint32_t page_size; /* 1 … 1000 */
    nq_bytes after;     /* the last name of the page before; empty: the first page */
    nq_bytes name_pattern;
} nq_list_tables_request;

nq_status nq_list_tables_request_decode(nq_ctx *ctx, nq_bytes message, nq_list_tables_request *out);
nq_status nq_get_table_request_decode(nq_ctx *ctx, nq_bytes message, nq_bytes *out_name);

/* One message of an Ingest call. */
typedef enum nq_ingest_message_kind {
    NQ_INGEST_HEADER,
    NQ_INGEST_BATCH,
} nq_ingest_message_kind;

typedef struct nq_ingest_header {
    nq_bytes table;
    const nq_bytes *columns; /* in batch order; none: all, in table order */
    const nq_type *types;    /* as declared by the client; UNKNOWN: as in the table */
    uint32_t column_count;
    nq_bytes ingest_id;
    bool upsert;
    uint32_t rows_per_transaction; /* 0: the server's default */
} nq_ingest_header;

typedef struct nq_ingest_message {
    nq_ingest_message_kind kind;
    nq_ingest_header header;
    nq_batch_list batches; /* BATCH */
    uint64_t offset;       /* of the batch's first row */
} nq_ingest_message;

/* `types` are those of the columns to come, known from the header and the table; ignored for the
 * header itself. */
nq_status nq_ingest_message_decode(nq_ctx *ctx, nq_bytes message, const nq_type *types,
                                   uint32_t type_count, nq_ingest_message *out);

#endif
