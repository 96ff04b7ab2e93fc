/* Log mirror: see the header.
 *
 * M1 While one sink has bytes that are not synced, the other has none.
 * M2 Before `copied_end` the second sink holds durably what the first does; before `synced_end` the
 *    first is durable. The first is written only while both are equal, or since they were.
 * M3 Once the copy is lost nothing is written to it any more, and M1 and M2 hold no longer. */
#include "engine/storage/wal/log_mirror.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/base/logger.h"
#include "engine/ground/os/mutex.h"
#include "engine/storage/page/bug.h"

enum { COPY_BYTES = 1 << 18 };

typedef struct mirror {
    nq_log_sink sink;
    nq_log_sink *sinks[2];
    nq_mutex turn;   /* held during I/O; guards what follows */
    bool is_written; /* at recovery: one of them, `written`, holds bytes that are not synced */
    uint32_t written;
    nq_lsn repaired_from; /* what those bytes lie between */
    nq_lsn repaired_to;
    nq_lsn synced_end;
    nq_lsn copied_end;
    uint8_t *buffer; /* COPY_BYTES */
} mirror;

static mirror *of(nq_log_sink *sink) {
    return (mirror *)sink;
}

/* ---- The copy's end ---- */

static bool is_lost(const mirror *m) {
    return atomic_load(&m->sink.is_copy_lost);
}

/* M3. Whoever is told first says so. */
static void lose_copy(mirror *m, const nq_ctx *failed) {
    if (atomic_exchange(&m->sink.is_copy_lost, true)) {
        return;
    }
    NQ_LOG(NQ_LEVEL_ERROR, "the log's second copy is lost: going on with one",
           NQ_FIELD("reason", failed->error.message));
}

/* What the second sink said about room: a lack of it is met by whoever asked, before anything is
 * written; anything else is the device's end. */
static nq_status judge_room(nq_ctx *ctx, mirror *m, nq_status status) {
    if (status == NQ_OK || status == NQ_DISK_FULL || status == NQ_MEMORY_LIMIT) {
        return status;
    }
    lose_copy(m, ctx);
    return NQ_OK;
}

/* ---- Writing: under the turn ---- */

/* Copies what only the first sink has, which is at rest then. Fails only when that fails. */
static nq_status catch_up(nq_ctx *ctx, mirror *m) {
    nq_lsn from = m->copied_end;
    nq_ctx copying;
    nq_ctx_init(&copying, NULL);
    nq_status status = NQ_OK;
    if (from.value == m->synced_end.value || is_lost(m)) {
        return NQ_OK;
    }
    for (nq_lsn lsn = from; lsn.value < m->synced_end.value && status == NQ_OK;
         lsn.value += COPY_BYTES) {
        uint64_t left = m->synced_end.value - lsn.value;
        size_t size = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
        NQ_TRY(nq_log_sink_read(ctx, m->sinks[0], 0, lsn, m->buffer, size));
        status = nq_log_sink_write(&copying, m->sinks[1], lsn, m->buffer, size);
    }
    if (status == NQ_OK && !NQ_HAS_BUG(LOG_COPY_NOT_SYNCED)) {
        status = nq_log_sink_sync(&copying, m->sinks[1], from, m->synced_end); /* M1 */
    }
    if (status != NQ_OK) {
        lose_copy(m, &copying);
        return NQ_OK;
    }
    m->copied_end = m->synced_end;
    return NQ_OK;
}

static nq_status write_bytes(nq_ctx *ctx, nq_log_sink *sink, nq_lsn lsn, const uint8_t *bytes,
                             size_t size) {
    mirror *m = of(sink);
    nq_mutex_lock(&m->turn);
    nq_status status = catch_up(ctx, m);
    if (status == NQ_OK) {
        status = nq_log_sink_write(ctx, m->sinks[0], lsn, bytes, size);
    }
    nq_mutex_unlock(&m->turn);
    return status;
}

/* Makes what was repaired durable in the one sink that was. */
static nq_status sync_repaired(nq_ctx *ctx, mirror *m) {
    if (!m->is_written) {
        return NQ_OK;
    }
    m->is_written = false;
    return nq_log_sink_sync(ctx, m->sinks[m->written], m->repaired_from, m->repaired_to);
}

static nq_status repair(nq_ctx *ctx, mirror *m, uint32_t copy, nq_lsn lsn, const uint8_t *bytes,
                        size_t size) {
    if (m->is_written && m->written != copy) {
        NQ_TRY(sync_repaired(ctx, m)); /* M1 */
    }
    if (!m->is_written) {
        m->is_written = true;
        m->written = copy;
        m->repaired_from = lsn;
        m->repaired_to = lsn;
    }
    uint64_t end = lsn.value + size;
    m->repaired_from.value =
        lsn.value < m->repaired_from.value ? lsn.value : m->repaired_from.value;
    m->repaired_to.value = end > m->repaired_to.value ? end : m->repaired_to.value;
    return nq_log_sink_write(ctx, m->sinks[copy], lsn, bytes, size);
}

static nq_status repair_bytes(nq_ctx *ctx, nq_log_sink *sink, uint32_t copy, nq_lsn lsn,
                              const uint8_t *bytes, size_t size) {
    mirror *m = of(sink);
    nq_mutex_lock(&m->turn);
    nq_status status = repair(ctx, m, copy, lsn, bytes, size);
    nq_mutex_unlock(&m->turn);
    return status;
}

static nq_status start(nq_ctx *ctx, nq_log_sink *sink, nq_lsn from, nq_lsn end) {
    mirror *m = of(sink);
    nq_mutex_lock(&m->turn);
    nq_status status = sync_repaired(ctx, m);
    for (int i = 0; i < 2 && status == NQ_OK; i++) {
        status = nq_log_sink_sync(ctx, m->sinks[i], from, end);
    }
    m->synced_end = end;
    m->copied_end = end;
    nq_mutex_unlock(&m->turn);
    return status;
}

