/* Core call: the transport of nq_call on gRPC core. Each operation is one batch with one embedded
 * tag.
 *
 * The core wants the batches of a call serialised, which the strand does, and allows the empty
 * batch of `kick` and the cancellation of `abort` from any thread. */
#include "server/rpc/core_internal.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/slice_buffer.h>
#include <stddef.h>

#include "engine/ground/base/assert.h"

enum {
    /* Below this a copy into a slice of the core is cheaper than a counted reference. */
    COPY_BYTES_MAX = 256,
    METADATA_MAX = 9, /* eight of the handler's and grpc-status-details-bin */
};

#define CALL_OF(tag, member) \
    ((nq_core_call *)(void *)((char *)(tag)-offsetof(nq_core_call, member)))

static nq_core_call *core_of(nq_call *call) {
    return (nq_core_call *)call;
}

static const nq_core_call *const_core_of(const nq_call *call) {
    return (const nq_core_call *)call;
}

/* ---- Events ---- */

static void fire_received(nq_core_tag *tag, bool ok) {
    nq_core_call *call = CALL_OF(tag, received);
    if (!ok && call->incoming != NULL) {
        grpc_byte_buffer_destroy(call->incoming);
        call->incoming = NULL;
    }
    nq__queue_stop_waiting(call);
    nq_call_on_received(&call->base);
}

static void fire_sent(nq_core_tag *tag, bool ok) {
    nq_call_on_sent(&CALL_OF(tag, sent)->base, ok);
}

static void fire_closed(nq_core_tag *tag, bool ok) {
    nq_core_call *call = CALL_OF(tag, closed);
    nq_call_on_closed(&call->base, !ok || call->was_cancelled != 0);
}

static void fire_sent_and_closed(nq_core_tag *tag, bool ok) {
    nq_core_call *call = CALL_OF(tag, sent_and_closed);
    nq_call_on_sent_and_closed(&call->base, ok, !ok || call->was_cancelled != 0);
}

static void fire_kicked(nq_core_tag *tag, bool ok) {
    (void)ok;
    nq_call_run_strand(&CALL_OF(tag, kicked)->base, false);
}

/* ---- Sending ---- */

static void release_payload(void *payload) {
    nq_payload_release(payload);
}

static grpc_slice slice_of_part(nq_payload *payload, nq_bytes part) {
    if (part.size <= COPY_BYTES_MAX) {
        return grpc_slice_from_copied_buffer((const char *)part.data, part.size);
    }
    return grpc_slice_new_with_user_data((void *)part.data, part.size, release_payload,
                                         nq_payload_acquire(payload));
}

static grpc_slice slice_of_bytes(nq_bytes bytes) {
    return grpc_slice_from_copied_buffer((const char *)bytes.data, bytes.size);
}

static size_t add_metadata(grpc_metadata *room, const nq_metadatum *list) {
    size_t count = 0;
    for (; list != NULL && count < METADATA_MAX; list = list->next) {
        room[count].key = grpc_slice_from_copied_string(list->key);
        room[count].value = slice_of_bytes(list->value);
        count++;
    }
    return count;
}

static void drop_metadata(grpc_metadata *room, size_t count) {
    for (size_t i = 0; i < count; i++) {
        grpc_slice_unref(room[i].key);
        grpc_slice_unref(room[i].value);
    }
}

static bool start_batch(nq_core_call *call, const grpc_op *ops, size_t count, nq_core_tag *tag) {
    NQ_CORE_GIVE(tag);
    return grpc_call_start_batch(call->call, ops, count, tag, NULL) == GRPC_CALL_OK;
}

