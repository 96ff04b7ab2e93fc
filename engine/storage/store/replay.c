/* Replay: the commits behind the checkpoint, from the log into the trees. Records without a commit
 * behind them were never acknowledged; they are forgotten. */
#include "engine/storage/page/bug.h"
#include "engine/storage/store/redo_internal.h"

static nq_status take(nq_ctx *ctx, nq_redo *redo, const nq_log_record *record, nq_lsn end) {
    switch (record->kind) {
    case NQ_RECORD_START:
        if (!NQ_HAS_BUG(START_IGNORED)) {
            nq__redo_forget_open(redo);
        }
        return NQ_OK;
    case NQ_RECORD_COMMIT:
        return nq__redo_commit(ctx, redo, record, end);
    default:
        return nq__redo_add(ctx, redo, record);
    }
}

static nq_status take_all(nq_ctx *ctx, nq_redo *redo) {
    nq_log *log = redo->store->log;
    for (;;) {
        nq_log_record record;
        nq_lsn end;
        bool is_end;
        NQ_TRY(nq_log_read(ctx, log, &record, &end, &is_end));
        if (is_end) {
            break;
        }
        NQ_TRY(take(ctx, redo, &record, end));
    }
    if (NQ_HAS_BUG(PARTIAL_COMMIT_KEPT) && nq__redo_has_open(redo)) {
        const nq_log_record commit = {.kind = NQ_RECORD_COMMIT, .generation = redo->generation + 1};
        NQ_TRY(nq__redo_commit(ctx, redo, &commit, nq_log_end(log)));
    }
    return nq__redo_finish(ctx, redo);
}

nq_status nq__replay(nq_ctx *ctx, nq_store *store) {
    nq_redo redo;
    nq__redo_init(&redo, store);
    nq_status status = take_all(ctx, &redo);
    nq__redo_deinit(&redo);
    NQ_TRY(status);
    NQ_TRY(nq_log_start(ctx, store->log, &store->log_tail_bytes_cut));
    return nq_log_recycle(ctx, store->log, (nq_lsn){store->root.lsn},
                          store->options.checkpoint_log_bytes);
}
