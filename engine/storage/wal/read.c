/* Read: the log from a checkpoint to its end, for recovery.
 *
 * A group stands where the one before ends or, if that was synced, on the next block. The log ends
 * where neither place holds a whole group that follows it. That is where a crash interrupted a
 * write — or where bytes have rotted. Each group says how far the log was durable when it was
 * written (L2): if one further on says that the missing one was, it is damage, and cutting there
 * would silently drop acknowledged transactions. */
#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/wal/log_internal.h"

enum { WINDOW_BYTES = 1 << 20 };

static uint64_t room_end(nq_log *log) {
    return nq_log_sink_room_end(log->sink).value;
}

/* ---- Windows ---- */

static nq_status reserve_window(nq_ctx *ctx, nq_log_window *window, size_t bytes) {
    if (bytes <= window->capacity) {
        return NQ_OK;
    }
    uint8_t *room = nq_heap_realloc(window->bytes, bytes);
    if (room == NULL) {
        return nq_fail_no_memory(ctx, "reading the log");
    }
    window->bytes = room;
    window->capacity = bytes;
    return NQ_OK;
}

/* Brings [lsn, lsn + size), which must be room, into a copy's window. */
static nq_status fetch(nq_ctx *ctx, nq_log *log, uint32_t copy, nq_lsn lsn, size_t size,
                       const uint8_t **out_bytes) {
    nq_log_window *window = &log->reader.windows[copy];
    bool is_there =
        lsn.value >= window->lsn.value && lsn.value + size <= window->lsn.value + window->size;
    if (!is_there) {
        uint64_t left = room_end(log) - lsn.value;
        size_t wanted = size < WINDOW_BYTES ? WINDOW_BYTES : size;
        wanted = wanted < left ? wanted : (size_t)left;
        window->size = 0;
        NQ_TRY(reserve_window(ctx, window, wanted));
        NQ_TRY(nq_log_sink_read(ctx, log->sink, copy, lsn, window->bytes, wanted));
        window->lsn = lsn;
        window->size = wanted;
    }
    *out_bytes = window->bytes + (lsn.value - window->lsn.value);
    return NQ_OK;
}

void nq__log_reader_deinit(nq_log_reader *reader) {
    for (uint32_t copy = 0; copy < NQ_LOG_COPIES_MAX; copy++) {
        nq_heap_free(reader->windows[copy].bytes);
        reader->windows[copy] = (nq_log_window){0};
    }
}

/* ---- Groups ---- */

/* The group at a position of one copy; *out_payload is NULL unless it is whole. */
static nq_status load_group(nq_ctx *ctx, nq_log *log, uint32_t copy, nq_lsn lsn,
                            nq_log_group *out_group, const uint8_t **out_payload) {
    *out_payload = NULL;
    uint64_t left = room_end(log) - lsn.value;
    if (left < NQ_LOG_GROUP_HEADER_BYTES) {
        return NQ_OK;
    }
    const uint8_t *bytes;
    NQ_TRY(fetch(ctx, log, copy, lsn, NQ_LOG_GROUP_HEADER_BYTES, &bytes));
    if (!nq_log_group_decode(bytes, lsn, log->salt, out_group)) {
        return NQ_OK;
    }
    size_t size = NQ_LOG_GROUP_HEADER_BYTES + (size_t)out_group->payload_bytes;
    log->reader.cut_bytes = size;
    if (size > left) {
        return NQ_OK;
    }
    NQ_TRY(fetch(ctx, log, copy, lsn, size, &bytes));
    nq_bytes payload =
        nq_bytes_of(bytes + NQ_LOG_GROUP_HEADER_BYTES, size - NQ_LOG_GROUP_HEADER_BYTES);
    if (nq_log_group_is_valid(out_group, payload, log->salt)) {
        *out_payload = payload.data;
    }
    return NQ_OK;
}

/* Whether a group is the one that comes next, or may be: the first of all names no known one. */
static bool is_successor(const nq_log *log, const nq_log_group *group) {
    return log->previous.value == 0 || group->previous.value == log->previous.value;
}

