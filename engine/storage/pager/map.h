/* Map: where every page is — as bytes.
 *
 *     superblock --> roots --> chunks --> images of pages
 *                    512       512 places each
 *
 * A place (segment/place.h) is 16 bytes, so a chunk is as large as a page, and is stored as an
 * image like one; so is a root, whose places are those of chunks. The whole map is in memory while
 * the file is open (map_internal.h); a page id without a place is free. docs/format/pagemap.md. */
#ifndef NQ_STORAGE_PAGER_MAP_H
#define NQ_STORAGE_PAGER_MAP_H

#include "engine/storage/segment/place.h"

enum {
    NQ_MAP_CHUNK_PLACES = NQ_PAGE_BYTES / (int)sizeof(nq_place),
    NQ_MAP_ROOT_PAGES = NQ_MAP_CHUNK_PLACES * NQ_MAP_CHUNK_PLACES,
    NQ_MAP_ROOTS_MAX = 504, /* as many as a superblock has room for */
    NQ_MAP_PAGES_MAX = NQ_MAP_ROOTS_MAX * NQ_MAP_ROOT_PAGES,
};

/* Chunks and roots have ids of their own, which no page has, to seed their images' checksums. */
static_assert(NQ_MAP_PAGES_MAX <= 0x40000000, "ids of pages, chunks and roots do not meet");

static inline uint32_t nq_map_chunk_id(uint32_t chunk) {
    return 0x40000000u + chunk;
}

static inline uint32_t nq_map_root_id(uint32_t root) {
    return 0x80000000u + root;
}

/* How many chunks, and roots, it takes to map the page ids below `page_count`. */
static inline uint32_t nq_map_chunks_for(uint32_t page_count) {
    return (page_count + NQ_MAP_CHUNK_PLACES - 1) / NQ_MAP_CHUNK_PLACES;
}

static inline uint32_t nq_map_roots_for(uint32_t page_count) {
    return (page_count + NQ_MAP_ROOT_PAGES - 1) / NQ_MAP_ROOT_PAGES;
}

/* A chunk or root from disk: every place is safe to follow, and none stands behind the first
 * `count`, which is at most NQ_MAP_CHUNK_PLACES. */
bool nq_map_places_are_valid(const nq_place places[NQ_MAP_CHUNK_PLACES], uint32_t count,
                             nq_segment_layout layout, uint32_t segment_count);

#endif
