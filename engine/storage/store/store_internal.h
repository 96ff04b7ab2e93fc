/* What the store's files share: the store itself, versions, and a commit being applied.
 *
 * S1 A page reachable from the durable checkpoint or from a live version is never written.
 * S2 A page is reused only when no live version holds it; the durable checkpoint is a live version.
 * S3 Versions are published in order; a durable one only when the log is durable up to it.
 * S4 The superblock of a checkpoint is written after everything it leads to is durable, and the log
 *    before it is recycled only after the superblock is.
 * S5 A key's lock is kept until its commit is published, so whoever gets it next sees that commit.
 * S6 After a failed sync nothing is written any more: health says why.
 * S7 A version goes only when something newer is published, nobody counts on it (refs) and no seat
 *    announces it.
 * S9 A commit that is not in the log (a bulk load) is installed only when a superblock that leads
 * to it is durable, and keeps the turn of commits until then: nothing in the log builds on it. */
#ifndef NQ_STORAGE_STORE_STORE_INTERNAL_H
#define NQ_STORAGE_STORE_STORE_INTERNAL_H

#include <stdatomic.h>

#include "engine/ground/os/mutex.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/btree/btree.h"
#include "engine/storage/pager/pager.h"
#include "engine/storage/store/lock_internal.h"
#include "engine/storage/store/store.h"
#include "engine/storage/wal/log.h"
#include "engine/storage/wal/log_segment.h"

enum {
    NQ__PATH_BYTES = 960,
    NQ__TREE_DIRECTORY = 0, /* the tree of trees: id -> nq_tree */
    NQ__TREE_REQUESTS = 2,  /* request id -> when, result */
    NQ__TREE_REQUEST_TIMES = 3,
    NQ__TREE_USER_FIRST = 16, /* trees below exist from creation on */
};

/* ---- Versions ---- */

/* Pages of [birth, the version after the one that holds them). */
typedef struct nq_held_page {
    uint64_t birth;
    uint32_t page;
} nq_held_page;

enum { NQ__HELD_CHUNK_PAGES = 62 };
typedef struct nq_held_chunk {
    struct nq_held_chunk *next;
    uint32_t count;
    nq_held_page pages[NQ__HELD_CHUNK_PAGES];
} nq_held_chunk;

/* What all trees were after one commit. Guarded by the versions' lock but for what never changes.
 */
typedef struct nq_version {
    struct nq_version *older;
    struct nq_version *newer;
    uint64_t generation; /* does not change */
    nq_lsn lsn;          /* does not change */
    nq_tree directory;   /* does not change */
    bool is_durable;     /* does not change: it is published only when the log is durable */
    uint64_t refs;       /* holders that are counted; readers in seats are not */
    nq_held_chunk *held; /* pages that this is the newest live version to reach */
} nq_version;

/* ---- Readers ---- */

typedef struct nq_txn nq_txn;
typedef struct nq_backlog nq_backlog;

/* Where a read-only transaction announces which version it reads, and so holds the seat. A line of
 * the processor's cache to itself, so that readers do not disturb each other. */
enum { NQ__READER_SEATS = 64, NQ__LINE_BYTES = 64 };
typedef struct nq_reader_seat {
    _Alignas(NQ__LINE_BYTES) _Atomic(nq_version *) announced; /* NULL: the seat is free */
    nq_txn *idle; /* a transaction at rest, for whoever holds the seat; NULL: none */
} nq_reader_seat;

/* ---- The store ---- */

typedef struct nq_store_counters {
    _Atomic uint64_t commits, rollbacks, conflicts, deadlocks, checkpoints, spills;
    _Atomic uint64_t open_txns, open_snapshots, waiting_txns;
} nq_store_counters;

/* What became of the newest checkpoint that the keeper has made. */
typedef struct nq_checkpoint_answer {
    uint64_t asked; /* how many had asked when it began */
    nq_status status;
    nq_error error;
    nq_checkpoint_result result;
} nq_checkpoint_answer;

