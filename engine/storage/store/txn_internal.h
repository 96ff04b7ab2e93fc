/* What a transaction is made of: its snapshot, its private writes, its locks and what it has read.
 */
#ifndef NQ_STORAGE_STORE_TXN_INTERNAL_H
#define NQ_STORAGE_STORE_TXN_INTERNAL_H

#include "engine/storage/store/store_internal.h"

/* ---- Writes (write_set.c): an ordered set of (tree, key), a skip list in an arena ---- */

enum { NQ__WRITE_HEIGHT_MAX = 14 };

typedef enum nq_write_kind {
    NQ__WRITE_NONE, /* locked, or rolled back: as if it were not there */
    NQ__WRITE_PUT,
    NQ__WRITE_REMOVE,
} nq_write_kind;

typedef struct nq_write nq_write;
struct nq_write {
    nq_row_lock lock; /* its tree and key are the write's */
    nq_write_kind kind;
    bool is_checked; /* known to be unchanged since the snapshot */
    bool is_marked;  /* spill.c: changed between two savepoints */
    nq_bytes value;
    nq_write *previous;
    nq_write *next[]; /* one a level; at least one */
};

/* What a write was before, for rolling back to a savepoint. */
typedef struct nq_undo {
    struct nq_undo *older;
    uint64_t number;
    nq_write *write;
    nq_write_kind kind;
    nq_bytes value;
} nq_undo;

typedef struct nq_write_set {
    nq_arena *arena;
    nq_arena *undo_arena;
    nq_undo *undo; /* newest first */
    uint64_t seed;
    nq_write *head;                        /* before the first; of full height */
    nq_write *tails[NQ__WRITE_HEIGHT_MAX]; /* the last of each level */
} nq_write_set;

nq_status nq__write_set_init(nq_ctx *ctx, nq_write_set *set, nq_arena *arena, nq_arena *undo_arena);
/* The write of this key; NULL when there is none. */
nq_write *nq__write_set_find(const nq_write_set *set, uint32_t tree, nq_bytes key);
/* The first write at or after (tree, key); NULL at the end. */
nq_write *nq__write_set_seek(const nq_write_set *set, uint32_t tree, nq_bytes key);
/* The last write before it; NULL when there is none. */
nq_write *nq__write_set_seek_before(const nq_write_set *set, uint32_t tree, nq_bytes key);
nq_write *nq__write_set_first(const nq_write_set *set);
/* The write of this key, made (NONE) if need be. NULL: out of memory. */
nq_write *nq__write_set_add(nq_write_set *set, uint32_t tree, nq_bytes key);
/* Changes a write; what it was is remembered under `undo_number`, unless that is 0. False: out of
 * memory, and nothing has changed. */
bool nq__write_set_change(nq_write_set *set, nq_write *write, nq_write_kind kind, nq_bytes value,
                          uint64_t undo_number);
/* Takes back every change with a greater number. */
void nq__write_set_undo(nq_write_set *set, uint64_t undo_number);

/* ---- Spilled writes (spill.c) ---- */

/* Pages of the data file that one transaction alone can reach; to everybody else they are free. */
typedef struct nq_private_pages {
    nq_store *store;
    struct nq_private_pages *next; /* of the store's, under the space mutex, as what follows */
    struct nq_private_pages **link;
    nq_held_chunk *taken; /* in the order of taking, the newest first */
    uint64_t taken_count;
    bool is_reached; /* by the checkpoint that is being written */
} nq_private_pages;

typedef struct nq_spilled_tree {
    uint32_t id;
    nq_tree tree; /* of writes; a removal is a tombstone */
} nq_spilled_tree;

/* Does not change once it is made; in the transaction's arena. */
typedef struct nq_spilled {
    uint32_t count;
    nq_spilled_tree trees[]; /* by id */
} nq_spilled;

typedef struct nq_spill nq_spill;

/* ---- Savepoints ---- */

