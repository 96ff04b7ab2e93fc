/* RPC client: every operation is a batch that is plucked at once; the status batch is started with
 * the call and plucked last. */
#include "tests/support/rpc_client.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_SECONDS = 60 };

struct nq_rpc_client {
    grpc_channel *channel;
    grpc_completion_queue *queue;
};

struct nq_rpc_stream {
    nq_rpc_client *client;
    grpc_call *call;
    grpc_metadata_array headers;
    grpc_metadata_array trailers;
    bool has_headers;
    grpc_status_code status;
    grpc_slice text;
    char header[256];
    /* Addresses serve as tags. */
    char send_tag, receive_tag, headers_tag, status_tag;
};

static void must(bool claim, const char *what) {
    if (!claim) {
        fprintf(stderr, "rpc client: %s\n", what);
        abort();
    }
}

nq_rpc_client *nq_rpc_client_open(const char *target) {
    nq_rpc_client *client = calloc(1, sizeof(*client));
    grpc_arg args[] = {
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
         .value.integer = 1},
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_ENABLE_HTTP_PROXY, .value.integer = 0},
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
         .value.integer = -1},
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
         .value.integer = 100},
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
         .value.integer = 200},
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_ENABLE_RETRIES, .value.integer = 0},
    };
    grpc_channel_args list = {.num_args = sizeof(args) / sizeof(args[0]), .args = args};
    grpc_channel_credentials *credentials = NULL;
    grpc_init();
    credentials = grpc_insecure_credentials_create();
    client->channel = grpc_channel_create(target, credentials, &list);
    grpc_channel_credentials_release(credentials);
    client->queue = grpc_completion_queue_create_for_pluck(NULL);
    return client;
}

void nq_rpc_client_close(nq_rpc_client *client) {
    grpc_channel_destroy(client->channel);
    grpc_completion_queue_shutdown(client->queue);
    grpc_completion_queue_destroy(client->queue);
    free(client);
    grpc_shutdown();
}

static bool wait_for(nq_rpc_stream *stream, void *tag) {
    gpr_timespec until = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                      gpr_time_from_seconds(WAIT_SECONDS, GPR_TIMESPAN));
    grpc_event event = grpc_completion_queue_pluck(stream->client->queue, tag, until, NULL);
    must(event.type == GRPC_OP_COMPLETE, "a step did not end in time");
    return event.success != 0;
}

static void begin(nq_rpc_stream *stream, const grpc_op *ops, size_t count, void *tag) {
    must(grpc_call_start_batch(stream->call, ops, count, tag, NULL) == GRPC_CALL_OK,
         "batch refused");
}

nq_rpc_stream *nq_rpc_stream_open(nq_rpc_client *client, const char *path, uint32_t timeout_ms,
                                  const char *const *metadata) {
    nq_rpc_stream *stream = calloc(1, sizeof(*stream));
    gpr_timespec deadline = gpr_inf_future(GPR_CLOCK_REALTIME);
    grpc_metadata items[16];
    size_t count = 0;
    if (timeout_ms != 0) {
        deadline = gpr_time_add(gpr_now(GPR_CLOCK_REALTIME),
                                gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
    }
    stream->client = client;
    grpc_slice method = grpc_slice_from_copied_string(path);
    stream->call = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                            client->queue, method, NULL, deadline, NULL);
    grpc_slice_unref(method);
    for (; metadata != NULL && metadata[2 * count] != NULL; count++) {
        items[count].key = grpc_slice_from_copied_string(metadata[2 * count]);
        items[count].value = grpc_slice_from_copied_string(metadata[2 * count + 1]);
    }
    grpc_metadata_array_init(&stream->headers);
    grpc_metadata_array_init(&stream->trailers);
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    status.data.recv_status_on_client.trailing_metadata = &stream->trailers;
    status.data.recv_status_on_client.status = &stream->status;
    status.data.recv_status_on_client.status_details = &stream->text;
    begin(stream, &status, 1, &stream->status_tag);
    grpc_op receive = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    receive.data.recv_initial_metadata.recv_initial_metadata = &stream->headers;
    begin(stream, &receive, 1, &stream->headers_tag);
    grpc_op open = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    open.flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY;
    open.data.send_initial_metadata.count = count;
    open.data.send_initial_metadata.metadata = items;
    begin(stream, &open, 1, &stream->send_tag);
    (void)wait_for(stream, &stream->send_tag);
    for (size_t i = 0; i < count; i++) {
        grpc_slice_unref(items[i].key);
        grpc_slice_unref(items[i].value);
    }
    return stream;
}

bool nq_rpc_stream_send(nq_rpc_stream *stream, nq_bytes message) {
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)message.data, message.size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = buffer;
    begin(stream, &op, 1, &stream->send_tag);
    bool is_sent = wait_for(stream, &stream->send_tag);
    grpc_byte_buffer_destroy(buffer);
    grpc_slice_unref(slice);
    return is_sent;
}

