/* Legacy file. */
#include "engine/storage/upgrade/legacy_file.h"

#include "engine/ground/base/heap.h"
#include "engine/storage/upgrade/legacy_page.h"

struct nq_legacy_file {
    nq_file *file;
    char *path;
    nq_legacy_superblock superblock;
    uint8_t *is_seen; /* a bit a page: read, or free, in this walk */
};

/* ---- The superblock ---- */

static nq_status read_copy(nq_ctx *ctx, nq_file *file, uint64_t copy,
                           uint8_t out_bytes[NQ_LEGACY_SUPERBLOCK_BYTES], size_t *out_read) {
    memset(out_bytes, 0, NQ_LEGACY_SUPERBLOCK_BYTES);
    return nq_file_read_at(ctx, file, copy * NQ_PAGE_BYTES, out_bytes, NQ_LEGACY_SUPERBLOCK_BYTES,
                           out_read);
}

static nq_status find_version(nq_ctx *ctx, nq_file *file, uint32_t *out_version) {
    for (uint64_t copy = 0; copy < NQ_LEGACY_SUPERBLOCK_COUNT && *out_version == 0; copy++) {
        uint8_t bytes[NQ_LEGACY_SUPERBLOCK_BYTES];
        size_t read_bytes;
        nq_legacy_superblock superblock;
        NQ_TRY(read_copy(ctx, file, copy, bytes, &read_bytes));
        (void)nq_legacy_superblock_decode(bytes, &superblock, out_version);
    }
    return NQ_OK;
}

nq_status nq_legacy_file_find_version(nq_ctx *ctx, nq_vfs *vfs, const char *path,
                                      uint32_t *out_version) {
    nq_file *file;
    *out_version = 0;
    NQ_TRY(nq_vfs_open(ctx, vfs, path, NQ_OPEN_READ_ONLY, &file));
    nq_status status = find_version(ctx, file, out_version);
    nq_file_close(file);
    return status;
}

/* Chooses the newest valid copy; a whole one of another format rules all others out. */
static nq_status choose_superblock(nq_ctx *ctx, nq_legacy_file *file) {
    bool is_ours = false;
    for (uint64_t copy = 0; copy < NQ_LEGACY_SUPERBLOCK_COUNT; copy++) {
        uint8_t bytes[NQ_LEGACY_SUPERBLOCK_BYTES];
        size_t read_bytes;
        uint32_t version;
        nq_legacy_superblock superblock;
        NQ_TRY(read_copy(ctx, file->file, copy, bytes, &read_bytes));
        nq_legacy_verdict verdict = nq_legacy_superblock_decode(bytes, &superblock, &version);
        if (verdict == NQ_LEGACY_OTHER) {
            return nq_fail(ctx, NQ_FILE_FOREIGN,
                           "%s, offset %llu: format version %u, or pages of another size; only "
                           "format %d can be upgraded",
                           file->path, (unsigned long long)copy * NQ_PAGE_BYTES + 8, version,
                           NQ_LEGACY_VERSION);
        }
        is_ours = is_ours || verdict != NQ_LEGACY_FOREIGN;
        if (verdict == NQ_LEGACY_VALID && superblock.sequence > file->superblock.sequence) {
            file->superblock = superblock;
        }
    }
    if (!is_ours) {
        return nq_fail(ctx, NQ_FILE_FOREIGN, "%s: is no data file", file->path);
    }
    if (file->superblock.sequence == 0) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "%s: no superblock of format %d is whole", file->path,
                       NQ_LEGACY_VERSION);
    }
    return NQ_OK;
}

static nq_status open_file(nq_ctx *ctx, nq_vfs *vfs, const char *path, nq_legacy_file *file) {
    file->path = nq_heap_copy_text(path, strlen(path));
    if (file->path == NULL) {
        return nq_fail_no_memory(ctx, "the old data file");
    }
    uint64_t bytes;
    NQ_TRY(nq_vfs_open(ctx, vfs, path, NQ_OPEN_READ_ONLY, &file->file));
    NQ_TRY(nq_file_size(ctx, file->file, &bytes));
    NQ_TRY(choose_superblock(ctx, file));
    uint64_t expected = (uint64_t)file->superblock.page_count * NQ_PAGE_BYTES;
    if (bytes < expected) {
        return nq_fail(ctx, NQ_FILE_FOREIGN, "%s: truncated at offset %llu, expected %llu bytes",
                       path, (unsigned long long)bytes, (unsigned long long)expected);
    }
    file->is_seen = nq_heap_calloc((size_t)file->superblock.page_count / 8 + 1, 1);
    return file->is_seen != NULL ? NQ_OK : nq_fail_no_memory(ctx, "the old data file");
}

