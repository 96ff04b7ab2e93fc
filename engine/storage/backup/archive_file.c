/* Archive file: the segment's bytes, a checksum for each of its blocks, and a footer. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/simd/crc32c.h"
#include "engine/storage/backup/archive_file_internal.h"
#include "engine/storage/wal/record.h"

enum { BLOCK_BYTES = NQ_LOG_BLOCK_BYTES, NAME_DIGITS = 16, FOOTER_VERSION = 1 };

#define NAME_END ".segment"

static const uint8_t footer_magic[8] = {0x8e, 'N', 'Q', 'A', 'R', 'C', 'H', 0x0a};

typedef struct footer {
    uint8_t magic[8];
    uint32_t version;
    uint32_t block_bytes;
    uint64_t salt;
    uint64_t number;
    uint64_t segment_bytes;
    uint32_t table_crc;
    uint8_t unused[16];
    uint32_t crc;
} footer;

static_assert(sizeof(footer) == 64, "the footer has no gaps");

static uint64_t table_bytes(uint64_t segment_bytes) {
    return segment_bytes / BLOCK_BYTES * sizeof(uint32_t);
}

/* ---- Names ---- */

bool nq__archive_parse_name(const char *name, uint64_t *out_number) {
    uint64_t number = 0;
    int used = 0;
    if (strlen(name) != NAME_DIGITS + sizeof NAME_END - 1 ||
        strspn(name, "0123456789abcdef") != NAME_DIGITS) {
        return false;
    }
    if (sscanf(name, "%16" SCNx64 "%n", &number, &used) != 1 || used != NAME_DIGITS) {
        return false;
    }
    *out_number = number;
    return strcmp(name + NAME_DIGITS, NAME_END) == 0;
}

nq_status nq__archive_path(nq_ctx *ctx, const nq__archive *archive, uint64_t number,
                           char out_path[NQ__ARCHIVE_PATH_BYTES]) {
    int bytes = snprintf(out_path, NQ__ARCHIVE_PATH_BYTES, "%s/%016" PRIx64 NAME_END,
                         archive->directory, number);
    if (bytes < 0 || bytes >= NQ__ARCHIVE_PATH_BYTES) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "the path of the log's archive is too long");
    }
    return NQ_OK;
}

/* ---- Writing ---- */

static void sum_blocks(const uint8_t *bytes, size_t size, uint32_t *out_crcs) {
    for (size_t at = 0; at < size; at += BLOCK_BYTES) {
        out_crcs[at / BLOCK_BYTES] = nq_crc32c(0, bytes + at, BLOCK_BYTES);
    }
}

static nq_status write_blocks(nq_ctx *ctx, nq_file *file, const nq_log_segment_view *segment,
                              uint8_t *chunk, uint32_t *out_crcs) {
    for (uint64_t at = 0; at < segment->bytes; at += NQ__ARCHIVE_CHUNK_BYTES) {
        uint64_t left = segment->bytes - at;
        size_t size = left < NQ__ARCHIVE_CHUNK_BYTES ? (size_t)left : NQ__ARCHIVE_CHUNK_BYTES;
        NQ_TRY(nq_log_segment_view_read(ctx, segment, at, chunk, size));
        sum_blocks(chunk, size, out_crcs + at / BLOCK_BYTES);
        NQ_TRY(nq_file_write_at(ctx, file, at, chunk, size));
    }
    return NQ_OK;
}

static nq_status write_whole(nq_ctx *ctx, const nq__archive *archive, nq_file *file,
                             const nq_log_segment_view *segment, uint8_t *chunk, uint32_t *crcs) {
    uint64_t crcs_bytes = table_bytes(segment->bytes);
    NQ_TRY(write_blocks(ctx, file, segment, chunk, crcs));
    footer end = {.version = FOOTER_VERSION,
                  .block_bytes = BLOCK_BYTES,
                  .salt = archive->salt,
                  .number = segment->number,
                  .segment_bytes = segment->bytes,
                  .table_crc = nq_crc32c(0, crcs, crcs_bytes)};
    memcpy(end.magic, footer_magic, sizeof end.magic);
    end.crc = nq_crc32c(0, &end, offsetof(footer, crc));
    NQ_TRY(nq_file_write_at(ctx, file, segment->bytes, crcs, crcs_bytes));
    NQ_TRY(nq_file_write_at(ctx, file, segment->bytes + crcs_bytes, &end, sizeof end));
    return nq_file_sync_data(ctx, file);
}

nq_status nq__archive_write(nq_ctx *ctx, const nq__archive *archive,
                            const nq_log_segment_view *segment) {
    char path[NQ__ARCHIVE_PATH_BYTES];
    char temporary[NQ__ARCHIVE_PATH_BYTES + 8];
    NQ_TRY(nq__archive_path(ctx, archive, segment->number, path));
    snprintf(temporary, sizeof temporary, "%s.new", path);
    nq_file *file = NULL;
    uint8_t *chunk = nq_heap_alloc(NQ__ARCHIVE_CHUNK_BYTES);
    uint32_t *crcs = nq_heap_alloc(table_bytes(segment->bytes));
    nq_status status = NQ_OK;
    if (chunk == NULL || crcs == NULL) {
        status = nq_fail_no_memory(ctx, "archiving the log");
        goto done;
    }
    NQ_CHECK(nq_vfs_open(ctx, archive->vfs, temporary, NQ_OPEN_CREATE | NQ_OPEN_TRUNCATE, &file));
    NQ_CHECK(write_whole(ctx, archive, file, segment, chunk, crcs));
    NQ_CHECK(nq_vfs_rename(ctx, archive->vfs, temporary, path));
    NQ_CHECK(nq_vfs_sync_dir(ctx, archive->vfs, archive->directory));
done:
    nq_file_close(file);
    nq_heap_free(chunk);
    nq_heap_free(crcs);
    return status;
}

