/* Queue: one completion queue, the one thread that drains it, and the calls that are bound to it.
 *
 * A slot is a call object lent to the core until a client's call fills it. The first thing done
 * with a filled slot is to arm the next one: a handler that runs long delays its own queue, not the
 * matching of calls to other queues.
 *
 * Objects come from a list of the queue thread's own; they go back from any thread through an
 * atomic stack which the owner empties as a whole, so it has no ABA problem. */
#include "server/rpc/core_internal.h"

#include <grpc/support/time.h>
#include <stddef.h>
#include <stdio.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "server/rpc/core_version_internal.h"

enum {
    FREE_CALLS_MAX = 256, /* kept for reuse; more go back to the heap */
    EVENTS_PER_TICK = 1024,
    TICK_MS = 250,
    LINGER_NS = 1000000000,
};

/* The queue whose thread this is. */
static _Thread_local const nq_queue *queue_here;

#define CALL_OF(link, member) \
    ((nq_core_call *)(void *)((char *)(link)-offsetof(nq_core_call, member)))

/* ---- Lists ---- */

static void list_init(nq_link *head) {
    head->next = head;
    head->previous = head;
}

static void list_append(nq_link *head, nq_link *link) {
    link->next = head;
    link->previous = head->previous;
    head->previous->next = link;
    head->previous = link;
}

static void list_remove(nq_link *link) {
    link->next->previous = link->previous;
    link->previous->next = link->next;
}

/* ---- Objects ---- */

static void fire_requested(nq_core_tag *tag, bool ok);

static void free_call(nq_core_call *call) {
    grpc_metadata_array_destroy(&call->metadata);
    nq_call_deinit(&call->base);
    nq_heap_free(call);
}

static nq_core_call *take_call(nq_queue *queue) {
    if (queue->free_calls == NULL) {
        queue->free_calls =
            atomic_exchange_explicit(&queue->returned_calls, NULL, memory_order_acquire);
        queue->free_count = 0;
        for (nq_core_call *one = queue->free_calls; one != NULL; one = one->next_free) {
            queue->free_count++;
            while (queue->free_count >= FREE_CALLS_MAX && one->next_free != NULL) {
                nq_core_call *spare = one->next_free;
                one->next_free = spare->next_free;
                free_call(spare);
            }
        }
    }
    nq_core_call *call = queue->free_calls;
    if (call != NULL) {
        queue->free_calls = call->next_free;
        nq_call_reset(&call->base);
        return call;
    }
    call = nq_heap_calloc(1, sizeof(*call));
    if (call != NULL) {
        nq__core_call_init(call, queue);
        call->requested.fire = fire_requested;
    }
    return call;
}

void nq__queue_take_back(nq_core_call *call) {
    nq_queue *queue = call->queue;
    nq_core_call *top = atomic_load_explicit(&queue->returned_calls, memory_order_relaxed);
    do {
        call->next_free = top;
    } while (!atomic_compare_exchange_weak_explicit(&queue->returned_calls, &top, call,
                                                    memory_order_release, memory_order_relaxed));
}

/* ---- Slots ---- */

void nq__queue_arm(nq_queue *queue, nq_method_entry *entry) {
    nq_core_call *call = take_call(queue);
    if (call == NULL) {
        if (queue->unarmed_count < NQ_UNARMED_MAX) {
            queue->unarmed[queue->unarmed_count++] = entry;
        }
        return;
    }
    call->entry = entry;
    NQ_CORE_GIVE(&call->requested);
    grpc_call_error error = GRPC_CALL_OK;
    if (entry->registered != NULL) {
        error = grpc_server_request_registered_call(
            queue->server->core, entry->registered, &call->call, &call->deadline, &call->metadata,
            entry->is_prefetched ? &call->incoming : NULL, queue->cq, queue->cq, &call->requested);
    } else {
        grpc_call_details_init(&call->details);
        error = grpc_server_request_call(queue->server->core, &call->call, &call->details,
                                         &call->metadata, queue->cq, queue->cq, &call->requested);
    }
    if (error != GRPC_CALL_OK) {
        nq__core_call_clear(call);
        nq__queue_take_back(call);
    }
}

