/* libnq: the C client of NeuroQuantumDB.
 *
 * A client is one connection, shared by any number of threads; everything opened from it (rows,
 * loaders, feeds, calls) is used by one thread at a time, except that nq_client_cancel may be
 * called from any. Functions that can fail return a code, NQ_CODE_OK = 0, and write the rest into
 * `out_failure`, which may be NULL. Pointers handed out are borrowed; each says until when.
 *
 * What has no function of its own here is reached through rpc.h, with the generated messages. */
#ifndef NQ_SDK_C_NQ_H
#define NQ_SDK_C_NQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Outcomes ---- */

/* google.rpc.Code, by its published numbers. */
typedef int32_t nq_code;
enum {
    NQ_CODE_OK = 0,
    NQ_CODE_CANCELLED = 1,
    NQ_CODE_UNKNOWN = 2,
    NQ_CODE_INVALID_ARGUMENT = 3,
    NQ_CODE_DEADLINE_EXCEEDED = 4,
    NQ_CODE_NOT_FOUND = 5,
    NQ_CODE_ALREADY_EXISTS = 6,
    NQ_CODE_PERMISSION_DENIED = 7,
    NQ_CODE_RESOURCE_EXHAUSTED = 8,
    NQ_CODE_FAILED_PRECONDITION = 9,
    NQ_CODE_ABORTED = 10,
    NQ_CODE_OUT_OF_RANGE = 11,
    NQ_CODE_UNIMPLEMENTED = 12,
    NQ_CODE_INTERNAL = 13,
    NQ_CODE_UNAVAILABLE = 14,
    NQ_CODE_DATA_LOSS = 15,
    NQ_CODE_UNAUTHENTICATED = 16,
};

/* Why something failed. Texts are UTF-8, cut when too long, "" when the server had nothing to say.
 */
typedef struct nq_failure {
    nq_code code;
    uint32_t line;   /* in the statement, from 1; 0: it does not concern one place */
    uint32_t column; /* in characters, from 1 */
    uint32_t offset; /* in bytes, from 0 */
    char sqlstate[8];
    char reason[48]; /* ErrorInfo.reason: stable, for programs */
    char message[640];
    char hint[320];
    char token[128]; /* the name or token at fault */
} nq_failure;

/* "INVALID_ARGUMENT"; "CODE_99" for numbers that are none. Static storage. */
const char *nq_code_name(nq_code code);
/* True when the same request may succeed if it is sent again. */
bool nq_failure_is_retryable(const nq_failure *failure);

/* What nq_rows_next and nq_feed_next bring. */
typedef enum nq_step {
    NQ_STEP_FAILED = -1,
    NQ_STEP_END = 0,
    NQ_STEP_ITEM = 1,
    NQ_STEP_TIMEOUT = 2,
} nq_step;

/* ---- Connection ---- */

typedef struct nq_client nq_client;

/* Zero means the default in brackets. */
typedef struct nq_client_options {
    uint32_t timeout_ms;        /* of a unary call [none] */
    uint32_t message_bytes_max; /* of one received message [64 MiB] */
    const char *user_agent;     /* put before libnq's own [nothing] */
} nq_client_options;

/* `uri`: nq://host[:port], host[:port], unix:/path; the port is 50051 by default. Does not connect
 * yet: the first call does. Fails with INVALID_ARGUMENT. */
nq_code nq_client_open(const char *uri, const nq_client_options *options, nq_client **out_client,
                       nq_failure *out_failure);
/* Everything opened from it must be closed before. */
void nq_client_close(nq_client *client);
/* Ends every call under way with CANCELLED; returns how many. Any thread; not from a signal
 * handler. */
size_t nq_client_cancel(nq_client *client);
/* The address in use, for people; valid until the client is closed. */
const char *nq_client_target(const nq_client *client);

/* ---- Values ---- */

/* neuroquantum.v1.DataType, by its numbers. */
typedef int32_t nq_data_type;
enum {
    NQ_DATA_UNKNOWN = 0,
    NQ_DATA_BOOL = 1,
    NQ_DATA_INT16 = 2,
    NQ_DATA_INT32 = 3,
    NQ_DATA_INT64 = 4,
    NQ_DATA_FLOAT32 = 5,
    NQ_DATA_FLOAT64 = 6,
    NQ_DATA_DECIMAL = 7,
    NQ_DATA_TEXT = 8,
    NQ_DATA_BYTES = 9,
    NQ_DATA_TIMESTAMP = 10, /* microseconds since 1970-01-01T00:00:00 */
    NQ_DATA_DATE = 11,      /* days since 1970-01-01 */
    NQ_DATA_TIME = 12,      /* microseconds since midnight */
    NQ_DATA_UUID = 14,      /* 16 bytes */
};

