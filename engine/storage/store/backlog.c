/* Backlog: see backlog_internal.h. */
#include "engine/storage/store/backlog_internal.h"

#include "engine/ground/base/heap.h"

nq_backlog *nq__backlog_create(nq_store *store) {
    nq_backlog *backlog = nq_heap_calloc(1, sizeof *backlog);
    if (backlog == NULL) {
        return NULL;
    }
    backlog->store = store;
    nq__redo_init(&backlog->redo, store);
    nq_mutex_init(&backlog->mutex, NQ_LOCK_STORE_BACKLOG);
    nq_cond_init(&backlog->changed);
    return backlog;
}

void nq__backlog_destroy(nq_backlog *backlog) {
    if (backlog == NULL) {
        return;
    }
    if (backlog->has_thread) {
        nq_thread_join(&backlog->thread);
    }
    nq__redo_deinit(&backlog->redo);
    nq_mutex_deinit(&backlog->mutex);
    nq_cond_deinit(&backlog->changed);
    nq_heap_free(backlog);
}

/* ---- Users ---- */

void nq__backlog_release(nq_backlog *backlog) {
    if (backlog == NULL) {
        return;
    }
    nq_mutex_lock(&backlog->mutex);
    bool is_last = --backlog->user_count == 0;
    nq_mutex_unlock(&backlog->mutex);
    if (is_last) {
        nq__redo_deinit(&backlog->redo);
        nq__version_release(backlog->store, backlog->base);
        nq__version_release(backlog->store, backlog->after);
    }
}

bool nq__backlog_enter(nq_txn *txn) {
    nq_backlog *backlog = txn->store->backlog;
    nq_mutex_lock(&backlog->mutex);
    bool is_in_time = backlog->state != NQ__BACKLOG_APPLIED;
    backlog->user_count += is_in_time;
    nq_mutex_unlock(&backlog->mutex);
    if (is_in_time) {
        txn->backlog = backlog;
        nq__version_share(txn->store, backlog->base);
        nq__txn_set_snapshot(txn, backlog->base);
    }
    return is_in_time;
}

void nq__backlog_leave(nq_txn *txn) {
    nq__backlog_release(txn->backlog);
    txn->backlog = NULL;
}

/* Fails with what has become of it, unless it is APPLIED. */
static nq_status await(nq_ctx *ctx, nq_backlog *backlog) {
    nq_mutex_lock(&backlog->mutex);
    while (backlog->state == NQ__BACKLOG_APPLYING) {
        nq_cond_wait(&backlog->changed, &backlog->mutex);
    }
    bool has_failed = backlog->state == NQ__BACKLOG_FAILED;
    nq_mutex_unlock(&backlog->mutex);
    if (!has_failed) {
        return NQ_OK;
    }
    ctx->error = backlog->failure; /* does not change any more */
    return backlog->failure.code;
}

nq_status nq__backlog_await(nq_ctx *ctx, nq_store *store) {
    return nq__backlog_is_pending(store) ? await(ctx, store->backlog) : NQ_OK;
}

nq_status nq__backlog_await_for(nq_ctx *ctx, nq_txn *txn) {
    nq_backlog *backlog = txn->backlog;
    NQ_TRY(await(ctx, backlog));
    nq_version *before = txn->snapshot;
    nq__version_share(txn->store, backlog->after);
    nq__txn_set_snapshot(txn, backlog->after); /* B3 */
    nq__version_release(txn->store, before);
    nq__backlog_leave(txn);
    return NQ_OK;
}

/* ---- Reading ---- */

/* Where reads through the backlog would not do, or need not be any more, the transaction leaves it.
 */
static nq_status leave_unless_readable(nq_ctx *ctx, nq_txn *txn, uint32_t tree) {
    bool is_validated = txn->options.isolation == NQ_SERIALIZABLE && !txn->options.read_only;
    bool must_leave = is_validated || !nq__backlog_is_pending(txn->store) ||
                      nq__redo_has_tree(&txn->backlog->redo, tree);
    return must_leave ? nq__backlog_await_for(ctx, txn) : NQ_OK;
}

