/* Read: the log from a checkpoint to its end, for recovery.
 *
 * A group stands where the one before ends or, if that was synced, on the next block; one there
 * that follows it leaves no doubt, for a group between would be the one it follows. The log ends
 * where neither place holds a whole group that follows. That is where a crash interrupted a write —
 * or where bytes have rotted. Each group says how far the log was durable when it was written (L2):
 * if one further on says that the missing one was, it is damage, and cutting there would silently
 * drop acknowledged transactions. */
#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/wal/log_internal.h"

enum {
    WINDOW_BYTES = 1 << 20,
    NEAR_BYTES = 4 << 20, /* looked through behind the last group seen, several full groups, */
    FAR_BYTES = 64 << 10, /* and of each segment further on */
};

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

/* Brings [lsn, lsn + size), which must be room, into a copy's window, with what follows up to
 * `window_bytes`. */
static nq_status fetch(nq_ctx *ctx, nq_log *log, uint32_t copy, nq_lsn lsn, size_t size,
                       size_t window_bytes, const uint8_t **out_bytes) {
    nq_log_window *window = &log->reader.windows[copy];
    bool is_there =
        lsn.value >= window->lsn.value && lsn.value + size <= window->lsn.value + window->size;
    if (!is_there) {
        uint64_t left = room_end(log) - lsn.value;
        size_t wanted = size < window_bytes ? window_bytes : size;
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
    NQ_TRY(fetch(ctx, log, copy, lsn, NQ_LOG_GROUP_HEADER_BYTES, WINDOW_BYTES, &bytes));
    if (!nq_log_group_decode(bytes, lsn, log->salt, out_group)) {
        return NQ_OK;
    }
    size_t size = NQ_LOG_GROUP_HEADER_BYTES + (size_t)out_group->payload_bytes;
    log->reader.cut_bytes = size;
    if (size > left) {
        return NQ_OK;
    }
    NQ_TRY(fetch(ctx, log, copy, lsn, size, WINDOW_BYTES, &bytes));
    nq_bytes payload =
        nq_bytes_of(bytes + NQ_LOG_GROUP_HEADER_BYTES, size - NQ_LOG_GROUP_HEADER_BYTES);
    if (nq_log_group_is_valid(out_group, payload, log->salt)) {
        *out_payload = payload.data;
    }
    return NQ_OK;
}

/* Whether a group is the one that comes next: it follows the last one, of which the first of all
 * may know nothing, and is of the same run or the next. */
static bool is_successor(const nq_log *log, const nq_log_group *group) {
    bool is_in_line = log->previous.value == 0 || group->previous.value == log->previous.value;
    return is_in_line && group->run - log->reader.run <= 1;
}

/* Puts the group right in the copies that do not hold it. */
static nq_status repair_copies(nq_ctx *ctx, nq_log *log, const bool *is_held) {
    const nq_log_reader *reader = &log->reader;
    for (uint32_t copy = 0; copy < log->sink->copy_count; copy++) {
        if (!is_held[copy]) {
            NQ_TRY(nq_log_sink_repair(ctx, log->sink, copy, reader->group.lsn,
                                      reader->payload - NQ_LOG_GROUP_HEADER_BYTES,
                                      NQ_LOG_GROUP_HEADER_BYTES + reader->group.payload_bytes));
        }
    }
    return NQ_OK;
}

/* The next group if it stands at `lsn`, whole in one copy at least; *out_is_whole is false when it
 * does not. Of two runs' groups the later one counts: damage may have brought back what a recovery
 * has cut. */
static nq_status read_group_at(nq_ctx *ctx, nq_log *log, nq_lsn lsn, bool *out_is_whole) {
    nq_log_reader *reader = &log->reader;
    nq_log_group groups[NQ_LOG_COPIES_MAX];
    const uint8_t *payloads[NQ_LOG_COPIES_MAX];
    const nq_log_group *best = NULL;
    for (uint32_t copy = 0; copy < log->sink->copy_count; copy++) {
        NQ_TRY(load_group(ctx, log, copy, lsn, &groups[copy], &payloads[copy]));
        bool is_whole = payloads[copy] != NULL && is_successor(log, &groups[copy]);
        if (is_whole && (best == NULL || best->run < groups[copy].run)) {
            best = &groups[copy];
            reader->payload = payloads[copy];
        }
        payloads[copy] = is_whole ? payloads[copy] : NULL;
    }
    *out_is_whole = best != NULL;
    if (best == NULL) {
        return NQ_OK;
    }
    reader->group = *best;
    bool is_held[NQ_LOG_COPIES_MAX];
    for (uint32_t copy = 0; copy < log->sink->copy_count; copy++) {
        is_held[copy] = payloads[copy] != NULL && groups[copy].run == best->run;
    }
    return repair_copies(ctx, log, is_held);
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

/* Where to look next, behind a block at `lsn`, when nothing is expected from `near_end` on. */
static uint64_t next_block(const nq_log *log, uint64_t lsn, uint64_t near_end) {
    uint64_t next = lsn + NQ_LOG_BLOCK_BYTES;
    uint64_t segment_bytes = log->sink->segment_bytes;
    bool is_far = next >= near_end && next % segment_bytes >= FAR_BYTES;
    return is_far ? next - next % segment_bytes + segment_bytes : next;
}

/* Fails if a group further on shows that the missing one was durable. Then all between the two was
 * durable as well: where nothing but damage hides them, groups stand close. So the search goes on
 * as long as it sees any, and ends some way behind the last; should damage have taken all that is
 * near, the starts of later segments may still tell. Every open does this: it must not read all the
 * room that waits to be written. */
static nq_status refuse_if_durable(nq_ctx *ctx, nq_log *log, uint32_t copy, nq_lsn missing) {
    uint64_t end = NQ_HAS_BUG(BROKEN_LOG_CUT) ? 0 : room_end(log);
    uint64_t near_end = missing.value + nq_log_block_align(log->reader.cut_bytes) + NEAR_BYTES;
    for (nq_lsn lsn = missing; lsn.value + NQ_LOG_GROUP_HEADER_BYTES <= end;
         lsn.value = next_block(log, lsn.value, near_end)) {
        const uint8_t *bytes;
        nq_log_group group;
        size_t window_bytes = lsn.value < near_end ? WINDOW_BYTES : FAR_BYTES;
        NQ_TRY(fetch(ctx, log, copy, lsn, NQ_LOG_GROUP_HEADER_BYTES, window_bytes, &bytes));
        if (!nq_log_group_decode(bytes, lsn, log->salt, &group)) {
            continue;
        }
        if (is_witness(log, &group, missing)) {
            return fail_broken(ctx, log, copy, missing, &group);
        }
        near_end = lsn.value + nq_log_block_align(group.payload_bytes) + NEAR_BYTES;
    }
    return NQ_OK;
}

/* Moves on to the next group; *out_is_end when there is none. */
static nq_status next_group(nq_ctx *ctx, nq_log *log, bool *out_is_end) {
    nq_log_reader *reader = &log->reader;
    nq_lsn beside = {nq_log_group_align(reader->end.value)};
    nq_lsn behind = {nq_log_block_align(reader->end.value)};
    bool is_whole;
    NQ_TRY(read_group_at(ctx, log, behind, &is_whole));
    if (!is_whole && beside.value != behind.value) {
        NQ_TRY(read_group_at(ctx, log, beside, &is_whole));
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
    reader->run = reader->group.run;
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
    nq_log_key key = nq_log_key_of(log->salt, reader->group.run);
    bool is_valid = nq_record_decode(rest, lsn, key, out_record, &size);
    NQ_ASSERT(is_valid || NQ_HAS_BUG(GROUP_NOT_VALIDATED)); /* the group was valid */
    if (!is_valid) {
        return nq_fail(ctx, NQ_LOG_CORRUPT, "a log record is broken at %llu",
                       (unsigned long long)lsn.value);
    }
    reader->payload_offset += size;
    out_end->value = lsn.value + size;
    return NQ_OK;
}
