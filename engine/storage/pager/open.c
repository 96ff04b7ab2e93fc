/* Open: from a file to a pager, and back. Nothing is written to a file that was not recognised
 * and read as far as its map. */
#include <string.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/pager/pager_internal.h"

/* ---- Creating ---- */

static nq_status write_first(nq_ctx *ctx, nq_file *file, const nq_superblock *superblock) {
    uint8_t bytes[NQ_SUPERBLOCK_BYTES];
    nq_superblock_encode(superblock, bytes);
    /* All of segment 0, so that no superblock is refused for want of space later. */
    bool is_reserved;
    NQ_TRY(nq_file_allocate(ctx, file, 0, nq_segment_bytes(superblock->layout), &is_reserved));
    for (uint32_t turn = 0; turn < NQ_SUPERBLOCK_PAIR; turn++) {
        uint32_t copy = nq_superblock_copy(superblock->sequence, turn);
        NQ_TRY(nq_file_write_at(ctx, file, nq_superblock_offset(superblock->layout, copy), bytes,
                                sizeof bytes));
    }
    return nq_file_sync_data(ctx, file);
}

nq_status nq_pager_create(nq_ctx *ctx, const nq_pager_options *options, nq_segment_layout layout,
                          const nq_pager_root *root) {
    if (layout.lane_blocks < 1 || layout.lane_blocks > NQ_SEGMENT_LANE_BLOCKS_MAX) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "segments of lanes of %u blocks: 1 to %d",
                       layout.lane_blocks, NQ_SEGMENT_LANE_BLOCKS_MAX);
    }
    nq_superblock superblock = {.root = *root, .sequence = 1, .layout = layout, .segment_count = 1};
    nq_file *file;
    NQ_TRY(nq_vfs_open(ctx, options->vfs, options->path, NQ_OPEN_CREATE | NQ_OPEN_TRUNCATE, &file));
    nq_status status = write_first(ctx, file, &superblock);
    nq_file_close(file);
    return status;
}

/* ---- Choosing a superblock ---- */

/* Where a copy may stand: the quarters of a segment of any size, since which size it is stands in
 * the copies. */
static const uint32_t copy_blocks[] = {0, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768};

typedef struct choice {
    nq_pager *pager;
    bool has_valid; /* the pager has it */
    nq_superblock_verdict worst;
    uint32_t unreadable_count;
    uint8_t first[16]; /* bytes of the file */
} choice;

static nq_status fail_foreign(nq_ctx *ctx, const nq_pager *pager, nq_superblock_verdict verdict,
                              uint64_t offset, const uint8_t *bytes) {
    uint32_t numbers[2];
    memcpy(numbers, bytes + 8, sizeof numbers);
    switch (verdict) {
    case NQ_SUPERBLOCK_VERSION:
        return nq_fail(ctx, NQ_FILE_FOREIGN,
                       "%s, offset %llu: format version %u, expected %u; %s program wrote it",
                       pager->path, (unsigned long long)offset + 8, numbers[0], NQ_FORMAT_VERSION,
                       numbers[0] > NQ_FORMAT_VERSION ? "a newer" : "an older");
    case NQ_SUPERBLOCK_PAGE_SIZE:
        return nq_fail(ctx, NQ_FILE_FOREIGN, "%s, offset %llu: pages of %u bytes, expected %u",
                       pager->path, (unsigned long long)offset + 12, numbers[1], NQ_PAGE_BYTES);
    case NQ_SUPERBLOCK_DAMAGED:
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "%s: all %d superblocks are damaged", pager->path,
                       NQ_SUPERBLOCK_COPIES);
    default:
        return nq_fail(ctx, NQ_FILE_FOREIGN,
                       "%s, offset %llu: begins %02x %02x %02x %02x, expected 8e 4e 51 44",
                       pager->path, (unsigned long long)offset, bytes[0], bytes[1], bytes[2],
                       bytes[3]);
    }
}

/* A copy of this checkpoint belongs here. */
static bool is_at_home(const nq_superblock *superblock, uint64_t offset) {
    for (uint32_t turn = 0; turn < NQ_SUPERBLOCK_PAIR; turn++) {
        uint32_t copy = nq_superblock_copy(superblock->sequence, turn);
        if (nq_superblock_offset(superblock->layout, copy) == offset) {
            return true;
        }
    }
    return false;
}

