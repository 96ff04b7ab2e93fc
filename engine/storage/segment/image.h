/* Image: a page as it is stored — raw, or compressed by LZ4 or zstd.
 *
 * An image is raw unless compression wins a tenth. It says nothing of itself: its codec, size and
 * checksum are in the page map (place.h). Sole user of liblz4 and libzstd. */
#ifndef NQ_STORAGE_SEGMENT_IMAGE_H
#define NQ_STORAGE_SEGMENT_IMAGE_H

#include "engine/storage/page/page.h"

enum {
    NQ_IMAGE_BYTES_MAX = NQ_PAGE_BYTES,
    NQ_IMAGE_ALIGNMENT = 64, /* where images start in a segment's data */
};

typedef enum nq_image_codec {
    NQ_IMAGE_RAW = 0,
    NQ_IMAGE_LZ4 = 1,  /* fast: what was just written */
    NQ_IMAGE_ZSTD = 2, /* small: what has outlived a collection */
} nq_image_codec;

/* The tables of the compressors; used by one thread at a time. */
typedef struct nq_image_encoder nq_image_encoder;

/* The tables of zstd's decompressor; used by one thread at a time. */
typedef struct nq_image_decoder nq_image_decoder;

/* Fail with NQ_MEMORY_LIMIT. */
nq_status nq_image_encoder_create(nq_ctx *ctx, nq_image_encoder **out_encoder);
nq_status nq_image_decoder_create(nq_ctx *ctx, nq_image_decoder **out_decoder);

/* NULL is allowed. */
void nq_image_encoder_destroy(nq_image_encoder *encoder);
void nq_image_decoder_destroy(nq_image_decoder *decoder);

/* Memory they hold, for budgets: about 140 and 100 KB from the start, and no more later. */
size_t nq_image_encoder_bytes(const nq_image_encoder *encoder);
size_t nq_image_decoder_bytes(const nq_image_decoder *decoder);

/* A copy of a page without what no reader looks at, which would only cost space: the gap between a
 * node's slots and its cells, cells that were removed, and the body behind an overflow page's
 * payload. A page that breaks the rules is copied as it is. */
void nq_image_prepare(const nq_page *page, nq_page *out_page);

/* Writes the image of NQ_PAGE_BYTES at `page` to `out_image` (room for NQ_IMAGE_BYTES_MAX, not
 * overlapping) by the codec `wish`, or raw when that does not win a tenth. Returns its bytes;
 * *out_codec is what it became. */
uint32_t nq_image_encode(nq_image_encoder *encoder, const void *page, nq_image_codec wish,
                         uint8_t *out_image, nq_image_codec *out_codec);

/* Gives back what was encoded: NQ_PAGE_BYTES to `out_page`. False: the bytes are no such image, and
 * *out_page is undefined. Safe on any bytes. `decoder` may be NULL unless the codec is zstd. */
bool nq_image_decode(nq_image_decoder *decoder, nq_bytes image, nq_image_codec codec,
                     void *out_page);

/* Some page might have an image of this codec and size. */
bool nq_image_is_possible(nq_image_codec codec, uint32_t bytes);

#endif