nq_status nq__backlog_find(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_bytes key,
                           nq_bytes *out_value, bool *out_is_known) {
    *out_is_known = false;
    NQ_TRY(leave_unless_readable(ctx, txn, tree));
    if (txn->backlog == NULL) {
        return NQ_OK;
    }
    const nq_redo_change *change = nq__redo_find(&txn->backlog->redo, tree, key);
    if (change == NULL) {
        return NQ_OK;
    }
    *out_is_known = true;
    if (change->kind == NQ_RECORD_PUT) {
        *out_value = nq__redo_value(change);
    }
    return NQ_OK;
}

nq_status nq__backlog_prepare_read(nq_ctx *ctx, nq_txn *txn, uint32_t tree) {
    return txn->backlog == NULL ? NQ_OK : leave_unless_readable(ctx, txn, tree);
}

nq_backlog *nq__backlog_share(nq_txn *txn) {
    nq_backlog *backlog = txn->backlog;
    if (backlog != NULL) {
        nq_mutex_lock(&backlog->mutex);
        backlog->user_count++;
        nq_mutex_unlock(&backlog->mutex);
    }
    return backlog;
}

static void stand_at(nq_own_cursor *cursor, uint32_t at) {
    const nq_redo_change *change = nq__redo_at(&cursor->backlog->redo, cursor->tree, at);
    cursor->change = at;
    cursor->key = (nq_bytes){0};
    cursor->write = (nq_own_write){0};
    if (change != NULL) {
        bool is_put = change->kind == NQ_RECORD_PUT;
        cursor->key = nq__redo_key(change);
        cursor->write = (nq_own_write){.kind = is_put ? NQ__WRITE_PUT : NQ__WRITE_REMOVE,
                                       .value = nq__redo_value(change)};
    }
}

void nq__backlog_seek(nq_own_cursor *cursor, nq_bytes key) {
    const nq_redo *redo = &cursor->backlog->redo;
    stand_at(cursor, cursor->is_reverse ? nq__redo_seek_before(redo, cursor->tree, key)
                                        : nq__redo_seek(redo, cursor->tree, key));
}

void nq__backlog_next(nq_own_cursor *cursor) {
    const nq_redo *redo = &cursor->backlog->redo;
    stand_at(cursor, cursor->is_reverse ? nq__redo_previous(redo, cursor->change)
                                        : nq__redo_next(redo, cursor->change));
}

nq_lsn nq__backlog_lsn(const nq_backlog *backlog) {
    return backlog->redo.end;
}

/* ---- Applying ---- */

static void end(nq_backlog *backlog, nq_backlog_state state) {
    nq_mutex_lock(&backlog->mutex);
    backlog->state = state;
    nq_cond_broadcast(&backlog->changed);
    nq_mutex_unlock(&backlog->mutex);
}

static void run(void *argument) {
    nq_backlog *backlog = argument;
    nq_store *store = backlog->store;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_mutex_lock(&store->commit_mutex);
    nq_status status = nq__redo_install(&ctx, &backlog->redo);
    nq__apply_abort(&backlog->redo.apply);
    nq_mutex_unlock(&store->commit_mutex);
    if (status != NQ_OK) {
        backlog->failure = ctx.error;
        nq__store_fail(store, &ctx);
        end(backlog, NQ__BACKLOG_FAILED);
        return;
    }
    backlog->after = nq__version_acquire(store);
    end(backlog, NQ__BACKLOG_APPLIED);
    atomic_store(&store->has_backlog, false);
    nq__backlog_release(backlog);
}

bool nq__backlog_is_large(const nq_backlog *backlog) {
    enum { CHANGES_MIN = 4096 }; /* less is in the trees before a thread has begun to help */
    return !backlog->store->options.is_manual && backlog->redo.committed_count >= CHANGES_MIN;
}

nq_status nq__backlog_start(nq_ctx *ctx, nq_backlog *backlog) {
    nq_store *store = backlog->store;
    NQ_TRY(nq__redo_sort_gathered(ctx, &backlog->redo)); /* B2 */
    backlog->base = nq__version_acquire(store);
    backlog->user_count = 1;
    atomic_store(&store->has_backlog, true);
    NQ_TRY(nq_thread_start(ctx, &backlog->thread, "nq-replay", run, backlog));
    backlog->has_thread = true;
    return NQ_OK;
}
