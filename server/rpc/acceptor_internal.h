/* Acceptor: one thread that accepts, refuses, and notices the end of connections. */
#ifndef NQ_SERVER_RPC_ACCEPTOR_INTERNAL_H
#define NQ_SERVER_RPC_ACCEPTOR_INTERNAL_H

#include "server/rpc/connection_internal.h"

typedef struct nq_acceptor nq_acceptor;

typedef struct nq_acceptor_options {
    uint32_t connections_max;
    uint32_t connections_per_ip_max; /* 0: no limit */
    nq_connection_table *connections;
    void (*give)(void *self, int core_fd); /* hands a socket to the transport; on the thread */
    void *self;
} nq_acceptor_options;

nq_status nq__acceptor_create(nq_ctx *ctx, const nq_acceptor_options *options,
                              nq_acceptor **out_acceptor);
/* Takes the listener over. Before start. */
nq_status nq__acceptor_add(nq_ctx *ctx, nq_acceptor *acceptor, const nq_listener *listener);
nq_status nq__acceptor_start(nq_ctx *ctx, nq_acceptor *acceptor);
/* Connections have been condemned. Any thread. */
void nq__acceptor_ring(nq_acceptor *acceptor);
/* Closes the listeners; connections are still watched. Any thread; again is nothing. */
void nq__acceptor_stop_accepting(nq_acceptor *acceptor);
/* Ends the thread and frees everything. NULL is allowed. */
void nq__acceptor_destroy(nq_acceptor *acceptor);

uint64_t nq__acceptor_accepted(const nq_acceptor *acceptor);
uint64_t nq__acceptor_refused(const nq_acceptor *acceptor);

#endif
