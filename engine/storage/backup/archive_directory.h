/* Archive directory: a log archive (wal/log_archive.h) that is a directory, at best of another
 * device or machine.
 *
 * Each segment becomes one file that is never changed again, with a checksum for every block, so
 * that damage is found where it is. Nothing is removed by itself: what no base copy needs any more
 * is the operator's to remove. docs/format/archive.md names every byte. */
#ifndef NQ_STORAGE_BACKUP_ARCHIVE_DIRECTORY_H
#define NQ_STORAGE_BACKUP_ARCHIVE_DIRECTORY_H

#include "engine/ground/os/vfs.h"
#include "engine/storage/wal/log_archive.h"

typedef struct nq_archive_directory nq_archive_directory;

/* `path` is copied; nothing is touched before a store begins to use it. Beginning fails as
 * nq_log_home_claim does; taking fails with NQ_FILE_FOREIGN when the directory holds another
 * segment under the same number: the log of a store that was restored has a history of its own. */
nq_status nq_archive_directory_create(nq_ctx *ctx, nq_vfs *vfs, const char *path,
                                      nq_archive_directory **out_archive);

/* After the store that used it has been closed. NULL is allowed. */
void nq_archive_directory_destroy(nq_archive_directory *archive);

nq_log_archive *nq_archive_directory_as_archive(nq_archive_directory *archive);

#endif
