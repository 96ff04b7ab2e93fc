/* RPC fixture: a server on a free port of the loopback, its workers, and clients for it. */
#ifndef NQ_TESTS_SERVER_RPC_RPC_FIXTURE_H
#define NQ_TESTS_SERVER_RPC_RPC_FIXTURE_H

#include "engine/ground/os/worker_pool.h"
#include "server/rpc/server.h"
#include "tests/support/rpc_client.h"

typedef struct nq_rpc_fixture {
    nq_ctx ctx;
    nq_worker_pool *workers;
    nq_server *server;
    uint16_t port;
    char target[128];
} nq_rpc_fixture;

/* `options` may be NULL; its workers are filled in. Listens on 127.0.0.1, or on `unix_path`. */
void nq_rpc_fixture_start(nq_rpc_fixture *fixture, const nq_server_options *options,
                          const nq_method *methods, size_t method_count, void *service,
                          const char *unix_path);
nq_rpc_client *nq_rpc_fixture_connect(const nq_rpc_fixture *fixture);
void nq_rpc_fixture_stop(nq_rpc_fixture *fixture);

/* A plain TCP connection without HTTP/2; aborts the test when refused. */
int nq_rpc_fixture_dial(const nq_rpc_fixture *fixture);

/* Waits, at most a minute, until `is_true(user)`. */
bool nq_rpc_await(bool (*is_true)(void *user), void *user);

#define NQ_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
