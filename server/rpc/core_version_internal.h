/* Core version: everything in which gRPC core 1.51 (Debian 12) and later ones differ for us. No
 * other file asks which version it is. */
#ifndef NQ_SERVER_RPC_CORE_VERSION_INTERNAL_H
#define NQ_SERVER_RPC_CORE_VERSION_INTERNAL_H

#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>

#include <stdint.h>

/* grpc_init, with the settings a core wants before it starts. Counted, as grpc_init is. */
void nq__core_init(void);

/* Hands a connected, non-blocking socket over to the server. */
void nq__core_add_socket(grpc_server *server, int fd);

/* The number of the socket a call came over (a socket given to nq__core_add_socket), or -1 when
 * this core does not tell. */
int nq__core_call_socket(grpc_call *call);

/* The gRPC release the linked core belongs to, as users know it: "1.51". NULL: newer than this
 * file. */
const char *nq__core_release(void);

#endif
