/* Verify: the accounts of segments against the map.
 *
 * D2 every segment's live bytes are those of the places that lead there; beyond that, every place
 * is inside the file, and no two images share a byte. */
#include "engine/ground/base/heap.h"
#include "engine/storage/pager/pager_internal.h"

typedef struct audit {
    nq_pager *pager;
    uint32_t units;   /* of NQ_IMAGE_ALIGNMENT in a segment's data */
    uint8_t *is_used; /* of each unit of each segment, a bit */
    uint64_t *live_bytes;
} audit;

static nq_status fail_at(nq_ctx *ctx, const audit *a, uint32_t id, nq_place place,
                         const char *rule) {
    return nq_fail(ctx, NQ_PAGE_CORRUPT, "%s, page %u (segment %u, byte %u of its data): %s",
                   a->pager->path, id, place.segment, nq_place_data_byte(place), rule);
}

static nq_status meet(nq_ctx *ctx, audit *a, uint32_t id, nq_place place) {
    if (nq_place_is_none(place)) {
        return NQ_OK;
    }
    if (!nq_place_is_valid(place, a->pager->layout, a->pager->segments.count)) {
        return fail_at(ctx, a, id, place, "its place is outside the file");
    }
    uint64_t first = (uint64_t)place.segment * a->units + place.start;
    for (uint32_t i = 0; i < nq_place_aligned_bytes(place) / NQ_IMAGE_ALIGNMENT; i++) {
        uint8_t bit = (uint8_t)(1u << (first + i) % 8);
        if ((a->is_used[(first + i) / 8] & bit) != 0) {
            return fail_at(ctx, a, id, place, "another image is at its place");
        }
        a->is_used[(first + i) / 8] |= bit;
    }
    a->live_bytes[place.segment] += nq_place_aligned_bytes(place);
    return NQ_OK;
}

static nq_status meet_chunk(nq_ctx *ctx, audit *a, uint32_t chunk) {
    const nq__chunk *c = a->pager->map.chunks[chunk];
    NQ_TRY(meet(ctx, a, nq_map_chunk_id(chunk), c->image));
    for (uint32_t i = 0; i < NQ_MAP_CHUNK_PLACES; i++) {
        uint32_t page = chunk * NQ_MAP_CHUNK_PLACES + i;
        NQ_TRY(meet(ctx, a, page, c->places[i]));
        bool is_present = (c->present[i / 64] >> (i % 64) & 1) != 0;
        if (is_present == nq_place_is_none(c->places[i])) {
            return fail_at(ctx, a, page, c->places[i], "it is not counted as it is");
        }
    }
    return NQ_OK;
}

/* Under the mutex. */
static nq_status meet_all(nq_ctx *ctx, audit *a) {
    nq_pager *pager = a->pager;
    for (uint32_t chunk = 0; chunk < pager->map.chunk_count; chunk++) {
        NQ_TRY(meet_chunk(ctx, a, chunk));
    }
    for (uint32_t root = 0; root < NQ_MAP_ROOTS_MAX; root++) {
        NQ_TRY(meet(ctx, a, nq_map_root_id(root), pager->map.roots[root]));
    }
    for (uint32_t segment = 1; segment < pager->segments.count; segment++) {
        if (pager->segments.items[segment].live_bytes != a->live_bytes[segment]) {
            return nq_fail(ctx, NQ_PAGE_CORRUPT,
                           "%s breaks D2: segment %u holds %llu live bytes, %u"
                           " are counted",
                           pager->path, segment, (unsigned long long)a->live_bytes[segment],
                           pager->segments.items[segment].live_bytes);
        }
    }
    return NQ_OK;
}

nq_status nq_pager_verify(nq_ctx *ctx, nq_pager *pager) {
    audit a = {.pager = pager, .units = pager->data_bytes_max / NQ_IMAGE_ALIGNMENT};
    nq_mutex_lock(&pager->mutex);
    size_t segment_count = pager->segments.count;
    a.is_used = nq_heap_calloc(segment_count, a.units / 8);
    a.live_bytes = nq_heap_calloc(segment_count, sizeof *a.live_bytes);
    nq_status status = a.is_used == NULL || a.live_bytes == NULL
                           ? nq_fail_no_memory(ctx, "verifying the data file")
                           : meet_all(ctx, &a);
    nq_mutex_unlock(&pager->mutex);
    nq_heap_free(a.is_used);
    nq_heap_free(a.live_bytes);
    return status;
}
