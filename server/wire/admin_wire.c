/* Admin wire: decoding and encoding of AdminService. */
#include "server/wire/admin_wire.h"

#include <google/protobuf/field_mask.pb-c.h>
#include <neuroquantum/v1/admin.pb-c.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/wire/query_response.h"
#include "server/wire/statement_internal.h"

enum { REASON_BYTES_MAX = 512, PATTERNS_MAX = 100 };

nq_status nq_empty_request_decode(nq_ctx *ctx, nq_empty_request which, nq_bytes message) {
    const void *unpacked = NULL;
    return nq__wire_unpack(ctx,
                           which == NQ_CHECKPOINT_REQUEST
                               ? &neuroquantum__v1__checkpoint_request__descriptor
                               : &neuroquantum__v1__get_server_info_request__descriptor,
                           message, &unpacked);
}

static nq_status read_texts(nq_ctx *ctx, const char *field, char *const *texts, size_t count,
                            const nq_bytes **out_texts, uint32_t *out_count) {
    *out_texts = NULL;
    *out_count = 0;
    if (count > PATTERNS_MAX) {
        return nq__wire_refuse(ctx, field, "holds more than 100 entries");
    }
    nq_bytes *borrowed = nq_arena_calloc(ctx->scratch, count + 1, sizeof *borrowed);
    if (borrowed == NULL) {
        return nq_fail_no_memory(ctx, field);
    }
    for (size_t i = 0; i < count; i++) {
        borrowed[i] = nq__wire_text(texts[i]);
    }
    *out_texts = borrowed;
    *out_count = (uint32_t)count;
    return NQ_OK;
}

nq_status nq_get_stats_request_decode(nq_ctx *ctx, nq_bytes message, nq_get_stats_request *out) {
    *out = (nq_get_stats_request){0};
    const void *unpacked = NULL;
    NQ_TRY(
        nq__wire_unpack(ctx, &neuroquantum__v1__get_stats_request__descriptor, message, &unpacked));
    const Neuroquantum__V1__GetStatsRequest *request = unpacked;
    return read_texts(ctx, "name_patterns", request->name_patterns, request->n_name_patterns,
                      &out->patterns, &out->pattern_count);
}

/* A page token is the last id in decimal. */
static nq_status read_page(nq_ctx *ctx, uint32_t page_size, const char *token,
                           nq_list_request *out) {
    out->page_size = nq__wire_page_size(page_size);
    for (const char *digit = token; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9' || digit - token > 18) {
            nq_status status = nq_fail(ctx, NQ_BAD_TOKEN, "field page_token is not one of ours");
            nq_error_set_object(&ctx->error, "page_token", 10);
            return status;
        }
    }
    out->after_id = strtoull(token, NULL, 10);
    return NQ_OK;
}

