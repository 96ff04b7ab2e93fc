/* App: start and stop, each step the mirror of the other. */
#include "server/app/app.h"

#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/entropy.h"
#include "engine/ground/os/worker_pool.h"
#include "proto/descriptor_set.h"
#include "server/app/access.h"
#include "server/app/readiness.h"
#include "server/app/server_id.h"
#include "server/wire/pubsub_wire.h"
#include "server/wire/status_wire.h"

struct nq_app {
    const nq_config *config;
    nq_service service;
    nq_interceptor access;
    nq_readiness *readiness;
    uint16_t port;
};

static nq_status open_database(nq_ctx *ctx, nq_app *app) {
    const nq_config *config = app->config;
    nq_database_options options = {
        .cache_bytes = config->storage_cache_bytes,
        .cache_policy = config->storage_cache_policy,
        .checkpoint_log_bytes = config->storage_checkpoint_log_bytes,
        .statement_bytes_max = config->limit_statement_memory_bytes,
        .txn_bytes_max = config->limit_transaction_bytes,
        .log_copy_directory = nq_config_text_or_null(config->storage_log_copy),
        .log_archive_directory = nq_config_text_or_null(config->storage_log_archive),
        .log_archive_bytes_max = config->storage_log_archive_wait_bytes,
    };
    nq_status status =
        nq_database_open(ctx, nq_vfs_posix(), config->data_dir, &options, &app->service.database);
    if (status == NQ_UPGRADE_NEEDED) {
        nq_error_set_hint(&ctx->error, "Run: neuroquantumd --upgrade --data-dir %s",
                          config->data_dir);
    }
    NQ_TRY(status);
    return nq_server_id_load(ctx, nq_vfs_posix(), config->data_dir, app->service.server_id);
}

static nq_status open_service(nq_ctx *ctx, nq_app *app) {
    const nq_config *config = app->config;
    nq_service *service = &app->service;
    NQ_TRY(nq_query_registry_create(ctx, &service->queries));
    NQ_TRY(nq_listen_registry_create(ctx, &service->listens));
    NQ_TRY(nq_alarm_clock_create(ctx, &service->alarms));
    const nq_hub_options hub = {
        .encoder = &nq_message_wire_encoder,
        .epoch = nq_entropy_u64(),
        .now_us = nq_clock_realtime_us,
    };
    NQ_TRY(nq_hub_create(ctx, &hub, &service->hub));
    NQ_TRY(nq_transaction_registry_create(
        ctx, service->database, (uint32_t)config->limit_transactions,
        (int64_t)config->transaction_idle_timeout_us * 1000, &service->transactions));
    NQ_TRY(nq_prepared_registry_create(ctx, (uint32_t)config->limit_prepared,
                                       (int64_t)config->prepared_ttl_us * 1000,
                                       &service->prepared));
    return nq_worker_pool_create(ctx, (uint32_t)config->threads_worker, &service->workers);
}

static nq_status create_server(nq_ctx *ctx, nq_app *app) {
    const nq_config *config = app->config;
    nq_server_options options = {
        .workers = app->service.workers,
        .queue_count = (uint32_t)config->threads_rpc,
        .connections_max = (uint32_t)config->limit_connections,
        .streams_per_connection_max = (uint32_t)config->limit_streams_per_connection,
        .calls_max = (uint32_t)config->limit_calls,
        .without_prefetch = config->limit_half_open_calls,
        .message_bytes_max = (uint32_t)config->limit_request_bytes,
        .metadata_bytes_max = (uint32_t)config->limit_metadata_bytes,
        .call_bytes_max = (uint32_t)config->limit_request_memory_bytes,
        .keepalive_ms = (uint32_t)(config->keepalive_time_us / 1000),
        .keepalive_timeout_ms = (uint32_t)(config->keepalive_timeout_us / 1000),
        .interceptors = &app->access,
        .interceptor_count = config->log_access ? 1 : 0,
        .encode_error = nq_status_details_encode,
        .descriptor_set = nq_bytes_of(nq_descriptor_set, nq_descriptor_set_bytes),
    };
    app->access = nq_access_interceptor();
    return nq_server_create(ctx, &options, &app->service.server);
}

