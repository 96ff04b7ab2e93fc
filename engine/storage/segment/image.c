/* Image: compression with a bound on what it may cost, decompression with a bound on what it may
 * do. */
#include "engine/storage/segment/image.h"

#include "engine/ground/base/heap.h"
#include "engine/storage/page/node.h"

#include <lz4.h>
#include <zstd.h>

enum {
    /* A longer image is not worth the time of reading it. */
    COMPRESSED_BYTES_MAX = NQ_PAGE_BYTES - NQ_PAGE_BYTES / 10,
    /* Level 3 wins a twentieth on some pages, loses as much on others and takes a fifth longer. */
    ZSTD_LEVEL = 1,
    LZ4_ACCELERATION = 1,
};

struct nq_image_encoder {
    void *lz4;
    ZSTD_CCtx *zstd;
};

struct nq_image_decoder {
    ZSTD_DCtx *zstd;
};

/* libzstd sizes its tables when it first compresses: once before any page, so that memory is not
 * asked for later and is counted from the start. */
static bool size_tables(ZSTD_CCtx *zstd) {
    static const uint8_t page[NQ_PAGE_BYTES];
    uint8_t image[COMPRESSED_BYTES_MAX];
    return ZSTD_isError(
               ZSTD_compressCCtx(zstd, image, sizeof image, page, sizeof page, ZSTD_LEVEL)) == 0;
}

nq_status nq_image_encoder_create(nq_ctx *ctx, nq_image_encoder **out_encoder) {
    *out_encoder = NULL;
    nq_image_encoder *encoder = nq_heap_calloc(1, sizeof *encoder);
    if (encoder != NULL) {
        encoder->lz4 = nq_heap_alloc((size_t)LZ4_sizeofState());
        encoder->zstd = ZSTD_createCCtx();
    }
    if (encoder == NULL || encoder->lz4 == NULL || encoder->zstd == NULL ||
        !size_tables(encoder->zstd)) {
        nq_image_encoder_destroy(encoder);
        return nq_fail(ctx, NQ_MEMORY_LIMIT, "no memory is left to compress pages with");
    }
    *out_encoder = encoder;
    return NQ_OK;
}

nq_status nq_image_decoder_create(nq_ctx *ctx, nq_image_decoder **out_decoder) {
    *out_decoder = NULL;
    nq_image_decoder *decoder = nq_heap_calloc(1, sizeof *decoder);
    if (decoder != NULL) {
        decoder->zstd = ZSTD_createDCtx();
    }
    if (decoder == NULL || decoder->zstd == NULL) {
        nq_image_decoder_destroy(decoder);
        return nq_fail(ctx, NQ_MEMORY_LIMIT, "no memory is left to decompress pages with");
    }
    *out_decoder = decoder;
    return NQ_OK;
}

void nq_image_encoder_destroy(nq_image_encoder *encoder) {
    if (encoder != NULL) {
        nq_heap_free(encoder->lz4);
        (void)ZSTD_freeCCtx(encoder->zstd);
        nq_heap_free(encoder);
    }
}

void nq_image_decoder_destroy(nq_image_decoder *decoder) {
    if (decoder != NULL) {
        (void)ZSTD_freeDCtx(decoder->zstd);
        nq_heap_free(decoder);
    }
}

size_t nq_image_encoder_bytes(const nq_image_encoder *encoder) {
    return sizeof *encoder + (size_t)LZ4_sizeofState() + ZSTD_sizeof_CCtx(encoder->zstd);
}

size_t nq_image_decoder_bytes(const nq_image_decoder *decoder) {
    return sizeof *decoder + ZSTD_sizeof_DCtx(decoder->zstd);
}

/* ---- What is left out ---- */

static void copy_bytes(const nq_page *page, nq_page *out_page, uint32_t start, uint32_t end) {
    memcpy((uint8_t *)out_page + start, (const uint8_t *)page + start, end - start);
}

/* Where a cell ends; more than a page when it is none. */
static uint32_t cell_end(const nq_page *page, uint16_t slot) {
    const nq_node_slot *s = &nq_node_slots(page)[slot];
    if (s->cell + NQ_NODE_CELL_HEADER_BYTES > NQ_PAGE_BYTES) {
        return UINT32_MAX;
    }
    bool is_overflow;
    return s->cell + (uint32_t)NQ_NODE_CELL_HEADER_BYTES + s->key_bytes +
           (uint32_t)nq_node_payload(page, slot, &is_overflow).size;
}

/* Header, slots, cells that slots lead to, prefix; the rest of *out_page is zeros already. False:
 * the node breaks a rule. */
