/* Posix: the transport as three small functions. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sdk/device/nq_device_posix.h"

static bool is_for_later(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static int send_some(void *self, const uint8_t *data, size_t bytes) {
    const nq_device_posix *own = self;
    ssize_t sent = send(own->fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent >= 0 ? (int)sent : is_for_later() ? 0 : -1;
}

static int receive_some(void *self, uint8_t *room, size_t bytes, uint32_t timeout_ms) {
    const nq_device_posix *own = self;
    struct pollfd wanted = {.fd = own->fd, .events = POLLIN};
    int ready = poll(&wanted, 1, timeout_ms < INT32_MAX ? (int)timeout_ms : INT32_MAX);
    if (ready <= 0) {
        return ready == 0 || errno == EINTR ? 0 : -1;
    }
    ssize_t received = recv(own->fd, room, bytes, MSG_DONTWAIT);
    if (received > 0) {
        return (int)received;
    }
    return received < 0 && is_for_later() ? 0 : -1; /* 0: the peer has closed */
}

static uint32_t now_ms(void *self) {
    struct timespec now;
    (void)self;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_sec * 1000U + (uint32_t)(now.tv_nsec / 1000000);
}

static int connect_any(const struct addrinfo *addresses) {
    int one = 1;
    for (const struct addrinfo *at = addresses; at != NULL; at = at->ai_next) {
        int fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0) {
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            return fd;
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    return -1;
}

bool nq_device_posix_connect(nq_device_posix *own, const char *host, const char *port,
                             nq_device_transport *out_transport) {
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    own->fd = -1;
    if (getaddrinfo(host, port, &wanted, &addresses) != 0) {
        return false;
    }
    own->fd = connect_any(addresses);
    freeaddrinfo(addresses);
    *out_transport = (nq_device_transport){
        .self = own, .send = send_some, .receive = receive_some, .now_ms = now_ms};
    return own->fd >= 0;
}

void nq_device_posix_close(nq_device_posix *own) {
    if (own->fd >= 0) {
        (void)close(own->fd);
        own->fd = -1;
    }
}
