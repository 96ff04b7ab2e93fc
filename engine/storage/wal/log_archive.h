/* Log archive: who takes a copy of the log before it is used again — for backups, and for going
 * back to a point in time.
 *
 * Every full, durable segment is offered, in ascending order, by one thread at a time. One that is
 * not taken is kept and offered again; until then nothing of it is recycled. After a restart the
 * segments still kept are offered once more, so taking the same one twice must do no harm. */
#ifndef NQ_STORAGE_WAL_LOG_ARCHIVE_H
#define NQ_STORAGE_WAL_LOG_ARCHIVE_H

#include "engine/ground/base/ctx.h"
#include "engine/storage/wal/log_sink.h"

typedef struct nq_log_archive nq_log_archive;

/* One segment: the log's bytes [first, first + bytes). Valid during the call it is given to. */
typedef struct nq_log_segment_view {
    nq_log_sink *sink;
    uint64_t number;
    nq_lsn first;
    uint64_t bytes;
} nq_log_segment_view;

/* Reads [offset, offset + size) of it. */
static inline nq_status nq_log_segment_view_read(nq_ctx *ctx, const nq_log_segment_view *segment,
                                                 uint64_t offset, uint8_t *out_bytes, size_t size) {
    nq_lsn lsn = {segment->first.value + offset};
    return nq_log_sink_read(ctx, segment->sink, 0, lsn, out_bytes, size);
}

/* What an implementation fills. An nq_log_archive is the first member of its own struct. */
typedef struct nq_log_archive_vtable {
    /* Called once before anything is offered, with the salt by which the store's log is told from
     * others' and the size of all its segments. A failure fails the opening of the store. NULL:
     * takes whatever comes. */
    nq_status (*begin)(nq_ctx *ctx, nq_log_archive *archive, uint64_t salt, uint64_t segment_bytes);
    /* Returns NQ_OK once the archive's own copy is durable. Any failure means: not taken. It may
     * take its time, but should obey the context's cancellation. */
    nq_status (*take)(nq_ctx *ctx, nq_log_archive *archive, const nq_log_segment_view *segment);
} nq_log_archive_vtable;

struct nq_log_archive {
    const nq_log_archive_vtable *vtable;
};

static inline nq_status nq_log_archive_begin(nq_ctx *ctx, nq_log_archive *archive, uint64_t salt,
                                             uint64_t segment_bytes) {
    return archive->vtable->begin == NULL
               ? NQ_OK
               : archive->vtable->begin(ctx, archive, salt, segment_bytes);
}

static inline nq_status nq_log_archive_take(nq_ctx *ctx, nq_log_archive *archive,
                                            const nq_log_segment_view *segment) {
    return archive->vtable->take(ctx, archive, segment);
}

#endif
