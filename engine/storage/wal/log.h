/* Log: the write-ahead log — append records, make them durable together, read them back, recycle.
 *
 * The log is one endless run of bytes addressed by LSN, cut into segment files of equal size named
 * by their number. Records gather in a buffer; whoever needs one durable first becomes the leader,
 * seals the buffer and writes and syncs it as one group while the next buffer fills (greedy group
 * commit: no timer, the device sets the pace). Only one group is ever in flight, so a valid group
 * proves that all before it were durable — that is how a torn tail is told from a broken middle.
 *
 * After a failed write or sync the log refuses everything: the kernel may have dropped the pages,
 * and only recovery knows what the disk holds. */
#ifndef NQ_STORAGE_WAL_LOG_H
#define NQ_STORAGE_WAL_LOG_H

#include "engine/ground/base/ctx.h"
#include "engine/ground/os/vfs.h"
#include "engine/storage/wal/record.h"

typedef struct nq_log nq_log;

typedef struct nq_log_options {
    nq_vfs *vfs;
    const char *directory; /* of the segment files; exists */
    uint64_t salt;
    uint32_t segment_bytes; /* multiple of NQ_LOG_BLOCK_BYTES */
} nq_log_options;

/* Makes the first segment of a new store durable. Fails with NQ_FILE_FOREIGN when the directory
 * already holds a log that was used. */
nq_status nq_log_create(nq_ctx *ctx, const nq_log_options *options);

/* Opens for reading from `start`, a checkpoint's position. Fails with NQ_LOG_CORRUPT when its
 * segment is missing, NQ_FILE_FOREIGN when a segment has another size. */
nq_status nq_log_open(nq_ctx *ctx, const nq_log_options *options, nq_lsn start, nq_log **out_log);

/* Before nq_log_start: the next record and the position behind it, borrowed until the next call;
 * *out_is_end at the end of the log. Fails with NQ_LOG_CORRUPT when a broken group has a valid one
 * behind it. */
nq_status nq_log_read(nq_ctx *ctx, nq_log *log, nq_log_record *out_record, nq_lsn *out_end,
                      bool *out_is_end);

/* After the last record was read: cuts what lies behind (*out_cut_bytes of an unfinished write) and
 * makes everything read durable. From here on the log is appended to. */
nq_status nq_log_start(nq_ctx *ctx, nq_log *log, uint64_t *out_cut_bytes);

/* Writes out and syncs what was appended, unless the log has failed, and lets go. */
void nq_log_close(nq_log *log);

/* Sees to it that records of `bytes` together, each of at most `record_bytes_max`, can be appended
 * without asking for memory or disk space, so that a lack of either (NQ_MEMORY_LIMIT, NQ_DISK_FULL)
 * is met before a transaction is half in the log. Good for the next appends of the same turn. */
nq_status nq_log_reserve(nq_ctx *ctx, nq_log *log, uint64_t bytes, size_t record_bytes_max);

/* Whether the last segment is more than half full; and making one more, which takes a while and had
 * better be done in the background than by the next commit. */
bool nq_log_wants_segment(nq_log *log);
nq_status nq_log_add_segment(nq_ctx *ctx, nq_log *log);

/* Appends one reserved record and returns the position behind it. Appenders take turns outside. May
 * write out a full buffer. A failure means that the log has failed. */
nq_status nq_log_append(nq_ctx *ctx, nq_log *log, const nq_log_record *record, nq_lsn *out_end);

/* Returns when everything before `lsn` is durable. */
nq_status nq_log_sync(nq_ctx *ctx, nq_log *log, nq_lsn lsn);

/* Everything before is durable / was appended. */
nq_lsn nq_log_durable_end(nq_log *log);
nq_lsn nq_log_end(nq_log *log);

/* The log is not needed before `lsn`: segments wholly before it are given new numbers and used
 * again, but for more than `spare_bytes` of them, which are removed. */
nq_status nq_log_recycle(nq_ctx *ctx, nq_log *log, nq_lsn lsn, uint64_t spare_bytes);

/* Why the log refuses, or NQ_OK. Once set it stays. */
nq_status nq_log_health(const nq_log *log);

typedef struct nq_log_stats {
    uint64_t bytes_written;  /* whole blocks */
    uint64_t bytes_appended; /* of records */
    uint64_t syncs;
} nq_log_stats;
void nq_log_get_stats(nq_log *log, nq_log_stats *out_stats);

#endif