/* One value. Which member counts follows from the type: boolean; integer (INT*, TIMESTAMP, DATE,
 * TIME); number (FLOAT*); text (everything else). */
typedef struct nq_datum {
    nq_data_type type;
    bool is_null;
    bool boolean;
    int64_t integer;
    double number;
    const char *text; /* not terminated */
    size_t text_bytes;
} nq_datum;

typedef struct nq_column {
    const char *name;
    nq_data_type type;
    const char *table; /* "" for an expression */
    bool is_not_null;
    bool is_primary_key;
} nq_column;

/* ---- Statements ---- */

typedef enum nq_delivery_mode {
    NQ_DELIVERY_STREAM, /* ExecuteStream: batches as they are made, paced by the transport */
    NQ_DELIVERY_PACED,  /* Interact: paced by credits too; can be paused */
    NQ_DELIVERY_WHOLE,  /* Execute: one message; the only mode that runs BEGIN, COMMIT and ROLLBACK
                         */
} nq_delivery_mode;

typedef struct nq_query {
    const char *sql;
    const nq_datum *parameters; /* $1, $2 … */
    size_t parameter_count;
    const char *const *parameter_names; /* NULL: positional */
    const uint8_t *transaction_id;      /* NULL: its own transaction */
    size_t transaction_id_bytes;
    nq_delivery_mode mode;
    uint32_t timeout_ms;    /* of the whole result; 0: the client's for WHOLE, none otherwise */
    uint32_t batch_rows;    /* 0: the server's default */
    uint32_t window;        /* PACED: batches the server may be ahead of the reader [8] */
    const char *request_id; /* WHOLE: makes an autocommitted write repeatable; may be NULL */
} nq_query;

typedef struct nq_rows nq_rows;

/* Rows by column, as they came. Valid until the next nq_rows_next or nq_rows_close. */
typedef struct nq_row_batch nq_row_batch;

/* Known in full once nq_rows_next has returned NQ_STEP_END. */
typedef struct nq_rows_summary {
    uint64_t row_count;
    uint64_t rows_affected;
    const char *query_id;
    const uint8_t *transaction_id; /* the transaction that is open after the statement (WHOLE) */
    size_t transaction_id_bytes;   /* 0: none */
    uint64_t estimated_rows;       /* 0: the planner had no idea */
} nq_rows_summary;

/* Starts a statement and waits until its columns are known (or it failed). */
nq_code nq_client_query(nq_client *client, const nq_query *query, nq_rows **out_rows,
                        nq_failure *out_failure);
/* Valid until nq_rows_close. No columns: the statement returns no rows. */
const nq_column *nq_rows_columns(const nq_rows *rows, size_t *out_count);
/* The next batch, of at least one row. */
nq_step nq_rows_next(nq_rows *rows, const nq_row_batch **out_batch, nq_failure *out_failure);
/* PACED only: the server sends no batch after the one on its way; and goes on. When the server has
 * ended already this changes nothing, and the next read says how. */
nq_code nq_rows_pause(nq_rows *rows, nq_failure *out_failure);
nq_code nq_rows_resume(nq_rows *rows, nq_failure *out_failure);
nq_rows_summary nq_rows_get_summary(const nq_rows *rows);
/* Stops the statement if it still runs. */
void nq_rows_close(nq_rows *rows);

uint32_t nq_row_batch_count(const nq_row_batch *batch);
/* `column` and `row` must exist. Text is borrowed like the batch. */
nq_datum nq_row_batch_get(const nq_row_batch *batch, size_t column, uint32_t row);

typedef struct nq_transaction_handle {
    uint8_t id[64];
    size_t id_bytes; /* 0: none */
} nq_transaction_handle;

nq_code nq_client_begin(nq_client *client, bool read_only, nq_transaction_handle *out_transaction,
                        nq_failure *out_failure);
/* Both end the transaction, whatever they return. */
nq_code nq_client_commit(nq_client *client, nq_transaction_handle *transaction,
                         nq_failure *out_failure);
nq_code nq_client_rollback(nq_client *client, nq_transaction_handle *transaction,
                           nq_failure *out_failure);

/* ---- Bulk load ---- */

