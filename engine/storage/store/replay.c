/* Replay: the commits behind the checkpoint, from the log into the trees. Records without a commit
 * behind them were never acknowledged; they are forgotten. */
#include "engine/storage/page/bug.h"
#include "engine/storage/store/backlog_internal.h"

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

static nq_status gather(nq_ctx *ctx, nq_redo *redo) {
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
    nq__redo_forget_open(redo);
    return NQ_OK;
}

nq_status nq__replay(nq_ctx *ctx, nq_store *store) {
    store->backlog = nq__backlog_create(store);
    if (store->backlog == NULL) {
        return nq_fail_no_memory(ctx, "recovery");
    }
    nq_redo *redo = &store->backlog->redo;
    NQ_TRY(gather(ctx, redo));
    bool is_large = nq__backlog_is_large(store->backlog);
    if (!is_large) {
        NQ_TRY(nq__redo_install(ctx, redo));
        nq__redo_deinit(redo);
    }
    NQ_TRY(nq_log_start(ctx, store->log, &store->log_tail_bytes_cut));
    NQ_TRY(nq_log_recycle(ctx, store->log, (nq_lsn){store->root.lsn},
                          store->options.checkpoint_log_bytes));
    return is_large ? nq__backlog_start(ctx, store->backlog) : NQ_OK;
}
