/* Lock: waiting for requests, and the circles that waiting may close. */
#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

static const int64_t wait_ns_default = INT64_C(10) * 1000000000;
static const int64_t poll_ns = INT64_C(20) * 1000000; /* how soon a cancelled waiter notices */

nq_status nq__lock_table_init(nq_ctx *ctx, nq_lock_table *table) {
    nq_mutex_init(&table->wait_mutex, NQ_LOCK_STORE_WAITS);
    nq_mutex_init(&table->tree_mutex, NQ_LOCK_STORE_TREES);
    for (uint32_t i = 0; i < NQ__LOCK_STRIPES; i++) {
        nq_mutex_init(&table->stripes[i], NQ_LOCK_STORE_ROWS);
    }
    table->rows = nq_heap_calloc(NQ__ROW_BUCKETS, sizeof *table->rows);
    return table->rows == NULL ? nq_fail_no_memory(ctx, "the lock table") : NQ_OK;
}

void nq__lock_table_deinit(nq_lock_table *table) {
    for (uint32_t i = 0; i < NQ__LOCK_STRIPES; i++) {
        nq_mutex_deinit(&table->stripes[i]);
    }
    nq_mutex_deinit(&table->tree_mutex);
    nq_mutex_deinit(&table->wait_mutex);
    nq_heap_free(table->rows);
}

/* ---- Requests of either kind ---- */

static bool settle(const nq_lock_request *request, bool grants, nq_visit_blocker visit,
                   void *user) {
    return request->row != NULL
               ? nq__row_lock_settle(request->tree, request->row, grants, visit, user)
               : nq__tree_lock_settle(request->tree, grants, visit, user);
}

static void withdraw(const nq_lock_request *request) {
    if (request->row != NULL) {
        nq__row_lock_withdraw(request->row);
    } else {
        nq__tree_lock_withdraw(request->tree);
    }
}

/* ---- Circles, under the wait mutex ---- */

typedef struct search {
    const nq_txn *origin;
    nq_txn *unvisited; /* by next_visit: they wait, and what they wait for is to be looked at */
    uint64_t visit;
    bool is_found;
} search;

/* The blocker cannot end while its request is being looked at (K1); one that waits cannot end as
 * long as we hold the wait mutex. */
static bool meet(void *user, nq_txn *blocker) {
    search *s = user;
    s->is_found = s->is_found || blocker == s->origin;
    if (blocker->request != NULL && blocker->visit != s->visit) {
        blocker->visit = s->visit;
        blocker->next_visit = s->unvisited;
        s->unvisited = blocker;
    }
    return s->is_found || NQ_HAS_BUG(ONE_HOLDER_SEARCHED);
}

/* Whether the transaction waits, over any number of others, for itself. */
static bool is_in_circle(nq_txn *txn) {
    search s = {.origin = txn, .visit = ++txn->store->locks.visit};
    settle(txn->request, false, meet, &s);
    while (s.unvisited != NULL && !s.is_found) {
        const nq_txn *next = s.unvisited;
        s.unvisited = next->next_visit;
        settle(next->request, false, meet, &s);
    }
    return s.is_found;
}

static nq_status fail_deadlock(nq_ctx *ctx, nq_txn *txn) {
    atomic_fetch_add(&txn->store->counters.deadlocks, 1);
    nq_status status = nq_fail(ctx, NQ_DEADLOCK,
                               "transactions wait for each other's %s in a circle; this one, "
                               "the last to come, gives way",
                               txn->request->row != NULL ? "rows" : "tables");
    nq_error_set_hint(&ctx->error, "run the transaction again; change rows in the same order");
    return status;
}

/* ---- Waiting, under the wait mutex ---- */

/* Called while the blocker's request is in its table: its end, which looks for waiters after it has
 * taken its requests out, cannot be missed. */
static bool stand_behind(void *user, nq_txn *blocker) {
    nq_txn *txn = user;
    txn->waits_for = blocker;
    txn->next_waiter = blocker->waiters;
    blocker->waiters = txn;
    atomic_store(&blocker->has_waiters, true);
    return true;
}

static void stop_waiting(nq_txn *txn) {
    if (txn->waits_for == NULL) {
        return;
    }
    nq_txn **link = &txn->waits_for->waiters;
    while (*link != txn) {
        link = &(*link)->next_waiter;
    }
    *link = txn->next_waiter;
    txn->waits_for = NULL;
}

