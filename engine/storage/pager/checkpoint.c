/* Checkpoint: everything written so far becomes what the file holds.
 *
 *     collect -> chunks and roots of the map -> write the last segment -> sync
 *             -> superblock, sync -> superblock again, sync -> release what was moved
 *
 * Pages go on being written and forgotten meanwhile: those are of newer versions, and no part of
 * it. Until the first superblock is durable the file still holds the checkpoint before, whole. */
#include "engine/ground/base/assert.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/pager/pager_internal.h"

nq_status nq_pager_health(nq_pager *pager) {
    nq_mutex_lock(&pager->mutex);
    nq_status failure = pager->failure;
    nq_mutex_unlock(&pager->mutex);
    return failure;
}

nq_status nq__pager_fail(nq_pager *pager, nq_status status) {
    nq_mutex_lock(&pager->mutex);
    pager->failure = status;
    nq_mutex_unlock(&pager->mutex);
    return status;
}

/* ---- The map ---- */

static void make_image(nq_pager *pager, uint32_t id, const nq_place places[NQ_MAP_CHUNK_PLACES],
                       nq__image *out_image) {
    out_image->purpose = NQ__FOR_MAP;
    out_image->stamp = (uint32_t)pager->next_superblock.sequence;
    nq__coder *coder = nq__coder_take(pager);
    nq__image_make(coder, id, places, NQ_IMAGE_ZSTD, out_image);
    nq__coder_give(coder);
    pager->map_bytes_before += out_image->bytes;
}

/* The chunk's image has been made; its place is found under the mutex. */
static nq_status append_chunk(nq_ctx *ctx, nq_pager *pager, uint32_t chunk,
                              const nq__image *image) {
    nq_place place;
    nq_status status = nq__stream_append(ctx, pager, image, &place);
    if (status != NQ_OK) {
        pager->map.chunks[chunk]->is_stale = true; /* D4 */
        return status;
    }
    if (!NQ_HAS_BUG(MAP_CHUNK_NOT_LED_TO) || nq_place_is_none(pager->map.chunks[chunk]->image)) {
        nq__map_set_chunk_image(pager, chunk, place);
    }
    return NQ_OK;
}

static nq_status write_chunk(nq_ctx *ctx, nq_pager *pager, uint32_t chunk,
                             const nq_space *not_reached) {
    nq_place places[NQ_MAP_CHUNK_PLACES];
    nq__image image;
    bool is_empty;
    nq_mutex_lock(&pager->mutex);
    bool is_needed = nq__map_take_chunk(pager, chunk, not_reached, places, &is_empty);
    if (is_needed && is_empty) {
        nq__map_set_chunk_image(pager, chunk, NQ_PLACE_NONE);
    }
    nq_mutex_unlock(&pager->mutex);
    if (!is_needed || is_empty) {
        return NQ_OK;
    }
    make_image(pager, nq_map_chunk_id(chunk), places, &image);
    nq_mutex_lock(&pager->mutex);
    nq_status status = append_chunk(ctx, pager, chunk, &image);
    nq_mutex_unlock(&pager->mutex);
    return status;
}

/* The images of a root's chunks, as a root's places. False: there are none. Under the mutex. */
static bool list_chunk_images(const nq_pager *pager, uint32_t root,
                              nq_place out_places[NQ_MAP_CHUNK_PLACES]) {
    bool is_empty = true;
    for (uint32_t i = 0; i < NQ_MAP_CHUNK_PLACES; i++) {
        uint32_t chunk = root * NQ_MAP_CHUNK_PLACES + i;
        out_places[i] =
            chunk < pager->map.chunk_count ? pager->map.chunks[chunk]->image : NQ_PLACE_NONE;
        is_empty = is_empty && nq_place_is_none(out_places[i]);
    }
    return !is_empty;
}

static nq_status write_root(nq_ctx *ctx, nq_pager *pager, uint32_t root) {
    nq_place places[NQ_MAP_CHUNK_PLACES];
    nq__image image;
    nq_mutex_lock(&pager->mutex);
    bool is_needed = pager->map.root_is_stale[root];
    bool has_chunks = is_needed && list_chunk_images(pager, root, places);
    if (is_needed && !has_chunks) {
        nq__map_set_root_image(pager, root, NQ_PLACE_NONE);
    }
    nq_mutex_unlock(&pager->mutex);
    if (!has_chunks) {
        return NQ_OK;
    }
    make_image(pager, nq_map_root_id(root), places, &image);
    nq_place place;
    nq_mutex_lock(&pager->mutex);
    nq_status status = nq__stream_append(ctx, pager, &image, &place);
    if (status == NQ_OK) {
        nq__map_set_root_image(pager, root, place);
    }
    nq_mutex_unlock(&pager->mutex);
    return status;
}

/* A page that the checkpoint reaches and the map does not have would be lost with the next restart.
 */
static nq_status check_complete(nq_ctx *ctx, nq_pager *pager, const nq_space *not_reached) {
    nq_mutex_lock(&pager->mutex);
    uint32_t missing = nq__map_find_missing(pager, not_reached);
    nq_mutex_unlock(&pager->mutex);
    return missing == 0
               ? NQ_OK
               : nq_fail(ctx, NQ_BUG, "page %u was never written, yet is part of a checkpoint",
                         missing);
}

