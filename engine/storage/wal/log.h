/* Log: the write-ahead log — append records, hand them to a sink, make them durable together, read
 * them back, recycle.
 *
 * The log is one endless run of bytes addressed by LSN. Records gather in a buffer until somebody
 * needs them written: then the buffer is sealed as one group and goes to the sink while the next
 * one fills. Whoever needs records durable first becomes the leader and syncs for all who wait
 * (greedy group commit: no timer, the device sets the pace).
 *
 * After a failed write or sync the log refuses everything: the kernel may have dropped the pages,
 * and only recovery knows what the disk holds. */
#ifndef NQ_STORAGE_WAL_LOG_H
#define NQ_STORAGE_WAL_LOG_H

#include "engine/ground/base/ctx.h"
#include "engine/storage/wal/log_archive.h"
#include "engine/storage/wal/log_sink.h"
#include "engine/storage/wal/record.h"

typedef struct nq_log nq_log;

typedef struct nq_log_options {
    nq_log_sink *sink;       /* of the groups; the log's own from now on, whatever open returns */
    uint64_t salt;           /* of the store: another store's log never verifies */
    uint32_t run;            /* that wrote the checkpoint */
    nq_log_archive *archive; /* borrowed; NULL: none */
    uint64_t archive_bytes_max; /* of log that may await it */
} nq_log_options;

/* Opens for reading from `start`, a checkpoint's position. */
nq_status nq_log_open(nq_ctx *ctx, const nq_log_options *options, nq_lsn start, nq_log **out_log);

/* Before nq_log_start: the next record and the position behind it, borrowed until the next call;
 * *out_is_end at the end of the log. Fails with NQ_LOG_CORRUPT, naming file, offset and what was
 * expected, when a group is broken that a later one says was durable. */
nq_status nq_log_read(nq_ctx *ctx, nq_log *log, nq_log_record *out_record, nq_lsn *out_end,
                      bool *out_is_end);

/* Before nq_log_start, instead of it: makes `end` the log's end, durably — where it was opened, if
 * nothing was read, or behind the record that was read last. What follows is gone from every copy.
 * The log can then only be closed, and opened anew. */
nq_status nq_log_cut(nq_ctx *ctx, nq_log *log, nq_lsn end);

/* After the last record was read: cuts what lies behind (*out_cut_bytes of an unfinished write),
 * makes everything read durable, and begins a new run with a durable NQ_RECORD_START. From here on
 * the log is appended to. */
nq_status nq_log_start(nq_ctx *ctx, nq_log *log, uint64_t *out_cut_bytes);

/* Writes out and syncs what was appended, unless the log has failed, and lets go. */
void nq_log_close(nq_log *log);

/* Sees to it that records of `bytes` together, each of at most `record_bytes_max`, can be appended
 * without asking for memory or disk space, so that a lack of either (NQ_MEMORY_LIMIT, NQ_DISK_FULL)
 * is met before a transaction is half in the log. Good for the next appends of the same turn. */
nq_status nq_log_reserve(nq_ctx *ctx, nq_log *log, uint64_t bytes, size_t record_bytes_max);

/* Whether less than half a segment of room is left; and making one more, which takes a while and
 * had better be done in the background than by the next commit. */
bool nq_log_wants_segment(nq_log *log);
nq_status nq_log_add_segment(nq_ctx *ctx, nq_log *log);

/* Appends reserved records, at least one, and returns the position behind them. Appenders take
 * turns outside. May write out a full buffer. A failure means that the log has failed. */
nq_status nq_log_append(nq_ctx *ctx, nq_log *log, const nq_log_record *records, uint32_t count,
                        nq_lsn *out_end);

/* Returns when the sink has everything before `lsn`: the end of the process no longer matters. */
nq_status nq_log_write(nq_ctx *ctx, nq_log *log, nq_lsn lsn);

/* Returns when everything before `lsn` is durable: nor does a power cut. */
nq_status nq_log_sync(nq_ctx *ctx, nq_log *log, nq_lsn lsn);

/* Everything before is durable / was appended. The durable end is a multiple of the block. */
nq_lsn nq_log_durable_end(nq_log *log);
nq_lsn nq_log_end(nq_log *log);

/* What a checkpoint must give to the nq_log_open that reads on from it. */
uint32_t nq_log_run(const nq_log *log);

/* The log is not needed before `lsn`: segments wholly before it, and archived if there is an
 * archive, become room, as long as the room behind the end is less than `spare_bytes`; the others
 * are removed.
 */
nq_status nq_log_recycle(nq_ctx *ctx, nq_log *log, nq_lsn lsn, uint64_t spare_bytes);

/* Gives all room behind the end's segment up: nobody will append any more. */
nq_status nq_log_trim(nq_ctx *ctx, nq_log *log);

/* Whether there is a full, durable segment that the archive has not taken; and offering it the
 * oldest, which may take long. A failure is the archive's; the segment will be offered again. */
bool nq_log_wants_archive(nq_log *log);
nq_status nq_log_archive_next(nq_ctx *ctx, nq_log *log);

/* Fails with NQ_DISK_FULL while more than `archive_bytes_max` of log await the archive: for what
 * would add to it. */
nq_status nq_log_check_archive(nq_ctx *ctx, nq_log *log);

/* Why the log refuses, or NQ_OK. Once set it stays. */
nq_status nq_log_health(const nq_log *log);

typedef struct nq_log_stats {
    uint64_t bytes_written;
    uint64_t bytes_appended; /* of records */
    uint64_t syncs;
    nq_lsn written_end;        /* the sink has everything before */
    uint64_t unarchived_bytes; /* that await the archive, the segment being filled included */
    uint64_t archive_failures;
    bool is_archive_refusing; /* it did not take what it was offered last */
    bool has_copy;            /* the log is kept twice, */
    bool is_copy_lost;        /* or was: the copy's device has failed since */
} nq_log_stats;
void nq_log_get_stats(nq_log *log, nq_log_stats *out_stats);

/* What its buffers hold of the heap; a commit larger than any before makes it more. */
uint64_t nq_log_memory_bytes(const nq_log *log);

#endif
