/* RPC fixture: everything must work, or the test ends here. */
#include "tests/server/rpc/rpc_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/os/thread.h"

void nq_rpc_fixture_start(nq_rpc_fixture *fixture, const nq_server_options *options,
                          const nq_method *methods, size_t method_count, void *service,
                          const char *unix_path) {
    nq_server_options mine = options != NULL ? *options : (nq_server_options){0};
    memset(fixture, 0, sizeof(*fixture));
    nq_ctx_init(&fixture->ctx, NULL);
    nq_ctx *ctx = &fixture->ctx;
    NQ_ASSERT(nq_worker_pool_create(ctx, 2, &fixture->workers) == NQ_OK);
    mine.workers = fixture->workers;
    mine.queue_count = mine.queue_count != 0 ? mine.queue_count : 2;
    NQ_ASSERT(nq_server_create(ctx, &mine, &fixture->server) == NQ_OK);
    NQ_ASSERT(nq_server_add_methods(ctx, fixture->server, methods, method_count, service) == NQ_OK);
    if (unix_path != NULL) {
        nq_status status = nq_server_listen_unix(ctx, fixture->server, unix_path, 0600);
        NQ_ASSERT(status == NQ_OK);
        snprintf(fixture->target, sizeof(fixture->target), "unix:%s", unix_path);
    } else {
        NQ_ASSERT(nq_server_listen_tcp(ctx, fixture->server, "127.0.0.1", 0, &fixture->port) ==
                  NQ_OK);
        snprintf(fixture->target, sizeof(fixture->target), "127.0.0.1:%u", fixture->port);
    }
    NQ_ASSERT(nq_server_start(ctx, fixture->server) == NQ_OK);
}

nq_rpc_client *nq_rpc_fixture_connect(const nq_rpc_fixture *fixture) {
    return nq_rpc_client_open(fixture->target);
}

void nq_rpc_fixture_stop(nq_rpc_fixture *fixture) {
    nq_server_destroy(fixture->server);
    nq_worker_pool_destroy(fixture->workers);
}

int nq_rpc_fixture_dial(const nq_rpc_fixture *fixture) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(fixture->port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    NQ_ASSERT(fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    NQ_ASSERT(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

bool nq_rpc_await(bool (*is_true)(void *user), void *user) {
    for (int i = 0; i < 60000; i++) {
        if (is_true(user)) {
            return true;
        }
        nq_thread_sleep_ns(1000000);
    }
    return false;
}
