/* Restore: a new data directory from a base copy of one and the log that was written since.
 *
 * The base copy is only read; so are the log's sources. A target that is not finished holds a file
 * RESTORING, which keeps every server from it; a restore that was interrupted begins anew. */
#ifndef NQ_STORAGE_BACKUP_RESTORE_H
#define NQ_STORAGE_BACKUP_RESTORE_H

#include "engine/ground/base/ctx.h"
#include "engine/ground/os/vfs.h"
#include "engine/storage/wal/lsn.h"

typedef struct nq_restore_options {
    const char *base;    /* a copy of a data directory */
    const char *archive; /* of its log (archive_directory.h); NULL: none */
    const char *log; /* what the archive has not yet: the `log` of the directory that was lost, or
                      * its second copy; NULL: none */
    const char *target;   /* the new data directory: missing, empty, or of an interrupted restore */
    nq_lsn until;         /* commits that end behind it are left out; 0: none for that */
    int64_t until_us;     /* commits made after it are left out, since 1970, UTC; INT64_MAX: none */
    uint64_t cache_bytes; /* while the log is replayed [64 MiB] */
} nq_restore_options;

typedef struct nq_restore_result {
    uint64_t commits;  /* replayed from the log */
    nq_lsn lsn;        /* behind the newest; of the base copy if there was none */
    int64_t time_us;   /* of the newest; 0: there was none */
    uint64_t archived; /* segments taken from the archive, */
    uint64_t others;   /* and from elsewhere */
    bool is_cut;       /* there was more, which was left out */
} nq_restore_result;

/* Fails with NQ_INVALID_ARGUMENT (the target holds a database; `until` lies before the base copy or
 * behind the log's end), NQ_DATABASE_LOCKED (a server runs on the base or the target),
 * NQ_LOG_CORRUPT (a segment is missing or damaged; named with file and offset), NQ_FILE_FOREIGN
 * (the archive is of another database), NQ_PAGE_CORRUPT, NQ_IO_ERROR, NQ_DISK_FULL. The target is
 * then unfinished. */
nq_status nq_restore_run(nq_ctx *ctx, nq_vfs *vfs, const nq_restore_options *options,
                         nq_restore_result *out_result);

/* Before a directory is opened: fails with NQ_FILE_FOREIGN when it is an unfinished restore. */
nq_status nq_restore_check(nq_ctx *ctx, nq_vfs *vfs, const char *directory);

#endif
