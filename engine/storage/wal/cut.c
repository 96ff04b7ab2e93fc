/* Cut: a log that is to end before its end, for going back to a point in time. */
#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/wal/log_internal.h"

enum { ZERO_BYTES = 1 << 18 };

/* How much of the group's payload lies before `end`, and in how many records. */
static size_t payload_before(const nq_log *log, nq_lsn end, uint32_t *out_count) {
    const nq_log_reader *reader = &log->reader;
    const nq_log_group *group = &reader->group;
    nq_log_key key = nq_log_key_of(log->salt, group->run);
    size_t offset = 0;
    *out_count = 0;
    while (group->lsn.value + NQ_LOG_GROUP_HEADER_BYTES + offset < end.value) {
        nq_lsn lsn = {group->lsn.value + NQ_LOG_GROUP_HEADER_BYTES + offset};
        nq_bytes rest = nq_bytes_of(reader->payload + offset, group->payload_bytes - offset);
        nq_log_record record;
        size_t size;
        bool is_valid = nq_record_decode(rest, lsn, key, &record, &size);
        NQ_ASSERT(is_valid); /* it was read */
        offset += size;
        (*out_count)++;
    }
    return offset;
}

/* The group that was read last ends at `end`; its records stay what they are. */
static nq_status shorten_group(nq_ctx *ctx, nq_log *log, nq_lsn end) {
    nq_log_group group = log->reader.group;
    group.payload_bytes = (uint32_t)payload_before(log, end, &group.record_count);
    NQ_ASSERT(group.lsn.value + NQ_LOG_GROUP_HEADER_BYTES + group.payload_bytes == end.value);
    uint8_t header[NQ_LOG_GROUP_HEADER_BYTES];
    nq_log_group_encode(&group, log->salt, header);
    for (uint32_t copy = 0; copy < log->sink->copy_count; copy++) {
        NQ_TRY(nq_log_sink_repair(ctx, log->sink, copy, group.lsn, header, sizeof header));
    }
    return NQ_OK;
}

/* Nothing behind says any more that it was durable. */
static nq_status wipe(nq_ctx *ctx, nq_log *log, nq_lsn from) {
    uint64_t end = nq_log_sink_room_end(log->sink).value;
    uint8_t *zeros = nq_heap_calloc(1, ZERO_BYTES);
    if (zeros == NULL) {
        return nq_fail_no_memory(ctx, "cutting the log");
    }
    nq_status status = NQ_OK;
    for (uint32_t copy = 0; copy < log->sink->copy_count; copy++) {
        for (uint64_t at = from.value; at < end && status == NQ_OK; at += ZERO_BYTES) {
            size_t size = end - at < ZERO_BYTES ? (size_t)(end - at) : ZERO_BYTES;
            status = nq_log_sink_repair(ctx, log->sink, copy, (nq_lsn){at}, zeros, size);
        }
    }
    nq_heap_free(zeros);
    return status;
}

nq_status nq_log_cut(nq_ctx *ctx, nq_log *log, nq_lsn end) {
    NQ_ASSERT(!log->is_started);
    if (end.value != log->reader.start.value) {
        NQ_TRY(shorten_group(ctx, log, end));
    }
    NQ_TRY(wipe(ctx, log, end));
    return nq_log_sink_start(ctx, log->sink, log->reader.start, nq_log_sink_room_end(log->sink));
}
