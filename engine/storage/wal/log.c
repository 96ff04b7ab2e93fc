/* Log: appending and group commit.
 *
 *            append              seal (leader)                    write and sync
 *   records --------> active buffer ----------> buffer in flight ----------------> durable
 *                          ^                                                         |
 *                          +--------- the other buffer, empty <----------------------+
 *
 * The leader is whoever needs a sync while nobody is flushing; the others sleep on the condition of
 * the group their records are in. When a flush ends its group wakes as one, and one sleeper of the
 * next group is woken to lead it. Invariants L1 to L5: log_internal.h. */
#include "engine/storage/wal/log.h"

#include <stdio.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/wal/log_internal.h"

/* ---- Failure ---- */

void nq__log_fail(nq_log *log, const nq_ctx *ctx) {
    nq_mutex_lock(&log->mutex);
    if (log->failure.code == NQ_OK) {
        log->failure = ctx->error;
        atomic_store(&log->health, (uint32_t)ctx->error.code);
    }
    nq_mutex_unlock(&log->mutex);
}

nq_status nq_log_health(const nq_log *log) {
    return (nq_status)atomic_load(&log->health);
}

static nq_status fail_as_failed(nq_ctx *ctx, const nq_log *log) {
    return nq_fail(ctx, NQ_READ_ONLY_DATABASE, "the log failed earlier: %s", log->failure.message);
}

/* ---- Life ---- */

static void destroy(nq_log *log) {
    nq__log_segments_close(log);
    nq_heap_free(log->buffers[0].bytes);
    nq_heap_free(log->buffers[1].bytes);
    nq_heap_free(log->payload);
    nq_cond_deinit(&log->flushed[0]);
    nq_cond_deinit(&log->flushed[1]);
    nq_mutex_deinit(&log->mutex);
    nq_mutex_deinit(&log->segment_mutex);
    nq_mutex_deinit(&log->maker_mutex);
    nq_heap_free(log);
}

nq_status nq_log_open(nq_ctx *ctx, const nq_log_options *options, nq_lsn start, nq_log **out_log) {
    *out_log = NULL;
    NQ_ASSERT(options->segment_bytes % NQ_LOG_BLOCK_BYTES == 0 && options->segment_bytes != 0);
    nq_log *log = nq_heap_calloc(1, sizeof *log);
    if (log == NULL) {
        return nq_fail_no_memory(ctx, "the log");
    }
    log->vfs = options->vfs;
    log->salt = options->salt;
    log->segment_bytes = options->segment_bytes;
    log->read_end = start;
    nq_mutex_init(&log->mutex, NQ_LOCK_LOG);
    nq_mutex_init(&log->segment_mutex, NQ_LOCK_LOG_SEGMENTS);
    nq_mutex_init(&log->maker_mutex, NQ_LOCK_LOG_MAKER);
    nq_cond_init(&log->flushed[0]);
    nq_cond_init(&log->flushed[1]);
    nq_status status = NQ_OK;
    if ((size_t)snprintf(log->directory, sizeof log->directory, "%s", options->directory) >=
        sizeof log->directory) {
        status = nq_fail(ctx, NQ_INVALID_ARGUMENT, "the data directory's path is too long");
    }
    if (status == NQ_OK && start.value % NQ_LOG_BLOCK_BYTES != 0) {
        status = nq_fail(ctx, NQ_LOG_CORRUPT, "the log cannot start at %llu",
                         (unsigned long long)start.value);
    }
    if (status == NQ_OK) {
        status = nq__log_segments_open(ctx, log, start);
    }
    if (status != NQ_OK) {
        destroy(log);
        return status;
    }
    *out_log = log;
    return NQ_OK;
}

nq_status nq_log_start(nq_ctx *ctx, nq_log *log, uint64_t *out_cut_bytes) {
    *out_cut_bytes = log->cut_bytes;
    NQ_ASSERT(!log->is_started);
    for (int i = 0; i < 2; i++) {
        log->buffers[i].capacity = NQ__LOG_BUFFER_BYTES;
        log->buffers[i].size = NQ_LOG_GROUP_HEADER_BYTES;
        log->buffers[i].bytes = nq_heap_alloc(NQ__LOG_BUFFER_BYTES);
        if (log->buffers[i].bytes == NULL) {
            return nq_fail_no_memory(ctx, "the log's buffers");
        }
    }
    nq_heap_free(log->payload);
    log->payload = NULL;
    log->payload_capacity = 0;
    log->buffers[log->active].lsn = log->read_end;
    log->end = log->read_end;
    atomic_store(&log->durable_end, log->read_end.value);
    log->is_started = true;
    /* What was read may so far only be in the kernel's memory. */
    uint64_t first = log->segments[0].number * log->segment_bytes;
    return nq__log_bytes_sync(ctx, log, (nq_lsn){first}, (size_t)(log->read_end.value - first));
}

