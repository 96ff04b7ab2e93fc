/* Call: one unary call over HTTP/2, by nghttp2, whose memory is the device's pool.
 *
 * The buffer first holds the request, then the reply: a reply's body that comes before the request
 * has left ends the call. Only one stream is ever open; what comes for an earlier one, given up by
 * its timeout, is passed over. */
#include <stdio.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "sdk/device/call_internal.h"

enum { TIMEOUT_MS_MAX = 99999999, TIMEOUT_BYTES = 12, BROKEN = -1 };

struct nq_device_call {
    int32_t stream_id;
    const uint8_t *unsent;
    size_t unsent_bytes;
    bool is_answered_early;
    bool is_over;
    uint32_t cause; /* of HTTP/2, when the stream was reset */
    nq__device_reply reply;
};

/* ---- What nghttp2 asks and reports ---- */

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t bytes, int flags,
                       void *user) {
    nq_device *device = user;
    (void)session;
    (void)flags;
    int sent = device->transport.send(device->transport.self, data, bytes);
    if (sent < 0) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return sent == 0 ? NGHTTP2_ERR_WOULDBLOCK : sent;
}

/* The call that the stream belongs to, or NULL. */
static nq_device_call *call_of(const nq_device *device, int32_t stream_id) {
    nq_device_call *call = device->call;
    return call != NULL && call->stream_id == stream_id ? call : NULL;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags,
                     void *user) {
    nq_device_call *call = call_of(user, frame->hd.stream_id);
    (void)session;
    (void)flags;
    if (call != NULL) {
        nq__device_reply_add_header(&call->reply, name, name_bytes, value, value_bytes);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t bytes, void *user) {
    nq_device_call *call = call_of(user, stream_id);
    (void)session;
    (void)flags;
    if (call == NULL) {
        return 0;
    }
    if (call->unsent_bytes > 0) {
        call->is_answered_early = true;
    } else {
        nq__device_reply_add_data(&call->reply, data, bytes);
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream_id, uint32_t cause, void *user) {
    nq_device_call *call = call_of(user, stream_id);
    (void)session;
    if (call != NULL) {
        call->is_over = true;
        call->cause = cause;
    }
    return 0;
}

static ssize_t read_request(nghttp2_session *session, int32_t stream_id, uint8_t *room,
                            size_t room_bytes, uint32_t *flags, nghttp2_data_source *source,
                            void *user) {
    nq_device_call *call = source->ptr;
    (void)session;
    (void)stream_id;
    (void)user;
    size_t bytes = call->unsent_bytes < room_bytes ? call->unsent_bytes : room_bytes;
    memcpy(room, call->unsent, bytes);
    call->unsent += bytes;
    call->unsent_bytes -= bytes;
    if (call->unsent_bytes == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)bytes;
}

/* ---- Memory ---- */

static void *pool_malloc(size_t bytes, void *pool) {
    return nq__device_pool_alloc(pool, bytes);
}

static void *pool_calloc(size_t count, size_t bytes, void *pool) {
    if (bytes != 0 && count > SIZE_MAX / bytes) {
        return NULL;
    }
    void *memory = nq__device_pool_alloc(pool, count * bytes);
    if (memory != NULL) {
        memset(memory, 0, count * bytes);
    }
    return memory;
}

static void *pool_realloc(void *memory, size_t bytes, void *pool) {
    return nq__device_pool_resize(pool, memory, bytes);
}

static void pool_free(void *memory, void *pool) {
    nq__device_pool_free(pool, memory);
}

/* ---- The session ---- */

/* nghttp2's number as one of ours; the connection cannot be used any more. */
static nq_device_code fail_session(nq_device *device, int number) {
    device->is_broken = true;
    if (number == NGHTTP2_ERR_NOMEM) {
        return nq__device_fail(&device->error, NQ_DEVICE_NO_MEMORY,
                               "the pool is too small for what the server sends");
    }
    if (number == NGHTTP2_ERR_CALLBACK_FAILURE || number == NGHTTP2_ERR_EOF) {
        return nq__device_fail(&device->error, NQ_DEVICE_CLOSED, "the connection is broken");
    }
    return nq__device_fail(&device->error, NQ_DEVICE_BAD_REPLY, nghttp2_strerror(number));
}

static int create_session(nq_device *device) {
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_mem memory = {
        .mem_user_data = &device->pool,
        .malloc = pool_malloc,
        .free = pool_free,
        .calloc = pool_calloc,
        .realloc = pool_realloc,
    };
    /* The one thing that nghttp2 takes from malloc; it is given back in a moment. */
    int number = nghttp2_session_callbacks_new(&callbacks);
    if (number != 0) {
        return number;
    }
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    number = nghttp2_session_client_new3(&device->session, callbacks, device, NULL, &memory);
    nghttp2_session_callbacks_del(callbacks);
    return number;
}

/* No more than the buffer holds is let on its way.
 *
 * The header table stays at its default size, though none would do: gRPC's core (1.51) writes the
 * trailers of a call it cancels past its encoder, without the notice that a smaller table makes the
 * first thing in a header block (RFC 7541, 4.2), and nghttp2 rightly gives such a connection up. */
static int submit_settings(nq_device *device) {
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, NQ_DEVICE_BUFFER_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, NQ__DEVICE_HEADER_BYTES_MAX},
    };
    return nghttp2_submit_settings(device->session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof settings[0]);
}

