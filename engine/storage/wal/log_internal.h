/* What the log's files share.
 *
 * L1 A block that was synced is not written again: after a sync the next group starts on a new one.
 * L2 Groups reach the sink in order, one at a time. Each says how far the log was durable when it
 *    was written, so a broken group below what a later one says had been durable: it is damage, and
 *    no unfinished write.
 * L3 `durable_end` is moved only after a sync; nothing above it was acknowledged as durable.
 * L4 `failure` once set is never cleared, and no write or sync begins after it.
 * L6 A run begins with a group that is durable before anything else of it is written. What a crash
 *    has cut off is of an earlier run than whatever takes its place, and never verifies again.
 * L7 The end of the log lies in room that exists. */
#ifndef NQ_STORAGE_WAL_LOG_INTERNAL_H
#define NQ_STORAGE_WAL_LOG_INTERNAL_H

#include <stdatomic.h>

#include "engine/ground/os/eventcount.h"
#include "engine/ground/os/mutex.h"
#include "engine/storage/wal/log.h"

enum {
    NQ__LOG_BUFFER_BYTES = 1 << 20, /* a group is written when its buffer is full at the latest */
    NQ__LOG_UNSYNCED_BYTES_MAX = 8 << 20, /* so that no sync takes long */
    NQ__LOG_PLACE_BYTES = 1100,           /* of a description of a place in a sink */
};

/* Records on their way to the sink; room for the group's header stands in front. */
typedef struct nq_log_buffer {
    uint8_t *bytes;
    size_t capacity; /* and a block more, to be filled up with zeros */
    size_t size;     /* header included; NQ_LOG_GROUP_HEADER_BYTES when empty */
    nq_lsn lsn;      /* of the group it becomes */
    uint32_t record_count;
} nq_log_buffer;

/* A stretch of one copy of the log, in memory. */
typedef struct nq_log_window {
    uint8_t *bytes;
    size_t capacity;
    size_t size;
    nq_lsn lsn;
} nq_log_window;

/* Where recovery stands, before nq_log_start. */
typedef struct nq_log_reader {
    nq_log_window windows[NQ_LOG_COPIES_MAX];
    nq_log_group group;     /* being read; payload_bytes 0: none */
    const uint8_t *payload; /* in a window */
    size_t payload_offset;
    nq_lsn start;
    uint32_t run;       /* of the newest whole group */
    nq_lsn end;         /* behind it */
    uint64_t cut_bytes; /* of unfinished groups behind it */
} nq_log_reader;

struct nq_log {
    nq_log_sink *sink; /* the log's own */
    uint64_t salt;
    uint32_t run;
    nq_log_key key; /* of both */
    nq_log_reader reader;
    bool is_started;

    nq_log_archive *archive;
    uint64_t archive_bytes_max;
    nq_mutex archive_mutex;          /* the archive's turn; guards changes of the next */
    atomic_bool is_archive_refusing; /* it did not take what it was offered last */
    _Atomic uint64_t archived_end;   /* an LSN, of a segment's start; changed with the turn */
    _Atomic uint64_t archive_failures;

    nq_mutex pen; /* the turn of sealing and writing groups; held during writes (L2) */

    nq_mutex mutex; /* guards what follows */
    nq_log_buffer buffers[2];
    uint32_t active;         /* the buffer that fills; the other one may be being written */
    nq_lsn previous;         /* the newest group sealed */
    nq_lsn filled_end;       /* behind the newest block written */
    nq_lsn end;              /* behind the newest record appended */
    bool is_syncing;         /* somebody leads a sync */
    uint64_t sync_number;    /* of the one in progress, or of the next */
    nq_lsn sync_end;         /* how far it goes */
    nq_eventcount synced[2]; /* by the sync's parity: those who wait for one sleep apart */
    nq_error failure;
    nq_error archive_error; /* the archive's last */
    /* Changed under the mutex, read by anybody. */
    _Atomic uint64_t written_end; /* an LSN: the sink has everything before */
    _Atomic uint64_t durable_end; /* an LSN */
    _Atomic uint64_t bytes_written;
    _Atomic uint64_t bytes_appended;
    _Atomic uint64_t syncs;
    _Atomic uint64_t memory_bytes; /* of the buffers */
    _Atomic uint32_t health;       /* failure.code */
};

/* Sets the failure, if there is none yet, from a context that has just failed. Under the mutex, as
 * the next. */
void nq__log_fail(nq_log *log, const nq_ctx *ctx);
/* Fails because of the failure. */
nq_status nq__log_refuse(nq_ctx *ctx, const nq_log *log);

/* ---- archive.c ---- */

uint64_t nq__log_unarchived_bytes(nq_log *log);
/* How far the log may be recycled when it is needed from `needed` on. */
nq_lsn nq__log_recyclable_end(nq_log *log, nq_lsn needed);

/* ---- read.c ---- */

void nq__log_reader_deinit(nq_log_reader *reader);

#endif