struct nq_store {
    nq_vfs *vfs;
    nq_store_options options;
    char directory[NQ__PATH_BYTES];
    char log_directory[NQ__PATH_BYTES + 8];
    nq_file *lock_file;
    nq_file *log_copy_lock; /* of a copy's directory elsewhere; NULL: none */
    nq_pager *pager;
    nq_pool *pool;
    nq_log *log;

    nq_mutex checkpoint_mutex;             /* guards the next three */
    nq_pager_root root;                    /* of the newest checkpoint on disk */
    _Atomic uint64_t checkpoint_log_start; /* of record bytes, at the last checkpoint */
    _Atomic uint64_t checkpoint_lsn;

    nq_mutex commit_mutex;      /* guards the next, once the store is open */
    uint64_t charged_log_bytes; /* to the cache's budget */

    nq_reader_seat *seats;           /* NQ__READER_SEATS */
    _Atomic(nq_version *) published; /* what a new snapshot sees; changed under the next lock */

    nq_mutex version_mutex; /* guards the versions and the next six */
    nq_cond reclaimed;
    nq_version *oldest;
    nq_version *newest;        /* applied; what the next commit builds on */
    nq_version *durable;       /* the checkpoint's */
    nq_version *being_written; /* the checkpoint's that is being made; NULL: none */
    uint32_t reclaiming;       /* threads on their way to give pages back */
    _Atomic uint64_t published_generation;

    nq_mutex space_mutex; /* guards the next two */
    nq_space space;
    struct nq_private_pages *private_pages; /* of transactions; neither free nor reached */
    _Atomic uint64_t private_generation;
    _Atomic uint64_t promised_pages; /* not taken yet */

    _Atomic uint32_t next_tree;
    nq_lock_table locks;

    nq_mutex failure_mutex;
    nq_error failure;
    _Atomic uint32_t health;

    nq_mutex keeper_mutex; /* guards what the background threads were asked for */
    nq_cond keeper_cond;
    bool is_stopping;
    bool is_checkpoint_wanted;
    bool is_log_long; /* as commits have found; a checkpoint that has begun since makes it short */
    uint64_t checkpoints_asked; /* by those who wait for one */
    nq_checkpoint_answer checkpoint_answer;
    bool is_segment_wanted;
    bool is_archive_wanted;
    bool are_frames_wanted;
    /* When a sync must begin for the oldest periodic commit that may not be durable; INT64_MAX:
     * there is none. Set under the lock, so that the syncer is woken for it; cleared by the syncer.
     */
    _Atomic int64_t sync_at_ns;
    nq_thread checkpointer;
    nq_thread syncer;
    nq_thread archiver;
    bool has_checkpointer;
    bool has_syncer;
    bool has_archiver;
    nq_thread stocker;
    bool has_stocker;
    nq_thread scrubber;
    bool has_scrubber;

    nq_backlog *backlog;
    _Atomic bool has_backlog; /* that is not in the trees yet */

    nq_store_counters counters;
    uint64_t recovered_commits;
    uint64_t log_tail_bytes_cut;
};

/* ---- version.c ---- */

/* The newest published version, counted. Never waits for I/O. */
nq_version *nq__version_acquire(nq_store *store);
/* Counts a version that the caller has announced. */
void nq__version_share(nq_store *store, nq_version *version);
void nq__version_release(nq_store *store, nq_version *version);

/* A reader no longer announces a version, which is not the published one and of at least
 * `generation_min`: it goes if that was all that held it. The caller need not know whether it has
 * gone already. */
void nq__version_retract(nq_store *store, const nq_version *version, uint64_t generation_min);

/* Makes a version the newest; its chunk list `freed` are the pages that it no longer reaches. */
void nq__version_install(nq_store *store, nq_version *version, nq_held_chunk *freed);

/* Publishes every version up to this one, syncing the log for those that want it. */
nq_status nq__version_publish(nq_ctx *ctx, nq_store *store, uint64_t generation);

/* A checkpoint of the version has begun, or (NULL) has failed. */
void nq__version_set_being_written(nq_store *store, nq_version *version);

