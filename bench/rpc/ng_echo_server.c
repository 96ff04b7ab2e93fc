/* The ceiling: a gRPC echo on nghttp2 and epoll, one thread, with no more than the protocol needs.
 * It shows what gRPC core's generality costs; it is not a server anybody should run. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUT_BYTES = 1 << 18, MESSAGE_BYTES_MAX = 4096 };

typedef struct stream {
    size_t bytes;
    size_t sent;
    uint8_t data[MESSAGE_BYTES_MAX];
} stream;

typedef struct connection {
    int fd;
    nghttp2_session *session;
    size_t out_bytes;
    uint8_t out[OUT_BYTES];
} connection;

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t room,
                         uint32_t *flags, nghttp2_data_source *source, void *user) {
    static const nghttp2_nv trailer = {(uint8_t *)"grpc-status", (uint8_t *)"0", 11, 1,
                                       NGHTTP2_NV_FLAG_NONE};
    stream *self = source->ptr;
    size_t bytes = self->bytes - self->sent < room ? self->bytes - self->sent : room;
    (void)user;
    memcpy(to, self->data + self->sent, bytes);
    self->sent += bytes;
    if (self->sent == self->bytes) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, id, &trailer, 1);
    }
    return (ssize_t)bytes;
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)user;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        stream *self = malloc(sizeof(*self));
        self->bytes = 0;
        self->sent = 0;
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, self);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t bytes, void *user) {
    stream *self = nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    (void)user;
    if (self == NULL || self->bytes + bytes > sizeof(self->data)) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    memcpy(self->data + self->bytes, data, bytes);
    self->bytes += bytes;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    static const nghttp2_nv headers[] = {
        {(uint8_t *)":status", (uint8_t *)"200", 7, 3, NGHTTP2_NV_FLAG_NONE},
        {(uint8_t *)"content-type", (uint8_t *)"application/grpc", 12, 16, NGHTTP2_NV_FLAG_NONE},
    };
    (void)user;
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)) {
        return 0;
    }
    nghttp2_data_provider body = {
        .source.ptr = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id),
        .read_callback = read_body};
    return nghttp2_submit_response(session, frame->hd.stream_id, headers, 2, &body);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    (void)code;
    (void)user;
    free(nghttp2_session_get_stream_user_data(session, id));
    return 0;
}

static bool flush(connection *self) {
    for (;;) {
        const uint8_t *data = NULL;
        while (self->out_bytes < OUT_BYTES - 32768) {
            ssize_t bytes = nghttp2_session_mem_send(self->session, &data);
            if (bytes <= 0) {
                break;
            }
            memcpy(self->out + self->out_bytes, data, (size_t)bytes);
            self->out_bytes += (size_t)bytes;
        }
        if (self->out_bytes == 0) {
            return true;
        }
        ssize_t sent = send(self->fd, self->out, self->out_bytes, MSG_NOSIGNAL);
        if (sent < 0) {
            return errno == EAGAIN;
        }
        memmove(self->out, self->out + sent, self->out_bytes - (size_t)sent);
        self->out_bytes -= (size_t)sent;
    }
}

static bool serve(connection *self) {
    static uint8_t in[1 << 16];
    ssize_t bytes = recv(self->fd, in, sizeof(in), 0);
    if (bytes <= 0) {
        return bytes < 0 && errno == EAGAIN;
    }
    return nghttp2_session_mem_recv(self->session, in, (size_t)bytes) == bytes && flush(self);
}

static void open_connection(int poller, int fd, nghttp2_session_callbacks *callbacks) {
    int one = 1;
    connection *self = calloc(1, sizeof(*self));
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000}};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    self->fd = fd;
    nghttp2_session_server_new(&self->session, callbacks, self);
    nghttp2_submit_settings(self->session, NGHTTP2_FLAG_NONE, settings, 1);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = self};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    (void)flush(self);
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t address_bytes = sizeof(address);
    nghttp2_session_callbacks *callbacks = NULL;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int poller = epoll_create1(0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 128) != 0) {
        return 1;
    }
    getsockname(listener, (struct sockaddr *)&address, &address_bytes);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    struct epoll_event events[64] = {{.events = EPOLLIN, .data.ptr = &listener}};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &events[0]);
    events[0].data.ptr = NULL; /* the end of our input is the end of the run */
    epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &events[0]);
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(poller, events, 64, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                return 0;
            }
            if (events[i].data.ptr == &listener) {
                open_connection(poller, accept4(listener, NULL, NULL, SOCK_NONBLOCK), callbacks);
                continue;
            }
            connection *self = events[i].data.ptr;
            if (!serve(self)) {
                close(self->fd);
                nghttp2_session_del(self->session);
                free(self);
            }
        }
    }
}
