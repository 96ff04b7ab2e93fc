/* Fuzz: a data file of format 1 whose checksums are right and whose pages say what they like. Every
 * walk over it must come to an end within its bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ground/simd/crc32c.h"
#include "engine/storage/upgrade/legacy_cursor.h"
#include "engine/storage/upgrade/legacy_page.h"
#include "tests/fuzz/one_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the input has of a page: where header and slots stand, and where cells do. */
enum { PAGES_MAX = 16, HEAD_BYTES = 120, TAIL_BYTES = 200, CRC_AT = 124, GENERATION = 1 };

static uint8_t image[(NQ_LEGACY_SUPERBLOCK_COUNT + PAGES_MAX) * NQ_PAGE_BYTES];
static size_t image_bytes;

/* ---- The file ---- */

static void make_superblock(const uint8_t *data) {
    static const uint8_t head[16] = {0x8e, 'N', 'Q', 'D', 'B', '\r', '\n',
                                     0x1a, 1,   0,   0,   0,   0,    0x20};
    uint8_t *bytes = image + NQ_PAGE_BYTES;
    memcpy(bytes, data, NQ_LEGACY_SUPERBLOCK_BYTES);
    memcpy(bytes, head, sizeof head);
    uint32_t crc = nq_crc32c(0, bytes, CRC_AT);
    memcpy(bytes + CRC_AT, &crc, sizeof crc);
}

static void make_page(uint32_t id, const uint8_t *data) {
    nq_page *page = (nq_page *)(void *)(image + (size_t)id * NQ_PAGE_BYTES);
    memcpy(page, data, HEAD_BYTES);
    memcpy((uint8_t *)page + NQ_PAGE_BYTES - TAIL_BYTES, data + HEAD_BYTES, TAIL_BYTES);
    page->id = id;
    page->generation = GENERATION;
    page->magic = NQ_PAGE_MAGIC;
    page->zero =
        nq_crc32c(id, (const uint8_t *)page + sizeof page->zero, NQ_PAGE_BYTES - sizeof page->zero);
}

static void make_image(const uint8_t *data, size_t size) {
    memset(image, 0, sizeof image);
    make_superblock(data);
    data += NQ_LEGACY_SUPERBLOCK_BYTES;
    size -= NQ_LEGACY_SUPERBLOCK_BYTES;
    uint32_t id = NQ_LEGACY_SUPERBLOCK_COUNT;
    for (; size >= HEAD_BYTES + TAIL_BYTES && id < NQ_LEGACY_SUPERBLOCK_COUNT + PAGES_MAX; id++) {
        make_page(id, data);
        data += HEAD_BYTES + TAIL_BYTES;
        size -= HEAD_BYTES + TAIL_BYTES;
    }
    image_bytes = (size_t)id * NQ_PAGE_BYTES;
}

/* ---- Reading ---- */

static nq_status walk(nq_ctx *ctx, nq_legacy_file *file, const nq_tree *tree) {
    nq_legacy_cursor *cursor;
    nq_bytes key;
    nq_bytes value;
    NQ_TRY(nq_legacy_cursor_open(ctx, file, tree, &cursor));
    nq_status status;
    do {
        status = nq_legacy_cursor_next(ctx, cursor, &key, &value);
    } while (status == NQ_OK && key.data != NULL);
    nq_legacy_cursor_close(cursor);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    nq_ctx ctx;
    nq_legacy_file *file;
    nq_legacy_trees trees;
    if (size < NQ_LEGACY_SUPERBLOCK_BYTES) {
        return 0;
    }
    nq_ctx_init(&ctx, NULL);
    make_image(data, size);
    if (nq_legacy_file_open(&ctx, one_file_vfs(image, image_bytes), "fuzz", &file) != NQ_OK) {
        return 0;
    }
    if (nq_legacy_trees_read(&ctx, file, &trees) == NQ_OK) {
        for (size_t i = 0; i < trees.count; i++) {
            if (walk(&ctx, file, &trees.items[i].tree) != NQ_OK) {
                break;
            }
        }
    }
    if (nq_legacy_file_check_free(&ctx, file) != NQ_OK) {
        nq_legacy_file_rewind(file);
    }
    nq_legacy_trees_deinit(&trees);
    nq_legacy_file_close(file);
    return 0;
}
