/* Sockets: the only file of the room that calls the kernel. */
#define _GNU_SOURCE
#include "server/rpc/socket_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, DESCRIPTORS_MAX = 1 << 20 };

/* ---- Listening ---- */

static nq_status fail_listen(nq_ctx *ctx, const char *what, const char *where, int code) {
    nq_status status = code == EADDRINUSE                        ? NQ_IO_ERROR
                       : code == EACCES || code == EADDRNOTAVAIL ? NQ_INVALID_ARGUMENT
                                                                 : NQ_IO_ERROR;
    char reason[96];
    return nq_fail(ctx, status, "cannot %s %s: %s", what, where,
                   strerror_r(code, reason, sizeof(reason)));
}

static int open_listener(int family, const struct sockaddr *address, socklen_t address_bytes) {
    int one = 1, zero = 0;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (family != AF_UNIX) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    if (family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    }
    if (bind(fd, address, address_bytes) != 0 || (family != AF_UNIX && listen(fd, BACKLOG) != 0)) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

nq_status nq__listener_open_tcp(nq_ctx *ctx, const char *host, uint16_t port, nq_listener *out,
                                uint16_t *out_port) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port_text[8], where[128];
    *out = (nq_listener){.fd = -1};
    *out_port = 0;
    (void)snprintf(port_text, sizeof(port_text), "%u", port);
    (void)snprintf(where, sizeof(where), "%s:%s", host, port_text);
    int code = getaddrinfo(host, port_text, &hints, &found);
    if (code != 0) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "cannot listen on %s: %s", where,
                       gai_strerror(code));
    }
    for (struct addrinfo *one = found; one != NULL && out->fd < 0; one = one->ai_next) {
        out->fd = open_listener(one->ai_family, one->ai_addr, one->ai_addrlen);
    }
    code = errno;
    freeaddrinfo(found);
    if (out->fd < 0) {
        return fail_listen(ctx, "listen on", where, code);
    }
    struct sockaddr_storage bound = {0};
    socklen_t bound_bytes = sizeof(bound);
    (void)getsockname(out->fd, (struct sockaddr *)&bound, &bound_bytes);
    *out_port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                  : ((struct sockaddr_in *)&bound)->sin_port);
    return NQ_OK;
}

/* A socket file nobody answers on is what a killed server left behind. */
static bool is_stale(const struct sockaddr_un *address) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = fd >= 0 &&
                   connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                   errno == ECONNREFUSED;
    if (fd >= 0) {
        close(fd);
    }
    return refused;
}

nq_status nq__listener_open_unix(nq_ctx *ctx, const char *path, uint32_t mode, nq_listener *out) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t path_bytes = strlen(path);
    struct stat file;
    *out = (nq_listener){.fd = -1, .is_unix = true};
    if (path_bytes == 0 || path_bytes >= sizeof(address.sun_path)) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "a unix socket's path has 1 to %zu bytes, not %zu",
                       sizeof(address.sun_path) - 1, path_bytes);
    }
    memcpy(address.sun_path, path, path_bytes + 1);
    out->fd = open_listener(AF_UNIX, (const struct sockaddr *)&address, sizeof(address));
    if (out->fd < 0 && errno == EADDRINUSE && lstat(path, &file) == 0 && S_ISSOCK(file.st_mode) &&
        is_stale(&address) && unlink(path) == 0) {
        out->fd = open_listener(AF_UNIX, (const struct sockaddr *)&address, sizeof(address));
    }
    if (out->fd < 0) {
        return fail_listen(ctx, "listen on", path, errno);
    }
    memcpy(out->path, path, path_bytes + 1);
    if (lstat(path, &file) == 0) {
        out->device = (uint64_t)file.st_dev;
        out->inode = (uint64_t)file.st_ino;
    }
    /* Nobody can connect before listen, so the permissions are right from the first moment. */
    if (chmod(path, mode != 0 ? (mode_t)mode : 0660) != 0 || listen(out->fd, BACKLOG) != 0) {
        int code = errno;
        nq__listener_close(out);
        return fail_listen(ctx, "listen on", path, code);
    }
    return NQ_OK;
}

void nq__listener_close(nq_listener *listener) {
    struct stat file;
    if (listener->fd < 0) {
        return;
    }
    if (listener->is_unix && lstat(listener->path, &file) == 0 &&
        (uint64_t)file.st_dev == listener->device && (uint64_t)file.st_ino == listener->inode) {
        (void)unlink(listener->path);
    }
    close(listener->fd);
    listener->fd = -1;
}

/* ---- Accepting ---- */

static void read_address(int fd, const struct sockaddr_storage *raw, nq_socket_address *out) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    *out = (nq_socket_address){.family = NQ_SOCKET_UNIX, .uid = UINT32_MAX};
    if (raw->ss_family == AF_INET) {
        const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)raw;
        out->family = NQ_SOCKET_IPV4;
        out->port = ntohs(ipv4->sin_port);
        memcpy(out->ip, &ipv4->sin_addr, 4);
    } else if (raw->ss_family == AF_INET6) {
        const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)raw;
        bool is_mapped = memcmp(&ipv6->sin6_addr, mapped, sizeof(mapped)) == 0;
        out->family = is_mapped ? NQ_SOCKET_IPV4 : NQ_SOCKET_IPV6;
        out->port = ntohs(ipv6->sin6_port);
        memcpy(out->ip, (const uint8_t *)&ipv6->sin6_addr + (is_mapped ? 12 : 0),
               is_mapped ? 4 : 16);
    } else {
        struct ucred peer;
        socklen_t peer_bytes = sizeof(peer);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) == 0) {
            out->pid = (uint32_t)peer.pid;
            out->uid = (uint32_t)peer.uid;
        }
    }
}

