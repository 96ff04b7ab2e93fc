/* Restore, copying: the data file, and the log's segments from wherever they are. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/ground/base/heap.h"
#include "engine/storage/backup/restore_internal.h"
#include "engine/storage/pager/pager.h"
#include "engine/storage/wal/log_home.h"

/* Reads [offset, offset + size) of whatever is copied. */
typedef nq_status (*read_part)(nq_ctx *ctx, void *source, uint64_t offset, uint8_t *out_bytes,
                               size_t size);

static nq_status copy_parts(nq_ctx *ctx, read_part read, void *source, uint64_t bytes,
                            nq_file *target) {
    uint8_t *chunk = nq_heap_alloc(NQ__ARCHIVE_CHUNK_BYTES);
    if (chunk == NULL) {
        return nq_fail_no_memory(ctx, "copying a file");
    }
    nq_status status = NQ_OK;
    for (uint64_t at = 0; at < bytes; at += NQ__ARCHIVE_CHUNK_BYTES) {
        uint64_t left = bytes - at;
        size_t size = left < NQ__ARCHIVE_CHUNK_BYTES ? (size_t)left : NQ__ARCHIVE_CHUNK_BYTES;
        NQ_CHECK(read(ctx, source, at, chunk, size));
        NQ_CHECK(nq_file_write_at(ctx, target, at, chunk, size));
    }
    NQ_CHECK(nq_file_sync_data(ctx, target));
done:
    nq_heap_free(chunk);
    return status;
}

static nq_status copy_to(nq_ctx *ctx, nq_vfs *vfs, read_part read, void *source, uint64_t bytes,
                         const char *path) {
    nq_file *target;
    NQ_TRY(nq_vfs_open(ctx, vfs, path, NQ_OPEN_CREATE | NQ_OPEN_TRUNCATE, &target));
    nq_status status = copy_parts(ctx, read, source, bytes, target);
    nq_file_close(target);
    return status;
}

/* ---- Plain files ---- */

typedef struct plain_file {
    const char *path;
    nq_file *file;
} plain_file;

static nq_status read_plain(nq_ctx *ctx, void *source, uint64_t offset, uint8_t *out_bytes,
                            size_t size) {
    const plain_file *plain = source;
    size_t got = 0;
    NQ_TRY(nq_file_read_at(ctx, plain->file, offset, out_bytes, size, &got));
    return got == size ? NQ_OK
                       : nq_fail(ctx, NQ_IO_ERROR, "%s, offset %" PRIu64 ": the file has shrunk",
                                 plain->path, offset + got);
}

/* `expected_bytes` 0: however long it is. */
static nq_status copy_plain(nq_ctx *ctx, nq_vfs *vfs, const char *from, const char *to,
                            uint64_t expected_bytes) {
    plain_file plain = {.path = from};
    uint64_t bytes = 0;
    NQ_TRY(nq_vfs_open(ctx, vfs, from, NQ_OPEN_READ_ONLY, &plain.file));
    nq_status status = nq_file_size(ctx, plain.file, &bytes);
    if (status == NQ_OK && expected_bytes != 0 && bytes != expected_bytes) {
        status =
            nq_fail(ctx, NQ_LOG_CORRUPT, "%s, offset %" PRIu64 ": ends, expected %" PRIu64 " bytes",
                    from, bytes, expected_bytes);
    }
    if (status == NQ_OK) {
        status = copy_to(ctx, vfs, read_plain, &plain, bytes, to);
    }
    nq_file_close(plain.file);
    return status;
}

/* ---- The data file ---- */

nq_status nq__restore_copy_data(nq_ctx *ctx, nq__restore *restore) {
    char from[NQ__RESTORE_PATH_BYTES];
    char to[NQ__RESTORE_PATH_BYTES];
    nq_pager *pager;
    NQ_TRY(nq__restore_path(ctx, restore->options->base, "data.nqdb", from));
    NQ_TRY(nq__restore_path(ctx, restore->options->target, "data.nqdb", to));
    NQ_TRY(copy_plain(ctx, restore->vfs, from, to, 0));
    NQ_TRY(nq_vfs_sync_dir(ctx, restore->vfs, restore->options->target));
    const nq_pager_options options = {.vfs = restore->vfs, .path = to};
    NQ_TRY(nq_pager_open(ctx, &options, &pager, &restore->root));
    nq_pager_close(pager);
    restore->result->lsn.value = restore->root.lsn;
    return NQ_OK;
}

/* ---- The log ---- */

static nq_status read_archived(nq_ctx *ctx, void *source, uint64_t offset, uint8_t *out_bytes,
                               size_t size) {
    return nq__archive_read(ctx, source, offset, out_bytes, size);
}

static nq_status segment_path(nq_ctx *ctx, const char *directory, uint64_t number,
                              char out_path[NQ__RESTORE_PATH_BYTES]) {
    char name[32];
    snprintf(name, sizeof name, "%016" PRIx64 ".log", number);
    return nq__restore_path(ctx, directory, name, out_path);
}

static nq__archive archive_of(const nq__restore *restore) {
    return (nq__archive){.vfs = restore->vfs,
                         .directory = restore->options->archive,
                         .salt = restore->root.log_salt,
                         .segment_bytes = restore->root.log_segment_bytes};
}

