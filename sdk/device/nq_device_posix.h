/* The device client's transport over a TCP socket of POSIX: to run on a gateway, to try things out
 * on a desk, and as the pattern for a port. lwIP's socket interface differs in its headers only. */
#ifndef NQ_DEVICE_POSIX_H
#define NQ_DEVICE_POSIX_H

#include "sdk/device/nq_device.h"

typedef struct nq_device_posix {
    int fd;
} nq_device_posix;

/* Connects to a host by name or address. false: errno, or the resolver, says why. The transport
 * points to `socket`, which must outlive it. */
bool nq_device_posix_connect(nq_device_posix *socket, const char *host, const char *port,
                             nq_device_transport *out_transport);
void nq_device_posix_close(nq_device_posix *socket);

#endif