void nq_log_close(nq_log *log) {
    if (log == NULL) {
        return;
    }
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    if (log->is_started && nq_log_sync(&ctx, log, nq_log_end(log)) != NQ_OK) {
        /* The log has failed; the next open recovers what is durable. */
    }
    destroy(log);
}

/* ---- Group commit ---- */

static bool is_empty(const nq_log_buffer *buffer) {
    return buffer->size == NQ_LOG_GROUP_HEADER_BYTES;
}

/* Seals the active buffer as a group and lets the other one fill. Returns the group's bytes. */
static size_t seal(nq_log *log) {
    nq_log_buffer *buffer = &log->buffers[log->active];
    nq_log_group group = {
        .lsn = buffer->lsn,
        .previous = log->previous,
        .payload_bytes = (uint32_t)(buffer->size - NQ_LOG_GROUP_HEADER_BYTES),
        .record_count = buffer->record_count,
    };
    nq_log_group_encode(&group, log->salt, buffer->bytes);
    size_t bytes = (size_t)nq_log_block_align(buffer->size); /* L1 */
    memset(buffer->bytes + buffer->size, 0, bytes - buffer->size);
    log->active ^= 1;
    nq_log_buffer *next = &log->buffers[log->active];
    next->lsn.value = buffer->lsn.value + bytes;
    next->size = NQ_LOG_GROUP_HEADER_BYTES;
    next->record_count = 0;
    log->batch++;
    return bytes;
}

/* Writes out the active buffer. The mutex is held on entry and return, nobody is flushing (L2), and
 * the buffer is not empty. */
static nq_status flush(nq_ctx *ctx, nq_log *log) {
    const nq_log_buffer *buffer = &log->buffers[log->active];
    uint64_t batch = log->batch;
    size_t bytes = seal(log);
    log->is_flushing = true;
    nq_mutex_unlock(&log->mutex);
    /* Reserved long ago, unless an unusual number of flushes has cut the log into small groups. */
    nq_status status = nq__log_segments_extend(ctx, log, (nq_lsn){buffer->lsn.value + bytes});
    if (status == NQ_OK) {
        status = nq__log_bytes_write(ctx, log, buffer->lsn, buffer->bytes, bytes);
    }
    if (status == NQ_OK) {
        status = nq__log_bytes_sync(ctx, log, buffer->lsn, bytes);
    }
    nq_mutex_lock(&log->mutex);
    log->is_flushing = false;
    if (status == NQ_OK) {
        atomic_store(&log->durable_end, buffer->lsn.value + bytes); /* L3 */
        log->previous = buffer->lsn;
        log->bytes_written += bytes;
        log->syncs++;
        nq_cond_signal(&log->flushed[(batch + 1) % 2]);
    } else {
        log->failure = ctx->error; /* L4 */
        atomic_store(&log->health, (uint32_t)status);
        nq_cond_broadcast(&log->flushed[(batch + 1) % 2]);
    }
    nq_cond_broadcast(&log->flushed[batch % 2]);
    return status;
}

nq_status nq_log_sync(nq_ctx *ctx, nq_log *log, nq_lsn lsn) {
    nq_status status = NQ_OK;
    nq_mutex_lock(&log->mutex);
    while (atomic_load(&log->durable_end) < lsn.value) {
        if (log->failure.code != NQ_OK) {
            status = fail_as_failed(ctx, log);
            break;
        }
        if (log->is_flushing) {
            bool is_in_flight = lsn.value <= log->buffers[log->active].lsn.value;
            uint64_t batch = is_in_flight ? log->batch - 1 : log->batch;
            nq_cond_wait(&log->flushed[batch % 2], &log->mutex);
            continue;
        }
        if (is_empty(&log->buffers[log->active])) {
            break; /* nothing was appended after the durable end */
        }
        status = flush(ctx, log);
        if (status != NQ_OK) {
            break;
        }
    }
    nq_mutex_unlock(&log->mutex);
    return status;
}

/* ---- Appending ---- */