/* With the turn, for a write beside it would not be at rest when the second sink's turn comes. */
static nq_status sync_bytes(nq_ctx *ctx, nq_log_sink *sink, nq_lsn from, nq_lsn to) {
    mirror *m = of(sink);
    nq_mutex_lock(&m->turn);
    nq_status status = nq_log_sink_sync(ctx, m->sinks[0], from, to);
    if (status == NQ_OK) {
        m->synced_end = to;
    }
    nq_mutex_unlock(&m->turn);
    return status;
}

/* ---- The rest ---- */

static nq_lsn first(nq_log_sink *sink) {
    return nq_log_sink_first(of(sink)->sinks[0]);
}

static nq_lsn room_end(nq_log_sink *sink) {
    const mirror *m = of(sink);
    nq_lsn ends[2] = {nq_log_sink_room_end(m->sinks[0]), nq_log_sink_room_end(m->sinks[1])};
    return is_lost(m) || ends[0].value < ends[1].value ? ends[0] : ends[1];
}

static nq_status extend(nq_ctx *ctx, nq_log_sink *sink, nq_lsn end) {
    mirror *m = of(sink);
    NQ_TRY(nq_log_sink_extend(ctx, m->sinks[0], end));
    return is_lost(m) ? NQ_OK : judge_room(ctx, m, nq_log_sink_extend(ctx, m->sinks[1], end));
}

static nq_status read_bytes(nq_ctx *ctx, nq_log_sink *sink, uint32_t copy, nq_lsn lsn,
                            uint8_t *out_bytes, size_t size) {
    return nq_log_sink_read(ctx, of(sink)->sinks[copy], 0, lsn, out_bytes, size);
}

/* The second sink does not need what it lacks of segments that nobody needs, but it must not be
 * asked for them later. */
static nq_status recycle(nq_ctx *ctx, nq_log_sink *sink, nq_lsn needed, nq_lsn spare_end) {
    mirror *m = of(sink);
    nq_mutex_lock(&m->turn);
    nq_status status = m->copied_end.value < needed.value ? catch_up(ctx, m) : NQ_OK;
    nq_mutex_unlock(&m->turn);
    if (status == NQ_OK) {
        status = nq_log_sink_recycle(ctx, m->sinks[0], needed, spare_end);
        m->sink.is_broken = m->sinks[0]->is_broken;
    }
    if (status == NQ_OK && !is_lost(m)) {
        status = judge_room(ctx, m, nq_log_sink_recycle(ctx, m->sinks[1], needed, spare_end));
    }
    return status;
}

static nq_status trim(nq_ctx *ctx, nq_log_sink *sink, nq_lsn end) {
    mirror *m = of(sink);
    NQ_TRY(nq_log_sink_trim(ctx, m->sinks[0], end));
    return is_lost(m) ? NQ_OK : judge_room(ctx, m, nq_log_sink_trim(ctx, m->sinks[1], end));
}

static void describe(const nq_log_sink *sink, uint32_t copy, nq_lsn lsn, char *out_text,
                     size_t text_bytes) {
    nq_log_sink_describe(((const mirror *)sink)->sinks[copy], 0, lsn, out_text, text_bytes);
}

static void close_all(nq_log_sink *sink) {
    mirror *m = of(sink);
    nq_log_sink_close(m->sinks[0]);
    nq_log_sink_close(m->sinks[1]);
    nq_mutex_deinit(&m->turn);
    nq_heap_free(m->buffer);
    nq_heap_free(m);
}

static const nq_log_sink_vtable vtable = {
    .close = close_all,
    .first = first,
    .room_end = room_end,
    .extend = extend,
    .read = read_bytes,
    .write = write_bytes,
    .repair = repair_bytes,
    .start = start,
    .sync = sync_bytes,
    .recycle = recycle,
    .trim = trim,
    .describe = describe,
};

/* Gives both the same room: a crash may have come between the one's making and the other's. */
static nq_status level(nq_ctx *ctx, mirror *m) {
    NQ_TRY(nq_log_sink_extend(ctx, m->sinks[1], nq_log_sink_room_end(m->sinks[0])));
    return nq_log_sink_extend(ctx, m->sinks[0], nq_log_sink_room_end(m->sinks[1]));
}

nq_status nq_log_mirror_create(nq_ctx *ctx, nq_log_sink *first_sink, nq_log_sink *second_sink,
                               nq_log_sink **out_sink) {
    *out_sink = NULL;
    NQ_ASSERT(first_sink->segment_bytes == second_sink->segment_bytes);
    mirror *m = nq_heap_calloc(1, sizeof *m);
    uint8_t *buffer = nq_heap_alloc(COPY_BYTES);
    if (m == NULL || buffer == NULL) {
        nq_heap_free(m);
        nq_heap_free(buffer);
        nq_log_sink_close(first_sink);
        nq_log_sink_close(second_sink);
        return nq_fail_no_memory(ctx, "the log's copy");
    }
    m->sink = (nq_log_sink){
        .vtable = &vtable, .segment_bytes = first_sink->segment_bytes, .copy_count = 2};
    m->sinks[0] = first_sink;
    m->sinks[1] = second_sink;
    m->buffer = buffer;
    nq_mutex_init(&m->turn, NQ_LOCK_LOG_MIRROR);
    nq_status status = level(ctx, m);
    if (status != NQ_OK) {
        close_all(&m->sink);
        return status;
    }
    *out_sink = &m->sink;
    return NQ_OK;
}
