/* Archive directory: see the header. */
#include "engine/storage/backup/archive_directory.h"

#include "engine/ground/base/heap.h"
#include "engine/storage/backup/archive_file_internal.h"
#include "engine/storage/wal/log_home.h"

struct nq_archive_directory {
    nq_log_archive base;
    nq__archive archive;
    nq_file *lock_file; /* from begin on */
};

static nq_status begin(nq_ctx *ctx, nq_log_archive *base, uint64_t salt, uint64_t segment_bytes) {
    nq_archive_directory *directory = (nq_archive_directory *)base;
    nq__archive *archive = &directory->archive;
    const nq_log_home_options home = {
        .vfs = archive->vfs, .directory = archive->directory, .purpose = "archive", .salt = salt};
    archive->salt = salt;
    archive->segment_bytes = segment_bytes;
    return nq_log_home_claim(ctx, &home, &directory->lock_file);
}

/* ---- Taking ---- */

static nq_status compare_chunks(nq_ctx *ctx, const nq__archive_file *file,
                                const nq_log_segment_view *segment, uint8_t *chunks,
                                bool *out_is_same) {
    uint8_t *archived = chunks;
    uint8_t *offered = chunks + NQ__ARCHIVE_CHUNK_BYTES;
    *out_is_same = true;
    for (uint64_t at = 0; at < segment->bytes && *out_is_same; at += NQ__ARCHIVE_CHUNK_BYTES) {
        uint64_t left = segment->bytes - at;
        size_t size = left < NQ__ARCHIVE_CHUNK_BYTES ? (size_t)left : NQ__ARCHIVE_CHUNK_BYTES;
        NQ_TRY(nq__archive_read(ctx, file, at, archived, size));
        NQ_TRY(nq_log_segment_view_read(ctx, segment, at, offered, size));
        *out_is_same = memcmp(archived, offered, size) == 0;
    }
    return NQ_OK;
}

/* Whether the file that is there holds what is offered. */
static nq_status compare(nq_ctx *ctx, const nq__archive *archive,
                         const nq_log_segment_view *segment, bool *out_is_same) {
    nq__archive_file file;
    NQ_TRY(nq__archive_open(ctx, archive, segment->number, &file));
    uint8_t *chunks = nq_heap_alloc(2 * (size_t)NQ__ARCHIVE_CHUNK_BYTES);
    nq_status status = chunks == NULL ? nq_fail_no_memory(ctx, "archiving the log")
                                      : compare_chunks(ctx, &file, segment, chunks, out_is_same);
    nq_heap_free(chunks);
    nq__archive_close(&file);
    return status;
}

/* What was archived before, and acknowledged or not, is written again only where it is damaged. */
static nq_status take_again(nq_ctx *ctx, const nq__archive *archive,
                            const nq_log_segment_view *segment, const char *path) {
    bool is_same = false;
    nq_status status = compare(ctx, archive, segment, &is_same);
    if (status == NQ_LOG_CORRUPT) {
        return nq__archive_write(ctx, archive, segment);
    }
    NQ_TRY(status);
    if (!is_same) {
        status = nq_fail(ctx, NQ_FILE_FOREIGN,
                         "%s holds this segment of another history of the database", path);
        nq_error_set_hint(&ctx->error,
                          "A database that was restored needs an archive directory of its own.");
        return status;
    }
    return nq_vfs_sync_dir(ctx, archive->vfs, archive->directory);
}

static nq_status take(nq_ctx *ctx, nq_log_archive *base, const nq_log_segment_view *segment) {
    const nq__archive *archive = &((nq_archive_directory *)base)->archive;
    char path[NQ__ARCHIVE_PATH_BYTES];
    bool is_there = false;
    NQ_TRY(nq__archive_path(ctx, archive, segment->number, path));
    NQ_TRY(nq_vfs_exists(ctx, archive->vfs, path, &is_there));
    return is_there ? take_again(ctx, archive, segment, path)
                    : nq__archive_write(ctx, archive, segment);
}

static const nq_log_archive_vtable vtable = {.begin = begin, .take = take};

/* ---- Life ---- */

nq_status nq_archive_directory_create(nq_ctx *ctx, nq_vfs *vfs, const char *path,
                                      nq_archive_directory **out_archive) {
    *out_archive = NULL;
    nq_archive_directory *directory = nq_heap_calloc(1, sizeof *directory);
    char *copy = nq_heap_copy_text(path, strlen(path));
    if (directory == NULL || copy == NULL) {
        nq_heap_free(directory);
        nq_heap_free(copy);
        return nq_fail_no_memory(ctx, "the log's archive");
    }
    directory->base.vtable = &vtable;
    directory->archive = (nq__archive){.vfs = vfs, .directory = copy};
    *out_archive = directory;
    return NQ_OK;
}

void nq_archive_directory_destroy(nq_archive_directory *archive) {
    if (archive == NULL) {
        return;
    }
    nq_file_close(archive->lock_file);
    nq_heap_free((char *)(uintptr_t)archive->archive.directory);
    nq_heap_free(archive);
}

nq_log_archive *nq_archive_directory_as_archive(nq_archive_directory *archive) {
    return &archive->base;
}