void nq_rpc_stream_half_close(nq_rpc_stream *stream) {
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    begin(stream, &op, 1, &stream->send_tag);
    (void)wait_for(stream, &stream->send_tag);
}

bool nq_rpc_stream_receive(nq_rpc_stream *stream, nq_bytes *out_message) {
    grpc_byte_buffer *buffer = NULL;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &buffer;
    *out_message = (nq_bytes){0};
    begin(stream, &op, 1, &stream->receive_tag);
    (void)wait_for(stream, &stream->receive_tag);
    if (buffer == NULL) {
        return false;
    }
    grpc_byte_buffer_reader reader;
    grpc_byte_buffer_reader_init(&reader, buffer);
    grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
    uint8_t *copy = malloc(GRPC_SLICE_LENGTH(all) + 1);
    memcpy(copy, GRPC_SLICE_START_PTR(all), GRPC_SLICE_LENGTH(all));
    *out_message = nq_bytes_of(copy, GRPC_SLICE_LENGTH(all));
    grpc_slice_unref(all);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(buffer);
    return true;
}

static const grpc_metadata *find(const grpc_metadata_array *items, const char *key) {
    for (size_t i = 0; i < items->count; i++) {
        if (grpc_slice_str_cmp(items->metadata[i].key, key) == 0) {
            return &items->metadata[i];
        }
    }
    return NULL;
}

const char *nq_rpc_stream_header(nq_rpc_stream *stream, const char *key) {
    if (!stream->has_headers) {
        (void)wait_for(stream, &stream->headers_tag);
        stream->has_headers = true;
    }
    const grpc_metadata *item = find(&stream->headers, key);
    snprintf(stream->header, sizeof(stream->header), "%.*s",
             item != NULL ? (int)GRPC_SLICE_LENGTH(item->value) : 0,
             item != NULL ? (const char *)GRPC_SLICE_START_PTR(item->value) : "");
    return stream->header;
}

void nq_rpc_stream_cancel(nq_rpc_stream *stream) {
    (void)grpc_call_cancel(stream->call, NULL);
}

nq_rpc_code nq_rpc_stream_finish(nq_rpc_stream *stream, nq_rpc_end *out_end) {
    (void)wait_for(stream, &stream->status_tag);
    if (!stream->has_headers) {
        (void)wait_for(stream, &stream->headers_tag);
    }
    nq_rpc_code code = (nq_rpc_code)stream->status;
    if (out_end != NULL) {
        memset(out_end, 0, sizeof(*out_end));
        out_end->code = code;
        snprintf(out_end->text, sizeof(out_end->text), "%.*s", (int)GRPC_SLICE_LENGTH(stream->text),
                 (const char *)GRPC_SLICE_START_PTR(stream->text));
        const grpc_metadata *details = find(&stream->trailers, "grpc-status-details-bin");
        if (details != NULL) {
            out_end->details_bytes = GRPC_SLICE_LENGTH(details->value);
            out_end->details = malloc(out_end->details_bytes + 1);
            memcpy(out_end->details, GRPC_SLICE_START_PTR(details->value), out_end->details_bytes);
        }
        const grpc_metadata *trailer = find(&stream->trailers, "x-trailer");
        if (trailer != NULL) {
            snprintf(out_end->trailer, sizeof(out_end->trailer), "%.*s",
                     (int)GRPC_SLICE_LENGTH(trailer->value),
                     (const char *)GRPC_SLICE_START_PTR(trailer->value));
        }
    }
    grpc_slice_unref(stream->text);
    grpc_metadata_array_destroy(&stream->headers);
    grpc_metadata_array_destroy(&stream->trailers);
    grpc_call_unref(stream->call);
    free(stream);
    return code;
}

nq_rpc_code nq_rpc_unary(nq_rpc_client *client, const char *path, nq_bytes request,
                         uint32_t timeout_ms, nq_bytes *out_message, nq_rpc_end *out_end) {
    nq_bytes message = {0};
    nq_rpc_stream *stream = nq_rpc_stream_open(client, path, timeout_ms, NULL);
    (void)nq_rpc_stream_send(stream, request);
    nq_rpc_stream_half_close(stream);
    (void)nq_rpc_stream_receive(stream, &message);
    if (out_message != NULL) {
        *out_message = message;
    } else {
        nq_rpc_message_free(message);
    }
    return nq_rpc_stream_finish(stream, out_end);
}

void nq_rpc_message_free(nq_bytes message) {
    free((void *)message.data);
}

void nq_rpc_end_clear(nq_rpc_end *end) {
    free(end->details);
    end->details = NULL;
}
