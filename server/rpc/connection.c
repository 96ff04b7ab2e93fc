/* Connections: one list for those who look at all of them, one array by descriptor number for
 * calls.
 *
 * Invariant: slots[fd] is the last connection that was given to the core under that number. The
 * number is free again before we know that the connection ended, so the acceptor hands numbers out
 * in turn: a call still on its way from an ended connection finds that connection, not its
 * successor. */
#include "server/rpc/connection_internal.h"

#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/mutex.h"

struct nq_connection_table {
    nq_mutex mutex;
    nq_connection *first;
    nq_connection *ended; /* linked by next; the acceptor's thread only */
    nq_connection **slots;
    uint32_t slot_count;
    uint64_t last_id;
    _Atomic uint32_t count;
    _Atomic bool has_condemned;
};

nq_connection_table *nq__connection_table_create(uint32_t descriptor_max) {
    nq_connection_table *table = nq_heap_calloc(1, sizeof(*table));
    if (table == NULL) {
        return NULL;
    }
    table->slots = nq_heap_calloc(descriptor_max, sizeof(*table->slots));
    if (table->slots == NULL) {
        nq_heap_free(table);
        return NULL;
    }
    table->slot_count = descriptor_max;
    nq_mutex_init(&table->mutex, NQ_LOCK_RPC_CONNECTIONS);
    return table;
}

static void connection_release(nq_connection *connection) {
    if (atomic_fetch_sub_explicit(&connection->references, 1, memory_order_acq_rel) == 1) {
        nq_heap_free(connection);
    }
}

void nq__connection_table_destroy(nq_connection_table *table) {
    if (table == NULL) {
        return;
    }
    while (table->first != NULL) {
        nq__connection_end(table, table->first);
    }
    nq__connection_free_ended(table);
    nq_mutex_deinit(&table->mutex);
    nq_heap_free(table->slots);
    nq_heap_free(table);
}

nq_connection *nq__connection_add(nq_connection_table *table, int fd,
                                  const nq_socket_address *address) {
    bool has_slot = (uint32_t)fd < table->slot_count;
    nq_connection *connection = nq_heap_calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return NULL;
    }
    if (has_slot && table->slots[fd] != NULL) {
        nq__connection_end(table, table->slots[fd]);
    }
    connection->fd = fd;
    connection->cookie = nq__socket_cookie(fd);
    connection->address = *address;
    connection->opened_ns = nq_clock_monotonic_ns();
    atomic_init(&connection->references, 1);
    nq__socket_describe(address, connection->peer, sizeof(connection->peer));
    nq_mutex_lock(&table->mutex);
    connection->id = ++table->last_id;
    connection->next = table->first;
    if (table->first != NULL) {
        table->first->previous = connection;
    }
    table->first = connection;
    if (has_slot) {
        table->slots[fd] = connection;
    }
    nq_mutex_unlock(&table->mutex);
    atomic_fetch_add(&table->count, 1);
    return connection;
}

void nq__connection_end(nq_connection_table *table, nq_connection *connection) {
    if (connection->is_ended) {
        return;
    }
    nq_mutex_lock(&table->mutex);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        table->first = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    if ((uint32_t)connection->fd < table->slot_count &&
        table->slots[connection->fd] == connection) {
        table->slots[connection->fd] = NULL;
    }
    nq_mutex_unlock(&table->mutex);
    atomic_fetch_sub(&table->count, 1);
    connection->is_ended = true;
    connection->next = table->ended;
    table->ended = connection;
}

/* Whether the number still means this socket. */
static bool is_open(const nq_connection *connection) {
    return nq__socket_cookie(connection->fd) == connection->cookie;
}

uint32_t nq__connection_sweep(nq_connection_table *table) {
    uint32_t count = 0;
    /* Only this thread changes the list, so it may be read without the lock. */
    for (nq_connection *one = table->first; one != NULL;) {
        nq_connection *next = one->next;
        if (!is_open(one)) {
            nq__connection_end(table, one);
            count++;
        }
        one = next;
    }
    return count;
}

void nq__connection_cut_condemned(nq_connection_table *table) {
    if (!atomic_exchange(&table->has_condemned, false)) {
        return;
    }
    nq_mutex_lock(&table->mutex);
    for (nq_connection *one = table->first; one != NULL; one = one->next) {
        if (one->is_condemned && is_open(one)) {
            nq__socket_cut(one->fd);
        }
        one->is_condemned = false;
    }
    nq_mutex_unlock(&table->mutex);
}

