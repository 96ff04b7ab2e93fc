/* Service: what all four services of one server share, and their method tables.
 *
 * Built once by app before the first call and read by every handler through nq_call_service(); only
 * the registries in it change, under their own locks. */
#ifndef NQ_SERVER_SERVICE_SERVICE_H
#define NQ_SERVER_SERVICE_SERVICE_H

#include "engine/api/database.h"
#include "engine/live/pubsub/hub.h"
#include "server/config/config.h"
#include "server/rpc/server.h"
#include "server/service/alarm.h"
#include "server/service/listen_registry.h"
#include "server/service/prepared_registry.h"
#include "server/service/query_registry.h"
#include "server/service/transaction_registry.h"

typedef struct nq_service {
    nq_database *database;
    const nq_config *config;
    nq_server *server; /* for connections, health and drain */
    nq_query_registry *queries;
    nq_transaction_registry *transactions;
    nq_prepared_registry *prepared;
    nq_alarm_clock *alarms;
    nq_hub *hub;
    nq_listen_registry *listens; /* Listen calls, for Acknowledge */
    nq_worker_pool *workers;     /* for its statistics */
    uint8_t server_id[16];       /* names the data directory */
    int64_t start_time_us;
    /* Asks app to drain; returns at once. */
    void (*request_drain)(void *app, int64_t grace_ns);
    void *app;
} nq_service;

/* Each table's `count` goes to out_count. */
const nq_method *nq_query_service_methods(size_t *out_count);
const nq_method *nq_admin_service_methods(size_t *out_count);
const nq_method *nq_stream_service_methods(size_t *out_count);
const nq_method *nq_pubsub_service_methods(size_t *out_count);

#endif