typedef struct nq_load {
    const char *table;
    const char *const *column_names;
    const nq_data_type *column_types;
    size_t column_count;
    const char *ingest_id; /* NULL: cannot be taken up again */
    bool upsert;
    uint32_t rows_per_transaction; /* 0: the server's default */
} nq_load;

typedef struct nq_load_result {
    uint64_t rows_committed;
    uint64_t next_offset;
    uint64_t rows_skipped;
} nq_load_result;

typedef struct nq_loader nq_loader;

/* How many rows of the load named by ingest_id are already durable: the row to begin with. */
nq_code nq_client_load_offset(nq_client *client, const nq_load *load, uint64_t *out_offset,
                              nq_failure *out_failure);
/* Starts sending at row `offset`. `load` is copied. */
nq_code nq_client_load(nq_client *client, const nq_load *load, uint64_t offset,
                       nq_loader **out_loader, nq_failure *out_failure);
/* Adds one row, one datum per column: NULL, or of its column's type. Sends whenever enough has come
 * together, and then waits while the server is busy. */
nq_code nq_loader_append(nq_loader *loader, const nq_datum *row, nq_failure *out_failure);
/* Rows handed to the transport so far. */
uint64_t nq_loader_sent(const nq_loader *loader);
/* Sends the rest and waits until everything is durable. */
nq_code nq_loader_finish(nq_loader *loader, nq_load_result *out_result, nq_failure *out_failure);
void nq_loader_close(nq_loader *loader);

/* ---- Publish and subscribe ---- */

typedef struct nq_message {
    const char *channel;
    uint64_t sequence;       /* 0 when publishing */
    int64_t publish_time_us; /* since 1970-01-01T00:00:00Z; 0 when publishing */
    const uint8_t *payload;
    size_t payload_bytes;
    const char *key; /* may be NULL when publishing */
    uint64_t delivery_id;
} nq_message;

/* `out_sequence` and `out_receivers` may be NULL. */
nq_code nq_client_publish(nq_client *client, const nq_message *message, uint64_t *out_sequence,
                          uint32_t *out_receivers, nq_failure *out_failure);

typedef struct nq_interest {
    const char *const *patterns;
    size_t pattern_count;
    uint32_t history;   /* the latest so many of each channel first */
    bool from_earliest; /* everything kept first */
    uint64_t window;    /* deliveries the server may be ahead of nq_feed_acknowledge; 0: no limit */
} nq_interest;

/* What a feed brings: a message, a loss, or news of the feed itself. */
typedef enum nq_feed_kind { NQ_FEED_MESSAGE, NQ_FEED_GAP, NQ_FEED_STATE } nq_feed_kind;

typedef struct nq_feed_item {
    nq_feed_kind kind;
    nq_message message; /* MESSAGE */
    struct {            /* GAP: messages of a channel that were not delivered */
        const char *channel;
        uint64_t first_sequence, last_sequence, count;
        const char *reason;
        bool is_recoverable;
    } gap;
    struct { /* STATE */
        const char *session_id;
        double buffer_fill;
        uint64_t dropped_total;
        bool is_paused;
    } state;
} nq_feed_item;

typedef struct nq_feed nq_feed;

/* Subscribe: both ways. Returns when the server has confirmed. */
nq_code nq_client_subscribe(nq_client *client, const nq_interest *interest, nq_feed **out_feed,
                            nq_failure *out_failure);
/* Listen: the same for clients that only receive; no acknowledge, pause or drain. */
nq_code nq_client_listen(nq_client *client, const nq_interest *interest, nq_feed **out_feed,
                         nq_failure *out_failure);
/* `timeout_ms` < 0: no limit. The item is valid until the next call on the feed. */
nq_step nq_feed_next(nq_feed *feed, int timeout_ms, nq_feed_item *out_item,
                     nq_failure *out_failure);
/* Controls. When the server has ended already they change nothing, and the next read says how.
 * Done with every delivery up to this one: */
nq_code nq_feed_acknowledge(nq_feed *feed, uint64_t delivery_id, nq_failure *out_failure);
nq_code nq_feed_pause(nq_feed *feed, bool pause, nq_failure *out_failure);
nq_code nq_feed_add_pattern(nq_feed *feed, const char *pattern, nq_failure *out_failure);
nq_code nq_feed_remove_pattern(nq_feed *feed, const char *pattern, nq_failure *out_failure);
/* What is buffered still comes; then nq_feed_next returns NQ_STEP_END. */
nq_code nq_feed_drain(nq_feed *feed, nq_failure *out_failure);
void nq_feed_close(nq_feed *feed);

#ifdef __cplusplus
}
#endif

#endif
