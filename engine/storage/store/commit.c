/* Commit: validation, the trees, the log, durability, and only then visibility.
 *
 *   turn:  validate -> reserve log -> apply to the trees -> append to the log -> install as newest
 *   after: write or sync the log -> publish in order -> release the locks
 *
 * The turn is short and needs no sync, so commits pass through it while the log is being synced for
 * those before (group commit). A durable commit is invisible until the log is durable up to it, any
 * other until it is written; one that follows an unfinished durable one waits for that, else it
 * would show what a crash could still take back.
 *
 * A transaction that has loaded in bulk writes a checkpoint instead of the log, and keeps the turn
 * until it is durable (bulk.c). */
#include "engine/ground/base/assert.h"
#include "engine/ground/os/clock.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

enum { REQUEST_ID_BYTES_MAX = 255, REQUEST_RESULT_BYTES_MAX = 1024 };

/* What a commit needs to know of its changes before it makes them. */
typedef struct extent {
    uint64_t bytes; /* in the log */
    size_t record_bytes_max;
    bool gives_room_back; /* it only removes: on a full disk that is how room is made */
} extent;

static void add(extent *size, const nq_log_record *record) {
    size_t bytes = nq_record_bytes(record);
    bool is_removal = record->kind == NQ_RECORD_REMOVE || record->kind == NQ_RECORD_TREE_DROP;
    size->bytes += bytes;
    size->record_bytes_max = bytes > size->record_bytes_max ? bytes : size->record_bytes_max;
    size->gives_room_back =
        size->gives_room_back && (is_removal || record->kind == NQ_RECORD_COMMIT);
}

/* The leaves that a commit will write, brought near before its turn. */
typedef struct warming {
    nq_ctx ctx;    /* its failures are nobody's */
    uint32_t tree; /* of the warmer; 0: none */
    nq_btree_warmer warmer;
} warming;

static void end_warming(warming *w) {
    if (w->tree != 0) {
        nq_btree_warmer_finish(&w->ctx, &w->warmer);
    }
}

/* Only what fits in memory stays near until the turn. */
static void warm(nq_txn *txn, const nq_log_record *record, warming *w) {
    bool is_row = record->kind == NQ_RECORD_PUT || record->kind == NQ_RECORD_REMOVE;
    if (!is_row || txn->spilled != NULL) {
        return;
    }
    if (record->tree != w->tree) {
        end_warming(w);
        const nq_tree none = {0};
        nq_txn_tree *found;
        bool exists = nq__txn_get_tree(&w->ctx, txn, record->tree, &found) == NQ_OK;
        nq_btree_warmer_init(&w->warmer, txn->store->pool, exists ? &found->tree : &none);
        w->tree = record->tree;
    }
    nq_btree_warm(&w->ctx, &w->warmer, record->key);
}

/* What is done with the transaction's changes, some at a time, in order. */
typedef nq_status (*take_changes)(nq_ctx *ctx, void *user, const nq_log_record *records,
                                  uint32_t count);

static nq_status visit_changes(nq_ctx *ctx, nq_txn *txn, take_changes take, void *user) {
    nq_changes changes;
    nq_status status;
    nq__changes_begin(&changes, txn);
    for (;;) {
        NQ_CHECK(nq__changes_next(ctx, &changes));
        if (changes.count == 0) {
            break;
        }
        NQ_CHECK(take(ctx, user, changes.records, changes.count));
    }
done:
    nq__changes_end(&changes);
    return status;
}

typedef struct measuring {
    nq_txn *txn;
    extent *extent;
    warming leaves;
} measuring;

static nq_status measure_some(nq_ctx *ctx, void *user, const nq_log_record *records,
                              uint32_t count) {
    (void)ctx;
    measuring *m = user;
    for (uint32_t i = 0; i < count; i++) {
        add(m->extent, &records[i]);
        warm(m->txn, &records[i], &m->leaves);
    }
    return NQ_OK;
}

static nq_status measure(nq_ctx *ctx, nq_txn *txn, extent *out_extent) {
    *out_extent = (extent){.gives_room_back = true};
    measuring m = {.txn = txn, .extent = out_extent};
    nq_ctx_init(&m.leaves.ctx, NULL);
    NQ_TRY(visit_changes(ctx, txn, measure_some, &m));
    end_warming(&m.leaves);
    return NQ_OK;
}

/* ---- The turn ---- */

/* SERIALIZABLE: what was read must be the same now; then the transaction is as if it had run at
 * this moment. Under the commit's lock. */
