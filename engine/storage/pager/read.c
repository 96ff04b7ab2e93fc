/* Read: from a place to the page that was meant, or to a failure that says why not.
 *
 * A place may change while its image is being read: the page has been moved, and its old segment
 * has perhaps been written anew. So a checksum that does not fit means damage only if the place is
 * still the same. */
#include "engine/ground/base/assert.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/pager/pager_internal.h"

static bool is_right(uint32_t id, nq_place place, const uint8_t *image) {
    return nq_image_crc(id, image, nq_place_bytes(place)) == place.crc ||
           NQ_HAS_BUG(IMAGE_CHECKSUM_IGNORED);
}

/* From a buffer; false: the file has it. */
static bool copy_buffered(nq_pager *pager, nq_place place, uint8_t *out_image) {
    const uint8_t *segment = nq__stream_find(pager, place.segment);
    if (segment != NULL) {
        memcpy(out_image, segment + nq_segment_data_offset(nq_place_data_byte(place)),
               nq_place_bytes(place));
    }
    return segment != NULL;
}

/* From the file, if the file has it whole. */
static bool read_file(nq_pager *pager, uint32_t id, nq_place place, uint8_t *out_image) {
    nq_ctx ctx; /* a failure to read is damage like any other */
    nq_ctx_init(&ctx, NULL);
    size_t read_bytes;
    uint32_t bytes = nq_place_bytes(place);
    nq_status status = nq_file_read_at(&ctx, pager->file, nq__data_offset(pager, place), out_image,
                                       bytes, &read_bytes);
    return status == NQ_OK && read_bytes == bytes && is_right(id, place, out_image);
}

/* From wherever it can be had; the segment is not reused meanwhile. */
static nq_status read_pinned(nq_ctx *ctx, nq_pager *pager, uint32_t id, nq_place place,
                             uint8_t *out_image) {
    return read_file(pager, id, place, out_image)
               ? NQ_OK
               : nq__place_repair(ctx, pager, id, place, out_image);
}

/* Pins the segment if the page is still there. */
static bool pin_place(nq_pager *pager, uint32_t page, nq_place place) {
    nq_mutex_lock(&pager->mutex);
    bool is_there = nq__place_is_same(nq__map_place(pager, page), place);
    if (is_there) {
        nq__segment_pin(pager, place.segment);
    }
    nq_mutex_unlock(&pager->mutex);
    return is_there;
}

static void unpin(nq_pager *pager, uint32_t segment) {
    nq_mutex_lock(&pager->mutex);
    nq__segment_unpin(pager, segment);
    nq_mutex_unlock(&pager->mutex);
}

nq_status nq__page_image_read(nq_ctx *ctx, nq_pager *pager, uint32_t page, nq_place *out_place,
                              uint8_t *out_image) {
    for (;;) {
        nq_mutex_lock(&pager->mutex);
        nq_place place = nq__map_place(pager, page);
        bool is_there = nq_place_is_none(place) || copy_buffered(pager, place, out_image);
        nq_mutex_unlock(&pager->mutex);
        *out_place = place;
        if (is_there || read_file(pager, page, place, out_image)) {
            return NQ_OK;
        }
        if (pin_place(pager, page, place)) {
            nq_status status = read_pinned(ctx, pager, page, place, out_image);
            unpin(pager, place.segment);
            return status;
        }
    }
}

/* ---- Decoding ---- */

static bool unpack(nq_pager *pager, nq_image_codec codec, nq_bytes bytes, void *out_bytes) {
    if (codec != NQ_IMAGE_ZSTD) {
        return nq_image_decode(NULL, bytes, codec, out_bytes);
    }
    nq__coder *coder = nq__coder_take(pager);
    bool is_unpacked = nq_image_decode(coder->decoder, bytes, codec, out_bytes);
    nq__coder_give(coder);
    return is_unpacked;
}

