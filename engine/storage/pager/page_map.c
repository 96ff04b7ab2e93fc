/* Page map: the places of all pages, in memory. */
#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/pager/pager_internal.h"

nq_place nq__map_place(const nq_pager *pager, uint32_t page) {
    uint32_t chunk = page / NQ_MAP_CHUNK_PLACES;
    return chunk < pager->map.chunk_count
               ? pager->map.chunks[chunk]->places[page % NQ_MAP_CHUNK_PLACES]
               : NQ_PLACE_NONE;
}

nq_status nq__map_reserve(nq_ctx *ctx, nq_pager *pager, uint32_t page) {
    nq__map *map = &pager->map;
    uint32_t needed = nq_map_chunks_for(page + 1);
    if (needed > map->chunk_room) {
        uint32_t room = map->chunk_room * 2 > needed ? map->chunk_room * 2 : needed;
        nq__chunk **chunks = nq_heap_realloc(map->chunks, room * sizeof(nq__chunk *));
        if (chunks == NULL) {
            return nq_fail_no_memory(ctx, "the page map");
        }
        map->chunks = chunks;
        map->chunk_room = room;
    }
    while (map->chunk_count < needed) {
        nq__chunk *chunk = nq_heap_calloc(1, sizeof *chunk);
        if (chunk == NULL) {
            return nq_fail_no_memory(ctx, "the page map");
        }
        map->chunks[map->chunk_count++] = chunk;
    }
    return NQ_OK;
}

/* The entry's place, without regard to the one of before. */
static void put(nq__chunk *chunk, uint32_t index, nq_place place) {
    uint64_t bit = UINT64_C(1) << (index % 64);
    chunk->places[index] = place;
    chunk->present[index / 64] &= ~bit;
    chunk->present[index / 64] |= nq_place_is_none(place) ? 0 : bit;
    chunk->is_stale = chunk->is_stale || (chunk->written[index / 64] & bit) != 0; /* D4 */
}

void nq__map_set(nq_pager *pager, uint32_t page, nq_place place) {
    nq_place before = nq__map_place(pager, page);
    if (nq_place_is_none(before) && nq_place_is_none(place)) {
        return;
    }
    nq__segments_drop(pager, before); /* D3 */
    nq__segments_add(pager, place);
    put(pager->map.chunks[page / NQ_MAP_CHUNK_PLACES], page % NQ_MAP_CHUNK_PLACES, place);
}

void nq__map_move(nq_pager *pager, uint32_t page, nq_place place) {
    nq_place before = nq__map_place(pager, page);
    NQ_ASSERT(!nq_place_is_none(before) && before.stamp == place.stamp);
    nq__segments_lead_away(pager, before); /* D3 */
    nq__segments_add(pager, place);
    put(pager->map.chunks[page / NQ_MAP_CHUNK_PLACES], page % NQ_MAP_CHUNK_PLACES, place);
}

void nq__map_set_chunk_image(nq_pager *pager, uint32_t chunk, nq_place place) {
    nq__chunk *c = pager->map.chunks[chunk];
    nq__segments_lead_away(pager, c->image);
    nq__segments_add(pager, place);
    c->image = place;
    pager->map.root_is_stale[chunk / NQ_MAP_CHUNK_PLACES] = true;
}

void nq__map_set_root_image(nq_pager *pager, uint32_t root, nq_place place) {
    nq__segments_lead_away(pager, pager->map.roots[root]);
    nq__segments_add(pager, place);
    pager->map.roots[root] = place;
    pager->map.root_is_stale[root] = false;
}

/* 64 pages from `first` on: a bit for each that the checkpoint does not reach. */
static uint64_t not_reached_word(const nq_space *not_reached, uint32_t first) {
    if (first >= not_reached->page_count) {
        return UINT64_MAX;
    }
    uint32_t count = not_reached->page_count - first;
    uint64_t beyond = count >= 64 ? 0 : UINT64_MAX << count;
    return not_reached->words[first / 64] | beyond;
}

bool nq__map_take_chunk(nq_pager *pager, uint32_t chunk, const nq_space *not_reached,
                        nq_place out_places[NQ_MAP_CHUNK_PLACES], bool *out_is_empty) {
    nq__chunk *c = pager->map.chunks[chunk];
    uint64_t reached[NQ__CHUNK_WORDS];
    bool is_changed = c->is_stale;
    *out_is_empty = true;
    for (uint32_t i = 0; i < NQ__CHUNK_WORDS; i++) {
        uint64_t left_out = not_reached_word(not_reached, chunk * NQ_MAP_CHUNK_PLACES + i * 64);
        reached[i] = NQ_HAS_BUG(HELD_PAGES_MAPPED) ? c->present[i] : c->present[i] & ~left_out;
        is_changed = is_changed || reached[i] != c->written[i];
        *out_is_empty = *out_is_empty && reached[i] == 0;
    }
    if (!is_changed) {
        return false;
    }
    for (uint32_t i = 0; i < NQ_MAP_CHUNK_PLACES; i++) {
        bool is_reached = (reached[i / 64] >> (i % 64) & 1) != 0;
        out_places[i] = is_reached ? c->places[i] : NQ_PLACE_NONE;
    }
    memcpy(c->written, reached, sizeof reached);
    c->is_stale = false;
    return true;
}

uint32_t nq__map_find_missing(const nq_pager *pager, const nq_space *not_reached) {
    for (uint32_t first = 0; first < not_reached->page_count; first += 64) {
        uint32_t chunk = first / NQ_MAP_CHUNK_PLACES;
        uint64_t present = chunk < pager->map.chunk_count
                               ? pager->map.chunks[chunk]->present[first % NQ_MAP_CHUNK_PLACES / 64]
                               : 0;
        uint64_t no_page = first == 0 ? (UINT64_C(1) << NQ_PAGE_ID_FIRST) - 1 : 0;
        uint64_t missing = ~(not_reached_word(not_reached, first) | present | no_page);
        if (missing != 0) {
            return first + (uint32_t)__builtin_ctzll(missing);
        }
    }
    return 0;
}

void nq__map_deinit(nq__map *map) {
    for (uint32_t i = 0; i < map->chunk_count; i++) {
        nq_heap_free(map->chunks[i]);
    }
    nq_heap_free((void *)map->chunks);
}
