/* What the segments' two files share: log_segment_file.c makes, names and lists files;
 * log_segment.c is the sink over them. */
#ifndef NQ_STORAGE_WAL_LOG_SEGMENT_INTERNAL_H
#define NQ_STORAGE_WAL_LOG_SEGMENT_INTERNAL_H

#include "engine/storage/wal/log_segment.h"

enum { NQ__LOG_PATH_BYTES = 1024 };

/* Fails when the path would be too long. */
nq_status nq__log_segment_path(nq_ctx *ctx, const char *directory, uint64_t number,
                               char out_path[NQ__LOG_PATH_BYTES]);

/* What is done about a new segment's blocks before the log is. */
typedef enum nq__log_room {
    NQ__LOG_ROOM_RESERVED, /* written all the same where the file system reserves nothing */
    NQ__LOG_ROOM_WRITTEN,
} nq__log_room;

/* A new segment that reads as zeros, whole and named durably (L5). */
nq_status nq__log_segment_make(nq_ctx *ctx, const nq_log_segment_options *options, uint64_t number,
                               nq__log_room room, nq_file **out_file);
nq_status nq__log_segment_open(nq_ctx *ctx, const nq_log_segment_options *options, uint64_t number,
                               nq_file **out_file);
/* Not durable until the directory is synced. */
nq_status nq__log_segment_remove(nq_ctx *ctx, const nq_log_segment_options *options,
                                 uint64_t number);

/* Renames durably. *out_is_unknown: it failed so that either name may be found after a crash. */
nq_status nq__log_segment_renumber(nq_ctx *ctx, const nq_log_segment_options *options,
                                   uint64_t from, uint64_t to, bool *out_is_unknown);

/* The numbers of the segments in the directory, ascending, each a durable name; the caller frees
 * them. */
nq_status nq__log_segment_list(nq_ctx *ctx, const nq_log_segment_options *options,
                               uint64_t **out_numbers, size_t *out_count);

#endif
