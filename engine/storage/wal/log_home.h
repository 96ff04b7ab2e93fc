/* Log home: a directory outside of the data directory in which one store keeps a part of its log —
 * a second copy, or an archive.
 *
 * Such a directory can be mistaken: for the data directory itself, for the log, for another store's
 * home, or for one that another server is using. Each would destroy what it holds, so a home says
 * in its file OWNER whose it is, and is locked while it is used. */
#ifndef NQ_STORAGE_WAL_LOG_HOME_H
#define NQ_STORAGE_WAL_LOG_HOME_H

#include "engine/ground/os/vfs.h"

typedef struct nq_log_home_options {
    nq_vfs *vfs;
    const char *directory;
    const char *purpose; /* "copy", "archive": one directory serves one */
    uint64_t salt;       /* the store's */
} nq_log_home_options;

/* Makes the directory if it is missing (its parent must exist), marks it as this store's if nobody
 * has, and locks it until *out_lock is closed. Fails with NQ_INVALID_ARGUMENT when it is a data
 * directory, NQ_FILE_FOREIGN when it is another store's, serves another purpose or holds a log that
 * is nobody's, NQ_DATABASE_LOCKED when it is in use, NQ_IO_ERROR when it cannot be written to. */
nq_status nq_log_home_claim(nq_ctx *ctx, const nq_log_home_options *options, nq_file **out_lock);

/* Fails with NQ_FILE_FOREIGN unless the directory is this store's; nothing is written. */
nq_status nq_log_home_check(nq_ctx *ctx, const nq_log_home_options *options);

#endif
