/* Keeper: the store's two background threads — one checkpoints when enough has been logged, one
 * syncs the log for lazy commits and makes its next segment before a commit needs it. What they
 * cannot do they leave to the next attempt; a failed sync has turned the store read-only by then.
 */
#include "engine/ground/os/clock.h"
#include "engine/storage/store/store_internal.h"

static const int64_t retry_ns = INT64_C(1000000000);

static bool is_checkpoint_due(nq_store *store) {
    nq_log_stats stats;
    nq_log_get_stats(store->log, &stats);
    uint64_t appended = stats.bytes_appended - atomic_load(&store->checkpoint_log_start);
    uint64_t written = stats.bytes_written - atomic_load(&store->checkpoint_log_written);
    /* Small durable commits fill few bytes of each block they write. */
    return appended >= store->options.checkpoint_log_bytes ||
           written >= 4 * store->options.checkpoint_log_bytes;
}

void nq__keeper_notice(nq_store *store, bool is_lazy) {
    if (!store->has_checkpointer) {
        return;
    }
    bool is_due = is_checkpoint_due(store);
    bool is_short = nq_log_wants_segment(store->log);
    if (!is_due && !is_lazy && !is_short) {
        return;
    }
    nq_mutex_lock(&store->keeper_mutex);
    bool is_news = (is_due && !store->is_checkpoint_wanted) ||
                   (is_lazy && !store->is_sync_wanted) || (is_short && !store->is_segment_wanted);
    store->is_checkpoint_wanted = store->is_checkpoint_wanted || is_due;
    store->is_sync_wanted = store->is_sync_wanted || is_lazy;
    store->is_segment_wanted = store->is_segment_wanted || is_short;
    if (is_news) {
        nq_cond_broadcast(&store->keeper_cond);
    }
    nq_mutex_unlock(&store->keeper_mutex);
}

void nq__keeper_want_checkpoint(nq_store *store) {
    nq_mutex_lock(&store->keeper_mutex);
    store->is_checkpoint_wanted = true;
    nq_cond_broadcast(&store->keeper_cond);
    nq_mutex_unlock(&store->keeper_mutex);
}

/* Sleeps unless asked to stop; the keeper's lock is held. */
static void nap(nq_store *store, int64_t duration_ns) {
    int64_t until = nq_clock_monotonic_ns() + duration_ns;
    while (!store->is_stopping &&
           nq_cond_wait_until(&store->keeper_cond, &store->keeper_mutex, until)) {
    }
}

static void run_checkpointer(void *argument) {
    nq_store *store = argument;
    nq_mutex_lock(&store->keeper_mutex);
    while (!store->is_stopping) {
        if (!store->is_checkpoint_wanted) {
            nq_cond_wait(&store->keeper_cond, &store->keeper_mutex);
            continue;
        }
        nq_mutex_unlock(&store->keeper_mutex);
        nq_ctx ctx;
        nq_ctx_init(&ctx, NULL);
        nq_status status = nq_store_checkpoint(&ctx, store, NULL);
        nq_mutex_lock(&store->keeper_mutex);
        store->is_checkpoint_wanted = false;
        if (status != NQ_OK) {
            nap(store, retry_ns);
        }
    }
    nq_mutex_unlock(&store->keeper_mutex);
}

static void add_segment(nq_store *store) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    if (nq_log_wants_segment(store->log) && nq_log_add_segment(&ctx, store->log) != NQ_OK) {
        return; /* the commit that needs it will say why there is none */
    }
}

static void sync_log(nq_store *store) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    if (nq_log_sync(&ctx, store->log, nq_log_end(store->log)) != NQ_OK) {
        nq__store_fail(store, &ctx);
    }
}

/* Adds segments at once, and syncs lazy commits when the first of them has waited long enough. */
static void run_syncer(void *argument) {
    nq_store *store = argument;
    int64_t sync_at = INT64_MAX;
    nq_mutex_lock(&store->keeper_mutex);
    while (!store->is_stopping) {
        int64_t now = nq_clock_monotonic_ns();
        if (store->is_sync_wanted && sync_at == INT64_MAX) {
            sync_at = now + (int64_t)store->options.lazy_sync_ms * 1000000;
        }
        bool is_segment_wanted = store->is_segment_wanted;
        if (!is_segment_wanted && now < sync_at) {
            nq_cond_wait_until(&store->keeper_cond, &store->keeper_mutex, sync_at);
            continue;
        }
        store->is_segment_wanted = false;
        bool is_sync_due = now >= sync_at;
        if (is_sync_due) {
            store->is_sync_wanted = false;
            sync_at = INT64_MAX;
        }
        nq_mutex_unlock(&store->keeper_mutex);
        if (is_segment_wanted) {
            add_segment(store);
        }
        if (is_sync_due) {
            sync_log(store);
        }
        nq_mutex_lock(&store->keeper_mutex);
    }
    nq_mutex_unlock(&store->keeper_mutex);
}

nq_status nq__keeper_start(nq_ctx *ctx, nq_store *store) {
    if (store->options.is_manual) {
        return NQ_OK;
    }
    NQ_TRY(nq_thread_start(ctx, &store->checkpointer, "nq-checkpoint", run_checkpointer, store));
    store->has_checkpointer = true;
    NQ_TRY(nq_thread_start(ctx, &store->syncer, "nq-log-sync", run_syncer, store));
    store->has_syncer = true;
    return NQ_OK;
}

void nq__keeper_stop(nq_store *store) {
    nq_mutex_lock(&store->keeper_mutex);
    store->is_stopping = true;
    nq_cond_broadcast(&store->keeper_cond);
    nq_mutex_unlock(&store->keeper_mutex);
    if (store->has_checkpointer) {
        nq_thread_join(&store->checkpointer);
    }
    if (store->has_syncer) {
        nq_thread_join(&store->syncer);
    }
}