void nq__connection_free_ended(nq_connection_table *table) {
    while (table->ended != NULL) {
        nq_connection *next = table->ended->next;
        connection_release(table->ended);
        table->ended = next;
    }
}

uint32_t nq__connection_count(const nq_connection_table *table) {
    return atomic_load(&table->count);
}

uint32_t nq__connection_count_from(nq_connection_table *table, const nq_socket_address *address) {
    uint32_t count = 0;
    nq_mutex_lock(&table->mutex);
    for (const nq_connection *one = table->first; one != NULL; one = one->next) {
        count += nq__socket_same_host(&one->address, address);
    }
    nq_mutex_unlock(&table->mutex);
    return count;
}

nq_connection *nq__connection_begin_call(nq_connection_table *table, int core_fd) {
    if (core_fd < 0 || (uint32_t)core_fd >= table->slot_count) {
        return NULL;
    }
    nq_mutex_lock(&table->mutex);
    nq_connection *connection = table->slots[core_fd];
    if (connection != NULL) {
        atomic_fetch_add_explicit(&connection->references, 1, memory_order_relaxed);
    }
    nq_mutex_unlock(&table->mutex);
    if (connection != NULL) {
        atomic_fetch_add_explicit(&connection->open_calls, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&connection->calls, 1, memory_order_relaxed);
    }
    return connection;
}

void nq__connection_end_call(nq_connection *connection) {
    atomic_fetch_sub_explicit(&connection->open_calls, 1, memory_order_relaxed);
    connection_release(connection);
}

bool nq__connection_is_introduced(const nq_connection *connection) {
    return atomic_load_explicit(&connection->is_introduced, memory_order_relaxed);
}

void nq__connection_introduce(nq_connection_table *table, nq_connection *connection,
                              nq_bytes user_agent) {
    nq_mutex_lock(&table->mutex);
    if (!nq__connection_is_introduced(connection)) {
        size_t bytes =
            user_agent.size < NQ_USER_AGENT_BYTES ? user_agent.size : NQ_USER_AGENT_BYTES - 1;
        for (size_t i = 0; i < bytes; i++) {
            bool is_printable = user_agent.data[i] >= ' ' && user_agent.data[i] <= '~';
            connection->user_agent[i] = is_printable ? (char)user_agent.data[i] : '?';
        }
        atomic_store_explicit(&connection->is_introduced, true, memory_order_relaxed);
    }
    nq_mutex_unlock(&table->mutex);
}

void nq__connection_visit(nq_connection_table *table,
                          void (*visit)(void *user, const nq_connection_info *info), void *user) {
    nq_mutex_lock(&table->mutex);
    for (nq_connection *one = table->first; one != NULL; one = one->next) {
        nq_connection_info info = {
            .id = one->id,
            .peer = one->peer,
            .user_agent = one->user_agent,
            .opened_ns = one->opened_ns,
            .open_calls = atomic_load_explicit(&one->open_calls, memory_order_relaxed),
            .calls = atomic_load_explicit(&one->calls, memory_order_relaxed),
            .uid = one->address.uid,
        };
        if (is_open(one)) {
            nq__socket_bytes(one->fd, &info.bytes_received, &info.bytes_sent);
        }
        visit(user, &info);
    }
    nq_mutex_unlock(&table->mutex);
}

bool nq__connection_condemn(nq_connection_table *table, uint64_t id) {
    bool is_found = false;
    nq_mutex_lock(&table->mutex);
    for (nq_connection *one = table->first; one != NULL && !is_found; one = one->next) {
        is_found = one->id == id;
        one->is_condemned = one->is_condemned || is_found;
    }
    nq_mutex_unlock(&table->mutex);
    atomic_store(&table->has_condemned, true);
    return is_found;
}

void nq__connection_condemn_all(nq_connection_table *table) {
    nq_mutex_lock(&table->mutex);
    for (nq_connection *one = table->first; one != NULL; one = one->next) {
        one->is_condemned = true;
    }
    nq_mutex_unlock(&table->mutex);
    atomic_store(&table->has_condemned, true);
}