/* A savepoint that may still be gone back to. */
typedef struct nq_saved {
    uint64_t number;           /* its mark */
    uint64_t undo_number;      /* changes of rows in memory made after it have greater ones */
    uint64_t tree_undo_number; /* changes of the directory likewise */
    bool is_settled;           /* the writes before it have been spilled since it was made */
    const nq_spilled *spilled;
    uint64_t taken_count; /* private pages when it was made, or settled */
    uint64_t replaced_count;
} nq_saved;

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

enum {
    NQ__TXN_TREES = 8,
    NQ__TXN_SMALL_BYTES = 4 << 20, /* what a transaction may always have, and so a load's list */
};

typedef struct nq_txn_tree {
    uint32_t id;
    bool is_cached;
    bool exists;          /* in the snapshot */
    nq_write_kind change; /* by the transaction itself */
    nq_tree_lock *lock;   /* NULL: not asked for yet; outlives the snapshot */
    nq_tree tree;
} nq_txn_tree;

struct nq_txn {
    nq_store *store;
    nq_txn_options options;
    nq_version *snapshot;
    nq_backlog
        *backlog; /* read over the snapshot; NULL: none, as soon as it is written or scanned */
    nq_reader_seat *seat; /* which announces the snapshot; NULL: it is counted */
    nq_arena arena;       /* what lasts as long as the transaction */
    nq_arena writes_arena;
    nq_arena undo_arena;
    size_t charged_bytes;      /* of the arenas, to the cache's budget */
    nq_write_set writes;       /* head NULL: nothing written yet, or nothing since the last spill */
    nq_write_set tree_writes;  /* of the directory: a tree comes (PUT) or goes; never spilled */
    const nq_spilled *spilled; /* NULL: nothing */
    nq_spill *spill;
    uint64_t spill_epoch; /* moves when what was spilled is another */
    nq_bulk *bulks;       /* loads, the newest first */
    uint64_t undo_count;
    nq_saved *saved; /* oldest first */
    uint32_t saved_count;
    uint32_t saved_capacity;
    uint64_t saved_number; /* of the newest ever made */
    nq_read *reads;
    nq_txn_tree trees[NQ__TXN_TREES];
    uint64_t trees_generation; /* of the version that `trees` were looked up in */
    uint32_t next_tree;        /* whose turn in `trees` it is to be replaced */
    nq_scan *scans;            /* that are open */
    nq_mutex writes_mutex;     /* guards the links of `writes` from whoever enters our rows */
    nq_tree_lock *tree_locks;  /* asked for by this transaction */
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

/* Takes the memory that the arenas have grown by out of the cache's budget. Fails with
 * NQ_MEMORY_LIMIT when the budget has run out, unless the transaction is small. */
nq_status nq__txn_charge(nq_ctx *ctx, nq_txn *txn);

/* One without a snapshot; NULL: no memory. */
nq_txn *nq__txn_create(nq_store *store);
void nq__txn_destroy(nq_txn *txn);

/* The caller has counted or announced the version; what was known of another is forgotten. */
void nq__txn_set_snapshot(nq_txn *txn, nq_version *snapshot);

/* ---- backlog.c: transactions that begin before recovery has ended ---- */

/* The transaction, which has no snapshot, reads through the backlog. False: that has just ended. */
bool nq__backlog_enter(nq_txn *txn);
/* It ends. */
void nq__backlog_leave(nq_txn *txn);
/* Waits for the backlog; the transaction reads what that has become. */
nq_status nq__backlog_await_for(nq_ctx *ctx, nq_txn *txn);
/* Looks a key up; *out_is_known is false when the snapshot knows. Waits when it must. */
nq_status nq__backlog_find(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_bytes key,
                           nq_bytes *out_value, bool *out_is_known);
/* What is read of it. */
nq_lsn nq__backlog_lsn(const nq_backlog *backlog);

/* Before a scan or an estimate: waits when it must. */
nq_status nq__backlog_prepare_read(nq_ctx *ctx, nq_txn *txn, uint32_t tree);
/* The transaction's backlog and the snapshot under it, for as long as a scan needs them, whatever
 * the transaction does; NULL: it has none. */
nq_backlog *nq__backlog_share(nq_txn *txn);
/* NULL is allowed. */
void nq__backlog_release(nq_backlog *backlog);

/* Before anything but reading: there is nothing over the snapshot any more. */
static inline nq_status nq__txn_settle(nq_ctx *ctx, nq_txn *txn) {
    return __builtin_expect(txn->backlog == NULL, 1) ? NQ_OK : nq__backlog_await_for(ctx, txn);
}

/* What is known of trees is looked up anew. */
void nq__txn_forget_trees(nq_txn *txn);

/* ---- savepoint.c ---- */

/* The number under which a change is to be remembered; 0: nobody can go back behind it. */
uint64_t nq__undo_number(nq_txn *txn);

/* Gives all of an arena's memory back; what it has taken is what the budget goes by. */
static inline void nq__arena_empty(nq_arena *arena) {
    nq_arena_deinit(arena);
    nq_arena_init(arena, arena->budget_bytes);
}

/* Lets go of its locks, its snapshot and itself. */
void nq__txn_end(nq_txn *txn);

/* The tree as of the snapshot and of the transaction's own changes. Fails with NQ_TABLE_NOT_FOUND;
 * *out_tree is borrowed until the next call. */
nq_status nq__txn_get_tree(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_txn_tree **out_tree);

/* ---- spill.c ---- */

/* Keeps the transaction's memory within its budget: writes in memory go to private pages of the
 * data file when there are too many. Fails with NQ_DISK_FULL, NQ_IO_ERROR, NQ_MEMORY_LIMIT, or what
 * locking a tree alone fails with; the transaction goes on as if it had not been called. */
nq_status nq__txn_fit(nq_ctx *ctx, nq_txn *txn);
/* Notes in a new savepoint, and goes back to, what was spilled before it. */
void nq__spill_note(const nq_txn *txn, nq_saved *saved);
void nq__spill_restore(nq_txn *txn, const nq_saved *saved);
/* No savepoint needs older pages any more. */
void nq__spill_forget_replaced(nq_txn *txn);
void nq__spill_end(nq_txn *txn);

/* ---- private_pages.c ---- */

void nq__private_begin(nq_store *store, nq_private_pages *pages);
nq_status nq__private_take(nq_ctx *ctx, nq_private_pages *pages, nq_page_id *out_page);
/* Gives back all but the `count` taken first; nobody pins them. */
void nq__private_give(nq_private_pages *pages, uint64_t count);
/* Gives back all, and ends. */
void nq__private_end(nq_private_pages *pages);
/* The pages are no longer private: a version reaches them. What is ended so holds none. */
void nq__private_hand_over(nq_private_pages *pages);
void nq__private_set_reached(nq_private_pages *pages, bool is_reached);

/* ---- bulk.c: trees of private pages that a transaction brings whole ---- */

/* The transaction has loaded rows into this tree, or is about to. */
bool nq__bulk_has(const nq_txn *txn, uint32_t tree);
/* Fails with NQ_TRANSACTION_FAILED when a load was not finished. */
nq_status nq__bulk_check(nq_ctx *ctx, const nq_txn *txn);
/* Puts the loaded trees where empty ones are, at the end of what is applied. */
nq_status nq__bulk_apply(nq_ctx *ctx, const nq_txn *txn, nq_apply *apply);
/* Makes what was applied the durable checkpoint, and then the newest, published version: the
 * transaction is committed. On failure it is not, and `apply` is to be aborted; or nobody knows,
 * the store is read-only, and `apply` is spent. With the turns of checkpoints and of commits. */
nq_status nq__bulk_publish(nq_ctx *ctx, nq_txn *txn, nq_apply *apply, nq_lsn *out_lsn);
/* Forgets the loads begun since a savepoint, or all. */
void nq__bulk_rollback_to(nq_txn *txn, uint64_t saved_number);
void nq__bulk_end_all(nq_txn *txn);

/* ---- own.c: a transaction's own writes to one tree, in memory over spilled ---- */

/* A write as it was last made. */
typedef struct nq_own_write {
    nq_write_kind kind; /* NONE: there is none */
    bool is_long;       /* the value is a reference to a long one */
    nq_bytes value;     /* or nothing */
} nq_own_write;

/* Looks a key up; the value is borrowed until the next call on the transaction. */
nq_status nq__own_find(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_bytes key,
                       nq_own_write *out_write);

/* Walks them in order. Writes in memory that are made meanwhile may or may not be met; after a
 * spill it must be sought again (spill_epoch). */
typedef struct nq_own_cursor {
    nq_txn *txn;
    uint32_t tree;
    bool is_reverse;
    nq_own_write write; /* where it stands; NONE at the end */
    nq_bytes key;
    const nq_write *next;     /* in memory: at or beyond where it stands */
    nq_btree_cursor *spilled; /* likewise; NULL: nothing spilled */
    nq_backlog *backlog; /* walked instead, by a transaction that has not written; NULL: none */
    uint32_t change;     /* of the backlog, where it stands */
} nq_own_cursor;

void nq__own_cursor_init(nq_own_cursor *cursor, nq_txn *txn, uint32_t tree, bool is_reverse);
void nq__own_cursor_deinit(nq_own_cursor *cursor);
/* To the first write at or behind `key` (NULL data: the first of all); in reverse to the last one
 * before it (NULL data: the last of all). */
nq_status nq__own_cursor_seek(nq_ctx *ctx, nq_own_cursor *cursor, nq_bytes key);
nq_status nq__own_cursor_next(nq_ctx *ctx, nq_own_cursor *cursor);
/* Lets go of the page it stands on. */
void nq__own_cursor_park(nq_own_cursor *cursor);

/* The two for a cursor of the backlog; in backlog.c. */
void nq__backlog_seek(nq_own_cursor *cursor, nq_bytes key);
void nq__backlog_next(nq_own_cursor *cursor);

/* ---- changes.c: everything a transaction has written, in order, as log records ---- */

enum { NQ__CHANGES_BATCH = 64 };

typedef struct nq_changes {
    nq_txn *txn;
    const nq_write *directory; /* the next tree that comes or goes */
    const nq_write *row;       /* the next of those in memory, if nothing was spilled */
    uint32_t tree;             /* whose rows are being walked, if something was; 0: none */
    nq_own_cursor rows;
    nq_long_value value;
    uint32_t count; /* of the next */
    nq_log_record records[NQ__CHANGES_BATCH];
} nq_changes;

void nq__changes_begin(nq_changes *changes, nq_txn *txn);
/* Brings the next `count` records; 0: there are none left. What they refer to is borrowed until the
 * next call. */
nq_status nq__changes_next(nq_ctx *ctx, nq_changes *changes);
void nq__changes_end(nq_changes *changes);

/* Before a commit: a tree made and dropped by the transaction itself never was; writes to a dropped
 * tree are moot. */
nq_status nq__changes_settle(nq_ctx *ctx, nq_txn *txn);

/* ---- scan.c ---- */

/* Every open scan lets go of what was spilled, which is about to change. */
void nq__scans_unsettle(nq_txn *txn);

/* ---- conflict.c: with the row's, or the tree's, lock held ---- */

/* Fail with NQ_WRITE_CONFLICT when the key was changed, or the tree dropped, since the snapshot. */
nq_status nq__check_row_conflict(nq_ctx *ctx, nq_txn *txn, const nq_txn_tree *tree, nq_bytes key);
nq_status nq__check_tree_conflict(nq_ctx *ctx, nq_txn *txn, const nq_txn_tree *tree);

/* ---- read.c ---- */

/* Makes room for a value of so many bytes; what was there is gone. */
nq_status nq__value_reserve(nq_ctx *ctx, nq_long_value *room, size_t bytes);

/* Copies the long value that `payload` refers to to where the caller's borrow of it lives. */
nq_status nq__value_load(nq_ctx *ctx, nq_store *store, nq_bytes payload, nq_long_value *room,
                         nq_bytes *out_value);

/* Remembers a range for validation, if the transaction is SERIALIZABLE. */
nq_status nq__txn_note_read(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_bytes low, nq_bytes high);

#endif
