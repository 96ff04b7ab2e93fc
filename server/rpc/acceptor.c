/* Acceptor: our own accept loop, because the core's listener dies for ever at the first EMFILE.
 *
 *      ┌──── room for a connection, and a descriptor ────┐
 *      ▼                                                 │
 *   LISTENING ── connections_max reached ──▶ FULL ───────┤ a connection ended
 *      └──────── no descriptor left ───────▶ STARVED ────┘ after RETRY_MS
 *
 * While FULL or STARVED the listeners are out of the poller: waiting clients stay in the kernel's
 * backlog and cost no cycles. A starved server also gives up its spare descriptor for a moment, so
 * that one waiting client is refused instead of hanging, then takes the spare back.
 *
 * Sockets are numbered in turn from the upper part of the possible numbers, so that a number is not
 * used again soon after the core freed it, nor by anything else in the process.
 *
 * The end of a connection shows in the poller when its client left, if the core does not close the
 * socket before we look; a sweep through the table finds the others. */
#include "server/rpc/acceptor_internal.h"

#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/thread.h"

enum {
    LISTENERS_MAX = 8,
    ACCEPTS_PER_TURN = 64, /* so that ends of connections are heard in a storm of new ones */
    RETRY_MS = 100,
    SWEEP_MS = 1000,
    SWEEP_FULL_MS = 50,
    NUMBERS_FOR_OTHERS = 1024,
};

struct nq_acceptor {
    nq_acceptor_options options;
    nq_listener listeners[LISTENERS_MAX];
    size_t listener_count;
    int poller;
    int bell;
    int spare;
    int number_first; /* sockets are numbered number_first ≤ n < number_end */
    int number_end;
    int number_next;
    bool is_listening; /* the listeners are in the poller */
    bool is_starved;
    bool is_started;
    nq_thread thread;
    _Atomic bool stop_accepting;
    _Atomic bool stop;
    _Atomic uint64_t accepted;
    _Atomic uint64_t refused;
};

/* Four times as many as connections, where the limit allows, so that numbers rest between uses. */
static void choose_numbers(nq_acceptor *acceptor) {
    int64_t limit = nq__descriptor_max();
    int64_t span = INT64_C(4) * acceptor->options.connections_max;
    int64_t first = limit / 2 < NUMBERS_FOR_OTHERS ? limit / 2 : NUMBERS_FOR_OTHERS;
    acceptor->number_first = (int)first;
    acceptor->number_end = (int)(limit - first > span ? first + span : limit);
    acceptor->number_next = acceptor->number_first;
}

nq_status nq__acceptor_create(nq_ctx *ctx, const nq_acceptor_options *options,
                              nq_acceptor **out_acceptor) {
    *out_acceptor = NULL;
    nq_acceptor *acceptor = nq_heap_calloc(1, sizeof(*acceptor));
    if (acceptor == NULL) {
        return nq_fail_no_memory(ctx, "the acceptor");
    }
    acceptor->options = *options;
    acceptor->poller = nq__poller_open();
    acceptor->bell = nq__bell_open();
    acceptor->spare = nq__spare_open();
    choose_numbers(acceptor);
    if (acceptor->poller < 0 || acceptor->bell < 0 || acceptor->spare < 0 ||
        !nq__poller_add(acceptor->poller, acceptor->bell, true, acceptor)) {
        nq__acceptor_destroy(acceptor);
        return nq_fail(ctx, NQ_IO_ERROR, "no file descriptor is left for the acceptor");
    }
    *out_acceptor = acceptor;
    return NQ_OK;
}

nq_status nq__acceptor_add(nq_ctx *ctx, nq_acceptor *acceptor, const nq_listener *listener) {
    if (acceptor->listener_count == LISTENERS_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a server has at most %d listeners", LISTENERS_MAX);
    }
    acceptor->listeners[acceptor->listener_count++] = *listener;
    return NQ_OK;
}

/* ---- The thread ---- */

