/* AdminService: what the server is, does and holds, and its upkeep. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/ground/os/clock.h"
#include "server/observe/version.h"
#include "server/service/admin_service_internal.h"
#include "server/service/query_service_internal.h"

enum { RESPONSE_INITIAL_BYTES = 1024 };

/* What every handler here begins with. */
typedef struct admin_call {
    nq_call *call;
    nq_service *service;
    nq_ctx ctx;
    nq_writer writer;
} admin_call;

static void begin(nq_call *call, admin_call *admin) {
    admin->call = call;
    admin->service = nq_call_service(call);
    nq_call_init_ctx(call, &admin->ctx, NULL);
    nq_writer_init(&admin->writer, RESPONSE_INITIAL_BYTES,
                   admin->service->config->limit_response_bytes);
}

static void end(admin_call *admin, nq_status status) {
    nq_payload *payload = NULL;
    if (status == NQ_OK && nq_writer_finish(&admin->ctx, &admin->writer, &payload) == NQ_OK) {
        nq_call_reply(admin->call, payload);
        return;
    }
    nq_writer_deinit(&admin->writer);
    nq_call_fail(admin->call, &admin->ctx.error);
}

static void on_get_server_info(nq_call *call, nq_bytes message) {
    static const char *const features[] = {"execute", "execute_batch", "prepare", "transactions",
                                           "ingest",  "explain",       "stream",  "interact",
                                           "publish", "subscribe",     "listen",  "history"};
    admin_call admin;
    begin(call, &admin);
    nq_status status = nq_empty_request_decode(&admin.ctx, NQ_GET_SERVER_INFO_REQUEST, message);
    const nq_config *config = admin.service->config;
    const nq_server_limit limits[] = {
        {"connections_max", config->limit_connections},
        {"streams_per_connection_max", config->limit_streams_per_connection},
        {"calls_max", config->limit_calls},
        {"message_bytes_max", config->limit_request_bytes},
        {"ingest_message_bytes_max", NQ_INGEST_MESSAGE_BYTES_MAX},
        {"response_bytes_max", config->limit_response_bytes},
        {"metadata_bytes_max", config->limit_metadata_bytes},
        {"request_memory_bytes_max", config->limit_request_memory_bytes},
        {"statement_memory_bytes_max", config->limit_statement_memory_bytes},
        {"transaction_bytes_max", config->limit_transaction_bytes},
        {"transactions_max", config->limit_transactions},
        {"prepared_max", config->limit_prepared},
    };
    char id[2 * sizeof admin.service->server_id + 1];
    for (size_t i = 0; i < sizeof admin.service->server_id; i++) {
        (void)snprintf(id + 2 * i, 3, "%02x", admin.service->server_id[i]);
    }
    char grpc[NQ_GRPC_VERSION_BYTES];
    char build[192];
    nq_server_print_grpc_version(grpc);
    (void)snprintf(build, sizeof build, "%s, gRPC %s", nq_build(), grpc);
    const nq_server_info info = {
        .version = nq_version(),
        .build = build,
        .api_minor = NQ_API_MINOR,
        .server_id = nq_bytes_of_cstr(id),
        .platform = nq_platform(),
        .start_time_us = admin.service->start_time_us,
        .features = features,
        .feature_count = sizeof features / sizeof features[0],
        .limits = limits,
        .limit_count = sizeof limits / sizeof limits[0],
    };
    nq_server_info_write(&admin.writer, &info);
    end(&admin, status);
}

static void on_get_stats(nq_call *call, nq_bytes message) {
    admin_call admin;
    nq_get_stats_request request;
    begin(call, &admin);
    nq_status status = nq_get_stats_request_decode(&admin.ctx, message, &request);
    if (status == NQ_OK) {
        nq_stats_response_begin(&admin.writer, nq_clock_realtime_us());
        nq__stats_write(admin.service, &request, &admin.writer);
    }
    end(&admin, status);
}