/* The version is the durable checkpoint's now; the one before is let go. */
void nq__version_set_durable(nq_store *store, nq_version *version);

/* Locks the versions at a moment when no page is on its way back. */
void nq__version_lock_quiet(nq_store *store);

/* Gives pages back at once; the list is freed. */
void nq__pages_give(nq_store *store, nq_held_chunk *pages);
nq_status nq__held_add(nq_ctx *ctx, nq_held_chunk **list, nq_held_page page);
void nq__held_free(nq_held_chunk *list);

/* ---- reader.c: read-only transactions without a lock ---- */

nq_status nq__readers_init(nq_ctx *ctx, nq_store *store);
void nq__readers_deinit(nq_store *store);

/* Begins one; NULL: no seat near the thread's is free, or no memory. */
nq_txn *nq__reader_begin(nq_store *store);
void nq__reader_end(nq_txn *txn);

/* Goes on with the newest published version. */
void nq__reader_renew(nq_txn *txn);

/* Leaves the seat to others; the snapshot is counted from now on. */
void nq__reader_leave_seat(nq_txn *txn);

bool nq__version_is_announced(nq_store *store, const nq_version *version);
uint32_t nq__readers_count(nq_store *store);

/* ---- apply.c: one commit on its way into the trees; under the commit's lock ---- */

typedef struct nq_apply {
    nq_store *store;
    nq_version *version;  /* what it becomes */
    nq_held_chunk *taken; /* to be given back if it fails */
    nq_held_chunk *freed;
    nq_page_source source;
    nq_btree_writer directory;
    nq_btree_writer tree;
    nq_tree tree_value;
    uint32_t tree_id;        /* the tree being written; 0: none */
    uint32_t promised_count; /* pages that there is room for, not taken yet */
    bool is_begun;
    bool may_use_reserve; /* it gives room back, or must not be refused */
} nq_apply;

/* What dirty pages will need when they are written must be there before `count` more of them are
 * made: a full disk refuses the writer, not the checkpoint. They count as promised until they are
 * taken: nq__room_taken. */
nq_status nq__room_promise(nq_ctx *ctx, nq_store *store, uint32_t count, bool may_use_reserve);
void nq__room_taken(nq_store *store, uint32_t count);

/* Of the generation after the newest one's, or of a later one. */
nq_status nq__apply_begin(nq_ctx *ctx, nq_store *store, uint64_t generation, nq_apply *apply);
nq_status nq__apply_record(nq_ctx *ctx, nq_apply *apply, const nq_log_record *record);
/* A tree as far as it has been written, empty if it does not exist; good until the next change. */
nq_status nq__apply_find_tree(nq_ctx *ctx, nq_apply *apply, uint32_t tree, nq_tree *out_tree);
/* A tree of pages that are not the apply's takes the place of an empty one. */
nq_status nq__apply_loaded(nq_ctx *ctx, nq_apply *apply, uint32_t tree, const nq_tree *loaded);
/* Remembers a commit's request id, and forgets the oldest. */
nq_status nq__apply_request(nq_ctx *ctx, nq_apply *apply, nq_bytes id, nq_bytes result,
                            int64_t time_us);
/* Ends the writing; the version may be installed. */
nq_status nq__apply_finish(nq_ctx *ctx, nq_apply *apply);
/* The version becomes the store's newest. */
void nq__apply_install(nq_apply *apply, nq_lsn lsn, bool is_durable);
/* Forgets everything. */
void nq__apply_abort(nq_apply *apply);

/* ---- directory.c ---- */

/* A tree as of a version. *out_exists is false when it does not exist. */
nq_status nq__tree_find(nq_ctx *ctx, nq_store *store, const nq_version *version, uint32_t tree,
                        nq_tree *out_tree, bool *out_exists);

/* A tree's key in the directory. */
static inline void nq__tree_key_encode(uint32_t tree, uint8_t out_key[4]) {
    uint32_t big_endian = __builtin_bswap32(tree);
    memcpy(out_key, &big_endian, sizeof big_endian);
}