static void set_listening(nq_acceptor *acceptor, bool wanted) {
    if (acceptor->is_listening == wanted) {
        return;
    }
    acceptor->is_listening = wanted;
    for (size_t i = 0; i < acceptor->listener_count; i++) {
        nq_listener *listener = &acceptor->listeners[i];
        if (listener->fd < 0) {
            continue;
        }
        if (wanted) {
            (void)nq__poller_add(acceptor->poller, listener->fd, true, listener);
        } else {
            nq__poller_remove(acceptor->poller, listener->fd);
        }
    }
}

static void refuse(nq_acceptor *acceptor, int fd) {
    atomic_fetch_add_explicit(&acceptor->refused, 1, memory_order_relaxed);
    nq__socket_close(fd);
}

static void starve(nq_acceptor *acceptor, const nq_listener *listener) {
    nq_socket_address address;
    int fd = -1;
    nq__socket_close(acceptor->spare);
    acceptor->spare = -1;
    if (nq__socket_accept(listener, &fd, &address) == NQ_ACCEPTED) {
        refuse(acceptor, fd);
    }
    acceptor->spare = nq__spare_open();
    acceptor->is_starved = true;
    set_listening(acceptor, false);
}

static int renumber(nq_acceptor *acceptor, int fd) {
    int number = nq__socket_renumber(fd, acceptor->number_next);
    bool is_last = number < acceptor->number_first || number + 1 >= acceptor->number_end;
    acceptor->number_next = is_last ? acceptor->number_first : number + 1;
    return number;
}

static bool is_allowed(nq_acceptor *acceptor, const nq_socket_address *address) {
    uint32_t limit = acceptor->options.connections_per_ip_max;
    return limit == 0 || address->family == NQ_SOCKET_UNIX ||
           nq__connection_count_from(acceptor->options.connections, address) < limit;
}

static void take_in(nq_acceptor *acceptor, int accepted_fd, const nq_socket_address *address) {
    int fd = renumber(acceptor, accepted_fd);
    nq_connection *connection = nq__connection_add(acceptor->options.connections, fd, address);
    if (connection == NULL) {
        refuse(acceptor, fd);
        return;
    }
    /* Without the poller's notice, the sweep will find its end. */
    (void)nq__poller_add(acceptor->poller, fd, false, connection);
    atomic_fetch_add_explicit(&acceptor->accepted, 1, memory_order_relaxed);
    acceptor->options.give(acceptor->options.self, fd);
}

static void accept_some(nq_acceptor *acceptor, nq_listener *listener) {
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        nq_socket_address address;
        int fd = -1;
        if (nq__connection_count(acceptor->options.connections) >=
            acceptor->options.connections_max) {
            set_listening(acceptor, false);
            return;
        }
        switch (nq__socket_accept(listener, &fd, &address)) {
        case NQ_ACCEPTED:
            if (!is_allowed(acceptor, &address)) {
                refuse(acceptor, fd);
            } else {
                take_in(acceptor, fd, &address);
            }
            break;
        case NQ_ACCEPT_NOTHING:
            return;
        case NQ_ACCEPT_NO_FILES:
            starve(acceptor, listener);
            return;
        case NQ_ACCEPT_BROKEN:
            nq__poller_remove(acceptor->poller, listener->fd);
            nq__listener_close(listener);
            return;
        }
    }
}

static bool is_listener(const nq_acceptor *acceptor, const void *token) {
    const char *first = (const char *)acceptor->listeners;
    const char *end = (const char *)(acceptor->listeners + LISTENERS_MAX);
    return (const char *)token >= first && (const char *)token < end;
}

static void handle(nq_acceptor *acceptor, void *token) {
    if (token == acceptor) {
        nq__bell_lower(acceptor->bell);
    } else if (is_listener(acceptor, token)) {
        if (acceptor->is_listening) {
            accept_some(acceptor, token);
        }
    } else {
        nq_connection *connection = token;
        if (!connection->is_ended) {
            /* Its number is still its own: a successor would have ended it. */
            nq__poller_remove(acceptor->poller, connection->fd);
            nq__connection_end(acceptor->options.connections, connection);
        }
        acceptor->is_starved = false;
    }
}

