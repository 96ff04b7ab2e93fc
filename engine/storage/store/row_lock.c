/* Row lock: which transaction may change which key.
 *
 * A hash table of the locks that are held; each lock lives in its owner's memory and is taken out
 * when the owner ends. Whoever meets another's lock waits for the owner to end, then tries again.
 * Who waits for whom is a chain (a waiter waits for one holder at a time), so a deadlock is found
 * by following it: whoever would close a circle is the victim. With several holders of a tree's
 * lock the circle may pass through one that is not being waited for yet; it is found when that
 * one's turn comes, or the wait times out. */
#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/simd/crc32c.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

static const int64_t wait_ns_default = INT64_C(10) * 1000000000;
static const int64_t poll_ns = INT64_C(20) * 1000000; /* how soon a cancelled waiter notices */

nq_status nq__lock_table_init(nq_ctx *ctx, nq_lock_table *table) {
    for (uint32_t i = 0; i < NQ__LOCK_STRIPES; i++) {
        nq_mutex_init(&table->stripes[i], NQ_LOCK_STORE_ROWS);
    }
    nq_mutex_init(&table->wait_mutex, NQ_LOCK_STORE_WAITS);
    table->buckets = nq_heap_calloc(NQ__LOCK_BUCKETS, sizeof(nq_row_lock *));
    return table->buckets == NULL ? nq_fail_no_memory(ctx, "the lock table") : NQ_OK;
}

void nq__lock_table_deinit(nq_lock_table *table) {
    for (uint32_t i = 0; i < NQ__LOCK_STRIPES; i++) {
        nq_mutex_deinit(&table->stripes[i]);
    }
    nq_mutex_deinit(&table->wait_mutex);
    nq_heap_free(table->buckets);
}

static nq_row_lock **bucket_of(nq_lock_table *table, uint32_t hash) {
    return &table->buckets[hash % NQ__LOCK_BUCKETS];
}

static nq_mutex *stripe_of(nq_lock_table *table, uint32_t hash) {
    return &table->stripes[hash % NQ__LOCK_BUCKETS % NQ__LOCK_STRIPES];
}

static bool is_in_conflict(const nq_row_lock *held, const nq_row_lock *wanted) {
    bool are_rows = held->mode == NQ__LOCK_ROW;
    if (held->hash != wanted->hash || held->tree != wanted->tree || held->owner == wanted->owner ||
        are_rows != (wanted->mode == NQ__LOCK_ROW)) {
        return false;
    }
    if (are_rows) {
        return nq_bytes_equal(held->key, wanted->key);
    }
    return held->mode == NQ__LOCK_TREE_EXCLUSIVE || wanted->mode == NQ__LOCK_TREE_EXCLUSIVE;
}

/* Under the stripe's lock: who is in the way, or NULL after the lock was entered. */
static nq_txn *enter(nq_lock_table *table, nq_row_lock *lock) {
    nq_row_lock **bucket = bucket_of(table, lock->hash);
    for (const nq_row_lock *held = *bucket; held != NULL; held = held->next) {
        if (is_in_conflict(held, lock) && !NQ_HAS_BUG(ROW_LOCK_NOT_TAKEN)) {
            return held->owner;
        }
    }
    lock->next = *bucket;
    *bucket = lock;
    lock->next_owned = lock->owner->owned;
    lock->owner->owned = lock;
    return NULL;
}

static nq_status fail_deadlock(nq_ctx *ctx, nq_txn *txn) {
    atomic_fetch_add(&txn->store->counters.deadlocks, 1);
    nq_status status = nq_fail(ctx, NQ_DEADLOCK,
                               "two transactions each wait for a row that the other has changed");
    nq_error_set_hint(&ctx->error, "run the transaction again; change rows in the same order");
    return status;
}

static bool would_deadlock(const nq_txn *txn, const nq_txn *holder) {
    for (const nq_txn *at = holder; at != NULL; at = at->waits_for) {
        if (at == txn) {
            return true;
        }
    }
    return false;
}