static nq_status validate_reads(nq_ctx *ctx, nq_txn *txn) {
    nq_store *store = txn->store;
    const nq_version *newest = store->newest;
    if (newest->generation == txn->snapshot->generation || NQ_HAS_BUG(READS_NOT_VALIDATED)) {
        return NQ_OK;
    }
    for (const nq_read *read = txn->reads; read != NULL; read = read->next) {
        nq_tree then;
        nq_tree now;
        bool existed;
        bool exists;
        NQ_TRY(nq__tree_find(ctx, store, txn->snapshot, read->tree, &then, &existed));
        NQ_TRY(nq__tree_find(ctx, store, newest, read->tree, &now, &exists));
        bool is_equal = false;
        if (existed == exists) {
            NQ_TRY(nq_btree_range_is_equal(ctx, store->pool, &then, &now, read->low, read->high,
                                           &is_equal));
        }
        if (!is_equal) {
            atomic_fetch_add(&store->counters.conflicts, 1);
            return nq_fail(ctx, NQ_WRITE_CONFLICT,
                           "another transaction changed what this serializable one has read");
        }
    }
    return NQ_OK;
}

static nq_status apply_some(nq_ctx *ctx, void *user, const nq_log_record *records, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        NQ_TRY(nq__apply_record(ctx, user, &records[i]));
    }
    return NQ_OK;
}

static nq_status write_trees(nq_ctx *ctx, nq_txn *txn, nq_apply *apply,
                             const nq_log_record *commit) {
    NQ_TRY(visit_changes(ctx, txn, apply_some, apply));
    NQ_TRY(nq__bulk_apply(ctx, txn, apply));
    if (commit->key.size != 0) {
        NQ_TRY(nq__apply_request(ctx, apply, commit->key, commit->value, commit->time_us));
    }
    return nq__apply_finish(ctx, apply);
}

static nq_status log_some(nq_ctx *ctx, void *user, const nq_log_record *records, uint32_t count) {
    nq_lsn end;
    return nq_log_append(ctx, user, records, count, &end);
}

static nq_status write_log(nq_ctx *ctx, nq_txn *txn, const nq_log_record *commit, nq_lsn *out_lsn) {
    nq_log *log = txn->store->log;
    NQ_TRY(visit_changes(ctx, txn, log_some, log));
    return nq_log_append(ctx, log, commit, 1, out_lsn);
}

static nq_status check_request(nq_ctx *ctx, nq_txn *txn, const nq_log_record *commit,
                               bool *out_is_known) {
    *out_is_known = false;
    if (commit->key.size == 0) {
        return NQ_OK;
    }
    return nq__request_find(ctx, txn->store, txn->store->newest, commit->key, commit->time_us, NULL,
                            NULL, out_is_known);
}

/* Takes the commit's turn; *out_generation is what must be published. */
static nq_status take_turn(nq_ctx *ctx, nq_txn *txn, nq_log_record *commit, bool is_durable,
                           const extent *size, nq_lsn *out_lsn, uint64_t *out_generation) {
    nq_store *store = txn->store;
    nq_status status;
    nq_apply apply = {0};
    bool is_known = false;
    nq_mutex_lock(&store->commit_mutex);
    *out_generation = store->newest->generation;
    NQ_CHECK(nq__store_check_health(ctx, store));
    NQ_CHECK(check_request(ctx, txn, commit, &is_known));
    if (is_known) {
        status = nq_fail(ctx, NQ_REQUEST_ID_REUSED, "a commit has carried this request id");
        goto done;
    }
    NQ_CHECK(validate_reads(ctx, txn));
    NQ_CHECK(nq_log_check_archive(ctx, store->log));
    if (txn->bulks == NULL) {
        NQ_CHECK(nq_log_reserve(ctx, store->log, size->bytes, size->record_bytes_max));
        nq__store_charge_log(store);
    }
    NQ_CHECK(nq__apply_begin(ctx, store, store->newest->generation + 1, &apply));
    apply.may_use_reserve = size->gives_room_back;
    commit->generation = apply.version->generation;
    /* A failure of the trees leaves no trace, and the log, whose room is reserved, fails only for
     * good. */
    NQ_CHECK(write_trees(ctx, txn, &apply, commit));
    *out_generation = commit->generation;
    if (txn->bulks != NULL) {
        NQ_CHECK(nq__bulk_publish(ctx, txn, &apply, out_lsn));
    } else {
        NQ_CHECK(write_log(ctx, txn, commit, out_lsn));
        nq__apply_install(&apply, *out_lsn, is_durable);
    }
done:
    if (status != NQ_OK && nq_log_health(store->log) != NQ_OK) {
        nq__store_fail(store, ctx);
    }
    nq__apply_abort(&apply);
    nq_mutex_unlock(&store->commit_mutex);
    return status;
}

