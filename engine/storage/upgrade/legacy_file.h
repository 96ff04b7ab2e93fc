/* Legacy file: a data file of format 1 as verified pages. Opened for reading only; nothing is
 * cached. */
#ifndef NQ_STORAGE_UPGRADE_LEGACY_FILE_H
#define NQ_STORAGE_UPGRADE_LEGACY_FILE_H

#include "engine/ground/os/vfs.h"
#include "engine/storage/upgrade/legacy_superblock.h"

typedef struct nq_legacy_file nq_legacy_file;

/* Which format the file has, by the first whole superblock where format 1 has them; in a file of
 * format 2 the first one stands there too. 0: none is whole. */
nq_status nq_legacy_file_find_version(nq_ctx *ctx, nq_vfs *vfs, const char *path,
                                      uint32_t *out_version);

/* Fails with NQ_FILE_FOREIGN (no file of format 1, or truncated) or NQ_PAGE_CORRUPT (no superblock
 * is whole), naming file and offset. */
nq_status nq_legacy_file_open(nq_ctx *ctx, nq_vfs *vfs, const char *path,
                              nq_legacy_file **out_file);
void nq_legacy_file_close(nq_legacy_file *file);

/* Of the newest checkpoint. */
const nq_legacy_superblock *nq_legacy_file_superblock(const nq_legacy_file *file);

/* Reads and checks a page. A page read twice in one walk fails with NQ_PAGE_CORRUPT: nothing in a
 * file refers to a page twice. */
nq_status nq_legacy_file_read(nq_ctx *ctx, nq_legacy_file *file, nq_page_ref ref,
                              nq_page *out_page);
/* Begins a new walk. */
void nq_legacy_file_rewind(nq_legacy_file *file);

/* Reads the freelist; every page is free, or read in this walk, but not both, and none is free
 * twice. */
nq_status nq_legacy_file_check_free(nq_ctx *ctx, nq_legacy_file *file);

#endif
