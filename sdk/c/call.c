/* Call: one gRPC call of any shape, driven by the thread that uses it.
 *
 *   open ── send* ── half_close ──┐
 *     └──── receive* ─────────────┴─▶ status received ─▶ close
 *
 * The call has a completion queue of its own and at most one batch of each kind under way;
 * `pending` says which. Whoever waits for one batch takes in whatever else completes meanwhile, so
 * a send that waits for flow control never keeps a message or the status from arriving.
 *
 * I1  The status batch is started with the call and completes last of the receive batches.
 * I2  A buffer given to the core stays ours until its batch is back; close waits for all of them.
 * I3  A send that fails says that the call has ended, not why: the status comes behind what the
 * server sent before, so whoever still wants that reads on, and nobody waits for the status first.
 * I4  `call->core` is only cancelled under client->lock, and unlisted before it is released. */
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include "sdk/c/client_internal.h"

enum { BATCH_SEND = 1, BATCH_HEADERS = 2, BATCH_MESSAGE = 4, BATCH_STATUS = 8 };

struct nq_client_call {
    nq_client *client;
    nq_client_call *next;
    nq_client_call *previous;
    grpc_call *core;
    grpc_completion_queue *queue;
    unsigned pending;
    bool is_started; /* initial metadata went out with the first send */
    bool is_half_closed;
    bool send_failed;
    bool message_ready; /* a receive batch is back and not yet taken */
    bool status_known;
    grpc_byte_buffer *incoming;
    grpc_metadata_array headers;
    grpc_metadata_array trailers;
    grpc_status_code status;
    grpc_slice status_text;
    const char *core_error;
};

static bool start_batch(nq_client_call *call, const grpc_op *ops, size_t count, unsigned batch) {
    if (grpc_call_start_batch(call->core, ops, count, (void *)(uintptr_t)batch, NULL) !=
        GRPC_CALL_OK) {
        return false;
    }
    call->pending |= batch;
    return true;
}

/* Takes in one event; false: the time is up. */
static bool take_event(nq_client_call *call, gpr_timespec deadline) {
    grpc_event event = grpc_completion_queue_next(call->queue, deadline, NULL);
    if (event.type != GRPC_OP_COMPLETE) {
        return false;
    }
    unsigned batch = (unsigned)(uintptr_t)event.tag;
    call->pending &= ~batch;
    if (batch == BATCH_SEND) {
        call->send_failed = event.success == 0;
    } else if (batch == BATCH_MESSAGE) {
        call->message_ready = true;
    } else if (batch == BATCH_STATUS) {
        call->status_known = true;
    }
    return true;
}

static void wait_while(nq_client_call *call, unsigned batches) {
    while ((call->pending & batches) != 0) {
        if (!take_event(call, gpr_inf_future(GPR_CLOCK_REALTIME))) {
            return;
        }
    }
}

/* The call's outcome, once it has ended. */
static nq_code read_status(nq_client_call *call, nq_failure *out_failure) {
    wait_while(call, BATCH_STATUS);
    nq_code code = (nq_code)call->status;
    if (code == NQ_CODE_OK || out_failure == NULL) {
        return code;
    }
    nq__fail(out_failure, code, "", "%s", "");
    nq__copy_text(out_failure->message, sizeof out_failure->message,
                  (const char *)GRPC_SLICE_START_PTR(call->status_text),
                  GRPC_SLICE_LENGTH(call->status_text));
    for (size_t i = 0; i < call->trailers.count; i++) {
        const grpc_metadata *item = &call->trailers.metadata[i];
        if (grpc_slice_str_cmp(item->key, "grpc-status-details-bin") == 0) {
            nq__failure_read_details(out_failure, GRPC_SLICE_START_PTR(item->value),
                                     GRPC_SLICE_LENGTH(item->value));
        }
    }
    return code;
}

static void list_call(nq_client_call *call) {
    nq_client *client = call->client;
    pthread_mutex_lock(&client->lock);
    call->next = client->calls;
    if (call->next != NULL) {
        call->next->previous = call;
    }
    client->calls = call;
    pthread_mutex_unlock(&client->lock);
}

static void unlist_call(nq_client_call *call) {
    nq_client *client = call->client;
    pthread_mutex_lock(&client->lock);
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        client->calls = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
    pthread_mutex_unlock(&client->lock);
}

