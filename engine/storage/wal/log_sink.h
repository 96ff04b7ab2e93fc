/* Log sink: where the log's groups go.
 *
 * The log says what is written, in which order, and when it must be durable; a sink keeps the bytes
 * under their positions. Files of this machine are one (log_segment.h), two sets of them another
 * (log_mirror.h); a replicated log is one whose sync returns when enough replicas hold the bytes.
 *
 * A sink may keep copies that fail apart: the log reads a group from the first copy that holds it
 * whole, and puts the others right.
 *
 * Threads: one writes at a time, one syncs at a time, beside each other and beside all other calls.
 */
#ifndef NQ_STORAGE_WAL_LOG_SINK_H
#define NQ_STORAGE_WAL_LOG_SINK_H

#include <stdatomic.h>

#include "engine/ground/base/ctx.h"
#include "engine/storage/wal/lsn.h"

typedef struct nq_log_sink nq_log_sink;

enum { NQ_LOG_COPIES_MAX = 2 };

/* What an implementation fills. An nq_log_sink is the first member of its own struct. */
typedef struct nq_log_sink_vtable {
    void (*close)(nq_log_sink *sink);
    nq_lsn (*first)(nq_log_sink *sink);
    nq_lsn (*room_end)(nq_log_sink *sink);
    nq_status (*extend)(nq_ctx *ctx, nq_log_sink *sink, nq_lsn end);
    nq_status (*read)(nq_ctx *ctx, nq_log_sink *sink, uint32_t copy, nq_lsn lsn, uint8_t *out_bytes,
                      size_t size);
    nq_status (*write)(nq_ctx *ctx, nq_log_sink *sink, nq_lsn lsn, const uint8_t *bytes,
                       size_t size);
    nq_status (*repair)(nq_ctx *ctx, nq_log_sink *sink, uint32_t copy, nq_lsn lsn,
                        const uint8_t *bytes, size_t size);
    nq_status (*start)(nq_ctx *ctx, nq_log_sink *sink, nq_lsn from, nq_lsn end);
    nq_status (*sync)(nq_ctx *ctx, nq_log_sink *sink, nq_lsn from, nq_lsn to);
    nq_status (*recycle)(nq_ctx *ctx, nq_log_sink *sink, nq_lsn needed, nq_lsn spare_end);
    nq_status (*trim)(nq_ctx *ctx, nq_log_sink *sink, nq_lsn end);
    void (*describe)(const nq_log_sink *sink, uint32_t copy, nq_lsn lsn, char *out_text,
                     size_t text_bytes);
} nq_log_sink_vtable;

struct nq_log_sink {
    const nq_log_sink_vtable *vtable;
    uint64_t segment_bytes;   /* the unit of recycling and archiving; a multiple of the block */
    uint32_t copy_count;      /* 1 to NQ_LOG_COPIES_MAX */
    bool is_broken;           /* set with a failure after which nothing may be written any more */
    atomic_bool is_copy_lost; /* a copy has failed and is written no more; the others go on */
};

/* NULL is ignored. */
static inline void nq_log_sink_close(nq_log_sink *sink) {
    if (sink != NULL) {
        sink->vtable->close(sink);
    }
}

/* The oldest position kept. */
static inline nq_lsn nq_log_sink_first(nq_log_sink *sink) {
    return sink->vtable->first(sink);
}

/* Writes before this position need no further room. */
static inline nq_lsn nq_log_sink_room_end(nq_log_sink *sink) {
    return sink->vtable->room_end(sink);
}

/* Makes room up to `end`. Fails with NQ_DISK_FULL, NQ_MEMORY_LIMIT, NQ_IO_ERROR. */
static inline nq_status nq_log_sink_extend(nq_ctx *ctx, nq_log_sink *sink, nq_lsn end) {
    return sink->vtable->extend(ctx, sink, end);
}

/* Reads what `copy` holds at a position, whatever that is; the room there must exist. */
static inline nq_status nq_log_sink_read(nq_ctx *ctx, nq_log_sink *sink, uint32_t copy, nq_lsn lsn,
                                         uint8_t *out_bytes, size_t size) {
    return sink->vtable->read(ctx, sink, copy, lsn, out_bytes, size);
}

/* Takes the bytes; they survive the end of the process from then on, a power cut only after a
 * sync. The room must exist. */
static inline nq_status nq_log_sink_write(nq_ctx *ctx, nq_log_sink *sink, nq_lsn lsn,
                                          const uint8_t *bytes, size_t size) {
    return sink->vtable->write(ctx, sink, lsn, bytes, size);
}

/* At recovery, before start: replaces what one copy holds. */
static inline nq_status nq_log_sink_repair(nq_ctx *ctx, nq_log_sink *sink, uint32_t copy,
                                           nq_lsn lsn, const uint8_t *bytes, size_t size) {
    return sink->vtable->repair(ctx, sink, copy, lsn, bytes, size);
}

/* Ends the recovery: makes [from, end) durable in every copy. The first write will be at `end`. */
static inline nq_status nq_log_sink_start(nq_ctx *ctx, nq_log_sink *sink, nq_lsn from, nq_lsn end) {
    return sink->vtable->start(ctx, sink, from, end);
}

/* Returns when what was written to [from, to) before the call is durable. After a failure nobody
 * knows what is: the log never asks again. */
static inline nq_status nq_log_sink_sync(nq_ctx *ctx, nq_log_sink *sink, nq_lsn from, nq_lsn to) {
    return sink->vtable->sync(ctx, sink, from, to);
}

/* Segments wholly before `needed` become room for later writes, or are given up once the room
 * reaches `spare_end`. */
static inline nq_status nq_log_sink_recycle(nq_ctx *ctx, nq_log_sink *sink, nq_lsn needed,
                                            nq_lsn spare_end) {
    return sink->vtable->recycle(ctx, sink, needed, spare_end);
}

/* Gives up the segments of room behind the one that `end` is in. Nobody writes meanwhile. */
static inline nq_status nq_log_sink_trim(nq_ctx *ctx, nq_log_sink *sink, nq_lsn end) {
    return sink->vtable->trim(ctx, sink, end);
}

/* Says in words where a copy keeps a position: the file and the offset. */
static inline void nq_log_sink_describe(const nq_log_sink *sink, uint32_t copy, nq_lsn lsn,
                                        char *out_text, size_t text_bytes) {
    sink->vtable->describe(sink, copy, lsn, out_text, text_bytes);
}

#endif