static void wake_waiters(nq_txn *txn) {
    while (txn->waiters != NULL) {
        nq_txn *waiter = txn->waiters;
        txn->waiters = waiter->next_waiter;
        waiter->waits_for = NULL;
        atomic_fetch_sub(&txn->store->counters.waiting_txns, 1);
        nq_cond_signal(&waiter->granted);
    }
}

/* Sleeps until the blocker has let go, the deadline or the end of the context. */
static nq_status sleep_behind(nq_ctx *ctx, nq_txn *txn, int64_t deadline) {
    nq_status status = NQ_OK;
    atomic_fetch_add(&txn->store->counters.waiting_txns, 1);
    while (txn->waits_for != NULL && status == NQ_OK) {
        int64_t now = nq_clock_monotonic_ns();
        if (now >= deadline) {
            status = nq_fail(ctx, NQ_LOCK_TIMEOUT,
                             "a %s that another transaction writes to was not released in time",
                             txn->request->row != NULL ? "row" : "table");
            break;
        }
        status = nq_ctx_poll(ctx);
        if (status == NQ_OK) {
            int64_t until = now + poll_ns < deadline ? now + poll_ns : deadline;
            nq_cond_wait_until(&txn->granted, &txn->store->locks.wait_mutex, until);
        }
    }
    if (txn->waits_for != NULL) {
        atomic_fetch_sub(&txn->store->counters.waiting_txns, 1);
    }
    return status;
}

/* Waits for a request that was entered and not granted. */
static nq_status wait_for(nq_ctx *ctx, nq_txn *txn, const nq_lock_request *request) {
    int64_t wait_ns = txn->options.lock_wait_ns == 0 ? wait_ns_default : txn->options.lock_wait_ns;
    int64_t deadline = wait_ns < 0 ? 0 : nq_clock_monotonic_ns() + wait_ns;
    nq_mutex *mutex = &txn->store->locks.wait_mutex;
    nq_status status = NQ_OK;
    nq_mutex_lock(mutex);
    txn->request = request;
    while (status == NQ_OK && !settle(request, true, stand_behind, txn)) {
        status = is_in_circle(txn) ? fail_deadlock(ctx, txn) : sleep_behind(ctx, txn, deadline);
    }
    if (status != NQ_OK) {
        withdraw(request);
        wake_waiters(txn); /* those who came later need not wait for this request any more */
    }
    stop_waiting(txn);
    txn->request = NULL;
    nq_mutex_unlock(mutex);
    return status;
}

/* ---- What transactions call ---- */

static nq_tree_lock *find_tree_lock(const nq_txn *txn, uint32_t tree) {
    nq_tree_lock *lock = txn->tree_locks;
    while (lock != NULL && lock->tree != tree) {
        lock = lock->next_owned;
    }
    return lock;
}

nq_status nq__lock_tree(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_tree_access access,
                        nq_tree_lock **out_lock) {
    *out_lock = NULL;
    nq_tree_lock *lock = find_tree_lock(txn, tree);
    if (lock == NULL) {
        lock = nq_arena_calloc(&txn->arena, 1, sizeof *lock);
        if (lock == NULL) {
            return nq_fail_no_memory(ctx, "a lock of a table");
        }
        lock->owner = txn;
        lock->tree = tree;
        lock->next_owned = txn->tree_locks;
        txn->tree_locks = lock;
    }
    if (lock->held < access && !nq__tree_lock_enter(lock, access)) {
        NQ_TRY(wait_for(ctx, txn, &(nq_lock_request){.tree = lock}));
    }
    *out_lock = lock;
    return NQ_OK;
}

nq_status nq__lock_row(nq_ctx *ctx, nq_tree_lock *tree, nq_row_lock *lock) {
    if (lock->is_held || nq__row_lock_enter(tree, lock)) {
        return NQ_OK;
    }
    return wait_for(ctx, tree->owner, &(nq_lock_request){.row = lock, .tree = tree});
}

void nq__lock_release_all(nq_txn *txn) {
    /* The trees first: after that nobody enters rows for us. */
    for (nq_tree_lock *lock = txn->tree_locks; lock != NULL; lock = lock->next_owned) {
        if (lock->held != NQ_TREE_UNLOCKED) {
            nq__tree_lock_leave(lock);
        }
    }
    for (nq_tree_lock *lock = txn->tree_locks; lock != NULL; lock = lock->next_owned) {
        nq__row_locks_leave(lock);
    }
    txn->tree_locks = NULL;
    if (!atomic_load(&txn->has_waiters)) {
        return;
    }
    nq_mutex_lock(&txn->store->locks.wait_mutex);
    wake_waiters(txn);
    nq_mutex_unlock(&txn->store->locks.wait_mutex);
}