static bool core_send(nq_call *base, const nq_send *step) {
    nq_core_call *call = core_of(base);
    grpc_op ops[4] = {0};
    grpc_metadata headers[METADATA_MAX];
    grpc_metadata trailers[METADATA_MAX];
    size_t count = 0, header_count = 0, trailer_count = 0;
    grpc_slice text = grpc_empty_slice();
    /* The core moves the slices out of the buffer while the batch starts: a shell on the stack
     * does. */
    grpc_byte_buffer shell = {.type = GRPC_BB_RAW};
    nq_core_tag *tag = &call->sent;
    if (step->with_headers) {
        header_count = add_metadata(headers, step->headers);
        ops[count].op = GRPC_OP_SEND_INITIAL_METADATA;
        ops[count].data.send_initial_metadata.metadata = headers;
        ops[count++].data.send_initial_metadata.count = header_count;
    }
    if (step->message != NULL) {
        shell.data.raw.compression = GRPC_COMPRESS_NONE;
        grpc_slice_buffer_init(&shell.data.raw.slice_buffer);
        for (size_t i = 0; i < nq_payload_part_count(step->message); i++) {
            grpc_slice_buffer_add(&shell.data.raw.slice_buffer,
                                  slice_of_part(step->message, nq_payload_part(step->message, i)));
        }
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count].flags = step->more_follows ? GRPC_WRITE_BUFFER_HINT : 0;
        ops[count++].data.send_message.send_message = &shell;
    }
    if (step->with_status) {
        text = grpc_slice_from_copied_string(step->text);
        trailer_count = add_metadata(trailers, step->trailers);
        if (step->details.size > 0) {
            trailers[trailer_count].key = grpc_slice_from_static_string("grpc-status-details-bin");
            trailers[trailer_count++].value = slice_of_bytes(step->details);
        }
        ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
        ops[count].data.send_status_from_server.status = (grpc_status_code)step->code;
        ops[count].data.send_status_from_server.status_details = &text;
        ops[count].data.send_status_from_server.trailing_metadata = trailers;
        ops[count++].data.send_status_from_server.trailing_metadata_count = trailer_count;
        if (!base->is_watched) {
            ops[count].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
            ops[count++].data.recv_close_on_server.cancelled = &call->was_cancelled;
            tag = &call->sent_and_closed;
        }
    }
    bool is_held_back = step->with_status && nq__queue_hold_back(call);
    bool is_started = start_batch(call, ops, count, tag);
    if (is_held_back) {
        nq__queue_note_answer(call);
    }
    if (step->message != NULL) {
        grpc_slice_buffer_destroy(&shell.data.raw.slice_buffer);
    }
    drop_metadata(headers, header_count);
    drop_metadata(trailers, trailer_count);
    grpc_slice_unref(text);
    return is_started;
}

static bool core_is_metadata_legal(const char *key, nq_bytes value) {
    grpc_slice key_slice = grpc_slice_from_static_string(key);
    if (!grpc_header_key_is_legal(key_slice) || strncmp(key, "grpc-", 5) == 0) {
        return false;
    }
    if (grpc_is_binary_header(key_slice)) {
        return true;
    }
    grpc_slice value_slice = grpc_slice_from_static_buffer(value.data, value.size);
    return grpc_header_nonbin_value_is_legal(value_slice) != 0;
}

/* ---- Receiving ---- */

static bool core_receive(nq_call *base) {
    nq_core_call *call = core_of(base);
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    call->incoming = NULL;
    op.data.recv_message.recv_message = &call->incoming;
    return start_batch(call, &op, 1, &call->received);
}

static bool core_watch_close(nq_call *base) {
    nq_core_call *call = core_of(base);
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &call->was_cancelled;
    return start_batch(call, &op, 1, &call->closed);
}

static void drop_current(nq_core_call *call) {
    if (call->current != NULL) {
        grpc_byte_buffer_destroy(call->current);
        call->current = NULL;
    }
    grpc_slice_unref(call->flat);
    call->flat = grpc_empty_slice();
}

static bool core_take_message(nq_call *base, nq_bytes *out_message) {
    nq_core_call *call = core_of(base);
    drop_current(call);
    *out_message = (nq_bytes){0};
    if (call->incoming == NULL) {
        return false;
    }
    call->current = call->incoming;
    call->incoming = NULL;
    grpc_slice_buffer *slices = &call->current->data.raw.slice_buffer;
    if (slices->count == 1) {
        *out_message = nq_bytes_of(GRPC_SLICE_START_PTR(slices->slices[0]),
                                   GRPC_SLICE_LENGTH(slices->slices[0]));
    } else if (slices->count > 1) {
        grpc_byte_buffer_reader reader;
        if (!grpc_byte_buffer_reader_init(&reader, call->current)) {
            return false;
        }
        call->flat = grpc_byte_buffer_reader_readall(&reader);
        grpc_byte_buffer_reader_destroy(&reader);
        *out_message = nq_bytes_of(GRPC_SLICE_START_PTR(call->flat), GRPC_SLICE_LENGTH(call->flat));
    }
    return true;
}

