/* Keeper: the store's background threads — one checkpoints when enough has been logged, one syncs
 * the log for periodic commits and makes its next segment before a commit needs it, one, if there
 * is an archive, gives it the log, one has memory ready before a commit takes it, one reads the
 * data file for damage. What they cannot do they leave to the next attempt; a failed sync has
 * turned the store read-only by then. */
#include "engine/ground/os/clock.h"
#include "engine/ground/os/entropy.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/store_internal.h"

enum { NS_PER_MS = 1000000 };
static const int64_t retry_ns = INT64_C(1000000000);

static bool is_checkpoint_due(nq_store *store) {
    nq_log_stats stats;
    nq_log_get_stats(store->log, &stats);
    uint64_t appended = stats.bytes_appended - atomic_load(&store->checkpoint_log_start);
    uint64_t taken = stats.written_end.value - atomic_load(&store->checkpoint_lsn);
    /* Small durable commits fill few bytes of each block they take: a small bound is not met by
     * blocks alone, but they do not take the disk either. */
    const uint64_t taken_enough = UINT64_C(64) << 20;
    uint64_t bound = store->options.checkpoint_log_bytes;
    uint64_t taken_bound = 4 * bound < taken_enough ? 4 * bound : taken_enough;
    return appended >= bound || taken >= (taken_bound > bound ? taken_bound : bound);
}

/* ---- What commits ask for ---- */

/* A sync begins half an interval after the first commit that waits for it, which leaves as long for
 * the sync itself. Commits that find one asked for have nothing to do: the syncer forgets the time
 * first and looks how far the log goes then. */
static void notice_periodic(nq_store *store) {
    if (atomic_load(&store->sync_at_ns) != INT64_MAX) {
        return;
    }
    int64_t wait_ns = (int64_t)store->options.sync_interval_ms * NS_PER_MS / 2;
    nq_mutex_lock(&store->keeper_mutex);
    if (atomic_load(&store->sync_at_ns) == INT64_MAX) {
        atomic_store(&store->sync_at_ns, nq_clock_monotonic_ns() + wait_ns);
        nq_cond_broadcast(&store->keeper_cond);
    }
    nq_mutex_unlock(&store->keeper_mutex);
}