nq_status nq_list_connections_request_decode(nq_ctx *ctx, nq_bytes message, nq_list_request *out) {
    *out = (nq_list_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__list_connections_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__ListConnectionsRequest *request = unpacked;
    out->slow_only = request->slow_only != 0;
    return read_page(ctx, request->page_size, request->page_token, out);
}

nq_status nq_list_queries_request_decode(nq_ctx *ctx, nq_bytes message, nq_list_request *out) {
    *out = (nq_list_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__list_queries_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__ListQueriesRequest *request = unpacked;
    return read_page(ctx, request->page_size, request->page_token, out);
}

static nq_status read_stop(nq_ctx *ctx, const char *field, const char *id, const char *reason,
                           nq_stop_request *out) {
    out->id = nq__wire_text(id);
    out->reason = nq__wire_text(reason);
    if (out->reason.size > REASON_BYTES_MAX) {
        return nq__wire_refuse(ctx, "reason", "is longer than 128 characters");
    }
    return out->id.size > 0 ? NQ_OK : nq__wire_refuse(ctx, field, "is empty");
}

nq_status nq_close_connection_request_decode(nq_ctx *ctx, nq_bytes message, nq_stop_request *out) {
    *out = (nq_stop_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__close_connection_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__CloseConnectionRequest *request = unpacked;
    return read_stop(ctx, "id", request->id, request->reason, out);
}

nq_status nq_kill_query_request_decode(nq_ctx *ctx, nq_bytes message, nq_stop_request *out) {
    *out = (nq_stop_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__kill_query_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__KillQueryRequest *request = unpacked;
    return read_stop(ctx, "query_id", request->query_id, request->reason, out);
}

nq_status nq_get_config_request_decode(nq_ctx *ctx, nq_bytes message, const nq_bytes **out_keys,
                                       uint32_t *out_count) {
    *out_keys = NULL;
    *out_count = 0;
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__get_config_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__GetConfigRequest *request = unpacked;
    if (request->read_mask == NULL) {
        return NQ_OK;
    }
    return read_texts(ctx, "read_mask", request->read_mask->paths, request->read_mask->n_paths,
                      out_keys, out_count);
}

nq_status nq_drain_request_decode(nq_ctx *ctx, nq_bytes message, int64_t *out_grace_ns) {
    *out_grace_ns = -1;
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__drain_request__descriptor, message, &unpacked));
    const Neuroquantum__V1__DrainRequest *request = unpacked;
    if (request->grace == NULL) {
        return NQ_OK;
    }
    return nq__wire_duration(ctx, "grace", request->grace, INT64_C(3600) * 1000000000,
                             out_grace_ns);
}

void nq_server_info_write(nq_writer *writer, const nq_server_info *info) {
    enum { VERSION = 1, BUILD, API_MINOR, SERVER_ID, PLATFORM, START_TIME, FEATURES, LIMITS };
    nq_writer_put_cstr(writer, VERSION, info->version);
    nq_writer_put_cstr(writer, BUILD, info->build);
    nq_writer_put_uint(writer, API_MINOR, info->api_minor);
    nq_writer_put_bytes(writer, SERVER_ID, info->server_id);
    nq_writer_put_cstr(writer, PLATFORM, info->platform);
    nq_writer_put_timestamp(writer, START_TIME, info->start_time_us);
    for (uint32_t i = 0; i < info->feature_count; i++) {
        nq_writer_put_cstr(writer, FEATURES, info->features[i]);
    }
    for (uint32_t i = 0; i < info->limit_count; i++) {
        nq_writer_put_count_entry(writer, LIMITS, info->limits[i].name, info->limits[i].value);
    }
}

void nq_stats_response_begin(nq_writer *writer, int64_t time_us) {
    nq_writer_put_timestamp(writer, 1, time_us);
}

enum { METRIC_NAME = 1, METRIC_VALUE, METRIC_LABELS };

/* `key="value"` pairs, separated by commas; values of ours hold no quotes. */
static void put_labels(nq_writer *writer, const char *labels) {
    while (*labels != '\0') {
        char key[64];
        size_t key_bytes = strcspn(labels, "=");
        const char *value = labels + key_bytes + 2;
        if (key_bytes >= sizeof key || labels[key_bytes] == '\0') {
            return;
        }
        memcpy(key, labels, key_bytes);
        key[key_bytes] = '\0';
        size_t value_bytes = strcspn(value, "\"");
        nq_writer_put_text_entry(writer, METRIC_LABELS, key, nq_bytes_of(value, value_bytes));
        labels = value + value_bytes + (value[value_bytes] == '"');
        labels += *labels == ',';
    }
}

void nq_metric_write(nq_writer *writer, const char *name, const char *suffix, const char *labels,
                     const char *quantile, double value) {
    enum { METRICS = 2 };
    char full_name[128];
    (void)snprintf(full_name, sizeof full_name, "%s%s", name, suffix);
    size_t opened = nq_writer_open(writer, METRICS);
    nq_writer_put_cstr(writer, METRIC_NAME, full_name);
    nq_writer_put_double(writer, METRIC_VALUE, value);
    put_labels(writer, labels);
    if (quantile[0] != '\0') {
        nq_writer_put_text_entry(writer, METRIC_LABELS, "quantile", nq_bytes_of_cstr(quantile));
    }
    nq_writer_close(writer, opened);
}

static void put_next_page(nq_writer *writer, uint32_t field, uint64_t next_id) {
    char token[24];
    if (next_id > 0) {
        snprintf(token, sizeof token, "%llu", (unsigned long long)next_id);
        nq_writer_put_cstr(writer, field, token);
    }
}

void nq_list_connections_response_write(nq_writer *writer, const nq_connection_row *rows,
                                        uint32_t count, uint64_t next_id) {
    enum { CONNECTIONS = 1, NEXT_PAGE_TOKEN };
    enum { ID = 1, PEER, USER_AGENT = 4, CONNECT_TIME, OPEN_STREAMS = 7 };
    for (uint32_t i = 0; i < count; i++) {
        char id[24];
        size_t opened = nq_writer_open(writer, CONNECTIONS);
        snprintf(id, sizeof id, "%llu", (unsigned long long)rows[i].id);
        nq_writer_put_cstr(writer, ID, id);
        nq_writer_put_bytes(writer, PEER, rows[i].peer);
        nq_writer_put_bytes(writer, USER_AGENT, rows[i].user_agent);
        nq_writer_put_timestamp(writer, CONNECT_TIME, rows[i].connect_time_us);
        nq_writer_put_uint(writer, OPEN_STREAMS, rows[i].open_streams);
        nq_writer_close(writer, opened);
    }
    put_next_page(writer, NEXT_PAGE_TOKEN, next_id);
}

void nq_list_queries_response_write(nq_writer *writer, const nq_query_row *rows, uint32_t count,
                                    uint64_t next_id) {
    enum { QUERIES = 1, NEXT_PAGE_TOKEN };
    enum { QUERY_ID = 1, SQL, STATE = 4, START_TIME, STATS, STREAM_ID = 9 };
    for (uint32_t i = 0; i < count; i++) {
        nq_statement_stats stats = {
            .rows_returned = rows[i].rows_returned,
            .execute_ns = rows[i].execute_ns,
        };
        size_t opened = nq_writer_open(writer, QUERIES);
        nq_writer_put_bytes(writer, QUERY_ID, rows[i].query_id);
        nq_writer_put_bytes(writer, SQL, rows[i].sql);
        nq_writer_put_cstr(writer, STATE, rows[i].state);
        nq_writer_put_timestamp(writer, START_TIME, rows[i].start_time_us);
        nq_query_stats_write(writer, STATS, &stats);
        nq_writer_put_bytes(writer, STREAM_ID, rows[i].stream_id);
        nq_writer_close(writer, opened);
    }
    put_next_page(writer, NEXT_PAGE_TOKEN, next_id);
}

void nq_kill_query_response_write(nq_writer *writer, bool found) {
    nq_writer_put_uint(writer, 1, found);
}

void nq_config_value_write(nq_writer *writer, const char *key, nq_bytes value,
                           bool restart_required) {
    enum { VALUES = 1, RESTART_REQUIRED };
    nq_writer_put_text_entry(writer, VALUES, key, value);
    if (restart_required) {
        nq_writer_put_cstr(writer, RESTART_REQUIRED, key);
    }
}

void nq_checkpoint_response_write(nq_writer *writer, uint64_t lsn, uint64_t pages_written,
                                  int64_t duration_ns) {
    enum { LSN = 1, PAGES_WRITTEN, DURATION };
    nq_writer_put_uint(writer, LSN, lsn);
    nq_writer_put_uint(writer, PAGES_WRITTEN, pages_written);
    nq_writer_put_duration(writer, DURATION, duration_ns);
}

void nq_drain_response_write(nq_writer *writer, uint32_t streams_remaining) {
    nq_writer_put_uint(writer, 1, streams_remaining);
}
