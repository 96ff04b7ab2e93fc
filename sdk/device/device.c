/* Device: the calls of nq_device.h. */
#include <string.h>

#include "sdk/device/call_internal.h"

#define PUBLISH "/neuroquantum.v1.PubSubService/Publish"
#define EXECUTE "/neuroquantum.v1.QueryService/Execute"
#define CHECK   "/grpc.health.v1.Health/Check"

nq_device_code nq__device_fail(nq_device_error *error, nq_device_code code, const char *message) {
    size_t bytes = strlen(message);
    if (bytes >= sizeof error->message) {
        bytes = sizeof error->message - 1;
    }
    error->code = code;
    error->server_code = 0;
    memmove(error->message, message, bytes);
    error->message[bytes] = '\0';
    return code;
}

/* ---- A connection ---- */

static nq_device_code await_greeting(nq_device *device, uint32_t timeout_ms) {
    uint32_t start_ms = device->transport.now_ms(device->transport.self);
    while (!nq__device_session_is_greeted(device)) {
        uint32_t gone_ms = device->transport.now_ms(device->transport.self) - start_ms;
        if (gone_ms >= timeout_ms) {
            device->is_broken = true;
            return nq__device_fail(&device->error, NQ_DEVICE_TIMEOUT, "no greeting came in time");
        }
        nq_device_code code = nq__device_session_step(device, timeout_ms - gone_ms);
        if (code != NQ_DEVICE_OK) {
            return code;
        }
    }
    return NQ_DEVICE_OK;
}

nq_device_code nq_device_open(nq_device *device, const nq_device_transport *transport,
                              const char *authority, uint32_t timeout_ms) {
    device->session = NULL;
    device->call = NULL;
    device->is_broken = false;
    device->transport = *transport;
    size_t bytes = strlen(authority);
    if (bytes >= sizeof device->authority) {
        device->is_broken = true;
        return nq__device_fail(&device->error, NQ_DEVICE_TOO_LONG, "authority is too long");
    }
    memcpy(device->authority, authority, bytes + 1);
    nq_device_code code = nq__device_session_open(device);
    return code == NQ_DEVICE_OK ? await_greeting(device, timeout_ms) : code;
}

void nq_device_close(nq_device *device) {
    nq__device_session_close(device);
}

static nq_device_code check_open(nq_device *device) {
    if (device->session != NULL && !device->is_broken) {
        return NQ_DEVICE_OK;
    }
    return nq__device_fail(&device->error, NQ_DEVICE_CLOSED, "the connection is not open");
}

nq_device_code nq_device_poll(nq_device *device, uint32_t wait_ms) {
    nq_device_code code = check_open(device);
    return code == NQ_DEVICE_OK ? nq__device_session_step(device, wait_ms) : code;
}

const nq_device_error *nq_device_last_error(const nq_device *device) {
    return &device->error;
}

size_t nq_device_pool_bytes_used(const nq_device *device) {
    return device->pool.used_bytes_max;
}

/* ---- Calls ---- */

/* Where a request is encoded, and how much fits. */
static uint8_t *request_room(nq_device *device) {
    return device->buffer + NQ__DEVICE_PREFIX_BYTES;
}

enum { REQUEST_ROOM_BYTES = NQ_DEVICE_BUFFER_BYTES - NQ__DEVICE_PREFIX_BYTES };

nq_device_code nq_device_publish(nq_device *device, const nq_device_message *message,
                                 uint32_t timeout_ms, nq_device_published *out_published) {
    nq_device_published published = {0};
    size_t bytes = 0;
    nq_device_code code = check_open(device);
    if (code == NQ_DEVICE_OK) {
        code = nq__device_encode_publish(message, request_room(device), REQUEST_ROOM_BYTES, &bytes,
                                         &device->error);
    }
    if (code == NQ_DEVICE_OK) {
        code = nq__device_call(device, PUBLISH, bytes, timeout_ms, &bytes);
    }
    if (code == NQ_DEVICE_OK) {
        code = nq__device_decode_publish(device->buffer, bytes, &published, &device->error);
    }
    if (out_published != NULL) {
        *out_published = published;
    }
    return code;
}

nq_device_code nq_device_execute(nq_device *device, const nq_device_statement *statement,
                                 uint32_t timeout_ms, uint64_t *out_rows_affected) {
    uint64_t rows_affected = 0;
    size_t bytes = 0;
    nq_device_code code = check_open(device);
    if (code == NQ_DEVICE_OK) {
        code = nq__device_encode_execute(statement, request_room(device), REQUEST_ROOM_BYTES,
                                         &bytes, &device->error);
    }
    if (code == NQ_DEVICE_OK) {
        code = nq__device_call(device, EXECUTE, bytes, timeout_ms, &bytes);
    }
    if (code == NQ_DEVICE_OK) {
        code = nq__device_decode_execute(device->buffer, bytes, statement, &rows_affected,
                                         &device->error);
    }
    if (out_rows_affected != NULL) {
        *out_rows_affected = rows_affected;
    }
    return code;
}

nq_device_code nq_device_check_health(nq_device *device, uint32_t timeout_ms,
                                      bool *out_is_serving) {
    size_t bytes = 0;
    *out_is_serving = false;
    nq_device_code code = check_open(device);
    if (code == NQ_DEVICE_OK) {
        /* An empty request asks for the server as a whole. */
        code = nq__device_call(device, CHECK, 0, timeout_ms, &bytes);
    }
    return code == NQ_DEVICE_OK
               ? nq__device_decode_health(device->buffer, bytes, out_is_serving, &device->error)
               : code;
}
