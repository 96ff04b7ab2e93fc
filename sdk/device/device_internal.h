/* Device internals: what the files of the device client share.
 *
 *     device.c   the calls ─▶ message.c  structs ⇄ protobuf   (no connection)
 *        │                 └▶ reply.c    bytes and headers ─▶ a reply or a status (no connection)
 *        └────▶ call.c     one call over HTTP/2 ─▶ nghttp2 ─▶ pool.c, transport */
#ifndef NQ_SDK_DEVICE_DEVICE_INTERNAL_H
#define NQ_SDK_DEVICE_DEVICE_INTERNAL_H

#include "sdk/device/nq_device.h"

enum { NQ__DEVICE_PREFIX_BYTES = 5 }; /* gRPC's: a flag and the length */

/* ---- device.c ---- */

/* Writes the failure down and answers its code. */
nq_device_code nq__device_fail(nq_device_error *error, nq_device_code code, const char *message);

/* ---- pool.c ---- */

void nq__device_pool_init(nq_device_pool *pool);
/* As malloc, realloc and free. */
void *nq__device_pool_alloc(nq_device_pool *pool, size_t bytes);
void *nq__device_pool_resize(nq_device_pool *pool, void *memory, size_t bytes);
void nq__device_pool_free(nq_device_pool *pool, void *memory);

/* ---- message.c ---- */

/* A message in `room`; *out_bytes is its length. TOO_LONG names the argument. */
nq_device_code nq__device_encode_publish(const nq_device_message *message, uint8_t *room,
                                         size_t room_bytes, size_t *out_bytes,
                                         nq_device_error *error);
nq_device_code nq__device_encode_execute(const nq_device_statement *statement, uint8_t *room,
                                         size_t room_bytes, size_t *out_bytes,
                                         nq_device_error *error);

/* BAD_REPLY when it is not what the protos say; REPLY_TOO_LARGE when it does not fit here. */
nq_device_code nq__device_decode_publish(const uint8_t *reply, size_t reply_bytes,
                                         nq_device_published *out_published,
                                         nq_device_error *error);
nq_device_code nq__device_decode_execute(const uint8_t *reply, size_t reply_bytes,
                                         const nq_device_statement *statement,
                                         uint64_t *out_rows_affected, nq_device_error *error);
nq_device_code nq__device_decode_health(const uint8_t *reply, size_t reply_bytes,
                                        bool *out_is_serving, nq_device_error *error);

/* ---- reply.c ---- */

/* What has come of a reply. */
typedef struct nq__device_reply {
    uint8_t *room;
    size_t room_bytes;
    size_t bytes; /* of the message, in `room` */
    uint8_t prefix[NQ__DEVICE_PREFIX_BYTES];
    uint8_t prefix_bytes;
    uint32_t message_bytes; /* as the prefix says */
    bool is_too_large;
    bool is_malformed;
    bool has_status;
    uint32_t http_status;
    uint32_t status;
    char message[NQ_DEVICE_ERROR_BYTES]; /* grpc-message, decoded */
} nq__device_reply;

void nq__device_reply_init(nq__device_reply *reply, uint8_t *room, size_t room_bytes);
void nq__device_reply_add_header(nq__device_reply *reply, const uint8_t *name, size_t name_bytes,
                                 const uint8_t *value, size_t value_bytes);
/* Body bytes, cut anywhere. */
void nq__device_reply_add_data(nq__device_reply *reply, const uint8_t *data, size_t bytes);
/* The stream is over: OK with the whole message in `room`, or the failure. */
nq_device_code nq__device_reply_end(const nq__device_reply *reply, nq_device_error *error);

/* ---- call.c ---- */

/* Sends the `request_bytes` that stand in device->buffer behind room for the prefix, and waits. OK:
 * the reply's message is in device->buffer, *out_reply_bytes long. */
nq_device_code nq__device_call(nq_device *device, const char *path, size_t request_bytes,
                               uint32_t timeout_ms, size_t *out_reply_bytes);

#endif