static nq_status copy_archived(nq_ctx *ctx, nq__restore *restore, uint64_t number, const char *to,
                               bool *out_is_there) {
    char path[NQ__ARCHIVE_PATH_BYTES];
    nq__archive archive = archive_of(restore);
    nq__archive_file file;
    *out_is_there = false;
    if (archive.directory == NULL) {
        return NQ_OK;
    }
    NQ_TRY(nq__archive_path(ctx, &archive, number, path));
    NQ_TRY(nq_vfs_exists(ctx, restore->vfs, path, out_is_there));
    if (!*out_is_there) {
        return NQ_OK;
    }
    NQ_TRY(nq__archive_open(ctx, &archive, number, &file));
    nq_status status = copy_to(ctx, restore->vfs, read_archived, &file, archive.segment_bytes, to);
    nq__archive_close(&file);
    restore->result->archived++;
    return status;
}

static nq_status copy_from(nq_ctx *ctx, nq__restore *restore, const char *directory,
                           uint64_t number, const char *to, bool *out_is_there) {
    char path[NQ__RESTORE_PATH_BYTES];
    *out_is_there = false;
    if (directory == NULL) {
        return NQ_OK;
    }
    NQ_TRY(segment_path(ctx, directory, number, path));
    NQ_TRY(nq_vfs_exists(ctx, restore->vfs, path, out_is_there));
    if (!*out_is_there) {
        return NQ_OK;
    }
    restore->result->others++;
    return copy_plain(ctx, restore->vfs, path, to, restore->root.log_segment_bytes);
}

/* From the archive, whose segments are checked and full; then from the newer of the two others. */
static nq_status copy_segment(nq_ctx *ctx, nq__restore *restore, uint64_t number,
                              bool *out_is_there) {
    char to[NQ__RESTORE_PATH_BYTES];
    char base_log[NQ__RESTORE_PATH_BYTES];
    NQ_TRY(segment_path(ctx, restore->log_directory, number, to));
    NQ_TRY(nq__restore_path(ctx, restore->options->base, "log", base_log));
    NQ_TRY(copy_archived(ctx, restore, number, to, out_is_there));
    if (!*out_is_there) {
        NQ_TRY(copy_from(ctx, restore, restore->options->log, number, to, out_is_there));
    }
    return *out_is_there ? NQ_OK : copy_from(ctx, restore, base_log, number, to, out_is_there);
}

/* ---- Gaps ---- */

/* The lowest number behind `missing` that the archive has. */
typedef struct next_number {
    uint64_t missing;
    uint64_t next;
    bool is_found;
} next_number;

static void look_behind(void *user, const char *name) {
    next_number *search = user;
    uint64_t number;
    if (!nq__archive_parse_name(name, &number) || number <= search->missing) {
        return;
    }
    if (!search->is_found || number < search->next) {
        search->next = number;
        search->is_found = true;
    }
}

/* A gap is an error only if the log is needed behind it. */
static nq_status note_gap(nq_ctx *ctx, nq__restore *restore, uint64_t missing) {
    nq__archive archive = archive_of(restore);
    next_number search = {.missing = missing};
    char path[NQ__ARCHIVE_PATH_BYTES];
    if (archive.directory == NULL) {
        return NQ_OK;
    }
    NQ_TRY(nq_vfs_list_dir(ctx, restore->vfs, archive.directory, look_behind, &search));
    if (!search.is_found) {
        return NQ_OK;
    }
    nq_ctx words;
    nq_ctx_init(&words, NULL);
    NQ_TRY(nq__archive_path(ctx, &archive, missing, path));
    (void)!nq_fail(&words, NQ_LOG_CORRUPT,
                   "%s, offset 0: the segment is missing, and the archive goes on with %016" PRIx64
                   "; position %" PRIu64 " is as far as it goes without a gap",
                   path, search.next, missing * archive.segment_bytes);
    restore->has_gap = true;
    restore->gap = words.error;
    return NQ_OK;
}

nq_status nq__restore_copy_log(nq_ctx *ctx, nq__restore *restore) {
    uint64_t first = restore->root.lsn / restore->root.log_segment_bytes;
    uint64_t number = first;
    bool is_there = true;
    if (restore->options->archive != NULL) {
        const nq_log_home_options home = {.vfs = restore->vfs,
                                          .directory = restore->options->archive,
                                          .purpose = "archive",
                                          .salt = restore->root.log_salt};
        NQ_TRY(nq_log_home_check(ctx, &home));
    }
    while (is_there) {
        NQ_TRY(copy_segment(ctx, restore, number, &is_there));
        number += is_there;
    }
    NQ_TRY(note_gap(ctx, restore, number));
    if (number == first) {
        return nq_fail(ctx, NQ_LOG_CORRUPT,
                       "segment %016" PRIx64 " of the log, which the base copy's checkpoint begins "
                       "with, is neither in %s/log nor in the archive",
                       first, restore->options->base);
    }
    return nq_vfs_sync_dir(ctx, restore->vfs, restore->log_directory);
}
