/* Tree lock: a hash table of requests for whole trees, each in its owner's arena; a bucket's stand
 * from the newest to the oldest.
 *
 * A request also waits for those before it that are waiting themselves, so that a stream of writers
 * cannot keep out for ever whoever wants the tree alone. One that holds the tree and wants more of
 * it passes those: they wait for it anyway. */
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

static nq_lock_table *table_of(const nq_tree_lock *lock) {
    return &lock->owner->store->locks;
}

static nq_tree_lock **bucket_of(const nq_tree_lock *lock) {
    return &table_of(lock)->trees[lock->tree % NQ__TREE_BUCKETS];
}

/* ---- Under the tree mutex ---- */

static bool do_conflict(nq_tree_access one, nq_tree_access other) {
    return one != NQ_TREE_UNLOCKED && other != NQ_TREE_UNLOCKED &&
           (one == NQ_TREE_ALONE || other == NQ_TREE_ALONE);
}

static bool is_in_the_way(const nq_tree_lock *other, bool is_older, const nq_tree_lock *lock) {
    if (other->tree != lock->tree || other == lock) {
        return false;
    }
    bool is_before = is_older || other->held != NQ_TREE_UNLOCKED;
    return do_conflict(other->held, lock->wanted) || (lock->held == NQ_TREE_UNLOCKED && is_before &&
                                                      do_conflict(other->wanted, lock->wanted));
}

static bool is_free(const nq_tree_lock *lock, nq_visit_blocker visit, void *user) {
    bool is_alone = true;
    bool is_older = false;
    for (const nq_tree_lock *other = *bucket_of(lock); other != NULL; other = other->older) {
        if (is_in_the_way(other, is_older, lock)) {
            is_alone = false;
            if (visit == NULL || visit(user, other->owner)) {
                break;
            }
        }
        is_older = is_older || other == lock;
    }
    return is_alone;
}

/* Somebody else is about to write to the tree: the rows of its only writer go into their table. */
static void end_solo(nq_tree_lock *solo) {
    nq_txn *owner = solo->owner;
    nq_mutex_lock(&owner->writes_mutex);
    nq_write *write = nq__write_set_seek(&owner->writes, solo->tree, (nq_bytes){0});
    while (write != NULL && write->lock.tree == solo->tree && !NQ_HAS_BUG(SOLO_ROWS_NOT_ENTERED)) {
        nq__row_lock_enter_held(solo, &write->lock);
        write = write->next[0];
    }
    solo->is_solo = false; /* K2 */
    nq_mutex_unlock(&owner->writes_mutex);
}

static void grant(nq_tree_lock *lock) {
    bool is_only = true;
    for (nq_tree_lock *other = *bucket_of(lock); other != NULL; other = other->older) {
        if (other->tree == lock->tree && other != lock && other->held != NQ_TREE_UNLOCKED) {
            is_only = false;
            if (other->is_solo) {
                end_solo(other);
            }
        }
    }
    lock->is_solo = is_only && lock->wanted == NQ_TREE_SHARED;
    lock->held = lock->wanted;
}

/* ---- Requests ---- */

bool nq__tree_lock_enter(nq_tree_lock *lock, nq_tree_access access) {
    nq_mutex *mutex = &table_of(lock)->tree_mutex;
    nq_mutex_lock(mutex);
    if (lock->wanted == NQ_TREE_UNLOCKED) {
        lock->older = *bucket_of(lock);
        *bucket_of(lock) = lock;
    }
    lock->wanted = access;
    bool is_granted = is_free(lock, NULL, NULL);
    if (is_granted) {
        grant(lock);
    }
    nq_mutex_unlock(mutex);
    return is_granted;
}

bool nq__tree_lock_settle(nq_tree_lock *lock, bool grants, nq_visit_blocker visit, void *user) {
    nq_mutex *mutex = &table_of(lock)->tree_mutex;
    nq_mutex_lock(mutex);
    bool has_nobody = is_free(lock, visit, user);
    if (has_nobody && grants) {
        grant(lock);
    }
    nq_mutex_unlock(mutex);
    return has_nobody;
}

/* Goes back to less access than was wanted, or held. */
static void fall_back(nq_tree_lock *lock, nq_tree_access access) {
    nq_mutex *mutex = &table_of(lock)->tree_mutex;
    nq_mutex_lock(mutex);
    lock->held = access;
    lock->wanted = access;
    if (access == NQ_TREE_UNLOCKED) {
        nq_tree_lock **link = bucket_of(lock);
        while (*link != lock) {
            link = &(*link)->older;
        }
        *link = lock->older;
    }
    nq_mutex_unlock(mutex);
}

void nq__tree_lock_withdraw(nq_tree_lock *lock) {
    fall_back(lock, lock->held);
}

void nq__tree_lock_leave(nq_tree_lock *lock) {
    fall_back(lock, NQ_TREE_UNLOCKED);
}
