/* Connections: who is connected, under which number of the core's, and what that costs.
 *
 * The core takes a socket over and tells nobody when it closes it. We keep its number and the
 * kernel's cookie for it: a number whose cookie has changed, or that is no socket any more, was a
 * connection that has ended. A second descriptor per connection would be simpler, and would halve
 * how many connections a process may have.
 *
 * All that gives numbers out or relies on one meaning the same socket still (adding, sweeping,
 * cutting) happens on the acceptor's thread. */
#ifndef NQ_SERVER_RPC_CONNECTION_INTERNAL_H
#define NQ_SERVER_RPC_CONNECTION_INTERNAL_H

#include "server/rpc/server.h"
#include "server/rpc/socket_internal.h"

enum { NQ_PEER_BYTES = 80, NQ_USER_AGENT_BYTES = 128 };

typedef struct nq_connection {
    struct nq_connection *next; /* the table's list, under its lock; then the retired ones */
    struct nq_connection *previous;
    uint64_t id;
    int fd; /* the core's */
    uint64_t cookie;
    int64_t opened_ns;
    nq_socket_address address;
    bool is_ended;     /* out of the table */
    bool is_condemned; /* to be cut; under the table's lock */
    _Atomic uint32_t references;
    _Atomic uint32_t open_calls;
    _Atomic uint64_t calls;
    _Atomic bool is_introduced; /* its first call has come; user_agent will not change again */
    char peer[NQ_PEER_BYTES];
    char user_agent[NQ_USER_AGENT_BYTES]; /* "" until introduced; under the table's lock */
} nq_connection;

typedef struct nq_connection_table nq_connection_table;

/* `descriptor_max`: one more than the highest descriptor number. */
nq_connection_table *nq__connection_table_create(uint32_t descriptor_max);
void nq__connection_table_destroy(nq_connection_table *table);

/* Enters the socket that the core is about to get as `fd`. Whoever had that number has ended. NULL:
 * no memory. */
nq_connection *nq__connection_add(nq_connection_table *table, int fd,
                                  const nq_socket_address *address);
/* Out of the table: counted no more, its memory kept until free_ended. */
void nq__connection_end(nq_connection_table *table, nq_connection *connection);
/* Ends those whose socket is closed. Returns how many. */
uint32_t nq__connection_sweep(nq_connection_table *table);
/* Cuts the condemned. */
void nq__connection_cut_condemned(nq_connection_table *table);
/* Lets go of what has ended: nobody looks at it any more but its calls. */
void nq__connection_free_ended(nq_connection_table *table);

uint32_t nq__connection_count(const nq_connection_table *table);
/* How many come from the same network address, whatever the port. */
uint32_t nq__connection_count_from(nq_connection_table *table, const nq_socket_address *address);

/* A call has come over the core's socket `core_fd`: its connection, referenced, or NULL. */
nq_connection *nq__connection_begin_call(nq_connection_table *table, int core_fd);
void nq__connection_end_call(nq_connection *connection);
/* Keeps what the client calls itself: at most NQ_USER_AGENT_BYTES - 1 bytes, '?' for each that is
 * not printable ASCII. The first call's counts; later ones change nothing. */
void nq__connection_introduce(nq_connection_table *table, nq_connection *connection,
                              nq_bytes user_agent);
/* Whether that has been done. */
bool nq__connection_is_introduced(const nq_connection *connection);

void nq__connection_visit(nq_connection_table *table,
                          void (*visit)(void *user, const nq_connection_info *info), void *user);
/* Any thread; the acceptor must be rung. false: no such connection. */
bool nq__connection_condemn(nq_connection_table *table, uint64_t id);
void nq__connection_condemn_all(nq_connection_table *table);

#endif