nq_accept_result nq__socket_accept(const nq_listener *listener, int *out_fd,
                                   nq_socket_address *out_address) {
    struct sockaddr_storage raw = {.ss_family = AF_UNIX};
    socklen_t raw_bytes = sizeof(raw);
    int one = 1;
    int fd =
        accept4(listener->fd, (struct sockaddr *)&raw, &raw_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    *out_fd = fd;
    *out_address = (nq_socket_address){0};
    if (fd >= 0) {
        if (!listener->is_unix) {
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        }
        read_address(fd, &raw, out_address);
        return NQ_ACCEPTED;
    }
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return NQ_ACCEPT_NO_FILES;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
        return NQ_ACCEPT_BROKEN;
    default: /* EAGAIN, and the errors of the connection that was waiting (accept(2)) */
        return NQ_ACCEPT_NOTHING;
    }
}

int nq__socket_renumber(int fd, int number_min) {
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, number_min);
    if (moved < 0) {
        return fd;
    }
    close(fd);
    return moved;
}

uint64_t nq__socket_cookie(int fd) {
    uint64_t cookie = 0;
    socklen_t cookie_bytes = sizeof(cookie);
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &cookie_bytes) == 0 ? cookie : 0;
}

void nq__socket_close(int fd) {
    if (fd >= 0) {
        close(fd);
    }
}

void nq__socket_cut(int fd) {
    (void)shutdown(fd, SHUT_RDWR);
}

void nq__socket_hold_back(int fd, bool is_held) {
    int value = is_held;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof(value));
}

void nq__socket_bytes(int fd, uint64_t *out_received, uint64_t *out_sent) {
    struct tcp_info info = {0};
    socklen_t info_bytes = sizeof(info);
    bool is_known = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_bytes) == 0;
    *out_received = is_known ? info.tcpi_bytes_received : 0;
    *out_sent = is_known ? info.tcpi_bytes_acked : 0;
}

void nq__socket_describe(const nq_socket_address *address, char *room, size_t room_bytes) {
    char ip[INET6_ADDRSTRLEN] = "?";
    if (address->family == NQ_SOCKET_UNIX) {
        (void)snprintf(room, room_bytes, "unix:pid=%u,uid=%u", address->pid, address->uid);
        return;
    }
    bool is_ipv4 = address->family == NQ_SOCKET_IPV4;
    (void)inet_ntop(is_ipv4 ? AF_INET : AF_INET6, address->ip, ip, sizeof(ip));
    (void)snprintf(room, room_bytes, is_ipv4 ? "ipv4:%s:%u" : "ipv6:[%s]:%u", ip, address->port);
}

bool nq__socket_same_host(const nq_socket_address *left, const nq_socket_address *right) {
    return left->family == right->family && left->family != NQ_SOCKET_UNIX &&
           memcmp(left->ip, right->ip, sizeof(left->ip)) == 0;
}

/* ---- Descriptors ---- */

int nq__spare_open(void) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void nq__descriptor_want(uint32_t count) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= count) {
        return;
    }
    /* Root may pass the hard limit; everybody else takes what it allows. */
    struct rlimit all = {.rlim_cur = count,
                         .rlim_max = limit.rlim_max > count ? limit.rlim_max : count};
    if (setrlimit(RLIMIT_NOFILE, &all) != 0) {
        limit.rlim_cur = limit.rlim_max < count ? limit.rlim_max : count;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

uint32_t nq__descriptor_max(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > DESCRIPTORS_MAX) {
        return DESCRIPTORS_MAX;
    }
    return (uint32_t)limit.rlim_cur;
}

int nq__poller_open(void) {
    return epoll_create1(EPOLL_CLOEXEC);
}

bool nq__poller_add(int poller, int fd, bool for_reading, void *token) {
    struct epoll_event event = {.events = for_reading ? EPOLLIN : EPOLLRDHUP, .data.ptr = token};
    return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0;
}

void nq__poller_remove(int poller, int fd) {
    (void)epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL);
}

size_t nq__poller_wait(int poller, int timeout_ms, void **tokens, size_t max) {
    struct epoll_event events[64];
    int room = max < 64 ? (int)max : 64;
    int count = epoll_wait(poller, events, room, timeout_ms);
    for (int i = 0; i < count; i++) {
        tokens[i] = events[i].data.ptr;
    }
    return count > 0 ? (size_t)count : 0;
}

int nq__bell_open(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void nq__bell_raise(int bell) {
    uint64_t one = 1;
    ssize_t written = write(bell, &one, sizeof(one));
    (void)written; /* Full means raised already. */
}

void nq__bell_lower(int bell) {
    uint64_t count = 0;
    ssize_t got = read(bell, &count, sizeof(count));
    (void)got;
}
