/* Place: making an entry, and refusing a hostile one. */
#include "engine/storage/segment/place.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/simd/crc32c.h"

uint32_t nq_image_crc(uint32_t page_id, const void *image, uint32_t bytes) {
    return nq_crc32c(page_id, image, bytes);
}

nq_place nq_place_of(uint32_t segment, uint32_t data_byte, uint32_t bytes, nq_image_codec codec,
                     uint32_t crc, uint32_t stamp) {
    NQ_ASSERT(segment != 0 && data_byte % NQ_IMAGE_ALIGNMENT == 0);
    NQ_ASSERT(data_byte / NQ_IMAGE_ALIGNMENT <= UINT16_MAX);
    NQ_ASSERT(bytes >= 1 && bytes <= NQ_PLACE_BYTES_MAX);
    return (nq_place){
        .segment = segment,
        .start = (uint16_t)(data_byte / NQ_IMAGE_ALIGNMENT),
        .bytes_and_codec = (uint16_t)((bytes - 1) | (uint32_t)codec << NQ_PLACE_BYTES_BITS),
        .crc = crc,
        .stamp = stamp,
    };
}

bool nq_place_is_valid(nq_place place, nq_segment_layout layout, uint32_t segment_count) {
    if (nq_place_is_none(place)) {
        return true;
    }
    return place.segment < segment_count &&
           nq_image_is_possible(nq_place_codec(place), nq_place_bytes(place)) &&
           nq_place_data_byte(place) + nq_place_bytes(place) <= nq_segment_data_bytes_max(layout);
}
