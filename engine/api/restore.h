/* Restore: a new data directory from a base copy and the log that was written since; offline. */
#ifndef NQ_API_RESTORE_H
#define NQ_API_RESTORE_H

#include "engine/ground/base/ctx.h"
#include "engine/ground/os/vfs.h"

typedef struct nq_database_restore_options {
    const char *base;     /* a copy of a data directory; only read */
    const char *archive;  /* of its log; NULL: none */
    const char *log;      /* the lost directory's `log`, or its second copy; NULL: none */
    uint64_t until_lsn;   /* commits that end behind this position are left out; 0: none for that */
    int64_t until_us;     /* commits made after it are left out, since 1970; INT64_MAX: none */
    uint64_t cache_bytes; /* [64 MiB] */
} nq_database_restore_options;

typedef struct nq_database_restore_result {
    uint64_t commits; /* that the log held behind the base copy */
    uint64_t lsn;     /* behind the newest */
    int64_t time_us;  /* of the newest, since 1970; 0: there was none */
    uint64_t archived_segments, other_segments;
    bool is_cut; /* newer commits were left out, as was asked for */
} nq_database_restore_result;

/* `directory` must be missing, empty, or of a restore that was interrupted; until this has returned
 * NQ_OK nq_database_open refuses it. Fails as storage/backup/restore.h says. */
nq_status nq_database_restore(nq_ctx *ctx, nq_vfs *vfs, const char *directory,
                              const nq_database_restore_options *options,
                              nq_database_restore_result *out_result);

/* "1234567" is a position, anything else a time as SQL spells a timestamp, UTC unless it says
 * otherwise; empty: no bound. Sets the two bounds of `options`. */
nq_status nq_restore_until_parse(nq_ctx *ctx, const char *text,
                                 nq_database_restore_options *options);

#endif
