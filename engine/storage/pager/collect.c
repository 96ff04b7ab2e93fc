/* Collect: making room by moving what is live out of segments that hold little of it, and out of
 * damaged ones.
 *
 * Greedy: the emptiest segments first, until the live bytes are TARGET_PERCENT of what the used
 * segments have room for. So a collected segment yields at least what is missing to that. What the
 * last segment of a checkpoint would leave unused is filled the same way. One checkpoint moves no
 * more than a few times what was written since the one before, so that it ends. The last before the
 * store is closed aims higher, but only by moves that free more than they write. What is moved has
 * lived for a while and is compressed harder.
 *
 * On a full disk there is no target, but only so much room to move to. One victim after the other
 * is moved then, and the last in part: what it keeps is less than before, so that room is won in
 * the end even by filling segments one by one. */
#include <stdlib.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/base/vec.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/pager/pager_internal.h"

enum {
    TARGET_PERCENT = 70,
    CLOSING_TARGET_PERCENT = 90, /* nothing will be written for a while, */
    CLOSING_LIVE_PERCENT =
        50,                 /* but of segments fuller than this a move writes more than it frees */
    SLACK_SEGMENTS = 1,     /* as many dead bytes are left alone */
    MOVED_SEGMENTS_MIN = 8, /* what a checkpoint may move in any case, */
    MOVED_PER_FLUSHED = 3,  /* and for each byte flushed: what the target needs at worst */
    /* When nothing else asks for a checkpoint. Further from the target than what a checkpoint
     * leaves, whose last segment is partly filled: else it would be due for ever. */
    IDLE_TARGET_PERCENT = 55,
    IDLE_SLACK_SEGMENTS = 3,
};

/* ---- What there is ---- */

typedef struct candidate {
    uint32_t segment;
    uint32_t live_bytes;
    uint64_t sequence;
} candidate;

typedef struct victim_page {
    uint32_t rank; /* of its segment: the order in which they are emptied */
    uint32_t page;
} victim_page;

NQ_VEC(victim_pages, victim_page)

typedef struct plan {
    nq_pager *pager;
    bool is_short; /* of room on the disk */
    candidate *candidates;
    uint32_t count;
    uint64_t live_bytes;     /* of all used segments, */
    uint64_t capacity_bytes; /* and what they have room for */
    uint64_t moved_bytes;    /* of the victims */
    uint64_t moved_bytes_max;
    uint32_t victim_count;
} plan;

