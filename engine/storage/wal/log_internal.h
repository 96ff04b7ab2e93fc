/* What the log's files share.
 *
 * L1 Groups begin at block boundaries, and a block that was synced is not written again.
 * L2 One group is in flight at a time; the next is written only after the sync of the one before
 *    returned.
 * L3 `durable_end` is moved only after that sync; nothing above it was acknowledged.
 * L4 `failure` once set is never cleared, and no write or sync begins after it.
 * L5 A segment's name is durable, and its bytes were written once, before a group goes into it. */
#ifndef NQ_STORAGE_WAL_LOG_INTERNAL_H
#define NQ_STORAGE_WAL_LOG_INTERNAL_H

#include <stdatomic.h>

#include "engine/ground/os/mutex.h"
#include "engine/storage/wal/log.h"

enum {
    NQ__LOG_PATH_BYTES = 1024,
    NQ__LOG_BUFFER_BYTES = 1 << 20, /* a group is written when its buffer is full at the latest */
};

/* A segment file: bytes [number * segment_bytes, (number + 1) * segment_bytes) of the log. */
typedef struct nq_log_segment {
    uint64_t number;
    nq_file *file;
} nq_log_segment;

/* Records on their way to the disk; room for the group's header stands in front. */
typedef struct nq_log_buffer {
    uint8_t *bytes;
    size_t capacity;
    size_t size; /* header included; NQ_LOG_GROUP_HEADER_BYTES when empty */
    nq_lsn lsn;  /* of the group it becomes */
    uint32_t record_count;
} nq_log_buffer;

struct nq_log {
    nq_vfs *vfs;
    char directory[NQ__LOG_PATH_BYTES];
    uint64_t salt;
    uint64_t segment_bytes;

    nq_mutex maker_mutex;     /* the turn of changing the files; held during I/O */
    nq_mutex segment_mutex;   /* guards the list; files stay open while they are in it */
    nq_log_segment *segments; /* ascending, without gaps */
    size_t segment_count;
    size_t segment_capacity;

    nq_mutex mutex; /* guards what follows */
    nq_log_buffer buffers[2];
    uint32_t active;    /* the buffer that fills */
    bool is_flushing;   /* the other one is being written by the leader */
    uint64_t batch;     /* groups sealed so far */
    nq_cond flushed[2]; /* by batch parity: those who wait for a batch sleep apart */
    nq_lsn previous;    /* the newest durable group */
    nq_lsn end;         /* behind the newest record appended */
    nq_error failure;
    /* Changed under the mutex, read by anybody. */
    _Atomic uint64_t durable_end;  /* an LSN */
    _Atomic uint64_t segments_end; /* an LSN; under the segments' mutex */
    _Atomic uint64_t bytes_written;
    _Atomic uint64_t bytes_appended;
    _Atomic uint64_t syncs;
    _Atomic uint32_t health; /* failure.code */

    /* Reading, before nq_log_start. */
    nq_log_group group; /* being read; payload_bytes 0: none */
    uint8_t *payload;
    size_t payload_capacity;
    size_t payload_offset;
    nq_lsn read_end;    /* behind the newest whole group, at a block boundary */
    uint64_t cut_bytes; /* of an unfinished group behind it */
    bool is_started;
};

/* Sets the failure, if there is none yet, from a context that has just failed. */
void nq__log_fail(nq_log *log, const nq_ctx *ctx);

/* ---- Segments ---- */

/* Opens every segment from the one of `start` on; removes older ones. */
nq_status nq__log_segments_open(nq_ctx *ctx, nq_log *log, nq_lsn start);
void nq__log_segments_close(nq_log *log);

/* Makes sure that segments up to `end` exist. */
nq_status nq__log_segments_extend(nq_ctx *ctx, nq_log *log, nq_lsn end);

/* Behind the last segment. */
uint64_t nq__log_segments_end(nq_log *log);

/* Reads or writes log bytes across segments; all of them must exist. Sync makes the segments that
 * hold [lsn, lsn + bytes) durable. */
nq_status nq__log_bytes_read(nq_ctx *ctx, nq_log *log, nq_lsn lsn, uint8_t *out_bytes, size_t size);
nq_status nq__log_bytes_write(nq_ctx *ctx, nq_log *log, nq_lsn lsn, const uint8_t *bytes,
                              size_t size);
nq_status nq__log_bytes_sync(nq_ctx *ctx, nq_log *log, nq_lsn lsn, size_t size);

#endif