/* Tries again what failed for want of memory. */
static void rearm(nq_queue *queue) {
    uint32_t count = queue->unarmed_count;
    queue->unarmed_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        nq__queue_arm(queue, queue->unarmed[i]);
    }
}

static int64_t deadline_of(const nq_core_call *call) {
    gpr_timespec deadline =
        call->entry->registered != NULL ? call->deadline : call->details.deadline;
    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) {
        return NQ_NO_DEADLINE;
    }
    gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
    if (left.tv_sec > INT32_MAX) {
        return NQ_NO_DEADLINE;
    }
    return nq_clock_monotonic_ns() + left.tv_sec * 1000000000 + left.tv_nsec;
}

static nq_status refuse_unknown(nq_core_call *call, nq_error *error) {
    const nq_method_entry *entry = call->entry;
    atomic_fetch_add_explicit(&call->queue->server->calls_unimplemented, 1, memory_order_relaxed);
    if (entry->registered != NULL) {
        return nq_fail_at(error, NQ_METHOD_UNIMPLEMENTED, __FILE__, (uint32_t)__LINE__,
                          "%s is not in this version", entry->method.path);
    }
    size_t path_bytes = GRPC_SLICE_LENGTH(call->details.method);
    return nq_fail_at(error, NQ_METHOD_UNIMPLEMENTED, __FILE__, (uint32_t)__LINE__,
                      "there is no method %.*s", path_bytes < 160 ? (int)path_bytes : 160,
                      (const char *)GRPC_SLICE_START_PTR(call->details.method));
}

/* Admission: the method must exist, and there must be room for one more call. */
static nq_status admit(nq_core_call *call, nq_error *error) {
    nq_server *server = call->queue->server;
    if (call->entry->method.handler == NULL) {
        return refuse_unknown(call, error);
    }
    if (call->entry->method.flags & NQ_METHOD_UNLIMITED) {
        return NQ_OK;
    }
    call->is_counted = true;
    uint64_t before = atomic_fetch_add_explicit(&server->calls_counted, 1, memory_order_relaxed);
    if (before < server->options.calls_max) {
        return NQ_OK;
    }
    atomic_fetch_add_explicit(&server->calls_refused, 1, memory_order_relaxed);
    return nq_fail_at(error, NQ_OVERLOADED, __FILE__, (uint32_t)__LINE__,
                      "%u calls are in flight already", server->options.calls_max);
}

static void enlist(nq_core_call *call, bool is_waiting) {
    nq_queue *queue = call->queue;
    nq_mutex_lock(&queue->mutex);
    list_append(&queue->live, &call->live_link);
    call->is_waiting = is_waiting;
    if (is_waiting) {
        call->first_message_by_ns =
            call->base.opened_ns + queue->server->options.first_message_ms_max * INT64_C(1000000);
        list_append(&queue->waiting, &call->waiting_link);
        queue->timed_count++;
    }
    nq_mutex_unlock(&queue->mutex);
}

static void fire_requested(nq_core_tag *tag, bool ok) {
    nq_core_call *call = CALL_OF(tag, requested);
    nq_queue *queue = call->queue;
    nq_server *server = queue->server;
    nq_error error;
    if (!ok) {
        if (call->entry->registered == NULL) {
            grpc_call_details_destroy(&call->details);
        }
        nq__core_call_clear(call);
        nq__queue_take_back(call);
        return;
    }
    nq__queue_arm(queue, call->entry);
    nq_call *base = &call->base;
    base->transport = &nq__core_transport;
    base->host = &server->host;
    base->method = &call->entry->method;
    base->service = call->entry->service;
    base->id = atomic_fetch_add_explicit(&server->last_call_id, 1, memory_order_relaxed) + 1;
    base->opened_ns = nq_clock_monotonic_ns();
    base->deadline_ns = deadline_of(call);
    call->connection =
        nq__connection_begin_call(server->connections, nq__core_call_socket(call->call));
    base->connection_id = call->connection != NULL ? call->connection->id : 0;
    if (call->connection != NULL && !nq__connection_is_introduced(call->connection)) {
        nq__connection_introduce(server->connections, call->connection,
                                 nq_call_metadata(base, "user-agent"));
    }
    call->is_counted = false;
    atomic_fetch_add_explicit(&server->calls_open, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&server->objects_lent, 1, memory_order_relaxed);
    bool is_admitted = admit(call, &error) == NQ_OK;
    if (call->entry->registered == NULL) {
        grpc_call_details_destroy(&call->details);
    }
    bool is_message_here = call->entry->is_prefetched;
    enlist(call, is_admitted && !is_message_here);
    nq_call_on_opened(base, is_message_here, is_admitted ? NULL : &error);
}