static inline uint32_t nq__tree_key_decode(nq_bytes key) {
    uint32_t big_endian = 0;
    memcpy(&big_endian, key.data, key.size < 4 ? key.size : 4);
    return __builtin_bswap32(big_endian);
}

/* ---- request.c ---- */

/* The result stored under a request id as of a version, if it is not too old at `now_us`. */
nq_status nq__request_find(nq_ctx *ctx, nq_store *store, const nq_version *version, nq_bytes id,
                           int64_t now_us, nq_arena *arena, nq_bytes *out_result, bool *out_exists);

/* ---- health.c ---- */

/* Turns the store read-only, for the reason the context has just been given. */
void nq__store_fail(nq_store *store, const nq_ctx *ctx);
/* NQ_OK, or NQ_READ_ONLY_DATABASE with the first cause. */
nq_status nq__store_check_health(nq_ctx *ctx, nq_store *store);

/* Charges what the log's buffers have come to hold to the cache's budget. Under the commit's lock.
 */
void nq__store_charge_log(nq_store *store);

/* ---- checkpoint.c ---- */

/* Makes everything committed so far the durable checkpoint. */
nq_status nq__checkpoint(nq_ctx *ctx, nq_store *store, nq_checkpoint_result *out_result);

/* ---- checkpoint.c: a commit that is not in the log, with the turn of checkpoints ---- */

/* Writes and syncs what there is to be, so that the turn of commits need not be held for long. */
nq_status nq__checkpoint_ahead(nq_ctx *ctx, nq_store *store);

/* Makes what was applied the durable checkpoint, and then the newest version, published; under the
 * commit's lock all the while. On failure *out_is_installed says whether `apply` was spent: then
 * nobody knows what the disk holds, it is the newest version, never to be published, and the store
 * is read-only. */
nq_status nq__checkpoint_applied(nq_ctx *ctx, nq_apply *apply, nq_lsn *out_lsn,
                                 bool *out_is_installed);

/* ---- data_file.c, replay.c ---- */

nq_status nq__data_file_create(nq_ctx *ctx, nq_store *store);
/* Also the cache, the free pages and the log, as far as the checkpoint goes. */
nq_status nq__data_file_open(nq_ctx *ctx, nq_store *store);
nq_status nq__replay(nq_ctx *ctx, nq_store *store);

/* ---- log_copy.c ---- */

/* Puts the log's second copy beside *sink, if there is or should be one; `options` are the first's.
 * On failure *sink is NULL if it is gone. */
nq_status nq__log_copy_join(nq_ctx *ctx, nq_store *store, const nq_log_segment_options *options,
                            nq_log_sink **sink);

/* ---- backlog.c: what recovery has still to bring into the trees of an open store ---- */

static inline bool nq__backlog_is_pending(const nq_store *store) {
    return atomic_load_explicit(&store->has_backlog, memory_order_acquire);
}

/* Returns when all is in the trees, or fails with why that has failed. */
nq_status nq__backlog_await(nq_ctx *ctx, nq_store *store);

/* Waits for its thread. NULL is allowed. */
void nq__backlog_destroy(nq_backlog *backlog);

/* ---- scrub.c ---- */

/* Checks the next segment, or the superblocks; *position as nq_pager_scrub has it. */
nq_status nq__scrub_step(nq_ctx *ctx, nq_store *store, uint32_t *position, nq_scrub_result *result);

/* ---- keeper.c ---- */

nq_status nq__keeper_start(nq_ctx *ctx, nq_store *store);
void nq__keeper_stop(nq_store *store);
/* After a commit: asks for a sync in time if it is periodic, and for a checkpoint, a log segment,
 * archiving one or frames for the next commits if it is time for that. */
void nq__keeper_notice(nq_store *store, nq_durability durability);
/* Asks for a checkpoint, which finds room on a full disk and moves away from damage. */
void nq__keeper_want_checkpoint(nq_store *store);

#endif
