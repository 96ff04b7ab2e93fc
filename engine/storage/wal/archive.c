/* Archive: offering full, durable segments, and holding the log up when too many await it. */
#include "engine/ground/base/logger.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/wal/log_archive.h"
#include "engine/storage/wal/log_internal.h"

bool nq_log_wants_archive(nq_log *log) {
    return log->archive != NULL && atomic_load(&log->durable_end) >=
                                       atomic_load(&log->archived_end) + log->sink->segment_bytes;
}

/* With the archive's turn. */
static nq_status offer(nq_ctx *ctx, nq_log *log) {
    uint64_t first = atomic_load(&log->archived_end);
    uint64_t bytes = log->sink->segment_bytes;
    const nq_log_segment_view segment = {
        .sink = log->sink, .number = first / bytes, .first = {first}, .bytes = bytes};
    nq_status status = nq_log_archive_take(ctx, log->archive, &segment);
    bool is_news = log->is_archive_refusing != (status != NQ_OK);
    log->is_archive_refusing = status != NQ_OK;
    if (status == NQ_OK) {
        atomic_store(&log->archived_end, first + bytes);
        if (is_news) {
            NQ_LOG(NQ_LEVEL_INFO, "the log's archive takes segments again",
                   NQ_FIELD("segment", segment.number));
        }
        return NQ_OK;
    }
    if (is_news) {
        NQ_LOG(NQ_LEVEL_ERROR, "the log's archive refuses a segment: the log is kept meanwhile",
               NQ_FIELD("segment", segment.number), NQ_FIELD("reason", ctx->error.message));
    }
    atomic_fetch_add(&log->archive_failures, 1);
    nq_mutex_lock(&log->mutex);
    log->archive_error = ctx->error;
    nq_mutex_unlock(&log->mutex);
    return status;
}

nq_status nq_log_archive_next(nq_ctx *ctx, nq_log *log) {
    if (!nq_log_wants_archive(log)) {
        return NQ_OK;
    }
    nq_status status = NQ_OK;
    nq_mutex_lock(&log->archive_mutex);
    if (nq_log_wants_archive(log)) { /* still */
        status = offer(ctx, log);
    }
    nq_mutex_unlock(&log->archive_mutex);
    return status;
}

uint64_t nq__log_unarchived_bytes(nq_log *log) {
    if (log->archive == NULL) {
        return 0;
    }
    return atomic_load(&log->written_end) - atomic_load(&log->archived_end);
}

nq_status nq_log_check_archive(nq_ctx *ctx, nq_log *log) {
    uint64_t waiting = nq__log_unarchived_bytes(log);
    if (waiting <= log->archive_bytes_max) {
        return NQ_OK;
    }
    nq_mutex_lock(&log->mutex);
    nq_status status = nq_fail(
        ctx, NQ_DISK_FULL, "%llu bytes of log await the archive, at most %llu may; it said: %s",
        (unsigned long long)waiting, (unsigned long long)log->archive_bytes_max,
        log->archive_error.code == NQ_OK ? "nothing yet" : log->archive_error.message);
    nq_mutex_unlock(&log->mutex);
    return status;
}

nq_lsn nq__log_recyclable_end(nq_log *log, nq_lsn needed) {
    if (log->archive == NULL || NQ_HAS_BUG(ARCHIVE_SKIPPED)) {
        return needed;
    }
    uint64_t archived = atomic_load(&log->archived_end);
    return archived < needed.value ? (nq_lsn){archived} : needed;
}