nq_status nq_legacy_file_open(nq_ctx *ctx, nq_vfs *vfs, const char *path,
                              nq_legacy_file **out_file) {
    *out_file = NULL;
    nq_legacy_file *file = nq_heap_calloc(1, sizeof *file);
    if (file == NULL) {
        return nq_fail_no_memory(ctx, "the old data file");
    }
    nq_status status = open_file(ctx, vfs, path, file);
    if (status != NQ_OK) {
        nq_legacy_file_close(file);
        return status;
    }
    *out_file = file;
    return NQ_OK;
}

void nq_legacy_file_close(nq_legacy_file *file) {
    if (file == NULL) {
        return;
    }
    nq_file_close(file->file);
    nq_heap_free(file->path);
    nq_heap_free(file->is_seen);
    nq_heap_free(file);
}

const nq_legacy_superblock *nq_legacy_file_superblock(const nq_legacy_file *file) {
    return &file->superblock;
}

/* ---- Pages ---- */

void nq_legacy_file_rewind(nq_legacy_file *file) {
    memset(file->is_seen, 0, (size_t)file->superblock.page_count / 8 + 1);
}

/* False: outside the file, or met before. */
static bool mark(nq_legacy_file *file, uint32_t page) {
    if (page < NQ_LEGACY_SUPERBLOCK_COUNT || page >= file->superblock.page_count) {
        return false;
    }
    uint8_t bit = (uint8_t)(1u << page % 8);
    bool is_new = (file->is_seen[page / 8] & bit) == 0;
    file->is_seen[page / 8] |= bit;
    return is_new;
}

nq_status nq_legacy_file_read(nq_ctx *ctx, nq_legacy_file *file, nq_page_ref ref,
                              nq_page *out_page) {
    if (!mark(file, ref.page)) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT,
                       "%s: page %u is referred to twice, or lies outside the file", file->path,
                       ref.page);
    }
    uint64_t offset = (uint64_t)ref.page * NQ_PAGE_BYTES;
    size_t read_bytes;
    NQ_TRY(nq_file_read_at(ctx, file->file, offset, out_page, sizeof *out_page, &read_bytes));
    if (read_bytes != sizeof *out_page) {
        return nq_fail(ctx, NQ_FILE_FOREIGN, "%s: ends at offset %llu", file->path,
                       (unsigned long long)(offset + read_bytes));
    }
    nq_status status = nq_legacy_page_check(ctx, out_page, ref);
    if (status != NQ_OK) {
        nq_error_set_hint(&ctx->error, "It stands in %s at offset %llu.", file->path,
                          (unsigned long long)offset);
    }
    return status;
}

/* ---- The freelist ---- */

static nq_status mark_runs(nq_ctx *ctx, nq_legacy_file *file, const nq_page *page,
                           uint64_t *io_count) {
    for (uint32_t at = 0; at < page->payload_bytes; at += sizeof(nq_legacy_run)) {
        nq_legacy_run run;
        memcpy(&run, page->body + at, sizeof run);
        for (uint32_t i = 0; i < run.count; i++) {
            if (run.first > UINT32_MAX - i || !mark(file, run.first + i)) {
                return nq_fail(ctx, NQ_PAGE_CORRUPT,
                               "%s: the freelist's page %u names a page that is in use, free "
                               "already, or outside the file",
                               file->path, page->id);
            }
        }
        *io_count += run.count;
    }
    return NQ_OK;
}

nq_status nq_legacy_file_check_free(nq_ctx *ctx, nq_legacy_file *file) {
    uint64_t count = 0;
    nq_page *page = nq_heap_alloc(sizeof *page);
    if (page == NULL) {
        return nq_fail_no_memory(ctx, "the old data file's freelist");
    }
    nq_status status = NQ_OK;
    for (nq_page_ref next = file->superblock.freelist; !nq_page_ref_is_none(next);
         next = page->link) {
        NQ_CHECK(nq_legacy_file_read(ctx, file, next, page));
        if (page->kind != NQ_LEGACY_PAGE_FREELIST) {
            status = nq_fail(ctx, NQ_PAGE_CORRUPT, "%s: page %u is no page of the freelist",
                             file->path, next.page);
            goto done;
        }
        NQ_CHECK(mark_runs(ctx, file, page, &count));
    }
    if (count != file->superblock.freelist_count) {
        status =
            nq_fail(ctx, NQ_PAGE_CORRUPT,
                    "%s: the freelist has %llu pages, the superblock says %llu", file->path,
                    (unsigned long long)count, (unsigned long long)file->superblock.freelist_count);
    }
done:
    nq_heap_free(page);
    return status;
}