/* The next group if it stands at `lsn`, from the first copy that holds it whole; *out_is_whole is
 * false when none does. */
static nq_status read_group_at(nq_ctx *ctx, nq_log *log, nq_lsn lsn, bool *out_is_whole) {
    nq_log_reader *reader = &log->reader;
    *out_is_whole = false;
    for (uint32_t copy = 0; copy < log->sink->copy_count && !*out_is_whole; copy++) {
        nq_log_group group;
        const uint8_t *payload;
        NQ_TRY(load_group(ctx, log, copy, lsn, &group, &payload));
        if (payload != NULL && is_successor(log, &group)) {
            *out_is_whole = true;
            reader->group = group;
            reader->payload = payload;
        }
    }
    return NQ_OK;
}

/* ---- The end ---- */

static nq_status fail_broken(nq_ctx *ctx, const nq_log *log, uint32_t copy, nq_lsn broken,
                             const nq_log_group *witness) {
    char place[NQ__LOG_PLACE_BYTES];
    char witness_place[NQ__LOG_PLACE_BYTES];
    nq_log_sink_describe(log->sink, 0, broken, place, sizeof place);
    nq_log_sink_describe(log->sink, copy, witness->lsn, witness_place, sizeof witness_place);
    return nq_fail(
        ctx, NQ_LOG_CORRUPT,
        "%s: expected a whole log group behind position %llu; the group at %s was written "
        "when everything before %llu was durable",
        place, (unsigned long long)log->reader.end.value, witness_place,
        (unsigned long long)nq_log_group_durable(witness).value);
}

/* Whether a group shows that what should stand at `missing`, or just before in its block, was
 * durable: either it says so, or it follows a group that it says was durable and that is not there.
 */
static bool is_witness(const nq_log *log, const nq_log_group *group, nq_lsn missing) {
    uint64_t durable = nq_log_group_durable(group).value;
    if (group->lsn.value == missing.value) {
        return durable == missing.value && !is_successor(log, group);
    }
    return durable > missing.value;
}

static nq_status refuse_if_durable(nq_ctx *ctx, nq_log *log, uint32_t copy, nq_lsn missing) {
    uint64_t end = room_end(log);
    for (nq_lsn lsn = missing;
         lsn.value + NQ_LOG_GROUP_HEADER_BYTES <= end && !NQ_HAS_BUG(BROKEN_LOG_CUT);
         lsn.value += NQ_LOG_BLOCK_BYTES) {
        const uint8_t *bytes;
        nq_log_group group;
        NQ_TRY(fetch(ctx, log, copy, lsn, NQ_LOG_GROUP_HEADER_BYTES, &bytes));
        if (nq_log_group_decode(bytes, lsn, log->salt, &group) &&
            is_witness(log, &group, missing)) {
            return fail_broken(ctx, log, copy, missing, &group);
        }
    }
    return NQ_OK;
}

/* Moves on to the next group; *out_is_end when there is none. */
static nq_status next_group(nq_ctx *ctx, nq_log *log, bool *out_is_end) {
    nq_log_reader *reader = &log->reader;
    nq_lsn beside = {nq_log_group_align(reader->end.value)};
    nq_lsn behind = {nq_log_block_align(reader->end.value)};
    bool is_whole = false;
    if (beside.value != behind.value) {
        NQ_TRY(read_group_at(ctx, log, beside, &is_whole));
    }
    if (!is_whole) {
        reader->cut_bytes = 0;
        NQ_TRY(read_group_at(ctx, log, behind, &is_whole));
    }
    *out_is_end = !is_whole;
    if (!is_whole) {
        for (uint32_t copy = 0; copy < log->sink->copy_count; copy++) {
            NQ_TRY(refuse_if_durable(ctx, log, copy, behind));
        }
        return NQ_OK;
    }
    reader->cut_bytes = 0;
    reader->payload_offset = 0;
    log->previous = reader->group.lsn;
    reader->end.value =
        reader->group.lsn.value + NQ_LOG_GROUP_HEADER_BYTES + reader->group.payload_bytes;
    return NQ_OK;
}