size_t nq_client_cancel(nq_client *client) {
    size_t count = 0;
    pthread_mutex_lock(&client->lock);
    for (nq_client_call *call = client->calls; call != NULL; call = call->next) {
        grpc_call_cancel(call->core, NULL);
        count++;
    }
    pthread_mutex_unlock(&client->lock);
    return count;
}

static gpr_timespec deadline_after(int64_t timeout_ms) {
    return gpr_time_add(gpr_now(GPR_CLOCK_REALTIME),
                        gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
}

nq_code nq_client_call_open(nq_client *client, const char *method, uint32_t timeout_ms,
                            nq_client_call **out_call, nq_failure *out_failure) {
    *out_call = NULL;
    nq_client_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return nq__fail(out_failure, NQ_CODE_RESOURCE_EXHAUSTED, "MEMORY_LIMIT", "out of memory");
    }
    call->client = client;
    call->queue = grpc_completion_queue_create_for_next(NULL);
    call->status_text = grpc_empty_slice();
    grpc_metadata_array_init(&call->headers);
    grpc_metadata_array_init(&call->trailers);
    gpr_timespec deadline =
        timeout_ms != 0 ? deadline_after(timeout_ms) : gpr_inf_future(GPR_CLOCK_REALTIME);
    grpc_slice path = grpc_slice_from_copied_string(method);
    call->core = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                          call->queue, path, NULL, deadline, NULL);
    grpc_slice_unref(path);
    list_call(call);

    grpc_op headers = {.op = GRPC_OP_RECV_INITIAL_METADATA,
                       .data.recv_initial_metadata.recv_initial_metadata = &call->headers};
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                      .data.recv_status_on_client = {.trailing_metadata = &call->trailers,
                                                     .status = &call->status,
                                                     .status_details = &call->status_text,
                                                     .error_string = &call->core_error}};
    if (!start_batch(call, &headers, 1, BATCH_HEADERS) ||
        !start_batch(call, &status, 1, BATCH_STATUS)) {
        nq_client_call_close(call);
        return nq__fail(out_failure, NQ_CODE_INTERNAL, "BUG", "the call could not be started");
    }
    *out_call = call;
    return NQ_CODE_OK;
}

/* Starts receiving the next message unless one is on its way or waiting. */
static bool want_message(nq_client_call *call) {
    if (call->message_ready || (call->pending & BATCH_MESSAGE) != 0) {
        return true;
    }
    grpc_op receive = {.op = GRPC_OP_RECV_MESSAGE,
                       .data.recv_message.recv_message = &call->incoming};
    return start_batch(call, &receive, 1, BATCH_MESSAGE);
}

/* The outcome of a call that takes no more messages from us. The core only tells it once everything
 * that the server sent before has been taken. */
static nq_code read_end(nq_client_call *call, nq_failure *out_failure) {
    while (!call->status_known && want_message(call)) {
        wait_while(call, BATCH_MESSAGE);
        call->message_ready = false;
        if (call->incoming == NULL) {
            break;
        }
        grpc_byte_buffer_destroy(call->incoming);
        call->incoming = NULL;
    }
    nq_code code = read_status(call, out_failure);
    return code != NQ_CODE_OK ? code
                              : nq__fail(out_failure, NQ_CODE_CANCELLED, "CALL_ENDED",
                                         "the server has ended the call");
}

/* Sends what `payload` and `half_close` ask for, with the initial metadata if it has not gone out.
 * False: the call has ended. */
static bool send_batch(nq_client_call *call, grpc_byte_buffer *payload, bool half_close) {
    grpc_op ops[3];
    size_t count = 0;
    memset(ops, 0, sizeof ops);
    if (!call->is_started) {
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
        call->is_started = true;
    }
    if (payload != NULL) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = payload;
    }
    if (half_close) {
        ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
        call->is_half_closed = true;
    }
    call->send_failed = !start_batch(call, ops, count, BATCH_SEND);
    wait_while(call, BATCH_SEND);
    return !call->send_failed;
}

bool nq__call_try_send(nq_client_call *call, const ProtobufCMessage *message) {
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *payload = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    bool was_sent = send_batch(call, payload, false);
    grpc_byte_buffer_destroy(payload);
    return was_sent;
}

nq_code nq_client_call_send(nq_client_call *call, const ProtobufCMessage *message,
                            nq_failure *out_failure) {
    return nq__call_try_send(call, message) ? NQ_CODE_OK : read_end(call, out_failure);
}

