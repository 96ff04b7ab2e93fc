/* rpc: any method of the protos, with the generated messages.
 *
 * nq.h is made of these calls. They are public for what has no function of its own there: admin,
 * tables, channels. */
#ifndef NQ_SDK_C_RPC_H
#define NQ_SDK_C_RPC_H

#include <protobuf-c/protobuf-c.h>

#include "sdk/c/nq.h"

typedef struct nq_client_call nq_client_call;

/* Starts a call of "/package.Service/Method". `timeout_ms` 0: no deadline. */
nq_code nq_client_call_open(nq_client *client, const char *method, uint32_t timeout_ms,
                            nq_client_call **out_call, nq_failure *out_failure);
/* Hands a message to the transport and waits until flow control lets it go. Fails with the call's
 * own outcome when it has ended. */
nq_code nq_client_call_send(nq_client_call *call, const ProtobufCMessage *message,
                            nq_failure *out_failure);
/* No more messages will follow. */
nq_code nq_client_call_half_close(nq_client_call *call, nq_failure *out_failure);
/* The next message, unpacked (the caller frees it with protobuf_c_message_free_unpacked); or
 * NQ_STEP_END when the call has ended with OK. `timeout_ms` < 0: no limit but the call's deadline.
 */
nq_step nq_client_call_receive(nq_client_call *call, const ProtobufCMessageDescriptor *type,
                               int timeout_ms, ProtobufCMessage **out_message,
                               nq_failure *out_failure);
/* Ends the call if it has not ended. */
void nq_client_call_close(nq_client_call *call);

/* One message there, one back. The caller frees the response. */
nq_code nq_client_call_unary(nq_client *client, const char *method, const ProtobufCMessage *request,
                             const ProtobufCMessageDescriptor *response_type, uint32_t timeout_ms,
                             ProtobufCMessage **out_response, nq_failure *out_failure);

#endif