/* ---- The life of the calls here ---- */

static void leave_waiting(nq_core_call *call) {
    call->is_waiting = false;
    list_remove(&call->waiting_link);
    call->queue->timed_count--;
}

static void leave_lingering(nq_core_call *call) {
    call->is_lingering = false;
    list_remove(&call->lingering_link);
    call->queue->timed_count--;
}

void nq__queue_stop_waiting(nq_core_call *call) {
    nq_queue *queue = call->queue;
    nq_mutex_lock(&queue->mutex);
    if (call->is_waiting) {
        leave_waiting(call);
    }
    nq_mutex_unlock(&queue->mutex);
}

void nq__queue_forget(nq_core_call *call) {
    nq_queue *queue = call->queue;
    nq_server *server = queue->server;
    nq_mutex_lock(&queue->mutex);
    if (call->is_waiting) {
        leave_waiting(call);
    }
    if (call->is_lingering) {
        leave_lingering(call);
    }
    list_remove(&call->live_link);
    nq_mutex_unlock(&queue->mutex);
    if (call->is_counted) {
        atomic_fetch_sub_explicit(&server->calls_counted, 1, memory_order_relaxed);
    }
    atomic_fetch_sub_explicit(&server->calls_open, 1, memory_order_release);
}

void nq__queue_linger(nq_core_call *call) {
    nq_queue *queue = call->queue;
    nq_mutex_lock(&queue->mutex);
    call->is_lingering = true;
    call->linger_by_ns = nq_clock_monotonic_ns() + LINGER_NS;
    list_append(&queue->lingering, &call->lingering_link);
    queue->timed_count++;
    nq_mutex_unlock(&queue->mutex);
    /* The queue may sleep without end, not knowing that there is something to wait for. */
    NQ_CORE_GIVE(&queue->nudge);
    (void)grpc_call_start_batch(call->call, NULL, 0, &queue->nudge, NULL);
}

/* How many calls of its connection are under way, if this thread answers all of them; else 0. */
static uint32_t burst_of(const nq_core_call *call) {
    const nq_connection *connection = call->connection;
    bool is_ours = queue_here == call->queue && call->base.method->shape == NQ_METHOD_UNARY &&
                   connection != NULL && connection->address.family != NQ_SOCKET_UNIX;
    return is_ours ? atomic_load_explicit(&connection->open_calls, memory_order_relaxed) : 0;
}

bool nq__queue_hold_back(nq_core_call *call) {
    uint32_t burst = burst_of(call);
    return burst > 0 &&
           nq__cork_hold(&call->queue->cork, call->connection->fd, burst, call->base.opened_ns);
}

void nq__queue_note_answer(nq_core_call *call) {
    nq__cork_note_answer(&call->queue->cork, burst_of(call), call->base.opened_ns);
}

/* Ends calls whose client opened them and then said nothing, and those that were told to stop but
 * whose client takes nothing off them. The core's call is alive while the call is in a list, and
 * cancelling one is legal from any thread and under our lock. */
static void expire(nq_queue *queue) {
    int64_t now_ns = nq_clock_monotonic_ns();
    nq_mutex_lock(&queue->mutex);
    while (queue->waiting.next != &queue->waiting) {
        nq_core_call *call = CALL_OF(queue->waiting.next, waiting_link);
        if (call->first_message_by_ns > now_ns) {
            break;
        }
        leave_waiting(call);
        nq__core_transport.abort(&call->base, NQ_RPC_DEADLINE_EXCEEDED,
                                 "the call was opened, but its first message did not come");
    }
    while (queue->lingering.next != &queue->lingering) {
        nq_core_call *call = CALL_OF(queue->lingering.next, lingering_link);
        if (call->linger_by_ns > now_ns) {
            break;
        }
        leave_lingering(call);
        nq_status reason = (nq_status)atomic_load(&call->base.cancel);
        nq__core_transport.abort(&call->base, nq_status_rpc_code(reason),
                                 nq_status_meaning(reason));
    }
    nq_mutex_unlock(&queue->mutex);
}