static nq_status write_map(nq_ctx *ctx, nq_pager *pager, const nq_space *not_reached) {
    NQ_TRY(check_complete(ctx, pager, not_reached));
    nq_mutex_lock(&pager->mutex);
    uint32_t chunk_count = pager->map.chunk_count;
    nq_mutex_unlock(&pager->mutex);
    pager->map_bytes_before = 0;
    for (uint32_t chunk = 0; chunk < chunk_count; chunk++) {
        NQ_TRY(write_chunk(ctx, pager, chunk, not_reached));
    }
    for (uint32_t root = 0; root < NQ_MAP_ROOTS_MAX; root++) {
        NQ_TRY(write_root(ctx, pager, root));
    }
    atomic_fetch_add_explicit(&pager->counters.map_bytes, pager->map_bytes_before,
                              memory_order_relaxed);
    return NQ_OK;
}

/* ---- The superblock ---- */

nq_status nq__superblock_write(nq_ctx *ctx, nq_pager *pager, const nq_superblock *superblock,
                               uint32_t turn) {
    uint8_t bytes[NQ_SUPERBLOCK_BYTES];
    nq_superblock_encode(superblock, bytes);
    uint32_t copy = nq_superblock_copy(superblock->sequence, turn);
    NQ_TRY(nq_file_write_at(ctx, pager->file, nq_superblock_offset(pager->layout, copy), bytes,
                            sizeof bytes));
    bool is_left_out = NQ_HAS_BUG(SUPERBLOCK_NOT_SYNCED) ||
                       (NQ_HAS_BUG(SECOND_SUPERBLOCK_NOT_SYNCED) && turn == 1);
    return is_left_out ? NQ_OK : nq_file_sync_data(ctx, pager->file);
}

nq_status nq__superblock_complete(nq_ctx *ctx, nq_pager *pager, uint32_t *out_written) {
    *out_written = 0;
    uint8_t expected[NQ_SUPERBLOCK_BYTES];
    nq_superblock_encode(&pager->superblock, expected);
    for (uint32_t turn = 0; turn < NQ_SUPERBLOCK_PAIR; turn++) {
        uint8_t found[NQ_SUPERBLOCK_BYTES] = {0};
        size_t read_bytes;
        uint32_t copy = nq_superblock_copy(pager->superblock.sequence, turn);
        nq_status status =
            nq_file_read_at(ctx, pager->file, nq_superblock_offset(pager->layout, copy), found,
                            sizeof found, &read_bytes);
        if (status != NQ_OK || memcmp(found, expected, sizeof found) != 0) {
            NQ_TRY(nq__superblock_write(ctx, pager, &pager->superblock, turn));
            ++*out_written;
        }
    }
    return NQ_OK;
}

/* The file must reach at least to the last segment that anything leads to. */
static uint32_t segments_needed(const nq_pager *pager) {
    uint32_t count = pager->segments.count;
    while (count > 1 && pager->segments.items[count - 1].live_bytes == 0) {
        count--;
    }
    return count;
}

static void make_superblock(nq_pager *pager, const nq_pager_root *root) {
    nq_superblock *next = &pager->next_superblock;
    next->root = *root;
    next->layout = pager->layout;
    nq_mutex_lock(&pager->mutex);
    next->segment_sequence = pager->segment_sequence;
    next->segment_count = segments_needed(pager);
    memcpy(next->map_roots, pager->map.roots, sizeof next->map_roots);
    nq_mutex_unlock(&pager->mutex);
}

/* ---- The whole ---- */

static nq_status sync_data(nq_ctx *ctx, nq_pager *pager) {
    nq_status status = NQ_HAS_BUG(DATA_NOT_SYNCED) ? NQ_OK : nq_file_sync_data(ctx, pager->file);
    return status == NQ_OK ? NQ_OK : nq__pager_fail(pager, status);
}

/* D6 */
static nq_status publish(nq_ctx *ctx, nq_pager *pager, const nq_pager_root *root) {
    NQ_TRY(sync_data(ctx, pager));
    nq_status status = NQ_OK;
    make_superblock(pager, root);
    for (uint32_t turn = 0; turn < NQ_SUPERBLOCK_PAIR && status == NQ_OK; turn++) {
        status = nq__superblock_write(ctx, pager, &pager->next_superblock, turn);
    }
    if (status != NQ_OK) {
        return nq__pager_fail(pager, status);
    }
    pager->superblock = pager->next_superblock;
    pager->flushed_bytes_before = atomic_load(&pager->counters.flushed_bytes);
    nq_mutex_lock(&pager->mutex);
    pager->checkpoint_sequence++;
    nq__segments_release(pager); /* D3 */
    nq_mutex_unlock(&pager->mutex);
    nq__repaired_drop(pager);
    return NQ_OK;
}

static nq_status check_health(nq_ctx *ctx, nq_pager *pager) {
    return nq_pager_health(pager) == NQ_OK
               ? NQ_OK
               : nq_fail(ctx, NQ_READ_ONLY_DATABASE, "%s: a sync has failed before", pager->path);
}

nq_status nq_pager_sync(nq_ctx *ctx, nq_pager *pager) {
    NQ_TRY(check_health(ctx, pager));
    NQ_TRY(nq__stream_flush(ctx, pager));
    return sync_data(ctx, pager);
}

nq_status nq_pager_checkpoint(nq_ctx *ctx, nq_pager *pager, const nq_pager_root *root,
                              const nq_space *not_reached, nq_pager_checkpoint_result *out_result) {
    *out_result = (nq_pager_checkpoint_result){0};
    NQ_ASSERT(root->page_count == not_reached->page_count);
    NQ_TRY(check_health(ctx, pager));
    pager->next_superblock.sequence = pager->superblock.sequence + 1;
    NQ_TRY(nq__pager_collect(ctx, pager, &out_result->pages_moved));
    NQ_TRY(write_map(ctx, pager, not_reached));
    NQ_TRY(nq__stream_flush(ctx, pager));
    return publish(ctx, pager, root);
}