static int compare_candidates(const void *left, const void *right) {
    const candidate *a = left;
    const candidate *b = right;
    if (a->live_bytes != b->live_bytes) {
        return a->live_bytes < b->live_bytes ? -1 : 1;
    }
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static uint64_t dead_bytes(const plan *p) {
    return p->capacity_bytes - p->live_bytes;
}

static uint64_t segments(const plan *p, uint32_t count) {
    return (uint64_t)count * p->pager->data_bytes_max;
}

static void choose(plan *p, const candidate *c) {
    p->pager->segments.items[c->segment].victim_rank = ++p->victim_count;
    p->moved_bytes += c->live_bytes;
    p->capacity_bytes -= p->pager->data_bytes_max - c->live_bytes;
}

/* The used segments; the damaged ones are victims already. Under the mutex. */
static void take_stock(plan *p) {
    nq_pager *pager = p->pager;
    p->is_short = nq__stream_is_short(pager);
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

/* ---- Choosing; under the mutex ---- */

/* What the stream's last segment will leave unused. */
static uint64_t room_left(const plan *p) {
    uint64_t room = nq__stream_room(p->pager);
    uint64_t needed = p->moved_bytes + p->pager->map_bytes_before + NQ_PAGE_BYTES;
    if (needed > room) {
        uint64_t beyond = needed - room;
        room += (beyond + segments(p, 1) - 1) / segments(p, 1) * segments(p, 1);
    }
    return room - needed;
}

static bool is_below(const plan *p, uint32_t target_percent) {
    return p->live_bytes * 100 < p->capacity_bytes * target_percent &&
           dead_bytes(p) > segments(p, SLACK_SEGMENTS);
}

static bool is_emptier(const plan *p, uint32_t live_bytes, uint32_t percent) {
    return (uint64_t)live_bytes * 100 < segments(p, 1) * percent;
}

/* Whether a target asks for the emptiest segment to be moved. */
static bool is_asked_for(const plan *p, const candidate *emptiest) {
    return is_below(p, TARGET_PERCENT) ||
           (p->pager->is_closing && is_below(p, CLOSING_TARGET_PERCENT) &&
            is_emptier(p, emptiest->live_bytes, CLOSING_LIVE_PERCENT));
}

/* The target, and then the rest of the last segment. */
static void choose_for_target(plan *p) {
    uint32_t next = 0;
    while (next < p->count && is_asked_for(p, &p->candidates[next]) &&
           p->moved_bytes < p->moved_bytes_max) {
        choose(p, &p->candidates[next++]);
    }
    uint32_t percent = p->pager->is_closing ? CLOSING_LIVE_PERCENT : TARGET_PERCENT;
    for (uint64_t room = room_left(p); next < p->count; next++) {
        const candidate *c = &p->candidates[next];
        bool is_worth_it =
            is_emptier(p, c->live_bytes, percent) && dead_bytes(p) > segments(p, SLACK_SEGMENTS);
        if (!is_worth_it || c->live_bytes > room) {
            return;
        }
        room -= c->live_bytes;
        choose(p, c);
    }
}

/* As much as there is room for, and then some, which stays where it is. */
static void choose_for_room(plan *p) {
    nq_pager *pager = p->pager;
    uint32_t kept_back = nq__stream_kept_back(pager, NQ__FOR_COLLECTION);
    uint32_t free_count = pager->segments.free_count;
    uint64_t room =
        nq__stream_room(pager) + segments(p, free_count > kept_back ? free_count - kept_back : 0);
    for (uint32_t next = 0; next < p->count && p->moved_bytes < room; next++) {
        choose(p, &p->candidates[next]);
    }
}

/* Of `cheap_count` segments that are worth emptying before a close one may be the rest that the
 * checkpoint before had left over, in the place of which the next would leave its own. */
static bool is_due_before_close(const plan *p, uint32_t cheap_count) {
    return is_below(p, TARGET_PERCENT) || (cheap_count > 1 && is_below(p, CLOSING_TARGET_PERCENT));
}

/* A checkpoint would win room though nothing was written. */
static bool is_due(const plan *p, uint32_t cheap_count) {
    if (p->victim_count != 0 || (p->pager->is_closing && is_due_before_close(p, cheap_count))) {
        return true;
    }
    if (dead_bytes(p) <= segments(p, IDLE_SLACK_SEGMENTS)) {
        return false;
    }
    return p->is_short || p->live_bytes * 100 < p->capacity_bytes * IDLE_TARGET_PERCENT;
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

/* What cannot be read cannot be moved; its readers are told. The segment is not tried for it again.
 */
static void note_loss(nq_pager *pager, uint32_t segment) {
    nq_mutex_lock(&pager->mutex);
    pager->segments.items[segment].has_losses = true;
    nq_mutex_unlock(&pager->mutex);
}

static nq_status move_page(nq_ctx *ctx, nq_pager *pager, uint32_t page) {
    nq__image image = {.purpose = NQ__FOR_COLLECTION};
    nq_place place;
    nq_status status = nq__page_image_read(ctx, pager, page, &place, image.data);
    if (status == NQ_PAGE_CORRUPT) {
        note_loss(pager, place.segment);
        return NQ_OK;
    }
    NQ_TRY(status);
    if (nq_place_is_none(place)) {
        return NQ_OK; /* given back */
    }
    if (NQ_HAS_BUG(COLLECTED_PAGE_DROPPED) && page % 29 == 0) {
        nq_pager_forget(pager, (nq_page_id){page});
        return NQ_OK;
    }
    compress_harder(pager, page, place, &image);
    NQ_TRY(relocate(ctx, pager, page, place, &image));
    atomic_fetch_add_explicit(&pager->counters.moved_bytes, image.bytes, memory_order_relaxed);
    return NQ_OK;
}

/* ---- The pages of the victims ---- */

/* Those of a chunk. The chunk itself, if a victim has it, goes the way of the map: it is written
 * anew. */
static bool list_chunk(nq_pager *pager, uint32_t chunk, victim_pages *pages) {
    bool has_memory = true;
    nq_mutex_lock(&pager->mutex);
    const nq__segment *items = pager->segments.items;
    nq__chunk *c = pager->map.chunks[chunk];
    for (uint32_t i = 0; i < NQ_MAP_CHUNK_PLACES && has_memory; i++) {
        uint32_t rank = items[c->places[i].segment].victim_rank;
        if (rank != 0) {
            has_memory =
                victim_pages_push(pages, (victim_page){rank, chunk * NQ_MAP_CHUNK_PLACES + i});
        }
    }
    c->is_stale = c->is_stale || items[c->image.segment].victim_rank != 0;
    nq_mutex_unlock(&pager->mutex);
    return has_memory;
}

static int compare_pages(const void *left, const void *right) {
    const victim_page *a = left;
    const victim_page *b = right;
    if (a->rank != b->rank) {
        return a->rank < b->rank ? -1 : 1;
    }
    return (a->page > b->page) - (a->page < b->page);
}

static nq_status move_all(nq_ctx *ctx, nq_pager *pager, uint32_t chunk_count,
                          uint64_t *out_pages_moved) {
    victim_pages pages = {0};
    nq_status status = NQ_OK;
    bool has_memory = true;
    for (uint32_t chunk = 0; chunk < chunk_count && has_memory; chunk++) {
        has_memory = list_chunk(pager, chunk, &pages);
    }
    if (pages.count > 1) {
        qsort(pages.items, pages.count, sizeof *pages.items, compare_pages);
    }
    for (size_t i = 0; i < pages.count && status == NQ_OK; i++) {
        status = move_page(ctx, pager, pages.items[i].page);
        *out_pages_moved += status == NQ_OK ? 1 : 0;
    }
    victim_pages_deinit(&pages);
    return status;
}

/* Also has the roots of the map that victims have written anew. What is still damaged then is lost,
 * or has had no room. */
static void forget_victims(nq_pager *pager, bool is_done) {
    nq_mutex_lock(&pager->mutex);
    for (uint32_t root = 0; root < NQ_MAP_ROOTS_MAX; root++) {
        const nq__segment *s = &pager->segments.items[pager->map.roots[root].segment];
        pager->map.root_is_stale[root] = pager->map.root_is_stale[root] || s->victim_rank != 0;
    }
    for (uint32_t segment = 1; segment < pager->segments.count; segment++) {
        nq__segment *s = &pager->segments.items[segment];
        s->is_damaged = s->is_damaged && !(s->victim_rank != 0 && is_done);
        s->victim_rank = 0;
    }
    nq_mutex_unlock(&pager->mutex);
}

/* ---- The whole ---- */

/* Under the mutex, but for the memory. False: there is none. */
static bool make_plan(nq_pager *pager, plan *out_plan) {
    uint64_t flushed_bytes =
        atomic_load(&pager->counters.flushed_bytes) - pager->flushed_bytes_before;
    *out_plan = (plan){.pager = pager};
    out_plan->moved_bytes_max =
        flushed_bytes * MOVED_PER_FLUSHED + segments(out_plan, MOVED_SEGMENTS_MIN);
    out_plan->candidates = nq_heap_calloc(pager->segments.count, sizeof *out_plan->candidates);
    if (out_plan->candidates == NULL) {
        return false;
    }
    take_stock(out_plan);
    return true;
}

void nq_pager_expect_close(nq_pager *pager) {
    pager->is_closing = true;
}

bool nq_pager_wants_checkpoint(nq_pager *pager) {
    plan p = {.pager = pager};
    uint32_t cheap_count = 0;
    nq_mutex_lock(&pager->mutex);
    p.is_short = nq__stream_is_short(pager);
    for (uint32_t segment = 1; segment < pager->segments.count; segment++) {
        const nq__segment *s = &pager->segments.items[segment];
        p.live_bytes += s->live_bytes;
        p.capacity_bytes += s->live_bytes == 0 ? 0 : pager->data_bytes_max;
        p.victim_count += s->is_damaged ? 1 : 0;
        bool is_cheap = is_emptier(&p, s->live_bytes, CLOSING_LIVE_PERCENT);
        cheap_count += s->live_bytes != 0 && is_cheap ? 1 : 0;
    }
    nq_mutex_unlock(&pager->mutex);
    return is_due(&p, cheap_count);
}

nq_status nq__pager_collect(nq_ctx *ctx, nq_pager *pager, uint64_t *out_pages_moved) {
    *out_pages_moved = 0;
    plan p;
    nq_mutex_lock(&pager->mutex);
    uint32_t chunk_count = pager->map.chunk_count;
    bool is_planned = make_plan(pager, &p);
    if (is_planned && p.is_short) {
        choose_for_room(&p);
    } else if (is_planned) {
        choose_for_target(&p);
    }
    nq_mutex_unlock(&pager->mutex);
    nq_heap_free(p.candidates);
    if (p.victim_count == 0) {
        return NQ_OK; /* without memory: until the next checkpoint */
    }
    nq_status status = move_all(ctx, pager, chunk_count, out_pages_moved);
    forget_victims(pager, status == NQ_OK);
    /* What is not moved stays where it is. */
    return status == NQ_DISK_FULL ? NQ_OK : status;
}
