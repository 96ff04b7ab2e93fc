/* Store: the storage wing's front door — ordered trees of byte keys and values, under transactions.
 *
 * Everything above storage/ goes through this file and nothing below it: the machinery behind may
 * be replaced without a caller noticing but by its speed.
 *
 * Threads: a store is shared by all; a transaction and its scans belong to one thread at a time,
 * but may move between threads between calls (a paused stream's snapshot holds no thread).
 *
 * Isolation: READ COMMITTED takes a new snapshot at nq_txn_statement_begin; REPEATABLE READ and
 * SERIALIZABLE keep the one of begin. Readers never block and are never blocked. A write takes the
 * key's lock until the transaction ends, waiting for at most lock_wait_ns; a deadlock chooses a
 * victim (NQ_DEADLOCK). After the wait a key changed since the snapshot fails with
 * NQ_WRITE_CONFLICT: under READ COMMITTED the caller rolls back to its statement's savepoint and
 * runs the statement again. */
#ifndef NQ_STORAGE_STORE_STORE_H
#define NQ_STORAGE_STORE_STORE_H

#include "engine/ground/base/bytes.h"
#include "engine/ground/base/ctx.h"
#include "engine/ground/os/vfs.h"
#include "engine/storage/cache/cache.h"
#include "engine/storage/page/entry.h"
#include "engine/storage/wal/log_archive.h"
#include "engine/storage/wal/lsn.h"

typedef struct nq_store nq_store;
typedef struct nq_txn nq_txn;
typedef struct nq_scan nq_scan;
typedef struct nq_bulk nq_bulk;

/* A tree of one store. Ids are never reused within a store. */
typedef struct nq_tree_id {
    uint32_t value;
} nq_tree_id;

/* The tree that exists from creation on; the catalog lives in it. */
#define NQ_TREE_CATALOG ((nq_tree_id){1})

enum {
    NQ_STORE_KEY_BYTES_MAX = 1024,
    NQ_STORE_VALUE_BYTES_MAX = 16 << 20, /* longer values than a page go to overflow pages */
};

/* What a commit has survived by the time it returns. Each survives the end of the process; a power
 * cut takes the newest commits first, so what is left is always what once was. */
typedef enum nq_durability {
    NQ_DURABLE,  /* a power cut: the log is on stable storage */
    NQ_PERIODIC, /* the end of the process; a power cut from sync_interval_ms on at the latest */
    NQ_LAZY,     /* the end of the process; a power cut once any later sync has ended */
} nq_durability;

typedef enum nq_isolation {
    NQ_READ_COMMITTED,
    NQ_REPEATABLE_READ,
    NQ_SERIALIZABLE,
} nq_isolation;

/* Zero means the default in brackets. */
typedef struct nq_store_options {
    uint64_t cache_bytes;           /* pages and changes not yet committed, hard limit [64 MiB] */
    nq_cache_policy cache_policy;   /* which page goes when another must come in [S3-FIFO] */
    uint64_t checkpoint_log_bytes;  /* logged since the last checkpoint, to start one [64 MiB] */
    uint64_t txn_bytes_max;         /* writes of one transaction in memory [64 MiB]; what is more
                                     * goes to the data file until the transaction ends */
    uint32_t sync_interval_ms;      /* of NQ_PERIODIC commits [200] */
    uint32_t log_segment_bytes;     /* of a new store; a multiple of 4 KiB [4 MiB] */
    uint32_t lane_blocks;           /* of a new store: its data file's segments are 18 times as many
                                       blocks of 4 KiB, and a few; at most [56] */
    nq_log_archive *log_archive;    /* is given the log before it is used again; borrowed [none] */
    uint64_t log_archive_bytes_max; /* of log that may await it; then commits fail with NQ_DISK_FULL
                                       [1 GiB] */
    uint32_t scrub_period_s; /* all of the data file is read and checked once in so long [a week] */
    bool log_copy; /* keep the log twice, against SD cards: docs/operate/durability.md. A store that
                    * has a copy goes on with it */
    const char *log_copy_directory; /* keep that copy there, on another device; borrowed during the
                                     * open [none] */
    bool must_exist;                /* fail rather than create */
    bool is_manual; /* no background threads: the caller checkpoints, and calls nq_store_keep */
} nq_store_options;

