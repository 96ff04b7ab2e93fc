/* Call internals: the connection that calls are made on. */
#ifndef NQ_SDK_DEVICE_CALL_INTERNAL_H
#define NQ_SDK_DEVICE_CALL_INTERNAL_H

#include "sdk/device/device_internal.h"

typedef struct nq_device_call nq_device_call;

enum {
    NQ__DEVICE_HEADER_BYTES_MAX = 4096, /* of one reply; the server keeps its trailers below */
    NQ__DEVICE_RETRY_MS = 10,           /* between two tries to write to a full transport */
};

nq_device_code nq__device_session_open(nq_device *device);
void nq__device_session_close(nq_device *device);
/* Whether the server has said what HTTP/2 begins with, and taken our settings. */
bool nq__device_session_is_greeted(const nq_device *device);
/* Writes what waits, reads once for up to `wait_ms`, answers. */
nq_device_code nq__device_session_step(nq_device *device, uint32_t wait_ms);

#endif