/* Under the wait mutex: takes the transaction out of its holder's list. */
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

/* One attempt under the wait mutex: enters the lock, or becomes a waiter of whoever is in the way
 * (its end cannot be missed: it looks for waiters after it has taken its locks out). */
static nq_status enter_or_queue(nq_ctx *ctx, nq_txn *txn, nq_row_lock *lock, bool *out_is_entered) {
    nq_lock_table *table = &txn->store->locks;
    nq_mutex *stripe = stripe_of(table, lock->hash);
    nq_mutex_lock(stripe);
    nq_txn *holder = enter(table, lock);
    *out_is_entered = holder == NULL;
    nq_status status = NQ_OK;
    if (holder != NULL && would_deadlock(txn, holder)) {
        status = fail_deadlock(ctx, txn);
    } else if (holder != NULL) {
        txn->waits_for = holder;
        txn->next_waiter = holder->waiters;
        holder->waiters = txn;
        atomic_store(&holder->has_waiters, true);
    }
    nq_mutex_unlock(stripe);
    return status;
}

static nq_status wait_for_lock(nq_ctx *ctx, nq_txn *txn, nq_row_lock *lock) {
    int64_t wait_ns = txn->options.lock_wait_ns == 0 ? wait_ns_default : txn->options.lock_wait_ns;
    int64_t deadline = wait_ns < 0 ? 0 : nq_clock_monotonic_ns() + wait_ns;
    nq_lock_table *table = &txn->store->locks;
    nq_status status = NQ_OK;
    bool is_entered = false;
    nq_mutex_lock(&table->wait_mutex);
    while (!is_entered && status == NQ_OK) {
        status = enter_or_queue(ctx, txn, lock, &is_entered);
        while (status == NQ_OK && txn->waits_for != NULL) {
            int64_t now = nq_clock_monotonic_ns();
            if (now >= deadline) {
                status = nq_fail(ctx, NQ_LOCK_TIMEOUT,
                                 "a row changed by another transaction was not released in time");
                break;
            }
            status = nq_ctx_poll(ctx);
            if (status == NQ_OK) {
                int64_t until = now + poll_ns < deadline ? now + poll_ns : deadline;
                nq_cond_wait_until(&txn->granted, &table->wait_mutex, until);
            }
        }
    }
    stop_waiting(txn);
    nq_mutex_unlock(&table->wait_mutex);
    return status;
}

nq_status nq__lock_acquire(nq_ctx *ctx, nq_txn *txn, nq_row_lock *lock) {
    nq_lock_table *table = &txn->store->locks;
    lock->owner = txn;
    lock->hash = nq_crc32c(lock->tree * 0x9e3779b1u, lock->key.data, lock->key.size);
    nq_mutex *stripe = stripe_of(table, lock->hash);
    nq_mutex_lock(stripe);
    bool is_entered = enter(table, lock) == NULL;
    nq_mutex_unlock(stripe);
    return is_entered ? NQ_OK : wait_for_lock(ctx, txn, lock);
}

void nq__lock_release_all(nq_txn *txn) {
    nq_lock_table *table = &txn->store->locks;
    while (txn->owned != NULL) {
        nq_row_lock *lock = txn->owned;
        txn->owned = lock->next_owned;
        nq_mutex *stripe = stripe_of(table, lock->hash);
        nq_mutex_lock(stripe);
        nq_row_lock **link = bucket_of(table, lock->hash);
        while (*link != lock) {
            link = &(*link)->next;
        }
        *link = lock->next;
        nq_mutex_unlock(stripe);
    }
    if (!atomic_load(&txn->has_waiters)) {
        return;
    }
    nq_mutex_lock(&table->wait_mutex);
    while (txn->waiters != NULL) {
        nq_txn *waiter = txn->waiters;
        txn->waiters = waiter->next_waiter;
        waiter->waits_for = NULL;
        nq_cond_signal(&waiter->granted);
    }
    nq_mutex_unlock(&table->wait_mutex);
}