/* Looks at one place. A copy of another format rules all others out: whoever wrote it knew more. */
static nq_status consider(nq_ctx *ctx, choice *c, uint64_t offset) {
    nq_pager *pager = c->pager;
    uint8_t bytes[NQ_SUPERBLOCK_BYTES] = {0};
    size_t read_bytes;
    if (nq_file_read_at(ctx, pager->file, offset, bytes, sizeof bytes, &read_bytes) != NQ_OK) {
        c->unreadable_count++;
        return NQ_OK;
    }
    if (offset == 0) {
        memcpy(c->first, bytes, sizeof c->first);
    }
    if (offset == 0 && read_bytes != sizeof bytes) {
        return nq_fail(ctx, NQ_FILE_FOREIGN, "%s: ends at offset %zu, expected a superblock",
                       pager->path, read_bytes);
    }
    nq_superblock *superblock = &pager->next_superblock;
    nq_superblock_verdict verdict = nq_superblock_decode(bytes, superblock);
    if (verdict == NQ_SUPERBLOCK_VERSION || verdict == NQ_SUPERBLOCK_PAGE_SIZE) {
        return fail_foreign(ctx, pager, verdict, offset, bytes);
    }
    if (verdict == NQ_SUPERBLOCK_DAMAGED) {
        c->worst = verdict;
    }
    if (verdict == NQ_SUPERBLOCK_VALID && is_at_home(superblock, offset) &&
        (!c->has_valid || superblock->sequence > pager->superblock.sequence)) {
        pager->superblock = *superblock;
        c->has_valid = true;
    }
    return NQ_OK;
}

/* One copy may be lost at any moment (D6), but no more: behind two that cannot be read could be a
 * newer checkpoint. */
static nq_status choose_superblock(nq_ctx *ctx, nq_pager *pager) {
    choice c = {.pager = pager, .worst = NQ_SUPERBLOCK_FOREIGN};
    for (size_t i = 0; i < sizeof copy_blocks / sizeof copy_blocks[0]; i++) {
        NQ_TRY(consider(ctx, &c, (uint64_t)copy_blocks[i] * NQ_SEGMENT_BLOCK_BYTES));
    }
    if (c.unreadable_count > 1) {
        return nq_fail(ctx, NQ_IO_ERROR, "%s: %u of its superblocks cannot be read", pager->path,
                       c.unreadable_count);
    }
    return c.has_valid ? NQ_OK : fail_foreign(ctx, pager, c.worst, 0, c.first);
}

/* ---- The map ---- */

/* A place read from disk counts as live. No more of them than a segment has room for. */
static nq_status count_place(nq_ctx *ctx, nq_pager *pager, nq_place place) {
    nq__segments_add(pager, place);
    if (!nq_place_is_none(place) &&
        pager->segments.items[place.segment].live_bytes > pager->data_bytes_max) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT,
                       "%s: the map leads to more in segment %u than it holds", pager->path,
                       place.segment);
    }
    return NQ_OK;
}

/* Reads a chunk or root of which the first `count` places may be in use. */
static nq_status read_places(nq_ctx *ctx, nq_pager *pager, uint32_t id, nq_place place,
                             uint32_t count, nq_place out_places[NQ_MAP_CHUNK_PLACES]) {
    NQ_TRY(count_place(ctx, pager, place));
    NQ_TRY(nq__map_image_read(ctx, pager, id, place, out_places));
    count = count < NQ_MAP_CHUNK_PLACES ? count : NQ_MAP_CHUNK_PLACES;
    if (!nq_map_places_are_valid(out_places, count, pager->layout,
                                 pager->superblock.segment_count)) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "%s, offset %llu: the page map leads outside the file",
                       pager->path, (unsigned long long)nq__data_offset(pager, place));
    }
    return NQ_OK;
}

static nq_status load_chunk(nq_ctx *ctx, nq_pager *pager, uint32_t chunk, nq_place image) {
    uint32_t first = chunk * NQ_MAP_CHUNK_PLACES;
    NQ_TRY(nq__map_reserve(ctx, pager, first));
    nq__chunk *c = pager->map.chunks[chunk];
    c->image = image;
    if (nq_place_is_none(image)) {
        return NQ_OK;
    }
    NQ_TRY(read_places(ctx, pager, nq_map_chunk_id(chunk), image,
                       pager->superblock.root.page_count - first, c->places));
    for (uint32_t i = 0; i < NQ_MAP_CHUNK_PLACES; i++) {
        if (!nq_place_is_none(c->places[i])) {
            NQ_TRY(count_place(ctx, pager, c->places[i]));
            c->present[i / 64] |= UINT64_C(1) << (i % 64);
        }
    }
    memcpy(c->written, c->present, sizeof c->written);
    return NQ_OK;
}

static nq_status load_map(nq_ctx *ctx, nq_pager *pager) {
    const nq_superblock *superblock = &pager->superblock;
    uint32_t chunk_count = nq_map_chunks_for(superblock->root.page_count);
    memcpy(pager->map.roots, superblock->map_roots, sizeof pager->map.roots);
    for (uint32_t chunk = 0; chunk < chunk_count;) {
        uint32_t root = chunk / NQ_MAP_CHUNK_PLACES;
        nq_place places[NQ_MAP_CHUNK_PLACES] = {0};
        if (!nq_place_is_none(pager->map.roots[root])) {
            NQ_TRY(read_places(ctx, pager, nq_map_root_id(root), pager->map.roots[root],
                               chunk_count - chunk, places));
        }
        for (uint32_t i = 0; i < NQ_MAP_CHUNK_PLACES && chunk < chunk_count; i++) {
            NQ_TRY(load_chunk(ctx, pager, chunk++, places[i]));
        }
    }
    nq__segments_settle(pager);
    return NQ_OK;
}