/* A transaction that has loaded takes the turn of checkpoints first. */
static nq_status take_turns(nq_ctx *ctx, nq_txn *txn, nq_log_record *commit, bool is_durable,
                            const extent *size, nq_lsn *out_lsn, uint64_t *out_generation) {
    nq_store *store = txn->store;
    if (txn->bulks == NULL) {
        return take_turn(ctx, txn, commit, is_durable, size, out_lsn, out_generation);
    }
    nq_mutex_lock(&store->checkpoint_mutex);
    nq_status status = nq__checkpoint_ahead(ctx, store);
    if (status == NQ_OK) {
        status = take_turn(ctx, txn, commit, is_durable, size, out_lsn, out_generation);
    }
    nq_mutex_unlock(&store->checkpoint_mutex);
    return status;
}

/* ---- The whole ---- */

/* Makes the log as safe as the commit at `lsn` wants it before anybody sees it; publishing syncs.
 */
static nq_status secure(nq_ctx *ctx, nq_store *store, nq_durability durability, nq_lsn lsn) {
    if (durability == NQ_DURABLE || NQ_HAS_BUG(COMMIT_NOT_WRITTEN)) {
        return NQ_OK;
    }
    nq_status status = nq_log_write(ctx, store->log, lsn);
    if (status != NQ_OK) {
        nq__store_fail(store, ctx);
    }
    return status;
}

static nq_status check_request_size(nq_ctx *ctx, const nq_commit_options *options) {
    if (options->request_id.size > REQUEST_ID_BYTES_MAX ||
        options->request_result.size > REQUEST_RESULT_BYTES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a request id or its result is too long");
    }
    return NQ_OK;
}

static nq_status commit(nq_ctx *ctx, nq_txn *txn, const nq_commit_options *options,
                        nq_lsn *out_lsn) {
    extent size;
    NQ_TRY(check_request_size(ctx, options));
    if (options->request_id.size != 0) {
        NQ_TRY(nq__txn_settle(ctx, txn));
    }
    NQ_TRY(nq__bulk_check(ctx, txn));
    NQ_TRY(nq__changes_settle(ctx, txn));
    NQ_TRY(measure(ctx, txn, &size));
    *out_lsn = nq_txn_snapshot(txn);
    if (size.bytes == 0 && options->request_id.size == 0 && txn->bulks == NULL) {
        return NQ_OK;
    }
    nq_log_record record = {
        .kind = NQ_RECORD_COMMIT,
        .key = options->request_id,
        .value = options->request_result,
        .time_us = nq_clock_realtime_us(),
    };
    add(&size, &record);
    bool is_durable = options->durability == NQ_DURABLE;
    uint64_t generation;
    nq_status status = take_turns(ctx, txn, &record, is_durable, &size, out_lsn, &generation);
    if (status == NQ_REQUEST_ID_REUSED) {
        /* Whoever asks for the first commit's result next must find it. */
        nq_error error = ctx->error;
        NQ_TRY(nq__version_publish(ctx, txn->store, generation));
        ctx->error = error;
    }
    if (status != NQ_OK) {
        return status;
    }
    NQ_TRY(secure(ctx, txn->store, options->durability, *out_lsn));
    NQ_TRY(nq__version_publish(ctx, txn->store, generation));
    atomic_fetch_add_explicit(&txn->store->counters.commits, 1, memory_order_relaxed);
    nq__keeper_notice(txn->store, options->durability);
    return NQ_OK;
}

nq_status nq_txn_commit(nq_ctx *ctx, nq_txn *txn, const nq_commit_options *options,
                        nq_lsn *out_lsn) {
    nq_lsn lsn = {0};
    nq_status status = commit(ctx, txn, options, &lsn);
    if (out_lsn != NULL) {
        *out_lsn = status == NQ_OK ? lsn : (nq_lsn){0};
    }
    if (status != NQ_OK) {
        atomic_fetch_add_explicit(&txn->store->counters.rollbacks, 1, memory_order_relaxed);
    }
    if (status == NQ_DISK_FULL) {
        nq__keeper_want_checkpoint(txn->store);
    }
    nq__txn_end(txn);
    return status;
}

nq_status nq_store_find_request(nq_ctx *ctx, nq_store *store, nq_arena *arena, nq_bytes request_id,
                                nq_bytes *out_result) {
    *out_result = (nq_bytes){0};
    if (request_id.size > REQUEST_ID_BYTES_MAX) {
        return NQ_OK;
    }
    NQ_TRY(nq__backlog_await(ctx, store));
    nq_version *version = nq__version_acquire(store);
    bool exists;
    nq_status status = nq__request_find(ctx, store, version, request_id, nq_clock_realtime_us(),
                                        arena, out_result, &exists);
    nq__version_release(store, version);
    return status;
}