/* ---- Reading ---- */

static nq_status fail_damaged(nq_ctx *ctx, const char *path, uint64_t offset, const char *what) {
    return nq_fail(ctx, NQ_LOG_CORRUPT, "%s, offset %" PRIu64 ": %s", path, offset, what);
}

static nq_status read_exactly(nq_ctx *ctx, const nq__archive_file *file, uint64_t offset,
                              void *out_bytes, size_t size) {
    size_t got = 0;
    NQ_TRY(nq_file_read_at(ctx, file->file, offset, out_bytes, size, &got));
    return got == size
               ? NQ_OK
               : fail_damaged(ctx, file->path, offset + got, "the archived segment is cut off");
}

static nq_status check_footer(nq_ctx *ctx, const nq__archive *archive, uint64_t number,
                              const nq__archive_file *file, footer *out_footer) {
    uint64_t offset = file->segment_bytes + table_bytes(file->segment_bytes);
    NQ_TRY(read_exactly(ctx, file, offset, out_footer, sizeof *out_footer));
    if (memcmp(out_footer->magic, footer_magic, sizeof footer_magic) != 0 ||
        out_footer->crc != nq_crc32c(0, out_footer, offsetof(footer, crc)) ||
        out_footer->block_bytes != BLOCK_BYTES || out_footer->version != FOOTER_VERSION) {
        return fail_damaged(ctx, file->path, offset, "expected the footer of an archived segment");
    }
    if (out_footer->salt != archive->salt || out_footer->number != number ||
        out_footer->segment_bytes != archive->segment_bytes) {
        return nq_fail(ctx, NQ_FILE_FOREIGN,
                       "%s holds segment %016" PRIx64 " of the log %016" PRIx64
                       ", expected segment %016" PRIx64 " of %016" PRIx64,
                       file->path, out_footer->number, out_footer->salt, number, archive->salt);
    }
    return NQ_OK;
}

static nq_status open_checked(nq_ctx *ctx, const nq__archive *archive, uint64_t number,
                              nq__archive_file *file) {
    uint64_t crcs_bytes = table_bytes(archive->segment_bytes);
    uint64_t bytes = 0;
    footer end;
    NQ_TRY(nq_vfs_open(ctx, archive->vfs, file->path, NQ_OPEN_READ_ONLY, &file->file));
    NQ_TRY(nq_file_size(ctx, file->file, &bytes));
    if (bytes < archive->segment_bytes + crcs_bytes + sizeof end) {
        return fail_damaged(ctx, file->path, bytes, "the archived segment is cut off");
    }
    NQ_TRY(check_footer(ctx, archive, number, file, &end));
    file->block_crcs = nq_heap_alloc(crcs_bytes);
    if (file->block_crcs == NULL) {
        return nq_fail_no_memory(ctx, "reading the log's archive");
    }
    NQ_TRY(read_exactly(ctx, file, file->segment_bytes, file->block_crcs, crcs_bytes));
    return end.table_crc == nq_crc32c(0, file->block_crcs, crcs_bytes)
               ? NQ_OK
               : fail_damaged(ctx, file->path, file->segment_bytes,
                              "the checksums of an archived segment are damaged");
}

nq_status nq__archive_open(nq_ctx *ctx, const nq__archive *archive, uint64_t number,
                           nq__archive_file *out_file) {
    *out_file = (nq__archive_file){.segment_bytes = archive->segment_bytes};
    NQ_TRY(nq__archive_path(ctx, archive, number, out_file->path));
    nq_status status = open_checked(ctx, archive, number, out_file);
    if (status != NQ_OK) {
        nq__archive_close(out_file);
    }
    return status;
}

void nq__archive_close(nq__archive_file *file) {
    nq_file_close(file->file);
    nq_heap_free(file->block_crcs);
    file->file = NULL;
    file->block_crcs = NULL;
}

nq_status nq__archive_read(nq_ctx *ctx, const nq__archive_file *file, uint64_t offset,
                           uint8_t *out_bytes, size_t size) {
    NQ_ASSERT(offset % BLOCK_BYTES == 0 && size % BLOCK_BYTES == 0);
    NQ_TRY(read_exactly(ctx, file, offset, out_bytes, size));
    for (size_t at = 0; at < size; at += BLOCK_BYTES) {
        if (nq_crc32c(0, out_bytes + at, BLOCK_BYTES) !=
            file->block_crcs[(offset + at) / BLOCK_BYTES]) {
            return fail_damaged(ctx, file->path, offset + at, "the archived segment is damaged");
        }
    }
    return NQ_OK;
}
