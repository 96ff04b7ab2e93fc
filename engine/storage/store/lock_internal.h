/* Locks: who may change which key, and which tree.
 *
 * Everybody who writes to a tree holds its lock SHARED; whoever drops it, or wants to be its only
 * writer, ALONE. Rows have locks of their own in a tree that several write to. The only one who
 * writes to a tree (it is solo) locks rows by having them in its write set; the next one to come
 * enters them in the table for it.
 *
 *   tree lock ---- SHARED, solo ------------> rows: the owner's write set
 *             \--- SHARED with others ------> rows: a hash table of requests
 *              \-- ALONE -------------------> rows: nobody else asks
 *
 * A request waits for every request before it that it conflicts with: first come, first served. Who
 * waits for whom follows from the requests themselves, so a circle through any of several holders
 * of a tree is found like any other, at the moment it closes.
 *
 * K1 A request is taken out of its table before its owner's memory goes.
 * K2 `held` and `is_solo` of a tree lock change only under the tree mutex; somebody else clears
 *    is_solo only under its owner's writes_mutex as well, after entering its rows.
 * K3 Who waits for whom changes only when somebody starts to wait, or is granted what others wait
 *    for; the latter waits for nobody at that moment. So looking for a circle whenever somebody
 *    starts to wait finds them all. */
#ifndef NQ_STORAGE_STORE_LOCK_INTERNAL_H
#define NQ_STORAGE_STORE_LOCK_INTERNAL_H

#include "engine/ground/base/bytes.h"
#include "engine/ground/base/ctx.h"
#include "engine/ground/os/mutex.h"
#include "engine/storage/store/store.h"

enum { NQ__LOCK_STRIPES = 64, NQ__ROW_BUCKETS = 1 << 16, NQ__TREE_BUCKETS = 256 };

/* A request for one key, exclusive; stands in its owner's write. */
typedef struct nq_row_lock {
    struct nq_row_lock *older;      /* in its bucket: the requests before it */
    struct nq_row_lock *next_owned; /* of its owner in this tree */
    nq_txn *owner;                  /* NULL: not in the table */
    uint32_t hash;
    uint32_t tree;
    nq_bytes key;
    bool is_held;
} nq_row_lock;

/* A transaction's one request for a tree; stands in its owner's arena. */
typedef struct nq_tree_lock {
    struct nq_tree_lock *older;
    struct nq_tree_lock *next_owned;
    nq_txn *owner;
    nq_row_lock *rows; /* its owner's that are in the table and held */
    uint32_t tree;
    nq_tree_access held;
    nq_tree_access wanted; /* more than `held` while it is waited for */
    bool is_solo;
} nq_tree_lock;

typedef struct nq_lock_table {
    nq_mutex wait_mutex; /* guards who waits for what, and `visit` */
    uint64_t visit;
    nq_mutex tree_mutex;
    nq_tree_lock *trees[NQ__TREE_BUCKETS];
    nq_mutex stripes[NQ__LOCK_STRIPES];
    nq_row_lock **rows;
} nq_lock_table;

/* What a transaction waits for. */
typedef struct nq_lock_request {
    nq_row_lock *row;   /* NULL: the tree */
    nq_tree_lock *tree; /* or the one that the row is of */
} nq_lock_request;

/* Called for the owner of each request that is in the way; true ends the visit. */
typedef bool (*nq_visit_blocker)(void *user, nq_txn *blocker);

/* ---- row_lock.c, tree_lock.c: the tables; each takes its own mutexes ---- */

/* Enters a request, and grants it if nobody is in its way. */
bool nq__row_lock_enter(nq_tree_lock *tree, nq_row_lock *lock);
bool nq__tree_lock_enter(nq_tree_lock *lock, nq_tree_access access);

/* Visits who is in the request's way, until `visit` says so; when there is nobody, grants it if
 * `grants`. Answers whether there was nobody. */
bool nq__row_lock_settle(nq_tree_lock *tree, nq_row_lock *lock, bool grants, nq_visit_blocker visit,
                         void *user);
bool nq__tree_lock_settle(nq_tree_lock *lock, bool grants, nq_visit_blocker visit, void *user);

/* Takes back a request that was not granted; what was held before stays held. */
void nq__row_lock_withdraw(nq_row_lock *lock);
void nq__tree_lock_withdraw(nq_tree_lock *lock);

/* Enters a row that a tree's solo writer holds. */
void nq__row_lock_enter_held(nq_tree_lock *tree, nq_row_lock *lock);
/* Takes the tree lock, or all of its rows, out of the table. */
void nq__tree_lock_leave(nq_tree_lock *lock);
void nq__row_locks_leave(nq_tree_lock *tree);

/* ---- lock.c: what transactions call ---- */

nq_status nq__lock_table_init(nq_ctx *ctx, nq_lock_table *table);
void nq__lock_table_deinit(nq_lock_table *table);

/* Grants the tree with at least this access, waiting for whoever is in the way. Fails with
 * NQ_LOCK_TIMEOUT, NQ_DEADLOCK, NQ_MEMORY_LIMIT, or what ends the context. */
nq_status nq__lock_tree(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_tree_access access,
                        nq_tree_lock **out_lock);

/* Grants the row of a tree that is held. Fails likewise; the row is not held then. */
nq_status nq__lock_row(nq_ctx *ctx, nq_tree_lock *tree, nq_row_lock *lock);

/* Lets go of every lock of the transaction and wakes those who wait for it. */
void nq__lock_release_all(nq_txn *txn);

#endif
