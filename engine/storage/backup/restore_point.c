/* Restore, the point: where the log is to end. */
#include <inttypes.h>

#include "engine/storage/backup/restore_internal.h"
#include "engine/storage/wal/log.h"
#include "engine/storage/wal/log_segment.h"

static nq_status open_log(nq_ctx *ctx, const nq__restore *restore, nq_log **out_log) {
    const nq_log_segment_options segments = {.vfs = restore->vfs,
                                             .directory = restore->log_directory,
                                             .segment_bytes = restore->root.log_segment_bytes};
    nq_log_options options = {.salt = restore->root.log_salt, .run = restore->root.log_run};
    nq_lsn start = {restore->root.lsn};
    NQ_TRY(nq_log_segments_open(ctx, &segments, start, &options.sink));
    return nq_log_open(ctx, &options, start, out_log);
}

static bool is_wanted(const nq_restore_options *options, const nq_log_record *commit, nq_lsn end) {
    return (options->until.value == 0 || end.value <= options->until.value) &&
           commit->time_us <= options->until_us;
}

/* Finds the last commit that is wanted, into the result; *out_end is behind it. */
static nq_status find_point(nq_ctx *ctx, nq__restore *restore, nq_log *log, nq_lsn *out_end) {
    nq_restore_result *result = restore->result;
    *out_end = (nq_lsn){restore->root.lsn};
    for (;;) {
        nq_log_record record;
        nq_lsn end;
        bool is_end;
        NQ_TRY(nq_log_read(ctx, log, &record, &end, &is_end));
        if (is_end) {
            return NQ_OK;
        }
        if (record.kind != NQ_RECORD_COMMIT) {
            continue;
        }
        if (!is_wanted(restore->options, &record, end)) {
            result->is_cut = true;
            return NQ_OK;
        }
        result->time_us = record.time_us;
        result->lsn = end;
        *out_end = end;
    }
}

/* The log ends without a commit that is not wanted: is that all there was? */
static nq_status check_complete(nq_ctx *ctx, const nq__restore *restore) {
    const nq_restore_options *options = restore->options;
    if (restore->has_gap) {
        ctx->error = restore->gap;
        return restore->gap.code;
    }
    if (options->until.value > restore->result->lsn.value) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT,
                       "the log ends at position %" PRIu64 ", before %" PRIu64,
                       restore->result->lsn.value, options->until.value);
    }
    return NQ_OK;
}

static nq_status cut_at(nq_ctx *ctx, nq_log *log, nq_lsn point) {
    nq_lsn end = {0};
    while (end.value < point.value) {
        nq_log_record record;
        bool is_end;
        NQ_TRY(nq_log_read(ctx, log, &record, &end, &is_end));
        if (is_end) {
            return nq_fail(ctx, NQ_LOG_CORRUPT, "the log was read to %" PRIu64 " and then was not",
                           point.value);
        }
    }
    return nq_log_cut(ctx, log, point);
}

nq_status nq__restore_cut_log(nq_ctx *ctx, nq__restore *restore) {
    const nq_restore_options *options = restore->options;
    nq_lsn point;
    nq_log *log;
    if (options->until.value != 0 && options->until.value < restore->root.lsn) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT,
                       "the base copy holds everything up to position %" PRIu64
                       ", later than %" PRIu64 ": take an older one",
                       restore->root.lsn, options->until.value);
    }
    NQ_TRY(open_log(ctx, restore, &log));
    nq_status status = find_point(ctx, restore, log, &point);
    nq_log_close(log);
    NQ_TRY(status);
    if (!restore->result->is_cut) {
        return check_complete(ctx, restore);
    }
    NQ_TRY(open_log(ctx, restore, &log));
    status =
        point.value == restore->root.lsn ? nq_log_cut(ctx, log, point) : cut_at(ctx, log, point);
    nq_log_close(log);
    return status;
}
