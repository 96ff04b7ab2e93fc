/* Sockets: the calls of the kernel that the acceptor needs, each failing with a status or an errno
 * that means one thing. */
#ifndef NQ_SERVER_RPC_SOCKET_INTERNAL_H
#define NQ_SERVER_RPC_SOCKET_INTERNAL_H

#include "engine/ground/base/ctx.h"

enum { NQ_SOCKET_PATH_BYTES = 108 };

typedef enum nq_socket_family { NQ_SOCKET_IPV4, NQ_SOCKET_IPV6, NQ_SOCKET_UNIX } nq_socket_family;

/* Where a peer is. */
typedef struct nq_socket_address {
    nq_socket_family family;
    uint16_t port;
    uint8_t ip[16]; /* IPv4: the first four; an IPv4 peer of an IPv6 socket is IPv4 here */
    uint32_t pid;   /* unix sockets: the peer's */
    uint32_t uid;
} nq_socket_address;

typedef struct nq_listener {
    int fd;
    bool is_unix;
    char path[NQ_SOCKET_PATH_BYTES];
    uint64_t device; /* the socket file as we made it: only that one is removed */
    uint64_t inode;
} nq_listener;

nq_status nq__listener_open_tcp(nq_ctx *ctx, const char *host, uint16_t port, nq_listener *out,
                                uint16_t *out_port);
nq_status nq__listener_open_unix(nq_ctx *ctx, const char *path, uint32_t mode, nq_listener *out);
void nq__listener_close(nq_listener *listener);

typedef enum nq_accept_result {
    NQ_ACCEPTED,
    NQ_ACCEPT_NOTHING,  /* nobody waits, or who waited has gone */
    NQ_ACCEPT_NO_FILES, /* the process or the machine has no descriptor left */
    NQ_ACCEPT_BROKEN,   /* the listener itself failed */
} nq_accept_result;

/* Non-blocking, close-on-exec, without Nagle's delay. */
nq_accept_result nq__socket_accept(const nq_listener *listener, int *out_fd,
                                   nq_socket_address *out_address);

/* The same socket under a number of at least `number_min`, or, if there is none, under the one it
 * has; `fd` is closed if it moved. */
int nq__socket_renumber(int fd, int number_min);
/* What tells this socket from all others while the machine runs; 0 when `fd` is no open socket. */
uint64_t nq__socket_cookie(int fd);
void nq__socket_close(int fd);
/* A TCP socket keeps what is written to it, and then sends it, whole segments aside. */
void nq__socket_hold_back(int fd, bool is_held);
/* Ends both directions; whoever else holds the socket reads its end. */
void nq__socket_cut(int fd);
/* Bytes since it opened; 0 where the kernel does not count. */
void nq__socket_bytes(int fd, uint64_t *out_received, uint64_t *out_sent);
void nq__socket_describe(const nq_socket_address *address, char *room, size_t room_bytes);
bool nq__socket_same_host(const nq_socket_address *left, const nq_socket_address *right);

/* A descriptor that is good for nothing but being given up. */
int nq__spare_open(void);
/* Raises the process's limit on descriptors to `count` if it is lower, as far as it may. */
void nq__descriptor_want(uint32_t count);
/* One more than the highest descriptor number this process may have. */
uint32_t nq__descriptor_max(void);

/* Waiting for many descriptors (level-triggered), to read from them or only for their end. `token`
 * comes back from wait. A closed descriptor leaves by itself. */
int nq__poller_open(void);
bool nq__poller_add(int poller, int fd, bool for_reading, void *token);
void nq__poller_remove(int poller, int fd);
/* Up to `max` tokens of ready descriptors; 0 after `timeout_ms` (-1: none). */
size_t nq__poller_wait(int poller, int timeout_ms, void **tokens, size_t max);

/* Wakes a poller: readable once raised, until lowered. */
int nq__bell_open(void);
void nq__bell_raise(int bell);
void nq__bell_lower(int bell);

#endif
