/* Log segment: the log as files of this machine, each of one size and named by its number.
 *
 * A segment's space is its own before it is used. If the log is synced often it is also written
 * full of zeros, because a sync after overwriting a block costs half of what it does after writing
 * one for the first time; if it is synced seldom that would not make up for writing everything
 * twice. One that is no longer needed gets the next free number instead of being removed.
 * docs/format/log.md names the files. */
#ifndef NQ_STORAGE_WAL_LOG_SEGMENT_H
#define NQ_STORAGE_WAL_LOG_SEGMENT_H

#include "engine/ground/os/vfs.h"
#include "engine/storage/wal/log_sink.h"

typedef struct nq_log_segment_options {
    nq_vfs *vfs;
    const char *directory; /* of the files; exists */
    uint32_t segment_bytes;
} nq_log_segment_options;

/* Makes the segment of `start`, durably. Fails with NQ_FILE_FOREIGN when the directory already
 * holds a log that was used. */
nq_status nq_log_segments_create(nq_ctx *ctx, const nq_log_segment_options *options, nq_lsn start);

/* Opens the segment of `start` and all that stand beside it without a gap; older ones are removed.
 * Fails with NQ_LOG_CORRUPT when one from `start` on is missing, NQ_FILE_FOREIGN when one has
 * another size. */
nq_status nq_log_segments_open(nq_ctx *ctx, const nq_log_segment_options *options, nq_lsn start,
                               nq_log_sink **out_sink);

/* The same of a copy of the log (log_mirror.h): one in which a segment is missing is made anew, for
 * the log to fill. */
nq_status nq_log_segments_open_copy(nq_ctx *ctx, const nq_log_segment_options *options,
                                    nq_lsn start, nq_log_sink **out_sink);

#endif