nq_device_code nq__device_session_open(nq_device *device) {
    nq__device_pool_init(&device->pool);
    int number = create_session(device);
    if (number == 0) {
        number = submit_settings(device);
    }
    return number == 0 ? NQ_DEVICE_OK : fail_session(device, number);
}

void nq__device_session_close(nq_device *device) {
    if (device->session == NULL) {
        return;
    }
    if (!device->is_broken) {
        (void)nghttp2_session_terminate_session(device->session, NGHTTP2_NO_ERROR);
        (void)nghttp2_session_send(device->session);
    }
    nghttp2_session_del(device->session);
    device->session = NULL;
}

bool nq__device_session_is_greeted(const nq_device *device) {
    /* The server's settings are the first frame of its greeting; it then acknowledges ours. */
    return nghttp2_session_get_local_settings(
               device->session, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE) == NQ_DEVICE_BUFFER_BYTES;
}

/* After a GOAWAY of either side and the last stream: nghttp2 reads and writes no more. */
static bool is_finished(const nq_device *device) {
    return !nghttp2_session_want_read(device->session) &&
           !nghttp2_session_want_write(device->session);
}

static nq_device_code fail_finished(nq_device *device) {
    device->is_broken = true;
    return nq__device_fail(&device->error, NQ_DEVICE_CLOSED, "HTTP/2 has ended");
}

nq_device_code nq__device_session_step(nq_device *device, uint32_t wait_ms) {
    int number = nghttp2_session_send(device->session);
    if (number != 0) {
        return fail_session(device, number);
    }
    if (nghttp2_session_want_write(device->session) && wait_ms > NQ__DEVICE_RETRY_MS) {
        wait_ms = NQ__DEVICE_RETRY_MS; /* the transport was full: soon again */
    }
    int bytes = device->transport.receive(device->transport.self, device->input,
                                          sizeof device->input, wait_ms);
    if (bytes < 0) {
        return fail_session(device, NGHTTP2_ERR_EOF);
    }
    ssize_t taken = nghttp2_session_mem_recv(device->session, device->input, (size_t)bytes);
    if (taken < 0) {
        return fail_session(device, (int)taken);
    }
    number = nghttp2_session_send(device->session);
    if (number != 0) {
        return fail_session(device, number);
    }
    return is_finished(device) ? fail_finished(device) : NQ_DEVICE_OK;
}

/* ---- A call ---- */

static nghttp2_nv header(const char *name, const char *value) {
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .value = (uint8_t *)(uintptr_t)value,
        .namelen = strlen(name),
        .valuelen = strlen(value),
        .flags = NGHTTP2_NV_FLAG_NO_INDEX, /* tables take memory */
    };
}

