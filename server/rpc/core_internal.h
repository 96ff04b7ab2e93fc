/* Core internals: what the files that speak to gRPC core share.
 *
 * server.c owns one nq_queue per thread; queue.c runs it and arms request slots; core_call.c is the
 * transport of the calls that arrive. */
#ifndef NQ_SERVER_RPC_CORE_INTERNAL_H
#define NQ_SERVER_RPC_CORE_INTERNAL_H

#include <grpc/grpc.h>

#include "engine/ground/os/mutex.h"
#include "engine/ground/os/thread.h"
#include "engine/ground/os/worker_pool.h"
#include "server/rpc/connection_internal.h"
#include "server/rpc/cork_internal.h"
#include "server/rpc/server.h"
#include "server/rpc/transport.h"

typedef struct nq_core_call nq_core_call;
typedef struct nq_queue nq_queue;

/* What a completion queue hands back. Embedded in the call; `fire` knows which member it is. */
typedef struct nq_core_tag {
    void (*fire)(struct nq_core_tag *tag, bool ok);
} nq_core_tag;

/* The core orders what happens before a batch and after its event, but no thread sanitizer can see
 * it (the core is not instrumented): say it. */
#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define NQ_CORE_GIVE(tag) __tsan_release(tag)
#define NQ_CORE_TAKE(tag) __tsan_acquire(tag)
#else
#define NQ_CORE_GIVE(tag) ((void)(tag))
#define NQ_CORE_TAKE(tag) ((void)(tag))
#endif

/* One path the server knows, or the catch-all. */
typedef struct nq_method_entry {
    nq_method method; /* message_bytes_max filled in */
    void *service;
    void *registered; /* the core's handle; NULL for the catch-all */
    bool is_prefetched;
} nq_method_entry;

/* A place in one of the queue's two lists; also the list's head. */
typedef struct nq_link {
    struct nq_link *next;
    struct nq_link *previous;
} nq_link;

struct nq_core_call {
    nq_call base; /* first */
    nq_core_tag requested;
    nq_core_tag received;
    nq_core_tag sent;
    nq_core_tag closed;
    nq_core_tag sent_and_closed;
    nq_core_tag kicked;
    nq_queue *queue;
    nq_method_entry *entry;
    nq_connection *connection;
    grpc_call *call;
    grpc_metadata_array metadata; /* its capacity outlives the call */
    gpr_timespec deadline;
    grpc_call_details details;  /* catch-all slots only */
    grpc_byte_buffer *incoming; /* written by core while a receive is outstanding */
    grpc_byte_buffer *current;  /* the message being handled */
    grpc_slice flat;            /* `current` in one piece, when it came in several */
    int was_cancelled;
    bool is_counted; /* against the in-flight cap */
    bool is_waiting; /* for its first message: in queue->waiting; under queue->mutex */
    nq_link live_link;
    nq_link waiting_link;
    int64_t first_message_by_ns;
    bool is_lingering; /* in queue->lingering; under queue->mutex */
    nq_link lingering_link;
    int64_t linger_by_ns;
    nq_worker_task task;
    nq_core_call *next_free;
};

enum { NQ_UNARMED_MAX = 64 };

/* One completion queue and the one thread that drains it. */
struct nq_queue {
    nq_server *server;
    grpc_completion_queue *cq;
    nq_thread thread;
    bool is_running;
    nq_core_call *free_calls; /* the queue thread only */
    uint32_t free_count;
    _Atomic(nq_core_call *) returned_calls; /* pushed by any thread */
    nq_mutex mutex;
    nq_link live;                 /* calls between open and done */
    nq_link waiting;              /* those whose first message has not come, oldest first */
    nq_link lingering;            /* those told to stop and not over, oldest first */
    _Atomic uint32_t timed_count; /* in the two lists above */
    nq_core_tag nudge;            /* only ends a sleep */
    nq_cork cork;                 /* the queue thread only */
    uint32_t unarmed_count;       /* slots that could not be armed for want of memory */
    nq_method_entry *unarmed[NQ_UNARMED_MAX];
};

struct nq_server {
    nq_server_options options;
    nq_interceptor *interceptors;
    nq_call_host host;
    nq_method_entry *entries;
    size_t entry_count;
    size_t entry_capacity;
    nq_method_entry catch_all;
    nq_queue *queues;
    uint32_t queue_count;
    grpc_server *core;
    nq_connection_table *connections;
    struct nq_acceptor *acceptor;
    struct nq_health *health;
    struct nq_reflection *reflection;
    nq_core_tag stopped;
    _Atomic bool is_draining;
    _Atomic uint64_t last_call_id;
    _Atomic uint64_t calls_open;   /* until their on_done has returned */
    _Atomic uint64_t objects_lent; /* until their last reference is gone */
    _Atomic uint64_t calls_counted;
    _Atomic uint64_t calls_refused;
    _Atomic uint64_t calls_unimplemented;
    nq_mutex mutex; /* the four below */
    nq_cond changed;
    bool is_started;
    bool has_stopped; /* the core has no call and no connection left */
    bool drain_begun;
    bool drain_ended;
};

/* ---- core_call.c ---- */

extern const nq_transport nq__core_transport;

/* Tags and buffers for a fresh object. */
void nq__core_call_init(nq_core_call *call, nq_queue *queue);
/* Frees what a call holds besides itself and its metadata's capacity. */
void nq__core_call_clear(nq_core_call *call);

/* ---- queue.c ---- */

nq_status nq__queue_init(nq_ctx *ctx, nq_queue *queue, nq_server *server);
void nq__queue_deinit(nq_queue *queue);
/* Arms a slot for `entry`; on the queue's thread, or before it runs. Without memory, later. */
void nq__queue_arm(nq_queue *queue, nq_method_entry *entry);
void nq__queue_run(void *queue);
void nq__queue_take_back(nq_core_call *call); /* any thread */
/* Around the writing of an answer: it may wait for others to the same connection. */
bool nq__queue_hold_back(nq_core_call *call);
void nq__queue_note_answer(nq_core_call *call);
void nq__queue_stop_waiting(nq_core_call *call); /* the first message came, or never will */
void nq__queue_linger(nq_core_call *call);       /* any thread */
void nq__queue_forget(nq_core_call *call);       /* the call is done */
void nq__queue_cancel_all(nq_queue *queue, nq_status reason);

#endif