bool nq__image_unpack(nq_pager *pager, nq_place place, const uint8_t *image, void *out_bytes) {
    return unpack(pager, nq_place_codec(place), nq_bytes_of(image, nq_place_bytes(place)),
                  out_bytes);
}

bool nq_pager_unpack(nq_pager *pager, const nq_pager_image *image, nq_page *out_page) {
    return unpack(pager, image->codec, nq_bytes_of(image->data, image->bytes), out_page);
}

nq_status nq__map_image_read(nq_ctx *ctx, nq_pager *pager, uint32_t id, nq_place place,
                             nq_place out_places[NQ_MAP_CHUNK_PLACES]) {
    uint8_t image[NQ_IMAGE_BYTES_MAX];
    NQ_TRY(read_pinned(ctx, pager, id, place, image));
    if (!nq__image_unpack(pager, place, image, out_places)) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "%s, offset %llu: not a part of the page map",
                       pager->path, (unsigned long long)nq__data_offset(pager, place));
    }
    return NQ_OK;
}

/* ---- Pages ---- */

nq_status nq_pager_read(nq_ctx *ctx, nq_pager *pager, nq_page_ref ref, nq_page *out_page) {
    uint8_t image[NQ_IMAGE_BYTES_MAX];
    nq_place place;
    NQ_TRY(nq__page_image_read(ctx, pager, ref.page, &place, image));
    if (nq_place_is_none(place)) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "%s: a reference leads to page %u, which is free",
                       pager->path, ref.page);
    }
    atomic_fetch_add_explicit(&pager->counters.images_read, 1, memory_order_relaxed);
    if (!nq__image_unpack(pager, place, image, out_page)) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT,
                       "page %u (%s, offset %llu): its image is none of a page", ref.page,
                       pager->path, (unsigned long long)nq__data_offset(pager, place));
    }
    return nq_page_check(ctx, out_page, ref);
}

/* ---- Reading ahead ---- */

typedef struct stretch {
    uint64_t start, end; /* in the file */
} stretch;

/* Where the images stand that are in the file. They may move: then the hint was for nothing. */
static uint32_t locate(nq_pager *pager, const nq_page_id *ids, uint32_t count,
                       stretch out_stretches[NQ_PAGER_AHEAD_MAX]) {
    uint32_t found = 0;
    nq_mutex_lock(&pager->mutex);
    for (uint32_t i = 0; i < count; i++) {
        nq_place place = nq__map_place(pager, ids[i].value);
        if (!nq_place_is_none(place) && nq__stream_find(pager, place.segment) == NULL) {
            uint64_t start = nq__data_offset(pager, place);
            out_stretches[found++] = (stretch){start, start + nq_place_bytes(place)};
        }
    }
    nq_mutex_unlock(&pager->mutex);
    return found;
}

/* Half of what the system reads ahead on its own, as a rule. */
static const uint64_t gap_bytes_max = 64 << 10;

static bool follows(stretch next, stretch before) {
    return next.start >= before.end && next.start - before.end <= gap_bytes_max;
}

void nq_pager_read_ahead(nq_pager *pager, const nq_page_id *ids, uint32_t count) {
    stretch stretches[NQ_PAGER_AHEAD_MAX];
    NQ_ASSERT(count <= NQ_PAGER_AHEAD_MAX);
    count = locate(pager, ids, count, stretches);
    uint32_t ascents = 0;
    for (uint32_t i = 1; i < count; i++) {
        ascents += follows(stretches[i], stretches[i - 1]);
    }
    if (ascents != 0 && ascents >= count / 2) {
        return;
    }
    atomic_fetch_add_explicit(&pager->counters.images_hinted, count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        stretch all = stretches[i];
        while (i + 1 < count && follows(all, stretches[i + 1])) { /* a walk backwards */
            all.start = stretches[++i].start;
        }
        nq_file_prefetch(pager->file, all.start, all.end - all.start);
    }
}
