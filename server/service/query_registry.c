/* Query registry: one mutex, one list in order of arrival. */
#include "server/service/query_registry.h"

#include <stdio.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/entropy.h"
#include "engine/ground/os/mutex.h"

enum { RUN_ID_BYTES = 9 };

struct nq_query_registry {
    nq_mutex mutex;
    nq_query_entry *first, *last; /* oldest first */
    uint64_t number_last;
    uint32_t count;
    char run_id[RUN_ID_BYTES + 1]; /* "1a2b3c4d-": tells this process' ids from an earlier one's */
};

nq_status nq_query_registry_create(nq_ctx *ctx, nq_query_registry **out_registry) {
    *out_registry = NULL;
    nq_query_registry *registry = nq_heap_calloc(1, sizeof *registry);
    if (registry == NULL) {
        return nq_fail_no_memory(ctx, "the list of queries");
    }
    nq_mutex_init(&registry->mutex, NQ_LOCK_SERVICE_REGISTRY);
    (void)snprintf(registry->run_id, sizeof registry->run_id, "%08x-", (uint32_t)nq_entropy_u64());
    *out_registry = registry;
    return NQ_OK;
}

void nq_query_registry_destroy(nq_query_registry *registry) {
    if (registry != NULL) {
        nq_mutex_deinit(&registry->mutex);
        nq_heap_free(registry);
    }
}

/* "1a2b3c4d-77", without the price of printf: every call of every client passes here. */
static void write_id(char id[NQ_QUERY_ID_BYTES], const char run[RUN_ID_BYTES], uint64_t number) {
    char reversed[24];
    size_t used = RUN_ID_BYTES, count = 0;
    memcpy(id, run, RUN_ID_BYTES);
    do {
        reversed[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0) {
        id[used++] = reversed[--count];
    }
    id[used] = '\0';
}

void nq_query_registry_join(nq_query_registry *registry, nq_query_entry *entry, nq_call *call,
                            nq_bytes sql, nq_bytes tag, int64_t now_ns) {
    entry->call = call;
    entry->sql =
        sql.size <= NQ_QUERY_SQL_BYTES_MAX ? sql : nq_bytes_of(sql.data, NQ_QUERY_SQL_BYTES_MAX);
    entry->tag = tag;
    entry->started_ns = now_ns;
    entry->rows_returned = 0;
    entry->state = "running";
    entry->next = NULL;
    nq_mutex_lock(&registry->mutex);
    entry->number = ++registry->number_last;
    write_id(entry->id, registry->run_id, entry->number);
    entry->previous = registry->last;
    *(registry->last == NULL ? &registry->first : &registry->last->next) = entry;
    registry->last = entry;
    registry->count++;
    nq_mutex_unlock(&registry->mutex);
}

void nq_query_registry_leave(nq_query_registry *registry, nq_query_entry *entry) {
    if (entry->number == 0) {
        return;
    }
    nq_mutex_lock(&registry->mutex);
    *(entry->previous == NULL ? &registry->first : &entry->previous->next) = entry->next;
    *(entry->next == NULL ? &registry->last : &entry->next->previous) = entry->previous;
    registry->count--;
    nq_mutex_unlock(&registry->mutex);
    entry->number = 0;
}

bool nq_query_registry_cancel(nq_query_registry *registry, nq_bytes id, nq_status reason) {
    nq_call *call = NULL;
    nq_mutex_lock(&registry->mutex);
    for (nq_query_entry *entry = registry->first; entry != NULL && call == NULL;
         entry = entry->next) {
        if (nq_bytes_equal(id, nq_bytes_of_cstr(entry->id))) {
            call = nq_call_acquire(entry->call);
        }
    }
    nq_mutex_unlock(&registry->mutex);
    if (call == NULL) {
        return false;
    }
    /* Outside the lock: a call's own lock ranks below the registry's. */
    nq_call_cancel(call, reason);
    nq_call_release(call);
    return true;
}

void nq_query_registry_visit(nq_query_registry *registry, uint64_t after,
                             bool (*visit)(void *user, const nq_query_entry *entry), void *user) {
    nq_mutex_lock(&registry->mutex);
    for (const nq_query_entry *entry = registry->first; entry != NULL; entry = entry->next) {
        if (entry->number > after && !visit(user, entry)) {
            break;
        }
    }
    nq_mutex_unlock(&registry->mutex);
}

uint32_t nq_query_registry_count(nq_query_registry *registry) {
    nq_mutex_lock(&registry->mutex);
    uint32_t count = registry->count;
    nq_mutex_unlock(&registry->mutex);
    return count;
}
