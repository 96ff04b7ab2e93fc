/* Backlog: what the log holds and the trees do not yet, behind a store that is open already.
 *
 * Reading the log is quick, and what it says of a key can be found there; bringing it into the
 * trees means reading most leaves. So a thread does the latter, and meanwhile whoever reads finds
 * keys in the backlog or, if they are not there, in the trees before it (`base`); a scan merges the
 * two as it merges a transaction's own writes. Whatever else is asked of the store waits for the
 * thread.
 *
 *   APPLYING --all is in the trees: `after` is published--> APPLIED
 *      |
 *      +-- it cannot be: the store is read-only, and what waits fails --> FAILED
 *
 * B1 Nobody commits or checkpoints before APPLIED: the trees that the backlog goes into are `base`.
 * B2 Its changes are sorted before anybody can see it and do not change as long as it has users; so
 * they are read without a lock. B3 Who begins before APPLIED sees what `after` is, also when others
 * have committed since. */
#ifndef NQ_STORAGE_STORE_BACKLOG_INTERNAL_H
#define NQ_STORAGE_STORE_BACKLOG_INTERNAL_H

#include "engine/storage/store/redo_internal.h"
#include "engine/storage/store/txn_internal.h"

typedef enum nq_backlog_state {
    NQ__BACKLOG_APPLYING,
    NQ__BACKLOG_APPLIED,
    NQ__BACKLOG_FAILED,
} nq_backlog_state;

struct nq_backlog {
    nq_store *store;
    nq_redo redo;
    nq_version *base;  /* counted as long as there are users */
    nq_version *after; /* likewise, from APPLIED on */
    nq_error failure;  /* from FAILED on */
    nq_thread thread;
    bool has_thread;
    nq_mutex mutex; /* guards what follows */
    nq_cond changed;
    nq_backlog_state state;
    uint32_t user_count; /* transactions, scans, and the thread until it has APPLIED all */
};

/* An empty one, to be gathered into; NULL: no memory. */
nq_backlog *nq__backlog_create(nq_store *store);

/* Whether what was gathered is so much that it had better go into the trees behind an open store.
 */
bool nq__backlog_is_large(const nq_backlog *backlog);

/* Has it done, once the log may be appended to. */
nq_status nq__backlog_start(nq_ctx *ctx, nq_backlog *backlog);

#endif
