/* Data file: its creation, its superblocks, and refusing what is not ours. Nothing is ever written
 * to a file that was not recognised. */
#include <stdio.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/os/entropy.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/store_internal.h"

enum { SEGMENT_BYTES_DEFAULT = 4 << 20 };

static void path_of(const nq_store *store, const char *suffix, char out_path[NQ__PATH_BYTES + 32]) {
    snprintf(out_path, NQ__PATH_BYTES + 32, "%s/data.nqdb%s", store->directory, suffix);
}

static nq_log_options log_options(const nq_store *store, const nq_superblock *superblock) {
    return (nq_log_options){.vfs = store->vfs,
                            .directory = store->log_directory,
                            .salt = superblock->log_salt,
                            .segment_bytes = superblock->log_segment_bytes};
}

nq_status nq__superblock_write(nq_ctx *ctx, nq_store *store, const nq_superblock *superblock) {
    nq_page page;
    nq_superblock_encode(superblock, &page);
    uint64_t copy = superblock->sequence % NQ_SUPERBLOCK_COUNT;
    NQ_TRY(nq_file_write_at(ctx, store->data_file, copy * NQ_PAGE_BYTES, &page, sizeof page));
    return NQ_HAS_BUG(SUPERBLOCK_NOT_SYNCED) ? NQ_OK : nq_file_sync_data(ctx, store->data_file);
}

/* ---- Creating: under another name until it is whole ---- */

static nq_status write_empty(nq_ctx *ctx, nq_store *store, const nq_superblock *superblock) {
    uint64_t bytes = (uint64_t)NQ_SUPERBLOCK_COUNT * NQ_PAGE_BYTES;
    NQ_TRY(nq_file_truncate(ctx, store->data_file, bytes));
    return nq__superblock_write(ctx, store, superblock);
}

nq_status nq__data_file_create(nq_ctx *ctx, nq_store *store) {
    uint32_t segment_bytes = store->options.log_segment_bytes;
    nq_superblock superblock = {
        .sequence = 1,
        .log_salt = nq_entropy_u64(),
        .page_count = NQ_SUPERBLOCK_COUNT,
        .next_tree = NQ__TREE_USER_FIRST,
        .log_segment_bytes = segment_bytes == 0 ? SEGMENT_BYTES_DEFAULT : segment_bytes,
    };
    if (superblock.log_segment_bytes % NQ_LOG_BLOCK_BYTES != 0) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "log segments of %u bytes are not whole blocks",
                       superblock.log_segment_bytes);
    }
    char temporary[NQ__PATH_BYTES + 32];
    char path[NQ__PATH_BYTES + 32];
    path_of(store, ".new", temporary);
    path_of(store, "", path);
    NQ_TRY(nq_vfs_make_dir(ctx, store->vfs, store->log_directory));
    nq_log_options options = log_options(store, &superblock);
    NQ_TRY(nq_log_create(ctx, &options));
    /* Before the data file has its name: whoever finds that finds the log. */
    NQ_TRY(nq_vfs_sync_dir(ctx, store->vfs, store->directory));
    NQ_TRY(nq_vfs_open(ctx, store->vfs, temporary, NQ_OPEN_CREATE | NQ_OPEN_TRUNCATE,
                       &store->data_file));
    nq_status status = write_empty(ctx, store, &superblock);
    nq_file_close(store->data_file);
    store->data_file = NULL;
    NQ_TRY(status);
    NQ_TRY(nq_vfs_rename(ctx, store->vfs, temporary, path));
    return nq_vfs_sync_dir(ctx, store->vfs, store->directory);
}

/* ---- Opening ---- */

