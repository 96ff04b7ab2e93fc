/* Fuzz: a chunk of the page map from a hostile file. What is taken for valid must lead to nothing
 * outside the file, and to a reader that stays in its buffers.
 *
 * Input: lane_blocks (1), segments (1), places in use (2), then the chunk. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/storage/pager/map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void follow(nq_place place, nq_segment_layout layout, uint32_t segment_count) {
    uint32_t end = nq_place_data_byte(place) + nq_place_bytes(place);
    bool is_inside = place.segment >= 1 && place.segment < segment_count &&
                     nq_segment_data_offset(end) <= nq_segment_bytes(layout) &&
                     nq_place_bytes(place) <= NQ_IMAGE_BYTES_MAX;
    if (!is_inside) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { HEAD_BYTES = 4 };
    static nq_place places[NQ_MAP_CHUNK_PLACES];
    if (size < HEAD_BYTES) {
        return 0;
    }
    nq_segment_layout layout = {1 + data[0] % NQ_SEGMENT_LANE_BLOCKS_MAX};
    uint32_t segment_count = 1 + data[1];
    uint32_t count = (data[2] | (uint32_t)data[3] << 8) % (NQ_MAP_CHUNK_PLACES + 1);
    size_t bytes = size - HEAD_BYTES < sizeof places ? size - HEAD_BYTES : sizeof places;
    memset(places, 0, sizeof places);
    memcpy(places, data + HEAD_BYTES, bytes);
    if (!nq_map_places_are_valid(places, count, layout, segment_count)) {
        return 0;
    }
    for (uint32_t i = 0; i < NQ_MAP_CHUNK_PLACES; i++) {
        if (!nq_place_is_none(places[i])) {
            follow(places[i], layout, segment_count);
        }
    }
    return 0;
}