static void close_listeners(nq_acceptor *acceptor) {
    set_listening(acceptor, false);
    for (size_t i = 0; i < acceptor->listener_count; i++) {
        nq__listener_close(&acceptor->listeners[i]);
    }
}

/* -1 when nothing can change without an event. */
static int pause_ms(const nq_acceptor *acceptor, bool may_accept, bool has_room) {
    bool is_starved = acceptor->is_starved && may_accept;
    if (nq__connection_count(acceptor->options.connections) == 0) {
        return is_starved ? RETRY_MS : -1;
    }
    return !may_accept || !has_room ? SWEEP_FULL_MS : is_starved ? RETRY_MS : SWEEP_MS;
}

/* Once a second; sooner where somebody waits for a connection to end. */
static void sweep(nq_acceptor *acceptor, int64_t *last_ns, bool is_urgent) {
    int64_t now_ns = nq_clock_monotonic_ns();
    int64_t rest_ms = is_urgent ? SWEEP_FULL_MS : SWEEP_MS;
    if (now_ns - *last_ns < rest_ms * INT64_C(1000000)) {
        return;
    }
    *last_ns = now_ns;
    if (nq__connection_sweep(acceptor->options.connections) > 0) {
        acceptor->is_starved = false;
    }
}

static void run(void *self) {
    nq_acceptor *acceptor = self;
    nq_connection_table *connections = acceptor->options.connections;
    int64_t last_sweep_ns = 0;
    void *tokens[64];
    while (!atomic_load(&acceptor->stop)) {
        bool may_accept = !atomic_load(&acceptor->stop_accepting);
        bool has_room = nq__connection_count(connections) < acceptor->options.connections_max;
        if (!may_accept) {
            close_listeners(acceptor);
        } else {
            set_listening(acceptor, has_room && !acceptor->is_starved);
        }
        size_t count =
            nq__poller_wait(acceptor->poller, pause_ms(acceptor, may_accept, has_room), tokens, 64);
        if (count == 0) {
            acceptor->is_starved = false;
            if (acceptor->spare < 0) {
                acceptor->spare = nq__spare_open();
            }
        }
        for (size_t i = 0; i < count; i++) {
            handle(acceptor, tokens[i]);
        }
        nq__connection_cut_condemned(connections);
        sweep(acceptor, &last_sweep_ns, !may_accept || !has_room);
        nq__connection_free_ended(connections);
    }
}

nq_status nq__acceptor_start(nq_ctx *ctx, nq_acceptor *acceptor) {
    NQ_TRY(nq_thread_start(ctx, &acceptor->thread, "nq-accept", run, acceptor));
    acceptor->is_started = true;
    return NQ_OK;
}

void nq__acceptor_ring(nq_acceptor *acceptor) {
    nq__bell_raise(acceptor->bell);
}

void nq__acceptor_stop_accepting(nq_acceptor *acceptor) {
    atomic_store(&acceptor->stop_accepting, true);
    nq__bell_raise(acceptor->bell);
}

void nq__acceptor_destroy(nq_acceptor *acceptor) {
    if (acceptor == NULL) {
        return;
    }
    if (acceptor->is_started) {
        atomic_store(&acceptor->stop, true);
        nq__bell_raise(acceptor->bell);
        nq_thread_join(&acceptor->thread);
    }
    close_listeners(acceptor);
    nq__socket_close(acceptor->spare);
    nq__socket_close(acceptor->bell);
    nq__socket_close(acceptor->poller);
    nq_heap_free(acceptor);
}

uint64_t nq__acceptor_accepted(const nq_acceptor *acceptor) {
    return atomic_load_explicit(&acceptor->accepted, memory_order_relaxed);
}

uint64_t nq__acceptor_refused(const nq_acceptor *acceptor) {
    return atomic_load_explicit(&acceptor->refused, memory_order_relaxed);
}
