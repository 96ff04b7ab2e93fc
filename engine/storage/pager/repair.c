/* Repair: the image that parity says must have been there.
 *
 * The whole segment is read and its bad blocks restored in memory. Nothing is written over the
 * damage: that would put its neighbours at risk. The segment is marked, and the next checkpoint
 * moves what is left in it. */
#include "engine/ground/base/heap.h"
#include "engine/ground/base/logger.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/pager/pager_internal.h"
#include "engine/storage/segment/rescue.h"

/* ---- Reading a segment, whatever is left of it ---- */

static bool read_run(nq_pager *pager, uint64_t offset, uint8_t *out_bytes, size_t bytes) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    size_t read_bytes;
    nq_status status = nq_file_read_at(&ctx, pager->file, offset, out_bytes, bytes, &read_bytes);
    return status == NQ_OK && read_bytes == bytes;
}

/* What cannot be read is zeros. False: that is all of it. */
static bool read_segment(nq_pager *pager, uint32_t segment, uint8_t *out_bytes) {
    uint64_t start = (uint64_t)segment * pager->segment_bytes;
    bool has_any = read_run(pager, start, out_bytes, pager->segment_bytes);
    if (has_any) {
        return true;
    }
    for (uint32_t at = 0; at < pager->segment_bytes; at += NQ_SEGMENT_BLOCK_BYTES) {
        if (read_run(pager, start + at, out_bytes + at, NQ_SEGMENT_BLOCK_BYTES)) {
            has_any = true;
        } else {
            memset(out_bytes + at, 0, NQ_SEGMENT_BLOCK_BYTES);
        }
    }
    return has_any;
}

/* A device that is gone is no damage: nothing of the file can be read, the first block included. */
static bool is_readable(nq_pager *pager) {
    uint8_t block[NQ_SEGMENT_BLOCK_BYTES];
    bool is_it = read_run(pager, 0, block, sizeof block);
    if (!is_it && !atomic_exchange(&pager->is_unreadable, true)) {
        NQ_LOG(NQ_LEVEL_ERROR, "the data file cannot be read: its device fails",
               NQ_FIELD("path", pager->path));
    }
    return is_it;
}

nq_status nq__segment_inspect(nq_ctx *ctx, nq_pager *pager, uint32_t segment, uint8_t *out_bytes,
                              nq_segment_damage *out_damage, bool *out_has_any) {
    *out_has_any = read_segment(pager, segment, out_bytes);
    if (!*out_has_any && !is_readable(pager)) {
        return nq_fail(ctx, NQ_IO_ERROR, "%s, offset %llu: nothing of the file can be read",
                       pager->path, (unsigned long long)segment * pager->segment_bytes);
    }
    nq_segment_check(pager->layout, pager->salt, segment, out_bytes, out_damage);
    return NQ_OK;
}

static void say_damage(const nq_pager *pager, uint32_t segment, const nq_segment_damage *damage) {
    uint64_t offset = (uint64_t)segment * pager->segment_bytes;
    if (damage->state == NQ_SEGMENT_WHOLE) {
        NQ_LOG(NQ_LEVEL_WARN, "a read of the data file failed, and succeeded when it was repeated",
               NQ_FIELD("path", pager->path), NQ_FIELD("segment", segment),
               NQ_FIELD("offset", offset));
        return;
    }
    NQ_LOG(NQ_LEVEL_WARN, "damage found in the data file", NQ_FIELD("path", pager->path),
           NQ_FIELD("segment", segment), NQ_FIELD("offset", offset),
           NQ_FIELD("bad_blocks", damage->bad_block_count),
           NQ_FIELD("rows_beyond_parity", damage->lost_row_count),
           NQ_FIELD("has_header", damage->state != NQ_SEGMENT_HEADLESS));
}

void nq__segment_mark(nq_pager *pager, uint32_t segment, const nq_segment_damage *damage) {
    nq_mutex_lock(&pager->mutex);
    nq__segment *s = &pager->segments.items[segment];
    bool is_news = !s->is_damaged && !s->has_losses;
    s->is_damaged = s->is_damaged || is_news;
    nq_mutex_unlock(&pager->mutex);
    if (!is_news) {
        return;
    }
    atomic_fetch_add_explicit(&pager->counters.segments_damaged, 1, memory_order_relaxed);
    say_damage(pager, segment, damage);
    if (pager->on_damage != NULL) {
        pager->on_damage(pager->on_damage_user);
    }
}