static void fire_nudge(nq_core_tag *tag, bool ok) {
    (void)tag;
    (void)ok;
}

void nq__queue_cancel_all(nq_queue *queue, nq_status reason) {
    /* A cancel may run handlers' code through the pool, so not under the lock; each round takes
     * what has not been told yet. */
    for (;;) {
        nq_core_call *batch[64];
        size_t count = 0;
        nq_mutex_lock(&queue->mutex);
        for (nq_link *link = queue->live.next; link != &queue->live && count < 64;
             link = link->next) {
            nq_core_call *call = CALL_OF(link, live_link);
            if (atomic_load(&call->base.cancel) == NQ_OK) {
                (void)nq_call_acquire(&call->base);
                batch[count++] = call;
            }
        }
        nq_mutex_unlock(&queue->mutex);
        if (count == 0) {
            return;
        }
        for (size_t i = 0; i < count; i++) {
            nq_call_cancel(&batch[i]->base, reason);
            nq_call_release(&batch[i]->base);
        }
    }
}

/* ---- The thread ---- */

nq_status nq__queue_init(nq_ctx *ctx, nq_queue *queue, nq_server *server) {
    queue->server = server;
    queue->cq = grpc_completion_queue_create_for_next(NULL);
    if (queue->cq == NULL) {
        return nq_fail_no_memory(ctx, "a completion queue");
    }
    nq_mutex_init(&queue->mutex, NQ_LOCK_RPC_QUEUE);
    list_init(&queue->live);
    list_init(&queue->waiting);
    list_init(&queue->lingering);
    queue->nudge.fire = fire_nudge;
    return NQ_OK;
}

/* How long the next event may be waited for: with answers held back, not at all. */
static gpr_timespec wait_until(const nq_queue *queue, gpr_timespec tick) {
    if (nq__cork_is_holding(&queue->cork)) {
        return gpr_inf_past(GPR_CLOCK_MONOTONIC);
    }
    /* Whoever else makes these counts rise nudges the queue, so zero allows an endless sleep. */
    bool is_waiting = queue->timed_count > 0 || queue->unarmed_count > 0;
    return is_waiting ? tick : gpr_inf_future(GPR_CLOCK_MONOTONIC);
}

void nq__queue_run(void *self) {
    nq_queue *queue = self;
    gpr_timespec tick = gpr_inf_past(GPR_CLOCK_MONOTONIC);
    queue_here = queue;
    uint32_t events_left = 0;
    for (;;) {
        if (events_left == 0) {
            expire(queue);
            rearm(queue);
            events_left = EVENTS_PER_TICK;
            tick = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                gpr_time_from_millis(TICK_MS, GPR_TIMESPAN));
        }
        bool is_holding = nq__cork_is_holding(&queue->cork);
        grpc_event event = grpc_completion_queue_next(queue->cq, wait_until(queue, tick), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            nq__cork_let_go(&queue->cork);
            queue_here = NULL;
            return;
        }
        if (event.type == GRPC_QUEUE_TIMEOUT) {
            nq__cork_let_go(&queue->cork);
            events_left = is_holding ? events_left : 0;
            continue;
        }
        nq_core_tag *tag = event.tag;
        NQ_CORE_TAKE(tag);
        tag->fire(tag, event.success != 0);
        events_left--;
    }
}

void nq__queue_deinit(nq_queue *queue) {
    if (queue->cq == NULL) {
        return;
    }
    grpc_completion_queue_shutdown(queue->cq);
    if (queue->is_running) {
        nq_thread_join(&queue->thread);
    } else {
        nq__queue_run(queue);
    }
    grpc_completion_queue_destroy(queue->cq);
    nq_core_call *call = NULL;
    while ((call = queue->free_calls) != NULL) {
        queue->free_calls = call->next_free;
        free_call(call);
    }
    call = atomic_exchange(&queue->returned_calls, NULL);
    while (call != NULL) {
        nq_core_call *next = call->next_free;
        free_call(call);
        call = next;
    }
    nq_mutex_deinit(&queue->mutex);
}
