/* What a transaction is made of: its snapshot, its private writes, its locks and what it has read.
 */
#ifndef NQ_STORAGE_STORE_TXN_INTERNAL_H
#define NQ_STORAGE_STORE_TXN_INTERNAL_H

#include "engine/storage/store/store_internal.h"

/* ---- Writes (write_set.c): an ordered set of (tree, key), a skip list in the txn's arena ---- */

enum { NQ__WRITE_HEIGHT_MAX = 14 };

typedef enum nq_write_kind {
    NQ__WRITE_NONE, /* locked, or rolled back: as if it were not there */
    NQ__WRITE_PUT,
    NQ__WRITE_REMOVE,
} nq_write_kind;

typedef struct nq_write nq_write;
struct nq_write {
    nq_row_lock lock; /* its tree and key are the write's; tree 0: a tree comes (PUT) or goes */
    nq_write_kind kind;
    bool is_checked; /* known to be unchanged since the snapshot */
    nq_bytes value;
    nq_write *previous;
    nq_write *next[]; /* one a level; at least one */
};

typedef struct nq_write_set {
    nq_arena *arena;
    uint64_t seed;
    nq_write *head;                        /* before the first; of full height */
    nq_write *tails[NQ__WRITE_HEIGHT_MAX]; /* the last of each level */
} nq_write_set;

nq_status nq__write_set_init(nq_ctx *ctx, nq_write_set *set, nq_arena *arena);
/* The write of this key; NULL when there is none. */
nq_write *nq__write_set_find(const nq_write_set *set, uint32_t tree, nq_bytes key);
/* The first write at or after (tree, key); NULL at the end. */
nq_write *nq__write_set_seek(const nq_write_set *set, uint32_t tree, nq_bytes key);
/* The last write before it; NULL when there is none. */
nq_write *nq__write_set_seek_before(const nq_write_set *set, uint32_t tree, nq_bytes key);
nq_write *nq__write_set_first(const nq_write_set *set);
/* The write of this key, made (NONE) if need be. NULL: out of memory. */
nq_write *nq__write_set_add(nq_write_set *set, uint32_t tree, nq_bytes key);

/* ---- The transaction ---- */

/* What a write was before, for rolling back to a savepoint. */
typedef struct nq_undo {
    struct nq_undo *older;
    uint64_t number;
    nq_write *write;
    nq_write_kind kind;
    nq_bytes value;
} nq_undo;

/* What a SERIALIZABLE transaction has read: checked when it commits. */
typedef struct nq_read {
    struct nq_read *next;
    uint32_t tree;
    nq_bytes low;
    nq_bytes high; /* data NULL: open */
} nq_read;

/* Where a long value is copied to; grows as needed. */
typedef struct nq_long_value {
    uint8_t *data; /* NULL: none yet */
    size_t capacity;
} nq_long_value;

enum { NQ__TXN_TREES = 8 };

typedef struct nq_txn_tree {
    uint32_t id;
    bool is_cached;
    bool exists;
    nq_tree_lock *lock; /* NULL: not asked for yet; outlives the snapshot */
    nq_tree tree;
} nq_txn_tree;

struct nq_txn {
    nq_store *store;
    nq_txn_options options;
    nq_version *snapshot;
    nq_reader_seat *seat; /* which announces the snapshot; NULL: it is counted */
    nq_arena arena;
    size_t charged_bytes; /* of the arena, to the cache's budget */
    nq_write_set writes;  /* head NULL: nothing written yet */
    bool has_tree_changes;
    nq_undo *undo; /* newest first */
    uint64_t undo_count;
    bool has_savepoint;
    nq_read *reads;
    nq_txn_tree trees[NQ__TXN_TREES];
    uint64_t trees_generation; /* of the version that `trees` were looked up in */
    uint32_t next_tree;        /* whose turn in `trees` it is to be replaced */
    uint32_t scan_count;
    nq_mutex writes_mutex;    /* guards the links of `writes` from whoever enters our rows */
    nq_tree_lock *tree_locks; /* asked for by this transaction */
    _Atomic bool has_waiters;
    const nq_lock_request *request; /* waited for; under the wait mutex, as what follows */
    nq_txn *waits_for;              /* who wakes us */
    nq_txn *waiters;                /* those whom we wake */
    nq_txn *next_waiter;
    nq_txn *next_visit; /* of a search for circles */
    uint64_t visit;
    nq_cond granted;

    nq_long_value value; /* what the last find returned, if it was long; else: */
    uint8_t value_room[NQ_NODE_PAYLOAD_BYTES_MAX];
};

/* Takes the memory that the arena has grown by out of the cache's budget. Fails with
 * NQ_MEMORY_LIMIT when the budget has run out, unless the transaction is small. */
nq_status nq__txn_charge(nq_ctx *ctx, nq_txn *txn);

/* One without a snapshot; NULL: no memory. */
nq_txn *nq__txn_create(nq_store *store);
void nq__txn_destroy(nq_txn *txn);

/* The caller has counted or announced the version; what was known of another is forgotten. */
void nq__txn_set_snapshot(nq_txn *txn, nq_version *snapshot);

/* Lets go of its locks, its snapshot and itself. */
void nq__txn_end(nq_txn *txn);

/* The tree as of the snapshot and of the transaction's own changes. Fails with NQ_TABLE_NOT_FOUND;
 * *out_tree is borrowed until the next call. */
nq_status nq__txn_get_tree(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_txn_tree **out_tree);

/* ---- conflict.c: with the row's, or the tree's, lock held ---- */

/* Fail with NQ_WRITE_CONFLICT when the key was changed, or the tree dropped, since the snapshot. */
nq_status nq__check_row_conflict(nq_ctx *ctx, nq_txn *txn, const nq_txn_tree *tree, nq_bytes key);
nq_status nq__check_tree_conflict(nq_ctx *ctx, nq_txn *txn, const nq_txn_tree *tree);

/* ---- read.c ---- */

/* Copies the long value that `payload` refers to to where the caller's borrow of it lives. */
nq_status nq__value_load(nq_ctx *ctx, nq_store *store, nq_bytes payload, nq_long_value *room,
                         nq_bytes *out_value);

/* Remembers a range for validation, if the transaction is SERIALIZABLE. */
nq_status nq__txn_note_read(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_bytes low, nq_bytes high);

#endif