static nq_status add_methods(nq_ctx *ctx, nq_app *app) {
    static const nq_method *(*const tables[])(size_t * out_count) = {
        nq_query_service_methods,
        nq_stream_service_methods,
        nq_pubsub_service_methods,
        nq_admin_service_methods,
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        size_t count = 0;
        const nq_method *methods = tables[i](&count);
        NQ_TRY(nq_server_add_methods(ctx, app->service.server, methods, count, &app->service));
    }
    return NQ_OK;
}

static nq_status listen_everywhere(nq_ctx *ctx, nq_app *app) {
    const nq_config *config = app->config;
    char host[NQ_CONFIG_HOST_BYTES];
    uint16_t port = 0;
    (void)nq_config_split_address(config->listen, host, &port);
    NQ_TRY(nq_server_listen_tcp(ctx, app->service.server, host, port, &app->port));
    if (config->listen_unix[0] == '\0') {
        return NQ_OK;
    }
    return nq_server_listen_unix(ctx, app->service.server, config->listen_unix, 0);
}

static nq_status open_all(nq_ctx *ctx, nq_app *app, nq_app_stage *out_stage) {
    *out_stage = NQ_STAGE_DATABASE;
    NQ_TRY(open_database(ctx, app));
    *out_stage = NQ_STAGE_START;
    NQ_TRY(open_service(ctx, app));
    NQ_TRY(create_server(ctx, app));
    NQ_TRY(add_methods(ctx, app));
    NQ_TRY(nq_readiness_add_parts(ctx, &app->service));
    *out_stage = NQ_STAGE_LISTEN;
    NQ_TRY(listen_everywhere(ctx, app));
    *out_stage = NQ_STAGE_START;
    NQ_TRY(nq_server_start(ctx, app->service.server));
    return nq_readiness_start(ctx, &app->service, &app->readiness);
}

nq_status nq_app_open(nq_ctx *ctx, const nq_config *config,
                      void (*request_drain)(void *self, int64_t grace_ns), void *self,
                      nq_app **out_app, nq_app_stage *out_stage) {
    *out_app = NULL;
    *out_stage = NQ_STAGE_START;
    nq_app *app = nq_heap_calloc(1, sizeof *app);
    if (app == NULL) {
        return nq_fail_no_memory(ctx, "the server");
    }
    app->config = config;
    app->service.config = config;
    app->service.start_time_us = nq_clock_realtime_us();
    app->service.request_drain = request_drain;
    app->service.app = self;
    nq_status status = open_all(ctx, app, out_stage);
    if (status != NQ_OK) {
        /* What failed is what counts, not what closing has to say. */
        nq_ctx closing;
        nq_ctx_init(&closing, ctx->scratch);
        (void)!nq_app_close(&closing, app);
        return status;
    }
    *out_app = app;
    return NQ_OK;
}

uint16_t nq_app_port(const nq_app *app) {
    return app->port;
}

void nq_app_drain(nq_app *app, uint32_t grace_ms) {
    nq_server_drain(app->service.server, grace_ms);
}

nq_status nq_app_close(nq_ctx *ctx, nq_app *app) {
    nq_status status = NQ_OK;
    if (app == NULL) {
        return NQ_OK;
    }
    nq_readiness_stop(app->readiness);
    nq_server_destroy(app->service.server);
    if (app->service.workers != NULL) {
        nq_worker_pool_destroy(app->service.workers);
    }
    nq_prepared_registry_destroy(app->service.prepared);
    nq_transaction_registry_destroy(app->service.transactions);
    nq_query_registry_destroy(app->service.queries);
    nq_listen_registry_destroy(app->service.listens);
    nq_alarm_clock_destroy(app->service.alarms);
    nq_hub_destroy(app->service.hub);
    if (app->service.database != NULL) {
        status = nq_database_close(ctx, app->service.database);
    }
    nq_heap_free(app);
    return status;
}
