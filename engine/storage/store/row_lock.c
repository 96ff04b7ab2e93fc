/* Row lock: a hash table of requests for keys, each in its owner's write. A bucket's requests stand
 * from the newest to the oldest: what lies behind a request came before it, and whoever came first
 * has the row. */
#include "engine/ground/simd/crc32c.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

static nq_mutex *stripe_of(const nq_row_lock *lock) {
    nq_lock_table *table = &lock->owner->store->locks;
    return &table->stripes[lock->hash % NQ__ROW_BUCKETS % NQ__LOCK_STRIPES];
}

static nq_row_lock **bucket_of(const nq_row_lock *lock) {
    return &lock->owner->store->locks.rows[lock->hash % NQ__ROW_BUCKETS];
}

static void set_owner(nq_row_lock *lock, nq_txn *owner) {
    lock->owner = owner;
    lock->hash = nq_crc32c(lock->tree * 0x9e3779b1u, lock->key.data, lock->key.size);
}

/* ---- Under the stripe's mutex ---- */

static void push(nq_row_lock *lock) {
    nq_row_lock **bucket = bucket_of(lock);
    lock->older = *bucket;
    *bucket = lock;
}

static void list(nq_tree_lock *tree, nq_row_lock *lock) {
    lock->next_owned = tree->rows;
    tree->rows = lock;
}

static void grant(nq_tree_lock *tree, nq_row_lock *lock) {
    lock->is_held = true;
    list(tree, lock);
}

static bool is_in_the_way(const nq_row_lock *other, const nq_row_lock *lock) {
    return other->hash == lock->hash && other->tree == lock->tree && other->owner != lock->owner &&
           nq_bytes_equal(other->key, lock->key) && !NQ_HAS_BUG(ROW_LOCK_NOT_TAKEN);
}

static bool is_free(const nq_row_lock *lock, nq_visit_blocker visit, void *user) {
    bool is_alone = true;
    for (const nq_row_lock *other = lock->older; other != NULL; other = other->older) {
        if (is_in_the_way(other, lock)) {
            is_alone = false;
            if (visit == NULL || visit(user, other->owner)) {
                break;
            }
        }
    }
    return is_alone;
}

/* ---- Requests ---- */

bool nq__row_lock_enter(nq_tree_lock *tree, nq_row_lock *lock) {
    set_owner(lock, tree->owner);
    nq_mutex_lock(stripe_of(lock));
    push(lock);
    bool is_granted = is_free(lock, NULL, NULL);
    if (is_granted) {
        grant(tree, lock);
    }
    nq_mutex_unlock(stripe_of(lock));
    return is_granted;
}

bool nq__row_lock_settle(nq_tree_lock *tree, nq_row_lock *lock, bool grants, nq_visit_blocker visit,
                         void *user) {
    nq_mutex_lock(stripe_of(lock));
    bool has_nobody = is_free(lock, visit, user);
    if (has_nobody && grants) {
        grant(tree, lock);
    }
    nq_mutex_unlock(stripe_of(lock));
    return has_nobody;
}

void nq__row_lock_withdraw(nq_row_lock *lock) {
    nq_mutex *stripe = stripe_of(lock);
    nq_mutex_lock(stripe);
    nq_row_lock **link = bucket_of(lock);
    while (*link != lock) {
        link = &(*link)->older;
    }
    *link = lock->older;
    nq_mutex_unlock(stripe);
    lock->owner = NULL;
}

void nq__row_lock_enter_held(nq_tree_lock *tree, nq_row_lock *lock) {
    set_owner(lock, tree->owner);
    nq_mutex_lock(stripe_of(lock));
    push(lock);
    list(tree, lock);
    nq_mutex_unlock(stripe_of(lock));
}

void nq__row_locks_leave(nq_tree_lock *tree) {
    while (tree->rows != NULL) {
        nq_row_lock *lock = tree->rows;
        tree->rows = lock->next_owned;
        nq__row_lock_withdraw(lock);
    }
}