/* A page being collected under a registry's lock. */
typedef struct connection_page {
    nq_arena *arena;
    nq_connection_row *rows;
    uint32_t count, capacity;
    uint64_t after_id;
    int64_t now_us, now_ns;
    bool is_short_of_memory;
} connection_page;

/* Connections come in no order: the page keeps the lowest ids above `after_id`, sorted. */
static void keep_connection(void *user, const nq_connection_info *info) {
    connection_page *page = user;
    uint32_t at = page->count;
    if (info->id <= page->after_id) {
        return;
    }
    while (at > 0 && page->rows[at - 1].id > info->id) {
        at--;
    }
    if (at == page->capacity) {
        return;
    }
    nq_bytes peer = nq_arena_copy(page->arena, nq_bytes_of_cstr(info->peer));
    nq_bytes user_agent = nq_arena_copy(page->arena, nq_bytes_of_cstr(info->user_agent));
    if (peer.data == NULL || user_agent.data == NULL) {
        page->is_short_of_memory = true;
        return;
    }
    uint32_t kept = page->count < page->capacity ? page->count : page->capacity - 1;
    memmove(&page->rows[at + 1], &page->rows[at], (kept - at) * sizeof page->rows[0]);
    page->rows[at] = (nq_connection_row){
        .id = info->id,
        .peer = peer,
        .user_agent = user_agent,
        .connect_time_us = page->now_us - (page->now_ns - info->opened_ns) / 1000,
        .open_streams = info->open_calls,
    };
    page->count = kept + 1;
}

static nq_status list_connections(admin_call *admin, const nq_list_request *request) {
    /* One more than the page, to know whether another page follows. */
    connection_page page = {
        .arena = admin->ctx.scratch,
        .capacity = request->page_size + 1,
        .after_id = request->after_id,
        .now_us = nq_clock_realtime_us(),
        .now_ns = nq_clock_monotonic_ns(),
    };
    page.rows = nq_arena_calloc(page.arena, page.capacity, sizeof page.rows[0]);
    if (page.rows == NULL) {
        return nq_fail_no_memory(&admin->ctx, "the connections");
    }
    if (!request->slow_only) {
        nq_server_visit_connections(admin->service->server, keep_connection, &page);
    }
    if (page.is_short_of_memory) {
        return nq_fail_no_memory(&admin->ctx, "the connections");
    }
    bool has_more = page.count > request->page_size;
    uint32_t count = has_more ? request->page_size : page.count;
    nq_list_connections_response_write(&admin->writer, page.rows, count,
                                       has_more ? page.rows[count - 1].id : 0);
    return NQ_OK;
}

static void on_list_connections(nq_call *call, nq_bytes message) {
    admin_call admin;
    nq_list_request request;
    begin(call, &admin);
    nq_status status = nq_list_connections_request_decode(&admin.ctx, message, &request);
    end(&admin, status == NQ_OK ? list_connections(&admin, &request) : status);
}

static void on_close_connection(nq_call *call, nq_bytes message) {
    admin_call admin;
    nq_stop_request request;
    begin(call, &admin);
    nq_status status = nq_close_connection_request_decode(&admin.ctx, message, &request);
    if (status == NQ_OK) {
        char id[24] = {0};
        memcpy(id, request.id.data, request.id.size < sizeof id ? request.id.size : sizeof id - 1);
        uint64_t number = strtoull(id, NULL, 10);
        if (number == 0 || !nq_server_close_connection(admin.service->server, number)) {
            status = nq_fail(&admin.ctx, NQ_INVALID_ARGUMENT, "no connection %.*s is open",
                             NQ_BYTES_FORMAT(request.id));
            nq_error_set_object(&admin.ctx.error, "id", 2);
        }
    }
    end(&admin, status);
}

typedef struct query_page {
    nq_arena *arena;
    nq_query_row *rows;
    uint64_t *numbers;
    uint32_t count, capacity;
    int64_t now_us, now_ns;
    bool is_short_of_memory;
} query_page;

