/* Read: the log from a checkpoint to its end, for recovery.
 *
 * The log ends at the first group that is not whole. That is where a crash interrupted a write — or
 * where bytes have rotted. Only one group is ever in flight (L2), so if any valid group stands
 * further on, the broken one had been synced: it is damage, and cutting there would silently drop
 * acknowledged transactions. */
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/wal/log_internal.h"

enum { SCAN_BYTES = 64 * NQ_LOG_BLOCK_BYTES };

/* Looks for a group behind a broken one. */
static nq_status refuse_if_followed(nq_ctx *ctx, nq_log *log, uint64_t segments_end) {
    uint8_t *bytes = nq_heap_alloc(SCAN_BYTES);
    if (bytes == NULL) {
        return nq_fail_no_memory(ctx, "reading the log");
    }
    nq_status status = NQ_OK;
    nq_lsn lsn = {log->read_end.value + NQ_LOG_BLOCK_BYTES};
    while (lsn.value < segments_end && status == NQ_OK && !NQ_HAS_BUG(BROKEN_LOG_CUT)) {
        uint64_t left = segments_end - lsn.value;
        size_t size = left < SCAN_BYTES ? (size_t)left : SCAN_BYTES;
        status = nq__log_bytes_read(ctx, log, lsn, bytes, size);
        for (size_t at = 0; at < size && status == NQ_OK; at += NQ_LOG_BLOCK_BYTES) {
            nq_log_group group;
            if (nq_log_group_decode(bytes + at, (nq_lsn){lsn.value + at}, log->salt, &group)) {
                status = nq_fail(ctx, NQ_LOG_CORRUPT,
                                 "the log in %s is broken at %llu (segment %llu, offset %llu), and "
                                 "goes on at %llu",
                                 log->directory, (unsigned long long)log->read_end.value,
                                 (unsigned long long)(log->read_end.value / log->segment_bytes),
                                 (unsigned long long)(log->read_end.value % log->segment_bytes),
                                 (unsigned long long)(lsn.value + at));
            }
        }
        lsn.value += size;
    }
    nq_heap_free(bytes);
    return status;
}

static nq_status reserve_payload(nq_ctx *ctx, nq_log *log, size_t bytes) {
    if (bytes <= log->payload_capacity) {
        return NQ_OK;
    }
    uint8_t *payload = nq_heap_realloc(log->payload, bytes);
    if (payload == NULL) {
        return nq_fail_no_memory(ctx, "reading the log");
    }
    log->payload = payload;
    log->payload_capacity = bytes;
    return NQ_OK;
}

/* Reads the group at read_end; *out_is_end when none stands there. */
static nq_status read_group(nq_ctx *ctx, nq_log *log, bool *out_is_end) {
    *out_is_end = true;
    uint64_t segments_end = nq__log_segments_end(log);
    if (log->read_end.value >= segments_end) {
        return NQ_OK;
    }
    nq_log_group group;
    uint8_t header[NQ_LOG_GROUP_HEADER_BYTES];
    NQ_TRY(nq__log_bytes_read(ctx, log, log->read_end, header, sizeof header));
    bool is_whole = nq_log_group_decode(header, log->read_end, log->salt, &group);
    uint64_t bytes = NQ_LOG_GROUP_HEADER_BYTES + (uint64_t)group.payload_bytes;
    if (is_whole) {
        log->cut_bytes = bytes;
        is_whole = bytes <= segments_end - log->read_end.value;
    }
    if (is_whole) {
        NQ_TRY(reserve_payload(ctx, log, group.payload_bytes));
        nq_lsn lsn = {log->read_end.value + NQ_LOG_GROUP_HEADER_BYTES};
        NQ_TRY(nq__log_bytes_read(ctx, log, lsn, log->payload, group.payload_bytes));
        is_whole = nq_log_group_is_valid(&group, nq_bytes_of(log->payload, group.payload_bytes),
                                         log->salt);
    }
    if (!is_whole) {
        return refuse_if_followed(ctx, log, segments_end);
    }
    if (log->previous.value != 0 && group.previous.value != log->previous.value) {
        return nq_fail(ctx, NQ_LOG_CORRUPT, "the log in %s skips from %llu to %llu", log->directory,
                       (unsigned long long)log->previous.value,
                       (unsigned long long)group.lsn.value);
    }
    *out_is_end = false;
    log->cut_bytes = 0;
    log->group = group;
    log->payload_offset = 0;
    log->previous = group.lsn;
    log->read_end.value += nq_log_block_align(bytes);
    return NQ_OK;
}

nq_status nq_log_read(nq_ctx *ctx, nq_log *log, nq_log_record *out_record, nq_lsn *out_end,
                      bool *out_is_end) {
    *out_is_end = false;
    *out_end = (nq_lsn){0};
    *out_record = (nq_log_record){0};
    while (log->payload_offset == log->group.payload_bytes) {
        NQ_TRY(read_group(ctx, log, out_is_end));
        if (*out_is_end) {
            return NQ_OK;
        }
    }
    nq_lsn lsn = {log->group.lsn.value + NQ_LOG_GROUP_HEADER_BYTES + log->payload_offset};
    nq_bytes rest = nq_bytes_of(log->payload + log->payload_offset,
                                log->group.payload_bytes - log->payload_offset);
    size_t size;
    if (!nq_record_decode(rest, lsn, log->salt, out_record, &size)) {
        return nq_fail(ctx, NQ_LOG_CORRUPT, "a log record changed while it was read");
    }
    log->payload_offset += size;
    out_end->value = lsn.value + size;
    return NQ_OK;
}
