/* Admin wire: AdminService's messages as plain values. Same rules as query_wire.h. */
#ifndef NQ_WIRE_ADMIN_WIRE_H
#define NQ_WIRE_ADMIN_WIRE_H

#include "engine/api/database.h"
#include "server/wire/writer.h"

/* Requests that hold nothing: only checked. */
typedef enum nq_empty_request {
    NQ_GET_SERVER_INFO_REQUEST,
    NQ_CHECKPOINT_REQUEST,
} nq_empty_request;

nq_status nq_empty_request_decode(nq_ctx *ctx, nq_empty_request which, nq_bytes message);

typedef struct nq_get_stats_request {
    const nq_bytes *patterns; /* LIKE; none: all */
    uint32_t pattern_count;
} nq_get_stats_request;

nq_status nq_get_stats_request_decode(nq_ctx *ctx, nq_bytes message, nq_get_stats_request *out);

/* ListConnections and ListQueries: both page by a rising id. */
typedef struct nq_list_request {
    uint32_t page_size;
    uint64_t after_id; /* 0: the first page */
    bool slow_only;    /* ListConnections */
} nq_list_request;

nq_status nq_list_connections_request_decode(nq_ctx *ctx, nq_bytes message, nq_list_request *out);
nq_status nq_list_queries_request_decode(nq_ctx *ctx, nq_bytes message, nq_list_request *out);

/* CloseConnection and KillQuery: an id and why. */
typedef struct nq_stop_request {
    nq_bytes id;
    nq_bytes reason;
} nq_stop_request;

nq_status nq_close_connection_request_decode(nq_ctx *ctx, nq_bytes message, nq_stop_request *out);
nq_status nq_kill_query_request_decode(nq_ctx *ctx, nq_bytes message, nq_stop_request *out);

/* The keys of read_mask; none: all. */
nq_status nq_get_config_request_decode(nq_ctx *ctx, nq_bytes message, const nq_bytes **out_keys,
                                       uint32_t *out_count);
/* `out_grace_ns` is -1 when the request names none. */
nq_status nq_drain_request_decode(nq_ctx *ctx, nq_bytes message, int64_t *out_grace_ns);

/* ---- Responses ---- */

typedef struct nq_server_limit {
    const char *name;
    uint64_t value;
} nq_server_limit;

typedef struct nq_server_info {
    const char *version;
    const char *build;
    uint32_t api_minor;
    nq_bytes server_id;
    const char *platform;
    int64_t start_time_us;
    const char *const *features;
    uint32_t feature_count;
    const nq_server_limit *limits;
    uint32_t limit_count;
} nq_server_info;

void nq_server_info_write(nq_writer *writer, const nq_server_info *info);

void nq_stats_response_begin(nq_writer *writer, int64_t time_us);
/* `labels` in Prometheus' form without braces (`kind="read",…`), or "". `suffix` is appended to the
 * name; `quantile` is one more label unless "". */
void nq_metric_write(nq_writer *writer, const char *name, const char *suffix, const char *labels,
                     const char *quantile, double value);

typedef struct nq_connection_row {
    uint64_t id;
    nq_bytes peer;
    nq_bytes user_agent;
    int64_t connect_time_us;
    uint32_t open_streams;
} nq_connection_row;

/* `next_id` 0: no more pages. */
void nq_list_connections_response_write(nq_writer *writer, const nq_connection_row *rows,
                                        uint32_t count, uint64_t next_id);

typedef struct nq_query_row {
    nq_bytes query_id;
    nq_bytes sql;
    const char *state;
    int64_t start_time_us;
    uint64_t rows_returned;
    int64_t execute_ns; /* so far */
    nq_bytes stream_id; /* empty for Execute */
} nq_query_row;

void nq_list_queries_response_write(nq_writer *writer, const nq_query_row *rows, uint32_t count,
                                    uint64_t next_id);
void nq_kill_query_response_write(nq_writer *writer, bool found);

/* One setting, as often as there are settings. */
void nq_config_value_write(nq_writer *writer, const char *key, nq_bytes value,
                           bool restart_required);

void nq_checkpoint_response_write(nq_writer *writer, uint64_t lsn, uint64_t pages_written,
                                  int64_t duration_ns);
void nq_drain_response_write(nq_writer *writer, uint32_t streams_remaining);

#endif