static bool keep_query(void *user, const nq_query_entry *entry) {
    query_page *page = user;
    nq_bytes sql = nq_arena_copy(page->arena, entry->sql);
    nq_bytes id = nq_arena_copy(page->arena, nq_bytes_of_cstr(entry->id));
    nq_bytes stream = nq_arena_copy(page->arena, nq_bytes_of_cstr(entry->stream_id));
    if (sql.data == NULL || id.data == NULL || stream.data == NULL) {
        page->is_short_of_memory = true;
        return false;
    }
    page->numbers[page->count] = entry->number;
    page->rows[page->count++] = (nq_query_row){
        .query_id = id,
        .sql = sql,
        .state = entry->state,
        .start_time_us = page->now_us - (page->now_ns - entry->started_ns) / 1000,
        .rows_returned = entry->rows_returned,
        .execute_ns = page->now_ns - entry->started_ns,
        .stream_id = stream,
    };
    return page->count < page->capacity;
}

static nq_status list_queries(admin_call *admin, const nq_list_request *request) {
    query_page page = {
        .arena = admin->ctx.scratch,
        .capacity = request->page_size + 1,
        .now_us = nq_clock_realtime_us(),
        .now_ns = nq_clock_monotonic_ns(),
    };
    page.rows = nq_arena_calloc(page.arena, page.capacity, sizeof page.rows[0]);
    page.numbers = nq_arena_calloc(page.arena, page.capacity, sizeof page.numbers[0]);
    if (page.rows == NULL || page.numbers == NULL) {
        return nq_fail_no_memory(&admin->ctx, "the queries");
    }
    nq_query_registry_visit(admin->service->queries, request->after_id, keep_query, &page);
    if (page.is_short_of_memory) {
        return nq_fail_no_memory(&admin->ctx, "the queries");
    }
    bool has_more = page.count > request->page_size;
    uint32_t count = has_more ? request->page_size : page.count;
    nq_list_queries_response_write(&admin->writer, page.rows, count,
                                   has_more ? page.numbers[count - 1] : 0);
    return NQ_OK;
}

static void on_list_queries(nq_call *call, nq_bytes message) {
    admin_call admin;
    nq_list_request request;
    begin(call, &admin);
    nq_status status = nq_list_queries_request_decode(&admin.ctx, message, &request);
    end(&admin, status == NQ_OK ? list_queries(&admin, &request) : status);
}

static void on_kill_query(nq_call *call, nq_bytes message) {
    admin_call admin;
    nq_stop_request request;
    begin(call, &admin);
    nq_status status = nq_kill_query_request_decode(&admin.ctx, message, &request);
    if (status == NQ_OK) {
        nq_kill_query_response_write(
            &admin.writer,
            nq_query_registry_cancel(admin.service->queries, request.id, NQ_CANCELLED_BY_ADMIN));
    }
    end(&admin, status);
}

static nq_status get_config(admin_call *admin, const nq_bytes *keys, uint32_t key_count) {
    for (uint32_t i = 0; i < key_count; i++) {
        if (nq_setting_find(keys[i]) == NULL) {
            const char *nearest = nq_setting_find_nearest(keys[i]);
            nq_status status =
                nq_fail(&admin->ctx, NQ_INVALID_ARGUMENT,
                        "field read_mask: there is no setting \"%.*s\"", NQ_BYTES_FORMAT(keys[i]));
            nq_error_set_object(&admin->ctx.error, "read_mask", 9);
            if (nearest != NULL) {
                nq_error_set_hint(&admin->ctx.error, "Did you mean %s?", nearest);
            }
            return status;
        }
    }
    for (size_t i = 0; i < NQ_SETTING_TOTAL; i++) {
        const nq_setting *setting = &nq_settings[i];
        bool is_wanted = key_count == 0;
        for (uint32_t k = 0; k < key_count && !is_wanted; k++) {
            is_wanted = nq_bytes_equal(keys[k], nq_bytes_of_cstr(setting->key));
        }
        if (is_wanted) {
            char value[NQ_SETTING_VALUE_BYTES];
            nq_setting_print(admin->service->config, setting, value);
            nq_config_value_write(&admin->writer, setting->key, nq_bytes_of_cstr(value),
                                  setting->restart_required);
        }
    }
    return NQ_OK;
}