/* Grows or shrinks an idle buffer. Only growing can fail. */
static nq_status resize_buffer(nq_ctx *ctx, nq_log_buffer *buffer, size_t capacity) {
    if (buffer->capacity == capacity || buffer->size > capacity) {
        return NQ_OK;
    }
    uint8_t *bytes = nq_heap_realloc(buffer->bytes, capacity);
    if (bytes == NULL) {
        return capacity < buffer->capacity ? NQ_OK : nq_fail_no_memory(ctx, "the log's buffers");
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return NQ_OK;
}

nq_status nq_log_reserve(nq_ctx *ctx, nq_log *log, uint64_t bytes, size_t record_bytes_max) {
    size_t capacity = (size_t)nq_log_block_align(NQ_LOG_GROUP_HEADER_BYTES + record_bytes_max);
    capacity = capacity < NQ__LOG_BUFFER_BYTES ? NQ__LOG_BUFFER_BYTES : capacity;
    nq_status status = NQ_OK;
    nq_mutex_lock(&log->mutex);
    if (log->failure.code != NQ_OK) {
        status = fail_as_failed(ctx, log);
    }
    for (uint32_t i = 0; i < 2 && status == NQ_OK; i++) {
        nq_log_buffer *buffer = &log->buffers[i];
        while (buffer->capacity != capacity && i != log->active && log->is_flushing) {
            nq_cond_wait(&log->flushed[(log->batch - 1) % 2], &log->mutex);
        }
        status = resize_buffer(ctx, buffer, capacity);
    }
    /* Two consecutive groups fill a buffer, each with a header and padding. */
    uint64_t group_count = 2 * bytes / NQ__LOG_BUFFER_BYTES + 4;
    nq_lsn end = {nq_log_block_align(log->end.value) + bytes +
                  group_count * (NQ_LOG_BLOCK_BYTES + NQ_LOG_GROUP_HEADER_BYTES)};
    nq_mutex_unlock(&log->mutex);
    return status == NQ_OK ? nq__log_segments_extend(ctx, log, end) : status;
}

bool nq_log_wants_segment(nq_log *log) {
    return atomic_load(&log->durable_end) + log->segment_bytes / 2 >
           atomic_load(&log->segments_end);
}

nq_status nq_log_add_segment(nq_ctx *ctx, nq_log *log) {
    return nq__log_segments_extend(ctx, log, (nq_lsn){nq__log_segments_end(log) + 1});
}

/* Makes the active buffer empty. */
static nq_status flush_active(nq_ctx *ctx, nq_log *log) {
    while (log->is_flushing) {
        nq_cond_wait(&log->flushed[(log->batch - 1) % 2], &log->mutex);
    }
    if (log->failure.code != NQ_OK) {
        return fail_as_failed(ctx, log);
    }
    return is_empty(&log->buffers[log->active]) ? NQ_OK : flush(ctx, log);
}

nq_status nq_log_append(nq_ctx *ctx, nq_log *log, const nq_log_record *record, nq_lsn *out_end) {
    *out_end = (nq_lsn){0};
    size_t bytes = nq_record_bytes(record);
    nq_status status = NQ_OK;
    nq_mutex_lock(&log->mutex);
    if (log->failure.code != NQ_OK) {
        status = fail_as_failed(ctx, log);
    } else if (log->buffers[log->active].size + bytes > log->buffers[log->active].capacity) {
        status = flush_active(ctx, log);
    }
    if (status == NQ_OK) {
        nq_log_buffer *buffer = &log->buffers[log->active];
        NQ_ASSERT(buffer->size + bytes <= buffer->capacity);
        nq_lsn lsn = {buffer->lsn.value + buffer->size};
        nq_record_encode(record, lsn, log->salt, buffer->bytes + buffer->size);
        buffer->size += bytes;
        buffer->record_count++;
        log->end.value = lsn.value + bytes;
        log->bytes_appended += bytes;
        *out_end = log->end;
    }
    nq_mutex_unlock(&log->mutex);
    return status;
}

/* ---- Questions ---- */

nq_lsn nq_log_durable_end(nq_log *log) {
    return (nq_lsn){atomic_load(&log->durable_end)};
}

nq_lsn nq_log_end(nq_log *log) {
    nq_mutex_lock(&log->mutex);
    nq_lsn end = log->end;
    nq_mutex_unlock(&log->mutex);
    return end;
}

void nq_log_get_stats(nq_log *log, nq_log_stats *out_stats) {
    *out_stats = (nq_log_stats){.bytes_written = atomic_load(&log->bytes_written),
                                .bytes_appended = atomic_load(&log->bytes_appended),
                                .syncs = atomic_load(&log->syncs)};
}
