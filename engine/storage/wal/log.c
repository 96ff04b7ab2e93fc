/* Log: its life, and appending. Writing and syncing is flush.c's, recovery's reading read.c's.
 * Invariants L1 to L7: log_internal.h, log_segment_file.c. */
#include "engine/storage/wal/log.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/wal/log_internal.h"

/* ---- Failure ---- */

void nq__log_fail(nq_log *log, const nq_ctx *ctx) {
    if (log->failure.code == NQ_OK) {
        log->failure = ctx->error;
        atomic_store(&log->health, (uint32_t)ctx->error.code);
    }
}

nq_status nq__log_refuse(nq_ctx *ctx, const nq_log *log) {
    return nq_fail(ctx, NQ_READ_ONLY_DATABASE, "the log failed earlier: %s", log->failure.message);
}

nq_status nq_log_health(const nq_log *log) {
    return (nq_status)atomic_load(&log->health);
}

/* ---- Life ---- */

static void destroy(nq_log *log) {
    nq_log_sink_close(log->sink);
    nq_heap_free(log->buffers[0].bytes);
    nq_heap_free(log->buffers[1].bytes);
    nq__log_reader_deinit(&log->reader);
    nq_mutex_deinit(&log->mutex);
    nq_mutex_deinit(&log->pen);
    nq_mutex_deinit(&log->archive_mutex);
    nq_heap_free(log);
}

static void count_memory(nq_log *log) {
    uint64_t bytes = log->buffers[0].capacity + log->buffers[1].capacity + 2 * NQ_LOG_BLOCK_BYTES;
    atomic_store_explicit(&log->memory_bytes, bytes, memory_order_relaxed);
}

static nq_status make_buffers(nq_ctx *ctx, nq_log *log) {
    for (int i = 0; i < 2; i++) {
        nq_log_buffer *buffer = &log->buffers[i];
        buffer->capacity = NQ__LOG_BUFFER_BYTES;
        buffer->size = NQ_LOG_GROUP_HEADER_BYTES;
        buffer->bytes = nq_heap_alloc(NQ__LOG_BUFFER_BYTES + NQ_LOG_BLOCK_BYTES);
        if (buffer->bytes == NULL) {
            return nq_fail_no_memory(ctx, "the log's buffers");
        }
    }
    count_memory(log);
    return NQ_OK;
}

nq_status nq_log_open(nq_ctx *ctx, const nq_log_options *options, nq_lsn start, nq_log **out_log) {
    *out_log = NULL;
    nq_log *log = nq_heap_calloc(1, sizeof *log);
    if (log == NULL) {
        nq_log_sink_close(options->sink);
        return nq_fail_no_memory(ctx, "the log");
    }
    log->sink = options->sink;
    log->salt = options->salt;
    log->archive = options->archive;
    log->archive_bytes_max = options->archive_bytes_max;
    log->archived_end = nq_log_sink_first(log->sink).value;
    log->reader.start = start;
    log->reader.run = options->run;
    log->reader.end = start;
    nq_mutex_init(&log->archive_mutex, NQ_LOCK_LOG_ARCHIVE);
    nq_mutex_init(&log->pen, NQ_LOCK_LOG_PEN);
    nq_mutex_init(&log->mutex, NQ_LOCK_LOG);
    if (start.value % NQ_LOG_BLOCK_BYTES != 0) {
        destroy(log);
        return nq_fail(ctx, NQ_LOG_CORRUPT, "the log cannot start at %llu",
                       (unsigned long long)start.value);
    }
    nq_status status = make_buffers(ctx, log);
    if (status == NQ_OK && log->archive != NULL) {
        status = nq_log_archive_begin(ctx, log->archive, log->salt, log->sink->segment_bytes);
    }
    if (status != NQ_OK) {
        destroy(log);
        return status;
    }
    *out_log = log;
    return NQ_OK;
}

/* Durably, before anything else of the run (L6). */
static nq_status append_start(nq_ctx *ctx, nq_log *log) {
    const nq_log_record record = {.kind = NQ_RECORD_START};
    nq_lsn end;
    NQ_TRY(nq_log_append(ctx, log, &record, 1, &end));
    return NQ_HAS_BUG(START_NOT_SYNCED) ? nq_log_write(ctx, log, end) : nq_log_sync(ctx, log, end);
}