static void on_get_config(nq_call *call, nq_bytes message) {
    admin_call admin;
    const nq_bytes *keys = NULL;
    uint32_t key_count = 0;
    begin(call, &admin);
    nq_status status = nq_get_config_request_decode(&admin.ctx, message, &keys, &key_count);
    end(&admin, status == NQ_OK ? get_config(&admin, keys, key_count) : status);
}

static void on_checkpoint(nq_call *call, nq_bytes message) {
    admin_call admin;
    uint64_t lsn = 0, pages_written = 0;
    begin(call, &admin);
    nq_status status = nq_empty_request_decode(&admin.ctx, NQ_CHECKPOINT_REQUEST, message);
    int64_t started_ns = nq_clock_monotonic_ns();
    if (status == NQ_OK) {
        status = nq_database_checkpoint(&admin.ctx, admin.service->database, &lsn, &pages_written);
    }
    nq_checkpoint_response_write(&admin.writer, lsn, pages_written,
                                 nq_clock_monotonic_ns() - started_ns);
    end(&admin, status);
}

static void on_drain(nq_call *call, nq_bytes message) {
    admin_call admin;
    nq_server_stats stats;
    int64_t grace_ns = -1;
    begin(call, &admin);
    nq_status status = nq_drain_request_decode(&admin.ctx, message, &grace_ns);
    if (status == NQ_OK) {
        nq_server_get_stats(admin.service->server, &stats);
        /* This call is one of those open. */
        nq_drain_response_write(&admin.writer, (uint32_t)stats.calls_open - 1);
        admin.service->request_drain(admin.service->app, grace_ns);
    }
    end(&admin, status);
}

#define METHOD(name, method_shape, method_flags, method_handler)                \
    {                                                                           \
        .path = "/neuroquantum.v1.AdminService/" name, .shape = (method_shape), \
        .flags = (method_flags), .handler = (method_handler),                   \
    }
#define SHORT(name, function)                                             \
    METHOD(name, NQ_METHOD_UNARY, NQ_METHOD_INLINE | NQ_METHOD_UNLIMITED, \
           (&(const nq_method_handler){.on_message = (function)}))
#define LATER(name)        METHOD(name, NQ_METHOD_UNARY, 0, NULL)
#define LATER_STREAM(name) METHOD(name, NQ_METHOD_SERVER_STREAM, 0, NULL)

/* What only reads memory runs on the queue, uncounted: an operator must get through to a server
 * whose workers are all busy. */
static const nq_method methods[] = {
    SHORT("GetServerInfo", on_get_server_info),
    SHORT("GetStats", on_get_stats),
    SHORT("ListConnections", on_list_connections),
    SHORT("CloseConnection", on_close_connection),
    SHORT("ListQueries", on_list_queries),
    SHORT("KillQuery", on_kill_query),
    SHORT("GetConfig", on_get_config),
    SHORT("Drain", on_drain),
    METHOD("Checkpoint", NQ_METHOD_UNARY, 0,
           (&(const nq_method_handler){.on_message = on_checkpoint})),
    LATER_STREAM("WatchStats"),
    LATER("ListSlowQueries"),
    LATER_STREAM("TailLogs"),
    LATER("UpdateConfig"),
    LATER("Vacuum"),
    LATER("VerifyIntegrity"),
    LATER("CreateBackup"),
    LATER("ListBackups"),
    LATER("DeleteBackup"),
    LATER("RestoreBackup"),
    LATER_STREAM("StreamBackup"),
    LATER("ListIndexAdvice"),
};

const nq_method *nq_admin_service_methods(size_t *out_count) {
    *out_count = sizeof methods / sizeof methods[0];
    return methods;
}
