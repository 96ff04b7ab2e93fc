/* Collect: making room by moving what is live out of segments that hold little of it, and out of
 * damaged ones.
 *
 * Greedy: the emptiest segments first, until the live bytes are TARGET_PERCENT of what the used
 * segments have room for. So a collected segment yields at least what is missing to that. What the
 * last segment of a checkpoint would leave unused is filled the same way. One checkpoint moves no
 * more than a few times what was written since the one before, so that it ends. What is moved has
 * lived for a while and is compressed harder. */
#include <stdlib.h>

#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/pager/pager_internal.h"

enum {
    TARGET_PERCENT = 80,
    SLACK_SEGMENTS = 1,     /* as many dead bytes are left alone */
    MOVED_SEGMENTS_MIN = 8, /* what a checkpoint may move in any case, */
    MOVED_PER_FLUSHED = 4,  /* and for each byte flushed: what the target needs at worst */
    /* When nothing else asks for a checkpoint. Further from the target than what a checkpoint
     * leaves, whose last segment is partly filled: else it would be due for ever. */
    IDLE_TARGET_PERCENT = 65,
    IDLE_SLACK_SEGMENTS = 3,
};

/* ---- Choosing ---- */

typedef struct candidate {
    uint32_t segment;
    uint32_t live_bytes;
    uint64_t sequence;
} candidate;

typedef struct plan {
    nq_pager *pager;
    candidate *candidates;
    uint32_t count;
    uint32_t next;
    uint64_t live_bytes;     /* of all used segments, */
    uint64_t capacity_bytes; /* and what they have room for */
    uint64_t moved_bytes;    /* of the victims */
    uint64_t moved_bytes_max;
} plan;

