/* Connections: who is connected, under which number of the core's, and what that costs.
 *
 * The core takes a socket over and tells nobody when it closes it; so each connection keeps a
 * second descriptor of the same socket. It shows the end (the core shuts the socket down before it
 * lets go), gives byte counts and peer credentials, and lets us cut the connection. */
#ifndef NQ_SERVER_RPC_CONNECTION_INTERNAL_H
#define NQ_SERVER_RPC_CONNECTION_INTERNAL_H

#include "server/rpc/server.h"
#include "server/rpc/socket_internal.h"

enum { NQ_PEER_BYTES = 80 };

typedef struct nq_connection {
    struct nq_connection *next; /* the table's list, under its lock */
    struct nq_connection *previous;
    uint64_t id;
    int watch_fd;
    int core_fd; /* the core's number; may belong to another connection once this one has ended */
    int64_t opened_ns;
    nq_socket_address address;
    uint32_t uid;
    _Atomic uint32_t references;
    _Atomic uint32_t open_calls;
    _Atomic uint64_t calls;
    char peer[NQ_PEER_BYTES];
} nq_connection;

typedef struct nq_connection_table nq_connection_table;

/* `descriptor_max`: one more than the highest descriptor number. */
nq_connection_table *nq__connection_table_create(uint32_t descriptor_max);
void nq__connection_table_destroy(nq_connection_table *table);

/* Enters a connected socket; takes over both descriptors on success. NULL: no memory. */
nq_connection *nq__connection_add(nq_connection_table *table, int watch_fd, int core_fd,
                                  const nq_socket_address *address);
/* The connection has ended: out of the table, descriptor closed, the table's reference gone. */
void nq__connection_remove(nq_connection_table *table, nq_connection *connection);

uint32_t nq__connection_count(const nq_connection_table *table);
/* How many come from the same network address, whatever the port. */
uint32_t nq__connection_count_from(nq_connection_table *table, const nq_socket_address *address);

/* A call has come over the core's socket `core_fd`: its connection, referenced, or NULL. */
nq_connection *nq__connection_begin_call(nq_connection_table *table, int core_fd);
void nq__connection_end_call(nq_connection *connection);

void nq__connection_visit(nq_connection_table *table,
                          void (*visit)(void *user, const nq_connection_info *info), void *user);
bool nq__connection_cut(nq_connection_table *table, uint64_t id);
void nq__connection_cut_all(nq_connection_table *table);

#endif