/* ---- The repaired segment; under its mutex ---- */

static nq_status allocate(nq_ctx *ctx, nq_pager *pager) {
    nq__repaired *repaired = &pager->repaired;
    if (repaired->bytes == NULL) {
        repaired->bytes = nq_heap_alloc_aligned(NQ_SEGMENT_BLOCK_BYTES, pager->segment_bytes);
    }
    if (repaired->bytes == NULL) {
        return nq_fail_no_memory(ctx, "repairing a segment");
    }
    atomic_store_explicit(&repaired->heap_bytes, pager->segment_bytes, memory_order_relaxed);
    return NQ_OK;
}

static uint64_t sequence_of(nq_pager *pager, uint32_t segment) {
    nq_mutex_lock(&pager->mutex);
    uint64_t sequence = pager->segments.items[segment].sequence;
    nq_mutex_unlock(&pager->mutex);
    return sequence;
}

/* Has the segment in memory, as whole as it can be made. */
static nq_status take_up(nq_ctx *ctx, nq_pager *pager, uint32_t segment) {
    nq__repaired *repaired = &pager->repaired;
    uint64_t sequence = sequence_of(pager, segment);
    if (repaired->segment == segment && repaired->sequence == sequence) {
        return NQ_OK;
    }
    NQ_TRY(allocate(ctx, pager));
    bool has_any;
    nq_segment_damage damage;
    repaired->segment = 0; /* what it has is about to be overwritten */
    NQ_TRY(nq__segment_inspect(ctx, pager, segment, repaired->bytes, &damage, &has_any));
    nq__segment_mark(pager, segment, &damage);
    repaired->segment = segment;
    repaired->sequence = sequence;
    repaired->is_searchable = has_any && damage.state == NQ_SEGMENT_HEADLESS;
    (void)nq_segment_repair(pager->layout, &damage, repaired->bytes);
    return NQ_OK;
}

static nq_status repair(nq_ctx *ctx, nq_pager *pager, uint32_t id, nq_place place,
                        uint8_t *out_image) {
    NQ_TRY(take_up(ctx, pager, place.segment));
    nq__repaired *repaired = &pager->repaired;
    const uint8_t *image = nq_segment_data(repaired->bytes) + nq_place_data_byte(place);
    uint32_t bytes = nq_place_bytes(place);
    bool is_right = nq_image_crc(id, image, bytes) == place.crc || NQ_HAS_BUG(REPAIR_NOT_VERIFIED);
    if (!is_right && repaired->is_searchable) {
        is_right = nq_segment_rescue_image(pager->layout, id, place, repaired->bytes);
    }
    if (!is_right) {
        atomic_fetch_add_explicit(&pager->counters.images_lost, 1, memory_order_relaxed);
        return nq_fail(ctx, NQ_PAGE_CORRUPT,
                       "page %u (%s, offset %llu): its checksum does not match, and parity cannot "
                       "restore it",
                       id, pager->path, (unsigned long long)nq__data_offset(pager, place));
    }
    memcpy(out_image, image, bytes);
    atomic_fetch_add_explicit(&pager->counters.images_repaired, 1, memory_order_relaxed);
    return NQ_OK;
}

nq_status nq__place_repair(nq_ctx *ctx, nq_pager *pager, uint32_t id, nq_place place,
                           uint8_t *out_image) {
    nq_mutex_lock(&pager->repair_mutex);
    nq_status status = repair(ctx, pager, id, place, out_image);
    nq_mutex_unlock(&pager->repair_mutex);
    return status;
}

void nq__repaired_drop(nq_pager *pager) {
    nq_mutex_lock(&pager->repair_mutex);
    nq_heap_free(pager->repaired.bytes);
    pager->repaired.bytes = NULL;
    pager->repaired.segment = 0;
    atomic_store_explicit(&pager->repaired.heap_bytes, 0, memory_order_relaxed);
    nq_mutex_unlock(&pager->repair_mutex);
}
