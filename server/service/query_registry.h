/* Query registry: every statement that is running, so that it can be listed and stopped.
 *
 * An entry lives in its call's state: joining and leaving allocate nothing. */
#ifndef NQ_SERVER_SERVICE_QUERY_REGISTRY_H
#define NQ_SERVER_SERVICE_QUERY_REGISTRY_H

#include "server/rpc/call.h"

typedef struct nq_query_registry nq_query_registry;

enum { NQ_QUERY_ID_BYTES = 32, NQ_QUERY_SQL_BYTES_MAX = 4096 };

typedef struct nq_query_entry {
    struct nq_query_entry *next, *previous;
    nq_call *call;
    uint64_t number; /* rises with time */
    char id[NQ_QUERY_ID_BYTES];
    nq_bytes sql; /* borrowed until leave */
    nq_bytes tag; /* borrowed until leave */
    int64_t started_ns;
    _Atomic uint64_t rows_returned;
    const char *_Atomic state;         /* static text: "queued", "running", "ingesting",
                                            "streaming", "paused", "waiting_credit" */
    char stream_id[NQ_QUERY_ID_BYTES]; /* "" for Execute */
} nq_query_entry;

nq_status nq_query_registry_create(nq_ctx *ctx, nq_query_registry **out_registry);
/* NULL is allowed; the registry must be empty. */
void nq_query_registry_destroy(nq_query_registry *registry);

/* Fills the entry and makes it visible. `sql` and `tag` must live until leave; `now_ns` is on the
 * monotonic clock. */
void nq_query_registry_join(nq_query_registry *registry, nq_query_entry *entry, nq_call *call,
                            nq_bytes sql, nq_bytes tag, int64_t now_ns);
/* Harmless for an entry that never joined (zeroed). */
void nq_query_registry_leave(nq_query_registry *registry, nq_query_entry *entry);

/* Asks the statement to stop with `reason`; false when none of this id runs. */
bool nq_query_registry_cancel(nq_query_registry *registry, nq_bytes id, nq_status reason);

/* Visits entries numbered above `after`, oldest first, until `visit` returns false. Under the
 * registry's lock: copy, do not call back. */
void nq_query_registry_visit(nq_query_registry *registry, uint64_t after,
                             bool (*visit)(void *user, const nq_query_entry *entry), void *user);

uint32_t nq_query_registry_count(nq_query_registry *registry);

#endif