static bool copy_node(const nq_page *page, nq_page *out_page) {
    uint32_t slots_end = NQ_PAGE_HEADER_BYTES + (uint32_t)page->slot_count * NQ_NODE_SLOT_BYTES;
    if (slots_end > page->heap_start || page->heap_start > NQ_PAGE_BYTES ||
        page->prefix_bytes > NQ_PAGE_BYTES - page->heap_start) {
        return false;
    }
    copy_bytes(page, out_page, 0, slots_end);
    if (page->dead_bytes == 0) {
        copy_bytes(page, out_page, page->heap_start, NQ_PAGE_BYTES);
        return true;
    }
    for (uint16_t slot = 0; slot < page->slot_count; slot++) {
        uint32_t end = cell_end(page, slot);
        if (end > NQ_PAGE_BYTES) {
            return false;
        }
        copy_bytes(page, out_page, nq_node_slots(page)[slot].cell, end);
    }
    copy_bytes(page, out_page, NQ_PAGE_BYTES - (uint32_t)page->prefix_bytes, NQ_PAGE_BYTES);
    return true;
}

static bool copy_overflow(const nq_page *page, nq_page *out_page) {
    bool is_sound = page->payload_bytes <= NQ_PAGE_BODY_BYTES;
    if (is_sound) {
        copy_bytes(page, out_page, 0, (uint32_t)NQ_PAGE_HEADER_BYTES + page->payload_bytes);
    }
    return is_sound;
}

void nq_image_prepare(const nq_page *page, nq_page *out_page) {
    memset(out_page, 0, sizeof *out_page);
    bool is_node = page->kind == NQ_PAGE_LEAF || page->kind == NQ_PAGE_INTERNAL;
    bool is_copied = is_node ? copy_node(page, out_page)
                             : page->kind == NQ_PAGE_OVERFLOW && copy_overflow(page, out_page);
    if (!is_copied) {
        memcpy(out_page, page, sizeof *out_page);
    }
}

/* ---- Encoding ---- */

/* 0: not won. */
static size_t compress(nq_image_encoder *encoder, const void *page, nq_image_codec codec,
                       uint8_t *out_image) {
    if (codec == NQ_IMAGE_LZ4) {
        return (size_t)LZ4_compress_fast_extState(encoder->lz4, page, (char *)out_image,
                                                  NQ_PAGE_BYTES, COMPRESSED_BYTES_MAX,
                                                  LZ4_ACCELERATION);
    }
    if (codec == NQ_IMAGE_ZSTD) {
        size_t bytes = ZSTD_compressCCtx(encoder->zstd, out_image, COMPRESSED_BYTES_MAX, page,
                                         NQ_PAGE_BYTES, ZSTD_LEVEL);
        return ZSTD_isError(bytes) != 0 ? 0 : bytes;
    }
    return 0;
}

uint32_t nq_image_encode(nq_image_encoder *encoder, const void *page, nq_image_codec wish,
                         uint8_t *out_image, nq_image_codec *out_codec) {
    size_t bytes = compress(encoder, page, wish, out_image);
    if (bytes > 0) {
        *out_codec = wish;
        return (uint32_t)bytes;
    }
    memcpy(out_image, page, NQ_PAGE_BYTES);
    *out_codec = NQ_IMAGE_RAW;
    return NQ_PAGE_BYTES;
}

bool nq_image_is_possible(nq_image_codec codec, uint32_t bytes) {
    switch (codec) {
    case NQ_IMAGE_RAW:
        return bytes == NQ_PAGE_BYTES;
    case NQ_IMAGE_LZ4:
    case NQ_IMAGE_ZSTD:
        return bytes > 0 && bytes <= COMPRESSED_BYTES_MAX;
    }
    return false;
}

bool nq_image_decode(nq_image_decoder *decoder, nq_bytes image, nq_image_codec codec,
                     void *out_page) {
    if (image.size > UINT32_MAX || !nq_image_is_possible(codec, (uint32_t)image.size)) {
        return false;
    }
    switch (codec) {
    case NQ_IMAGE_RAW:
        memcpy(out_page, image.data, NQ_PAGE_BYTES);
        return true;
    case NQ_IMAGE_LZ4:
        return LZ4_decompress_safe((const char *)image.data, out_page, (int)image.size,
                                   NQ_PAGE_BYTES) == NQ_PAGE_BYTES;
    case NQ_IMAGE_ZSTD:
        return ZSTD_decompressDCtx(decoder->zstd, out_page, NQ_PAGE_BYTES, image.data,
                                   image.size) == NQ_PAGE_BYTES;
    }
    return false;
}
