/* Server: listeners, queues and method tables as the app sees them.
 *
 * create → add_methods… → listen… → start → (serving) → drain → destroy.
 * One server per process is usual; several may coexist (tests do). */
#ifndef NQ_SERVER_RPC_SERVER_H
#define NQ_SERVER_RPC_SERVER_H

#include "server/rpc/interceptor.h"

typedef struct nq_server nq_server;
typedef struct nq_worker_pool nq_worker_pool;

/* Zero means the default in brackets. create raises the process's limit on descriptors to what
 * connections_max needs, as far as it may. */
typedef struct nq_server_options {
    nq_worker_pool *workers;  /* required: runs what is not inline */
    uint32_t queue_count;     /* completion queues, one thread each [min(cores, 4)] */
    uint32_t connections_max; /* accepting pauses at this many [10,000] */
    uint32_t
        connections_per_ip_max; /* further ones are closed at once [no limit]; not unix sockets */
    uint32_t streams_per_connection_max; /* [1,000] */
    uint32_t calls_max;            /* in flight; more get RESOURCE_EXHAUSTED/OVERLOADED [20,000] */
    uint32_t message_bytes_max;    /* requests, where the method does not say otherwise [4 MiB] */
    uint32_t metadata_bytes_max;   /* request headers of one call [16 KiB] */
    uint32_t call_bytes_max;       /* budget of a call's arena [16 MiB] */
    uint32_t first_message_ms_max; /* a call that sent no message by then is ended [10,000] */
    bool without_prefetch; /* NQ_METHOD_PREFETCH is passed over: no call escapes those two */
    uint32_t keepalive_ms; /* ping after this much silence [30,000] */
    uint32_t keepalive_timeout_ms;   /* dead if no answer [10,000] */
    uint32_t connection_idle_ms_max; /* closed after this long without a call [600,000] */
    uint32_t
        connection_age_ms_max; /* GOAWAY after this age; streams get 5 more minutes [no limit] */
    const nq_interceptor *interceptors; /* copied; the objects stay the caller's */
    size_t interceptor_count;
    nq_error_encoder encode_error; /* may be NULL: no details */
    void *encode_error_self;
    nq_bytes descriptor_set; /* serialized FileDescriptorSet for reflection; empty: no reflection;
                                must outlive the server */
    bool without_health;     /* grpc.health.v1 is served unless set */
} nq_server_options;

nq_status nq_server_create(nq_ctx *ctx, const nq_server_options *options, nq_server **out_server);

/* `methods` must outlive the server; `service` comes back from nq_call_service(). Before start. A
 * path registered twice fails with NQ_INVALID_ARGUMENT. */
nq_status nq_server_add_methods(nq_ctx *ctx, nq_server *server, const nq_method *methods,
                                size_t count, void *service);

/* Binds and listens; accepting begins at start. `host` is a numeric address or a name ("0.0.0.0",
 * "::", "localhost"); port 0 lets the kernel choose, and `out_port` says what it became. */
nq_status nq_server_listen_tcp(nq_ctx *ctx, nq_server *server, const char *host, uint16_t port,
                               uint16_t *out_port);
/* A leftover socket file is replaced only when nobody answers on it (an error otherwise);
 * removed on destroy. `mode` are its permission bits [0660 when 0]. */
nq_status nq_server_listen_unix(nq_ctx *ctx, nq_server *server, const char *path, uint32_t mode);

nq_status nq_server_start(nq_ctx *ctx, nq_server *server);

/* Graceful end: health says NOT_SERVING, no new connection, GOAWAY; calls get `grace_ms` to finish,
 * then are cancelled with NQ_SHUTTING_DOWN. Returns when the last on_done has returned. Called
 * again, or by two threads, each returns when it is over. */
void nq_server_drain(nq_server *server, uint32_t grace_ms);

/* Drains with no grace if that was not done, waits for the last reference to a call, frees
 * everything. NULL is allowed. */
void nq_server_destroy(nq_server *server);

/* ---- Health (grpc.health.v1). Known are the services of the method tables, "", and others: ----
 */

/* Makes a name known that stands for a part of the server. Before start. */
nq_status nq_server_add_health(nq_ctx *ctx, nq_server *server, const char *name);

/* "" speaks for the whole server. Any thread. Everything is NOT_SERVING until first set; start sets
 * nothing. An unknown name is ignored. */
void nq_server_set_serving(nq_server *server, const char *service, bool is_serving);

/* ---- What is going on ---- */

typedef struct nq_connection_info {
    uint64_t id;
    const char *peer;       /* as nq_call_peer; valid during the visit, as is the next */
    const char *user_agent; /* printable ASCII, cut to 127 bytes; "" until the first call */
    int64_t opened_ns;
    uint32_t open_calls;
    uint64_t calls;          /* since it opened */
    uint64_t bytes_received; /* on the socket; 0 where the kernel does not say (unix sockets) */
    uint64_t bytes_sent;
    uint32_t uid; /* unix sockets: the peer's; UINT32_MAX otherwise */
} nq_connection_info;

/* Visits every connection, under the registry's lock: copy, do not call back into the server. */
void nq_server_visit_connections(nq_server *server,
                                 void (*visit)(void *user, const nq_connection_info *info),
                                 void *user);

/* Cuts one connection; its calls are cancelled by the transport. false: no such connection. */
bool nq_server_close_connection(nq_server *server, uint64_t connection_id);

typedef struct nq_server_stats {
    uint64_t connections;          /* open now */
    uint64_t connections_accepted; /* since start */
    uint64_t connections_refused;  /* by the per-address cap, or for want of file descriptors */
    uint64_t calls_open;
    uint64_t calls;         /* since start, refused ones too */
    uint64_t calls_refused; /* by the in-flight cap */
    uint64_t calls_unimplemented;
} nq_server_stats;

void nq_server_get_stats(const nq_server *server, nq_server_stats *out_stats);

enum { NQ_GRPC_VERSION_BYTES = 64 };

/* The gRPC linked in: its release as users know it, and the core's own number, which counts
 * differently. "1.51 (core 29.0.0)", or "(core 99.0.0)" when the release is newer than this
 * server. */
void nq_server_print_grpc_version(char out_text[static NQ_GRPC_VERSION_BYTES]);

#endif