/* Opens, recovering if the last run did not close. `directory` is created if missing. Fails with
 * NQ_DATABASE_LOCKED, NQ_FILE_FOREIGN, NQ_PAGE_CORRUPT, NQ_LOG_CORRUPT, NQ_IO_ERROR, NQ_DISK_FULL.
 *
 * A store with background threads whose log holds much is open when the log has been read, and
 * brings it into the trees behind that. Meanwhile transactions begin, find and scan what they
 * always will; what writes or counts waits for the end of it. Should a page be damaged beyond
 * repair there, what waits fails with NQ_PAGE_CORRUPT, and the store is read-only
 * (nq_store_health). */
nq_status nq_store_open(nq_ctx *ctx, nq_vfs *vfs, const char *directory,
                        const nq_store_options *options, nq_store **out_store);

/* Checkpoints and lets go, whatever it returns; what was committed durably is safe even if the
 * checkpoint fails. Every transaction must have ended. */
nq_status nq_store_close(nq_ctx *ctx, nq_store *store);

typedef struct nq_txn_options {
    nq_isolation isolation;
    bool read_only;       /* writes fail with NQ_READ_ONLY_TRANSACTION */
    int64_t lock_wait_ns; /* 0: the default of 10 s; negative: do not wait */
} nq_txn_options;

nq_status nq_txn_begin(nq_ctx *ctx, nq_store *store, const nq_txn_options *options,
                       nq_txn **out_txn);

/* The snapshot the transaction reads now. */
nq_lsn nq_txn_snapshot(const nq_txn *txn);

/* Starts a statement: READ COMMITTED sees everything committed up to now; no scan may be open. */
nq_status nq_txn_statement_begin(nq_ctx *ctx, nq_txn *txn);

/* out_value->data is NULL when the key is absent. Borrowed until the next call on the transaction.
 */
nq_status nq_txn_find(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_bytes key, nq_bytes *out_value);

/* Inserts or replaces. Over-long keys and values fail with NQ_LIMIT_EXCEEDED. */
nq_status nq_txn_put(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_bytes key, nq_bytes value);

/* Inserts; an existing key fails with NQ_UNIQUE_VIOLATION and changes nothing. */
nq_status nq_txn_insert(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_bytes key, nq_bytes value);

/* Removes; *out_was_present says whether there was something to remove. */
nq_status nq_txn_remove(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_bytes key,
                        bool *out_was_present);

nq_status nq_txn_tree_create(nq_ctx *ctx, nq_txn *txn, nq_tree_id *out_tree);
/* Its pages are freed when no snapshot needs them. */
nq_status nq_txn_tree_drop(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree);

/* Locks a tree until the transaction ends, as writing to it does anyway: SHARED with others who
 * write to it, or ALONE. Waits as for a row. A tree that was dropped since the snapshot fails with
 * NQ_WRITE_CONFLICT. */
typedef enum nq_tree_access {
    NQ_TREE_UNLOCKED,
    NQ_TREE_SHARED,
    NQ_TREE_ALONE,
} nq_tree_access;
nq_status nq_txn_tree_lock(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_tree_access access);

/* Savepoints nest; the mark of one stays valid until it is released, rolled back beyond, or the
 * transaction ends. Rolling back keeps the locks. */
typedef struct nq_savepoint {
    uint64_t value;
} nq_savepoint;
nq_status nq_txn_savepoint(nq_ctx *ctx, nq_txn *txn, nq_savepoint *out_savepoint);
nq_status nq_txn_rollback_to(nq_ctx *ctx, nq_txn *txn, nq_savepoint savepoint);
/* Ends this savepoint and those after it; what was written stays. Whoever does not release pays
 * with memory. */
void nq_txn_release(nq_txn *txn, nq_savepoint savepoint);

typedef struct nq_commit_options {
    nq_durability durability;
    nq_bytes request_id;     /* when not empty: remembered with the commit, across a crash */
    nq_bytes request_result; /* what nq_store_find_request answers for it; ≤ 1 KiB */
} nq_commit_options;

