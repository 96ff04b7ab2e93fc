/* RPC client: a blocking client on gRPC core, one step per function, for tests that need a real
 * wire.
 *
 * One thread per client. Waits are generous and bounded: a step that takes longer than WAIT aborts
 * the test. */
#ifndef NQ_TESTS_SUPPORT_RPC_CLIENT_H
#define NQ_TESTS_SUPPORT_RPC_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/ground/base/bytes.h"
#include "engine/ground/base/status.h"

typedef struct nq_rpc_client nq_rpc_client;
typedef struct nq_rpc_stream nq_rpc_stream;

/* "127.0.0.1:50051" or "unix:/path". Its own connection, made by the first call. */
nq_rpc_client *nq_rpc_client_open(const char *target);
void nq_rpc_client_close(nq_rpc_client *client);

/* What a call ended with. Free with nq_rpc_end_clear. */
typedef struct nq_rpc_end {
    nq_rpc_code code;
    char text[512];
    uint8_t *details; /* grpc-status-details-bin */
    size_t details_bytes;
    char trailer[128]; /* the value of x-trailer */
} nq_rpc_end;
void nq_rpc_end_clear(nq_rpc_end *end);

/* One message there, at most one back (`out_message` may be NULL; it is the caller's to free with
 * nq_rpc_message_free). `timeout_ms` 0: no deadline. Returns the code. */
nq_rpc_code nq_rpc_unary(nq_rpc_client *client, const char *path, nq_bytes request,
                         uint32_t timeout_ms, nq_bytes *out_message, nq_rpc_end *out_end);
void nq_rpc_message_free(nq_bytes message);

/* `metadata`: key, value, …, NULL; may be NULL. */
nq_rpc_stream *nq_rpc_stream_open(nq_rpc_client *client, const char *path, uint32_t timeout_ms,
                                  const char *const *metadata);
bool nq_rpc_stream_send(nq_rpc_stream *stream, nq_bytes message);
void nq_rpc_stream_half_close(nq_rpc_stream *stream);
/* false: no more messages. */
bool nq_rpc_stream_receive(nq_rpc_stream *stream, nq_bytes *out_message);
/* Waits for the response headers; the value of `key`, or "" (valid until finish). */
const char *nq_rpc_stream_header(nq_rpc_stream *stream, const char *key);
void nq_rpc_stream_cancel(nq_rpc_stream *stream);
/* Waits for the status and frees the stream. */
nq_rpc_code nq_rpc_stream_finish(nq_rpc_stream *stream, nq_rpc_end *out_end);

#endif
