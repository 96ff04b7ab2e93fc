/* Log mirror: two sinks that hold the same log, for devices on which a power cut garbles what lies
 * near the write in flight, however long ago it was synced. SD cards do that.
 *
 * Never are both in flight: what the first sink has synced is copied to the second and synced there
 * before the first is written to again. So at any moment at least one of them is at rest and has
 * everything that was acknowledged. The price is a second write and sync for each sync of the log,
 * met by whoever writes next.
 *
 * When the second sink's device fails, the log goes on without it: nothing that was acknowledged
 * depends on it. That is logged once and seen in the sink's `is_copy_lost`. What the copy then
 * holds is an older log, which the next recovery brings up to date. */
#ifndef NQ_STORAGE_WAL_LOG_MIRROR_H
#define NQ_STORAGE_WAL_LOG_MIRROR_H

#include "engine/storage/wal/log_sink.h"

/* Joins two sinks of one copy and one segment size each, which become the mirror's own, whatever it
 * returns. What the second lacks is put right by the log's recovery. */
nq_status nq_log_mirror_create(nq_ctx *ctx, nq_log_sink *first, nq_log_sink *second,
                               nq_log_sink **out_sink);

#endif