/* Ends the transaction whatever it returns; on NQ_OK the writes are visible to later snapshots and
 * as durable as asked for. A durable commit is visible only once it is durable; a lazy one that
 * follows an unfinished durable one waits for that. A SERIALIZABLE transaction fails with
 * NQ_WRITE_CONFLICT when anything it has read is no longer the same. A request id that another
 * commit carried within its time fails with NQ_REQUEST_ID_REUSED; nq_store_find_request then has
 * its result. After NQ_IO_ERROR or NQ_READ_ONLY_DATABASE the outcome is known only after recovery.
 * Out parameters may be NULL. */
nq_status nq_txn_commit(nq_ctx *ctx, nq_txn *txn, const nq_commit_options *options,
                        nq_lsn *out_lsn);

/* Ends the transaction, forgetting its writes. Cannot fail. */
void nq_txn_rollback(nq_txn *txn);

/* ---- Bulk loads: an empty tree filled with rows that come in the order of their keys ----
 *
 * The fastest way in: rows become compressed pages of the data file at once, however many they are,
 * and take no part of the cache. They are seen, all of them, when the transaction has committed; it
 * may write to other trees as well, and make the tree itself. Its commit is durable, whatever was
 * asked for, by writing a checkpoint, during which no other transaction commits. */

/* Begins to load; the tree is locked ALONE, without waiting for it (NQ_LOCK_TIMEOUT). Until the
 * commit, or until it is rolled back, the transaction cannot use the tree (NQ_TRANSACTION_ACTIVE).
 * Fails with NQ_INVALID_ARGUMENT when the tree is not empty, NQ_WRITE_CONFLICT when it was filled
 * since the snapshot, NQ_FEATURE_UNSUPPORTED when the log is archived, and as nq_txn_tree_lock.
 * *out_bulk lives until nq_bulk_finish, until the transaction is rolled back behind it, or ends. */
nq_status nq_bulk_begin(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_bulk **out_bulk);

/* Adds a row, which is copied. A row that is refused changes nothing, and others may follow: with
 * NQ_UNIQUE_VIOLATION when it has the key of the row before, NQ_INVALID_ARGUMENT when its key is
 * less, NQ_LIMIT_EXCEEDED when key or value are over-long. After NQ_DISK_FULL, NQ_IO_ERROR or
 * NQ_MEMORY_LIMIT the load can only be rolled back. */
nq_status nq_bulk_add(nq_ctx *ctx, nq_bulk *bulk, nq_bytes key, nq_bytes value);

/* There are no more rows. A transaction with a load that was not finished, or that has failed, does
 * not commit (NQ_TRANSACTION_FAILED). */
nq_status nq_bulk_finish(nq_ctx *ctx, nq_bulk *bulk);

/* The result stored by the commit that carried this request id within the last 15 minutes (at most
 * 100,000 are kept), copied into `arena`; data NULL when there is none. */
nq_status nq_store_find_request(nq_ctx *ctx, nq_store *store, nq_arena *arena, nq_bytes request_id,
                                nq_bytes *out_result);

/* Scans. A scan sees the snapshot of its statement plus the transaction's own writes made before it
 * was opened; writes made while it is open may or may not be seen. Bounds are copied. */
typedef struct nq_scan_range {
    nq_bytes low;  /* inclusive; data NULL: from the start */
    nq_bytes high; /* exclusive; data NULL: to the end */
    bool is_reverse;
} nq_scan_range;

nq_status nq_scan_open(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, const nq_scan_range *range,
                       nq_scan **out_scan);

/* The next entry; out_key->data is NULL at the end. Both are borrowed until the next call on this
 * scan: no latch is held between calls. */
nq_status nq_scan_next(nq_ctx *ctx, nq_scan *scan, nq_bytes *out_key, nq_bytes *out_value);

/* The next entries, at least one and at most `count_max`; *out_count is 0 at the end. All are
 * borrowed until the next call on this scan. May take turns with nq_scan_next. */
nq_status nq_scan_next_batch(nq_ctx *ctx, nq_scan *scan, nq_entry *entries, uint32_t count_max,
                             uint32_t *out_count);

/* Lets go of the page of the cache that an open scan stands on; the next nq_scan_next takes it up
 * again. What was borrowed is gone. Call it before a scan is left waiting: thousands may. */
