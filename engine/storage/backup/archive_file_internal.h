/* Archive file: one segment of the log with what is needed to check it (docs/format/archive.md). */
#ifndef NQ_STORAGE_BACKUP_ARCHIVE_FILE_INTERNAL_H
#define NQ_STORAGE_BACKUP_ARCHIVE_FILE_INTERNAL_H

#include "engine/ground/os/vfs.h"
#include "engine/storage/wal/log_archive.h"

enum { NQ__ARCHIVE_PATH_BYTES = 1024, NQ__ARCHIVE_CHUNK_BYTES = 1 << 18 };

/* Where segments are archived, and whose and how long they are. */
typedef struct nq__archive {
    nq_vfs *vfs;
    const char *directory;
    uint64_t salt;
    uint64_t segment_bytes;
} nq__archive;

/* A file of it, open. */
typedef struct nq__archive_file {
    char path[NQ__ARCHIVE_PATH_BYTES];
    nq_file *file;
    uint32_t *block_crcs;
    uint64_t segment_bytes;
} nq__archive_file;

/* The number in an archived segment's name; false: not such a name. */
bool nq__archive_parse_name(const char *name, uint64_t *out_number);

nq_status nq__archive_path(nq_ctx *ctx, const nq__archive *archive, uint64_t number,
                           char out_path[NQ__ARCHIVE_PATH_BYTES]);

/* Under another name until it is whole; durable when it returns. */
nq_status nq__archive_write(nq_ctx *ctx, const nq__archive *archive,
                            const nq_log_segment_view *segment);

/* Fails with NQ_LOG_CORRUPT, naming file and offset, when it is cut off or damaged, NQ_FILE_FOREIGN
 * when it is of another log. */
nq_status nq__archive_open(nq_ctx *ctx, const nq__archive *archive, uint64_t number,
                           nq__archive_file *out_file);
void nq__archive_close(nq__archive_file *file);

/* Reads whole blocks of the segment, checked as nq__archive_open does. */
nq_status nq__archive_read(nq_ctx *ctx, const nq__archive_file *file, uint64_t offset,
                           uint8_t *out_bytes, size_t size);

#endif