static int submit(nq_device *device, nq_device_call *call, const char *path, uint32_t timeout_ms) {
    char timeout[TIMEOUT_BYTES];
    (void)snprintf(timeout, sizeof timeout, "%um",
                   (unsigned)(timeout_ms < TIMEOUT_MS_MAX ? timeout_ms : TIMEOUT_MS_MAX));
    const nghttp2_nv headers[] = {
        header(":method", "POST"),
        header(":scheme", "http"),
        header(":path", path),
        header(":authority", device->authority),
        header("te", "trailers"),
        header("content-type", "application/grpc"),
        header("user-agent", "nq-device/1"),
        header("grpc-timeout", timeout),
    };
    nghttp2_data_provider body = {.source.ptr = call, .read_callback = read_request};
    return nghttp2_submit_request(device->session, NULL, headers,
                                  sizeof headers / sizeof headers[0], &body, call);
}

static void put_prefix(uint8_t *buffer, size_t request_bytes) {
    buffer[0] = 0; /* not compressed */
    for (int i = 0; i < 4; i++) {
        buffer[1 + i] = (uint8_t)(request_bytes >> (24 - 8 * i));
    }
}

/* Gives the stream up; what still comes for it is passed over. */
static void give_up(nq_device *device, const nq_device_call *call) {
    if (!device->is_broken && !call->is_over) {
        (void)nghttp2_submit_rst_stream(device->session, NGHTTP2_FLAG_NONE, call->stream_id,
                                        NGHTTP2_CANCEL);
        (void)nghttp2_session_send(device->session);
    }
}

static bool is_decided(const nq_device_call *call) {
    return call->is_over || call->is_answered_early || call->reply.is_too_large ||
           call->reply.is_malformed;
}

static nq_device_code await(nq_device *device, const nq_device_call *call, uint32_t timeout_ms) {
    uint32_t start_ms = device->transport.now_ms(device->transport.self);
    while (!is_decided(call)) {
        uint32_t gone_ms = device->transport.now_ms(device->transport.self) - start_ms;
        if (gone_ms >= timeout_ms) {
            return nq__device_fail(&device->error, NQ_DEVICE_TIMEOUT, "no reply came in time");
        }
        nq_device_code code = nq__device_session_step(device, timeout_ms - gone_ms);
        if (code != NQ_DEVICE_OK && !is_decided(call)) {
            return code; /* otherwise the answer came with the goodbye */
        }
    }
    return NQ_DEVICE_OK;
}

/* The outcome of a call that is decided. */
static nq_device_code outcome(nq_device *device, const nq_device_call *call) {
    bool has_head = call->reply.http_status != 0;
    if (call->is_answered_early) {
        return nq__device_fail(&device->error, NQ_DEVICE_BAD_REPLY,
                               "the reply began before the request had ended");
    }
    if (!has_head && call->cause == NGHTTP2_REFUSED_STREAM) {
        return nq__device_fail(&device->error, NQ_DEVICE_CLOSED, "the server is going away");
    }
    if (!call->reply.has_status && call->cause != NGHTTP2_NO_ERROR) {
        return nq__device_fail(&device->error, NQ_DEVICE_BAD_REPLY, "the stream was reset");
    }
    return nq__device_reply_end(&call->reply, &device->error);
}

nq_device_code nq__device_call(nq_device *device, const char *path, size_t request_bytes,
                               uint32_t timeout_ms, size_t *out_reply_bytes) {
    nq_device_call call = {
        .unsent = device->buffer,
        .unsent_bytes = NQ__DEVICE_PREFIX_BYTES + request_bytes,
    };
    put_prefix(device->buffer, request_bytes);
    nq__device_reply_init(&call.reply, device->buffer, sizeof device->buffer);
    int stream_id = submit(device, &call, path, timeout_ms);
    if (stream_id < 0) {
        device->is_broken = true;
        return stream_id == NGHTTP2_ERR_NOMEM
                   ? fail_session(device, stream_id)
                   : nq__device_fail(&device->error, NQ_DEVICE_CLOSED, "the server is going away");
    }
    call.stream_id = stream_id;
    device->call = &call;
    nq_device_code code = await(device, &call, timeout_ms);
    device->call = NULL; /* what giving it up reports is no outcome */
    give_up(device, &call);
    if (code == NQ_DEVICE_OK) {
        code = outcome(device, &call);
    }
    *out_reply_bytes = code == NQ_DEVICE_OK ? call.reply.bytes : 0;
    return code;
}
