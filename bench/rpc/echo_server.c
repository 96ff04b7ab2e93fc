/* Echo on our runtime: echo_server queues [workers]
 *
 * Prints its port and serves until its input ends. /bench.EchoService/Echo is prefetched, as the
 * C++ peer's requests are; /bench.Guarded/Echo is what a method gets by default on the queue thread
 * (with the limit on half-open calls); /bench.Worker/Echo runs on a worker; /bench.Holder/Hold
 * holds a stream. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/ground/os/worker_pool.h"
#include "server/rpc/server.h"

static void echo_on_message(nq_call *call, nq_bytes message) {
    nq_call_reply(call, nq_payload_copy(message));
}

/* A stream that only stands: what a waiting subscriber costs. */
static void hold_on_message(nq_call *call, nq_bytes message) {
    (void)message;
    nq_call_send_headers(call);
}

static const nq_method_handler hold = {.on_message = hold_on_message};
static const nq_method_handler echo = {.on_message = echo_on_message};
static const nq_method methods[] = {
    {"/bench.EchoService/Echo", NQ_METHOD_UNARY, NQ_METHOD_INLINE | NQ_METHOD_PREFETCH, &echo, 0},
    {"/bench.Guarded/Echo", NQ_METHOD_UNARY, NQ_METHOD_INLINE, &echo, 0},
    {"/bench.Worker/Echo", NQ_METHOD_UNARY, 0, &echo, 0},
    {"/bench.Holder/Hold", NQ_METHOD_SERVER_STREAM, NQ_METHOD_INLINE, &hold, 0},
};

int main(int count, char **words) {
    nq_ctx ctx;
    uint32_t queues = count > 1 ? (uint32_t)strtoul(words[1], NULL, 10) : 1;
    nq_server_options options = {.queue_count = queues, .connections_max = 12000};
    uint32_t workers = count > 2 ? (uint32_t)strtoul(words[2], NULL, 10) : 1;
    nq_server *server = NULL;
    uint16_t port = 0;
    nq_ctx_init(&ctx, NULL);
    if (nq_worker_pool_create(&ctx, workers, &options.workers) != NQ_OK ||
        nq_server_create(&ctx, &options, &server) != NQ_OK ||
        nq_server_add_methods(&ctx, server, methods, sizeof(methods) / sizeof(methods[0]), NULL) !=
            NQ_OK ||
        nq_server_listen_tcp(&ctx, server, "127.0.0.1", 0, &port) != NQ_OK ||
        nq_server_start(&ctx, server) != NQ_OK) {
        fprintf(stderr, "echo_server: %s\n", ctx.error.message);
        return 1;
    }
    printf("%u\n", port);
    fflush(stdout);
    while (getchar() != EOF) {
    }
    nq_server_destroy(server);
    nq_worker_pool_destroy(options.workers);
    return 0;
}