nq_code nq_client_call_half_close(nq_client_call *call, nq_failure *out_failure) {
    return call->is_half_closed || send_batch(call, NULL, true) ? NQ_CODE_OK
                                                                : read_end(call, out_failure);
}

static ProtobufCMessage *unpack_buffer(grpc_byte_buffer *buffer,
                                       const ProtobufCMessageDescriptor *type) {
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer)) {
        return NULL;
    }
    grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(slice),
                                                          GRPC_SLICE_START_PTR(slice));
    grpc_slice_unref(slice);
    grpc_byte_buffer_reader_destroy(&reader);
    return message;
}

nq_step nq_client_call_receive(nq_client_call *call, const ProtobufCMessageDescriptor *type,
                               int timeout_ms, ProtobufCMessage **out_message,
                               nq_failure *out_failure) {
    *out_message = NULL;
    if (!want_message(call)) {
        nq__fail(out_failure, NQ_CODE_INTERNAL, "BUG", "the message could not be received");
        return NQ_STEP_FAILED;
    }
    gpr_timespec deadline =
        timeout_ms < 0 ? gpr_inf_future(GPR_CLOCK_REALTIME) : deadline_after(timeout_ms);
    while (!call->message_ready) {
        if (!take_event(call, deadline)) {
            return NQ_STEP_TIMEOUT;
        }
    }
    call->message_ready = false;
    if (call->incoming == NULL) {
        return read_status(call, out_failure) == NQ_CODE_OK ? NQ_STEP_END : NQ_STEP_FAILED;
    }
    *out_message = unpack_buffer(call->incoming, type);
    grpc_byte_buffer_destroy(call->incoming);
    call->incoming = NULL;
    if (*out_message == NULL) {
        nq__fail(out_failure, NQ_CODE_INTERNAL, "BAD_RESPONSE", "the response cannot be decoded");
        return NQ_STEP_FAILED;
    }
    return NQ_STEP_ITEM;
}

void nq_client_call_close(nq_client_call *call) {
    if (call == NULL) {
        return;
    }
    if (!call->status_known) {
        grpc_call_cancel(call->core, NULL);
    }
    wait_while(call, ~0u); /* I2 */
    unlist_call(call);     /* I4 */
    if (call->incoming != NULL) {
        grpc_byte_buffer_destroy(call->incoming);
    }
    grpc_metadata_array_destroy(&call->headers);
    grpc_metadata_array_destroy(&call->trailers);
    grpc_slice_unref(call->status_text);
    gpr_free((void *)call->core_error);
    grpc_call_unref(call->core);
    grpc_completion_queue_shutdown(call->queue);
    while (grpc_completion_queue_next(call->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
           GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(call->queue);
    free(call);
}

nq_code nq_client_call_unary(nq_client *client, const char *method, const ProtobufCMessage *request,
                             const ProtobufCMessageDescriptor *response_type, uint32_t timeout_ms,
                             ProtobufCMessage **out_response, nq_failure *out_failure) {
    nq_client_call *call;
    nq_failure failure = {.code = NQ_CODE_INTERNAL};
    *out_response = NULL;
    nq_code code = nq_client_call_open(
        client, method, timeout_ms != 0 ? timeout_ms : client->timeout_ms, &call, out_failure);
    if (code != NQ_CODE_OK) {
        return code;
    }
    code = nq_client_call_send(call, request, &failure);
    if (code == NQ_CODE_OK) {
        code = nq_client_call_half_close(call, &failure);
    }
    if (code == NQ_CODE_OK) {
        nq_step step = nq_client_call_receive(call, response_type, -1, out_response, &failure);
        if (step == NQ_STEP_END) {
            nq__fail(&failure, NQ_CODE_INTERNAL, "BAD_RESPONSE", "the server sent no response");
        } else if (step == NQ_STEP_ITEM) {
            failure.code = read_status(call, &failure);
        }
        code = failure.code;
    }
    if (code != NQ_CODE_OK && *out_response != NULL) {
        protobuf_c_message_free_unpacked(*out_response, NULL);
        *out_response = NULL;
    }
    nq_client_call_close(call);
    if (code != NQ_CODE_OK && out_failure != NULL) {
        *out_failure = failure;
    }
    return code;
}
