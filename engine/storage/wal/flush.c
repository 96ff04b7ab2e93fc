/* Flush: sealing the buffer as a group, writing it, and syncing for all who wait.
 *
 *            append              seal (with the pen)             write              sync (leader)
 *   records --------> active buffer ----------> sealed buffer ---------> the sink ----------->
 * durable ^                                       |
 *                          +--------- the other buffer, empty <----+
 *
 * Writing needs the pen and is short; it goes on beside a sync. The leader is whoever needs a sync
 * while nobody leads one; the others sleep on the parity of the sync that their records will be in.
 * When a sync ends one sleeper of the next is woken first, to lead it, then all whose records are
 * durable. None of them takes a lock when it wakes. */
#include "engine/ground/base/assert.h"
#include "engine/storage/wal/log_internal.h"

/* ---- Writing ---- */

static bool is_empty(const nq_log_buffer *buffer) {
    return buffer->size == NQ_LOG_GROUP_HEADER_BYTES;
}

/* How much of a sealed buffer is to be written. A block is written whole the first time, filled up
 * with zeros, so that the kernel need not read it for its rest; groups that follow in it are
 * written as they are. */
static size_t fill_up(nq_log *log, nq_log_buffer *buffer) {
    uint64_t end = buffer->lsn.value + buffer->size;
    if (end <= log->filled_end.value) {
        return buffer->size;
    }
    log->filled_end.value = nq_log_block_align(end);
    size_t bytes = (size_t)(log->filled_end.value - buffer->lsn.value);
    memset(buffer->bytes + buffer->size, 0, bytes - buffer->size);
    return bytes;
}

/* Makes the active buffer a group and lets the other one fill. Returns how much is to be written.
 */
static size_t seal(nq_log *log, bool is_last_of_block) {
    nq_log_buffer *buffer = &log->buffers[log->active];
    uint64_t end = buffer->lsn.value + buffer->size;
    nq_log_group group = {
        .lsn = buffer->lsn,
        .previous = log->previous,
        .run = log->run,
        .payload_bytes = (uint32_t)(buffer->size - NQ_LOG_GROUP_HEADER_BYTES),
        .record_count = buffer->record_count,
        .unsynced_bytes = (uint32_t)(buffer->lsn.value - atomic_load(&log->durable_end)),
    };
    nq_log_group_encode(&group, log->salt, buffer->bytes);
    log->previous = buffer->lsn;
    log->active ^= 1;
    nq_log_buffer *next = &log->buffers[log->active];
    next->lsn.value = is_last_of_block ? nq_log_block_align(end) : nq_log_group_align(end);
    next->size = NQ_LOG_GROUP_HEADER_BYTES;
    next->record_count = 0;
    return fill_up(log, buffer);
}

/* Writes the active buffer out. The pen and the mutex are held on entry and return; the mutex is
 * not in between. */
static nq_status write_active(nq_ctx *ctx, nq_log *log, bool is_last_of_block) {
    nq_log_buffer *buffer = &log->buffers[log->active];
    if (log->failure.code != NQ_OK) {
        return nq__log_refuse(ctx, log); /* L4 */
    }
    if (is_empty(buffer)) {
        buffer->lsn.value =
            is_last_of_block ? nq_log_block_align(buffer->lsn.value) : buffer->lsn.value;
        return NQ_OK;
    }
    size_t bytes = seal(log, is_last_of_block);
    nq_lsn end = log->buffers[log->active].lsn;
    nq_mutex_unlock(&log->mutex);
    /* Reserved long ago, unless an unusual number of flushes has cut the log into small groups. */
    nq_status status = nq_log_sink_extend(ctx, log->sink, (nq_lsn){end.value + 1}); /* L7 */
    if (status == NQ_OK) {
        status = nq_log_sink_write(ctx, log->sink, buffer->lsn, buffer->bytes, bytes);
    }
    nq_mutex_lock(&log->mutex);
    if (status != NQ_OK) {
        nq__log_fail(log, ctx);
        return status;
    }
    atomic_store(&log->written_end, end.value);
    log->bytes_written += bytes;
    return NQ_OK;
}