nq_status nq_log_read(nq_ctx *ctx, nq_log *log, nq_log_record *out_record, nq_lsn *out_end,
                      bool *out_is_end) {
    nq_log_reader *reader = &log->reader;
    *out_is_end = false;
    *out_end = (nq_lsn){0};
    *out_record = (nq_log_record){0};
    while (reader->payload_offset == reader->group.payload_bytes) {
        reader->group.payload_bytes = 0;
        reader->payload_offset = 0;
        NQ_TRY(next_group(ctx, log, out_is_end));
        if (*out_is_end) {
            reader->group.payload_bytes = 0;
            return NQ_OK;
        }
    }
    nq_lsn lsn = {reader->group.lsn.value + NQ_LOG_GROUP_HEADER_BYTES + reader->payload_offset};
    nq_bytes rest = nq_bytes_of(reader->payload + reader->payload_offset,
                                reader->group.payload_bytes - reader->payload_offset);
    size_t size;
    bool is_valid = nq_record_decode(rest, lsn, log->salt, out_record, &size);
    NQ_ASSERT(is_valid || NQ_HAS_BUG(GROUP_NOT_VALIDATED)); /* the group was valid */
    if (!is_valid) {
        return nq_fail(ctx, NQ_LOG_CORRUPT, "a log record is broken at %llu",
                       (unsigned long long)lsn.value);
    }
    reader->payload_offset += size;
    out_end->value = lsn.value + size;
    return NQ_OK;
}

/* ---- What a cut leaves behind ---- */

/* The bytes of the groups in [from, to) of one copy. */
static nq_status measure_groups(nq_ctx *ctx, nq_log *log, uint32_t copy, nq_lsn from, nq_lsn to,
                                uint64_t *out_bytes) {
    const uint8_t *bytes;
    *out_bytes = 0;
    NQ_TRY(fetch(ctx, log, copy, from, (size_t)(to.value - from.value), &bytes));
    for (nq_lsn lsn = from; lsn.value + NQ_LOG_GROUP_HEADER_BYTES <= to.value;
         lsn.value += NQ_LOG_GROUP_ALIGN) {
        nq_log_group group;
        const uint8_t *at = bytes + (lsn.value - from.value);
        if (nq_log_group_is_likely(at) && nq_log_group_decode(at, lsn, log->salt, &group)) {
            *out_bytes += NQ_LOG_GROUP_HEADER_BYTES + group.payload_bytes;
        }
    }
    return NQ_OK;
}

/* From the very end on, though the block it is in may have been synced: if a broken group starts
 * there no sync was begun between the last whole one and it, so that was not promised to survive
 * the power cut that broke this. Left alone, it might become whole when its lost sectors are
 * written with the same bytes again. */
nq_status nq__log_wipe_tail(nq_ctx *ctx, nq_log *log) {
    nq_lsn from = {nq_log_group_align(log->reader.end.value)};
    nq_lsn to = {nq_log_block_align(from.value) + NQ__LOG_UNSYNCED_BYTES_MAX + NQ_LOG_BLOCK_BYTES};
    to.value = to.value < room_end(log) ? to.value : room_end(log);
    for (uint32_t copy = 0; copy < log->sink->copy_count; copy++) {
        uint64_t bytes;
        NQ_TRY(measure_groups(ctx, log, copy, from, to, &bytes));
        if (bytes == 0 || NQ_HAS_BUG(CUT_GROUPS_LEFT)) {
            continue;
        }
        log->reader.cut_bytes = bytes > log->reader.cut_bytes ? bytes : log->reader.cut_bytes;
        nq_log_window *window = &log->reader.windows[copy];
        memset(window->bytes, 0, window->size);
        NQ_TRY(nq_log_sink_repair(ctx, log->sink, copy, from, window->bytes,
                                  (size_t)(to.value - from.value)));
        NQ_TRY(nq_log_sink_sync(ctx, log->sink, from, to));
    }
    return NQ_OK;
}