void nq__keeper_notice(nq_store *store, nq_durability durability) {
    if (durability == NQ_PERIODIC) {
        notice_periodic(store);
    }
    if (!store->has_checkpointer) {
        return;
    }
    bool is_due = is_checkpoint_due(store);
    bool is_short = nq_log_wants_segment(store->log);
    bool is_full = nq_log_wants_archive(store->log);
    bool is_bare = nq_pool_wants_frames(store->pool);
    if (!is_due && !is_short && !is_full && !is_bare) {
        return;
    }
    nq_mutex_lock(&store->keeper_mutex);
    bool is_news = (is_due && !store->is_log_long) || (is_short && !store->is_segment_wanted) ||
                   (is_full && !store->is_archive_wanted) || (is_bare && !store->are_frames_wanted);
    store->is_log_long = store->is_log_long || is_due;
    store->is_segment_wanted = store->is_segment_wanted || is_short;
    store->is_archive_wanted = store->is_archive_wanted || is_full;
    store->are_frames_wanted = store->are_frames_wanted || is_bare;
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

/* A checkpoint that is waited for is made by the thread that makes the others: it is the one that
 * gives way to commits. */
static nq_status ask_for_checkpoint(nq_ctx *ctx, nq_store *store,
                                    nq_checkpoint_result *out_result) {
    const nq_checkpoint_answer *answer = &store->checkpoint_answer;
    nq_mutex_lock(&store->keeper_mutex);
    uint64_t number = ++store->checkpoints_asked;
    nq_cond_broadcast(&store->keeper_cond);
    while (answer->asked < number) {
        nq_cond_wait(&store->keeper_cond, &store->keeper_mutex);
    }
    nq_status status = answer->status;
    if (status != NQ_OK) {
        ctx->error = answer->error;
    }
    *out_result = answer->result;
    nq_mutex_unlock(&store->keeper_mutex);
    return status;
}

nq_status nq_store_checkpoint(nq_ctx *ctx, nq_store *store, nq_checkpoint_result *out_result) {
    nq_checkpoint_result result;
    nq_status status = store->has_checkpointer ? ask_for_checkpoint(ctx, store, &result)
                                               : nq__checkpoint(ctx, store, &result);
    if (out_result != NULL) {
        *out_result = result;
    }
    return status;
}

/* ---- The work ---- */

static nq_status sync_if_due(nq_ctx *ctx, nq_store *store) {
    if (nq_clock_monotonic_ns() < atomic_load(&store->sync_at_ns) ||
        NQ_HAS_BUG(PERIODIC_SYNC_FORGOTTEN)) {
        return NQ_OK;
    }
    atomic_store(&store->sync_at_ns, INT64_MAX);
    nq_status status = nq_log_sync(ctx, store->log, nq_log_end(store->log));
    if (status != NQ_OK) {
        nq__store_fail(store, ctx);
    }
    return status;
}

static nq_status keep_log(nq_ctx *ctx, nq_store *store) {
    NQ_TRY(sync_if_due(ctx, store));
    return nq_log_wants_segment(store->log) ? nq_log_add_segment(ctx, store->log) : NQ_OK;
}

/* Returns what the archive said last. */
static nq_status archive_all(nq_store *store) {
    nq_status status = NQ_OK;
    while (status == NQ_OK && nq_log_wants_archive(store->log)) {
        nq_ctx ctx;
        nq_ctx_init(&ctx, NULL);
        status = nq_log_archive_next(&ctx, store->log);
    }
    return status;
}

nq_status nq_store_keep(nq_ctx *ctx, nq_store *store, int64_t *out_next_ns) {
    nq_status status = keep_log(ctx, store);
    (void)archive_all(store);
    nq_pool_add_frames(store->pool);
    *out_next_ns = atomic_load(&store->sync_at_ns);
    return status;
}

/* ---- The threads ---- */

/* Sleeps unless asked to stop; the keeper's lock is held. */
static void nap(nq_store *store, int64_t duration_ns) {
    int64_t until = nq_clock_monotonic_ns() + duration_ns;
    while (!store->is_stopping &&
           nq_cond_wait_until(&store->keeper_cond, &store->keeper_mutex, until)) {
    }
}

/* A checkpoint first makes most of the log durable: commits that find the log long meanwhile ask
 * for what it has seen to when it ends. The keeper's lock is held. */
static bool is_wanted(nq_store *store) {
    store->is_log_long = store->is_log_long && is_checkpoint_due(store);
    return store->is_checkpoint_wanted || store->is_log_long;
}

static bool is_waited_for(const nq_store *store) {
    return store->checkpoints_asked != store->checkpoint_answer.asked;
}

/* With the keeper's lock, which is let go of. Returns for how long not to try again, unless
 * somebody asks. */
static int64_t checkpoint_now(nq_store *store) {
    nq_checkpoint_answer answer = {.asked = store->checkpoints_asked};
    store->is_checkpoint_wanted = false;
    nq_mutex_unlock(&store->keeper_mutex);
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    answer.status = nq__checkpoint(&ctx, store, &answer.result);
    answer.error = ctx.error;
    bool is_more_to_do = answer.status == NQ_OK && nq_pager_wants_checkpoint(store->pager);
    nq_mutex_lock(&store->keeper_mutex);
    store->checkpoint_answer = answer;
    store->is_checkpoint_wanted = store->is_checkpoint_wanted || is_more_to_do;
    nq_cond_broadcast(&store->keeper_cond);
    return answer.status != NQ_OK || is_more_to_do ? retry_ns : 0;
}

static void run_checkpointer(void *argument) {
    nq_store *store = argument;
    int64_t not_before = 0;
    nq_thread_lower_priority();
    nq_mutex_lock(&store->keeper_mutex);
    while (!store->is_stopping) {
        if (is_waited_for(store) || (is_wanted(store) && nq_clock_monotonic_ns() >= not_before)) {
            int64_t pause_ns = checkpoint_now(store);
            not_before = nq_clock_monotonic_ns() + pause_ns;
        } else if (is_wanted(store)) {
            (void)nq_cond_wait_until(&store->keeper_cond, &store->keeper_mutex, not_before);
        } else {
            nq_cond_wait(&store->keeper_cond, &store->keeper_mutex);
        }
    }
    nq_mutex_unlock(&store->keeper_mutex);
}

/* What it cannot do is met, and said, by the commit that needs it. */
static void run_syncer(void *argument) {
    nq_store *store = argument;
    nq_mutex_lock(&store->keeper_mutex);
    while (!store->is_stopping) {
        int64_t sync_at = atomic_load(&store->sync_at_ns);
        if (!store->is_segment_wanted && nq_clock_monotonic_ns() < sync_at) {
            nq_cond_wait_until(&store->keeper_cond, &store->keeper_mutex, sync_at);
            continue;
        }
        store->is_segment_wanted = false;
        nq_mutex_unlock(&store->keeper_mutex);
        nq_ctx ctx;
        nq_ctx_init(&ctx, NULL);
        (void)keep_log(&ctx, store);
        nq_mutex_lock(&store->keeper_mutex);
    }
    nq_mutex_unlock(&store->keeper_mutex);
}

static void run_archiver(void *argument) {
    nq_store *store = argument;
    nq_mutex_lock(&store->keeper_mutex);
    while (!store->is_stopping) {
        if (!store->is_archive_wanted) {
            nq_cond_wait(&store->keeper_cond, &store->keeper_mutex);
            continue;
        }
        store->is_archive_wanted = false;
        nq_mutex_unlock(&store->keeper_mutex);
        nq_status status = archive_all(store);
        nq_mutex_lock(&store->keeper_mutex);
        if (status != NQ_OK) {
            nap(store, retry_ns);
            store->is_archive_wanted = true;
        }
    }
    nq_mutex_unlock(&store->keeper_mutex);
}

static void run_stocker(void *argument) {
    nq_store *store = argument;
    nq_mutex_lock(&store->keeper_mutex);
    while (!store->is_stopping) {
        if (!store->are_frames_wanted) {
            nq_cond_wait(&store->keeper_cond, &store->keeper_mutex);
            continue;
        }
        nq_mutex_unlock(&store->keeper_mutex);
        nq_pool_add_frames(store->pool);
        nq_mutex_lock(&store->keeper_mutex);
        store->are_frames_wanted = false;
    }
    nq_mutex_unlock(&store->keeper_mutex);
}

static uint64_t segments_used(nq_store *store) {
    nq_pager_stats stats;
    nq_pager_get_stats(store->pager, &stats);
    return stats.segments_used;
}

/* Begins anywhere: what is restarted every day still comes to all of the file in time. */
static void run_scrubber(void *argument) {
    nq_store *store = argument;
    int64_t period_ns = (int64_t)store->options.scrub_period_s * 1000000000;
    uint64_t steps = segments_used(store) + 1;
    uint32_t position = (uint32_t)(nq_entropy_u64() % steps);
    nq_thread_lower_priority();
    nq_mutex_lock(&store->keeper_mutex);
    for (;;) {
        nap(store, period_ns / (int64_t)steps);
        if (store->is_stopping) {
            break;
        }
        nq_mutex_unlock(&store->keeper_mutex);
        nq_ctx ctx;
        nq_ctx_init(&ctx, NULL);
        nq_scrub_result found = {0};
        if (nq__scrub_step(&ctx, store, &position, &found) != NQ_OK) {
            position = 0; /* why has been said; the next pass tries again */
        }
        steps = segments_used(store) + 1;
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
    if (store->options.log_archive != NULL) {
        NQ_TRY(nq_thread_start(ctx, &store->archiver, "nq-log-archive", run_archiver, store));
        store->has_archiver = true;
    }
    NQ_TRY(nq_thread_start(ctx, &store->stocker, "nq-stock", run_stocker, store));
    store->has_stocker = true;
    NQ_TRY(nq_thread_start(ctx, &store->scrubber, "nq-scrub", run_scrubber, store));
    store->has_scrubber = true;
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
    if (store->has_archiver) {
        nq_thread_join(&store->archiver);
    }
    if (store->has_stocker) {
        nq_thread_join(&store->stocker);
    }
    if (store->has_scrubber) {
        nq_thread_join(&store->scrubber);
    }
}