/* Whether the log with the active buffer is longer than should go without a sync. */
static bool is_far(const nq_log *log) {
    const nq_log_buffer *buffer = &log->buffers[log->active];
    return buffer->lsn.value + buffer->size >=
           atomic_load(&log->durable_end) + NQ__LOG_UNSYNCED_BYTES_MAX;
}

nq_status nq_log_write(nq_ctx *ctx, nq_log *log, nq_lsn lsn) {
    if (atomic_load(&log->written_end) >= lsn.value) {
        return NQ_OK;
    }
    nq_status status = NQ_OK;
    nq_mutex_lock(&log->pen);
    nq_mutex_lock(&log->mutex);
    bool is_written = atomic_load(&log->written_end) >= lsn.value; /* meanwhile, by another */
    bool must_sync = !is_written && is_far(log);
    if (!is_written && !must_sync) {
        status = write_active(ctx, log, false);
    }
    nq_mutex_unlock(&log->mutex);
    nq_mutex_unlock(&log->pen);
    return must_sync ? nq_log_sync(ctx, log, lsn) : status;
}

/* ---- Syncing ---- */

static nq_status write_for_sync(nq_ctx *ctx, nq_log *log) {
    nq_mutex_lock(&log->pen);
    nq_mutex_lock(&log->mutex);
    nq_status status = write_active(ctx, log, true); /* L1 */
    log->sync_end = log->buffers[log->active].lsn;
    nq_mutex_unlock(&log->mutex);
    nq_mutex_unlock(&log->pen);
    return status;
}

/* The mutex is held on entry and not on return. */
static void finish_sync(nq_ctx *ctx, nq_log *log, nq_status status) {
    nq_eventcount *waiting = &log->synced[log->sync_number % 2];
    nq_eventcount *next = &log->synced[(log->sync_number + 1) % 2];
    log->is_syncing = false;
    log->sync_number++;
    if (status == NQ_OK) {
        atomic_store(&log->durable_end, log->sync_end.value); /* L3 */
        log->syncs++;
    } else {
        nq__log_fail(log, ctx); /* L4 */
    }
    nq_mutex_unlock(&log->mutex);
    if (status == NQ_OK) {
        nq_eventcount_notify_one(next);
    } else {
        nq_eventcount_notify_all(next);
    }
    nq_eventcount_notify_all(waiting);
}

/* Writes and syncs everything appended so far. The mutex is held on entry and not on return, and
 * nobody else leads. */
static nq_status lead_sync(nq_ctx *ctx, nq_log *log) {
    log->is_syncing = true;
    log->sync_end.value = UINT64_MAX; /* whatever is appended until the buffer is sealed is in it */
    nq_mutex_unlock(&log->mutex);
    nq_lsn from = nq_log_durable_end(log);
    nq_status status = write_for_sync(ctx, log);
    if (status == NQ_OK) {
        status = nq_log_sink_sync(ctx, log->sink, from, log->sync_end);
    }
    nq_mutex_lock(&log->mutex);
    finish_sync(ctx, log, status);
    return status;
}

/* Sleeps until the sync that `lsn` is in ends, or its turn to lead comes. The mutex is held on
 * entry and not on return. */
static void await_sync(nq_log *log, nq_lsn lsn) {
    uint64_t number = log->sync_number + (lsn.value <= log->sync_end.value ? 0 : 1);
    nq_eventcount *event = &log->synced[number % 2];
    nq_eventcount_key key = nq_eventcount_prepare(event);
    nq_mutex_unlock(&log->mutex);
    nq_eventcount_wait(event, key);
}

nq_status nq_log_sync(nq_ctx *ctx, nq_log *log, nq_lsn lsn) {
    nq_status status = NQ_OK;
    while (status == NQ_OK && atomic_load(&log->durable_end) < lsn.value) {
        nq_mutex_lock(&log->mutex);
        if (log->failure.code != NQ_OK) {
            status = nq__log_refuse(ctx, log);
            nq_mutex_unlock(&log->mutex);
        } else if (log->is_syncing) {
            await_sync(log, lsn);
        } else if (log->end.value <= atomic_load(&log->durable_end)) {
            nq_mutex_unlock(&log->mutex);
            break; /* nothing was appended behind the durable end */
        } else {
            status = lead_sync(ctx, log);
        }
    }
    return status;
}