static int compare_candidates(const void *left, const void *right) {
    const candidate *a = left;
    const candidate *b = right;
    if (a->live_bytes != b->live_bytes) {
        return a->live_bytes < b->live_bytes ? -1 : 1;
    }
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

/* Too much of the used segments is dead. */
static bool is_sparse(const plan *p) {
    return p->live_bytes * 100 < p->capacity_bytes * TARGET_PERCENT &&
           p->capacity_bytes - p->live_bytes > (uint64_t)SLACK_SEGMENTS * p->pager->data_bytes_max;
}

static void choose(plan *p, const candidate *c) {
    nq_pager *pager = p->pager;
    pager->segments.items[c->segment].is_victim = true;
    p->moved_bytes += c->live_bytes;
    p->capacity_bytes -= pager->data_bytes_max - c->live_bytes;
}

/* Under the mutex. */
static void list_candidates(plan *p) {
    nq_pager *pager = p->pager;
    for (uint32_t segment = 1; segment < pager->segments.count; segment++) {
        const nq__segment *s = &pager->segments.items[segment];
        if (s->live_bytes == 0) {
            continue; /* free, or about to be */
        }
        p->live_bytes += s->live_bytes;
        p->capacity_bytes += pager->data_bytes_max;
        candidate c = {segment, s->live_bytes, s->sequence};
        if (!s->is_buffered && s->is_damaged) {
            choose(p, &c);
        } else if (!s->is_buffered) {
            p->candidates[p->count++] = c;
        }
    }
    qsort(p->candidates, p->count, sizeof *p->candidates, compare_candidates);
}

/* What the stream's last segment will leave unused. */
static uint64_t room_left(const plan *p) {
    const nq_pager *pager = p->pager;
    uint64_t room = nq__stream_room(pager);
    uint64_t needed = p->moved_bytes + pager->map_bytes_before + NQ_PAGE_BYTES;
    if (needed > room) {
        room += (needed - room + pager->data_bytes_max - 1) / pager->data_bytes_max *
                pager->data_bytes_max;
    }
    return room - needed;
}

/* Under the mutex. */
static void choose_victims(plan *p) {
    uint64_t data_bytes_max = p->pager->data_bytes_max;
    list_candidates(p);
    while (p->next < p->count && is_sparse(p) && p->moved_bytes < p->moved_bytes_max) {
        choose(p, &p->candidates[p->next++]);
    }
    uint64_t room = room_left(p);
    for (; p->next < p->count; p->next++) {
        const candidate *c = &p->candidates[p->next];
        bool is_worth_it = (uint64_t)c->live_bytes * 100 < data_bytes_max * TARGET_PERCENT &&
                           p->capacity_bytes - p->live_bytes > SLACK_SEGMENTS * data_bytes_max;
        if (!is_worth_it || c->live_bytes > room) {
            break;
        }
        room -= c->live_bytes;
        choose(p, c);
    }
}

/* Under the mutex. */
static bool is_due(const nq_pager *pager) {
    uint64_t live_bytes = 0;
    uint64_t capacity_bytes = 0;
    for (uint32_t segment = 1; segment < pager->segments.count; segment++) {
        const nq__segment *s = &pager->segments.items[segment];
        if (s->is_damaged) {
            return true;
        }
        live_bytes += s->live_bytes;
        capacity_bytes += s->live_bytes == 0 ? 0 : pager->data_bytes_max;
    }
    return live_bytes * 100 < capacity_bytes * IDLE_TARGET_PERCENT &&
           capacity_bytes - live_bytes > (uint64_t)IDLE_SLACK_SEGMENTS * pager->data_bytes_max;
}

bool nq_pager_wants_checkpoint(nq_pager *pager) {
    nq_mutex_lock(&pager->mutex);
    bool wants = is_due(pager);
    nq_mutex_unlock(&pager->mutex);
    return wants;
}

/* ---- Moving ---- */

/* The image as it is to be stored from now on; `image` has that of `place`. */
static void compress_harder(nq_pager *pager, uint32_t page, nq_place place, nq__image *image) {
    image->bytes = nq_place_bytes(place);
    image->codec = nq_place_codec(place);
    image->crc = place.crc;
    image->stamp = place.stamp;
    if (image->codec == NQ_IMAGE_ZSTD) {
        return;
    }
    nq__image smaller = {.purpose = image->purpose, .stamp = image->stamp};
    nq_page bytes;
    if (!nq__image_unpack(pager, place, image->data, &bytes)) {
        return; /* whoever reads it will be told */
    }
    nq__coder *coder = nq__coder_take(pager);
    nq__image_make(coder, page, &bytes, NQ_IMAGE_ZSTD, &smaller);
    nq__coder_give(coder);
    if (smaller.bytes < image->bytes) {
        *image = smaller;
    }
}

/* Appends the image and leads the page there, unless the page has changed meanwhile. */
static nq_status relocate(nq_ctx *ctx, nq_pager *pager, uint32_t page, nq_place before,
                          const nq__image *image) {
    nq_place place;
    nq_mutex_lock(&pager->mutex);
    nq_status status = nq__stream_append(ctx, pager, image, &place);
    if (status == NQ_OK && nq__place_is_same(nq__map_place(pager, page), before)) {
        nq__map_move(pager, page, place);
    }
    nq_mutex_unlock(&pager->mutex);
    return status;
}

static nq_status move_page(nq_ctx *ctx, nq_pager *pager, uint32_t page) {
    nq__image image = {.purpose = NQ__FOR_COLLECTION};
    nq_place place;
    nq_status status = nq__page_image_read(ctx, pager, page, &place, image.data);
    if (status == NQ_PAGE_CORRUPT || nq_place_is_none(place)) {
        return NQ_OK; /* lost, which its readers are told; or given back */
    }
    NQ_TRY(status);
    if (NQ_HAS_BUG(COLLECTED_PAGE_DROPPED) && page % 29 == 0) {
        nq_pager_forget(pager, (nq_page_id){page});
        return NQ_OK;
    }
    compress_harder(pager, page, place, &image);
    NQ_TRY(relocate(ctx, pager, page, place, &image));
    atomic_fetch_add_explicit(&pager->counters.moved_bytes, image.bytes, memory_order_relaxed);
    return NQ_OK;
}

/* The pages of a chunk that are in victims. Their part of the map goes the way of the map: it is
 * written anew. */
static uint32_t list_pages(nq_pager *pager, uint32_t chunk,
                           uint32_t out_pages[NQ_MAP_CHUNK_PLACES]) {
    uint32_t count = 0;
    nq_mutex_lock(&pager->mutex);
    const nq__segment *segments = pager->segments.items;
    nq__chunk *c = pager->map.chunks[chunk];
    for (uint32_t i = 0; i < NQ_MAP_CHUNK_PLACES; i++) {
        if (segments[c->places[i].segment].is_victim) {
            out_pages[count++] = chunk * NQ_MAP_CHUNK_PLACES + i;
        }
    }
    c->is_stale = c->is_stale || segments[c->image.segment].is_victim;
    nq_mutex_unlock(&pager->mutex);
    return count;
}

static nq_status move_all(nq_ctx *ctx, nq_pager *pager, uint32_t chunk_count,
                          uint64_t *out_pages_moved) {
    uint32_t pages[NQ_MAP_CHUNK_PLACES];
    for (uint32_t chunk = 0; chunk < chunk_count; chunk++) {
        uint32_t count = list_pages(pager, chunk, pages);
        for (uint32_t i = 0; i < count; i++) {
            NQ_TRY(move_page(ctx, pager, pages[i]));
            ++*out_pages_moved;
        }
    }
    return NQ_OK;
}

/* ---- The whole ---- */

/* Also has the map's roots in them written anew. What is still damaged then is lost, or has had no
 * room. */
static void forget_victims(nq_pager *pager, bool is_done) {
    nq_mutex_lock(&pager->mutex);
    for (uint32_t root = 0; root < NQ_MAP_ROOTS_MAX; root++) {
        nq__segment *s = &pager->segments.items[pager->map.roots[root].segment];
        pager->map.root_is_stale[root] = pager->map.root_is_stale[root] || s->is_victim;
    }
    for (uint32_t segment = 1; segment < pager->segments.count; segment++) {
        nq__segment *s = &pager->segments.items[segment];
        s->is_damaged = s->is_damaged && !(s->is_victim && is_done);
        s->is_victim = false;
    }
    nq_mutex_unlock(&pager->mutex);
}

nq_status nq__pager_collect(nq_ctx *ctx, nq_pager *pager, uint64_t *out_pages_moved) {
    *out_pages_moved = 0;
    uint64_t flushed_bytes =
        atomic_load(&pager->counters.flushed_bytes) - pager->flushed_bytes_before;
    plan p = {.pager = pager,
              .moved_bytes_max = flushed_bytes * MOVED_PER_FLUSHED +
                                 (uint64_t)pager->data_bytes_max * MOVED_SEGMENTS_MIN};
    nq_mutex_lock(&pager->mutex);
    uint32_t chunk_count = pager->map.chunk_count;
    p.candidates = nq_heap_calloc(pager->segments.count, sizeof *p.candidates);
    if (p.candidates != NULL) {
        choose_victims(&p);
    }
    nq_mutex_unlock(&pager->mutex);
    if (p.candidates == NULL) {
        return NQ_OK; /* the next checkpoint may have the memory */
    }
    nq_heap_free(p.candidates);
    nq_status status =
        p.moved_bytes == 0 ? NQ_OK : move_all(ctx, pager, chunk_count, out_pages_moved);
    forget_victims(pager, status == NQ_OK);
    /* What is not moved stays where it is. */
    return status == NQ_DISK_FULL ? NQ_OK : status;
}