nq_status nq_log_start(nq_ctx *ctx, nq_log *log, uint64_t *out_cut_bytes) {
    NQ_ASSERT(!log->is_started);
    *out_cut_bytes = log->reader.cut_bytes;
    nq_lsn end = {nq_log_block_align(log->reader.end.value)}; /* L1 */
    NQ_TRY(
        nq_log_sink_extend(ctx, log->sink, (nq_lsn){end.value + NQ_LOG_BLOCK_BYTES + 1})); /* L7 */
    /* What was read may so far only be in the kernel's memory. */
    NQ_TRY(nq_log_sink_start(ctx, log->sink, log->reader.start, end));
    log->run = NQ_HAS_BUG(RUN_NOT_COUNTED) ? log->reader.run : log->reader.run + 1;
    log->key = nq_log_key_of(log->salt, log->run);
    log->buffers[log->active].lsn = end;
    log->end = end;
    atomic_store(&log->written_end, end.value);
    atomic_store(&log->durable_end, end.value);
    nq__log_reader_deinit(&log->reader);
    log->is_started = true;
    return append_start(ctx, log);
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

/* ---- Room ---- */

static nq_status resize_buffer(nq_ctx *ctx, nq_log_buffer *buffer, size_t capacity) {
    if (buffer->capacity == capacity || buffer->size > capacity) {
        return NQ_OK;
    }
    uint8_t *bytes = nq_heap_realloc(buffer->bytes, capacity + NQ_LOG_BLOCK_BYTES);
    if (bytes == NULL) {
        return capacity < buffer->capacity ? NQ_OK : nq_fail_no_memory(ctx, "the log's buffers");
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return NQ_OK;
}

/* With the pen, so that neither is being written. */
static nq_status resize_buffers(nq_ctx *ctx, nq_log *log, size_t capacity) {
    nq_status status = NQ_OK;
    nq_mutex_lock(&log->pen);
    nq_mutex_lock(&log->mutex);
    for (int i = 0; i < 2 && status == NQ_OK; i++) {
        status = resize_buffer(ctx, &log->buffers[i], capacity);
    }
    count_memory(log);
    nq_mutex_unlock(&log->mutex);
    nq_mutex_unlock(&log->pen);
    return status;
}

nq_status nq_log_reserve(nq_ctx *ctx, nq_log *log, uint64_t bytes, size_t record_bytes_max) {
    size_t capacity = (size_t)nq_log_block_align(NQ_LOG_GROUP_HEADER_BYTES + record_bytes_max);
    capacity = capacity < NQ__LOG_BUFFER_BYTES ? NQ__LOG_BUFFER_BYTES : capacity;
    nq_status status = NQ_OK;
    nq_mutex_lock(&log->mutex);
    if (log->failure.code != NQ_OK) {
        status = nq__log_refuse(ctx, log);
    }
    bool is_fitting = log->buffers[0].capacity == capacity && log->buffers[1].capacity == capacity;
    nq_lsn from = log->end;
    nq_mutex_unlock(&log->mutex);
    NQ_TRY(status);
    if (!is_fitting) {
        NQ_TRY(resize_buffers(ctx, log, capacity));
    }
    /* Two consecutive groups fill a buffer, each with a header and padding. */
    uint64_t group_count = 2 * bytes / NQ__LOG_BUFFER_BYTES + 4;
    nq_lsn end = {nq_log_block_align(from.value) + bytes +
                  group_count * (NQ_LOG_BLOCK_BYTES + NQ_LOG_GROUP_HEADER_BYTES)};
    return nq_log_sink_extend(ctx, log->sink, end);
}

bool nq_log_wants_segment(nq_log *log) {
    return atomic_load(&log->written_end) + log->sink->segment_bytes / 2 >
           nq_log_sink_room_end(log->sink).value;
}

nq_status nq_log_add_segment(nq_ctx *ctx, nq_log *log) {
    return nq_log_sink_extend(ctx, log->sink, (nq_lsn){nq_log_sink_room_end(log->sink).value + 1});
}

nq_status nq_log_recycle(nq_ctx *ctx, nq_log *log, nq_lsn lsn, uint64_t spare_bytes) {
    nq_lsn spare_end = {nq_log_end(log).value + spare_bytes};
    nq_lsn end = nq__log_recyclable_end(log, lsn);
    nq_status status = nq_log_sink_recycle(ctx, log->sink, end, spare_end);
    if (status != NQ_OK && log->sink->is_broken) {
        nq_mutex_lock(&log->mutex);
        nq__log_fail(log, ctx);
        nq_mutex_unlock(&log->mutex);
    }
    return status;
}

nq_status nq_log_trim(nq_ctx *ctx, nq_log *log) {
    /* The durable end is that of a block, and may be the next segment's start. */
    nq_lsn end = nq_log_end(log);
    nq_lsn durable_end = nq_log_durable_end(log);
    return nq_log_sink_trim(ctx, log->sink, durable_end.value > end.value ? durable_end : end);
}

/* ---- Appending ---- */

static bool has_room(const nq_log *log, size_t bytes) {
    const nq_log_buffer *buffer = &log->buffers[log->active];
    return buffer->size + bytes <= buffer->capacity;
}

/* Makes room for a record of the active buffer. The mutex is held on entry and return. */
static nq_status make_room(nq_ctx *ctx, nq_log *log, size_t bytes) {
    while (!has_room(log, bytes)) {
        NQ_ASSERT(log->buffers[log->active].size != NQ_LOG_GROUP_HEADER_BYTES);
        nq_lsn end = log->end;
        nq_mutex_unlock(&log->mutex);
        nq_status status = nq_log_write(ctx, log, end);
        nq_mutex_lock(&log->mutex);
        NQ_TRY(status);
    }
    return log->failure.code == NQ_OK ? NQ_OK : nq__log_refuse(ctx, log);
}

static void append(nq_log *log, const nq_log_record *record, size_t bytes) {
    nq_log_buffer *buffer = &log->buffers[log->active];
    nq_lsn lsn = {buffer->lsn.value + buffer->size};
    nq_record_encode(record, lsn, log->key, buffer->bytes + buffer->size);
    buffer->size += bytes;
    buffer->record_count++;
    log->end.value = lsn.value + bytes;
}

nq_status nq_log_append(nq_ctx *ctx, nq_log *log, const nq_log_record *records, uint32_t count,
                        nq_lsn *out_end) {
    nq_status status = NQ_OK;
    uint64_t total = 0;
    nq_mutex_lock(&log->mutex);
    for (uint32_t i = 0; i < count && status == NQ_OK; i++) {
        size_t bytes = nq_record_bytes(&records[i]);
        status = make_room(ctx, log, bytes);
        if (status == NQ_OK) {
            append(log, &records[i], bytes);
            total += bytes;
        }
    }
    log->bytes_appended += total;
    *out_end = status == NQ_OK ? log->end : (nq_lsn){0};
    nq_mutex_unlock(&log->mutex);
    return status;
}

/* ---- Questions ---- */

nq_lsn nq_log_durable_end(nq_log *log) {
    return (nq_lsn){atomic_load(&log->durable_end)};
}

uint32_t nq_log_run(const nq_log *log) {
    return log->run;
}

nq_lsn nq_log_end(nq_log *log) {
    nq_mutex_lock(&log->mutex);
    nq_lsn end = log->end;
    nq_mutex_unlock(&log->mutex);
    return end;
}

uint64_t nq_log_memory_bytes(const nq_log *log) {
    return atomic_load_explicit(&log->memory_bytes, memory_order_relaxed);
}

void nq_log_get_stats(nq_log *log, nq_log_stats *out_stats) {
    *out_stats = (nq_log_stats){.bytes_written = atomic_load(&log->bytes_written),
                                .bytes_appended = atomic_load(&log->bytes_appended),
                                .syncs = atomic_load(&log->syncs),
                                .written_end = {atomic_load(&log->written_end)},
                                .unarchived_bytes = nq__log_unarchived_bytes(log),
                                .archive_failures = atomic_load(&log->archive_failures),
                                .is_archive_refusing = atomic_load(&log->is_archive_refusing),
                                .has_copy = log->sink->copy_count > 1,
                                .is_copy_lost = atomic_load(&log->sink->is_copy_lost)};
}