void nq_scan_park(nq_scan *scan);
void nq_scan_close(nq_scan *scan);

/* Writes every committed change to the data file and recycles the log before it. */
typedef struct nq_checkpoint_result {
    nq_lsn lsn;
    uint64_t pages_written;
} nq_checkpoint_result;
nq_status nq_store_checkpoint(nq_ctx *ctx, nq_store *store, nq_checkpoint_result *out_result);

/* Does what the background threads would do now, but for checkpoints: syncs periodic commits that
 * are due, makes the log's next segment, and offers full ones to the archive. What the archive
 * refuses is no failure, and is seen in the statistics. *out_next_ns is when to call again, on the
 * monotonic clock; INT64_MAX: after the next commit. */
nq_status nq_store_keep(nq_ctx *ctx, nq_store *store, int64_t *out_next_ns);

/* Reads every segment of the data file that is in use and the superblocks, and has what is damaged
 * moved away from (by the background, or the next checkpoint); the background does the same over
 * scrub_period_s. Commits and reads go on. */
typedef struct nq_store_scrub_result {
    uint64_t segments_read;
    uint64_t segments_damaged;
    uint64_t blocks_damaged; /* of 4 KiB */
    uint64_t rows_lost;      /* of up to 18 such blocks, which parity cannot restore */
    uint64_t superblocks_repaired;
} nq_store_scrub_result;
nq_status nq_store_scrub(nq_ctx *ctx, nq_store *store, nq_store_scrub_result *out_result);

/* Why the store refuses writes, or NQ_OK. Set once after a failed log write or fsync; never
 * cleared. */
nq_status nq_store_health(const nq_store *store);

typedef struct nq_tree_stats {
    uint64_t entry_count;
    uint64_t page_count;
    uint64_t bytes; /* of its pages */
} nq_tree_stats;
/* As of the snapshot, without the transaction's own writes. */
nq_status nq_txn_tree_stats(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_tree_stats *out_stats);
/* The same for whoever plans: does not wait for recovery, before the end of which it may be what
 * the last checkpoint had. */
nq_status nq_txn_tree_estimate(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_tree_stats *out_stats);

typedef struct nq_store_stats {
    uint64_t cache_hits, cache_misses, cache_evictions, cache_ghost_hits;
    uint64_t cache_shelf_hits, cache_shelf_pages, cache_shelf_bytes; /* compressed */
    uint64_t cache_bytes, cache_budget_bytes;
    uint64_t pages_hinted; /* told to the system before a scan read them */
    uint64_t pages_read, pages_written, log_bytes, log_syncs;
    uint64_t commits, rollbacks; /* of what was not read-only */
    uint64_t conflicts, deadlocks;
    uint64_t checkpoints, open_txns, open_snapshots;
    uint64_t waiting_txns;          /* for locks */
    uint64_t spills;                /* of transactions that outgrew their memory */
    uint64_t pages, free_pages;     /* ids that were ever in use; that are not now */
    uint64_t data_file_bytes;       /* as long as it is now */
    uint64_t data_live_bytes;       /* of it in use: compressed pages, and where they are */
    uint64_t data_written_bytes;    /* to it, since the store was opened */
    uint64_t data_images_repaired;  /* pages found damaged and restored from parity, */
    uint64_t data_images_lost;      /* and not restored */
    uint64_t data_segments_damaged; /* in which they were */
    uint64_t data_segments_scrubbed;
    uint64_t recovered_commits; /* replayed from the log when it was opened */
    uint64_t log_unarchived_bytes, log_archive_failures;
    uint64_t log_tail_bytes_cut;  /* of an unfinished last write, at open */
    bool log_has_copy;            /* the log was opened with a second copy, */
    bool log_is_copy_lost;        /* whose device has failed since: there is one now */
    bool log_archive_is_refusing; /* the archive did not take what it was offered last */
} nq_store_stats;
void nq_store_get_stats(const nq_store *store, nq_store_stats *out_stats);

/* Checks every invariant of every page reachable from the last commit: checksums, key order,
 * fences, counts, no page used twice or leaked. Fails with NQ_PAGE_CORRUPT naming the page and the
 * rule. */
nq_status nq_store_verify(nq_ctx *ctx, nq_store *store);

#endif