/* ---- Opening ---- */

static nq_status allocate(nq_ctx *ctx, nq_pager *pager) {
    for (uint32_t i = 0; i < NQ__BUFFERS; i++) {
        pager->buffers[i].bytes =
            nq_heap_alloc_aligned(NQ_SEGMENT_BLOCK_BYTES, pager->segment_bytes);
        if (pager->buffers[i].bytes == NULL) {
            return nq_fail_no_memory(ctx, "the data file's buffers");
        }
    }
    for (uint32_t i = 0; i < NQ__CODERS; i++) {
        NQ_TRY(nq_image_encoder_create(ctx, &pager->coders[i].encoder));
        NQ_TRY(nq_image_decoder_create(ctx, &pager->coders[i].decoder));
    }
    return NQ_OK;
}

/* The segments that the file has; it may be longer than its checkpoint needs, not shorter. */
static nq_status count_segments(nq_ctx *ctx, nq_pager *pager) {
    uint64_t bytes;
    NQ_TRY(nq_file_size(ctx, pager->file, &bytes));
    uint64_t expected = (uint64_t)pager->superblock.segment_count * pager->segment_bytes;
    if (bytes < expected) {
        return nq_fail(ctx, NQ_FILE_FOREIGN, "%s: truncated at offset %llu, expected %llu bytes",
                       pager->path, (unsigned long long)bytes, (unsigned long long)expected);
    }
    uint64_t count = bytes / pager->segment_bytes;
    count = count < UINT32_MAX ? count : UINT32_MAX;
    NQ_TRY(nq__segments_reserve(ctx, pager, (uint32_t)count));
    pager->segments.count = (uint32_t)count;
    pager->segments.lowest_free = (uint32_t)count;
    return NQ_OK;
}

static nq_status open_all(nq_ctx *ctx, nq_pager *pager, const nq_pager_options *options) {
    pager->path = nq_heap_copy_text(options->path, strlen(options->path));
    if (pager->path == NULL) {
        return nq_fail_no_memory(ctx, "the data file");
    }
    pager->on_damage = options->on_damage;
    pager->on_damage_user = options->user;
    NQ_TRY(nq_vfs_open(ctx, options->vfs, options->path, 0, &pager->file));
    NQ_TRY(choose_superblock(ctx, pager));
    const nq_superblock *superblock = &pager->superblock;
    pager->layout = superblock->layout;
    pager->salt = superblock->root.log_salt;
    pager->segment_bytes = nq_segment_bytes(pager->layout);
    pager->data_bytes_max = nq_segment_data_bytes_max(pager->layout);
    pager->checkpoint_sequence = superblock->sequence + 1;
    /* Beyond whatever was written since, and lost. */
    pager->segment_sequence = superblock->segment_sequence + (1 << 20);
    NQ_TRY(count_segments(ctx, pager));
    NQ_TRY(allocate(ctx, pager));
    NQ_TRY(load_map(ctx, pager));
    /* What a crash between its two writings, or rot, has left of the checkpoint's pair is made
     * whole before anything else is written: D6 holds from here on. */
    uint32_t written;
    return NQ_HAS_BUG(PAIR_NOT_COMPLETED) ? NQ_OK : nq__superblock_complete(ctx, pager, &written);
}

nq_status nq_pager_open(nq_ctx *ctx, const nq_pager_options *options, nq_pager **out_pager,
                        nq_pager_root *out_root) {
    *out_pager = NULL;
    *out_root = (nq_pager_root){0};
    nq_pager *pager = nq_heap_calloc(1, sizeof *pager);
    if (pager == NULL) {
        return nq_fail_no_memory(ctx, "the data file");
    }
    nq_mutex_init(&pager->mutex, NQ_LOCK_PAGER);
    nq_mutex_init(&pager->repair_mutex, NQ_LOCK_PAGER_REPAIR);
    nq_cond_init(&pager->changed);
    nq_status status = open_all(ctx, pager, options);
    if (status != NQ_OK) {
        nq_pager_close(pager);
        return status;
    }
    *out_root = pager->superblock.root;
    *out_pager = pager;
    return NQ_OK;
}

void nq_pager_close(nq_pager *pager) {
    if (pager == NULL) {
        return;
    }
    for (uint32_t i = 0; i < NQ__BUFFERS; i++) {
        nq_heap_free(pager->buffers[i].bytes);
    }
    for (uint32_t i = 0; i < NQ__CODERS; i++) {
        nq_image_encoder_destroy(pager->coders[i].encoder);
        nq_image_decoder_destroy(pager->coders[i].decoder);
    }
    nq__map_deinit(&pager->map);
    nq_heap_free(pager->segments.items);
    nq_heap_free(pager->repaired.bytes);
    nq_heap_free(pager->path);
    nq_file_close(pager->file);
    nq_mutex_deinit(&pager->mutex);
    nq_mutex_deinit(&pager->repair_mutex);
    nq_cond_deinit(&pager->changed);
    nq_heap_free(pager);
}