static void core_drop_message(nq_call *base) {
    drop_current(core_of(base));
}

/* ---- The rest ---- */

static void core_abort(nq_call *base, nq_rpc_code code, const char *text) {
    (void)grpc_call_cancel_with_status(core_of(base)->call, (grpc_status_code)code, text, NULL);
}

static void core_linger(nq_call *base) {
    nq__queue_linger(core_of(base));
}

static void core_kick(nq_call *base) {
    nq_core_call *call = core_of(base);
    bool is_started = start_batch(call, NULL, 0, &call->kicked);
    NQ_ASSERT(is_started);
}

static void run_on_worker(void *call) {
    nq_call_run_strand(&((nq_core_call *)call)->base, true);
}

static void core_submit(nq_call *base) {
    nq_core_call *call = core_of(base);
    nq_worker_pool_submit(call->queue->server->options.workers, &call->task, run_on_worker, call);
}

static nq_bytes core_metadata(const nq_call *base, const char *key) {
    const nq_core_call *call = const_core_of(base);
    size_t key_bytes = strlen(key);
    for (size_t i = 0; i < call->metadata.count; i++) {
        const grpc_metadata *item = &call->metadata.metadata[i];
        if (GRPC_SLICE_LENGTH(item->key) == key_bytes &&
            memcmp(GRPC_SLICE_START_PTR(item->key), key, key_bytes) == 0) {
            return nq_bytes_of(GRPC_SLICE_START_PTR(item->value), GRPC_SLICE_LENGTH(item->value));
        }
    }
    return (nq_bytes){0};
}

static const char *core_peer(const nq_call *base) {
    const nq_connection *connection = const_core_of(base)->connection;
    return connection != NULL ? connection->peer : "unknown";
}

static void core_done(nq_call *base) {
    nq__queue_forget(core_of(base));
}

static void core_recycle(nq_call *base) {
    nq_core_call *call = core_of(base);
    nq_server *server = call->queue->server;
    nq__core_call_clear(call);
    nq__queue_take_back(call);
    /* Last: whoever sees zero may free the server. */
    atomic_fetch_sub_explicit(&server->objects_lent, 1, memory_order_release);
}

const nq_transport nq__core_transport = {
    .send = core_send,
    .receive = core_receive,
    .watch_close = core_watch_close,
    .abort = core_abort,
    .linger = core_linger,
    .kick = core_kick,
    .submit = core_submit,
    .take_message = core_take_message,
    .drop_message = core_drop_message,
    .metadata = core_metadata,
    .peer = core_peer,
    .is_metadata_legal = core_is_metadata_legal,
    .done = core_done,
    .recycle = core_recycle,
};

void nq__core_call_init(nq_core_call *call, nq_queue *queue) {
    call->queue = queue;
    call->received.fire = fire_received;
    call->sent.fire = fire_sent;
    call->closed.fire = fire_closed;
    call->sent_and_closed.fire = fire_sent_and_closed;
    call->kicked.fire = fire_kicked;
    call->flat = grpc_empty_slice();
    grpc_metadata_array_init(&call->metadata);
}

void nq__core_call_clear(nq_core_call *call) {
    drop_current(call);
    if (call->incoming != NULL) {
        grpc_byte_buffer_destroy(call->incoming);
        call->incoming = NULL;
    }
    if (call->connection != NULL) {
        nq__connection_end_call(call->connection);
        call->connection = NULL;
    }
    if (call->call != NULL) {
        grpc_call_unref(call->call);
        call->call = NULL;
    }
    call->metadata.count = 0;
}
