/* Place: an entry of the page map — where the image of a page is, and its checksum.
 *
 * 16 bytes, stored as the CPU reads them (little-endian). The checksum stands here and not beside
 * the page: a lost, stale or misplaced write cannot have the one that is asked for. Segment 0 holds
 * superblocks, so an entry of zeros is no place. */
#ifndef NQ_STORAGE_SEGMENT_PLACE_H
#define NQ_STORAGE_SEGMENT_PLACE_H

#include "engine/storage/segment/image.h"
#include "engine/storage/segment/segment.h"

#include <assert.h>

enum {
    NQ_PLACE_BYTES_BITS = 14,
    NQ_PLACE_BYTES_MAX = 1 << NQ_PLACE_BYTES_BITS,
};

typedef struct nq_place {
    uint32_t segment;         /* 0: none */
    uint16_t start;           /* in NQ_IMAGE_ALIGNMENT from the segment's data on */
    uint16_t bytes_and_codec; /* of the image: its bytes less one; the codec in the top two bits */
    uint32_t crc;             /* nq_image_crc */
    uint32_t stamp;           /* of the page: the low half of its generation */
} nq_place;

static_assert(sizeof(nq_place) == 16, "an entry of the map has no padding");
static_assert(NQ_SEGMENT_DATA_LANES * NQ_SEGMENT_LANE_BLOCKS_MAX * NQ_SEGMENT_BLOCK_BYTES /
                      NQ_IMAGE_ALIGNMENT <=
                  UINT16_MAX,
              "every start fits its field");
static_assert((int)NQ_IMAGE_BYTES_MAX <= (int)NQ_PLACE_BYTES_MAX, "every size fits its field");

#define NQ_PLACE_NONE ((nq_place){0, 0, 0, 0, 0})

/* An image's checksum: CRC32C, seeded so that another page's image never fits. */
uint32_t nq_image_crc(uint32_t page_id, const void *image, uint32_t bytes);

/* `data_byte` is a multiple of NQ_IMAGE_ALIGNMENT; `bytes` is 1 to NQ_PLACE_BYTES_MAX. */
nq_place nq_place_of(uint32_t segment, uint32_t data_byte, uint32_t bytes, nq_image_codec codec,
                     uint32_t crc, uint32_t stamp);

static inline bool nq_place_is_none(nq_place place) {
    return place.segment == 0;
}

/* Of the image's first byte, in the segment's data. */
static inline uint32_t nq_place_data_byte(nq_place place) {
    return (uint32_t)place.start * NQ_IMAGE_ALIGNMENT;
}

static inline uint32_t nq_place_bytes(nq_place place) {
    return (place.bytes_and_codec & (NQ_PLACE_BYTES_MAX - 1u)) + 1u;
}

static inline nq_image_codec nq_place_codec(nq_place place) {
    return (nq_image_codec)(place.bytes_and_codec >> NQ_PLACE_BYTES_BITS);
}

/* What the image takes of the segment's data. */
static inline uint32_t nq_place_aligned_bytes(nq_place place) {
    return (nq_place_bytes(place) + NQ_IMAGE_ALIGNMENT - 1u) / NQ_IMAGE_ALIGNMENT *
           NQ_IMAGE_ALIGNMENT;
}

/* An entry read from disk is safe to follow: none, or an image of a known codec and possible size
 * inside the data of a segment in [1, segment_count). */
bool nq_place_is_valid(nq_place place, nq_segment_layout layout, uint32_t segment_count);

#endif
