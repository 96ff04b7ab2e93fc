/* Map: looking at places that came from disk before anybody follows them. */
#include "engine/storage/pager/map.h"

bool nq_map_places_are_valid(const nq_place places[NQ_MAP_CHUNK_PLACES], uint32_t count,
                             nq_segment_layout layout, uint32_t segment_count) {
    for (uint32_t i = 0; i < NQ_MAP_CHUNK_PLACES; i++) {
        bool is_allowed = i < count || nq_place_is_none(places[i]);
        if (!is_allowed || !nq_place_is_valid(places[i], layout, segment_count)) {
            return false;
        }
    }
    return true;
}
