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
        if (record.kind == NQ_RECORD_START) {
            if (!NQ_HAS_BUG(START_IGNORED)) {
                nq__apply_abort(&apply);
            }
            continue;
        }
        if (!apply.is_begun) {
            NQ_CHECK(nq__apply_begin(ctx, store, &apply));
            apply.may_use_reserve = true; /* it had room once */
        }
        if (record.kind == NQ_RECORD_COMMIT) {
            NQ_CHECK(finish_commit(ctx, store, &apply, &record, end));
        } else {
            NQ_CHECK(nq__apply_record(ctx, &apply, &record));
        }
    }
    NQ_CHECK(nq_log_start(ctx, store->log, &store->log_tail_bytes_cut));
    status = nq_log_recycle(ctx, store->log, (nq_lsn){store->root.lsn},
                            store->options.checkpoint_log_bytes);
done:
    nq__apply_abort(&apply);
    return status;
}
