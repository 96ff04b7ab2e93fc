/* Replay: the commits behind the checkpoint, from the log into the trees. Records without a commit
 * behind them were never acknowledged; their pages are given back. */
#include "engine/ground/base/assert.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/store_internal.h"

static nq_status finish_commit(nq_ctx *ctx, nq_store *store, nq_apply *apply,
                               const nq_log_record *record, nq_lsn end) {
    if (record->generation != apply->version->generation) {
        return nq_fail(ctx, NQ_LOG_CORRUPT, "the log at %llu commits %llu where %llu is next",
                       (unsigned long long)end.value, (unsigned long long)record->generation,
                       (unsigned long long)apply->version->generation);
    }
    if (record->key.size != 0) {
        NQ_TRY(nq__apply_request(ctx, apply, record->key, record->value, record->time_us));
    }
    NQ_TRY(nq__apply_finish(ctx, apply));
    nq__apply_install(apply, end, false);
    store->recovered_commits++;
    return nq__version_publish(ctx, store, store->newest->generation);
}

/* Parts the records of a commit that a crash has cut in two from those of the next commit. */
static nq_status log_rollback(nq_ctx *ctx, nq_store *store) {
    nq_log_record record = {.kind = NQ_RECORD_ROLLBACK};
    size_t bytes = nq_record_bytes(&record);
    nq_lsn end;
    NQ_TRY(nq_log_reserve(ctx, store->log, bytes, bytes));
    return nq_log_append(ctx, store->log, &record, &end);
}

nq_status nq__replay(nq_ctx *ctx, nq_store *store) {
    nq_apply apply = {0};
    nq_status status;
    for (;;) {
        nq_log_record record;
        nq_lsn end;
        bool is_end;
        NQ_CHECK(nq_log_read(ctx, store->log, &record, &end, &is_end));
        if (is_end) {
            if (NQ_HAS_BUG(PARTIAL_COMMIT_KEPT) && apply.is_begun) {
                NQ_CHECK(nq__apply_finish(ctx, &apply));
                nq__apply_install(&apply, nq_log_end(store->log), false);
                NQ_CHECK(nq__version_publish(ctx, store, store->newest->generation));
            }
            break;
        }
        if (!apply.is_begun) {
            NQ_CHECK(nq__apply_begin(ctx, store, &apply));
            apply.may_use_reserve = true; /* it had room once */
        }
        if (record.kind == NQ_RECORD_COMMIT) {
            NQ_CHECK(finish_commit(ctx, store, &apply, &record, end));
        } else if (record.kind == NQ_RECORD_ROLLBACK) {
            nq__apply_abort(&apply);
        } else {
            NQ_CHECK(nq__apply_record(ctx, &apply, &record));
        }
    }
    NQ_CHECK(nq_log_start(ctx, store->log, &store->log_tail_bytes_cut));
    if (apply.is_begun && !NQ_HAS_BUG(ROLLBACK_NOT_LOGGED)) {
        NQ_CHECK(log_rollback(ctx, store));
    }
    status = nq_log_recycle(ctx, store->log, (nq_lsn){store->root.lsn},
                            store->options.checkpoint_log_bytes);
done:
    nq__apply_abort(&apply);
    return status;
}
