/* Replay: the commits behind the old checkpoint, from the old log into the new store. Records
 * without a commit behind them were never acknowledged. */
#include "engine/storage/upgrade/upgrade_internal.h"

enum { TIME_BYTES = 8 };

/* ---- Which trees there will be ---- */

/* A commit must be the next one. */
static nq_status check_commit(nq_ctx *ctx, const nq_log_record *record, nq_lsn end,
                              uint64_t *io_generation) {
    ++*io_generation;
    if (record->generation == *io_generation) {
        return NQ_OK;
    }
    return nq_fail(ctx, NQ_LOG_CORRUPT, "the old log at %llu commits %llu where %llu is next",
                   (unsigned long long)end.value, (unsigned long long)record->generation,
                   (unsigned long long)*io_generation);
}

static nq_status fail_kind(nq_ctx *ctx, const nq_log_record *record, nq_lsn end) {
    return nq_fail(ctx, NQ_LOG_CORRUPT,
                   "the old log at %llu has a record of kind %d, which format %d has not",
                   (unsigned long long)end.value, (int)record->kind, NQ_LEGACY_VERSION);
}

nq_status nq__replay_find_trees(nq_ctx *ctx, nq_log *log, uint64_t generation, nq__tree_ids *ids) {
    size_t committed = ids->count;
    for (;;) {
        nq_log_record record;
        nq_lsn end;
        bool is_end;
        NQ_TRY(nq_log_read(ctx, log, &record, &end, &is_end));
        if (is_end) {
            break;
        }
        switch (record.kind) {
        case NQ_RECORD_TREE_CREATE:
            NQ_TRY(nq__tree_ids_add(ctx, ids, record.tree));
            break;
        case NQ_RECORD_COMMIT:
            NQ_TRY(check_commit(ctx, &record, end, &generation));
            committed = ids->count;
            break;
        case NQ_RECORD_START:
            return fail_kind(ctx, &record, end);
        default:
            break;
        }
    }
    ids->count = committed;
    nq__tree_ids_sort(ids);
    return NQ_OK;
}

/* ---- The commits ---- */

/* Time and what follows it, as both trees of the requests have it. */
static nq_bytes with_time(uint8_t *room, int64_t time_us, nq_bytes rest) {
    uint64_t big_endian = __builtin_bswap64((uint64_t)time_us);
    memcpy(room, &big_endian, TIME_BYTES);
    if (rest.size != 0) {
        memcpy(room + TIME_BYTES, rest.data, rest.size);
    }
    return nq_bytes_of(room, TIME_BYTES + rest.size);
}

/* What the commit says about the request it carried out: what the old store would have made of it,
 * but that old requests are left to the next commits to forget. */
static nq_status put_request(nq_ctx *ctx, nq_txn *txn, const nq_log_record *commit, nq_lsn end) {
    const nq_tree_id requests = {NQ_LEGACY_TREE_REQUESTS};
    const nq_tree_id times = {NQ_LEGACY_TREE_REQUEST_TIMES};
    uint8_t room[NQ_STORE_KEY_BYTES_MAX + TIME_BYTES];
    nq_bytes earlier;
    if (commit->key.size > NQ_STORE_KEY_BYTES_MAX - TIME_BYTES ||
        commit->value.size > NQ_STORE_KEY_BYTES_MAX) {
        return nq_fail(ctx, NQ_LOG_CORRUPT, "the old log at %llu has a request that is too long",
                       (unsigned long long)end.value);
    }
    NQ_TRY(nq_txn_find(ctx, txn, requests, commit->key, &earlier));
    if (earlier.data != NULL && earlier.size >= TIME_BYTES) {
        memcpy(room, earlier.data, TIME_BYTES);
        memcpy(room + TIME_BYTES, commit->key.data, commit->key.size);
        NQ_TRY(
            nq_txn_remove(ctx, txn, times, nq_bytes_of(room, TIME_BYTES + commit->key.size), NULL));
    }
    NQ_TRY(nq_txn_put(ctx, txn, requests, commit->key,
                      with_time(room, commit->time_us, commit->value)));
    return nq_txn_put(ctx, txn, times, with_time(room, commit->time_us, commit->key),
                      (nq_bytes){0});
}

static nq_status repeat(nq_ctx *ctx, nq_txn *txn, const nq_log_record *record, nq_lsn end) {
    const nq_tree_id tree = {record->tree};
    switch (record->kind) {
    case NQ_RECORD_PUT:
        return nq_txn_put(ctx, txn, tree, record->key, record->value);
    case NQ_RECORD_REMOVE:
        return nq_txn_remove(ctx, txn, tree, record->key, NULL);
    case NQ_RECORD_TREE_CREATE:
        return NQ_OK; /* it exists already */
    case NQ_RECORD_TREE_DROP:
        return nq_txn_tree_drop(ctx, txn, tree);
    case NQ_RECORD_COMMIT:
        return record->key.size != 0 ? put_request(ctx, txn, record, end) : NQ_OK;
    case NQ_RECORD_START:
        break;
    }
    return fail_kind(ctx, record, end);
}

static nq_status commit(nq_ctx *ctx, nq_store *store, nq_txn *txn, uint64_t *io_commits) {
    const nq_commit_options lazily = {.durability = NQ_LAZY};
    NQ_TRY(nq_txn_commit(ctx, txn, &lazily, NULL));
    ++*io_commits;
    return nq__copy_checkpoint(ctx, store);
}

nq_status nq__replay_commits(nq_ctx *ctx, nq_log *log, uint64_t generation, nq_store *store,
                             uint64_t *io_commits) {
    const nq_txn_options writing = {.isolation = NQ_REPEATABLE_READ};
    nq_txn *txn = NULL;
    nq_status status;
    for (;;) {
        nq_log_record record;
        nq_lsn end;
        bool is_end;
        NQ_CHECK(nq_log_read(ctx, log, &record, &end, &is_end));
        if (is_end) {
            break;
        }
        if (txn == NULL) {
            NQ_CHECK(nq_txn_begin(ctx, store, &writing, &txn));
        }
        NQ_CHECK(repeat(ctx, txn, &record, end));
        if (record.kind == NQ_RECORD_COMMIT) {
            NQ_CHECK(check_commit(ctx, &record, end, &generation));
            nq_txn *whole = txn;
            txn = NULL;
            NQ_CHECK(commit(ctx, store, whole, io_commits));
        }
    }
done:
    if (txn != NULL) {
        nq_txn_rollback(txn);
    }
    return status;
}