static nq_status fail_foreign(nq_ctx *ctx, const char *path, nq_superblock_verdict verdict,
                              uint64_t offset, const uint8_t *bytes) {
    uint32_t numbers[2];
    memcpy(numbers, bytes + 8, sizeof numbers);
    switch (verdict) {
    case NQ_SUPERBLOCK_VERSION:
        return nq_fail(ctx, NQ_FILE_FOREIGN,
                       "%s, offset %llu: format version %u, expected %u; a newer program wrote it",
                       path, (unsigned long long)offset + 8, numbers[0], NQ_FORMAT_VERSION);
    case NQ_SUPERBLOCK_PAGE_SIZE:
        return nq_fail(ctx, NQ_FILE_FOREIGN, "%s, offset %llu: pages of %u bytes, expected %u",
                       path, (unsigned long long)offset + 12, numbers[1], NQ_PAGE_BYTES);
    case NQ_SUPERBLOCK_DAMAGED:
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "%s: all %d superblocks are damaged", path,
                       NQ_SUPERBLOCK_COUNT);
    default:
        return nq_fail(ctx, NQ_FILE_FOREIGN,
                       "%s, offset %llu: begins %02x %02x %02x %02x, expected 8e 4e 51 44", path,
                       (unsigned long long)offset, bytes[0], bytes[1], bytes[2], bytes[3]);
    }
}

/* Chooses the newest valid copy. A copy of another format rules all others out: whoever wrote it
 * was newer than they are. */
static nq_status choose_superblock(nq_ctx *ctx, nq_store *store, const char *path) {
    bool has_valid = false;
    nq_superblock_verdict worst = NQ_SUPERBLOCK_FOREIGN;
    uint8_t first[NQ_SUPERBLOCK_BYTES] = {0};
    for (uint64_t copy = 0; copy < NQ_SUPERBLOCK_COUNT; copy++) {
        uint8_t bytes[NQ_SUPERBLOCK_BYTES];
        size_t read_bytes;
        uint64_t offset = copy * NQ_PAGE_BYTES;
        NQ_TRY(nq_file_read_at(ctx, store->data_file, offset, bytes, sizeof bytes, &read_bytes));
        if (read_bytes != sizeof bytes) {
            return nq_fail(ctx, NQ_FILE_FOREIGN, "%s: ends at offset %llu, expected a superblock",
                           path, (unsigned long long)(offset + read_bytes));
        }
        nq_superblock superblock;
        nq_superblock_verdict verdict = nq_superblock_decode(bytes, &superblock);
        if (verdict == NQ_SUPERBLOCK_VERSION || verdict == NQ_SUPERBLOCK_PAGE_SIZE) {
            return fail_foreign(ctx, path, verdict, offset, bytes);
        }
        if (verdict == NQ_SUPERBLOCK_DAMAGED) {
            worst = verdict;
        }
        if (copy == 0) {
            memcpy(first, bytes, sizeof first);
        }
        if (verdict == NQ_SUPERBLOCK_VALID &&
            (!has_valid || superblock.sequence > store->superblock.sequence)) {
            store->superblock = superblock;
            has_valid = true;
        }
    }
    return has_valid ? NQ_OK : fail_foreign(ctx, path, worst, 0, first);
}

nq_status nq__data_file_open(nq_ctx *ctx, nq_store *store) {
    char path[NQ__PATH_BYTES + 32];
    path_of(store, "", path);
    NQ_TRY(nq_vfs_open(ctx, store->vfs, path, 0, &store->data_file));
    uint64_t bytes;
    NQ_TRY(nq_file_size(ctx, store->data_file, &bytes));
    NQ_TRY(choose_superblock(ctx, store, path));
    if (store->superblock.log_segment_bytes % NQ_LOG_BLOCK_BYTES != 0 ||
        store->superblock.lsn % NQ_LOG_BLOCK_BYTES != 0 ||
        store->superblock.directory_level >= NQ_BTREE_LEVELS_MAX) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "%s: the superblock contradicts itself", path);
    }
    uint64_t expected = (uint64_t)store->superblock.page_count * NQ_PAGE_BYTES;
    if (bytes < expected) {
        return nq_fail(ctx, NQ_FILE_FOREIGN, "%s: truncated at offset %llu, expected %llu bytes",
                       path, (unsigned long long)bytes, (unsigned long long)expected);
    }
    const nq_pool_options pool_options = {.cache_bytes = store->options.cache_bytes,
                                          .policy = store->options.cache_policy};
    NQ_TRY(nq_pool_create(ctx, store->data_file, &pool_options, &store->pool));
    nq_log_options options = log_options(store, &store->superblock);
    return nq_log_open(ctx, &options, (nq_lsn){store->superblock.lsn}, &store->log);
}
